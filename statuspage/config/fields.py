"""Field types of wallet.yaml: texts by language, durations, ids, addresses. Each refusal says what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from ipaddress import ip_network
from typing import Annotated, Any, Literal, NoReturn
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationInfo
from pydantic_core import PydanticCustomError

from statuspage import i18n
from statuspage.config.positions import WrittenFloat, WrittenInt

REFERENCE = re.compile(r"\$\{(?:env:([A-Za-z_][A-Za-z0-9_]{0,99})|file:([^${}]{1,400}))\}")
MAX_LINE = 500
MAX_TEXT = 4000

_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")
# C0/C1 controls, zero-width marks and bidirectional overrides: they hide or reorder what a reader sees. A joiner (200D) is part
# of emoji and stays.
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*\.?")


class Shape(BaseModel):
    """Base of every mapping of the file: unknown keys are errors, values never change after checking."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def refuse(message: str) -> NoReturn:
    """Refuse a value; `message` says what to write instead."""
    kind = "refused"
    raise PydanticCustomError(kind, "{message}", {"message": message})


def has_reference(value: object) -> bool:
    """True when `value` contains ${env:NAME} or ${file:PATH} anywhere, which only becomes a value at use."""
    if isinstance(value, str):
        return "${" in value
    if isinstance(value, dict):
        return any(has_reference(item) for item in value.values())
    return isinstance(value, list) and any(has_reference(item) for item in value)


def line(value: Any) -> str:  # noqa: ANN401 - any YAML value
    """One line of text as it was typed: 1.10 stays 1.10, +852… keeps its plus."""
    text = _text(value)
    if "\n" in text or len(text) > MAX_LINE:
        refuse(f"write one line of at most {MAX_LINE} characters")
    return text


def _text(value: Any) -> str:  # noqa: ANN401 - any YAML value
    if isinstance(value, WrittenInt | WrittenFloat):
        return value.written
    if isinstance(value, bool):
        refuse(f'put it in quotes: "{str(value).lower()}" is read as a switch, and this is a text')
    if value is None:
        refuse("write a text here, or remove the key")
    if not isinstance(value, str):
        refuse("write one text, not a list or keys")
    if found := _HIDDEN.search(value):
        refuse(f"remove the invisible character U+{ord(found.group()):04X}")
    if not value.strip():
        refuse("write a text here, or remove the key")
    return value


def by_language(value: Any, info: ValidationInfo) -> dict[str, str]:  # noqa: ANN401 - any YAML value
    """One string, or one per language of the page -> one per language."""
    languages: tuple[str, ...] = (info.context or {}).get("languages", i18n.DEFAULT_LANGUAGES)
    if not isinstance(value, dict):
        text = _text(value)
        return dict.fromkeys(languages, _limited(text))
    unknown = [key for key in value if key not in languages]
    missing = [language for language in languages if language not in value]
    parts = []
    if unknown:
        meant = [f" ({key} is written {tag})" for key in unknown if (tag := i18n.tag(str(key))) and tag != key]
        parts.append(f"remove {', '.join(unknown)}{''.join(meant)}: the page's languages are {', '.join(languages)}")
    if missing:
        parts.append(f"add the text in {', '.join(missing)}")
    if parts:
        refuse("; ".join(parts))
    out = {}
    for language in languages:
        try:
            out[language] = _limited(_text(value[language]))
        except PydanticCustomError as error:
            refuse(f"{language}: {error.message()}")
    return out


def _limited(text: str) -> str:
    if len(text) > MAX_TEXT:
        refuse(f"write at most {MAX_TEXT} characters")
    return text


def duration_ms(raw: str) -> int:
    """Milliseconds of 800ms, 30s, 5m, 2h, 7d. Raises ValueError for anything else."""
    found = _DURATION.fullmatch(raw)
    if not found:
        raise ValueError(raw)
    return int(found.group(1)) * _UNITS_MS[found.group(2)]


def duration(low: str, high: str) -> Callable[[Any], int]:
    """A reader of durations between `low` and `high`, to milliseconds."""

    def read(value: Any) -> int:  # noqa: ANN401 - any YAML value
        raw = value.written if isinstance(value, WrittenInt | WrittenFloat) else value
        if isinstance(raw, str) and _DURATION.fullmatch(raw):
            found = duration_ms(raw)
            if duration_ms(low) <= found <= duration_ms(high):
                return found
            refuse(f"write a duration from {low} to {high}")
        if isinstance(raw, str) and raw.isdigit():
            refuse(f"write the duration with its unit: {raw[:9]}s or {raw[:9]}m?")
        refuse("write a duration such as 30s (units ms, s, m, h, d)")

    return read


def identifier(value: Any) -> str:  # noqa: ANN401 - any YAML value
    """A name used in addresses and in the database."""
    text = line(value)
    if not re.fullmatch(r"[a-z0-9_-]{1,64}", text):
        nearest = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-")[:64]
        refuse("write an id of a-z 0-9 _ - only, at most 64" + (f", such as {nearest}" if nearest else ""))
    return text


