"""Who SMS go to and went to, by country and language only: what their cost is reckoned from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, func, select

from statuspage.domain import sms_price
from statuspage.store.schema.delivery import deliveries, outbox, subscriptions

# The calling code and no digit of the number: "+852 ••• 1234" -> "+852 ".
_COUNTRY = func.substr(subscriptions.c.label, 1, 5)


def reach(conn: Connection, kind: str, component_ids: Collection[str]) -> Counter[tuple[str, str]]:
    """(language, calling code) -> public SMS subscriptions that a notice of `kind` on these components would be sent to."""
    columns = (subscriptions.c.language, _COUNTRY.label("country"), subscriptions.c.components, subscriptions.c.kinds)
    statement = (
        select(*columns, func.count())
        .where(subscriptions.c.state == "active", subscriptions.c.audience == "public", subscriptions.c.channel == "sms",
               subscriptions.c.notice_id.is_(None))
        .group_by(subscriptions.c.language, _COUNTRY, subscriptions.c.components, subscriptions.c.kinds)
    )  # fmt: skip
    out: Counter[tuple[str, str]] = Counter()
    wanted = set(component_ids)
    for language, country, chosen, kinds, number in conn.execute(statement):
        if (not chosen or not wanted or wanted & set(chosen)) and (not kinds or kind in kinds):
            out[language, sms_price.calling_code(country)] += number
    return out


def sent(conn: Connection, notice_id: int) -> dict[int, Counter[tuple[str, str]]]:
    """Outbox row -> (language, calling code) -> SMS to the public that the supplier accepted, over all updates of a notice."""
    statement = (
        select(deliveries.c.outbox_id, subscriptions.c.language, _COUNTRY, func.count())
        .join(subscriptions, subscriptions.c.id == deliveries.c.subscription_id)
        .where(deliveries.c.notice_id == notice_id, deliveries.c.channel == "sms", deliveries.c.state == "sent",
               subscriptions.c.audience == "public")
        .group_by(deliveries.c.outbox_id, subscriptions.c.language, _COUNTRY)
    )  # fmt: skip
    out: dict[int, Counter[tuple[str, str]]] = {}
    for outbox_id, language, country, number in conn.execute(statement):
        out.setdefault(outbox_id, Counter())[language, sms_price.calling_code(country)] += number
    return out


def said(conn: Connection, outbox_ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """Those rows of the outbox, whole."""
    rows = conn.execute(select(outbox).where(outbox.c.id.in_(list(outbox_ids)))).mappings()
    return {row["id"]: dict(row) for row in rows}
