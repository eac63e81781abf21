"""Sentences that depend on what is going on: the verdict, since when, names in a row. Words for ids are the catalogue's."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from statuspage import i18n
from statuspage.domain import status, verdict
from statuspage.scenarios import catalogue
from statuspage.store.public_views import ComponentView, NoticeView, PublicView

# Shown of a component that works as far as anybody has said, and that nothing watches: not a green that nobody stands for.
UNWATCHED = "unwatched"
CSS = {
    UNWATCHED: "unknown",
    status.OPERATIONAL: "ok", status.UNKNOWN: "unknown", status.MAINTENANCE: "work", status.DEGRADED: "degraded",
    status.PARTIAL: "partial", status.MAJOR: "major",
}  # fmt: skip
CSS_OF_LEVEL = {
    verdict.OK: "ok", verdict.UNKNOWN: "unknown", verdict.MAINTENANCE: "work", verdict.DEGRADED: "degraded",
    verdict.SUSPECTED: "degraded", verdict.DOWN: "major",
}  # fmt: skip
# Favicons: static/icon-<name>.svg. PLAIN is the page's own mark and says nothing of how it is.
PLAIN = "plain"
_ICON_OF_CSS = {
    "ok": verdict.OK, "unknown": verdict.UNKNOWN, "work": verdict.MAINTENANCE, "degraded": verdict.DEGRADED,
    "partial": verdict.DOWN, "major": verdict.DOWN,
}  # fmt: skip
_CSS_OF_IMPACT = {"critical": "major", "major": "partial", "minor": "degraded", "maintenance": "work", "none": "unknown"}
# Capabilities of wallet.yaml's chains as a reader knows them.
CAPABILITIES = {
    "send": "Send", "receive": "Receive", "balances": "Balances", "swap": "Swap", "bridge": "Bridge", "fees": "Fee estimates",
}  # fmt: skip
_TROUBLED = {"degraded", "partial", "major"}
_SPANS = {"day": "24 hours", "week": "7 days", "month": "30 days", "year": "12 months"}
_NAMED = 3  # more names than this make the verdict unreadable on a phone


def shown(component: ComponentView) -> str:
    """The status to show: its effective one, or UNWATCHED."""
    return component.status if component.is_watched or component.status != status.OPERATIONAL else UNWATCHED


def state_word(state: str, language: str) -> str:
    """What `shown` says, in words."""
    if state == UNWATCHED:
        return i18n.gettext(language, "No known problem")
    return catalogue().label("component_status", state, language)


def suspected_ids(view: PublicView) -> frozenset[str]:
    """Components about which only machines speak: their state is told as a possibility, whatever the monitors imply."""
    speaking = [notice for notice in view.open if notice.kind in ("incident", "security")]
    said = {key for notice in speaking if not notice.is_suspected for key in notice.facts.components}
    return frozenset(key for notice in speaking if notice.is_suspected for key in notice.facts.components if key not in said)


def css_of_notice(notice: NoticeView) -> str:
    """The colour class of a notice's card."""
    if not notice.is_open:
        return "ok" if notice.kind in ("incident", "security") else "unknown"
    if notice.kind == "maintenance":
        return "work"
    if notice.kind == "advisory":
        return "unknown"
    return "degraded" if notice.is_suspected else _CSS_OF_IMPACT[notice.impact]


def icon_of_component(view: PublicView, one: ComponentView) -> str:
    """The favicon of a component's or a network's own page: its state, which only a person calls more than suspected."""
    css = CSS[shown(one)]
    return verdict.SUSPECTED if one.id in suspected_ids(view) and css in _TROUBLED else _ICON_OF_CSS[css]


def icon_of_notice(notice: NoticeView) -> str:
    """The favicon of a notice's page: its state while it goes on. What is over or yet to come says nothing of the present."""
    if not notice.is_open or notice.kind == "advisory" or notice.status == "scheduled":
        return PLAIN
    return verdict.SUSPECTED if notice.is_suspected and notice.kind != "maintenance" else _ICON_OF_CSS[css_of_notice(notice)]


