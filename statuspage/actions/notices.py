"""Declaring, updating and resolving notices of every kind: one transaction writes the fact, its proof, its outbox row and
the publisher's change. Acknowledged means committed; nothing is sent or rendered here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from statuspage.actions import audit, components, outbox, publication
from statuspage.actions.context import Actor, Context
from statuspage.actions.outbox import EVERYONE, MACHINES, Said
from statuspage.domain import lifecycle, notice, notice_checks
from statuspage.domain.notice import Draft, Facts
from statuspage.errors import Conflict, InvalidInput, NotFound, Words
from statuspage.store import components as component_store
from statuspage.store import notices, pages
from statuspage.store.notices import Notice, Update
from statuspage.store.schema.people import approvals
from statuspage.store.schema.runtime import idempotency_keys


@dataclass(frozen=True, slots=True)
class NoticeRef:
    """What a caller needs to go on with a notice. `version` goes back with the next form, so that a stale one is refused."""

    public_id: str
    number: str
    version: int
    visibility: str

    def to_json(self) -> dict[str, Any]:
        """For the command line, the API and idempotent answers."""
        return {
            "public_id": self.public_id,
            "number": self.number,
            "version": self.version,
            "visibility": self.visibility,
        }


@dataclass(frozen=True, slots=True)
class Step:
    """How one update enters a notice. `said` None: nobody is told (a draft, a backfill, or the author's wish)."""

    author: str
    by_machine: bool
    said: Said | None
    corrects_id: int | None = None
    monitors: tuple[dict[str, Any], ...] = ()


def declare(
    ctx: Context, actor: Actor, draft: Draft, *, remind_before_s: tuple[int, ...] = (), demo: bool = False
) -> NoticeRef:
    """Open a notice. With `draft.idempotency_key` a repeated call returns the first answer; the same key with another draft is
    a Conflict. A security notice by an operator waits as a draft for a second person (actions.approvals).

    Raises InvalidInput, NotAllowed, Conflict, Unavailable.
    """
    actor.require("responder")
    now = ctx.now()
    with ctx.db.write() as conn:
        return _once(
            conn, draft, now,
            lambda: open_notice(conn, ctx, actor, draft, now, remind_before_s=remind_before_s, demo=demo),
        )  # fmt: skip


def open_notice(
    conn: Connection,
    ctx: Context,
    actor: Actor,
    draft: Draft,
    now: datetime,
    *,
    remind_before_s: tuple[int, ...] = (),
    demo: bool = False,
    said: Said | None = None,
    monitors: tuple[dict[str, Any], ...] = (),
) -> NoticeRef:
    """`declare` inside a transaction of the caller: how machines open suspected notices."""
    draft = _checked(conn, draft)
    facts = notice_checks.default_times(draft.facts, draft.occurred_at or now)
    facts = replace(
        facts, impact=draft.facts.impact if draft.facts.impact != "none" else notice_checks.impact_for(facts)
    )
    if not actor.is_machine:
        facts = replace(facts, confirmed_at=facts.confirmed_at or draft.occurred_at or now)
    needs_second = (
        facts.kind == "security" and draft.visibility == "public" and not actor.is_machine and draft.source != "import"
    )
    visibility = "draft" if needs_second else draft.visibility
    at = draft.occurred_at or now
    notice_id = notices.insert_notice(conn, {
        "public_id": _free_id(conn), "number": _free_number(conn), "kind": facts.kind, "status": facts.status,
        "visibility": visibility, "source": draft.source, "facts": facts.to_json(), "impact": facts.impact,
        "touched": not actor.is_machine, "demo": demo, "backfilled": draft.occurred_at is not None,
        "created_at": at, "updated_at": at, "detected_at": facts.started_at if actor.is_machine else None,
        "started_at": facts.started_at, "confirmed_at": facts.confirmed_at, "resolved_at": facts.resolved_at,
        "scheduled_for": facts.scheduled_for, "scheduled_until": facts.scheduled_until, "next_update_by": facts.next_update_by,
        "remind_before_s": sorted(remind_before_s, reverse=True), "reminded": [], "created_by": actor.name, "version": 0,
    })  # fmt: skip
    if needs_second:
        conn.execute(insert(approvals).values(notice_id=notice_id, asked_by=actor.name, asked_at=now, break_glass=""))
    said = said or Said("declared")
    step = Step(
        actor.name, actor.is_machine, said if draft.notify and not draft.occurred_at else None, monitors=monitors
    )
    return append(conn, ctx, notices.by_id(conn, notice_id), replace(draft, facts=facts), step, now)


def update(ctx: Context, actor: Actor, public_id: str, draft: Draft, expected_version: int | None = None, *,
           corrects_id: int | None = None) -> NoticeRef:  # fmt: skip
    """Append an update: `draft.facts` are the facts as they shall be from now on. A person's update confirms a suspected notice.

    Raises NotFound, Conflict (forbidden step, or `expected_version` is not the notice's), InvalidInput, NotAllowed, Unavailable.
    """
    actor.require("responder")
    now = ctx.now()
    with ctx.db.write() as conn:

        def appended() -> NoticeRef:
            found = _existing(conn, public_id, expected_version)
            return append(conn, ctx, found, _checked(conn, draft), _step(actor, found, draft, corrects_id), now)

        return _once(conn, draft, now, appended)


def resolve(ctx: Context, actor: Actor, public_id: str, bodies: dict[str, str], expected_version: int | None = None, *,
            notify: bool = True) -> NoticeRef:  # fmt: skip
    """Close a notice with its last words: the final status of its kind, no claims on components any more."""
    found = _read(ctx, public_id)
    last = {"maintenance": "completed", "advisory": "ended"}.get(found.kind, "resolved")
    facts = replace(found.facts, status=last, components={}, next_update_by=None, eta_at=None, eta_confidence="none")
    return update(ctx, actor, public_id, Draft(facts, bodies, notify=notify), expected_version)


def append(conn: Connection, ctx: Context, found: Notice, draft: Draft, step: Step, now: datetime) -> NoticeRef:
    """Write one update with everything that hangs on it. The only way a notice's public facts change."""
    lifecycle.check_step(found.kind, found.status, draft.facts.status)
    at = draft.occurred_at or now
    facts = notice_checks.default_times(draft.facts, at)
    if not step.by_machine:
        facts = replace(facts, confirmed_at=facts.confirmed_at or at)
    visibility = found.visibility if found.version else draft.visibility if found.visibility != "draft" else "draft"
    is_public = visibility == "public"
    touched_ids = set(found.facts.components) | set(facts.components)
    before = component_store.load(conn, touched_ids)
    if not lifecycle.is_final(found.kind, facts.status):
        # The last claims stay with an ended notice: its component's page lists it, and uptime knows whose maintenance it was.
        notices.set_components(conn, found.id, facts.components)
    notices.change_notice(conn, found.id, _projection(found, facts, step, at, is_public=is_public))
    if is_public and not found.backfilled:
        components.refresh(conn, touched_ids, now, source="notice", reason=found.number, actor=step.author)
    changes = _changes(before, found.facts if found.version else None, facts)
    update_id = notices.insert_update(conn, {
        "public_id": notice.new_public_id(), "notice_id": found.id, "sequence": found.version + 1, "status": facts.status,
        "bodies": draft.bodies, "facts": facts.to_json(), "changes": changes, "display_at": at, "created_at": now,
        "author": step.author, "by_machine": step.by_machine, "notify": step.said is not None, "corrects_id": step.corrects_id,
    })  # fmt: skip
    current = notices.by_id(conn, found.id)
    written = notices.last_update(conn, found.id)
    if is_public:
        publish_update(conn, ctx, current, written, touched_ids, now)
        if step.said:
            outbox.enqueue(conn, current, written, step.said, now, monitors=list(step.monitors))
    if not step.by_machine:
        what = "notice.update" if found.version else "notice.declare"
        audit.write(conn, now, step.author, what, found.number, {"status": facts.status, "visibility": visibility})
    assert written.id == update_id  # noqa: S101 - the sequence is unique per notice; a mismatch must roll back
    return NoticeRef(current.public_id, current.number, current.version, current.visibility)


def publish_update(
    conn: Connection, ctx: Context, current: Notice, written: Update, component_ids: set[str], now: datetime
) -> None:
    """Sign the update into the log and tell the publisher."""
    publication.sign_update(conn, ctx.keys, current, written, now)
    notices.add_change(conn, {"notices": [current.public_id], "components": sorted(component_ids)}, now)


def _projection(found: Notice, facts: Facts, step: Step, at: datetime, *, is_public: bool) -> dict[str, Any]:
    values: dict[str, Any] = {
        "status": facts.status, "facts": facts.to_json(), "impact": facts.impact, "started_at": facts.started_at,
        "confirmed_at": facts.confirmed_at, "resolved_at": facts.resolved_at, "scheduled_for": facts.scheduled_for,
        "scheduled_until": facts.scheduled_until, "next_update_by": facts.next_update_by, "updated_at": at,
        "version": found.version + 1, "touched": found.touched or not step.by_machine,
    }  # fmt: skip
    if is_public and found.published_at is None:
        values["published_at"] = at
    if facts.resolved_at:
        values["recovered_at"] = None
    return values


def _changes(before: dict[str, component_store.Component], old: Facts | None, new: Facts) -> dict[str, list[str]]:
    """{component id: [status before this update, status this notice now claims]}; what it lets go of goes back to operational."""
    claimed = old.components if old else {}
    out: dict[str, list[str]] = {}
    for component_id in sorted({*claimed, *new.components}):
        was = claimed.get(component_id) or (before[component_id].status if component_id in before else "operational")
        out[component_id] = [was, new.components.get(component_id, "operational")]
    return out


def _step(actor: Actor, found: Notice, draft: Draft, corrects_id: int | None) -> Step:
    """Who hears it: what only machines were told may end without waking the public's phones."""
    is_last = lifecycle.is_final(found.kind, draft.facts.status)
    event = "resolved" if is_last else "confirmed" if found.is_suspected and not actor.is_machine else "updated"
    channels = MACHINES if found.is_suspected and (is_last or actor.is_machine) else ()
    return Step(actor.name, actor.is_machine, Said(event, EVERYONE, channels) if draft.notify else None, corrects_id)


def _checked(conn: Connection, draft: Draft) -> Draft:
    page = pages.load_page(conn)
    known = component_store.load(conn, list(draft.facts.components)) if draft.facts.components else {}
    return notice_checks.checked(draft, page.languages, known)


def _existing(conn: Connection, public_id: str, expected_version: int | None) -> Notice:
    found = notices.by_public_id(conn, public_id)
    if found is None:
        message = Words("there is no notice %(id)s", id=public_id)
        raise NotFound(message)
    if expected_version is not None and expected_version != found.version:
        message = Words(
            "someone else updated %(number)s meanwhile: read their update, then send yours again", number=found.number
        )
        raise Conflict(message)
    return found


def _read(ctx: Context, public_id: str) -> Notice:
    with ctx.db.read() as conn:
        return _existing(conn, public_id, None)


def _once(conn: Connection, draft: Draft, now: datetime, make: Callable[[], NoticeRef]) -> NoticeRef:
    """What `make` makes, or the answer that the draft's idempotency key has got before. Raises Conflict."""
    if not draft.idempotency_key:
        return make()
    request = _request_hash(draft)
    if answer := _answered(conn, draft.idempotency_key, request):
        return answer
    ref = make()
    values = {"key": draft.idempotency_key, "request_hash": request, "answer": ref.to_json(), "at": now}
    conn.execute(insert(idempotency_keys).values(values))
    return ref


def _request_hash(draft: Draft) -> str:
    said = {
        "facts": draft.facts.to_json(),
        "bodies": draft.bodies,
        "notify": draft.notify,
        "visibility": draft.visibility,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _answered(conn: Connection, key: str, request: str) -> NoticeRef | None:
    row = conn.execute(select(idempotency_keys).where(idempotency_keys.c.key == key)).mappings().first()
    if row is None:
        return None
    if row["request_hash"] != request:
        message = Words("the idempotency key %(key)s was used for another request; use a new one", key=repr(key))
        raise Conflict(message)
    return NoticeRef(**row["answer"])


def _free_id(conn: Connection) -> str:
    while notices.is_taken(conn, public_id=(candidate := notice.new_public_id())):
        pass
    return candidate


def _free_number(conn: Connection) -> str:
    """Draw until free. With 30^4 numbers (810,000) a wallet with ten notices a week meets its first redraw after decades."""
    for _ in range(100):
        candidate = notice.new_number()
        if not notices.is_taken(conn, number=candidate):
            return candidate
    message = "no free notice number"
    raise InvalidInput(message)
