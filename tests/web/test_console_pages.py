"""Every page of the console on both databases, in both languages, in peace and on fire; search; the audience's counts."""

import re

import pytest
from console_desk import Desk, open_notices, send, written
from sqlalchemy import insert, update

from statuspage.actions import pings
from statuspage.store.schema.catalogue import monitors
from statuspage.store.schema.delivery import deliveries, outbox, subscribers, subscriptions

PAGES = ("/", "/notices", "/monitors", "/monitors/transfers-api", "/reports", "/deliveries", "/subscriptions", "/operators",
         "/audit", "/account", "/declare", "/declare?kind=advisory", "/declare?kind=security", "/declare?monitor=transfers-api",
         "/declare?template=solana-halt", "/maintenance/new")  # fmt: skip


@pytest.fixture
def desk(any_database, free_port):
    found = Desk(any_database, free_port())
    found.hire("wei", "admin", language="zh-Hans")
    found.hire("lin", "admin")
    yield found
    found.close()


def _subscribe(desk, channel, number, *, audience="public", components=(), language="en", state="active"):
    ids = []
    with desk.ctx.db.write() as connection:
        for index in range(number):
            person = insert(subscribers).values(language=language, time_zone="UTC", created_at=desk.clock.at)
            name = f"{channel}-{audience}-{language}-{'-'.join(components)}-{state}-{index}"
            ids.append(connection.execute(insert(subscriptions).values(
                public_id=name, subscriber_id=connection.execute(person.returning(subscribers.c.id)).scalar_one(),
                channel=channel, audience=audience, address_sealed=b"sealed", address_hash=name, label="+852 ••• 1234",
                components=list(components), kinds=[], language=language, state=state, attempts=0, created_at=desk.clock.at,
                meta={},
            ).returning(subscriptions.c.id)).scalar_one())  # fmt: skip
    return ids


def test_every_page_answers_in_both_languages_in_peace_and_on_fire(desk):
    lin, wei = desk.signed_in("lin"), desk.signed_in("wei")
    for is_fire in (False, True):
        if is_fire:
            desk.probe.sees("down", "transfers-api", times=3)
        (public_id,) = [one.public_id for one in open_notices(desk)] or [""]
        more = (f"/notices/{public_id}", f"/notices/{public_id}/update") if public_id else ()
        for path in (*PAGES, *more):
            english, chinese = lin.get(path), wei.get(path)

            assert english.status_code == chinese.status_code == 200, path
            assert '<html lang="zh-Hans">' in chinese.text
            assert len(re.findall("<h1", english.text)) == 1, path


