"""Starting without the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
        gc.freeze()
        if was_on:
            gc.enable()
