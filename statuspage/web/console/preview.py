"""What people would get: the very texts that channels send, counted and addressed, before anything is published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from statuspage import i18n
from statuspage.channels import registry
from statuspage.channels.message import Message
from statuspage.clock import to_ms
from statuspage.domain import delivery, lifecycle, notice_checks, wording
from statuspage.domain.notice import Draft
from statuspage.domain.wording import Finding
from statuspage.store import components, console
from statuspage.store.notices import Notice
from statuspage.store.pages import Page
from statuspage.web.console import costs

_SMS = "statuspage.channels.texts:short"
_PUSH = "statuspage.channels.texts:push"


@dataclass(frozen=True, slots=True)
class Sms:
    """One language's text message. `limit`: how many units its segments hold."""

    language: str
    text: str
    encoding: str
    units: int
    segments: int

    @property
    def limit(self) -> int:
        """How many units its segments hold."""
        single, many = (160, 153) if self.encoding == "GSM-7" else (70, 67)
        return single if self.segments == 1 else many * self.segments


@dataclass(frozen=True, slots=True)
class Push:
    """One language's notification."""

    language: str
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Preview:
    """Everything that the form shows beside itself. `reach`: channel -> number of subscriptions."""

    draft: Draft
    texts: tuple[Sms, ...]
    pushes: tuple[Push, ...]
    reach: Mapping[str, int]
    findings: tuple[Finding, ...]
    cost: costs.Cost

    def to_json(self) -> dict[str, Any]:
        """For the script that keeps the preview fresh."""
        return {
            "texts": [{"language": one.language, "text": one.text, "units": one.units, "limit": one.limit,
                       "segments": one.segments} for one in self.texts],
            "pushes": [{"language": one.language, "title": one.title, "body": one.body} for one in self.pushes],
        }  # fmt: skip


def make(connection: Connection, draft: Draft, page: Page, now: datetime, found: Notice | None = None) -> Preview:
    """The preview of a draft that is good enough to publish. Raises InvalidInput for one that is not."""
    known = components.load(connection)
    checked = notice_checks.checked(draft, page.languages, known)
    checked = replace(checked, facts=notice_checks.default_times(checked.facts, now))
    counts = console.reach(connection, checked.facts.kind, checked.facts.components, ("public", "operator"))
    reach: dict[str, int] = {}
    for (channel, _language), number in counts.items():
        reach[channel] = reach.get(channel, 0) + number
    if not checked.notify:
        reach.clear()
    messages = {tag: _message(checked, page, known, tag, now, found) for tag in page.languages}
    texts, pushes = [], []
    for tag, message in messages.items():
        text = registry.load(_SMS)(message)
        encoding, units, number = delivery.segments(text)
        texts.append(Sms(tag, text, encoding, units, number))
        shown = registry.load(_PUSH)(message)
        pushes.append(Push(tag, shown.title, shown.body))
    segments = {one.language: one.segments for one in texts} if checked.notify else {}
    cost = costs.expected(connection, checked.facts.kind, checked.facts.components, segments, now)
    return Preview(checked, tuple(texts), tuple(pushes), reach, tuple(wording.findings(checked, page.languages)), cost)


def _message(
    draft: Draft, page: Page, known: Mapping[str, components.Component], tag: str, now: datetime, found: Notice | None
) -> Message:
    """The message as the deliverer would hand it over; the number of a notice that has none yet is four dots."""
    facts = draft.facts
    event = "resolved" if lifecycle.is_final(facts.kind, facts.status) else "updated" if found else "declared"
    payload = {
        "event": event, "suspected": False, "public_id": found.public_id if found else "new", "kind": facts.kind,
        "number": found.number if found else "N-____", "sequence": 1, "update_id": "new", "facts": facts.to_json(),
        "bodies": draft.bodies, "changes": {}, "at": to_ms(now), "created_at": to_ms(now), "backfilled": False, "monitors": [],
        "components": {
            key: {"public_id": known[key].public_id, "names": known[key].names, "group_names": known[key].group_names,
                  "status": known[key].status}
            for key in facts.components if key in known
        },
        "page": {"name": page.name, "url": page.url, "time_zone": page.time_zone, "languages": list(page.languages)},
    }  # fmt: skip
    return Message(
        key="preview", kind="notice_update", channel="sms", audience="public", language=tag, payload=payload, urgency=1,
        created_at=now, expires_at=now + timedelta(hours=4),
    )  # fmt: skip


def languages_named(page: Page) -> dict[str, str]:
    """Tag -> the language's own name."""
    return {tag: i18n.locale(tag).get_language_name(i18n.LOCALES[tag]) or tag for tag in page.languages}
