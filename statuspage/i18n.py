"""Languages: public tags, what browsers send, translations of templates, dates in words.

The public tag of Chinese is `zh-Hans` everywhere; this file is the one map to and from everything else. Translations are
gettext catalogues read at start (templates/translations/<tag>/*.po, source text in English), so a third language is a folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_CEILING, Decimal
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.messages.pofile import read_po
from babel.numbers import format_currency, get_currency_precision

from statuspage import templating_root
from statuspage.errors import Words

DEFAULT_LANGUAGES = ("zh-Hans", "en")
# Our tag -> Babel's locale.
LOCALES = {"zh-Hans": "zh_Hans_CN", "en": "en_GB"}
# What people and browsers say -> our tag; anything else falls back on its primary subtag. Traditional Chinese readers
# read Simplified with less effort than English.
_ALIASES = {"zh": "zh-Hans", "en": "en"}
_ZONE_WORDS = {("zh-Hans", "Asia/Shanghai"): "北京时间"}


def tag(raw: str) -> str | None:
    """Our tag for a language range such as `zh-CN`, `zh_Hans_CN`, `EN-us`; None for a language we do not speak."""
    if raw in LOCALES:
        return raw
    primary = raw.replace("_", "-").split("-", 1)[0].lower()
    return _ALIASES.get(primary)


def negotiate(header: str, languages: Sequence[str]) -> str:
    """The page language for an Accept-Language header: best match among `languages`, else the first of them."""
    ranges: list[tuple[float, int, str]] = []
    for position, part in enumerate(header[:400].split(",")):
        name, _, rest = part.strip().partition(";")
        try:
            quality = float(rest.strip().removeprefix("q=")) if rest else 1.0
        except ValueError:
            continue
        ranges.append((-quality, position, name))
    for _quality, _position, name in sorted(ranges):
        known = tag(name)
        if known is not None and known in languages and _quality < 0:
            return known
    return languages[0]


def pick(texts: Mapping[str, str], language: str) -> str:
    """The text in `language`, else in another one, else ''. Use `has` to mark a missing translation."""
    return texts.get(language) or next((text for text in texts.values() if text), "")


def has(texts: Mapping[str, str], language: str) -> bool:
    """False when `pick` had to fall back on another language."""
    return bool(texts.get(language)) or not any(texts.values())


@cache
def messages(language: str) -> dict[str, str]:
    """msgid -> translation for `language`; English needs none."""
    out: dict[str, str] = {}
    folder = templating_root.root() / "translations" / language
    for path in sorted(folder.glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file):
                if isinstance(message.id, str) and message.id and isinstance(message.string, str) and message.string:
                    out[message.id] = message.string
    return out


def gettext(language: str, source: str, **values: Any) -> str:  # noqa: ANN401 - shown as text
    """`source` in `language`, with %(name)s placeholders filled."""
    text = messages(language).get(source, source)
    return text % values if values else text


def said(language: str, text: str) -> str:
    """What `text` says, in `language`: errors.Words with what was filled in, anything else as a source."""
    if not isinstance(text, Words):
        return gettext(language, text)
    return gettext(language, text.source, **{name: _value(language, one) for name, one in text.values.items()})


def _value(language: str, value: object) -> object:
    if isinstance(value, tuple):
        return ("、" if language == "zh-Hans" else ", ").join(str(_value(language, one)) for one in value)
    return said(language, value) if isinstance(value, Words) else value


def locale(language: str) -> Locale:
    """Babel's locale of one of our tags."""
    return Locale.parse(LOCALES.get(language, "en_GB"))


def zone_label(at: datetime, zone: str, language: str) -> str:
    """A zone in words that cannot be misread: 北京时间, or UTC+8."""
    if word := _ZONE_WORDS.get((language, zone)):
        return word
    offset = at.astimezone(ZoneInfo(zone)).utcoffset()
    minutes = int(offset.total_seconds()) // 60 if offset else 0
    if not minutes:
        return "UTC"
    sign = "+" if minutes > 0 else "-"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{sign}{hours}" + (f":{rest:02d}" if rest else "")


def day_words(at: datetime, zone: str, language: str) -> str:
    """22 Nov 2026 / 2026年11月22日."""
    return format_date(at.astimezone(ZoneInfo(zone)).date(), format="long" if language == "zh-Hans" else "d MMM y",
                       locale=locale(language))  # fmt: skip


def time_words(at: datetime, zone: str) -> str:
    """13:20."""
    return at.astimezone(ZoneInfo(zone)).strftime("%H:%M")


def moment_words(at: datetime, zone: str, language: str) -> str:
    """22 Nov 2026, 13:20 UTC+8 / 2026年11月22日 13:20 北京时间: date and zone always said."""
    gap = " " if language == "zh-Hans" else ", "
    return f"{day_words(at, zone, language)}{gap}{time_words(at, zone)} {zone_label(at, zone, language)}"


def about_block(time: str, height: int | None, language: str) -> str:
    """The words of a time; where a chain's block decides, that they are an estimate, and which block."""
    if height is None:
        return time
    words = gettext(language, "about %(time)s (from block %(height)s on)")
    return words % {"time": time, "height": f"{height:,}"}


def weekday_words(at: datetime, zone: str, language: str) -> str:
    """Tue / 周二."""
    return format_datetime(at, "EEE", tzinfo=ZoneInfo(zone), locale=locale(language))


def short_day_words(day: date, language: str) -> str:
    """22 Nov / 11月22日, where the year goes without saying."""
    return format_date(day, "M月d日" if language == "zh-Hans" else "d MMM", locale=locale(language))


def month_words(day: date, language: str) -> str:
    """November 2026 / 2026年11月."""
    return format_date(day, "y年M月" if language == "zh-Hans" else "LLLL y", locale=locale(language))


def language_name(language: str) -> str:
    """A language in its own words: English, 中文."""
    own = Locale(locale(language).language)
    return own.get_language_name(own.language) or language


def money_words(milli: int, currency: str, language: str) -> str:
    """US$120.40: thousandths of a currency, rounded up to its smallest coin."""
    coin = Decimal(1).scaleb(-get_currency_precision(currency))
    amount = (Decimal(milli) / 1000).quantize(coin, ROUND_CEILING)
    return format_currency(amount, currency, locale=locale(language))


def duration_words(seconds: float, language: str) -> str:
    """25 min, 6 h 5 min, 3 d 2 h / 25 分钟, 6 小时 5 分钟: at most two units, never rounded up."""
    units = (("天", "d", 86400), ("小时", "h", 3600), ("分钟", "min", 60))
    rest, parts = int(max(0, seconds)), []
    for chinese, english, size in units:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {chinese if language == 'zh-Hans' else english}")
    if not parts:
        return "不到 1 分钟" if language == "zh-Hans" else "under 1 min"
    return " ".join(parts[:2])
