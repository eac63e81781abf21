"""Feeds: one entry per update, ids for ever, the same bytes for the same facts, well-formed for any text."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import feedparser
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from statuspage.publish import feeds
from statuspage.store import public
from tests.builders import NOW, draft

ANY_TEXT = st.text(st.characters(codec=None), max_size=60)  # surrogates, NUL and U+FFFF included


def view_of(wallet, now=NOW):
    with wallet.db.read() as conn:
        return public.load(conn, now)


def parsed(body):
    found = feedparser.parse(body)
    assert not found.bozo, found.get("bozo_exception")
    return found


@pytest.mark.parametrize("form", ["rss", "atom"])
@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_each_update_is_an_entry_newest_first_with_its_state_in_the_title(wallet, form, language):
    public_id = wallet.scenario("transfers-failing", steps=3, began_at=NOW - timedelta(minutes=60))

    found = parsed(feeds.feed(view_of(wallet), language, form))

    states = {
        "en": ["[Monitoring] ", "[Identified] ", "[Investigating] "], "zh-Hans": ["【恢复观察中】", "【已定位】", "【调查中】"],
    }[language]  # fmt: skip
    assert len(found.entries) == len(states)
    assert all(entry.title.startswith(state) for entry, state in zip(found.entries, states, strict=True))
    assert {entry.link.split("#")[0] for entry in found.entries} == {
        f"https://status.wallet.example/{language}/incidents/{public_id}"
    }


@pytest.mark.parametrize("form", ["rss", "atom"])
def test_ids_are_tags_of_the_update_and_survive_title_host_and_language(wallet, form):
    wallet.scenario("transfers-failing", steps=2, began_at=NOW - timedelta(minutes=60))
    before = view_of(wallet)
    moved = replace(before, page=replace(before.page, url="https://elsewhere.example"))

    ids = [[entry.id for entry in parsed(feeds.feed(view, language, form)).entries]
           for view in (before, moved) for language in ("en", "zh-Hans")]  # fmt: skip

    assert ids[0] == ids[1] == ids[2] == ids[3]
    assert all(one.startswith("tag:status.wallet.example,2026:update/") for one in ids[0])


@pytest.mark.parametrize("form", ["rss", "atom"])
def test_the_same_facts_give_the_same_bytes_at_any_time(wallet, form):
    wallet.scenario("transfers-failing", steps=2, began_at=NOW - timedelta(minutes=60))

    assert feeds.feed(view_of(wallet), "en", form) == feeds.feed(view_of(wallet, NOW + timedelta(hours=1)), "en", form)


def test_rss_names_the_page_as_its_link_and_guids_are_no_addresses(wallet):
    wallet.notice(draft())

    root = etree.fromstring(feeds.feed(view_of(wallet), "en", "rss", hub="https://hub.example/"))

    assert root.findtext("channel/link") == "https://status.wallet.example/en/"
    assert root.find("channel/item/guid").get("isPermaLink") == "false"


def test_atom_carries_self_hub_and_alternate(wallet):
    root = etree.fromstring(feeds.feed(view_of(wallet), "en", "atom", hub="https://hub.example/"))

    links = {link.get("rel"): link.get("href") for link in root.findall("{http://www.w3.org/2005/Atom}link")}
    assert links == {"self": "https://status.wallet.example/en/history.atom", "hub": "https://hub.example/",
                     "alternate": "https://status.wallet.example/en/"}  # fmt: skip


def test_number_funds_and_estimate_are_in_the_text(wallet):
    wallet.scenario("transfers-failing", steps=2, began_at=NOW - timedelta(minutes=24))

    newest = parsed(feeds.feed(view_of(wallet), "en", "atom")).entries[0].content[0].value

    assert "Are my funds safe?: Funds intact, cannot be moved for now" in newest
    assert "Expected repair: 22 Nov 2026, 14:18 UTC+8" in newest
    assert "Notice number: N-" in newest


def test_a_components_feed_holds_its_notices_only(wallet):
    wallet.notice(draft("Transfers fail", components={"transfers": "major_outage"}))
    wallet.notice(draft("Sign-in fails", components={"login": "major_outage"}))

    found = parsed(feeds.feed(view_of(wallet), "en", "atom", component_id="login"))

    assert [entry.title for entry in found.entries] == ["[Investigating] Sign-in fails"]
    assert found.feed.title == "Demo Wallet · Sign-in: notices"


def test_what_a_machine_suspects_says_so_in_the_title(wallet):
    wallet.suspected(["transfers"])

    titles = [entry.title for entry in parsed(feeds.feed(view_of(wallet), "en", "atom")).entries]

    assert titles == ["[Investigating · not confirmed] We see a problem with Transfers"]


def test_at_most_fifty_entries_and_the_newest_of_them(wallet):
    first = wallet.notice(draft("Notice 0"), at=NOW - timedelta(hours=60))
    for number in range(1, 60):
        wallet.add_update(first, draft(f"Notice {number}"), at=NOW - timedelta(hours=60 - number))

    titles = [entry.title for entry in parsed(feeds.feed(view_of(wallet), "en", "atom")).entries]

    assert titles == [f"[Investigating] Notice {number}" for number in range(59, 9, -1)]


def test_a_poisoned_entry_costs_itself_only_and_raises_an_alarm(wallet, monkeypatch, caplog):
    wallet.notice(draft("Good"))
    wallet.notice(draft("Poisoned"))
    written = feeds.title
    monkeypatch.setattr(feeds, "title", lambda notice, *rest: 1 / 0 if "Poisoned" in str(notice) else written(notice, *rest))

    titles = [entry.title for entry in parsed(feeds.feed(view_of(wallet), "en", "atom")).entries]

    assert titles == ["[Investigating] Good"]
    assert "cannot be put into a feed" in caplog.text


@given(title=ANY_TEXT, body=ANY_TEXT)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_gives_a_feed_that_parses(wallet, title, body):
    view = view_of(wallet)
    if not view.notices:
        wallet.notice(draft("placeholder"))
        view = view_of(wallet)
    notice = view.notices[0]
    update = replace(notice.updates[0], bodies={"en": body}, facts=replace(notice.facts, titles={"en": title}))
    poisoned = replace(view, notices=(replace(notice, updates=(update,)),))

    for form in ("rss", "atom"):
        root = etree.fromstring(feeds.feed(poisoned, "en", form))
        assert len(root.findall(".//item") or root.findall("{http://www.w3.org/2005/Atom}entry")) == 1


def test_no_markup_of_a_body_survives_but_the_allowed(wallet):
    wallet.notice(draft(body="<script>alert(1)</script> ![x](https://evil.example/x.png) [a](javascript:alert(1)) ]]> **bold**"))

    content = parsed(feeds.feed(view_of(wallet), "en", "rss")).entries[0]
    raw = feeds.feed(view_of(wallet), "en", "rss").decode()

    assert "<strong>bold</strong>" in content.summary
    assert "<script" not in raw
    assert "<img" not in raw.replace("&lt;", "<")
    assert 'href="javascript' not in raw.replace("&quot;", '"')
