"""docs/configuration.md knows every key of the schema, under its section."""

from __future__ import annotations

from pathlib import Path
from types import NoneType
from typing import get_args

import pytest

from probes.registry import PROBES
from statuspage.config.fields import Shape
from statuspage.config.schema import Document

TEXT = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")


def shapes_in(annotation):
    if isinstance(annotation, type) and issubclass(annotation, Shape):
        yield annotation
    for argument in get_args(annotation):
        if argument is not NoneType:
            yield from shapes_in(argument)


def keys_of(annotation):
    for shape in shapes_in(annotation):
        for name, field in shape.model_fields.items():
            yield field.alias or name
            yield from keys_of(field.annotation)


def section(name):
    return TEXT.split(f"\n## `{name}`\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("name", Document.model_fields)
def test_every_section_is_documented_with_every_key(name):
    words = section(name).replace(": true`", "`")
    missing = [key for key in keys_of(Document.model_fields[name].annotation) if f"`{key}`" not in words]

    assert missing == []


def test_every_kind_of_check_is_named():
    assert [kind for kind in PROBES if f"`{kind}`" not in section("monitors")] == []
