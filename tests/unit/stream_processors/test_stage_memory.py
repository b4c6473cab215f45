"""The undecided memory: cut the stream anywhere, restore, and everything is decided the same."""

from __future__ import annotations

import tracemalloc

from dock_desk import OTHER, TAG, Desk, as_told, at, eyes, load, read, walk, whereabouts_of
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.reads import GateSignal, Read
from stream_processors.core.understanding import Understanding

RESTING_BYTES_MAX = 500


def scene() -> list[Read | GateSignal]:
    """Passages, a turn-back, lingering, cross-talk, zones and a conveyor, of several tags."""
    group = [f"{TAG}0{number}" for number in range(4)]
    found: list[Read | GateSignal] = [*eyes(31), *eyes(52, out=True)]
    for name in group:
        found += walk(10, identity=name)
        found += walk(45, out=True, identity=name)
    found += walk(12, identity=OTHER)
    found += [read("door-1", 3, 20 + n, -67.0, identity=OTHER) for n in range(25)]
    found += [read("door-2", 1 + n % 2, 30 + n * 0.2, -50.0 - abs(n - 5)) for n in range(10)]
    found += [read("door-2", 1, 51 + n * 0.2, -50.0, identity="raw:1") for n in range(10)]
    found += [read("zones", 1 + n // 20, 5 + n, -50.0, identity="raw:2") for n in range(60)]
    found += [read("zones", 2, 40 + n, -60.0, identity=group[0]) for n in range(5)]
    found += [read("scanner", 0, 15 + n * 0.6, None, identity="raw:3") for n in range(4)]
    found += [read("zones", 4, 33 + n * 0.5, -55.0, clock_s=400.0) for n in range(4)]
    return sorted(found, key=lambda one: one.received_us)


SCENE = scene()


class Keeper:
    """Feeds the scene second by second and keeps memory as the ledger would."""

    def __init__(self) -> None:
        self.desk = Desk(load("S-1", "door-1", "out", f"{TAG}00"))
        self.memory: dict[str, bytes] = {}
        self.done = 0

    def step(self, *, snapshot: bool) -> None:
        """What was received within 200 ms, and the tick behind it."""
        until = at(self.desk.now + 0.2)
        while self.done < len(SCENE) and SCENE[self.done].received_us < until:
            one = SCENE[self.done]
            self.done += 1
            if isinstance(one, Read):
                self.desk.give_late([one])
            else:
                self.desk._take(self.desk.stages.take_signals([one], "dock"))
        self.desk.tick()
        if snapshot:
            self.memory = self.desk.stages.memory_snapshot()
        else:
            values, removed = self.desk.stages.memory_change()
            assert not set(values) & set(removed)
            assert set(removed) <= set(self.memory), "only keys that were there are removed"
            for key in removed:
                del self.memory[key]
            self.memory.update(values)

    def restart(self) -> None:
        """Another worker takes over."""
        self.desk.stages = Understanding(self.desk.reference)
        shuffled = dict(sorted(self.memory.items(), reverse=True))
        self.desk.stages.restore(shuffled, whereabouts_of(self.desk.entries))


STEPS = 450


def run(cuts: set[int], snapshots: set[int]) -> Desk:
    keeper = Keeper()
    for number in range(STEPS):
        keeper.step(snapshot=number in snapshots)
        if number in cuts:
            keeper.restart()
    return keeper.desk


WHOLE = run(set(), set())


def test_the_scene_is_worth_cutting() -> None:
    assert len(WHOLE.entries) > 12
    assert len(WHOLE.evidence) > 15
    assert {"in door-1", "out door-1", "arrived a", "moved b", "in belt"} <= {
        told for row in WHOLE.evidence for told in WHOLE.told(row.identity)
    }
    assert WHOLE.opened()


@settings(max_examples=25, deadline=None)
@given(
    st.sets(st.integers(0, STEPS - 1), max_size=4),
    st.sets(st.integers(0, STEPS - 1), max_size=4),
)
def test_a_restart_anywhere_changes_no_decision(cuts: set[int], snapshots: set[int]) -> None:
    desk = run(cuts, snapshots)
    assert as_told(desk.entries) == as_told(WHOLE.entries)
    assert as_told(desk.evidence) == as_told(WHOLE.evidence)


def test_restarting_after_every_tick_changes_no_decision() -> None:
    desk = run(set(range(0, STEPS, 1)), {100, 200})
    assert as_told(desk.entries) == as_told(WHOLE.entries)
    assert as_told(desk.evidence) == as_told(WHOLE.evidence)


def test_what_rests_leaves_nothing_in_the_undecided_memory() -> None:
    desk = Desk()
    desk.give([read("zones", 1, 10 + n, identity=f"raw:{n}") for n in range(5)])
    desk.give([read("zones", 1, 11 + n, identity=f"raw:{n}") for n in range(5)])
    desk.wait(60)
    keys = desk.stages.memory_snapshot()
    assert {key[:2] for key in keys} <= {"d/", "t"}


def test_the_memory_tells_whose_it_is() -> None:
    desk = Desk()
    desk.give([*walk(10), read("zones", 2, 10, identity="raw:1/x|y")])
    keys = desk.stages.memory_snapshot()
    owners = {desk.stages.identity_of(key) for key in keys}
    assert owners == {TAG, "raw:1/x|y", None}


def test_quiet_ticks_change_nothing() -> None:
    desk = Desk()
    desk.give(walk(10))
    desk.wait(600)
    desk.stages.memory_change()
    desk.wait(5)
    assert desk.stages.memory_change() == ({}, [])


def test_a_resting_identity_costs_under_500_bytes() -> None:
    """Growth of traced memory over identities that arrived and rest, their names included."""
    count = 4_000
    desk = Desk()
    desk.wait(1)
    desk.give_late([read("zones", 1, 1 + n / 2, identity="raw:warm") for n in range(2)])
    desk.wait(15)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    stages = desk.stages
    for first in range(0, count, 100):
        for shift in (0.0, 0.5):
            stages.take_reads(
                [
                    read("zones", 1, 20 + shift, identity=_name(number))
                    for number in range(first, first + 100)
                ],
                "hall",
                at(20),
            )
    for _ in range(150):
        desk.now += 0.2
        stages.take_tick({"dock": at(desk.now), "hall": at(desk.now)}, at(desk.now))
        stages.memory_change()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(stages._state.records) == count + 1
    print(f"{grown / count:.0f} bytes for each resting identity")  # noqa: T201 - the figure.
    assert grown / count < RESTING_BYTES_MAX


def _name(number: int) -> str:
    return f"https://id.gs1.org/01/09506000134352/21/{number:012d}"


def test_ghosts_leave_no_record_behind() -> None:
    desk = Desk()
    desk.give([read("door-1", 1 + n % 4, 10 + n * 9, identity=f"raw:{n}") for n in range(50)])
    desk.wait(400)
    assert desk.stages._state.records == {}
    assert sum(desk.reads_told().values()) == 50
    assert desk.entries == []
