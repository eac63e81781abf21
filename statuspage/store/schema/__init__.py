"""The tables, by noun. Kinds of probe, channel and cause are plain text checked against a registry, never database enums."""

from statuspage.store.schema import catalogue, checks, delivery, networks, notices, people, pings, reports, runtime
from statuspage.store.schema.base import metadata

__all__ = ["catalogue", "checks", "delivery", "metadata", "networks", "notices", "people", "pings", "reports", "runtime"]
