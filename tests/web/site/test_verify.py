"""Did this come from you: typed, pasted, dropped; official channels, keys, security.txt."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from sqlalchemy import text

from statuspage.domain import claims
from statuspage.store.notices import by_public_id
from statuspage.store.schema.delivery import outbox
from tests.builders import NOW, draft


def number_of(client, public_id):
    return client.get(f"/api/v2/incidents/{public_id}.json").json["incident"]["x_wallet"]["number"]


def ask(client, said="", file=None, language="en"):
    data = {"said": said} | ({"file": (io.BytesIO(file), "notice.json")} if file is not None else {})
    response = client.post(f"/{language}/verify", data=data, content_type="multipart/form-data")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    return response.text


def announced(wallet, public_id, **values):
    """An outbox row as actions write it."""
    with wallet.db.write() as conn:
        notice = by_public_id(conn, public_id)
        conn.execute(outbox.insert().values({
            "kind": "notice_update", "notice_id": notice.id, "sequence": 1, "audiences": ["public"], "channels": [], "urgency": 2,
            "payload": {}, "cursor": 0, "created_at": NOW, "expires_at": NOW, **values,
        }))  # fmt: skip


@pytest.mark.parametrize("form", ["{}", "  {}  ", "n-{code}", "{code}", "N–{code}", "[Demo Wallet] Sign-in fails. Notice {}: see",
                                  "【演示钱包】转账失败，公告编号{}。"])  # fmt: skip
def test_a_number_is_found_however_it_was_written(form):
    assert claims.numbers(form.format("N-4K7Q", code="4k7q")) == ["N-4K7Q"]


@pytest.mark.parametrize("message", ["", "Your code is 482913", "N-4K7QX", "XN-4K7Q", "N-10IL", "hello"])
def test_what_is_no_number_is_not_taken_for_one(message):
    assert claims.numbers(message) == []


@pytest.mark.parametrize(
    ("message", "foreign"),
    [
        ("see status.wallet.example", []), ("https://app.wallet.example/x", []),
        ("open wallet-example.com now", ["wallet-example.com"]), ("w\u0430llet.example", ["w\u0430llet.example"]),
        ("https://status.wallet.example.evil.co/", ["status.wallet.example.evil.co"]),
        ("https://status.wallet.example@evil.co/", ["evil.co"]), ("版本5.2.0", []), ("转到evil.co。", ["evil.co"]),
    ],
)  # fmt: skip
def test_hosts_that_are_not_ours_are_named(message, foreign):
    assert claims.foreign_hosts(message, ["status.wallet.example", "wallet.example"]) == foreign


def test_a_typed_number_says_what_when_and_through_which_channels(wallet, client):
    public_id = wallet.notice(draft("Transfers fail", "We look into it."))
    announced(wallet, public_id, channels=["webhook"])
    number = number_of(client, public_id)

    page = ask(client, number.lower())

    assert "Yes, this number is ours" in page
    assert "Transfers fail" in page
    assert "We look into it." in page
    assert "22 Nov 2026, 13:42" in page
    assert "Webhook" in page
    assert "/log/1" in page
    assert "是的，这个编号是我们发布的" in ask(client, number, language="zh-Hans")


def test_a_pasted_message_with_our_number_and_a_foreign_link_is_warned_of(wallet, client):
    number = number_of(client, wallet.notice(draft("Transfers fail")))

    page = ask(client, f"Demo Wallet: {number}. Verify your account at wallet-example.com/login")

    assert "The number is genuine, the message is probably not ours" in page
    assert "addresses that are not ours: wallet-example.com" in page


def test_a_number_we_never_gave_and_a_draft_are_the_same(wallet, client):
    wallet.notice(draft("Secret"), visibility="draft", number="N-7777")

    for number in ("N-7777", "N-2345"):
        page = ask(client, number)
        assert "We never published this number" in page
        assert "Secret" not in page
        assert client.get(f"/n/{number}.json").status_code == 404


def test_a_message_without_a_number_is_not_from_us(client):
    assert "There is no notice number in it" in ask(client, "Your account is locked")


def test_a_file_of_the_log_or_of_the_api_is_genuine_until_one_character_changes(wallet, client):
    public_id = wallet.scenario("transfers-failing", steps=2, began_at=NOW - timedelta(minutes=30))
    entry = client.get("/log/2").json
    document = client.get(f"/incidents/{public_id}.json").json

    for file in (entry, document, client.get("/api/v2/summary.json").json):
        assert "Genuine: it is what we signed" in ask(client, file=json.dumps(file).encode())
    for change in (
        lambda data: data.update(payload=data["payload"].replace("identified", "resolved")),
        lambda data: data.update(signature=client.get("/log/1").json["signature"]),
        lambda data: data["bodies"].update({key: f"{value}." for key, value in data["bodies"].items()}),
        lambda data: data.update(n=99),
    ):
        forged = json.loads(json.dumps(entry))
        change(forged)
        assert "Altered: this is not what we published" in ask(client, file=json.dumps(forged).encode())
    for language in ("en", "zh-Hans"):
        forged = json.loads(json.dumps(document))
        forged["incident"]["incident_updates"][1]["x_wallet"]["bodies"][language] += "!"
        assert "Altered: this is not what we published" in ask(client, file=json.dumps(forged).encode())


@pytest.mark.parametrize("file", [b"{", b"[]", b"[1, {}]", b'"x"', b"\xff\xfe", b"[" * 5000, b'{"payload": "x"}', b'{"a":' * 3000,
                                  b'{"incident_id": 1, "x_wallet": {"signature": {"n": true}}}', b"null"])  # fmt: skip
def test_no_file_makes_it_fail_or_is_called_genuine(client, file):
    assert "Genuine" not in ask(client, file=file)


@pytest.mark.parametrize(
    "how", ["UPDATE log SET payload = replace(payload, 'fail', 'work')", "UPDATE log SET prev_hash = 'x'",
            "UPDATE notice_updates SET bodies = replace(bodies, 'look', 'smile')"],
)  # fmt: skip
def test_the_page_refuses_its_own_record_when_it_does_not_hold(wallet, client, how):
    number = number_of(client, wallet.notice(draft("Transfers fail", "We look into it.")))
    with wallet.db.write() as conn:
        conn.execute(text(how))

    page = ask(client, number)

    assert "Altered: this is not what we published" in page
    assert "Entry 1 does not hold" in page


def test_a_form_of_another_site_is_refused(client):
    assert client.post("/en/verify", data={"said": "N-2345"}, headers={"Origin": "https://evil.example"}).status_code >= 400


def test_official_channels_are_those_of_the_file(wallet, client):
    official = {"domains": ["wallet.example"], "sms_senders": ["#DemoWallet"], "apps": {"ios": "id1234567890"},
                "social": {"mastodon": "https://social.example/@wallet"}, "security": "security@wallet.example"}  # fmt: skip
    wallet.page(official=official)

    page = client.get("/en/official").text

    told = ("wallet.example", "#DemoWallet", "id1234567890", "https://social.example/@wallet", "never ask for your recovery")
    assert [one for one in told if one not in page] == []
    assert "我们绝不" in client.get("/zh-Hans/official").text
    security = client.get("/.well-known/security.txt").text
    assert "Contact: mailto:security@wallet.example\n" in security
    assert "Expires: 2027-05-01T00:00:00Z\n" in security
    assert "Canonical: https://status.wallet.example/.well-known/security.txt\n" in security


def test_without_a_contact_there_is_no_security_txt(wallet, client):
    wallet.page(support=[], official={})

    assert client.get("/.well-known/security.txt").status_code == 404


def test_the_key_page_shows_each_key_with_its_time(wallet, client):
    wallet.notice(draft())
    key = client.get("/key.json").json["keys"][0]

    page = client.get("/en/key").text

    assert key["id"] in page
    assert key["public_key"] in page
    assert "signs now" in page
