"""`${env:NAME}` and `${file:PATH}`: resolved when a probe runs, never stored, shown or logged.

What was resolved is remembered only to mask it in evidence: a server may send our own token back to us.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

_REFERENCE = re.compile(r"\$\{(env|file):([^}]+)\}")
Json = Any  # texts, numbers, lists and mappings of them
_MASK = "***"
_CUT = "…"  # what a shortened text may end with
_SHORTEST_CUT = 100  # no excerpt is cut shorter than this
_SHORTEST = 4  # masking every "a" would say more about the secret than it hides


class MissingSecret(ValueError):
    """A reference leads nowhere. The message names the reference, which is no secret."""


def has_reference(text: str) -> bool:
    """Whether `text` needs resolving."""
    return "${" in text and _REFERENCE.search(text) is not None


def _without_end(text: str, form: str) -> str:
    """`text` with its end masked when it is the beginning of `form`: excerpts are cut anywhere."""
    whole = text.removesuffix(_CUT)
    begin = whole.find(form[:_SHORTEST], max(0, len(whole) - len(form)))
    while begin >= 0:
        if form.startswith(whole[begin:]):
            return whole[:begin] + _MASK + text[len(whole) :]
        begin = whole.find(form[:_SHORTEST], begin + 1)
    return text


class Vault:
    """The secrets of one plan: resolves texts and masks what it has resolved."""

    def __init__(self) -> None:
        self._forms: set[str] = set()

    def resolve(self, text: str) -> str:
        """`text` with every reference replaced. Raises MissingSecret."""
        return _REFERENCE.sub(self._value, text) if "${" in text else text

    def resolve_all(self, value: Json) -> Json:
        """The same for every text in a JSON value."""
        if isinstance(value, str):
            return self.resolve(value)
        if isinstance(value, list):
            return [self.resolve_all(each) for each in value]
        if isinstance(value, dict):
            return {name: self.resolve_all(each) for name, each in value.items()}
        return value

    def _value(self, match: re.Match[str]) -> str:
        source, name = match[1], match[2]
        if source == "env":
            value = os.environ.get(name)
        else:
            try:
                value = Path(name).read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, ValueError):
                value = None
        if not value:
            message = f"{match[0]} is not set"
            raise MissingSecret(message)
        self.remember(value)
        return value

    def remember(self, value: str) -> None:
        """Mask `value` from now on, unless it is shorter than four characters."""
        parts = [value]
        if value.startswith(("http://", "https://")):
            # An RPC address carries its key in the path or the query; host names are no secret.
            url = urlsplit(value)
            parts += [url.path, url.query, *url.path.split("/"), *re.split("[=&]", url.query)]
        for part in parts:
            if len(part) >= _SHORTEST:
                self._forms |= {part, quote(part, safe=""), json.dumps(part)[1:-1]}

    def mask(self, text: str) -> str:
        """`text` without anything this vault has resolved, nor the beginning of it where the text was cut."""
        forms = sorted(self._forms, key=len, reverse=True)
        for form in forms:
            if form in text:
                text = text.replace(form, _MASK)
        if len(text) >= _SHORTEST_CUT:
            for form in forms:
                text = _without_end(text, form)
        return text

    def mask_all(self, value: Json) -> Json:
        """The same for every text in a JSON value, names included."""
        if not self._forms:
            return value
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, list):
            return [self.mask_all(each) for each in value]
        if isinstance(value, dict):
            return {self.mask(str(name)): self.mask_all(each) for name, each in value.items()}
        return value
