"""What passed a scanner without being read: a passage of nobody in particular.

The scanner was triggered, by a photo-eye on a conveyor, and found no code. That something passed is
sure, and so is the way, because a line has but one; only what it was is not known. It moves no
identity, opens no discrepancy and is never at a place: two of them are two things.
"""

from __future__ import annotations

from contracts.events import Direction, LocationEvent, LocationKind
from contracts.reads import Read, is_no_read
from stream_processors.core.dedup import Told
from stream_processors.core.entries import location_entry, location_id
from stream_processors.core.reference import Place
from stream_processors.core.state import State


def pass_unread(state: State, read: Read, told: Told, place: Place) -> str | None:
    """Enter the passage of something unread at a line; its entry's id, None where it is no such."""
    line = place.location.line
    if not line or not is_no_read(read.identity):
        return None
    event = LocationEvent(
        kind=LocationKind.PASSED,
        identity=told.identity,
        location=told.location,
        direction=Direction(line),
        at_us=told.last_us,
        first_us=told.first_us,
        last_us=told.last_us,
        confidence=1.0,
        basis="no_read",
        device=told.device,
        sightings=(told.id,),
        evidence_digest=told.digest,
    )
    entry = location_id(
        event.kind, event.identity, event.location, event.direction, event.at_us, (told,)
    )
    state.out.entries.append(
        location_entry(entry, event, received_us=read.received_us, window_us=0)
    )
    return entry
