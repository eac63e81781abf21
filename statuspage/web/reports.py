"""Problem reports: the form, "I have this too" of the published pages, and the text for support that both end in.

Needs no script and no login. A published page cannot hold a token of its reader: what keeps other sites from reporting through
somebody's browser is the origin that browsers name. Free text never reaches a public page.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask import Blueprint, Response, request

from statuspage import i18n
from statuspage.actions import reports
from statuspage.actions.context import Context
from statuspage.actions.limits import TooOften
from statuspage.domain.reports import PLATFORMS, HoldsSecret, Report, read
from statuspage.errors import InvalidInput, NotAllowed
from statuspage.publish.snapshot import Snapshot
from statuspage.settings import Settings
from statuspage.store import components, pages, public
from statuspage.store.public_views import PublicView
from statuspage.store.reports import DETAILS
from statuspage.symptoms import tree
from statuspage.web import visitors
from statuspage.web.site import check
from statuspage.web.site.context import html, reader_language
from statuspage.web.site.services import Services

FIELDS = ("symptom", "component", "platform", "version", "region", "text")
_FRESH_S = 2.0
_STATES = 6  # components whose state stands in the text for support


def reports_blueprint(ctx: Context, settings: Settings) -> Blueprint:
    """The routes, with and without a language in front. Needs the `lang` converter of web.site.app."""
    found = Blueprint("reports", __name__)
    forms = _Forms(ctx, settings)
    for rule, name, view, method in (("/report", "form", forms.form, "GET"), ("/report", "send", forms.send, "POST")):
        found.add_url_rule(rule, name, view, methods=[method])
        found.add_url_rule(f"/<lang:language>{rule}", f"{name}_in", view, methods=[method])
    return found


class _Forms:
    def __init__(self, ctx: Context, settings: Settings) -> None:
        self._ctx, self._settings = ctx, settings
        self._services = Services(ctx.db, settings, ctx.now)
        self._seen: tuple[float, PublicView] | None = None

    @contextmanager
    def _moment(self) -> Iterator[Snapshot]:
        """What is public, at most _FRESH_S old: in an outage thousands press at once, and each is told the same."""
        with self._ctx.db.read() as conn:
            seen = self._seen
            if seen is None or time.monotonic() - seen[0] > _FRESH_S:
                seen = self._seen = time.monotonic(), public.load(conn, self._ctx.now())
            yield Snapshot(conn, seen[1])

    def form(self) -> Response:
        """GET /report[?symptom=][&component=]."""
        return self._form({name: request.args.get(name, "")[:60] for name in ("symptom", "component")})

    def _form(self, filled: Mapping[str, str], error: InvalidInput | None = None) -> Response:
        """The form. What had the shape of a secret is not shown again: who looks over a shoulder shall not read it either."""
        secrets = error.kinds if isinstance(error, HoldsSecret) else ()
        kept = {name: filled.get(name, "") for name in FIELDS}
        if error is not None and error.field in kept:
            kept[error.field] = ""
        return self._show(
            "report.html", 422 if error else 200, filled=kept, secrets=secrets, wrong=error.field if error else "",
            problem=error, days=self._settings.report_days, platforms=PLATFORMS,
        )  # fmt: skip

    def send(self) -> Response:
        """POST /report: the form, or a button of a published page with nothing but the symptom."""
        said = {name: request.form.get(name, "") for name in FIELDS}
        with self._ctx.db.read() as conn:
            page_url, known = pages.load_page(conn).url, components.load(conn)
        try:
            visitors.check_origin(request, page_url)
            report = read(said, tree().symptoms.keys(), known.keys())
        except NotAllowed:
            return self._done("refused", None, 403)
        except InvalidInput as error:
            return self._form(said, error)
        if request.form.get("website"):  # a field people do not see
            return self._done("counted", report)
        try:
            is_new = reports.take_report(self._ctx, report, visitors.ip_prefix(request, self._settings.trusted_hops))
        except TooOften as error:
            response = self._done("too_often", report, 429)
            response.headers["Retry-After"] = str(error.wait_s)
            return response
        return self._done("counted" if is_new else "known", report)

    def _done(self, step: str, report: Report | None, code: int = 200) -> Response:
        def more(held: Snapshot) -> dict[str, Any]:
            if report is None:
                return {"found": None}
            found = check.found_of(held, report.symptom)
            ids = [report.component_id, *(one.id for one in (*found.troubled, *found.components))]
            states = [held.view.by_id[key] for key in dict.fromkeys(ids) if key in held.view.by_id]
            has_details = any(getattr(report, name) for name in DETAILS)
            return {"found": found, "states": states[:_STATES], "has_details": has_details}

        return self._show("report_done.html", code, more, step=step, report=report)

    def _show(
        self, template: str, code: int, more: Callable[[Snapshot], dict[str, Any]] = lambda _held: {}, **given: Any  # noqa: ANN401 - for the template
    ) -> Response:
        with self._moment() as held:
            language = reader_language(held.view.page)
            if isinstance(problem := given.get("problem"), InvalidInput):
                given["problem"] = i18n.said(language, problem.args[0])
            shown = check.values(self._services, held, language, "/report", tree=tree(), live=False, **given, **more(held))
            response = html(language, template, shown, code)
        response.headers["Cache-Control"] = "no-store"
        return response
