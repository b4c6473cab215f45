"""An agent's disk, as simple as it can be; the real spool runs in some seeds, too."""

from __future__ import annotations

from contracts.codec import encode
from contracts.reads import ReadBatch, SpooledBatch


class MemorySpool:
    """A spool in memory."""

    def __init__(self, spool: str) -> None:
        self.id = spool
        self.lowest = 1
        self.sequence = 0
        self._batches: dict[int, bytes] = {}

    def put(self, batch: ReadBatch, *, at_us: int) -> int | None:
        """Keep a batch."""
        del at_us
        self.sequence += 1
        self._batches[self.sequence] = encode(batch)
        return self.sequence

    def take(self, first: int, count: int) -> list[SpooledBatch]:
        """Batches in order."""
        start = max(first, self.lowest)
        return [
            SpooledBatch(
                spool=self.id, sequence=each, lowest=self.lowest, payload=self._batches[each]
            )
            for each in range(start, min(start + count, self.sequence + 1))
        ]

    def acknowledge(self, sequence: int) -> bool:
        """Forget batches."""
        if sequence < self.lowest:
            return False
        for each in range(self.lowest, sequence + 1):
            del self._batches[each]
        self.lowest = sequence + 1
        return True
