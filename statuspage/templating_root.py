"""Where the words are: the packaged folder first, then the checkout's (an editable install has only the latter)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from statuspage.errors import SettingsError


@cache
def root() -> Path:
    """The templates folder."""
    here = Path(__file__).resolve().parent
    for folder in (here / "templates", here.parent / "templates"):
        if (folder / "site").is_dir():
            return folder
    message = f"no templates beside {here}: reinstall the package"
    raise SettingsError(message)