def web_address(value: Any) -> str:  # noqa: ANN401 - any YAML value
    """http(s)://host…; one with a reference in it is judged at use."""
    text = line(value)
    if has_reference(text):
        return text
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        refuse("write an address such as https://wallet.example/path")
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0 or re.search(r"[\s\\]", text):
        refuse("write an address such as https://wallet.example/path")
    if not (_HOST.fullmatch(parts.hostname) or ":" in parts.hostname):
        refuse(f"{parts.hostname} is not a host name: write it in ASCII (punycode), such as wallet.example")
    if parts.username is not None:
        refuse("leave user and password out of the address: it is shown to operators")
    return text


def page_address(value: Any) -> str:  # noqa: ANN401 - any YAML value
    """Scheme and host of the page, without a slash at the end."""
    text = web_address(value)
    if has_reference(text):
        refuse("write the address itself: every link of the page is built from it")
    parts = urlsplit(text)
    if parts.path.strip("/") or parts.query or parts.fragment:
        refuse(f"write scheme and host only, {parts.scheme}://{parts.netloc}: the page is served from the root of its host")
    return f"{parts.scheme}://{parts.netloc}"


def host_name(value: Any) -> str:  # noqa: ANN401 - any YAML value
    """A domain without scheme, in lower case."""
    text = line(value).lower()
    if not _HOST.fullmatch(text):
        refuse("write a domain without https:// and path, such as wallet.example")
    return text.rstrip(".")


def language_tag(value: Any) -> str:  # noqa: ANN401 - any YAML value
    """A language that this release has words in."""
    text = line(value)
    if text not in i18n.LOCALES:
        meant = i18n.tag(text)
        refuse(f"write {meant}" if meant else f"write one of {', '.join(i18n.LOCALES)}")
    return text


def zone_name(value: Any) -> str:  # noqa: ANN401 - any YAML value
    """An IANA zone."""
    text = line(value)
    try:
        ZoneInfo(text)
    except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        refuse("write a time zone such as Asia/Shanghai or UTC")
    except KeyError:
        refuse("write a time zone such as Asia/Shanghai or UTC")
    return text


def network(value: Any) -> str:  # noqa: ANN401 - any YAML value
    """A CIDR block of our own."""
    text = line(value)
    try:
        found = ip_network(text)
    except ValueError:
        try:
            meant = f" {ip_network(text, strict=False)}"
        except ValueError:
            meant = " a network such as 10.20.0.0/16"
        refuse(f"write{meant}")
    if found.prefixlen == 0:
        refuse(f"{text} allows every address: name your own networks")
    return str(found)


def day(value: Any) -> str:  # noqa: ANN401 - any YAML value
    """A date, YYYY-MM-DD."""
    text = line(value)
    try:
        if date.fromisoformat(text).isoformat() != text:
            refuse('write a date such as "2026-01-31"')
    except ValueError:
        refuse('write a date such as "2026-01-31"')
    return text


def local_moment(value: Any) -> str:  # noqa: ANN401 - any YAML value
    """A local date and time, YYYY-MM-DD HH:MM."""
    text = line(value)
    try:
        datetime.strptime(text, "%Y-%m-%d %H:%M")  # noqa: DTZ007 - local time; the zone is a key of its own
    except ValueError:
        refuse('write date and time as "2026-12-01 02:00"')
    return text


def matching(pattern: str, advice: str) -> Callable[[Any], str]:
    """A reader of one line that matches `pattern` as a whole, or contains a reference."""
    compiled = re.compile(pattern)

    def read(value: Any) -> str:  # noqa: ANN401 - any YAML value
        text = line(value)
        if not has_reference(text) and not compiled.fullmatch(text):
            refuse(advice)
        return text

    return read


_MAIL = r"[^\s@<>,;\"-][^\s@<>,;\"]*@[^\s@<>,;\"]+\.[^\s@<>,;\"]+"


def _mapping_or_nothing(value: Any) -> Any:  # noqa: ANN401 - any YAML value
    return {} if value is None else value


Line = Annotated[str, BeforeValidator(line)]
Text = Annotated[dict[str, str], BeforeValidator(by_language)]
Id = Annotated[str, BeforeValidator(identifier)]
WebAddress = Annotated[str, BeforeValidator(web_address)]
PageAddress = Annotated[str, BeforeValidator(page_address)]
HostName = Annotated[str, BeforeValidator(host_name)]
Language = Annotated[str, BeforeValidator(language_tag)]
ZoneName = Annotated[str, BeforeValidator(zone_name)]
Network = Annotated[str, BeforeValidator(network)]
Day = Annotated[str, BeforeValidator(day)]
LocalMoment = Annotated[str, BeforeValidator(local_moment)]
_PHONE_ADVICE = "write the number with country code, such as +85221234567"
Phone = Annotated[str, BeforeValidator(matching(r"\+[1-9][0-9]{6,14}", _PHONE_ADVICE))]
Mail = Annotated[str, BeforeValidator(matching(_MAIL, "write one mail address, such as status@wallet.example"))]
Interval = Annotated[int, BeforeValidator(duration("1s", "1d"))]
Timeout = Annotated[int, BeforeValidator(duration("100ms", "60s"))]
Retry = Annotated[int, BeforeValidator(duration("500ms", "1h"))]
Count = Annotated[int, Strict(), Field(ge=1, le=100)]
Amount = Annotated[int, Strict(), Field(ge=0, le=10_000_000)]
Switch = Annotated[bool, Strict()]
Publish = Literal["suspect", "draft", "auto"]
WhenDown = Literal["degraded", "partial_outage", "major_outage"]
Presence = BeforeValidator(_mapping_or_nothing)
