"""`config plan` and `config apply`: what a checked file would change, and changing it."""

from __future__ import annotations

from sqlalchemy import Connection

from statuspage.actions import configuration
from statuspage.actions.context import Actor, Context
from statuspage.config.check import Config
from statuspage.config.rows import wanted
from statuspage.domain.configuration import Plan, compare
from statuspage.store import configuration as store


def plan(conn: Connection, config: Config) -> Plan:
    """What `apply` would do now. Reads only."""
    return compare(wanted(config), store.stored(conn))


def apply(ctx: Context, actor: Actor, config: Config, *, allow_remove: bool = False) -> Plan:
    """Make the database as `config` wants it, in one transaction. Raises as `actions.configuration.apply`."""
    return configuration.apply(ctx, actor, wanted(config), allow_remove=allow_remove)
