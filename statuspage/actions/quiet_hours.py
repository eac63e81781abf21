"""Which claimed messages may ring now, and which wait for their reader's morning."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from statuspage.actions.context import Context
from statuspage.actions.deliveries import Outcome
from statuspage.domain import night
from statuspage.domain.night import MORNING, Night
from statuspage.store import deliveries as stored
from statuspage.store.deliveries import Job

_MORNING_COMES = "waits for the reader's morning"


def by_day(ctx: Context, jobs: Sequence[Job], hours: Mapping[str, Any]) -> tuple[list[Job], list[Outcome]]:
    """(those that may ring now, what became of the others). `hours`: the meta row quiet_hours.

    What waits is worth sending until a little after the night, however short its life was; its job is marked `waited`.
    """
    with ctx.db.read() as conn:
        told = stored.told(conn, [job for job in jobs if job.audience == "public"])
    now, found = ctx.now(), Night.read(hours)
    ringing, waiting = [], []
    for job in jobs:
        morning = quiet_until(job, found, job.created_at, told)
        lives_until = max(job.expires_at, morning + MORNING) if morning else job.expires_at
        kept = replace(job, expires_at=lives_until, waited=morning is not None and now >= morning)
        until = quiet_until(job, found, now, told)
        # What was begun before must end: whether the supplier has it would be forgotten.
        if until is None or job.is_ambiguous:
            ringing.append(kept)
        elif until < lives_until:
            waiting.append(Outcome(job, "queued", error_class=stored.NIGHT, error=_MORNING_COMES, next_try_at=until))
        else:
            waiting.append(Outcome(job, "expired"))
    return ringing, waiting


def quiet_until(job: Job, hours: Night, at: datetime, told: Collection[int]) -> datetime | None:
    """When `job` may ring if it comes up at `at`: None for then. Only news to the public wait; `told` are ids as `stored.told`.

    Whoever has heard nothing of a notice yet hears its first word as one that begins: an update took that one's place.
    """
    if job.audience != "public" or job.kind != "notice_update":
        return None
    payload = job.payload
    if payload.get("event") == "updated" and job.id not in told:
        payload = {**payload, "event": "declared"}
    zone = night.zone_of(job.time_zone, str(payload["page"]["time_zone"]))
    return night.quiet_until(at, zone, hours, str(job.meta.get("night", "")), is_urgent=night.is_urgent(payload))
