"""Badges: words and colours, and an image that stays one whatever a component is called."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from statuspage.publish import badges
from statuspage.publish.badges import Badge
from statuspage.store import public
from tests.builders import NOW

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def view(wallet):
    wallet.status("login", "major_outage")
    wallet.status("balances", "unknown")
    with wallet.db.read() as conn:
        return public.load(conn, NOW)


def words(svg):
    """The texts of a badge, which must be nothing but rectangles and text."""
    root = etree.fromstring(svg.encode())
    assert {one.tag.removeprefix(SVG) for one in root.iter()} == {"svg", "title", "clipPath", "rect", "g", "text"}
    assert not any("href" in name or name.startswith("on") for one in root.iter() for name in one.attrib)
    assert root.get("aria-label") == root.findtext(f"{SVG}title")
    return [one.text for one in root.iter(f"{SVG}text")]


@pytest.mark.parametrize(
    ("component", "language", "expected"),
    [
        ("login", "en", ["Sign-in", "Major outage"]), ("login", "zh-Hans", ["登录", "严重故障"]),
        ("balances", "en", ["Balances", "Unknown"]), ("transfers", "en", ["Transfers", "Operational"]),
    ],
)  # fmt: skip
def test_the_status_is_in_words_and_in_the_language_asked_for(view, component, language, expected):
    found = badges.of_status(view, view.by_id[component], language)

    assert words(found.svg())[0] == expected[0]
    assert words(found.svg())[1] == found.message
    assert found.color == badges.COLORS[view.by_id[component].status]


def test_the_page_as_a_whole_is_as_its_worst_component(view):
    assert badges.of_status(view, None, "en").color == badges.COLORS["major_outage"]
    assert badges.of_status(replace(view, groups=(), loose=(), _index={}), None, "en").color == badges.COLORS["unknown"]


def test_when_we_cannot_see_no_badge_is_green(view):
    blind = view.blinded()

    colors = {badges.of_status(blind, one, "en").color for one in (None, *blind.components)}

    assert badges.COLORS["operational"] not in colors


def test_uptime_is_never_rounded_up_and_nothing_measured_is_said(view):
    one = view.by_id["login"]

    assert badges.of_uptime(view, one, 9999, "en").message == "99.99%"
    assert badges.of_uptime(view, one, 9999, "en").color == badges.COLORS["operational"]
    assert badges.of_uptime(view, one, 9889, "en").color == badges.COLORS["partial_outage"]
    assert badges.of_uptime(view, one, None, "en").message == "not measured"
    assert badges.of_response(view, one, 41.6, "en").message == "42 ms"


def test_shields_gets_the_shape_of_its_endpoint(view):
    found = badges.of_status(view, view.by_id["login"], "en").shields()

    assert set(found) <= {"schemaVersion", "label", "message", "color", "isError", "cacheSeconds", "labelColor"}
    assert (found["schemaVersion"], found["label"], found["isError"]) == (1, "Sign-in", True)


def test_white_text_can_be_read_on_every_colour():
    def luminance(color):
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    assert [color for color in badges.COLORS.values() if 1.05 / (luminance(color) + 0.05) < 4.5] == []


@given(st.text(st.characters(codec=None), max_size=120), st.text(st.characters(codec=None), max_size=120))
def test_any_name_gives_an_image_that_parses_and_stays_small(label, message):
    svg = Badge(label, message, "#5f6368").svg()

    words(svg)
    assert len(svg.encode()) < 4000
