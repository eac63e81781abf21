"""Asking the worker to run one monitor now."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import insert, select

from statuspage.actions import audit
from statuspage.actions.context import Actor, Context
from statuspage.errors import NotFound, Words
from statuspage.store.schema.catalogue import monitors
from statuspage.store.schema.runtime import run_requests

STALE = timedelta(minutes=1)


def ask(ctx: Context, actor: Actor, monitor_id: str) -> int:
    """Write a request row that the worker serves; its id. A second press while one waits brings no second run."""
    actor.require("responder")
    now = ctx.now()
    with ctx.db.write() as connection:
        found = select(monitors.c.id).where(monitors.c.id == monitor_id, monitors.c.archived_at.is_(None))
        if connection.scalar(found) is None:
            message = Words("there is no monitor %(id)s", id=monitor_id)
            raise NotFound(message)
        waiting = connection.scalar(
            select(run_requests.c.id)
            .where(run_requests.c.monitor_id == monitor_id, run_requests.c.done_at.is_(None),
                   run_requests.c.asked_at > now - STALE)
        )  # fmt: skip
        if waiting is not None:
            return int(waiting)
        values = {"monitor_id": monitor_id, "asked_by": actor.name, "asked_at": now}
        request_id = connection.execute(insert(run_requests).values(values).returning(run_requests.c.id)).scalar_one()
        audit.write(connection, now, actor.name, "monitor.run", monitor_id)
        return int(request_id)
