"""What a record may do to a partition, and what a restart finds again."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from partition_desk import KEY, SPOOL, Desk, covered, part, tick

from contracts.codec import decode_json, encode
from contracts.log import MemoryChange, Part, Tick
from contracts.reads import DeviceChange, GateSignal, Loss, Reject
from stream_processors.core.keys import change_key, loss_key, reject_key
from stream_processors.core.partition import LogSkippedError
from stream_processors.core.watch import CommitWatch, Verdict


def test_each_record_has_one_output_that_names_it() -> None:
    desk = Desk()
    for number, record in enumerate([part(1), tick(1, 1, part=1), b"garbage", part(1)]):
        output = desk.take(record)
        assert (output.log, output.partition, output.offset) == ("log", 0, number)
        assert output.epoch == 3


def test_a_record_that_comes_again_has_no_output() -> None:
    desk = Desk()
    desk.take(part(1))
    assert desk.core.take(0, encode(part(1))) == []


def test_a_log_that_skips_ends_the_process() -> None:
    with pytest.raises(LogSkippedError, match="0 is missing"):
        Desk().core.take(1, encode(part(1)))


def test_a_part_is_taken_once() -> None:
    desk = Desk()
    for record in (part(1), part(2, previous=1), part(1), part(2, previous=1), part(2, run=2)):
        desk.take(record)
    assert desk.notes.taken == ["tag", "tag"]


def test_a_part_behind_a_missing_one_waits_for_a_new_run() -> None:
    desk = Desk()
    desk.take(part(1, "a"))
    desk.take(part(3, "c", previous=2))
    assert desk.notes.taken == ["a"]
    for record in (part(2, "b", run=2), part(3, "c", previous=2, run=2)):
        desk.take(record)
    assert desk.notes.taken == ["a", "b", "c"]


def test_a_gap_is_told_to_nobody_as_held() -> None:
    """Neither acknowledged nor a reason to close windows."""
    desk = Desk()
    desk.take(part(1, "a"))
    desk.take(part(3, "c", previous=2))
    assert covered(desk.take(tick(1, 3, part=3))) == []
    assert desk.core.gaps == {KEY}
    assert desk.notes.ticks[-1][0] == {}
    desk.take(part(2, "b", run=2))
    assert covered(desk.take(tick(1, 2, part=2, run=2))) == [2]
    assert desk.core.gaps == frozenset()


def test_a_missing_last_part_is_noticed_at_the_tick() -> None:
    desk = Desk()
    desk.take(part(1))
    assert covered(desk.take(tick(1, 2, part=2))) == []
    assert covered(desk.take(tick(2, 2, part=1))) == [2]


def test_what_an_old_run_writes_late_is_void() -> None:
    desk = Desk()
    desk.take(part(1, "a", run=2))
    desk.take(part(2, "b", previous=1, run=1))
    assert desk.take(tick(9, 2, part=1, run=1)).tick is None
    assert desk.notes.taken == ["a"]
    assert desk.notes.ticks == []


def test_a_tick_that_comes_twice_is_one() -> None:
    desk = Desk()
    assert desk.take(tick(1)).tick is not None
    assert desk.take(tick(1)).tick is None
    assert desk.take(tick(1, run=2)).tick is not None


def test_time_never_goes_back() -> None:
    """A new run begins with what the ledger lacks, which is older."""
    desk = Desk()
    desk.take(part(1))
    desk.take(part(2, previous=1))
    desk.take(tick(1, 2, part=2, at_us=100))
    desk.take(tick(1, 1, run=2, at_us=90))
    assert desk.notes.ticks == [({"dock": 20}, 100), ({"dock": 20}, 100)]


NOW_US = 1_800_000_000_000_000
YEAR_US = 365 * 86_400_000_000


def at_times(record: Part, gateway_us: int, *received_us: int) -> Part:
    """The part with other times, of its reads too."""
    reads = [
        msgspec.structs.replace(read, first_us=us, last_us=us, received_us=us)
        for read, us in zip(record.reads, received_us, strict=True)
    ]
    return msgspec.structs.replace(record, gateway_us=gateway_us, reads=tuple(reads))


def told_time(record: Tick, gateway_us: int) -> Tick:
    """The tick with another time of the gateway."""
    (progress,) = record.spools
    return msgspec.structs.replace(
        record, spools=(msgspec.structs.replace(progress, gateway_us=gateway_us),)
    )


def test_reads_from_the_future_are_rejects_and_time_goes_on() -> None:
    desk = Desk()
    desk.take(tick(1, at_us=NOW_US))
    future = NOW_US + 20 * YEAR_US
    mad = at_times(part(1, "tag", "twin", "tag"), future, future, NOW_US, future)
    output = desk.take(mad)
    assert desk.notes.taken == ["twin"]
    assert [entry.kind for entry in output.entries] == ["reject", "reject"]
    assert len({entry.id for entry in output.entries}) == 2
    told = [decode_json(Reject, entry.payload) for entry in output.entries]
    assert {one.source for one in told} == {"dock"}
    assert told[0].raw == encode(mad.reads[0])
    assert "more than a day ahead" in told[0].reason
    desk.take(told_time(tick(2, 1, part=1, at_us=NOW_US + 1), future))
    assert desk.notes.ticks[-1] == ({"dock": NOW_US + 1}, NOW_US + 1)
    # The clock was set right: all goes on at once.
    right = NOW_US + 1_000_000
    assert desk.take(at_times(part(2, "next", previous=1), right, right)).entries == ()
    desk.take(told_time(tick(3, 2, part=2, at_us=right), right))
    assert desk.notes.taken == ["twin", "next"]
    assert desk.notes.ticks[-1] == ({"dock": right}, right)


def test_reads_of_a_clock_that_was_never_set_are_rejects() -> None:
    desk = Desk()
    desk.take(tick(1, at_us=NOW_US))
    output = desk.take(at_times(part(1, "tag", "twin"), 7_000_000, 5_000_000, NOW_US))
    assert desk.notes.taken == ["twin"]
    (told,) = [decode_json(Reject, entry.payload) for entry in output.entries]
    assert "its gateway's clock was never set" in told.reason


def test_a_worker_that_begins_anew_knows_the_future_before_the_first_tick() -> None:
    desk = Desk(snapshot_every_ticks=1)
    desk.take(at_times(part(1), NOW_US, NOW_US))
    desk.take(told_time(tick(1, 1, part=1, at_us=NOW_US), NOW_US))
    again = Desk(rows=desk.rows())
    future = NOW_US + 20 * YEAR_US
    output = again.take(at_times(part(2, previous=1), future, future))
    assert [entry.kind for entry in output.entries] == ["reject"]
    assert again.notes.taken == []


def test_a_bridge_whose_clock_was_never_set_judges_nobody() -> None:
    desk = Desk()
    desk.take(tick(1, at_us=5_000_000))
    assert desk.take(at_times(part(1), NOW_US, NOW_US)).entries == ()
    assert desk.notes.taken == ["tag"]


def test_a_signal_from_the_future_is_one_reject_in_all_partitions() -> None:
    future = NOW_US + YEAR_US
    signal = GateSignal(device="door", port=1, state=True, at_us=future, received_us=future)
    record = msgspec.structs.replace(part(1), reads=(), signals=(signal,), gateway_us=future)
    entries = []
    for partition in range(4):
        desk = Desk(partitions=4, partition=partition)
        desk.take(tick(1, at_us=NOW_US))
        entries += desk.take(record).entries
        assert desk.notes.signals == 0
    assert [entry.kind for entry in entries] == ["reject"]


def test_rejects_losses_and_device_changes_become_entries() -> None:
    reject = Reject(source="dock/door", reason="odd", raw=b"\x01", raw_length=1, at_us=5)
    loss = Loss(
        gateway="dock",
        spool=SPOOL,
        reason="spool_cut",
        first_sequence=1,
        last_sequence=3,
        reads=None,
        at_us=6,
    )
    change = DeviceChange(device="door", state="refused", detail="in use", at_us=7)
    record = msgspec.structs.replace(
        part(4), rejects=(reject, reject), losses=(loss,), changes=(change,)
    )
    entries = Desk().take(record).entries
    assert [entry.kind for entry in entries] == ["reject", "reject", "loss", "device"]
    assert [entry.happened_us for entry in entries] == [5, 5, 6, 7]
    assert len({entry.id for entry in entries}) == 4
    assert entries[0].id == reject_key(KEY, 4, reject)
    assert entries[2].id == loss_key(loss)
    assert entries[3].id == change_key(KEY, 4, change)
    assert decode_json(Reject, entries[0].payload) == reject
    assert decode_json(Loss, entries[2].payload) == loss


def test_a_loss_is_the_same_whoever_notices_it_when() -> None:
    loss = Loss(
        gateway="dock",
        spool=SPOOL,
        reason="spool_cut",
        first_sequence=1,
        last_sequence=3,
        reads=None,
        at_us=6,
    )
    later = msgspec.structs.replace(loss, at_us=7)
    assert loss_key(loss) == loss_key(later)
    counted = msgspec.structs.replace(loss, first_sequence=0, last_sequence=0, reads=5)
    assert loss_key(counted) != loss_key(msgspec.structs.replace(counted, at_us=7))


def test_what_belongs_to_no_spool_is_taken_whatever_its_run() -> None:
    desk = Desk()
    desk.take(part(1, run=2))
    reject = Reject(source="bridge", reason="odd", raw=b"\x01", raw_length=1, at_us=5)
    loose = Part(
        run=1,
        gateway="dock",
        spool="",
        sequence=0,
        previous=0,
        gateway_us=0,
        rejects=(reject,),
    )
    first, second = desk.take(loose), desk.take(loose)
    assert first.entries[0].kind == "reject"
    assert first.entries == second.entries


@given(raw=some.binary(max_size=60))
@settings(max_examples=50, deadline=None)
def test_whatever_lies_in_the_log_is_a_reject_and_work_goes_on(raw: bytes) -> None:
    desk = Desk()
    output = desk.take(raw)
    assert [entry.kind for entry in output.entries] == ["reject"]
    assert decode_json(Reject, output.entries[0].payload).raw == raw
    assert output.tick is None
    desk.take(part(1))
    assert desk.notes.taken == ["tag"]


def test_memory_is_a_snapshot_first_and_then_what_changed() -> None:
    desk = Desk()
    desk.take(part(1, "a"))
    desk.take(tick(1, 1, part=1))
    desk.take(tick(2, 1, part=1))
    desk.take(part(2, "b", previous=1))
    desk.take(tick(3, 2, part=2))
    first, second = desk.changes
    assert first.snapshot
    assert first.values["s/i/a"] == b"1"
    assert first.values["s/device"] == b"skew"
    assert not second.snapshot
    assert {key for key in second.values if key.startswith("s/")} == {"s/i/b"}
    desk.notes.let_go = True
    desk.take(tick(4, 2, part=2))
    assert desk.changes[-1].removed == ("s/i/a", "s/i/b")


def test_a_snapshot_comes_again_so_that_a_restart_reads_little() -> None:
    desk = Desk(snapshot_every_ticks=3)
    for number in range(1, 8):
        desk.take(part(number, previous=number - 1))
        desk.take(tick(number, number, part=number))
    assert [each.snapshot for each in desk.changes] == [True, False, False] * 2 + [True]


def test_a_restart_goes_on_as_if_nothing_had_been() -> None:
    desk = Desk()
    desk.take(part(1, "a", run=4))
    desk.take(tick(1, 1, part=1, run=4, at_us=50))
    desk.take(part(2, "b", previous=1, run=4))
    desk.take(tick(2, 2, part=2, run=4, at_us=60))
    again = Desk(rows=desk.rows())
    assert again.notes.held == {"a": 1, "b": 1}
    for record in (part(2, "b", previous=1, run=4), part(3, "x", previous=2, run=3)):
        again.take(record)
    assert again.notes.taken == []
    again.take(part(3, "c", previous=2, run=4))
    assert again.notes.taken == ["c"]
    again.take(tick(3, 3, part=3, run=4))
    assert again.notes.ticks[-1][0] == {"dock": 30}
    assert again.changes[0].snapshot


def test_run_and_time_behind_the_last_snapshot_are_found_again() -> None:
    """Or a bridge that lost its lease would be heard, and time would go back."""
    desk = Desk()
    desk.take(part(1, "a", run=4))
    desk.take(tick(1, 1, part=1, run=4, at_us=50))
    desk.take(part(2, "b", run=5))
    desk.take(tick(1, 2, part=2, run=5, at_us=60))
    assert [each.snapshot for each in desk.changes] == [True, False]
    again = Desk(rows=desk.rows())
    again.take(part(3, "c", previous=2, run=4))
    assert again.notes.taken == []
    again.take(tick(2, run=5, at_us=70))
    assert again.notes.ticks[-1][0] == {"dock": 20}


def test_a_snapshot_counts_for_all_before_it() -> None:
    """Whatever earlier changes said, and whether or not the ledger removed them yet."""
    desk = Desk(snapshot_every_ticks=1)
    desk.take(part(1, "a"))
    desk.take(tick(1, 1, part=1))
    desk.notes.let_go = True
    desk.take(tick(2, 1, part=1))
    desk.take(part(2, "b", previous=1))
    desk.notes.let_go = False
    desk.take(tick(3, 2, part=2))
    snapshots = [place for place, each in enumerate(desk.changes) if each.snapshot]
    first = desk.rows()[snapshots[0]]
    last = desk.rows()[snapshots[-1]]
    assert Desk(rows=[first]).notes.held == {"a": 1}
    assert Desk(rows=[first, last]).notes.held == {"b": 1}


def test_a_large_output_travels_in_chunks() -> None:
    desk = Desk(chunk_bytes_max=400)
    identities = [f"tag-{number}" for number in range(40)]
    desk.take(part(1, *identities))
    outputs = desk.core.take(1, encode(tick(1, 1, part=1)))
    assert len(outputs) > 2
    for each in outputs:
        assert each.tick is not None
        assert each.tick.spools == (() if each.more else each.tick.spools)
        change = msgspec.msgpack.decode(each.tick.memory, type=MemoryChange)
        desk.changes.append(change)
        assert len(encode(each)) < 1_000
    assert [change.snapshot for change in desk.changes] == [True] + [False] * (len(outputs) - 1)
    assert covered(outputs[-1]) == [1]
    again = Desk(rows=desk.rows(), chunk_bytes_max=400)
    assert again.notes.held == dict.fromkeys(identities, 1)
    again.notes.let_go = True
    evidence = again.take(tick(2, 1, part=1)).evidence
    assert sorted(row.identity for row in evidence) == sorted(identities)


def test_outputs_that_do_not_come_to_the_ledger_are_noticed() -> None:
    watch = CommitWatch(stalled_after_s=10.0)
    watch.began(epoch=3, next_offset=5, now_s=0.0)
    assert watch.judge(3, 5, 100.0) is Verdict.FINE
    watch.ticked(8, 100.0)
    assert watch.judge(3, 5, 109.0) is Verdict.FINE
    assert watch.judge(3, 5, 110.0) is Verdict.STALLED
    watch.began(epoch=4, next_offset=5, now_s=111.0)
    watch.ticked(8, 112.0)
    assert watch.judge(4, 5, 131.0) is Verdict.FINE
    assert watch.judge(4, 5, 132.0) is Verdict.STALLED
    assert watch.judge(4, 9, 133.0) is Verdict.FINE
    assert watch.judge(4, 9, 900.0) is Verdict.FINE
    watch.ticked(10, 1_000.0)
    assert watch.judge(4, 9, 1_010.0) is Verdict.STALLED


def test_a_partition_that_another_worker_took_is_given_up() -> None:
    watch = CommitWatch()
    watch.began(epoch=3, next_offset=5, now_s=0.0)
    assert watch.judge(4, 5, 0.1) is Verdict.SUPERSEDED
