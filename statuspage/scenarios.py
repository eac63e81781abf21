"""The catalogue of words and notices in templates/notices/scenarios.yaml: vocabulary, symptoms, components, scenarios.

A scenario pre-fills an operator's form and tells the demo page's past; it never publishes anything by itself. Texts are filled
in one pass over an allow-list of placeholders: what a person wrote is data and must not be read as a format string.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from statuspage import i18n
from statuspage.domain import lifecycle, status
from statuspage.domain.notice import Draft, Facts, Lines, Text
from statuspage.errors import NotFound
from statuspage.templating_root import root

Variables = Mapping[str, Mapping[str, str]]

PLACEHOLDERS = frozenset({
    "brand", "host", "notice", "start", "end", "eta", "next", "date", "lag", "count", "bad_version", "good_version",
    "old_version", "bank", "limit", "l2_name", "ratio", "fee_fast", "fee_slow", "n_blocks", "component", "evidence",
    "supplier",
})  # fmt: skip
_PLACEHOLDER = re.compile(r"\{([a-z0-9_]{1,20})\}")
# A line of advice that tells what not to do, or what we never do, belongs under "do not".
_DONT = {
    "en": ("Do not ", "Don't ", "Never ", "We never ", "We will never ", "Nobody ", "Stop ", "There is no "),
    "zh-Hans": ("请勿", "请不要", "不要", "切勿", "暂时不要", "我们不会", "不存在"),
}
# Scenarios of every kind are written with an incident's words; an advisory knows only these two.
_ADVISORY_STATUS = {"identified": "active", "monitoring": "active", "resolved": "ended"}


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with its known placeholders replaced once; a value's own braces stay, an unknown or missing one stays literal."""

    def one(match: re.Match[str]) -> str:
        name = match.group(1)
        return values.get(name, match.group(0)) if name in PLACEHOLDERS else match.group(0)

    return _PLACEHOLDER.sub(one, text)


def fill_all(texts: Mapping[str, str], variables: Variables) -> Text:
    """Each language's text filled with that language's values."""
    return {language: fill(text, variables.get(language, {})) for language, text in texts.items()}


@dataclass(frozen=True, slots=True)
class Step:
    """One update of a scenario. `at_min`: minutes from the start of the incident or of the maintenance window."""

    at_min: int
    status: str
    bodies: Text


