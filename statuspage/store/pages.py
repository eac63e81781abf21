"""The page's own facts as applied from wallet.yaml: name, address, languages, zone, contacts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from statuspage.store.schema.runtime import meta


@dataclass(frozen=True, slots=True)
class Page:
    """What every page, feed and message needs to know of the wallet. The first language is the default one."""

    name: dict[str, str]
    url: str
    languages: tuple[str, ...]
    time_zone: str
    public_id: str = ""
    custody: str = "both"
    brand_color: str = ""
    logo: str = ""
    support: tuple[dict[str, Any], ...] = ()
    official: dict[str, Any] = field(default_factory=dict)
    is_demo: bool = False

    @property
    def default_language(self) -> str:
        """The language of a reader who asked for none."""
        return self.languages[0]


NOTHING_APPLIED = Page(
    name={"en": "Wallet status", "zh-Hans": "钱包状态"}, url="http://127.0.0.1:8000",
    languages=("zh-Hans", "en"), time_zone="UTC",
)  # fmt: skip


def load_meta(conn: Connection, name: str, default: Any = None) -> Any:  # noqa: ANN401 - any JSON value
    """The value applied under `name`, `default` when nothing was."""
    row = conn.execute(select(meta.c.value).where(meta.c.name == name)).first()
    return default if row is None else row[0]


def load_page(conn: Connection) -> Page:
    """The page as applied; harmless defaults before the first `config apply`."""
    data = load_meta(conn, "page")
    if not data:
        return NOTHING_APPLIED
    data = {"public_id": load_meta(conn, "page_public_id", ""), **data}
    known = {name: data[name] for name in Page.__dataclass_fields__ if name in data}
    for name in ("languages", "support"):
        if name in known:
            known[name] = tuple(known[name])
    return Page(**known)
