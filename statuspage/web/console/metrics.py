"""/metrics in OpenMetrics, for a Prometheus on this machine or one that knows the token."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from datetime import timedelta

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from sqlalchemy import Connection

from statuspage import __version__
from statuspage.actions import subscribe_limits
from statuspage.domain import sealing
from statuspage.domain.reports import WINDOW
from statuspage.errors import Unavailable
from statuspage.publish.files import Folder
from statuspage.store import metrics as store
from statuspage.store import monitors, pages, reports
from statuspage.web.console.respond import services

routes = Blueprint("metrics", __name__)

_RECENT = timedelta(minutes=5)
_DAY = timedelta(days=1)
_FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-Ip")


@routes.get("/metrics")
def show() -> Response:
    """The figures. 403 for anybody else than this machine or who sends `Authorization: Bearer <STATUSPAGE_METRICS_TOKEN>`."""
    if not _may_look():
        words = "metrics are for this machine, or for who knows STATUSPAGE_METRICS_TOKEN\n"
        return Response(words, 403, mimetype="text/plain")
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures())
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(registry), content_type=content_type)


def _may_look() -> bool:
    token = services().settings.metrics_token
    if token:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and sealing.is_same(given.strip(), token)
    # A proxy on this machine makes the whole world look local: what it forwards is not.
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


class _Figures:
    """Asked once per scrape. A database that does not answer is a figure too."""

    def collect(self) -> Iterator[GaugeMetricFamily | InfoMetricFamily]:
        yield InfoMetricFamily("statuspage_build", "The program that answers.", value={"version": __version__})
        up = GaugeMetricFamily("statuspage_database_up", "1 when the database answered this scrape.")
        try:
            with services().ctx.db.read() as conn:
                found = [*_watching(conn), *_telling(conn), *_working(conn)]
        except Unavailable:
            found = []
        up.add_metric([], 1 if found else 0)
        yield up
        yield from found


def _watching(conn: Connection) -> Iterator[GaugeMetricFamily]:
    now = services().ctx.now()
    late = store.lateness_s(conn, now)
    yield _by("statuspage_probe_results_last_5_minutes", "Probe runs recorded in the last 5 minutes.", "outcome",
              store.results(conn, now - _RECENT).items())  # fmt: skip
    yield _by("statuspage_monitors", "Watched monitors (and regions) by what they say.", "state", store.states(conn).items())
    yield _one("statuspage_monitors_late", "Monitors whose next result is overdue.", sum(one > 0 for one in late))
    yield _one("statuspage_probe_lateness_seconds", "How long the latest result is overdue.", max(late, default=0.0))
    yield _by("statuspage_components", "Components by effective status.", "status", store.component_statuses(conn).items())
    yield _by("statuspage_open_notices", "Public notices that are not over.", "kind", store.open_notices(conn).items())
    yield _by("statuspage_reports_last_15_minutes", "Networks that reported a problem in the last 15 minutes.", "symptom",
              sorted(reports.recent(conn, now - WINDOW).items()))  # fmt: skip
    yield _by("statuspage_reports_rising", "The same, for symptoms that more networks report than usual.", "symptom",
              ((one.symptom, one.count) for one in reports.signals(conn).values()))  # fmt: skip


def _telling(conn: Connection) -> Iterator[GaugeMetricFamily]:
    now = services().ctx.now()
    made = GaugeMetricFamily("statuspage_deliveries_last_day", "Messages made in the last 24 hours.", labels=["channel", "state"])
    for key, number in sorted(store.messages(conn, now - _DAY).items()):
        made.add_metric(list(key), number)
    yield made
    yield _by("statuspage_delivery_overdue_seconds", "Age of the longest waiting message that is due.", "channel",
              ((name, (now - at).total_seconds()) for name, at in sorted(store.oldest_due(conn, now).items())))  # fmt: skip
    yield _one("statuspage_outbox_depth", "Announcements not yet turned into messages.", store.outbox_depth(conn))
    purse = subscribe_limits.purse(conn, (pages.load_meta(conn, "channels", {}) or {}).get("sms") or {}, now)
    spent = (("hour", purse.hour_spent), ("month", purse.month_spent))
    most = (("hour", purse.hour_ceiling), ("month", purse.month_ceiling))
    yield _by("statuspage_sms_spent", "Reckoned cost of SMS to the public, in the currency of channels.sms.spend.", "window",
              ((name, milli / 1000) for name, milli in spent))  # fmt: skip
    yield _by("statuspage_sms_ceiling", "What they may cost.", "window", ((name, milli / 1000) for name, milli in most))


def _working(conn: Connection) -> Iterator[GaugeMetricFamily]:
    now = services().ctx.now()
    beats = monitors.beats(conn)
    yield _by("statuspage_heartbeat_age_seconds", "Since each loop last finished work; 90 s is blind.", "loop",
              ((name, (now - at).total_seconds()) for name, at in sorted(beats.items())))  # fmt: skip
    count, oldest = store.unpublished(conn, _published())
    yield _one("statuspage_unpublished_changes", "Committed changes that are not on the page yet.", count)
    lag_s = max(0.0, (now - oldest).total_seconds()) if oldest else 0.0
    yield _one("statuspage_publish_lag_seconds", "Age of the oldest change that is not on the page yet.", lag_s)


def _published() -> int:
    folder = Folder(services().settings.public_dir)
    try:
        return folder.load_manifest().seq
    finally:
        folder.close()


def _one(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _by(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for word, value in values:
        family.add_metric([word], value)
    return family
