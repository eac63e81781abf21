"""Planted bugs: a module's own source with one thing changed, so that a test can show what it would catch."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def planted():
    """`planted(module, old, new)`: `module` with `old`, which must occur exactly once in its source, replaced by `new`."""

    def build(module: ModuleType, old: str, new: str) -> ModuleType:
        source = Path(module.__file__).read_text(encoding="utf-8")
        if source.count(old) != 1:
            raise LookupError(f"{source.count(old)} places in {module.__name__} read {old!r}: the planted bug has gone stale")
        name = f"planted_{abs(hash((module.__name__, old, new)))}"
        copy = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader=None))
        sys.modules[name] = copy  # dataclasses look their module up by name
        exec(compile(source.replace(old, new), name, "exec"), copy.__dict__)  # noqa: S102 - our own source
        return copy

    return build
