"""What machines read over HTTP: status codes, headers, live.json, the log, health."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import text

from statuspage.publish.api import DOCUMENTS
from statuspage.web.site.headers import POLICY
from tests.builders import NOW, draft


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_every_statuspage_path_answers_with_json_for_any_origin(client, name):
    response = client.get(f"/api/v2/{name}.json")

    assert response.status_code == 200
    assert response.json["page"]["id"] == "kctbh9vrtdwd"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert response.headers["ETag"].startswith('"')


@pytest.mark.parametrize(
    "path", ["/api/v2/nothing.json", "/api/v2/incidents/aaaaaaaaaaaa.json", "/api/", "/log/99", "/nothing.json"]
)
def test_what_is_not_there_is_a_404_in_json(client, path):
    response = client.get(path)

    assert response.status_code == 404
    assert response.json == {"error": "not found", "status": 404}
    assert response.headers["Cache-Control"] == "no-store"


def test_a_known_etag_gets_a_304_without_a_body(client):
    first = client.get("/api/v2/summary.json")

    again = client.get("/api/v2/summary.json", headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.data) == (304, b"")


def test_live_json_is_small_and_says_version_check_and_verdict(client):
    response = client.get("/live.json")

    assert len(response.data) <= 150
    assert list(response.json) == ["version", "checked_at", "verdict"]
    assert response.json["checked_at"] == "2026-11-22T05:41:48.000Z"


def test_the_page_and_live_json_carry_the_same_version(client):
    assert f'data-version="{client.get("/live.json").json["version"]}"' in client.get("/en/").text


def test_the_log_can_be_verified_with_nothing_but_what_is_served(wallet, client):
    wallet.scenario("transfers-failing", steps=3, began_at=NOW - timedelta(hours=1))

    published = client.get("/key.json").json["keys"]
    keys = {key["id"]: Ed25519PublicKey.from_public_bytes(base64.b64decode(key["public_key"])) for key in published}
    head = client.get("/log.json").json
    previous = "0" * 64
    for row in head["entries"]:
        entry = client.get(f"/log/{row['n']}").json
        payload = entry["payload"].encode()
        keys[entry["key_id"]].verify(base64.b64decode(entry["signature"]), payload)
        assert entry["prev_hash"] == previous
        previous = hashlib.sha256(payload).hexdigest()
        assert entry["hash"] == previous
        assert {hashlib.sha256(body.encode()).hexdigest() for body in entry["bodies"].values()} == set(entry["bodies"])

    assert head["head"] == {"n": 3, "hash": previous}


def test_a_withdrawn_body_is_gone_and_the_entry_stays(wallet, client):
    wallet.notice(draft(body="A leaked name"))
    with wallet.db.write() as conn:
        conn.execute(text("UPDATE log_bodies SET withdrawn_at = 1"))

    entry = client.get("/log/1")

    assert "A leaked name" not in entry.text
    assert list(entry.json["bodies"].values()) == [None]


def test_health_is_green_while_loops_report_and_red_when_one_falls_silent(wallet, client):
    wallet.beat(NOW - timedelta(seconds=20), "publisher")
    assert client.get("/healthz").json["ok"] is True

    wallet.beat(NOW - timedelta(seconds=91), "publisher")

    response = client.get("/healthz")
    assert response.status_code == 503
    assert response.json["silent"] == ["publisher"]


def test_headers_of_pages_and_of_data(client):
    page, data = client.get("/en/"), client.get("/api/v2/status.json")

    assert page.headers["Content-Security-Policy"] == POLICY
    assert "Access-Control-Allow-Origin" not in page.headers
    assert "sandbox" in data.headers["Content-Security-Policy"]
    for response in (page, data, client.get("/en/nothing"), client.get("/healthz")):
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "same-origin"
        assert "Set-Cookie" not in response.headers
        assert "Strict-Transport-Security" not in response.headers


def test_a_stale_page_may_be_kept_by_a_cache_for_five_minutes_at_most(client):
    for path in ("/en/", "/api/v2/summary.json", "/live.json", "/history.atom"):
        kept = dict(part.strip().partition("=")[::2] for part in client.get(path).headers["Cache-Control"].split(","))
        assert int(kept["stale-if-error"]) <= 300
        assert int(kept["max-age"]) <= 10


def test_assets_are_named_by_their_content(client):
    page = client.get("/en/").text
    sheet = page.split('rel="stylesheet" href="')[1].split('"')[0]

    response = client.get(sheet)

    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert sheet == f"/static/site-{hashlib.sha256(response.data).hexdigest()[:10]}.css"
    assert client.get("/static/site-0123456789.css").headers["Cache-Control"] == "no-cache"
    assert client.get("/static/../app.py").status_code == 404


def test_the_accent_of_the_page_reaches_the_style_sheet_only_as_a_colour(wallet, client):
    wallet.page(brand_color="#AA3311")
    assert "--brand: #aa3311" in client.get("/static/site.css").text

    wallet.page(brand_color="red;} body{display:none")

    assert "body{" not in client.get("/static/site.css").text


def test_without_a_database_a_live_answer_is_a_503_that_says_so(wallet, client):
    with wallet.db.write() as conn:
        for table in ("meta", "changes"):
            conn.execute(text(f"ALTER TABLE {table} RENAME TO {table}_hidden"))

    assert client.get("/api/v2/summary.json").status_code == 503
    page = client.get("/en/", headers={"Accept-Language": "en"})
    assert page.status_code == 503
    assert "page cannot be made at the moment" in page.text or "暂时无法生成此页" in page.text
    assert json.loads(client.get("/api/v2/status.json").data)["status"] == 503
