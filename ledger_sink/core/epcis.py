"""EPCIS events and ledger entries: others' events as entries, our entries as events.

A captured event is one entry: the event as it came, what is needed to read it, and its event hash.
Its id is made of the hash *and* of the time at which it was declared an error, because the hash
leaves that declaration out: so the same event again is the same entry, and its declaration another.
Events that we made say what our entries say in EPCIS' words (CBV 2.0).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from contracts.base import SCHEMA, Record
from contracts.codec import UNDECODABLE, canonical
from contracts.epcis.digital_link import canonical_identifier
from contracts.epcis.documents import DocumentEvent
from contracts.epcis.event_hash import event_hash
from contracts.epcis.vocabulary import CONTEXT, Json
from contracts.events import Entry, EntryKind, LocationEvent, LocationKind
from contracts.gs1_keys import ROOT
from contracts.ids import content_id
from ledger_sink.core.chain import ChainEntry

OWN_PREFIX = "tallygate"
OWN_NAMESPACE = "urn:tallygate:epcis:"
"""Namespace of the fields that EPCIS has no words for."""
CLASS_KEYS = (f"{ROOT}/01/", f"{ROOT}/253/", f"{ROOT}/255/", f"{ROOT}/8003/", f"{ROOT}/8006/")
_EPC_FIELDS = ("epcList", "childEPCs", "inputEPCList", "outputEPCList")

_location_event = msgspec.json.Decoder(LocationEvent)


class CapturedEvent(Record, tag="epcis_event", frozen=True, kw_only=True):
    """Payload of an entry of kind `epcis`: another party's event, as it came."""

    schema: int = SCHEMA
    """Version of this record."""
    event_hash: str
    """Its event hash id, CBV 2.0."""
    declared: str = ""
    """When it was declared an error, as it says itself; empty: it was not."""
    context: dict[str, str]
    """Namespaces of the prefixes that it uses, beside the standard's."""
    event: msgspec.Raw
    """The event: JSON."""


class Captured(NamedTuple):
    """One event on its way into the ledger."""

    entry: Entry
    """Its entry."""
    identities: tuple[str, ...]
    """Canonical identities that it speaks of: the entry is part of their lives."""


def captured(one: DocumentEvent) -> Captured:
    """The entry of an event; it was checked before."""
    hash_id = event_hash(*one)
    declaration = one.event.get("errorDeclaration")
    declared = str(declaration.get("declarationTime", "")) if isinstance(declaration, dict) else ""
    raw = msgspec.json.encode({key: one.event[key] for key in one.event if key != "@context"})
    used = {
        prefix: namespace
        for prefix, namespace in one.context.items()
        if CONTEXT.get(prefix) != namespace and f"{prefix}:".encode() in raw
    }
    payload = CapturedEvent(
        event_hash=hash_id, declared=declared, context=used, event=msgspec.Raw(raw)
    )
    identities = _identities(one.event)
    entry = Entry(
        id=content_id("epcis", hash_id, declared),
        kind=EntryKind.EPCIS,
        happened_us=_us(str(one.event["eventTime"])),
        identity=identities[0] if len(identities) == 1 else None,
        location=_place(one.event.get("readPoint")) or _place(one.event.get("bizLocation")),
        payload=canonical(payload),
    )
    return Captured(entry, identities)


def event_of(site: str, entry: ChainEntry, places: Mapping[str, str]) -> dict[str, Json] | None:
    """The EPCIS event of an entry; None where it is none. `places`: id to GS1 location, if any."""
    try:
        if entry.kind == EntryKind.EPCIS:
            return _as_it_came(entry)
        if entry.kind == EntryKind.LOCATION:
            return _of_location(site, entry, _location_event.decode(entry.payload), places)
    except UNDECODABLE:
        return None
    return None


def _as_it_came(entry: ChainEntry) -> dict[str, Json]:
    payload = msgspec.json.decode(entry.payload, type=CapturedEvent)
    event: dict[str, Json] = msgspec.json.decode(payload.event)
    if payload.context:
        event["@context"] = [dict(payload.context)]
    return event


def _of_location(
    site: str, entry: ChainEntry, told: LocationEvent, places: Mapping[str, str]
) -> dict[str, Json]:
    event: dict[str, Json] = {
        "@context": [{OWN_PREFIX: OWN_NAMESPACE}],
        "type": "ObjectEvent",
        "eventTime": _text(entry.happened_us),
        "eventTimeZoneOffset": "+00:00",
        "recordTime": _text(entry.recorded_us),
        "action": "OBSERVE",
    }
    if is_class(told.identity):
        event["quantityList"] = [{"epcClass": told.identity, "quantity": 1}]
    else:
        event["epcList"] = [told.identity]
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
    event["eventID"] = event_hash(event, {**CONTEXT, OWN_PREFIX: OWN_NAMESPACE})
    return event


def is_class(identity: str) -> bool:
    """Whether an identity names a class of things and no single one."""
    return identity.startswith(CLASS_KEYS[0]) and not ("/21/" in identity or "/235/" in identity)


def place_uri(site: str, place: str, places: Mapping[str, str]) -> str:
    """A place as EPCIS names it: its GS1 location, or a URI of the site's own."""
    return places.get(place) or f"urn:tallygate:location:{quote(site)}:{quote(place)}"


def _identities(event: Mapping[str, Json]) -> tuple[str, ...]:
    found: list[str] = []
    parent = event.get("parentID")
    lists: Iterable[Json] = [[parent] if parent else [], *(event.get(name) for name in _EPC_FIELDS)]
    for one in lists:
        found += [each for each in one if isinstance(each, str)] if isinstance(one, list) else []
    canonical_ones = (canonical_identifier(each) or each for each in found)
    return tuple(dict.fromkeys(canonical_ones))


def _place(value: Json) -> str | None:
    place = value.get("id") if isinstance(value, dict) else None
    return (canonical_identifier(place) or place) if isinstance(place, str) else None


def _us(text: str) -> int:
    moment = datetime.fromisoformat(text.upper())
    seconds = int(moment.replace(microsecond=0).timestamp())
    return seconds * 1_000_000 + moment.microsecond


def _text(us: int) -> str:
    seconds, micros = divmod(us, 1_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros, tzinfo=None)
    return moment.isoformat(timespec="milliseconds") + "Z"
