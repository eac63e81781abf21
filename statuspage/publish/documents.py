"""Feeds, calendars, badges and other documents for machines: which there are, and which a change touches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from statuspage import i18n
from statuspage.domain.notice import NUMBER_ALPHABET
from statuspage.publish import badges, calendars, feeds, inapp, topics
from statuspage.publish.snapshot import Snapshot
from statuspage.publish.topics import Topic
from statuspage.store.public_views import NoticeView, PublicView

_STATUS_BADGES = ("status.svg", "shields.json")
SECURITY = "/.well-known/security.txt"  # names a month in which it expires
_ONCE = frozenset({"/embed.js", "/api/openapi.json", SECURITY, inapp.WHOLE, inapp.ANSWER})
_NUMBER = re.compile(rf"/n/N-[{NUMBER_ALPHABET}]{{4}}\.json")
_FEEDS = frozenset({*feeds.FILES, *calendars.FILES})
# A reader that shows no edited entry again is the rule; who asked for this form hears at once, the other forms a moment later.
_URGENT = tuple(file for file, per_notice in feeds.FILES.items() if not per_notice)


def is_feed(path: str) -> bool:
    """Whether `path` is a feed or calendar. Each exists below every language; without one it is in the page's default."""
    return path.rsplit("/", 1)[-1] in _FEEDS and not path.startswith(("/app/", "/api/"))


def feeds_now(held: Snapshot) -> Iterator[str]:
    """The feeds that go out with a notice itself."""
    yield from _paths(held, [topics.EVERYTHING], _URGENT)


def feeds_of(held: Snapshot, notice: NoticeView) -> Iterator[str]:
    """Every feed and calendar that tells of `notice`: of its kind, of the components it ever named, of their networks."""
    about = [topics.EVERYTHING, Topic(f"/kinds/{notice.kind}", kind=notice.kind)]
    about += topics.of_components(held, list(notice.component_ids))
    planned = notice.kind == "maintenance"
    yield from _paths(held, about, (*feeds.FILES, calendars.FILES[0] if planned else calendars.FILES[1]))
    yield from (f"/{language}/incidents/{notice.public_id}/calendar.ics" for language in held.view.page.languages)


def feeds_of_page(held: Snapshot) -> Iterator[str]:
    """The feeds and calendars of the page as a whole. Those of a component, network or kind become files once there is
    something in them or somebody has asked: a hundred components would be two thousand empty files.
    """
    return _paths(held, [topics.EVERYTHING], (*feeds.FILES, *calendars.FILES))


def is_document(path: str) -> bool:
    """Whether `path` is published besides feeds: badges, the banner, in-app notices, documents of one notice."""
    if path in _ONCE or _NUMBER.fullmatch(path):
        return True
    first, _, rest = path[1:].partition("/")
    if first in i18n.LOCALES:
        first, _, rest = rest.partition("/")
    if first == "badge":
        return rest.rsplit("/", 1)[-1] in badges.FILES
    return (first == "embed" and not rest) or _is_of_notice(path)


def _is_of_notice(path: str) -> bool:
    return path.startswith("/incidents/") and path.endswith(".json")


def has_twin(path: str) -> bool:
    """Whether a document says that something works, and must stop saying so once we cannot see."""
    return path in {inapp.WHOLE, inapp.ANSWER} or path.endswith((*_STATUS_BADGES, "/embed"))


def of_present(view: PublicView) -> Iterator[str]:
    """What tells of the whole: goes out with every change of what is going on."""
    yield from (inapp.WHOLE, inapp.ANSWER)
    yield from (f"/{language}/embed" for language in view.page.languages)


def of_notice(notice: NoticeView) -> Iterator[str]:
    """The documents of one notice beside those of Statuspage's API."""
    yield f"/incidents/{notice.public_id}.json"
    yield f"/n/{notice.number}.json"
    if notice.kind == "maintenance":
        yield f"/api/v2/scheduled-maintenances/{notice.public_id}.json"


def fixed() -> tuple[str, ...]:
    """What depends on this program alone."""
    return tuple(sorted(_ONCE - {inapp.WHOLE, inapp.ANSWER}))


def status_badges(view: PublicView, component_ids: Iterable[str]) -> Iterator[str]:
    """Badges that a change of these components' status touches, that of the page among them."""
    return _badges(view, [badges.PAGE, *component_ids], _STATUS_BADGES)


def badges_of_day(view: PublicView) -> Iterator[str]:
    """Badges that a new day changes."""
    return _badges(view, view.by_id, ("uptime.svg",))


def badges_of_hour(view: PublicView) -> Iterator[str]:
    """Badges that a new hour changes."""
    return _badges(view, view.by_id, ("response.svg",))


def _badges(view: PublicView, ids: Iterable[str], files: Iterable[str]) -> Iterator[str]:
    names = tuple(files)
    for one in ids:
        for prefix in ("", *(f"/{language}" for language in view.page.languages)):
            yield from (f"{prefix}/badge/{one}/{name}" for name in names)


def depends_on_page(path: str) -> bool:
    """Whether `path`, found on disk, may be gone or renamed when the page itself changes."""
    return is_feed(path) or any(part in path for part in ("/components/", "/networks/", "/badge/"))


def _paths(held: Snapshot, about: Iterable[Topic], files: Iterable[str]) -> Iterator[str]:
    names = tuple(files)
    for topic in about:
        for language in held.view.page.languages:
            yield from (f"/{language}{topic.prefix}/{name}" for name in names if not (topic.kind and name in calendars.FILES))
