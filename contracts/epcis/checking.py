"""What is wrong with an EPCIS document: each mistake with its place and what is allowed.

The rules are those of EPCIS 2.0 (section 7) for the JSON binding. Fields that the standard lacks
must bear a namespace (`example:myField`), and are kept as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

import msgspec

from contracts.epcis.limits import (
    CONTEXT_BYTES_MAX,
    EVENT_BYTES_MAX,
    long_names,
    long_uri,
    too_large,
    unstorable,
)
from contracts.epcis.mistakes import EpcisMistake, at, shown
from contracts.epcis.times import moment_of
from contracts.epcis.vocabulary import (
    ACTIONS,
    BUSINESS_STEPS,
    COMPONENTS,
    DISPOSITIONS,
    ERROR_REASONS,
    EVENT_TYPES,
    MEASUREMENTS,
    PARTY_TYPES,
    SENSOR_EXCEPTIONS,
    TRANSACTION_TYPES,
    Json,
    is_uri,
)

MISTAKES_MAX = 100
"""Nobody reads more of them at once."""

Check = Callable[[str, Json], Iterator[EpcisMistake]]
"""Path and value to what is wrong with it."""

_OFFSET = re.compile(r"[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00)\Z")
_VERSION = re.compile(r"\d+(?:\.\d+)*\Z", re.ASCII)
_UNIT = re.compile(r"[A-Z0-9]{2,3}\Z", re.ASCII)
_HEX = re.compile(r"[A-Fa-f0-9]+\Z")


def check_document(document: Json) -> list[EpcisMistake]:
    """All that is wrong with a document, at most `MISTAKES_MAX`; empty: it can be taken.

    One that holds what cannot be stored is judged no further.
    """
    found = list(islice(unstorable(document), MISTAKES_MAX))
    return found or list(islice(_document(document), MISTAKES_MAX))


def _document(document: Json) -> Iterator[EpcisMistake]:
    if not isinstance(document, dict):
        yield EpcisMistake("", f"{shown(document)} is no EPCIS document: a JSON object is one")
        return
    match document.get("type"):
        case "EPCISDocument":
            yield from _DOCUMENT("", document)
        case "EPCISQueryDocument":
            yield from _QUERY_DOCUMENT("", document)
        case str() as kind if kind in EVENT_TYPES or is_uri(kind):
            if "@context" not in document:
                yield EpcisMistake("@context", "is missing")
            yield from _event("", document)
        case other:
            yield EpcisMistake(
                "type",
                f"{shown(other)} must be 'EPCISDocument', 'EPCISQueryDocument' or an event's type",
            )


def _text(pattern: re.Pattern[str], what: str) -> Check:
    def check(path: str, value: Json) -> Iterator[EpcisMistake]:
        if not (isinstance(value, str) and pattern.match(value)):
            yield EpcisMistake(path, f"{shown(value)} is no {what}")

    return check


def _word(words: frozenset[str], what: str, *, foreign: str) -> Check:
    """A word of the vocabulary, or a URI of another one: `foreign` tells which URIs are not."""
    own = re.compile(foreign)

    def check(path: str, value: Json) -> Iterator[EpcisMistake]:
        is_foreign = isinstance(value, str) and is_uri(value) and not own.match(value)
        if not (isinstance(value, str) and value in words) and not is_foreign:
            some = ", ".join(sorted(words)[:6])
            yield EpcisMistake(
                path, f"{shown(value)} is no {what}: one of {some}, ... or a URI of your own"
            )

    return check


def _listed(check: Check, *, least: int = 0, is_set: bool = False) -> Check:
    def check_all(path: str, value: Json) -> Iterator[EpcisMistake]:
        if not isinstance(value, list):
            yield EpcisMistake(path, f"{shown(value)} must be a list")
            return
        if len(value) < least:
            yield EpcisMistake(path, "must not be empty")
        if is_set:
            yield from _twice(path, value)
        for number, one in enumerate(value):
            yield from check(f"{path}[{number}]", one)

    return check_all


def _twice(path: str, values: list[Json]) -> Iterator[EpcisMistake]:
    seen: set[bytes] = set()
    for number, one in enumerate(values):
        raw = msgspec.json.encode(one, order="sorted")
        if raw in seen:
            yield EpcisMistake(f"{path}[{number}]", f"{shown(one)} stands there twice")
        seen.add(raw)


def _table(
    fields: Mapping[str, Check],
    *,
    needed: tuple[str, ...] = (),
    is_open: bool = False,
    is_loose: bool = False,
) -> Check:
    """An object; `is_open`: fields with a namespace may stand beside its own; `is_loose`: any."""

    def check(path: str, value: Json) -> Iterator[EpcisMistake]:
        if not isinstance(value, dict):
            yield EpcisMistake(path, f"{shown(value)} must be an object")
            return
        for name in needed:
            if name not in value:
                yield EpcisMistake(at(path, name), "is missing")
        for name, inner in value.items():
            if name in fields:
                yield from fields[name](at(path, name), inner)
            elif not (is_loose or name in needed or (is_open and is_uri(name))):
                known = ", ".join(sorted(fields)) or "none"
                hint = "; a field of your own needs a namespace, as example:field" * is_open
                yield EpcisMistake(at(path, name), f"no such field; allowed: {known}{hint}")

    return check


def _time(path: str, value: Json) -> Iterator[EpcisMistake]:
    if not (isinstance(value, str) and moment_of(value)):
        yield EpcisMistake(path, f"{shown(value)} is no time such as 2026-04-02T15:00:00.000+02:00")


def _number(path: str, value: Json) -> Iterator[EpcisMistake]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield EpcisMistake(path, f"{shown(value)} is no number")


def _boolean(path: str, value: Json) -> Iterator[EpcisMistake]:
    if not isinstance(value, bool):
        yield EpcisMistake(path, f"{shown(value)} must be true or false")


def _string(path: str, value: Json) -> Iterator[EpcisMistake]:
    if not isinstance(value, str):
        yield EpcisMistake(path, f"{shown(value)} must be a text")


def _anything(_path: str, _value: Json) -> Iterator[EpcisMistake]:
    return iter(())


def _context(path: str, value: Json) -> Iterator[EpcisMistake]:
    yield from too_large(path, value, CONTEXT_BYTES_MAX)
    if isinstance(value, list):
        yield from _twice(path, value)
    for number, one in enumerate(value if isinstance(value, list) else [value]):
        if not isinstance(one, dict):
            yield from _uri(f"{path}[{number}]" if isinstance(value, list) else path, one)


def _uri(path: str, value: Json) -> Iterator[EpcisMistake]:
    if isinstance(value, str) and is_uri(value):
        yield from long_uri(path, value)
    else:
        yield EpcisMistake(path, f"{shown(value)} is no URI")


def _uri_or_uris(path: str, value: Json) -> Iterator[EpcisMistake]:
    yield from (_listed(_uri) if isinstance(value, list) else _uri)(path, value)


_CBV = r"urn:epcglobal:cbv|https?://ns\.gs1\.org/cbv/"
_action = _word(ACTIONS, "action", foreign=r".")
_step = _word(BUSINESS_STEPS, "business step", foreign=_CBV)
_disposition = _word(DISPOSITIONS, "disposition", foreign=_CBV)
_QUANTITY = _table(
    {"epcClass": _uri, "quantity": _number, "uom": _text(_UNIT, "unit (UN/CEFACT Rec. 20)")},
    needed=("epcClass",),
)
_TRANSACTION = _table(
    {
        "type": _word(TRANSACTION_TYPES, "transaction type", foreign=_CBV),
        "bizTransaction": _uri,
    },
    needed=("bizTransaction",),
)


def _party(name: str) -> Check:
    kind = _word(PARTY_TYPES, "source or destination type", foreign=_CBV)
    return _table({"type": kind, name: _uri}, needed=("type", name))


_DEVICE: Mapping[str, Check] = dict.fromkeys(
    ("deviceID", "deviceMetadata", "rawData", "dataProcessingMethod", "bizRules"), _uri
)
_METADATA = _table({**_DEVICE, "time": _time, "startTime": _time, "endTime": _time}, is_open=True)
_REPORT = _table(
    {
        **_DEVICE,
        "type": _word(MEASUREMENTS, "measurement", foreign=r"https?://(www\.)?gs1\.org/voc/"),
        "exception": _word(
            SENSOR_EXCEPTIONS, "exception", foreign=r"https?://(www\.)?gs1\.org/voc/"
        ),
        "time": _time,
        **dict.fromkeys(
            ("microorganism", "chemicalSubstance", "coordinateReferenceSystem", "uriValue"), _uri
        ),
        **dict.fromkeys(
            (
                *("value", "minValue", "maxValue", "meanValue"),
                *("sDev", "percRank", "percValue"),
            ),
            _number,
        ),
        "component": _word(COMPONENTS, "component", foreign=_CBV),
        "stringValue": _string,
        "booleanValue": _boolean,
        "hexBinaryValue": _text(_HEX, "hexadecimal text"),
        "uom": _string,
    },
    needed=("type",),
    is_open=True,
)
_SENSOR = _table(
    {"sensorMetadata": _METADATA, "sensorReport": _listed(_REPORT, least=1)},
    needed=("sensorReport",),
    is_open=True,
)
_PLACE = _table({"id": _uri}, needed=("id",), is_loose=True)
_EPCS = _listed(_uri, is_set=True)
_CHILD_EPCS = _listed(_uri)
"""The standard's schema lets a child stand twice in these, and so must we."""
_QUANTITIES = _listed(_QUANTITY)