def since(at: datetime, now: datetime, zone: str, language: str) -> str:
    """13:20 on the same local day, 21 Nov, 13:20 in the same year, with the year otherwise; the zone stands beside it once."""
    there, here = at.astimezone(ZoneInfo(zone)).date(), now.astimezone(ZoneInfo(zone)).date()
    if there == here:
        return i18n.time_words(at, zone)
    gap = " " if language == "zh-Hans" else ", "
    day = i18n.short_day_words(there, language) if there.year == here.year else i18n.day_words(at, zone, language)
    return f"{day}{gap}{i18n.time_words(at, zone)}"


def span(name: str, language: str) -> str:
    """How long a chart reaches back."""
    return i18n.gettext(language, _SPANS[name])


def together(names: Iterable[str], language: str) -> str:
    """Names in a row, at most three, then how many more."""
    known = list(names)
    comma = "、" if language == "zh-Hans" else ", "
    first = comma.join(known[:_NAMED])
    rest = len(known) - _NAMED
    return i18n.gettext(language, "%(names)s and %(count)s more", names=first, count=rest) if rest > 0 else first


def headline(view: PublicView, language: str) -> str:
    """The verdict in one line. Only a person's word makes it say that something is down."""
    found = view.verdict
    names = together((i18n.pick(view.by_id[key].names, language) for key in found.component_ids), language)
    when = since(found.since_at, view.now, view.page.time_zone, language) if found.since_at else ""
    return i18n.gettext(language, _sentence(view), names=names, time=when)


def _sentence(view: PublicView) -> str:
    found = view.verdict
    if not view.components:
        return "Nothing is watched yet"
    if found.level == verdict.OK and not all(component.is_watched for component in view.components):
        return "No known problems"
    if found.level == verdict.UNKNOWN:
        some = 0 < len(found.component_ids) < len(view.components)
        return "We cannot tell whether this works: %(names)s" if some else _SENTENCES[verdict.UNKNOWN]
    return _NAMELESS[found.level] if not found.component_ids else _named(view)


def _named(view: PublicView) -> str:
    return "%(names)s: partly failing since %(time)s" if _is_partial(view) else _SENTENCES[view.verdict.level]


def _is_partial(view: PublicView) -> bool:
    found = view.verdict
    named = [view.by_id[key].status for key in found.component_ids]
    return found.level == verdict.DOWN and bool(named) and all(one == status.PARTIAL for one in named)


def css_of_verdict(view: PublicView) -> str:
    """The colour class and shape of the headline."""
    return "partial" if _is_partial(view) else CSS_OF_LEVEL[level(view)]


def level(view: PublicView) -> str:
    """The verdict's level; where nothing is watched at all, silence is no proof that everything works."""
    found = view.verdict.level
    return verdict.UNKNOWN if found == verdict.OK and not any(each.is_watched for each in view.components) else found


_SENTENCES = {
    verdict.OK: "Everything works",
    verdict.UNKNOWN: "We cannot see at the moment whether everything works",
    verdict.MAINTENANCE: "Under maintenance: %(names)s",
    verdict.DEGRADED: "%(names)s: slow or unreliable since %(time)s",
    verdict.SUSPECTED: "We see a problem with %(names)s, not confirmed yet",
    verdict.DOWN: "%(names)s: not working since %(time)s",
}
_NAMELESS = {
    **_SENTENCES,
    verdict.DEGRADED: "There is a problem since %(time)s: see below",
    verdict.SUSPECTED: "We see a problem, not confirmed yet",
    verdict.DOWN: "There is a serious problem since %(time)s: see below",
}


def remainder(view: PublicView, language: str) -> str:
    """What the headline leaves open: whether the rest works. Empty when it is about everything."""
    found = view.verdict
    if view.is_blind or found.level in (verdict.OK, verdict.UNKNOWN) or not found.component_ids:
        return ""
    others = [component for component in view.components if component.id not in found.component_ids]
    if not others:
        return ""
    if all(component.status == status.OPERATIONAL for component in others):
        return i18n.gettext(language, "Everything else works")
    # What we do not know is neither affected nor working: it is left to the list.
    affected = sum(component.status not in (status.OPERATIONAL, status.UNKNOWN) for component in others)
    return i18n.gettext(language, "%(count)s more affected, see below", count=affected) if affected else ""
