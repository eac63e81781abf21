"""Subscribe, confirm, manage: the visitor's forms and the public API for them. GET shows, only POST acts.

Nothing here sends anything, and no answer tells whether an address was known.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, request

from statuspage import i18n
from statuspage.actions import subscribers
from statuspage.actions.context import Context
from statuspage.actions.limits import TooOften
from statuspage.actions.subscribers import Asked, Wish
from statuspage.channels import registry
from statuspage.domain import delivery
from statuspage.domain.night import Night
from statuspage.errors import InvalidInput, NotAllowed, NotFound
from statuspage.settings import Settings
from statuspage.store import components, notices, pages
from statuspage.templating_root import root
from statuspage.web import visitors
from statuspage.web.site.context import base, html, reader_language

_MODES = {"webhook": "webhook", "email_sms": "sms", "sms": "sms", "webpush": "webpush"}
# A new number costs more writes than a known one. Every answer takes this long, so that the time does not tell them apart.
_EVEN_S = 0.25
_NEVER = {"Cache-Control": "no-store"}


def subscribe_blueprint(ctx: Context, settings: Settings) -> Blueprint:
    """The routes, each page with and without a language in front. Needs the `lang` converter of web.site.app."""
    found = Blueprint("subscribe", __name__)
    forms = _Forms(ctx, settings)
    for rule, name, view, method in (
        ("/subscribe", "form", forms.form, "GET"), ("/subscribe", "ask", forms.ask, "POST"),
        ("/subscribe/confirm", "code", forms.code, "GET"), ("/subscribe/confirm", "confirm", forms.confirm, "POST"),
        ("/subscribe/manage", "manage", forms.manage, "GET"), ("/subscribe/manage", "change", forms.change, "POST"),
    ):  # fmt: skip
        found.add_url_rule(rule, name, forms.guarded(view), methods=[method])
        found.add_url_rule(f"/<lang:language>{rule}", f"{name}_in", forms.guarded(view), methods=[method])
    found.add_url_rule("/api/v2/subscribers.json", "api", forms.api, methods=["POST"])
    found.add_url_rule("/push/key", "push_key", forms.push_key, methods=["GET"])
    found.add_url_rule("/sw.js", "service_worker", _service_worker, methods=["GET"])
    return found


def _service_worker() -> Response:
    """At the root: a service worker's reach is the folder it is served from."""
    body = (root() / "site" / "static" / "sw.js").read_bytes()
    return Response(body, content_type="text/javascript; charset=utf-8", headers={"Cache-Control": "max-age=300"})


