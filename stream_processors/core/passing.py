"""What moves an identity: passages and events in zones, entered with all that follows from them."""

from __future__ import annotations

from typing import NamedTuple

from contracts.events import Direction, LocationEvent, LocationKind
from stream_processors.core.agenda import Clock
from stream_processors.core.dedup import Told
from stream_processors.core.entries import (
    closed_entry,
    digest_of,
    location_entry,
    location_id,
    opened_entry,
)
from stream_processors.core.state import State
from stream_processors.core.triggers import Passed, Triggered, came_back_closed, on_passage
from stream_processors.core.windows import Due, Record, Stay, Trail, Undecided
from stream_processors.core.zones import Verdict

RECENT_US = 60_000_000
"""A passage this recent still tells cross-talk at another gate from a passage there."""
UNDECIDED_SHARE = 0.8
"""Confidence in a direction that only the next sure event tells."""


class Waited(NamedTuple):
    """How long a decision waited on purpose, for the latency figure."""

    received_us: int
    window_us: int


def tell_zone(
    state: State,
    stay: Stay,
    told: Told,
    verdict: Verdict,
    at_us: int,
    waited: Waited,
    *,
    late: bool = False,
) -> str:
    """Enter a location event in a zone; its entry's id."""
    record = stay.record
    event = LocationEvent(
        kind=verdict.kind,
        identity=record.identity,
        location=stay.location.id,
        previous=None if late else record.zone,
        at_us=at_us,
        first_us=told.first_us,
        last_us=told.last_us,
        confidence=verdict.confidence,
        basis=verdict.basis,
        late=late,
        incomplete=stay.clock.incomplete,
        device=told.device,
        sightings=(told.id,),
        evidence_digest=told.digest,
    )
    entry = location_id(event.kind, event.identity, event.location, None, at_us, (told,))
    state.out.entries.append(
        location_entry(entry, event, received_us=waited.received_us, window_us=waited.window_us)
    )
    return entry


class Crossing(NamedTuple):
    """A passage that is decided."""

    location: str
    inner: str
    outer: str
    direction: Direction
    at_us: int
    confidence: float
    basis: str
    late: bool
    peak_cdbm: int = 0
    origin: str = ""
    """The zone that it came from and, turning back, went back to; empty where that is not known."""


def enter_passage(
    state: State, record: Record, crossing: Crossing, told: Told, clock: Clock[Due], waited: Waited
) -> str:
    """Enter a passage; its entry's id."""
    moves = crossing.direction in (Direction.IN, Direction.OUT)
    late = crossing.late or crossing.at_us < record.since_us
    entry = location_id(
        LocationKind.PASSED,
        record.identity,
        crossing.location,
        crossing.direction,
        crossing.at_us,
        (told,),
    )
    origin = crossing.origin
    if moves:
        origin = crossing.outer if crossing.direction is Direction.IN else crossing.inner
    if origin and not late:
        settle_undecided(state, record, origin, clock, waited)
        record.zone = record.zone or origin
    trail = state.trail_of(record, clock)
    triggered = Triggered(None)
    if moves:
        passed = Passed(
            gate=crossing.location,
            direction=crossing.direction,
            at_us=crossing.at_us,
            late=late,
            found_us=clock.now_us if not clock.incomplete else waited.received_us,
            evidence=(entry, told.id),
        )
        triggered = on_passage(state.reference, record, trail, passed)
    event = LocationEvent(
        kind=LocationKind.PASSED,
        identity=record.identity,
        location=crossing.location,
        previous=None if late else record.zone,
        direction=crossing.direction,
        at_us=crossing.at_us,
        first_us=told.first_us,
        last_us=told.last_us,
        confidence=crossing.confidence,
        basis=crossing.basis,
        late=late,
        incomplete=clock.incomplete,
        device=told.device,
        sightings=(told.id,),
        evidence_digest=digest_of((told,)),
        load=triggered.load,
    )
    timing = {"received_us": waited.received_us, "window_us": waited.window_us}
    entries = state.out.entries
    entries.append(location_entry(entry, event, **timing))
    entries += [opened_entry(one, **timing) for one in triggered.opened]
    entries += [
        closed_entry(one, identity=record.identity, location=crossing.location, **timing)
        for one in triggered.closed
    ]
    if not late:
        _move(state, record, trail, crossing, told, waited)
    return entry


