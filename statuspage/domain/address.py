"""Addresses that people hand in: phone numbers, webhook URLs, push subscriptions. Normal form, identity, and what may be shown.

An address is a text. `read` checks it and gives its normal form; the same address typed in two ways has one identity.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import phonenumbers

from statuspage.errors import InvalidInput

URL_CHARACTERS = 1000
# Hosts of the push services of Chrome, Firefox, Safari and Edge. The endpoint comes from a visitor's browser: without this list
# it is a way to make us call any address.
PUSH_HOSTS = ("fcm.googleapis.com", "*.push.services.mozilla.com", "*.push.apple.com", "*.notify.windows.com")
_HOST = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_REFUSED_TYPES = {
    phonenumbers.PhoneNumberType.PREMIUM_RATE, phonenumbers.PhoneNumberType.SHARED_COST, phonenumbers.PhoneNumberType.UAN,
    phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.TOLL_FREE, phonenumbers.PhoneNumberType.VOICEMAIL,
    phonenumbers.PhoneNumberType.PAGER,
}  # fmt: skip
_INSIDE = {"localhost", "local", "internal", "localdomain", "arpa", "home", "lan", "corp"}
_P256_POINT_BYTES = 65
_AUTH_BYTES = 16


@dataclass(frozen=True, slots=True)
class Address:
    """`text` is what is sealed and sent to, `identity` what is hashed to find it again, `label` what may be shown."""

    text: str
    identity: str
    label: str


def phone(raw: str, countries: Sequence[str] | None) -> Address:
    """A mobile number in E.164. `countries`: the allow-list (ISO codes); None = an operator's own number, any country.

    Raises InvalidInput. Premium, shared-cost and fixed-line ranges are refused: they are how senders are robbed.
    """
    text = raw.strip()
    try:
        number = phonenumbers.parse(text, countries[0] if countries and len(countries) == 1 else None)
    except phonenumbers.NumberParseException:
        message = "write the number with its country code, such as +852 5123 4567"
        raise InvalidInput(message, "phone") from None
    if len(text) > 40 or number.extension or not phonenumbers.is_possible_number(number):
        message = "this is not a phone number that can receive SMS"
        raise InvalidInput(message, "phone")
    if countries is not None:
        _check_public_phone(number, countries)
    whole = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return Address(whole, whole, f"+{number.country_code} ••• {whole[-4:]}")


def _check_public_phone(number: phonenumbers.PhoneNumber, countries: Sequence[str]) -> None:
    # New ranges appear monthly: a possible number that this metadata does not know yet counts by its country code.
    region = phonenumbers.region_code_for_number(number) or phonenumbers.region_code_for_country_code(number.country_code or 0)
    if region not in countries:
        message = "SMS is not offered for numbers of this country; follow by web push, webhook or feed instead"
        raise InvalidInput(message, "phone")
    if phonenumbers.number_type(number) in _REFUSED_TYPES:
        message = "this is not a mobile number"
        raise InvalidInput(message, "phone")


def phone_prefix(number: str) -> str:
    """The number without its last three digits: fraud asks for neighbouring numbers."""
    return number[:-3]


def host_of(url: str) -> str:
    """The host of a URL that `webhook` accepted."""
    return (urlsplit(url).hostname or "").lower().rstrip(".")


def ip_prefix(address: str) -> str:
    """The /24 or /48 of a reader's address: what limits count by, and all that is stored of it. '' for what is no address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))


def webhook(url: str, secret: str, *, operator: bool = False) -> Address:
    """An https address (http only for an operator's own), with the secret that signs what is sent to it. Raises InvalidInput.

    This judges the form only. Which address may be dialled is decided at the socket, by probes.guard.
    """
    parts = _split(url, "url")
    if parts.scheme not in ({"https", "http"} if operator else {"https"}):
        message = "write an address that begins with https://"
        raise InvalidInput(message, "url")
    host = (parts.hostname or "").lower().rstrip(".")
    if not operator and _is_inside(host):
        message = "this address is not on the public internet"
        raise InvalidInput(message, "url")
    text = json.dumps({"url": url, "secret": secret}, separators=(",", ":"))
    return Address(text, url, f"{parts.scheme}://{host}/…")


def _split(url: str, field: str) -> Any:  # noqa: ANN401 - urllib's SplitResult
    """`url` in parts, refused wherever two parsers could read it differently (reliability.md 1.3)."""
    message = "write a whole address such as https://hooks.example/status, without user name, spaces or backslash"
    if not 8 < len(url) <= URL_CHARACTERS or not url.isascii() or re.search(r"[\x00-\x20\x7f\\]", url):
        raise InvalidInput(message, field)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidInput(message, field) from None
    host = (parts.hostname or "").rstrip(".").lower()
    is_name = bool(_HOST.fullmatch(host)) or _is_address(host)
    if not is_name or "@" in parts.netloc or port == 0 or parts.fragment or not url.startswith(f"{parts.scheme}://"):
        raise InvalidInput(message, field)
    return parts


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_inside(host: str) -> bool:
    """Refused early for a clear message: no name of the public internet is one label, and none ends in a number."""
    if _is_address(host):
        return not ipaddress.ip_address(host).is_global
    last = host.rpartition(".")[2]
    return "." not in host or last.isdigit() or last.startswith("0x") or last in _INSIDE


def push(raw: str, extra_hosts: Sequence[str] = ()) -> Address:
    """A browser's PushSubscription as JSON. Raises InvalidInput unless its endpoint is at a known push service."""
    message = "this browser's push subscription cannot be read; reload the page and try again"
    try:
        data = json.loads(raw)
        endpoint, keys = data["endpoint"], data["keys"]
        point, auth = _decode(keys["p256dh"]), _decode(keys["auth"])
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        raise InvalidInput(message, "subscription") from None
    if not isinstance(endpoint, str) or len(point) != _P256_POINT_BYTES or point[0] != 4 or len(auth) != _AUTH_BYTES:
        raise InvalidInput(message, "subscription")
    parts = _split(endpoint, "subscription")
    if not is_push_host(parts.scheme, parts.netloc, extra_hosts):
        message = "this push service is not known here"
        raise InvalidInput(message, "subscription")
    kept = {"endpoint": endpoint, "keys": {"p256dh": keys["p256dh"], "auth": keys["auth"]}}
    return Address(json.dumps(kept, separators=(",", ":")), endpoint, parts.hostname or "")


def is_push_host(scheme: str, netloc: str, extra_hosts: Sequence[str] = ()) -> bool:
    """Whether an endpoint's scheme and host[:port] are those of a push service; asked when it is stored and again when used.

    `extra_hosts` come from the operator's settings; one written with a port (`push.example:8443`) is reached there.
    """
    name = netloc.lower().removesuffix(":443")
    known = (*PUSH_HOSTS, *extra_hosts)
    return scheme == "https" and any(name.endswith(host[1:]) if host.startswith("*.") else name == host for host in known)


def _decode(text: object) -> bytes:
    if not isinstance(text, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,200}={0,2}", text):
        raise ValueError
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


READERS: dict[str, Callable[..., Address]] = {"sms": phone, "webhook": webhook, "webpush": push}
