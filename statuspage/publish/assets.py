"""Style, script and icons: read once, named by their content, so that they can be cached for a year."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from statuspage.templating_root import root

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
@dataclass(frozen=True, slots=True)
class Asset:
    """One file as served."""

    body: bytes
    content_type: str


def brand(color: str) -> str:
    """`color` when it is #rrggbb, '' otherwise: it becomes part of a style sheet."""
    return color.lower() if _COLOR.fullmatch(color) else ""


@cache
def all_assets(color: str) -> dict[str, Asset]:
    """Every asset by the name it is asked for, for a page whose accent is `color` (as `brand` gives it)."""
    folder = root() / "site" / "static"
    parts = [(folder / name).read_text(encoding="utf-8") for name in ("tokens.css", "site.css", "proof.css")]
    if color:
        # On dark ground the same colour, lifted until it can be read.
        lifted = f"@media (prefers-color-scheme: dark) {{ :root {{ --brand: color-mix(in oklab, {color}, white 45%) }} }}"
        parts.append(f":root {{ --brand: {color} }}\n{lifted}\n")
    found = {"site.css": "".join(parts), "embed.css": "".join((*parts, (folder / "embed.css").read_text(encoding="utf-8")))}
    others = [path for path in sorted(folder.iterdir()) if path.suffix in {".js", ".svg"}]
    found.update({path.name: path.read_text(encoding="utf-8") for path in others})
    return {name: Asset(text.encode(), _TYPES[name.rsplit(".", 1)[1]]) for name, text in found.items()}


def all_urls(color: str) -> list[str]:
    """Addresses of every asset, for a page whose accent is `color`."""
    return [url(name, color) for name in all_assets(color)]


@cache
def url(name: str, color: str) -> str:
    """Address of an asset: its content is in its name."""
    stem, _, ending = name.rpartition(".")
    return f"/static/{stem}-{hashlib.sha256(all_assets(color)[name].body).hexdigest()[:10]}.{ending}"


def find(name: str, color: str) -> tuple[Asset, bool] | None:
    """The asset asked for, and whether the name is today's (and may be cached for long). Older names get today's content."""
    known = all_assets(color)
    for plain, asset in known.items():
        stem, _, ending = plain.rpartition(".")
        if name == plain or (name.startswith(f"{stem}-") and name.endswith(f".{ending}") and len(name) == len(plain) + 11):
            return asset, url(plain, color) == f"/static/{name}"
    return None


@cache
def look_hash() -> str:
    """Hash of every template, asset, translation and line of code that makes a page: when it changes, all is rendered anew."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    folders = [*(root() / name for name in ("site", "translations", "notices")), here, here.parent / "web" / "site"]
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
