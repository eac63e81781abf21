"""Years of a wallet's past, written in bulk: thousands of notices in seconds, and daily uptime of every component.

Row for row what actions.notices writes when somebody declares each notice and updates it to its end without telling anybody
(tests/bench/test_past.py compares them), apart from the audit log and status changes, which nothing published is made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, func, insert, literal, select

from statuspage.actions import publication
from statuspage.domain import signing
from statuspage.domain.notice import Facts, Text, new_number, new_public_id
from statuspage.keys import Keys
from statuspage.store.folding import words_of
from statuspage.store.notices import log_head
from statuspage.store.schema.checks import daily_uptime
from statuspage.store.schema.notices import changes, log, log_bodies, notice_components, notice_updates, notices

Step = tuple[datetime, Facts, Text]
AUTHOR = "Li Wei"
_CHUNK = 1000  # notices between two inserts: memory stays flat
_QUARTER_DAYS = 90
_DAY_S = 86_400


def course(number: int, component_id: str, at: datetime) -> list[Step]:
    """The life of one old notice: (when, facts, bodies) of each update. Every eighth is a maintenance, the others incidents."""
    titles = {"en": f"Old notice {number}: a function fails", "zh-Hans": f"旧公告 {number} 功能故障"}
    if number % 8 == 7:
        begins_at, ends_at = at + timedelta(hours=2), at + timedelta(hours=3)
        facts = Facts(
            kind="maintenance", status="scheduled", titles=titles, impact="maintenance", confirmed_at=at, started_at=begins_at,
            components={component_id: "under_maintenance"}, scheduled_for=begins_at, scheduled_until=ends_at,
        )  # fmt: skip
        done = replace(facts, status="completed", components={}, resolved_at=ends_at)
        return [(at, facts, _words("Work is planned.", "计划维护。")), (begins_at, replace(facts, status="in_progress"),
                _words("Work has begun.", "维护已开始。")), (ends_at, done, _words("Work is done.", "维护已完成。"))]  # fmt: skip
    ends_at = at + timedelta(minutes=70)
    facts = Facts(
        kind="incident", status="investigating", titles=titles, impact="major", components={component_id: "major_outage"},
        started_at=at - timedelta(minutes=4), confirmed_at=at, cause="third_party", attribution="supplier",
        funds_safety="unaffected_verified", funds_text=_words("Your funds are safe.", "您的资金安全。"),
        next_update_by=at + timedelta(minutes=30),
    )  # fmt: skip
    done = replace(facts, status="resolved", components={}, next_update_by=None, resolved_at=ends_at)
    return [(at, facts, _words(f"Transfers **{number}** wait. We are looking at it.", f"转账 **{number}** 需要等待。")),
            (ends_at, done, _words("It works again.", "已经恢复。"))]  # fmt: skip


def _words(english: str, chinese: str) -> Text:
    return {"en": english, "zh-Hans": chinese}


def add_notices(
    conn: Connection, keys: Keys, component_ids: Sequence[str], count: int, until_at: datetime, over: timedelta
) -> None:
    """`count` notices that are over, evenly spread over the time `over` before `until_at`, the components in turn."""
    if not count:
        return
    writer = _Writer(conn, keys, until_at - over)
    for number, steps in enumerate(lives(component_ids, count, until_at, over)):
        writer.add(steps)
        if number % _CHUNK == _CHUNK - 1:
            writer.flush()
    writer.flush()


def lives(component_ids: Sequence[str], count: int, until_at: datetime, over: timedelta) -> Iterator[list[Step]]:
    """The courses that `add_notices` writes, oldest first."""
    for number in range(count):
        at = until_at - over + number * over / count
        yield course(number, component_ids[number % len(component_ids)], at.replace(microsecond=0))


def add_days(conn: Connection, component_ids: Sequence[str], until: date, count: int) -> None:
    """`count` days of daily uptime of each component, `until` the last of them; one in forty has minutes that were bad."""
    none = dict.fromkeys(("degraded_s", "partial_s", "major_s", "maintenance_s", "unknown_s"), 0)
    days = [(until - timedelta(days=back)).isoformat() for back in range(count)]
    for place, name in enumerate(component_ids):
        bad = [300 + place if (place + back) % 40 == 0 else 0 for back in range(count)]
        rows = [{"component_id": name, "day": day, **none, "up_s": _DAY_S - bad_s, "partial_s": bad_s}
                for day, bad_s in zip(days, bad, strict=True)]  # fmt: skip
        conn.execute(insert(daily_uptime), rows)


def add_years(conn: Connection, first_day: str, years: int) -> None:
    """Repeat the quarter of daily uptime that begins with `first_day` backwards for `years`, its bad days among them."""
    others = [column for column in daily_uptime.c if column.name not in {"component_id", "day"}]
    for quarter in range(1, years * 365 // _QUARTER_DAYS + 1):
        day = func.date(daily_uptime.c.day, literal(f"-{quarter * _QUARTER_DAYS} days"))
        rows = select(daily_uptime.c.component_id, day, *others).where(daily_uptime.c.day >= first_day)
        conn.execute(insert(daily_uptime).from_select(["component_id", "day", *(column.name for column in others)], rows))


@dataclass
class _Writer:
    conn: Connection
    keys: Keys
    since_at: datetime
    _rows: dict[Table, list[dict[str, Any]]] = field(default_factory=dict)
    _numbers: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        head = log_head(self.conn)
        self._n, self._hash = (int(head["n"]), str(head["hash"])) if head else (0, signing.GENESIS)
        self._key_id = publication.ensure_key(self.conn, self.keys, self.since_at)
        self._notice_id = self._last(notices)
        self._update_id = self._last(notice_updates)
        self._bodies = set(self.conn.execute(select(log_bodies.c.hash)).scalars())
        self._numbers.update(self.conn.execute(select(notices.c.number)).scalars())

    def _last(self, table: Table) -> int:
        return int(self.conn.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one())

    def flush(self) -> None:
        """Write what was added."""
        for table in (notices, notice_components, notice_updates, log_bodies, log, changes):
            if rows := self._rows.pop(table, []):
                self.conn.execute(insert(table), rows)

    def _put(self, table: Table, **values: Any) -> None:  # noqa: ANN401 - a row
        self._rows.setdefault(table, []).append(values)

    def add(self, steps: list[Step]) -> None:
        """One notice with all its updates."""
        self._notice_id += 1
        number, public_id = self._free_number(), new_public_id()
        (created_at, first, _), (ended_at, last, _) = steps[0], steps[-1]
        self._put(
            notices, id=self._notice_id, public_id=public_id, number=number, kind=last.kind, status=last.status,
            visibility="public", source="operator", facts=last.to_json(), impact=last.impact, touched=True, recovered_at=None,
            demo=False, backfilled=False, created_at=created_at, detected_at=None, started_at=last.started_at,
            confirmed_at=last.confirmed_at, published_at=created_at, updated_at=ended_at, resolved_at=last.resolved_at,
            scheduled_for=last.scheduled_for, scheduled_until=last.scheduled_until, next_update_by=last.next_update_by,
            remind_before_s=[], reminded=[], overrun_asked_at=None, publish_at=None, created_by=AUTHOR, version=len(steps),
            words=words_of(number, last.to_json(), [(bodies, facts.to_json()) for _, facts, bodies in steps]),
        )  # fmt: skip
        for key, status in first.components.items():
            self._put(notice_components, notice_id=self._notice_id, component_id=key, status=status)
        before: Facts | None = None
        for sequence, step in enumerate(steps, 1):
            self._update(sequence, step, before, (number, public_id))
            before = step[1]

    def _update(self, sequence: int, step: Step, before: Facts | None, names: tuple[str, str]) -> None:
        at, facts, bodies = step
        self._update_id += 1
        number, notice_public_id = names
        claimed = before.components if before else {}
        touched = sorted({*claimed, *facts.components})
        moved = {key: [claimed.get(key, "operational"), facts.components.get(key, "operational")] for key in touched}
        public_id = new_public_id()
        self._put(
            notice_updates, id=self._update_id, public_id=public_id, notice_id=self._notice_id, sequence=sequence,
            status=facts.status, bodies=bodies, facts=facts.to_json(), changes=moved, display_at=at, created_at=at,
            author=AUTHOR, by_machine=False, notify=False, corrects_id=None,
        )  # fmt: skip
        snapshot = {"notice": number, "id": notice_public_id, "update": public_id, "sequence": sequence, "status": facts.status,
                    "changes": moved, "facts": facts.to_json()}  # fmt: skip
        self._sign(at, snapshot, bodies)
        self._put(changes, what={"notices": [notice_public_id], "components": touched}, at=at)

    def _sign(self, at: datetime, snapshot: dict[str, Any], bodies: Text) -> None:
        hashes = {language: signing.body_hash(body) for language, body in bodies.items()}
        for language, digest in hashes.items():
            if digest not in self._bodies:
                self._bodies.add(digest)
                self._put(log_bodies, hash=digest, body=bodies[language], withdrawn_at=None)
        self._n += 1
        payload = signing.entry(self._n, self._hash, at, snapshot, hashes)
        before, self._hash = self._hash, signing.hash_of(payload)
        self._put(
            log, n=self._n, notice_id=self._notice_id, update_id=self._update_id, at=at, payload=payload, prev_hash=before,
            hash=self._hash, key_id=self._key_id, signature=signing.sign(self.keys.signing, payload),
        )  # fmt: skip

    def _free_number(self) -> str:
        while (number := new_number()) in self._numbers:
            pass
        self._numbers.add(number)
        return number