def _persistent(path: str, value: Json) -> Iterator[EpcisMistake]:
    words = _listed(_disposition, least=1, is_set=True)
    yield from _table({"set": words, "unset": words})(path, value)
    if isinstance(value, dict) and not {"set", "unset"} & value.keys():
        yield EpcisMistake(path, "must set or unset something")


_COMMON: Mapping[str, Check] = {
    "@context": _context,
    "type": _anything,
    "eventTime": _time,
    "recordTime": _time,
    "eventTimeZoneOffset": _text(_OFFSET, "offset such as +02:00"),
    "eventID": _uri,
    "certificationInfo": _uri_or_uris,
    "errorDeclaration": _table(
        {
            "declarationTime": _time,
            "reason": _word(ERROR_REASONS, "reason", foreign=_CBV),
            "correctiveEventIDs": _listed(_uri),
        },
        needed=("declarationTime",),
        is_open=True,
    ),
    "bizStep": _step,
    "disposition": _disposition,
    "readPoint": _PLACE,
    "bizLocation": _PLACE,
    "bizTransactionList": _listed(_TRANSACTION),
    "sourceList": _listed(_party("source")),
    "destinationList": _listed(_party("destination")),
    "sensorElementList": _listed(_SENSOR),
}
_CHILDREN: Mapping[str, Check] = {
    "parentID": _uri,
    "childEPCs": _CHILD_EPCS,
    "childQuantityList": _QUANTITIES,
    "action": _action,
}
_ILMD = _table({}, is_open=True)
_EVENT_FIELDS: Mapping[str, Mapping[str, Check]] = {
    "ObjectEvent": {
        "action": _action,
        "epcList": _EPCS,
        "quantityList": _QUANTITIES,
        "persistentDisposition": _persistent,
        "ilmd": _ILMD,
    },
    "AggregationEvent": _CHILDREN,
    "AssociationEvent": _CHILDREN,
    "TransactionEvent": {
        "action": _action,
        "bizTransactionList": _listed(_TRANSACTION, least=1),
        "parentID": _uri,
        "epcList": _CHILD_EPCS,
        "quantityList": _QUANTITIES,
    },
    "TransformationEvent": {
        "inputEPCList": _EPCS,
        "inputQuantityList": _QUANTITIES,
        "outputEPCList": _EPCS,
        "outputQuantityList": _QUANTITIES,
        "transformationID": _uri,
        "persistentDisposition": _persistent,
        "ilmd": _ILMD,
    },
}
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "ObjectEvent": ("action",),
    "AggregationEvent": ("action",),
    "AssociationEvent": ("action", "parentID"),
    "TransactionEvent": ("action", "bizTransactionList"),
    "TransformationEvent": (),
}
_TIMED = ("eventTime", "eventTimeZoneOffset")


