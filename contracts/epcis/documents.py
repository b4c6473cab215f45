"""EPCIS documents in JSON: the events in them, and documents made of events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from contracts.epcis.vocabulary import Json, prefixes

STANDARD_CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
SCHEMA_VERSION = "2.0"
_IGNORED = ":ignoreFields"
"""A document's own field of this name lists fields of its events that count for no hash."""


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


def document_of(
    events: Iterable[Mapping[str, Json]], *, created: str, document_id: str | None = None
) -> bytes:
    """A document of events, each with the `@context` that it needs; `created`: RFC 3339."""
    document: dict[str, object] = {
        "@context": [STANDARD_CONTEXT],
        "type": "EPCISDocument",
        "schemaVersion": SCHEMA_VERSION,
        "creationDate": created,
        "epcisBody": {"eventList": list(events)},
    }
    if document_id is not None:
        document["id"] = document_id
    return msgspec.json.format(msgspec.json.encode(document), indent=2)
