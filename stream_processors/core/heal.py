"""Notices that what Kafka holds does not come to the ledger, which only a new run mends.

A tick is watched on its way (the *probe*). When the ledger is past it in every partition and a
spool is still not acknowledged up to what the tick claimed, then some partition withholds that
spool: it noticed a gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stream_processors.core.keys import SpoolKey

HEAL_AFTER_S = 5.0
"""So long the probe may fail: a sink that has just begun has not heard all partitions yet."""
STALLED_AFTER_S = 60.0
"""Nothing of a partition was committed for so long, not even ticks: a new run looks whether the
log is still whole."""


@dataclass(slots=True)
class Probe:
    """One tick that is watched."""

    claims: Mapping[SpoolKey, int]
    """What it said of each spool."""
    left: int
    """So many of its records Kafka has not acknowledged."""
    offsets: dict[int, int] = field(default_factory=dict)
    """Where it lies in each partition."""

    def delivered(self, partition: int, offset: int) -> None:
        """Kafka acknowledged the tick's record for a partition."""
        self.offsets[partition] = offset
        self.left -= 1


class Heal:
    """Compares what was claimed in the log with what the ledger says."""

    def __init__(
        self,
        *,
        now_s: float,
        heal_after_s: float = HEAL_AFTER_S,
        stalled_after_s: float = STALLED_AFTER_S,
    ) -> None:
        self._heal_after_s = heal_after_s
        self._stalled_after_s = stalled_after_s
        self._probe: Probe | None = None
        self._failing_since_s: float | None = None
        self._began_s = now_s
        self._moved: dict[int, tuple[int, float]] = {}

    def tick(self, claims: Mapping[SpoolKey, int], partitions: int) -> Probe | None:
        """A tick is sent: gives the probe if this is the one to watch."""
        if self._probe is not None or not claims:
            return None
        self._probe = Probe(claims=dict(claims), left=partitions)
        return self._probe

    def judge(
        self,
        acknowledged: Mapping[SpoolKey, int],
        next_offsets: Mapping[int, int],
        now_s: float,
    ) -> str | None:
        """Why a new run is needed, in words, or None. `next_offsets` were read first."""
        for partition, next_offset in next_offsets.items():
            before, since_s = self._moved.get(partition, (next_offset, self._began_s))
            if next_offset != before:
                since_s = now_s
            self._moved[partition] = (next_offset, since_s)
            if now_s - since_s >= self._stalled_after_s:
                return (
                    f"nothing of partition {partition} was committed for "
                    f"{self._stalled_after_s:g} s"
                )
        probe = self._probe
        if probe is None or probe.left > 0:
            return None
        if any(next_offsets.get(each, 0) <= offset for each, offset in probe.offsets.items()):
            return None
        missing = [key for key, claim in probe.claims.items() if acknowledged.get(key, 0) < claim]
        if not missing:
            self._probe = self._failing_since_s = None
            return None
        if self._failing_since_s is None:
            self._failing_since_s = now_s
        if now_s - self._failing_since_s < self._heal_after_s:
            return None
        gateway, spool = missing[0]
        return (
            f"partitions withhold spool {spool} of gateway {gateway} (acknowledged "
            f"{acknowledged.get(missing[0], 0)}, the log holds {probe.claims[missing[0]]})"
        )
