"""Judgement across regions and over time, through the real recorder."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from stage import LIN, NAMES, START, Probe, add_monitor, incident

from statuspage.actions import absence, checks, notices
from statuspage.actions.context import Context
from statuspage.clock import to_ms
from statuspage.keys import Keys
from statuspage.store import judgements, monitors
from statuspage.store import notices as notice_store
from statuspage.store.schema import catalogue, delivery
from statuspage.store.schema.checks import check_results, monitor_states, transitions

EVERYTHING = [f"{name}-api" for name in NAMES] + ["payments-flow"]
REGIONS = ("local", "hk", "sg")


@pytest.fixture
def ctx(sqlite_database, clock):
    return Context(sqlite_database, Keys(b"\x01" * 32, b"\x02" * 32, b"\x03" * 32), clock)


def opened(ctx):
    with ctx.db.read() as conn:
        return notice_store.open_notices(conn)


def every_notice(ctx):
    with ctx.db.read() as conn:
        return notice_store.latest(conn, 1000)


def status_of(ctx, component):
    with ctx.db.read() as conn:
        column = catalogue.components.c
        return conn.execute(select(column.status).where(column.id == component)).scalar_one()


def judgement_of(ctx, monitor):
    with ctx.db.read() as conn:
        return judgements.load(conn, [monitor])[monitor]


def said(ctx):
    with ctx.db.read() as conn:
        rows = conn.execute(select(delivery.outbox.c.payload).order_by(delivery.outbox.c.id)).all()
    return [row[0]["event"] for row in rows]


def newest_body(ctx, found):
    with ctx.db.read() as conn:
        return notice_store.last_update(conn, found.id).bodies


def spread(ctx, clock, regions="all", quorum="majority", **changes):
    """A probe of which `transfers-api` is watched from three regions, seen up in all of them."""
    with ctx.db.write() as conn:
        conn.execute(
            catalogue.monitors.update().where(catalogue.monitors.c.id == "transfers-api")
            .values(regions=regions, quorum=quorum, **changes)
        )  # fmt: skip
    probe = Probe(ctx, clock)
    for region in REGIONS if regions == "all" else regions:
        probe.sees("up", "transfers-api", region=region)
    return probe


# -- regions --


def test_one_region_of_three_that_fails_opens_nothing_and_two_do(wallet, clock):
    probe = spread(wallet, clock)
    probe.sees("down", "transfers-api", times=4, region="hk")
    assert (opened(wallet), status_of(wallet, "transfers")) == ([], "operational")

    probe.sees("down", "transfers-api", times=3, region="sg")

    assert [found.facts.components for found in opened(wallet)] == [{"transfers": "major_outage"}]
    assert status_of(wallet, "transfers") == "major_outage"


def test_the_notice_ends_when_the_majority_is_back(wallet, clock):
    probe = spread(wallet, clock)
    for region in REGIONS:
        probe.sees("down", "transfers-api", times=3, region=region)
    probe.sees("up", "transfers-api", times=2, region="hk")
    assert len(opened(wallet)) == 1

    probe.sees("up", "transfers-api", times=2, region="sg")

    assert (opened(wallet), status_of(wallet, "transfers")) == ([], "operational")


def test_the_verdict_of_several_regions_is_a_transition_of_its_own(wallet, clock):
    probe = spread(wallet, clock)
    for region in ("hk", "sg"):
        probe.sees("down", "transfers-api", times=3, region=region)

    with wallet.db.read() as conn:
        column = transitions.c
        rows = conn.execute(select(column.region, column.old, column.new).order_by(column.id.desc()).limit(2)).all()
    assert [tuple(row) for row in rows] == [("quorum", "up", "down"), ("sg", "up", "down")]


@pytest.mark.parametrize(
    ("quorum", "failing", "expected"), [("any", 1, 1), ("all", 2, 0), ("all", 3, 1), (2, 1, 0), (2, 2, 1)]
)
def test_the_quorum_is_the_operators(wallet, clock, quorum, failing, expected):
    probe = spread(wallet, clock, quorum=quorum)
    for region in REGIONS[:failing]:
        probe.sees("down", "transfers-api", times=3, region=region)

    assert len(opened(wallet)) == expected


def test_a_region_without_the_task_has_no_vote_but_its_results_are_kept(wallet, clock):
    probe = spread(wallet, clock, regions=["hk", "sg"])
    probe.sees("down", "transfers-api", times=5)  # from here

    assert opened(wallet) == []
    with wallet.db.read() as conn:
        assert len(conn.execute(select(check_results)).all()) == 2 + 5
        assert {row.region for row in conn.execute(select(monitor_states.c.region))} == {"hk", "sg"}


def test_that_a_region_is_silent_is_told_in_words_without_its_name(wallet, clock):
    """What a region is called is known where it is shown; these words go to the on-call and into webhooks as they are."""
    probe = spread(wallet, clock)
    probe.sees("down", "transfers-api", times=3, region="hk")

    for _ in range(12):  # the two that say up fall silent: the one that is left decides
        probe.ticks(seconds=9)
        probe.sees("down", "transfers-api", region="hk")

    with wallet.db.read() as conn:
        told = [one for (payload,) in conn.execute(select(delivery.outbox.c.payload)) for one in payload["monitors"]]
    assert {one["message"] for one in told} == {"silent: 2 of 3 regions"}


def test_a_silent_region_has_no_vote_and_its_silence_opens_nothing(wallet, clock):
    probe = spread(wallet, clock)
    probe.sees("down", "transfers-api", times=3, region="hk")

    for _ in range(10):
        probe.ticks(seconds=9)
        probe.sees("up", "transfers-api")
    probe.ticks(seconds=9)

    with wallet.db.read() as conn:
        assert {row["region"]: row["state"] for row in monitors.state_rows(conn)} == {
            "local": "up", "hk": "unknown", "sg": "unknown",
        }  # fmt: skip
    assert (opened(wallet), status_of(wallet, "transfers")) == ([], "operational")


def test_when_none_reports_any_more_nobody_knows(wallet, clock):
    probe = spread(wallet, clock, regions=["hk", "sg"])
    for _ in range(10):
        probe.ticks(seconds=10)

    assert judgement_of(wallet, "transfers-api").state == "unknown"
    assert status_of(wallet, "transfers") == "unknown"
    probe.sees("up", "transfers-api", region="hk")
    assert status_of(wallet, "transfers") == "operational"


def test_silence_closes_no_notice(wallet, clock):
    probe = spread(wallet, clock, regions=["hk", "sg"])
    for region in ("hk", "sg"):
        probe.sees("down", "transfers-api", times=3, region=region)
    for _ in range(12):
        probe.ticks(seconds=10)

    [found] = opened(wallet)
    assert found.facts.components == {"transfers": "major_outage"}
    assert judgement_of(wallet, "transfers-api").state == "unknown"


def test_a_backlog_of_the_past_is_history_and_never_the_present(wallet, clock):
    probe = spread(wallet, clock)
    before = clock.at
    clock.pass_(hours=1)
    for region in REGIONS:
        probe.sees("up", "transfers-api", times=2, region=region)
    sent = [
        probe.result("down", "transfers-api", to_ms(before + timedelta(seconds=30 * n)), region=region)
        for n in range(1, 100) for region in REGIONS
    ]  # fmt: skip

    probe.hand_in(*sent)

    assert (every_notice(wallet), judgement_of(wallet, "transfers-api").state) == ([], "up")
    with wallet.db.read() as conn:
        assert len(conn.execute(select(check_results)).all()) == 3 + 6 + len(sent)


def test_taking_a_region_away_counts_the_votes_anew(wallet, clock):
    probe = spread(wallet, clock)
    for region in ("hk", "sg"):
        probe.sees("down", "transfers-api", times=3, region=region)
    with wallet.db.write() as conn:
        conn.execute(
            catalogue.monitors.update()
            .where(catalogue.monitors.c.id == "transfers-api")
            .values(regions=["local", "hk"])
        )
        after = monitors.active(conn)

    checks.configure(wallet, probe.book, after)

    assert (opened(wallet), status_of(wallet, "transfers")) == ([], "operational")
    with wallet.db.read() as conn:
        assert {row["region"] for row in monitors.state_rows(conn)} == {"local", "hk"}


# -- own gaps --


@pytest.mark.parametrize("minutes", [3, 20])
def test_after_a_gap_of_our_own_nothing_is_known_and_nobody_is_woken(wallet, probe, clock, minutes):
    probe.ticks(seconds=1)
    probe.sees("up", *EVERYTHING)
    stopped_at = clock.at

    probe.ticks(minutes=minutes)

    assert {status_of(wallet, name) for name in NAMES} == {"unknown"}
    with wallet.db.read() as conn:
        rows = conn.execute(select(catalogue.component_status_changes).where(
            catalogue.component_status_changes.c.new == "unknown")).mappings().all()  # fmt: skip
    assert {row["at"] for row in rows if row["at"] > START} <= {stopped_at, stopped_at - timedelta(seconds=1)}
    probe.sees("up", *EVERYTHING)
    assert ({status_of(wallet, name) for name in NAMES}, every_notice(wallet)) == ({"operational"}, [])


def test_a_gap_in_an_outage_neither_repeats_nor_forgets_it(wallet, probe):
    probe.ticks(seconds=1)
    probe.sees("down", "transfers-api", times=3)
    before = said(wallet)

    probe.ticks(minutes=5)
    probe.sees("down", "transfers-api", times=3)

    assert said(wallet) == before
    probe.sees("up", "transfers-api", times=2)
    assert opened(wallet) == []


@pytest.mark.parametrize("leap", [{"hours": 1}, {"hours": -1}, {"days": 1}, {"days": -1}])
def test_a_set_clock_turns_nothing(wallet, probe, clock, leap):
    probe.ticks(seconds=1)
    with wallet.db.read() as conn:
        before = len(conn.execute(select(transitions)).all())

    clock.leap(**leap)
    for _ in range(30):
        probe.ticks(seconds=10)
        probe.sees("up", *EVERYTHING)

    assert (every_notice(wallet), {status_of(wallet, name) for name in NAMES}) == ([], {"operational"})
    with wallet.db.read() as conn:
        assert len(conn.execute(select(transitions)).all()) == before
    probe.sees("down", "transfers-api", times=3)
    [found] = opened(wallet)
    assert abs(found.started_at - clock.at) < timedelta(minutes=1)


# -- flapping --


def flap(probe, times):
    """Down and up again, a minute each way; `probe` ends in up."""
    for _ in range(times):
        probe.sees("down", "transfers-api", times=3)
        probe.ticks(seconds=57)
        probe.sees("up", "transfers-api", times=2)
        probe.ticks(seconds=58)


@pytest.mark.repeats
def test_an_hour_of_flapping_is_two_notices_and_a_third_that_stays_open(wallet, probe):
    flap(probe, 30)

    assert len(every_notice(wallet)) == 3
    [found] = opened(wallet)
    assert (found.facts.components, status_of(wallet, "transfers")) == ({"transfers": "degraded"}, "degraded")
    assert said(wallet) == ["suspected", "suspected", "resolved", "resolved"] * 2 + ["suspected", "suspected"]


def test_flapping_is_said_in_both_languages_once(wallet, probe):
    flap(probe, 5)

    [found] = opened(wallet)
    with wallet.db.read() as conn:
        bodies = [each.bodies for each in notice_store.updates_of(conn, [found.id])[found.id]]
    assert sum("fails and recovers again and again" in each["en"] for each in bodies) == 1
    assert sum("反复失败又恢复" in each["zh-Hans"] for each in bodies) == 1


def test_outages_that_a_person_has_closed_are_no_flapping(wallet, probe):
    for _ in range(4):
        probe.sees("down", "transfers-api", times=3)
        [found] = opened(wallet)
        notices.update(wallet, LIN, found.public_id, incident(status="identified"))
        probe.sees("up", "transfers-api", times=2)
        notices.resolve(wallet, LIN, found.public_id, {"en": "Fixed.", "zh-Hans": "已恢复。"})

    assert judgement_of(wallet, "transfers-api").flapping_at is None
    assert (opened(wallet), status_of(wallet, "transfers")) == ([], "operational")


def test_flapping_ends_after_ten_quiet_minutes(wallet, probe):
    flap(probe, 3)
    for _ in range(8):
        probe.sees("up", "transfers-api")
        probe.ticks(seconds=59)
    assert len(opened(wallet)) == 1

    for _ in range(3):
        probe.sees("up", "transfers-api")
        probe.ticks(seconds=59)

    assert (opened(wallet), status_of(wallet, "transfers")) == ([], "operational")


def test_a_restart_keeps_the_flapping(wallet, probe):
    flap(probe, 3)
    before = said(wallet)

    probe.restart()
    probe.sees("up", "transfers-api", times=2)

    assert judgement_of(wallet, "transfers-api").flapping_at is not None
    assert (len(opened(wallet)), said(wallet), status_of(wallet, "transfers")) == (1, before, "degraded")


# -- parents --


def test_a_parent_that_goes_down_joins_the_notice_of_its_child(wallet, probe, clock):
    probe.sees("down", "payments-flow", times=3)
    clock.pass_(minutes=4)  # later than any storm

    probe.sees("down", "payments-api", times=3)

    [found] = opened(wallet)
    with wallet.db.read() as conn:
        assert set(notice_store.failing_monitors(conn, found.id)) == {"payments-api", "payments-flow"}


def grandchild(ctx, clock):
    """`login-flow` of another component, below `payments-flow`, which is below `payments-api`."""
    with ctx.db.write() as conn:
        add_monitor(conn, "login-flow", "login", 30, clock.at, depends_on="payments-flow")
    probe = Probe(ctx, clock)
    probe.sees("up", *EVERYTHING, "login-flow", times=2)
    return probe


def test_what_hangs_below_one_that_is_down_does_not_know(wallet, clock):
    probe = grandchild(wallet, clock)
    probe.sees("down", "payments-api", times=3)
    clock.pass_(minutes=2)
    probe.sees("up", "login-api")
    probe.sees("down", "login-flow", times=5)

    assert [set(found.facts.components) for found in every_notice(wallet)] == [{"payments"}]
    assert status_of(wallet, "login") == "unknown"


def test_both_in_one_round_are_the_parents_alone(wallet, clock):
    probe = grandchild(wallet, clock)
    probe.sees("down", "login-flow", "payments-api", times=3)

    [found] = opened(wallet)
    assert set(found.facts.components) == {"payments"}


def test_a_child_that_recovers_with_its_parent_says_nothing(wallet, clock):
    probe = grandchild(wallet, clock)
    probe.sees("down", "payments-api", "login-flow", times=3)
    probe.sees("up", "payments-api", times=2)
    probe.ticks(seconds=10)
    probe.sees("up", "login-flow", times=2)
    probe.ticks(minutes=1)

    assert (opened(wallet), len(every_notice(wallet)), status_of(wallet, "login")) == ([], 1, "operational")


def test_a_child_that_still_fails_speaks_once_its_parent_works(wallet, clock):
    probe = grandchild(wallet, clock)
    probe.sees("down", "payments-api", "login-flow", times=3)
    probe.sees("up", "payments-api", "payments-flow", times=2)
    assert opened(wallet) == []

    probe.ticks(seconds=51)  # 30 s to its next check, 10 s for that to end, 2 x 5 s to confirm
    probe.sees("down", "login-flow", times=3)
    probe.ticks(seconds=1)

    assert [found.facts.components for found in opened(wallet)] == [{"login": "major_outage"}]


# -- suppliers --


def supplied(ctx, clock, **changes):
    with ctx.db.write() as conn:
        for name, values in changes.items():
            column = catalogue.monitors.c.id
            conn.execute(catalogue.monitors.update().where(column == f"{name}-api").values(**values))
    probe = Probe(ctx, clock)
    probe.sees("up", *EVERYTHING, times=2)
    return probe


def test_failures_of_one_named_supplier_are_one_notice_however_far_apart(wallet, clock):
    bank = {"supplier": "Example Bank"}
    probe = supplied(wallet, clock, transfers=bank, login=bank)
    probe.sees("down", "transfers-api", times=3)
    probe.ticks(minutes=20)
    probe.sees("down", "login-api", times=3)
    probe.ticks(seconds=6)

    [found] = opened(wallet)
    assert set(found.facts.components) == {"transfers", "login"}
    assert "share one supplier, Example Bank." in newest_body(wallet, found)["en"]
    assert "均依赖同一服务商：Example Bank" in newest_body(wallet, found)["zh-Hans"]


def test_most_of_a_domain_failing_is_one_finding_that_does_not_name_it(wallet, clock):
    targets = {name: {"target": f"https://{name}.rpc.example/"} for name in ("transfers", "login")}
    probe = supplied(wallet, clock, **targets)
    probe.sees("down", "transfers-api", times=3)
    clock.pass_(minutes=20)
    probe.sees("down", "login-api", times=3)

    [found] = opened(wallet)
    assert "share one service or network" in newest_body(wallet, found)["en"]
    assert "rpc.example" not in str(newest_body(wallet, found))


def test_an_inferred_supplier_is_named_to_the_on_call_alone(wallet, clock):
    targets = {name: {"target": f"https://{name}.rpc.example/"} for name in ("transfers", "login")}
    probe = supplied(wallet, clock, **targets)
    probe.sees("down", "transfers-api", "login-api", times=3)

    with wallet.db.read() as conn:
        told = {row.kind: str(row.payload) for row in conn.execute(select(delivery.outbox))}
    assert "domain:rpc.example" in told["page_oncall"]
    assert "rpc.example" not in told["notice_update"]


def test_two_of_many_in_one_network_are_two_notices(wallet, probe, clock):
    probe.sees("down", "transfers-api", times=3)  # all five monitors look at 127.0.0.1
    clock.pass_(minutes=20)
    probe.sees("down", "login-api", times=3)

    assert len(opened(wallet)) == 2


def test_most_of_a_network_that_was_dialled_is_one_finding(wallet, clock):
    probe = supplied(wallet, clock, transfers={"target": "https://a.example/"}, login={"target": "https://b.test/"})
    probe.sees("down", "transfers-api", times=3, evidence={"dialled": "203.0.113.7"})
    clock.pass_(minutes=20)
    probe.sees("down", "login-api", times=3, evidence={"dialled": "203.0.113.99"})

    assert len(opened(wallet)) == 1


def test_a_notice_that_a_person_touched_takes_in_no_other_failure(wallet, clock):
    bank = {"supplier": "Example Bank"}
    probe = supplied(wallet, clock, transfers=bank, login=bank)
    probe.sees("down", "transfers-api", times=3)
    notices.update(wallet, LIN, opened(wallet)[0].public_id, incident())
    clock.pass_(minutes=20)

    probe.sees("down", "login-api", times=3)

    assert [set(found.facts.components) for found in opened(wallet)] == [{"transfers"}, {"login"}]


@pytest.mark.repeats
def test_hundreds_of_monitors_that_fail_in_one_second_are_one_notice_and_one_page(wallet, clock):
    names = [f"many-{number}" for number in range(400)]
    with wallet.db.write() as conn:
        for number, name in enumerate(names):
            add_monitor(conn, name, list(NAMES)[number % 4], 100 + number, clock.at, target=f"https://{name}.example/")
    probe = Probe(wallet, clock)
    probe.sees("up", *names, times=2)

    probe.sees("down", *names[:200], times=3)
    probe.hand_in(*[probe.result("down", name, to_ms(clock.at) + n) for n in range(3) for name in names[200:]])

    assert len(every_notice(wallet)) == 1
    assert said(wallet).count("suspected") == 2  # for machines, and for the on-call


# -- chains --


def chain(ctx, clock):
    with ctx.db.write() as conn:
        conn.execute(
            catalogue.monitors.update().where(catalogue.monitors.c.id == "transfers-api")
            .values(kind="chain", target="ethereum", when_down="partial_outage")
        )  # fmt: skip
    probe = Probe(ctx, clock)
    probe.sees("up", "transfers-api", times=2)
    return probe


def evidence(state, component_status):
    return {"state": state, "finding": state, "path": ["tip 1 of 2 references"], "component_status": component_status}


@pytest.mark.parametrize(
    ("outcome", "state", "claim", "cause", "attribution", "title"),
    [
        ("down", "CHAIN_HALTED", "major_outage", "chain_halt", "chain", "the network is not producing blocks"),
        ("degraded", "CHAIN_SLOW", "degraded", "chain_congestion", "chain", "produces blocks slowly"),
        ("degraded", "FINALITY_DELAYED", "degraded", "finality_delay", "chain", "confirms transactions late"),
        ("degraded", "OWN_NODE_BEHIND", "degraded", "node_lag", "us", "our node is behind the network"),
        ("down", "OWN_NODE_ON_FORK", "partial_outage", "node_lag", "us", "our node follows another branch"),
        ("down", "OWN_ENDPOINT_OVERLOADED", "partial_outage", "system_fault", "us", "our access to the network fails"),
    ],
)
def test_a_chains_verdict_names_status_cause_and_whose_it_is(
    wallet, clock, outcome, state, claim, cause, attribution, title
):
    probe = chain(wallet, clock)

    probe.sees(outcome, "transfers-api", times=3, error="head_stale", evidence=evidence(state, claim))

    [found] = opened(wallet)
    assert (found.facts.components, found.facts.cause, found.facts.attribution) == (
        {"transfers": claim},
        cause,
        attribution,
    )
    assert title in found.facts.titles["en"]
    assert status_of(wallet, "transfers") == claim
    assert found.is_suspected


def test_a_verdict_that_changes_while_it_is_bad_changes_the_notice(wallet, clock):
    probe = chain(wallet, clock)
    probe.sees("degraded", "transfers-api", times=3, evidence=evidence("OWN_NODE_BEHIND", "degraded"))
    probe.ticks(seconds=10)

    probe.sees("down", "transfers-api", times=3, evidence=evidence("CHAIN_HALTED", "major_outage"))

    [found] = opened(wallet)
    assert (found.facts.components, found.facts.cause) == ({"transfers": "major_outage"}, "chain_halt")
    assert "independent reference nodes see the same" in newest_body(wallet, found)["en"]
    assert "停止出块" in found.facts.titles["zh-Hans"]


def test_another_verdict_of_the_same_outcome_is_told_too(wallet, clock):
    probe = chain(wallet, clock)
    probe.sees("down", "transfers-api", times=3, evidence=evidence("OWN_NODE_ON_FORK", "partial_outage"))
    probe.ticks(seconds=10)

    probe.sees("down", "transfers-api", evidence=evidence("CHAIN_HALTED", "major_outage"))

    assert (opened(wallet)[0].facts.cause, status_of(wallet, "transfers")) == ("chain_halt", "major_outage")


@pytest.mark.parametrize(
    ("error", "found"),
    [("assertion", evidence("CHAIN_SLOW", "degraded")), ("slow", evidence("OK", "operational")),
     ("head_stale", evidence("UNKNOWN_STALE", "unknown")), ("status", {"component_status": ["x"]}), ("status", {})],
)  # fmt: skip
def test_what_the_evidence_may_not_claim_follows_the_configuration(wallet, clock, error, found):
    probe = chain(wallet, clock)

    probe.sees("down", "transfers-api", times=3, error=error, evidence=found)

    assert [each.facts.components for each in opened(wallet)] == [{"transfers": "partial_outage"}]
    assert opened(wallet)[0].facts.cause == "unknown"


def test_while_nothing_happens_a_tick_asks_the_database_nothing(wallet, probe, monkeypatch):
    probe.ticks(seconds=1)
    monkeypatch.setattr(wallet.db, "write", None)
    monkeypatch.setattr(wallet.db, "read", None)

    probe.clock.pass_(seconds=1)

    assert absence.tick(wallet, probe.book) == 0
