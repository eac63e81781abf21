"""Operators: how they come to be, how they prove who they are, and what is written down about it."""

from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import insert, select, update

from statuspage.actions import audit, operators, sessions, subscriber_retention
from statuspage.actions.context import COMMAND_LINE, Actor
from statuspage.actions.limits import TooOften
from statuspage.domain import sealing
from statuspage.errors import Conflict, InvalidInput, NotAllowed
from statuspage.store import operators as store
from statuspage.store.schema.people import audit_log, credentials
from statuspage.store.schema.people import sessions as sessions_table
from statuspage.store.schema.runtime import rate_buckets

PASSWORD = "four unrelated words"
HERE = sessions.Client("203.0.113.0/24", "Firefox")
THERE = sessions.Client("198.51.100.0/24", "Chrome")
LIN = Actor("lin", "admin")


def session_of(ctx, token):
    with ctx.db.read() as conn:
        return store.session(conn, sealing.token_hash(token), ctx.now())


@pytest.fixture
def lin(ctx):
    """An admin with a password."""
    operators.create_first(ctx, "lin")
    operators.set_password(ctx, LIN, PASSWORD, keep_session="")
    return ctx


@pytest.fixture
def enrolled(lin, clock):
    """The same with an authenticator; a function that gives its current code."""
    secret = operators.begin_two_factor(lin, LIN, "Wallet").secret
    operators.confirm_two_factor(lin, LIN, pyotp.TOTP(secret).at(clock.at))
    clock.pass_(minutes=6)
    return lambda: pyotp.TOTP(secret).at(clock.at)


def test_only_the_very_first_operator_needs_nobody_to_make_them(ctx):
    first = operators.create_first(ctx, "lin")

    second = operators.create_first(ctx, "mallory")

    assert first
    assert second is None


def test_a_sign_in_link_works_once(lin):
    token = operators.new_sign_in_link(lin, COMMAND_LINE, "lin")
    session = session_of(lin, sessions.sign_in_with_link(lin, token, HERE))

    with pytest.raises(NotAllowed, match="used already"):
        sessions.sign_in_with_link(lin, token, HERE)

    assert session.operator.name == "lin"
    assert not session.two_factor


def test_a_sign_in_link_is_worthless_after_a_day_and_after_a_newer_one(lin, clock):
    old = operators.new_sign_in_link(lin, COMMAND_LINE, "lin")
    newer = operators.new_sign_in_link(lin, COMMAND_LINE, "lin")
    clock.pass_(hours=24, seconds=1)

    for token in (old, newer):
        with pytest.raises(NotAllowed):
            sessions.sign_in_with_link(lin, token, HERE)


def test_links_codes_and_sessions_are_stored_as_hashes_only(lin):
    token = operators.new_sign_in_link(lin, COMMAND_LINE, "lin")
    session = sessions.sign_in_with_password(lin, "lin", PASSWORD, HERE)

    with lin.db.read() as conn:
        stored = repr(conn.execute(select(credentials)).all()) + repr(conn.execute(select(sessions_table)).all())

    assert token not in stored
    assert session not in stored


def test_a_wrong_name_and_a_wrong_password_sound_the_same(lin):
    said = []
    for name, password in (("lin", "wrong password!"), ("nobody", PASSWORD)):
        with pytest.raises(NotAllowed) as refused:
            sessions.sign_in_with_password(lin, name, password, HERE)
        said.append(str(refused.value))

    assert said[0] == said[1]


def test_guessing_from_one_place_is_stopped_and_does_not_lock_the_owner_out(lin):
    for _ in range(10):
        with pytest.raises(NotAllowed, match="wrong"):
            sessions.sign_in_with_password(lin, "lin", "a guess of many", THERE)
    with pytest.raises(TooOften):
        sessions.sign_in_with_password(lin, "lin", PASSWORD, THERE)

    assert sessions.sign_in_with_password(lin, "lin", PASSWORD, HERE)


def test_an_authenticator_code_counts_once(lin, enrolled):
    first = session_of(lin, sessions.sign_in_with_password(lin, "lin", PASSWORD, HERE))
    second = session_of(lin, sessions.sign_in_with_password(lin, "lin", PASSWORD, HERE))
    code = enrolled()
    sessions.give_code(lin, first, code, HERE)

    with pytest.raises(NotAllowed, match="used already"):
        sessions.give_code(lin, second, code, HERE)


