"""Operators: making them, their roles, and the means by which they prove who they are."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyotp
from sqlalchemy import Connection, delete, insert, select, update

from statuspage import i18n
from statuspage.actions import audit, limits, passwords
from statuspage.actions.context import ROLES, Actor, Context
from statuspage.domain import sealing
from statuspage.errors import Conflict, InvalidInput, NotAllowed, NotFound, Words
from statuspage.store import operators as store
from statuspage.store.schema.people import credentials, operators, sessions

LINK_LIFE = timedelta(hours=24)
RECOVERY_CODES = 10
CODE_LIMIT = limits.Limit("two_factor", 5, 300)
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_STEP_S = 30
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app needs: the secret as text, and the same as an otpauth link."""

    secret: str
    uri: str


def create_first(ctx: Context, name: str = "admin", display_name: str = "", language: str = "en") -> str | None:
    """Make the first operator, an admin, and return a one-time sign-in token; None when there is an operator already.

    Whoever comes second finds the table taken, inside the same transaction: nobody can race for the first place.
    """
    now = ctx.now()
    with ctx.db.write() as connection:
        if store.count(connection):
            return None
        _insert(connection, name, display_name=display_name, role="admin", language=language, now=now)
        audit.write(connection, now, "command line", "operator.create", name, {"role": "admin", "first": True})
        return _new_link(connection, name, now)


def create(ctx: Context, actor: Actor, *, name: str, display_name: str = "", role: str, language: str = "en") -> str:
    """Make an operator and return a one-time sign-in token for them. Raises InvalidInput, Conflict, NotAllowed."""
    actor.require("admin")
    now = ctx.now()
    with ctx.db.write() as connection:
        if store.operator(connection, name):
            message = Words("there is an operator %(name)s already", name=name)
            raise Conflict(message)
        _insert(connection, name, display_name=display_name, role=role, language=language, now=now)
        audit.write(connection, now, actor.name, "operator.create", name, {"role": role})
        return _new_link(connection, name, now)


def new_sign_in_link(ctx: Context, actor: Actor, name: str) -> str:
    """A new one-time sign-in token for `name`, good for 24 h; earlier unused ones stop working. Admins only."""
    actor.require("admin")
    now = ctx.now()
    with ctx.db.write() as connection:
        _active(connection, name)
        audit.write(connection, now, actor.name, "operator.link", name)
        return _new_link(connection, name, now)


def set_role(ctx: Context, actor: Actor, name: str, role: str) -> None:
    """Give `name` another role; open sessions have it at once. The last admin cannot be taken away."""
    actor.require("admin")
    _check_role(role)
    now = ctx.now()
    with ctx.db.write() as connection:
        target = _active(connection, name)
        if role != "admin":
            _refuse_last_admin(connection, target)
        connection.execute(update(operators).where(operators.c.id == target.id).values(role=role))
        audit.write(connection, now, actor.name, "operator.role", target.name, {"old": target.role, "new": role})


def disable(ctx: Context, actor: Actor, name: str) -> None:
    """End the access of `name`: sessions, links and codes are gone; what they wrote stays under their name."""
    actor.require("admin")
    now = ctx.now()
    with ctx.db.write() as connection:
        target = _active(connection, name)
        _refuse_last_admin(connection, target)
        connection.execute(update(operators).where(operators.c.id == target.id).values(disabled_at=now))
        connection.execute(delete(sessions).where(sessions.c.operator_id == target.id))
        connection.execute(delete(credentials).where(credentials.c.operator_id == target.id))
        audit.write(connection, now, actor.name, "operator.disable", target.name)


def enable(ctx: Context, actor: Actor, name: str) -> str:
    """Give a disabled operator access again; returns a one-time sign-in token."""
    actor.require("admin")
    now = ctx.now()
    with ctx.db.write() as connection:
        target = store.operator(connection, name)
        if target is None or target.disabled_at is None:
            message = Words("no disabled operator %(name)s", name=name)
            raise NotFound(message)
        connection.execute(update(operators).where(operators.c.id == target.id).values(disabled_at=None))
        audit.write(connection, now, actor.name, "operator.enable", target.name)
        return _new_link(connection, target.name, now)


