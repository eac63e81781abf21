"""Subscribing, confirming, changing and ending, by the person or by what they answer.

What a stranger is told never depends on whether the address is new, pending, active or blocked: the handle of an address is a
keyed hash of it, and only a message to the address itself says more.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy import Connection, insert, update

from statuspage.actions import subscribe_limits
from statuspage.actions.context import Context
from statuspage.actions.limits import TooOften
from statuspage.domain import address, night, sealing
from statuspage.errors import InvalidInput, NotFound
from statuspage.store import notices, pages
from statuspage.store import subscribers as stored
from statuspage.store.deliveries import Job
from statuspage.store.schema.delivery import consents, outbox, subscriptions
from statuspage.store.schema.delivery import subscribers as people
from statuspage.store.subscribers import Subscription

CONTEXT = "subscriptions.address"  # what sealed addresses are bound to
CODE_CONTEXT = "outbox.code"
CODE_LIFE_S = 600
CHALLENGE_LIFE_S = 600
MAX_ATTEMPTS = 5
TEXT_VERSION = "2026-11"  # of the words on the form that people agree to
_CODE_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Wish:
    """What a visitor asks for. `components`, `kinds`: ids, none = all. `notice`: a public id, "tell me when it is fixed"."""

    channel: str
    language: str
    ip_prefix: str
    phone: str = ""
    url: str = ""
    push: str = ""
    components: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    notice: str = ""
    time_zone: str = ""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a wish is kept: the address, its keyed hash, the handle made of it, and the notice if it is about one."""

    found: address.Address
    hashed: str
    handle: str
    notice_id: int | None


@dataclass(frozen=True, slots=True)
class Asked:
    """The answer to everybody: `handle` names the request, `step` is what comes next (code | challenge | done).

    `manage_token` is set for web push only: who holds the endpoint is the browser itself.
    """

    handle: str
    step: str
    manage_token: str = ""


def subscribe(ctx: Context, wish: Wish) -> Asked:
    """Take a visitor's wish. Raises InvalidInput for a malformed one, TooOften for a network that asks too much.

    What is sent to the address is limited too, silently: a form that says "this number had its three messages" tells on it.
    """
    now = ctx.now()
    with ctx.db.write() as conn:
        channels = pages.load_meta(conn, "channels", {})
        found = _address(wish, channels)
        notice_id = _notice_id(conn, wish.notice)
        subscribe_limits.asker(conn, ctx.keys.seal, wish.ip_prefix, now)
        hashed = address_hash(ctx, wish.channel, found.identity)
        stored.lock_address(conn, hashed)
        handle = handle_of(ctx, wish.channel, hashed, notice_id)
        place = _Place(found, hashed, handle, notice_id)
        row = stored.by_public_id(conn, handle, for_update=True)
        step = {"sms": "code", "webhook": "challenge"}.get(wish.channel, "done")
        blocked = stored.is_suppressed(conn, wish.channel, hashed)
        if step == "done":
            row = None if blocked and row is None else _put(conn, ctx, row, wish, place, "active", now)
            if row is None:
                return Asked(handle, step)
            note_consent(conn, row, "confirmed", "permission", wish.ip_prefix, now)
            # The browser's prompt was the consent; a first message shows the reader that the way works.
            say(conn, "confirm", row, {"page": page_facts(conn)}, now, CODE_LIFE_S)
            return Asked(handle, step, manage_token(ctx, row))
        waits = row is not None and row.token_expires_at is not None and row.token_expires_at > now
        if not blocked and not waits and _may_send(conn, ctx, wish, found, channels, now):
            kept = row.state if row is not None and row.state == "active" else "pending"
            row = _put(conn, ctx, row, wish, place, kept, now)
            _ask(conn, ctx, row, now)
            note_consent(conn, row, "asked", "form", wish.ip_prefix, now)
        return Asked(handle, step)


