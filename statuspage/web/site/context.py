"""One HTML page: the reader's language, the snapshot it is made from, the words its template may use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, g, request
from markupsafe import Markup

from statuspage import i18n, templating
from statuspage.domain import status, verdict
from statuspage.domain.uptime import Seconds
from statuspage.publish import assets
from statuspage.publish.snapshot import Snapshot, current
from statuspage.scenarios import catalogue
from statuspage.store import public
from statuspage.store.pages import Page
from statuspage.store.public_views import ComponentView, NoticeView, PublicView
from statuspage.web.site import bars, charts, words
from statuspage.web.site.services import Services

Lines = Mapping[str, list[str]]
Sparks = Mapping[str, tuple[int | None, ...]]  # component id -> median response time of each of the last hours
_FUNDS_ICONS = {
    "unaffected_verified": ("ok", "ok"), "no_evidence_of_loss": ("shield", "ok"), "unavailable_temporarily": ("work", "work"),
    "will_be_corrected": ("degraded", "degraded"), "at_risk_act_now": ("major", "major"), "loss_confirmed": ("major", "major"),
    "unknown_checking": ("unknown", "unknown"),
}  # fmt: skip


@contextmanager
def snapshot(services: Services) -> Iterator[Snapshot]:
    """The publisher's snapshot while it renders; for a request of its own, one opened here. Raises Unavailable."""
    held = current.get()
    if held is not None:
        yield held
        return
    with services.db.read() as conn:
        yield Snapshot(conn, public.load(conn, services.now()))


def reader_language(page: Page) -> str:
    """The language in the path, also of a page that does not exist, else the best the reader's browser asks for."""
    first = request.path.split("/", 2)[1]
    given = g.get("language") or (first if first in i18n.LOCALES else None)
    return given or i18n.negotiate(request.headers.get("Accept-Language", ""), page.languages)


def html(language: str, template: str, context: Mapping[str, Any], code: int = 200) -> Response:
    """A template as a response. `context` comes from `base` or `of_view`."""
    return Response(templating.render(language, f"site/{template}", **context), code, content_type="text/html; charset=utf-8")


