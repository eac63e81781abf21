from sqlalchemy import select
from stage import LIN, NAMES, Probe, add_monitor, incident

from statuspage.actions import maintenance, notices, suspicions
from statuspage.domain.notice import Draft, Facts
from statuspage.store import notices as store
from statuspage.store.schema import catalogue, checks, delivery

EVERYTHING = [f"{name}-api" for name in NAMES] + ["payments-flow"]


def opened(ctx):
    with ctx.db.read() as conn:
        return store.open_notices(conn)


def said(ctx):
    with ctx.db.read() as conn:
        rows = conn.execute(select(delivery.outbox).order_by(delivery.outbox.c.id)).mappings().all()
    return [(row["kind"], row["payload"]["event"], tuple(row["channels"])) for row in rows]


def status_of(ctx, component):
    with ctx.db.read() as conn:
        return conn.execute(
            select(catalogue.components.c.status).where(catalogue.components.c.id == component)
        ).scalar_one()


def test_fewer_failures_than_asked_for_say_nothing(wallet, probe):
    probe.sees("down", "transfers-api", times=2)

    assert opened(wallet) == []
    assert status_of(wallet, "transfers") == "operational"


def test_a_confirmed_failure_opens_one_suspected_notice(wallet, probe):
    probe.sees("down", "transfers-api", times=5)

    [notice] = opened(wallet)
    assert notice.is_suspected
    assert notice.facts.components == {"transfers": "major_outage"}
    assert notice.facts.titles == {"en": "We see a problem with Transfers", "zh-Hans": "我们发现转账可能异常"}
    assert notice.facts.funds_safety == "unknown_checking"
    assert notice.facts.eta_at is None
    assert notice.facts.cause == "unknown"


def test_a_suspicion_reaches_machines_and_the_on_call_only(wallet, probe):
    probe.sees("down", "transfers-api", times=3)

    assert said(wallet) == [("notice_update", "suspected", ("webhook",)), ("page_oncall", "suspected", ())]


def test_a_storm_is_one_notice_and_one_page(wallet, probe):
    probe.sees("down", *EVERYTHING, times=3)

    [notice] = opened(wallet)
    assert set(notice.facts.components) == set(NAMES)
    assert "2 more" in notice.facts.titles["en"]
    assert [entry for entry in said(wallet) if entry[0] == "page_oncall"] == [("page_oncall", "suspected", ())]


def test_what_fails_within_a_minute_joins(wallet, probe, clock):
    probe.sees("down", "transfers-api", times=3)
    clock.pass_(seconds=40)
    probe.sees("down", "login-api", times=3)

    [notice] = opened(wallet)
    assert set(notice.facts.components) == {"transfers", "login"}
    assert notice.version == 2


def test_what_fails_much_later_is_another_notice(wallet, probe, clock):
    probe.sees("down", "transfers-api", times=3)
    clock.pass_(minutes=10)
    probe.sees("down", "login-api", times=3)

    assert len(opened(wallet)) == 2


def test_an_untouched_notice_ends_by_itself(wallet, probe):
    probe.sees("down", "transfers-api", times=3)
    probe.sees("up", "transfers-api", times=2)

    assert opened(wallet) == []
    assert status_of(wallet, "transfers") == "operational"
    assert ("notice_update", "resolved", ("webhook",)) in said(wallet)


def test_a_rolling_storm_is_a_few_updates_not_one_per_monitor(wallet, probe):
    for monitor in EVERYTHING[:4]:
        probe.sees("down", monitor, times=3)
    settle(wallet, probe)

    [notice] = opened(wallet)
    assert set(notice.facts.components) == set(NAMES)
    assert notice.version <= 3


def settle(ctx, probe):
    probe.clock.pass_(seconds=6)
    suspicions.settle_all(ctx)


def test_a_storm_shrinks_as_its_parts_recover(wallet, probe):
    probe.sees("down", "transfers-api", "login-api", times=3)
    probe.sees("up", "login-api", times=2)
    settle(wallet, probe)

    [notice] = opened(wallet)
    assert set(notice.facts.components) == {"transfers"}
    assert status_of(wallet, "login") == "operational"


def test_a_touched_notice_waits_for_its_person(wallet, probe):
    probe.sees("down", "transfers-api", times=3)
    [suspected] = opened(wallet)
    notices.update(wallet, LIN, suspected.public_id, incident(status="identified"), suspected.version)

    probe.sees("up", "transfers-api", times=2)

    [notice] = opened(wallet)
    assert notice.status == "identified"
    assert notice.recovered_at is not None
    assert said(wallet)[-1] == ("page_oncall", "recovered", ())


def test_confirming_tells_everyone(wallet, probe):
    probe.sees("down", "transfers-api", times=3)
    [suspected] = opened(wallet)

    notices.update(wallet, LIN, suspected.public_id, incident(), suspected.version)

    assert said(wallet)[-1] == ("notice_update", "confirmed", ())
    assert opened(wallet)[0].is_suspected is False


def test_a_relapse_withdraws_the_suggestion(wallet, probe):
    probe.sees("down", "transfers-api", times=3)
    [suspected] = opened(wallet)
    notices.update(wallet, LIN, suspected.public_id, incident(), suspected.version)
    probe.sees("up", "transfers-api", times=2)

    probe.sees("down", "transfers-api", times=3)

    [notice] = opened(wallet)
    assert notice.recovered_at is None


