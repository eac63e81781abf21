"""Applying wallet.yaml: the one writer of what the file owns. One transaction: a failed apply leaves everything as it was."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection

from statuspage.actions import audit, suspicions
from statuspage.actions import components as statuses
from statuspage.actions.context import Actor, Context
from statuspage.domain.configuration import NOUNS, Item, Plan, Wanted, compare
from statuspage.domain.notice import new_public_id
from statuspage.domain.status import OPERATIONAL, UNKNOWN
from statuspage.errors import Conflict
from statuspage.store import components as component_store
from statuspage.store import configuration as store
from statuspage.store import notices, pages


def apply(ctx: Context, actor: Actor, wanted: Wanted, *, allow_remove: bool = False) -> Plan:
    """Make the database as the file wants it; what was done comes back.

    Raises NotAllowed unless `actor` is an admin, Conflict when the plan touches what the console made, when it would archive
    something without `allow_remove`, or when it renames a component that an open notice names. Nothing is written then, nor
    when there is nothing to change.
    """
    actor.require("admin")
    with ctx.db.read() as conn:
        before = store.stored(conn)
        plan = _allowed(compare(wanted, before), allow_remove=allow_remove)
        if plan.is_empty and before.settings.get("config_hash") == wanted.fingerprint:
            return plan
    with ctx.db.write() as conn:  # compared again: the console may have written since
        now = ctx.now()
        plan = _allowed(compare(wanted, store.stored(conn)), allow_remove=allow_remove)
        _write(conn, ctx, wanted, plan, now)
        store.save_setting(conn, "config_hash", wanted.fingerprint)
        _draw_identity(conn)
        if not plan.is_empty:
            notices.add_change(conn, {"page": True}, now)
            steps = [str(item) for item in plan.items]
            audit.write(conn, now, actor.name, "config.apply", wanted.fingerprint[:12], {"steps": steps})
    return plan


def _allowed(plan: Plan, *, allow_remove: bool) -> Plan:
    if plan.conflicts:
        raise Conflict("; ".join(plan.conflicts))
    if plan.removals and not allow_remove:
        ids = ", ".join(f"{item.noun}.{item.id}" for item in plan.removals)
        message = f"no longer in the file: {ids}. Archive them with --allow-remove, or rename with `was: old-id`"
        raise Conflict(message)
    return plan


def _write(conn: Connection, ctx: Context, wanted: Wanted, plan: Plan, now: datetime) -> None:
    # Ids first, so that rows written after may refer to new ids; monitors go before what they watched.
    for noun in NOUNS:
        for item in plan.of(noun, "renamed"):
            _rename(conn, item)
    for noun in NOUNS:
        _save(conn, noun, wanted, plan, now)
    for noun in reversed(NOUNS):
        for item in plan.of(noun, "removed"):
            store.archive(conn, noun, item.id, now)
    for item in plan.of("settings", "added", "changed"):
        store.save_setting(conn, item.id, wanted.settings[item.id])
    _silence(conn, ctx, wanted, plan, now)
    statuses.refresh(
        conn,
        wanted.rows.get("components", {}),
        now,
        source="system",
        reason="configuration applied",
        actor="configuration",
    )


def _silence(conn: Connection, ctx: Context, wanted: Wanted, plan: Plan, now: datetime) -> None:
    """Monitors that check no more hold no notice open, and what they saw last is no longer known."""
    paused = [
        item for item in plan.of("monitors", "changed", "renamed") if wanted.rows["monitors"][item.id].get("paused")
    ]
    silent = [item.id for item in plan.of("monitors", "removed") + paused]
    for monitor_id in silent:
        store.forget_state(conn, monitor_id)
    suspicions.clear_for(conn, ctx, silent, now)


def _rename(conn: Connection, item: Item) -> None:
    if item.noun == "components" and (claims := notices.claims_on(conn, [item.was])):
        number = claims[0][2].number
        message = f"component {item.was} is named by the open notice {number}: rename it once that is over"
        raise Conflict(message)
    store.rename(conn, item.noun, item.was, item.id)


def _save(conn: Connection, noun: str, wanted: Wanted, plan: Plan, now: datetime) -> None:
    items = plan.of(noun, "added", "changed", "renamed")
    new = [item.id for item in items if item.action == "added" and not item.is_restored]
    there = {item.id for item in items}.difference(new)
    rows = wanted.rows.get(noun, {})
    store.change(conn, noun, [{**rows[row_id], "id": row_id, "updated_at": now, "archived_at": None} for row_id in sorted(there)])
    first_no = store.next_monitor_no(conn) if noun == "monitors" else 0
    store.add(conn, noun, [_new_row(noun, row_id, no, wanted, now) for no, row_id in enumerate(new, first_no)])
    for component in component_store.load(conn, new).values() if noun == "components" else ():
        # The row that a component's history begins with: uptime counts from it.
        component_store.set_status(
            conn, component, component.status, now, source="system", reason="added by configuration", actor="configuration"
        )


def _new_row(noun: str, row_id: str, no: int, wanted: Wanted, now: datetime) -> dict[str, Any]:
    """A whole row; `no` is a monitor's number. A component that is watched is unknown until it has been seen."""
    row = {**wanted.rows[noun][row_id], "id": row_id, "source": "file", "created_at": now, "updated_at": now}
    if noun == "monitors":
        return row | {"no": no}
    row["public_id"] = new_public_id()
    if noun == "components":
        is_watched = any(monitor["component_id"] == row_id for monitor in wanted.rows.get("monitors", {}).values())
        row |= {"baseline": OPERATIONAL, "status": UNKNOWN if is_watched else OPERATIONAL, "status_at": now}
    return row


def _draw_identity(conn: Connection) -> None:
    """What names this page to machines is drawn once: it survives a new address, and with it readers' feeds do."""
    if pages.load_meta(conn, "page_public_id") is None:
        store.save_setting(conn, "page_public_id", new_public_id())
    if pages.load_meta(conn, "feed_authority") is None:
        store.save_setting(conn, "feed_authority", urlsplit(pages.load_page(conn).url).hostname or "localhost")
