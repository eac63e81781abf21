"""Rules of delivery that need no network: back-off, SMS segments, the words by which people stop and start."""

from __future__ import annotations

import base64
import re
import unicodedata
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

FIRST_BACKOFF_S = 2.0
LONGEST_BACKOFF_S = 300.0
LONGEST_WISH_S = 900.0  # of a supplier's Retry-After; an absurd one must not outlive the news
MAX_ATTEMPTS = 40  # a row that kills its worker each time is not claimed for ever

_LIFE = {"page_oncall": timedelta(hours=1), "resolved": timedelta(hours=24), "recovered": timedelta(hours=24)}
_SHORTEST_LIFE, _LONGEST_LIFE = timedelta(minutes=30), timedelta(hours=12)

_GSM = set("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
           "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà")  # fmt: skip
_GSM_PAIRS = set("^{}\\[~]|€\f")
# One of these turns 160 characters into three segments of 70; each has a plain twin.
_PLAIN = str.maketrans({"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-", "\u2026": "...",
                        "\u00a0": " ", "\t": " ", "\u2022": "-"})  # fmt: skip

_STOP = {"stop", "stopall", "stop all", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "opt-out", "opt out",
         "remove", "arret", "td", "t", "r", "退订", "取消", "停止", "拒收"}  # fmt: skip
_START = {"start", "unstop", "yes", "订阅", "恢复"}
_HELP = {"help", "info", "帮助"}
_STOP_IN_TEXT = re.compile(
    r"\b(stop|unsubscribe|opt[ -]?out|quit|cancel|remove me)\b|退订|拒收|停止|取消订阅", re.IGNORECASE
)


def next_try(attempts: int, now: datetime, expires_at: datetime, wish_s: float | None, draw: float) -> datetime | None:
    """When to try again after `attempts` failures, None when the message is then no longer worth sending.

    Full jitter (`draw` in 0..1) between the first step and a doubling ceiling; a supplier's wish is a lower bound.
    """
    ceiling_s = min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2 ** min(attempts, 10))
    wait_s = max(FIRST_BACKOFF_S / 2 + draw * ceiling_s, min(wish_s or 0.0, LONGEST_WISH_S))
    at = now + timedelta(seconds=wait_s)
    return at if at < expires_at and attempts < MAX_ATTEMPTS else None


def life(
    event: str, impact: str, now: datetime, *, eta_at: datetime | None = None, next_update_by: datetime | None = None,
    scheduled_for: datetime | None = None,
) -> timedelta:  # fmt: skip
    """How long a message is worth sending: a stale "investigating" must never follow a "resolved".

    `event` as in actions.outbox.Said, or page_oncall. A new outage lasts 4 h (major: until it should be repaired, at least
    2 h), an update until the next one is promised, a reminder until the work begins, good news a day.
    """
    if event in _LIFE:
        return _LIFE[event]
    if event == "reminder" and scheduled_for:
        return max(scheduled_for - now, _SHORTEST_LIFE)
    if event == "updated" and next_update_by:
        return min(max(next_update_by - now, _SHORTEST_LIFE), _LONGEST_LIFE)
    if event in {"declared", "confirmed", "suspected"} and impact == "major":
        return min(max((eta_at or now) - now, timedelta(hours=2)), _LONGEST_LIFE)
    return timedelta(hours=4)


def plain(text: str) -> str:
    """`text` for an SMS: typographic quotes, dashes and dots replaced by those of GSM-7, control characters gone."""
    replaced = text.translate(_PLAIN)
    return "".join(
        c for c in replaced if c == "\n" or unicodedata.category(c) not in {"Cc", "Cs", "Cf"} or c == "\u200d"
    )


def segments(text: str) -> tuple[str, int, int]:
    """(encoding, units, segments) of an SMS. An escape pair or a surrogate pair is never cut between two segments."""
    if all(c in _GSM or c in _GSM_PAIRS for c in text):
        sizes, single, many = [2 if c in _GSM_PAIRS else 1 for c in text], 160, 153
        encoding = "GSM-7"
    else:
        sizes, single, many = [len(c.encode("utf-16-be", "surrogatepass")) // 2 for c in text], 70, 67
        encoding = "UCS-2"
    units = sum(sizes)
    if units <= single:
        return encoding, units, 1
    count, room = 1, many
    for size in sizes:
        if size > room:
            count, room = count + 1, many
        room -= size
    return encoding, units, count


def keyword(text: str) -> str | None:
    """`stop`, `start` or `help` for what a person answered by SMS; None when it is none of these.

    Any reasonable way of saying no counts (FCC, 11 April 2025), so a sentence with a stop word stops too.
    """
    folded = " ".join(unicodedata.normalize("NFKC", text).lower().split())
    bare = folded.strip(" .!?,;:'\"*-。！？，")  # noqa: RUF001 - Chinese punctuation
    for words, name in ((_STOP, "stop"), (_START, "start"), (_HELP, "help")):
        if bare in words:
            return name
    return "stop" if len(folded) <= 400 and _STOP_IN_TEXT.search(folded) else None


def push_public_key(scalar: bytes) -> str:
    """The public half of the VAPID key, as browsers want it (uncompressed point, base64url without padding)."""
    public = ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP256R1()).public_key()
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()
