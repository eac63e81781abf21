"""The HTML pages. Each exists below every language; without a language it is the reader's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from flask import Flask, Response, abort, g, redirect, request

from statuspage import i18n
from statuspage.domain import verdict
from statuspage.scenarios import catalogue
from statuspage.store import agents, public, public_pages
from statuspage.store.pages import load_page
from statuspage.web.site import archive, check, context, grid, networks, numbers, words
from statuspage.web.site.charts import MONITORS, Charts
from statuspage.web.site.context import base, html, of_view, reader_language, snapshot
from statuspage.web.site.services import Services

_OVER = 20  # maintenances of the past on one page; the archive has them all
_SPARKS = 40  # components up to which their rows show response times: on a longer page they would cost more than they tell
_SUMMARY = 160  # characters of the latest update shown in the archive
_LEVEL_STATUS = {"up": "operational", "degraded": "degraded", "partial": "partial_outage", "major": "major_outage",
                 "maintenance": "under_maintenance", "unknown": "unknown"}  # fmt: skip


def register(app: Flask, services: Services) -> None:
    """Add every page to `app`, with and without a language in front."""
    charts = Charts()

    def add(rule: str, view: Callable[..., Response], name: str) -> None:
        app.add_url_rule(rule, name, view, methods=["GET"])
        app.add_url_rule(f"/<lang:language>{rule}", f"{name}_in", view, methods=["GET"])

    add("/", lambda: index(services, charts), "index")
    add("/history", lambda: history(services), "history")
    add("/history/<month>", lambda month: history(services, month), "history_month")
    add("/incidents/<public_id>", lambda public_id: notice(services, public_id), "notice")
    add("/components/<component_id>", lambda component_id: component(services, charts, component_id), "component")
    add("/uptime", lambda: plain(services, "uptime.html", "/uptime"), "uptime")
    add("/verify", lambda: plain(services, "verify.html", "/verify"), "verify")
    add("/n/<number>", lambda number: by_number(services, number), "by_number")
    add("/maintenance", lambda: maintenance(services), "maintenance")
    add("/help", lambda: plain(services, "help.html", "/help"), "help")
    add("/privacy", lambda: plain(services, "privacy.html", "/privacy", report_days=services.settings.report_days), "privacy")
    check.register(add, services)
    networks.register(add, services, charts)
    archive.register(add, services)
    numbers.register(add, services)
    app.url_value_preprocessor(_take_language)


def _take_language(_endpoint: str | None, values: dict[str, object] | None) -> None:
    """The language in the path goes to `g`; views are the same with and without it."""
    g.language = values.pop("language", None) if values else None


def index(services: Services, charts: Charts) -> Response:
    """The status page."""
    with snapshot(services) as held:
        view = held.view
        language = reader_language(view.page)
        return html(language, "index.html", of_view(
            held, language, "/", favicon=words.level(view), grid=grid.grid(view, language), cell_css=grid.css,
            cell_word=lambda one: grid.word(one, language),
            sparks=charts.sparks(held.conn, view.now) if len(view.components) <= _SPARKS else {},
            headline=words.headline(view, language), remainder=words.remainder(view, language),
            tone=words.css_of_verdict(view), past=context.last_days(view, language),
        ))  # fmt: skip


def notice(services: Services, public_id: str) -> Response:
    """One notice, fit to be printed as evidence."""
    with snapshot(services) as held:
        language = reader_language(held.view.page)
        found = held.remember(("notice", public_id), lambda: public.load_notice(held.conn, public_id))
        if found is None:
            abort(410 if public.was_published(held.conn, public_id) else 404)
        return html(language, "notice.html", of_view(
            held, language, f"/incidents/{public_id}", favicon=words.icon_of_notice(found), notice=found,
        ))  # fmt: skip


def by_number(services: Services, number: str) -> Response:
    """The short address that messages carry; it leads to the notice in the reader's language."""
    with snapshot(services) as held:
        public_id = public.public_id_of(held.conn, number)
        if public_id is None:
            abort(404)
        language = reader_language(held.view.page)
        # 302, not 301: a browser must not remember for ever what was published under a number.
        return _redirect(f"/{language}/incidents/{public_id}")


