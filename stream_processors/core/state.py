"""All that one partition's stages remember, and who of it has changed since the last tick."""

from __future__ import annotations

from typing import NamedTuple

from contracts.events import Entry, Evidence
from contracts.places import Zone
from stream_processors.core.agenda import Clock, Times
from stream_processors.core.gate_state import Gate
from stream_processors.core.memory import forget_window
from stream_processors.core.reference import Location, Reference
from stream_processors.core.skew import DeviceClock
from stream_processors.core.windows import Due, Record, Trail, Window, gap_of

PINNED_US = 300_000_000
"""A pinned trail ends with the next move, not with time: it is looked at this often."""


class Outcome(NamedTuple):
    """What an input led to."""

    entries: list[Entry]
    evidence: list[Evidence]


class State:
    """The stages' memory of one partition."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference
        self.revision = reference.revision
        self.times = Times()
        self.records: dict[str, Record] = {}
        self.clocks: dict[tuple[tuple[str, ...], int], Clock[Due]] = {}
        self.devices: dict[str, DeviceClock] = {}
        self.gates: dict[str, Gate] = {}
        self.dirty: list[Window] = []
        self.dirty_trails: dict[str, Trail] = {}
        self.removed: set[str] = set()
        self.out = Outcome([], [])

    def clock_of(self, location: Location, gateway: str) -> Clock[Due]:
        """The time of a location; of the gateway that read there, where the map names none."""
        gateways = location.gateways or (gateway,)
        key = (gateways, location.parameters.incomplete_us)
        clock = self.clocks.get(key)
        if clock is None:
            clock = self.clocks[key] = Clock(*key)
            clock.advance(self.times)
        return clock

    def gate_of(self, location: Location) -> Gate:
        """The memory of a gate."""
        gate = self.gates.get(location.id)
        if gate is None:
            gate = self.gates[location.id] = Gate(location.id)
        return gate

    def touch(self, window: Window) -> None:
        """A window changed."""
        if not window.dirty:
            window.dirty = True
            self.dirty.append(window)

    def end(self, window: Window) -> None:
        """A window is over: all its reads are told."""
        window.gone = True
        window.record.drop(window)
        forget_window(window, self.removed)

    def trail_of(self, record: Record, clock: Clock[Due]) -> Trail:
        """An identity's trail, begun where there is none."""
        trail = record.trail
        if trail is None:
            trail = record.trail = Trail(record)
            trail.closes_us = max(clock.strict_us, 0)
            trail.gateways = clock.gateways
            clock.trails.put(trail, trail.closes_us)
        self.dirty_trails[record.identity] = trail
        return trail

    def end_trail(self, trail: Trail) -> None:
        """A trail matters no more."""
        record = trail.record
        record.trail = None
        self.dirty_trails.pop(record.identity, None)
        if trail.saved:
            self.removed.add("i/" + record.identity)
        self.forget_if_idle(record)

    def forget_if_idle(self, record: Record) -> None:
        """An identity of which nothing is known any more costs nothing: a ghost, a passer-by."""
        if not record.windows and record.trail is None and record.since_us < 0:
            self.records.pop(record.identity, None)

    def rebind(self) -> None:
        """Another site map: have every window and resting tag look at the new places."""
        if self.revision == self.reference.revision:
            return
        self.revision = self.reference.revision
        self.clocks = {}
        for record in self.records.values():
            for window in record.windows:
                window.location = self.location_of(window.location)
                window.gap_us = gap_of(window.location)
                window.clock = self.clock_of(window.location, (*window.clock.gateways, "")[0])
                window.clock.windows.put(window, window.due_us())
            if record.trail is not None:
                self.wait_for_trail(record.trail)
            record.watched = False
            self.watch(record)

    def wait_for_trail(self, trail: Trail) -> None:
        """Have a trail end in time."""
        location = self.reference.locations.get(trail.gate)
        gateway = (*trail.gateways, "")[0]
        if location is None:
            location = Location(Zone(id=trail.gate))
        clock = self.clock_of(location, gateway)
        trail.gateways = clock.gateways
        clock.trails.put(trail, trail.closes_us)

    def location_of(self, before: Location) -> Location:
        """A location under the new site map; one that is no more keeps its old ways."""
        return self.reference.locations.get(before.id, before)

    def watch(self, record: Record) -> None:
        """In a continuous zone, silence is absence: see when this identity's gets too long."""
        zone = record.zone
        if zone is None:
            return
        location = self.reference.locations.get(zone)
        if location is None or not location.parameters.continuous:
            return
        clock = self.clock_of(location, "")
        record.heard_us = clock.listened_us
        if not record.watched:
            record.watched = True
            clock.departures.put(record, record.heard_us + location.parameters.departure_us)
