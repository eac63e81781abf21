"""What a draft must hold before it may be said in public, and what is stripped from its texts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from statuspage.domain import lifecycle, notice, status
from statuspage.domain.notice import Draft, Facts, Lines, Text
from statuspage.errors import InvalidInput, Words

TITLE_MAX = 255  # Statuspage's limits, so that every client copes
BODY_MAX = 25_000
LINE_MAX = 500
PASSAGE_MAX = 4_000
LINES_MAX = 12
_LIMITS = {"titles": TITLE_MAX, "scope": LINE_MAX, "not_affected": LINE_MAX, "funds_text": PASSAGE_MAX,
           "funds_basis": PASSAGE_MAX, "remedy": PASSAGE_MAX}  # fmt: skip
# Bidi overrides and invisible characters can make a notice read as something it does not say.
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
_CLAIMS = set(status.ORDER) - {status.OPERATIONAL, status.UNKNOWN}


def clean_text(text: str, *, one_line: bool = False) -> str:
    """`text` without control, bidi and invisible characters and lone surrogates, NFC, trimmed."""
    kept = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cs", "Cn"} or c == "\u200d")
    kept = _INVISIBLE.sub("", kept.replace("\r\n", "\n"))
    kept = unicodedata.normalize("NFC", kept).strip()
    return " ".join(kept.split()) if one_line else kept


def checked(
    draft: Draft, languages: Collection[str], component_ids: Collection[str], *, needs_body: bool = True
) -> Draft:
    """The draft with clean texts. Raises InvalidInput naming the first field that cannot be published, and what to change."""
    for field, texts in (*((name, getattr(draft.facts, name)) for name in _LIMITS), ("bodies", draft.bodies)):
        _need_bounds(field, texts, BODY_MAX)  # before each character is looked at
    facts = _clean_facts(draft.facts)
    for field, limit in _LIMITS.items():
        _need_bounds(field, getattr(facts, field), limit)
    bodies = {language: clean_text(body) for language, body in draft.bodies.items()}
    lifecycle.check_status(facts.kind, facts.status)
    _need_every_language("titles", facts.titles, languages)
    if needs_body:
        _need_every_language("bodies", bodies, languages)
    _need_known(facts, component_ids)
    _need_sane_times(facts)
    return replace(draft, facts=facts, bodies=bodies)


def _clean_facts(facts: Facts) -> Facts:
    one_line = {name: _texts(getattr(facts, name), one_line=True) for name in ("titles", "scope", "not_affected")}
    texts = {name: _texts(getattr(facts, name)) for name in ("funds_text", "funds_basis", "remedy")}
    lines = {name: _lines(getattr(facts, name), name) for name in ("advice_do", "advice_dont")}
    versions = {
        name: clean_text(getattr(facts, name), one_line=True)[:200] for name in ("affected_versions", "fixed_versions")
    }
    return replace(facts, **one_line, **texts, **lines, **versions)  # type: ignore[arg-type]  # they match by construction


def _texts(texts: Text, *, one_line: bool = False) -> Text:
    cleaned = {language: clean_text(text, one_line=one_line) for language, text in texts.items()}
    return {language: text for language, text in cleaned.items() if text}


def _lines(lines: Lines, field: str) -> Lines:
    out: Lines = {}
    for language, items in lines.items():
        much = any(len(item) > BODY_MAX for item in items)
        kept = [] if much else [text for text in (clean_text(item, one_line=True) for item in items) if text]
        if much or len(kept) > LINES_MAX or any(len(text) > LINE_MAX for text in kept):
            message = Words("at most %(lines)s lines of %(characters)s characters", lines=LINES_MAX, characters=LINE_MAX)
            raise InvalidInput(message, f"{field}.{language}")
        if kept:
            out[language] = kept
    return out


def _need_every_language(field: str, texts: Mapping[str, str], languages: Collection[str]) -> None:
    for language in languages:
        if not texts.get(language, ""):
            message = "write it in every language of the page: readers of both are equal"
            raise InvalidInput(message, f"{field}.{language}")


def _need_bounds(field: str, texts: Mapping[str, str], limit: int) -> None:
    for language, text in texts.items():
        if len(text) > limit:
            message = Words("%(count)s characters; at most %(limit)s", count=len(text), limit=limit)
            raise InvalidInput(message, f"{field}.{language}")


def _need_known(facts: Facts, component_ids: Collection[str]) -> None:
    vocabularies = (("funds_safety", facts.funds_safety, notice.FUNDS),
                    ("eta_confidence", facts.eta_confidence, notice.ETA_CONFIDENCE),
                    ("cause", facts.cause, notice.CAUSES), ("attribution", facts.attribution, notice.ATTRIBUTIONS),
                    ("impact", facts.impact, status.IMPACTS))  # fmt: skip
    for field, value, allowed in vocabularies:
        if value not in allowed:
            message = Words("%(value)s is not one of %(allowed)s", value=repr(value), allowed=tuple(allowed))
            raise InvalidInput(message, field)
    for component_id, claim in facts.components.items():
        if component_id not in component_ids:
            message = Words("there is no component %(id)s", id=repr(component_id))
            raise InvalidInput(message, "components")
        if claim not in _CLAIMS:
            message = Words("%(value)s is not one of %(allowed)s", value=repr(claim), allowed=tuple(sorted(_CLAIMS)))
            raise InvalidInput(message, f"components.{component_id}")


def _need_sane_times(facts: Facts) -> None:
    if facts.kind == "maintenance":
        if not (facts.scheduled_for and facts.scheduled_until):
            message = "a maintenance needs the start and the end of its window"
            raise InvalidInput(message, "scheduled_for")
        if facts.scheduled_until <= facts.scheduled_for:
            message = "the window ends before it begins"
            raise InvalidInput(message, "scheduled_until")
    if facts.eta_at and facts.eta_confidence == "none":
        message = "an expected repair time needs a confidence: high, medium or low"
        raise InvalidInput(message, "eta_confidence")


def impact_for(facts: Facts) -> str:
    """The impact computed from the claimed component statuses; an advisory without components says none."""
    if facts.kind == "maintenance":
        return "maintenance"
    return status.impact_of(facts.components.values())


def default_times(facts: Facts, now: datetime) -> Facts:
    """Times that follow from the status: started when nothing else was said, resolved when final."""
    started = facts.started_at or facts.scheduled_for or now
    resolved = (facts.resolved_at or now) if lifecycle.is_final(facts.kind, facts.status) else None
    return replace(facts, started_at=started, resolved_at=resolved)
