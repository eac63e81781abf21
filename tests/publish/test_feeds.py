"""Feeds: one entry per update, ids for ever, the same bytes for the same facts, well-formed for any text."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import feedparser
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from statuspage.publish import entries, feeds, topics
from statuspage.publish.entries import Wanted
from statuspage.publish.snapshot import Snapshot
from statuspage.store import public, public_rows
from statuspage.store.schema.catalogue import components
from tests.builders import NOW, draft

ANY_TEXT = st.text(st.characters(codec=None), max_size=60)  # surrogates, NUL and U+FFFF included


def view_of(wallet, now=NOW):
    with wallet.db.read() as conn:
        return public.load(conn, now)


def feed(view, language, form, **options):
    """The page's feed, one entry per update."""
    wanted = Wanted(topics.EVERYTHING, language, "feed.json" if form == "json" else f"history.{form}")
    return feeds.feed(view, wanted, view.notices, **options)


def feed_of(wallet, topic_of, name, file="history.atom", language="en"):
    """A feed of one topic, as the site makes it."""
    with wallet.db.read() as conn:
        held = Snapshot(conn, public.load(conn, NOW))
        topic = topic_of(held, name)
        wanted = Wanted(topic, language, file, per_notice=feeds.FILES[file])
        return feeds.feed(held.view, wanted, topics.notices(held, topic))


def checked_json_feed(body):
    """The document, if it keeps to JSON Feed 1.1: what must be there, and of which type what is there must be."""
    found = json.loads(body.decode("utf-8"))
    types = {"title": str, "home_page_url": str, "feed_url": str, "description": str, "language": str, "authors": list,
             "hubs": list, "items": list}  # fmt: skip
    texts = dict.fromkeys(("id", "url", "title", "content_html", "date_published", "date_modified"), str)
    of_item = {**texts, "tags": list}
    assert found["version"] == "https://jsonfeed.org/version/1.1"
    assert {"title", "items"} <= set(found)
    for name, value in found.items():
        assert name == "version" or isinstance(value, types[name]), name
    assert all(set(author) <= {"name", "url", "avatar"} and author for author in found["authors"])
    assert all(set(hub) == {"type", "url"} for hub in found.get("hubs", []))
    for item in found["items"]:
        assert {"id", "content_html"} <= set(item)
        for name, value in item.items():
            # An extension begins with an underscore and is an object.
            assert isinstance(value, dict if name.startswith("_") else of_item[name]), name
        for name in ("date_published", "date_modified"):
            assert datetime.fromisoformat(item[name]).tzinfo is not None
    assert len({item["id"] for item in found["items"]}) == len(found["items"])
    return found


def parsed(body):
    found = feedparser.parse(body)
    assert not found.bozo, found.get("bozo_exception")
    return found


@pytest.mark.parametrize("form", ["rss", "atom"])
@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_each_update_is_an_entry_newest_first_with_its_state_in_the_title(wallet, form, language):
    public_id = wallet.scenario("transfers-failing", steps=3, began_at=NOW - timedelta(minutes=60))

    found = parsed(feed(view_of(wallet), language, form))

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

    ids = [[entry.id for entry in parsed(feed(view, language, form)).entries]
           for view in (before, moved) for language in ("en", "zh-Hans")]  # fmt: skip

    assert ids[0] == ids[1] == ids[2] == ids[3]
    assert all(one.startswith("tag:status.wallet.example,2026:update/") for one in ids[0])


@pytest.mark.parametrize("form", ["rss", "atom", "json"])
def test_the_same_facts_give_the_same_bytes_at_any_time(wallet, form):
    wallet.scenario("transfers-failing", steps=2, began_at=NOW - timedelta(minutes=60))

    assert feed(view_of(wallet), "en", form) == feed(view_of(wallet, NOW + timedelta(hours=1)), "en", form)


def test_rss_names_the_page_as_its_link_and_guids_are_no_addresses(wallet):
    wallet.notice(draft())

    root = etree.fromstring(feed(view_of(wallet), "en", "rss", hub="https://hub.example/"))

    assert root.findtext("channel/link") == "https://status.wallet.example/en/"
    assert root.find("channel/item/guid").get("isPermaLink") == "false"


