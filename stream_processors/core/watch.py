"""Notices that a worker's outputs do not come to the ledger."""

from __future__ import annotations

from enum import Enum

STALLED_AFTER_S = 10.0
"""Ticks were sent and the position stood still for so long: an output may have been lost."""
STALLED_AFTER_S_MAX = 300.0
"""The wait doubles while it does not help (the sink is down, say), up to this."""


class Verdict(Enum):
    """What a worker does about a partition."""

    FINE = "fine"
    """Go on."""
    SUPERSEDED = "superseded"
    """Another worker took the partition: stop working on it, write nothing more."""
    STALLED = "stalled"
    """Take a new epoch and begin again at the ledger's position."""


class CommitWatch:
    """Watches one partition's position in the ledger; `now_s` is monotonic wall time.

    One `CommitWatch` lives as long as the partition is assigned, over several epochs.
    """

    def __init__(self, *, stalled_after_s: float = STALLED_AFTER_S) -> None:
        self._first_wait_s = stalled_after_s
        self._wait_s = stalled_after_s
        self._epoch = 0
        self._next_offset = 0
        self._ticked = 0
        self._since_s = 0.0

    def began(self, epoch: int, next_offset: int, now_s: float) -> None:
        """The partition was loaded under a new epoch."""
        if next_offset > self._next_offset:
            self._wait_s = self._first_wait_s
        self._epoch, self._next_offset = epoch, next_offset
        self._ticked = 0
        self._since_s = now_s

    def ticked(self, offset: int, now_s: float) -> None:
        """The output of the tick at a source offset was sent: a commit should follow."""
        if self._ticked <= self._next_offset:
            self._since_s = now_s
        self._ticked = offset + 1

    def judge(self, epoch: int, next_offset: int, now_s: float) -> Verdict:
        """What follows from the ledger's row of the partition (asked for about once a second)."""
        if epoch != self._epoch:
            return Verdict.SUPERSEDED
        if next_offset > self._next_offset:
            self._next_offset = next_offset
            self._since_s = now_s
            self._wait_s = self._first_wait_s
        if self._ticked <= self._next_offset or now_s - self._since_s < self._wait_s:
            return Verdict.FINE
        self._wait_s = min(2 * self._wait_s, STALLED_AFTER_S_MAX)
        return Verdict.STALLED
