"""Settings of the process, from the environment. One row per setting; docs/settings.md is generated from the rows.

What is watched and shown lives in wallet.yaml, not here. A secret may come from a file: X_FILE instead of X.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from statuspage.errors import SettingsError


class Row(NamedTuple):
    """One setting: attribute, environment name, default as written, reader, help, whether *_FILE works."""

    attribute: str
    name: str
    default: str
    read: Callable[[str], Any]
    help: str
    secret: bool = False


def _port(raw: str) -> int:
    value = int(raw)
    if not 0 <= value <= 65535:
        raise ValueError(raw)
    return value


def _flag(raw: str) -> bool:
    if raw.lower() not in {"", "0", "1", "true", "false", "yes", "no"}:
        raise ValueError(raw)
    return raw.lower() in {"1", "true", "yes"}


def _seconds(raw: str) -> float:
    value = float(raw)
    if value <= 0:
        raise ValueError(raw)
    return value


def _probe_address(raw: str) -> str:
    """An address that becomes part of a header and is asked by readers' browsers: https, or http on this machine for trials."""
    if raw and not re.fullmatch(r"(https://[a-z0-9.-]+|http://(127\.0\.0\.1|localhost))(:[0-9]{1,5})?(/[A-Za-z0-9/._~-]*)?", raw):
        raise ValueError(raw)
    return raw


LOCAL = "local"  # what this server's own region is called in wallet.yaml and in the data, whatever name it is shown by


def shown_region(region: str, own: str) -> str:
    """The name people read for a region of the data. `own`: what this server's region is called (STATUSPAGE_REGION)."""
    return own if region == LOCAL else region


def _region_name(raw: str) -> str:
    """Any language's word for a place; it is shown, in tables and in lists."""
    if not re.fullmatch(r"[^\W_][\w .-]{0,39}", raw):
        raise ValueError(raw)
    return raw


SETTINGS: tuple[Row, ...] = (
    Row("data", "STATUSPAGE_DATA", "var", Path, "Folder for the database file, keys and published pages."),
    Row(
        "config",
        "STATUSPAGE_CONFIG",
        "",
        str,
        "Path of wallet.yaml, applied at start and on SIGHUP. Empty: what the database holds.",
    ),
    Row(
        "database_url",
        "STATUSPAGE_DATABASE_URL",
        "",
        str,
        "postgresql://user:password@host/name; empty: SQLite in the data folder.",
        secret=True,
    ),
    Row("host", "HOST", "127.0.0.1", str, "Address the public page listens on."),
    Row("port", "PORT", "8000", _port, "Port of the public page."),
    Row("console_host", "CONSOLE_HOST", "127.0.0.1", str, "Address the operators' console listens on."),
    Row(
        "console_port",
        "CONSOLE_PORT",
        "8002",
        _port,
        "Port of the console. An injected page must not reach it: never the page's own.",
    ),
    Row(
        "console_url",
        "STATUSPAGE_CONSOLE_URL",
        "",
        str,
        "Public address of the console; empty: http://127.0.0.1:<CONSOLE_PORT>.",
    ),
    Row("demo_port", "DEMO_PORT", "8001", _port, "Port of the demo wallet."),
    Row("demo_tls_port", "DEMO_TLS_PORT", "8443", _port, "TLS port of the demo wallet."),
    Row(
        "trusted_hops",
        "STATUSPAGE_TRUSTED_HOPS",
        "0",
        int,
        "How many proxies in front set X-Forwarded-For. 0: the peer address is the reader's.",
    ),
    Row(
        "threads",
        "STATUSPAGE_THREADS",
        "12",
        int,
        "Web threads. Four are kept free for published files when Flask is busy.",
    ),
    Row(
        "secret_key",
        "STATUSPAGE_SECRET_KEY",
        "",
        str,
        "64 hex digits that seal addresses and sign tokens; empty: made once in <data>/keys.",
        secret=True,
    ),
    Row(
        "signing_key",
        "STATUSPAGE_SIGNING_KEY",
        "",
        str,
        "Ed25519 private key (64 hex digits) that signs notices; empty: made once in <data>/keys.",
        secret=True,
    ),
    Row(
        "vapid_key",
        "STATUSPAGE_VAPID_KEY",
        "",
        str,
        "P-256 private key (64 hex digits) for web push; empty: made once in <data>/keys.",
        secret=True,
    ),
    Row(
        "heartbeat_url",
        "STATUSPAGE_HEARTBEAT_URL",
        "",
        str,
        "Outside dead man's switch: fetched every minute while every loop works, and not fetched when we are blind.",
        secret=True,
    ),
    Row("log_format", "STATUSPAGE_LOG_FORMAT", "plain", str, "plain or json."),
    Row("log_level", "STATUSPAGE_LOG_LEVEL", "INFO", str, "DEBUG, INFO, WARNING or ERROR."),
    Row(
        "drain_s", "STATUSPAGE_DRAIN", "10", _seconds, "Seconds that a stopping process gives to deliveries under way."
    ),
    Row(
        "raw_days",
        "STATUSPAGE_RAW_DAYS",
        "3",
        int,
        "Days that single check results are kept before only their hours remain.",
    ),
    Row(
        "block_days",
        "STATUSPAGE_BLOCK_DAYS",
        "400",
        int,
        "Days that hourly figures are kept. Daily uptime is kept for ever.",
    ),
    Row(
        "report_days",
        "STATUSPAGE_REPORT_DAYS",
        "14",
        int,
        "Days that single problem reports are kept. Their hourly counts stay eight weeks: they say what is usual.",
    ),
    Row(
        "region",
        "STATUSPAGE_REGION",
        LOCAL,
        _region_name,
        "Where this server stands, as tokyo: its own checks are shown under this name beside those of agents, 40 letters at most."
        " wallet.yaml goes on calling it `local`.",
    ),
    Row(
        "metrics_token",
        "STATUSPAGE_METRICS_TOKEN",
        "",
        str,
        "Bearer token for /metrics on the console's port. Empty: only this machine may look, and not through a proxy.",
        secret=True,
    ),
    Row(
        "websub_hub",
        "STATUSPAGE_WEBSUB_HUB",
        "",
        str,
        "Address of a WebSub hub: feeds name it, and it is told of every feed that changed. Empty: readers poll.",
    ),
    Row(
        "browser_test_url",
        "STATUSPAGE_BROWSER_TEST_URL",
        "",
        _probe_address,
        "Address of the wallet (https) that readers' browsers may ask on /check, to tell their network from us. Empty: none.",
    ),
    Row(
        "hsts",
        "STATUSPAGE_HSTS",
        "",
        _flag,
        "1: send Strict-Transport-Security. Set it once the page is served over https.",
    ),
)


