"""Device clocks: learnt from the first report, followed, never trusted blindly."""

from __future__ import annotations

from dock_desk import SECOND, TAG, Desk, at, read, walk

from contracts.codec import decode_json
from contracts.events import EntryKind
from contracts.reads import DeviceChange
from stream_processors.core.skew import AGREEING, WINDOW_US, DeviceClock

TOLERANCE = 120 * SECOND


def learnt(clock: DeviceClock, told: int, received: int) -> int:
    clock.learn(received - told, received, TOLERANCE)
    return clock.corrected(told, received, TOLERANCE)


def test_minutes_of_offset_are_learnt_from_the_first_report() -> None:
    for clock_s in (137.0, -137.0, 3_600.0, -86_400.0):
        desk = Desk()
        desk.give(walk(10, clock_s=clock_s))
        desk.wait(10)
        assert desk.told() == ["in door-1"]
        plain = Desk()
        plain.give(walk(10))
        plain.wait(10)
        assert abs(desk.events()[0].at_us - plain.events()[0].at_us) < SECOND


def test_a_clock_that_is_right_is_left_alone() -> None:
    clock = DeviceClock("door-1")
    clock.start([900_000, 400_000], at(0))
    assert learnt(clock, at(1), at(1) + 300_000) == at(1)
    assert clock.shift_us == 0


def test_drift_is_followed() -> None:
    clock = DeviceClock("door-1")
    clock.start([-10 * SECOND], at(0))
    for minute in range(60):
        told = at(minute * 60) + 10 * SECOND + minute * 50_000
        error = learnt(clock, told, at(minute * 60)) - at(minute * 60)
        assert abs(error) <= 150_000


def test_one_mad_time_stamp_teaches_nothing() -> None:
    clock = DeviceClock("door-1")
    clock.start([50_000] * 5, at(0))
    assert learnt(clock, at(100_000_000), at(1)) == at(1)
    assert learnt(clock, 0, at(2)) == at(2)
    assert learnt(clock, at(3), at(3) + 50_000) == at(3)


def test_a_mad_time_stamp_in_the_first_report_is_outvoted() -> None:
    clock = DeviceClock("door-1")
    clock.start([50_000, -(10**15), 60_000, 10**15, 55_000], at(0))
    assert clock.shift_us == 0


def test_a_clock_that_is_set_anew_is_believed_after_a_few_reports() -> None:
    for jump in (300 * SECOND, -300 * SECOND):
        clock = DeviceClock("door-1")
        clock.start([0], at(0))
        found = [learnt(clock, at(n) + jump, at(n)) for n in range(1, AGREEING + 2)]
        assert all(abs(one - at(n)) <= TOLERANCE for n, one in enumerate(found, 1))
        assert clock.shift_us == -jump


def test_nothing_is_ever_seen_after_it_was_received() -> None:
    clock = DeviceClock("door-1")
    clock.start([0], at(0))
    assert learnt(clock, at(1) + SECOND, at(1)) == at(1)


def test_the_memory_of_a_clock_is_bounded_and_restores() -> None:
    clock = DeviceClock("door-1")
    clock.start([5 * SECOND], at(0))
    for n in range(1, 1_000):
        learnt(clock, at(n), at(n) + 5 * SECOND + n)
    other = DeviceClock("door-1")
    other.load(clock.saved())
    for n in range(1_000, 1_000 + 3 * WINDOW_US // SECOND):
        assert learnt(clock, at(n), at(n) + 6 * SECOND) == learnt(other, at(n), at(n) + 6 * SECOND)


def test_a_clock_that_is_not_believed_is_told_once_a_day() -> None:
    desk = Desk()
    desk.give([read("zones", 1, 10 + n * 0.1) for n in range(5)])
    desk.give([read("zones", 1, 11 + n * 0.1, clock_s=-1_700_000_000) for n in range(5)])
    devices = [one for one in desk.entries if one.kind == EntryKind.DEVICE]
    assert len(devices) == 1
    assert decode_json(DeviceChange, devices[0].payload).device == "zones"
    desk.wait(20)
    assert desk.reads_told() == {TAG: 10}
