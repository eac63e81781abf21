"""A bare WSGI callable in front of Flask: path, language and encoding to published bytes. It never touches the database.

A page that says "works" must not outlive our eyes: when live.json has not moved for 90 s, the blind twins are served instead.
Behind it, a semaphore keeps four threads free for published files, so that a slow database silences forms but never the page.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from statuspage import clock, i18n, templating
from statuspage.publish import inapp
from statuspage.publish.documents import is_feed
from statuspage.publish.feeds import TYPES, links
from statuspage.publish.files import Folder, name_of
from statuspage.publish.urls import has_twin, is_published
from statuspage.store.pages import NOTHING_APPLIED
from statuspage.web.site.context import base
from statuspage.web.site.headers import CACHE_NEVER, cache_control, is_data, security

LOG = logging.getLogger(__name__)
Environ = dict[str, Any]
Start = Callable[..., Any]

BLIND_S = 90.0
KEPT_FREE = 4  # threads that only ever serve files
_MEMORY_BYTES = 64 * 1024 * 1024
_LOOK_S = 0.2  # the manifest and live.json are looked at so often
_TRUST_S = 0.01  # an answer is given again for so long without asking the disk: the stat costs as much as the rest together
_SETTLED_S = 2
_HOT, _HOT_KEY = 2048, 300  # answers remembered; characters of a request's headers worth remembering
_TYPES = {
    ".html": "text/html; charset=utf-8", ".json": "application/json; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".rss": "application/rss+xml; charset=utf-8",
    ".atom": "application/atom+xml; charset=utf-8", ".ics": "text/calendar; charset=utf-8", ".txt": "text/plain; charset=utf-8",
}  # fmt: skip
# Pages whose query changes what they say; everywhere else a query (utm_source, a cache buster) means nothing.
_WITH_QUERY = ("/history",)


@dataclass(frozen=True, slots=True)
class Page:
    """One form of one file in memory: its bytes, and the headers of a 200 and of a 304.

    `dated`: what is for machines says when it changed, in seconds since 1970. `turns`: it has a blind twin, and so also changes
    when we lose our sight or get it back.
    """

    stamp: tuple[int, int, int]
    body: bytes
    etag: str
    headers: list[tuple[str, str]]
    headers_304: list[tuple[str, str]]
    dated: int | None
    turns: bool

    def modified_s(self, turned_s: int) -> int | None:
        """What Last-Modified names; None where nothing does. Not before that second is over: a file written twice within it
        would be called unchanged.
        """
        if self.dated is None:
            return None
        changed_s = max(self.dated, turned_s) if self.turns else self.dated
        return changed_s if clock.now().timestamp() >= changed_s + _SETTLED_S else None


class FastPath:
    """WSGI application. `want(path)` is called for a page that was rendered on request, so that it becomes a file."""

    def __init__(
        self, site: Callable[[Environ, Start], Iterable[bytes]], folder: Path, *, threads: int = 12, hsts: bool = False,
        may_ask: str = "",
        hub: str = "", want: Callable[[str], None] = lambda _path: None, now: Callable[[], datetime] = clock.now,
    ) -> None:  # fmt: skip
        self._site = site
        self._folder = Folder(folder)
        self._pages = str(self._folder.pages)
        self._hsts, self._may_ask, self._hub = hsts, may_ask, hub
        self._want = want
        self._eyes = Eyes(self._folder, now)
        self._room = threading.BoundedSemaphore(max(1, threads - KEPT_FREE))
        self._memory: OrderedDict[tuple[str, str], Page] = OrderedDict()
        self._memory_bytes = 0
        self._lock = threading.Lock()
        self._hot: dict[tuple[str, str, str], tuple[float, Page]] = {}

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        """Serve a published file, else ask Flask if there is room."""
        method = environ["REQUEST_METHOD"]
        if method in {"GET", "HEAD"}:
            page = self._find(environ)
            if page is not None:
                return self._answer(environ, start_response, page, is_head=method == "HEAD")
        return self._ask_site(environ, start_response)

    def _answer(self, environ: Environ, start_response: Start, page: Page, *, is_head: bool) -> Iterable[bytes]:
        # Date is the server's: it keeps the second's text ready, formatting one costs as much as all the rest here.
        known, modified_s = environ.get("HTTP_IF_NONE_MATCH"), page.modified_s(self._eyes.turned_s)
        dated = [("Last-Modified", formatdate(modified_s, usegmt=True))] if modified_s is not None else []
        if (known and (known == page.etag or _matches(known, page.etag))) or (
            # Only who names no tag is asked for a date: RFC 9110, 13.1.3.
            not known and modified_s is not None and _seen_s(environ.get("HTTP_IF_MODIFIED_SINCE", "")) >= modified_s
        ):
            start_response("304 Not Modified", [*page.headers_304, *dated])
            return []
        start_response("200 OK", [*page.headers, *dated])
        return [] if is_head else [page.body]

    def _find(self, environ: Environ) -> Page | None:
        path = environ.get("PATH_INFO", "/")
        query = environ.get("QUERY_STRING")
        if query and path.endswith(_WITH_QUERY):
            return None
        if query and path == inapp.ANSWER:
            return self._in_app(query)
        language, accepted = environ.get("HTTP_ACCEPT_LANGUAGE", ""), environ.get("HTTP_ACCEPT_ENCODING", "")
        asked, now = (path, language, accepted), time.monotonic()
        hot = self._hot.get(asked)
        if hot is not None and hot[0] > now:
            return hot[1]
        page = self._look_up(path, language, accepted)
        if page is not None and len(path) + len(language) + len(accepted) <= _HOT_KEY:
            if len(self._hot) >= _HOT:
                self._hot.clear()
            self._hot[asked] = now + _TRUST_S, page
        return page

    def _in_app(self, query: str) -> Page | None:
        """What concerns the asking app, chosen from the published whole: an app's question never reaches the database."""
        source = self._look_up(inapp.WHOLE, "", "")
        if source is None:
            return None
        body = _chosen(source.body, inapp.Question.read(dict(parse_qsl(query[:600]))))
        return _page(inapp.ANSWER, inapp.ANSWER, "", body, source.stamp, security(inapp.ANSWER, hsts=self._hsts))

    def _look_up(self, path: str, language: str, accepted: str) -> Page | None:
        languages, blind = self._eyes.look()
        path = _with_language(path, languages, language)
        for blindly in (True, False) if blind else (False,):
            name = _name(path, blindly)
            if name is None:
                return None
            for ending in _endings(accepted):
                page = self._load(path, name, ending)
                if page is not None:
                    return page
        return None

    def _load(self, path: str, name: str, ending: str) -> Page | None:
        """The file from memory while it is still the one on disk, else read anew. A stat costs 2 us, a hash of 60 kB 40."""
        key = (name, ending)
        file = f"{self._pages}/{name}{ending}"
        try:
            found = os.stat(file)  # noqa: PTH116 - twice as fast as Path on the hottest line there is
            stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
            known = self._memory.get(key)
            if known is not None and known.stamp == stamp:
                return known
            with open(file, "rb") as source:  # noqa: PTH123 - the same
                body = source.read()
        except OSError:
            return None
        page = _page(path, name, ending, body, stamp, security(path, hsts=self._hsts, may_ask=self._may_ask))
        if self._hub and is_feed(path):
            page.headers.append(("Link", links(self._eyes.url, path, self._hub)))
        return self._keep(key, page)

    def _keep(self, key: tuple[str, str], page: Page) -> Page:
        with self._lock:
            old = self._memory.pop(key, None)
            self._memory_bytes += len(page.body) - (len(old.body) if old else 0)
            self._memory[key] = page
            while self._memory_bytes > _MEMORY_BYTES:
                _, gone = self._memory.popitem(last=False)
                self._memory_bytes -= len(gone.body)
        return page

    def _ask_site(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        if not self._room.acquire(blocking=False):
            return self._busy(environ, start_response)
        try:
            # The body is taken whole, so that the slot is held while Flask works and not while a slow reader reads.
            answer = self._site(environ, self._noting(environ, start_response))
            try:
                return list(answer)
            finally:
                if callable(close := getattr(answer, "close", None)):
                    close()
        finally:
            self._room.release()

    def _noting(self, environ: Environ, start_response: Start) -> Start:
        """Flask's start_response, noticing pages that were rendered for a reader and could have been files."""

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:  # noqa: ANN401 - WSGI's signature
            if status.startswith("200") and environ["REQUEST_METHOD"] == "GET" and not environ.get("QUERY_STRING"):
                header = environ.get("HTTP_ACCEPT_LANGUAGE", "")
                path = _with_language(environ.get("PATH_INFO", "/"), self._eyes.look()[0], header)
                if is_published(path):
                    self._want(path)
            return start_response(status, headers, *rest)

        return start

    def _busy(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        """503 without asking anybody: a page for people, JSON for machines."""
        path = environ.get("PATH_INFO", "/")
        languages = self._eyes.look()[0]
        if path.startswith("/api/") or path.endswith(".json"):
            body, kind = b'{"error":"busy, try again","status":503}', _TYPES[".json"]
        else:
            body, kind = _busy_page(_language(path, languages, environ.get("HTTP_ACCEPT_LANGUAGE", ""))), _TYPES[".html"]
        headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("Retry-After", "5")]
        rest = [("Cache-Control", CACHE_NEVER), *security(path, hsts=self._hsts)]
        start_response("503 Service Unavailable", [*headers, *rest])
        return [body]


class Eyes:
    """Whether live.json is still being written, and which languages the page has. Reads files only."""

    def __init__(self, folder: Folder, now: Callable[[], datetime] = clock.now) -> None:
        self._folder = folder
        self._now = now
        self._live = folder.pages / "live.json"
        self._looked = float("-inf")
        self._seen = ""
        self._seen_at = time.monotonic()
        self.url = ""  # the page's public address
        self._languages: tuple[str, ...] = NOTHING_APPLIED.languages
        self._blind = False
        self._is_there = False
        self.turned_s = int(clock.now().timestamp())  # when we last lost our sight or got it back, as far as this process knows

    def look(self) -> tuple[tuple[str, ...], bool]:
        """(languages, the default first; whether we are blind), at most 0.2 s old; never that there is no live.json yet, or a new
        page would say for that long, with its first files there, that it cannot see.
        """
        if time.monotonic() - self._looked >= _LOOK_S:
            self._look()
            self._looked = time.monotonic() if self._is_there else float("-inf")
        return self._languages, self._blind

    def _look(self) -> None:
        was_blind = self._blind
        self._blind = self._is_blind()
        if self._blind != was_blind:
            self.turned_s = int(clock.now().timestamp())

    def _is_blind(self) -> bool:
        manifest = self._folder.load_manifest()
        self.url, self._languages = manifest.url, tuple(manifest.languages) or NOTHING_APPLIED.languages
        try:
            checked = str(json.loads(self._live.read_bytes()).get("checked_at") or "")
        except (OSError, ValueError):
            self._is_there = False
            return True
        self._is_there = True
        if checked != self._seen:
            self._seen, self._seen_at = checked, time.monotonic()
        # Both clocks: the wall clock knows of the time before this process, the monotonic one of a wall clock set back.
        return self._age_by_wall(checked) > BLIND_S or time.monotonic() - self._seen_at > BLIND_S

    def _age_by_wall(self, checked: str) -> float:
        try:
            return (self._now() - datetime.fromisoformat(checked)).total_seconds()
        except (ValueError, TypeError):
            return float("inf")


def _page(
    path: str, name: str, ending: str, body: bytes, stamp: tuple[int, int, int], safe: list[tuple[str, str]]
) -> Page:
    is_html = name.endswith(".html")
    etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    vary = "Accept-Encoding, Accept-Language" if is_html else "Accept-Encoding"
    kind = _TYPES[".json"] if path.startswith("/log/") else _TYPES.get("." + name.rsplit(".", 1)[-1], "text/plain")
    kind = TYPES["json"] if name.endswith(".json") and is_feed(path) else kind
    common = [("ETag", etag), ("Vary", vary), ("Cache-Control", cache_control(path)), *safe]
    headers = [("Content-Type", kind), ("Content-Length", str(len(body))), *common]
    if ending:
        headers.append(("Content-Encoding", {".br": "br", ".gz": "gzip"}[ending]))
    return Page(stamp, body, etag, headers, common, stamp[0] // 1_000_000_000 if is_data(path) else None, has_twin(path))


def _seen_s(header: str) -> float:
    """If-Modified-Since in seconds since 1970; minus infinity for what is no date."""
    try:
        return parsedate_to_datetime(header).timestamp() if header else float("-inf")
    except (ValueError, OverflowError):
        return float("-inf")


@lru_cache(maxsize=512)
def _chosen(whole: bytes, question: inapp.Question) -> bytes:
    """Apps ask the same few questions; a published whole that is no JSON (a mirror's mishap) answers none."""
    return inapp.answer(json.loads(whole), question)


def _matches(header: str, etag: str) -> bool:
    return header.strip() == "*" or etag in {tag.strip().removeprefix("W/") for tag in header.split(",")}


@lru_cache(maxsize=4096)
def _name(path: str, blind: bool) -> str | None:  # noqa: FBT001 - a cache key
    return name_of(path, blind=blind)


@lru_cache(maxsize=512)
def _endings(accepted: str) -> tuple[str, ...]:
    """File endings to try for an Accept-Encoding, best first; the plain file last."""
    allowed = {name.strip() for name, _, quality in (part.partition(";") for part in accepted[:200].split(","))
               if quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}}  # fmt: skip
    return (*(ending for name, ending in (("br", ".br"), ("gzip", ".gz")) if name in allowed), "")


@lru_cache(maxsize=4096)
def _with_language(path: str, languages: tuple[str, ...], header: str) -> str:
    """The path with the language it is published under. Feeds without one are in the default language for everybody."""
    first = path[1:].partition("/")[0]
    if first in languages:
        return path
    if is_feed(path):
        return f"/{languages[0]}{path}"
    if path.startswith(("/api/", "/static/", "/log")) or path.endswith((".json", ".svg", ".txt", ".js")):
        return path
    return f"/{i18n.negotiate(header, languages)}{path}"


def _language(path: str, languages: tuple[str, ...], header: str) -> str:
    first = path[1:].partition("/")[0]
    return first if first in languages else i18n.negotiate(header, languages)


@lru_cache(maxsize=8)
def _busy_page(language: str) -> bytes:
    context = base(NOTHING_APPLIED, language, None)
    return templating.render(language, "site/busy.html", **context).encode()
