"""An operator's own affairs: the authenticator's picture, sessions ended one by one, the chain of the audit log."""

import re
from html import unescape

import pyotp
import pytest
import segno
from console_desk import Desk
from sqlalchemy import update

from statuspage.actions import operators
from statuspage.actions.context import COMMAND_LINE
from statuspage.store import operators as store
from statuspage.store.schema.people import audit_log
from statuspage.web.console import people


@pytest.fixture
def desk(sqlite_database, free_port):
    found = Desk(sqlite_database, free_port())
    found.hire("lin", "admin")
    yield found
    found.close()


def test_the_authenticators_secret_is_drawn_for_a_camera_until_it_is_confirmed(desk):
    token = operators.create(desk.ctx, COMMAND_LINE, name="new", role="responder")
    browser = desk.browser()
    browser.get(f"/sign-in/link?token={token}")
    browser.post("/sign-in/link", token=token)
    page = browser.get("/account/two-factor").text
    drawn = browser.get("/account/two-factor/qr.svg")

    secret = re.sub(r"<.*?>|\s", "", re.search(r'class="secret"[^>]*>(.*?)</p>', page, re.DOTALL).group(1))
    uri = unescape(re.search(r'href="(otpauth:[^"]+)"', page).group(1))
    assert f"secret={secret}" in uri
    assert '<img class="qr" src="/account/two-factor/qr.svg"' in page
    assert drawn.headers["Content-Type"].startswith("image/svg+xml")
    assert drawn.headers["Cache-Control"] == "no-store"
    assert " style=" not in drawn.text
    assert _modules(drawn.text) == [list(map(int, row)) for row in segno.make_qr(uri, error="m").matrix]
    browser.post("/account/two-factor", code=pyotp.TOTP(secret).at(desk.clock.at))
    assert browser.get("/account/two-factor/qr.svg").status_code == 404


def _modules(svg):
    """The dark and light squares that a path of horizontal strokes draws, without the quiet zone."""
    path = re.search(r'<path [^>]*stroke="#000"[^>]*d="([^"]+)"|<path [^>]*d="([^"]+)"[^>]*stroke="#000"', svg)
    steps = re.findall(r"([Mmhz])\s*(-?[\d.]+)?[ ,]?(-?[\d.]+)?", next(filter(None, path.groups())))
    dark, x, y = set(), 0.0, 0.0
    for step, first, second in steps:
        if step == "M":
            x, y = float(first), float(second)
        elif step == "m":
            x, y = x + float(first), y + float(second)
        elif step == "h":
            dark |= {(int(y), int(x) + one) for one in range(int(float(first)))}
            x += float(first)
    size = max(row for row, _column in dark) + 1 - 4
    return [[int((row + 4, column + 4) in dark) for column in range(size)] for row in range(size)]


def test_sessions_are_ended_one_by_one_by_their_owner_and_by_an_admin(desk):
    desk.hire("wei", "responder")
    here, phone, stolen = desk.signed_in("wei"), desk.signed_in("wei"), desk.signed_in("wei")
    handles = re.findall(r'name="session" value="([0-9a-f]{16})"', here.get("/account").text)

    ended = here.post("/account/sessions", session=handles[0])
    left = re.findall(r'name="session" value="([0-9a-f]{16})"', here.get("/account").text)
    again = here.post("/account/sessions", session=handles[0])
    inside = [one.get("/account", allow_redirects=False).status_code for one in (here, phone, stolen)]

    assert len(handles) == 2
    assert (ended.status_code, left, again.status_code) == (200, handles[1:], 404)
    assert sorted(inside) == [200, 200, 303]
    lin = desk.signed_in("lin")
    assert handles[1] in lin.get("/operators").text

    lin.post("/operators/wei", do="session", session=handles[1])
    assert [one.get("/account", allow_redirects=False).status_code for one in (here, phone, stolen)].count(200) == 1


def test_nobody_ends_a_session_of_somebody_else_without_being_admin(desk):
    desk.hire("wei", "responder")
    lin, wei = desk.signed_in("lin"), desk.signed_in("wei")
    with desk.ctx.db.read() as connection:
        handle = next(
            one.handle for one in store.all_sessions(connection, desk.clock.at) if one.operator.name == "lin"
        )

    own = wei.post("/account/sessions", session=handle)
    other = wei.post("/operators/lin", do="session", session=handle)
    every = wei.post("/account/sessions", session="%" * 16)

    assert (own.status_code, other.status_code, every.status_code) == (404, 403, 404)
    assert lin.get("/account", allow_redirects=False).status_code == 200


def test_the_audit_page_follows_the_chain_piece_by_piece_and_whole_when_asked(desk, monkeypatch):
    monkeypatch.setattr(people, "PIECE", 3)
    monkeypatch.setattr(people._Followed, "so_far", None)
    lin = desk.signed_in("lin")

    first = lin.get("/audit").text
    second = lin.get("/audit").text
    whole = lin.post("/audit").text
    with desk.ctx.db.write() as connection:
        connection.execute(update(audit_log).where(audit_log.c.id == 2).values(actor="mallory"))
    unseen = lin.get("/audit").text
    found = lin.post("/audit").text

    assert "The first 3 rows follow" in first
    assert "The first 6 rows follow" in second or "All " in second
    assert re.search(r"All \d+ rows follow", whole)
    assert re.search(r"All \d+ rows follow", unseen)
    assert "Row 2 does not follow" in found
    assert "Row 2 does not follow" in lin.get("/audit").text
