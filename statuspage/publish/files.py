"""Published files: where a path lies, writing it whole or not at all, and the manifest that says how far we have come.

A file and its compressed forms are replaced one by one, each atomically, so a crash may leave a new page beside an old .gz: both
are whole pages that were true. Nothing relies on them being equal (an ETag is made from the bytes that are sent), and the next
start, which renders again what the manifest does not count as published, mends the old one.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

import brotli  # type: ignore[import-untyped]

from statuspage import clock

PAGES, FRESH = "pages", "fresh"
INTEGRITY = "integrity.json"  # below pages: the signed list of all the others
FRESH_S, WINDOW_S = 90, 10
_SMALL = 600  # bytes below which compression saves nothing on the wire
_KNOWN = re.compile(r"(?:/\.well-known)?(?:/[A-Za-z0-9_~-]+)*(?:/|\.(?:json|rss|atom|ics|css|js|svg|txt|blind))?")
_BROTLI_QUALITY, _GZIP_LEVEL = 5, 6
_ENDINGS = {".br": ".br", ".gz": ".gz"}


def name_of(path: str, *, blind: bool = False) -> str | None:
    """File name below `pages/` for a URL path; None for a path that cannot be a file of ours."""
    if len(path) > 200 or not _KNOWN.fullmatch(path):
        return None
    name = path[1:]
    if name.endswith(".blind"):
        return f"{name}.html"  # the twin by its own name: pages hold it ready for when nobody answers
    if not name or name.endswith("/"):
        name += "index.html"
    elif "." not in name.rsplit("/", 1)[-1]:
        name += ".html"
    if not blind:
        return name
    stem, _, ending = name.rpartition(".")
    return f"{stem}.blind.{ending}"


def path_of(name: str) -> str | None:
    """The URL path of a file name; None for twins, compressed forms and leftovers."""
    if name.endswith((".gz", ".br", ".new")) or ".blind." in name or name == INTEGRITY:
        return None
    if name.endswith("index.html"):
        return "/" + name.removesuffix("index.html")
    return "/" + name.removesuffix(".html")


@dataclass
class Manifest:
    """`seq`: every change up to it is on disk. `pending`: still to be rendered. `look`, `day`: for which all was rendered.

    `url`: the page's public address, for headers that must name it.
    """

    seq: int = 0
    look: str = ""
    day: str = ""
    url: str = ""
    languages: list[str] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)


class Folder:
    """The folder of published files. One writer; any number of readers, also ones that know only file names."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.pages = root / PAGES
        self._digests: dict[str, bytes] = {}
        self._seconds: dict[str, int] = {}
        # fsync waits for the disk; eight at a time share one journal commit.
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="publish-fsync")

    def close(self) -> None:
        """End the threads that write."""
        self._pool.shutdown()

    def load_manifest(self) -> Manifest:
        """The manifest as last written; an empty one when there is none that can be read."""
        try:
            data = json.loads((self.root / "manifest.json").read_text(encoding="utf-8"))
            return Manifest(**{name: data[name] for name in Manifest.__dataclass_fields__ if name in data})
        except (OSError, ValueError, TypeError):
            return Manifest()

    def save_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest."""
        self.pages.mkdir(parents=True, exist_ok=True)
        self._replace(self.root / "manifest.json", json.dumps(asdict(manifest), separators=(",", ":")).encode())

    def write(self, bodies: dict[str, bytes]) -> list[str]:
        """Write files (name -> bytes) with their compressed forms; names of those that had changed. The others are left alone."""
        changed = {name: body for name, body in bodies.items() if not self._is_written(name, body)}
        jobs: list[tuple[Path, bytes, int]] = []
        for name, body in changed.items():
            path = self.pages / name
            path.parent.mkdir(parents=True, exist_ok=True)
            second = self._next_second(name)
            jobs.append((path, body, second))
            for ending, packed in _packed(body).items():
                jobs.append((path.with_name(path.name + ending), packed, second))
            if len(body) < _SMALL:
                for ending in _ENDINGS:
                    path.with_name(path.name + ending).unlink(missing_ok=True)
        list(self._pool.map(lambda job: self._replace(*job), jobs))
        self._digests.update({name: hashlib.sha256(body).digest() for name, body in changed.items()})
        return list(changed)

    def _next_second(self, name: str) -> int:
        """A whole second that no version of this file nor of its twin bears yet.

        A web server that makes an ETag from size and date (nginx: whole seconds) would call two versions of one second and size
        the same, and tell a reader of the first one for as long as nothing changes that nothing has changed.
        """
        key = name.replace(".blind.", ".")
        if key not in self._seconds:
            stem, _, ending = key.rpartition(".")
            forms = (self.pages / key, self.pages / f"{stem}.blind.{ending}")
            self._seconds[key] = max((int(path.stat().st_mtime) for path in forms if path.exists()), default=0)
        second = self._seconds[key] = max(int(clock.now().timestamp()), self._seconds[key] + 1)
        return second

    def _is_written(self, name: str, body: bytes) -> bool:
        endings = ("", *_ENDINGS) if len(body) >= _SMALL else ("",)
        if not all((self.pages / (name + ending)).exists() for ending in endings):
            return False  # never written, or taken away by somebody
        if name not in self._digests:
            plain = (self.pages / name).read_bytes()
            if len(body) >= _SMALL and not self._agree(name, plain):
                return False
            self._digests[name] = hashlib.sha256(plain).digest()
        return bool(self._digests[name] == hashlib.sha256(body).digest())

    def _agree(self, name: str, plain: bytes) -> bool:
        """Whether the compressed forms say what `plain` says: a crash may have left an old one, which would stay for good."""
        try:
            zipped = gzip.decompress((self.pages / f"{name}.gz").read_bytes())
            return bool(zipped == plain == brotli.decompress((self.pages / f"{name}.br").read_bytes()))
        except (OSError, EOFError, brotli.error):
            return False

    def remove(self, name: str) -> None:
        """Take a file and its compressed forms away: what it said is no longer public."""
        self._digests.pop(name, None)
        for ending in ("", *_ENDINGS):
            (self.pages / (name + ending)).unlink(missing_ok=True)

    def mark_fresh(self, checked_at: datetime | None) -> None:
        """Leave one empty file for each 10 s during which the pages may still be believed, and take the past ones away.

        A web server that serves the files by itself cannot read live.json, but can ask whether a file of the present exists: when
        we are gone, nobody makes the next one, and it serves the blind twins. The last window ends within 90 s of the last check.
        """
        if checked_at is None:
            return
        first = int(checked_at.timestamp())
        wanted = {str(window) for window in range(first // WINDOW_S, (first + FRESH_S) // WINDOW_S)}
        folder = self.root / FRESH
        folder.mkdir(parents=True, exist_ok=True)
        there = {path.name for path in folder.iterdir()}
        for name in wanted - there:
            (folder / name).touch()
        for name in there - wanted:
            (folder / name).unlink(missing_ok=True)

    def has(self, path: str) -> bool:
        """Whether a URL path is a file."""
        name = name_of(path)
        return name is not None and (self.pages / name).exists()

    def known(self) -> Iterable[str]:
        """URL paths of everything that is on disk."""
        for path in sorted(self.pages.rglob("*")):
            if path.is_file() and (found := path_of(path.relative_to(self.pages).as_posix())):
                yield found

    @staticmethod
    def _replace(path: Path, body: bytes, second: int | None = None) -> None:
        temporary = path.with_name(path.name + ".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            if second is not None:
                os.utime(file.fileno(), (second, second))
            os.fsync(file.fileno())
        temporary.replace(path)


def _packed(body: bytes) -> dict[str, bytes]:
    if len(body) < _SMALL:
        return {}
    # mtime=0: the same page gives the same bytes.
    return {".gz": gzip.compress(body, _GZIP_LEVEL, mtime=0), ".br": brotli.compress(body, quality=_BROTLI_QUALITY)}
