"""Operators, their sessions and what they did: reading."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, or_, select
from sqlalchemy.engine import Row

from statuspage.store.schema.people import audit_log, credentials, operators, sessions

IDLE = timedelta(minutes=30)
ABSOLUTE = timedelta(hours=12)
HANDLE = 16  # characters of the token's hash by which a form names a session


@dataclass(frozen=True, slots=True)
class Operator:
    """Who may use the console. `has_two_factor`: an authenticator is enrolled and confirmed."""

    id: int
    name: str
    display_name: str
    role: str
    language: str
    has_password: bool
    has_two_factor: bool
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Session:
    """A session that is still good. `via`: link | password; `two_factor`: a code was given in it."""

    token_hash: str
    operator: Operator
    csrf: str
    two_factor: bool
    via: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    client: str

    @property
    def handle(self) -> str:
        """What names this session in a form. Of no use for signing in: it is the beginning of a hash."""
        return self.token_hash[:HANDLE]


def operator(connection: Connection, name: str) -> Operator | None:
    """The operator of that sign-in name, also a disabled one."""
    row = connection.execute(select(operators).where(operators.c.name == name.strip().lower())).one_or_none()
    return _operator(row) if row else None


def all_operators(connection: Connection) -> list[Operator]:
    """Everyone, by name; the disabled ones last."""
    rows = connection.execute(select(operators).order_by(operators.c.disabled_at.is_not(None), operators.c.name))
    return [_operator(row) for row in rows]


def count(connection: Connection) -> int:
    """How many operators there are, disabled ones included."""
    return connection.scalar(select(func.count()).select_from(operators)) or 0


def session(connection: Connection, token_hash: str, now: datetime) -> Session | None:
    """The session of that token hash, unless it is over: 12 h after sign-in, 30 min after the last request, or revoked."""
    found = _sessions(connection, sessions.c.token_hash == token_hash, now)
    return found[0] if found else None


def sessions_of(connection: Connection, operator_id: int, now: datetime) -> list[Session]:
    """The open sessions of one operator, newest first."""
    return _sessions(connection, sessions.c.operator_id == operator_id, now)


def all_sessions(connection: Connection, now: datetime) -> list[Session]:
    """The open sessions of everybody, newest first."""
    return _sessions(connection, sessions.c.operator_id == operators.c.id, now)


def link_owner(connection: Connection, token_hash: str, now: datetime) -> Operator | None:
    """Whose one-time sign-in link this is; None when it was used, is too old or never existed."""
    row = connection.execute(
        select(operators)
        .join(credentials, credentials.c.operator_id == operators.c.id)
        .where(credentials.c.kind == "sign_in", credentials.c.secret_hash == token_hash, credentials.c.used_at.is_(None),
               credentials.c.expires_at > now, operators.c.disabled_at.is_(None))
    ).one_or_none()  # fmt: skip
    return _operator(row) if row else None


def recovery_codes_left(connection: Connection, operator_id: int) -> int:
    """Unused recovery codes of one operator."""
    return connection.scalar(
        select(func.count()).select_from(credentials)
        .where(credentials.c.operator_id == operator_id, credentials.c.kind == "recovery", credentials.c.used_at.is_(None))
    ) or 0  # fmt: skip


def audit(connection: Connection, *, search: str = "", before_id: int | None = None, limit: int = 50) -> list[Row[Any]]:
    """Audit rows, newest first; `search` looks in actor, action and subject."""
    query = select(audit_log).order_by(audit_log.c.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(audit_log.c.id < before_id)
    if search:
        columns = (audit_log.c.actor, audit_log.c.action, audit_log.c.subject)
        query = query.where(or_(*(column.icontains(search, autoescape=True) for column in columns)))
    return list(connection.execute(query))


def newest_audit_id(connection: Connection) -> int:
    """The id of the last audit row; 0 when there is none."""
    return connection.scalar(select(func.max(audit_log.c.id))) or 0


def _sessions(connection: Connection, condition: Any, now: datetime) -> list[Session]:  # noqa: ANN401 - a SQLAlchemy clause
    query = (
        select(operators, sessions.c.token_hash, sessions.c.csrf, sessions.c.two_factor, sessions.c.seen_at,
               sessions.c.expires_at, sessions.c.data, sessions.c.created_at.label("signed_in_at"))
        .join(operators, sessions.c.operator_id == operators.c.id)
        .where(condition, sessions.c.expires_at > now, sessions.c.seen_at > now - IDLE, operators.c.disabled_at.is_(None))
        .order_by(sessions.c.created_at.desc())
    )  # fmt: skip
    return [
        Session(
            token_hash=row.token_hash, operator=_operator(row), csrf=row.csrf, two_factor=row.two_factor,
            via=row.data.get("via", ""), created_at=row.signed_in_at, seen_at=row.seen_at, expires_at=row.expires_at,
            client=row.data.get("client", ""),
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def _operator(row: Row[Any]) -> Operator:
    return Operator(
        id=row.id, name=row.name, display_name=row.display_name, role=row.role, language=row.language,
        has_password=row.password_hash is not None, has_two_factor=row.totp_confirmed_at is not None,
        created_at=row.created_at, disabled_at=row.disabled_at,
    )  # fmt: skip
