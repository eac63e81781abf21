"""Which tests coverage measures. On Python 3.11 its tracer doubles what they cost, in libraries as well as in our code, and most
of what it sees it has seen before.

Not measured: tests of processes (nothing of theirs is seen from here), property tests, planted bugs, the second and later cases
of a test, and what is marked `repeats`: many rounds of the same. So the figure is a lower bound.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

_PROCESSES = {"e2e", "faults"}
_OF_PROCESSES = {"test_architecture", "test_dockerfile", "test_examples", "test_files_served", "test_packaging", "test_verifier"}
_REPEATING = ("property", "planted", "never_raises", "promise")
_measured = pytest.StashKey[bool]()


def choose(items: list[pytest.Item]) -> None:
    """Note for each test whether it is measured."""
    cases: Counter[tuple[Path, str]] = Counter()
    for item in items:
        function = item.path, getattr(item, "originalname", item.name)
        cases[function] += 1
        item.stash[_measured] = cases[function] == 1 and not _is_of_processes(item.path) and not _repeats(item)


def _is_of_processes(path: Path) -> bool:
    return path.parent.name in _PROCESSES or path.stem in _OF_PROCESSES


def _repeats(item: pytest.Item) -> bool:
    marked = item.get_closest_marker("hypothesis") or item.get_closest_marker("repeats")
    return bool(marked) or any(word in item.name for word in _REPEATING)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> object:
    """Rest while what is not measured runs, its fixtures included."""
    plugin = item.config.pluginmanager.getplugin("_cov")
    controller = plugin.cov_controller if plugin else None
    if controller is None or item.stash.get(_measured, True):
        return (yield)
    controller.pause()
    try:
        return (yield)
    finally:
        controller.resume()
