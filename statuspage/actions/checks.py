"""Recording what the probes saw. 99.9 % of results cost one row in a batch insert and nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from probes.result import CheckResult
from statuspage.actions import components, leases, suspicions
from statuspage.actions.context import MONITORS, Context
from statuspage.actions.leases import Fence
from statuspage.actions.suspicions import Failing
from statuspage.clock import from_ms
from statuspage.domain.monitoring import MonitorState, Policy, Transition, advance, first_state
from statuspage.store import agents
from statuspage.store import checks as check_store
from statuspage.store import monitors as store
from statuspage.store import notices as notice_store
from statuspage.store.monitors import Monitor

BAD = {"down", "degraded"}
# A gap longer than this in our own checks leaves nothing that we still know.
FORGET_AFTER = timedelta(minutes=10)
GAP = timedelta(minutes=2)
_EVIDENCE_MAX = 8_000


@dataclass
class Book:
    """What the checker keeps in memory: active monitors, their states and policies. One owner, the checker's thread."""

    monitors: dict[str, Monitor] = field(default_factory=dict)
    states: dict[tuple[str, str], MonitorState] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)

    def load(self, monitors: dict[str, Monitor]) -> None:
        """Take over a new configuration; states of monitors that stay are kept."""
        self.monitors = monitors
        self.policies = {item.id: Policy(item.failures, item.successes) for item in monitors.values()}
        self.states = {key: state for key, state in self.states.items() if key[0] in monitors}


@dataclass(frozen=True, slots=True)
class _Turn:
    """One result that is more than a row: a transition, or a step towards one."""

    result: CheckResult
    state: MonitorState
    transition: Transition | None


def begin(ctx: Context) -> Book:
    """Load the book at start. What was up before we stopped is unknown until seen again; what was down stays down for a while,
    so that a restart in the middle of an outage neither closes nor re-opens its notice.
    """
    now = ctx.now()
    book = Book()
    with ctx.db.write() as conn:
        book.load(store.active(conn))
        last_beat = store.beats(conn).get("checker")
        gap = now - last_beat if last_beat else None
        for row in store.state_rows(conn):
            if row["monitor_id"] not in book.monitors:
                continue
            keep = row["state"] in BAD and gap is not None and gap < FORGET_AFTER
            state = _read_state(row) if keep else first_state(min(now, row["last_at"]))
            book.states[row["monitor_id"], row["region"]] = state
            if not keep and row["state"] != "unknown":
                store.save_state(conn, _state_row(row["monitor_id"], row["region"], state, None))
        since = last_beat if gap is not None and gap > GAP and last_beat else now
        touched = {item.component_id for item in book.monitors.values()}
        changed = components.refresh(
            conn, touched, since, source="system", reason="checks resumed", actor=MONITORS.name
        )
        if changed:
            tell_publisher(conn, changed, now)
    return book


def record(
    ctx: Context, book: Book, batch: Sequence[CheckResult], *, fence: Fence | None = None, arrived: Sequence[int] = ()
) -> int:
    """Write a batch and judge it; the number of transitions. The book moves on only when the transaction has committed: after
    Unavailable the same batch can be handed in again. Raises Conflict when `fence` is not the newest holder of its lease.
    """
    now = ctx.now()
    fresh: dict[tuple[str, str], MonitorState] = {}
    turns: list[_Turn] = []
    rows: list[tuple[int, int, str, str, float]] = []
    for result in batch:
        monitor = book.monitors.get(result.monitor_id)
        if monitor is None:
            continue
        rows.append((monitor.no, result.at_ms, result.region, result.outcome, result.duration_ms))
        _judge(book, result, fresh, turns)
    transitions = [turn for turn in turns if turn.transition]
    with ctx.db.write() as conn:
        if fence:
            leases.check(conn, fence)
        check_store.insert_results(conn, rows)
        agents.delete_batches(conn, arrived)
        check_store.save_states(
            conn, [_state_row(turn.result.monitor_id, turn.result.region, turn.state, turn.result) for turn in turns]
        )
        if transitions:
            _transit(conn, ctx, book, transitions, now)
        store.beat(conn, "checker", now)
    book.states.update(fresh)
    return len(transitions)


