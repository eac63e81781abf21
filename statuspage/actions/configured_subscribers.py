"""Operators' own subscriptions: webhooks and the on-call from wallet.yaml, webhooks added in the console, test messages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, update

from statuspage.actions import audit, subscribers
from statuspage.actions.context import Actor, Context
from statuspage.domain import address
from statuspage.domain.notice import new_public_id
from statuspage.errors import InvalidInput, NotFound
from statuspage.store import pages
from statuspage.store import subscribers as stored
from statuspage.store.schema.delivery import subscribers as people
from statuspage.store.schema.delivery import subscriptions
from statuspage.store.subscribers import Subscription

FROM_FILE = "file"
_TEST_LIFE_S = 600


@dataclass(frozen=True, slots=True)
class _Wanted:
    channel: str
    audience: str
    found: address.Address
    language: str
    components: list[str] = field(default_factory=list)
    name: str = ""


def sync_configured(ctx: Context) -> tuple[int, int]:
    """Make the subscriptions that the meta rows `on_call` and `webhooks` want and retire those they no longer name.

    (made or revived, retired). Addresses may hold ${env:NAME}; it becomes a value at use, so the database never holds it.
    Only what came from the file is touched.
    """
    now = ctx.now()
    with ctx.db.write() as conn:
        language = pages.load_page(conn).default_language
        wanted = {_identity(ctx, one): one for one in [*_on_call(conn, language), *_webhooks(conn, language)]}
        known = {(row.channel, row.audience, row.address_hash): row for row in stored.of_audiences(conn, ("operator", "oncall"))
                 if row.meta.get("source") == FROM_FILE}  # fmt: skip
        made = sum(_keep(conn, ctx, known.get(identity), identity, one, now) for identity, one in wanted.items())
        gone = [row.id for identity, row in known.items() if identity not in wanted and row.state == "active"]
        conn.execute(update(subscriptions).where(subscriptions.c.id.in_(gone)).values(state="off", off_at=now))
    return made, len(gone)


def _identity(ctx: Context, one: _Wanted) -> tuple[str, str, str]:
    return one.channel, one.audience, subscribers.address_hash(ctx, one.channel, one.found.identity)


def _on_call(conn: Connection, language: str) -> list[_Wanted]:
    out = []
    for person in pages.load_meta(conn, "on_call", []) or []:
        name, spoken = str(person.get("name", "")), person.get("language") or language
        if person.get("phone"):
            out.append(_Wanted("sms", "oncall", _phone(person["phone"]), spoken, name=name))
        elif person.get("webhook"):
            out.append(_Wanted("webhook", "oncall", _webhook(person["webhook"], ""), spoken, name=name))
        elif person.get("console"):
            out.append(_Wanted("console", "oncall", address.Address(name, name, name), spoken, name=name))
    return out


def _webhooks(conn: Connection, language: str) -> list[_Wanted]:
    return [
        _Wanted("webhook", "operator", _webhook(hook["url"], hook.get("secret", "")), language, hook.get("components") or [])
        for hook in pages.load_meta(conn, "webhooks", []) or []
    ]


def _phone(raw: str) -> address.Address:
    return address.Address(raw, raw, "(settings)") if "${" in raw else address.phone(raw, None)


def _webhook(url: str, secret: str) -> address.Address:
    if "${" not in url:
        return address.webhook(url, secret, operator=True)
    return address.Address(json.dumps({"url": url, "secret": secret}), url, "(settings)")


def _keep(
    conn: Connection, ctx: Context, row: Subscription | None, identity: tuple[str, str, str], one: _Wanted, now: datetime
) -> int:
    values: dict[str, Any] = {"components": one.components, "language": one.language, "label": one.found.label, "state": "active",
                              "off_at": None, "meta": {"source": FROM_FILE, "name": one.name}}  # fmt: skip
    if row is None:
        _insert(conn, ctx, one, identity[2], values, now)
        return 1
    text = _with_secret(one, subscribers.opened(ctx, row.address_sealed))
    values["address_sealed"] = subscribers.sealed(ctx, text)
    conn.execute(update(subscriptions).where(subscriptions.c.id == row.id).values(values))
    return int(row.state != "active")


def _with_secret(one: _Wanted, before: str = "") -> str:
    """A webhook named without a secret keeps the one that was drawn for it: its receiver knows it by now."""
    if one.channel != "webhook":
        return one.found.text
    target = json.loads(one.found.text)
    if not target["secret"]:
        target["secret"] = json.loads(before)["secret"] if before else subscribers.new_secret()
    return json.dumps(target, separators=(",", ":"))


def _insert(conn: Connection, ctx: Context, one: _Wanted, hashed: str, values: dict[str, Any], now: datetime) -> str:
    person = insert(people).values(language=one.language, time_zone="UTC", created_at=now).returning(people.c.id)
    public_id = new_public_id()
    conn.execute(insert(subscriptions).values(
        public_id=public_id, subscriber_id=conn.execute(person).scalar_one(), channel=one.channel, audience=one.audience,
        address_sealed=subscribers.sealed(ctx, _with_secret(one)), address_hash=hashed, kinds=[], notice_id=None, attempts=0,
        created_at=now, confirmed_at=now, **values,
    ))  # fmt: skip
    return public_id


def add_operator_webhook(
    ctx: Context, actor: Actor, url: str, components: Sequence[str] = (), secret: str | None = None
) -> tuple[str, str]:
    """Add a webhook that hears everything, suspected notices too; (public id, signing secret). The secret is shown once.

    It may lie in `allow_networks`. Raises InvalidInput for a malformed address, and for one with ${…}: those belong in the file.
    """
    actor.require("responder")
    if "${" in url or (secret and "${" in secret):
        message = "write the address itself here; ${env:…} works in wallet.yaml only"
        raise InvalidInput(message, "url")
    drawn = secret or subscribers.new_secret()
    found = address.webhook(url, drawn, operator=True)
    hashed = subscribers.address_hash(ctx, "webhook", found.identity)
    now = ctx.now()
    with ctx.db.write() as conn:
        one = _Wanted("webhook", "operator", found, pages.load_page(conn).default_language, sorted(set(components)))
        same = next((row for row in stored.by_address(conn, "webhook", hashed) if row.audience == "operator"), None)
        values = {"components": one.components, "language": one.language, "label": found.label, "state": "active", "off_at": None,
                  "meta": {"source": "console", "by": actor.name}}  # fmt: skip
        if same is None:
            public_id = _insert(conn, ctx, one, hashed, values, now)
        elif same.meta.get("source") == FROM_FILE and same.state == "active":
            message = "this address is in wallet.yaml already"
            raise InvalidInput(message, "url")
        else:
            public_id = same.public_id
            again = {**values, "address_sealed": subscribers.sealed(ctx, found.text)}
            conn.execute(update(subscriptions).where(subscriptions.c.id == same.id).values(again))
        audit.write(conn, now, actor.name, "webhook.add", public_id, {"components": one.components})
    return public_id, drawn


def remove_operator_webhook(ctx: Context, actor: Actor, public_id: str) -> None:
    """End a webhook that was added in the console. Raises NotFound, and InvalidInput for one that the file owns."""
    actor.require("responder")
    now = ctx.now()
    with ctx.db.write() as conn:
        row = _operators(conn, public_id)
        if row.meta.get("source") == FROM_FILE:
            message = "this address is in wallet.yaml: remove it there"
            raise InvalidInput(message, "url")
        conn.execute(update(subscriptions).where(subscriptions.c.id == row.id).values(state="off", off_at=now))
        audit.write(conn, now, actor.name, "webhook.remove", public_id)


def send_test(ctx: Context, actor: Actor, public_id: str) -> None:
    """Send a test message to one of the operators' own addresses. What came of it is in the deliveries, as a status only."""
    actor.require("responder")
    now = ctx.now()
    with ctx.db.write() as conn:
        row = _operators(conn, public_id)
        subscribers.say(conn, "test", row, {"page": subscribers.page_facts(conn)}, now, _TEST_LIFE_S)
        audit.write(conn, now, actor.name, "delivery.test", public_id)


def operator_subscriptions(ctx: Context) -> list[Subscription]:
    """The operators' and the on-call's active subscriptions, for lists."""
    with ctx.db.read() as conn:
        return [row for row in stored.of_audiences(conn, ("operator", "oncall")) if row.state == "active"]


def _operators(conn: Connection, public_id: str) -> Subscription:
    row = stored.by_public_id(conn, public_id, for_update=True)
    if row is None or row.audience == "public" or row.state != "active":
        message = "there is no such address"
        raise NotFound(message)
    return row
