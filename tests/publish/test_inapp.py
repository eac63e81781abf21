"""What an app is told: what concerns it, in its language, below 2,000 bytes, and a modal only when it is worth one."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from statuspage.publish import inapp
from statuspage.publish.inapp import Question
from statuspage.store import public
from tests.builders import NOW, draft


def whole_of(wallet, chains=None, *, blind=False):
    with wallet.db.read() as conn:
        view = public.load(conn, NOW)
    return inapp.whole(view.blinded() if blind else view, chains or {})


def asked(found, **question):
    body = inapp.answer(found, Question.read(question))
    assert len(body) <= inapp.MOST_BYTES
    return json.loads(body)


def numbers(answer):
    return [one["title"] for one in answer["notices"]]


def test_in_peace_the_answer_says_so_in_a_few_bytes(wallet):
    found = inapp.answer(whole_of(wallet), Question())

    assert json.loads(found) == {"verdict": "ok", "blind": False, "language": "zh-Hans", "notices": [], "more": 0}


def test_the_language_asked_for_however_it_is_written(wallet):
    wallet.scenario("transfers-failing", steps=1, began_at=NOW - timedelta(minutes=5))
    found = whole_of(wallet)

    assert asked(found, lang="en-US")["language"] == "en"
    assert asked(found, lang="zh_CN")["language"] == "zh-Hans"
    assert asked(found, lang="tlh")["language"] == "zh-Hans"
    assert asked(found, lang="en")["notices"][0]["url"].startswith("https://status.wallet.example/en/incidents/")


def test_version_and_platform_decide_whom_a_notice_concerns(wallet):
    wallet.notice(draft("Sign-in fails", affected_versions="android 5.2.0", fixed_versions="5.2.1"))
    wallet.notice(draft("Balances late"))
    found = whole_of(wallet)

    assert numbers(asked(found, version="5.2.0", platform="android")) == ["Balances late", "Sign-in fails"]
    assert numbers(asked(found, version="5.2.1", platform="android")) == ["Balances late"]
    assert numbers(asked(found, version="5.2.0", platform="ios")) == ["Balances late"]
    assert len(asked(found)["notices"]) == 2


def test_a_chains_user_is_not_told_of_another_chains_node_but_of_functions(wallet):
    wallet.notice(draft("TRON node behind", components={"balances": "degraded"}))
    wallet.notice(draft("Transfers fail", components={"transfers": "major_outage"}))
    found = whole_of(wallet, {"tron": "balances"})

    assert numbers(asked(found, chain="ethereum")) == ["Transfers fail"]
    assert numbers(asked(found, chain="TRON")) == ["Transfers fail", "TRON node behind"]
    assert numbers(asked(found, component="transfers")) == ["Transfers fail"]


@pytest.mark.parametrize(
    ("facts", "show"),
    [
        ({"impact": "critical"}, "modal"), ({"impact": "major"}, "banner"),
        ({"impact": "minor", "funds_safety": "at_risk_act_now"}, "modal"),
        ({"impact": "minor", "kind": "security", "funds_safety": "loss_confirmed"}, "modal"),
    ],
)  # fmt: skip
def test_a_modal_is_for_what_is_critical_or_needs_the_user(wallet, facts, show):
    wallet.notice(draft("News", **facts))

    assert asked(whole_of(wallet))["notices"][0]["show"] == show


def test_what_only_machines_say_is_a_banner_and_marked(wallet):
    wallet.suspected(["transfers"])

    (one,) = asked(whole_of(wallet), lang="en")["notices"]

    assert (one["show"], one["suspected"], one["severity"]) == ("banner", True, "critical")


def test_when_we_cannot_see_the_app_is_told(wallet):
    found = asked(whole_of(wallet, blind=True))

    assert (found["verdict"], found["blind"]) == ("unknown", True)


def test_too_much_loses_texts_first_and_then_the_least_urgent(wallet):
    for number in range(25):
        impact = "critical" if number == 3 else "minor"
        wallet.notice(draft(f"第{number}号公告" * 12, "很长的正文。" * 100, impact=impact))

    found = asked(whole_of(wallet), lang="zh-Hans")

    assert found["notices"][0]["severity"] == "critical"
    assert found["more"] == 25 - len(found["notices"])
    assert 2 <= len(found["notices"]) < 25


@given(st.dictionaries(st.sampled_from(["lang", "version", "platform", "chain", "component", "x"]), st.text(max_size=200)),
       st.text(st.characters(codec=None), max_size=400))  # fmt: skip
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_question_and_no_text_makes_it_fail_or_grow(wallet, question, text):
    one = {
        "number": "N-2345", "id": "a" * 12, "kind": "incident", "status": "investigating", "severity": "major", "show": "banner",
        "suspected": False, "titles": {"en": text}, "texts": {"en": text}, "funds": "unknown_checking", "components": [],
        "chains": [], "affected_versions": text, "fixed_versions": "", "eta_at": None, "next_update_by": None,
        "scheduled_for": None, "scheduled_until": None, "updated_at": "2026-11-22T05:42:00.000Z",
    }  # fmt: skip

    asked({"verdict": "down", "blind": False, "languages": ["en"], "url": "https://status.wallet.example",
           "notices": [one] * 20}, **question)  # fmt: skip
