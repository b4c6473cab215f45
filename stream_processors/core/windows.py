"""What is remembered of one identity: where it is, and the sightings of it that are still open.

A `Record` is all that a resting identity costs. A `Stay` gathers reads at a zone (or on a
conveyor) into one tally per antenna. A `Visit` gathers reads at a gate and keeps each of them,
because their order is what tells the direction; it is short-lived and bounded.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from stream_processors.core.agenda import Clock
from stream_processors.core.reference import Location, Place

SAMPLES_MAX = 400
"""A visit with more reads than this is judged at once: whatever it is, it will not get clearer."""
VISIT_US = 16_000_000
"""So is a visit that lasts longer than this: what came before its last seconds was rest."""
WINDOWS_MAX = 8
"""Open windows of one identity; more (a clone of a tag, a mad clock) close the oldest."""

Sample = tuple[int, int, Place, int | None, int]
"""One read at a gate: last seen, first seen, where, strongest signal, seen count."""


class Tally:
    """One antenna's share of a sighting."""

    __slots__ = (
        "count",
        "first_us",
        "last_us",
        "place",
        "reads",
        "strongest_cdbm",
        "strongest_us",
        "weighted_us",
    )

    def __init__(self, place: Place, first_us: int, last_us: int) -> None:
        self.place = place
        self.first_us = first_us
        self.last_us = last_us
        self.reads = 0
        self.count = 0
        self.strongest_cdbm: int | None = None
        self.strongest_us: int | None = None
        self.weighted_us = 0
        """Sum of seen counts times the middle of each read, as distance from `first_us` then."""

    def take(self, first_us: int, last_us: int, rssi_cdbm: int | None, count: int) -> None:
        """Merge one read."""
        self.reads += 1
        self.count += count
        if first_us < self.first_us:
            self.weighted_us += (self.first_us - first_us) * (self.count - count)
            self.first_us = first_us
        self.last_us = max(self.last_us, last_us)
        self.weighted_us += count * ((first_us + last_us) // 2 - self.first_us)
        if rssi_cdbm is not None and (
            self.strongest_cdbm is None or rssi_cdbm > self.strongest_cdbm
        ):
            self.strongest_cdbm = rssi_cdbm
            self.strongest_us = last_us


class Window:
    """Reads of one identity at one location that belong together."""

    __slots__ = (
        "clock",
        "closed",
        "dirty",
        "first_us",
        "gap_us",
        "gone",
        "key",
        "last_us",
        "late",
        "location",
        "opened_us",
        "received_us",
        "record",
        "saved",
        "tags",
    )

    def __init__(
        self, record: Record, location: Location, clock: Clock[Due], first_us: int, last_us: int
    ) -> None:
        self.record = record
        self.location = location
        self.clock = clock
        self.opened_us = last_us
        self.first_us = first_us
        self.last_us = last_us
        self.received_us = 0
        self.gap_us = gap_of(location)
        """Reads closer than this belong together."""
        self.late = last_us < record.since_us
        self.closed = False
        """No read joins any more: what is left to do is to judge it."""
        self.gone = False
        """It is over, and told."""
        self.tags: tuple[bytes, ...] = ()
        self.dirty = False
        self.saved = 0
        """How many keys of the undecided memory hold it."""
        self.key = ""

    def due_us(self) -> int:
        """When it is to be looked at, by the time of its gateways."""
        raise AssertionError


def gap_of(location: Location) -> int:
    """How close reads at a location must be to belong together, in microseconds."""
    parameters = location.parameters
    if location.line:
        return parameters.dedup_window_us
    return parameters.memory_us if location.gate is None else parameters.silence_us


class Stay(Window):
    """Reads at a zone, or on a conveyor: one tally an antenna, and the signal of late."""

    __slots__ = (
        "good",
        "good_before",
        "part",
        "signal",
        "signal_before",
        "signals",
        "signals_before",
        "slot",
        "tallies",
        "told",
    )

    def __init__(
        self, record: Record, location: Location, clock: Clock[Due], first_us: int, last_us: int
    ) -> None:
        super().__init__(record, location, clock, first_us, last_us)
        self.tallies: list[Tally] = []
        self.told = False
        """On a conveyor: the passage is already told."""
        self.part = 0
        """How many sightings it has been told in."""
        self.slot = 0
        self.forget()

    def forget(self) -> None:
        """Forget the signal: what was heard before a passage says nothing of where it is now."""
        self.good = self.good_before = 0
        self.signal = self.signal_before = 0
        self.signals = self.signals_before = 0

    def due_us(self) -> int:
        """When silence or length ends the sighting."""
        silent_us = self.last_us + self.gap_us
        if not self.tallies:
            return silent_us
        return min(silent_us, self.first_us + self.location.parameters.sighting_us_max)

    def take(
        self, place: Place, first_us: int, last_us: int, rssi_cdbm: int | None, count: int
    ) -> None:
        """Merge one read."""
        if self.late and last_us >= self.record.since_us:
            # One old read may open a stay; news of now makes it one of now.
            self.late = False
        for tally in self.tallies:
            if tally.place is place:
                break
        else:
            if not self.tallies:
                self.first_us = first_us
            tally = Tally(place, first_us, last_us)
            self.tallies.append(tally)
        tally.take(first_us, last_us, rssi_cdbm, count)
        parameters = self.location.parameters
        slot = last_us // (parameters.memory_us // 2 + 1)
        if slot > self.slot:
            self._turn(slot)
        if rssi_cdbm is None:
            self.good += count
        elif rssi_cdbm >= parameters.rssi_min_cdbm:
            self.good += count
            self.signal += rssi_cdbm * count
            self.signals += count

    def heard(self) -> tuple[int, int | None]:
        """Seen count of late, and the mean signal of late if any was told."""
        signals = self.signals + self.signals_before
        mean = (self.signal + self.signal_before) // signals if signals else None
        return self.good + self.good_before, mean

    def _turn(self, slot: int) -> None:
        near = slot == self.slot + 1
        self.good_before = self.good if near else 0
        self.signal_before = self.signal if near else 0
        self.signals_before = self.signals if near else 0
        self.good = self.signal = self.signals = 0
        self.slot = slot


class Visit(Window):
    """Reads at a gate, each kept, until silence or length has it judged."""

    __slots__ = (
        "after",
        "held_us",
        "level_cdbm",
        "rested",
        "resumed",
        "samples",
        "told",
        "voted",
        "voted_us",
        "votes",
        "waiting",
        "weighed",
    )

    def __init__(
        self, record: Record, location: Location, clock: Clock[Due], first_us: int, last_us: int
    ) -> None:
        super().__init__(record, location, clock, first_us, last_us)
        self.samples: list[Sample] = []
        self.told = 0
        """How many of them the undecided memory holds; -1 if what it holds is void."""
        self.rested: list[Tally] = []
        """Reads of before these, during which it rested here: evidence to be told with the rest."""
        self.held_us = 0
        """Waits until then for companions or the next sure read; 0 while it is not judged yet."""
        self.resumed = False
        """It is the rest of a longer one: the tag had been here already."""
        self.after = ""
        """The zone where the identity was surely read next, if so."""
        self.voted = 0
        """How many reads it had when it last told its company what it may be; 0: not yet."""
        self.voted_us = 0
        """Its loud middle then."""
        self.votes: tuple[int, ...] = ()
        self.level_cdbm = 0
        """The gate's usual level then: what it is judged by."""
        self.waiting = False
        """It was known to wait beside the gate then."""
        self.weighed: object = None
        """Its reads, weighed: can be worked out again."""

    def due_us(self) -> int:
        """When it tells its company; or when silence, length or waiting has it judged."""
        if self.closed or len(self.samples) >= SAMPLES_MAX:
            return 0
        if self.held_us:
            return self.held_us
        parameters = self.location.parameters
        silent_us = self.last_us + parameters.silence_us
        if self.voted != len(self.samples):
            silent_us -= parameters.silence_us // 2
        length_us = min(VISIT_US, parameters.sighting_us_max)
        if self.last_us - self.first_us >= length_us:
            return min(silent_us, self.first_us + length_us)
        return silent_us


class Undecided(NamedTuple):
    """A passage of unknown direction, told, until something tells its direction."""

    gate: str
    at_us: int
    first_us: int
    last_us: int
    received_us: int
    device: str
    sighting: str
    digest: str


_encode = msgspec.msgpack.Encoder().encode
_undecided = msgspec.msgpack.Decoder(Undecided)


class Trail:
    """What an identity did at gates of late, as far as it changes what its next passage means."""

    __slots__ = (
        "_undecided",
        "closes_us",
        "direction",
        "discrepancies",
        "gate",
        "gateways",
        "lingered",
        "load",
        "passed_us",
        "peak_cdbm",
        "pinned",
        "record",
        "saved",
    )

    def __init__(self, record: Record) -> None:
        self.record = record
        self.gate = ""
        """Where it passed last."""
        self.direction = ""
        self.passed_us = 0
        self.peak_cdbm = 0
        self.load = ""
        """The load that its last passage counted for, until it comes back."""
        self.discrepancies: tuple[tuple[str, str], ...] = ()
        """Open ones: id and the direction that it moved in."""
        self.lingered: dict[str, int] | None = None
        """Gate to when it was last read there, resting; most never do."""
        self._undecided: bytes | None = None
        self.closes_us = 0
        """Until when the trail matters."""
        self.gateways: tuple[str, ...] = ()
        """By whose time it ends."""
        self.pinned = False
        """Its newest event is a passage that moved nothing: only the trail knows where it is."""
        self.saved = False

    @property
    def undecided(self) -> Undecided | None:
        """A passage whose direction its next sure event tells; kept small, it may wait for long."""
        return None if self._undecided is None else _undecided.decode(self._undecided)

    @undecided.setter
    def undecided(self, undecided: Undecided | None) -> None:
        self._undecided = None if undecided is None else _encode(undecided)


class Record:
    """One identity."""

    __slots__ = ("heard_us", "identity", "since_us", "trail", "watched", "windows", "zone")

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.zone: str | None = None
        """Where it is, as far as is known."""
        self.since_us = -1
        """The time of its newest location event; -1 if there is none."""
        self.heard_us = 0
        """In a continuous zone: how far `Clock.listened_us` was when it was last read there."""
        self.watched = False
        """It waits among the departures of a continuous zone."""
        self.windows: tuple[Window, ...] = ()
        self.trail: Trail | None = None

    def drop(self, window: Window) -> None:
        """A window is over."""
        if len(self.windows) == 1:
            self.windows = ()
        else:
            self.windows = tuple(other for other in self.windows if other is not window)


Due = Window | Trail | Record
"""What waits on an agenda."""
