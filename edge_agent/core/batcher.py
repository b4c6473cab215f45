"""Batches by size and by age, and empty ones that keep the gateway's time moving.

Times are passed in: `at_us` is any steady clock's microseconds (wall time, never domain time,
because how long a batch may wait is a matter of transport).
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple, TypeVar

from contracts.reads import DeviceChange, GateSignal, Read, ReadBatch, Reject

BATCH_READS_MAX = 1_000
"""A record costs about a millisecond downstream whatever it holds; past this, latency suffers."""
BATCH_BYTES_MAX = 256_000
"""Estimated size of a batch, well under what a message may have on the wire."""
BATCH_AGE_US_MAX = 50_000
"""A read waits at the most so long for company."""
IDLE_US_MAX = 200_000
"""With nothing to send, an empty batch this often."""
READ_BYTES = 96
"""What a read takes beside its texts, about."""
OTHER_BYTES = 128
"""What a reject, signal or change takes beside its texts, about."""


class Heard(NamedTuple):
    """What one piece of input from a device led to, in order of arrival."""

    reads: tuple[Read, ...] = ()
    rejects: tuple[Reject, ...] = ()
    signals: tuple[GateSignal, ...] = ()
    changes: tuple[DeviceChange, ...] = ()


Item = TypeVar("Item", Read, Reject, GateSignal, DeviceChange)


class Batcher:
    """Gathers what devices heard; the caller asks when a batch is due and takes it."""

    def __init__(self, *, started_us: int) -> None:
        self._reads: deque[Read] = deque()
        self._rejects: deque[Reject] = deque()
        self._signals: deque[GateSignal] = deque()
        self._changes: deque[DeviceChange] = deque()
        self._bytes = 0
        self._since_us = 0
        self._taken_us = started_us

    def add(self, heard: Heard, at_us: int) -> None:
        """Take in what was heard. It may be more than a batch holds: it is then cut in several."""
        if self.is_empty:
            self._since_us = at_us
        self._reads.extend(heard.reads)
        self._rejects.extend(heard.rejects)
        self._signals.extend(heard.signals)
        self._changes.extend(heard.changes)
        self._bytes += sum(size(read) for read in heard.reads)
        for others in (heard.rejects, heard.signals, heard.changes):
            self._bytes += sum(size(other) for other in others)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits here."""
        return not (self._reads or self._rejects or self._signals or self._changes)

    @property
    def is_full(self) -> bool:
        """Whether a batch's worth waits here; who has more shall wait."""
        return len(self._reads) >= BATCH_READS_MAX or self._bytes >= BATCH_BYTES_MAX

    def due_us(self) -> int:
        """When, by the caller's steady clock, the next batch is due if nothing more comes."""
        if self.is_full:
            return 0
        if self.is_empty:
            return self._taken_us + IDLE_US_MAX
        return self._since_us + BATCH_AGE_US_MAX

    def oldest_us(self) -> int | None:
        """Domain time at which the oldest read or signal here was received."""
        waiting = [self._reads[0].received_us] if self._reads else []
        if self._signals:
            waiting.append(self._signals[0].received_us)
        return min(waiting, default=None)

    def take(self, at_us: int) -> ReadBatch:
        """The next batch, empty if nothing waits; its `gateway_us` is the caller's to set."""
        room = BATCH_BYTES_MAX
        reads, room = _take(self._reads, room)
        rejects, room = _take(self._rejects, room)
        signals, room = _take(self._signals, room)
        changes, room = _take(self._changes, room)
        self._bytes -= BATCH_BYTES_MAX - room
        self._since_us = at_us - BATCH_AGE_US_MAX  # What is left over has waited already.
        self._taken_us = at_us
        return ReadBatch(
            gateway_us=0, reads=reads, rejects=rejects, signals=signals, changes=changes
        )


def _take(waiting: deque[Item], room: int) -> tuple[tuple[Item, ...], int]:
    """As many of the oldest as fit in the room, and the room that is left (below 0: overdrawn)."""
    taken: list[Item] = []
    while waiting and room > 0 and len(taken) < BATCH_READS_MAX:
        item = waiting.popleft()
        room -= size(item)
        taken.append(item)
    return tuple(taken), room


def size(item: Read | Reject | GateSignal | DeviceChange) -> int:
    """About how many bytes an item takes on the wire."""
    match item:
        case Read():
            return READ_BYTES + len(item.identity) + len(item.evidence)
        case Reject():
            return OTHER_BYTES + len(item.reason) + len(item.raw)
        case GateSignal():
            return OTHER_BYTES
        case DeviceChange():
            return OTHER_BYTES + len(item.detail)
