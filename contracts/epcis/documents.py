"""EPCIS documents in JSON: the events in them, what these speak of, and documents of events."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from contracts.epcis.digital_link import canonical_identifier
from contracts.epcis.vocabulary import Json, prefixes

STANDARD_CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
SCHEMA_VERSION = "2.0"
OWN_PREFIX = "tallygate"
OWN_NAMESPACE = "urn:tallygate:epcis:"
"""Namespace of the fields that EPCIS has no words for."""
_IGNORED = ":ignoreFields"
"""A document's own field of this name lists fields of its events that count for no hash."""
_EPC_FIELDS = ("epcList", "childEPCs", "inputEPCList", "outputEPCList")


class DocumentEvent(NamedTuple):
    """An event and what its document says about reading it: arguments of `event_hash`."""

    event: dict[str, Json]
    """The event as it stands there."""
    context: Mapping[str, str]
    """Namespaces of prefixes."""
    leaving_out: tuple[str, ...]
    """Fields that count for no hash."""


def events_of(document: Mapping[str, Json]) -> Iterator[DocumentEvent]:
    """The events of a document, a query's answer, or a single event; the document was checked."""
    context, ignored = document.get("@context"), _ignored(dict(document))
    for event in _listed(document):
        if isinstance(event, dict):
            around = prefixes(event.get("@context"), prefixes(context))
            yield DocumentEvent(event, around, ignored)


def contexts_of(document: Mapping[str, Json], event: Mapping[str, Json]) -> list[Json]:
    """The contexts that an event is read with beside the standard's: of two the later one wins."""
    around = [*_several(document.get("@context")), *_several(event.get("@context"))]
    once = {
        msgspec.json.encode(one, order="sorted"): one
        for one in reversed(around)
        if one not in (STANDARD_CONTEXT, None)
    }
    return list(reversed(once.values()))


def identities_of(event: Mapping[str, Json]) -> tuple[str, ...]:
    """The things that an event speaks of, each in its canonical form."""
    found: list[str] = []
    parent = event.get("parentID")
    lists: Iterable[Json] = [[parent] if parent else [], *(event.get(name) for name in _EPC_FIELDS)]
    for one in lists:
        found += [each for each in one if isinstance(each, str)] if isinstance(one, list) else []
    return tuple(dict.fromkeys(canonical_identifier(each) or each for each in found))


def place_of(event: Mapping[str, Json]) -> str | None:
    """Where an event was, in its canonical form: where it was read, else where things are now."""
    return _place(event.get("readPoint")) or _place(event.get("bizLocation"))


def document_of(
    events: Iterable[Mapping[str, Json]], *, created: str, leaving_out: Collection[str] = ()
) -> dict[str, Json]:
    """A document of events, each with the `@context` that it needs; `created`: RFC 3339.

    `leaving_out` names fields of the events that count for no hash.
    """
    context: list[Json] = [STANDARD_CONTEXT]
    document: dict[str, Json] = {
        "@context": context,
        "type": "EPCISDocument",
        "schemaVersion": SCHEMA_VERSION,
        "creationDate": created,
    }
    if leaving_out:
        context.append({OWN_PREFIX: OWN_NAMESPACE})
        document[OWN_PREFIX + _IGNORED] = list(leaving_out)
    document["epcisBody"] = {"eventList": [dict(event) for event in events]}
    return document


def encoded(document: Mapping[str, Json]) -> bytes:
    """A document as it is given to others."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2)


def _listed(document: Mapping[str, Json]) -> list[Json]:
    body = document.get("epcisBody")
    if not isinstance(body, dict):
        return [dict(document)]
    results = body.get("queryResults")
    if isinstance(results, dict):
        inner = results.get("resultsBody")
        body = inner if isinstance(inner, dict) else {}
    events = body.get("eventList")
    return events if isinstance(events, list) else []


def _ignored(value: Json) -> tuple[str, ...]:
    """Also where a partner's field stands deeper, beside the events."""
    found: list[str] = []
    if isinstance(value, dict):
        for name, inner in value.items():
            if name.endswith(_IGNORED) and isinstance(inner, list):
                found += [one for one in inner if isinstance(one, str)]
            elif name != "eventList":
                found += _ignored(inner)
    return tuple(found)


def _several(context: Json) -> list[Json]:
    return context if isinstance(context, list) else [context]


def _place(value: Json) -> str | None:
    place = value.get("id") if isinstance(value, dict) else None
    return (canonical_identifier(place) or place) if isinstance(place, str) else None
