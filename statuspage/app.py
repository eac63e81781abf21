"""Composition root: where the parts of one process are wired, started and stopped."""

from __future__ import annotations

import importlib
import logging
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from flask import Flask

from probes.secrets_at_use import Vault
from statuspage import demo_files
from statuspage.actions import configured_subscribers, maintenance, operators, publication
from statuspage.actions.context import COMMAND_LINE, Context
from statuspage.config import check, plan
from statuspage.errors import SettingsError, StatuspageError, Unavailable
from statuspage.loading import loading
from statuspage.publish.publisher import Publisher, call
from statuspage.settings import Settings
from statuspage.web import crowd
from statuspage.web.agents import agents_blueprint
from statuspage.web.callbacks import callbacks_blueprint
from statuspage.web.console.services import Services as ConsoleServices
from statuspage.web.fastpath import FastPath
from statuspage.web.pings import pings_blueprint
from statuspage.web.reports import reports_blueprint
from statuspage.web.site.app import create_site
from statuspage.web.site.services import Services as SiteServices
from statuspage.web.subscribe import subscribe_blueprint
from statuspage.worker.loops import Supervisor

log = logging.getLogger(__name__)

Say = Callable[[str], None]
_PATIENCE_S = 30.0
_ANSWERS_S = 3.0  # what answers under way get at the end
# Loaded once the page is being served: a third of a start, and no reader needs them. The demo's parts: only for a demo.
_CONSOLE, _WORKER = "statuspage.web.console.app", "statuspage.worker.main"
_DEMO, _DEMO_DATA = "statuspage.demo.service", "statuspage.actions.demo_data"


@dataclass(frozen=True)
class Parts:
    """What this process does."""

    web: bool = True
    worker: bool = True
    demo: bool = False


@dataclass
class Running:
    """What must be stopped, in the order in which it was started."""

    servers: list[Any] = field(default_factory=list)  # waitress publishes no types
    supervisor: Supervisor | None = None
    demo: Any = None  # a demo.service.Demo


def run(settings: Settings, ctx: Context, parts: Parts, *, say: Say) -> int:
    """Start `parts`, serve until SIGTERM or SIGINT, stop in order; the exit code. SIGHUP applies wallet.yaml again."""
    running = Running()
    stop = threading.Event()
    try:
        _on_signals(
            stop, lambda: reconfigure(settings, ctx, parts)
        )  # first: a stop while starting is a stop, not a crash
        with loading():
            start(settings, ctx, parts, running, say)
        while not stop.wait(0.5):
            pass
    finally:
        shut_down(running, settings.drain_s)
        ctx.db.close()
    return 0


def start(settings: Settings, ctx: Context, parts: Parts, running: Running, say: Say) -> None:
    """Bring everything up, the page first: what is not a file yet is rendered on request while the publisher makes the files."""
    _patiently(lambda: apply_configuration(settings, ctx, parts))
    publisher = _serve_page(settings, ctx, running) if parts.web else None
    if parts.demo:
        running.demo = importlib.import_module(_DEMO).start_in_thread(
            "127.0.0.1", settings.demo_port, settings.data / "demo", settings.demo_tls_port
        )
    worker = importlib.import_module(_WORKER)
    running.supervisor = Supervisor(worker.loops(settings, ctx, publisher, probing=parts.worker))
    running.supervisor.start()
    if parts.web:
        console = importlib.import_module(_CONSOLE).create_console(ConsoleServices(ctx, settings, is_demo=parts.demo))
        _answer(_listen(running, console, settings.console_host, settings.console_port, 4), settings.console_port)
        _patiently(lambda: greet(settings, ctx, parts, say))
    if parts.demo:
        seed = importlib.import_module(_DEMO_DATA).seed
        threading.Thread(target=seed, args=(ctx, ctx.now()), name="demo history", daemon=True).start()


def _patiently(step: Callable[[], None]) -> None:
    """Do `step`, again while the database is held: who starts beside a long write waits for it. Raises Unavailable."""
    give_up = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return step()
        except Unavailable as error:
            if time.monotonic() > give_up:
                raise
            log.warning("waiting for the database: %s", error)
            time.sleep(0.5)


def _serve_page(settings: Settings, ctx: Context, running: Running) -> Publisher:
    fast, publisher = public_page(settings, ctx)
    server = _listen(running, fast, settings.host, settings.port, settings.threads)
    # Who asks meanwhile waits in the socket's queue: made beside the imports that follow, a first page would take twice as long.
    call(fast, "/")
    _answer(server, settings.port)
    return publisher