def test_atom_carries_self_hub_and_alternate(wallet):
    root = etree.fromstring(feed(view_of(wallet), "en", "atom", hub="https://hub.example/"))

    links = {link.get("rel"): link.get("href") for link in root.findall("{http://www.w3.org/2005/Atom}link")}
    assert links == {"self": "https://status.wallet.example/en/history.atom", "hub": "https://hub.example/",
                     "alternate": "https://status.wallet.example/en/"}  # fmt: skip


def test_number_funds_and_estimate_are_in_the_text(wallet):
    wallet.scenario("transfers-failing", steps=2, began_at=NOW - timedelta(minutes=24))

    newest = parsed(feed(view_of(wallet), "en", "atom")).entries[0].content[0].value

    assert "Are my funds safe?: Funds intact, cannot be moved for now" in newest
    assert "Expected repair: 22 Nov 2026, 14:18 UTC+8" in newest
    assert "Notice number: N-" in newest


def test_a_components_feed_holds_its_notices_only(wallet):
    wallet.notice(draft("Transfers fail", components={"transfers": "major_outage"}))
    wallet.notice(draft("Sign-in fails", components={"login": "major_outage"}))

    found = parsed(feed_of(wallet, topics.of_component, "login"))

    assert [entry.title for entry in found.entries] == ["[Investigating] Sign-in fails"]
    assert found.feed.title == "Demo Wallet · Sign-in: notices"


def test_what_a_machine_suspects_says_so_in_the_title(wallet):
    wallet.suspected(["transfers"])

    titles = [entry.title for entry in parsed(feed(view_of(wallet), "en", "atom")).entries]

    assert titles == ["[Investigating · not confirmed] We see a problem with Transfers"]


def test_at_most_fifty_entries_and_the_newest_of_them(wallet):
    first = wallet.notice(draft("Notice 0"), at=NOW - timedelta(hours=60))
    for number in range(1, 60):
        wallet.add_update(first, draft(f"Notice {number}"), at=NOW - timedelta(hours=60 - number))

    titles = [entry.title for entry in parsed(feed(view_of(wallet), "en", "atom")).entries]

    assert titles == [f"[Investigating] Notice {number}" for number in range(59, 9, -1)]


def test_a_poisoned_entry_costs_itself_only_and_raises_an_alarm(wallet, monkeypatch, caplog):
    wallet.notice(draft("Good"))
    wallet.notice(draft("Poisoned"))
    written = entries.title
    monkeypatch.setattr(entries, "title", lambda notice, *rest: 1 / 0 if "Poisoned" in str(notice) else written(notice, *rest))

    titles = [entry.title for entry in parsed(feed(view_of(wallet), "en", "atom")).entries]

    assert titles == ["[Investigating] Good"]
    assert "cannot be put into a feed" in caplog.text


def stored(words):
    """As they come out of the database, whose reader takes out what no page can be encoded with."""
    return public_rows._loads(json.dumps(words))


@given(title=ANY_TEXT, body=ANY_TEXT)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_gives_a_feed_that_parses(wallet, title, body):
    view = view_of(wallet)
    if not view.notices:
        wallet.notice(draft("placeholder"))
        view = view_of(wallet)
    notice = view.notices[0]
    update = replace(notice.updates[0], bodies=stored({"en": body}), facts=replace(notice.facts, titles=stored({"en": title})))
    poisoned = replace(view, notices=(replace(notice, updates=(update,)),))

    for form in ("rss", "atom"):
        root = etree.fromstring(feed(poisoned, "en", form))
        assert len(root.findall(".//item") or root.findall("{http://www.w3.org/2005/Atom}entry")) == 1
    assert len(checked_json_feed(feed(poisoned, "en", "json"))["items"]) == 1


def test_no_markup_of_a_body_survives_but_the_allowed(wallet):
    wallet.notice(draft(body="<script>alert(1)</script> ![x](https://evil.example/x.png) [a](javascript:alert(1)) ]]> **bold**"))

    content = parsed(feed(view_of(wallet), "en", "rss")).entries[0]
    raw = feed(view_of(wallet), "en", "rss").decode()

    assert "<strong>bold</strong>" in content.summary
    assert "<script" not in raw
    assert "<img" not in raw.replace("&lt;", "<")
    assert 'href="javascript' not in raw.replace("&quot;", '"')