def _address(wish: Wish, channels: dict[str, Any]) -> address.Address:
    settings = channels.get(wish.channel)
    if settings is None or (wish.channel == "sms" and not settings.get("countries")):
        message = "this way of following is not offered here"
        raise InvalidInput(message, "channel")
    if wish.channel == "sms":
        return address.phone(wish.phone, settings["countries"])
    if wish.channel == "webhook":
        if "${" in wish.url:  # a reference to our own secrets, if anything ever resolved it
            message = "write a whole address such as https://hooks.example/status"
            raise InvalidInput(message, "url")
        return address.webhook(wish.url, new_secret())
    if wish.channel == "webpush":
        return address.push(wish.push, settings.get("hosts") or ())
    message = "this way of following is not offered here"
    raise InvalidInput(message, "channel")


def _notice_id(conn: Connection, public_id: str) -> int | None:
    if not public_id:
        return None
    notice = notices.by_public_id(conn, public_id)
    if notice is None or notice.visibility != "public":
        message = "there is no such notice"
        raise NotFound(message)
    return notice.id


def _may_send(
    conn: Connection, ctx: Context, wish: Wish, found: address.Address, channels: dict[str, Any], now: datetime
) -> bool:
    try:
        subscribe_limits.target(conn, ctx.keys.seal, wish.channel, found.identity, now)
        if wish.channel == "sms":
            subscribe_limits.sms_open(conn, channels["sms"], now)
    except TooOften:
        return False
    return True


def _put(
    conn: Connection, ctx: Context, row: Subscription | None, wish: Wish, place: _Place, state: str, now: datetime
) -> Subscription:
    """Write the subscription. An active one keeps its filters and secret until the new wish is confirmed."""
    filters = {"components": _known_ids(wish.components), "kinds": _known_ids(wish.kinds), "language": wish.language}
    if row is not None and row.state == "active" and wish.channel != "webpush":
        conn.execute(update(subscriptions).where(subscriptions.c.id == row.id).values(meta={**row.meta, "wish": filters}))
    else:
        values: dict[str, Any] = {
            **filters, "address_sealed": sealed(ctx, place.found.text), "address_hash": place.hashed, "label": place.found.label,
            "state": state, "meta": {"night": row.meta.get("night", "")} if row else {}, "off_at": None,
            "confirmed_at": now if state == "active" else None,
        }  # fmt: skip
        if row is not None:
            conn.execute(update(subscriptions).where(subscriptions.c.id == row.id).values(values))
        else:
            _insert(conn, wish, place, values, now)
    written = stored.by_public_id(conn, place.handle)
    assert written is not None  # noqa: S101 - written above
    return written


def _insert(conn: Connection, wish: Wish, place: _Place, values: dict[str, Any], now: datetime) -> None:
    zone = wish.time_zone if wish.time_zone in available_timezones() else "UTC"  # not known: the page's stands in
    person = insert(people).values(language=wish.language, time_zone=zone, created_at=now)
    conn.execute(insert(subscriptions).values(
        public_id=place.handle, subscriber_id=conn.execute(person.returning(people.c.id)).scalar_one(), channel=wish.channel,
        audience="public", notice_id=place.notice_id, attempts=0, created_at=now, **values,
    ))  # fmt: skip


def _known_ids(ids: Sequence[str]) -> list[str]:
    clean = sorted({one for one in ids if one and len(one) <= 64 and '"' not in one})
    return clean[:200]


def sealed(ctx: Context, text: str) -> bytes:
    """An address as it is stored."""
    return sealing.seal(ctx.keys.seal, text.encode(), CONTEXT)


def opened(ctx: Context, stored_form: bytes) -> str:
    """A stored address in clear. Raises sealing.SealBroken."""
    return sealing.unseal(ctx.keys.seal, stored_form, CONTEXT).decode()