def test_a_chinese_page_leaves_no_english_sentence_of_ours(desk):
    desk.probe.sees("down", "transfers-api", times=3)
    wei = desk.signed_in("wei")
    (found,) = open_notices(desk)
    paths = ("/", "/notices", "/monitors", "/deliveries", "/subscriptions", "/operators", "/account", "/declare", "/audit",
             "/maintenance/new", "/monitors/transfers-api", f"/notices/{found.public_id}/update", "/nowhere")  # fmt: skip
    english = {}
    for path in paths:
        page = wei.get(path).text
        bare = re.sub(r"<(script|code|option|textarea)[^>]*>.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
        english[path] = re.findall(r"[A-Za-z]{3,}(?: [A-Za-z]{2,}){2,}", bare)

    assert not any(english.values()), english


def test_peace_is_said_when_nothing_waits(desk):
    desk.clock.pass_(seconds=1)
    desk.probe.sees("up", "transfers-api", "balances-api", "login-api", "payments-api", "payments-flow", times=2)

    peace = desk.signed_in("lin").get("/").text

    assert "All quiet" in peace or "has not reported" in peace


def test_the_reach_counts_who_would_really_be_told(desk):
    _subscribe(desk, "sms", 7)
    _subscribe(desk, "sms", 5, components=["balances"])
    _subscribe(desk, "sms", 3, components=["transfers", "login"], language="zh-Hans")
    _subscribe(desk, "sms", 4, state="off")
    _subscribe(desk, "sms", 2, audience="oncall")
    _subscribe(desk, "webhook", 2, audience="operator")
    lin = desk.signed_in("lin")

    page = send(lin, "/declare", written(lin.get("/declare"), lin, component="transfers"), do="preview").text

    assert "10 SMS" in page
    assert "2 webhooks" in page


def test_dead_letters_show_their_reason_and_never_an_address(desk):
    (subscription,) = _subscribe(desk, "sms", 1)
    at = desk.clock.at
    with desk.ctx.db.write() as connection:
        row = insert(outbox).values(kind="test", sequence=1, audiences=["public"], channels=[], urgency=3, payload={}, cursor=0,
                                    created_at=at, expires_at=at)  # fmt: skip
        outbox_id = connection.execute(row.returning(outbox.c.id)).scalar_one()
        connection.execute(insert(deliveries).values(
            outbox_id=outbox_id, subscription_id=subscription, key="k", channel="sms", sequence=1, urgency=3, state="dead",
            attempts=1, next_try_at=at, reference="", receipt="", error_class="permanent", error="number is not in service",
            created_at=at,
        ))  # fmt: skip
    lin = desk.signed_in("lin")

    listed = lin.get("/deliveries?state=dead").text
    first_screen = lin.get("/").text

    assert "number is not in service" in listed
    assert "+852 ••• 1234" in listed
    assert "1 given up in the last 24 hours" in first_screen
    assert "number is not in service" not in lin.get("/deliveries?state=sent").text


@pytest.mark.parametrize(("path", "hit", "miss"), [
    ("/monitors?q=", "transf", "zzz"), ("/notices?q=", "problem with Transfers", "zzz"), ("/audit?q=", "operator.create", "zzz"),
    ("/notices?q=", "转账", "100%_"),
])  # fmt: skip
def test_lists_can_be_searched(desk, path, hit, miss):
    desk.probe.sees("down", "transfers-api", times=3)
    lin = desk.signed_in("lin")

    assert "Nothing found" not in lin.get(path + hit).text
    assert "Nothing found" in lin.get(path + miss).text


def test_an_operators_webhook_is_added_tested_and_removed(desk):
    lin = desk.signed_in("lin")
    lin.get("/subscriptions")
    added = lin.post("/subscriptions/webhooks", url="https://hooks.wallet.example/status")
    secret = re.search(r"<code class=\"wrap-any\">([^<]+)</code>", added.text).group(1)
    public_id = re.search(r'action="/subscriptions/([a-z0-9]+)"', added.text).group(1)
    tested = lin.post(f"/subscriptions/{public_id}", do="test")
    removed = lin.post(f"/subscriptions/{public_id}", do="remove")
    refused = lin.post("/subscriptions/webhooks", url="not an address")

    assert len(secret) > 30
    assert secret not in lin.get("/subscriptions").text
    assert tested.url.endswith("said=test")
    assert f"/subscriptions/{public_id}" not in removed.text
    assert refused.status_code == 400
    assert "not an address" in refused.text


def test_a_new_operator_comes_in_by_a_link_that_is_shown_once(desk):
    lin = desk.signed_in("lin")
    lin.get("/operators")
    made = lin.post("/operators", name="zhang", display_name="Zhang San", role="responder", language="zh-Hans")
    link = re.search(r"/sign-in/link\?token=[\w-]+", made.text).group(0)

    newcomer = desk.browser().get(link)

    assert "Zhang San" in newcomer.text
    assert link not in lin.get("/operators").text


def test_a_heartbeat_shows_its_address_to_those_who_may_act_and_what_it_heard(desk):
    with desk.ctx.db.write() as connection:
        changed = update(monitors).where(monitors.c.id == "transfers-api")
        connection.execute(changed.values(kind="heartbeat", options={"every": "1h"}))
    pings.receive(desk.ctx, "transfers-api", "fail", code=3, body=b"<b>disk full</b>")
    desk.hire("vik", "viewer")

    shown = desk.signed_in("lin").get("/monitors/transfers-api").text
    to_viewer = desk.signed_in("vik").get("/monitors/transfers-api").text

    token = pings.token_of(desk.ctx, "transfers-api", {"every": "1h"})
    assert f"/ping/{token}" in shown
    assert "&lt;b&gt;disk full&lt;/b&gt;" in shown
    assert token not in to_viewer
    assert "disk full" in to_viewer


def test_the_last_failures_of_a_monitor_keep_what_was_seen(desk):
    desk.probe.sees("up", "transfers-api", times=3)
    lin = desk.signed_in("lin")
    before = len(re.findall("Everything it saw", lin.get("/monitors/transfers-api").text))
    desk.probe.sees("down", "transfers-api", times=3)

    shown = lin.get("/monitors/transfers-api").text

    kept = re.findall(r"<details><summary>Everything it saw</summary><pre>([^<]*)</pre>", shown)
    assert len(kept) == before + 1
    assert all('"phases"' in each for each in kept)
