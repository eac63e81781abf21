"""Starting without the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# What probes and requests leave behind is freed by counting; looking through every 700 new objects finds nothing and is a
# hundredth of what a probe costs.
_YOUNG = 10_000


@contextmanager
def loading() -> Iterator[None]:
    """While modules load, the collector is off, and what they made is set aside from it afterwards.

    Classes and functions stay for the life of the process: looking through them again and again is a tenth of a start, and
    would be part of every full collection later.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        settle()
        if was_on:
            gc.enable()


def settle() -> None:
    """Set aside what is there now, and look for what nobody holds less often."""
    gc.freeze()
    gc.set_threshold(_YOUNG, 10, 10)
