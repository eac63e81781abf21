"""Signing in and out. A session is a row; the browser holds only a random reference to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, update

from statuspage.actions import audit, limits, operators, passwords
from statuspage.actions.context import Actor, Context
from statuspage.domain import sealing
from statuspage.errors import NotAllowed, NotFound
from statuspage.store import operators as store
from statuspage.store.operators import HANDLE
from statuspage.store.schema.people import credentials, sessions
from statuspage.store.schema.people import operators as operators_table

# Nobody outside may lock an operator out: the tight limits are per address prefix; the wide one per account, against a
# guess from everywhere, is waived for prefixes from which this account has signed in before.
PER_PREFIX = limits.Limit("sign_in", 20, 3600)
PER_PREFIX_AND_ACCOUNT = limits.Limit("sign_in_account_prefix", 10, 3600)
PER_ACCOUNT = limits.Limit("sign_in_account", 60, 3600)
_KNOWN = "sign_in_known"
_TOUCH_EVERY = timedelta(minutes=1)
_REFUSED = "name or password is wrong"


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks, as far as it may be kept: a network prefix (/24 or /48) and the browser's kind in a few words."""

    prefix: str
    browser: str = ""


def sign_in_with_link(ctx: Context, token: str, client: Client) -> str:
    """Trade a one-time link for a session; returns the session's token. Raises NotAllowed when the link is used or too old."""
    now = ctx.now()
    with ctx.db.write() as connection:
        limits.take(connection, ctx.keys.seal, PER_PREFIX, client.prefix, now)
    hashed = sealing.token_hash(token)
    with ctx.db.write() as connection:
        owner = store.link_owner(connection, hashed, now)
        used = connection.execute(
            update(credentials)
            .where(credentials.c.secret_hash == hashed, credentials.c.used_at.is_(None))
            .values(used_at=now)
        )
        if owner is None or used.rowcount != 1:
            message = "this link was used already or is older than 24 hours: ask for a new one"
            raise NotAllowed(message)
        audit.write(
            connection, now, owner.name, "session.sign_in", owner.name, {"via": "link", "prefix": client.prefix}
        )
        limits.remember(connection, ctx.keys.seal, _KNOWN, f"{owner.name} {client.prefix}", now)
        return _open(connection, owner.id, "link", client, now, two_factor=False)


def sign_in_with_password(ctx: Context, name: str, password: str, client: Client) -> str:
    """Check name and password; returns a session's token, still without a second factor.

    Raises NotAllowed with the same words whether the name or the password was wrong; limits.TooOften; Unavailable when the
    limits cannot be counted (closed, not open: a password must not be guessed while the database is in trouble).
    """
    now = ctx.now()
    account = name.strip().lower()[:40]
    _count_try(ctx, account, client, now)
    with ctx.db.read() as connection:
        row = connection.execute(select(operators_table).where(operators_table.c.name == account)).one_or_none()
    fits = passwords.is_password(row.password_hash if row else None, password[: passwords.MAXIMUM])
    if row is None or not fits or row.disabled_at is not None:
        _write_refusal(ctx, account if row else "unknown", client, now)
        raise NotAllowed(_REFUSED)
    with ctx.db.write() as connection:
        audit.write(connection, now, account, "session.sign_in", account, {"via": "password", "prefix": client.prefix})
        limits.remember(connection, ctx.keys.seal, _KNOWN, f"{account} {client.prefix}", now)
        return _open(connection, row.id, "password", client, now, two_factor=False)


def give_code(ctx: Context, session: store.Session, code: str, client: Client) -> str:
    """The second factor: a TOTP or recovery code. Returns the token of a new session, the old one ends.

    Raises NotAllowed for a wrong or used code, limits.TooOften after five tries in five minutes.
    """
    now = ctx.now()
    owner = session.operator
    with ctx.db.write() as connection:
        limits.take(connection, ctx.keys.seal, operators.CODE_LIMIT, owner.name, now)
    with ctx.db.write() as connection:
        by_app = operators.use_code(connection, ctx, owner.id, code, now)
        if not by_app and not operators.use_recovery_code(connection, ctx, owner.id, code, now):
            message = "that code does not fit or was used already: wait for the next one"
            raise NotAllowed(message)
        audit.write(
            connection, now, owner.name, "session.two_factor", owner.name, {"by": "app" if by_app else "recovery code"}
        )
        return _renew(connection, session, client, now)


