"""The undecided memory: what a worker that takes over needs to decide as the last one would have.

Keys and values:

| key | holds |
|---|---|
| `i/{identity}` | its trail: what its next passage means |
| `w/{identity}` and location, opening time, late or not, chunk | an open window, or a share of it |
| `d/{device}` | the device's clock |
| `c/{gate}` | the gate's company, usual level and photo-eyes |
| `t` | the gateways' times |

The parts of a window's key are separated by SEPARATOR.

A window at a gate is written in chunks, so that each tick carries only its new reads; after a few
chunks it is written whole again. Where a resting identity is is not here: the ledger knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from stream_processors.core.agenda import GatewayTime, Times
from stream_processors.core.gate_state import Gate
from stream_processors.core.reference import Location, Place, Reference
from stream_processors.core.skew import DeviceClock, SavedClock
from stream_processors.core.windows import Sample, Stay, Tally, Trail, Undecided, Visit, Window

SEPARATOR = "\x1f"
CHUNKS_MAX = 8
"""Chunks of one window before it is written whole again."""
SavedSample = tuple[int, int, str, int, int, int | None, int]
SavedTally = tuple[str, int, int, int, int, int, int, int | None, int | None, int]


class Saved(msgspec.Struct, array_like=True, frozen=True):
    """What all shapes of window have in common."""

    gateways: tuple[str, ...]
    first_us: int
    last_us: int
    received_us: int
    closed: bool
    tags: tuple[bytes, ...]


class SavedStay(Saved, tag="stay", frozen=True):
    """A stay."""

    tallies: tuple[SavedTally, ...]
    told: bool
    slot: int
    heard: tuple[int, int, int, int, int, int]
    part: int


class SavedVisit(Saved, tag="visit", frozen=True):
    """A visit, or what was added to it since the chunk before."""

    rested: tuple[SavedTally, ...]

    held_us: int
    resumed: bool
    after: str
    voted: tuple[int, int, int, tuple[int, ...], bool]
    samples: tuple[SavedSample, ...]


class SavedTrail(msgspec.Struct, array_like=True, frozen=True):
    """A trail."""

    gate: str
    direction: str
    passed_us: int
    peak_cdbm: int
    load: str
    discrepancies: tuple[tuple[str, str], ...]
    lingered: dict[str, int]
    undecided: Undecided | None
    closes_us: int
    pinned: bool
    zone: str | None
    since_us: int
    gateways: tuple[str, ...]


class SavedGate(msgspec.Struct, array_like=True, frozen=True):
    """A gate."""

    level_cdbm: int
    weight: int
    company: tuple[tuple[int, tuple[int, ...]], ...]
    outer: tuple[tuple[int, int], ...]
    inner: tuple[tuple[int, int], ...]


class SavedTimes(msgspec.Struct, array_like=True, frozen=True):
    """The gateways' times."""

    bridge_us: int
    gateways: tuple[tuple[str, int, int], ...]


_encoder = msgspec.msgpack.Encoder()
_windows: msgspec.msgpack.Decoder[SavedStay | SavedVisit] = msgspec.msgpack.Decoder(
    SavedStay | SavedVisit
)
_trails = msgspec.msgpack.Decoder(SavedTrail)
_gates = msgspec.msgpack.Decoder(SavedGate)
_times = msgspec.msgpack.Decoder(SavedTimes)
_clocks = msgspec.msgpack.Decoder(SavedClock)


def identity_of_key(key: str) -> str | None:
    """The identity that a key is about; None for keys that every partition needs.

    With another number of partitions, a worker keeps of all old memories those keys whose identity
    hashes to its own partition, and all others.
    """
    if key[:2] not in {"i/", "w/"}:
        return None
    return key[2:].partition(SEPARATOR)[0]


def window_key(window: Window) -> str:
    """The part of a window's keys before its chunks."""
    late = int(window.late)
    parts = (window.record.identity, window.location.id, str(window.opened_us), str(late))
    return "w/" + SEPARATOR.join(parts)


