"""One transaction of the sink: what stages hear of, what is kept, and what a refusal undoes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from contracts.events import Entry, Evidence
from ledger_sink.commit import LEASE, LeaseLostError, commit
from ledger_sink.core.admission import CommitPlan, Step
from ledger_sink.memory_ledger import MemoryLedger
from tests.unit.ledger_sink.ledger_builders import passage, progress, sighting_of, step


class Notes:
    """A stage that notes what it hears, and says something of its own about it."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def take(self, entries: Sequence[Entry], gateways: Mapping[str, int]) -> list[Entry]:
        """Note, and answer the first passage of each call with another."""
        del gateways
        self.heard += [entry.id for entry in entries]
        return [passage(100 + len(self.heard))] if entries else []

    def memory(self) -> bytes | None:
        """All that was heard."""
        return " ".join(self.heard).encode()

    def restore(self, raw: bytes) -> None:
        """Not needed here."""


class Room:
    """A ledger with an open log, and the sink's lease."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger("demo", wall_seconds=lambda: 0.0)
        bridge = self.ledger.take_lease("bridge", "b", 1000.0)
        assert bridge is not None
        assert self.ledger.open_log(bridge, "l1", 2, "first", 5)
        for partition in (0, 1):
            assert self.ledger.take_epoch("l1", partition, "w") == (1, 0)
        run = self.ledger.take_lease(LEASE, "s", 1000.0)
        assert run is not None
        self.run = run
        self.notes = Notes()

    def commit(self, *steps: Step) -> tuple[tuple[int, ...], list[str]]:
        """Who was refused, and the ids of what is new."""
        done = commit(
            self.ledger,
            CommitPlan(steps, len(steps)),
            run=self.run,
            stages={"notes": self.notes},
            gateways={},
            recorded_us=7,
        )
        return done.refused, [entry.id for entry in done.entries]


def step_of(
    partition: int, from_offset: int, entries: Sequence[Entry], evidence: Sequence[Evidence] = ()
) -> Step:
    made = step(partition, from_offset, spools=(progress(from_offset + 1),))
    return Step(made, tuple(entries), tuple(evidence))


def test_a_stage_hears_of_what_is_new_only_and_its_own_is_entered_too() -> None:
    room = Room()
    refused, new = room.commit(step_of(0, 0, [passage(1)]), step_of(1, 0, [passage(2)]))
    assert refused == ()
    assert new == [passage(1).id, passage(2).id, passage(102).id]
    forged = passage(1, happened_us=99)
    _, new = room.commit(step_of(0, 10, [passage(1), forged, passage(3)]))
    assert new == [passage(3).id, passage(103).id]
    assert room.notes.heard == [passage(1).id, passage(2).id, passage(3).id]
    assert room.ledger.stage_memory("notes") == room.notes.memory()


def test_one_refused_partition_undoes_the_whole_and_no_stage_hears_of_it() -> None:
    room = Room()
    refused, new = room.commit(
        step_of(0, 0, [passage(1)], [sighting_of(1)]), step_of(1, 10, [passage(2)])
    )
    assert (refused, new) == ((1,), [])
    assert room.notes.heard == []
    assert [position.next_offset for position in room.ledger.positions()] == [0, 0]
    assert room.ledger.whereabouts(1, 0) == []
    assert room.ledger.add_evidence([sighting_of(1)], 7) == 1


def test_without_the_lease_nothing_is_done() -> None:
    room = Room()
    room.run += 1
    with pytest.raises(LeaseLostError):
        room.commit(step_of(0, 0, [passage(1)]))
    assert room.notes.heard == []
    assert [position.next_offset for position in room.ledger.positions()] == [0, 0]
