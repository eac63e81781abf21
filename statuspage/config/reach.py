"""Who may be told and when, what is planned, where copies go: `channels:`, `quiet_hours:`, `on_call:` and what follows them."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, Strict, model_validator

from statuspage.config.fields import (
    Amount,
    Id,
    Language,
    Line,
    LocalMoment,
    Mail,
    Phone,
    Presence,
    Shape,
    Switch,
    Text,
    WebAddress,
    ZoneName,
    duration,
    has_reference,
    line,
    matching,
    refuse,
)
from statuspage.domain import windows
from statuspage.errors import InvalidInput

Country = Annotated[str, BeforeValidator(matching(r"[A-Z]{2}", "write a country code of two capitals, such as HK"))]
Currency = Annotated[str, BeforeValidator(matching(r"[A-Z]{3}", "write a currency code such as USD"))]
Clock = Annotated[str, BeforeValidator(matching(r"([01][0-9]|2[0-3]):[0-5][0-9]", 'write a time such as "22:00", in quotes'))]
_PUSH_HOST = r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*(:[0-9]{1,5})?"
PushHost = Annotated[str, BeforeValidator(matching(_PUSH_HOST, "write a host such as push.example or *.push.example"))]
_PRICE = r"[0-9]{1,2}(\.[0-9]{1,5})?"
_BUCKET = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/\S*)?"
Length = Annotated[int, BeforeValidator(duration("1m", "7d"))]
Lead = Annotated[int, BeforeValidator(duration("5m", "60d"))]


def _rule(value: object) -> str:
    text = line(value)
    try:
        windows.check_rule(text)
    except InvalidInput as error:
        refuse(str(error))
    return text


def _price(value: object) -> str:
    """A price as a decimal text: 0.05 stays 0.05, and no float reaches the reckoning."""
    text = str(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else ""
    if not re.fullmatch(_PRICE, text):
        refuse("write the price of one segment, such as 0.05")
    return text


def _smtp(value: object) -> str:
    text = line(value)
    if not text.startswith(("smtp://", "smtps://")) and not has_reference(text):
        refuse('write "smtps://user:${env:SMTP_PASSWORD}@mail.example:465"')
    return text


class Twilio(Shape):
    """The account, and either a Messaging Service or a number to send from."""

    account_sid: Line
    auth_token: Line
    messaging_service_sid: Line = ""
    number: Phone = ""

    @model_validator(mode="after")
    def _has_a_sender(self) -> Twilio:
        if bool(self.messaging_service_sid) == bool(self.number):
            refuse("give either messaging_service_sid or number")
        return self


class Spend(Shape):
    """Ceilings in whole units of `currency`; beyond them messages to the public wait for the next hour or month."""

    per_hour: Amount | None = None
    per_month: Amount | None = None
    currency: Currency = "USD"


class Sms(Shape):
    """SMS. Countries are none unless named: premium numbers abroad are how senders are robbed.

    `prices`: of one segment, by country, in the currency of `spend`.
    """

    twilio: Twilio | None = None
    countries: list[Country] = Field(default_factory=list)
    spend: Spend | None = None
    prices: dict[Country, Annotated[str, BeforeValidator(_price)]] = Field(default_factory=dict)


class Email(Shape):
    """E-mail through one SMTP server."""

    smtp: Annotated[str, BeforeValidator(_smtp)]
    sender: Mail = Field(alias="from")


class WebPush(Shape):
    """Browser push; `contact` is told to the push services (RFC 8292), `hosts` are further ones than the browsers' own."""

    contact: Annotated[str, BeforeValidator(matching(r"(mailto:[^\s@]+@[^\s@]+|https://\S+)", "write mailto:ops@wallet.example"))]
    hosts: list[PushHost] = Field(default_factory=list)


class Webhook(Shape):
    """Webhooks have no settings of their own yet: naming the channel allows it."""


class Channels(Shape):
    """Ways to the public; one that is not named is not offered."""

    sms: Annotated[Sms | None, Presence] = None
    email: Email | None = None
    webpush: WebPush | None = None
    webhook: Annotated[Webhook | None, Presence] = None


class QuietHours(Shape):
    """The night of readers' phones, in their own time: SMS and push wait until it ends, urgent outages come through (`wake`)."""

    begins: Clock = Field(default="22:00", alias="from")
    until: Clock = "08:00"
    wake: Switch = True


class OnCall(Shape):
    """Who is paged: by phone, by webhook, or printed on the console (for trials)."""

    name: Line
    phone: Phone | None = None
    webhook: WebAddress | None = None
    console: Switch = False
    language: Language | None = None

    @model_validator(mode="after")
    def _has_one_way(self) -> OnCall:
        if [self.phone is not None, self.webhook is not None, self.console].count(True) != 1:
            refuse("give one of phone, webhook, or console: true")
        return self


class OperatorWebhook(Shape):
    """An address of the operator that hears everything, suspected notices too. It may be internal (allow_networks)."""

    url: WebAddress
    components: list[Id] = Field(default_factory=list)
    secret: Line = ""


class AtBlock(Shape):
    """The block at which a network changes its rules; `chain` is one of `chains:`."""

    chain: Id
    height: Annotated[int, Strict(), Field(ge=1, lt=2**53)]


class Maintenance(Shape):
    """A planned window, once or by rule, in local time; or from a block on, whose time is an estimate."""

    name: Text
    components: Annotated[list[Id], Field(min_length=1)]
    starts: LocalMoment = ""
    at_block: AtBlock | None = None
    lasts: Length
    repeats: Annotated[str, BeforeValidator(_rule)] = ""
    time_zone: ZoneName | None = None
    remind: list[Lead] = Field(default_factory=lambda: [86_400_000, 3_600_000])

    @model_validator(mode="after")
    def _has_one_start(self) -> Maintenance:
        if bool(self.starts) == bool(self.at_block):
            refuse("give either starts or at_block")
        if self.at_block and self.repeats:
            refuse("a block comes once: leave out repeats")
        return self

    def stored(self, page_zone: str) -> dict[str, Any]:
        """The JSON form; `id` stays the same as long as the window is the same, so that it is announced once."""
        zone = self.time_zone or page_zone
        block = [self.at_block.chain, self.at_block.height] if self.at_block else []
        identity = json.dumps([self.components, self.starts, self.repeats, zone, *block], separators=(",", ":"))
        at_block = {"at_block": self.at_block.model_dump()} if self.at_block else {}
        return at_block | {
            "id": hashlib.sha256(identity.encode()).hexdigest()[:16], "name": self.name, "components": self.components,
            "starts": self.starts, "lasts_s": self.lasts // 1000, "repeats": self.repeats, "time_zone": zone,
            "remind_before_s": sorted({lead // 1000 for lead in self.remind}, reverse=True),
        }  # fmt: skip


class Mirror(Shape):
    """A second place for the published files."""

    folder: Line = ""
    s3: Annotated[str, BeforeValidator(matching(_BUCKET, "write s3://bucket/prefix"))] = ""
    endpoint: WebAddress = ""

    @model_validator(mode="after")
    def _is_one_place(self) -> Mirror:
        if bool(self.folder) == bool(self.s3):
            refuse("give either folder or s3")
        if self.s3:
            refuse("nothing here speaks s3: mirror to a folder, and let rclone or `aws s3 sync` carry that on")
        return self


