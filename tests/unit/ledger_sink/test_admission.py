"""Which outputs enter the ledger, and when."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as some

from contracts.codec import encode
from contracts.events import Entry, Evidence
from contracts.log import MemoryChange, Output, SpoolProgress, TickOutput
from ledger_sink.core.admission import Admission, CommitPlan, Verdict
from ledger_sink.ledger import PartitionCommit, Position, SpoolAcknowledged

SPOOL = "a" * 32


def position(partition: int = 0, *, epoch: int = 1, next_offset: int = 0) -> Position:
    return Position("log", partition, epoch, next_offset, next_offset * 10)


def entry(name: str) -> Entry:
    return Entry(id=name, kind="device", happened_us=1, identity=None, location=None, payload=b"{}")


def sighting(name: str) -> Evidence:
    return Evidence(
        id=name,
        entry=None,
        identity="tag",
        location="stage",
        first_us=1,
        last_us=2,
        reads=3,
        payload=b"{}",
    )


def said(sequence: int = 0, memory: MemoryChange | None = None) -> TickOutput:
    progress = SpoolProgress(gateway="dock", spool=SPOOL, sequence=sequence, gateway_us=1)
    return TickOutput(
        run=1,
        number=1,
        bridge_us=1,
        spools=(progress,) if sequence else (),
        memory=b"" if memory is None else encode(memory),
    )


def output(
    offset: int,
    *,
    partition: int = 0,
    epoch: int = 1,
    tick: TickOutput | None = None,
    entries: tuple[Entry, ...] = (),
) -> Output:
    return Output(
        log="log", partition=partition, offset=offset, epoch=epoch, tick=tick, entries=entries
    )


def commits(plan: CommitPlan | None) -> list[PartitionCommit]:
    return [] if plan is None else [step.commit for step in plan.steps]


def test_only_the_next_offset_is_admitted() -> None:
    admission = Admission([position(next_offset=5)])
    assert admission.receive(output(4), 40) is Verdict.REPEATED
    assert admission.receive(output(6), 41) is Verdict.AHEAD
    assert admission.receive(output(5), 42) is Verdict.ADMITTED
    assert admission.receive(output(5), 43) is Verdict.REPEATED
    assert admission.receive(output(6), 44) is Verdict.ADMITTED


def test_other_logs_and_partitions_are_stale() -> None:
    admission = Admission([position()])
    other = msgspec.structs.replace(output(0), log="older")
    assert admission.receive(other, 0) is Verdict.STALE
    assert admission.receive(output(0, partition=1), 0) is Verdict.STALE


def test_nothing_is_committed_before_a_tick() -> None:
    admission = Admission([position()])
    admission.receive(output(0, entries=(entry("a"),)), 0)
    assert admission.ready() is None
    admission.receive(output(1, tick=said(), entries=(entry("b"),)), 7)
    admission.receive(output(2, entries=(entry("c"),)), 8)
    plan = admission.ready()
    assert plan is not None
    (step,) = plan.steps
    assert [each.id for each in step.entries] == ["a", "b"]
    assert step.commit == PartitionCommit("log", 0, 1, 0, 2, 8, (), b"", snapshot=False)
    assert plan.outputs == 2


def test_commits_follow_each_other() -> None:
    admission = Admission([position()])
    for offset in range(6):
        admission.receive(output(offset, tick=said() if offset % 2 else None), offset)
    plan = admission.ready()
    assert plan is not None
    admission.receive(output(6), 6)
    admission.receive(output(7, tick=said()), 7)
    admission.committed(plan)
    assert admission.waiting == 2
    (commit,) = commits(admission.ready())
    assert (commit.from_offset, commit.to_offset, commit.events_offset) == (6, 8, 8)


def test_a_plan_that_is_never_committed_changes_nothing() -> None:
    admission = Admission([position()])
    admission.receive(output(0, tick=said()), 0)
    assert admission.ready() == admission.ready()


def test_a_worker_that_lost_its_partition_is_not_heard() -> None:
    admission = Admission([position(epoch=2)])
    assert admission.receive(output(0, epoch=1, entries=(entry("old"),)), 0) is Verdict.STALE
    assert admission.receive(output(0, epoch=2, tick=said()), 1) is Verdict.ADMITTED


def test_a_new_worker_voids_what_the_old_one_left() -> None:
    admission = Admission([position()])
    admission.receive(output(0, tick=said(), entries=(entry("old"),)), 0)
    assert admission.receive(output(0, epoch=2, entries=(entry("new"),)), 1) is Verdict.ADMITTED
    assert admission.ready() is None
    assert admission.receive(output(1, epoch=1, tick=said()), 2) is Verdict.STALE
    admission.receive(output(1, epoch=2, tick=said()), 3)
    plan = admission.ready()
    assert plan is not None
    assert [each.id for each in plan.steps[0].entries] == ["new"]
    assert plan.steps[0].commit.epoch == 2


def test_a_refused_partition_waits_until_it_is_loaded_again() -> None:
    admission = Admission([position(0), position(1)])
    admission.receive(output(0, tick=said()), 0)
    admission.receive(output(0, partition=1, tick=said()), 0)
    admission.refused(0)
    assert admission.reloads() == [0]
    assert [commit.partition for commit in commits(admission.ready())] == [1]
    assert admission.receive(output(1), 1) is Verdict.WAITING
    admission.reload(position(0, epoch=4, next_offset=3))
    assert admission.reloads() == []
    assert admission.receive(output(3, epoch=4), 9) is Verdict.ADMITTED


def test_a_missing_output_asks_for_a_reload_and_hinders_no_commit() -> None:
    admission = Admission([position()])
    admission.receive(output(0, tick=said()), 0)
    assert admission.receive(output(2), 1) is Verdict.AHEAD
    assert admission.reloads() == [0]
    assert [commit.to_offset for commit in commits(admission.ready())] == [1]


def test_a_new_worker_heard_of_during_the_old_ones_last_commit_is_read_again() -> None:
    """It starts where that commit ends, and its first output was dropped meanwhile."""
    admission = Admission([position()])
    admission.receive(output(0, tick=said(3)), 0)
    plan = admission.ready()
    assert plan is not None
    assert admission.receive(output(1, epoch=2), 1) is Verdict.AHEAD
    admission.committed(plan)
    assert admission.reloads() == [0]
    assert admission.receive(output(2, epoch=2), 2) is Verdict.WAITING
    assert admission.acknowledgements() == [SpoolAcknowledged("dock", SPOOL, 3)]


def test_a_spool_is_acknowledged_when_all_partitions_hold_it() -> None:
    admission = Admission([position(0), position(1)])
    admission.receive(output(0, tick=said(5)), 0)
    plan = admission.ready()
    assert plan is not None
    assert admission.acknowledgements() == []
    assert admission.committed(plan) == []
    admission.receive(output(0, partition=1, tick=said(3)), 0)
    plan = admission.ready()
    assert plan is not None
    assert admission.committed(plan) == [SpoolAcknowledged("dock", SPOOL, 3)]
    admission.receive(output(1, partition=1, tick=said(9)), 1)
    plan = admission.ready()
    assert plan is not None
    assert admission.committed(plan) == [SpoolAcknowledged("dock", SPOOL, 5)]


def test_an_acknowledgement_never_goes_back() -> None:
    admission = Admission([position()], [SpoolAcknowledged("dock", SPOOL, 8)])
    admission.receive(output(0, tick=said(5)), 0)
    plan = admission.ready()
    assert plan is not None
    assert admission.committed(plan) == []
    assert admission.acknowledgements() == [SpoolAcknowledged("dock", SPOOL, 8)]


def test_the_furthest_progress_of_a_row_of_ticks_counts() -> None:
    admission = Admission([position()])
    for offset, sequence in enumerate([4, 9, 2]):
        admission.receive(output(offset, tick=said(sequence)), offset)
    (commit,) = commits(admission.ready())
    assert [progress.sequence for progress in commit.spools] == [9]


def test_an_output_in_chunks_is_committed_whole() -> None:
    admission = Admission([position()])
    change = MemoryChange(snapshot=True, values={"a": b"1"})
    first = Output(log="log", partition=0, offset=0, epoch=1, more=True, tick=said(memory=change))
    last = Output(
        log="log",
        partition=0,
        offset=0,
        epoch=1,
        chunk=1,
        evidence=(sighting("s"),),
        tick=said(4, MemoryChange(snapshot=False, values={"b": b"2"})),
    )
    assert admission.receive(last, 0) is Verdict.AHEAD
    assert admission.receive(first, 1) is Verdict.ADMITTED
    assert admission.ready() is None
    assert admission.receive(first, 2) is Verdict.REPEATED
    assert admission.receive(last, 3) is Verdict.ADMITTED
    (commit,) = commits(admission.ready())
    assert (commit.to_offset, commit.events_offset, commit.snapshot) == (1, 4, True)
    memory = msgspec.msgpack.decode(commit.memory, type=MemoryChange)
    assert memory == MemoryChange(snapshot=True, values={"a": b"1", "b": b"2"})


def test_a_plan_that_is_full_never_ends_within_a_ticks_output() -> None:
    """What is left of it would be taken for known: it bears the offset that was committed."""
    admission = Admission([position()], plan_entries_max=1)
    for chunk in range(3):
        admission.receive(
            Output(
                log="log",
                partition=0,
                offset=0,
                epoch=1,
                chunk=chunk,
                more=chunk < 2,
                entries=(entry(f"{chunk}"),),
                tick=said(),
            ),
            chunk,
        )
    plan = admission.ready()
    assert plan is not None
    assert [each.id for each in plan.steps[0].entries] == ["0", "1", "2"]
    assert (plan.outputs, plan.steps[0].commit.events_offset) == (3, 3)


def test_a_backlog_is_committed_in_steps_that_end_at_ticks() -> None:
    admission = Admission([position(0), position(1)], plan_entries_max=4)
    for partition in (0, 1):
        for offset in range(6):
            entries = (entry(f"{partition}.{offset}"), entry(f"{partition}.{offset}'"))
            tick = said() if offset % 2 else None
            admission.receive(
                output(offset, partition=partition, tick=tick, entries=entries), offset
            )
    sizes = []
    entered: list[str] = []
    while (plan := admission.ready()) is not None:
        sizes.append(plan.outputs)
        entered += [each.id for step in plan.steps for each in step.entries]
        admission.committed(plan)
    assert sizes == [2] * 6
    assert len(entered) == len(set(entered)) == 24


changes = some.lists(
    some.tuples(
        some.booleans(),
        some.dictionaries(some.sampled_from("abc"), some.binary(max_size=1)),
        some.frozensets(some.sampled_from("abc")),
    ),
    min_size=1,
    max_size=6,
)


def applied(memory: dict[str, bytes], change: MemoryChange) -> dict[str, bytes]:
    """As `restore` applies changes."""
    values = {} if change.snapshot else dict(memory)
    for key in change.removed:
        values.pop(key, None)
    return values | change.values


@given(changes=changes, start=some.dictionaries(some.sampled_from("abc"), some.binary(max_size=1)))
@settings(deadline=None)
def test_merged_memory_is_what_its_changes_are_one_by_one(
    changes: list[tuple[bool, dict[str, bytes], frozenset[str]]], start: dict[str, bytes]
) -> None:
    admission = Admission([position()])
    expected = start
    for offset, (snapshot, values, removed) in enumerate(changes):
        change = MemoryChange(
            snapshot=snapshot, values=values, removed=tuple(sorted(removed - values.keys()))
        )
        expected = applied(expected, change)
        admission.receive(output(offset, tick=said(memory=change)), offset)
    (commit,) = commits(admission.ready())
    merged = msgspec.msgpack.decode(commit.memory, type=MemoryChange)
    assert applied(start, merged) == expected
    assert merged.snapshot == commit.snapshot == any(change[0] for change in changes)
