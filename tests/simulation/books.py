"""What truly happened, and what the ledger makes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from contracts.codec import decode_json
from contracts.events import Entry, EntryKind
from contracts.log import MemoryChange
from contracts.reads import DeviceChange, Loss, ReadBatch, Reject
from ledger_sink.core.admission import CommitPlan
from stream_processors.core.restore import STAGES
from tests.simulation.loop import ViolationError
from tests.simulation.stages import reads_in

_change = msgspec.msgpack.Decoder(MemoryChange)
Place = tuple[str, int]
"""Spool and sequence."""


def others_of(batch: ReadBatch) -> list[str]:
    """The names of all but the reads that a batch carries and that must reach the ledger once."""
    return [
        *(reject.raw.decode() for reject in batch.rejects),
        *(change.detail for change in batch.changes),
    ]


class Books:
    """One world's.

    The simulation's own stages tell each read by name. The product's stages tell how many reads
    of an identity a sighting merges (`by_name` False): then the sums must agree.
    """

    def __init__(self, *, by_name: bool) -> None:
        self._by_name = by_name
        self._reads: dict[Place, Counter[str]] = {}
        self._due: Counter[str] = Counter()
        self._excused: Counter[str] = Counter()
        self._counted: Counter[str] = Counter()
        self._spooled: dict[Place, list[str]] = {}
        self._gone: set[Place] = set()
        self._forgotten: dict[str, int] = {}
        self.entered: Counter[str] = Counter()
        """How often each thing was entered."""
        self._memory: dict[tuple[int, int], dict[str, list[str]]] = {}
        self._losses: list[Loss] = []
        self._missing: set[str] = set()

    @property
    def things(self) -> int:
        """How many reads, rejects and changes reached a spool."""
        return sum(map(len, self._spooled.values())) + self._due.total()

    def spooled(self, spool: str, sequence: int, batch: ReadBatch) -> bool:
        """A batch is on an agent's disk; whether it carries anything."""
        things = others_of(batch)
        if self._by_name:
            things += [read.evidence.decode() for read in batch.reads]
        else:
            self._reads[spool, sequence] = Counter(read.identity for read in batch.reads)
            self._due += self._reads[spool, sequence]
        self._spooled[spool, sequence] = things
        self._missing.update(things)
        return bool(things or batch.reads)

    def destroyed(self, spool: str, sequences: Iterable[int]) -> None:
        """A disk was lost, or its lowest batches: what was on it need not come."""
        for sequence in sequences:
            self._gone.add((spool, sequence))
            self._missing.difference_update(self._spooled[spool, sequence])
            self._excused += self._reads.get((spool, sequence), Counter())

    def committed(self, plan: CommitPlan, partitions: int) -> None:
        """A transaction of the sink is done."""
        for step in plan.steps:
            for sighting in step.evidence:
                if not self._by_name:
                    self._counted[sighting.identity] += sighting.reads
                    continue
                names = msgspec.json.decode(sighting.payload, type=list[str])
                if len(names) != sighting.reads:
                    raise ViolationError(f"a sighting of {names} says {sighting.reads} reads")
                self._enter(names)
            for entry in step.entries:
                self._enter(self._things_of_entry(entry))
            if self._by_name:
                self._remember((partitions, step.commit.partition), step.commit.memory)

    def forgets(self, spool: str, lowest: int, sequence: int) -> None:
        """An agent is about to forget batches: is all of them in the ledger?"""
        held: set[str] | None = None
        if not self._by_name:
            return
        for each in range(lowest, sequence + 1):
            for name in self._spooled[spool, each]:
                if self.entered[name]:
                    continue
                if held is None:
                    held = self._in_memory()
                if name not in held:
                    raise ViolationError(
                        f"batch {each} of spool {spool} was acknowledged, and {name} of it is "
                        "neither entered nor in the ledger's memory"
                    )

    @property
    def is_balanced(self) -> bool:
        """Whether nothing is missing any more."""
        return not self._missing and not self._due - self._counted - self._excused

    def check(self) -> None:
        """Lost 0, twice 0. Raises ViolationError."""
        twice = sorted(name for name, times in self.entered.items() if times > 1)
        if twice:
            raise ViolationError(f"entered twice: {', '.join(twice[:5])} ({len(twice)} in all)")
        if self._missing:
            lost = sorted(self._missing)
            raise ViolationError(f"lost: {', '.join(lost[:5])} ({len(lost)} in all)")
        for identity, due in self._due.items():
            counted, excused = self._counted[identity], self._excused[identity]
            if not due - excused <= counted <= due:
                raise ViolationError(
                    f"{identity} was read {due} times ({excused} of them destroyed), and "
                    f"{counted} reads of it were entered"
                )
        known = {name for things in self._spooled.values() for name in things}
        strange = sorted(set(self.entered) - known - {""})
        if strange:
            raise ViolationError(f"entered and never read: {', '.join(strange[:5])}")
        for loss in self._losses:
            for sequence in range(loss.first_sequence, loss.last_sequence + 1):
                if (loss.spool, sequence) not in self._gone:
                    raise ViolationError(
                        f"batch {sequence} of spool {loss.spool} was told as lost, and is not"
                    )

    def _enter(self, names: Iterable[str]) -> None:
        for name in names:
            self.entered[name] += 1
            self._missing.discard(name)
            if self.entered[name] > 1:
                raise ViolationError(f"{name} was entered twice")

    def _things_of_entry(self, entry: Entry) -> list[str]:
        if entry.kind == EntryKind.REJECT:
            raw = decode_json(Reject, entry.payload).raw
            return [raw.decode()] if raw.startswith(b"reject ") else []
        if entry.kind == EntryKind.DEVICE:
            return [decode_json(DeviceChange, entry.payload).detail]
        if entry.kind == EntryKind.LOSS:
            self._losses.append(decode_json(Loss, entry.payload))
        return []

    def _remember(self, holder: tuple[int, int], raw: bytes) -> None:
        if not raw:
            return
        change = _change.decode(raw)
        held = self._memory.setdefault(holder, {})
        if change.snapshot:
            held.clear()
        for key in change.removed:
            held.pop(key, None)
        for key, value in change.values.items():
            if key.startswith(STAGES):
                held[key] = reads_in(value)

    def _in_memory(self) -> set[str]:
        return {name for held in self._memory.values() for names in held.values() for name in names}
