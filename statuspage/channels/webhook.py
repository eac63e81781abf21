"""Webhooks: Statuspage's body with an `event_type`, signed as Standard Webhooks say.

Receivers written for Statuspage look for `incident` and ignore the rest; what they have no field for rides under `x_wallet`.
A retry carries the same `webhook-id`, so that a receiver can drop copies.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from probes import guard
from statuspage import i18n
from statuspage.channels import safehttp
from statuspage.channels.message import Message, Services
from statuspage.clock import from_ms, iso
from statuspage.domain import lifecycle, status
from statuspage.domain.notice import Facts
from statuspage.errors import Permanent

_PREFIX = "whsec_"


def send(message: Message, address: str, services: Services) -> str:
    """POST `message` to the sealed form of domain.address.webhook. Any 2xx is a success; a redirect is not.

    A visitor's address must be public, an operator's may lie in allow_networks. A `confirm` message asks the receiver to echo
    its challenge: only who runs the endpoint can, and only there is the signing secret told.
    """
    target = json.loads(address)
    policy = guard.VISITOR if message.audience == "public" else guard.operator_policy(services.allow_networks)
    content = _challenge(message, target) if message.kind == "confirm" else body(message, services.now())
    raw = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    headers = {"Content-Type": "application/json; charset=utf-8", **signature(target["secret"], message.key, services.now(), raw)}
    response = services.sessions.get(policy).post(target["url"], data=raw, headers=headers)
    safehttp.check_status(response, "the webhook", services.now().timestamp())
    if message.kind == "confirm" and not _is_echo(response.content, message.payload["challenge"]):
        refusal = "the webhook did not echo the challenge"
        raise Permanent(refusal)
    return message.key


def signature(secret: str, key: str, at: datetime, raw: bytes) -> dict[str, str]:
    """The three headers of https://www.standardwebhooks.com over exactly the bytes sent."""
    timestamp = str(int(at.timestamp()))
    digest = hmac.new(secret_bytes(secret), f"{key}.{timestamp}.".encode() + raw, hashlib.sha256).digest()
    return {"webhook-id": key, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{base64.b64encode(digest).decode()}"}


def secret_bytes(secret: str) -> bytes:
    """The key of `whsec_<base64>`; a secret of another form is its own UTF-8 bytes."""
    if secret.startswith(_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


def _challenge(message: Message, target: Mapping[str, str]) -> dict[str, Any]:
    return {
        "event_type": "verification", "challenge": message.payload["challenge"], "secret": target["secret"],
        "meta": {"unsubscribe": message.manage_url, "generated_at": iso(message.created_at)},
        "help": 'Answer 2xx with the challenge as the body, or as JSON {"challenge": ...}, to receive updates here. Do nothing '
                "to refuse. Later messages are signed with the secret (Standard Webhooks).",
    }  # fmt: skip


def _is_echo(raw: bytes, challenge: str) -> bool:
    text = raw.decode("utf-8", "replace").strip()
    if hmac.compare_digest(text.encode(), challenge.encode()):
        return True
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    echoed = found.get("challenge") if isinstance(found, dict) else found
    return isinstance(echoed, str) and hmac.compare_digest(echoed.encode(errors="replace"), challenge.encode())


def body(message: Message, now: datetime) -> dict[str, Any]:
    """The JSON of one message. Everything but `generated_at` comes from the frozen payload."""
    payload = message.payload
    page = payload["page"]
    meta = {"unsubscribe": message.manage_url, "documentation": f"{page['url']}/docs/api", "generated_at": iso(now)}
    if not payload.get("facts"):
        about = {"x_wallet": _rise(message)} if message.event == "reports" else {}
        return {"meta": meta, "event_type": message.kind, "page": {"id": page.get("public_id", ""), "url": page["url"]}, **about}
    facts = Facts.from_json(payload["facts"])
    rollup = status.page_status(item["status"] for item in payload["components"].values()) if payload["components"] else None
    return {
        "meta": meta,
        "event_type": "maintenance" if facts.kind == "maintenance" else "incident",
        "page": {
            "id": page.get("public_id", ""),
            "status_indicator": rollup.indicator if rollup else "none",
            "status_description": rollup.description if rollup else "",
        },
        "incident": _incident(message, facts),
        "x_wallet": _extra(message, facts),
    }  # fmt: skip


def _incident(message: Message, facts: Facts) -> dict[str, Any]:
    payload, language = message.payload, message.language
    page_id = payload["page"].get("public_id", "")
    created, said = _moment(payload.get("created_at") or payload["at"]), _moment(payload["at"])
    api_status = lifecycle.API_STATUS.get(facts.status, facts.status)
    # "<component id>": what each was and is, by this update.
    affected = [
        {"code": item["public_id"], "name": _full_name(item, language), "old_status": _word(old), "new_status": _word(new)}
        for component_id, (old, new) in payload["changes"].items() if (item := payload["components"].get(component_id))
    ]
    update = {
        "id": payload["update_id"], "incident_id": payload["public_id"], "status": api_status,
        "body": i18n.pick(payload["bodies"], language), "created_at": said, "display_at": said, "updated_at": said,
        "affected_components": affected, "custom_tweet": None, "deliver_notifications": True, "twitter_updated_at": None,
        "wants_twitter_update": False,
    }  # fmt: skip
    components = [
        {"id": item["public_id"], "name": _full_name(item, language), "status": _word(item["status"]), "page_id": page_id,
         "created_at": created, "updated_at": said, "position": position, "description": None, "showcase": True, "group_id": None}
        for position, item in enumerate(payload["components"].values(), start=1)
    ]  # fmt: skip
    return {
        "id": payload["public_id"], "page_id": page_id, "name": i18n.pick(facts.titles, language), "status": api_status,
        "impact": facts.impact, "impact_override": None, "shortlink": f"{payload['page']['url']}/n/{payload['number']}",
        "created_at": created, "updated_at": said, "monitoring_at": said if facts.status == "monitoring" else None,
        "resolved_at": iso(facts.resolved_at) if facts.resolved_at else None, "backfilled": bool(payload.get("backfilled")),
        "scheduled_for": iso(facts.scheduled_for) if facts.scheduled_for else None,
        "scheduled_until": iso(facts.scheduled_until) if facts.scheduled_until else None,
        "scheduled_auto_completed": False, "scheduled_auto_in_progress": False, "scheduled_remind_prior": False,
        "scheduled_reminded_at": said if message.event == "reminder" else None,
        "postmortem_body": None, "postmortem_body_last_updated_at": None, "postmortem_ignored": False,
        "postmortem_notified_subscribers": False, "postmortem_notified_twitter": False, "postmortem_published_at": None,
        "incident_updates": [update], "components": components,
    }  # fmt: skip


def _extra(message: Message, facts: Facts) -> dict[str, Any]:
    payload = message.payload
    return {
        "event": message.event, "audience": message.audience, "number": payload["number"], "kind": facts.kind,
        "status": facts.status, "suspected": bool(payload["suspected"]), "sequence": payload["sequence"],
        "started_at": iso(facts.started_at) if facts.started_at else None,
        "funds": {"safety": facts.funds_safety, "text": facts.funds_text, "basis": facts.funds_basis},
        "eta": {"at": iso(facts.eta_at) if facts.eta_at else None, "confidence": facts.eta_confidence},
        "next_update_by": iso(facts.next_update_by) if facts.next_update_by else None, "at_block": facts.awaited_block,
        "cause": facts.cause, "attribution": facts.attribution, "titles": facts.titles, "bodies": payload["bodies"],
        "component_ids": list(payload["components"]), "monitors": list(payload.get("monitors") or []),
        "url": f"{payload['page']['url']}/incidents/{payload['public_id']}",
    }  # fmt: skip


def _rise(message: Message) -> dict[str, Any]:
    """What readers report more than usual, for the on-call's receiver."""
    payload = message.payload
    return {
        "event": message.event, "audience": message.audience, "symptom": payload["symptom"], "names": payload["names"],
        "count": payload["count"], "usual": payload["usual"], "window_min": payload["window_min"],
        "since": _moment(payload["since"]),
    }  # fmt: skip


def _moment(at_ms: int) -> str:
    return iso(from_ms(at_ms))


def _word(ours: str) -> str:
    return status.STATUSPAGE.get(ours, ours)


def _full_name(item: Mapping[str, Any], language: str) -> str:
    """"TRON - Send", as the original names a component of a group."""
    group = i18n.pick(item.get("group_names") or {}, language)
    name = i18n.pick(item["names"], language)
    return f"{group} - {name}" if group else name