def test_a_failure_that_a_person_has_declared_already_opens_nothing(wallet, probe):
    notices.declare(wallet, LIN, incident())

    probe.sees("down", "transfers-api", times=4)

    assert len(opened(wallet)) == 1


def test_a_child_is_silent_while_its_parent_is_down(wallet, probe):
    probe.sees("down", "payments-api", times=3)
    probe.sees("down", "payments-flow", times=3)

    with wallet.db.read() as conn:
        linked = store.monitors_of(conn, opened(wallet)[0].id)

    assert linked == ["payments-api"]


def test_unknown_opens_and_closes_nothing(wallet, probe):
    probe.sees("down", "transfers-api", times=3)
    probe.sees("unknown", "transfers-api", "login-api", times=10)

    assert len(opened(wallet)) == 1
    assert status_of(wallet, "login") == "unknown"


def test_slowness_is_a_minor_suspicion(wallet, probe):
    probe.sees("degraded", "transfers-api", times=3)

    [notice] = opened(wallet)
    assert notice.impact == "minor"
    assert status_of(wallet, "transfers") == "degraded"


def test_a_draft_policy_publishes_nothing(wallet, clock):
    with wallet.db.write() as conn:
        conn.execute(
            catalogue.monitors.update().where(catalogue.monitors.c.id == "transfers-api").values(publish="draft")
        )
    probe = Probe(wallet, clock)
    probe.sees("down", "transfers-api", times=3)

    assert [n.visibility for n in opened(wallet)] == ["draft"]
    assert [kind for kind, _event, _channels in said(wallet)] == ["page_oncall"]


def test_an_auto_policy_tells_everyone_at_once(wallet, clock):
    with wallet.db.write() as conn:
        conn.execute(
            catalogue.monitors.update().where(catalogue.monitors.c.id == "transfers-api").values(publish="auto")
        )
    probe = Probe(wallet, clock)
    probe.sees("down", "transfers-api", times=3)

    assert ("notice_update", "declared", ()) in said(wallet)
    assert opened(wallet)[0].is_suspected is False


def test_a_restart_in_an_outage_repeats_and_forgets_nothing(wallet, probe):
    probe.sees("down", "transfers-api", times=3)
    before = said(wallet)

    probe.restart()
    probe.sees("down", "transfers-api", times=5)

    assert said(wallet) == before
    probe.sees("up", "transfers-api", times=2)
    assert opened(wallet) == []


def test_after_a_start_nothing_is_green_until_it_was_seen(wallet, probe):
    probe.restart()

    assert status_of(wallet, "login") == "unknown"
    probe.sees("up", "login-api")
    assert status_of(wallet, "login") == "operational"


def test_our_own_gap_is_unknown_from_its_beginning(wallet, probe, clock):
    last_seen = clock.at
    clock.pass_(hours=1)
    probe.restart()

    with wallet.db.read() as conn:
        row = conn.execute(
            select(catalogue.component_status_changes)
            .where(catalogue.component_status_changes.c.component_id == "login")
            .order_by(catalogue.component_status_changes.c.id.desc())
        ).mappings().first()  # fmt: skip

    assert (row["new"], row["at"]) == ("unknown", last_seen)


def test_the_wall_clock_may_jump_back_without_a_false_word(wallet, probe, clock):
    clock.pass_(hours=-1)
    probe.sees("up", *EVERYTHING, times=4)
    assert opened(wallet) == []

    probe.sees("down", "transfers-api", times=3)

    assert len(opened(wallet)) == 1


def test_maintenance_keeps_monitors_from_crying_wolf(wallet, probe, clock):
    window = Facts(
        "maintenance", "scheduled", {"en": "Upgrade", "zh-Hans": "升级"}, components={"transfers": "under_maintenance"},
        scheduled_for=clock.at.replace(second=0), scheduled_until=clock.at.replace(hour=23),
    )  # fmt: skip
    maintenance.schedule(wallet, LIN, Draft(window, {"en": "We upgrade.", "zh-Hans": "系统升级。"}))
    maintenance.tick(wallet)

    probe.sees("down", "transfers-api", times=4)

    assert [n.kind for n in opened(wallet)] == ["maintenance"]
    assert status_of(wallet, "transfers") == "under_maintenance"
    with wallet.db.read() as conn:
        assert (
            conn.execute(select(checks.transitions.c.new).order_by(checks.transitions.c.id.desc())).scalar() == "down"
        )


def test_the_sweep_finds_what_is_down_without_a_notice(wallet, probe):
    probe.sees("down", "transfers-api", times=3)
    [suspected] = opened(wallet)
    notices.resolve(wallet, LIN, suspected.public_id, {"en": "Fixed.", "zh-Hans": "已恢复。"})

    assert maintenance.sweep(wallet) == 1
    assert len(opened(wallet)) == 1
    assert maintenance.sweep(wallet) == 0


def test_a_second_monitor_of_the_component_holds_the_notice_open(wallet, clock):
    with wallet.db.write() as conn:
        add_monitor(conn, "transfers-tls", "transfers", 20, clock.at)
    probe = Probe(wallet, clock)
    probe.sees("up", *EVERYTHING, "transfers-tls", times=2)
    probe.sees("down", "transfers-api", "transfers-tls", times=3)
    probe.sees("up", "transfers-api", times=2)

    assert len(opened(wallet)) == 1
    probe.sees("up", "transfers-tls", times=2)
    assert opened(wallet) == []
