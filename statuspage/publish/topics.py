"""What a feed or a calendar is about: everything, one component, one network, one kind of notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from statuspage import i18n
from statuspage.domain import lifecycle
from statuspage.publish.snapshot import Snapshot
from statuspage.scenarios import catalogue
from statuspage.store import public, topics
from statuspage.store.public_views import NoticeView, PublicView


@dataclass(frozen=True, slots=True)
class Topic:
    """`prefix` stands before the file names of its feeds ('': everything); `kind` and `component_id` bound what is in it."""

    prefix: str = ""
    component_id: str | None = None
    kind: str | None = None

    def name(self, view: PublicView, language: str) -> str:
        """The wallet's name, followed by what the topic is bound to."""
        wallet = i18n.pick(view.page.name, language)
        if self.kind:
            return f"{wallet} · {catalogue().label('kind', self.kind, language)}"
        if self.component_id:
            return f"{wallet} · {i18n.pick(view.by_id[self.component_id].names, language)}"
        return wallet


EVERYTHING = Topic()


def of_component(held: Snapshot, component_id: str) -> Topic | None:
    """What is below /components/<id>."""
    return Topic(f"/components/{component_id}", component_id) if component_id in held.view.by_id else None


def of_network(held: Snapshot, chain: str) -> Topic | None:
    """What is below /networks/<chain>: of the component that stands for the chain."""
    component_id = networks(held).get(chain)
    return Topic(f"/networks/{chain}", component_id) if component_id in held.view.by_id else None


def of_kind(_held: Snapshot, kind: str) -> Topic | None:
    """What is below /kinds/<kind>."""
    return Topic(f"/kinds/{kind}", kind=kind) if kind in lifecycle.KINDS else None


# The first part of the address -> the topic of what follows.
SORTS: dict[str, Callable[[Snapshot, str], Topic | None]] = {
    "components": of_component, "networks": of_network, "kinds": of_kind,
}  # fmt: skip


def networks(held: Snapshot) -> dict[str, str]:
    """Chain -> component, read once per snapshot."""
    return held.remember("networks", lambda: topics.load_networks(held.conn))


def of_components(held: Snapshot, component_ids: list[str]) -> Iterator[Topic]:
    """The topics of these components and of the networks they stand for; ids that are gone have none."""
    for component_id in component_ids:
        found = of_component(held, component_id)
        if found:
            yield found
            yield from (Topic(f"/networks/{chain}", component_id) for chain, of in networks(held).items() if of == component_id)


def notices(held: Snapshot, topic: Topic) -> tuple[NoticeView, ...]:
    """The newest notices of a topic, newest first. A component's and a kind's own go back further than the page's."""
    component_id, kind = topic.component_id, topic.kind
    if component_id:
        return held.remember(("component", component_id), lambda: public.load_component(held.conn, component_id))
    if kind:
        return held.remember(("kind", kind), lambda: topics.load_kind(held.conn, kind))
    return held.view.notices