def renew_after_enrolment(ctx: Context, session: store.Session, client: Client) -> str:
    """The token of a new session for an operator who has just proved a new authenticator; the old session ends."""
    with ctx.db.write() as connection:
        return _renew(connection, session, client, ctx.now())


def touch(ctx: Context, session: store.Session) -> None:
    """Keep a session in use alive. Writes at most once a minute."""
    now = ctx.now()
    if now - session.seen_at < _TOUCH_EVERY:
        return
    with ctx.db.write() as connection:
        connection.execute(update(sessions).where(sessions.c.token_hash == session.token_hash).values(seen_at=now))


def sign_out(ctx: Context, session: store.Session) -> None:
    """End this session."""
    now = ctx.now()
    with ctx.db.write() as connection:
        connection.execute(delete(sessions).where(sessions.c.token_hash == session.token_hash))
        audit.write(connection, now, session.operator.name, "session.sign_out", session.operator.name)


def revoke_others(ctx: Context, actor: Actor, keep: str) -> int:
    """End every other session of the acting operator; returns how many there were. `keep` is a token hash."""
    now = ctx.now()
    with ctx.db.write() as connection:
        owner = select(operators_table.c.id).where(operators_table.c.name == actor.name).scalar_subquery()
        gone = connection.execute(
            delete(sessions).where(sessions.c.operator_id == owner, sessions.c.token_hash != keep)
        )
        audit.write(connection, now, actor.name, "session.revoke", actor.name, {"count": gone.rowcount})
        return gone.rowcount


def revoke(ctx: Context, actor: Actor, name: str, handle: str) -> None:
    """End one session of the operator `name`, one's own or, for admins, anybody's. `handle` as store.operators.Session has it.

    Raises NotAllowed, and NotFound for a session that is over already.
    """
    if name != actor.name:
        actor.require("admin")
    now = ctx.now()
    with ctx.db.write() as connection:
        owner = select(operators_table.c.id).where(operators_table.c.name == name).scalar_subquery()
        chosen = func.substr(sessions.c.token_hash, 1, HANDLE) == handle
        gone = connection.execute(delete(sessions).where(sessions.c.operator_id == owner, chosen))
        if gone.rowcount != 1:
            message = "this session is over already"
            raise NotFound(message)
        audit.write(connection, now, actor.name, "session.revoke", name, {"count": 1})


def _count_try(ctx: Context, account: str, client: Client, now: datetime) -> None:
    """Count before the costly hash. In its own transaction: a try that fails later stays counted."""
    key = ctx.keys.seal
    both = f"{account} {client.prefix}"
    with ctx.db.write() as connection:
        limits.take(connection, key, PER_PREFIX, client.prefix, now)
        limits.take(connection, key, PER_PREFIX_AND_ACCOUNT, both, now)
        if not limits.is_remembered(connection, key, _KNOWN, both):
            limits.take(connection, key, PER_ACCOUNT, account, now)


def _write_refusal(ctx: Context, account: str, client: Client, now: datetime) -> None:
    with ctx.db.write() as connection:
        audit.write(connection, now, account, "session.refused", account, {"prefix": client.prefix})


def _renew(connection: Connection, session: store.Session, client: Client, now: datetime) -> str:
    connection.execute(delete(sessions).where(sessions.c.token_hash == session.token_hash))
    return _open(connection, session.operator.id, session.via, client, now, two_factor=True)


def _open(
    connection: Connection, operator_id: int, via: str, client: Client, now: datetime, *, two_factor: bool
) -> str:
    # Rows that are over are swept here: the table stays small without a job of its own.
    connection.execute(delete(sessions).where(sessions.c.expires_at < now))
    token = sealing.new_token()
    connection.execute(insert(sessions).values(
        token_hash=sealing.token_hash(token), operator_id=operator_id, csrf=sealing.new_token(), two_factor=two_factor,
        created_at=now, seen_at=now, expires_at=now + store.ABSOLUTE,
        data={"via": via, "client": f"{client.browser} {client.prefix}".strip()},
    ))  # fmt: skip
    return token