def base(page: Page, language: str, path: str | None, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - for the template
    """What site/base.html needs. `path` is the page's path without the language, None where no other language has it."""
    color = assets.brand(page.brand_color)
    return {
        "page": page, "zone": page.time_zone, "path": path, "favicon": words.PLAIN, "version": "", "live": False,
        "is_demo": False, "is_blind": False, "checked_at": None, "asset": lambda name: assets.url(name, color),
        "language_name": i18n.language_name, "other_language": other_language, "word": _word(language),
        "comma": "、" if language == "zh-Hans" else ", ",
        "status_word": lambda kind, word: catalogue().status_label(kind, word, language), "css": words.CSS.__getitem__,
        "percent": bars.percent_words, "shown": words.shown, "state_word": lambda state: words.state_word(state, language),
        **more,
    }  # fmt: skip


def of_view(
    held: Snapshot, language: str, path: str, *, live: bool = True, favicon: str = words.PLAIN, sparks: Sparks | None = None,
    **more: Any,  # noqa: ANN401
) -> dict[str, Any]:  # fmt: skip
    """What the pages made from the public view need, on top of `base`.

    `favicon`: what it tells. Decided: favicon and title say what the page itself says. The index shows the verdict, a
    component, a network, a symptom, an open notice and the maintenance calendar show their own state; every other page has the
    plain mark and its plain title. It is published once and not written anew when the state changes: whatever it showed of the
    state would be false within the hour, and a green mark while transfers fail is worse than none.
    """
    view = held.view
    zone = view.page.time_zone
    return base(
        view.page, language, path, view=view, now=view.now, version=version(view),
        favicon=verdict.UNKNOWN if view.is_blind and favicon != words.PLAIN else favicon,
        is_demo=view.is_demo, is_blind=view.is_blind, checked_at=view.checked_at, live=live,
        css_of_notice=words.css_of_notice, since=lambda at: words.since(at, view.now, zone, language),
        funds_icon=lambda state: _FUNDS_ICONS.get(state, ("unknown", "unknown")), lines=_lines(language),
        window=lambda notice: window(notice, zone, language), names_of=_names(view, language), strip_of=_strips(held),
        label_of=lambda strip: label(strip, language),
        row=_rows(held, language, sparks or {}),
        is_possible=lambda one: is_possible(one, words.suspected_ids(view)),
        day_words=lambda day: i18n.short_day_words(day, language), span_of=lambda name: words.span(name, language),
        local_day=lambda at, span: (i18n.month_words if span == "year" else i18n.short_day_words)(
            at.astimezone(ZoneInfo(zone)).date(), language
        ),
        capability_words=words.CAPABILITIES, symptom_word=lambda key: catalogue().label("symptoms", key, language),
        name_of=lambda key: i18n.pick(view.by_id[key].names, language) if key in view.by_id else key,
        cause_word=lambda key: catalogue().label("cause", key, language), **more,
    )  # fmt: skip


def version(view: PublicView) -> str:
    """Changes whenever what the page says changes; /live.json carries the same."""
    return f"{view.seq}-{assets.look_hash()[:6]}"


def other_language(texts: Mapping[str, str]) -> str:
    """The language that `pick` falls back on: assistive software must not read Chinese as English."""
    return next((tag for tag, text in texts.items() if text), "")


def _word(language: str) -> Callable[[str, str], str]:
    return lambda vocabulary, word: catalogue().label(vocabulary, word, language)


def _lines(language: str) -> Callable[[Lines], list[str]]:
    return lambda found: found.get(language) or next((some for some in found.values() if some), [])


def _names(view: PublicView, language: str) -> Callable[[NoticeView], str]:
    known = view.by_id
    return lambda notice: words.together(
        (i18n.pick(known[key].names, language) for key in notice.facts.components if key in known), language
    )


def _strips(held: Snapshot) -> Callable[[ComponentView], bars.Strip]:
    """Strips are drawn once per snapshot, not once per language and twin."""
    last = held.view.now.astimezone(ZoneInfo(held.view.page.time_zone)).date()
    return lambda one: held.remember(("strip", one.id), lambda: _strip(frozenset(one.days.items()), last))


@lru_cache(maxsize=4096)
def _strip(days: frozenset[tuple[date, Seconds]], last: date) -> bars.Strip:
    """Between two publications hardly any component's days change."""
    return bars.strip(dict(days), last)


def _rows(held: Snapshot, language: str, sparks: Sparks) -> Callable[[ComponentView], Markup]:
    strip_of, suspected = _strips(held), words.suspected_ids(held.view)
    return lambda one: _row(
        language, one.id, i18n.pick(one.names, language), words.shown(one), is_possible(one, suspected), strip_of(one),
        sparks.get(one.id, ()),
    )


@lru_cache(maxsize=8192)
def _row(
    language: str, component_id: str, called: str, word: str, possible: bool, strip: bars.Strip, times: tuple[int | None, ...]  # noqa: FBT001
) -> Markup:
    """One component in a list. A hundred of them are most of the index, and all but one are as they were a minute ago."""
    return Markup(templating.render(  # noqa: S704 - what a template with autoescape made
        language, "site/_row.html", id=component_id, called=called, possible=possible, strip=strip, label=label(strip, language),
        css=words.CSS[word], word=words.state_word(word, language),
        percent=bars.percent_words(strip.percent), spark=charts.spark(times), latest=next(filter(None, reversed(times)), None),
    ).strip())  # fmt: skip


def is_possible(one: ComponentView, suspected: frozenset[str]) -> bool:
    """Whether its trouble is only suspected and must be called a possible one."""
    return one.id in suspected and one.status in {status.DEGRADED, status.PARTIAL, status.MAJOR}


def label(strip: bars.Strip, language: str) -> str:
    """The bars in words, for those who do not see them."""
    if strip.percent is None:
        return i18n.gettext(language, "Nothing measured yet")
    percent = bars.percent_words(strip.percent)
    if not strip.trouble:
        return i18n.gettext(language, "%(percent)s in 90 days", percent=percent)
    return i18n.gettext(language, "%(percent)s in 90 days, %(count)s with trouble", percent=percent, count=len(strip.trouble))


def window(notice: NoticeView, zone: str, language: str) -> str:
    """24 Nov 2026 (Tue), 02:00 to 04:00 UTC+8: the planned time of a maintenance; "about", where a block decides."""
    start, end = notice.facts.scheduled_for, notice.facts.scheduled_until
    if start is None:
        return ""
    local = ZoneInfo(zone)
    gap = " " if language == "zh-Hans" else ", "
    weekday = i18n.weekday_words(start, zone, language)
    named = "（{}）" if language == "zh-Hans" else " ({}), "  # noqa: RUF001 - Chinese punctuation
    day = i18n.day_words(start, zone, language) + named.format(weekday)
    until = ""
    if end is not None:
        same = start.astimezone(local).date() == end.astimezone(local).date()
        if same:
            until = "–" + i18n.time_words(end, zone)  # noqa: RUF001 - a range
        else:
            there = end.astimezone(local).date()
            is_year_said = there.year == start.astimezone(local).year
            last = i18n.short_day_words(there, language) if is_year_said else i18n.day_words(end, zone, language)
            until = f" – {last}{gap}{i18n.time_words(end, zone)}"  # noqa: RUF001 - a range
    words = f"{day}{i18n.time_words(start, zone)}{until} {i18n.zone_label(start, zone, language)}"
    return i18n.about_block(words, notice.facts.at_block, language)


def days_in_words(first: date, last: date, language: str) -> str:
    """21 Nov, or 9 to 12 Nov for several."""
    start, end = i18n.short_day_words(first, language), i18n.short_day_words(last, language)
    if first == last:
        return start
    if first.month == last.month:
        # The month is said once: before the days in Chinese, behind them in English.
        start, end = (start, f"{last.day}日") if language == "zh-Hans" else (str(first.day), end)
    return f"{start}–{end}"  # noqa: RUF001 - a range


def last_days(view: PublicView, language: str, count: int = public.PAST_DAYS) -> list[dict[str, Any]]:
    """The last days, newest first; each with its notices, quiet days in a row as one."""
    zone = ZoneInfo(view.page.time_zone)
    today = view.now.astimezone(zone).date()
    by_day: dict[date, list[NoticeView]] = {}
    for notice in (*view.past, *view.open, *view.active):
        by_day.setdefault(notice.started_at.astimezone(zone).date(), []).append(notice)
    # An older notice that ended within these days still belongs to its first day.
    before = [day for day in sorted(by_day) if (today - day).days >= count]
    out = [{"words": days_in_words(day, day, language), "notices": by_day[day]} for day in before]
    quiet: list[date] = []
    for back in range(count - 1, -1, -1):
        day = today - timedelta(days=back)
        if day not in by_day:
            quiet.append(day)
            continue
        out += _quiet(quiet, language)
        quiet = []
        out.append({"words": days_in_words(day, day, language), "notices": by_day[day]})
    return [*out, *_quiet(quiet, language)][::-1]


def _quiet(days: list[date], language: str) -> list[dict[str, Any]]:
    return [{"words": days_in_words(days[0], days[-1], language), "notices": []}] if days else []


def legend(language: str) -> list[tuple[str, str]]:
    """The colours of the bars and what they mean."""
    order = (status.OPERATIONAL, status.DEGRADED, status.PARTIAL, status.MAJOR, status.MAINTENANCE, status.UNKNOWN)
    return [(words.CSS[word], catalogue().label("component_status", word, language)) for word in order]
