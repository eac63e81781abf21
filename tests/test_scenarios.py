"""The catalogue of notices: complete in both languages, filled safely, and valid for the domain."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from statuspage.domain import lifecycle, notice, notice_checks, status
from statuspage.errors import NotFound
from statuspage.scenarios import PLACEHOLDERS, catalogue, fill

NOW = datetime(2026, 1, 12, 5, 20, tzinfo=UTC)
LANGUAGES = {"en", "zh-Hans"}
ALL = catalogue().scenarios.values()
GSM7 = re.compile(r"[\w @£$¥\n!\"#%&'()*+,\-./:;<=>?¡¿]*", re.ASCII)


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.id)
def test_every_step_of_a_scenario_makes_a_draft_that_the_domain_accepts(scenario):
    known = catalogue()

    drafts = [scenario.draft(NOW, known.sample_vars, index) for index in range(len(scenario.steps))]

    previous = drafts[0].facts.status
    for draft in drafts:
        facts = draft.facts
        lifecycle.check_step(facts.kind, previous, facts.status)
        previous = facts.status
        assert notice_checks.checked(draft, LANGUAGES, known.components) == draft
        assert set(facts.symptoms) <= set(known.symptoms)
        assert not facts.is_suspected
        assert notice.Facts.from_json(facts.to_json()) == facts
    assert lifecycle.is_final(scenario.kind, previous)
    assert drafts[-1].facts.components == {}


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.id)
def test_every_text_is_there_in_both_languages_and_has_no_unfilled_placeholder(scenario):
    samples = catalogue().sample_vars

    for index in range(len(scenario.steps)):
        draft = scenario.draft(NOW, samples, index)
        facts = draft.facts
        for texts in (draft.bodies, facts.titles, facts.funds_text, facts.funds_basis, facts.not_affected):
            assert set(texts) == LANGUAGES
            assert not [text for text in texts.values() if not text or "{" in text]
        advice = facts.advice_do, facts.advice_dont
        assert not [line for lines in advice for found in lines.values() for line in found if "{" in line]
        assert all(len(lines.get("en", ())) == len(lines.get("zh-Hans", ())) for lines in advice)


@pytest.mark.parametrize("scenario", [item for item in ALL if item.sms_texts], ids=lambda scenario: scenario.id)
def test_a_short_message_fits_one_segment_with_the_sample_values(scenario):
    samples = catalogue().sample_vars

    english, chinese = scenario.sms("en", samples), scenario.sms("zh-Hans", samples)

    assert GSM7.fullmatch(english), english
    assert len(english) <= 160
    assert len(chinese.encode("utf-16-be")) // 2 <= 70
    assert "://" not in english + chinese


def test_a_scenario_whose_channel_is_the_fault_sends_no_short_message_but_has_a_push():
    scenario = catalogue().scenario("otp-delayed")

    assert scenario.sms("en", {}) is None
    assert all(scenario.push(language, catalogue().sample_vars)[1] for language in LANGUAGES)


def test_every_vocabulary_covers_the_ids_the_domain_uses():
    known = catalogue().vocabulary

    assert set(known["kind"]) == set(lifecycle.KINDS)
    assert set(known["incident_status"]) == set(lifecycle.STATUSES["incident"])
    assert set(known["maintenance_status"]) == set(lifecycle.STATUSES["maintenance"])
    assert set(known["advisory_status"]) == set(lifecycle.STATUSES["advisory"])
    assert set(known["component_status"]) == set(status.ORDER)
    assert set(known["funds_safety"]) == set(notice.FUNDS)
    assert set(known["eta_confidence"]) == set(notice.ETA_CONFIDENCE)
    assert set(known["cause"]) == set(notice.CAUSES)
    assert set(known["attribution"]) == set(notice.ATTRIBUTIONS)
    assert set(known["impact"]) == set(status.IMPACTS)
    assert all(set(texts) == LANGUAGES and all(texts.values()) for words in known.values() for texts in words.values())


def test_labels_speak_the_readers_language_and_an_unknown_word_is_shown_as_it_is():
    known = catalogue()

    assert known.label("component_status", "major_outage", "zh-Hans") == "严重中断"
    assert known.label("symptoms", "transfer_failed", "en") == "A transfer fails"
    assert known.status_label("advisory", "active", "zh-Hans") == "生效中"
    assert known.status_label("maintenance", "cancelled", "en") == "Cancelled"
    assert known.label("cause", "from_the_future", "en") == "from_the_future"


def test_filling_is_one_pass_over_known_names_and_never_reads_a_format_string():
    values = {"eta": "{start}", "start": "13:20", "secret": "leaked"}

    filled = fill("{eta} {start} {secret} {unheard} {0} {eta.__class__} {next} 100% {", values)

    assert filled == "{start} 13:20 {secret} {unheard} {0} {eta.__class__} {next} 100% {"


def test_the_file_uses_no_placeholder_that_is_not_on_the_list():
    known = catalogue()
    texts = repr(known.scenarios) + repr(known.machine_texts)

    assert set(re.findall(r"\{([a-z0-9_]+)\}", texts)) == PLACEHOLDERS


def test_advice_is_split_into_what_to_do_and_what_not_to_do():
    facts = catalogue().scenario("rpc-provider-zero-balances").draft(NOW, catalogue().sample_vars).facts

    assert [line[:5] for line in facts.advice_do["en"]] == ["Check"]
    assert len(facts.advice_dont["en"]) == 2
    assert all(line.startswith("Do not") for line in facts.advice_dont["en"])
    assert facts.advice_dont["zh-Hans"][1] == "看不到的交易请先查哈希，不要重复发送。"


def test_an_incident_promises_an_end_and_a_next_update_until_it_is_over():
    scenario = catalogue().scenario("transfers-failing")

    first, last = scenario.draft(NOW, {}).facts, scenario.draft(NOW, {}, 99).facts

    assert first.started_at == NOW
    assert (first.eta_at, first.next_update_by) == (NOW + timedelta(minutes=60), NOW + timedelta(minutes=30))
    assert (last.status, last.resolved_at, last.started_at) == ("resolved", NOW, NOW - timedelta(minutes=140))
    assert (last.eta_at, last.eta_confidence, last.next_update_by) == (None, "none", None)


def test_an_estimate_that_has_passed_is_not_repeated():
    scenario = catalogue().scenario("duplicate-charge")
    late = [index for index, step in enumerate(scenario.steps) if step.at_min > scenario.eta_min and step.status != "resolved"]

    assert not late
    halted = catalogue().scenario("rpc-provider-zero-balances").draft(NOW, {}, 2).facts
    assert halted.eta_at == NOW + timedelta(minutes=26)
    behind = catalogue().scenario("sms-phishing").draft(NOW, {}, 1).facts
    assert (behind.eta_at, behind.eta_confidence) == (None, "none")
    merchant = catalogue().scenario("merchant-not-credited").draft(NOW, {}, 2).facts
    assert (merchant.eta_at, merchant.eta_confidence) == (None, "none")


def test_a_scheduled_window_lies_ahead_and_has_not_started():
    facts = catalogue().scenario("core-upgrade").draft(NOW, {}).facts

    assert facts.scheduled_for == NOW + timedelta(hours=120)
    assert facts.scheduled_until == facts.scheduled_for + timedelta(minutes=178)
    assert (facts.started_at, facts.eta_at, facts.confirmed_at) == (None, None, NOW)


def test_time_values_are_told_in_the_pages_zone():
    values = catalogue().scenario("transfers-failing").clock_values(NOW, "Asia/Shanghai")

    assert values["zh-Hans"] == {"start": "13:20", "end": "15:40", "eta": "14:20", "next": "13:50", "date": "1月12日"}
    assert values["en"]["date"] == "12 Jan"


def test_a_machine_says_no_cause_no_estimate_and_that_funds_are_being_checked():
    seen = {"component": "Transfers", "evidence": "3 of 3 checks", "start": "13:20", "next": "13:50"}

    texts = catalogue().machine("suspected", "body", {"en": seen})

    assert "Transfers fail (3 of 3 checks)" in texts["en"]
    assert "funds are affected is being checked" in texts["en"]
    assert "{component}" in texts["zh-Hans"]


def test_an_unknown_scenario_is_refused_with_the_ids_that_exist():
    with pytest.raises(NotFound, match="transfers-failing"):
        catalogue().scenario("transfer-failing")


def test_the_catalogue_is_found_by_a_process_that_starts_elsewhere(tmp_path):
    program = "from statuspage.scenarios import catalogue; print(len(catalogue().scenarios))"

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )  # fmt: skip

    assert int(done.stdout) == len(catalogue().scenarios) >= 20


def test_a_window_opens_when_its_pause_begins_not_when_the_upgrade_does():
    scenario = catalogue().scenario("chain-hardfork")

    announced, begun = scenario.draft(NOW, {}, 0).facts, scenario.draft(NOW, {}, 1).facts

    assert announced.scheduled_for == NOW + timedelta(minutes=4320 - 30)
    assert (begun.scheduled_for, begun.scheduled_until) == (NOW, NOW + timedelta(minutes=120))
    assert scenario.clock_values(NOW, "UTC", 1)["en"]["start"] == "05:50"
