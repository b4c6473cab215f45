"""Undecided memory back out of the ledger, also where the log had another number of partitions.

Memory lies in the ledger by *holder*: number of partitions and partition. Each holder's memory
tells the run that it was written under, and logs follow each other in the order of runs. So of
each identity the newest memory is that of the holder with the highest run among those that the
identity hashes to: one for each number of partitions that there ever was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from contracts.ids import partition_of
from contracts.log import MemoryChange
from stream_processors.core.keys import SpoolKey

RUN = "p/run"
"""Key of the highest run that the partition saw."""
SEEN = "p/seen/"
"""Key of how far a holder saw a spool: `p/seen/{partitions}/{partition}/{gateway}/{spool}`."""
TIME = "p/time/"
"""Key of a gateway's time."""
BRIDGE = "p/bridge"
"""Key of the bridge's time by the last tick, about."""
STAGES = "s/"
"""Keys of the stages."""

_change = msgspec.msgpack.Decoder(MemoryChange)


class Holder(NamedTuple):
    """Whose memory it is."""

    partitions: int
    """How many partitions the log had."""
    partition: int
    """Which of them."""


@dataclass(slots=True)
class Restored:
    """What a partition begins with."""

    run: int = 0
    """The highest run seen."""
    seen: dict[Holder, dict[SpoolKey, int]] = field(default_factory=dict)
    """How far each holder, this one among them, saw each spool."""
    times: dict[str, int] = field(default_factory=dict)
    """Each gateway's time."""
    bridge_us: int = 0
    """The bridge's time, as the highest run knew it; 0: not told."""
    stages: dict[str, bytes] = field(default_factory=dict)
    """The stages' memory, keys without prefix."""


def seen_key(holder: Holder, key: SpoolKey) -> str:
    """The key under which a holder's place in a spool is kept."""
    return f"{SEEN}{holder.partitions}/{holder.partition}/{key[0]}/{key[1]}"


def restored(
    rows: Iterable[tuple[int, int, int, bytes]],
    own: Holder,
    identity_of: Callable[[str], str | None],
) -> Restored:
    """What `own` begins with. `rows`: partitions, partition, ordinal, change; in order."""
    memories = _memories(rows)
    runs = {holder: int(values.get(RUN, b"0")) for holder, values in memories.items()}
    newest = max(runs.values(), default=0)
    result = Restored(run=newest)
    if runs.get(own) == newest and own in runs:
        # Nobody wrote after it under another number of partitions: it has everything.
        memories = {own: memories[own]}
        runs = {own: runs[own]}
    for holder in sorted(memories, key=lambda each: runs[each]):
        mine = _Mine(own, holder, runs)
        for key, value in memories[holder].items():
            if key.startswith(STAGES):
                name = key.removeprefix(STAGES)
                if mine.has(identity_of(name)):
                    result.stages[name] = value
            elif key.startswith(SEEN):
                _keep_seen(result.seen, key, int(value))
            elif key == BRIDGE and runs[holder] == newest:
                result.bridge_us = max(result.bridge_us, int(value))
            elif key.startswith(TIME):
                gateway = key.removeprefix(TIME)
                time_us = int(value)
                result.times[gateway] = min(time_us, result.times.get(gateway, time_us))
    return result


class _Mine:
    """Whether a holder's memory of an identity is the newest, and is for us."""

    def __init__(self, own: Holder, holder: Holder, runs: Mapping[Holder, int]) -> None:
        self._own = own
        self._holder = holder
        self._runs = runs
        self._counts = {each.partitions for each in runs}

    def has(self, identity: str | None) -> bool:
        """Memory that belongs to no identity is everybody's."""
        if identity is None or (self._holder == self._own and len(self._runs) == 1):
            return True
        if partition_of(identity, self._own.partitions) != self._own.partition:
            return False
        holders = (Holder(count, partition_of(identity, count)) for count in self._counts)
        newest = max((each for each in holders if each in self._runs), key=self._runs.__getitem__)
        return newest == self._holder


def _memories(rows: Iterable[tuple[int, int, int, bytes]]) -> dict[Holder, dict[str, bytes]]:
    """Each holder's memory: its changes applied in order."""
    memories: dict[Holder, dict[str, bytes]] = {}
    for partitions, partition, _, raw in rows:
        change = _change.decode(raw)
        values = memories.setdefault(Holder(partitions, partition), {})
        if change.snapshot:
            values.clear()
        for key in change.removed:
            values.pop(key, None)
        values.update(change.values)
    return memories


def _keep_seen(seen: dict[Holder, dict[SpoolKey, int]], key: str, sequence: int) -> None:
    """Holders tell of each other; the furthest is true."""
    partitions, partition, gateway, spool = key.removeprefix(SEEN).split("/")
    places = seen.setdefault(Holder(int(partitions), int(partition)), {})
    places[gateway, spool] = max(sequence, places.get((gateway, spool), 0))
