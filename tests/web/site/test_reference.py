"""The API reference says what is served: every answer keeps to it, every address of the site is in it, and so is the page."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from statuspage import i18n
from statuspage.publish import openapi
from statuspage.publish.openapi_fields import OBJECTS
from tests.builders import NOW, draft

TYPES = {
    "string": str, "integer": int, "boolean": bool, "object": dict, "array": list, "null": type(None), "number": float,
}  # fmt: skip
ANYTHING = {"type": list(TYPES)}


def faults(value, schema, document, where=""):
    """Where `value` leaves `schema`: the part of JSON Schema that the document uses. Unknown fields of an object are faults."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    if "anyOf" in schema:
        found = [faults(value, one, document, where) for one in schema["anyOf"]]
        return [] if [] in found else found[0]
    allowed = schema.get("type", "object")
    kinds = tuple(TYPES[kind] for kind in ([allowed] if isinstance(allowed, str) else allowed))
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        return [f"{where}: {value!r} is no {allowed}"]
    if isinstance(value, list):
        inner = schema.get("items", ANYTHING)
        return [fault for index, one in enumerate(value) for fault in faults(one, inner, document, f"{where}[{index}]")]
    return in_object(value, schema, document, where) if isinstance(value, dict) else in_text(value, schema, where)


def in_text(value, schema, where):
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where}: {value!r} is not one of {schema['enum']}"]
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return [f"{where}: {value!r} has another form"]
    if schema.get("format") == "date-time" and datetime.fromisoformat(value).tzinfo is None:
        return [f"{where}: {value!r} has no zone"]
    return []


def in_object(value, schema, document, where):
    known = schema.get("properties")
    if known is None:
        inner = schema.get("additionalProperties", ANYTHING)
        return [fault for name, one in value.items() for fault in faults(one, inner, document, f"{where}.{name}")]
    found = [f"{where}: {name} is missing" for name in schema["required"] if name not in value]
    found += [f"{where}: {name} is not documented" for name in value if name not in known]
    for name in set(value) & set(known):
        found += faults(value[name], known[name], document, f"{where}.{name}")
    return found


@pytest.fixture
def busy(wallet):
    """A bit of everything: confirmed, suspected, resolved, security, advisory, maintenance in each state."""
    wallet.scenario("transfers-failing", steps=3, began_at=NOW - timedelta(minutes=60))
    wallet.scenario("tron-node-behind", began_at=NOW - timedelta(days=1))
    wallet.scenario("btc-congestion", steps=1, began_at=NOW - timedelta(minutes=5))
    wallet.scenario("core-upgrade", steps=1, began_at=NOW + timedelta(days=2))
    wallet.scenario("core-upgrade", steps=2, began_at=NOW - timedelta(minutes=30))
    wallet.suspected(["login"])
    wallet.notice(draft("Fake app", kind="security", funds_safety="at_risk_act_now", affected_versions="5.2.0"))
    wallet.status("login", "unknown")
    return wallet


def addresses(client):
    """Every GET operation with an address that exists."""
    summary = client.get("/api/v2/summary.json").json
    for one in openapi.OPERATIONS:
        if one.method != "get":
            continue
        planned = "scheduled" in one.path
        notice = summary["scheduled_maintenances" if planned else "incidents"][0]["id"]
        number = summary["incidents"][0]["x_wallet"]["number"]
        names = {"id": "login" if one.path.startswith("/badge") else notice, "n": "1", "number": number}
        yield one, re.sub(r"{(\w+)}", lambda found, names=names: names[found.group(1)], one.path)


def test_every_answer_keeps_to_the_document_and_every_field_is_in_it(busy, client):
    document = client.get("/api/openapi.json").json
    found, checked = [], 0

    for one, path in addresses(client):
        response = client.get(path)
        assert response.status_code == 200, path
        assert response.mimetype in {one.kind, "application/atom+xml"}, path
        if one.kind == "application/json":
            schema = document["paths"][one.path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            if one.path != "/app/notices-all.json":
                found += [f"{path}{fault}" for fault in faults(response.json, schema, document)]
            checked += 1

    assert found == []
    assert checked > 15


def test_a_field_that_is_not_documented_and_a_wrong_type_are_found(client):
    document = client.get("/api/openapi.json").json
    schema = document["components"]["schemas"]["Page"]
    page = client.get("/api/v2/status.json").json["page"]

    assert faults(page, schema, document) == []
    assert faults({**page, "secret": 1}, schema, document) == [": secret is not documented"]
    assert faults({**page, "id": "X"}, schema, document) == [".id: 'X' has another form"]
    assert faults({**page, "name": None}, schema, document) == [".name: None is no string"]


def test_every_machine_address_of_the_site_is_documented(site):
    told = {re.sub(r"{\w+}", "<>", one.path) for one in openapi.OPERATIONS}
    also = {"/history.rss": "/history.atom", "/notices.rss": "/notices.atom"}
    people = {"/healthz", "/static/<>", "/api", "/.well-known/security.txt"}

    rules = {re.sub(r"<[^>]+>", "<>", rule.rule) for rule in site.url_map.iter_rules() if "lang:" not in rule.rule}
    machine = {rule for rule in rules if re.search(r"\.(json|rss|atom|ics|svg|js)$|^/(api|log|badge|app)/|^/embed", rule)}
    below = {rule for rule in machine if rule.startswith(("/components/", "/networks/", "/kinds/", "/badge/"))}
    assert {also.get(rule, rule) for rule in machine - below} - told - people == set()


@pytest.mark.parametrize("language", i18n.DEFAULT_LANGUAGES)
def test_the_page_names_every_address_and_field_in_each_language(client, language):
    text = client.get(f"/{language}/docs/api").text

    assert [one.path for one in openapi.OPERATIONS if one.path not in text] == []
    assert [name for name in OBJECTS if f'id="{name}"' not in text] == []
    assert [row.name for name in OBJECTS for row in openapi.fields(name) if f"<code>{row.name}</code>" not in text] == []


def test_every_word_of_the_reference_is_translated():
    words = [one.summary for one in openapi.OPERATIONS] + [row.meaning for name in OBJECTS for row in openapi.fields(name)]
    words += [text for one in openapi.OPERATIONS for text in one.parameters.values()]

    assert [word for word in words if i18n.gettext("zh-Hans", word) == word] == []


def test_the_documentation_holds_the_reference_as_it_is():
    text = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")

    assert text.partition("`python -m statuspage.publish.openapi` -->\n\n")[2] == openapi.markdown()


def test_statuspages_own_reference_address_leads_here(client):
    assert client.get("/api").headers["Location"] == "/docs/api"
