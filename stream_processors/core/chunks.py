"""An output in as many messages as its size asks for.

A tick after a quiet hour may close ten thousand windows, and a snapshot holds a partition's whole
undecided memory: neither fits into one message of the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from contracts.codec import encode
from contracts.events import Entry, Evidence
from contracts.log import MemoryChange, Output, SpoolProgress, TickOutput

CHUNK_BYTES_MAX = 400_000
"""Estimated; what a log takes is about a million, and one thing alone may be large."""
ROW_BYTES = 200
"""What an entry or sighting takes beside its payload, about."""
VALUE_BYTES = 16
"""What a value of the memory takes beside key and bytes, about."""


@dataclass(slots=True)
class Memory:
    """A change of the undecided memory on its way out."""

    snapshot: bool
    values: dict[str, bytes]
    removed: list[str]

    @property
    def size(self) -> int:
        """Estimated bytes."""
        return sum(len(key) + len(value) + VALUE_BYTES for key, value in self.values.items()) + sum(
            len(key) + VALUE_BYTES for key in self.removed
        )


@dataclass(slots=True)
class _Chunk:
    entries: list[Entry] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    values: dict[str, bytes] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    size: int = 0


def outputs(
    base: Output,
    entries: Iterable[Entry],
    evidence: Iterable[Evidence],
    tick: TickOutput | None = None,
    memory: Memory | None = None,
    *,
    chunk_bytes_max: int = CHUNK_BYTES_MAX,
) -> list[Output]:
    """The output's chunks; `base` gives log, partition, offset and epoch."""
    chunks = [_Chunk()]

    def room(size: int) -> _Chunk:
        if chunks[-1].size + size > chunk_bytes_max and chunks[-1].size:
            chunks.append(_Chunk())
        chunks[-1].size += size
        return chunks[-1]

    for entry in entries:
        room(len(entry.payload) + ROW_BYTES).entries.append(entry)
    for sighting in evidence:
        room(len(sighting.payload) + ROW_BYTES).evidence.append(sighting)
    first = len(chunks) - 1
    if memory is not None:
        for key, value in memory.values.items():
            room(len(key) + len(value) + VALUE_BYTES).values[key] = value
        for key in memory.removed:
            room(len(key) + VALUE_BYTES).removed.append(key)
    return [
        Output(
            log=base.log,
            partition=base.partition,
            offset=base.offset,
            epoch=base.epoch,
            chunk=number,
            more=number < len(chunks) - 1,
            entries=tuple(chunk.entries),
            evidence=tuple(chunk.evidence),
            tick=_share(tick, chunk, memory, first=number == first, last=number == len(chunks) - 1),
        )
        for number, chunk in enumerate(chunks)
    ]


def _share(
    tick: TickOutput | None, chunk: _Chunk, memory: Memory | None, *, first: bool, last: bool
) -> TickOutput | None:
    """A chunk's share of a tick; the first share of a snapshot says that it is one."""
    if tick is None:
        return None
    change = b""
    snapshot = memory is not None and memory.snapshot and first
    if chunk.values or chunk.removed or snapshot:
        change = encode(
            MemoryChange(snapshot=snapshot, values=chunk.values, removed=tuple(chunk.removed))
        )
    spools: tuple[SpoolProgress, ...] = tick.spools if last else ()
    return TickOutput(
        run=tick.run, number=tick.number, bridge_us=tick.bridge_us, spools=spools, memory=change
    )
