"""Applying wallet.yaml: what is written, what is kept, what is refused. On SQLite and on PostgreSQL."""

from __future__ import annotations

import pytest
from sqlalchemy import event, insert, select, update
from stage import Probe

from statuspage.actions import audit, configuration, notices
from statuspage.actions.context import COMMAND_LINE, Actor
from statuspage.config.check import parse
from statuspage.config.plan import apply, plan
from statuspage.config.rows import wanted
from statuspage.domain.notice import Draft, Facts
from statuspage.errors import Conflict, NotAllowed
from statuspage.store import monitors as monitor_store
from statuspage.store import notices as notice_store
from statuspage.store.pages import load_meta, load_page
from statuspage.store.schema import metadata
from statuspage.store.schema.catalogue import component_groups, component_status_changes, components, monitors
from statuspage.store.schema.checks import daily_uptime, monitor_states
from statuspage.store.schema.delivery import subscribers, subscriptions
from statuspage.store.schema.notices import changes

FILE = """
page: {name: {en: Demo, zh-Hans: 演示}, url: https://status.wallet.example, time_zone: Asia/Shanghai}
defaults: {interval: 20s}
groups:
  functions: {name: Functions}
components:
  transfers: {group: functions, name: {en: Transfers, zh-Hans: 转账}, symptoms: [transfer_failed], weight: critical}
  login: {group: functions, name: Sign-in}
monitors:
  transfers-api: {component: transfers, http: https://api.wallet.example/transfers, timeout: 3s}
  login-api: {component: transfers, depends_on: transfers-api, interval: 2s, http: {url: "${env:LOGIN}", method: HEAD}}
on_call: [{name: A, console: true}]
webhooks: [{url: https://hooks.wallet.example/status, components: [login]}]
allow_networks: [10.20.0.0/16]
"""


def put(ctx, text=FILE, **options):
    return apply(ctx, COMMAND_LINE, parse(text), **options)


def rows(ctx, table):
    with ctx.db.read() as conn:
        return {row["id"]: row for row in conn.execute(select(table)).mappings()}


def contents(ctx):
    """Everything in the database."""
    with ctx.db.read() as conn:
        return {
            table.name: conn.execute(select(table).order_by(*table.primary_key.columns)).all()
            for table in metadata.sorted_tables
        }


def lines(found):
    return [str(item) for item in found.items]


def meta(ctx, name):
    with ctx.db.read() as conn:
        return load_meta(conn, name)


def test_a_first_apply_writes_everything_and_says_so(ctx, clock):
    found = put(ctx)

    assert lines(found)[:5] == [
        "+ group functions", "+ component transfers", "+ component login", "+ monitor transfers-api", "+ monitor login-api",
    ]  # fmt: skip
    assert rows(ctx, component_groups)["functions"]["names"] == {"en": "Functions", "zh-Hans": "Functions"}
    transfers = rows(ctx, components)["transfers"]
    assert (transfers["group_id"], transfers["weight"], transfers["symptoms"]) == ("functions", "critical", ["transfer_failed"])
    assert transfers["source"] == "file"
    assert transfers["created_at"] == clock()


def test_monitors_inherit_the_defaults_and_cut_them_to_a_short_interval(ctx):
    put(ctx)

    found = rows(ctx, monitors)
    columns = ("interval_ms", "timeout_ms", "retry_ms", "failures", "publish")
    assert [found["transfers-api"][name] for name in columns] == [20000, 3000, 5000, 3, "suspect"]
    assert [found["login-api"][name] for name in columns] == [2000, 2000, 2000, 3, "suspect"]
    assert {row["no"] for row in found.values()} == {1, 2}
    assert found["login-api"]["target"] == "${env:LOGIN}"
    assert found["login-api"]["allow_networks"] == ["10.20.0.0/16"]


def test_a_watched_component_is_unknown_until_it_was_seen_and_another_one_operational(ctx):
    put(ctx)

    found = rows(ctx, components)
    assert (found["transfers"]["status"], found["transfers"]["baseline"]) == ("unknown", "operational")
    assert found["login"]["status"] == "operational"
    with ctx.db.read() as conn:
        history = conn.execute(select(component_status_changes)).all()
    assert {(row.component_id, row.new, row.source) for row in history} == {
        ("transfers", "unknown", "system"), ("login", "operational", "system"),
    }  # fmt: skip


