"""The agents' side of the public port: who may report, and that each batch counts once whatever the network does to it."""

import base64
import itertools
import json
from datetime import timedelta

import pytest
import stage
from flask import Flask
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from probes.agent_signature import Key, read_key, signed
from probes.result import CheckResult
from probes.spec import ProbeSpec
from statuspage.actions import agents
from statuspage.actions.context import Context
from statuspage.clock import to_ms
from statuspage.domain.agents import WINDOW_S, receive
from statuspage.errors import Conflict, InvalidInput, NotAllowed, NotFound
from statuspage.keys import Keys
from statuspage.store import agents as store
from statuspage.store import notices
from statuspage.store.schema import catalogue
from statuspage.store.schema.people import agents as agents_table
from statuspage.store.schema.people import audit_log
from statuspage.store.schema.runtime import meta
from statuspage.web import agents as web
from statuspage.web.agents import agents_blueprint
from statuspage.worker.arrivals import Arrivals

BATCHES, ASSIGNMENTS = "/agents/v1/batches", "/agents/v1/assignments"
BOOT, OTHER_BOOT = "0123456789abcdef", "fedcba9876543210"


@pytest.fixture
def clock():
    return stage.Clock()


@pytest.fixture
def database(request):
    """SQLite; both, one after the other, for tests that are marked so."""
    return request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_database")


@pytest.fixture
def ctx(database, clock):
    found = Context(database, Keys(b"\x01" * 32, b"\x02" * 32, b"\x03" * 32), clock)
    with database.write() as conn:
        conn.execute(insert(meta), [{"name": "defaults", "value": {"self_test": ["https://one.example/"]}}])
    return stage.furnish(found)


@pytest.fixture
def key(ctx):
    return read_key(agents.add(ctx, stage_admin(), "hk-1", "hk"))


def stage_admin():
    return stage.Actor("wei", "admin")


@pytest.fixture
def client(ctx):
    app = Flask("agents")
    app.register_blueprint(agents_blueprint(ctx))
    return app.test_client()


