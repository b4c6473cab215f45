"""What a worker's guard knows of a partition, and how long it waits."""

from __future__ import annotations

from pathlib import Path

from stream_processors.core.partition import Partition
from stream_processors.core.reference import Reference
from stream_processors.core.understanding import Understanding
from stream_processors.core.watch import STALLED_AFTER_S, CommitWatch, Verdict
from stream_processors.io.guard import STARVED_SECONDS_MAX, Held, Patience, is_stuck
from stream_processors.io.ledger import Position


def held_at(offset: int, epoch: int = 3) -> Held:
    partition = Partition(
        log="l",
        partitions=1,
        partition=0,
        epoch=epoch,
        next_offset=offset,
        stages=Understanding(Reference()),
    )
    watch = CommitWatch()
    watch.began(epoch, offset, 0.0)
    return Held(partition, watch)


def test_records_of_the_hold_before_are_passed_over_until_the_due_one_comes() -> None:
    held = held_at(5)
    assert not held.wants(9)
    assert held.skipped_since_s is not None
    assert not held.wants(4)
    assert held.wants(5)
    assert held.skipped_since_s is None
    # From now on a jump is the core's to judge: it is an error.
    assert held.wants(7)


def test_a_superseded_hold_wants_nothing() -> None:
    held = held_at(5)
    held.superseded_since_s = 1.0
    assert not held.wants(5)


def test_another_epoch_in_the_ledger_supersedes() -> None:
    held = held_at(5, epoch=3)
    assert held.judge(Position("l", 0, 4, 5, 0), 1.0) is Verdict.SUPERSEDED
    assert held.judge(Position("l", 0, 3, 5, 0), 1.0) is Verdict.FINE


def test_patience_doubles_over_restarts_and_begins_anew_after_a_commit(tmp_path: Path) -> None:
    path = tmp_path / "patience.json"
    first = Patience(path)
    assert first.seconds == STALLED_AFTER_S
    first.lost()
    second = Patience(path)
    assert second.seconds == 2 * STALLED_AFTER_S
    second.lost()
    third = Patience(path)
    assert third.seconds == 4 * STALLED_AFTER_S
    third.rewarded()
    assert Patience(path).seconds == STALLED_AFTER_S


def test_a_spoiled_file_of_patience_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "patience.json"
    path.write_text("{")
    assert Patience(path).seconds == STALLED_AFTER_S
    assert not path.exists()


def test_a_partition_that_waits_behind_another_s_backlog_is_not_stuck() -> None:
    assert not is_stuck(40.0, [(0.1, 20_000), (30.0, 20_000)])


def test_a_partition_is_stuck_where_the_others_have_nothing_to_do_or_do_nothing() -> None:
    assert is_stuck(16.0, [])
    assert is_stuck(16.0, [(0.1, 3)])
    assert is_stuck(16.0, [(16.0, 20_000)])
    assert is_stuck(STARVED_SECONDS_MAX + 1, [(0.1, 20_000)])
