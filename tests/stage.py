"""The cast and the props of tests about notices: people, a clock moved by hand, a probe that feeds the real recorder."""

from datetime import UTC, datetime, timedelta

from probes.result import CheckResult
from statuspage.actions import absence, checks, suspicions
from statuspage.actions.context import Actor
from statuspage.clock import to_ms
from statuspage.domain.notice import Draft, Facts
from statuspage.store.schema import catalogue

START = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
LIN = Actor("lin", "responder")  # on call
WEI = Actor("wei", "responder")  # a colleague
MEI = Actor("mei", "viewer")  # may only look


class Clock:
    """The time of a test, moved by hand. `running_s` is the clock that nobody can set: only time that passes moves it."""

    def __init__(self, at=START):
        self.at = at
        self.running_s = 1000.0

    def __call__(self):
        return self.at

    def pass_(self, **elapsed):
        self.at += timedelta(**elapsed)
        self.running_s += max(0.0, timedelta(**elapsed).total_seconds())
        return self.at

    def leap(self, **elapsed):
        """Somebody sets the wall clock."""
        self.at += timedelta(**elapsed)


NAMES = {
    "transfers": {"en": "Transfers", "zh-Hans": "转账"},
    "balances": {"en": "Balances", "zh-Hans": "余额显示"},
    "login": {"en": "Sign-in", "zh-Hans": "登录"},
    "payments": {"en": "Payments", "zh-Hans": "支付"},
}


def add_monitor(conn, monitor_id, component, no, now, **changes):
    values = {
        "id": monitor_id, "no": no, "component_id": component, "names": {}, "kind": "http", "target": "http://127.0.0.1:1/",
        "options": {}, "interval_ms": 30_000, "timeout_ms": 10_000, "retry_ms": 5_000, "failures": 3, "successes": 2,
        "when_down": "major_outage", "publish": "suspect", "supplier": "", "allow_networks": [], "paused": False,
        "source": "file", "created_at": now, "updated_at": now, **changes,
    }  # fmt: skip
    conn.execute(catalogue.monitors.insert().values(values))


class Probe:
    """Feeds results to the real recorder, a second apart."""

    def __init__(self, ctx, clock):
        self.ctx, self.clock = ctx, clock
        self.restart()

    def sees(self, outcome, *monitors, times=1, region="local", error="status", evidence=None):
        for _ in range(times):
            at = to_ms(self.clock.pass_(seconds=1))
            self.hand_in(*[self.result(outcome, name, at, region, error, evidence) for name in monitors])

    def result(self, outcome, monitor, at_ms, region="local", error="status", evidence=None):
        error = None if outcome == "up" else error
        return CheckResult(monitor, outcome, at_ms, 12.5, error, "HTTP 503", evidence=evidence or {}, region=region)

    def hand_in(self, *results):
        return checks.record(self.ctx, self.book, results)

    def ticks(self, **elapsed):
        """Time passes, and the checker looks at what it has done."""
        self.clock.pass_(**elapsed)
        absence.tick(self.ctx, self.book)
        suspicions.settle_all(self.ctx)

    def restart(self):
        self.book = checks.begin(self.ctx, lambda: self.clock.running_s)


def incident(**changes):
    """A confirmed incident's draft in both languages."""
    facts = {
        "kind": "incident", "status": "investigating", "titles": {"en": "Transfers fail", "zh-Hans": "转账失败"},
        "components": {"transfers": "partial_outage"}, **changes,
    }  # fmt: skip
    return Draft(Facts(**facts), {"en": "We look into it.", "zh-Hans": "正在排查。"})


def furnish(ctx):
    """Four components with one monitor each, three failures to confirm, two successes.

    `payments` has a second monitor below its first.
    """
    now = START - timedelta(days=1)
    with ctx.db.write() as conn:
        for position, (name, names) in enumerate(NAMES.items(), 1):
            conn.execute(catalogue.components.insert().values(
                id=name, public_id=f"component{position:03d}", names=names, descriptions={}, position=position, weight="normal",
                symptoms=[], template="", baseline="operational", status="unknown", status_at=now, source="file",
                created_at=now, updated_at=now,
            ))  # fmt: skip
            add_monitor(conn, f"{name}-api", name, position, now)
        add_monitor(conn, "payments-flow", "payments", 9, now, depends_on="payments-api")
    return ctx
