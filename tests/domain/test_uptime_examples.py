"""The table of examples in docs/uptime.md is true."""

from __future__ import annotations

from pathlib import Path

import pytest

from statuspage.domain.uptime import Seconds, measured, percent

HOUR = 3600
DAY = 24 * HOUR
TEXT = (Path(__file__).resolve().parents[2] / "docs" / "uptime.md").read_text(encoding="utf-8")
EXAMPLES = {
    "nothing": Seconds(up=DAY),
    "1 second of major outage": Seconds(up=DAY - 1, major=1),
    "2 h of partial outage": Seconds(up=DAY - 2 * HOUR, partial=2 * HOUR),
    "2 h degraded": Seconds(up=DAY - 2 * HOUR, degraded=2 * HOUR),
    "4 h of announced maintenance, the rest up": Seconds(up=DAY - 4 * HOUR, maintenance=4 * HOUR),
    "4 h of maintenance announced when it began": Seconds(up=DAY - 4 * HOUR, major=4 * HOUR),
    "our checker stood still for 6 h, the rest up": Seconds(up=DAY - 6 * HOUR, unknown=6 * HOUR),
    "our checker stood still all day": Seconds(unknown=DAY),
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_documented_example_is_what_comes_out(example):
    row = EXAMPLES[example]

    figure = percent(row)
    shown = "none" if figure is None else f"{figure // 100}.{figure % 100:02} %"
    assert f"| {example} | {shown} | {measured(row) // 100} % |" in TEXT


def test_every_documented_example_is_checked():
    section = TEXT.split("## Examples")[1].split("## ")[0]

    rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")]
    assert rows[1:] == list(EXAMPLES)
