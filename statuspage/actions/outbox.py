"""What must be said, written with the fact it says: one outbox row with a frozen payload, expanded later by the deliverer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select

from statuspage.actions import subscribers
from statuspage.clock import to_ms
from statuspage.domain import delivery, reports
from statuspage.store import components, pages
from statuspage.store.notices import Notice, Update
from statuspage.store.reports import Signal
from statuspage.store.schema.delivery import outbox

EVERYONE = ("public", "operator")
ON_CALL = ("oncall",)
# A suspected notice is a machine's word: it wakes machines and the on-call, not the public's phones.
MACHINES = ("webhook",)


@dataclass(frozen=True, slots=True)
class Said:
    """What an outbox row is about: `event` declared | confirmed | updated | resolved | reminder | suspected | recovered |
    overdue | overrun; `audiences` and `channels` bound who hears it (no channels: all of them).
    """

    event: str
    audiences: tuple[str, ...] = EVERYONE
    channels: tuple[str, ...] = ()
    kind: str = "notice_update"


def enqueue(
    conn: Connection,
    notice: Notice,
    update: Update,
    said: Said,
    now: datetime,
    *,
    monitors: list[dict[str, Any]] | None = None,
) -> int:
    """Write the outbox row; its id."""
    facts = update.facts
    page = pages.load_page(conn)
    # What an update lets go of concerns its readers as well: they must hear that it works again.
    named = components.load(conn, sorted({*facts.components, *update.changes}))
    payload = {
        "event": said.event, "suspected": notice.is_suspected, "public_id": notice.public_id, "number": notice.number,
        "kind": notice.kind, "sequence": update.sequence, "update_id": update.public_id, "facts": facts.to_json(),
        "bodies": update.bodies, "changes": update.changes, "at": to_ms(update.display_at),
        "created_at": to_ms(notice.created_at),
        "backfilled": notice.backfilled, "monitors": monitors or [],
        "components": {
            item.id: {"public_id": item.public_id, "names": item.names, "group_names": item.group_names, "status": item.status}
            for item in named.values()
        },
        "page": {
            "public_id": page.public_id, "name": page.name, "url": page.url, "time_zone": page.time_zone,
            "languages": list(page.languages),
        },
    }  # fmt: skip
    life = delivery.life(
        said.kind if said.kind == "page_oncall" else said.event, facts.impact, now, eta_at=facts.eta_at,
        next_update_by=facts.next_update_by, scheduled_for=facts.scheduled_for,
    )  # fmt: skip
    values = {
        "kind": said.kind, "notice_id": notice.id, "update_id": update.id, "sequence": update.sequence,
        "audiences": list(said.audiences), "channels": list(said.channels), "urgency": _urgency(said, facts.impact),
        "payload": payload, "cursor": 0, "created_at": now, "expires_at": now + life,
    }  # fmt: skip
    return int(conn.execute(insert(outbox).values(values).returning(outbox.c.id)).scalar_one())


def _urgency(said: Said, impact: str) -> int:
    """0 is claimed first: the on-call, then the worst news, then the rest."""
    if said.kind == "page_oncall":
        return 0
    return {"critical": 1, "major": 2}.get(impact, 3) + (1 if said.event in {"reminder", "resolved"} else 0)


def page_of_reports(conn: Connection, signal: Signal, names: dict[str, str], now: datetime) -> int:
    """Write the row that tells the on-call what readers report; its id. `names`: the symptom by language tag.

    Numbers and our own word for the symptom only: what reporters wrote stays in the console, behind a sign-in.
    """
    payload = {
        "event": "reports", "symptom": signal.symptom, "names": names, "count": signal.count, "usual": signal.usual,
        "window_min": reports.WINDOW // timedelta(minutes=1), "since": to_ms(signal.since_at), "at": to_ms(now),
        "page": subscribers.page_facts(conn),
    }  # fmt: skip
    values = {
        "kind": "page_oncall", "notice_id": None, "update_id": None, "sequence": 0, "audiences": list(ON_CALL), "channels": [],
        "urgency": 0, "payload": payload, "cursor": 0, "created_at": now,
        "expires_at": now + delivery.life("page_oncall", "none", now),
    }  # fmt: skip
    return int(conn.execute(insert(outbox).values(values).returning(outbox.c.id)).scalar_one())


def was_paged(conn: Connection, symptom: str, since: datetime) -> bool:
    """True when the on-call was told of reports of `symptom` at or after `since`."""
    about_none = outbox.c.notice_id.is_(None)
    statement = select(outbox.c.payload).where(outbox.c.kind == "page_oncall", about_none, outbox.c.created_at >= since)
    return any(row[0].get("symptom") == symptom for row in conn.execute(statement))


def was_said(conn: Connection, notice_id: int, event: str, since: datetime) -> bool:
    """True when a row with this `event` was written for the notice at or after `since`."""
    statement = select(outbox.c.payload).where(outbox.c.notice_id == notice_id, outbox.c.created_at >= since)
    return any(row[0]["event"] == event for row in conn.execute(statement))