def test_the_page_and_the_other_settings_can_be_read_back(ctx):
    put(ctx)

    with ctx.db.read() as conn:
        page = load_page(conn)
    assert page.name == {"en": "Demo", "zh-Hans": "演示"}
    assert page.default_language == "zh-Hans"
    assert page.time_zone == "Asia/Shanghai"
    assert len(page.public_id) == 12
    assert meta(ctx, "on_call") == [{"name": "A", "console": True, "language": "zh-Hans"}]
    assert meta(ctx, "webhooks") == [{"url": "https://hooks.wallet.example/status", "components": ["login"], "secret": ""}]
    assert meta(ctx, "feed_authority") == "status.wallet.example"


def test_the_worker_finds_the_monitors(ctx):
    put(ctx)

    with ctx.db.read() as conn:
        found = monitor_store.active(conn)
    assert list(found) == ["transfers-api", "login-api"]


def test_a_second_apply_of_the_same_writes_nothing(ctx, clock):
    put(ctx)
    before = contents(ctx)
    clock.pass_(minutes=1)

    found = put(ctx, "# only a comment\n" + FILE)

    assert found.is_empty
    assert contents(ctx) == before


def test_one_change_is_one_row_for_the_publisher_and_one_in_the_audit_log(ctx):
    put(ctx)

    found = put(ctx, FILE.replace("name: Sign-in", "name: Log-in"))

    assert lines(found) == ["~ component login: names"]
    assert rows(ctx, components)["login"]["names"]["en"] == "Log-in"
    with ctx.db.read() as conn:
        assert [row.what for row in conn.execute(select(changes))] == [{"page": True}, {"page": True}]
        assert audit.first_broken(conn) is None


def test_identity_is_drawn_once_and_survives_a_new_address(ctx):
    put(ctx)
    before = meta(ctx, "page_public_id"), meta(ctx, "feed_authority")

    put(ctx, FILE.replace("https://status.wallet", "https://new.wallet"))

    assert (meta(ctx, "page_public_id"), meta(ctx, "feed_authority")) == before
    with ctx.db.read() as conn:
        assert load_page(conn).url == "https://new.wallet.example"


def test_a_plan_tells_what_an_apply_would_do_and_writes_nothing(ctx):
    put(ctx)
    before = contents(ctx)
    changed = parse(FILE.replace("interval: 2s", "interval: 4s").replace("{name: Functions}", "{name: F}"))

    with ctx.db.read() as conn:
        found = plan(conn, changed)

    assert lines(found) == ["~ group functions: names", "~ monitor login-api: interval_ms, timeout_ms, retry_ms"]
    assert found.to_json()["items"][0] == {
        "noun": "groups", "action": "changed", "id": "functions", "was": None, "fields": ["names"], "restored": False,
    }  # fmt: skip
    assert contents(ctx) == before


def test_a_plan_never_shows_values(ctx):
    put(ctx)
    secret = "s3cret-token"

    with ctx.db.read() as conn:
        found = plan(conn, parse(FILE.replace("components: [login]}", f"secret: {secret}}}").replace("${env:LOGIN}", f"https://a.b/{secret}")))

    assert found.items
    assert secret not in str(found) + str(found.to_json())


WITHOUT_LOGIN = "\n".join(
    line for line in FILE.replace(", components: [login]", "").splitlines() if not line.startswith(("  login:", "  login-api"))
)


def test_removing_needs_leave_and_then_archives(ctx):
    put(ctx)
    before = contents(ctx)

    with pytest.raises(Conflict, match=r"components\.login.*--allow-remove"):
        put(ctx, WITHOUT_LOGIN)

    assert contents(ctx) == before
    found = put(ctx, WITHOUT_LOGIN, allow_remove=True)
    assert [str(item) for item in found.removals] == [
        "- component login (archived, its history is kept)", "- monitor login-api (archived, its history is kept)",
    ]  # fmt: skip
    assert rows(ctx, components)["login"]["archived_at"] == ctx.now()
    assert rows(ctx, monitors)["login-api"]["archived_at"] == ctx.now()


def test_what_comes_back_is_restored_with_its_identity(ctx):
    put(ctx)
    before = rows(ctx, components)["login"]["public_id"], rows(ctx, monitors)["login-api"]["no"]
    put(ctx, WITHOUT_LOGIN, allow_remove=True)

    found = put(ctx)

    assert "+ component login (restored)" in lines(found)
    assert (rows(ctx, components)["login"]["public_id"], rows(ctx, monitors)["login-api"]["no"]) == before
    assert rows(ctx, components)["login"]["archived_at"] is None


