"""Scans by hand: each is a sighting of its own, and a sure one.

A person who scans a thing in a zone says where it is: one scan moves it, where reads of a tag are
weighed. Its time is the agent's, which knows the handheld's clock; a scan that was made offline
arrives hours later and is *late* where more is known by then. At a gate a scan tells no direction:
it is evidence only. Ids are made from the handheld's own id of the scan, so whatever was sent twice
is entered once.
"""

from __future__ import annotations

import hashlib

from msgspec import UNSET

from contracts.codec import canonical, encode
from contracts.codec import reject as make_reject
from contracts.events import (
    AntennaDetail,
    Entry,
    EntryKind,
    LocationEvent,
    LocationKind,
    Sighting,
)
from contracts.ids import content_id
from contracts.reads import Read, Scan
from stream_processors.core.dedup import Told
from stream_processors.core.entries import location_entry
from stream_processors.core.passing import Waited, came_back_inside, settle_undecided
from stream_processors.core.reference import Location, is_class_level
from stream_processors.core.settling import settle_beside
from stream_processors.core.state import State
from stream_processors.core.windows import Record, Stay


def scanned_us(read: Read) -> int:
    """When a scan was made, by the agent's clock."""
    return min(read.last_us, read.received_us)


def take_scan(state: State, read: Read, scan: Scan, gateway: str) -> None:
    """Understand one scan; what it decides goes to `state.out`."""
    location = _location(state, read, scan)
    if location is None:
        state.out.entries.append(_no_place(read, scan, gateway))
        return
    told = _tell(read, scan, location)
    entry = None
    if location.gate is None and not is_class_level(read.identity):
        entry = _place(state, read, scan, location, told, gateway)
    state.out.evidence.append(told.evidence(entry))


def _location(state: State, read: Read, scan: Scan) -> Location | None:
    if scan.location is not None:
        return state.reference.locations.get(scan.location)
    place = state.reference.place_of(read.device, read.antenna)
    return None if place is None else place.location


def _tell(read: Read, scan: Scan, location: Location) -> Told:
    at_us = scanned_us(read)
    detail = AntennaDetail(
        device=read.device,
        antenna=read.antenna,
        first_us=at_us,
        last_us=at_us,
        reads=1,
        count=read.count,
    )
    sighting = Sighting(
        identity=read.identity,
        location=location.id,
        first_us=at_us,
        last_us=at_us,
        count=read.count,
        antennas=(detail,),
        evidence=(read.evidence.hex(),) if read.evidence else (),
        scan=scan,
    )
    payload = canonical(sighting)
    return Told(
        id=content_id("sighting-scan", scan.client, scan.id),
        identity=read.identity,
        location=location.id,
        first_us=at_us,
        last_us=at_us,
        reads=1,
        payload=payload,
        digest=hashlib.sha256(payload).hexdigest(),
        device=read.device,
    )


def _place(
    state: State, read: Read, scan: Scan, location: Location, told: Told, gateway: str
) -> str | None:
    """The identity is in this zone: the id of the entry that says so, where it is news."""
    record = state.records.get(read.identity)
    if record is None:
        record = state.records[read.identity] = Record(read.identity)
    clock = state.clock_of(location, gateway)
    waited = Waited(read.received_us, 0)
    at_us = told.last_us
    if at_us >= record.since_us and record.zone != location.id:
        settle_beside(state, record, location.id)
        settle_undecided(state, record, location.id, clock, waited)
    if record.zone == location.id and at_us >= record.since_us:
        record.heard_us = clock.listened_us
        return None
    late = at_us <= record.since_us
    kind = LocationKind.ARRIVED if late or record.zone is None else LocationKind.MOVED
    event = LocationEvent(
        kind=kind,
        identity=record.identity,
        location=location.id,
        previous=None if late else record.zone,
        at_us=at_us,
        first_us=at_us,
        last_us=at_us,
        confidence=1.0,
        basis="scan",
        late=late,
        device=read.device,
        sightings=(told.id,),
        evidence_digest=told.digest,
        person=UNSET if scan.person is None else scan.person,
    )
    entry = content_id("location-scan", scan.client, scan.id)
    state.out.entries.append(
        location_entry(entry, event, received_us=waited.received_us, window_us=0)
    )
    if not late:
        _move(state, record, location, at_us)
        came_back_inside(state, record, at_us, entry, location.id, waited)
        state.watch(record)
    return entry


def _move(state: State, record: Record, location: Location, at_us: int) -> None:
    """What antennas heard before says nothing of where it is now."""
    record.zone = location.id
    record.since_us = at_us
    for window in record.windows:
        if isinstance(window, Stay):
            window.forget()
            state.touch(window)


def _no_place(read: Read, scan: Scan, gateway: str) -> Entry:
    """A scan at a place that the site map does not know."""
    where = f"location {scan.location}" if scan.location is not None else f"device {read.device}"
    event = make_reject(
        f"{gateway}/{read.device}",
        f"a scan at {where}, which has no place in the site map",
        encode(read),
        read.received_us,
    )
    return Entry(
        id=content_id("reject-scan", scan.client, scan.id),
        kind=EntryKind.REJECT,
        happened_us=read.received_us,
        identity=read.identity,
        location=None,
        payload=canonical(event),
        read_received_us=read.received_us,
    )