def public_page(settings: Settings, ctx: Context) -> tuple[FastPath, Publisher]:
    """What a WSGI server serves to the public, and the publisher that keeps its files up to date."""
    site = create_public_site(settings, ctx)
    look = f"{settings.websub_hub} {settings.report_days} {settings.region}"
    publisher = Publisher(ctx.db, site.wsgi_app, settings.public_dir, ctx.now, look=look)
    fast = FastPath(
        site,
        settings.public_dir,
        threads=settings.threads,
        hsts=settings.hsts,
        now=ctx.now,
        want=publisher.want,
        may_ask=settings.browser_test_url,
        hub=settings.websub_hub,
    )
    return fast, publisher


def create_public_site(settings: Settings, ctx: Context) -> Flask:
    """The public Flask application with every blueprint: rendered into files and served for what needs a form."""
    site = create_site(SiteServices(ctx.db, settings, ctx.now))
    site.register_blueprint(subscribe_blueprint(ctx, settings))
    site.register_blueprint(reports_blueprint(ctx, settings))
    site.register_blueprint(agents_blueprint(ctx))
    site.register_blueprint(callbacks_blueprint(ctx, lambda text: Vault().resolve(text)))
    site.register_blueprint(pings_blueprint(ctx))
    return site


def apply_configuration(settings: Settings, ctx: Context, parts: Parts) -> None:
    """Apply wallet.yaml. At start a bad file ends the process; a running page is never taken down by one (`reconfigure`)."""
    path = Path(settings.config) if settings.config else demo_files.path() if parts.demo else None
    if path:
        found, problems = (
            check.check(path) if settings.config else check.check_text(demo_files.text(settings), str(path))
        )
        for problem in problems:
            log.log(logging.ERROR if problem.severity == check.ERROR else logging.WARNING, "%s", problem)
        if found is None:
            message = f"{path} has errors; nothing was changed. `statuspage config check {path}` lists them"
            raise SettingsError(message)
        plan.apply(ctx, COMMAND_LINE, found)
        log.info("%s applied", path)
    configured_subscribers.sync_configured(ctx)
    publication.announce_key(ctx)
    maintenance.refresh_all(ctx)


def reconfigure(settings: Settings, ctx: Context, parts: Parts) -> None:
    """SIGHUP: apply the file if it is good, else say what is wrong and go on as before."""
    try:
        apply_configuration(settings, ctx, parts)
    except StatuspageError as error:
        log.error("configuration not applied: %s", error)  # noqa: TRY400 - the message says what to mend


def greet(settings: Settings, ctx: Context, parts: Parts, say: Say) -> None:
    """Tell whoever started us where everything is."""
    link = operators.create_first(ctx)
    if link is None and parts.demo:
        link = operators.new_sign_in_link(ctx, COMMAND_LINE, "admin")
    console = settings.console_url or f"http://127.0.0.1:{settings.console_port}"
    say(f"Status page   http://{settings.host}:{settings.port}/")
    say(f"Console       {console}/")
    if link:
        say(f"  sign in once as admin: {console}/sign-in/link?token={link}")
    if parts.demo:
        say(
            f"Demo wallet   http://127.0.0.1:{settings.demo_port}/   break it: .venv/bin/statuspage demo break transfers"
        )


def _listen(running: Running, wsgi: object, host: str, port: int, threads: int) -> Any:  # noqa: ANN401 - waitress publishes no types
    server = crowd.listen(wsgi, host, port, threads)
    running.servers.append(server)
    return server


def _answer(server: Any, port: int) -> None:  # noqa: ANN401 - the same
    threading.Thread(target=server.run, name=f"web:{port}", daemon=True).start()


def _on_signals(stop: threading.Event, reload: Callable[[], None]) -> None:
    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    def again(_number: int, _frame: FrameType | None) -> None:
        threading.Thread(target=reload, name="reconfigure", daemon=True).start()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGHUP, again)


def shut_down(running: Running, drain_s: float) -> None:
    """Stop taking requests, let deliveries under way end, then the rest."""
    began = time.monotonic()
    for server in running.servers:
        # First the threads: one that still answers would wake a loop that is gone.
        server.task_dispatcher.shutdown(timeout=_ANSWERS_S)
        server.close()
    late = running.supervisor.stop(drain_s) if running.supervisor else []
    if late:
        log.warning("not ended within %.0f s: %s", drain_s, ", ".join(late))
    if running.demo:
        running.demo.stop()
    log.info("stopped in %.1f s", time.monotonic() - began)
