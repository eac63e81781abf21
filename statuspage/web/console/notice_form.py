"""The form of a notice: what it shows, what comes back, and the draft it means.

Relative promises ("next update in 30 minutes") count from the moment of publication, and the words {start}, {next}, {eta},
{end} and {date} in a text are filled then: the text and the facts cannot disagree, however long somebody took to write it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from werkzeug.datastructures import MultiDict

from statuspage import i18n, scenarios
from statuspage.domain import notice, status
from statuspage.domain.notice import Draft, Facts, Text
from statuspage.errors import InvalidInput, Words
from statuspage.store.pages import Page
from statuspage.web.console import local_times

SEVERITIES = (status.DEGRADED, status.PARTIAL, status.MAJOR)
CHECKING = "unknown_checking"
USUAL = status.PARTIAL
ETA_CHOICES = ("none", "30", "60", "120", "at")
NEXT_CHOICES = ("15", "30", "60", "240", "at", "none")
TEXTS = ("scope", "not_affected", "funds_text", "funds_basis", "remedy")
LINES = ("advice_do", "advice_dont")
ALL_TEXTS = ("titles", "bodies", *TEXTS, *LINES)
_ONCE = ("kind", "status", "severity", "funds", "eta", "eta_at", "eta_confidence", "next", "next_at", "cause", "attribution",
         "started_at", "affected_versions", "fixed_versions", "template", "monitor", "notice", "version", "key",
         "scheduled_for", "scheduled_until")  # fmt: skip
_LIVE = frozenset({"start", "next", "eta", "end", "date"})


@dataclass(frozen=True, slots=True)
class Form:
    """Every field as text, as the browser shows and sends it. Texts are by name and then by language."""

    kind: str = "incident"
    status: str = "investigating"
    components: Mapping[str, str] = field(default_factory=dict)  # chosen component -> the status claimed for it
    severity: str = USUAL
    funds: str = CHECKING
    eta: str = "none"
    eta_at: str = ""
    eta_confidence: str = "medium"
    next: str = "30"
    next_at: str = ""
    cause: str = "unknown"
    attribution: str = "us"
    started_at: str = ""
    affected_versions: str = ""
    fixed_versions: str = ""
    template: str = ""
    monitor: str = ""
    notice: str = ""
    version: str = ""
    key: str = ""
    scheduled_for: str = ""
    scheduled_until: str = ""
    notify: bool = True
    symptoms: tuple[str, ...] = ()
    reminders: tuple[str, ...] = ("86400", "3600")
    texts: Mapping[str, Text] = field(default_factory=dict)

    def text(self, name: str, language: str) -> str:
        """One text, '' where nothing was written."""
        return self.texts.get(name, {}).get(language, "")


def read(sent: MultiDict[str, str], languages: Sequence[str]) -> Form:
    """The form as it was sent. Nothing is judged here: what was typed is shown again whatever is wrong with it."""
    once = {name: sent[name].strip() for name in _ONCE if name in sent}
    severity = once.get("severity") or status.PARTIAL
    chosen = dict.fromkeys(sent.getlist("component"), severity)
    # An update's form has a row of its own for each component that the notice names already.
    rows = {name.removeprefix("c."): value for name, value in sent.items() if name.startswith("c.")}
    texts = {
        name: {language: sent.get(f"{name}.{language}", "").replace("\r\n", "\n") for language in languages}
        for name in ALL_TEXTS
    }
    return Form(
        **once, components={**chosen, **rows}, notify="notify" in sent, symptoms=tuple(sent.getlist("symptom")),
        reminders=tuple(sent.getlist("reminder")), texts=texts,
    )  # fmt: skip


def from_facts(facts: Facts, bodies: Text, zone: str) -> Form:
    """The form filled with facts as they stand. Promises are not carried over: each update makes its own."""
    claims = [claim for claim in facts.components.values() if claim in SEVERITIES]
    return Form(
        kind=facts.kind, status=facts.status, components=dict(facts.components),
        severity=status.worst(claims, default=status.PARTIAL), funds=facts.funds_safety,
        eta="at" if facts.eta_at else "none", eta_at=local_times.show(facts.eta_at, zone),
        eta_confidence=facts.eta_confidence if facts.eta_confidence != "none" else "medium", cause=facts.cause,
        attribution=facts.attribution, started_at=local_times.show(facts.started_at, zone), template=facts.template,
        affected_versions=facts.affected_versions, fixed_versions=facts.fixed_versions, symptoms=facts.symptoms,
        scheduled_for=local_times.show(facts.scheduled_for, zone), scheduled_until=local_times.show(facts.scheduled_until, zone),
        texts={"titles": facts.titles, "bodies": bodies, **{name: getattr(facts, name) for name in TEXTS},
               **{name: _joined(getattr(facts, name)) for name in LINES}},
    )  # fmt: skip


def draft(form: Form, base: Facts | None, page: Page, now: datetime) -> Draft:
    """What the form means if it is published at `now`. `base`: the facts of the notice that it updates.

    Raises InvalidInput for times that cannot be read and placeholders that nobody filled; the rest is the actions' to judge.
    """
    zone = page.time_zone
    facts = base or Facts(kind=form.kind, status=form.status, titles={})
    eta_at, next_at = _eta(form, zone, now), _next(form, zone, now)
    started_at = local_times.parse(form.started_at, zone, "started_at")
    if started_at and started_at > now and form.kind != "maintenance":
        message = "it cannot have begun in the future"
        raise InvalidInput(message, "started_at")
    facts = replace(
        facts, status=form.status, components=_claims(form), funds_safety=form.funds, eta_at=eta_at,
        eta_confidence=form.eta_confidence if eta_at else "none", next_update_by=next_at, cause=form.cause,
        attribution=form.attribution, symptoms=form.symptoms, affected_versions=form.affected_versions,
        fixed_versions=form.fixed_versions, template=form.template,
        started_at=_same_minute(started_at, facts.started_at) or facts.started_at,
        scheduled_for=local_times.parse(form.scheduled_for, zone, "scheduled_for") or facts.scheduled_for,
        scheduled_until=local_times.parse(form.scheduled_until, zone, "scheduled_until") or facts.scheduled_until,
    )  # fmt: skip
    values = live_values(facts, zone, now)
    filled = {name: _filled(name, form.texts.get(name, {}), values) for name in ALL_TEXTS}
    facts = replace(
        facts, titles=filled["titles"], scope=filled["scope"], not_affected=filled["not_affected"],
        funds_text=filled["funds_text"], funds_basis=filled["funds_basis"], remedy=filled["remedy"],
        advice_do=_lines(filled["advice_do"]), advice_dont=_lines(filled["advice_dont"]),
    )  # fmt: skip
    return Draft(facts, filled["bodies"], notify=form.notify, idempotency_key=form.key or None)


def live_values(facts: Facts, zone: str, now: datetime) -> dict[str, dict[str, str]]:
    """What the times in a text stand for, by language. One that is not chosen has no value, and stays to be seen."""
    start = facts.scheduled_for or facts.started_at or now
    times = {"start": start, "next": facts.next_update_by, "eta": facts.eta_at, "end": facts.scheduled_until}
    clocks = {name: i18n.time_words(at, zone) for name, at in times.items() if at}
    local = start.astimezone(ZoneInfo(zone))
    dates = {"en": f"{local.day} {local:%b}", "zh-Hans": f"{local.month}月{local.day}日"}
    return {language: {**clocks, "date": dates.get(language, local.date().isoformat())} for language in i18n.LOCALES}


def unfilled(texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """(language, name) of every placeholder that stands in the texts."""
    return [
        (language, name)
        for language, text in texts.items()
        for name in sorted(scenarios.PLACEHOLDERS)
        if f"{{{name}}}" in text
    ]


def _filled(name: str, texts: Mapping[str, str], values: Mapping[str, Mapping[str, str]]) -> Text:
    out = scenarios.fill_all({language: text for language, text in texts.items() if text.strip()}, values)
    for language, left in unfilled(out):
        if left in _LIVE:
            message = Words("the text says %(left)s, but no such time is chosen above", left=f"{{{left}}}")
        else:
            message = Words("replace %(left)s by what is true", left=f"{{{left}}}")
        raise InvalidInput(message, f"{name}.{language}")
    return out


def _claims(form: Form) -> dict[str, str]:
    known = {*SEVERITIES, status.MAINTENANCE}
    return {component_id: claim for component_id, claim in form.components.items() if claim in known}


def _eta(form: Form, zone: str, now: datetime) -> datetime | None:
    if form.eta == "at":
        at = local_times.parse(form.eta_at, zone, "eta_at")
        if at is not None and at <= now:
            message = "the expected repair lies in the past: choose a later time, or say that it cannot be foreseen"
            raise InvalidInput(message, "eta_at")
        return at
    return _after(form.eta, "eta", now)


def _next(form: Form, zone: str, now: datetime) -> datetime | None:
    return local_times.parse(form.next_at, zone, "next_at") if form.next == "at" else _after(form.next, "next", now)


def _after(choice: str, name: str, now: datetime) -> datetime | None:
    if choice in {"none", ""}:
        return None
    if not choice.isascii() or not choice.isdigit() or not 1 <= int(choice[:6]) <= 10_080:
        message = "choose one of the times offered"
        raise InvalidInput(message, name)
    return now + timedelta(minutes=int(choice))


def _same_minute(typed: datetime | None, known: datetime | None) -> datetime | None:
    """The form knows minutes only: a start that nobody changed keeps its seconds."""
    if typed and known and typed == known.replace(second=0, microsecond=0):
        return known
    return typed


def _joined(lines: notice.Lines) -> Text:
    return {language: "\n".join(found) for language, found in lines.items()}


def _lines(texts: Text) -> notice.Lines:
    return {language: [line.strip() for line in text.splitlines() if line.strip()] for language, text in texts.items()}