def test_an_older_code_is_refused_after_a_newer_one(lin, enrolled, clock):
    session = session_of(lin, sessions.sign_in_with_password(lin, "lin", PASSWORD, HERE))
    older = enrolled()
    clock.pass_(seconds=30)
    sessions.give_code(lin, session, enrolled(), HERE)
    other = session_of(lin, sessions.sign_in_with_password(lin, "lin", PASSWORD, HERE))

    with pytest.raises(NotAllowed):
        sessions.give_code(lin, other, older, HERE)


def test_the_session_gets_a_new_id_with_the_second_factor(lin, enrolled):
    before = sessions.sign_in_with_password(lin, "lin", PASSWORD, HERE)
    after = sessions.give_code(lin, session_of(lin, before), enrolled(), HERE)

    assert session_of(lin, before) is None
    assert session_of(lin, after).two_factor


def test_codes_cannot_be_guessed(lin, enrolled):
    session = session_of(lin, sessions.sign_in_with_password(lin, "lin", PASSWORD, HERE))
    for _ in range(5):
        with pytest.raises(NotAllowed, match="does not fit"):
            sessions.give_code(lin, session, "000000", HERE)

    with pytest.raises(TooOften):
        sessions.give_code(lin, session, enrolled(), HERE)


def test_a_recovery_code_replaces_the_app_once(lin, clock):
    secret = operators.begin_two_factor(lin, LIN, "Wallet").secret
    codes = operators.confirm_two_factor(lin, LIN, pyotp.TOTP(secret).at(clock.at))
    first = session_of(lin, sessions.sign_in_with_password(lin, "lin", PASSWORD, HERE))
    second = session_of(lin, sessions.sign_in_with_password(lin, "lin", PASSWORD, HERE))
    sessions.give_code(lin, first, codes[3], HERE)

    with pytest.raises(NotAllowed):
        sessions.give_code(lin, second, codes[3], HERE)

    assert len(set(codes)) == 10


def test_a_session_ends_after_half_an_hour_of_silence_and_after_twelve_hours_of_work(lin, clock):
    token = sessions.sign_in_with_password(lin, "lin", PASSWORD, HERE)
    for _ in range(35):
        clock.pass_(minutes=20)
        if session := session_of(lin, token):
            sessions.touch(lin, session)
    at_work = session_of(lin, token)
    clock.pass_(minutes=21)
    after_twelve_hours = session_of(lin, token)
    silent = sessions.sign_in_with_password(lin, "lin", PASSWORD, HERE)
    clock.pass_(minutes=31)

    assert at_work
    assert after_twelve_hours is None
    assert session_of(lin, silent) is None


def test_a_new_password_ends_every_other_session(lin):
    mine = sessions.sign_in_with_password(lin, "lin", PASSWORD, HERE)
    other = sessions.sign_in_with_password(lin, "lin", PASSWORD, THERE)

    operators.set_password(lin, LIN, "a better set of words", keep_session=sealing.token_hash(mine))

    assert session_of(lin, mine)
    assert session_of(lin, other) is None


def test_a_role_taken_away_is_gone_in_open_sessions_and_a_disabled_operator_is_out(lin):
    operators.create(lin, LIN, name="wei", role="responder")
    operators.set_password(lin, Actor("wei", "responder"), PASSWORD, keep_session="")
    token = sessions.sign_in_with_password(lin, "wei", PASSWORD, HERE)

    operators.set_role(lin, LIN, "wei", "viewer")
    role = session_of(lin, token).operator.role
    operators.disable(lin, LIN, "wei")

    assert role == "viewer"
    assert session_of(lin, token) is None
    with pytest.raises(NotAllowed):
        sessions.sign_in_with_password(lin, "wei", PASSWORD, HERE)