def _event(path: str, value: Json) -> Iterator[EpcisMistake]:
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(kind, str):
        yield EpcisMistake(at(path, "type"), "is missing: an event says of which type it is")
        return
    yield from too_large(path, value, EVENT_BYTES_MAX)
    if kind not in EVENT_TYPES:
        if not is_uri(kind):
            known = ", ".join(sorted(EVENT_TYPES))
            yield EpcisMistake(at(path, "type"), f"{shown(kind)} must be one of {known}")
        for name in _TIMED:
            if name not in value:
                yield EpcisMistake(at(path, name), "is missing")
        for name in _COMMON.keys() & value.keys() & _ANY_EVENT:
            yield from _COMMON[name](at(path, name), value[name])
        yield from long_names(path, value)
        return
    fields = {**_COMMON, **_EVENT_FIELDS[kind]}
    yield from _table(fields, needed=_TIMED + _NEEDED[kind], is_open=True)(path, value)
    yield from (EpcisMistake(path, problem) for problem in _emptiness(kind, value))


_ANY_EVENT = frozenset(
    {"@context", *_TIMED, "recordTime", "eventID", "certificationInfo", "errorDeclaration"}
)
"""What an event of a type of one's own has, too."""


def _emptiness(kind: str, event: Mapping[str, Json]) -> Iterator[str]:
    """What an event must speak of."""

    def has(*names: str) -> bool:
        return any(event.get(name) for name in names)

    deletes = event.get("action") == "DELETE"
    match kind:
        case "ObjectEvent":
            senses = has("sensorElementList") and "readPoint" in event
            if not ("epcList" in event or has("quantityList") or senses):
                yield "an object event needs epcList or quantityList, or what a sensor saw where"
            if "ilmd" in event and event.get("action") != "ADD":
                yield "ilmd is only for action ADD"
        case "AggregationEvent" | "AssociationEvent":
            if not deletes and not has("childEPCs", "childQuantityList"):
                yield "childEPCs or childQuantityList is missing: only DELETE can mean all children"
        case "TransactionEvent":
            if not deletes and "epcList" not in event and not has("quantityList"):
                yield "epcList or quantityList is missing: only DELETE can mean all"
        case _:
            inputs = has("inputEPCList", "inputQuantityList")
            outputs = has("outputEPCList", "outputQuantityList")
            if not (inputs and outputs) and not (
                (inputs or outputs) and "transformationID" in event
            ):
                yield (
                    "a transformation needs inputs and outputs; with a transformationID one of"
                    " them will do"
                )


