"""Composition root of the loops."""

from __future__ import annotations

import threading
from collections.abc import Callable

from probes import guard
from probes.engine import Engine
from probes.result import CheckResult
from probes.secrets_at_use import Vault
from probes.spec import ProbeSpec
from statuspage.actions import heartbeats
from statuspage.actions.context import Context
from statuspage.channels.message import Services
from statuspage.channels.printer import Printer
from statuspage.channels.safehttp import GuardedSession, Sessions
from statuspage.publish.publisher import Publisher
from statuspage.settings import Settings
from statuspage.worker import mirrors
from statuspage.worker import publisher as publishing
from statuspage.worker.checker import Checker, EngineLike
from statuspage.worker.deliverer import Deliverer
from statuspage.worker.election import election
from statuspage.worker.loops import Loop
from statuspage.worker.scheduler import OPERATORS_OWN, Scheduler
from statuspage.worker.websub import Hub


def loops(settings: Settings, ctx: Context, publisher: Publisher | None, *, probing: bool) -> list[Loop]:
    """The loops of this process: `publisher` renders to its own disk, `probing` probes, schedules and delivers."""
    found: list[Loop] = []
    if publisher:
        published = threading.Event()
        ctx.db.on_commit(published.set)
        hub = Hub(settings.websub_hub, GuardedSession(guard.operator_policy(OPERATORS_OWN)), ctx.now)
        found.append(Loop("publisher", lambda stop: publishing.run(ctx, publisher, stop, published, hub.tell)))
        found.append(Loop("mirrors", lambda stop: mirrors.run(ctx, settings.public_dir, stop)))
        if settings.websub_hub:
            found.append(Loop("websub", hub.run))
    if probing:
        said = threading.Event()
        ctx.db.on_commit(said.set)
        deliverer = Deliverer(
            ctx,
            _services(settings, ctx),
            drain_s=settings.drain_s,
            beat=lambda: heartbeats.beat(ctx.db, "deliverer", ctx.now()),
            # With SQLite all processes are on this host, and the kernel gives a dead one's lock to the next.
            is_alone=election(ctx, "deliverer", settings.data).is_leader if ctx.db.is_sqlite else lambda: False,
        )
        found += [
            Loop("checker", Checker(ctx, election(ctx, "checker", settings.data), _engine).run),
            Loop("scheduler", Scheduler(ctx, settings, election(ctx, "scheduler", settings.data)).run),
            Loop("deliverer", lambda stop: deliverer.run(stop, said)),
        ]
    return found


def _engine(specs: list[ProbeSpec], results: Callable[[list[CheckResult]], None], self_test: list[str]) -> EngineLike:
    return Engine(specs, results, self_test)


def _services(settings: Settings, ctx: Context) -> Services:
    return Services(
        sessions=Sessions(), printer=Printer(settings.data / "console-messages.log"), resolve=lambda text: Vault().resolve(text),
        vapid=ctx.keys.vapid, now=ctx.now,
    )  # fmt: skip
