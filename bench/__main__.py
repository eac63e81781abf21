"""`python -m bench [NAME ...]`: each benchmark in a process of its own, one line each, results kept in bench/out/latest.json.

A benchmark is a file here whose main program prints one JSON document: name, value, unit, peer, peer_value, ratio, bar, ok.
`peer_value` and `ratio` are null where the peer is not installed; `ok` is then null as well.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OUT = HERE / "out" / "latest.json"


def names() -> list[str]:
    """Every benchmark there is."""
    return sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))


def measure(name: str) -> dict[str, Any]:
    """The result of one benchmark. Raises CalledProcessError when it cannot run."""
    done = subprocess.run([sys.executable, "-m", f"bench.{name}"], check=True, stdout=subprocess.PIPE, text=True, cwd=HERE.parent)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def line(result: dict[str, Any]) -> str:
    """One line for a person."""
    verdict = {True: "ok", False: "MISSED", None: "no verdict"}[result.get("ok")]
    peer = f"  {result['peer']} {result['peer_value']:g}, ratio {result['ratio']:.2f}" if result.get("peer_value") else ""
    return f"{result['name']:16} {result['value']:g} {result['unit']}{peer}  bar {result.get('bar')}  {verdict}"


def main(wanted: list[str]) -> int:
    """Run `wanted`, all when empty; 1 when one missed its bar, 2 for a name that does not exist."""
    if unknown := sorted(set(wanted) - set(names())):
        print(f"no benchmark called {', '.join(unknown)}; there are: {', '.join(names())}", file=sys.stderr)
        return 2
    OUT.parent.mkdir(exist_ok=True)
    results: dict[str, Any] = json.loads(OUT.read_text()) if OUT.exists() else {}
    for name in wanted or names():
        results[name] = measure(name)
        OUT.write_text(json.dumps(results, indent=2) + "\n")
        print(line(results[name]), flush=True)
    return 1 if any(results[name].get("ok") is False for name in wanted or names()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
