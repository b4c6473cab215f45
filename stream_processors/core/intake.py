"""Reads into windows: the hot path. One read that joins an open window costs about a microsecond.

In order: where the antenna looks, when it was by the agent's clock, which identity, which open
window. Whatever is rare is a function of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.events import Direction
from contracts.reads import GateSignal, Read
from stream_processors.core.dedup import tell_cycle, tell_stay, with_tag
from stream_processors.core.entries import clock_entry, no_place_entry
from stream_processors.core.no_reads import pass_unread
from stream_processors.core.passing import (
    Crossing,
    Waited,
    came_back_inside,
    enter_passage,
    settle_undecided,
    tell_zone,
)
from stream_processors.core.reference import Place, is_class_level
from stream_processors.core.scans import scanned_us, take_scan
from stream_processors.core.settling import settle_beside
from stream_processors.core.skew import DeviceClock
from stream_processors.core.state import State
from stream_processors.core.windows import SAMPLES_MAX, WINDOWS_MAX, Record, Stay, Visit, Window
from stream_processors.core.zones import decide

DAY_US = 86_400_000_000
"""A clock that is not believed is told once a day."""


def take_reads(  # noqa: C901, PLR0912 - one loop is the hot path; calls would cost more than it.
    state: State, reads: Sequence[Read], gateway: str
) -> None:
    """Merge reads into windows; what they decide at once goes to `state.out`."""
    places = state.reference.places
    devices = state.devices
    records = state.records
    dirty = state.dirty
    for read in reads:
        if read.scan is not None:
            take_scan(state, read, read.scan, gateway)
            continue
        device = read.device
        place = places[device].get(read.antenna) if device in places else None
        if place is None:
            place = state.reference.place_of(device, read.antenna)
            if place is None:
                _reject(state, read, gateway)
                continue
        location = place.location
        clock = devices.get(device) or _meet(state, device, reads)
        last_us = _when(state, clock, read, location.parameters.clock_tolerance_us)
        first_us = _begun(read, last_us, location.parameters.clock_tolerance_us)
        record = records.get(read.identity)
        if record is None:
            if is_class_level(read.identity):
                told = tell_cycle(read, place, first_us, last_us)
                entry = pass_unread(state, read, told, place)
                state.out.evidence.append(told.evidence(entry))
                continue
            record = records[read.identity] = Record(read.identity)
        window: Window
        for window in record.windows:
            if (
                window.location is location
                and not window.closed
                and window.last_us - first_us < window.gap_us
                and first_us - window.last_us < window.gap_us
            ):
                break
        else:
            window = _open(state, record, place, first_us, last_us, gateway)
        if last_us > window.last_us:  # noqa: PLR1730 - `max` costs a tenth of the whole read.
            window.last_us = last_us
        if read.received_us > window.received_us:  # noqa: PLR1730 - as above.
            window.received_us = read.received_us
        if read.evidence not in window.tags:
            window.tags = with_tag(window.tags, read.evidence)
        if not window.dirty:
            window.dirty = True
            dirty.append(window)
        if isinstance(window, Visit):
            if first_us < window.first_us:  # noqa: PLR1730 - as above.
                window.first_us = first_us
            window.samples.append((last_us, first_us, place, read.rssi_cdbm, read.count))
            window.held_us = 0
            if len(window.samples) >= SAMPLES_MAX:
                window.clock.windows.put(window, 0)
        else:
            assert isinstance(window, Stay)
            _stay(state, window, place, read, first_us, last_us)


def _when(state: State, clock: DeviceClock, read: Read, tolerance_us: int) -> int:
    """When a read was last seen, by the agent's clock; its device's clock learns from it."""
    received_us = read.received_us
    difference_us = received_us - read.last_us
    if (
        difference_us < clock.floor_us
        or difference_us > clock.low_us + tolerance_us
        or received_us > clock.until_us
        or clock.strange
    ):
        clock.learn(difference_us, received_us, tolerance_us)
    last_us = read.last_us + clock.shift_us
    if 0 <= received_us - last_us <= tolerance_us:
        return last_us
    if abs(received_us - last_us) > tolerance_us:
        _disbelieve(state, clock, read)
    return received_us


def _begun(read: Read, last_us: int, tolerance_us: int) -> int:
    """When it was first seen: as long before `last_us` as the device says, if that is sane."""
    lasted_us = read.last_us - read.first_us
    # One number for both where there is but one time: a visit keeps each of its reads.
    return last_us - lasted_us if 0 < lasted_us <= tolerance_us else last_us


def take_signals(state: State, signals: Sequence[GateSignal]) -> None:
    """Photo-eyes changed. They come at once, so they teach their device's clock as well."""
    for signal in signals:
        eye = state.reference.eyes.get((signal.device, signal.port))
        if eye is None:
            continue
        location = state.reference.locations[eye[0]]
        tolerance_us = location.parameters.clock_tolerance_us
        difference_us = signal.received_us - signal.at_us
        clock = state.devices.get(signal.device)
        if clock is None:
            clock = state.devices[signal.device] = DeviceClock(signal.device)
            clock.start([difference_us], signal.received_us)
        elif not clock.is_plain(difference_us, signal.received_us, tolerance_us):
            clock.learn(difference_us, signal.received_us, tolerance_us)
        at_us = clock.corrected(signal.at_us, signal.received_us, tolerance_us)
        state.gate_of(location).eye(eye[1], broken=signal.state, at_us=at_us)