@dataclass(frozen=True, slots=True)
class Scenario:
    """One notice written in advance, with its course. Durations are in minutes; `components` maps id to the status it claims."""

    id: str
    kind: str
    wallet: tuple[str, ...]
    impact: str
    cause: str
    attribution: str
    titles: Text
    components: dict[str, str]
    chains: tuple[str, ...]
    symptoms: tuple[str, ...]
    not_affected: Text
    funds_safety: str
    funds_text: Text
    funds_basis: Text
    eta_min: int
    eta_confidence: str
    next_update_min: int
    advice_do: Lines
    advice_dont: Lines
    steps: tuple[Step, ...]
    duration_min: int
    summary: Text
    sms_texts: Text
    push_texts: dict[str, dict[str, str]]

    def draft(self, now: datetime, variables: Variables, update_index: int = 0) -> Draft:
        """What an operator would hand in at `now` for the update `update_index` (the last one when there are fewer).

        The incident began, or the maintenance window begins, so long before or after `now` as the scenario says; a caller
        who knows better replaces the times with `Draft.with_facts`. Person-made, hence confirmed when first published.
        """
        step = self.steps[min(update_index, len(self.steps) - 1)]
        start_at = now - timedelta(minutes=step.at_min)
        final = lifecycle.is_final(self.kind, step.status)
        planned = self.kind == "maintenance"
        opens_at = start_at + timedelta(minutes=min(0, *(each.at_min for each in self.steps if each.status != "scheduled")))
        facts = Facts(
            kind=self.kind,
            status=step.status,
            titles=fill_all(self.titles, variables),
            impact=self.impact,
            components={} if final else dict(self.components),
            started_at=None if planned and step.status == "scheduled" else opens_at,
            confirmed_at=start_at + timedelta(minutes=self.steps[0].at_min),
            resolved_at=now if final else None,
            scheduled_for=opens_at if planned else None,
            scheduled_until=start_at + timedelta(minutes=self.duration_min) if planned else None,
            cause=self.cause,
            attribution=self.attribution,
            funds_safety=self.funds_safety,
            funds_text=fill_all(self.funds_text, variables),
            funds_basis=fill_all(self.funds_basis, variables),
            not_affected=fill_all(self.not_affected, variables),
            advice_do=_fill_lines(self.advice_do, variables),
            advice_dont=_fill_lines(self.advice_dont, variables),
            symptoms=self.symptoms,
            template=self.id,
            **self._promises(now, start_at, step.status),
        )
        return Draft(facts=facts, bodies=fill_all(step.bodies, variables))

    def _promises(self, now: datetime, start_at: datetime, state: str) -> dict[str, Any]:
        """End and next update as promised at `now`. A past estimate, or one of a window not yet open, is no promise."""
        if lifecycle.is_final(self.kind, state) or state == "scheduled":
            return {}
        eta_at = start_at + timedelta(minutes=self.eta_min)
        known = self.eta_confidence != "none" and eta_at > now
        return {
            "eta_at": eta_at if known else None,
            "eta_confidence": self.eta_confidence if known else "none",
            "next_update_by": now + timedelta(minutes=self.next_update_min) if self.next_update_min else None,
        }

    def sms(self, language: str, variables: Variables) -> str | None:
        """The short message, one segment with ordinary values; None when this scenario must not be told by SMS."""
        text = self.sms_texts.get(language)
        return fill(text, variables.get(language, {})) if text else None

    def push(self, language: str, variables: Variables) -> tuple[str, str]:
        """Title and body of the push message."""
        texts = self.push_texts[language]
        values = variables.get(language, {})
        return fill(texts["title"], values), fill(texts["body"], values)

    def clock_values(self, now: datetime, zone: str, update_index: int = 0) -> dict[str, dict[str, str]]:
        """Values of the time placeholders by language, as they hold at `now` in `zone` for that update."""
        draft = self.draft(now, {}, update_index)
        start_at = now - timedelta(minutes=self.steps[min(update_index, len(self.steps) - 1)].at_min)
        eta_at = draft.facts.eta_at or start_at + timedelta(minutes=max(self.eta_min, self.steps[-1].at_min))
        next_at = draft.facts.next_update_by or now + timedelta(minutes=30)
        end_at = draft.facts.scheduled_until or start_at + timedelta(minutes=self.duration_min)
        times = {"start": start_at, "end": end_at, "eta": eta_at, "next": next_at}
        clocks = {name: i18n.time_words(at, zone) for name, at in times.items()}
        local = start_at.astimezone(ZoneInfo(zone))
        dates = {"en": f"{local.day} {local:%b}", "zh-Hans": f"{local.month}月{local.day}日"}
        return {language: {**clocks, "date": date} for language, date in dates.items()}


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything the file says. Texts by language tag; ids are those of the specification and are stored in the database."""

    scenarios: dict[str, Scenario]
    symptoms: dict[str, Text]
    groups: dict[str, Text]
    components: dict[str, tuple[str, Text]]
    vocabulary: dict[str, dict[str, Text]]
    machine_texts: dict[str, dict[str, Text]]
    sample_vars: dict[str, dict[str, str]]

    def label(self, vocabulary: str, word: str, language: str) -> str:
        """The word for `word` in `language`; the id itself for one that this release does not know (it came from a newer one)."""
        texts = self.symptoms if vocabulary == "symptoms" else self.vocabulary[vocabulary]
        return i18n.pick(texts.get(word, {}), language) or word

    def status_label(self, kind: str, word: str, language: str) -> str:
        """The word for a notice's status, which depends on its kind."""
        name = {"maintenance": "maintenance_status", "advisory": "advisory_status"}.get(kind, "incident_status")
        return self.label(name, word, language)

    def scenario(self, scenario_id: str) -> Scenario:
        """The scenario of that id. Raises NotFound."""
        found = self.scenarios.get(scenario_id)
        if found is None:
            message = f"no scenario {scenario_id}; there are: {', '.join(self.scenarios)}"
            raise NotFound(message)
        return found

    def machine(self, name: str, part: str, variables: Variables) -> Text:
        """What a machine may publish by itself: `name` is a key of `machine_texts`, `part` title | body."""
        return fill_all(self.machine_texts[name][part], variables)


