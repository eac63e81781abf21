"""The demo wallet's configuration: in the wheel, or in the checkout beside it, with the ports of this run written in."""

from __future__ import annotations

from pathlib import Path

from statuspage.errors import SettingsError
from statuspage.settings import Settings


def path() -> Path:
    """examples/demo-wallet.yaml."""
    here = Path(__file__).resolve().parent
    for folder in (here / "examples", here.parent / "examples"):
        if (folder / "demo-wallet.yaml").is_file():
            return folder / "demo-wallet.yaml"
    message = "examples/demo-wallet.yaml is not installed"
    raise SettingsError(message)


def text(settings: Settings) -> str:
    """The file as it applies to this run: PORT, DEMO_PORT, DEMO_TLS_PORT and the data folder may differ from its examples."""
    places = {
        "127.0.0.1:8000": f"127.0.0.1:{settings.port}", "127.0.0.1:8001": f"127.0.0.1:{settings.demo_port}",
        "127.0.0.1:8443": f"127.0.0.1:{settings.demo_tls_port}", "var/demo": str((settings.data / "demo").absolute()),
    }  # fmt: skip
    found = path().read_text(encoding="utf-8")
    for example, actual in places.items():
        found = found.replace(example, actual)
    return found