@dataclass(frozen=True)
class Settings:
    """Read values; attributes are those of SETTINGS."""

    data: Path
    config: str
    database_url: str
    host: str
    port: int
    console_host: str
    console_port: int
    console_url: str
    demo_port: int
    demo_tls_port: int
    trusted_hops: int
    threads: int
    secret_key: str
    signing_key: str
    vapid_key: str
    heartbeat_url: str
    log_format: str
    log_level: str
    drain_s: float
    raw_days: int
    block_days: int
    report_days: int
    region: str
    metrics_token: str
    websub_hub: str
    browser_test_url: str
    hsts: bool

    @property
    def url(self) -> str:
        """The database URL for SQLAlchemy; psycopg 3 is the PostgreSQL driver."""
        if not self.database_url:
            return f"sqlite:///{(self.data / 'statuspage.db').absolute()}"
        scheme, _, rest = self.database_url.partition("://")
        return f"postgresql+psycopg://{rest}" if scheme in {"postgres", "postgresql"} else self.database_url

    @property
    def public_dir(self) -> Path:
        """Where published files live."""
        return self.data / "public"


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read every setting. Raises SettingsError naming all that are wrong, with what to write instead."""
    source = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    problems: list[str] = []
    for row in SETTINGS:
        try:
            raw = _raw(row, source)
            values[row.attribute] = row.read(raw)
        except (ValueError, OSError) as error:
            problems.append(f"{row.name}: {row.help} ({error})")
    known = {row.name for row in SETTINGS} | {f"{row.name}_FILE" for row in SETTINGS if row.secret}
    problems += [f"{name}: no such setting" for name in source if name.startswith("STATUSPAGE_") and name not in known]
    if problems:
        raise SettingsError("\n".join(problems))
    return Settings(**values)


def _raw(row: Row, source: Mapping[str, str]) -> str:
    path = source.get(f"{row.name}_FILE") if row.secret else None
    if path:
        return Path(path).read_text(encoding="utf-8").strip()
    return source.get(row.name) or row.default


def reference() -> str:
    """docs/settings.md."""
    lines = [
        "# Settings", "",
        "Read from the environment at start. What is watched and shown is in [wallet.yaml](configuration.md).", "",
        "| Setting | Default | What it does |", "|---|---|---|",
    ]  # fmt: skip
    for row in SETTINGS:
        also = f" Also `{row.name}_FILE`." if row.secret else ""
        lines.append(f"| `{row.name}` | {f'`{row.default}`' if row.default else '(empty)'} | {row.help}{also} |")
    return "\n".join([*lines, "", "Generated by `python -m statuspage.settings`; do not edit.", ""])


if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201 - the command's output
