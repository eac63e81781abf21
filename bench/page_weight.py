"""Bytes of the index with one open notice: 20 components <= 30 kB HTML; 100 <= 60 kB, <= 12 kB brotli, <= 60 kB in all."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from bench._site import wallet

BAR = {"html_20": 30_000, "html_100": 60_000, "brotli_100": 12_000, "whole_100": 60_000, "requests": 6}
UPTIME_KUMA = 786 * 1024  # its page of 100 monitors over the wire, measured for performance.md


def run() -> dict[str, Any]:
    """Heaviest language of each size; `value` is the index of 100 components with everything it loads, as sent."""
    found: dict[str, int] = {}
    for count in (20, 100):
        with wallet(count) as built:
            folder = built.folder
            pages = [folder / "pages" / language / "index.html" for language in ("en", "zh-Hans")]
            found[f"html_{count}"] = max(page.stat().st_size for page in pages)
            found[f"brotli_{count}"] = max(page.with_name("index.html.br").stat().st_size for page in pages)
            loaded = _loaded(folder, pages[0].read_text(encoding="utf-8"))
            found[f"whole_{count}"] = found[f"brotli_{count}"] + sum(_sent(path) for path in loaded)
            found["requests"] = 1 + len(loaded)
    return {
        "name": "page_weight", "value": found["whole_100"], "unit": "B over the wire, 100 components", "peer": "Uptime Kuma",
        "peer_value": UPTIME_KUMA, "ratio": found["whole_100"] / UPTIME_KUMA,
        "bar": ", ".join(f"{name} <= {limit}" for name, limit in BAR.items()), "details": found,
        "ok": all(found[name] <= limit for name, limit in BAR.items()),
    }  # fmt: skip


def _loaded(folder: Path, page: str) -> list[Path]:
    """Files that a browser fetches for the page: style, icon, the icon for when nobody answers, script, live.json."""
    assets = set(re.findall(r'(?:href|src|data-icon)="(/static/[^"]+)"', page))
    return [folder / "pages" / asset[1:] for asset in sorted(assets)] + [folder / "pages" / "live.json"]


def _sent(path: Path) -> int:
    packed = path.with_name(path.name + ".br")
    return (packed if packed.exists() else path).stat().st_size


if __name__ == "__main__":
    print(json.dumps(run()))
