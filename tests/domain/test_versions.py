"""Which app versions a notice concerns, as operators write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain.versions import concerns


@pytest.mark.parametrize(
    ("affected", "fixed", "version", "platform", "is_concerned"),
    [
        ("5.2.0", "5.2.1", "5.2.0", "android", True),
        ("5.2.0", "5.2.1", "5.2.1", "android", False),
        ("5.2.0", "", "5.2", "ios", True),
        ("5.2", "", "5.2.0", "ios", True),
        ("5.2.0", "", "5.1.9", "ios", False),
        ("4.8 - 5.2.0", "", "5.0.3", "", True),
        ("4.8–5.2.0", "", "5.2.1", "", False),
        ("4.8 至 5.2.0", "", "4.7", "", False),
        (">= 5.0 < 5.2.1", "", "5.2.0", "", True),
        (">= 5.0 < 5.2.1", "", "4.9", "", False),
        ("≤5.2", "", "5.2.0", "", True),
        ("android 5.2.0, ios < 5", "", "5.2.0", "ios", False),
        ("android 5.2.0, ios < 5", "", "4.9", "ios", True),
        ("android 5.2.0, ios < 5", "", "5.2.0", "android", True),
        ("Android 5.2.0", "", "5.2.0", "", True),
        ("Android", "", "5.2.0", "ios", False),
        ("", "5.2.1", "5.2.0", "", True),
        ("", "5.2.1", "10.0", "", False),
        ("", "", "5.2.0", "", True),
        ("some old phones", "", "5.2.0", "ios", True),
        ("5.2.0 on some phones", "", "4.0", "ios", True),
        ("5.2.0", "", "", "ios", True),
        ("ios 5.2.0", "", "", "android", False),
        ("5.2.0", "", "nightly", "android", True),
        ("5.2.0、5.1.0", "", "5.1.0", "android", True),
        ("v5.2.0", "v5.2.1", "v5.2.0", "", True),
    ],
)
def test_a_version_is_weighed_as_a_reader_would(affected, fixed, version, platform, is_concerned):
    assert concerns(affected, fixed, version, platform) is is_concerned


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=80), st.text(max_size=20))
def test_no_text_makes_it_fail(affected, fixed, version, platform):
    assert concerns(affected, fixed, version, platform) in {True, False}
