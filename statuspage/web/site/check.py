"""/check and /check/<symptom>: "is it us or you?", answered from what is public at the moment. The tree itself is data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, abort

from statuspage import i18n
from statuspage.clock import from_ms
from statuspage.domain import reports
from statuspage.publish.snapshot import Snapshot
from statuspage.store import reports as report_store
from statuspage.store.public_views import ComponentView, PublicView
from statuspage.symptoms import SUPPORT, tree
from statuspage.web.site import diagnosis, words
from statuspage.web.site.context import html, of_view, reader_language, snapshot
from statuspage.web.site.services import Services

_NO_WAY = {"name": {}, "url": "", "number": "", "email": "", "hours": "", "wait": 0}  # stored without what was not given
Add = Callable[[str, Callable[..., Response], str], None]


def register(add: Add, services: Services) -> None:
    """Add both pages; `add` is that of pages.register."""
    add("/check", lambda: start(services), "check")
    add("/check/<symptom_id>", lambda symptom_id: answer(services, symptom_id), "check_symptom")


def start(services: Services) -> Response:
    """Every symptom with what is known about it."""
    with snapshot(services) as held:
        language = reader_language(held.view.page)
        known = {key: found_of(held, key) for key in tree().symptoms}
        return html(language, "check.html", values(services, held, language, "/check", known=known, tree=tree()))


def answer(services: Services, symptom_id: str) -> Response:
    """One symptom: whose fault it is as far as we know, else the questions that lead to an answer."""
    if symptom_id not in tree().symptoms:
        abort(404)
    with snapshot(services) as held:
        view = held.view
        language = reader_language(view.page)
        found = found_of(held, symptom_id)
        # Whose money is gone is not told by a green mark that all is well.
        favicon = words.PLAIN if found.symptom.urgent and found.level == diagnosis.CLEAR else diagnosis.ICON[found.level]
        return html(language, "check_symptom.html", values(
            services, held, language, f"/check/{symptom_id}", favicon=favicon, found=found,
            tree=tree(), questions=tree().asked(found.symptom),
            verdict=lambda key: i18n.pick(tree().verdicts[key], language), chains=_chains(view),
            versions=[one for one in view.open if one.facts.affected_versions],
            names=words.together((i18n.pick(one.names, language) for one in found.troubled), language),
            trend=_trend(held, symptom_id),
        ))  # fmt: skip


def found_of(held: Snapshot, symptom_id: str) -> diagnosis.Diagnosis:
    """What is known of a symptom."""
    rising = held.remember("rising", lambda: report_store.signals(held.conn))
    # Blind or not is part of the key: both moments share what is remembered.
    key = ("diagnosis", symptom_id, held.view.is_blind)
    return held.remember(key, lambda: diagnosis.diagnose(held.view, symptom_id, is_rising=symptom_id in rising))


def _trend(held: Snapshot, symptom_id: str) -> dict[str, Any] | None:
    """Readers' reports of the last hours as bars in a box of 24 x 8; None where there are too few to be shown."""
    since = reports.hour_of(held.view.now) - reports.SHOWN
    counts = held.remember("reports by hour", lambda: report_store.hours(held.conn, since))
    found = reports.trend(counts.get(symptom_id, {}), held.view.now)
    if found is None:
        return None
    heights = [(index, 8 - round(count / found.most * 7.5, 1)) for index, count in enumerate(found.counts) if count]
    hour = from_ms(found.most_hour * reports.HOUR_MS)
    return {
        "bars": "".join(f"M{index}.1 8V{top}h.8V8z" for index, top in heights), "most": found.most, "most_at": hour,
        "most_until": from_ms((found.most_hour + 1) * reports.HOUR_MS), "few": reports.UNSEEN,
        "last_at": from_ms((found.last_hour + 1) * reports.HOUR_MS),
    }  # fmt: skip


def _chains(view: PublicView) -> list[tuple[ComponentView, str]]:
    """Networks with the address of their explorer, '' where none is known."""
    return [(one, tree().explorer(one.chain)) for one in view.components if one.chain]


def values(services: Services, held: Snapshot, language: str, path: str, **more: Any) -> Mapping[str, Any]:  # noqa: ANN401 - for the template
    """What the macros of site/_check.html need, on top of what every page does."""
    custody = held.view.page.custody
    return of_view(
        held, language, path, tone_of=diagnosis.CSS.__getitem__, own_keys=custody in {"self", "both"},
        ways=[{**_NO_WAY, **way} for way in held.view.page.support],
        support=[one for one in held.view.components if one.id in SUPPORT], second_host=services.settings.browser_test_url,
        **more,
    )  # fmt: skip
