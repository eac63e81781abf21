"""A checked wallet.yaml -> the rows it asks for. Inheritance from `defaults:` happens here."""

from __future__ import annotations

from typing import Any

from statuspage.config import chains
from statuspage.config.chains import ChainMonitor
from statuspage.config.check import Config
from statuspage.config.kinds import Check
from statuspage.config.monitors import Confirm, Defaults, Monitor
from statuspage.config.references import NETWORKS, component_of
from statuspage.domain.configuration import Wanted


def wanted(config: Config) -> Wanted:
    """What the file asks for."""
    document = config.document
    was = {
        "groups": {name: group.was for name, group in document.groups.items() if group.was},
        "components": {name: component.was for name, component in document.components.items() if component.was},
        "monitors": {name: monitor.was for name, monitor in document.monitors.items() if monitor.was},
    }
    for name, chain in document.chains.items():
        if chain.was:
            was["components"][chain.component or name] = chain.was
            was["monitors"] |= {
                own.id: own.id.replace(name, chain.was, 1) for own in config.chain_monitors.values() if own.chain == name
            }
    rows = {"groups": _groups(config), "components": _components(config), "monitors": _monitors(config)}
    return Wanted(rows, _settings(config), was)


def _groups(config: Config) -> dict[str, dict[str, Any]]:
    groups = {name: (group.name, group.note) for name, group in config.document.groups.items()}
    if NETWORKS not in groups and any(chain.group == NETWORKS for chain in config.document.chains.values()):
        names = {language: chains.GROUP_NAMES.get(language, chains.GROUP_NAMES["en"]) for language in config.languages}
        groups[NETWORKS] = (names, {})
    return {
        name: {"names": names, "notes": notes, "position": position}
        for position, (name, (names, notes)) in enumerate(groups.items())
    }


def _components(config: Config) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for name, item in config.document.components.items():
        rows[name] = {
            "group_id": item.group, "names": item.name, "descriptions": item.description, "position": len(rows),
            "weight": item.weight, "symptoms": item.symptoms, "template": item.template, "chain": None,
            "start_date": item.start_date,
        }  # fmt: skip
    for name, chain in config.document.chains.items():
        rows[chain.component or name] = {
            "group_id": chain.group, "names": chains.names(name, chain.name, config.languages),
            "descriptions": chains.note(name, chain.lifecycle, config.languages), "position": len(rows), "weight": chain.weight,
            "symptoms": chain.symptoms, "template": chains.template(name, chain.template, chain.lifecycle),
            "chain": name, "start_date": None,
        }  # fmt: skip
    return rows


def _monitors(config: Config) -> dict[str, dict[str, Any]]:
    document = config.document
    rows = {
        name: _monitor(monitor, config.checks[name], document.defaults, document.allow_networks, config.languages, name)
        for name, monitor in document.monitors.items()
    }
    for own in config.chain_monitors.values():
        rows[own.id] = _chain_monitor(own, config)
    return rows


def _monitor(
    monitor: Monitor, check: Check, defaults: Defaults, networks: list[str], languages: list[str], name: str
) -> dict[str, Any]:
    interval_ms = monitor.interval or defaults.interval
    # A heartbeat's grace is its confirmation: late or failed is so at once, unless the monitor itself says otherwise.
    confirm = Confirm(failures=1, successes=1) if check.kind == "heartbeat" else defaults.confirm
    return {
        "component_id": monitor.component,
        "names": monitor.name or dict.fromkeys(languages, name),
        "kind": check.kind, "target": check.target, "options": check.options,
        "interval_ms": interval_ms,
        # An inherited time-out or retry that is longer than a short interval would only overlap: it is cut.
        "timeout_ms": monitor.timeout or min(defaults.timeout, interval_ms),
        "retry_ms": min(monitor.retry or defaults.retry, interval_ms),
        "failures": monitor.confirm.failures or confirm.failures,
        "successes": monitor.confirm.successes or confirm.successes,
        "when_down": monitor.when_down,
        "publish": monitor.publish or defaults.publish,
        "depends_on": monitor.depends_on,
        "supplier": monitor.supplier,
        "regions": monitor.regions or defaults.regions,
        "quorum": monitor.quorum or defaults.quorum,
        "allow_networks": networks,
        "paused": monitor.paused,
    }  # fmt: skip


def _chain_monitor(own: ChainMonitor, config: Config) -> dict[str, Any]:
    """A wallet's own node down means some of the wallet's functions on that chain, hence a partial outage."""
    chain = config.document.chains[own.chain]
    monitor = Monitor(
        component=component_of(own.chain, {"component": chain.component}),
        name=chains.names(own.chain, chain.name, config.languages),
        when_down="partial_outage",
    )
    row = _monitor(monitor, own.check, config.document.defaults, config.document.allow_networks, config.languages, own.id)
    advised_ms = chains.poll_ms(own.chain) or row["interval_ms"]
    interval_ms = chain.interval or min(advised_ms, row["interval_ms"])
    cut = {name: min(row[name], interval_ms) for name in ("timeout_ms", "retry_ms")}
    return row | cut | {"interval_ms": interval_ms, "supplier": own.supplier}


def _settings(config: Config) -> dict[str, Any]:
    """Meta rows by name. References (${env:NAME}) stay as they are: they become values at use."""
    document = config.document
    page = document.page
    return {
        "page": page.stored(),
        "defaults": document.defaults.model_dump(mode="json"),
        "channels": document.channels.model_dump(mode="json", by_alias=True, exclude_none=True),
        "quiet_hours": document.quiet_hours.model_dump(mode="json", by_alias=True),
        "on_call": [
            person.model_dump(mode="json", exclude_none=True) | {"language": person.language or page.languages[0]}
            for person in document.on_call
        ],
        "webhooks": [webhook.model_dump(mode="json") for webhook in document.webhooks],
        "allow_networks": document.allow_networks,
        "mirrors": [mirror.model_dump(mode="json") for mirror in document.mirrors],
        "chains": {
            name: {"component": chain.component or name, "capabilities": chain.capabilities,
                   "canary": chain.canary.model_dump(mode="json", exclude_none=True) if chain.canary else None}
            for name, chain in document.chains.items()
        },
        "maintenance": [window.stored(page.time_zone) for window in document.maintenance],
    }  # fmt: skip
