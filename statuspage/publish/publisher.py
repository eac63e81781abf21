"""The publisher: from committed changes to files, in one snapshot a cycle.

Order within a cycle: assets and pages, feeds and JSON, live.json, then the manifest with the sequence. A crash at any point
leaves each file old or new, and the manifest's old sequence makes the next start render the same again.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from statuspage import clock
from statuspage.domain.reports import SHOWN, hour_of
from statuspage.publish import assets, documents, urls
from statuspage.publish.files import Folder, Manifest, name_of, path_of
from statuspage.publish.snapshot import Snapshot, using
from statuspage.publish.urls import Wanted
from statuspage.store import notices, public, reports
from statuspage.store.database import Database

LOG = logging.getLogger(__name__)
Site = Callable[..., Iterable[bytes]]  # a WSGI application

AS_OF_S = 60.0  # the index is rendered at most so often for its "as of" alone
LIVE_S = 5.0  # live.json at most so often for the time of the last check alone
SLICE_S = 2.0  # background rendering per cycle, which begins by reading every component; a change ends it at once
PART = 8  # pages between two looks for a change
MOST_WANTED = 1000


@dataclass(frozen=True, slots=True)
class Counts:
    """What one cycle did. `seq`: the newest change that is on disk. `pending`: paths left for the next cycles.

    `feeds`: public addresses of the feeds whose bytes are new.
    """

    rendered: int = 0
    written: int = 0
    removed: int = 0
    failed: int = 0
    pending: int = 0
    seq: int = 0
    feeds: tuple[str, ...] = ()


class Publisher:
    """Renders what changed through `site` (a WSGI application, called without a socket) into `folder`. Use from one thread.

    `now` is the wall clock that pages show. `look` names what else than templates all pages depend on: a setting, say.
    """

    def __init__(
        self, db: Database, site: Site, folder: Path, now: Callable[[], datetime] = clock.now, *, look: str = ""
    ) -> None:
        self._db = db
        self._site = site
        self._now = now
        self._also = look
        self._folder = Folder(folder)
        self._manifest: Manifest | None = None
        self._as_of = self._lived = float("-inf")
        self._checked_at: datetime | None = None
        self._hour: datetime | None = None
        self._rising: frozenset[str] = frozenset()  # after a restart the first hour renders what may have fallen meanwhile
        self._asked: set[str] = set()
        self._failed: set[str] = set()
        self._lock = threading.Lock()

    def want(self, path: str) -> None:
        """Ask for a page that is not on disk; any thread may. Beyond 1,000 unanswered wishes the rest is served as it is."""
        with self._lock:
            if len(self._asked) < MOST_WANTED:
                self._asked.add(path)

    def close(self) -> None:
        """End the threads that write."""
        self._folder.close()

    def run_once(self) -> Counts:
        """One cycle. Raises Unavailable when the database does not answer: what is on disk stays."""
        manifest = self._manifest or self._folder.load_manifest()
        with self._db.read() as conn:
            change = public.changes_since(conn, manifest.seq)
            if not manifest.look:
                # The first start: what is current is published now, an old notice once somebody asks for it.
                change = public.Change(change.seq, page=True)
            checked_at = public.checked_at(conn)
            if not self._is_due(manifest, change, checked_at):
                return Counts(seq=manifest.seq, pending=len(manifest.pending))
            held = Snapshot(conn, public.load(conn, self._now()))
            counts = self._publish(held, manifest, change)
        self._manifest, self._checked_at = manifest, checked_at
        return counts

    def _is_due(self, manifest: Manifest, change: public.Change, checked_at: datetime | None) -> bool:
        if self._manifest is None or change.seq != manifest.seq or manifest.pending or self._asked:
            return True
        age = time.monotonic() - self._lived
        return (checked_at != self._checked_at and age >= LIVE_S) or age >= AS_OF_S

    def _publish(self, held: Snapshot, manifest: Manifest, change: public.Change) -> Counts:
        wanted = self._wanted(held, manifest, change)
        urgent = [path for path in urls.in_order(wanted) if wanted[path] < urls.BACKGROUND]
        later = [path for path in urls.in_order(wanted) if wanted[path] == urls.BACKGROUND]
        tally = _Tally()
        for rank in (urls.ASSETS, urls.PAGES, urls.JSON):
            self._render(held, [path for path in urgent if wanted[path] == rank], tally)
        self._render(held, [urls.LIVE], tally)
        self._folder.mark_fresh(held.view.checked_at)
        self._lived = time.monotonic()
        if f"/{held.view.page.default_language}/" in wanted:
            self._as_of = self._lived
        # What failed is tried again every minute: the change as such counts as published, or one bad page would hold the
        # sequence back for ever.
        manifest.seq, manifest.languages = change.seq, list(held.view.page.languages)
        manifest.look, manifest.day, manifest.url = self._look(), _day(held), held.view.page.url
        manifest.pending = later
        self._folder.save_manifest(manifest)
        if later:
            self._background(held, manifest, tally)
        return Counts(tally.rendered, tally.written, tally.removed, tally.failed, len(manifest.pending), manifest.seq,
                      tuple(f"{manifest.url}{path}" for path in tally.feeds))  # fmt: skip

    def _look(self) -> str:
        return assets.look_hash() + self._also

    def _wanted(self, held: Snapshot, manifest: Manifest, change: public.Change) -> Wanted:
        """Everything to render in this cycle. A higher rank (lower number) wins where several reasons name a path."""
        with self._lock:
            asked, self._asked = self._asked, set()
        reasons = [urls.background((*manifest.pending, *sorted(asked))), urls.dependents(held, change)]
        if change.page or any(urls.notice_of(held, public_id) is None for public_id in change.notices):
            # Also of a component that was removed, or of a notice withdrawn from feeds that only it could have named.
            reasons.append(urls.background(filter(documents.depends_on_page, self._folder.known())))
        if manifest.look != self._look():
            reasons += [urls.background(self._folder.known()), urls.everything(held)]
        if manifest.day != _day(held):
            reasons.append(urls.of_day(held.view))
        reasons += self._passing(held)
        if time.monotonic() - self._as_of >= AS_OF_S:
            reasons.append({f"/{language}/": urls.PAGES for language in held.view.page.languages})
            reasons.append(urls.background(sorted(self._failed)))
            self._failed.clear()
        wanted: Wanted = {}
        for reason in reasons:
            for path, rank in reason.items():
                wanted[path] = min(rank, wanted.get(path, rank))
        wanted.pop(urls.LIVE, None)
        for path in [path for path, rank in wanted.items() if rank == urls.KEPT]:
            if self._folder.has(path):
                wanted[path] = urls.BACKGROUND
            else:
                del wanted[path]
        return wanted

    def _passing(self, held: Snapshot) -> Iterator[Wanted]:
        """What moves without a change that was published: the hour, and what readers report."""
        if self._hour != (hour := held.view.now.replace(minute=0, second=0, microsecond=0)):
            self._hour = hour
            # One hour more than the trend shows: what falls out of it must leave the page.
            reported = reports.hours(held.conn, hour_of(hour) - SHOWN - 1)
            yield urls.of_hour(held.view, reported)
        if self._rising != (rising := frozenset(reports.signals(held.conn))):
            yield urls.of_rising(held.view, rising ^ self._rising)
            self._rising = rising

    def _background(self, held: Snapshot, manifest: Manifest, tally: _Tally) -> None:
        """Render from the front of `pending` for a while, or until something changed; what is left waits for the next cycle."""
        until = time.monotonic() + SLICE_S
        while manifest.pending:
            part, manifest.pending = manifest.pending[:PART], manifest.pending[PART:]
            self._render(held, part, tally)
            if time.monotonic() >= until or self._has_news(manifest.seq):
                break
        self._folder.save_manifest(manifest)

    def _has_news(self, seq: int) -> bool:
        """Whether a change was committed that the cycle's own snapshot cannot see."""
        with self._db.read() as conn:
            return notices.last_change(conn) != seq

    def _render(self, held: Snapshot, paths: list[str], tally: _Tally) -> None:
        """Render `paths` and their blind twins, and write them together."""
        bodies: dict[str, bytes] = {}
        blinded = held.blinded()
        for path in paths:
            for moment, blind in ((held, False), (blinded, True)):
                name = name_of(path, blind=blind)
                if name is None or (blind and not urls.has_twin(path)):
                    continue
                with using(moment):
                    code, body = call(self._site, path)
                tally.rendered += 1
                if code == 200:
                    bodies[name] = body
                elif code in {404, 410}:
                    self._folder.remove(name)
                    tally.removed += 1
                elif code >= 500:
                    self._failed.add(path)
                    LOG.error("page %s could not be rendered (%d); the one on disk stays", path, code)
                    tally.failed += 1
        changed = self._folder.write(bodies)
        tally.written += len(changed)
        tally.feeds += [path for path in map(path_of, changed) if path and documents.is_feed(path)]


@dataclass
class _Tally:
    rendered: int = 0
    written: int = 0
    removed: int = 0
    failed: int = 0
    feeds: list[str] = field(default_factory=list)


def _day(held: Snapshot) -> str:
    return held.view.now.astimezone(ZoneInfo(held.view.page.time_zone)).date().isoformat()


def call(site: Site, path: str) -> tuple[int, bytes]:
    """Ask a WSGI application for `path` without a socket: (status code, body)."""
    codes: list[int] = []

    def start_response(status: str, _headers: Any, _error: Any = None) -> None:  # noqa: ANN401 - WSGI's signature
        codes.append(int(status[:3]))

    environ = {
        "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "published.invalid",
        "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.version": (1, 0), "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(), "wsgi.errors": sys.stderr, "wsgi.multithread": False, "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }  # fmt: skip
    answer = site(environ, start_response)
    try:
        return codes[-1], b"".join(answer)
    finally:
        if callable(close := getattr(answer, "close", None)):
            close()