def _move(
    state: State, record: Record, trail: Trail, crossing: Crossing, told: Told, waited: Waited
) -> None:
    """Where an identity is after a passage."""
    record.since_us = crossing.at_us
    if crossing.direction in (Direction.IN, Direction.OUT):
        record.zone = crossing.inner if crossing.direction is Direction.IN else crossing.outer
        trail.gate = crossing.location
        trail.direction = crossing.direction
        trail.passed_us = crossing.at_us
        trail.peak_cdbm = crossing.peak_cdbm
        trail.pinned = False
        trail.undecided = None
        trail.closes_us = max(trail.closes_us, crossing.at_us + RECENT_US)
        for window in record.windows:
            if isinstance(window, Stay):
                window.forget()
                state.touch(window)
        state.watch(record)
    else:
        # The ledger's newest event then does not tell where it is: the trail must.
        trail.pinned = True
        if crossing.direction is Direction.UNKNOWN:
            trail.undecided = Undecided(
                gate=crossing.location,
                at_us=crossing.at_us,
                first_us=told.first_us,
                last_us=told.last_us,
                received_us=waited.received_us,
                device=told.device,
                sighting=told.id,
                digest=told.digest,
            )
    if trail.lingered is not None:
        trail.lingered.pop(crossing.location, None)


def settle_undecided(
    state: State, record: Record, zone: str, clock: Clock[Due], waited: Waited
) -> None:
    """An identity is surely in a zone now: that may tell how its last passage went.

    The passage was told as `unknown`. If it was at a gate of this zone, it is told again, at its
    own time, with the direction that leads here.
    """
    trail = record.trail
    if trail is None or trail.undecided is None:
        return
    undecided, trail.undecided = trail.undecided, None
    state.dirty_trails[record.identity] = trail
    gate = state.reference.locations.get(undecided.gate)
    if gate is None or gate.inner == gate.outer or zone not in (gate.inner, gate.outer):
        return
    told = Told(
        id=undecided.sighting,
        identity=record.identity,
        location=undecided.gate,
        first_us=undecided.first_us,
        last_us=undecided.last_us,
        reads=0,
        payload=b"",
        digest=undecided.digest,
        device=undecided.device,
    )
    crossing = Crossing(
        location=gate.id,
        inner=gate.inner,
        outer=gate.outer,
        direction=Direction.IN if zone == gate.inner else Direction.OUT,
        at_us=undecided.at_us,
        confidence=UNDECIDED_SHARE,
        basis="neighbour",
        late=False,
    )
    window_us = max(0, waited.received_us - undecided.received_us)
    enter_passage(state, record, crossing, told, clock, Waited(waited.received_us, window_us))


def came_back_inside(
    state: State, record: Record, at_us: int, entry: str, location: str, waited: Waited
) -> None:
    """A sure read inside takes back a passage out: what was open because of it is closed."""
    trail = record.trail
    if trail is None:
        return
    trail.pinned = False
    state.dirty_trails[record.identity] = trail
    here = state.reference.locations.get(location)
    if trail.direction != Direction.OUT or here is None or here.outside:
        return
    for one in came_back_closed(trail, Direction.IN, at_us, (entry,)):
        state.out.entries.append(
            closed_entry(
                one,
                identity=record.identity,
                location=location,
                received_us=waited.received_us,
                window_us=waited.window_us,
            )
        )
    trail.load = ""
    trail.direction = ""