def save_window(
    window: Window, values: dict[str, bytes], removed: set[str], *, whole: bool
) -> None:
    """Add what is new of a window to a change, or all of it."""
    if not window.key:
        window.key = window_key(window)
    chunks = window.saved
    if isinstance(window, Visit):
        rewritten = whole or not chunks or chunks >= CHUNKS_MAX or window.told < 0
        begin = 0 if rewritten else window.told
        value = _encoder.encode(_visit(window, begin))
        window.told = len(window.samples)
    else:
        assert isinstance(window, Stay)
        rewritten = True
        value = _encoder.encode(_stay(window))
    if rewritten:
        for chunk in range(1, chunks):
            removed.add(f"{window.key}{SEPARATOR}{chunk}")
        chunks = 0
    key = f"{window.key}{SEPARATOR}{chunks}"
    values[key] = value
    removed.discard(key)
    window.saved = chunks + 1


def forget_window(window: Window, removed: set[str]) -> None:
    """Add all keys of a window that is over to what is removed."""
    for chunk in range(window.saved):
        removed.add(f"{window.key}{SEPARATOR}{chunk}")
    window.saved = 0


def load_stay(stay: Stay, raw: bytes, reference: Reference) -> None:
    """What `save_window` wrote of a stay."""
    saved = _windows.decode(raw)
    assert isinstance(saved, SavedStay)
    _common(stay, saved)
    stay.tallies = _load_tallies(stay, saved.tallies, reference)
    stay.told = saved.told
    stay.part = saved.part
    stay.slot = saved.slot
    (
        stay.good,
        stay.good_before,
        stay.signal,
        stay.signal_before,
        stay.signals,
        stay.signals_before,
    ) = saved.heard


def load_visit(visit: Visit, raw: bytes, reference: Reference) -> None:
    """One chunk of what `save_window` wrote of a visit; chunks come in order."""
    saved = _windows.decode(raw)
    assert isinstance(saved, SavedVisit)
    _common(visit, saved)
    visit.rested = _load_tallies(visit, saved.rested, reference)
    visit.held_us = saved.held_us
    visit.resumed = saved.resumed
    visit.after = saved.after
    visit.voted, visit.voted_us, visit.level_cdbm, visit.votes, visit.waiting = saved.voted
    samples: list[Sample] = [
        (last_us, first_us, _place(reference, visit.location, device, antenna, side), rssi, count)
        for last_us, first_us, device, antenna, side, rssi, count in saved.samples
    ]
    visit.samples += samples
    visit.told = len(visit.samples)


def peek(raw: bytes) -> SavedStay | SavedVisit:
    """A window's first chunk, to see its shape and gateways."""
    return _windows.decode(raw)


def save_trail(trail: Trail) -> bytes:
    """A trail and, since the ledger's newest event may not tell, where its identity is."""
    return _encoder.encode(
        SavedTrail(
            gate=trail.gate,
            direction=trail.direction,
            passed_us=trail.passed_us,
            peak_cdbm=trail.peak_cdbm,
            load=trail.load,
            discrepancies=trail.discrepancies,
            lingered=trail.lingered or {},
            undecided=trail.undecided,
            closes_us=trail.closes_us,
            pinned=trail.pinned,
            zone=trail.record.zone,
            since_us=trail.record.since_us,
            gateways=trail.gateways,
        )
    )


def load_trail(trail: Trail, raw: bytes) -> None:
    """What `save_trail` wrote."""
    saved = _trails.decode(raw)
    trail.gate = saved.gate
    trail.direction = saved.direction
    trail.passed_us = saved.passed_us
    trail.peak_cdbm = saved.peak_cdbm
    trail.load = saved.load
    trail.discrepancies = saved.discrepancies
    trail.lingered = saved.lingered or None
    trail.undecided = saved.undecided
    trail.closes_us = saved.closes_us
    trail.pinned = saved.pinned
    if saved.pinned:
        trail.record.zone = saved.zone
        trail.record.since_us = saved.since_us
    trail.gateways = saved.gateways


def save_gate(gate: Gate) -> bytes:
    """A gate's memory."""
    return _encoder.encode(
        SavedGate(
            level_cdbm=gate.level_cdbm,
            weight=gate.weight,
            company=tuple([(key, tuple(votes)) for key, votes in sorted(gate.company.items())]),
            outer=tuple(gate.eyes[0]),
            inner=tuple(gate.eyes[1]),
        )
    )


