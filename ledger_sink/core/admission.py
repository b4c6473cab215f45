"""Which outputs enter the ledger, and when: the last gate before the commit.

Per partition exactly the next output of the current epoch is admitted; what is older, comes twice
or was made by a worker that lost its partition is ignored. Outputs are only gathered until a
tick's output is complete: then everything of the partition up to there is one step, and `ready`
plans one transaction of such steps. The transaction itself compares log, epoch and offset with
the ledger's row once more (`Ledger.commit_partition`), so that a sink that was stopped and
continued cannot write.

How a sink uses it::

    admission = Admission(ledger.positions(), ledger.acknowledged())   # seek to events_offset each
    admission.receive(output, events_offset)                           # for each record
    plan = admission.ready()                                           # now and then
    with ledger.transaction():                                         # all of plan.steps
        ...                                                            # False from one: roll back,
    admission.committed(plan)                                          # else: publish what it gives
    admission.refused(partition)                                       # the one that gave False
    for partition in admission.reloads():                              # at the most once a second:
        admission.reload(position)                                     # as the ledger has it now,
        ...                                                            # seek to its events_offset

`reloads` names partitions that were refused, or whose next output is missing while later ones
came. If it is still missing when all is read again, the worker notices that nothing is committed
and begins again under a new epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

import msgspec

from contracts.codec import encode
from contracts.events import Entry, Evidence
from contracts.log import MemoryChange, Output, SpoolProgress
from ledger_sink.ledger import PartitionCommit, Position, SpoolAcknowledged

PLAN_ENTRIES_MAX = 20_000
"""A plan stops growing past so many entries and sightings, so that a backlog after an outage is
committed in steps and a transaction stays short."""

SpoolKey = tuple[str, str]
"""Gateway and spool: a copied disk on another gateway is another spool."""

_memory = msgspec.msgpack.Decoder(MemoryChange)


class Verdict(Enum):
    """What became of an output."""

    ADMITTED = "admitted"
    """It is the next one; it waits for its tick."""
    REPEATED = "repeated"
    """It was admitted or committed before; nothing is to be done."""
    STALE = "stale"
    """An older epoch or another log: a worker wrote that had lost its partition."""
    AHEAD = "ahead"
    """Outputs before it are missing; it is dropped, and read again after a `reload`."""
    WAITING = "waiting"
    """The partition waits for `reload`; it is dropped and will be read again after the seek."""


class Step(NamedTuple):
    """All that one partition adds to the ledger from one barrier to a later one."""

    commit: PartitionCommit
    """The compare-and-set that admits it."""
    entries: tuple[Entry, ...]
    """To be appended, in order."""
    evidence: tuple[Evidence, ...]
    """Sightings to be kept."""


class CommitPlan(NamedTuple):
    """One transaction."""

    steps: tuple[Step, ...]
    """One for each partition that is ready."""
    outputs: int
    """How many outputs it comes from."""


class _Waiting(NamedTuple):
    """An output that was admitted and waits for its commit."""

    output: Output
    events_offset: int


@dataclass(slots=True)
class _Partition:
    """One partition as this sink knows it."""

    position: Position
    """What the ledger holds, as far as we know; the epoch is the newest that was heard of."""
    buffer: list[_Waiting] = field(default_factory=list)
    """Admitted, not committed, in order."""
    ready: int = 0
    """So many of them, from the front, end at a complete tick."""
    offset: int = 0
    """The source offset admitted next."""
    chunk: int = 0
    """Its chunk admitted next."""
    refused: bool = False
    """True: the ledger did not agree with `position`; nothing is admitted until `reload`."""
    behind: bool = False
    """True: an output came while one before it was missing."""
    coverage: dict[SpoolKey, int] = field(default_factory=dict)
    """Committed: up to which batch the partition holds each spool."""

    def begin(self, position: Position) -> None:
        """Start from a position with nothing gathered."""
        self.position = position
        self.buffer.clear()
        self.ready = 0
        self.offset = position.next_offset
        self.chunk = 0
        self.refused = False
        self.behind = False


class Admission:
    """Admits outputs and plans commits for one log. Another log: another `Admission`."""

    def __init__(
        self,
        positions: Sequence[Position],
        acknowledged: Iterable[SpoolAcknowledged] = (),
        *,
        plan_entries_max: int = PLAN_ENTRIES_MAX,
    ) -> None:
        """Start from the ledger's positions (all partitions of the current log)."""
        self._plan_entries_max = plan_entries_max
        self._partitions: dict[int, _Partition] = {}
        for position in positions:
            partition = _Partition(position)
            partition.begin(position)
            self._partitions[position.partition] = partition
        self._acknowledged: dict[SpoolKey, int] = {
            (row.gateway, row.spool): row.sequence for row in acknowledged
        }

    @property
    def waiting(self) -> int:
        """How many outputs are gathered and not committed: pause reading above a bound."""
        return sum(len(partition.buffer) for partition in self._partitions.values())

    def receive(self, output: Output, events_offset: int) -> Verdict:
        """Take an output that lies at `events_offset` of its partition of topic `events`."""
        partition = self._partitions.get(output.partition)
        if partition is None or output.log != partition.position.log:
            return Verdict.STALE
        if partition.refused:
            return Verdict.WAITING
        if output.epoch < partition.position.epoch:
            return Verdict.STALE
        if output.epoch > partition.position.epoch:
            # Epochs come from the ledger alone, so a higher one means that the worker before lost
            # the partition: nothing more of it can be committed, and what it left here is void.
            partition.begin(partition.position._replace(epoch=output.epoch))
        place, expected = (output.offset, output.chunk), (partition.offset, partition.chunk)
        if place < expected:
            return Verdict.REPEATED
        if place > expected:
            partition.behind = True
            return Verdict.AHEAD
        partition.buffer.append(_Waiting(output, events_offset))
        if output.more:
            partition.chunk += 1
        else:
            partition.offset, partition.chunk = output.offset + 1, 0
            if output.tick is not None:
                partition.ready = len(partition.buffer)
        return Verdict.ADMITTED

    def ready(self) -> CommitPlan | None:
        """All that can be committed now, or None. Changes nothing: see `committed`."""
        steps: list[Step] = []
        outputs = room = 0
        for partition in self._partitions.values():
            if not partition.ready or (steps and room >= self._plan_entries_max):
                continue
            count = _cut(partition, self._plan_entries_max - room)
            step = _step(partition.position, partition.buffer[:count])
            steps.append(step)
            outputs += count
            room += len(step.entries) + len(step.evidence)
        return CommitPlan(tuple(steps), outputs) if steps else None

    def committed(self, plan: CommitPlan) -> list[SpoolAcknowledged]:
        """The plan's transaction is done: gives the acknowledgements that rose by it."""
        for step in plan.steps:
            partition = self._partitions[step.commit.partition]
            if partition.refused or partition.position.epoch != step.commit.epoch:
                # A newer epoch was heard of while the older one's last commit was under way: it
                # starts where that commit ends, so what came of it meanwhile was not admitted.
                self.refused(step.commit.partition)
            else:
                self._move(partition, step.commit)
            for progress in step.commit.spools:
                key = (progress.gateway, progress.spool)
                partition.coverage[key] = max(partition.coverage.get(key, 0), progress.sequence)
        return self._risen()

    def refused(self, partition: int) -> None:
        """The ledger's row differs: drop what is gathered and wait for `reload`."""
        state = self._partitions[partition]
        state.begin(state.position)
        state.refused = True

    def reloads(self) -> list[int]:
        """Partitions to `reload` and to seek."""
        return [
            number
            for number, partition in self._partitions.items()
            if partition.refused or partition.behind
        ]

    def reload(self, position: Position) -> None:
        """Go on from what the ledger holds; the caller seeks to `position.events_offset`."""
        self._partitions[position.partition].begin(position)

    def acknowledgements(self) -> list[SpoolAcknowledged]:
        """All that is known to be acknowledged: to be published again after a reconnection."""
        return [
            SpoolAcknowledged(gateway, spool, sequence)
            for (gateway, spool), sequence in self._acknowledged.items()
        ]

    @staticmethod
    def _move(partition: _Partition, commit: PartitionCommit) -> None:
        """Drop what was committed from the front of the buffer."""
        assert partition.position.next_offset == commit.from_offset, "commits follow each other"
        count = next(
            (
                place
                for place, waiting in enumerate(partition.buffer)
                if waiting.output.offset >= commit.to_offset
            ),
            len(partition.buffer),
        )
        del partition.buffer[:count]
        partition.ready -= count
        assert partition.ready >= 0, "a plan ends at a tick that is ready"
        partition.position = partition.position._replace(
            next_offset=commit.to_offset, events_offset=commit.events_offset
        )

    def _risen(self) -> list[SpoolAcknowledged]:
        """Acknowledgements that all partitions now allow and that are new."""
        first, *others = self._partitions.values()
        risen = []
        for key, sequence in first.coverage.items():
            lowest = min([sequence, *(other.coverage.get(key, 0) for other in others)])
            if lowest > self._acknowledged.get(key, 0):
                self._acknowledged[key] = lowest
                risen.append(SpoolAcknowledged(*key, lowest))
        return risen