def component(services: Services, charts: Charts, component_id: str) -> Response:
    """One component: status, 90 days in detail, response times from a day to a year, its notices."""
    with snapshot(services) as held:
        view = held.view
        language = reader_language(view.page)
        one = view.by_id.get(component_id)
        if one is None:
            abort(404)
        notices = held.remember(("component", one.id), lambda: public.load_component(held.conn, one.id))
        watching = held.remember("watchers", lambda: public_pages.watchers(held.conn)).get(one.id, [])[:MONITORS]
        values = of_view(
            held, language, f"/components/{one.id}", favicon=words.icon_of_component(view, one), one=one,
            group=view.group_of(one), notices=notices,
            open=view.going_on(one.id), legend=context.legend(language),
            regions=held.remember(("regions", one.id), lambda: agents.regions_of(held.conn, one.id, view.now)),
            charts=[(watcher, charts.of(held.conn, watcher.no, view.now)) for watcher in watching],
            own_region=services.settings.region, regions_at=view.now,
            level_word=lambda level: catalogue().label("component_status", _LEVEL_STATUS[level], language),
        )  # fmt: skip
        return html(language, "component.html", {**values, "strip": values["strip_of"](one)})


def history(services: Services, month: str = "") -> Response:
    """The archive, one month a page. `?page=2` of Statuspage is the month before this one."""
    with snapshot(services) as held:
        view = held.view
        language, zone = reader_language(view.page), view.page.time_zone
        this_month = public.month_of(view.now, zone)
        if not month and (back := request.args.get("page", "1")) != "1":
            return _redirect(f"/{language}/history/{_months_back(this_month, back)}")
        wanted = month or this_month
        try:
            found = held.remember(("history", wanted), lambda: public.load_history(held.conn, wanted, zone))
        except ValueError:
            abort(404)
        return html(language, "history.html", of_view(
            held, language, f"/history/{month}" if month else "/history", history=found,
            month_words=_month_name(wanted, language), month_name=lambda text: _month_name(text, language),
            summary=lambda texts: _cut(i18n.pick(texts, language)), **archive.choices(held, language),
        ))  # fmt: skip


def maintenance(services: Services) -> Response:
    """What is going on, what is planned, what is over: component, window, local time."""
    with snapshot(services) as held:
        language = reader_language(held.view.page)
        known = [one for one in held.view.notices if one.kind == "maintenance" and one.facts.scheduled_for]
        over = sorted((one for one in known if not one.is_open), key=lambda one: (one.started_at, one.id), reverse=True)
        favicon = verdict.MAINTENANCE if held.view.active else words.PLAIN
        return html(language, "maintenance.html", of_view(held, language, "/maintenance", favicon=favicon, over=over[:_OVER]))


def _months_back(month: str, text: str) -> str:
    steps = int(text) - 1 if text.isdecimal() and len(text) <= 3 else 0
    year, index = divmod(int(month[:4]) * 12 + int(month[5:]) - 1 - steps, 12)
    return f"{year:04d}-{index + 1:02d}"


def _month_name(month: str, language: str) -> str:
    return i18n.month_words(date.fromisoformat(f"{month}-01"), language)


def _cut(text: str) -> str:
    return text if len(text) <= _SUMMARY else text[:_SUMMARY].rstrip() + "…"


def plain(services: Services, template: str, path: str, **more: Any) -> Response:  # noqa: ANN401 - for the template
    """A page of words that needs only the page's own facts."""
    with snapshot(services) as held:
        language = reader_language(held.view.page)
        return html(language, template, of_view(held, language, path, live=False, **more))


def problem(services: Services, template: str, code: int) -> Response:
    """A 404 or 503 for people. Without a database it still answers, in the default language."""
    with services.db.read() as conn:
        page = load_page(conn)
    language = reader_language(page)
    return html(language, template, base(page, language, None), code)


def _redirect(path: str) -> Response:
    found = redirect(path, 302)
    return Response(found.get_data(), 302, {"Location": path, "Content-Type": "text/html; charset=utf-8"})
