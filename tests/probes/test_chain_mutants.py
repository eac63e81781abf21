"""The list of traps and guards is true of the sources and of the documentation. Running it is `python tests/chain_mutants.py`."""

from __future__ import annotations

import pytest
from chain_mutants import MUTANTS, ROOT, table

DOCUMENT = ROOT / "docs" / "decisions" / "0008-every-trap-has-its-test.md"


@pytest.mark.parametrize("one", MUTANTS, ids=lambda one: one.trap[:60])
def test_each_guard_stands_where_it_is_said_to_and_so_does_its_test(one):
    source, tests = ((ROOT / path).read_text(encoding="utf-8") for path in (one.file, one.tests))

    assert source.count(one.guard) == 1
    assert one.guard != one.gone
    assert f"def {one.test}(" in tests


def test_the_documentation_has_the_table():
    assert table() in DOCUMENT.read_text(encoding="utf-8")
