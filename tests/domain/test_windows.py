"""Which rules a planned window may repeat by."""

import pytest

from statuspage.domain.windows import check_rule
from statuspage.errors import InvalidInput


@pytest.mark.parametrize(
    "rule",
    ["FREQ=DAILY", "FREQ=MONTHLY;BYDAY=1TU", "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU;COUNT=9", "FREQ=YEARLY;UNTIL=20301231T000000"],
)
def test_a_rule_of_days_is_accepted(rule):
    check_rule(rule)


@pytest.mark.parametrize(
    "rule",
    [
        "", "daily", "FREQ=NEVER", "FREQ=SECONDLY", "FREQ=HOURLY", "FREQ=DAILY;BYHOUR=1", "FREQ=DAILY;FREQ",
        "FREQ=DAILY;INTERVAL=x",
        "FREQ=MONTHLY;BYDAY=XX", "FREQ=DAILY;UNTIL=20301231T000000Z", "DTSTART:20260101T000000\nRRULE:FREQ=DAILY",
        "RRULE:FREQ=DAILY", "FREQ=DAILY;COUNT=1\nEXRULE:FREQ=DAILY", "FREQ=DAILY;BYMONTH=" + "1," * 200,
    ],
)  # fmt: skip
def test_any_other_rule_is_refused_with_an_example(rule):
    with pytest.raises(InvalidInput, match="write an RRULE such as"):
        check_rule(rule)
