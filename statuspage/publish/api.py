"""Statuspage's public JSON, in its shape and field order, so that its clients read this page unchanged.

What it has no words for rides in one extra object, `x_wallet`: funds, ETA, advice, what is only suspected, all languages, and
where the text stands in the signed log. Shape: Statuspage's API v2. Texts are in the page's default language.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from statuspage.clock import iso
from statuspage.domain import lifecycle, status
from statuspage.i18n import pick
from statuspage.store.public_views import ComponentView, GroupView, NoticeView, PublicView, UpdateView

Json = dict[str, Any]
Builder = Callable[[PublicView], Json]


def document(view: PublicView, **parts: Any) -> Json:  # noqa: ANN401 - JSON values
    """A top-level object: `page` first, then `parts` in order."""
    return {"page": page(view), **parts}


def page(view: PublicView) -> Json:
    """The page object. `updated_at` moves with every public change: exporters cache on it."""
    return {
        "id": view.page.public_id, "name": pick(view.page.name, view.page.default_language), "url": view.page.url,
        "time_zone": view.page.time_zone, "updated_at": iso(view.updated_at),
    }  # fmt: skip


def roll_up(view: PublicView) -> Json:
    """`status`: indicator and sentence."""
    found = status.page_status(component.status for component in view.components)
    return {"indicator": found.indicator, "description": found.description}


def summary(view: PublicView) -> Json:
    """/api/v2/summary.json: components, open incidents, maintenance to come or under way, roll-up."""
    return document(
        view, components=components(view), incidents=[incident(view, notice) for notice in unresolved(view)],
        scheduled_maintenances=[incident(view, notice) for notice in (*view.active, *view.upcoming)], status=roll_up(view),
        x_wallet=about(view),
    )  # fmt: skip


def about(view: PublicView) -> Json:
    """Our own view of the whole, which knows `suspected` and `unknown`."""
    return {
        "verdict": view.verdict.level, "components": list(view.verdict.component_ids), "blind": view.is_blind,
        "since": iso(view.verdict.since_at) if view.verdict.since_at else None, "languages": list(view.page.languages),
        "names": view.page.name, "demo": view.is_demo,
    }  # fmt: skip


def unresolved(view: PublicView) -> list[NoticeView]:
    """Open incidents of every kind but maintenance, newest first."""
    return [notice for notice in view.notices if notice.kind != "maintenance" and notice.is_open]


def incidents(view: PublicView) -> list[NoticeView]:
    """The 50 newest but maintenance."""
    return [notice for notice in view.notices if notice.kind != "maintenance"][:50]


def maintenances(view: PublicView) -> list[NoticeView]:
    """The 50 newest maintenances."""
    return [notice for notice in view.notices if notice.kind == "maintenance"][:50]


def components(view: PublicView) -> list[Json]:
    """Groups and components in one list, each group before its own."""
    out: list[Json] = []
    for group in view.groups:
        out.append(_group(view, group))
        out.extend(component(view, one, group) for one in group.components)
    return [*out, *(component(view, one, None) for one in view.loose)]


def component(view: PublicView, one: ComponentView, group: GroupView | None) -> Json:
    """A component; `x_wallet.status` is our own word, which tells unknown from degraded."""
    language = view.page.default_language
    return {
        "id": one.public_id, "name": pick(one.names, language), "status": status.STATUSPAGE[one.status],
        "created_at": iso(one.created_at), "updated_at": iso(max(one.status_at, one.updated_at)), "position": one.position,
        "description": pick(one.descriptions, language) or None, "showcase": True, "start_date": one.start_date,
        "group_id": group.public_id if group else None, "page_id": view.page.public_id, "group": False,
        "only_show_if_degraded": False, "x_wallet": {"id": one.id, "status": one.status, "names": one.names},
    }  # fmt: skip


def _group(view: PublicView, group: GroupView) -> Json:
    language = view.page.default_language
    return {
        "id": group.public_id, "name": pick(group.names, language), "status": status.STATUSPAGE[group.status],
        "created_at": iso(group.created_at), "updated_at": iso(group.updated_at), "position": group.position,
        "description": pick(group.notes, language) or None, "showcase": False, "start_date": None, "group_id": None,
        "page_id": view.page.public_id, "group": True, "only_show_if_degraded": False,
        "components": [one.public_id for one in group.components],
        "x_wallet": {"id": group.id, "status": group.status, "names": group.names},
    }  # fmt: skip


def incident(view: PublicView, notice: NoticeView) -> Json:
    """A notice as an incident; a maintenance carries its window, and `started_at` is its creation, as in the original."""
    planned = notice.kind == "maintenance"
    language = view.page.default_language
    named = [view.by_id[key] for key in notice.facts.components if key in view.by_id]
    out: Json = {
        "id": notice.public_id, "name": pick(notice.facts.titles, language),
        "status": lifecycle.API_STATUS.get(notice.status, notice.status), "created_at": iso(notice.published_at),
        "updated_at": iso(notice.updated_at), "monitoring_at": _first(notice, "monitoring"),
        "resolved_at": iso(notice.resolved_at) if notice.resolved_at else None,
        "impact": "maintenance" if planned else notice.impact, "shortlink": f"{view.page.url}/n/{notice.number}",
        "started_at": iso(notice.published_at if planned else notice.started_at), "page_id": view.page.public_id,
        "incident_updates": [_update(view, notice, update) for update in notice.updates],
        "components": [component(view, one, view.group_of(one)) for one in named],
    }  # fmt: skip
    if planned:
        window = (notice.facts.scheduled_for, notice.facts.scheduled_until)
        out["scheduled_for"], out["scheduled_until"] = (iso(at) if at else None for at in window)
    return {**out, "x_wallet": facts(notice)}


def _first(notice: NoticeView, state: str) -> str | None:
    return next((iso(update.display_at) for update in reversed(notice.updates) if update.status == state), None)


def _update(view: PublicView, notice: NoticeView, update: UpdateView) -> Json:
    return {
        "id": update.public_id, "status": lifecycle.API_STATUS.get(update.status, update.status),
        "body": pick(update.bodies, view.page.default_language), "incident_id": notice.public_id,
        "created_at": iso(update.created_at), "updated_at": iso(update.created_at), "display_at": iso(update.display_at),
        "affected_components": list(_affected(view, update)) or None, "deliver_notifications": update.notify,
        "custom_tweet": None, "tweet_id": None,
        "x_wallet": {"bodies": update.bodies, "titles": update.facts.titles, "signature": _signature(update)},
    }  # fmt: skip


def _affected(view: PublicView, update: UpdateView) -> Iterable[Json]:
    language = view.page.default_language
    for key, (old, new) in update.changes.items():
        one = view.by_id.get(key)
        if one is None:
            continue
        group = view.group_of(one)
        name = pick(one.names, language)
        yield {
            "code": one.public_id, "name": f"{pick(group.names, language)} - {name}" if group else name,
            "old_status": status.STATUSPAGE.get(old, old), "new_status": status.STATUSPAGE.get(new, new),
        }  # fmt: skip


def _signature(update: UpdateView) -> Json | None:
    found = update.signature
    if found is None:
        return None
    return {"n": found.n, "hash": found.hash, "key_id": found.key_id, "signature": found.signature, "path": f"/log/{found.n}"}


def facts(notice: NoticeView) -> Json:
    """What a wallet's user asks and Statuspage has no field for."""
    said = notice.facts
    return {
        "number": notice.number, "kind": notice.kind, "status": notice.status, "suspected": notice.is_suspected,
        "titles": said.titles, "languages": sorted(said.titles), "demo": notice.demo,
        "funds": {"state": said.funds_safety, "text": said.funds_text, "basis": said.funds_basis},
        "eta": {"at": iso(said.eta_at) if said.eta_at else None, "confidence": said.eta_confidence},
        "next_update_by": iso(said.next_update_by) if said.next_update_by else None,
        "advice": {"do": said.advice_do, "dont": said.advice_dont}, "not_affected": said.not_affected, "scope": said.scope,
        "remedy": said.remedy, "cause": said.cause, "attribution": said.attribution, "symptoms": list(said.symptoms),
        "versions": {"affected": said.affected_versions, "fixed": said.fixed_versions}, "components": said.components,
        "at_block": said.awaited_block,
        "signature": _signature(notice.updates[0]) if notice.updates else None,
    }  # fmt: skip


def _incidents(choose: Callable[[PublicView], list[NoticeView]], key: str = "incidents") -> Builder:
    return lambda view: document(view, **{key: [incident(view, notice) for notice in choose(view)]})


def _planned(choose: Callable[[PublicView], list[NoticeView]]) -> Builder:
    return _incidents(choose, "scheduled_maintenances")


# Statuspage's paths below /api/v2/, each with what it holds.
DOCUMENTS: dict[str, Builder] = {
    "summary": summary,
    "status": lambda view: document(view, status=roll_up(view), x_wallet=about(view)),
    "components": lambda view: document(view, components=components(view)),
    "incidents": _incidents(incidents),
    "incidents/unresolved": _incidents(unresolved),
    "scheduled-maintenances": _planned(maintenances),
    "scheduled-maintenances/upcoming": _planned(lambda view: list(view.upcoming)),
    "scheduled-maintenances/active": _planned(lambda view: list(view.active)),
}
