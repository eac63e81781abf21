"""Replacing the key that signs."""

from __future__ import annotations

from datetime import timedelta

import click

from statuspage.actions import signing_keys
from statuspage.cli.base import answer, as_json, reports_errors
from statuspage.clock import iso
from statuspage.errors import SettingsError
from statuspage.installation import open_installation


@click.group()
def key() -> None:
    """Replace the key that signs what is published."""


@key.command()
@click.option("--days", type=click.IntRange(0, 365), default=7, show_default=True, help="Days until the new key signs.")
@as_json
@reports_errors
def announce(*, days: int, json_wanted: bool) -> None:
    """Make the next key and publish it, signed by the present one."""
    home = open_installation()
    found = signing_keys.announce(home.ctx, home.settings.data / "keys", timedelta(days=days))
    words = f"key {found.id} is announced and may sign from {iso(found.valid_from)}; then: statuspage key switch"
    answer({"id": found.id, "public_key": found.public_key, "valid_from": iso(found.valid_from)}, words, json_wanted=json_wanted)


@key.command()
@as_json
@reports_errors
def switch(*, json_wanted: bool) -> None:
    """Put the announced key in place; restart the server afterwards."""
    home = open_installation()
    if home.settings.signing_key:
        message = "the key is in STATUSPAGE_SIGNING_KEY: put the digits of <data>/keys/signing.next.key there instead"
        raise SettingsError(message)
    found = signing_keys.switch(home.ctx, home.settings.data / "keys")
    answer({"id": found}, f"key {found} is in place; restart the server", json_wanted=json_wanted)