def test_a_new_monitor_never_gets_the_number_of_an_archived_one(ctx):
    put(ctx)
    put(ctx, WITHOUT_LOGIN, allow_remove=True)

    put(ctx, WITHOUT_LOGIN.replace("on_call:", "  fresh: {component: transfers, http: https://a.b}\non_call:"))

    assert rows(ctx, monitors)["fresh"]["no"] == 3


RENAMED = (
    FILE.replace("  transfers: {", "  payments: {was: transfers, ")
    .replace("component: transfers", "component: payments")
    .replace("  transfers-api: {", "  payments-api: {was: transfers-api, ")
    .replace("depends_on: transfers-api", "depends_on: payments-api")
    .replace("group: functions", "group: features")
    .replace("  functions: {", "  features: {was: functions, ")
)


def furnish_history(ctx):
    """Rows that refer to what will be renamed."""
    with ctx.db.write() as conn:
        conn.execute(insert(daily_uptime).values(
            component_id="transfers", day="2026-11-21", up_s=1, degraded_s=0, partial_s=0, major_s=0, maintenance_s=0,
            unknown_s=0))
        conn.execute(insert(monitor_states).values(
            monitor_id="transfers-api", region="local", state="up", since_at=ctx.now(), streak_outcome="up", streak=3,
            streak_at=ctx.now(), last_at=ctx.now(), last_ms=12, error_class="", message="", evidence={}))
        person = conn.execute(insert(subscribers).values(
            language="en", time_zone="UTC", created_at=ctx.now()).returning(subscribers.c.id)).scalar_one()
        conn.execute(insert(subscriptions).values(
            public_id="s", subscriber_id=person, channel="webhook", audience="public", address_sealed=b"", address_hash="h",
            label="", components=["transfers", "login"], kinds=[], language="en", state="active", attempts=0,
            created_at=ctx.now(), meta={}))  # fmt: skip


def test_a_rename_takes_its_history_along(ctx):
    put(ctx)
    furnish_history(ctx)
    before = rows(ctx, components)["transfers"], rows(ctx, monitors)["transfers-api"]

    found = put(ctx, RENAMED)

    assert lines(found) == [
        "> group features (was functions)", "> component payments (was transfers): group_id", "~ component login: group_id",
        "> monitor payments-api (was transfers-api): component_id, names", "~ monitor login-api: component_id, depends_on",
    ]  # fmt: skip
    assert set(rows(ctx, components)) == {"payments", "login"}
    assert rows(ctx, components)["payments"]["public_id"] == before[0]["public_id"]
    assert rows(ctx, monitors)["payments-api"]["no"] == before[1]["no"]
    with ctx.db.read() as conn:
        assert conn.scalar(select(daily_uptime.c.component_id)) == "payments"
        assert conn.scalar(select(monitor_states.c.monitor_id)) == "payments-api"
        assert conn.scalar(select(subscriptions.c.components)) == ["payments", "login"]
        assert set(conn.scalars(select(component_status_changes.c.component_id))) == {"payments", "login"}


def test_a_rename_left_in_the_file_is_no_change_later(ctx):
    put(ctx)
    put(ctx, RENAMED)

    assert put(ctx, RENAMED).is_empty


def test_a_rename_in_a_fresh_database_is_an_addition(ctx):
    found = put(ctx, RENAMED)

    assert "+ component payments" in lines(found)


def test_a_component_that_an_open_notice_names_is_not_renamed(ctx):
    put(ctx)
    declared = _declare(ctx)

    with pytest.raises(Conflict, match=f"transfers is named by the open notice {declared.number}"):
        put(ctx, RENAMED)

    assert "transfers" in rows(ctx, components)


def _declare(ctx):
    facts = Facts("incident", "investigating", {"en": "T", "zh-Hans": "转账"}, components={"transfers": "major_outage"})
    return notices.declare(ctx, COMMAND_LINE, Draft(facts, {"en": "B", "zh-Hans": "正文"}))


def test_what_the_console_made_is_left_alone(ctx):
    put(ctx)
    with ctx.db.write() as conn:
        row = dict(conn.execute(select(components).where(components.c.id == "login")).mappings().one())
        conn.execute(insert(components).values({**row, "id": "by_hand", "public_id": "x", "source": "console"}))
    before = rows(ctx, components)["by_hand"]

    put(ctx, FILE.replace("Sign-in", "Log-in"))

    assert rows(ctx, components)["by_hand"] == before


