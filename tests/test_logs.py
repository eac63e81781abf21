from __future__ import annotations

import errno
import io
import json
import logging
import subprocess
import sys
import threading
import time
import warnings
from contextlib import suppress
from unittest.mock import Mock

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from statuspage import logs
from statuspage.domain.sealing import new_token
from statuspage.errors import SettingsError

SENTINEL = "k7q2x9w4m1z8"
PEM = f"-----BEGIN PRIVATE KEY-----\nMIGH{SENTINEL}\n-----END PRIVATE KEY-----"


@pytest.fixture
def log():
    """A function that sets up logging as asked and gives the stream it goes to; afterwards everything is as before."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.excepthook, threading.excepthook

    def start(form="plain", level="DEBUG"):
        stream = io.StringIO()
        logs.configure(form, level, stream)
        return stream

    yield start
    root.handlers[:], sys.excepthook, threading.excepthook = before[0], before[2], before[3]
    root.setLevel(before[1])
    logging.captureWarnings(capture=False)


SECRET_SHAPES = [
    "+85221234567", "+852 2123 4567", "+1 (415) 555-2671", "+8613812345678", "13812345678", f"postgresql://app:{SENTINEL}@db/x",
    f"https://{SENTINEL}@wallet.example/", f"Bearer {SENTINEL}abc", f"Authorization: Basic {SENTINEL}==", PEM, PEM[:-30],
    f"sp_ab12cd34_{SENTINEL}{SENTINEL}_9f", f"eyJhbGciOiJFUzI1NiJ9.{SENTINEL}.sig{SENTINEL}", f"token={SENTINEL}",
    f'{{"password": "{SENTINEL} with a space"}}', f"{{'api_key': '{SENTINEL}'}}", f"?a=1&access_token={SENTINEL}&b=2",
    f"{SENTINEL}@wallet.example",
    f"https://hooks.chat.example/services/T0/B0/{SENTINEL}xYz12345678",
    f"POST /bot123456:AA{SENTINEL}{SENTINEL}/sendMessage", f"vapid t={SENTINEL}, k={SENTINEL}",
    f"STATUSPAGE_SECRET_KEY={SENTINEL}",
]  # fmt: skip


@pytest.mark.parametrize("form", ["plain", "json"])
@pytest.mark.parametrize("secret", SECRET_SHAPES)
def test_a_secret_is_known_by_its_shape(secret, form, log):
    stream = log(form)

    logging.getLogger("any.library").warning("before %s after", secret)

    assert SENTINEL not in stream.getvalue()
    assert not any(part in stream.getvalue() for part in ("2123", "4567", "2671", "12345678"))
    assert logs.HIDDEN in stream.getvalue()
    assert "before" in stream.getvalue()


def test_our_own_tokens_are_known_by_their_shape(log):
    stream = log()
    tokens = [new_token() for _ in range(200)]

    logging.getLogger("x").warning("links %s", " ".join(f"/confirm/{token}?x {token}" for token in tokens))

    assert [token for token in tokens if token in stream.getvalue()] == []


HARMLESS = [
    "listening on http://127.0.0.1:8000", "2026-11-22T07:43:21.123Z", "2026-11-22 15:43:21+08:00", "1795333401123",
    "N-4K7Q became /incidents/9f3k2m8x7q1z", "a" * 64, "/log/1234", "took 13812.345678 ms", "/components/bank_cards/history.rss",
    "sequence 12345678901", "statuspage.store.public_rows", "0.13812345678", "100 components, 2 languages, 1000 notices",
    "/static/page.9f3k2m8x.css", "tron: head is 1234567890123 behind",
]  # fmt: skip


@pytest.mark.parametrize("text", HARMLESS)
def test_what_an_operator_needs_stays(text):
    assert logs.redact(text) == text


@pytest.mark.parametrize("form", ["plain", "json"])
def test_a_secret_is_known_by_its_name_wherever_it_stands(form, log):
    stream = log(form)

    extra = {"twilio_auth_token": SENTINEL, "request": {"headers": [{"Cookie": SENTINEL}], "password": SENTINEL}, "count": 3}
    logging.getLogger("x").warning("who: %(phone)s", {"phone": SENTINEL})
    logging.getLogger("x").warning("what", extra=extra)

    assert SENTINEL not in stream.getvalue()
    assert "3" in stream.getvalue().splitlines()[1]


def test_errors_of_a_database_do_not_repeat_what_was_bound(log):
    stream = log()
    engine = create_engine("sqlite://")

    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("INSERT INTO nowhere VALUES (?)", (SENTINEL,))
    except DBAPIError:
        logging.getLogger("x").exception("write failed")
    finally:
        engine.dispose()

    assert "no such table: nowhere" in stream.getvalue()
    assert SENTINEL not in stream.getvalue()


def test_an_exception_and_its_causes_are_searched(log):
    stream = log("json")

    try:
        try:
            raise ValueError(f"token={SENTINEL}")
        except ValueError as error:
            raise RuntimeError("+85221234567") from error
    except RuntimeError:
        logging.getLogger("x").exception("failed")

    entry = json.loads(stream.getvalue())
    assert entry["message"] == "failed"
    assert "RuntimeError" in entry["exception"]
    assert SENTINEL not in entry["exception"]
    assert "4567" not in entry["exception"]


def test_a_record_that_cannot_be_formatted_shows_no_arguments(log, capsys):
    stream = log()

    logging.getLogger("x").warning("%d", SENTINEL)

    assert "could not be formatted" in stream.getvalue()
    assert SENTINEL not in stream.getvalue() + capsys.readouterr().err


def test_a_full_disk_stops_nobody_who_logs(log):
    log()
    root, has_gone_on = logging.getLogger(), False

    with suppress(OSError), open("/dev/full", "w", encoding="utf-8", buffering=1) as stream:  # noqa: PTH123 - a device
        root.handlers[0].stream = stream
        for _ in range(3):
            logging.getLogger("x").warning("a reader waits")
        logging.getLogger("x").warning("%d", SENTINEL)
        has_gone_on = True

    assert has_gone_on


def test_a_log_that_was_full_says_what_it_could_not_take(log):
    stream = log()
    write, stream.write = stream.write, Mock(side_effect=OSError(errno.ENOSPC, "No space left on device"))
    logging.getLogger("x").warning("lost")
    logging.getLogger("x").warning("%d", SENTINEL)

    stream.write = write
    logging.getLogger("x").warning("kept")
    logging.getLogger("x").warning("kept too")

    lines = stream.getvalue().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [
        "WARNING x kept",
        "WARNING statuspage.logs 2 log records could not be written, the last of them before this one",
        "WARNING x kept too",
    ]


def test_one_record_is_one_line_in_plain_form(log):
    stream = log()

    forged = "a\n2026-01-01T00:00:00.000Z INFO x forged\x1b[31m\u2028b"
    logging.getLogger("x").warning("name %s", forged, extra={"path": "/\r\nforged"})

    assert stream.getvalue().count("\n") == 1
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()


def test_json_lines_can_be_read_by_a_machine(log):
    stream = log("json")

    logging.getLogger("statuspage.worker").info("转账 %s", "started", extra={"monitor": "transfers"})

    entry = json.loads(stream.getvalue())
    assert entry.pop("at").endswith("Z")
    assert entry == {"level": "INFO", "logger": "statuspage.worker", "message": "转账 started", "monitor": "transfers"}


def test_talkative_libraries_stay_quiet_at_debug(log):
    stream = log(level="DEBUG")

    logging.getLogger("urllib3.connectionpool").debug("GET /services/x")
    logging.getLogger("twilio.http_client").debug("body")

    assert stream.getvalue() == ""


def test_an_error_that_ends_a_thread_is_logged_and_searched(log):
    stream = log()

    def fail():
        raise ValueError(f"password={SENTINEL}")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()

    assert "stopped by an error nobody caught" in stream.getvalue()
    assert SENTINEL not in stream.getvalue()


def test_an_error_that_ends_the_process_is_logged_and_searched():
    program = f"""
