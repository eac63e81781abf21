"""The pages for people beside index, notices, components and archive: which exist, and which of them a change touches.

Paths are without their language, which `in_languages` adds. Ranks are urls' business.
"""

from __future__ import annotations

from collections.abc import Iterable

from statuspage.store.public_views import ComponentView, NoticeView, PublicView
from statuspage.symptoms import SUPPORT, Symptom, tree

CHECK, MAINTENANCE, STATISTICS, NETWORKS = "/check", "/maintenance", "/statistics", "/networks/"
WORDS = ("/help", "/privacy")
_FUNCTIONS = frozenset({"transfers", "receive", "balances", "swap", "bridge"})  # those that a network's table names


def is_page(path: str) -> bool:
    """Whether `path` (without a language) is one of these pages."""
    return path in {CHECK, MAINTENANCE, STATISTICS, *WORDS} or path.startswith((f"{CHECK}/", NETWORKS))


def everything(view: PublicView) -> list[str]:
    """All of them."""
    symptoms = [_check(key) for key in tree().symptoms]
    return [CHECK, *symptoms, MAINTENANCE, STATISTICS, *WORDS, *_networks(view.components)]


def of_hour(view: PublicView, reported: Iterable[str] = ()) -> list[str]:
    """What shows the last hours: response times, and the symptoms that readers `reported` in them."""
    return [f"/components/{one.id}" for one in view.components] + _networks(view.components) + of_symptoms(reported)


def of_symptoms(symptoms: Iterable[str]) -> list[str]:
    """What says whether more readers than usual report these symptoms."""
    asked = [_check(key) for key in symptoms if key in tree().symptoms]
    return [CHECK, *asked] if asked else []


def of_components(view: PublicView, component_ids: Iterable[str]) -> list[str]:
    """What shows the status of these components."""
    changed = [view.by_id[key] for key in component_ids if key in view.by_id]
    asked = [_check(key) for key, symptom in tree().symptoms.items() if any(_shows(symptom, one) for one in changed)]
    networks = _networks(changed)
    # A function's trouble is also one of every network that offers it.
    needed = any(one.id in _FUNCTIONS for one in changed)
    networks += [f"{NETWORKS}{chain}" for chain in view.capabilities if needed and f"{NETWORKS}{chain}" not in networks]
    return [*([CHECK, *asked] if asked else []), *networks]


def of_notice(view: PublicView, notice: NoticeView) -> list[str]:
    """What tells of this notice, also when it does so no more: what earlier updates named counts too."""
    named = {key for update in notice.updates for key in update.facts.symptoms} | set(notice.facts.symptoms)
    if any(update.facts.affected_versions for update in notice.updates):
        named |= {key for key, symptom in tree().symptoms.items() if _asks(symptom, "versions")}
    components = [view.by_id[key] for key in notice.component_ids if key in view.by_id]
    named |= {key for key, symptom in tree().symptoms.items() if any(_is_about(symptom, one) for one in components)}
    found = [CHECK, *(_check(key) for key in tree().symptoms if key in named)] if named else []
    found += _networks(components)
    return [*found, MAINTENANCE if notice.kind == "maintenance" else STATISTICS]


def in_languages(view: PublicView, paths: Iterable[str]) -> list[str]:
    """The paths as they are published."""
    found = list(paths)
    return [f"/{language}{path}" for language in view.page.languages for path in found]


def _networks(components: Iterable[ComponentView]) -> list[str]:
    return [f"{NETWORKS}{one.chain}" for one in components if one.chain]


def _check(symptom_id: str) -> str:
    return f"{CHECK}/{symptom_id}"


def _asks(symptom: Symptom, block: str) -> bool:
    return any(block in question.shows for question in tree().asked(symptom))


def _is_about(symptom: Symptom, one: ComponentView) -> bool:
    return symptom.concerns(one.id, one.symptoms, is_chain=one.chain is not None)


def _shows(symptom: Symptom, one: ComponentView) -> bool:
    # Every page of the tree ends with the ways to support and their state.
    return _is_about(symptom, one) or one.id in SUPPORT or (one.chain is not None and _asks(symptom, "chains"))