def _cut(partition: _Partition, room: int) -> int:
    """How many outputs, up to a complete tick: at least one tick, then while there is room."""
    taken = count = 0
    for place, waiting in enumerate(partition.buffer[: partition.ready]):
        taken += len(waiting.output.entries) + len(waiting.output.evidence)
        if waiting.output.tick is not None and not waiting.output.more:
            count = place + 1
            if taken >= room:
                break
    return count


def _step(position: Position, waiting: Sequence[_Waiting]) -> Step:
    """The step that a row of outputs makes."""
    last = waiting[-1]
    memory, snapshot = _merged_memory(waiting)
    return Step(
        commit=PartitionCommit(
            log=position.log,
            partition=position.partition,
            epoch=position.epoch,
            from_offset=position.next_offset,
            to_offset=last.output.offset + 1,
            events_offset=last.events_offset + 1,
            spools=_merged_spools(waiting),
            memory=memory,
            snapshot=snapshot,
        ),
        entries=tuple(entry for each in waiting for entry in each.output.entries),
        evidence=tuple(sighting for each in waiting for sighting in each.output.evidence),
    )


def _merged_spools(waiting: Sequence[_Waiting]) -> tuple[SpoolProgress, ...]:
    """How far the partition holds each spool at the end of a row of outputs."""
    spools: dict[SpoolKey, SpoolProgress] = {}
    for each in waiting:
        for progress in each.output.tick.spools if each.output.tick else ():
            key = (progress.gateway, progress.spool)
            before = spools.get(key)
            if before is None or progress.sequence > before.sequence:
                spools[key] = progress
    return tuple(spools.values())


def _merged_memory(waiting: Sequence[_Waiting]) -> tuple[bytes, bool]:
    """One change that stands for all changes of a row of outputs; empty bytes: none."""
    raw = [each.output.tick.memory for each in waiting if each.output.tick]
    changes = [_memory.decode(each) for each in raw if each]
    if len(changes) == 1:
        return next(each for each in raw if each), changes[0].snapshot
    values: dict[str, bytes] = {}
    removed: set[str] = set()
    snapshot = False
    for change in changes:
        if change.snapshot:
            values, removed, snapshot = {}, set(), True
        for key in change.removed:
            values.pop(key, None)
        removed.update(change.removed)
        values.update(change.values)
        removed.difference_update(change.values)
    if not changes:
        return b"", False
    merged = MemoryChange(
        snapshot=snapshot, values=values, removed=() if snapshot else tuple(sorted(removed))
    )
    return encode(merged), snapshot
