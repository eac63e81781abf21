"""What works on which network: rows are capabilities, columns the wallet's networks; on a phone the same as sentences."""

from __future__ import annotations

from dataclasses import dataclass

from statuspage import i18n
from statuspage.domain import status
from statuspage.store.public_views import ComponentView, PublicView
from statuspage.symptoms import tree
from statuspage.web.site import words
from statuspage.web.site.context import is_possible

POSSIBLE = "possible"  # a cell about which only machines speak: never shown as certain
# Capabilities in the order of the page, and the function of the catalogue that each needs beside the network itself.
NEEDS = {"send": "transfers", "receive": "receive", "balances": "balances", "swap": "swap", "bridge": "bridge", "fees": ""}


@dataclass(frozen=True, slots=True)
class Column:
    """A network: the component that stands for it, its short name, and its chain id."""

    component: ComponentView
    short: str
    chain: str


@dataclass(frozen=True, slots=True)
class Row:
    """A capability. `cells` has one status a column, None where the wallet does not offer it; `where` names those that do."""

    capability: str
    cells: tuple[str | None, ...]
    where: tuple[str, ...]

    @property
    def offered(self) -> int:
        """On how many networks it exists."""
        return sum(cell is not None for cell in self.cells)

    @property
    def alike(self) -> str:
        """The one status that it has on all of them, or "" when they differ."""
        found = {cell for cell in self.cells if cell is not None}
        return found.pop() if len(found) == 1 else ""

    @property
    def working(self) -> int:
        """On how many of them it works."""
        return self.cells.count(status.OPERATIONAL)


@dataclass(frozen=True, slots=True)
class Grid:
    """Empty (`rows` is ()) where wallet.yaml names no capabilities."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def grid(view: PublicView, language: str) -> Grid:
    """The table as the reader of `language` sees it."""
    columns = tuple(
        Column(one, tree().short(one.chain, i18n.pick(one.names, language)), one.chain)
        for one in view.components
        if one.chain and one.chain in view.capabilities
    )
    rows = (_row(view, columns, name) for name in NEEDS)
    return Grid(columns, tuple(row for row in rows if row.offered))


def _row(view: PublicView, columns: tuple[Column, ...], capability: str) -> Row:
    cells = tuple(cell(view, column.component, capability) for column in columns)
    offering = (column.short for column, found in zip(columns, cells, strict=True) if found is not None)
    return Row(capability, cells, tuple(offering))


def cell(view: PublicView, network: ComponentView, capability: str) -> str | None:
    """The status of one capability on one network: the worse of the network's and the function's; POSSIBLE; None: not offered."""
    if network.chain is None or capability not in view.capabilities.get(network.chain, ()):
        return None
    function = view.by_id.get(NEEDS[capability])
    found = [network, *([function] if function else [])]
    suspected = words.suspected_ids(view)
    worst = status.worst(one.status for one in found if not is_possible(one, suspected))
    if any(is_possible(one, suspected) for one in found) and status.RANK[worst] < status.RANK[status.DEGRADED]:
        return POSSIBLE
    return words.UNWATCHED if worst == status.OPERATIONAL and not all(one.is_watched for one in found) else worst


def word(cell: str, language: str) -> str:
    """A cell in words."""
    if cell == POSSIBLE:
        return i18n.gettext(language, "Possible problem")
    return words.state_word(cell, language)


def css(cell: str) -> str:
    """The colour class of a cell."""
    return "degraded" if cell == POSSIBLE else words.CSS[cell]
