"""What the public may see, as plain values. Pages, feeds and JSON are made of these and of nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from statuspage.domain import lifecycle, status
from statuspage.domain.notice import Facts, Text
from statuspage.domain.uptime import Seconds
from statuspage.domain.verdict import OK, UNKNOWN, Verdict
from statuspage.store.pages import Page


@dataclass(frozen=True, slots=True)
class ComponentView:
    """A component as the public sees it: effective status, and those of the last 90 local days that were measured."""

    id: str
    public_id: str
    group_id: str | None
    names: Text
    descriptions: Text
    position: int
    status: str
    status_at: datetime
    start_date: str | None
    created_at: datetime
    updated_at: datetime
    days: Mapping[date, Seconds] = field(default_factory=dict)
    symptoms: tuple[str, ...] = ()  # ids of symptoms that wallet.yaml names for it
    chain: str | None = None  # the network it stands for, None for a function
    is_watched: bool = True  # by a monitor in use; without one only people's words say how it is


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group with its components in order. Its status is the worst of theirs."""

    id: str
    public_id: str
    names: Text
    notes: Text
    position: int
    created_at: datetime
    updated_at: datetime
    components: tuple[ComponentView, ...] = ()

    @property
    def status(self) -> str:
        """Worst status of the group's components."""
        return status.worst(component.status for component in self.components)


@dataclass(frozen=True, slots=True)
class SignatureView:
    """Where an update stands in the signed log."""

    n: int
    hash: str
    key_id: str
    signature: str


@dataclass(frozen=True, slots=True)
class UpdateView:
    """One entry of a notice's timeline. `signature` is None only for what was imported before the log existed."""

    id: int
    public_id: str
    sequence: int
    status: str
    bodies: Text
    facts: Facts
    changes: dict[str, list[str]]
    display_at: datetime
    created_at: datetime
    by_machine: bool
    notify: bool
    corrects_id: int | None
    signature: SignatureView | None = None


@dataclass(frozen=True, slots=True)
class NoticeView:
    """A published notice with its updates, newest first."""

    id: int
    public_id: str
    number: str
    kind: str
    status: str
    source: str
    facts: Facts
    impact: str
    demo: bool
    backfilled: bool
    touched: bool
    created_at: datetime
    published_at: datetime
    updated_at: datetime
    started_at: datetime
    resolved_at: datetime | None
    recovered_at: datetime | None
    updates: tuple[UpdateView, ...] = ()
    is_damaged: bool = False  # its facts could not be read: shown by number and status only

    @property
    def is_open(self) -> bool:
        """Something more is expected of it."""
        return not lifecycle.is_final(self.kind, self.status)

    @property
    def is_suspected(self) -> bool:
        """A machine opened it and no person has confirmed it."""
        return self.source == "monitor" and self.facts.confirmed_at is None

    @property
    def component_ids(self) -> tuple[str, ...]:
        """Every component it ever named, in the order of first mention."""
        named: dict[str, None] = dict.fromkeys(self.facts.components)
        for update in self.updates:
            named.update(dict.fromkeys(update.facts.components))
        return tuple(named)


@dataclass(frozen=True, slots=True)
class PublicView:
    """Everything the index, the feeds and the JSON say, of one moment.

    `notices`: the 50 newest maintenances, the 50 newest others and all that are open, newest first. `past`: those that began
    or ended within the last 14 days and are over. `checked_at`: end of the checker's last round, None before the first.
    `seq`: the newest public change.
    """

    page: Page
    now: datetime
    seq: int
    updated_at: datetime
    checked_at: datetime | None
    groups: tuple[GroupView, ...]
    loose: tuple[ComponentView, ...]
    notices: tuple[NoticeView, ...]
    past: tuple[NoticeView, ...]
    verdict: Verdict
    authority: str  # of the feeds' tag: ids; survives a move of the page to another host
    is_blind: bool = False
    capabilities: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # chain id -> what the wallet offers there
    _index: dict[str, ComponentView] = field(default_factory=dict, repr=False)

    @property
    def components(self) -> tuple[ComponentView, ...]:
        """Every component, in the order of the page."""
        return (*(component for group in self.groups for component in group.components), *self.loose)

    @property
    def by_id(self) -> dict[str, ComponentView]:
        """Components by their id."""
        if not self._index:
            self._index.update({component.id: component for component in self.components})
        return self._index

    @property
    def open(self) -> tuple[NoticeView, ...]:
        """Open notices but maintenance, worst first."""
        found = [notice for notice in self.notices if notice.is_open and notice.kind != "maintenance"]
        return tuple(sorted(found, key=_urgency))

    @property
    def upcoming(self) -> tuple[NoticeView, ...]:
        """Maintenance that has not begun, the nearest first."""
        found = [notice for notice in self.notices if notice.kind == "maintenance" and notice.status == "scheduled"]
        return tuple(sorted(found, key=lambda notice: (notice.started_at, notice.id)))

    @property
    def active(self) -> tuple[NoticeView, ...]:
        """Maintenance going on."""
        under_way = ("in_progress", "verifying")
        return tuple(notice for notice in self.notices if notice.kind == "maintenance" and notice.status in under_way)

    def going_on(self, component_id: str) -> tuple[NoticeView, ...]:
        """What explains a component's state: open notices that name it, the worst first, then maintenance under way."""
        return tuple(notice for notice in (*self.open, *self.active) if component_id in notice.facts.components)

    @property
    def is_demo(self) -> bool:
        """What is shown is made up, at least in part."""
        return self.page.is_demo or any(notice.demo for notice in (*self.notices, *self.past))

    def group_of(self, component: ComponentView) -> GroupView | None:
        """The group a component stands in."""
        return next((group for group in self.groups if group.id == component.group_id), None)

    def blinded(self) -> PublicView:
        """The same, for when our own eyes are shut: nothing is said to work, what is known to be broken stays broken."""
        groups = tuple(replace(group, components=_unseen(group.components)) for group in self.groups)
        verdict = Verdict(UNKNOWN) if self.verdict.level in (OK, UNKNOWN) else self.verdict
        return replace(self, groups=groups, loose=_unseen(self.loose), verdict=verdict, is_blind=True, _index={})


_IMPACT_ORDER = {"critical": 0, "major": 1, "minor": 2, "maintenance": 3, "none": 4}


def _urgency(notice: NoticeView) -> tuple[bool, int, bool, float]:
    """What a machine only suspects stands behind what a person has confirmed, but before small things."""
    impact = _IMPACT_ORDER.get(notice.impact, 4)
    if notice.is_suspected:
        impact = max(impact, _IMPACT_ORDER["major"])
    return (notice.kind == "advisory", impact, notice.is_suspected, -notice.updated_at.timestamp())


def _unseen(components: tuple[ComponentView, ...]) -> tuple[ComponentView, ...]:
    return tuple(
        replace(component, status=status.UNKNOWN) if component.status == status.OPERATIONAL else component
        for component in components
    )
