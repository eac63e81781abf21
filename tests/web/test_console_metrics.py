"""/metrics: what a Prometheus reads, who may, and what is never in it."""

from datetime import timedelta

import pytest
import requests
from console_desk import Desk
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus
from sqlalchemy import insert

from statuspage.actions import heartbeats
from statuspage.store.schema.delivery import deliveries, outbox, subscribers, subscriptions
from statuspage.store.schema.notices import changes
from statuspage.store.schema.runtime import meta

ACCEPT = {"Accept": "application/openmetrics-text; version=1.0.0"}
TWILIO = {"account_sid": "AC-sentinel", "auth_token": "token-sentinel", "number": "+85251230000"}


@pytest.fixture
def desk(any_database, free_port, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = Desk(any_database, free_port())
    found.hire("wei", "admin")
    yield found
    found.close()


@pytest.fixture
def guarded(sqlite_database, free_port, tmp_path, monkeypatch):
    """A desk whose settings name a token."""
    monkeypatch.chdir(tmp_path)
    found = Desk(sqlite_database, free_port())
    services = found.app.extensions["console"]
    object.__setattr__(services.settings, "metrics_token", "a-long-token")
    yield found
    found.close()


def get(desk, **headers):
    return requests.get(f"{desk.url}/metrics", headers={**ACCEPT, **headers}, timeout=10)


def figures(desk):
    """(name, labels) -> value, by the reference parser."""
    families = openmetrics(get(desk).text)
    return {(one.name, *sorted(one.labels.items())): one.value for family in families for one in family.samples}


def queue(desk, state, *, next_in_s, number=1):
    now = desk.clock.at
    with desk.ctx.db.write() as conn:
        said = conn.execute(insert(outbox).values(
            kind="test", sequence=0, audiences=[], channels=[], urgency=1, payload={"secret": "payload-sentinel"}, cursor=0,
            created_at=now, expires_at=now,
        ).returning(outbox.c.id)).scalar_one()  # fmt: skip
        for index in range(number):
            person = insert(subscribers).values(language="en", time_zone="UTC", created_at=now).returning(subscribers.c.id)
            name = f"{state}-{index}-{said}"
            one = conn.execute(insert(subscriptions).values(
                public_id=name, subscriber_id=conn.execute(person).scalar_one(), channel="sms", audience="public",
                address_sealed=b"x", address_hash=name, label="+852 ••• 9876", components=[], kinds=[], language="en",
                state="active", attempts=0, created_at=now, meta={},
            ).returning(subscriptions.c.id)).scalar_one()  # fmt: skip
            conn.execute(insert(deliveries).values(
                outbox_id=said, subscription_id=one, key=name, channel="sms", sequence=0, urgency=1, state=state, attempts=0,
                next_try_at=now + timedelta(seconds=next_in_s), reference="", receipt="", error_class="", error="",
                created_at=now,
            ))  # fmt: skip


def test_a_prometheus_reads_what_is_watched_told_and_published(desk):
    desk.probe.sees("down", "transfers-api", times=3)
    desk.probe.sees("unknown", "login-api")
    heartbeats.beat(desk.ctx.db, "checker", desk.clock.at)
    queue(desk, "dead", next_in_s=0, number=2)
    queue(desk, "queued", next_in_s=0)
    queue(desk, "queued", next_in_s=3600)
    desk.clock.pass_(seconds=40)

    found = figures(desk)

    assert found["statuspage_database_up",] == 1
    assert found["statuspage_probe_results_last_5_minutes", ("outcome", "down")] == 3
    assert found["statuspage_probe_results_last_5_minutes", ("outcome", "unknown")] == 1
    assert found["statuspage_monitors", ("state", "down")] == 1
    assert found["statuspage_monitors", ("state", "up")] + found["statuspage_monitors", ("state", "unknown")] == 4
    assert found["statuspage_heartbeat_age_seconds", ("loop", "checker")] == 40
    assert found["statuspage_deliveries_last_day", ("channel", "sms"), ("state", "dead")] == 2
    assert found["statuspage_delivery_overdue_seconds", ("channel", "sms")] == 40
    assert found["statuspage_open_notices", ("kind", "incident")] == 1
    assert found["statuspage_outbox_depth",] >= 3
    assert found["statuspage_unpublished_changes",] >= 1
    assert found["statuspage_publish_lag_seconds",] >= 40
    assert found["statuspage_build_info", ("version", "0.1.0")] == 1


def test_what_is_late_is_told_by_how_much(desk):
    before = figures(desk)
    desk.clock.pass_(minutes=10)

    after = figures(desk)

    assert before["statuspage_monitors_late",] == before["statuspage_probe_lateness_seconds",] == 0
    assert after["statuspage_monitors_late",] == 5
    assert 540 < after["statuspage_probe_lateness_seconds",] < 600


def test_the_lag_of_the_page_is_the_age_of_the_oldest_change_that_it_lacks(desk):
    with desk.ctx.db.write() as conn:
        conn.execute(changes.delete())
    in_step = figures(desk)
    with desk.ctx.db.write() as conn:
        conn.execute(insert(changes).values(what={"page": True}, at=desk.clock.at))
    desk.clock.pass_(seconds=7)

    behind = figures(desk)

    assert (in_step["statuspage_unpublished_changes",], in_step["statuspage_publish_lag_seconds",]) == (0, 0)
    assert (behind["statuspage_unpublished_changes",], behind["statuspage_publish_lag_seconds",]) == (1, 7)


def test_no_secret_no_address_and_no_words_are_in_it(desk):
    with desk.ctx.db.write() as conn:
        conn.execute(insert(meta).values(name="channels", value={"sms": {"twilio": TWILIO, "countries": ["HK"]}}))
    queue(desk, "sent", next_in_s=0)
    desk.probe.sees("down", "transfers-api", times=3)

    text = get(desk).text

    for part in ("sentinel", "9876", "wei", "Transfers", "127.0.0.1", "N-"):
        assert part not in text.replace("OpenMetrics", ""), part
    assert 'statuspage_sms_ceiling{window="hour"} 20.0' in text


def test_the_older_text_is_spoken_too(desk):
    answer = requests.get(f"{desk.url}/metrics", timeout=10)

    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "statuspage_outbox_depth" in {family.name for family in prometheus(answer.text)}


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-Ip"])
def test_what_a_proxy_passes_on_is_not_this_machine(desk, header):
    # Not through the desk's server, which would take these headers off; ours leaves them on.
    answer = desk.app.test_client().get("/metrics", base_url=desk.url, headers={header: "203.0.113.9"})
    local = desk.app.test_client().get("/metrics", base_url=desk.url)

    assert (answer.status_code, "statuspage_" in answer.text) == (403, False)
    assert local.status_code == 200


@pytest.mark.parametrize(("header", "status"), [
    (None, 403), ("Bearer a-long-token", 200), ("bearer a-long-token", 200), ("Bearer another", 403), ("Basic a-long-token", 403),
    ("Bearer ", 403),
])  # fmt: skip
def test_a_token_once_set_is_wanted_from_everybody(guarded, header, status):
    answer = get(guarded, **({"Authorization": header} if header else {}))

    assert answer.status_code == status


def test_a_token_lets_a_distant_prometheus_in(guarded):
    forwarded = {"X-Forwarded-For": "203.0.113.9", "Authorization": "Bearer a-long-token"}

    assert get(guarded, **forwarded).status_code == 200


def test_a_database_that_does_not_answer_is_a_figure(guarded, tmp_path):
    guarded.ctx.db._file.rename(tmp_path / "gone.db")

    text = get(guarded, Authorization="Bearer a-long-token").text

    found = {sample.name: sample.value for family in openmetrics(text) for sample in family.samples}
    assert found == {"statuspage_build_info": 1, "statuspage_database_up": 0}