class _Forms:
    def __init__(self, ctx: Context, settings: Settings) -> None:
        self._ctx, self._hops = ctx, settings.trusted_hops

    def guarded(self, view: Callable[[], Response]) -> Callable[[], Response]:
        """`view` with its refusals as pages."""

        def answer() -> Response:
            try:
                if request.method == "POST":
                    visitors.check_origin(request, self._page().url)
                return view()
            except TooOften as error:
                response = self._show("subscribe_done.html", 429, step="too_often")
                response.headers["Retry-After"] = str(error.wait_s)
                return response
            except NotAllowed:
                return self._show("subscribe_done.html", 403, step="refused")
            except NotFound:
                return self._show("subscribe_done.html", 404, step="unknown")

        return answer

    def _page(self) -> pages.Page:
        with self._ctx.db.read() as conn:
            return pages.load_page(conn)

    def _prefix(self) -> str:
        return visitors.ip_prefix(request, self._hops)

    def _show(self, template: str, code: int = 200, path: str | None = None, **more: Any) -> Response:  # noqa: ANN401 - for the template
        page = self._page()
        language = reader_language(page)
        response = html(language, template, base(page, language, path, **more), code)
        response.headers.update(_NEVER)
        return response

    def form(self) -> Response:
        """GET /subscribe[?notice=<id>][&component=<id>]."""
        return self._form({"notice": request.args.get("notice", ""), "components": request.args.getlist("component")})

    def _form(self, filled: Mapping[str, Any], error: InvalidInput | None = None) -> Response:
        with self._ctx.db.read() as conn:
            offered = registry.offered(pages.load_meta(conn, "channels", {}) or {})
            listed = list(components.load(conn).values())
            notice = notices.by_public_id(conn, str(filled.get("notice") or ""))
        about = notice if notice is not None and notice.visibility == "public" else None
        return self._show(
            "subscribe.html", 422 if error else 200, "/subscribe", offered=offered, components=listed, notice=about,
            filled={"phone": "", "url": "", "components": [], **filled}, wrong=error.field if error else "",
            problem=i18n.said(self._language(), error.args[0]) if error else "",
        )  # fmt: skip

    def ask(self) -> Response:
        """POST /subscribe: a form of one channel."""
        form = request.form
        names = ("channel", "phone", "url", "notice", "time_zone")
        filled = {**{name: form.get(name, "") for name in names}, "components": form.getlist("components")}
        if form.get("website"):  # a field people do not see
            return self._show("subscribe_done.html", step="done")
        try:
            asked = self._subscribe(self._wish(filled))
        except InvalidInput as error:
            return self._form(filled, error)
        if asked.step == "code":
            return _see(f"/{self._language()}/subscribe/confirm?request={asked.handle}")
        return self._show("subscribe_done.html", step=asked.step)

    def _language(self) -> str:
        return reader_language(self._page())

    def _wish(self, said: Mapping[str, Any]) -> Wish:
        text = {name: str(said.get(name) or "")[:4000] for name in ("channel", "phone", "url", "notice", "push", "time_zone")}
        named = said.get("components") or []
        return Wish(
            channel=text["channel"], language=self._language(), ip_prefix=self._prefix(), phone=text["phone"],
            url=text["url"].strip(), push=text["push"], notice=text["notice"], time_zone=text["time_zone"],
            components=tuple(str(one) for one in named) if isinstance(named, list) else (),
        )  # fmt: skip

    def _subscribe(self, wish: Wish) -> Asked:
        began = time.monotonic()
        asked = subscribers.subscribe(self._ctx, wish)
        if asked.step != "done":
            time.sleep(max(0.0, _EVEN_S - (time.monotonic() - began)))
        return asked

    def code(self) -> Response:
        """GET /subscribe/confirm?request=: where the code is typed. Changes nothing."""
        return self._show("subscribe_code.html", handle=request.args.get("request", "")[:64], problem="")

    def confirm(self) -> Response:
        """POST /subscribe/confirm: the code."""
        handle = request.form.get("request", "")[:64]
        try:
            token = subscribers.confirm(self._ctx, handle, request.form.get("code", "")[:20], self._prefix())
        except InvalidInput:
            return self._show("subscribe_code.html", 422, handle=handle, problem="code")
        return _see(f"/{self._language()}/subscribe/manage?id={handle}&token={token}&new=1")

    def manage(self) -> Response:
        """GET /subscribe/manage?id=&token=: what is subscribed, with buttons. Mail and link scanners change nothing."""
        said = request.args
        return self._manage(said.get("id", "")[:64], said.get("token", "")[:64], saved=said.get("new") == "1")

    def _manage(self, public_id: str, token: str, *, saved: bool) -> Response:
        row = subscribers.managed(self._ctx, public_id, token)
        with self._ctx.db.read() as conn:
            listed = list(components.load(conn).values())
            hours = Night.read(pages.load_meta(conn, "quiet_hours", {}))
        return self._show(
            "subscribe_manage.html", row=row, token=token, components=listed, saved=saved, channel=registry.CHANNELS[row.channel],
            night=row.meta.get("night") or ("urgent" if hours.wakes else "none"),
            hours=hours if hours.begins != hours.ends else None,
        )  # fmt: skip

    def change(self) -> Response:
        """POST /subscribe/manage: change the filters, or end it (`action=stop`, or RFC 8058's one click)."""
        public_id = (request.form.get("id") or request.args.get("id", ""))[:64]
        token = (request.form.get("token") or request.args.get("token", ""))[:64]
        one_click = request.form.get("List-Unsubscribe") == "One-Click"
        if one_click or request.form.get("action") == "stop":
            subscribers.unsubscribe(self._ctx, public_id, token, self._prefix())
            return self._show("subscribe_done.html", step="stopped")
        chosen = request.form.get("language", "")
        row = subscribers.managed(self._ctx, public_id, token)
        language = chosen if chosen in self._page().languages else row.language
        subscribers.change(
            self._ctx, public_id, token, components=request.form.getlist("components"), kinds=row.kinds, language=language,
            at_night=request.form.get("night", ""),
        )  # fmt: skip
        return self._manage(public_id, token, saved=True)

    def push_key(self) -> Response:
        """GET /push/key: the key a browser subscribes with; 404 when push is not offered."""
        with self._ctx.db.read() as conn:
            is_offered = registry.is_offered("webpush", pages.load_meta(conn, "channels", {}) or {})
        if not is_offered:
            return _answer({"error": "push is not offered here"}, 404)
        return _answer({"key": delivery.push_public_key(self._ctx.keys.vapid)})

    def api(self) -> Response:
        """POST /api/v2/subscribers.json, in Statuspage's form (JSON or `subscriber[phone]=`). Everybody gets the same answer."""
        try:
            visitors.check_origin(request, self._page().url)
            said = _api_body()
            mode = str(said.get("mode") or ("webhook" if said.get("webhook") else "sms"))
            channel = "email" if said.get("email") else _MODES.get(mode, mode)
            named = said.get("component_ids") or said.get("components") or []
            push = said.get("push")
            asked = self._subscribe(self._wish({
                "channel": channel, "phone": said.get("phone"), "url": said.get("webhook") or said.get("endpoint"),
                "push": json.dumps(push) if isinstance(push, dict) else push, "components": named, "notice": said.get("notice"),
                "time_zone": said.get("time_zone"),
            }))  # fmt: skip
        except TooOften as error:
            return _answer({"error": "too many requests, try again later"}, 429, {"Retry-After": str(error.wait_s)})
        except InvalidInput as error:
            return _answer({"error": str(error), "field": error.field}, 422)
        except NotAllowed as error:
            return _answer({"error": str(error)}, 403)
        except NotFound as error:
            return _answer({"error": str(error)}, 404)
        return _answer(self._told(asked, mode), 201)

    def _told(self, asked: Asked, mode: str) -> dict[str, Any]:
        page_url, language = self._page().url, self._language()
        told = {"id": asked.handle, "mode": mode, "next_step": asked.step}
        if asked.step == "code":
            told["confirm_url"] = f"{page_url}/{language}/subscribe/confirm?request={asked.handle}"
        if asked.manage_token:
            told["manage_url"] = f"{page_url}/{language}/subscribe/manage?id={asked.handle}&token={asked.manage_token}"
        return {"subscriber": told}


def _api_body() -> dict[str, Any]:
    if request.mimetype == "application/json":
        try:
            data = json.loads(request.get_data(cache=False))
        except (ValueError, RecursionError):
            data = None
        inner = data.get("subscriber", data) if isinstance(data, dict) else None
        if not isinstance(inner, dict):
            message = 'send {"subscriber": {"webhook": "https://…", "mode": "webhook"}}'
            raise InvalidInput(message, "subscriber")
        return inner
    form = request.form
    names = ("email", "phone", "webhook", "endpoint", "mode", "notice", "push")
    named = form.getlist("subscriber[component_ids][]") or form.getlist("component_ids[]")
    return {name: form.get(f"subscriber[{name}]") or form.get(name) for name in names} | {"component_ids": named}


def _answer(data: Mapping[str, Any], code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps(data, ensure_ascii=False)
    return Response(body, code, {**_NEVER, **(headers or {})}, content_type="application/json; charset=utf-8")


def _see(path: str) -> Response:
    return Response("", 303, {"Location": path, **_NEVER})