def _ask(conn: Connection, ctx: Context, row: Subscription, now: datetime) -> None:
    """Send the code or the challenge; only a hash of it stays with the subscription."""
    payload: dict[str, Any] = {"page": page_facts(conn)}
    if row.channel == "sms":
        code = "".join(secrets.choice("0123456789") for _ in range(_CODE_DIGITS))
        payload["code_sealed"] = sealing.seal(ctx.keys.seal, code.encode(), CODE_CONTEXT).hex()
        kept, life_s = _code_hash(ctx, row.public_id, code), CODE_LIFE_S
    else:
        challenge = sealing.new_token()
        payload["challenge"] = challenge
        kept, life_s = sealing.token_hash(challenge), CHALLENGE_LIFE_S
    expires_at = now + timedelta(seconds=life_s)
    values = {"token_hash": kept, "token_expires_at": expires_at, "attempts": 0}
    conn.execute(update(subscriptions).where(subscriptions.c.id == row.id).values(values))
    say(conn, "confirm", row, payload, now, life_s)


def say(conn: Connection, kind: str, row: Subscription, payload: dict[str, Any], now: datetime, life_s: float) -> None:
    """Write an outbox row for one subscription: a confirmation or a test."""
    conn.execute(insert(outbox).values(
        kind=kind, notice_id=None, update_id=None, sequence=0, audiences=[row.audience], channels=[row.channel],
        subscription_id=row.id, urgency=1, payload=payload, cursor=0, created_at=now, expires_at=now + timedelta(seconds=life_s),
    ))  # fmt: skip


def page_facts(conn: Connection) -> dict[str, Any]:
    """What every message knows of the page."""
    page = pages.load_page(conn)
    return {"name": page.name, "url": page.url, "time_zone": page.time_zone, "languages": list(page.languages),
            "public_id": page.public_id}  # fmt: skip


def confirm(ctx: Context, handle: str, code: str, ip_prefix: str) -> str:
    """Type the code back; the manage token. Raises InvalidInput for a wrong, used or expired one, TooOften for many tries.

    Attempts are counted before the comparison, by one statement: racing tries cannot share one. The fifth wrong one burns it.
    """
    now = ctx.now()
    typed = "".join(character for character in code if character.isdigit())
    with ctx.db.write() as conn:
        subscribe_limits.confirmer(conn, ctx.keys.seal, ip_prefix, now)
        counted = (
            update(subscriptions)
            .where(subscriptions.c.public_id == handle, subscriptions.c.channel == "sms", subscriptions.c.token_hash.is_not(None))
            .where(subscriptions.c.token_expires_at > now, subscriptions.c.attempts < MAX_ATTEMPTS)
            .values(attempts=subscriptions.c.attempts + 1).returning(subscriptions.c.token_hash)
        )  # fmt: skip
        kept = conn.execute(counted).scalar()
        if kept and sealing.is_same(kept, _code_hash(ctx, handle, typed)):
            row = stored.by_public_id(conn, handle)
            assert row is not None  # noqa: S101 - counted above
            _activate(conn, row, "code", ip_prefix, now)
            return manage_token(ctx, row)
    message = "this code is wrong or no longer valid; ask for a new one"
    raise InvalidInput(message, "code")


def _code_hash(ctx: Context, handle: str, code: str) -> str:
    return sealing.keyed_hash(ctx.keys.seal, f"code:{handle}:{code}")


def _activate(conn: Connection, row: Subscription, how: str, ip_prefix: str, now: datetime) -> None:
    wish = row.meta.get("wish") or {}
    meta = {name: value for name, value in row.meta.items() if name != "wish"}
    conn.execute(update(subscriptions).where(subscriptions.c.id == row.id).values(
        state="active", token_hash=None, token_expires_at=None, off_at=None, meta=meta,
        confirmed_at=now if row.state != "active" else row.confirmed_at, **wish,
    ))  # fmt: skip
    note_consent(conn, row, "confirmed", how, ip_prefix, now)


def note_consent(conn: Connection, row: Subscription, action: str, how: str, ip_prefix: str, now: datetime) -> None:
    """Append to the proof of what a person agreed to and when it ended."""
    conn.execute(insert(consents).values(
        subscription_id=row.id, action=action, how=how, text_version=TEXT_VERSION, language=row.language, ip_prefix=ip_prefix,
        at=now,
    ))  # fmt: skip


