"""Operators, what they hold, and what they did."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Text

from statuspage.store.schema.base import row_id, table, text_id
from statuspage.store.types import Big, Flag, Json, UtcTime

operators = table(
    "operators",
    row_id(),
    Column("name", Text, nullable=False, unique=True),  # sign-in name, lower case
    Column("display_name", Text, nullable=False),
    Column("role", Text, nullable=False),  # viewer | responder | admin
    Column("language", Text, nullable=False),
    Column("password_hash", Text),
    Column("totp_sealed", LargeBinary),
    Column("totp_confirmed_at", UtcTime),
    Column("totp_last_step", Big, nullable=False),  # a code is accepted once
    Column("created_at", UtcTime, nullable=False),
    Column("disabled_at", UtcTime),
)

# kind: recovery (hashed code, once), sign_in (one-time link). More kinds (passkey) later.
credentials = table(
    "credentials",
    row_id(),
    Column("operator_id", Big, ForeignKey("operators.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("secret_hash", Text, nullable=False, unique=True),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("used_at", UtcTime),
)

sessions = table(
    "sessions",
    text_id("token_hash"),
    Column("operator_id", Big, ForeignKey("operators.id"), nullable=False),
    Column("csrf", Text, nullable=False),
    Column("two_factor", Flag, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("data", Json, nullable=False),
    Index("ix_sessions_operator_id", "operator_id"),
)

api_tokens = table(
    "api_tokens",
    text_id(),  # the public 8 characters
    Column("operator_id", Big, ForeignKey("operators.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("secret_hash", Text, nullable=False),
    Column("scopes", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("last_used_at", UtcTime),
    Column("revoked_at", UtcTime),
)

audit_log = table(
    "audit_log",
    row_id(),
    Column("at", UtcTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("details", Json, nullable=False),  # without secrets and addresses
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

approvals = table(
    "approvals",
    row_id(),
    Column("notice_id", Big, ForeignKey("notices.id"), nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", UtcTime, nullable=False),
    Column("decided_by", Text),
    Column("decided_at", UtcTime),
    Column("granted", Flag),
    Column("break_glass", Text, nullable=False),  # reason, '' when a second person approved
)

agents = table(
    "agents",
    text_id(),
    Column("region", Text, nullable=False),
    Column("secret_hash", Text, nullable=False),
    Column("boot_id", Text, nullable=False),
    Column("last_sequence", Big, nullable=False),
    Column("seen_at", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
)

reports = table(
    "reports",
    Column("symptom", Text, primary_key=True),
    Column("hour", Integer, primary_key=True),  # hours since the epoch
    Column("count", Integer, nullable=False),
)
