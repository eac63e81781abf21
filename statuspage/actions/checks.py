"""Recording what the probes saw. 99.9 % of results cost one row in a batch insert and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping

from probes.result import CheckResult
from statuspage.actions import components, leases, turns
from statuspage.actions.book import LOCAL, NO_MEANING, Book, Key, Meaning, running_s
from statuspage.actions.context import MONITORS, Context
from statuspage.actions.leases import Fence
from statuspage.actions.turns import Turned
from statuspage.clock import from_ms, to_ms
from statuspage.domain import findings, judgement
from statuspage.domain.judgement import BAD
from statuspage.domain.monitoring import MonitorState, Transition, advance, first_state
from statuspage.store import agents, networks
from statuspage.store import checks as check_store
from statuspage.store import judgements as judgement_store
from statuspage.store import monitors as store
from statuspage.store.monitors import Monitor

# A gap longer than this in our own checks leaves nothing that we still know.
FORGET_AFTER = timedelta(minutes=10)
GAP = timedelta(minutes=2)
TOGETHER = "quorum"  # the region of a transition that several regions made together
_AHEAD_MS = 60_000  # a result from further ahead was stamped by a clock that has been set since
_EVIDENCE_MAX = 8_000
_CHAIN, _BLOCK_S, _HIGHEST = "chain", 12.0, 2**53  # the kind that knows heads; its default; a height that is none


@dataclass(frozen=True, slots=True)
class _Turn:
    """One result that is more than a row: a transition, or a step towards one."""

    result: CheckResult
    state: MonitorState
    transition: Transition | None


@dataclass(slots=True)
class _Round:
    """What one batch brings. Nothing of it enters the book before it is written."""

    now_ms: int
    rows: list[check_store.Observed] = field(default_factory=list)
    states: dict[Key, MonitorState] = field(default_factory=dict)
    meanings: dict[Key, Meaning] = field(default_factory=dict)
    turns: list[_Turn] = field(default_factory=list)
    moved: dict[str, list[_Turn]] = field(default_factory=dict)  # by monitor: what may change its judgement
    chains: dict[str, networks.Seen] = field(default_factory=dict)  # by monitor: how high its chain is
    memories: dict[str, dict[str, Any]] = field(default_factory=dict)  # by monitor: what its probe must find again


def begin(ctx: Context, clock_s: Callable[[], float] = running_s) -> Book:
    """Load the book at start. What was up before we stopped is unknown until seen again; what was down stays down for a while,
    so that a restart in the middle of an outage neither closes nor re-opens its notice.
    """
    now = ctx.now()
    book = Book(clock_s=clock_s)
    with ctx.db.write() as conn:
        last_beat = store.beats(conn).get("checker")
        gap = now - last_beat if last_beat else None
        for row in store.state_rows(conn):
            book.states[row["monitor_id"], row["region"]] = _read_state(row)
        book.judgements = judgement_store.load(conn)
        for key in book.load(store.active(conn)):
            store.forget_region(conn, *key)
        book.meanings = {key: _known(book, key[0]) for key in book.states}
        forget(conn, book, now, keep_bad=gap is not None and gap < FORGET_AFTER)
        refresh(conn, book, last_beat if gap is not None and gap > GAP and last_beat else now, now)
    book.hear(book.states, book.clock_s())
    return book


def _known(book: Book, monitor_id: str) -> Meaning:
    found = book.judgements.get(monitor_id)
    return (found.status, found.cause) if found else NO_MEANING


def forget(conn: Connection, book: Book, now: datetime, *, keep_bad: bool) -> None:
    """Unlearn what may have changed while nobody looked: everything, but with `keep_bad` what fails.

    It mends the book at once: should the transaction fail, we know less than we could, and nothing wrong.
    """
    rows = []
    for key, state in book.states.items():
        if not (keep_bad and state.state in BAD):
            book.states[key] = first_state(min(now, state.last_at))
            book.meanings.pop(key, None)
            if state.state != "unknown":
                rows.append(state_row(*key, book.states[key], None))
    check_store.save_states(conn, rows)
    judge_again(conn, book, book.monitors, now)


def judge_again(
    conn: Connection, book: Book, monitor_ids: Sequence[str] | Mapping[str, Monitor], now: datetime
) -> None:
    """Count the votes anew, without a word to anybody: for after a start, a gap, another configuration."""
    found = {name: book.judge(name, (), {}, {}, now, now) for name in monitor_ids}
    judgement_store.save(conn, {name: new for name, new in found.items() if book.judgements.get(name) != new})
    book.judgements.update(found)


def refresh(conn: Connection, book: Book, since: datetime, now: datetime) -> None:
    """Let all watched components follow; `since`: from when on they were unseen."""
    touched = {item.component_id for item in book.monitors.values()}
    changed = components.refresh(conn, touched, since, source="system", reason="checks resumed", actor=MONITORS.name)
    turns.tell_publisher(conn, changed, now)


def configure(ctx: Context, book: Book, monitors: dict[str, Monitor]) -> None:
    """Take over another configuration: regions without a task lose their vote, quorums are counted anew."""
    before = book.monitors
    with ctx.db.write() as conn:
        gone = book.load(monitors)
        for key in gone:
            if key[0] in monitors:
                store.forget_region(conn, *key)
        moved = {name for name, _ in gone if name in monitors}
        moved |= {name for name, item in monitors.items() if name in before and before[name].quorum != item.quorum}
        if moved:
            now = ctx.now()
            found = [(name, book.judge(name, (), {}, {}, now, now)) for name in sorted(moved)]
            turned = [
                Turned(monitors[name], book.judgements[name], new, message="regions or quorum changed")
                for name, new in found
                if name in book.judgements and book.judgements[name] != new
            ]
            if turned:
                book.held |= turns.follow(conn, ctx, book, turned, now)
            book.judgements.update(found)


def record(
    ctx: Context, book: Book, batch: Sequence[CheckResult], *, fence: Fence | None = None, arrived: Sequence[int] = ()
) -> int:
    """Write a batch and judge it; the number of transitions. The book moves on only when the transaction has committed: after
    Unavailable the same batch can be handed in again. Raises Conflict when `fence` is not the newest holder of its lease.
    """
    now = ctx.now()
    this = _Round(to_ms(now))
    for result in batch:
        monitor = book.monitors.get(result.monitor_id)
        if monitor is None:
            continue
        if monitor.kind == _CHAIN:
            _note_head(this, monitor, result)
            if result.memory is not None:
                this.memories[monitor.id] = result.memory
        this.rows.append((monitor.no, result.at_ms, result.region, result.outcome, result.duration_ms))
        if this.now_ms - result.at_ms < book.silent_after_s[monitor.id] * 1000 and monitor.is_watched_from(
            result.region
        ):
            _judge(book, this, result)
    turned = [_together(book, this, name, now) for name in this.moved]
    turned = [_unless_settled(ctx, item, now) for item in turned if item.new != item.old]
    held: set[str] = set()
    with ctx.db.write() as conn:
        if fence:
            leases.check(conn, fence)
        check_store.insert_results(conn, this.rows)
        agents.delete_batches(conn, arrived)
        networks.note(conn, this.chains.values())
        networks.remember(conn, this.memories)
        check_store.save_states(
            conn,
            [state_row(turn.result.monitor_id, turn.result.region, turn.state, turn.result) for turn in this.turns],
        )
        check_store.add_transitions(conn, [*_transitions(this), *_together_rows(book, turned, now)])
        if turned:
            held = turns.follow(conn, ctx, book, turned, now)
        said = [(turn.result.monitor_id, turn.result.region) for turn in this.turns if turn.transition]
        turns.tell_regions(conn, book, said, now)
        store.beat(conn, "checker", now)
    book.keep(this.states)
    book.hear(this.states, book.clock_s())
    book.meanings.update(this.meanings)
    book.judgements.update({item.monitor.id: item.new for item in turned})
    book.held |= held
    return sum(1 for turn in this.turns if turn.transition)


def _note_head(this: _Round, monitor: Monitor, result: CheckResult) -> None:
    """The tip that the references agree on, else the highest own head that was read."""
    endpoints = result.evidence.get("endpoints")
    own = (
        [each.get("head_height") for each in endpoints if isinstance(each, dict)] if isinstance(endpoints, list) else []
    )
    height = result.evidence.get("tip", max((each for each in own if isinstance(each, int)), default=None))
    if isinstance(height, int) and 0 <= height < _HIGHEST:
        block_s = monitor.options.get("block_s")
        expected_s = float(block_s) if isinstance(block_s, int | float) else _BLOCK_S
        this.chains[monitor.id] = networks.Seen(
            monitor.id, monitor.target, height, from_ms(min(result.at_ms, this.now_ms)), expected_s, _evidence(result)
        )


def _judge(book: Book, this: _Round, result: CheckResult) -> None:
    key = (result.monitor_id, result.region)
    old = this.states.get(key) or book.states.get(key)
    at_ms = result.at_ms if result.at_ms <= this.now_ms + _AHEAD_MS else this.now_ms
    at = from_ms(at_ms)
    if old is not None and at <= old.last_at:
        old, at = _in_order(old, at, this.now_ms, is_ours=result.region == LOCAL)
    state, transition = advance(old, result.outcome, at, book.policies[result.monitor_id])
    this.states[key] = state
    if not transition and state.state == result.outcome and state.state not in BAD:
        return
    turn = _Turn(result, state, transition)
    this.turns.append(turn)
    meaning = None
    if state.state not in BAD:
        meaning = NO_MEANING
    elif state.state == result.outcome:
        meaning = _meaning(result)
    if meaning is not None and meaning != this.meanings.get(key, book.meanings.get(key, NO_MEANING)):
        this.meanings[key] = meaning
    elif not transition:
        return
    this.moved.setdefault(result.monitor_id, []).append(turn)


def _in_order(old: MonitorState, at: datetime, now_ms: int, *, is_ours: bool) -> tuple[MonitorState, datetime]:
    """A state that another result can follow, and that result's time, where clocks have been set.

    What a clock that was ahead has stamped is dated back. Our own results come in the engine's order, which is monotonic.
    """
    if old.last_at > from_ms(now_ms + _AHEAD_MS):
        last_at = at - timedelta(milliseconds=1)
        return replace(
            old, last_at=last_at, since_at=min(old.since_at, last_at), streak_at=min(old.streak_at, last_at)
        ), at
    return (old, old.last_at + timedelta(milliseconds=1)) if is_ours else (old, at)


def _meaning(result: CheckResult) -> Meaning:
    """What the evidence of a chain names; a failed assertion of ours (a canary's balance) is not the chain's verdict."""
    if result.error_class == "assertion":
        return NO_MEANING
    return findings.read(result.evidence)


def _together(book: Book, this: _Round, monitor_id: str, now: datetime) -> Turned:
    found = this.moved[monitor_id]
    last = found[-1]
    began_at = last.transition.began_at if last.transition else now
    regions = {turn.result.region for turn in found}
    new = book.judge(monitor_id, regions, this.states, this.meanings, now, began_at)
    old = book.judgements.get(monitor_id) or judgement.first(now)
    return Turned(book.monitors[monitor_id], old, new, last.result.error_class or "", last.result.message)


def _unless_settled(ctx: Context, item: Turned, now: datetime) -> Turned:
    """What seems to begin to flap has not, if a person closed the earlier outages: they were incidents with an end."""
    if item.new.flapping_at != now:
        return item
    with ctx.db.read() as conn:
        settled_at = judgement_store.settled_at(conn, item.monitor.id)
    return replace(item, new=judgement.forgiven(item.new, settled_at)) if settled_at else item


def _transitions(this: _Round) -> list[dict[str, Any]]:
    return [
        {
            "monitor_id": turn.result.monitor_id, "region": turn.result.region, "old": step.old, "new": step.new,
            "began_at": step.began_at, "at": step.at, "error_class": turn.result.error_class or "",
            "message": turn.result.message[:500], "evidence": _evidence(turn.result),
        }
        for turn in this.turns
        if (step := turn.transition)
    ]  # fmt: skip


def _together_rows(book: Book, turned: Sequence[Turned], now: datetime) -> list[dict[str, Any]]:
    """Where several regions vote, their verdict is a transition of its own."""
    return [
        {
            "monitor_id": item.monitor.id, "region": TOGETHER, "old": item.old.state, "new": item.new.state,
            "began_at": item.new.since_at, "at": now, "error_class": item.error_class, "message": item.message[:500],
            "evidence": {},
        }
        for item in turned
        if len(book.regions.get(item.monitor.id, ())) > 1 and item.old.state != item.new.state
    ]  # fmt: skip


def state_row(monitor_id: str, region: str, state: MonitorState, result: CheckResult | None) -> dict[str, Any]:
    """A row of monitor_states; without `result` one that says nothing of why."""
    bad = result is not None and result.outcome != "up"
    return {
        "monitor_id": monitor_id, "region": region, "state": state.state, "since_at": state.since_at,
        "streak_outcome": state.streak_outcome, "streak": state.streak, "streak_at": state.streak_at, "last_at": state.last_at,
        "last_ms": round(result.duration_ms) if result else 0, "error_class": (result.error_class or "") if result else "",
        "message": result.message[:500] if result else "", "evidence": _evidence(result) if result and bad else {},
        "dialled": str(result.evidence.get("dialled") or "")[:64] if result else "",
    }  # fmt: skip


def _evidence(result: CheckResult) -> dict[str, Any]:
    found = {"phases": result.phases, **result.evidence}
    if len(json.dumps(found, ensure_ascii=False)) > _EVIDENCE_MAX:
        return {"phases": result.phases, "cut": "the evidence was larger than is kept"}
    return found


def _read_state(row: RowMapping) -> MonitorState:
    return replace(
        first_state(row["last_at"]), state=row["state"], since_at=row["since_at"], streak_outcome=row["streak_outcome"],
        streak=row["streak"], streak_at=row["streak_at"],
    )  # fmt: skip


def answer_run_request(ctx: Context, request_id: int, result: CheckResult) -> None:
    """Hand the result of a 'run now' to the console."""
    now = ctx.now()
    with ctx.db.write() as conn:
        store.finish_run_request(conn, request_id, result.to_json(), now)
