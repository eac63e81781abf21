"""What is asked of notices at every change costs what is open, not what there ever was."""

import pytest
from sqlalchemy import event

from statuspage.domain.lifecycle import FINAL
from statuspage.store import notices
from statuspage.store.schema.notices import OPEN

ASKED = {
    "open": notices.open_notices,
    "open and public": lambda conn: notices.open_notices(conn, public_only=True),
    "claims on one component": lambda conn: notices.claims_on(conn, ["login"]),
    "claims on many": lambda conn: notices.claims_on(conn, [f"function_{number}" for number in range(50)]),
}


@pytest.mark.parametrize("question", ASKED)
def test_open_notices_are_found_by_their_own_index(sqlite_database, question):
    said = []
    event.listen(sqlite_database._reader, "before_cursor_execute", lambda _c, _cursor, sql, given, *_: said.append((sql, given)))

    with sqlite_database.read() as conn:
        ASKED[question](conn)
        ((sql, given),) = [one for one in said if one[0].startswith("SELECT")]
        plan = [row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given)]

    assert [step for step in plan if "notices " in step] == ["SCAN notices USING INDEX ix_notices_open"]
    assert not [step for step in plan if "ix_notice_components_component_id" in step]


def test_the_index_and_the_life_of_a_notice_agree_on_what_is_over():
    final = sorted(set().union(*FINAL.values()))

    assert f"status NOT IN {tuple(final)}" == OPEN