def _judge(book: Book, result: CheckResult, fresh: dict[tuple[str, str], MonitorState], turns: list[_Turn]) -> None:
    key = (result.monitor_id, result.region)
    old = fresh.get(key) or book.states.get(key)
    at = from_ms(result.at_ms)
    if old is not None and at <= old.last_at and result.region == "local":
        # Our own wall clock stepped back; the engine's order is monotonic and is what counts.
        at = old.last_at + timedelta(milliseconds=1)
    state, transition = advance(old, result.outcome, at, book.policies[result.monitor_id])
    fresh[key] = state
    if transition or state.state != result.outcome or state.state in BAD:
        turns.append(_Turn(result, state, transition))


def _transit(conn: Connection, ctx: Context, book: Book, turns: list[_Turn], now: datetime) -> None:
    failing: list[Failing] = []
    working: list[str] = []
    rows: list[dict[str, Any]] = []
    for turn in turns:
        result, step = turn.result, turn.transition
        assert step  # noqa: S101 - the caller passes transitions only
        rows.append({
            "monitor_id": result.monitor_id, "region": result.region, "old": step.old, "new": step.new,
            "began_at": step.began_at, "at": step.at,
            "error_class": result.error_class or "", "message": result.message[:500], "evidence": _evidence(result),
        })  # fmt: skip
        monitor = book.monitors[result.monitor_id]
        if step.new in BAD and not _parent_is_down(book, monitor):
            failing.append(Failing(monitor, step.new, step.began_at, result.error_class or "", result.message))
        elif step.new == "up":
            working.append(result.monitor_id)
    check_store.add_transitions(conn, rows)
    touched = {book.monitors[turn.result.monitor_id].component_id for turn in turns}
    changed = components.refresh(
        conn, touched, now, source="monitor", reason=turns[0].result.monitor_id, actor=MONITORS.name
    )
    if changed:
        tell_publisher(conn, changed, now)
    if failing:
        suspicions.raise_for(conn, ctx, failing, now)
    if working:
        suspicions.clear_for(conn, ctx, working, now)


def _parent_is_down(book: Book, monitor: Monitor) -> bool:
    return any(
        state.state == "down" for (monitor_id, _), state in book.states.items() if monitor_id == monitor.depends_on
    )


def tell_publisher(conn: Connection, changed: dict[str, list[str]], now: datetime) -> None:
    """Tell the publisher which components look different."""
    notice_store.add_change(conn, {"components": sorted(changed)}, now)


def _state_row(monitor_id: str, region: str, state: MonitorState, result: CheckResult | None) -> dict[str, Any]:
    bad = result is not None and result.outcome != "up"
    return {
        "monitor_id": monitor_id, "region": region, "state": state.state, "since_at": state.since_at,
        "streak_outcome": state.streak_outcome, "streak": state.streak, "streak_at": state.streak_at, "last_at": state.last_at,
        "last_ms": round(result.duration_ms) if result else 0, "error_class": (result.error_class or "") if result else "",
        "message": result.message[:500] if result else "", "evidence": _evidence(result) if result and bad else {},
    }  # fmt: skip


def _evidence(result: CheckResult) -> dict[str, Any]:
    found = {"phases": result.phases, **result.evidence}
    if len(json.dumps(found, ensure_ascii=False)) > _EVIDENCE_MAX:
        return {"phases": result.phases, "cut": "the evidence was larger than is kept"}
    return found


def _read_state(row: Any) -> MonitorState:  # noqa: ANN401 - a row mapping
    return replace(
        first_state(row["last_at"]), state=row["state"], since_at=row["since_at"], streak_outcome=row["streak_outcome"],
        streak=row["streak"], streak_at=row["streak_at"],
    )  # fmt: skip


def answer_run_request(ctx: Context, request_id: int, result: CheckResult) -> None:
    """Hand the result of a 'run now' to the console."""
    now = ctx.now()
    with ctx.db.write() as conn:
        store.finish_run_request(conn, request_id, result.to_json(), now)
