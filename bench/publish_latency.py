"""From commit to new bytes on disk: 100 components, 2 languages, 5 years; at 100 and at 1,000 old notices. And what one change
renders: as many pages, whatever there is besides.

`python -m bench.publish_latency 500 1000 10000` does the same with 500 components, at 1,000 and at 10,000 old notices.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from bench._site import Built, wallet
from statuspage.publish.urls import LIVE
from tests.builders import draft

ROUNDS = 20
BAR_S = 1.0
FLAT = 1.5


@dataclass
class Seen:
    """What `ROUNDS` changes cost at one size. `took_s`: until live.json was on disk; `news_cpu_s`: of that,
    CPU, which other programs on the machine cannot lengthen; `cpu_s`: with all that follows.

    `pages`: different paths rendered, `files`: written, each of one change. `memory_mb`: the most this process held until then.
    """

    first_s: float
    first_files: int
    took_s: list[float] = field(default_factory=list)
    news_cpu_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    memory_mb: int = 0

    @property
    def median_s(self) -> float:
        """Half of the changes were on disk sooner."""
        return statistics.median(self.took_s)

    @property
    def p95_s(self) -> float:
        """All but one of twenty were on disk sooner."""
        return sorted(self.took_s)[int(ROUNDS * 0.95) - 1]

    def told(self) -> dict[str, Any]:
        """For the line's details."""
        return {
            "median_s": round(self.median_s, 3), "p95_s": round(self.p95_s, 3),
            "news_cpu_s": round(statistics.median(self.news_cpu_s), 3), "cpu_s": round(statistics.median(self.cpu_s), 3),
            "pages_per_change": statistics.median(self.pages), "files_per_change": statistics.median(self.files),
            "first_publication_s": round(self.first_s, 1), "first_files": self.first_files, "memory_mb": self.memory_mb,
        }  # fmt: skip


def run(components: int = 100, few: int = 100, many: int = 1000) -> dict[str, Any]:
    """p95 in seconds until live.json, the last file of a publication, is on disk. The loop's wake-up (at once in the same
    process, at most 0.25 s from another) is not part of it.
    """
    seen = {old: _at(components, old) for old in (few, many)}
    pages = statistics.median(seen[many].pages)
    ratio = seen[many].median_s / seen[few].median_s
    return {
        "name": "publish_latency", "value": round(seen[many].p95_s, 3),
        "unit": f"s p95, {components} components, {many:,} old notices, {pages:g} pages rendered a change",
        "peer": f"the same with {few:,} old notices (median against median)", "peer_value": round(seen[few].median_s, 4),
        "ratio": ratio, "bar": f"p95 <= {BAR_S} s, ratio <= {FLAT}, no more pages a change",
        "details": {str(old): one.told() for old, one in seen.items()},
        "ok": seen[many].p95_s <= BAR_S and ratio <= FLAT and pages <= statistics.median(seen[few].pages),
    }  # fmt: skip


def _at(components: int, old: int) -> Seen:
    with wallet(components, old) as built:
        seen = Seen(built.first_s, built.first_files)
        _once(built, 0, Seen(0, 0))
        for number in range(1, ROUNDS + 1):
            _once(built, number, seen)
        seen.memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        return seen


def _once(built: Built, number: int, seen: Seen) -> None:
    """One confirmed incident with one component, committed and published, until live.json was written, by its own date.
    What follows in the background is drained after.
    """
    built.wallet.notice(draft(f"Incident {number}", components={f"function_{number}": "major_outage"}))
    built.asked.clear()
    began_ns, cpu_s = time.time_ns(), time.process_time()
    counts = built.publisher.run_once()
    seen.took_s.append(((built.folder / "pages" / "live.json").stat().st_ctime_ns - began_ns) / 1e9)
    seen.news_cpu_s.append(built.asked[LIVE] - cpu_s)
    written = counts.written
    while counts.pending:
        counts = built.publisher.run_once()
        written += counts.written
    seen.cpu_s.append(time.process_time() - cpu_s)
    seen.pages.append(len(built.asked))
    seen.files.append(written)


if __name__ == "__main__":
    print(json.dumps(run(*map(int, sys.argv[1:]))))