def reset_two_factor(ctx: Context, actor: Actor, name: str) -> str:
    """Forget the authenticator and recovery codes of `name` and sign them out; returns a one-time sign-in token.

    Another admin (or the command line, which runs on the server itself) has to do it: a thief of a session must not be able
    to replace the second factor.
    """
    actor.require("admin")
    now = ctx.now()
    with ctx.db.write() as connection:
        target = _active(connection, name)
        if target.name == actor.name:
            message = "another admin must reset your second factor, or `statuspage operator reset-2fa` on the server"
            raise NotAllowed(message)
        cleared = {"totp_sealed": None, "totp_confirmed_at": None, "totp_last_step": 0}
        connection.execute(update(operators).where(operators.c.id == target.id).values(cleared))
        connection.execute(delete(sessions).where(sessions.c.operator_id == target.id))
        connection.execute(delete(credentials).where(credentials.c.operator_id == target.id))
        audit.write(connection, now, actor.name, "operator.reset_two_factor", target.name)
        return _new_link(connection, target.name, now)


def set_language(ctx: Context, actor: Actor, language: str) -> None:
    """The language that the acting operator sees the console in."""
    _check_language(language)
    with ctx.db.write() as connection:
        connection.execute(update(operators).where(operators.c.name == actor.name).values(language=language))


def set_password(ctx: Context, actor: Actor, password: str, *, keep_session: str) -> None:
    """Set the acting operator's own password. Every other session of theirs ends; `keep_session` is a token hash."""
    passwords.check_new(password, actor.name)
    hashed = passwords.hash_password(password)
    now = ctx.now()
    with ctx.db.write() as connection:
        target = _active(connection, actor.name)
        connection.execute(update(operators).where(operators.c.id == target.id).values(password_hash=hashed))
        connection.execute(
            delete(sessions).where(sessions.c.operator_id == target.id, sessions.c.token_hash != keep_session)
        )
        audit.write(connection, now, actor.name, "operator.password", target.name)


def begin_two_factor(ctx: Context, actor: Actor, issuer: str) -> Enrolment:
    """The secret that the acting operator's authenticator app is given; it counts once a code proves that it arrived.

    Asked again before that, the same secret comes back: a reloaded page must not make the scanned one worthless.
    """
    with ctx.db.write() as connection:
        target = _active(connection, actor.name)
        if target.has_two_factor:
            message = "an authenticator is set up already; another admin can reset it"
            raise Conflict(message)
        sealed = connection.scalar(select(operators.c.totp_sealed).where(operators.c.id == target.id))
        if sealed is None:
            secret = pyotp.random_base32()
            sealed = sealing.seal(ctx.keys.seal, secret.encode(), _context(target.id))
            connection.execute(update(operators).where(operators.c.id == target.id).values(totp_sealed=sealed))
        secret = sealing.unseal(ctx.keys.seal, sealed, _context(target.id)).decode()
    return Enrolment(secret, pyotp.TOTP(secret, name=target.name, issuer=issuer).provisioning_uri())


def confirm_two_factor(ctx: Context, actor: Actor, code: str) -> list[str]:
    """Finish the enrolment with a code from the app. Returns ten recovery codes, shown once and stored as hashes.

    Raises NotAllowed for a wrong code, limits.TooOften after five of them.
    """
    now = ctx.now()
    with ctx.db.write() as connection:
        limits.take(connection, ctx.keys.seal, CODE_LIMIT, actor.name, now)
    with ctx.db.write() as connection:
        target = _active(connection, actor.name)
        if target.has_two_factor:
            message = "an authenticator is set up already"
            raise Conflict(message)
        if not use_code(connection, ctx, target.id, code, now):
            message = "that code does not fit: is the phone's clock right?"
            raise NotAllowed(message)
        connection.execute(update(operators).where(operators.c.id == target.id).values(totp_confirmed_at=now))
        codes = ["-".join(_letters() for _ in range(3)) for _ in range(RECOVERY_CODES)]
        connection.execute(insert(credentials), [
            {"operator_id": target.id, "kind": "recovery", "created_at": now,
             "secret_hash": sealing.keyed_hash(ctx.keys.seal, one)}
            for one in codes
        ])  # fmt: skip
        audit.write(connection, now, actor.name, "operator.two_factor", target.name)
    return codes


