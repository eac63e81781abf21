"""What wallet.yaml wants against what the database holds: the difference, as a plan that people and machines can read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

NOUNS = ("groups", "components", "monitors")  # in the order in which they may refer to each other
_SIGNS = {"added": "+", "changed": "~", "removed": "-", "renamed": ">"}
_SINGULAR = {"groups": "group", "components": "component", "monitors": "monitor", "settings": "setting"}

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The rows that a file asks for: `rows[noun][id]` are column values, `settings` go to meta by name.

    `was[noun][new id]` is the id that a row had before, for renames.
    """

    rows: dict[str, dict[str, Row]]
    settings: dict[str, Any]
    was: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the meaning: comments and the order of keys do not alter it."""
        meaning = json.dumps([self.rows, self.settings], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(meaning.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Stored:
    """The rows that are there, archived ones included, with `source` and `archived` beside their column values.

    `in_use[component id]`: monitors made in the console that watch it, which the file may not take away.
    """

    rows: dict[str, dict[str, Row]]
    settings: dict[str, Any]
    in_use: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """One step of a plan. `fields`: columns that change; never their values, they may be secret."""

    noun: str
    action: str  # added | changed | removed | renamed
    id: str
    was: str = ""
    fields: tuple[str, ...] = ()
    is_restored: bool = False

    def __str__(self) -> str:
        notes = [f"was {self.was}"] if self.was else []
        notes += ["restored"] if self.is_restored else []
        notes += ["archived, its history is kept"] if self.action == "removed" else []
        text = f"{_SIGNS[self.action]} {_SINGULAR[self.noun]} {self.id}" + (f" ({', '.join(notes)})" if notes else "")
        return text + (f": {', '.join(self.fields)}" if self.fields else "")


@dataclass(frozen=True, slots=True)
class Plan:
    """What applying would do. `conflicts` are reasons why it cannot be applied at all."""

    items: tuple[Item, ...]
    conflicts: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True when the database already is as the file wants it."""
        return not self.items

    def of(self, noun: str, *actions: str) -> list[Item]:
        """The steps of one noun with one of `actions`."""
        return [item for item in self.items if item.noun == noun and item.action in actions]

    @property
    def removals(self) -> list[Item]:
        """What would be archived: this needs leave of its own."""
        return [item for item in self.items if item.action == "removed"]

    def __str__(self) -> str:
        lines = [str(item) for item in self.items] or ["Nothing to change."]
        lines += [f"! {conflict}" for conflict in self.conflicts]
        if self.removals:
            lines.append(f"{len(self.removals)} would be archived: this needs --allow-remove.")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """For machines: {items: [{noun, action, id, was, fields, restored}], conflicts, needs_allow_remove}."""
        return {
            "items": [
                {"noun": item.noun, "action": item.action, "id": item.id, "was": item.was or None, "fields": list(item.fields),
                 "restored": item.is_restored}
                for item in self.items
            ],
            "conflicts": list(self.conflicts),
            "needs_allow_remove": bool(self.removals),
        }  # fmt: skip


def compare(wanted: Wanted, stored: Stored) -> Plan:
    """The plan that turns `stored` into `wanted`. Rows made in the console are no part of it."""
    items: list[Item] = []
    conflicts: list[str] = []
    for noun in NOUNS:
        there, was = stored.rows.get(noun, {}), wanted.was.get(noun, {})
        renames = {new: old for new, old in was.items() if new not in there and there.get(old, {}).get("source") == "file"}
        for row_id, row in wanted.rows.get(noun, {}).items():
            found = there.get(renames.get(row_id, row_id))
            if found is not None and found["source"] != "file":
                conflicts.append(f"{_SINGULAR[noun]} {row_id} was made in the console: choose another id, or delete it there")
            else:
                items += _step(noun, row_id, row, found, renames.get(row_id, ""))
        items += _removals(noun, wanted.rows.get(noun, {}), there, set(renames.values()))
    for item in items:
        watchers = stored.in_use.get(item.id, []) if item.noun == "components" and item.action == "removed" else []
        if watchers:
            conflicts.append(f"component {item.id} is watched by {', '.join(watchers)}, made in the console: move them first")
    items += [
        Item("settings", "changed" if name in stored.settings else "added", name)
        for name, value in wanted.settings.items()
        if stored.settings.get(name) != value and (value or name in stored.settings)
    ]
    return Plan(tuple(items), tuple(conflicts))


def _step(noun: str, row_id: str, row: Mapping[str, Any], found: Mapping[str, Any] | None, old: str) -> Iterator[Item]:
    if found is None:
        yield Item(noun, "added", row_id)
        return
    fields = tuple(name for name, value in row.items() if found.get(name) != value)
    if old:
        yield Item(noun, "renamed", row_id, old, fields, is_restored=found["archived"])
    elif found["archived"]:
        yield Item(noun, "added", row_id, fields=fields, is_restored=True)
    elif fields:
        yield Item(noun, "changed", row_id, fields=fields)


def _removals(noun: str, wanted: Mapping[str, Row], there: Mapping[str, Row], renamed: set[str]) -> Iterator[Item]:
    for row_id, row in there.items():
        if row_id not in wanted and row_id not in renamed and row["source"] == "file" and not row["archived"]:
            yield Item(noun, "removed", row_id)
