"""Builders for tests of the ledger, valid by default."""

from __future__ import annotations

import hashlib
from typing import Any

from contracts.codec import canonical, encode
from contracts.events import (
    Direction,
    Entry,
    EntryKind,
    Evidence,
    LocationEvent,
    LocationKind,
    Sighting,
)
from contracts.ids import content_id
from contracts.log import MemoryChange, SpoolProgress
from ledger_sink.ledger import PartitionCommit

UNIT = "https://id.gs1.org/01/00614141123452/21/{}"
SECOND = 1_000_000


def sighting_of(number: int = 1, **fields: Any) -> Evidence:
    """A sighting at door-1."""
    identity = UNIT.format(number)
    first_us = fields.pop("first_us", 10 * SECOND)
    payload = Sighting(
        identity=identity,
        location="door-1",
        first_us=first_us,
        last_us=first_us + SECOND,
        count=3,
        antennas=(),
    )
    return Evidence(
        **{
            "id": content_id("sighting", identity, first_us),
            "entry": None,
            "identity": identity,
            "location": "door-1",
            "first_us": first_us,
            "last_us": first_us + SECOND,
            "reads": 3,
            "payload": canonical(payload),
            **fields,
        }
    )


def passage(
    number: int = 1, *, at_us: int = 11 * SECOND, evidence: Evidence | None = None, **fields: Any
) -> Entry:
    """An entry: unit `number` passed door-1 outwards."""
    identity = UNIT.format(number)
    digest = "" if evidence is None else hashlib.sha256(evidence.payload).hexdigest()
    event = LocationEvent(
        kind=LocationKind.PASSED,
        identity=identity,
        location="door-1",
        direction=Direction.OUT,
        at_us=at_us,
        first_us=at_us - SECOND,
        last_us=at_us,
        confidence=0.9,
        basis="antenna_order",
        sightings=() if evidence is None else (evidence.id,),
        evidence_digest=digest,
    )
    return Entry(
        **{
            "id": content_id("passage", identity, at_us),
            "kind": EntryKind.LOCATION,
            "happened_us": at_us,
            "identity": identity,
            "location": "door-1",
            "payload": canonical(event),
            "read_received_us": at_us,
            "window_us": 4 * SECOND,
            **fields,
        }
    )


def progress(sequence: int, *, spool: str = "s1", gateway: str = "dock") -> SpoolProgress:
    """A spool that is held up to a batch."""
    return SpoolProgress(
        gateway=gateway, spool=spool, sequence=sequence, gateway_us=sequence * SECOND
    )


def step(partition: int = 0, from_offset: int = 0, **fields: Any) -> PartitionCommit:
    """A step of ten records in log l1 under epoch 1."""
    return PartitionCommit(
        **{
            "log": "l1",
            "partition": partition,
            "epoch": 1,
            "from_offset": from_offset,
            "to_offset": from_offset + 10,
            "events_offset": from_offset + 12,
            **fields,
        }
    )


def memory(**values: bytes) -> bytes:
    """An encoded change of undecided memory."""
    return encode(MemoryChange(snapshot=False, values=values))
