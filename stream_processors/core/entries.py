"""What the stages decided, as entries for the ledger. Ids are made from content."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from contracts.codec import canonical, encode
from contracts.codec import reject as make_reject
from contracts.events import (
    Direction,
    DiscrepancyClosed,
    DiscrepancyOpened,
    Entry,
    EntryKind,
    LocationEvent,
    LocationKind,
)
from contracts.ids import content_id
from contracts.reads import DeviceChange, Read
from stream_processors.core.dedup import Told


def location_id(
    kind: LocationKind,
    identity: str,
    location: str,
    direction: Direction | None,
    at_us: int,
    told: Sequence[Told],
) -> str:
    """A location event's entry id."""
    return content_id(
        "location", kind, identity, location, direction, at_us, *[one.id for one in told]
    )


def digest_of(told: Sequence[Told]) -> str:
    """SHA-256 over the sightings' payloads in order."""
    if len(told) == 1:
        return told[0].digest
    return hashlib.sha256(b"".join([one.payload for one in told])).hexdigest()


def location_entry(
    entry_id: str, event: LocationEvent, *, received_us: int | None, window_us: int
) -> Entry:
    """A location event on its way into the ledger."""
    return Entry(
        id=entry_id,
        kind=EntryKind.LOCATION,
        happened_us=event.at_us,
        identity=event.identity,
        location=event.location,
        payload=canonical(event),
        read_received_us=received_us,
        window_us=max(0, window_us),
    )


def opened_entry(event: DiscrepancyOpened, *, received_us: int | None, window_us: int) -> Entry:
    """A discrepancy that began. The same one may begin again after it was closed."""
    return Entry(
        id=content_id("discrepancy_opened", event.discrepancy, event.at_us),
        kind=EntryKind.DISCREPANCY_OPENED,
        happened_us=event.at_us,
        identity=event.identities[0],
        location=event.location,
        payload=canonical(event),
        read_received_us=received_us,
        window_us=max(0, window_us),
    )


def closed_entry(
    event: DiscrepancyClosed,
    *,
    identity: str,
    location: str,
    received_us: int | None,
    window_us: int,
) -> Entry:
    """A discrepancy that ended."""
    return Entry(
        id=content_id("discrepancy_closed", event.discrepancy, event.at_us),
        kind=EntryKind.DISCREPANCY_CLOSED,
        happened_us=event.at_us,
        identity=identity,
        location=location,
        payload=canonical(event),
        read_received_us=received_us,
        window_us=max(0, window_us),
    )


def no_place_entry(read: Read, gateway: str, nth: int) -> Entry:
    """A read at an antenna that the site map does not know; `nth` tells equal ones apart."""
    reason = f"device {read.device} antenna {read.antenna} has no place in the site map"
    raw = encode(read)
    event = make_reject(f"{gateway}/{read.device}", reason, raw, read.received_us)
    return Entry(
        id=content_id("reject", event.source, reason, raw, nth),
        kind=EntryKind.REJECT,
        happened_us=read.received_us,
        identity=read.identity,
        location=None,
        payload=canonical(event),
        read_received_us=read.received_us,
    )


def clock_entry(device: str, told_us: int, received_us: int, day: int) -> Entry:
    """A device tells times that are not believed: each partition tells it once a day."""
    event = DeviceChange(
        device=device,
        state="clock_off",
        detail=f"it said {told_us} us when it was {received_us} us: the time of receipt is used",
        at_us=received_us,
    )
    return Entry(
        id=content_id("device-clock", device, day, told_us, received_us),
        kind=EntryKind.DEVICE,
        happened_us=received_us,
        identity=None,
        location=None,
        payload=canonical(event),
        read_received_us=received_us,
    )
