"""Rows for tests and benchmarks of what the public sees: a small wallet, built straight through the schema.

What actions would do in several steps is one call here, so that a test can arrange any state, also impossible ones.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from sqlalchemy import func, insert, select, update

from statuspage.actions.publication import sign_update
from statuspage.domain import lifecycle
from statuspage.domain.notice import Draft, Facts, new_number, new_public_id
from statuspage.keys import Keys
from statuspage.scenarios import catalogue
from statuspage.store import notices as notice_store
from statuspage.store.database import Database
from statuspage.store.schema.catalogue import component_groups, components, monitors
from statuspage.store.schema.checks import daily_uptime
from statuspage.store.schema.notices import notice_components, notice_updates, notices
from statuspage.store.schema.runtime import heartbeats, meta
from tests.stage import add_monitor

NOW = datetime(2026, 11, 22, 5, 42, tzinfo=UTC)  # 13:42 in Shanghai
KEYS = Keys(seal=b"\1" * 32, signing=b"\2" * 32, vapid=b"\3" * 32)
DAY_S = 86_400
ZONE = ZoneInfo("Asia/Shanghai")
PAGE = {
    "name": {"en": "Demo Wallet", "zh-Hans": "演示钱包"}, "url": "https://status.wallet.example", "languages": ["zh-Hans", "en"],
    "time_zone": "Asia/Shanghai", "public_id": "kctbh9vrtdwd", "custody": "both", "brand_color": "#2f5bea",
    "official": {"domains": ["wallet.example"]}, "is_demo": False,
}  # fmt: skip
_COUNT = count(1)


def variables(brand: str = "Demo Wallet") -> dict[str, dict[str, str]]:
    """Sample values of every placeholder of the scenarios."""
    return {language: {**values, "brand": brand} for language, values in catalogue().sample_vars.items()}


class Wallet:
    """Writes rows into `db`. Every call is one transaction and tells the publisher what changed."""

    def __init__(self, db: Database, now: datetime = NOW) -> None:
        self.db = db
        self.now = now
        self._position = count(1)

    def page(self, **values):
        with self.db.write() as conn:
            conn.execute(meta.delete().where(meta.c.name == "page"))
            conn.execute(insert(meta).values(name="page", value={**PAGE, **values}))
            self._changed(conn, page=True)
        return self

    def group(self, group_id, names=None):
        words = names or dict(catalogue().groups.get(group_id, {"en": group_id}))
        with self.db.write() as conn:
            conn.execute(insert(component_groups).values(
                id=group_id, public_id=new_public_id(), names=words, notes={}, position=next(self._position), source="file",
                created_at=self.now, updated_at=self.now,
            ))  # fmt: skip
        return self

    def component(self, component_id, group=None, status="operational", names=None, days=90, *, watched=True, **columns):
        _, known = catalogue().components.get(component_id, ("", {"en": component_id}))
        at = self.now - timedelta(days=100)
        with self.db.write() as conn:
            conn.execute(insert(components).values(
                id=component_id, public_id=new_public_id(), group_id=group, names=names or dict(known), descriptions={},
                position=next(self._position), weight="normal", symptoms=columns.pop("symptoms", []), template="",
                baseline="operational", status=status,
                status_at=at, source="file", created_at=at, updated_at=at, **columns,
            ))  # fmt: skip
            if watched:
                last = conn.scalar(select(func.coalesce(func.max(monitors.c.no), 9000)))
                add_monitor(conn, f"{component_id}-watch", component_id, max(9000, last) + 1, at)
            if days:
                today = self.now.astimezone(ZONE).date()
                conn.execute(insert(daily_uptime), [
                    self._day(component_id, today - timedelta(days=back)) for back in range(days)
                ])  # fmt: skip
            self._changed(conn, components=[component_id])
        return self

    def _day(self, component_id, day, **seconds):
        kinds = dict.fromkeys(("degraded_s", "partial_s", "major_s", "maintenance_s", "unknown_s"), 0) | seconds
        return {"component_id": component_id, "day": day.isoformat(), "up_s": DAY_S - sum(kinds.values()), **kinds}

    def bad_day(self, component_id, back, **seconds):
        """Give the day `back` days ago these seconds of trouble, e.g. major_s=600."""
        row = self._day(component_id, self.now.astimezone(ZONE).date() - timedelta(days=back), **seconds)
        with self.db.write() as conn:
            conn.execute(update(daily_uptime).where(
                daily_uptime.c.component_id == component_id, daily_uptime.c.day == row["day"]
            ).values(row))  # fmt: skip
        return self

    def status(self, component_id, status, at=None):
        with self.db.write() as conn:
            row = update(components).where(components.c.id == component_id)
            conn.execute(row.values(status=status, status_at=at or self.now))
            self._changed(conn, components=[component_id])
        return self

    def beat(self, at=None, name="checker"):
        with self.db.write() as conn:
            conn.execute(heartbeats.delete().where(heartbeats.c.name == name))
            conn.execute(insert(heartbeats).values(name=name, at=at or self.now))
        return self

    def notice(self, draft: Draft, *, at=None, **columns):
        """Publish `draft` (or keep it as a draft with visibility="draft"); its public id."""
        at = at or self.now
        facts = draft.facts
        row = {
            "public_id": new_public_id(), "number": new_number(), "kind": facts.kind, "status": facts.status,
            "visibility": draft.visibility, "source": draft.source, "facts": facts.to_json(), "impact": facts.impact,
            "touched": False, "demo": False, "backfilled": False, "created_at": at, "started_at": facts.started_at,
            "confirmed_at": facts.confirmed_at, "published_at": at if draft.visibility == "public" else None, "updated_at": at,
            "resolved_at": facts.resolved_at, "scheduled_for": facts.scheduled_for, "scheduled_until": facts.scheduled_until,
            "next_update_by": facts.next_update_by, "remind_before_s": [], "reminded": [], "created_by": "test", "version": 0,
            **columns,
        }  # fmt: skip
        with self.db.write() as conn:
            while notice_store.is_taken(conn, number=row["number"]):  # among a thousand, two would often be equal
                row["number"] = new_number()
            notice_id = notice_store.insert_notice(conn, row)
            claims = [{"notice_id": notice_id, "component_id": key, "status": value} for key, value in facts.components.items()]
            if claims:
                conn.execute(insert(notice_components), claims)
            self._update(conn, notice_id, draft, at)
        return row["public_id"]

    def add_update(self, public_id, draft: Draft, *, at=None):
        with self.db.write() as conn:
            self._update(conn, notice_store.by_public_id(conn, public_id).id, draft, at or self.now)
        return self

    def _update(self, conn, notice_id, draft, at):
        known = len(notice_store.updates_of(conn, [notice_id])[notice_id])
        facts = draft.facts
        update_id = notice_store.insert_update(conn, {
            "public_id": new_public_id(), "notice_id": notice_id, "sequence": known + 1, "status": facts.status,
            "bodies": draft.bodies, "facts": facts.to_json(),
            "changes": {key: ["operational", value] for key, value in facts.components.items()},
            "display_at": at, "created_at": at, "author": "Li Wei", "by_machine": draft.source == "monitor", "notify": True,
        })  # fmt: skip
        conn.execute(update(notices).where(notices.c.id == notice_id).values(
            facts=facts.to_json(), status=facts.status, impact=facts.impact, updated_at=at, resolved_at=facts.resolved_at,
            confirmed_at=facts.confirmed_at, started_at=facts.started_at, version=known + 1,
        ))  # fmt: skip
        notice = notice_store.by_id(conn, notice_id)
        if notice.visibility == "public":
            found = next(item for item in notice_store.updates_of(conn, [notice_id])[notice_id] if item.id == update_id)
            sign_update(conn, KEYS, notice, found, at)
            self._changed(conn, notices=[notice.public_id], components=list(facts.components))

    def scenario(self, scenario_id, *, began_at=None, steps=None, components_map=None, **columns):
        """A notice from the catalogue with its course up to now (or its first `steps` steps); its public id."""
        found = catalogue().scenario(scenario_id)
        began_at = began_at or self.now - timedelta(minutes=found.steps[-1].at_min)
        public_id = ""
        for index, step in enumerate(found.steps[:steps]):
            at = began_at + timedelta(minutes=step.at_min)
            values = variables()
            clocks = found.clock_values(at, "Asia/Shanghai", index)
            draft = found.draft(at, {key: values[key] | clocks[key] for key in values}, index)
            with self.db.read() as conn:
                known = set(conn.execute(select(components.c.id)).scalars())
            here = {key: value for key, value in draft.facts.components.items() if key in known}
            draft = draft.with_facts(components=here)
            if components_map is not None:
                done = lifecycle.is_final(draft.facts.kind, draft.facts.status)
                draft = draft.with_facts(components=dict.fromkeys(components_map, "operational") if done else components_map)
            if not public_id:
                public_id = self.notice(draft, at=at, **columns)
            else:
                self.add_update(public_id, draft, at=at)
        return public_id

    def suspected(self, component_ids, since=None, claimed="major_outage"):
        """What the machine publishes by itself when monitors of these components fail."""
        since = since or self.now - timedelta(minutes=3)
        words = {
            language: {"component": " / ".join(catalogue().components[key][1][language] for key in component_ids),
                       "start": "13:39", "evidence": "HTTP 503", "next": "14:09"}
            for language in ("en", "zh-Hans")
        }  # fmt: skip
        facts = Facts(
            kind="incident", status="investigating", titles=catalogue().machine("suspected", "title", words), impact="critical",
            components=dict.fromkeys(component_ids, claimed), started_at=since, next_update_by=since + timedelta(minutes=30),
        )  # fmt: skip
        draft = Draft(facts=facts, bodies=catalogue().machine("suspected", "body", words), source="monitor")
        return self.notice(draft, at=since + timedelta(seconds=20), detected_at=since)

    def remove_updates_row(self, update_public_id, **values):
        with self.db.write() as conn:
            conn.execute(update(notice_updates).where(notice_updates.c.public_id == update_public_id).values(values))

    def _changed(self, conn, **what):
        notice_store.add_change(conn, what, self.now)


def draft(title="Transfers fail", body="We are looking at it.", **facts):
    """A confirmed incident in few words; `facts` replace single fields."""
    base = Facts(kind="incident", status="investigating", titles={"en": title, "zh-Hans": title}, impact="major", started_at=NOW,
                 confirmed_at=NOW)  # fmt: skip
    return Draft(facts=replace(base, **facts), bodies={"en": body, "zh-Hans": body})


FUNCTIONS = ("transfers", "online_payments", "balances", "tx_history", "login", "otp_delivery")


def small_wallet(db, **page):
    """Six functions in two groups, watched 12 seconds ago."""
    wallet = Wallet(db)
    wallet.page(**page)
    wallet.group("money").group("data")
    for index, component_id in enumerate(FUNCTIONS):
        wallet.component(component_id, "money" if index < 3 else "data")
    return wallet.beat(NOW - timedelta(seconds=12))
