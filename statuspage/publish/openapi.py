"""The OpenAPI 3.1 document of what machines may ask, and the same as rows for the reference page. Fields: openapi_fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from statuspage.publish.openapi_fields import OBJECTS

Json = dict[str, Any]
VERSION = "1.0.0"


@dataclass(frozen=True, slots=True)
class Operation:
    """One address. `holds`: top-level fields (name -> type), or '' -> an object's name; `kind` is the content type."""

    path: str
    summary: str
    holds: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    kind: str = "application/json"
    method: str = "get"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object. `kind` in the small language of openapi_fields."""

    name: str
    kind: str
    meaning: str
    is_optional: bool = False


_PAGE = {"page": "Page"}
_LANGUAGE = "Language: en or zh-Hans"
_XML, _ICS, _SVG = "application/xml", "text/calendar", "image/svg+xml"
_ABOUT = {"status": "Status", "x_wallet": "About"}
_ID = {"id": "The notice's id"}
_COMPONENT_ID = {"id": "Short id of a component"}
OPERATIONS: tuple[Operation, ...] = (
    Operation("/api/v2/summary.json", "Components, open incidents, maintenance to come or under way, roll-up",
              {**_PAGE, "components": "[Component]", "incidents": "[Incident]", "scheduled_maintenances": "[Incident]",
               **_ABOUT}),
    Operation("/api/v2/status.json", "Roll-up", {**_PAGE, **_ABOUT}),
    Operation("/api/v2/components.json", "Components and groups", {**_PAGE, "components": "[Component]"}),
    Operation("/api/v2/incidents.json", "The 50 newest incidents, resolved ones too",
              {**_PAGE, "incidents": "[Incident]"}),
    Operation("/api/v2/incidents/unresolved.json", "Open incidents", {**_PAGE, "incidents": "[Incident]"}),
    Operation("/api/v2/incidents/{id}.json", "One incident or maintenance", {**_PAGE, "incident": "Incident"}, _ID),
    Operation("/incidents/{id}.json", "The same, beside its page", {**_PAGE, "incident": "Incident"}, _ID),
    Operation("/api/v2/scheduled-maintenances.json", "The 50 newest maintenances",
              {**_PAGE, "scheduled_maintenances": "[Incident]"}),
    Operation("/api/v2/scheduled-maintenances/upcoming.json", "Maintenances not begun",
              {**_PAGE, "scheduled_maintenances": "[Incident]"}),
    Operation("/api/v2/scheduled-maintenances/active.json", "Maintenances under way",
              {**_PAGE, "scheduled_maintenances": "[Incident]"}),
    Operation("/api/v2/scheduled-maintenances/{id}.json", "One maintenance",
              {**_PAGE, "scheduled_maintenance": "Incident"}, _ID),
    Operation("/api/v2/subscribers.json", "Subscribe by phone number, webhook or browser push", {"subscriber": "any"},
              method="post"),
    Operation("/live.json", "Made to be polled: whether anything changed", {"": "Live"}),
    Operation("/app/notices.json", "What an app shows of the present, below 2,000 bytes", {"": "InApp"}, {
        "lang": _LANGUAGE, "version": "The app's version, such as 5.2.0", "platform": "ios, android, web, desktop or extension",
        "chain": "Only what concerns users of this chain", "component": "Only what concerns this component",
    }),
    Operation("/app/notices-all.json", "The same unfiltered, in every language", {"notices": "[any]"}),
    Operation("/badge/{id}/status.svg", "Badge: status; the id _ is the page as a whole", {}, _COMPONENT_ID, _SVG),
    Operation("/badge/{id}/uptime.svg", "Badge: uptime of 90 days", {}, _COMPONENT_ID, _SVG),
    Operation("/badge/{id}/response.svg", "Badge: median response time of 24 hours", {}, _COMPONENT_ID, _SVG),
    Operation("/badge/{id}/shields.json", "Status for shields.io", {"": "Shields"}, _COMPONENT_ID),
    Operation("/embed.js", "The banner as a script for other sites", {}, {}, "text/javascript"),
    Operation("/embed", "The banner for an iframe", {}, {}, "text/html"),
    Operation("/history.atom", "Feed, one entry per update; also history.rss", {}, {}, _XML),
    Operation("/feed.json", "The same as JSON Feed 1.1", {}, {}, "application/feed+json"),
    Operation("/notices.atom", "Feed, one entry per notice; also notices.rss", {}, {}, _XML),
    Operation("/notices.json", "The same as JSON Feed 1.1", {}, {}, "application/feed+json"),
    Operation("/calendar.ics", "Calendar of maintenance", {}, {}, _ICS),
    Operation("/notices.ics", "Calendar of every other notice", {}, {}, _ICS),
    Operation("/incidents/{id}/calendar.ics", "One notice for a calendar", {}, _ID, _ICS),
    Operation("/log.json", "The signed log: its head and the newest 1,000 entries",
              {"head": "LogHead?", "first": "int", "entries": "[LogLine]"}),
    Operation("/log/{n}", "One entry of the signed log", {"": "LogEntry"}, {"n": "Number of the log entry"}),
    Operation("/n/{number}.json", "What was published under a notice number, when, and through which channels",
              {"": "Published"}, {"number": "Notice number, as messages carry it"}),
    Operation("/key.json", "Public keys that signed the log, old ones included", {"keys": "[Key]"}),
    Operation("/api/openapi.json", "This reference as OpenAPI 3.1", {"": "any"}),
)  # fmt: skip


def fields(name: str) -> list[Field]:
    """The fields of an object, in the order they are served in."""
    rows = (line.split(" | ", 2) for line in OBJECTS[name].strip().splitlines())
    return [Field(name.rstrip("~"), kind, meaning, name.endswith("~")) for name, kind, meaning in rows]


def objects_of(operation: Operation) -> Iterator[str]:
    """Names of the objects an answer holds at its top."""
    named = dict.fromkeys(name for kind in operation.holds.values() for name in re.findall(r"[A-Z]\w+", kind))
    yield from (name for name in named if name in OBJECTS)


def schema(kind: str) -> Json:
    """A type of openapi_fields as JSON Schema."""
    if kind.endswith("?"):
        return {"anyOf": [schema(kind[:-1]), {"type": "null"}]}
    if kind.startswith("["):
        return {"type": "array", "items": schema(kind[1:-1])}
    if kind.startswith("{"):
        return {"type": "object", "additionalProperties": schema(kind[1:-1])}
    if kind.startswith("words("):
        return {"type": "string", "enum": kind[6:-1].split()}
    return _PLAIN.get(kind) or {"$ref": f"#/components/schemas/{kind}"}


_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_PLAIN: dict[str, Json] = {
    "text": {"type": "string"}, "id": {"type": "string", "pattern": "^[a-z0-9]{12}$"},
    "time": {"type": "string", "format": "date-time"},
    "int": {"type": "integer"}, "bool": {"type": "boolean"},
    "any": {"type": ["string", "number", "object", "array", "boolean", "null"]},
    "texts": _TEXTS, "lines": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
}  # fmt: skip


def _object(rows: list[Field]) -> Json:
    return {
        "type": "object", "required": [row.name for row in rows if not row.is_optional],
        "properties": {row.name: {"description": row.meaning, **schema(row.kind)} for row in rows},
    }  # fmt: skip


def _content(operation: Operation) -> Json:
    if not operation.holds:
        return {"type": "string"}
    whole = operation.holds.get("")
    if whole:
        return schema(whole)
    return _object([Field(name, kind, "") for name, kind in operation.holds.items()])


def document(title: str, url: str) -> Json:
    """The OpenAPI document of the page `title` at `url`."""
    paths: Json = {}
    for one in OPERATIONS:
        where = "query" if one.path == "/app/notices.json" else "path"
        paths.setdefault(one.path, {})[one.method] = {
            "summary": one.summary,
            "parameters": [
                {"name": name, "in": where, "required": where == "path", "description": words, "schema": {"type": "string"}}
                for name, words in one.parameters.items()
            ],
            "responses": {
                "201" if one.method == "post" else "200": {
                    "description": one.summary, "content": {one.kind: {"schema": _content(one)}},
                },
            },
        }  # fmt: skip
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": VERSION, "description": "Public, without a key. Ask with If-None-Match."},
        "servers": [{"url": url}], "paths": paths,
        "components": {"schemas": {name: _object(fields(name)) for name in OBJECTS}},
    }  # fmt: skip


def markdown() -> str:
    """The generated part of docs/api.md."""
    lines = ["| Address | Holds |", "|---|---|"]
    for one in OPERATIONS:
        query = ", ".join(f"`{name}` {words}" for name, words in one.parameters.items() if name not in {"id", "n"})
        about = f"{one.summary}. Parameters: {query}" if query else one.summary
        objects = ", ".join(f"[{name}](#{name.lower()})" for name in objects_of(one))
        method = "POST " if one.method == "post" else ""
        lines.append(f"| `{method}{one.path}` | {about}{f' ({objects})' if objects else ''} |")
    for name in OBJECTS:
        lines += ["", f"### {name}", "", "| Field | Type | Meaning |", "|---|---|---|"]
        for row in fields(name):
            absent = " (may be absent)" if row.is_optional else ""
            lines.append(f"| `{row.name}` | {row.kind.replace('|', chr(92) + '|')}{absent} | {row.meaning} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")  # noqa: T201 - the command's output
