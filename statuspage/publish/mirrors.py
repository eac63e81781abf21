"""A second place for the published files: a folder that another server, or rsync, takes from; and the list that proves it whole.

integrity.json names every file with its SHA-256, signed with the key of the log: whoever serves a copy cannot change a word of it
unnoticed. Files are replaced whole, live.json last but for the list, so that a reader never sees news before their pages.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from statuspage.domain import signing
from statuspage.publish.files import FRESH, INTEGRITY, PAGES

Sign = Callable[[str], tuple[str, str]]  # text -> (key id, signature)
# What changes with every check says of itself when that was; a list that named it would be stale every five seconds.
_LIVE = ("live.json", "live.blind.json")
_LEFT_OVER = ".new"


@dataclass(frozen=True, slots=True)
class _Found:
    """One file as the disk has it."""

    size: int
    mtime_ns: int


def signer(private: bytes) -> Sign:
    """Signs with `private`, the key of the log."""
    key_id = signing.key_id(signing.public_key(private))
    return lambda text: (key_id, signing.sign(private, text))


class Integrity:
    """Keeps pages/integrity.json of one public folder true. Hashes only what changed since the last time."""

    def __init__(self, root: Path, sign: Sign) -> None:
        self._pages = root / PAGES
        self._sign = sign
        self._known: dict[str, tuple[_Found, str]] = {}

    def update(self, url: str) -> bool:
        """Write the list anew if a file changed; whether it did. `url`: the page's, so that no copy passes for another's."""
        files: dict[str, str] = {}
        known: dict[str, tuple[_Found, str]] = {}
        for name, found in walk(self._pages):
            if name in _LIVE or name == INTEGRITY:
                continue
            before = self._known.get(name)
            try:
                digest = before[1] if before and before[0] == found else _digest(self._pages / name)
            except FileNotFoundError:
                continue  # taken away since
            known[name], files[name] = (found, digest), digest
        self._known = known
        payload = signing.canonical({"v": 1, "url": url, "files": files})
        path = self._pages / INTEGRITY
        if _payload_of(path) == payload:
            return False
        key_id, signature = self._sign(payload)
        body = json.dumps({"payload": payload, "key_id": key_id, "signature": signature}, ensure_ascii=False)
        _replace(path, body.encode())
        return True


def check(root: Path, public_keys: dict[str, str]) -> list[str]:
    """What is wrong with a copy: files that are missing, altered or not in the list; [integrity.json] when that is forged."""
    pages = root / PAGES
    try:
        data = json.loads((pages / INTEGRITY).read_text(encoding="utf-8"))
        signed = signing.verify(public_keys[data["key_id"]], data["payload"], data["signature"])
        files: dict[str, str] = json.loads(data["payload"])["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return [INTEGRITY]
    if not signed:
        return [INTEGRITY]
    here = {name for name, _ in walk(pages) if name not in _LIVE and name != INTEGRITY}
    wrong = [name for name, digest in files.items() if name in here and _digest(pages / name) != digest]
    return sorted({*wrong, *(here ^ set(files))})


def sync(source: Path, target: Path) -> int:
    """Make `target` hold what the public folder `source` holds; how many files were written or removed.

    Raises OSError: FileNotFoundError when `target` does not exist, since a disk that is not mounted must not be filled unseen.
    """
    if not target.is_dir():
        raise FileNotFoundError(target)
    changed = 0
    for part in (PAGES, FRESH):
        here, there = dict(walk(source / part)), dict(walk(target / part))
        for name in sorted(here, key=_order):
            if here[name] != there.get(name):
                changed += _copy(source / part / name, target / part / name)
        for name in set(there) - set(here):
            (target / part / name).unlink(missing_ok=True)
            changed += 1
    return changed


def _order(name: str) -> tuple[int, str]:
    """Assets, pages, data, what is polled, the list."""
    if name == INTEGRITY:
        return 4, name
    if name in _LIVE:
        return 3, name
    return (0 if name.startswith("static/") else 1 if ".html" in name else 2), name


def walk(folder: Path) -> Iterator[tuple[str, _Found]]:
    """(name below `folder`, what the disk says of it) of every file; nothing when there is no such folder."""
    waiting = [(folder, "")]
    while waiting:
        where, prefix = waiting.pop()
        try:
            entries = list(os.scandir(where))
        except FileNotFoundError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append((Path(entry.path), f"{prefix}{entry.name}/"))
            elif not entry.name.endswith(_LEFT_OVER):
                try:
                    found = entry.stat()
                except FileNotFoundError:
                    continue  # taken away since
                yield f"{prefix}{entry.name}", _Found(found.st_size, found.st_mtime_ns)


def _copy(source: Path, target: Path) -> int:
    """Copy whole or not at all, with the time that makes the next comparison cheap; 0 when the source has gone meanwhile."""
    try:
        found = source.stat()
        body = source.read_bytes()
    except FileNotFoundError:
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    _replace(target, body, found.st_mtime_ns)
    return 1


def _replace(path: Path, body: bytes, mtime_ns: int | None = None) -> None:
    temporary = path.with_name(path.name + _LEFT_OVER)
    temporary.write_bytes(body)
    temporary.chmod(0o644)
    if mtime_ns is not None:
        os.utime(temporary, ns=(mtime_ns, mtime_ns))
    temporary.replace(path)


def _payload_of(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["payload"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
