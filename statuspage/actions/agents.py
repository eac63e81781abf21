"""Agents: added and revoked by people, and what they deliver put aside for the checker, each batch once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta

from statuspage.actions import audit
from statuspage.actions.context import Actor, Context
from statuspage.actions.limits import Limit, take
from statuspage.actions.specs import spec_of
from statuspage.clock import to_ms
from statuspage.domain import agents as domain
from statuspage.domain.agents import Delivery
from statuspage.errors import Conflict, NotAllowed, NotFound, Unavailable
from statuspage.store import agents as store
from statuspage.store import monitors, notices, pages
from statuspage.store.agents import Agent

REQUESTS = Limit("agent", 600, 60)  # one a second while all is well; a backlog comes in fewer, larger ones
FORGET_BOOT = timedelta(days=30)  # far longer than a spool lasts or a signature is good
MAX_BACKLOG = 50_000  # batches; beyond it agents keep theirs: nobody has judged for hours
SEEN = timedelta(seconds=10)  # how often a sign of life is worth a write
PUSHED_IN = frozenset({"heartbeat"})  # kinds that come to the server by themselves: no agent can look


class Revoked(NotAllowed):
    """The agent is not (any more) one of ours."""


def add(ctx: Context, actor: Actor, name: str, region: str) -> str:
    """Add an agent; the line it needs, which is shown once and not kept.

    Raises InvalidInput, Conflict for a name in use (a revoked one may be used again).
    """
    actor.require("admin")
    line, public_key = domain.new_key(name)
    domain.check_region(region)
    now = ctx.now()
    with ctx.db.write() as conn:
        known = store.by_id(conn, name, lock=True)
        if known is not None and known.revoked_at is None:
            message = f"there is an agent {name} in {known.region}: revoke it first, or choose another name"
            raise Conflict(message)
        store.put(conn, {"id": name, "region": region, "public_key": public_key, "created_at": now})
        audit.write(conn, now, actor.name, "agent.add", name, {"region": region})
    return line


def revoke(ctx: Context, actor: Actor, name: str) -> None:
    """Take an agent's right to report away, at once. Its results stay. Raises NotFound."""
    actor.require("admin")
    now = ctx.now()
    with ctx.db.write() as conn:
        known = store.by_id(conn, name, lock=True)
        if known is None or known.revoked_at is not None:
            message = f"no agent {name}"
            raise NotFound(message)
        store.change(conn, name, revoked_at=now)
        audit.write(conn, now, actor.name, "agent.revoke", name)


@dataclass(frozen=True, slots=True)
class Received:
    """How many batches were new, and how many had come before."""

    accepted: int
    duplicates: int


def receive(ctx: Context, agent_id: str, delivery: Delivery) -> Received:
    """Put what is new aside for the checker and note that it has come, in one transaction: each batch counts once.

    Raises Revoked, TooOften, Unavailable when far too much waits already.
    """
    now = ctx.now()
    received_ms = to_ms(now)
    rows = []
    with ctx.db.write() as conn:
        agent = store.by_id(conn, agent_id, lock=True)
        if agent is None or agent.revoked_at is not None:
            raise Revoked(agent_id)
        take(conn, ctx.keys.seal, REQUESTS, agent_id, now)
        if store.backlog(conn) > MAX_BACKLOG:
            message = "what came before was not judged yet; keep it and try again"
            raise Unavailable(message)
        for batch in delivery.batches:
            known = store.load_boot(conn, agent_id, batch.boot)
            boot, is_new = domain.receive(known, batch.sequence, received_ms - batch.now_ms)
            if known is None:
                store.forget_boots(conn, agent_id, now - FORGET_BOOT)
            if is_new:
                store.save_boot(conn, agent_id, batch.boot, boot, now)
                results = [each.to_json() for each in batch.corrected(boot.offset_ms, received_ms, agent.region)]
                rows.append({"agent_id": agent_id, "region": agent.region, "boot": batch.boot, "sequence": batch.sequence,
                             "results": results})  # fmt: skip
        store.add_batches(conn, rows)
        store.change(
            conn, agent_id, seen_at=now, waiting=max(0, delivery.waiting - len(delivery.batches)), dropped=delivery.dropped,
            clock_ms=received_ms - delivery.batches[-1].now_ms,
        )  # fmt: skip
    return Received(len(rows), len(delivery.batches) - len(rows))


def seen(ctx: Context, agent: Agent) -> None:
    """Note a sign of life, if the last one is not quite new."""
    now = ctx.now()
    if agent.seen_at is None or now - agent.seen_at > SEEN:
        with ctx.db.write() as conn:
            store.change(conn, agent.id, seen_at=now)


@dataclass(frozen=True, slots=True)
class Assignments:
    """What an agent is to watch: the body of the answer, and a tag that changes with it."""

    body: bytes
    tag: str


class Board:
    """Assignments by region, made anew only when something public changed: an agent asks every few seconds."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._made: dict[str, tuple[int, Assignments]] = {}

    def of(self, region: str) -> Assignments:
        """What agents in `region` are to watch."""
        with self._ctx.db.read() as conn:
            newest = notices.last_change(conn)
            made_at, made = self._made.get(region, (-1, Assignments(b"", "")))
            if made_at == newest:
                return made
            specs = [
                spec_of(monitor).to_json() for monitor in monitors.active(conn).values()
                if monitor.kind not in PUSHED_IN and monitor.is_watched_from(region)
            ]  # fmt: skip
            self_test = list((pages.load_meta(conn, "defaults", {}) or {}).get("self_test", []))
        data = {"version": domain.WIRE_VERSION, "region": region, "specs": specs, "self_test": self_test}
        body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
        made = Assignments(body, hashlib.sha256(body).hexdigest()[:20])
        self._made[region] = (newest, made)
        return made
