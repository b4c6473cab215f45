"""A histogram of latencies whose buckets grow by a twentieth, so a percentile is that exact."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

GROWTH = 1.05
"""Each bucket's upper bound is so many times the one before."""
LOWEST_US = 1_000
"""All below one millisecond is one bucket."""


def bucket_us(latency_us: int) -> int:
    """The upper bound, in us and inclusive, of the bucket that a latency falls in."""
    if latency_us <= LOWEST_US:
        return LOWEST_US
    step = math.ceil(math.log(latency_us / LOWEST_US, GROWTH)) - 1
    # The logarithm is only nearly exact, and bounds are whole microseconds.
    while _bound(step) < latency_us:
        step += 1
    return _bound(step)


def _bound(step: int) -> int:
    return round(LOWEST_US * GROWTH**step)


def histogram(latencies_us: Iterable[int]) -> dict[int, int]:
    """Upper bound of each bucket to how many latencies fall in it."""
    counts: dict[int, int] = {}
    for latency_us in latencies_us:
        bound = bucket_us(latency_us)
        counts[bound] = counts.get(bound, 0) + 1
    return counts


def percentile_us(counts: Mapping[int, int], share: float) -> int | None:
    """The bound below which this share (0 to 1) of the latencies lie; None where there are none."""
    total = sum(counts.values())
    if total == 0:
        return None
    wanted = math.ceil(total * share)
    reached = 0
    for bound in sorted(counts):
        reached += counts[bound]
        if reached >= wanted:
            return bound
    return max(counts)
