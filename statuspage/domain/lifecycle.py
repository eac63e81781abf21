"""Which statuses a notice of each kind passes through, and which steps are allowed."""

from __future__ import annotations

from collections.abc import Iterable

from statuspage.errors import Conflict, InvalidInput, Words

KINDS = ("incident", "maintenance", "security", "advisory")
SOURCES = ("operator", "monitor", "import", "api")

_INCIDENT = ("investigating", "identified", "monitoring", "resolved")
STATUSES = {
    "incident": _INCIDENT,
    "security": _INCIDENT,
    "maintenance": ("scheduled", "in_progress", "verifying", "completed", "cancelled"),
    "advisory": ("active", "ended"),
}
FINAL = {
    "incident": {"resolved"},
    "security": {"resolved"},
    "maintenance": {"completed", "cancelled"},
    "advisory": {"ended"},
}
# A resolved incident may be reopened: "resolved, but still broken for me" is a common and true complaint.
_STEPS = {
    "incident": {status: set(_INCIDENT) for status in _INCIDENT},
    "security": {status: set(_INCIDENT) for status in _INCIDENT},
    "maintenance": {
        "scheduled": {"scheduled", "in_progress", "cancelled"},
        "in_progress": {"in_progress", "verifying", "completed", "cancelled"},
        "verifying": {"verifying", "in_progress", "completed"},
        "completed": {"completed"},
        "cancelled": {"cancelled"},
    },
    "advisory": {"active": {"active", "ended"}, "ended": {"ended"}},
}
# Statuspage's API knows incidents and maintenances only.
API_STATUS = {"active": "identified", "ended": "resolved", "cancelled": "completed"}


def first_status(kind: str) -> str:
    """The status a notice of `kind` starts in. Raises InvalidInput for a kind we do not know."""
    if kind not in STATUSES:
        message = Words("kind must be one of %(kinds)s", kinds=KINDS)
        raise InvalidInput(message, "kind")
    return STATUSES[kind][0]


def check_status(kind: str, status: str) -> None:
    """Raise InvalidInput unless `status` belongs to `kind`."""
    first_status(kind)
    if status not in STATUSES[kind]:
        message = Words("a notice of kind %(kind)s can be: %(statuses)s", kind=Words(kind), statuses=_named(STATUSES[kind]))
        raise InvalidInput(message, "status")


def check_step(kind: str, old: str, new: str) -> None:
    """Raise Conflict unless a notice of `kind` may go from `old` to `new`; staying is always allowed."""
    check_status(kind, new)
    if new not in _STEPS[kind][old]:
        message = Words(
            "a %(kind)s that is %(old)s cannot become %(new)s; possible: %(possible)s", kind=Words(kind), old=Words(old),
            new=Words(new), possible=_named(sorted(_STEPS[kind][old])),
        )  # fmt: skip
        raise Conflict(message)


def _named(words: Iterable[str]) -> tuple[Words, ...]:
    return tuple(Words(word) for word in words)


def is_final(kind: str, status: str) -> bool:
    """True when nothing more is expected of the notice."""
    return status in FINAL[kind]
