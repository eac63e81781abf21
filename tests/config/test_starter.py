"""What `statuspage init` writes is right at once, and says why."""

from __future__ import annotations

import pytest

from statuspage.config import starter
from statuspage.config.check import check_text
from statuspage.errors import InvalidInput


def test_the_starter_has_no_mistake_and_needs_no_advice():
    config, problems = check_text(starter.text(), environ={})

    assert problems == []
    assert list(config.document.components) == ["login", "transfers"]


def test_the_starter_still_has_no_mistake_once_its_examples_are_taken_in():
    lines = starter.text().split("\nmonitors:")[1].splitlines()
    examples = "monitors:" + "\n".join(line[1:] if line.startswith("#  ") else line.removeprefix("# ") for line in lines)

    config, problems = check_text(starter.text().split("\nmonitors:")[0] + "\n" + examples, environ={})

    assert [problem for problem in problems if problem.severity == "error"] == []
    assert list(config.checks) == ["login-api", "transfers-api"]
    assert config.document.channels.sms.countries == ["HK", "SG"]


def test_the_starter_takes_the_address_of_the_page():
    config, problems = check_text(starter.text("http://127.0.0.1:8000/"))

    assert problems == []
    assert config.document.page.url == "http://127.0.0.1:8000"


def test_an_address_that_no_page_can_have_is_refused():
    with pytest.raises(InvalidInput, match="write an address such as"):
        starter.text("status page")
