"""What machines read: Statuspage's JSON, live.json, the signed log, health, assets."""

from __future__ import annotations

import json
from datetime import timedelta

from flask import Flask, Response, abort

from statuspage.clock import iso
from statuspage.errors import Unavailable
from statuspage.publish import api, assets
from statuspage.publish.snapshot import Snapshot
from statuspage.store import notices, public
from statuspage.store.public_views import NoticeView
from statuspage.web.site.context import snapshot, version
from statuspage.web.site.services import Services

SILENT = timedelta(seconds=90)  # a loop that has not reported for so long is taken for dead
_LOG_PAGE = 1000


def register(app: Flask, services: Services) -> None:
    """Add every document to `app`."""
    for name, build in api.DOCUMENTS.items():
        app.add_url_rule(f"/api/v2/{name}.json", f"api_{name}", lambda build=build: document(services, build))
    for rule, name in (("/api/v2/incidents/", "api_incident"), ("/incidents/", "incident_json")):
        app.add_url_rule(f"{rule}<public_id>.json", name, lambda public_id: incident(services, public_id))
    app.add_url_rule(
        "/api/v2/scheduled-maintenances/<public_id>.json", "api_maintenance", lambda public_id: maintenance(services, public_id)
    )
    app.add_url_rule("/live.json", "live", lambda: live(services))
    app.add_url_rule("/log.json", "log", lambda: log(services))
    app.add_url_rule("/log/<int:n>", "log_entry", lambda n: log_entry(services, n))
    app.add_url_rule("/healthz", "healthz", lambda: health(services))
    app.add_url_rule("/static/<name>", "static", lambda name: static(services, name))


def answer(data: object, code: int = 200) -> Response:
    """JSON as bytes that are the same for the same data."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Response(text, code, content_type="application/json; charset=utf-8")


def document(services: Services, build: api.Builder) -> Response:
    """One of api.DOCUMENTS."""
    with snapshot(services) as held:
        return answer(build(held.view))


def incident(services: Services, public_id: str) -> Response:
    """/api/v2/incidents/<id>.json and /incidents/<id>.json, also for a maintenance."""
    with snapshot(services) as held:
        found = _notice(held, public_id)
        return answer(api.document(held.view, incident=api.incident(held.view, found)))


def maintenance(services: Services, public_id: str) -> Response:
    """/api/v2/scheduled-maintenances/<id>.json."""
    with snapshot(services) as held:
        found = _notice(held, public_id)
        if found.kind != "maintenance":
            abort(404)
        return answer(api.document(held.view, scheduled_maintenance=api.incident(held.view, found)))


def _notice(held: Snapshot, public_id: str) -> NoticeView:
    found = held.remember(("notice", public_id), lambda: public.load_notice(held.conn, public_id))
    if found is None:
        abort(404)
    return found


def live(services: Services) -> Response:
    """What the page polls: whether its version is still the newest, when we last checked, how things stand."""
    with snapshot(services) as held:
        view = held.view
        found = {"version": version(view), "checked_at": iso(view.checked_at) if view.checked_at else None,
                 "verdict": view.verdict.level}  # fmt: skip
        return answer({**found, "blind": True} if view.is_blind else found)


def log(services: Services) -> Response:
    """The newest entries of the signed log, oldest first; each whole under /log/<n>."""
    with snapshot(services) as held:
        head = notices.log_head(held.conn)
        first = max(1, int(head["n"]) - _LOG_PAGE + 1) if head else 1
        rows = notices.log_rows(held.conn, first, _LOG_PAGE)
        entries = [{"n": row["n"], "at": iso(row["at"]), "hash": row["hash"], "prev_hash": row["prev_hash"],
                    "key_id": row["key_id"], "signature": row["signature"]} for row in rows]  # fmt: skip
        return answer({"head": {"n": head["n"], "hash": head["hash"]} if head else None, "first": first, "entries": entries})


def log_entry(services: Services, n: int) -> Response:
    """One entry: the signed bytes as they are, and the texts that its hashes stand for, as far as they were not withdrawn."""
    with snapshot(services) as held:
        rows = notices.log_rows(held.conn, n, 1)
        if not rows or rows[0]["n"] != n:
            abort(404)
        row = rows[0]
        hashes = json.loads(row["payload"]).get("bodies", {})
        return answer({
            "n": row["n"], "at": iso(row["at"]), "payload": row["payload"], "hash": row["hash"], "prev_hash": row["prev_hash"],
            "key_id": row["key_id"], "signature": row["signature"],
            "bodies": notices.bodies_of(held.conn, hashes.values() if isinstance(hashes, dict) else ()),
        })  # fmt: skip


def health(services: Services) -> Response:
    """200 while every loop that ever reported still does, else 503. Says nothing that is not public."""
    now = services.now()
    try:
        with services.db.read() as conn:
            beats = {name: at for name, at in public.load_heartbeats(conn).items() if name in services.watched}
    except Unavailable:
        return answer({"ok": False, "database": "does not answer", "loops": {}}, 503)
    loops = {name: {"at": iso(at), "age_s": max(0, int((now - at).total_seconds()))} for name, at in sorted(beats.items())}
    silent = [name for name, at in beats.items() if now - at > SILENT]
    return answer({"ok": not silent, "silent": sorted(silent), "loops": loops}, 503 if silent else 200)


def static(services: Services, name: str) -> Response:
    """An asset. One asked for under an older name gets today's content and is not kept."""
    with snapshot(services) as held:
        found = assets.find(name, assets.brand(held.view.page.brand_color))
    if found is None:
        abort(404)
    asset, is_current = found
    response = Response(asset.body, content_type=asset.content_type)
    if not is_current:
        response.headers["Cache-Control"] = "no-cache"
    return response
