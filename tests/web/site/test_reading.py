"""The pages beside index, notice and check: network, maintenance, statistics, search, charts, help; in both languages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert, select, text

from statuspage.clock import to_ms
from statuspage.domain import rollup
from statuspage.domain.rollup import HOUR_MS
from statuspage.store import checks
from statuspage.store.schema.checks import judgements, monitor_states
from statuspage.store.schema.networks import chain_heads
from statuspage.store.schema.runtime import meta
from tests.builders import NOW, draft
from tests.pages import check
from tests.stage import add_monitor

LANGUAGES = ("en", "zh-Hans")
CHAINS = {"ethereum": {"capabilities": ["send", "receive", "balances"]}, "polygon": {"capabilities": ["receive"]}}


@pytest.fixture
def networks(wallet):
    """Two networks beside the six functions."""
    wallet.component("chain_eth", "data", chain="ethereum").component("chain_polygon", "data", chain="polygon")
    with wallet.db.write() as conn:
        conn.execute(insert(meta).values(name="chains", value=CHAINS))
    return wallet


def page(client, path, code=200):
    response = client.get(path)
    assert response.status_code == code, path
    return check(response.text)


def measure(wallet, component_id="transfers", latency_ms=100, hours=26, bad_hour=None):
    """Hours of results of a monitor, the last one just ended."""
    end = to_ms(NOW) // HOUR_MS
    with wallet.db.write() as conn:
        add_monitor(conn, f"{component_id}-api", component_id, 7, NOW, names={"en": "API", "zh-Hans": "接口"})
        found = []
        for hour in range(end - hours, end):
            outcome = 2 if hour == bad_hour else 0
            rows = [(hour * HOUR_MS + step * 60_000, outcome, latency_ms) for step in range(4)]
            found.append((7, hour, 0, rollup.block(hour, rows)))
        checks.put_blocks(conn, found)
        checks.set_mark(conn, checks.HOURS, end)
    return end


def judged(wallet, cause, state="degraded", evidence=None):
    """What a monitor of Polygon knows."""
    with wallet.db.write() as conn:
        add_monitor(conn, "polygon-own", "chain_polygon", 8, NOW)
        conn.execute(insert(judgements).values(
            monitor_id="polygon-own", state=state, since_at=NOW, known="up", status="", cause=cause, crossings=[],
        ))  # fmt: skip
        conn.execute(insert(monitor_states).values(
            monitor_id="polygon-own", region="", state=state, since_at=NOW, streak_outcome=state, streak=3, streak_at=NOW,
            last_at=NOW, last_ms=80, error_class="", message="", evidence=evidence or {},
        ))  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", ["/maintenance", "/statistics", "/help", "/privacy", "/search", "/networks/polygon"])
def test_every_page_stands_in_both_languages(networks, client, language, path):
    networks.scenario("core-upgrade", steps=1, began_at=NOW + timedelta(days=2))
    networks.scenario("transfers-failing", began_at=NOW - timedelta(days=2))

    found = page(client, f"/{language}{path}")

    other = "en" if language == "zh-Hans" else "zh-Hans"
    assert f"/{other}{path}" in found.links


def test_maintenance_stands_as_function_window_and_local_time_with_its_calendar(wallet, client):
    public_id = wallet.scenario("core-upgrade", steps=1, began_at=NOW + timedelta(days=2))
    wallet.scenario("core-upgrade", began_at=NOW - timedelta(days=20))

    found = page(client, "/en/maintenance")

    assert "Transfers, Online payments, Balances" in found.words
    assert "24 Nov 2026 (Tue), 13:42–16:40 UTC+8 2 h 58 min · 05:42–08:40 UTC" in found.words
    assert f"/en/incidents/{public_id}/calendar.ics" in found.links
    assert "Over" in found.words


def test_without_maintenance_the_page_says_so(client):
    words = page(client, "/en/maintenance").words

    assert "No maintenance is going on." in words
    assert "None is planned." in words


def test_the_index_shows_what_works_on_each_network_and_leaves_out_what_is_not_offered(networks, client):
    networks.status("chain_polygon", "degraded")

    words = page(client, "/en/").words

    assert "Send Operational · not offered" in words
    assert "Receive Operational Degraded" in words
    assert "Receive works on 1 of 2 POL Degraded" in words
    assert "Bridge" not in words


def test_a_function_that_fails_fails_on_every_network(networks, client):
    networks.status("balances", "major_outage")

    assert "Balances Major outage" in page(client, "/en/networks/ethereum").words


def test_what_is_only_suspected_is_called_possible_on_every_network(networks, client):
    networks.suspected(["transfers"])
    networks.status("transfers", "major_outage")

    words = page(client, "/en/").words

    assert "Send Possible problem · not offered" in words
    assert "Major outage" not in words
    assert "Send Possible problem" in page(client, "/en/networks/ethereum").words


def test_a_wallet_without_networks_shows_no_such_table(client):
    assert "What works on each network" not in page(client, "/en/").words
    assert client.get("/en/networks/ethereum").status_code == 404


@pytest.mark.parametrize(
    ("cause", "state", "said"),
    [("OWN_NODE_BEHIND", "degraded", "our own node lags behind it"), ("CHAIN_HALTED", "down", "The network has stopped"),
     ("", "down", "Our access to the network fails"), ("OK", "up", "The network works normally"),
     ("CHAIN_HALTED", "up", "The network works normally"), ("CONGESTED", "up", "fees are high"),
     ("NEW_WORD", "unknown", "We cannot tell at the moment")],
)  # fmt: skip
def test_the_verdict_of_a_network_is_told_in_words(networks, client, cause, state, said):
    judged(networks, cause, state)

    assert said in page(client, "/en/networks/polygon").words


def test_own_node_and_references_stand_beside_each_other_without_their_addresses(networks, client):
    rows = [
        {"role": "own", "ok": True, "head_height": 90, "head_age_s": 104.0, "at_ms": 500_000, "final_ms": 310_000,
         "latency_ms": 84.2, "fee": {"pressure": 0.62},
         "endpoint": "own-1", "supplier": "secret-supplier", "dialled": "192.0.2.7"},
        {"role": "reference", "ok": False, "error_text": "key 4711 is not valid", "latency_ms": 3},
        "no row", {"role": "reference", "head_height": "90"},
    ]  # fmt: skip
    judged(networks, "OWN_NODE_BEHIND", evidence={"tip": 147, "endpoints": rows})

    response = client.get("/en/networks/polygon")

    assert "Own node 90 57 104 s 3 min 62% 84 ms" in check(response.text).words
    assert not [word for word in ("secret-supplier", "192.0.2.7", "4711") if word in response.text]


@pytest.mark.parametrize(("ago_s", "shown"), [(0, "Own node 147 0 4 s"), (600, "Own node 90 57 104 s")])
def test_the_newest_poll_is_shown_also_when_all_is_well_and_the_last_failure_where_none_saw_a_head_since(
    networks, client, ago_s, shown
):
    old = {"role": "own", "ok": True, "head_height": 90, "head_age_s": 104.0}
    new = {"role": "own", "ok": True, "head_height": 147, "head_age_s": 4.0}
    judged(networks, "OK", "up", evidence={"tip": 147, "endpoints": [old]})
    with networks.db.write() as conn:
        [monitor_id] = conn.execute(select(monitor_states.c.monitor_id)).scalars()
        at = NOW - timedelta(seconds=ago_s)
        conn.execute(insert(chain_heads).values(
            monitor_id=monitor_id, chain="polygon", height=147, at=at, anchor_height=1, anchor_at=at, pace_us=2_000_000,
            evidence={"tip": 147, "endpoints": [new]},
        ))  # fmt: skip

    assert shown in page(client, "/en/networks/polygon").words


def test_a_network_of_which_nothing_is_known_is_not_called_working(networks, client):
    assert "We cannot tell at the moment how the network is" in page(client, "/en/networks/polygon").words


def test_charts_show_day_week_month_and_year_with_half_and_nearly_all(wallet, client):
    end = measure(wallet, latency_ms=100)
    with wallet.db.write() as conn:
        bad = rollup.block(end - 3, [((end - 3) * HOUR_MS, 2, 5000)])
        checks.put_blocks(conn, [(7, end - 3, 0, bad)])

    response = client.get("/en/components/transfers")

    found = check(response.text)
    for span in ("24 hours", "7 days", "30 days", "12 months"):
        assert f"{span} half within 100 ms, 95% within 100 ms" in found.words
    assert 'class="b-major" d="M2' in response.text
    assert "Response time" not in page(client, "/en/components/login").words


def test_a_row_of_the_index_has_the_last_days_response_times_where_a_monitor_measures_them(wallet, client):
    measure(wallet)

    html = client.get("/en/").text

    assert html.count('class="spark"') == 1
    assert 'aria-label="100 ms"' in html


def test_statistics_say_how_long_it_took_and_whether_promises_held(wallet, client):
    began = NOW - timedelta(days=3)
    wallet.notice(
        draft("One", status="resolved", cause="third_party", components={"login": "degraded"}, started_at=began,
              resolved_at=began + timedelta(minutes=40), eta_at=began + timedelta(minutes=30)),
        at=began + timedelta(minutes=6), detected_at=began + timedelta(minutes=2), source="monitor",
    )  # fmt: skip

    words = page(client, "/en/statistics").words

    for part in ("Faults 1", "First seen by our own checks 100%", "To see it 2 min", "To say it 6 min", "To mend it 40 min",
                 "1 of 1", "Wrong by, in the median 10 min", "Third-party service 1 40 min", "Sign-in 1 40 min"):  # fmt: skip
        assert part in words


@pytest.mark.parametrize("official", [{}, {"domains": ["wallet.example"]}, {"apps": {"ios": "id1"}}])
def test_official_channels_that_are_only_partly_known_are_still_a_page(wallet, client, official):
    wallet.page(official=official, support=[{"kind": "phone", "number": "+85221234567"}])

    assert "Our official channels" in page(client, "/en/official").words


def test_statistics_of_nothing_say_so(client):
    assert "No fault was published in this time." in page(client, "/en/statistics").words


def found_by(client, query):
    words = page(client, f"/en/search?{query}").words
    return sorted(title for title in ("Alpha fails", "Beta 100%", "Gamma") if title in words)


@pytest.mark.parametrize(
    ("query", "expected"),
    [("q=alpha", ["Alpha fails"]), ("q=fails+alpha", ["Alpha fails"]), ("q=deep+words", ["Beta 100%"]), ("q=%25", ["Beta 100%"]),
     ("q=_", []), ("q=n-4k7q", ["Gamma"]), ("component=login", ["Gamma"]), ("kind=advisory", ["Beta 100%"]),
     ("month=2026-10", ["Gamma"]), ("month=2026-10&component=transfers", []), ("", ["Alpha fails", "Beta 100%", "Gamma"]),
     ("q=%22%5C%3Cscript%3E", []), ("q=secret", []), ("q=\uff41\uff2c\uff30\uff28\uff21", ["Alpha fails"]),
     ("q=%C3%89TAT", ["Gamma"]), ("q=1000", ["Beta 100%"]), ("q=n%EF%BC%8D4k7q", ["Gamma"])],
)  # fmt: skip
def test_the_archive_is_searched_by_word_function_kind_and_month(wallet, client, query, expected):
    wallet.notice(draft("Alpha fails"))
    wallet.notice(draft("Beta 100%", "Deep in the words \uff11\uff10\uff10\uff10", kind="advisory", status="active"))
    began = NOW - timedelta(days=40)
    wallet.notice(draft("Gamma", "L\u2019e\u0301tat", components={"login": "degraded"}, started_at=began), number="N-4K7Q")
    wallet.notice(draft("Gamma secret"), visibility="draft")

    assert found_by(client, query) == expected


@pytest.mark.parametrize("query", ["month=2026-13", "month=x", "before=x", "before=99999999999999"])
def test_a_question_that_cannot_be_read_is_no_page(client, query):
    assert client.get(f"/en/search?{query}").status_code == 404


def test_more_than_a_page_of_results_goes_on(wallet, client):
    for number in range(52):
        wallet.notice(draft(f"Fault {number}", started_at=NOW - timedelta(hours=number)))

    first = page(client, "/en/search?q=fault")
    older = next(link for link in first.links if "before=" in link)

    assert "Fault 49 " in first.words
    assert "Fault 50" not in first.words
    assert "Fault 51" in page(client, older).words


def test_search_is_never_a_file(client):
    assert client.get("/en/search?q=x").headers["Cache-Control"] == "no-store"


def test_a_withdrawn_notice_is_gone_and_not_unknown(wallet, client):
    public_id = wallet.notice(draft("Withdrawn"))
    with wallet.db.write() as conn:
        conn.execute(text("UPDATE notices SET visibility = 'draft'"))

    words = page(client, f"/en/incidents/{public_id}", 410).words

    assert "This notice was withdrawn" in words
    assert "Withdrawn" not in words.replace("This notice was withdrawn", "")


def test_a_page_that_fails_says_whose_fault_it_is(client, monkeypatch):
    monkeypatch.setattr("statuspage.web.site.pages.context.last_days", lambda *_: 1 / 0)

    assert "Something failed here" in page(client, "/en/", 500).words
