"""EPCIS events and ledger entries: others' events as entries, our entries as events.

A captured event is one entry: the event as it came, what is needed to read it, and its event hash.
Its id is made of the hash *and* of the time at which it was declared an error, because the hash
leaves that declaration out: so the same event again is the same entry, and its declaration another.
Events that we made say what our entries say in EPCIS' words (CBV 2.0), and name their entry: where
they come back to the ledger that has it, they are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from contracts.base import SCHEMA, Record
from contracts.codec import UNDECODABLE, canonical
from contracts.epcis.digital_link import is_class
from contracts.epcis.documents import (
    OWN_NAMESPACE,
    OWN_PREFIX,
    DocumentEvent,
    contexts_of,
    identities_of,
    place_of,
)
from contracts.epcis.event_hash import event_hash
from contracts.epcis.times import microseconds, moment_of, utc_milliseconds
from contracts.epcis.vocabulary import CONTEXT, Json, is_uri
from contracts.events import Entry, EntryKind, LocationEvent, LocationKind
from contracts.ids import content_id
from ledger_sink.core.chain import ChainEntry

_location_event = msgspec.json.Decoder(LocationEvent)


class CapturedEvent(Record, tag="epcis_event", frozen=True, kw_only=True):
    """Payload of an entry of kind `epcis`: another party's event, as it came."""

    schema: int = SCHEMA
    """Version of this record."""
    event_hash: str
    """Its event hash id, CBV 2.0."""
    declared: str = ""
    """When it was declared an error, in UTC to the millisecond; empty: it was not."""
    context: msgspec.Raw
    """The contexts that it is read with, beside the standard's: a list in JSON."""
    leaving_out: tuple[str, ...] = ()
    """Those of its fields that count for no hash, as its document said."""
    event: msgspec.Raw
    """The event: JSON."""


class Captured(NamedTuple):
    """One event on its way into the ledger."""

    entry: Entry
    """Its entry."""
    identities: tuple[str, ...]
    """Canonical identities that it speaks of: the entry is part of their lives."""
    event_hash: str
    """Its event hash id."""
    claims: str | None
    """The id of the entry of ours that it says it was made of."""


class ToldEvent(NamedTuple):
    """An entry as an event."""

    event: dict[str, Json]
    """The event."""
    event_hash: str
    """Its event hash id."""
    leaving_out: tuple[str, ...] = ()
    """Those of its fields that count for no hash."""


class Untold(NamedTuple):
    """An entry that should be an event and cannot be one."""

    seq: int
    """Its place in the chain."""
    id: str
    """Its id."""
    reason: str
    """Why."""


def captured(document: Mapping[str, Json], one: DocumentEvent) -> Captured:
    """The entry of an event of a document that was checked before."""
    hash_id = event_hash(*one)
    declaration = one.event.get("errorDeclaration")
    declared = str(declaration.get("declarationTime", "")) if isinstance(declaration, dict) else ""
    declared = utc_milliseconds(declared)
    raw = msgspec.json.encode({key: one.event[key] for key in one.event if key != "@context"})
    payload = CapturedEvent(
        event_hash=hash_id,
        declared=declared,
        context=msgspec.Raw(msgspec.json.encode(contexts_of(document, one.event))),
        leaving_out=tuple(
            name
            for name in dict.fromkeys(one.leaving_out)
            if msgspec.json.encode(name) + b":" in raw
        ),
        event=msgspec.Raw(raw),
    )
    moment = moment_of(str(one.event["eventTime"]))
    assert moment is not None
    identities = identities_of(one.event)
    entry = Entry(
        id=content_id("epcis", hash_id, declared),
        kind=EntryKind.EPCIS,
        happened_us=microseconds(moment),
        identity=identities[0] if len(identities) == 1 else None,
        location=place_of(one.event),
        payload=canonical(payload),
    )
    return Captured(entry, identities, hash_id, None if declared else _claim(one))


def _claim(one: DocumentEvent) -> str | None:
    named = one.event.get(f"{OWN_PREFIX}:entry")
    is_ours = one.context.get(OWN_PREFIX) == OWN_NAMESPACE
    return named if is_ours and isinstance(named, str) else None


def event_of(site: str, entry: ChainEntry, places: Mapping[str, str]) -> ToldEvent | Untold | None:
    """The EPCIS event of an entry; None where it is none. `places`: id to GS1 location, if any."""
    try:
        if entry.kind == EntryKind.EPCIS:
            return _as_it_came(entry)
        if entry.kind == EntryKind.LOCATION:
            return _of_location(site, entry, _location_event.decode(entry.payload), places)
    except UNDECODABLE as error:
        return Untold(entry.seq, entry.id, f"its payload cannot be read: {error}")
    return None


def _as_it_came(entry: ChainEntry) -> ToldEvent:
    payload = msgspec.json.decode(entry.payload, type=CapturedEvent)
    event: dict[str, Json] = msgspec.json.decode(payload.event)
    context: list[Json] = msgspec.json.decode(payload.context)
    if context:
        event["@context"] = context
    return ToldEvent(event, payload.event_hash, payload.leaving_out)


def _of_location(
    site: str, entry: ChainEntry, told: LocationEvent, places: Mapping[str, str]
) -> ToldEvent | Untold:
    happened, recorded = _text(entry.happened_us), _text(entry.recorded_us)
    if happened is None or recorded is None:
        return Untold(entry.seq, entry.id, "EPCIS has no times outside the years 1 to 9999")
    event: dict[str, Json] = {
        "@context": [{OWN_PREFIX: OWN_NAMESPACE}],
        "type": "ObjectEvent",
        "eventTime": happened,
        "eventTimeZoneOffset": "+00:00",
        "recordTime": recorded,
        "action": "OBSERVE",
    }
    thing = told.identity
    if not is_uri(thing):
        thing = f"urn:tallygate:identity:{quote(thing, safe='')}"
    if is_class(thing):
        event["quantityList"] = [{"epcClass": thing, "quantity": 1}]
    else:
        event["epcList"] = [thing]
    here: dict[str, Json] = {"id": place_uri(site, told.location, places)}
    match told.kind:
        case LocationKind.PASSED:
            event |= {"bizStep": "entering_exiting", "readPoint": here}
        case LocationKind.DEPARTED:
            event |= {"readPoint": here}
        case _:
            event |= {"bizStep": "storing", "readPoint": here, "bizLocation": here}
    event[f"{OWN_PREFIX}:event"] = str(told.kind)
    event[f"{OWN_PREFIX}:entry"] = entry.id
    if told.direction is not None:
        event[f"{OWN_PREFIX}:direction"] = str(told.direction)
    if told.device is not None:
        event[f"{OWN_PREFIX}:device"] = told.device
    hash_id = event_hash(event, {**CONTEXT, OWN_PREFIX: OWN_NAMESPACE})
    event["eventID"] = hash_id
    return ToldEvent(event, hash_id)


def place_uri(site: str, place: str, places: Mapping[str, str]) -> str:
    """A place as EPCIS names it: its GS1 location, or a URI of the site's own."""
    return places.get(place) or f"urn:tallygate:location:{quote(site)}:{quote(place)}"


def _text(us: int) -> str | None:
    """A time of ours; None where no calendar has it."""
    seconds, micros = divmod(us, 1_000_000)
    try:
        moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros, tzinfo=None)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds") + "Z"
