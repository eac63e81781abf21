"""What is published, and what depends on what. A new page is a route, a template, and its line here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from statuspage.publish import assets, documents
from statuspage.publish import pages as people
from statuspage.publish.api import DOCUMENTS
from statuspage.publish.snapshot import Snapshot
from statuspage.store import public
from statuspage.store.public import Change
from statuspage.store.public_views import NoticeView, PublicView

LIVE = "/live.json"
# Ranks: what a cycle writes first. Everything up to JSON goes out with the change itself; the rest follows, hottest first.
ASSETS, PAGES, JSON, BACKGROUND = 0, 1, 2, 3
_RECORDS = (".rss", ".atom", ".json", ".ics", ".svg", ".js", ".txt")
KEPT = 4  # rendered anew only where it is a file already: badges, which exist once somebody asked for them
MOST_URGENT = 20  # notices of one change; an import of a thousand must not hold up the news
_WORDS = ("/uptime", "/verify", "/docs/api", "/official", "/key")

Wanted = dict[str, int]  # path -> rank


def is_published(path: str) -> bool:
    """Whether `path` is one of those that become files. Forms, redirects and health never do."""
    if path == LIVE or path.startswith(("/api/v2/", "/static/", "/log/")) or path in {"/log.json", "/key.json"}:
        return True
    if documents.is_feed(path) or documents.is_document(path):
        return True
    inner = path[1:].partition("/")[2]
    return any(_is_page(f"/{part}") for part in (path[1:], inner))


def _is_page(path: str) -> bool:
    known = {"/", "/history", *_WORDS}
    return path in known or path.startswith(("/history/", "/incidents/", "/components/")) or people.is_page(path)


def has_twin(path: str) -> bool:
    """Whether `path` says that something works, and must stop saying so once we cannot see. Feeds and the log are records."""
    if path.startswith("/api/v2/") or path == LIVE or documents.has_twin(path):
        return True
    return not path.startswith(("/static/", "/log")) and not path.endswith(_RECORDS)


def hot(view: PublicView) -> Wanted:
    """What every change of what is going on touches."""
    wanted: Wanted = {}
    for language in view.page.languages:
        wanted[f"/{language}/"] = PAGES
    wanted.update(dict.fromkeys((f"/api/v2/{name}.json" for name in DOCUMENTS), JSON))
    return wanted | dict.fromkeys(documents.of_present(view), JSON)


def fixed(view: PublicView) -> Wanted:
    """What depends on templates, translations and settings alone."""
    wanted: Wanted = dict.fromkeys(assets.all_urls(assets.brand(view.page.brand_color)), ASSETS)
    for language in view.page.languages:
        wanted.update(dict.fromkeys((f"/{language}{path}" for path in _WORDS), BACKGROUND))
    wanted |= {"/key.json": BACKGROUND, "/log.json": BACKGROUND}
    return wanted | background(documents.fixed())


def of_notice(held: Snapshot, notice: NoticeView) -> Wanted:
    """The pages of one notice, and what lists it."""
    view = held.view
    month = public.month_of(notice.started_at, view.page.time_zone)
    wanted: Wanted = {f"/api/v2/incidents/{notice.public_id}.json": JSON, "/log.json": JSON}
    wanted.update({f"/log/{update.signature.n}": JSON for update in notice.updates if update.signature})
    for language in view.page.languages:
        wanted[f"/{language}/incidents/{notice.public_id}"] = PAGES
        # As long as the month is: a moment later, where nobody looks for news.
        wanted[f"/{language}/history"] = BACKGROUND
        wanted[f"/{language}/history/{month}"] = BACKGROUND
    wanted |= background(people.in_languages(view, people.of_notice(view, notice)))
    for component_id in notice.component_ids:
        if component_id in view.by_id:
            wanted.update(_component(view, component_id))
    wanted |= dict.fromkeys(documents.of_notice(notice), JSON)
    return background(documents.feeds_of(held, notice)) | wanted | dict.fromkeys(documents.feeds_now(held), JSON)


def _component(view: PublicView, component_id: str) -> Wanted:
    return {f"/{language}/components/{component_id}": BACKGROUND for language in view.page.languages}


def dependents(held: Snapshot, change: Change) -> Wanted:
    """Everything that must be rendered anew after `change`."""
    view = held.view
    wanted: Wanted = {}
    if change.page:
        wanted |= everything(held)
    if change.page or change.notices or change.components:
        wanted |= hot(view)
    wanted |= background(people.in_languages(view, people.of_components(view, change.components)))
    for component_id in change.components:
        # Also one that is gone: its page must go too.
        wanted |= _component(view, component_id)
    if change.notices or change.components:
        wanted |= dict.fromkeys(documents.status_badges(view, change.components), KEPT)
    for index, public_id in enumerate(change.notices):
        notice = notice_of(held, public_id)
        if notice is not None:
            pages = of_notice(held, notice)
            wanted |= pages if index < MOST_URGENT else background(path for path in pages if path not in wanted)
        else:
            wanted |= of_withdrawn(held, public_id)
    return wanted


def of_withdrawn(held: Snapshot, public_id: str) -> Wanted:
    """What a notice that is public no more must leave, apart from the feeds on disk: where it was listed only it knew."""
    wanted = dict.fromkeys(documents.feeds_now(held), JSON)
    for language in held.view.page.languages:
        page = f"/{language}/incidents/{public_id}"
        wanted |= {page: PAGES, f"{page}/calendar.ics": PAGES}
    gone = [f"{folder}/{public_id}.json" for folder in ("/api/v2/incidents", "/api/v2/scheduled-maintenances", "/incidents")]
    return wanted | dict.fromkeys(gone, JSON)


def notice_of(held: Snapshot, public_id: str) -> NoticeView | None:
    """The published notice of that id, read once per snapshot (the routes find it under the same key)."""
    return held.remember(("notice", public_id), lambda: public.load_notice(held.conn, public_id))


def everything(held: Snapshot) -> Wanted:
    """What a new page, a new look or a new day renders anew, apart from what is on disk already."""
    view = held.view
    wanted = background(documents.feeds_of_page(held)) | fixed(view) | hot(view)
    for language in view.page.languages:
        wanted[f"/{language}/history"] = BACKGROUND
    for component in view.components:
        wanted |= _component(view, component.id)
    for notice in (*view.open, *view.active, *view.upcoming):
        wanted |= of_notice(held, notice)
    for notice in view.past:
        wanted |= background(of_notice(held, notice))
    return hot(view) | background(people.in_languages(view, people.everything(view))) | wanted | fixed(view)


def of_day(view: PublicView) -> Wanted:
    """What a new local day renders anew: bars shift, "since 13:20" gets its date."""
    wanted = background(people.in_languages(view, people.everything(view))) | hot(view)
    wanted |= dict.fromkeys((*documents.badges_of_day(view), documents.SECURITY), KEPT)
    for component in view.components:
        wanted |= _component(view, component.id)
    for language in view.page.languages:
        wanted[f"/{language}/history"] = BACKGROUND
    for notice in (*view.open, *view.active):
        wanted |= {f"/{language}/incidents/{notice.public_id}": BACKGROUND for language in view.page.languages}
    return wanted


def of_hour(view: PublicView, reported: Iterable[str] = ()) -> Wanted:
    """What a new hour renders anew. `reported`: symptoms whose trend moves with it."""
    charts = dict.fromkeys(people.in_languages(view, people.of_hour(view, reported)), KEPT)
    return charts | dict.fromkeys(documents.badges_of_hour(view), KEPT)


def of_rising(view: PublicView, symptoms: Iterable[str]) -> Wanted:
    """What tells that readers report these symptoms more than usual, or no longer do."""
    return background(people.in_languages(view, people.of_symptoms(symptoms)))


def in_order(wanted: Wanted) -> Iterator[str]:
    """Paths by rank; within a rank in the order they were named."""
    for path, _rank in sorted(wanted.items(), key=lambda item: item[1]):
        yield path


def background(paths: Iterable[str]) -> Wanted:
    """`paths` at the lowest rank."""
    return dict.fromkeys(paths, BACKGROUND)