from statuspage import logs
logs.configure("plain", "INFO")
raise ValueError("x password=" + {SENTINEL[::-1]!r}[::-1])
"""

    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert run.returncode == 1
    assert "ValueError: x password=[redacted]" in run.stderr
    assert SENTINEL not in run.stderr


def test_warnings_go_the_same_way(log):
    stream = log()

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"token={SENTINEL}", stacklevel=1)

    assert "token=[redacted]" in stream.getvalue()
    assert f"token={SENTINEL}" not in stream.getvalue()


@pytest.mark.parametrize(("form", "level", "setting"), [("xml", "INFO", "LOG_FORMAT"), ("json", "LOUD", "LOG_LEVEL")])
def test_an_unknown_form_or_level_is_refused_with_what_to_write(form, level, setting):
    with pytest.raises(SettingsError, match=rf"{setting} is .*: write "):
        logs.configure(form, level)


@pytest.mark.parametrize("piece", ["x", "a1", "a.", "_", "7", "+1", "sp_A", "://a", "a@a", "token=", "eyJ"])
def test_a_long_text_is_searched_in_a_time_that_grows_with_its_length(piece):
    text = piece * (60_000 // len(piece))
    began = time.process_time()

    logs.redact(text)

    assert time.process_time() - began < 2.5  # an expression that looks again from each letter takes half a minute
