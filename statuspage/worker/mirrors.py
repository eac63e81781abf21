"""Keeping mirrors and the integrity list as new as the published files."""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path

from statuspage.actions.context import Context
from statuspage.errors import Unavailable
from statuspage.publish import mirrors
from statuspage.publish.files import Folder
from statuspage.store import pages

LOG = logging.getLogger(__name__)

POLL_S = 0.25
AGAIN_S = 300.0  # a mirror that cannot be written is complained of once in so long


def run(ctx: Context, root: Path, stop: threading.Event) -> None:
    """Follow the public folder `root` until `stop`: every published cycle is on the mirrors a quarter of a second later."""
    keeper = Keeper(ctx, root)
    while not stop.wait(POLL_S):
        keeper.look()


class Keeper:
    """What the loop does each time it looks."""

    def __init__(self, ctx: Context, root: Path) -> None:
        self._ctx, self._root = ctx, root
        self._integrity = mirrors.Integrity(root, mirrors.signer(ctx.keys.signing))
        self._seen: tuple[int, int] = (0, 0)
        self._targets: list[str] = []
        self._complained: dict[str, float] = {}

    def look(self) -> bool:
        """Bring everything up to date if anything was published since the last look; whether it was."""
        now = (_changed(self._root / "manifest.json"), _changed(self._root / "pages" / "live.json"))
        if now == self._seen:
            return False
        try:
            with self._ctx.db.read() as conn:
                told = pages.load_meta(conn, "mirrors", []) or []
            self._targets = [str(one["folder"]) for one in told if one.get("folder")]
        except Unavailable:
            LOG.info("mirrors as last known: the database does not answer")
        if now[0] != self._seen[0]:
            self._integrity.update(Folder(self._root).load_manifest().url)
        for target in self._targets:
            self._sync(target)
        self._seen = now
        return True

    def _sync(self, target: str) -> None:
        try:
            mirrors.sync(self._root, Path(target))
        except OSError as error:
            if time.monotonic() - self._complained.get(target, float("-inf")) >= AGAIN_S:
                LOG.error("mirror %s is not up to date: %s", target, error.strerror or error)  # noqa: TRY400 - no fault of ours
                self._complained[target] = time.monotonic()
        else:
            self._complained.pop(target, None)


def _changed(path: Path) -> int:
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 - four times a second, for ever
    except OSError:
        return 0
