"""The spool: what was put is there until the ledger has it, whatever happens in between."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.codec import decode
from contracts.reads import Loss, Read, ReadBatch, Reject
from edge_agent.spool import (
    DISK_RESERVE_BYTES,
    FILE,
    MEMORY,
    Spool,
    SpoolError,
    kept_batches,
    open_spool,
)


@pytest.fixture(name="open_again")
def fixture_open_again(tmp_path: Path) -> Iterator[Callable[..., tuple[Spool, tuple[Loss, ...]]]]:
    """Opens the spool of one folder; each time under an id of its own if it makes a new one."""
    ids = count(1)
    opened: list[Spool] = []

    def open_again(**settings: int) -> tuple[Spool, tuple[Loss, ...]]:
        while opened:
            opened.pop().close()
        spool, losses = open_spool(
            tmp_path,
            gateway="dock",
            new_id=lambda: f"{next(ids):032x}",
            at_us=7,
            bytes_max=settings.get("bytes_max", 1_000_000),
            keep_acknowledged=bool(settings.get("keep_acknowledged", False)),
            disk_reserve_bytes=settings.get("disk_reserve_bytes", DISK_RESERVE_BYTES),
        )
        opened.append(spool)
        return spool, losses

    yield open_again
    while opened:
        opened.pop().close()


OpenAgain = Callable[..., tuple[Spool, tuple[Loss, ...]]]


def batch(*identities: str, gateway_us: int = 5, rejects: tuple[Reject, ...] = ()) -> ReadBatch:
    reads = tuple(
        Read(
            identity=identity,
            device="door-1",
            antenna=1,
            first_us=1,
            last_us=2,
            received_us=3,
            count=1,
        )
        for identity in identities
    )
    return ReadBatch(gateway_us=gateway_us, reads=reads, rejects=rejects)


def batch_in(payload: bytes) -> ReadBatch:
    decoded = decode(ReadBatch, payload, source="test", at_us=0)
    assert isinstance(decoded, ReadBatch)
    return decoded


def identities_in(spool: Spool) -> list[str]:
    found: list[str] = []
    for spooled in spool.take(1, 1000):
        found += [read.identity for read in batch_in(spooled.payload).reads]
    return found


def test_sequences_begin_at_one_and_have_no_gaps(open_again: OpenAgain) -> None:
    spool, losses = open_again()
    assert losses == ()
    assert (spool.lowest, spool.sequence) == (1, 0)
    assert [spool.put(batch("a"), at_us=0) for _ in range(3)] == [1, 2, 3]
    assert (spool.lowest, spool.sequence, spool.batches) == (1, 3, 3)


def test_what_was_put_is_there_after_a_restart(open_again: OpenAgain) -> None:
    spool, _ = open_again()
    spool.put(batch("a", gateway_us=9), at_us=0)
    spool.put(batch("b", gateway_us=11), at_us=0)
    spool.acknowledge(1)
    again, losses = open_again()
    assert again.id == spool.id
    assert losses == ()
    assert identities_in(again) == ["b"]
    assert (again.lowest, again.sequence, again.acknowledged) == (2, 2, 1)
    assert again.gateway_us == 11
    assert again.bytes == spool.bytes


def test_an_emptied_spool_goes_on_counting_after_a_restart(open_again: OpenAgain) -> None:
    spool, _ = open_again()
    spool.put(batch("a", gateway_us=9), at_us=0)
    spool.acknowledge(1)
    again, _ = open_again()
    assert (again.lowest, again.sequence, again.gateway_us, again.bytes) == (2, 1, 9, 0)
    assert again.put(batch("b"), at_us=0) == 2


def test_a_batch_on_the_wire_names_the_lowest_that_is_held(open_again: OpenAgain) -> None:
    spool, _ = open_again()
    for identity in "abcd":
        spool.put(batch(identity), at_us=0)
    spool.acknowledge(2)
    taken = spool.take(4, 10)
    assert [(held.spool, held.sequence, held.lowest) for held in taken] == [(spool.id, 4, 3)]


def test_an_acknowledgement_that_came_before_changes_nothing(open_again: OpenAgain) -> None:
    spool, _ = open_again()
    spool.put(batch("a"), at_us=0)
    spool.put(batch("b"), at_us=0)
    assert spool.acknowledge(2)
    assert not spool.acknowledge(1)
    assert not spool.acknowledge(2)
    assert spool.bytes == 0


def test_a_full_spool_keeps_the_oldest_and_tells_what_it_refused(open_again: OpenAgain) -> None:
    spool, _ = open_again(bytes_max=700)
    put = []
    while (sequence := spool.put(batch("a" * 100), at_us=0)) is not None:
        put.append(sequence)
    assert put == list(range(1, len(put) + 1))
    odd = Reject(source="dock/door-1", reason="odd", raw=b"", raw_length=0, at_us=0)
    assert spool.put(batch("x" * 100, "y" * 100, rejects=(odd,)), at_us=0) is None
    assert spool.lost_reads == 3
    spool.acknowledge(put[-1])
    assert spool.put(batch("b"), at_us=77) == put[-1] + 1
    [held] = spool.take(1, 10)
    told = batch_in(held.payload)
    [loss] = told.losses
    assert loss == Loss(
        gateway="dock",
        spool=spool.id,
        reason="spool_full",
        first_sequence=0,
        last_sequence=0,
        reads=3,
        at_us=77,
    )
    [reject] = told.rejects
    assert "1 rejects, signals or device changes" in reject.reason
    spool.put(batch("c"), at_us=0)
    assert batch_in(spool.take(1, 10)[1].payload).losses == ()


def test_refused_reads_are_remembered_over_a_restart(open_again: OpenAgain) -> None:
    spool, _ = open_again(bytes_max=300)
    while spool.put(batch("a" * 100), at_us=0) is not None:
        pass
    again, _ = open_again(bytes_max=1_000_000)
    assert again.lost_reads == 1
    sequence = again.put(batch("b"), at_us=0)
    assert sequence is not None
    [loss] = batch_in(again.take(sequence, 1)[0].payload).losses
    assert loss.reads == 1


def test_what_was_refused_is_told_once_also_over_a_restart(open_again: OpenAgain) -> None:
    """A loss that is told twice accuses the agent of twice as much."""
    spool, _ = open_again(bytes_max=100)
    assert spool.put(batch("a" * 100, "b"), at_us=0) is None
    spool, _ = open_again()
    spool.put(batch("c"), at_us=0)
    assert [loss.reads for loss in batch_in(spool.take(1, 1)[0].payload).losses] == [2]
    spool, _ = open_again()
    spool.put(batch("d"), at_us=0)
    assert batch_in(spool.take(2, 1)[0].payload).losses == ()


def test_an_empty_batch_that_does_not_fit_is_no_loss(open_again: OpenAgain) -> None:
    spool, _ = open_again(bytes_max=10)
    assert spool.put(batch(), at_us=0) is None
    assert spool.lost_reads == 0


def test_acknowledged_batches_are_kept_where_asked(open_again: OpenAgain, tmp_path: Path) -> None:
    spool, _ = open_again(keep_acknowledged=True)
    for identity in "abc":
        spool.put(batch(identity), at_us=0)
    spool.acknowledge(2)
    kept = [(name, number, batch_in(raw)) for name, number, raw in kept_batches(tmp_path)]
    assert [(name, number) for name, number, _ in kept] == [
        (spool.id, place) for place in (1, 2, 3)
    ]
    assert [read.identity for _, _, one in kept for read in one.reads] == ["a", "b", "c"]
    assert identities_in(spool) == ["c"]


@pytest.mark.parametrize("damage", [b"", b"this is no database at all", None])
def test_a_damaged_file_is_moved_aside_and_told(
    open_again: OpenAgain, tmp_path: Path, damage: bytes | None
) -> None:
    spool, _ = open_again()
    for _ in range(50):
        spool.put(batch("a" * 200), at_us=0)
    spool.close()
    path = tmp_path / FILE
    if damage is None:
        raw = bytearray(path.read_bytes())
        raw[4096:20480] = bytes(16384)
        path.write_bytes(raw)
    elif damage:
        path.write_bytes(damage)
    else:
        path.unlink()
    again, losses = open_again()
    assert again.id != spool.id
    [loss] = losses
    assert (loss.reason, loss.spool, loss.reads) == ("spool_cut", spool.id, None)
    assert again.put(batch("b"), at_us=0) == 1
    assert (tmp_path / "damaged-1" / FILE).exists() == (damage != b"")
    _, losses = open_again()
    assert losses == ()


def test_one_folder_serves_one_agent(open_again: OpenAgain, tmp_path: Path) -> None:
    open_again()
    with pytest.raises(SpoolError, match="another agent runs on"):
        open_spool(tmp_path, gateway="dock", new_id=lambda: "0" * 32, at_us=0)


def test_a_spool_of_another_gateway_is_not_taken(open_again: OpenAgain, tmp_path: Path) -> None:
    spool, _ = open_again()
    spool.close()
    with pytest.raises(SpoolError, match="belongs to gateway 'dock'"):
        open_spool(tmp_path, gateway="line", new_id=lambda: "0" * 32, at_us=0)


def test_a_refused_spool_lets_go_of_the_folder(open_again: OpenAgain, tmp_path: Path) -> None:
    spool, _ = open_again()
    spool.close()
    with pytest.raises(SpoolError):
        open_spool(tmp_path, gateway="line", new_id=lambda: "0" * 32, at_us=0)
    again, _ = open_again()
    assert again.put(batch("a"), at_us=0) == 1


def test_a_spool_that_was_set_back_goes_on_under_a_new_id(open_again: OpenAgain) -> None:
    """A backup was restored: the ledger has 1 to 9 of it, the file only 1 and 2."""
    spool, _ = open_again()
    spool.put(batch("a"), at_us=0)
    spool.put(batch("b"), at_us=0)
    again, _ = open_again()
    again.put(batch("new"), at_us=0)
    old = again.id
    assert again.is_set_back(9)
    again.start_over("f" * 32)
    assert again.id == "f" * 32 != old
    assert identities_in(again) == ["new"]
    assert (again.lowest, again.sequence, again.acknowledged) == (1, 1, 0)
    once_more, losses = open_again()
    assert (once_more.id, losses) == ("f" * 32, ())
    assert once_more.put(batch("c"), at_us=0) == 2


def test_a_full_disk_refuses_and_counts(open_again: OpenAgain) -> None:
    """SQLite's own page limit stands for the disk's."""
    spool, _ = open_again()
    pages = spool._database.execute("pragma page_count").fetchone()[0]
    spool._database.execute(f"pragma max_page_count = {pages + 5}")
    put = 0
    while spool.put(batch("a" * 3000), at_us=0) is not None:
        put += 1
    assert 0 < put < 20
    assert spool.lost_reads == 1
    assert spool.sequence == put == len(identities_in(spool))
    spool._database.execute("pragma max_page_count = 100000")
    assert spool.put(batch("b"), at_us=0) == put + 1
    [loss] = batch_in(spool.take(put + 1, 1)[0].payload).losses
    assert loss.reads == 1


def test_on_a_full_disk_nothing_is_forgotten_and_nothing_ends(open_again: OpenAgain) -> None:
    """The acknowledgement comes again, and once there is room the spool shrinks."""
    spool, _ = open_again(keep_acknowledged=1)
    for _ in range(3):
        spool.put(batch("a" * 9_000), at_us=0)
    pages = spool._database.execute("pragma page_count").fetchone()[0]
    spool._database.execute(f"pragma max_page_count = {pages}")
    assert not spool.acknowledge(2)
    assert (spool.acknowledged, spool.lowest, spool.batches) == (0, 1, 3)
    assert len(identities_in(spool)) == 3
    spool._database.execute("pragma max_page_count = 100000")
    assert spool.acknowledge(2)
    assert (spool.acknowledged, spool.lowest, spool.batches) == (2, 3, 1)


def test_room_to_forget_is_left_on_the_disk(open_again: OpenAgain) -> None:
    """The last of the disk is not for new batches, save where forgotten ones made room for them."""
    spool, _ = open_again()
    for _ in range(3):
        spool.put(batch("a" * 9_000), at_us=0)
    spool, _ = open_again(disk_reserve_bytes=2**60)
    assert spool.put(batch("b", "c" * 9_000), at_us=0) is None
    assert spool.lost_reads == 2
    assert spool.acknowledge(3)
    assert spool.put(batch("d" * 9_000), at_us=0) == 4
    assert batch_in(spool.take(4, 1)[0].payload).losses[0].reads == 2


def test_a_batch_is_on_the_disk_when_put_returns(open_again: OpenAgain, tmp_path: Path) -> None:
    spool, _ = open_again()
    spool.put(batch("a"), at_us=0)
    with sqlite3.connect(tmp_path / FILE) as beside:
        assert beside.execute("select count(*) from waiting").fetchone() == (1,)
    beside.close()
    assert spool._database.execute("pragma synchronous").fetchone() == (2,)
    spool.acknowledge(1)
    assert spool._database.execute("pragma synchronous").fetchone() == (2,)
    assert spool._database.execute("pragma journal_mode").fetchone() == ("wal",)


Step = tuple[str, int]


@given(
    st.lists(st.tuples(st.sampled_from(["put", "acknowledge"]), st.integers(0, 30)), max_size=40)
)
def test_whatever_is_put_is_held_until_acknowledged_or_told_as_lost(steps: list[Step]) -> None:
    spool, _ = open_spool(MEMORY, gateway="dock", new_id=lambda: "a" * 32, at_us=0, bytes_max=1_500)
    with spool:
        put: list[int | None] = []
        lost = 0
        told = 0
        for step, number in steps:
            if step == "put":
                sequence = spool.put(batch(*(["t"] * number)), at_us=0)
                put.append(sequence)
                lost += number if sequence is None else 0
                if sequence is not None:
                    losses = batch_in(spool.take(sequence, 1)[0].payload).losses
                    told += sum(loss.reads or 0 for loss in losses)
            else:
                spool.acknowledge(min(number, spool.sequence))
        accepted = [sequence for sequence in put if sequence is not None]
        assert accepted == list(range(1, len(accepted) + 1))
        held = [spooled.sequence for spooled in spool.take(1, 1000)]
        assert held == list(range(spool.acknowledged + 1, spool.sequence + 1))
        assert spool.batches == len(held)
        assert spool.bytes <= 1_500
        assert spool.lost_reads == lost
        assert lost - told == spool._untold_reads


def test_a_batch_encodes_as_the_contract_says(open_again: OpenAgain) -> None:
    spool, _ = open_again()
    sent = batch("a")
    spool.put(sent, at_us=0)
    assert spool.take(1, 1)[0].payload == msgspec.msgpack.encode(sent)
