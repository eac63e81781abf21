"""Calendar work: APScheduler gives the ticks, our own tables say what is due. A missed, doubled or late tick changes nothing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, timedelta

from apscheduler.schedulers.background import BackgroundScheduler

from probes import guard
from statuspage import clock
from statuspage.actions import (
    configured_windows,
    heartbeats,
    maintenance,
    reports,
    rollups,
    subscriber_retention,
    verification,
)
from statuspage.actions.context import Context
from statuspage.channels.safehttp import GuardedSession
from statuspage.errors import DeliveryError, Unavailable
from statuspage.settings import Settings
from statuspage.store import monitors, pages
from statuspage.worker.election import Election

log = logging.getLogger(__name__)

FRESH = timedelta(seconds=90)
_LOOK_S, _BEAT_S = 1.0, 5.0
_LEAP_S = 2.0  # the wall clock against the one that nobody sets: it was set
# The outside heartbeat and the hub are the operator's own settings and may well stand in the operator's own network.
OPERATORS_OWN = ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")


@dataclass(frozen=True)
class Job:
    """One calendar job: every `every_s` seconds, on the elected scheduler only."""

    name: str
    every_s: int
    run: Callable[[Context, Settings], object]


def _maintenance(ctx: Context, _settings: Settings) -> object:
    return maintenance.tick(ctx)


def _nag(ctx: Context, _settings: Settings) -> object:
    return maintenance.nag(ctx)


def _sweep(ctx: Context, _settings: Settings) -> object:
    return maintenance.sweep(ctx)


def _windows(ctx: Context, _settings: Settings) -> object:
    return configured_windows.plan_ahead(ctx)


def _roll_hours(ctx: Context, _settings: Settings) -> object:
    return rollups.roll_hours(ctx.db, ctx.now())


def _roll_days(ctx: Context, _settings: Settings) -> object:
    with ctx.db.read() as conn:
        zone = pages.load_page(conn).time_zone
    return rollups.roll_days(ctx.db, ctx.now(), zone)


def _forget_people(ctx: Context, _settings: Settings) -> object:
    count = 0
    while found := subscriber_retention.forget_stale(ctx):
        count += found
    return count


def _forget_counts(ctx: Context, _settings: Settings) -> object:
    count = 0
    while found := subscriber_retention.forget_counts(ctx):
        count += found
    return count


def _forget(ctx: Context, settings: Settings) -> object:
    return rollups.forget(ctx.db, ctx.now(), raw_days=settings.raw_days, block_days=settings.block_days)


def _watch_reports(ctx: Context, _settings: Settings) -> object:
    return reports.watch(ctx)


def _forget_reports(ctx: Context, settings: Settings) -> object:
    return reports.forget(ctx, settings.report_days)


def _heartbeat(ctx: Context, settings: Settings) -> object:
    """Tell the outside that we see and speak; silence is what raises the alarm there."""
    if not settings.heartbeat_url or stale_loops(ctx):
        return None
    try:
        with GuardedSession(guard.operator_policy(OPERATORS_OWN)) as session:
            return session.get(settings.heartbeat_url).status_code
    except DeliveryError as error:
        log.warning("outside heartbeat failed: %s", error)
        return None


def _check_log(ctx: Context, settings: Settings) -> object:
    """At start and every hour: a log that somebody altered is an alarm, and its head is not taken for the true one."""
    found = verification.glance(ctx, verification.remembered(settings.data))
    if not found.is_whole:
        log.error("the signed log is broken at entry %s (%s): `statuspage doctor` says more", found.broken_at, found.reason)
    return found


def _remember_log(ctx: Context, settings: Settings) -> object:
    verification.remember(ctx, settings.data)
    return None


JOBS: tuple[Job, ...] = (
    Job("maintenance", 5, _maintenance),
    Job("sweep", 20, _sweep),
    Job("nag", 30, _nag),
    Job("reports", 20, _watch_reports),
    Job("heartbeat", 60, _heartbeat),
    Job("roll_days", 60, _roll_days),
    Job("roll_hours", 300, _roll_hours),
    Job("windows", 300, _windows),
    Job("forget", 3600, _forget),
    Job("forget_people", 3600, _forget_people),
    Job("log", 3600, _check_log),
    Job("log_head", 60, _remember_log),
    Job("forget_counts", 3600, _forget_counts),
    Job("forget_reports", 3600, _forget_reports),
)


def stale_loops(ctx: Context) -> list[str]:
    """Loops whose last finished work is too old: reasons to call ourselves blind."""
    now = ctx.now()
    with ctx.db.read() as conn:
        seen = monitors.beats(conn)
        watched = bool(monitors.active(conn))
    wanted = ["deliverer", "publisher", *(["checker"] if watched else [])]
    return [name for name in wanted if name not in seen or now - seen[name] > FRESH]


class Scheduler:
    """Runs JOBS while elected. The memory store on purpose: SQL job stores pickle, and may drop jobs they cannot read."""

    def __init__(self, ctx: Context, settings: Settings, election: Election) -> None:
        self._ctx = ctx
        self._settings = settings
        self._election = election

    def run(self, stop: threading.Event) -> None:
        """Tick until `stop`."""
        ticker = BackgroundScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        for job in JOBS:
            ticker.add_job(self._guarded, "interval", seconds=job.every_s, args=[job], id=job.name)
        ticker.start()
        try:
            for job in JOBS:
                self._guarded(job)
            offset_s, beaten_s = _offset_s(), 0.0
            while not stop.wait(_LOOK_S):
                if abs(_offset_s() - offset_s) > _LEAP_S:
                    offset_s = _offset_s()
                    self._catch_up(ticker)
                if time.monotonic() - beaten_s >= _BEAT_S:
                    beaten_s = time.monotonic()
                    self._beat()
        finally:
            ticker.shutdown(wait=False)
            self._election.resign()

    @staticmethod
    def _catch_up(ticker: BackgroundScheduler) -> None:
        """APScheduler counts on the wall clock: set back by a day, it would rest for a day. Every job is due now instead."""
        log.warning("the wall clock was set: every calendar job runs now")
        for job in ticker.get_jobs():
            job.modify(next_run_time=clock.now())

    def _guarded(self, job: Job) -> None:
        began = time.monotonic()
        try:
            if self._election.is_leader():
                job.run(self._ctx, self._settings)
        except Unavailable as error:
            log.warning("job %s waits: %s", job.name, error)
        except Exception:
            log.exception("job %s failed", job.name)
        took_s = time.monotonic() - began
        if took_s > job.every_s:
            log.warning("job %s took %.1f s", job.name, took_s)

    def _beat(self) -> None:
        try:
            heartbeats.beat(self._ctx.db, "scheduler", self._ctx.now())
        except Unavailable as error:
            log.warning("heartbeat waits: %s", error)


def _offset_s() -> float:
    """How far the wall clock is from the one that nobody can set."""
    return clock.now().timestamp() - time.monotonic()