_HEADER = _table({"epcisMasterData": _anything}, is_open=True)
_EVENTS = _listed(_event)
_DOCUMENT = _table(
    {
        "@context": _context,
        "id": _uri,
        "type": _anything,
        "schemaVersion": _text(_VERSION, "version such as 2.0"),
        "creationDate": _time,
        **dict.fromkeys(("instanceIdentifier", "sender", "receiver"), _string),
        "epcisHeader": _HEADER,
        "epcisBody": _table({"eventList": _EVENTS}, needed=("eventList",), is_loose=True),
    },
    needed=("@context", "schemaVersion", "creationDate", "epcisBody"),
    is_open=True,
)
_RESULTS = _table(
    {"eventList": _EVENTS, "vocabularyList": _anything}, needed=("eventList",), is_open=True
)
_QUERY_DOCUMENT = _table(
    {
        "@context": _context,
        "id": _uri,
        "type": _anything,
        "schemaVersion": _text(_VERSION, "version such as 2.0"),
        "creationDate": _time,
        "epcisBody": _table(
            {
                "queryResults": _table(
                    {"queryName": _string, "subscriptionID": _string, "resultsBody": _RESULTS},
                    needed=("queryName", "resultsBody"),
                    is_open=True,
                )
            },
            needed=("queryResults",),
            is_open=True,
        ),
    },
    needed=("@context", "epcisBody"),
    is_open=True,
)
