"""Badges: a component's status, uptime and response time as SVG, and as the JSON that shields.io draws.

Every word is in the badge as text and as its accessible name. Widths are estimated, and `textLength` makes them true whatever
font the reader has. A badge is an image on somebody else's page: it carries no link, no script and no style sheet.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from statuspage import i18n
from statuspage.domain import status
from statuspage.publish.entries import clean
from statuspage.scenarios import catalogue
from statuspage.store.public_views import ComponentView, PublicView

PAGE = "_"  # instead of a component's id: the page as a whole
FILES = ("status.svg", "uptime.svg", "response.svg", "shields.json")
_LONGEST = 60
# White text on each of these has a contrast of 4.5 and more.
COLORS = {
    status.OPERATIONAL: "#1f7a3d", status.DEGRADED: "#8a5a00", status.PARTIAL: "#a8480b", status.MAJOR: "#b3261e",
    status.MAINTENANCE: "#2456b8", status.UNKNOWN: "#5f6368",
}  # fmt: skip
_GREY = COLORS[status.UNKNOWN]
_WIDE = 0x2E80  # from here on characters are as wide as they are high
_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{name}"><title>{name}</title>'
    '<clipPath id="r"><rect width="{width}" height="20" rx="3"/></clipPath><g clip-path="url(#r)">'
    '<rect width="{left}" height="20" fill="#3c4043"/><rect x="{left}" width="{right}" height="20" fill="{color}"/></g>'
    '<g fill="#fff" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11">'
    '<text x="6" y="14" textLength="{label_px}">{label}</text>'
    '<text x="{at}" y="14" textLength="{message_px}">{message}</text></g></svg>'
)


@dataclass(frozen=True, slots=True)
class Badge:
    """What a badge says: what it is about, how that stands, and the colour of it (#rrggbb)."""

    label: str
    message: str
    color: str
    is_error: bool = False

    def svg(self) -> str:
        """The image, 20 px high."""
        label, message = (_shown(text) for text in (self.label, self.message))
        label_px, message_px = width_px(label), width_px(message)
        left, right = label_px + 12, message_px + 12
        return _SVG.format(
            width=left + right, left=left, right=right, at=left + 6, label_px=label_px, message_px=message_px, color=self.color,
            name=escape(f"{label}: {message}"), label=escape(label), message=escape(message),
        )  # fmt: skip

    def shields(self) -> dict[str, Any]:
        """The endpoint format of shields.io, version 1."""
        return {
            "schemaVersion": 1, "label": _shown(self.label), "message": _shown(self.message), "color": self.color,
            "isError": self.is_error, "cacheSeconds": 60,
        }  # fmt: skip


def width_px(text: str) -> int:
    """About how wide `text` is in Verdana of 11 px; never less than a pixel."""
    return max(1, sum(11 if ord(letter) >= _WIDE else 4 if letter in "ilI.,:;|!' " else 7 for letter in text))


def _shown(text: str) -> str:
    text = " ".join(clean(text).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def of_status(view: PublicView, one: ComponentView | None, language: str) -> Badge:
    """How `one`, or the page as a whole, stands."""
    state = one.status if one else _whole(view)
    word = catalogue().label("component_status", state, language)
    return Badge(_label(view, one, language), word, COLORS[state], is_error=state in (status.PARTIAL, status.MAJOR))


def _whole(view: PublicView) -> str:
    """The worst of the components; a page that watches nothing is unknown."""
    return status.worst(component.status for component in view.components) if view.components else status.UNKNOWN


def of_uptime(view: PublicView, one: ComponentView | None, percent: int | None, language: str) -> Badge:
    """`percent`: hundredths over 90 days by the published formula, None when nothing was measured."""
    name = i18n.gettext(language, "%(name)s, 90 days", name=_label(view, one, language))
    if percent is None:
        return Badge(name, i18n.gettext(language, "not measured"), _GREY)
    good, fair = 9990, 9900
    color = status.OPERATIONAL if percent >= good else status.DEGRADED if percent >= fair else status.PARTIAL
    return Badge(name, f"{percent // 100}.{percent % 100:02d}%", COLORS[color])


def of_response(view: PublicView, one: ComponentView | None, typical_ms: float | None, language: str) -> Badge:
    """`typical_ms`: the median of the last 24 hours, None when nothing answered."""
    name = i18n.gettext(language, "%(name)s, response", name=_label(view, one, language))
    if typical_ms is None:
        return Badge(name, i18n.gettext(language, "not measured"), _GREY)
    return Badge(name, f"{round(typical_ms)} ms", COLORS[status.MAINTENANCE])


def _label(view: PublicView, one: ComponentView | None, language: str) -> str:
    return i18n.pick(one.names if one else view.page.name, language)
