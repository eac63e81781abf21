"""What the console is given by the composition root, and the address it answers at."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from statuspage.actions.context import Context
from statuspage.errors import SettingsError
from statuspage.settings import Settings


@dataclass(frozen=True)
class Services:
    """Everything the console's handlers use. `is_demo`: the demo wallet's installation, where a one-time link is enough."""

    ctx: Context
    settings: Settings
    is_demo: bool = False

    @property
    def address(self) -> Address:
        """Where browsers reach the console. Raises SettingsError for a URL that cannot be served safely."""
        return Address.parse(self.settings.console_url or f"http://127.0.0.1:{self.settings.console_port}")

    @property
    def is_link_enough(self) -> bool:
        """Whether a one-time link may replace the second factor: only the demo, only over plain http on this machine."""
        return self.is_demo and not self.address.is_https


@dataclass(frozen=True, slots=True)
class Address:
    """The console's public URL, taken from settings and never from a request."""

    scheme: str
    host: str
    port: int | None

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read the URL. Plain http is accepted on loopback only: elsewhere a session could be read on the way."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            message = f"STATUSPAGE_CONSOLE_URL: write https://host, not {url!r}"
            raise SettingsError(message)
        address = cls(parts.scheme, parts.hostname, parts.port)
        if not address.is_https and not _is_loopback(parts.hostname):
            message = (
                f"STATUSPAGE_CONSOLE_URL: {url} is plain http beyond this machine; put TLS in front and write https://"
            )
            raise SettingsError(message)
        return address

    @property
    def is_https(self) -> bool:
        """Whether browsers reach us over TLS."""
        return self.scheme == "https"

    @property
    def hosts(self) -> list[str]:
        """Host names that a request may carry. On loopback every spelling of this machine is the same place."""
        return [self.host] if self.is_https else ["127.0.0.1", "localhost", "[::1]"]

    @property
    def origins(self) -> frozenset[str]:
        """What a browser writes into Origin when the form is ours."""
        port = f":{self.port}" if self.port else ""
        return frozenset(f"{self.scheme}://{host}{port}" for host in self.hosts)

    @property
    def cookie(self) -> str:
        """The session cookie's name. `__Host-` is refused by browsers without TLS, so loopback has a name of its own."""
        return "__Host-session" if self.is_https else "statuspage-console-session"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
