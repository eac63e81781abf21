"""Drafts: made public by a person, approved by a second one where a security notice demands it, or thrown away."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select, update

from statuspage.actions import audit, components, notices, outbox
from statuspage.actions.context import Actor, Context
from statuspage.actions.notices import NoticeRef
from statuspage.actions.outbox import Said
from statuspage.errors import Conflict, InvalidInput, NotAllowed, NotFound, Words
from statuspage.store import notices as store
from statuspage.store.notices import Notice
from statuspage.store.schema.people import approvals


def publish(ctx: Context, actor: Actor, public_id: str, *, notify: bool = True) -> NoticeRef:
    """Make a draft public, with every update it has so far. Raises NotAllowed for a security notice that waits for approval."""
    actor.require("responder")
    now = ctx.now()
    with ctx.db.write() as conn:
        found = _draft(conn, public_id)
        if _waits(conn, found.id):
            message = (
                "a security notice needs a second person: ask them to approve it, or break the glass with a reason"
            )
            raise NotAllowed(message)
        audit.write(conn, now, actor.name, "notice.publish", found.number)
        return _publish(conn, ctx, found, now, actor.name, notify=notify)


def approve(ctx: Context, actor: Actor, public_id: str, *, break_glass: str = "") -> NoticeRef:
    """Approve a waiting security notice and publish it. Its author may do so only with a reason (`break_glass`), which is kept.

    Raises NotAllowed for the author without a reason, Conflict when nothing waits.
    """
    actor.require("responder")
    now = ctx.now()
    with ctx.db.write() as conn:
        found = _draft(conn, public_id)
        waiting = _waits(conn, found.id)
        if waiting is None:
            message = Words("%(number)s does not wait for approval", number=found.number)
            raise Conflict(message)
        # Not who asked but who wrote the words as they stand now: else an edit could be approved by its own author.
        if store.last_update(conn, found.id).author == actor.name and not break_glass.strip():
            message = Words("you wrote it: a second person approves, or you break the glass and say why")
            raise NotAllowed(message)
        conn.execute(
            update(approvals).where(approvals.c.notice_id == found.id, approvals.c.decided_at.is_(None))
            .values(decided_by=actor.name, decided_at=now, granted=True, break_glass=break_glass.strip())
        )  # fmt: skip
        audit.write(conn, now, actor.name, "notice.approve", found.number, {"break_glass": break_glass.strip()})
        return _publish(conn, ctx, found, now, actor.name, notify=True)


def discard(ctx: Context, actor: Actor, public_id: str) -> None:
    """Throw a draft away. Public notices are never deleted, only corrected: Raises Conflict."""
    actor.require("responder")
    now = ctx.now()
    with ctx.db.write() as conn:
        found = _draft(conn, public_id)
        store.change_notice(
            conn, found.id, {"visibility": "discarded", "status": _last(found), "resolved_at": now, "updated_at": now}
        )
        store.set_components(conn, found.id, {})
        audit.write(conn, now, actor.name, "notice.discard", found.number)


def _publish(conn: Connection, ctx: Context, found: Notice, now: datetime, actor: str, *, notify: bool) -> NoticeRef:
    updates = store.updates_of(conn, [found.id])[found.id]
    if not updates:
        message = Words("%(number)s says nothing yet", number=found.number)
        raise InvalidInput(message, "bodies")
    store.change_notice(conn, found.id, {"visibility": "public", "published_at": now, "updated_at": now, "touched": True,
                                         "confirmed_at": found.confirmed_at or now})  # fmt: skip
    touched = set(found.facts.components)
    components.refresh(conn, touched, now, source="notice", reason=found.number, actor=actor)
    current = store.by_id(conn, found.id)
    for written in updates:
        notices.publish_update(conn, ctx, current, written, touched, now)
    if notify:
        outbox.enqueue(conn, current, updates[-1], Said("declared"), now)
    return NoticeRef(current.public_id, current.number, current.version, current.visibility)


def _draft(conn: Connection, public_id: str) -> Notice:
    found = store.by_public_id(conn, public_id)
    if found is None:
        message = Words("there is no notice %(id)s", id=public_id)
        raise NotFound(message)
    if found.visibility not in {"draft", "scheduled"}:
        message = Words("%(number)s is %(state)s already", number=found.number, state=Words(found.visibility))
        raise Conflict(message)
    return found


def _waits(conn: Connection, notice_id: int) -> str | None:
    """Who asked, when an approval is still open."""
    statement = select(approvals.c.asked_by).where(approvals.c.notice_id == notice_id, approvals.c.decided_at.is_(None))
    row = conn.execute(statement).first()
    return None if row is None else str(row[0])


def _last(found: Notice) -> str:
    return {"maintenance": "cancelled", "advisory": "ended"}.get(found.kind, "resolved")