@pytest.fixture
def send(client, key, clock):
    """A function that posts batches as the agent does; `clock_off` is how far ahead its clock is."""

    def post(*batches, by=key, clock_off=timedelta(0), change=lambda body, headers: (body, headers), **more):
        wire = [{"now_ms": to_ms(clock() + clock_off), **each} for each in batches]
        body = json.dumps({"version": 1, "waiting": 0, "dropped": 0, "batches": wire, **more}).encode()
        body, headers = change(body, signed(by, "POST", BATCHES, body, to_ms(clock() + clock_off) // 1000))
        return client.post(BATCHES, data=body, headers=headers)

    return post


def batch(sequence, at, *, boot=BOOT, monitor="transfers-api", outcome="up", message="", **more):
    result = CheckResult(monitor, outcome, to_ms(at), 12.5, None if outcome == "up" else "status", message)
    return {"boot": boot, "sequence": sequence, "results": [result.to_json()], **more}


def arrived(ctx, monitors=None):
    """What the checker would get now, as (monitor, outcome, region, at)."""
    found = Arrivals().take(ctx, Everywhere() if monitors is None else monitors)
    return [(one.monitor_id, one.outcome, one.region, one.at_ms) for one in found.results]


class Everywhere(dict):
    """Monitors that every region watches."""

    def __contains__(self, name):
        return True

    def __getitem__(self, name):
        return self

    def is_watched_from(self, _region):
        return True


@pytest.mark.parametrize("database", ["sqlite", "postgres"], indirect=True)
def test_a_signed_batch_is_put_aside_for_the_checker_in_the_agents_region(ctx, send, clock):
    answer = send(batch(1, clock()), waiting=3, dropped=7)

    assert (answer.status_code, answer.json["accepted"], answer.json["duplicates"]) == (200, 1, 0)
    assert arrived(ctx) == [("transfers-api", "up", "hk", to_ms(clock()))]
    with ctx.db.read() as conn:
        agent = store.by_id(conn, "hk-1")
    assert (agent.seen_at, agent.waiting, agent.dropped, agent.clock_ms) == (clock(), 2, 7, 0)


def _other_body(body, headers):
    return body.replace(b'"up"', b'"down"'), headers


def _other_digest(body, headers):
    other = body.replace(b'"up"', b'"down"')
    return other, {**headers, "Content-Digest": signed(stranger(), "POST", BATCHES, other, 1)["Content-Digest"]}


def _later(body, headers):
    return body, {**headers, "Signature-Input": headers["Signature-Input"].replace(";created=1", ";created=2")}


def _unsigned(body, headers):
    return body, {"Content-Type": headers["Content-Type"]}


def _uncovered(body, headers):
    return body, {**headers, "Signature-Input": headers["Signature-Input"].replace(' "content-digest" "content-type"', "")}


def _other_algorithm(body, headers):
    return body, {**headers, "Signature-Input": headers["Signature-Input"].replace("ed25519", "hmac-sha256")}


def _flipped(body, headers):
    return body, {**headers, "Signature": headers["Signature"].replace("=:", "=:A", 1)[:-4] + "==:"}


def _other_type(body, headers):
    return body, {**headers, "Content-Type": "text/plain"}


@pytest.mark.parametrize(
    "change", [_other_body, _other_digest, _later, _unsigned, _uncovered, _other_algorithm, _flipped, _other_type]
)
def test_whatever_was_changed_on_the_way_is_refused(change, ctx, send, clock):
    answer = send(batch(1, clock()), change=change)

    assert (answer.status_code, answer.json["error"]) == (401, "signature")
    assert arrived(ctx) == []


def stranger(name="hk-1"):
    return read_key(f"wsa1.{name}.{base64.urlsafe_b64encode(b'x' * 32).decode().rstrip('=')}")


def test_another_key_in_the_agents_name_is_refused(ctx, send, clock):
    assert send(batch(1, clock()), by=stranger()).status_code == 401
    assert arrived(ctx) == []


def test_an_unknown_agent_and_a_revoked_one_are_refused(ctx, send, clock, key):
    unknown = send(batch(1, clock()), by=stranger("sg-1"))
    agents.revoke(ctx, stage_admin(), "hk-1")
    revoked = send(batch(1, clock()))

    assert (unknown.status_code, unknown.json["error"]) == (403, "revoked")
    assert (revoked.status_code, revoked.json["error"]) == (403, "revoked")
    assert arrived(ctx) == []


def test_a_body_signed_for_another_address_is_refused(client, key, clock):
    headers = signed(key, "POST", "/agents/v1/other", b"{}", to_ms(clock()) // 1000)

    assert client.post(BATCHES, data=b"{}", headers=headers).status_code == 401


def test_a_replay_changes_nothing_and_a_late_replay_is_refused(ctx, client, send, clock, key):
    kept = {}

    def keep(body, headers):
        kept.update(body=body, headers=headers)
        return body, headers

    send(batch(1, clock()), change=keep)
    again = client.post(BATCHES, data=kept["body"], headers=kept["headers"])
    clock.pass_(seconds=WINDOW_S + 2)
    late = client.post(BATCHES, data=kept["body"], headers=kept["headers"])

    assert (again.json["accepted"], again.json["duplicates"]) == (0, 1)
    assert (late.status_code, late.json["error"]) == (401, "clock")
    assert len(arrived(ctx)) == 1


@pytest.mark.parametrize("minutes", [10, -10])
def test_a_clock_ten_minutes_off_is_borne_and_corrected(minutes, ctx, send, clock):
    off = timedelta(minutes=minutes)

    answer = send(batch(1, clock() + off - timedelta(seconds=5)), clock_off=off)

    assert answer.status_code == 200
    assert arrived(ctx) == [("transfers-api", "up", "hk", to_ms(clock() - timedelta(seconds=5)))]


def test_a_clock_an_hour_off_is_told_our_time(send, clock):
    answer = send(batch(1, clock()), clock_off=timedelta(hours=1))

    assert (answer.status_code, answer.json["error"], answer.json["server_ms"]) == (401, "clock", to_ms(clock()))


def test_a_result_of_the_future_is_of_now_and_one_of_days_ago_is_dropped(ctx, send, clock):
    send(batch(1, clock() + timedelta(hours=1)))
    send(batch(2, clock() - timedelta(hours=50), monitor="old"), batch(3, clock() - timedelta(hours=47), monitor="kept"))

    assert [(name, at) for name, _, _, at in arrived(ctx)] == [
        ("transfers-api", to_ms(clock())), ("kept", to_ms(clock() - timedelta(hours=47)))
    ]  # fmt: skip


def test_the_order_within_a_boot_is_kept_when_the_first_request_was_slow(ctx, send, clock):
    start = clock()
    clock.pass_(seconds=8)
    send(batch(1, start - timedelta(seconds=1), now_ms=to_ms(start)))
    clock.pass_(seconds=1)
    send(batch(2, clock() - timedelta(seconds=3)))

    ats = [at for *_, at in arrived(ctx)]

    assert ats == sorted(ats)
    assert ats[1] - ats[0] == 1


@pytest.mark.repeats
@pytest.mark.parametrize("database", ["sqlite", "postgres"], indirect=True)
def test_batches_in_any_order_and_doubled_count_once_each(ctx, send, clock):
    for number, order in enumerate(itertools.permutations([1, 2, 3, 4])):
        sent = {
            each: batch(each, clock() - timedelta(seconds=10 - each), monitor=f"{number}-{each}", boot=f"{number:016x}")
            for each in order
        }

        answers = [send(sent[sequence]).json for sequence in (*order, *order)]

        assert [answer["accepted"] for answer in answers] == [1] * 4 + [0] * 4
        found = [name for name, *_ in arrived(ctx) if name.startswith(f"{number}-")]
        assert sorted(found) == [f"{number}-{each}" for each in (1, 2, 3, 4)]


def test_a_new_boot_starts_anew_and_the_old_one_is_still_known(ctx, send, clock):
    send(batch(1, clock(), monitor="a"))
    send(batch(1, clock(), monitor="b", boot=OTHER_BOOT))

    again = send(batch(1, clock(), monitor="a"), batch(2, clock(), monitor="c"))

    assert (again.json["accepted"], again.json["duplicates"]) == (1, 1)
    assert [name for name, *_ in arrived(ctx)] == ["a", "b", "c"]


@hypothesis_settings(max_examples=300)
@given(st.lists(st.integers(1, 30), max_size=80))
def test_every_sequence_is_new_exactly_once(sequences):
    boot, new = None, []
    for sequence in sequences:
        boot, is_new = receive(boot, sequence, 0)
        new += [sequence] if is_new else []

    assert new == list(dict.fromkeys(sequences))


NOT_FIT = [
    ([], "version"), ({}, "version"), ({"version": 2}, "version"), ({"version": 1}, "batches"), ({"batches": []}, "batches"),
    ({"batches": [5]}, "batches.0"), ({"batches": [{"boot": "x"}]}, "batches.0.boot"),
    ({"batches": [{"boot": BOOT, "sequence": True, "results": []}]}, "batches.0.sequence"),
    ({"batches": [{"boot": BOOT, "sequence": 0, "results": []}]}, "batches.0.sequence"),
    ({"batches": [{"boot": BOOT, "sequence": 1, "now_ms": "x", "results": []}]}, "batches.0.now_ms"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "field"), NOT_FIT)
def test_what_is_no_delivery_is_refused_with_its_place(data, field, client, key, clock):
    body = json.dumps({"version": 1, **data} if isinstance(data, dict) and "batches" in data else data).encode()

    answer = client.post(BATCHES, data=body, headers=signed(key, "POST", BATCHES, body, to_ms(clock()) // 1000))

    assert (answer.status_code, answer.json["error"]) == (422, "invalid")
    assert answer.json["message"].startswith(f"{field}: ")


@pytest.mark.parametrize(
    "change",
    [{"outcome": "great"}, {"error_class": "odd"}, {"at_ms": 1.5}, {"at_ms": 10**20}, {"duration_ms": float("nan")},
     {"monitor_id": 5}, {"message": None}, {"phases": {"dns": "x"}}, {"evidence": []},
     {"evidence": {"x": "y" * 30_000}}, {"version": 9}, {"phases": {str(n): 1.0 for n in range(21)}}],
    ids=str,
)  # fmt: skip
def test_a_result_that_is_none_is_refused_when_it_comes_not_when_it_is_judged(change, ctx, send, clock):
    one = batch(1, clock())
    one["results"][0].update(change)

    assert send(one).status_code == 422
    assert arrived(ctx) == []


@pytest.mark.parametrize("database", ["sqlite", "postgres"], indirect=True)
def test_texts_that_no_database_takes_are_made_fit(ctx, send, clock):
    one = batch(1, clock(), outcome="down", message="a\x00b\ud800c")
    one["results"][0]["evidence"] = {"body\x00": ["\ud800", float("inf")]}

    assert send(one).status_code == 200
    with ctx.db.read() as conn:
        (found,) = store.arrivals(conn, 10)
    assert found.results[0]["message"] == "a�b�c"
    assert found.results[0]["evidence"] == {"body�": ["�", None]}


def test_junk_and_too_much_are_refused(client, key, clock, send):
    junk = client.post(BATCHES, data=b"[" * 5000, headers=signed(key, "POST", BATCHES, b"[" * 5000, to_ms(clock()) // 1000))
    too_much = send(batch(1, clock()), filler="x" * web.MAX_BODY)

    assert (junk.status_code, too_much.status_code) == (422, 413)
    assert too_much.json["error"] == "too_large"


@pytest.mark.parametrize("database", ["sqlite", "postgres"], indirect=True)
def test_an_agent_that_comes_too_often_is_told_when_to_come_again(ctx, send, clock, monkeypatch):
    monkeypatch.setattr(agents, "REQUESTS", agents.Limit("agent", 2, 60))

    answers = [send(batch(sequence, clock())) for sequence in (1, 2, 3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["Retry-After"]) > 0
    assert len(arrived(ctx)) == 2


@pytest.mark.parametrize("database", ["sqlite", "postgres"], indirect=True)
def test_agents_keep_what_comes_while_nobody_judges(ctx, send, clock, monkeypatch):
    monkeypatch.setattr(agents, "MAX_BACKLOG", 1)
    send(batch(1, clock()), batch(2, clock()))

    answer = send(batch(3, clock()))

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_only_monitors_of_its_region_count(ctx, send, clock):
    class There(Everywhere):
        def is_watched_from(self, region):
            return region == "sg"

    send(batch(1, clock()))

    assert arrived(ctx, There()) == []


@pytest.fixture
def ask(client, key, clock):
    def get(by=key, **headers):
        return client.get(ASSIGNMENTS, headers={**signed(by, "GET", ASSIGNMENTS, None, to_ms(clock()) // 1000), **headers})

    return get


@pytest.mark.parametrize("database", ["sqlite", "postgres"], indirect=True)
def test_assignments_are_specs_with_references_as_they_are_written(ctx, ask):
    with ctx.db.write() as conn:
        secret = {"headers": {"Authorization": "Bearer ${env:TOKEN}"}}
        conn.execute(catalogue.monitors.update().where(catalogue.monitors.c.id == "transfers-api").values(options=secret))
        conn.execute(catalogue.monitors.update().where(catalogue.monitors.c.id == "balances-api").values(regions=["local", "sg"]))
        conn.execute(catalogue.monitors.update().where(catalogue.monitors.c.id == "login-api").values(kind="heartbeat"))

    answer = ask()

    specs = {spec["monitor_id"]: ProbeSpec.from_json(spec) for spec in answer.json["specs"]}
    assert specs["transfers-api"].options == secret
    assert {"balances-api", "login-api"} & set(specs) == set()
    assert (answer.json["region"], answer.json["self_test"]) == ("hk", ["https://one.example/"])


def test_assignments_cost_nothing_until_something_changed(ctx, ask):
    first = ask()
    again = ask(**{"If-None-Match": first.headers["ETag"]})
    with ctx.db.write() as conn:
        conn.execute(catalogue.monitors.update().where(catalogue.monitors.c.id == "login-api").values(interval_ms=5000))
        notices.add_change(conn, {"page": True}, ctx.now())
    changed = ask(**{"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.data) == (304, b"")
    assert changed.status_code == 200
    assert changed.headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize("database", ["sqlite", "postgres"], indirect=True)
def test_asking_is_a_sign_of_life_and_needs_a_signature(ctx, ask, clock):
    assert ask(by=stranger()).status_code == 401
    assert ask().status_code == 200
    with ctx.db.read() as conn:
        assert store.by_id(conn, "hk-1").seen_at == clock()
        assert store.silent(conn, clock() - timedelta(minutes=3)) == []
    clock.pass_(minutes=4)
    with ctx.db.read() as conn:
        assert [one.id for one in store.silent(conn, clock() - timedelta(minutes=3))] == ["hk-1"]


@pytest.mark.parametrize("database", ["sqlite", "postgres"], indirect=True)
def test_adding_and_revoking_are_the_admins_and_are_written_down(ctx, key):
    with pytest.raises(NotAllowed):
        agents.add(ctx, stage.LIN, "sg-1", "sg")
    with pytest.raises(Conflict):
        agents.add(ctx, stage_admin(), "hk-1", "hk")
    with pytest.raises(NotFound):
        agents.revoke(ctx, stage_admin(), "nobody")
    agents.revoke(ctx, stage_admin(), "hk-1")
    renewed = read_key(agents.add(ctx, stage_admin(), "hk-1", "hk"))

    assert isinstance(renewed, Key)
    with ctx.db.read() as conn:
        rows = conn.execute(select(audit_log.c.action, audit_log.c.subject).order_by(audit_log.c.id)).all()
        kept = json.dumps([list(map(str, row)) for row in conn.execute(select(agents_table))])
    assert rows == [("agent.add", "hk-1"), ("agent.revoke", "hk-1"), ("agent.add", "hk-1")]
    assert renewed.private.private_bytes_raw().hex() not in kept


@pytest.mark.parametrize(
    ("name", "region"), [("HK", "hk"), ("", "hk"), ("a b", "hk"), ("a" * 41, "hk"), ("hk-1", "local"), ("hk-1", "香港")]
)
def test_names_and_regions_are_plain(name, region, ctx):
    with pytest.raises(InvalidInput):
        agents.add(ctx, stage_admin(), name, region)
