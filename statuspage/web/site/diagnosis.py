"""What "is it us or you?" answers for a symptom from what is public: notices that name it, and the components behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from statuspage.domain import status, verdict
from statuspage.store.public_views import ComponentView, NoticeView, PublicView
from statuspage.symptoms import Symptom, tree
from statuspage.web.site import words

# The worst first. PART: only a network fails, which may not be the reader's. REPORTED: readers say so, and nothing else does.
# TOLD: an announcement without an outage.
US, WORK, SUSPECTED, PART, UNKNOWN = "us", "work", "suspected", "part", "unknown"
REPORTED, TOLD, CLEAR = "reported", "told", "clear"
CSS = {
    US: "major", WORK: "work", SUSPECTED: "degraded", PART: "degraded", UNKNOWN: "unknown", REPORTED: "unknown",
    TOLD: "unknown", CLEAR: "ok",
}  # fmt: skip
# Favicons of a symptom's page. What readers say, or an announcement, is no state of ours.
ICON = {
    US: verdict.DOWN, WORK: verdict.MAINTENANCE, SUSPECTED: verdict.SUSPECTED, PART: verdict.DEGRADED, UNKNOWN: verdict.UNKNOWN,
    REPORTED: words.PLAIN, TOLD: words.PLAIN, CLEAR: verdict.OK,
}  # fmt: skip
_TROUBLE = {status.DEGRADED, status.PARTIAL, status.MAJOR}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`level` is one of the words above; `notices` what is open about it, worst first; `components` those it may come from.

    `troubled`: those of the components that fail or cannot be judged, whichever the level is about. `ended`: notices about it
    that closed today or yesterday.
    """

    symptom: Symptom
    level: str
    notices: tuple[NoticeView, ...]
    components: tuple[ComponentView, ...]
    troubled: tuple[ComponentView, ...]
    ended: tuple[NoticeView, ...]


def linked(view: PublicView, symptom: Symptom) -> tuple[ComponentView, ...]:
    """The components that a symptom may come from."""
    return tuple(
        one for one in view.components if symptom.concerns(one.id, one.symptoms, is_chain=one.chain is not None)
    )


def diagnose(view: PublicView, symptom_id: str, *, is_rising: bool = False) -> Diagnosis:
    """The answer to `symptom_id`, a key of the tree's symptoms. `is_rising`: more readers than usual report it.

    Anybody can send reports: they change an "all works" into "others say so too", never what checks and people have found.
    """
    symptom = tree().symptoms[symptom_id]
    components = linked(view, symptom)
    ids = {one.id for one in components}
    notices = tuple(one for one in (*view.open, *view.active) if _is_about(one, symptom_id, ids))
    own = tuple(one for one in components if symptom_id in one.symptoms or one.id in symptom.components)
    own_ids = {one.id for one in own}
    level = _level(view, tuple(one for one in notices if _is_about(one, symptom_id, own_ids)), own)
    if level not in {US, WORK, SUSPECTED} and len(own) < len(components):
        wide = _level(view, notices, components)
        level = PART if wide in {US, WORK, SUSPECTED} else wide
    if is_rising and level in {TOLD, CLEAR}:
        level = REPORTED
    wanted = {status.UNKNOWN} if level == UNKNOWN else {*_TROUBLE, status.MAINTENANCE}
    return Diagnosis(
        symptom, level, notices, components, tuple(one for one in components if one.status in wanted),
        tuple(one for one in view.past if _is_about(one, symptom_id, ids) and _is_recent(one, view)),
    )  # fmt: skip


def _is_about(notice: NoticeView, symptom_id: str, ids: set[str]) -> bool:
    named = notice.facts.components if notice.is_open else notice.component_ids
    return symptom_id in notice.facts.symptoms or not ids.isdisjoint(named)


def _is_recent(notice: NoticeView, view: PublicView) -> bool:
    """Days, not hours: the page is rendered anew at midnight and not every hour."""
    if notice.resolved_at is None or notice.kind not in {"incident", "security"}:
        return False
    zone = ZoneInfo(view.page.time_zone)
    return view.now.astimezone(zone).date() - notice.resolved_at.astimezone(zone).date() <= timedelta(days=1)


def _level(view: PublicView, notices: tuple[NoticeView, ...], components: tuple[ComponentView, ...]) -> str:
    # A security notice without components warns of others (phishing): nothing of ours fails.
    trouble = [one for one in notices if one.kind == "incident" or (one.kind == "security" and one.facts.components)]
    states = {one.status for one in components}
    if any(not one.is_suspected for one in trouble):
        return US
    if any(one.kind == "maintenance" for one in notices):
        return WORK
    if trouble or states & _TROUBLE:
        return SUSPECTED
    if status.MAINTENANCE in states:
        return WORK
    # One component that cannot be judged is enough: an "all works" that leaves it out would be a guess.
    if view.is_blind or status.UNKNOWN in states:
        return UNKNOWN
    return TOLD if notices else CLEAR
