"""What readers report: by symptom beside what is usual, and their words, which nobody else sees."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, request
from werkzeug.wrappers import Response as BaseResponse

from statuspage.actions.reports import usually
from statuspage.domain.reports import WINDOW
from statuspage.store import components, reports
from statuspage.symptoms import tree
from statuspage.web.console.respond import render, services

routes = Blueprint("reports", __name__)

_DAY = timedelta(days=1)
_LISTED, _COMMON = 100, 4  # single reports on one page; words of each column named for a symptom


@routes.get("/reports")
def index() -> BaseResponse:
    """The last 24 hours, the most reported first; ?symptom= keeps one."""
    ctx = services().ctx
    now, wanted = ctx.now(), request.args.get("symptom", "")
    wanted = wanted if wanted in tree().symptoms else ""
    with ctx.db.read() as connection:
        day, recent = reports.recent(connection, now - _DAY), reports.recent(connection, now - WINDOW)
        rising = reports.signals(connection)
        usual = {symptom: usually(connection, symptom, now) for symptom in day}
        makeup = [reports.makeup(connection, now - _DAY, part) for part in ("component_id", "version", "platform", "region")]
        rows = reports.written(connection, now - _DAY, _LISTED, wanted)
        named = components.load(connection)
    symptoms = sorted(day, key=lambda one: (-recent.get(one, 0), -day[one], one))
    common = {symptom: [found[symptom][:_COMMON] for found in makeup if symptom in found] for symptom in symptoms}
    return render("reports.html", symptoms=symptoms, wanted=wanted, day=day, recent=recent, usual=usual, rising=rising, rows=rows,
                  components=named, common=common, listed=_LISTED)  # fmt: skip
