"""The heartbeat: a monitor that is told instead of asking. A job calls its own address; silence is the failure.

The address and the signals are the server's; here is what a signal, or none, means. Nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from probes.options import Option, OptionError, Problem, a_duration, a_text, an_int, duration_s, problems
from probes.result import CheckResult, Outcome
from probes.run import Failed, Run
from probes.spec import ProbeSpec

SIGNALS = ("start", "success", "fail", "log")
SET, AWAY = "set", "away"  # our own marks among the signals: watched from here on; we did not listen until here
_EXCERPT = 1000
_EARLY_MS = 60_000  # a job whose clock is fast comes a little before its time, and that was its turn


def _a_schedule(value: object) -> list[Problem]:
    try:
        _times(str(value), UTC, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        return [((), f'must be five fields as in crontab, such as "0 2 * * *" in quotes: {error}')]
    return []


def _a_zone(value: object) -> list[Problem]:
    try:
        ZoneInfo(str(value))
    except (ValueError, OSError, KeyError):
        return [((), "must be a time zone such as Asia/Shanghai")]
    return []


OPTIONS = (
    Option("every", "a success is due this long after the last one", a_duration),
    Option("schedule", "or: when a success is due, five fields as in crontab, in quotes", _a_schedule),
    Option("time_zone", "the schedule's time zone", _a_zone, "UTC"),
    Option("grace", "how late a success may be", a_duration, "5m"),
    Option("runtime", "how long a run may take after its start signal", a_duration, "grace"),
    Option("revision", "raise it to get a new address when the old one leaked", an_int(1, 1_000_000), "1"),
    Option("note", "a word for operators on what sends the signals", a_text),
)


def normalise(value: object) -> tuple[str, dict[str, Any]]:
    """`1h`, or a mapping with `every` or `schedule`; the target is that, in words. Raises OptionError."""
    if isinstance(value, str):
        value = {"every": value}
    if not isinstance(value, Mapping):
        message = "must be a period such as 1h, or a mapping with every or schedule"
        raise OptionError(message)
    options = {str(name): option for name, option in value.items()}
    if not {"every", "schedule"} & set(options):
        message = "say when it is due: every or schedule is missing"
        raise OptionError(message)
    if "schedule" in options:
        return f"{options['schedule']} {options.get('time_zone', 'UTC')}", options
    return f"every {options.get('every')}", options


def validate(_target: str, options: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong."""
    found = problems(options, OPTIONS)
    if ("every" in options) == ("schedule" in options):
        found.append(((), "say when it is due: every, or schedule, and not both"))
    if "time_zone" in options and "schedule" not in options:
        found.append((("time_zone",), "belongs to a schedule"))
    if found:
        return found
    for name in ("every", "grace", "runtime"):
        if name in options and duration_s(options[name]) < 1:
            found.append(((name,), "must be 1s or more"))
    return found


def authority(spec: ProbeSpec) -> str:
    """Itself: nobody is dialled."""
    return spec.monitor_id


async def check(_spec: ProbeSpec, run: Run) -> CheckResult:
    """A heartbeat has nothing to dial: only the server that receives its signals can tell."""
    return run.failure(Failed("unknown", "unsupported", "a heartbeat is told, it does not ask: see its address"))


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal, or one of our marks. `at_ms` UTC by our clock. `since_ms` of AWAY: when we stopped listening."""

    at_ms: int
    kind: str
    rid: str = ""
    code: int | None = None
    body: str = ""
    since_ms: int = 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the signals mean at a moment. `until_ms`: when that may change without another signal, None for never."""

    outcome: Outcome
    error_class: str | None
    message: str
    until_ms: int | None
    evidence: dict[str, Any]


def judge(options: Mapping[str, Any], signals: Sequence[Signal], now_ms: int) -> Judgement:
    """What `signals`, oldest first, mean at `now_ms`."""
    return _Case(options, signals, now_ms).judge()