def after_sent(conn: Connection, job: Job, now: datetime) -> None:
    """What a delivery changes: an echoed challenge activates, "tell me when it is fixed" has been told."""
    is_echo = job.kind == "confirm" and job.channel == "webhook"
    is_told = job.only_notice_id is not None and job.payload.get("event") == "resolved"
    row = stored.by_id(conn, job.subscription_id, for_update=True) if is_echo or is_told else None
    if row is None:
        return
    if is_echo:
        answered = sealing.token_hash(str(job.payload.get("challenge")))
        if row.token_hash is not None and sealing.is_same(row.token_hash, answered):
            _activate(conn, row, "link", "", now)
    else:
        _end(conn, row, "link", "", now)


def manage_token(ctx: Context, row: Subscription | Job) -> str:
    """The token of the manage link. Nothing is stored: it is a keyed hash of the row, and dies with it."""
    row_id = row.subscription_id if isinstance(row, Job) else row.id
    return sealing.keyed_hash(ctx.keys.seal, f"manage:{row_id}:{row.public_id}")[:43]


def managed(ctx: Context, public_id: str, token: str) -> Subscription:
    """The subscription of a manage link. Raises NotFound for a wrong one, in the same words as for an unknown one."""
    with ctx.db.read() as conn:
        row = stored.by_public_id(conn, public_id)
    if row is None or row.audience != "public" or not sealing.is_same(token, manage_token(ctx, row)):
        message = "this link is not valid, or what it led to was deleted"
        raise NotFound(message)
    return row


def change(
    ctx: Context, public_id: str, token: str, *, components: Sequence[str], kinds: Sequence[str], language: str,
    at_night: str = "",
) -> None:  # fmt: skip
    """Replace the filters of a subscription; `at_night` is one of domain.night.CHOICES. Raises NotFound as `managed`."""
    row = managed(ctx, public_id, token)
    meta = {**row.meta, "night": at_night if at_night in night.CHOICES else ""}
    values = {"components": _known_ids(components), "kinds": _known_ids(kinds), "language": language, "meta": meta}
    with ctx.db.write() as conn:
        conn.execute(update(subscriptions).where(subscriptions.c.id == row.id).values(values))


def unsubscribe(ctx: Context, public_id: str, token: str, ip_prefix: str) -> None:
    """End a subscription at once. Idempotent. Raises NotFound as `managed`."""
    row = managed(ctx, public_id, token)
    if row.state in {"active", "pending"}:
        now = ctx.now()
        with ctx.db.write() as conn:
            _end(conn, row, "link", ip_prefix, now)


def _end(conn: Connection, row: Subscription, how: str, ip_prefix: str, now: datetime) -> None:
    conn.execute(update(subscriptions).where(subscriptions.c.id == row.id).values(state="off", off_at=now, token_hash=None))
    note_consent(conn, row, "stopped", how, ip_prefix, now)


def open_payload(ctx: Context, job: Job) -> dict[str, Any]:
    """A job's payload with what was sealed in it (a confirmation code) opened."""
    code_sealed = job.payload.get("code_sealed")
    if not code_sealed:
        return job.payload
    return {**job.payload, "code": sealing.unseal(ctx.keys.seal, bytes.fromhex(code_sealed), CODE_CONTEXT).decode()}


def address_hash(ctx: Context, channel: str, identity: str) -> str:
    """The keyed hash that finds an address."""
    return sealing.keyed_hash(ctx.keys.seal, f"address:{channel}:{identity}")


def handle_of(ctx: Context, channel: str, hashed: str, notice_id: int | None) -> str:
    """The public id of an address's subscription: the same whether a row exists or not."""
    return sealing.keyed_hash(ctx.keys.seal, f"handle:{channel}:{hashed}:{notice_id or ''}")[:24]


def new_secret() -> str:
    """A signing secret as Standard Webhooks write it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
