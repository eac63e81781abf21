"""Badges, banner and in-app notices over HTTP: languages, headers, and what must not be there."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from statuspage.clock import to_ms
from statuspage.publish import badges
from statuspage.store.schema.checks import check_results
from tests.builders import NOW, draft
from tests.stage import add_monitor


@pytest.mark.parametrize("file", badges.FILES)
def test_each_badge_answers_in_the_language_of_its_path_for_any_origin(wallet, client, file):
    chinese, english = client.get(f"/badge/login/{file}"), client.get(f"/en/badge/login/{file}")

    assert (chinese.status_code, english.status_code) == (200, 200)
    assert "登录" in chinese.text
    assert "Sign-in" in english.text
    assert english.headers["Access-Control-Allow-Origin"] == "*"
    assert english.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "sandbox" in english.headers["Content-Security-Policy"]
    assert client.get(f"/badge/login/{file}", headers={"If-None-Match": chinese.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("path", ["/badge/nothing/status.svg", "/badge/login/secret.svg", "/badge/_/uptime.svg", "/badge/login/"])
def test_a_badge_of_something_unknown_is_a_404(client, path):
    assert client.get(path).status_code == 404


def test_an_archived_components_badge_is_like_one_that_never_was(wallet, client):
    with wallet.db.write() as conn:
        conn.exec_driver_sql("UPDATE components SET archived_at = 1 WHERE id = 'login'")

    gone, never = client.get("/badge/login/status.svg"), client.get("/badge/nothing/status.svg")

    assert (gone.status_code, gone.data) == (never.status_code, never.data)


def test_the_response_badge_is_the_median_of_the_slowest_monitor(wallet, client):
    assert "not measured" in client.get("/en/badge/login/response.svg").text
    hour_ms = to_ms(NOW) - 3_600_000
    with wallet.db.write() as conn:
        for number, monitor_id in enumerate(("login-api", "login-page"), 1):
            add_monitor(conn, monitor_id, "login", number, NOW)
            conn.execute(check_results.insert(), [
                {"monitor_no": number, "at_ms": hour_ms + at, "region_no": 1, "outcome": 0, "latency_ms": 100 * number + at}
                for at in range(3)
            ])  # fmt: skip

    assert "200 ms" in client.get("/en/badge/login/response.svg").text


def test_the_banner_may_be_framed_and_nothing_else(client):
    banner = client.get("/en/embed").headers["Content-Security-Policy"]

    assert "frame-ancestors *" in banner
    assert "default-src 'none'" in banner
    assert "script-src" not in banner
    assert "frame-ancestors 'none'" in client.get("/en/").headers["Content-Security-Policy"]


def test_the_banner_says_what_is_open_and_has_neither_form_nor_script(wallet, client):
    wallet.notice(draft("Transfers <fail>", components={"transfers": "major_outage"}))

    text = client.get("/en/embed").text

    assert "Transfers &lt;fail&gt;" in text
    assert "<script" not in text
    assert "<form" not in text
    assert "公告编号" in client.get("/zh-Hans/embed").text


def test_the_script_is_one_small_file_that_stores_nothing_and_makes_no_html(client):
    response = client.get("/embed.js")

    assert len(response.data) < 4096
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert [word for word in ("cookie", "localStorage", "innerHTML", "insertAdjacent", "eval(", "document.write")
            if word in response.text.split("*/")[-1].replace("No cookies", "")] == []  # fmt: skip


def test_apps_are_answered_in_their_language_by_version_and_with_304(wallet, client):
    wallet.notice(draft("Sign-in fails", affected_versions="5.2.0", fixed_versions="5.2.1"))

    old = client.get("/app/notices.json?lang=en&version=5.2.0")
    new = client.get("/app/notices.json?lang=en&version=5.2.1")

    assert [one["title"] for one in old.json["notices"]] == ["Sign-in fails"]
    assert new.json["notices"] == []
    again = client.get("/app/notices.json?lang=en&version=5.2.0", headers={"If-None-Match": old.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_another_sites_script_may_ask_with_if_none_match(client):
    answer = client.options("/api/v2/summary.json", headers={"Origin": "https://wallet.example"})

    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "If-None-Match" in answer.headers["Access-Control-Allow-Headers"]
    assert client.get("/api/v2/summary.json").headers["Access-Control-Expose-Headers"] == "ETag"


def test_short_links_and_json_beside_the_page_lead_to_the_notice(wallet, client):
    public_id = wallet.notice(draft("Transfers fail"))
    planned = wallet.notice(draft("Upgrade", kind="maintenance", status="scheduled", scheduled_for=NOW + timedelta(days=1)))
    found = client.get(f"/incidents/{public_id}.json").json

    short = found["incident"]["shortlink"].removeprefix("https://status.wallet.example")
    assert client.get(short, headers={"Accept-Language": "en"}).headers["Location"] == f"/en/incidents/{public_id}"
    assert found == client.get(f"/api/v2/incidents/{public_id}.json").json
    one = client.get(f"/api/v2/scheduled-maintenances/{planned}.json").json
    assert one["scheduled_maintenance"]["scheduled_for"] == "2026-11-23T05:42:00.000Z"
    assert client.get(f"/api/v2/scheduled-maintenances/{public_id}.json").status_code == 404
    assert json.loads(client.get("/incidents/aaaaaaaaaaaa.json").data)["status"] == 404
