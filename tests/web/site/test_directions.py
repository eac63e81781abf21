"""The page can be written from right to left: nothing names a side of the screen, and arrows turn with the text."""

from __future__ import annotations

import re

from statuspage.templating_root import root


def test_styles_name_no_side_of_the_screen():
    styles = "\n".join(one.read_text(encoding="utf-8") for one in (root() / "site" / "static").glob("*.css"))

    found = re.findall(r"[^{};]*\b(?:left|right)\b[^{};]*", styles)
    for four in re.finditer(r"(?:margin|padding|inset): ([^\s;}]+) ([^\s;}]+) ([^\s;}]+) ([^\s;}]+)", styles):
        found += [four[0]] if four[2] != four[4] else []

    assert found == []


def test_arrows_point_back_and_on_in_either_direction_of_writing(site, serve, browser):
    url, tab = serve(site), browser.new_page()
    turned = "[...document.querySelectorAll('.arrow')].map(one => new DOMMatrix(getComputedStyle(one).transform).a)"
    seen = {}
    for path in ("/", "/help", "/history"):
        tab.goto(f"{url}/en{path}")
        seen[path] = [tab.evaluate(f"document.documentElement.dir = '{way}'; {turned}") for way in ("ltr", "rtl")]

    tab.close()
    templates = "\n".join(one.read_text(encoding="utf-8") for one in (root() / "site").glob("*.html"))
    assert all(left and set(left) == {1} and right == [-1] * len(left) for left, right in seen.values()), seen
    assert re.findall(r'.{30}(?<!arrow" aria-hidden="true">)[←→]', templates) == []
