"""To which open notice a failing monitor belongs: what fails for one reason is one notice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from urllib.parse import urlsplit

from sqlalchemy import Connection

from statuspage.domain import suppliers
from statuspage.domain.judgement import ancestors
from statuspage.domain.suppliers import Keys, keys_of, registrable
from statuspage.store import judgements, monitors, pages
from statuspage.store import notices as store
from statuspage.store.monitors import Monitor
from statuspage.store.notices import Notice

STORM_WINDOW = timedelta(seconds=60)


class Kin:
    """Who hangs together with whom: read once for a transaction, and only when something fails."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    @cached_property
    def _active(self) -> dict[str, Monitor]:
        return monitors.active(self._conn)

    @cached_property
    def keys(self) -> dict[str, Keys]:
        """What each active monitor shares with others."""
        dialled = judgements.dialled(self._conn)
        return {
            item.id: keys_of(item.supplier, item.target, dialled.get(item.id, "")) for item in self._active.values()
        }

    @cached_property
    def _everyone(self) -> Counter[str]:
        return Counter(key for keys in self.keys.values() for key in keys)

    @cached_property
    def _own_domain(self) -> str:
        return registrable(urlsplit(pages.load_page(self._conn).url).hostname or "")

    def shared(self, monitor_ids: Collection[str]) -> list[str]:
        """What makes failures of these monitors one finding, the surest first; nothing for a single one."""
        if len(monitor_ids) < 2:
            return []
        keys = [self.keys[name] for name in sorted(monitor_ids) if name in self.keys]
        return suppliers.shared(keys, self._everyone, self._own_domain)

    def is_one_finding(self, monitor_id: str, others: Collection[str]) -> bool:
        """Whether a monitor fails together with `others` because of something that it shares with one of them."""
        mine = self.keys.get(monitor_id, frozenset())
        found = set(self.shared({monitor_id, *others})) & mine
        return any(found & self.keys.get(other, frozenset()) for other in others if other != monitor_id)

    def is_above(self, monitor_id: str, others: Collection[str]) -> bool:
        """Whether one of `others` depends on a monitor."""
        parents = {item.id: item.depends_on for item in self._active.values()}
        return any(monitor_id in ancestors(other, parents) for other in others)


def place(
    conn: Connection, monitors_: Sequence[Monitor], opened: Sequence[Notice], policy: str, now: datetime
) -> tuple[dict[int, list[Monitor]], list[Monitor]]:
    """({notice id: monitors}, those without a home) of monitors that have just failed.

    A monitor goes to the notice that names its component; else to a machine's notice in which something fails that depends on it,
    or that shares its supplier; else to the storm under way.
    """
    kin = Kin(conn)
    ours = [found for found in opened if is_open_to(found, policy)]
    failing = {found.id: store.failing_monitors(conn, found.id) for found in ours}
    storm = next((found for found in reversed(ours) if abs(now - found.updated_at) <= STORM_WINDOW), None)
    others = [found for found in ours if found is not storm]
    homes: dict[int, list[Monitor]] = {}
    homeless: list[Monitor] = []
    for item in monitors_:
        home = next(
            (n for n in opened if item.component_id in n.facts.components and n.visibility != "scheduled"), None
        )
        home = home or next((n for n in ours if kin.is_above(item.id, failing[n.id])), None)
        home = home or next((n for n in others if kin.is_one_finding(item.id, failing[n.id])), None)
        if home is None:
            homeless.append(item)
        else:
            homes.setdefault(home.id, []).append(item)
    if homeless and storm:
        homes.setdefault(storm.id, []).extend(homeless)
        homeless = []
    return homes, homeless


def is_open_to(found: Notice, policy: str) -> bool:
    """A notice that machines opened, that no person has touched, and that is seen by whom `policy` says."""
    wanted = "draft" if policy == "draft" else "public"
    return found.source == "monitor" and not found.touched and found.visibility == wanted