def load_gate(gate: Gate, raw: bytes) -> None:
    """What `save_gate` wrote."""
    saved = _gates.decode(raw)
    gate.level_cdbm = saved.level_cdbm
    gate.weight = saved.weight
    gate.company = {key: list(votes) for key, votes in saved.company}
    gate.eyes = (list(saved.outer), list(saved.inner))


def save_clock(clock: DeviceClock) -> bytes:
    """A device's clock."""
    return _encoder.encode(clock.saved())


def load_clock(clock: DeviceClock, raw: bytes) -> None:
    """What `save_clock` wrote."""
    clock.load(_clocks.decode(raw))


def save_times(times: Times) -> bytes:
    """The gateways' times."""
    gateways = [(name, one.time_us, one.stalled_us) for name, one in sorted(times.gateways.items())]
    return _encoder.encode(SavedTimes(bridge_us=times.bridge_us, gateways=tuple(gateways)))


def load_times(times: Times, raw: bytes) -> None:
    """What `save_times` wrote."""
    saved = _times.decode(raw)
    times.bridge_us = saved.bridge_us
    times.gateways = {
        name: GatewayTime(time_us, stalled_us) for name, time_us, stalled_us in saved.gateways
    }


def _common(window: Window, saved: Saved) -> None:
    window.first_us = saved.first_us
    window.last_us = saved.last_us
    window.received_us = saved.received_us
    window.closed = saved.closed
    window.tags = saved.tags


def _place(reference: Reference, location: Location, device: str, antenna: int, side: int) -> Place:
    place = reference.place_of(device, antenna)
    if place is not None and place.location is location and place.side == side:
        return place
    return Place(device, antenna, location, side)


def _load_tallies(window: Window, saved: Sequence[SavedTally], reference: Reference) -> list[Tally]:
    found = []
    for one in saved:
        place = _place(reference, window.location, one[0], one[1], one[2])
        tally = Tally(place, one[3], one[4])
        tally.reads, tally.count, tally.strongest_cdbm, tally.strongest_us = one[5:9]
        tally.weighted_us = one[9]
        found.append(tally)
    return found


def _tallies(tallies: Sequence[Tally]) -> tuple[SavedTally, ...]:
    return tuple(
        [
            (
                tally.place.device,
                tally.place.antenna,
                tally.place.side,
                tally.first_us,
                tally.last_us,
                tally.reads,
                tally.count,
                tally.strongest_cdbm,
                tally.strongest_us,
                tally.weighted_us,
            )
            for tally in tallies
        ]
    )


class _Shared(NamedTuple):
    """The fields of `Saved`, in its order."""

    gateways: tuple[str, ...]
    first_us: int
    last_us: int
    received_us: int
    closed: bool
    tags: tuple[bytes, ...]


def _shared(window: Window) -> _Shared:
    return _Shared(
        window.clock.gateways,
        window.first_us,
        window.last_us,
        window.received_us,
        window.closed,
        window.tags,
    )


def _stay(stay: Stay) -> SavedStay:
    return SavedStay(
        *_shared(stay),
        tallies=_tallies(stay.tallies),
        told=stay.told,
        slot=stay.slot,
        heard=(
            stay.good,
            stay.good_before,
            stay.signal,
            stay.signal_before,
            stay.signals,
            stay.signals_before,
        ),
        part=stay.part,
    )


def _visit(visit: Visit, begin: int) -> SavedVisit:
    samples: list[SavedSample] = [
        (last_us, first_us, place.device, place.antenna, place.side, rssi_cdbm, count)
        for last_us, first_us, place, rssi_cdbm, count in visit.samples[begin:]
    ]
    return SavedVisit(
        *_shared(visit),
        rested=_tallies(visit.rested),
        held_us=visit.held_us,
        resumed=visit.resumed,
        after=visit.after,
        voted=(visit.voted, visit.voted_us, visit.level_cdbm, visit.votes, visit.waiting),
        samples=tuple(samples),
    )