def test_json_feed_keeps_to_its_version_and_carries_funds_and_times_as_data(wallet):
    wallet.scenario("transfers-failing", steps=2, began_at=NOW - timedelta(minutes=24))

    found = checked_json_feed(feed(view_of(wallet), "en", "json", hub="https://hub.example/"))

    atom = parsed(feed(view_of(wallet), "en", "atom")).entries
    assert [item["id"] for item in found["items"]] == [entry.id for entry in atom]
    assert [item["title"] for item in found["items"]] == [entry.title for entry in atom]
    assert found["hubs"] == [{"type": "WebSub", "url": "https://hub.example/"}]
    assert found["items"][0]["_wallet"]["funds"] == "unavailable_temporarily"
    assert found["items"][0]["_wallet"]["eta_at"] == "2026-11-22T06:18:00.000Z"
    assert found["items"][1]["_wallet"]["status"] == "investigating"


@pytest.mark.parametrize("file", ["notices.rss", "notices.atom", "notices.json"])
def test_the_second_form_has_one_entry_per_notice_whose_id_stays_while_it_changes(wallet, file):
    public_id = wallet.notice(draft("Transfers fail", "We are looking."), at=NOW - timedelta(hours=2))
    ids = []
    for status in ("identified", "resolved"):
        wallet.add_update(public_id, draft("Transfers fail", f"It is {status}.", status=status), at=NOW - timedelta(hours=1))
        body = feed_of(wallet, lambda *_: topics.EVERYTHING, "", file)
        if file.endswith(".json"):
            (item,) = checked_json_feed(body)["items"]
            ids.append(item["id"])
            title, text = item["title"], item["content_html"]
        else:
            (entry,) = parsed(body).entries
            ids.append(entry.id)
            title, text = entry.title, entry.summary if file.endswith("rss") else entry.content[0].value

    assert ids == [f"tag:status.wallet.example,2026:notice/{public_id}"] * 2
    assert title == "[Resolved] Transfers fail"
    # Newest first, each state in <strong>: what scrapers of Statuspage's feed look for.
    assert text.index("<strong>Resolved</strong>") < text.index("<strong>Identified</strong>") < text.index("We are looking.")


def test_kinds_and_networks_have_feeds_of_their_own(wallet):
    with wallet.db.write() as conn:
        conn.execute(components.update().where(components.c.id == "balances").values(chain="tron"))
    wallet.notice(draft("Node behind", components={"balances": "degraded"}))
    wallet.notice(draft("Upgrade", kind="maintenance", status="scheduled", impact="maintenance"))
    wallet.notice(draft("Fake app", kind="security"))

    network = parsed(feed_of(wallet, topics.of_network, "tron")).entries
    security = parsed(feed_of(wallet, topics.of_kind, "security", language="zh-Hans"))

    assert [entry.title for entry in network] == ["[Investigating] Node behind"]
    assert [entry.title for entry in security.entries] == ["【调查中】Fake app"]
    assert security.feed.title == "演示钱包 · 安全提醒：公告"
    assert len(parsed(feed_of(wallet, topics.of_kind, "incident")).entries) == 1


def test_a_components_feed_goes_back_further_than_the_page(wallet):
    wallet.notice(draft("Long ago", components={"login": "major_outage"}), at=NOW - timedelta(days=300))
    for number in range(50):
        wallet.notice(draft(f"Newer {number}", components={"transfers": "degraded"}), at=NOW - timedelta(hours=number))

    found = parsed(feed_of(wallet, topics.of_component, "login")).entries

    assert [entry.title for entry in found] == ["[Investigating] Long ago"]


def test_a_feed_without_entries_stands_still_whatever_else_changes(wallet):
    before = feed_of(wallet, topics.of_kind, "security")
    wallet.now += timedelta(minutes=5)
    wallet.status("login", "degraded")

    assert feed_of(wallet, topics.of_kind, "security") == before
