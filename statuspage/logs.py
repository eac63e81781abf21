"""Logging to standard error, plain or as JSON lines, with secrets, addresses and phone numbers taken out at the boundary.

The formatter is the boundary: whatever library logged, what leaves the process went through `redact`. It looks at names
(password, token, ...) and at shapes (phone numbers, e-mail addresses, user:password@, JWT, PEM, our own tokens). It errs on the
side of taking out too much. It is the second line of defence: nobody should hand a request or an address to a logger at all.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, TextIO

from statuspage.clock import from_ms, iso
from statuspage.errors import SettingsError

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
HIDDEN = "[redacted]"

# Their DEBUG records carry URLs with secrets in the path and whole request bodies, or say nothing to an operator.
_TALKATIVE = ("urllib3", "twilio", "pywebpush", "apscheduler", "asyncio", "waitress", "alembic")
_NAMES = (
    r"password|passwd|passphrase|secret|token|api_?key|private_?key|signing_?key|vapid_?key|secret_?key|authorization|cookie|"
    r"session_?id|totp|otp|one_?time|credential|phone|e_?mail|webhook_?url|dsn"
)
# In running text these are ordinary words ("Cannot assign requested address: ..."); as the name of a field they are not.
_SECRET_NAME = re.compile(rf"(?:^|_)(?:{_NAMES}|address(?:es)?|recipient|endpoint|seed)s?(?:$|_)", re.IGNORECASE)
# Names that end like a secret's and are none: what a reader of the log needs.
_HARMLESS_NAMES = {"address_count", "token_count", "token_id", "endpoint_count"}

# In this order: a rule may rely on what an earlier one has already taken out.
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN ([A-Z ]+)-----.*?(?:-----END \1-----|\Z)", re.DOTALL), HIDDEN),
    (re.compile(r"\[parameters: .*\]", re.DOTALL), f"[parameters: {HIDDEN}]"),  # SQLAlchemy's errors repeat what was bound
    (re.compile(r"\bsp_[A-Za-z0-9]+_[A-Za-z0-9_-]{8,}"), HIDDEN),
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?"), HIDDEN),
    (re.compile(r"(?<=://)[^\s/@]+@"), f"{HIDDEN}@"),
    (re.compile(r"\b(bearer|basic|digest|vapid)\s+[\w.~+/=,-]{8,}(?:\s*\bk=[\w-]+)?", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(rf"(?i)((?:\b|_)(?:{_NAMES})s?\b[\"']?\s*[:=]\s*)(?:\"[^\"]*\"|'[^']*'|[^\s&,;)}}\]]+)"), rf"\1{HIDDEN}"),
    # From the beginning of a run and possessively: else a long run without an @ costs the square of its length.
    (re.compile(r"(?<![\w.%+-])[\w.%+-]++@[\w-]++(?:\.[\w-]+)+"), HIDDEN),
    (re.compile(r"(?<![\w+])\+[1-9](?:[ ().-]{0,2}\d){6,14}(?!\d)"), HIDDEN),  # E.164, with the gaps people put in
    (re.compile(r"(?<![\w.+-])1[3-9]\d{9}(?![\w.])"), HIDDEN),  # a mainland mobile number without its country
    # Chat webhooks and push endpoints are their own password: a long mixed segment of a path.
    # Not in the path of a .yaml file: an error in wallet.yaml must say where it is.
    (re.compile(r"(?<=/)(?=[\w:~.-]*\d)(?=[\w:~.-]*[A-Za-z])(?![0-9a-f]{64}\b)[\w:~-][\w:~.-]{19,}(?![^\s:]*\.ya?ml\b)"), HIDDEN),
    (re.compile(r"(?<![\w-])(?![0-9a-fA-F]{43})[A-Za-z0-9_-]{43}(?![\w-])"), HIDDEN),  # domain.sealing.new_token
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def redact(text: str) -> str:
    """`text` without what has the shape of a secret, an address or a phone number."""
    for pattern, instead in _SHAPES:
        text = pattern.sub(instead, text)
    return text


def redact_value(name: str, value: Any) -> Any:  # noqa: ANN401 - any extra of a record
    """`value` as JSON may show it under `name`: hidden whole when the name says so, else searched in depth."""
    if _SECRET_NAME.search(name) and name not in _HARMLESS_NAMES:
        return HIDDEN
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): redact_value(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact_value("", item) for item in value]
    return redact(str(value))


class _Formatter(logging.Formatter):
    def parts(self, record: logging.LogRecord) -> dict[str, Any]:
        if isinstance(record.args, Mapping):  # "%(password)s": the name is known, the shape may be anything
            message = str(record.msg) % {key: redact_value(key, value) for key, value in record.args.items()}
        else:
            message = record.getMessage()
        parts: dict[str, Any] = {
            "at": iso(from_ms(int(record.created * 1000))), "level": record.levelname, "logger": record.name,
            "message": redact(message),
        }  # fmt: skip
        parts |= {name: redact_value(name, value) for name, value in vars(record).items() if name not in _STANDARD}
        trouble = [self.formatException(record.exc_info)] if record.exc_info else []
        if record.stack_info:
            trouble.append(self.formatStack(record.stack_info))
        return parts | ({"exception": redact("\n".join(trouble))} if trouble else {})


class _Json(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self.parts(record), ensure_ascii=False, separators=(",", ":"))


class _Plain(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        parts = self.parts(record)
        trouble = parts.pop("exception", "")
        head = " ".join(str(parts.pop(name)) for name in ("at", "level", "logger", "message"))
        tail = "".join(f" {name}={value}" for name, value in parts.items())
        # One record, one line: a reader must not be able to forge a second one. Tracebacks are ours and keep their lines.
        line = _CONTROL.sub(lambda match: repr(match[0])[1:-1], head + tail)
        return f"{line}\n{trouble}" if trouble else line


class _Handler(logging.StreamHandler[TextIO]):
    """A log that takes nothing more, its disk full or its reader gone, stops nobody who logs. Once it does again, it says so."""

    _refused = 0

    def emit(self, record: logging.LogRecord) -> None:
        before = self._refused
        super().emit(record)
        if before and self._refused == before:
            self._refused = 0
            super().emit(logging.makeLogRecord({
                "name": __name__, "levelno": logging.WARNING, "levelname": "WARNING", "args": (before,),
                "msg": "%d log records could not be written, the last of them before this one",
            }))  # fmt: skip

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        """The standard library would print the record's raw arguments here."""
        try:
            if not isinstance(sys.exc_info()[1], OSError):
                self.stream.write(f"a log record of {record.pathname}:{record.lineno} could not be formatted\n")
                return
        except OSError:
            pass
        self._refused += 1


def configure(form: str, level: str, stream: TextIO | None = None) -> None:
    """Log to `stream` (standard error) as `form` (plain or json) from `level` on; uncaught errors go the same way.

    Raises SettingsError for a form or level that does not exist.
    """
    formatters = {"plain": _Plain, "json": _Json}
    if form not in formatters:
        message = f"STATUSPAGE_LOG_FORMAT is {form!r}: write plain or json"
        raise SettingsError(message)
    if level.upper() not in LEVELS:
        message = f"STATUSPAGE_LOG_LEVEL is {level!r}: write one of {', '.join(LEVELS)}"
        raise SettingsError(message)
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(formatters[form]())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("statuspage").critical("stopped by an error nobody caught", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(details: threading.ExceptHookArgs) -> None:
    if details.exc_value is None or issubclass(details.exc_type, SystemExit):
        return
    _log_uncaught(details.exc_type, details.exc_value, details.exc_traceback)
