"""/check and /check/<symptom>: "is it us or you?", answered from what is public at the moment. The tree itself is data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, abort

from statuspage import i18n
from statuspage.publish.snapshot import Snapshot
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
        known = {key: _diagnosis(held, key) for key in tree().symptoms}
        return html(language, "check.html", _values(services, held, language, "/check", known=known, tree=tree()))


def answer(services: Services, symptom_id: str) -> Response:
    """One symptom: whose fault it is as far as we know, else the questions that lead to an answer."""
    if symptom_id not in tree().symptoms:
        abort(404)
    with snapshot(services) as held:
        view = held.view
        language = reader_language(view.page)
        found = _diagnosis(held, symptom_id)
        return html(language, "check_symptom.html", _values(
            services, held, language, f"/check/{symptom_id}", found=found, tree=tree(), questions=tree().asked(found.symptom),
            verdict=lambda key: i18n.pick(tree().verdicts[key], language), chains=_chains(view),
            versions=[one for one in view.open if one.facts.affected_versions],
            support=[one for one in view.components if one.id in SUPPORT],
            names=words.together((i18n.pick(one.names, language) for one in found.troubled), language),
        ))  # fmt: skip


def _diagnosis(held: Snapshot, symptom_id: str) -> diagnosis.Diagnosis:
    # Blind or not is part of the key: both moments share what is remembered.
    key = ("diagnosis", symptom_id, held.view.is_blind)
    return held.remember(key, lambda: diagnosis.diagnose(held.view, symptom_id))


def _chains(view: PublicView) -> list[tuple[ComponentView, str]]:
    """Networks with the address of their explorer, '' where none is known."""
    return [(one, tree().explorer(one.chain)) for one in view.components if one.chain]


def _values(services: Services, held: Snapshot, language: str, path: str, **more: Any) -> Mapping[str, Any]:  # noqa: ANN401 - for the template
    custody = held.view.page.custody
    return of_view(
        held, language, path, tone_of=diagnosis.CSS.__getitem__, own_keys=custody in {"self", "both"},
        ways=[{**_NO_WAY, **way} for way in held.view.page.support],
        second_host=services.settings.browser_test_url,
        **more,
    )  # fmt: skip
