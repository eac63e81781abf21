"""Who is told, and what became of it."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Text, UniqueConstraint

from statuspage.store.schema.base import row_id, table
from statuspage.store.types import Big, Json, UtcTime

subscribers = table(
    "subscribers",
    row_id(),
    Column("language", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

subscriptions = table(
    "subscriptions",
    row_id(),
    Column("public_id", Text, nullable=False, unique=True),
    Column("subscriber_id", Big, ForeignKey("subscribers.id"), nullable=False),
    Column("channel", Text, nullable=False),  # a name of channels.registry
    Column("audience", Text, nullable=False),  # public | operator (webhooks the operator added) | oncall
    Column("address_sealed", LargeBinary, nullable=False),
    Column("address_hash", Text, nullable=False),  # keyed: finds an address without storing it in clear
    Column("label", Text, nullable=False),  # masked form for lists: +852 ••• 1234
    Column("components", Json, nullable=False),  # [] = all
    Column("kinds", Json, nullable=False),  # [] = all kinds of notice
    Column("notice_id", Big, ForeignKey("notices.id")),  # "tell me when it is fixed": this notice only
    Column("language", Text, nullable=False),
    Column("state", Text, nullable=False),  # pending | active | off | suppressed
    Column("token_hash", Text),  # confirm or manage link; only its hash is stored
    Column("token_expires_at", UtcTime),
    Column("attempts", Integer, nullable=False),  # wrong confirmation codes so far
    Column("created_at", UtcTime, nullable=False),
    Column("confirmed_at", UtcTime),
    Column("off_at", UtcTime),
    Column("meta", Json, nullable=False),
    UniqueConstraint("channel", "audience", "address_hash", "notice_id"),
    Index("ix_subscriptions_state_channel", "state", "channel", "id"),
)

consents = table(
    "consents",
    row_id(),
    Column("subscription_id", Big, ForeignKey("subscriptions.id"), nullable=False),
    Column("action", Text, nullable=False),  # asked | confirmed | stopped | started
    Column("how", Text, nullable=False),  # form | link | code | keyword | operator
    Column("text_version", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("ip_prefix", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)

suppressions = table(
    "suppressions",
    Column("channel", Text, primary_key=True),
    Column("address_hash", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)

outbox = table(
    "outbox",
    row_id(),
    Column("kind", Text, nullable=False),  # notice_update | page_oncall | confirm | reminder | test
    Column("notice_id", Big, ForeignKey("notices.id")),
    Column("update_id", Big, ForeignKey("notice_updates.id")),
    Column("sequence", Integer, nullable=False),  # of the update: a newer one cancels older ones still queued
    Column("audiences", Json, nullable=False),  # which subscriptions.audience it is for
    Column("channels", Json, nullable=False),  # [] = every channel
    Column("subscription_id", Big, ForeignKey("subscriptions.id")),  # set: to this one only
    Column("urgency", Integer, nullable=False),  # 0 most urgent; claims go by it
    Column("payload", Json, nullable=False),  # frozen: what was true when it was said
    Column("cursor", Big, nullable=False),  # last subscription id expanded
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("expanded_at", UtcTime),
    Index("ix_outbox_expanded_at", "expanded_at"),
    Index("ix_outbox_notice_id", "notice_id"),
)

deliveries = table(
    "deliveries",
    row_id(),
    Column("outbox_id", Big, ForeignKey("outbox.id"), nullable=False),
    Column("subscription_id", Big, ForeignKey("subscriptions.id"), nullable=False),
    Column("key", Text, nullable=False, unique=True),  # idempotency key handed to the supplier; stable over retries
    Column("channel", Text, nullable=False),
    Column("notice_id", Big),
    Column("sequence", Integer, nullable=False),
    Column("urgency", Integer, nullable=False),
    Column("state", Text, nullable=False),  # queued | sending | sent | dead | cancelled | expired
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", UtcTime, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", UtcTime),
    Column("sent_at", UtcTime),
    Column("reference", Text, nullable=False),  # the supplier's id
    Column("receipt", Text, nullable=False),  # delivered | undelivered | … as the supplier's callback said
    Column("error_class", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("outbox_id", "subscription_id"),
    Index("ix_deliveries_due", "state", "urgency", "next_try_at"),
    Index("ix_deliveries_notice", "notice_id", "subscription_id"),
    Index("ix_deliveries_reference", "reference"),
)
