"""/networks/<chain>: what a network does at the moment, in words, from what the probes recorded last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, abort

from statuspage import i18n
from statuspage.store import public, public_pages
from statuspage.store.public_pages import NetworkState
from statuspage.symptoms import tree
from statuspage.web.site import grid, words
from statuspage.web.site.charts import Charts
from statuspage.web.site.context import html, of_view, reader_language, snapshot
from statuspage.web.site.services import Services

# The probes' verdicts in words. `up` is what a monitor without a verdict of its own is.
_VERDICTS = {
    "OK": "The network works normally",
    "CONGESTED": "The network is busy: fees are high and transactions wait",
    "CHAIN_SLOW": "The network is slow: blocks come later than usual",
    "FINALITY_DELAYED": "Transactions get in, but become final later than usual",
    "CHAIN_HALTED": "The network has stopped: no new blocks",
    "OWN_NODE_BEHIND": "The network works; our own node lags behind it",
    "OWN_NODE_ON_FORK": "The network works; our own node follows another branch",
    "OWN_ENDPOINT_OVERLOADED": "The network works; our own access to it is overloaded",
    "CANARY": "The network works; balances from our own access are wrong",
}
_STATES = {
    "up": "The network works normally", "degraded": "Our access to the network is slow or late",
    "down": "Our access to the network fails",
}  # fmt: skip
_UNKNOWN = "We cannot tell at the moment how the network is"
_MAX_ENDPOINTS = 16


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place we ask. Ages in seconds; `behind`: blocks behind the tip that the references agree on; None: not known."""

    is_own: bool
    height: int | None
    head_age_s: float | None
    final_age_s: float | None
    behind: int | None
    latency_ms: int | None
    pressure: float | None
    is_answering: bool


def register(add: Any, services: Services, charts: Charts) -> None:  # noqa: ANN401 - that of pages.register
    """Add the page."""
    add("/networks/<chain>", lambda chain: network(services, charts, chain), "network")


def network(services: Services, charts: Charts, chain: str) -> Response:
    """One network: verdict, figures of the newest result, what the wallet offers there, 90 days, response times."""
    with snapshot(services) as held:
        view = held.view
        language = reader_language(view.page)
        one = next((some for some in view.components if some.chain == chain), None)
        if one is None:
            abort(404)
        states = held.remember(("network", chain), lambda: public_pages.network_states(held.conn, one.id))
        notices = held.remember(("component", one.id), lambda: public.load_component(held.conn, one.id))
        watching = held.remember("watchers", lambda: public_pages.watchers(held.conn)).get(one.id, [])[:1]
        values = of_view(
            held, language, f"/networks/{chain}", favicon=words.icon_of_component(view, one), one=one,
            chain=chain, notices=notices[:10], endpoints=_endpoints(states),
            open=view.going_on(one.id), explorer=tree().explorer(chain),
            verdict=_verdict(states, language, is_blind=view.is_blind), recorded=_recorded(states),
            offers=[(name, grid.cell(view, one, name)) for name in grid.NEEDS if grid.cell(view, one, name)],
            cell_css=grid.css, cell_word=lambda one: grid.word(one, language),
            charts=[(watcher, charts.of(held.conn, watcher.no, view.now)) for watcher in watching],
        )  # fmt: skip
        return html(language, "network.html", {**values, "strip": values["strip_of"](one)})


def _verdict(states: list[NetworkState], language: str, *, is_blind: bool) -> str:
    if not states or is_blind:
        return i18n.gettext(language, _UNKNOWN)
    worst = states[0]
    said = _VERDICTS.get(worst.cause) or _STATES.get(worst.state, _UNKNOWN)
    # A verdict is kept from the last unusual time; a monitor that is up again overrules it.
    return i18n.gettext(language, _STATES["up"] if worst.state == "up" and worst.cause != "CONGESTED" else said)


def _recorded(states: list[NetworkState]) -> NetworkState | None:
    """The state whose evidence is shown: the worst one that has any."""
    return next((one for one in states if isinstance(one.evidence.get("endpoints"), list)), None)


def _endpoints(states: list[NetworkState]) -> list[Endpoint]:
    recorded = _recorded(states)
    if recorded is None:
        return []
    tip = recorded.evidence.get("tip")
    rows = [row for row in recorded.evidence["endpoints"] if isinstance(row, dict)][:_MAX_ENDPOINTS]
    return [_endpoint(row, tip if isinstance(tip, int) else None) for row in rows]


def _endpoint(row: Mapping[str, Any], tip: int | None) -> Endpoint:
    """Numbers only: addresses, suppliers and error texts of the evidence are not public."""
    height, at, final = (_number(row.get(name)) for name in ("head_height", "at_ms", "final_ms"))
    fee = row.get("fee")
    pressure = _number(fee.get("pressure")) if isinstance(fee, dict) else None
    latency = _number(row.get("latency_ms"))
    return Endpoint(
        is_own=row.get("role") == "own",
        height=None if height is None else int(height),
        head_age_s=_number(row.get("head_age_s")),
        final_age_s=max(0.0, (at - final) / 1000) if at is not None and final is not None else None,
        behind=None if tip is None or height is None else max(0, tip - int(height)),
        latency_ms=None if latency is None else round(latency),
        pressure=pressure,
        is_answering=row.get("ok") is True,
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
