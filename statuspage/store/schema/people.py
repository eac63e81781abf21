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
    text_id(),  # its name, chosen by a person: hk-1
    Column("region", Text, nullable=False),
    Column("public_key", Text, nullable=False),  # base64 raw Ed25519; the private one was shown once and is not kept
    Column("seen_at", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
    # What it last said of itself.
    Column("clock_ms", Big, nullable=False),  # our clock minus its own
    Column("waiting", Integer, nullable=False),  # batches in its spool
    Column("dropped", Big, nullable=False),  # results lost because its spool was full, since it started
)

# One row per start of an agent: which of its batches have come, so that each counts once in whatever order they come.
agent_boots = table(
    "agent_boots",
    Column("agent_id", Text, ForeignKey("agents.id"), primary_key=True),
    Column("boot", Text, primary_key=True),
    Column("last_sequence", Big, nullable=False),
    Column("missing", Json, nullable=False),  # [[first, last], …] below last_sequence
    Column("offset_ms", Big, nullable=False),  # our clock minus the one that stamped this boot's results
    Column("seen_at", UtcTime, nullable=False),
)

# What came from agents and was not judged yet: any web process writes it, the one checker takes it away.
agent_batches = table(
    "agent_batches",
    row_id(),
    Column("agent_id", Text, ForeignKey("agents.id"), nullable=False),
    Column("region", Text, nullable=False),
    Column("boot", Text, nullable=False),
    Column("sequence", Big, nullable=False),
    Column("results", Json, nullable=False),  # wire forms with at_ms by our clock
)