@cache
def catalogue() -> Catalogue:
    """The file, read once (about 0.1 s). Raises OSError or KeyError for a damaged installation."""
    with (root() / "notices" / "scenarios.yaml").open(encoding="utf-8") as file:
        # The C loader reads the file eight times faster than the Python one; both are the safe one.
        data = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    languages = data["languages"]
    return Catalogue(
        scenarios={item["id"]: _scenario(item, languages) for item in data["scenarios"]},
        symptoms=_texts(data["symptoms"], languages),
        groups=_texts(data["component_groups"], languages),
        components={item["id"]: (item["group"], _text(item, languages)) for item in data["components"]},
        vocabulary={name: _texts(items, languages) for name, items in data["vocabulary"].items()},
        machine_texts=data["machine_texts"],
        sample_vars=data["sample_vars"],
    )


def _text(item: Mapping[str, Any] | None, languages: Iterable[str]) -> Text:
    return {language: item[language] for language in languages} if item else {}


def _texts(items: Iterable[Mapping[str, Any]], languages: list[str]) -> dict[str, Text]:
    return {item["id"]: _text(item, languages) for item in items}


def _fill_lines(lines: Lines, variables: Variables) -> Lines:
    out = {language: [fill(line, variables.get(language, {})) for line in found] for language, found in lines.items()}
    return {language: found for language, found in out.items() if found}


def _advice(advice: Lines) -> tuple[Lines, Lines]:
    """Advice as (do, do not). A line and its translation go the same way, so that both languages show the same lists."""
    do: Lines = {language: [] for language in advice}
    dont: Lines = {language: [] for language in advice}
    for row in zip(*advice.values(), strict=True):
        pairs = list(zip(advice, row, strict=True))
        side = dont if any(line.startswith(_DONT[language]) for language, line in pairs) else do
        for language, line in pairs:
            side[language].append(line)
    return do, dont


def _scenario(item: Mapping[str, Any], languages: list[str]) -> Scenario:
    kind, funds, eta = item["kind"], item["funds_safety"], item["eta"]
    do, dont = _advice({language: item["advice"][language] for language in languages})
    advisory = kind == "advisory"
    return Scenario(
        id=item["id"],
        kind=kind,
        wallet=tuple(item["wallet"]),
        # Nothing is broken that an advisory tells about: clients of Statuspage's API must not see an outage.
        impact="minor" if advisory and item["impact"] != "none" else item["impact"],
        cause=item["cause"],
        attribution=item["attribution"],
        titles=_text(item["title"], languages),
        # "operational" names what the notice is about and claims nothing.
        components={each["id"]: each["status"] for each in item["components"] if each["status"] != status.OPERATIONAL},
        chains=tuple(item["chains"]),
        symptoms=tuple(item["symptoms"]),
        not_affected=_text(item["not_affected"], languages),
        funds_safety=funds["level"],
        funds_text=_text(funds, languages),
        funds_basis=_text(funds["basis"], languages),
        eta_min=eta["minutes"],
        eta_confidence=eta["confidence"],
        next_update_min=item["next_update_min"],
        advice_do=do,
        advice_dont=dont,
        steps=tuple(
            Step(
                step["at_min"],
                _ADVISORY_STATUS[step["status"]] if advisory else step["status"],
                _text(step, languages),
            )
            for step in item["updates"]
        ),
        duration_min=item["duration_min"],
        summary=_text(item["summary"], languages),
        sms_texts=_text(item["sms"], languages),
        push_texts=item["push"],
    )
