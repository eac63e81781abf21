"""Words of short messages: SMS and push, from the outbox payload and the templates below templates/messages.

A template that fails must not silence the news: the built-in text names the notice and where to read it.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from statuspage import i18n, templating
from statuspage.channels.message import Message
from statuspage.clock import from_ms
from statuspage.domain import delivery
from statuspage.domain.notice import Facts

MAX_SEGMENTS = 3
PUSH_BYTES = 2000
_TITLE_CHARACTERS = 80
# What is tried in turn: how much is left out, the title's length, the segments it may take.
_FORMS = ((0, _TITLE_CHARACTERS, 1), (1, _TITLE_CHARACTERS, 2), (2, _TITLE_CHARACTERS, 3), (3, _TITLE_CHARACTERS, 3), (3, 30, 3))
_MARKUP = re.compile(r"\[([^\]]*)\]\([^)]*\)|[*_`#>]")
_SPACE = re.compile(r"\s+")
_WIDE_SPACE = re.compile(r"(?<=[\u3000-\u303f\uff00-\uffef]) | (?=[\u3000-\u303f\uff00-\uffef])")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Push:
    """What a browser shows, and where a click leads."""

    title: str
    body: str
    path: str
    tag: str

    def to_json(self, language: str) -> dict[str, str]:
        """The payload that sw.js reads."""
        return {"title": self.title, "body": self.body, "path": self.path, "tag": self.tag, "lang": language}


def brand(message: Message) -> str:
    """The wallet's name in the message's language."""
    return i18n.pick(message.payload["page"]["name"], message.language)


def host(message: Message) -> str:
    """The page's host as a reader types it. SMS carry no tappable link (messaging.md D.7)."""
    return str(urlsplit(message.payload["page"]["url"]).netloc)


def short(message: Message) -> str:
    """The SMS: at most three segments; parts are left out from the least important on, the number and host never."""
    text = ""
    for brevity, title_characters, most in _FORMS:
        text = _signed(message, _render("messages/sms.txt", message, brevity, title_characters))
        if delivery.segments(text)[2] <= most:
            return text
    return _cut(text)


def segments(message: Message) -> int:
    """How many segments the SMS is billed as."""
    return delivery.segments(short(message))[2]


def _signed(message: Message, text: str) -> str:
    """Chinese texts carry the bracketed signature that mainland carriers ask for, and no other brackets of that form."""
    words = delivery.plain(_SPACE.sub(" ", text).strip())
    if message.language == "zh-Hans":
        words = _WIDE_SPACE.sub("", words)
        return f"【{brand(message)}】" + words.replace("【", "[").replace("】", "]")
    return f"{delivery.plain(brand(message))}: {words}"


def _cut(text: str) -> str:
    while delivery.segments(text)[2] > MAX_SEGMENTS:
        text = text[: int(len(text) * 0.9)]
    return text


def push(message: Message) -> Push:
    """Title and one sentence, within 2 kB of UTF-8 (a Chinese character is three bytes)."""
    lines = _render("messages/push.txt", message, 0).strip().split("\n", 1)
    title = f"{brand(message)}: {_SPACE.sub(' ', lines[0])}"[:120]
    body = _SPACE.sub(" ", lines[1] if len(lines) > 1 else "").strip()[:300]
    public_id = str(message.payload.get("public_id", ""))
    # Always with the language: without it the page would follow the browser's, not what the reader subscribed in.
    path = f"/{message.language}/incidents/{public_id}" if public_id else f"/{message.language}/"
    return Push(title, body, path, public_id or message.kind)


def _render(name: str, message: Message, brevity: int, title_characters: int = _TITLE_CHARACTERS) -> str:
    try:
        return templating.render(message.language, name, **context(message, title_characters), brevity=brevity)
    except Exception as error:  # noqa: BLE001 - whatever a template or a fact does wrong, the news goes out
        _log.exception("template %s failed for %s (%s); the built-in text is sent", name, message.key, type(error).__name__)
        return f"{message.payload.get('number', '')} {message.payload.get('event', '')}. {host(message)}"


def context(message: Message, title_characters: int = _TITLE_CHARACTERS) -> dict[str, Any]:
    """What the templates know. Times are aware UTC; texts are already in the message's language."""
    payload, language = message.payload, message.language
    facts = Facts.from_json(payload["facts"]) if payload.get("facts") else None
    named = payload.get("components") or {}
    return {
        "kind": message.kind, "event": message.event, "audience": message.audience, "payload": payload, "facts": facts,
        "brand": brand(message), "host": host(message), "number": payload.get("number", ""), "zone": payload["page"]["time_zone"],
        "title": _plain(i18n.pick(facts.titles, language))[:title_characters] if facts else "",
        "symptom": i18n.pick(payload.get("names") or {}, language),
        "body": _plain(i18n.pick(payload.get("bodies") or {}, language)),
        "components": [i18n.pick(item["names"], language) for item in named.values()],
        "monitors": [str(item.get("name") or item.get("id") or "") for item in payload.get("monitors") or []],
        "said_at": from_ms(payload["at"]) if payload.get("at") else None,
    }  # fmt: skip


def _plain(text: str) -> str:
    """Markdown as plain words: what a phone shows."""
    return _SPACE.sub(" ", _MARKUP.sub(lambda match: match.group(1) or "", text)).strip()
