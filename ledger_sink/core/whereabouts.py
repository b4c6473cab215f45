"""Which location event says where an identity is now."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from contracts.codec import UNDECODABLE
from contracts.events import Entry, EntryKind, LocationEvent, LocationKind
from contracts.reads import is_no_read


class WhereaboutChange(NamedTuple):
    """What one location event says of an identity's place."""

    identity: str
    """Of whom."""
    hash: int
    """CRC-32 of the identity: modulo the number of partitions it names the partition."""
    location: str
    """The zone, or the gate that it passed."""
    kind: str
    """A `LocationKind`; for a passage with its direction behind a colon: `passed:in`."""
    at_us: int
    """When."""


_location_event = msgspec.json.Decoder(LocationEvent)


def location_event(entry: Entry) -> LocationEvent | None:
    """The location event in an entry, if it is one."""
    if entry.kind != EntryKind.LOCATION:
        return None
    try:
        return _location_event.decode(entry.payload)
    except UNDECODABLE:
        # A sender's own business: the entry stands as it came, it only moves nobody.
        return None


def whereabout_changes(entries: Iterable[Entry]) -> list[WhereaboutChange]:
    """What entries say of their identities' places, in order; what nobody could read has none."""
    changes = []
    for entry in entries:
        event = location_event(entry)
        if event is None or entry.identity is None or is_no_read(entry.identity):
            continue
        kind = str(event.kind)
        if event.kind is LocationKind.PASSED:
            kind = f"{kind}:{event.direction or 'unknown'}"
        changes.append(
            WhereaboutChange(
                identity=entry.identity,
                hash=zlib.crc32(entry.identity.encode()),
                location=event.location,
                kind=kind,
                at_us=event.at_us,
            )
        )
    return changes