def times_of(state: State, reads: Sequence[Read]) -> list[int]:
    """When each read was, as `take_reads` would say if it took them now."""
    found: list[int] = []
    for read in reads:
        if read.scan is not None:
            found.append(scanned_us(read))
            continue
        place = state.reference.place_of(read.device, read.antenna)
        if place is None:
            found.append(read.received_us)
            continue
        tolerance_us = place.location.parameters.clock_tolerance_us
        clock = state.devices.get(read.device) or _meet(state, read.device, reads)
        difference_us = read.received_us - read.last_us
        if not clock.is_plain(difference_us, read.received_us, tolerance_us):
            clock.learn(difference_us, read.received_us, tolerance_us)
        found.append(clock.corrected(read.last_us, read.received_us, tolerance_us))
    return found


def times_of_signals(state: State, signals: Sequence[GateSignal]) -> list[int]:
    """When each signal was, as far as its device's clock is known."""
    found: list[int] = []
    for signal in signals:
        eye = state.reference.eyes.get((signal.device, signal.port))
        clock = state.devices.get(signal.device)
        if eye is None or clock is None:
            found.append(signal.received_us)
            continue
        tolerance_us = state.reference.locations[eye[0]].parameters.clock_tolerance_us
        found.append(clock.corrected(signal.at_us, signal.received_us, tolerance_us))
    return found


def _stay(state: State, stay: Stay, place: Place, read: Read, first_us: int, last_us: int) -> None:
    """A read at a zone or on a conveyor: merged, and perhaps it decides."""
    stay.take(place, first_us, last_us, read.rssi_cdbm, read.count)
    record = stay.record
    location = stay.location
    if location.line:
        if not stay.told:
            stay.told = True
            _pass_line(state, stay, last_us)
        return
    if record.zone == location.id:
        record.heard_us = stay.clock.listened_us
        return
    if stay.late or decide(record, stay, last_us) is None:
        return
    settle_beside(state, record, location.id)
    settle_undecided(state, record, location.id, stay.clock, Waited(stay.received_us, 0))
    verdict = decide(record, stay, last_us)
    if verdict is None or record.zone == location.id:
        return
    told = tell_stay(stay)
    waited = Waited(stay.received_us, 0)
    entry = tell_zone(state, stay, told, verdict, last_us, waited)
    state.out.evidence.append(told.evidence(entry))
    record.zone = location.id
    record.since_us = last_us
    came_back_inside(state, record, last_us, entry, location.id, waited)
    state.watch(record)


def _pass_line(state: State, stay: Stay, at_us: int) -> None:
    """On a conveyor there is but one direction, and the first read is the passage."""
    told = tell_stay(stay)
    location = stay.location
    crossing = Crossing(
        location=location.id,
        inner=location.inner,
        outer=location.outer,
        direction=Direction(location.line),
        at_us=at_us,
        confidence=1.0,
        basis="line",
        late=stay.late,
    )
    entry = enter_passage(
        state, stay.record, crossing, told, stay.clock, Waited(stay.received_us, 0)
    )
    state.out.evidence.append(told.evidence(entry))


def _open(
    state: State, record: Record, place: Place, first_us: int, last_us: int, gateway: str
) -> Window:
    """A new window; older ones at the same place that it leaves behind are judged soon."""
    location = place.location
    clock = state.clock_of(location, gateway)
    kind = Stay if location.gate is None or location.line else Visit
    window: Window = kind(record, location, clock, first_us, last_us)
    for other in record.windows:
        if other.location is location and not other.closed and last_us > other.last_us:
            _close(state, other)
    if len(record.windows) >= WINDOWS_MAX:
        open_ones = [other for other in record.windows if not other.closed]
        if open_ones:
            _close(state, min(open_ones, key=lambda other: other.last_us))
    record.windows = (*record.windows, window)
    clock.windows.put(window, window.due_us())
    return window


def _close(state: State, window: Window) -> None:
    window.closed = True
    state.touch(window)
    window.clock.windows.put(window, 0)


def _meet(state: State, device: str, reads: Sequence[Read]) -> DeviceClock:
    """The first reads of a device: all of this batch teach its clock, before any is placed."""
    clock = state.devices[device] = DeviceClock(device)
    mine = [read for read in reads if read.device == device]
    clock.start([read.received_us - read.last_us for read in mine], mine[0].received_us)
    return clock


def _disbelieve(state: State, clock: DeviceClock, read: Read) -> None:
    day = read.received_us // DAY_US
    if clock.noted_us == day:
        return
    clock.noted_us = day
    clock.dirty = True
    state.out.entries.append(clock_entry(read.device, read.last_us, read.received_us, day))


def _reject(state: State, read: Read, gateway: str) -> None:
    """A read at an antenna without a place; equal ones in one input are told apart."""
    nth = sum(1 for entry in state.out.entries if entry.identity == read.identity)
    state.out.entries.append(no_place_entry(read, gateway, nth))
