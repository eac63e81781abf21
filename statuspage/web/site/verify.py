"""Verify, official channels, keys, security.txt: what lets anybody check that we said something."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, Response, abort, request

from statuspage.channels import registry
from statuspage.clock import iso
from statuspage.publish.snapshot import Snapshot
from statuspage.store import public
from statuspage.store.pages import Page, load_meta
from statuspage.web import visitors
from statuspage.web.site import proof
from statuspage.web.site.context import html, of_view, reader_language, snapshot
from statuspage.web.site.data import answer
from statuspage.web.site.headers import CACHE_NEVER
from statuspage.web.site.services import Services

_FILE_BYTES = 200 * 1024
_CANONICAL = re.compile(r"N-[2-9A-HJKMNP-Z]{4}")
_LIFE_DAYS = 180  # of security.txt; RFC 9116 recommends less than a year


def register(app: Flask, services: Services) -> None:
    """Add them to `app`. GET /verify itself is one of the plain pages."""

    def add(rule: str, name: str, view: Callable[[], Response], method: str = "GET") -> None:
        app.add_url_rule(rule, name, view, methods=[method])
        app.add_url_rule(f"/<lang:language>{rule}", f"{name}_in", view, methods=[method])

    add("/verify", "verify_ask", lambda: ask(services), "POST")
    add("/official", "official", lambda: plain(services, "official.html", "/official"))
    add("/key", "key_page", lambda: plain(services, "key.html", "/key"))
    app.add_url_rule("/n/<number>.json", "number_json", lambda number: of_number(services, number))
    app.add_url_rule("/key.json", "key", lambda: public_keys(services))
    app.add_url_rule("/.well-known/security.txt", "security_txt", lambda: security_txt(services))


def ask(services: Services) -> Response:
    """POST /verify: a number, a message or a file. Stores nothing."""
    with snapshot(services) as held:
        visitors.check_origin(request, held.view.page.url)
        language = reader_language(held.view.page)
        file = request.files.get("file")
        raw = file.stream.read(_FILE_BYTES + 1) if file else b""
        said = request.form.get("said", "")[:4000]
        if raw:
            found = proof.of_file(held, raw) if len(raw) <= _FILE_BYTES else proof.Finding("unreadable")
        else:
            found = proof.of_text(held, said)
        response = html(language, "verify.html", of_view(
            held, language, "/verify", live=False, finding=found, said=said, moment_of=proof.moment_of,
            titles={name: channel.title for name, channel in registry.CHANNELS.items()},
        ))  # fmt: skip
        response.headers["Cache-Control"] = CACHE_NEVER
        return response


def of_number(services: Services, number: str) -> Response:
    """/n/<number>.json: what was published under a number; a 404 in JSON says that nothing was."""
    with snapshot(services) as held:
        notice = proof.by_number(held, number) if _CANONICAL.fullmatch(number.upper()) else None
        if notice is None:
            abort(404)
        return answer(proof.document(held, notice))


def plain(services: Services, template: str, path: str) -> Response:
    """A page of the page's own facts."""
    with snapshot(services) as held:
        language = reader_language(held.view.page)
        return html(language, template, of_view(held, language, path, live=False, keys=keys_of(held)))


def keys_of(held: Snapshot) -> list[dict[str, Any]]:
    """The public halves of the keys that sign or will sign, oldest first; `endorsed_by`: the key that announced one."""
    endorsed: Mapping[str, Any] = load_meta(held.conn, "key_endorsements", {}) or {}
    return [
        {**{name: row[name] for name in ("id", "public_key", "valid_from", "valid_until")},
         "endorsed_by": endorsed.get(row["id"], {}).get("by", ""), "endorsement": endorsed.get(row["id"])}
        for row in public.signing_keys(held.conn)
    ]  # fmt: skip


def public_keys(services: Services) -> Response:
    """/key.json: the keys, replaced and announced ones included."""
    with snapshot(services) as held:
        return answer({"keys": [_key(row) for row in keys_of(held)]})


def _key(row: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        "id": row["id"], "algorithm": "Ed25519", "public_key": row["public_key"], "valid_from": iso(row["valid_from"]),
        "valid_until": iso(row["valid_until"]) if row["valid_until"] else None,
    }  # fmt: skip
    return {**found, "endorsement": row["endorsement"]} if row["endorsement"] else found


def security_txt(services: Services) -> Response:
    """RFC 9116: whom to tell of a weakness. Without a contact in wallet.yaml there is none."""
    with snapshot(services) as held:
        page = held.view.page
        contact = _contact(page)
        if not contact:
            abort(404)
        lines = [
            f"Contact: {contact}", f"Expires: {_expires(held.view.now)}", f"Preferred-Languages: {', '.join(page.languages)}",
            f"Canonical: {page.url}/.well-known/security.txt", f"Policy: {page.url}/{page.default_language}/official",
        ]  # fmt: skip
        return Response("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")


def _contact(page: Page) -> str:
    """`page.official.security`, else the first support entry that can be written to."""
    given = str(page.official.get("security") or "")
    if not given:
        written = (str(one.get("email") or one.get("url") or "") for one in page.support)
        given = next(filter(None, written), "")
    return f"mailto:{given}" if given and "://" not in given and not given.startswith("mailto:") else given


def _expires(now: datetime) -> str:
    """The first of a month about half a year ahead: the file stands still for a month."""
    return (now + timedelta(days=_LIFE_DAYS)).strftime("%Y-%m-01T00:00:00Z")
