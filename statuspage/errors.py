"""Every error that crosses a layer. Web and command line map them to answers in one place each."""

from __future__ import annotations

from typing import Self


class Words(str):
    """An English sentence that remembers its source and what was filled in, so that it can be said in another language.

    `Words("there is no notice %(id)s", id=public_id)`. A value that is Words itself, or a tuple of them, is translated too.
    """

    __slots__ = ("source", "values")
    source: str
    values: dict[str, object]

    def __new__(cls, source: str, **values: object) -> Self:
        """Fill `source`; without values it is taken as it stands."""
        shown = {name: ", ".join(map(str, one)) if isinstance(one, tuple) else one for name, one in values.items()}
        made = super().__new__(cls, source % shown if values else source)
        made.source, made.values = source, values
        return made


class StatuspageError(Exception):
    """Base of what we raise on purpose. The message says what to change; one with variables is Words."""


class SettingsError(StatuspageError):
    """The process cannot start with these settings or this wallet.yaml."""


class InvalidInput(StatuspageError):
    """What was sent cannot be accepted. `field` names the form field or JSON path, '' where none fits."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class NotFound(StatuspageError):
    """Nothing public (or visible to this operator) has that id."""


class NotAllowed(StatuspageError):
    """Who asks may not do this."""


class Conflict(StatuspageError):
    """What was sent contradicts what is stored: stale form, reused idempotency key, forbidden transition."""


class Unavailable(StatuspageError):
    """The database cannot answer in time. Nothing was written."""


class DeliveryError(StatuspageError):
    """A channel could not hand a message over. The subclass says whether to try again."""


class Permanent(DeliveryError):
    """Never try this address again: suppress it."""


class Transient(DeliveryError):
    """Try again with back-off until the message's time to live."""


class Throttled(Transient):
    """The supplier asked us to wait. `retry_after_s` is its wish, None if it named none."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unknown(DeliveryError):
    """The request left and no answer came: it may have been accepted. Look it up before sending again."""
