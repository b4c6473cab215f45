"""EPCIS events and ledger entries: others' events as entries, our entries as events.

A captured event is one entry: the event as it came, what is needed to read it, and its event hash.
Its id is made of the hash *and* of the time at which it was declared an error, because the hash
leaves that declaration out: so the same event again is the same entry, and its declaration another.
Events that we made say what our entries say in EPCIS' words (CBV 2.0), and name their entry: where
they come back to the ledger that has it, they are known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from contracts.base import SCHEMA, Record
from contracts.codec import UNDECODABLE, canonical
from contracts.epcis.documents import (
    OWN_NAMESPACE,
    OWN_PREFIX,
    DocumentEvent,
    contexts_of,
    events_of,
    identities_of,
    place_of,
)
from contracts.epcis.event_hash import event_hash
from contracts.epcis.mistakes import EpcisMistake
from contracts.epcis.times import microseconds, moment_of, utc_milliseconds
from contracts.epcis.vocabulary import Json
from contracts.events import Entry, EntryKind, LocationEvent, LocationKind
from contracts.ids import content_id
from ledger_sink.core.chain import ChainEntry
from ledger_sink.core.epcis_births import of_birth, of_end
from ledger_sink.core.epcis_build import ToldEvent, UntellableError, Untold, told
from ledger_sink.core.epcis_movements import of_document, of_movement
from ledger_sink.core.epcis_names import Facts, Names, things

__all__ = [
    "KINDS",
    "Captured",
    "CapturedEvent",
    "ToldEvent",
    "Untold",
    "captured",
    "declared_of",
    "events_of_entry",
]

KINDS = (
    EntryKind.LOCATION,
    EntryKind.EPCIS,
    EntryKind.COMMISSIONED,
    EntryKind.DECOMMISSIONED,
    EntryKind.MOVEMENT,
    EntryKind.DOCUMENT,
)
"""Kinds of entries that are events, or may be."""

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
    declared: str
    """When it was declared an error; empty: it was not."""
    claims: str | None
    """The id of the entry of ours that it says it was made of."""
    event_id: str | None
    """Its `eventID`."""
    path: str
    """Where it stands in its document: `epcisBody.eventList[3]`; empty: it is the document."""

    def refusal(self) -> EpcisMistake:
        """What is said of it if its `eventID` stands for other content."""
        problem = f"other content stands under its eventID {self.event_id} already"
        return EpcisMistake(self.path, problem)


def captured(document: Mapping[str, Json]) -> list[Captured]:
    """The entries of the events of a document that was checked before, in order."""
    pairs = enumerate(events_of(document))
    return [_captured(document, one, _path(document, number)) for number, one in pairs]


def _captured(document: Mapping[str, Json], one: DocumentEvent, path: str) -> Captured:
    hash_id = event_hash(*one)
    declared = declared_of(one.event)
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
    event_id = one.event.get("eventID")
    return Captured(
        *(entry, identities, hash_id, declared, _claim(one)),
        *(event_id if isinstance(event_id, str) else None, path),
    )


def _path(document: Mapping[str, Json], number: int) -> str:
    """Where an event stands, as mistakes name it."""
    body = document.get("epcisBody")
    if not isinstance(body, dict):
        return ""
    inner = ".queryResults.resultsBody" if "queryResults" in body else ""
    return f"epcisBody{inner}.eventList[{number}]"


def declared_of(event: Mapping[str, Json]) -> str:
    """When an event was declared an error, in UTC to the millisecond; empty: it was not."""
    declaration = event.get("errorDeclaration")
    declared = str(declaration.get("declarationTime", "")) if isinstance(declaration, dict) else ""
    return utc_milliseconds(declared)


def _claim(one: DocumentEvent) -> str | None:
    named = one.event.get(f"{OWN_PREFIX}:entry")
    is_ours = one.context.get(OWN_PREFIX) == OWN_NAMESPACE
    return named if is_ours and isinstance(named, str) else None


def events_of_entry(entry: ChainEntry, facts: Facts) -> list[ToldEvent | Untold]:
    """The EPCIS events of an entry, in order; none where nothing happened to a thing."""
    try:
        return list(_events(entry, facts))
    except UntellableError as error:
        return [Untold(entry.seq, entry.id, str(error))]
    except UNDECODABLE as error:
        return [Untold(entry.seq, entry.id, f"its payload cannot be read: {error}")]


def _events(entry: ChainEntry, facts: Facts) -> Iterator[ToldEvent]:
    match entry.kind:
        case EntryKind.EPCIS:
            yield _as_it_came(entry)
        case EntryKind.LOCATION:
            yield _of_location(entry, facts)
        case EntryKind.COMMISSIONED:
            yield from of_birth(entry)
        case EntryKind.DECOMMISSIONED:
            yield from of_end(entry, facts.mentions.get(entry.seq, ()))
        case EntryKind.MOVEMENT:
            yield from of_movement(entry, facts)
        case EntryKind.DOCUMENT:
            yield from of_document(entry, facts)


def _as_it_came(entry: ChainEntry) -> ToldEvent:
    payload = msgspec.json.decode(entry.payload, type=CapturedEvent)
    event: dict[str, Json] = msgspec.json.decode(payload.event)
    context: list[Json] = msgspec.json.decode(payload.context)
    if context:
        event["@context"] = context
    return ToldEvent(event, payload.event_hash, payload.leaving_out, entry.seq, entry.recorded_us)


def _of_location(entry: ChainEntry, facts: Facts) -> ToldEvent:
    said = _location_event.decode(entry.payload)
    fields: dict[str, Json] = {"action": "OBSERVE", **things([said.identity])}
    here: dict[str, Json] = {"id": Names(facts, entry).place(said.location)}
    match said.kind:
        case LocationKind.PASSED:
            fields |= {"bizStep": "entering_exiting", "readPoint": here}
        case LocationKind.DEPARTED:
            fields |= {"readPoint": here}
        case _:
            fields |= {"bizStep": "storing", "readPoint": here, "bizLocation": here}
    own: dict[str, Json] = {"event": str(said.kind)}
    if said.direction is not None:
        own["direction"] = str(said.direction)
    if said.device is not None:
        own["device"] = said.device
    return told(entry, "ObjectEvent", fields, own)
