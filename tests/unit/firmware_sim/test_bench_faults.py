"""Faults of the bench: how they are written, and what those of a link do to messages."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.bench.faults import (
    FAULTS,
    Fault,
    FaultError,
    LinkFaults,
    read_fault,
    read_timed_fault,
)
from firmware_sim.bench.kinds import Frame


def frames(*words: str) -> list[Frame]:
    return [Frame(at_us=0, payload=word.encode(), topic="t") for word in words]


def words(told: list[Frame]) -> list[str]:
    return [frame.payload.decode() for frame in told]


def faulty(text: str, now_s: float = 0.0) -> LinkFaults:
    faults = LinkFaults(Random(1))
    faults.take(read_fault(text), now_s)
    return faults


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("drop", "drop", -1),
        ("drop after 7", "drop", 7),
        ("DROP after 7 bytes", "drop", 7),
        ("freeze 5", "freeze", 5),
        ("freeze 0.5s", "freeze", 0.5),
        ("clock +30", "clock_offset_s", 30),
        ("clock -1.5 s", "clock_offset_s", -1.5),
        ("clock drift 200 ppm", "clock_drift_ppm", 200),
        ("duplicate", "duplicate", 1),
        ("duplicate 3", "duplicate", 3),
        ("reorder", "reorder", 2),
        ("antenna 2 lost", "antenna_lost", 2),
        ("antenna  2  back", "antenna_back", 2),
        ("flood 1000", "flood", 1000),
        ("garbage", "garbage", 64),
        ("garbage 9", "garbage", 9),
    ],
)
def test_a_fault_is_one_line(text: str, name: str, value: float) -> None:
    fault = read_fault(text)
    assert (fault.name, fault.value) == (name, value)


def test_a_flood_may_say_how_long() -> None:
    assert read_fault("flood 1000/s for 3 s").seconds == 3
    assert read_fault("flood 1000 2.5").seconds == 2.5
    assert read_fault("flood 1000").seconds == 5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("freze 5", "'freze' is no fault; did you mean 'freeze'?"),
        ("xyz", "'xyz' is no fault; there are drop, freeze, clock"),
        ("freeze", "'freeze' is written 'freeze SECONDS'"),
        ("antenna two lost", "is written 'antenna NUMBER lost | back'"),
        ("antenna 0 lost", "must be 1 or more"),
        ("freeze 99999", "99999 is too much; at most 3600"),
        ("flood 10 99999", "99999 s is too long; at most 3600"),
        ("clock 30", "is written 'clock +30 | -30 | drift PPM'"),
        ("", "'' is no fault; there are drop"),
    ],
)
def test_a_wrong_fault_is_told_with_what_is_right(text: str, told: str) -> None:
    with pytest.raises(FaultError) as caught:
        read_fault(text)
    assert told in str(caught.value)


def test_a_fault_may_have_its_time() -> None:
    timed = read_timed_fault("at 10s freeze 5s")
    assert (timed.at_s, timed.fault.name, timed.fault.value) == (10, "freeze", 5)
    assert read_timed_fault("AT 2.5 drop after 3").at_s == 2.5
    assert read_timed_fault("drop").at_s == 0
    with pytest.raises(FaultError, match="is written 'at 10s freeze 5s'"):
        read_timed_fault("at noon drop")
    with pytest.raises(FaultError, match="too late"):
        read_timed_fault("at 99999999999 drop")


@given(st.text() | st.builds(" ".join, st.lists(st.sampled_from([*FAULTS, "7", "at", "+30", "s"]))))
def test_any_text_is_a_fault_or_is_refused(text: str) -> None:
    for read in (read_fault, read_timed_fault):
        with suppress(FaultError):
            assert read(text)


def test_without_a_fault_nothing_changes() -> None:
    faults = LinkFaults(Random(1))
    assert words(faults.messages(frames("a", "b"), 0.0)) == ["a", "b"]
    assert faults.cut_at(100) is None
    assert not faults.cut()
    assert faults.active(0.0) == []


def test_the_next_messages_come_twice() -> None:
    faults = faulty("duplicate 2")
    assert words(faults.messages(frames("a", "b", "c"), 0.0)) == ["a", "a", "b", "b", "c"]


def test_the_next_messages_come_in_the_wrong_order() -> None:
    faults = faulty("reorder 3")
    assert words(faults.messages(frames("a", "b"), 0.0)) == []
    assert words(faults.messages(frames("c", "d"), 0.1)) == ["c", "b", "a", "d"]


def test_messages_that_wait_for_another_order_wait_no_longer_than_5_s() -> None:
    faults = faulty("reorder 3")
    assert words(faults.messages(frames("a"), 0.0)) == []
    assert words(faults.messages([], 4.9)) == []
    assert words(faults.messages([], 5.0)) == ["a"]
    assert words(faults.messages(frames("b"), 5.1)) == ["b"]


def test_a_flood_repeats_old_messages_at_its_rate_and_ends() -> None:
    faults = faulty("flood 100 2", now_s=10.0)
    told = []
    for step in range(300):
        told += faults.messages(frames("a") if step == 0 else [], 10.0 + step * 0.01)
    assert len(told) == pytest.approx(200, abs=2)
    assert set(words(told)) == {"a"}
    assert faults.active(12.5) == []


def test_a_flood_that_a_busy_machine_is_late_with_stays_bounded() -> None:
    faults = faulty("flood 100000 3600")
    faults.messages(frames("a"), 0.0)
    assert len(faults.messages([], 3_000.0)) == 10_000


def test_garbage_comes_once_on_the_topic_of_the_last_message() -> None:
    faults = faulty("garbage 9")
    told = faults.messages(frames("a"), 0.0)
    assert [len(frame.payload) for frame in told] == [1, 9]
    assert told[1].topic == "t"
    assert faults.messages([], 1.0) == []


def test_the_link_freezes_for_so_long() -> None:
    faults = faulty("freeze 5", now_s=100.0)
    assert faults.frozen_s(101.0) == 4.0
    assert faults.active(101.0) == ["frozen 4 s"]
    assert faults.frozen_s(105.0) == 0.0


def test_a_drop_at_once_happens_once() -> None:
    faults = faulty("drop")
    assert faults.cut()
    assert not faults.cut()


@given(st.integers(0, 60), st.lists(st.integers(0, 20), min_size=1, max_size=20))
def test_the_link_is_cut_behind_exactly_that_byte(after: int, sizes: list[int]) -> None:
    """Counted over as many messages as it takes."""
    faults = faulty(f"drop after {after}")
    gone = 0
    for size in sizes:
        at = faults.cut_at(size)
        if at is not None:
            assert gone + at == after
            assert at < size
            assert faults.cut_at(1_000) is None
            return
        gone += size
    assert gone <= after


def test_a_fault_of_the_device_is_none_of_the_links() -> None:
    with pytest.raises(AssertionError):
        LinkFaults(Random(1)).take(Fault("antenna_lost", 1, "antenna 1 lost"), 0.0)
