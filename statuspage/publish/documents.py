"""Feeds, calendars and other documents for machines: which there are, and which a change touches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from statuspage.publish import calendars, feeds, topics
from statuspage.publish.snapshot import Snapshot
from statuspage.publish.topics import Topic
from statuspage.store.public_views import NoticeView

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


def depends_on_page(path: str) -> bool:
    """Whether `path`, found on disk, may be gone or renamed when the page itself changes."""
    return is_feed(path) or "/components/" in path or "/networks/" in path


def _paths(held: Snapshot, about: Iterable[Topic], files: Iterable[str]) -> Iterator[str]:
    names = tuple(files)
    for topic in about:
        for language in held.view.page.languages:
            yield from (f"/{language}{topic.prefix}/{name}" for name in names if not (topic.kind and name in calendars.FILES))
