"""What a wallet's app shows of the present: the open notices that concern this user's version, platform and chain, under 2 kB.

Two files are published: the whole in every language, and the answer to a question without filters. A question with filters is
answered from the whole, in memory, without the database.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any

from statuspage import i18n
from statuspage.clock import iso
from statuspage.domain import versions
from statuspage.store.public_views import NoticeView, PublicView
from statuspage.templating import markdown

Json = dict[str, Any]
WHOLE, ANSWER = "/app/notices-all.json", "/app/notices.json"
MOST_BYTES = 2000
_MOST, _TEXT, _TITLE = 30, 300, 120  # notices kept; characters of a body and of a title
_LOST = ("at_risk_act_now", "loss_confirmed")
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class Question:
    """What the app says of itself; every part may be ''. `language` is one of the page's or ''."""

    language: str = ""
    version: str = ""
    platform: str = ""
    chain: str = ""
    component: str = ""

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Question:
        """From query parameters `lang`, `version`, `platform`, `chain`, `component`; others mean nothing, long ones are cut."""
        text = {name: given.get(name, "")[:40] for name in ("lang", "version", "platform", "chain", "component")}
        language = i18n.tag(text["lang"]) or "" if text["lang"] else ""
        return cls(language, text["version"], text["platform"].lower(), text["chain"].lower(), text["component"])


def whole(view: PublicView, chains: Mapping[str, str]) -> Json:
    """Every open notice in every language. `chains`: chain -> component that stands for it."""
    shown = [*view.open, *view.active, *view.upcoming][:_MOST]
    standing = {component: chain for chain, component in chains.items()}
    return {
        "verdict": view.verdict.level, "blind": view.is_blind, "languages": list(view.page.languages), "url": view.page.url,
        "notices": [_notice(notice, standing) for notice in shown],
    }  # fmt: skip


def _notice(notice: NoticeView, standing: Mapping[str, str]) -> Json:
    said = notice.facts
    bodies = notice.updates[0].bodies if notice.updates else {}
    severity = "maintenance" if notice.kind == "maintenance" else notice.impact
    named = list(said.components)
    return {
        "number": notice.number, "id": notice.public_id, "kind": notice.kind, "status": notice.status, "severity": severity,
        "show": "modal" if is_modal(notice) else "banner", "suspected": notice.is_suspected,
        "titles": {language: _cut(text, _TITLE) for language, text in said.titles.items()},
        "texts": {language: _cut(_plain(text), _TEXT) for language, text in bodies.items()},
        "funds": said.funds_safety, "components": named,
        # Empty: about the wallet as a whole, or about functions of it, which every chain's user may need.
        "chains": [standing[one] for one in named if one in standing] if all(one in standing for one in named) else [],
        "affected_versions": said.affected_versions, "fixed_versions": said.fixed_versions,
        "eta_at": iso(said.eta_at) if said.eta_at else None,
        "next_update_by": iso(said.next_update_by) if said.next_update_by else None,
        "scheduled_for": iso(said.scheduled_for) if said.scheduled_for else None,
        "scheduled_until": iso(said.scheduled_until) if said.scheduled_until else None,
        "updated_at": iso(notice.updated_at),
    }  # fmt: skip


def is_modal(notice: NoticeView) -> bool:
    """Worth stopping the user: a confirmed critical failure, or money that needs them to act. Everything else is a banner."""
    if notice.is_suspected or not notice.is_open or notice.kind == "maintenance":
        return False
    return notice.impact == "critical" or notice.facts.funds_safety in _LOST


def _plain(text: str) -> str:
    return " ".join(unescape(_TAG.sub(" ", str(markdown(text)))).split())


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def answer(found: Mapping[str, Any], question: Question) -> bytes:
    """What concerns the asker, in one language, at most 2,000 bytes: then texts go first, then the least urgent notices."""
    languages = found.get("languages") or list(i18n.DEFAULT_LANGUAGES)
    language = question.language if question.language in languages else languages[0]
    notices = [_told(one, language, str(found.get("url", ""))) for one in found.get("notices", ()) if _concerns(one, question)]
    left_out = 0
    while True:
        body = _written({"verdict": found.get("verdict", "unknown"), "blind": bool(found.get("blind")), "language": language,
                         "notices": notices, "more": left_out})  # fmt: skip
        if len(body) <= MOST_BYTES or not notices:
            return body
        longest = max(reversed(range(len(notices))), key=lambda index: len(notices[index].get("text", "")))
        if notices[longest].pop("text", "") == "":
            notices.pop()
            left_out += 1


def _concerns(one: Mapping[str, Any], question: Question) -> bool:
    if question.chain and one["chains"] and question.chain not in one["chains"]:
        return False
    if question.component and one["components"] and question.component not in one["components"]:
        return False
    return versions.concerns(one["affected_versions"], one["fixed_versions"], question.version, question.platform)


def _told(one: Mapping[str, Any], language: str, url: str) -> Json:
    kept = ("number", "kind", "status", "severity", "show", "suspected", "funds")
    times = ("eta_at", "next_update_by", "scheduled_for", "scheduled_until")
    return {
        **{name: one[name] for name in kept},
        "title": i18n.pick(one["titles"], language), "text": i18n.pick(one["texts"], language),
        **{name: one[name] for name in times if one[name]}, "updated_at": one["updated_at"],
        "url": f"{url}/{language}/incidents/{one['id']}",
    }  # fmt: skip


def _written(data: Json) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