def test_an_id_that_the_console_took_is_a_conflict(ctx):
    put(ctx)
    with ctx.db.write() as conn:
        conn.execute(update(components).where(components.c.id == "login").values(source="console"))
    before = contents(ctx)

    with pytest.raises(Conflict, match="component login was made in the console"):
        put(ctx, FILE.replace("Sign-in", "Log-in"))

    assert contents(ctx) == before


def test_a_component_that_a_monitor_of_the_console_watches_is_not_archived(ctx):
    put(ctx)
    with ctx.db.write() as conn:
        conn.execute(update(monitors).where(monitors.c.id == "login-api").values(source="console", component_id="login"))

    with pytest.raises(Conflict, match="component login is watched by login-api"):
        put(ctx, WITHOUT_LOGIN, allow_remove=True)


def test_a_failure_in_the_middle_leaves_everything_as_it_was(ctx, monkeypatch):
    put(ctx)
    before = contents(ctx)
    good = configuration.store.save_setting

    def breaks(conn, name, value):
        if name == "on_call":
            raise RuntimeError("disk")
        good(conn, name, value)

    monkeypatch.setattr(configuration.store, "save_setting", breaks)
    with pytest.raises(RuntimeError):
        put(ctx, RENAMED.replace("name: A", "name: B"))

    assert contents(ctx) == before


def login_alone(options=""):
    """FILE with a monitor of its own for the sign-in."""
    return FILE.replace("login-api: {component: transfers, depends_on: transfers-api", "login-api: {component: login" + options)


def failing(ctx, clock):
    """The wallet of FILE with its sign-in monitor down and a suspected notice about it."""
    put(ctx, login_alone())
    probe = Probe(ctx, clock)
    probe.sees("up", "transfers-api", "login-api", times=3)
    probe.sees("down", "login-api", times=3)
    with ctx.db.read() as conn:
        found = notice_store.open_notices(conn)
    assert [notice.facts.components for notice in found] == [{"login": "major_outage"}]


@pytest.mark.parametrize("change", ["removed", "paused"])
def test_a_monitor_that_checks_no_more_holds_no_notice_open(ctx, clock, change):
    failing(ctx, clock)
    clock.pass_(minutes=5)

    if change == "removed":
        put(ctx, login_alone().replace("  login-api", "  # login-api"), allow_remove=True)
    else:
        put(ctx, login_alone(", paused: true"))

    with ctx.db.read() as conn:
        assert notice_store.open_notices(conn) == []
        assert set(conn.scalars(select(monitor_states.c.monitor_id))) == {"transfers-api"}
    assert rows(ctx, components)["login"]["status"] == "operational"


def test_a_monitor_that_checks_something_else_keeps_its_state_until_it_has_seen_more(ctx, clock):
    failing(ctx, clock)

    put(ctx, login_alone().replace("method: HEAD", "method: GET"))

    assert rows(ctx, monitors)["login-api"]["options"] == {"method": "GET"}
    assert rows(ctx, components)["login"]["status"] == "major_outage"


def test_a_component_that_loses_its_last_monitor_is_what_a_person_last_said(ctx):
    put(ctx)

    put(ctx, WITHOUT_LOGIN.replace("  transfers-api", "  # transfers-api"), allow_remove=True)

    assert rows(ctx, components)["transfers"]["status"] == "operational"


def test_an_empty_part_is_no_step_of_a_plan(ctx):
    steps = [item.id for item in put(ctx).of("settings", "added")]

    assert steps == ["page", "defaults", "quiet_hours", "on_call", "webhooks", "allow_networks"]


def test_thousands_of_monitors_do_not_hold_the_writer_for_long(ctx):
    many = "".join(f"  m{n}: {{component: login, http: https://a.example/{n}}}\n" for n in range(1000))
    config = parse(FILE.replace("on_call:", many + "on_call:"))
    statements = []

    def count(_conn, _cursor, statement, *_rest):
        statements.append(statement)

    event.listen(ctx.db._writer, "before_cursor_execute", count)
    apply(ctx, COMMAND_LINE, config)

    assert len(rows(ctx, monitors)) == 1002
    assert len(statements) < 60


def test_only_an_admin_applies(ctx):
    with pytest.raises(NotAllowed):
        configuration.apply(ctx, Actor("eve", "responder"), wanted(parse(FILE)))
