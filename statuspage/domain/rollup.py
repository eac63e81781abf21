"""One hour of one monitor in about 300 bytes: counts, sums, a histogram of response times, and every result losslessly.

Percentiles cannot be averaged, histograms can be added: figures over days come from merged histograms. Response times are
those of results that got an answer (up and degraded); a time-out says how patient we were, not how fast they are.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

OUTCOMES = ("up", "degraded", "down", "unknown")
OUTCOME_NO = {outcome: no for no, outcome in enumerate(OUTCOMES)}
HOUR_MS = 3_600_000
BUCKETS = 60
RATIO = 1.19  # of neighbouring bounds: a percentile is right within 9 % (half a bucket)

Row = tuple[int, int, int]  # at_ms, outcome number, latency_ms

_PLAIN, _DEFLATED = b"\x00", b"\x01"
_RAW_DEFLATE = -15  # no zlib header and checksum: 6 bytes of 250


def _bounds() -> tuple[int, ...]:
    bounds = [1]
    while len(bounds) < BUCKETS - 1:
        bounds.append(max(bounds[-1] + 1, round(bounds[-1] * RATIO)))
    return tuple(bounds)


# Bucket i holds latencies up to BOUNDS[i]; the last one everything beyond (about 35 s).
BOUNDS = _bounds()


@dataclass(frozen=True, slots=True)
class Block:
    """One row of `hour_blocks` without its key. Latencies in ms over up and degraded; min and max are 0 when there are none."""

    up: int
    degraded: int
    down: int
    unknown: int
    latency_sum_ms: int
    latency_min_ms: int
    latency_max_ms: int
    histogram: bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class Totals:
    """Blocks added up. `buckets` has BUCKETS counts."""

    up: int
    degraded: int
    down: int
    unknown: int
    latency_sum_ms: int
    latency_min_ms: int
    latency_max_ms: int
    buckets: tuple[int, ...]

    @property
    def checks(self) -> int:
        """All results, whatever came out."""
        return self.up + self.degraded + self.down + self.unknown

    @property
    def answered(self) -> int:
        """Results with a response time."""
        return self.up + self.degraded

    @property
    def mean_ms(self) -> float | None:
        """Mean response time, None without any."""
        return self.latency_sum_ms / self.answered if self.answered else None

    def percentile_ms(self, share: float) -> float | None:
        """Response time that `share` (0 to 1) of the answers did not exceed, right within half a bucket; None without any."""
        return percentile(self.buckets, share, self.latency_min_ms, self.latency_max_ms)


def block(hour: int, rows: Iterable[Row]) -> Block:
    """The block of `rows`, all within `hour` (hours since the epoch). Rows may come in any order; the same millisecond once."""
    kept = sorted({at_ms: (at_ms, outcome, latency_ms) for at_ms, outcome, latency_ms in rows}.values())
    counts, buckets = [0] * len(OUTCOMES), [0] * BUCKETS
    answered = [latency for _, outcome, latency in kept if outcome <= 1]
    for _, outcome, _ in kept:
        counts[outcome] += 1
    for latency in answered:
        buckets[bucket_of(latency)] += 1
    up, degraded, down, unknown = counts
    return Block(
        up, degraded, down, unknown, sum(answered), min(answered, default=0), max(answered, default=0), pack_histogram(buckets),
        pack(hour, kept),
    )  # fmt: skip


def merge(blocks: Iterable[Block]) -> Totals:
    """The sum of some blocks of any hours, monitors and regions."""
    sums, buckets, low, high = [0] * 5, [0] * BUCKETS, 0, 0
    for one in blocks:
        values = (one.up, one.degraded, one.down, one.unknown, one.latency_sum_ms)
        sums = [old + new for old, new in zip(sums, values, strict=True)]
        if one.up + one.degraded:
            low = min(low, one.latency_min_ms) if any(buckets) else one.latency_min_ms
            high = max(high, one.latency_max_ms)
        for index, count in unpack_histogram(one.histogram):
            buckets[index] += count
    up, degraded, down, unknown, latency_sum_ms = sums
    return Totals(up, degraded, down, unknown, latency_sum_ms, low, high, tuple(buckets))


def bucket_of(latency_ms: int) -> int:
    """Index of the bucket that holds `latency_ms`."""
    return bisect_left(BOUNDS, latency_ms)


def percentile(buckets: Sequence[int], share: float, low: int, high: int) -> float | None:
    """The latency in ms that `share` of the counted ones did not exceed; `low` and `high` are the true extremes."""
    count = sum(buckets)
    if not count:
        return None
    rank = max(1, -(-count * share // 1))  # nearest rank, counted from 1
    below = 0
    for index, inside in enumerate(buckets):
        below += inside
        if inside and below >= rank:
            floor = BOUNDS[index - 1] + 1 if index else 0
            ceiling = BOUNDS[index] if index < len(BOUNDS) else max(high, floor)
            return min(max((max(floor, 1) * max(ceiling, 1)) ** 0.5 if ceiling else 0.0, low), high)
    return float(high)


def pack(hour: int, rows: Sequence[Row]) -> bytes:
    """Rows of one hour in order of time as bytes: varints column by column, deflated where that is shorter."""
    out = bytearray()
    _put(out, len(rows))
    before, step = hour * HOUR_MS, 0
    for at_ms, _, _ in rows:  # regular checks differ by nearly the same step: its change is a small number
        _put_signed(out, at_ms - before - step)
        before, step = at_ms, at_ms - before
    for outcome, times in _runs(outcome for _, outcome, _ in rows):
        _put(out, times * len(OUTCOMES) + outcome)
    middle = sorted(latency for _, _, latency in rows)[len(rows) // 2] if rows else 0
    _put(out, middle)
    for _, _, latency in rows:
        _put_signed(out, latency - middle)
    plain = bytes(out)
    shrink = zlib.compressobj(9, zlib.DEFLATED, _RAW_DEFLATE)
    small = shrink.compress(plain) + shrink.flush()
    return _DEFLATED + small if len(small) < len(plain) else _PLAIN + plain


def unpack(hour: int, raw: bytes) -> list[Row]:
    """The rows that `pack` was given. Raises ValueError for bytes that are none."""
    form, body = raw[:1], raw[1:]
    if form not in (_PLAIN, _DEFLATED):
        message = f"raw block begins with {form!r}"
        raise ValueError(message)
    try:
        numbers = _numbers(zlib.decompress(body, _RAW_DEFLATE) if form == _DEFLATED else body)
        count = next(numbers)
        return _rows(hour, count, numbers)
    except (zlib.error, StopIteration, IndexError) as error:
        message = "raw block is damaged"
        raise ValueError(message) from error


def _rows(hour: int, count: int, numbers: Iterator[int]) -> list[Row]:
    times, before, step = [], hour * HOUR_MS, 0
    for _ in range(count):
        step += _signed(next(numbers))
        before += step
        times.append(before)
    outcomes: list[int] = []
    while len(outcomes) < count:
        repeat, outcome = divmod(next(numbers), len(OUTCOMES))
        outcomes += [outcome] * repeat
    middle = next(numbers)
    return [(at_ms, outcome, middle + _signed(next(numbers))) for at_ms, outcome in zip(times, outcomes, strict=True)]


def pack_histogram(buckets: Sequence[int]) -> bytes:
    """Counts by bucket as pairs of bytes: distance from the last bucket in use, count as a varint."""
    out, last = bytearray(), 0
    for index, count in enumerate(buckets):
        if count:
            _put(out, index - last)
            _put(out, count)
            last = index
    return bytes(out)


def unpack_histogram(histogram: bytes) -> Iterator[tuple[int, int]]:
    """(bucket, count) of every bucket in use."""
    numbers, index = _numbers(histogram), 0
    for distance in numbers:
        index += distance
        yield index, next(numbers)


def _runs(values: Iterable[int]) -> Iterator[tuple[int, int]]:
    current, times = -1, 0
    for value in values:
        if value != current and times:
            yield current, times
            times = 0
        current, times = value, times + 1
    if times:
        yield current, times


def _put(out: bytearray, number: int) -> None:
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)


def _put_signed(out: bytearray, number: int) -> None:
    _put(out, number * 2 if number >= 0 else -number * 2 - 1)


def _signed(number: int) -> int:
    return number // 2 if number % 2 == 0 else -(number + 1) // 2


def _numbers(data: bytes) -> Iterator[int]:
    number, shift = 0, 0
    for byte in data:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield number
            number, shift = 0, 0
