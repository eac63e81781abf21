"""Whatever stands in a field, also in a row that nobody should have been able to write: nothing that is published breaks."""

from __future__ import annotations

import json
from dataclasses import replace

import icalendar
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree
from sqlalchemy import text as sql

from statuspage.domain.notice_checks import checked
from statuspage.errors import InvalidInput
from statuspage.publish.publisher import call
from tests.builders import NOW, draft
from tests.pages import check

LANGUAGES = ("en", "zh-Hans")
POISONS = ("]]><script>alert(1)</script>", "\x00\x0b\uffff", "\u202egnp.exe\u2066", "{{ 7*7 }}{% raw %}%(x)s{0}",
           "</title><svg onload=x>", "\ud800 alone", "\r\nX: y", "'\"`=<!--", "a" * 9000)  # fmt: skip
TEXT = st.one_of(st.sampled_from(POISONS), st.text(st.characters(codec=None), max_size=60))
TEXTS = ("titles", "scope", "not_affected", "funds_text", "funds_basis", "remedy")
LINES = ("advice_do", "advice_dont")
PLAIN = ("affected_versions", "fixed_versions")


@pytest.fixture
def public_id(wallet):
    return wallet.notice(draft("Transfers fail", components={"transfers": "major_outage"}))


def poison(wallet, words):
    """Rows as a damaged disk or a foreign hand might leave them: JSON that parses, past every check of ours."""
    texts = dict.fromkeys(LANGUAGES, words)
    with wallet.db.write() as conn:
        for table in ("notices", "notice_updates"):
            (facts,) = conn.execute(sql(f"SELECT facts FROM {table}")).first()  # noqa: S608 - names above
            said = json.loads(facts) | dict.fromkeys(TEXTS, texts) | dict.fromkeys(PLAIN, words)
            said |= {name: {language: [words] for language in LANGUAGES} for name in LINES}
            conn.execute(sql(f"UPDATE {table} SET facts = :facts"), {"facts": json.dumps(said)})  # noqa: S608
        conn.execute(sql("UPDATE notice_updates SET bodies = :texts"), {"texts": json.dumps(texts)})
        for table in ("components", "component_groups"):
            conn.execute(sql(f"UPDATE {table} SET names = :texts"), {"texts": json.dumps(texts)})  # noqa: S608


def asked(site, path):
    code, body = call(site, path)
    assert code == 200, (path, code, body[:300])
    return body


@given(words=TEXT)
@example(words=POISONS[0])
@example(words=POISONS[1])
@example(words=POISONS[5])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_in_any_field_breaks_anything_that_is_published(wallet, site, public_id, words):
    poison(wallet, words)

    for path in ("/en/", f"/zh-Hans/incidents/{public_id}", "/en/components/transfers", "/en/check/transfer_failed",
                 "/en/history", "/en/embed"):  # fmt: skip
        page = asked(site, path).decode()
        found = check(page.replace("<main", "<h1></h1><main", 1) if path == "/en/embed" else page)
        assert not [one for one in found.links if one.startswith(("javascript:", "data:", "//"))], path
    for path in ("/en/history.rss", "/en/history.atom", "/badge/transfers/status.svg"):
        etree.fromstring(asked(site, path))
    for path in ("/en/feed.json", "/api/v2/summary.json", "/app/notices-all.json", f"/incidents/{public_id}.json"):
        json.loads(asked(site, path))
    icalendar.Calendar.from_ical(asked(site, f"/en/incidents/{public_id}/calendar.ics"))


@pytest.mark.parametrize("field", [*TEXTS, *LINES, "bodies"])
def test_ten_megabytes_are_refused_in_every_field_before_they_are_read(field):
    much = "字" * 10_000_000
    given_ = draft("Transfers fail", started_at=NOW)
    if field == "bodies":
        given_ = replace(given_, bodies=dict.fromkeys(LANGUAGES, much))
    else:
        value = {language: [much] if field in LINES else much for language in LANGUAGES}
        given_ = replace(given_, facts=replace(given_.facts, **{field: value}))

    with pytest.raises(InvalidInput, match="at most"):
        checked(given_, LANGUAGES, ())