@pytest.mark.parametrize("role", ["viewer", "responder"])
def test_only_admins_manage_people(lin, role):
    who = Actor("mei", role)

    for step in (
        lambda: operators.create(lin, who, name="x", role="admin"),
        lambda: operators.set_role(lin, who, "lin", "viewer"),
        lambda: operators.disable(lin, who, "lin"),
        lambda: operators.new_sign_in_link(lin, who, "lin"),
        lambda: operators.reset_two_factor(lin, who, "lin"),
    ):
        with pytest.raises(NotAllowed):
            step()


def test_the_last_admin_stays(lin):
    with pytest.raises(Conflict, match="only admin"):
        operators.set_role(lin, LIN, "lin", "viewer")
    with pytest.raises(Conflict, match="only admin"):
        operators.disable(lin, COMMAND_LINE, "lin")


def test_nobody_resets_their_own_second_factor(lin, enrolled):
    with pytest.raises(NotAllowed, match="another admin"):
        operators.reset_two_factor(lin, LIN, "lin")

    operators.reset_two_factor(lin, COMMAND_LINE, "lin")

    with lin.db.read() as conn:
        assert not store.operator(conn, "lin").has_two_factor


@pytest.mark.parametrize("password", ["short", "lin and three words", "aaaaaaaaaaaaaaaa"])
def test_a_password_that_is_easy_to_guess_is_refused(lin, password):
    with pytest.raises(InvalidInput) as refused:
        operators.set_password(lin, LIN, password, keep_session="")

    assert refused.value.field == "password"


def test_everything_is_in_the_audit_log_without_secrets(lin, enrolled):
    link = operators.new_sign_in_link(lin, COMMAND_LINE, "lin")
    with pytest.raises(NotAllowed):
        sessions.sign_in_with_password(lin, "lin", "wrong password!", HERE)

    with lin.db.read() as conn:
        rows = conn.execute(select(audit_log).order_by(audit_log.c.id)).all()

    assert [row.action for row in rows] == [
        "operator.create", "operator.password", "operator.two_factor", "operator.link", "session.refused",
    ]  # fmt: skip
    assert not any(secret in repr(rows) for secret in (link, PASSWORD, "wrong password!"))


def test_a_row_changed_by_hand_breaks_the_audit_chain(lin):
    operators.create(lin, LIN, name="wei", role="viewer")
    with lin.db.write() as conn:
        whole = audit.first_broken(conn)
        second = conn.scalar(select(audit_log.c.id).order_by(audit_log.c.id).offset(1).limit(1))
        conn.execute(update(audit_log).where(audit_log.c.id == second).values(actor="somebody else"))

    with lin.db.read() as conn:
        broken = audit.first_broken(conn)

    assert whole is None
    assert broken == second


def test_a_clock_that_steps_back_neither_refills_nor_empties_the_limits(lin, clock):
    clock.at -= timedelta(hours=5)

    assert sessions.sign_in_with_password(lin, "lin", PASSWORD, HERE)


def test_counters_that_are_full_again_are_forgotten_and_sums_and_known_places_stay(ctx):
    now = ctx.now()
    names = ["sign_in:a", "two_factor:b", "subscribe-ip:c", "sms-spend-2026-11", "sign_in_known:d"]
    with ctx.db.write() as conn:
        for days in (1, 30, 100, 200):
            conn.execute(insert(rate_buckets), [
                {"name": f"{name}-{days}", "tokens_milli": 0, "at": now - timedelta(days=days)} for name in names
            ])  # fmt: skip

    gone = [subscriber_retention.forget_counts(ctx), subscriber_retention.forget_counts(ctx)]

    with ctx.db.read() as conn:
        left = sorted(conn.execute(select(rate_buckets.c.name)).scalars())
    assert gone == [12, 0]
    assert left == sorted([
        *(f"{name}-1" for name in names), "sms-spend-2026-11-30", "sign_in_known:d-30", "sign_in_known:d-100",
    ])  # fmt: skip


def test_only_an_admin_ends_the_session_of_somebody_else(lin):
    token = sessions.sign_in_with_password(lin, "lin", PASSWORD, HERE)
    handle = session_of(lin, token).handle

    with pytest.raises(NotAllowed):
        sessions.revoke(lin, Actor("wei", "responder"), "lin", handle)
    still = session_of(lin, token)
    sessions.revoke(lin, Actor("mei", "admin"), "lin", handle)

    assert still is not None
    assert session_of(lin, token) is None