class _Case:
    """One monitor at one moment."""

    def __init__(self, options: Mapping[str, Any], signals: Sequence[Signal], now_ms: int) -> None:
        self.options, self.now_ms = options, now_ms
        self.grace_ms = _ms(options.get("grace", "5m"))
        self.runtime_ms = _ms(options["runtime"]) if "runtime" in options else self.grace_ms
        self.gaps = [each for each in signals if each.kind == AWAY]
        self.watched_ms = max((each.at_ms for each in signals if each.kind == SET), default=0)
        self.last: Signal | None = None  # the newest success or fail
        self.open: dict[str, int] = {}  # run id -> its first start that has not ended
        self.run_ms: int | None = None
        self.evidence: dict[str, Any] = {}
        for each in signals:
            self._take(each)

    def _take(self, signal: Signal) -> None:
        if signal.kind == "start":
            self.open.setdefault(signal.rid, signal.at_ms)  # a job that dies and starts anew gains no time by it
        elif signal.kind in ("success", "fail"):
            began = self.open.pop(signal.rid, None)
            self.run_ms = None if began is None else signal.at_ms - began
            if began is None or not signal.rid:
                self.open.clear()
            elif signal.kind == "success":  # a later run went well: what an older one left open is the past
                self.open = {rid: at for rid, at in self.open.items() if at > began}
            self.last = signal

    def judge(self) -> Judgement:
        last = self.last
        if last is not None:
            self.evidence["last_signal"] = {"kind": last.kind, "at": _iso(last.at_ms)}
            if last.code is not None:
                self.evidence["exit_code"] = last.code
            if self.run_ms is not None:
                self.evidence["run_ms"] = self.run_ms
        began = min(self.open.values(), default=None)
        if began is not None:
            self.evidence["running_since"] = _iso(began)
        if last is not None and last.kind == "fail":
            return self._failed(last)
        if began is not None:
            return self._running(max(began, self.watched_ms), last)
        if last is None:
            return Judgement("unknown", "waiting", "no signal has ever come", None, self.evidence)
        return self._waiting(last)

    def _failed(self, last: Signal) -> Judgement:
        words = "the job says that it failed" + (f", exit code {last.code}" if last.code is not None else "")
        if last.body:
            self.evidence["body"] = last.body[-_EXCERPT:]
        return Judgement("down", "assertion", words, None, self.evidence)

    def _running(self, began_ms: int, last: Signal | None) -> Judgement:
        """A run is under way: it has its own time, whatever the schedule says."""
        limit_ms = began_ms + self.runtime_ms
        if self.now_ms <= limit_ms:
            outcome: Outcome = "unknown" if last is None else "up"
            waiting = "waiting" if last is None else None
            return Judgement(outcome, waiting, "its first run is under way" if last is None else "", limit_ms, self.evidence)
        if self._was_away(began_ms, limit_ms):
            again_ms = self._again_ms()
            if self.now_ms <= again_ms:
                return self._unsure(again_ms)
        words = f"started {_iso(began_ms)} and has not ended within {self.runtime_ms // 1000} s"
        return Judgement("down", "timeout", words, None, self.evidence)

    def _waiting(self, last: Signal) -> Judgement:
        """Between two signals: the next success has a time, and a grace."""
        due_ms = self._due_ms(max(last.at_ms, self.watched_ms))
        limit_ms = due_ms + self.grace_ms
        self.evidence["due"] = _iso(due_ms)
        if self.now_ms <= limit_ms:
            late = f"due since {_iso(due_ms)}, within its grace" if self.now_ms > due_ms else ""
            return Judgement("up", None, late, limit_ms, self.evidence)
        if self._was_away(due_ms - self.grace_ms, limit_ms):
            again_ms = self._again_ms()
            if self.now_ms <= again_ms:
                return self._unsure(again_ms)
        words = f"no signal since {_iso(last.at_ms)}; due {_iso(due_ms)}, grace {self.grace_ms // 1000} s"
        return Judgement("down", "timeout", words, None, self.evidence)

    def _unsure(self, until_ms: int) -> Judgement:
        words = "a signal may have come while we were not listening: the next one tells"
        return Judgement("unknown", "waiting", words, until_ms, self.evidence)

    def _was_away(self, since_ms: int, until_ms: int) -> bool:
        return any(gap.since_ms < until_ms and gap.at_ms > since_ms for gap in self.gaps)

    def _again_ms(self) -> int:
        """When a job that lives would have been heard since we listen again."""
        return self._due_ms(self.gaps[-1].at_ms) + max(self.grace_ms, self.runtime_ms)

    def _due_ms(self, after_ms: int) -> int:
        """When the success after the one at `after_ms` is due."""
        if "every" in self.options:
            return after_ms + _ms(self.options["every"])
        zone = ZoneInfo(self.options.get("time_zone", "UTC"))
        times = _times(self.options["schedule"], zone, datetime.fromtimestamp(after_ms / 1000, zone))
        first, second = (int(next(times).timestamp() * 1000) for _ in range(2))
        early_ms = min(_EARLY_MS, self.grace_ms, (second - first) // 4)
        return second if first - after_ms <= early_ms else first


def _times(schedule: str, zone: tzinfo, after: datetime) -> CronSim:
    """The schedule's times after `after`, without end. Raises CronSimError."""
    if len(schedule.split()) != 5:  # the library would take six, with seconds
        message = "it has not five fields"
        raise CronSimError(message)
    return CronSim(schedule, after.astimezone(zone))


def _ms(value: Any) -> int:  # noqa: ANN401 - a duration
    return int(duration_s(value) * 1000)


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
