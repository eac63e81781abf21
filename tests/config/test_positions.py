"""YAML text -> values with places, and hostile or misleading YAML reported."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from statuspage.config.positions import MAX_BYTES, MAX_DEPTH, Place, Tree, dotted, plain, read


def faults(text: str) -> list[str]:
    return [f"{fault.place.line}:{fault.place.col}: {dotted(fault.path)}: {fault.message}" for fault in read(text).faults]


def test_every_key_and_value_has_its_place():
    tree = read("a: 1\nb:\n  - x\n  - {c: 钱包, d: 2}\n")

    assert tree.data == {"a": 1, "b": ["x", {"c": "钱包", "d": 2}]}
    assert tree.keys["b", 1, "d"] == Place(4, 13)
    assert tree.values["b", 1, "d"] == Place(4, 16)
    assert tree.values["b", 0] == Place(3, 5)


def test_a_place_that_is_not_in_the_file_is_that_of_the_nearest_parent():
    tree = read("a:\n  b: 1\n")

    assert tree.value_place(("a", "b", "c")) == Place(2, 6)
    assert tree.key_place(("a", "x")) == Place(1, 1)


def test_numbers_remember_how_they_were_written():
    tree = read("[1.10, +85221234567, 7]")

    assert [item.written for item in tree.data] == ["1.10", "+85221234567", "7"]
    assert plain(tree.data) == [1.1, 85221234567, 7]
    assert [type(item) for item in plain(tree.data)] == [float, int, int]


def test_quoted_and_block_scalars_are_text_whatever_they_look_like():
    tree = read("a: 'no'\nb: \"012\"\nc: |\n  1:30\n")

    assert tree.faults == []
    assert tree.data == {"a": "no", "b": "012", "c": "1:30\n"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: no", "1:4: a: YAML reads no as true or false"),
        ("a: [HK, NO]", "1:9: a.1: YAML reads NO as true or false"),
        ("a: Yes", "1:4: a: YAML reads Yes as true or false"),
        ("a: on", "1:4: a: YAML reads on as true or false"),
        ("a: off", "1:4: a: YAML reads off as true or false"),
        ("a: 012", "1:4: a: YAML reads 012 as an octal number"),
        ("a: 0x1F", "1:4: a: YAML reads 0x1F as a number"),
        ("a: 1:30", "1:4: a: YAML reads 1:30 as a number of base 60"),
        ("a: 12:30:00", "1:4: a: YAML reads 12:30:00 as a number of base 60"),
        ("a: 2026-12-01", "1:4: a: YAML reads 2026-12-01 as a date"),
        ("a: 2026-12-01 02:00:00", "1:4: a: YAML reads 2026-12-01 02:00:00 as a date"),
        ("a: 1_000", "1:4: a: YAML reads 1_000 as a number without the underscores"),
        ("a: 1e3", "1:4: a: YAML programs disagree about 1e3"),
        ("a: .5", "1:4: a: YAML programs disagree about .5"),
        ("a: .nan", "1:4: a: .nan is not a number"),
        ("a: 99999999999999999999", "1:4: a: 99999999999999999999 is too long for a number"),
        ("a: 1\nb: 2\na: 3", "3:1: a: a is given twice, on lines 1 and 3"),
        ("a: &x 1\nb: *x", "2:4: b: *x repeats another part"),
        ("a: {x: &x {b: 1}}\nc:\n  <<: *x", "3:3: c: << merges another part"),
        ("a: !!python/object:os.system x", "1:4: a: remove the tag tag:yaml.org,2002:python/object:os.system"),
        ("!secret a: 1", "1:1: a: remove the tag !secret"),
        ("? [a, b]\n: 1", "1:3: .: a key must be one word"),
        ("{{ url }}: 1", "1:1: .: a key must be one word"),
        ("a: 1\n---\nb: 2", "2:1: .: a second document begins here"),
        ("", "1:1: .: the file is empty"),
        ("a: [1, 2", "2:1: .: this is not YAML"),
        ("a: b: c", "1:5: .: this is not YAML"),
        ("a:\n\t- b", "2:1: .: this is not YAML"),
        ("a: x\nb: \x07", "2:4: .: this character is not allowed in YAML"),
        ("a: \ud800", "1:4: .: this character cannot be stored as UTF-8"),
        ("[" * 100_000, f"1:{MAX_DEPTH + 1}: {dotted((0,) * MAX_DEPTH)}: nested deeper than {MAX_DEPTH} levels"),
        ("a: " + "x" * MAX_BYTES, "1:1: .: the file is longer than"),
    ],
)
def test_what_misleads_or_harms_is_reported_with_its_place(text, expected):
    found = faults(text)

    assert any(line.startswith(expected) for line in found), found


def test_a_billion_laughs_cost_nothing():
    text = "a: &a [x, x]\n" + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20))
    started = time.perf_counter()

    found = faults(text)

    assert len(found) == 40
    assert time.perf_counter() - started < 0.5


def test_keys_are_taken_as_written():
    assert read("no: 1\n012: 2\ntrue: 3\n").data == {"no": 1, "012": 2, "true": 3}


@given(st.text(st.characters(), max_size=60) | st.text("ab:-[]{}\n #&*!|>'\"%@`,?0 1", max_size=60))
@example("\ufeff")
@example("%YAML 9.9\n---\n")
@example("a: !<")
def test_reading_never_raises(text):
    assert isinstance(read(text), Tree)