def use_code(connection: Connection, ctx: Context, operator_id: int, code: str, now: datetime) -> bool:
    """Accept a TOTP code once (RFC 6238, 5.2): of this half minute or one to either side, newer than the last accepted."""
    sealed = connection.scalar(select(operators.c.totp_sealed).where(operators.c.id == operator_id))
    digits = re.sub(r"\s", "", code)
    if sealed is None or not re.fullmatch(r"[0-9]{6}", digits):
        return False
    generator = pyotp.TOTP(sealing.unseal(ctx.keys.seal, sealed, _context(operator_id)).decode())
    current = int(now.timestamp()) // _STEP_S
    for step in (current - 1, current, current + 1):
        if sealing.is_same(generator.at(step * _STEP_S), digits):
            accepted = connection.execute(
                update(operators)
                .where(operators.c.id == operator_id, operators.c.totp_last_step < step)
                .values(totp_last_step=step)
            )
            return accepted.rowcount == 1
    return False


def use_recovery_code(connection: Connection, ctx: Context, operator_id: int, code: str, now: datetime) -> bool:
    """Accept a recovery code once."""
    hashed = sealing.keyed_hash(ctx.keys.seal, code.strip().lower())
    used = connection.execute(
        update(credentials)
        .where(credentials.c.operator_id == operator_id, credentials.c.kind == "recovery", credentials.c.secret_hash == hashed,
               credentials.c.used_at.is_(None))
        .values(used_at=now)
    )  # fmt: skip
    return used.rowcount == 1


def _insert(connection: Connection, name: str, *, display_name: str, role: str, language: str, now: datetime) -> None:
    if not _NAME.fullmatch(name):
        message = "a sign-in name has 1 to 40 of a-z 0-9 . _ - and starts with a letter or digit"
        raise InvalidInput(message, "name")
    _check_role(role)
    _check_language(language)
    connection.execute(insert(operators).values(
        name=name, display_name=display_name.strip()[:80] or name, role=role, language=language, totp_last_step=0, created_at=now,
    ))  # fmt: skip


def _check_role(role: str) -> None:
    if role not in ROLES:
        message = Words("role must be one of %(roles)s", roles=tuple(Words(one) for one in ROLES))
        raise InvalidInput(message, "role")


def _check_language(language: str) -> None:
    if language not in i18n.LOCALES:
        message = Words("language must be one of %(languages)s", languages=tuple(i18n.LOCALES))
        raise InvalidInput(message, "language")


def _active(connection: Connection, name: str) -> store.Operator:
    found = store.operator(connection, name)
    if found is None or found.disabled_at is not None:
        message = Words("no operator %(name)s", name=name)
        raise NotFound(message)
    return found


def _refuse_last_admin(connection: Connection, target: store.Operator) -> None:
    admins = [one for one in store.all_operators(connection) if one.role == "admin" and one.disabled_at is None]
    if [one.id for one in admins] == [target.id]:
        message = Words("%(name)s is the only admin: make another one first", name=target.name)
        raise Conflict(message)


def _new_link(connection: Connection, name: str, now: datetime) -> str:
    target = _active(connection, name)
    connection.execute(
        delete(credentials)
        .where(credentials.c.operator_id == target.id, credentials.c.kind == "sign_in", credentials.c.used_at.is_(None))
    )  # fmt: skip
    token = sealing.new_token()
    connection.execute(insert(credentials).values(
        operator_id=target.id, kind="sign_in", secret_hash=sealing.token_hash(token), created_at=now, expires_at=now + LINK_LIFE,
    ))  # fmt: skip
    return token


def _context(operator_id: int) -> str:
    return f"operators.totp:{operator_id}"


def _letters() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(5))
