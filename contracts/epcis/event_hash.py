"""The event hash id of CBV 2.0, section 8.9: equal events have equal ids, whoever writes them down.

An event becomes its *pre-hash string*: fields in the canonical order, each as key, equals sign and
value, without anything between them; times in UTC to the millisecond, numbers without trailing
zeros, vocabulary as web URIs, GS1 identifiers as canonical Digital Links, lists sorted. The id is
its SHA-256 as an `ni` URI (RFC 6920). What says nothing of the event itself is left out: `eventID`,
`recordTime`, `errorDeclaration`, comments.

Where the standard's prose and the vectors of its reference implementation differ, the vectors win:
`type` stands before the value that it types, and transactions, destinations, master data of
instances and sources follow the sensor data in this order.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal

from contracts.epcis.digital_link import canonical_identifier
from contracts.epcis.times import utc_milliseconds
from contracts.epcis.vocabulary import CONTEXT, Json, vocabulary_uri

VERSION = "CBV2.0"
EXPONENT_MAX = 400
"""Beyond the range of a double a number stays as it was written: it could fill the memory."""

_EPCS = ("epc", ())
_QUANTITIES = ("quantityElement", ("epcClass", "quantity", "uom"))
_DEVICE = ("deviceID", "deviceMetadata", "rawData", "dataProcessingMethod")
_METADATA = ("time", "startTime", "endTime", *_DEVICE, "bizRules")
_REPORT = (
    *("type", "exception", *_DEVICE, "time", "microorganism", "chemicalSubstance", "value"),
    *("component", "stringValue", "booleanValue", "hexBinaryValue", "uriValue", "minValue"),
    *("maxValue", "meanValue", "sDev", "percRank", "percValue", "uom", "coordinateReferenceSystem"),
)
_LISTS: Mapping[str, tuple[str, Sequence[str]]] = {
    "epcList": _EPCS,
    "inputEPCList": _EPCS,
    "childEPCs": _EPCS,
    "outputEPCList": _EPCS,
    "quantityList": _QUANTITIES,
    "childQuantityList": _QUANTITIES,
    "inputQuantityList": _QUANTITIES,
    "outputQuantityList": _QUANTITIES,
    "bizTransactionList": ("", ("type", "bizTransaction")),
    "destinationList": ("", ("type", "destination")),
    "sourceList": ("", ("type", "source")),
    "sensorElementList": ("sensorElement", ("sensorMetadata", "sensorReport")),
}
"""Lists: the name that each of its elements gets, and the order within an element."""
_PARTS: Mapping[str, Sequence[str]] = {
    "persistentDisposition": ("set", "unset"),
    "readPoint": ("id",),
    "bizLocation": ("id",),
    "sensorMetadata": _METADATA,
    "sensorReport": _REPORT,
    "ilmd": (),
}
"""Fields with fields of their own."""
_EVENT = (
    *("eventTime", "eventTimeZoneOffset", "certificationInfo", "parentID", "epcList"),
    *("inputEPCList", "childEPCs", "quantityList", "childQuantityList", "inputQuantityList"),
    *("outputEPCList", "outputQuantityList", "action", "transformationID", "bizStep"),
    *("disposition", "persistentDisposition", "readPoint", "bizLocation", "sensorElementList"),
    *("bizTransactionList", "destinationList", "ilmd", "sourceList"),
)
"""The canonical order of an event's fields, behind its type."""
LEFT_OUT = frozenset(
    {"@context", "type", "isA", "eventID", "recordTime", "errorDeclaration", "rdfs:comment"}
)
"""What is no part of the hash."""

_DECIMAL = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\Z", re.ASCII)
_NUMBERS = frozenset(
    {"quantity", "value", "minValue", "maxValue", "meanValue", "sDev", "percRank", "percValue"}
)
_TIMES = frozenset({"eventTime", "time", "startTime", "endTime"})


def event_hash(
    event: Mapping[str, Json],
    context: Mapping[str, str] = CONTEXT,
    leaving_out: Collection[str] = (),
) -> str:
    """The id, `ni:///sha-256;...?ver=CBV2.0`; for the rest see `pre_hash`."""
    digest = hashlib.sha256(pre_hash(event, context, leaving_out).encode()).hexdigest()
    return f"ni:///sha-256;{digest}?ver={VERSION}"


def pre_hash(
    event: Mapping[str, Json],
    context: Mapping[str, str] = CONTEXT,
    leaving_out: Collection[str] = (),
) -> str:
    """The pre-hash string of an event as in JSON.

    `context` gives the namespaces of prefixes, the document's own beside the standard's;
    `leaving_out` names fields, as the event does, that a partner added to it.
    """
    writer = _Writer(context, LEFT_OUT.union(leaving_out))
    return f"eventType={event.get('type', '')}" + writer.fields(event, _EVENT)


class _Writer:
    """Writes one event."""

    def __init__(self, context: Mapping[str, str], left_out: Collection[str]) -> None:
        self._context = context
        self._left_out = left_out

    def fields(self, table: Mapping[str, Json], order: Sequence[str]) -> str:
        """A table's own fields in their order, then the extensions in theirs."""
        parts = [self._field(name, table[name]) for name in order if name in table]
        others = [name for name in table if name not in order and name not in self._left_out]
        return "".join(parts) + "".join(sorted(self._extension(n, table[n]) for n in others))

    def _field(self, name: str, value: Json) -> str:
        if value is None or value in ([], {}):
            return ""
        if name in _LISTS:
            element, order = _LISTS[name]
            inside = self._elements(value, lambda one: self._element(element, one, order))
            return name + inside
        if name in _PARTS and not isinstance(value, list):
            if not isinstance(value, dict):
                return self._scalar(name, value)
            return name + self.fields(value, _PARTS[name])
        if isinstance(value, list):
            return self._elements(value, lambda one: self._field(name, one))
        return self._scalar(name, value)

    def _element(self, name: str, value: Json, order: Sequence[str]) -> str:
        if isinstance(value, dict):
            return name + self.fields(value, order)
        return self._scalar(name, value)

    @staticmethod
    def _elements(value: Json, write: Callable[[Json], str]) -> str:
        values = value if isinstance(value, list) else [value]
        return "".join(sorted(map(write, values), key=str.encode))

    def _extension(self, name: str, value: Json) -> str:
        key = qualified(name, self._context)
        if isinstance(value, list):
            return self._elements(value, lambda one: self._extension(name, one))
        if isinstance(value, dict):
            inside = (self._extension(inner, value[inner]) for inner in value if inner != "type")
            return key + "".join(sorted(inside))
        text = _plain(value)
        found = vocabulary_uri(name, text, self._context) or canonical_identifier(text)
        return f"{key}={found or _number(text)}"

    def _scalar(self, name: str, value: Json) -> str:
        key = f"{name}=" if name else ""
        if name in _NUMBERS:
            return key + _number(value)
        text = _plain(value)
        if name in _TIMES:
            return key + utc_milliseconds(text)
        if uri := vocabulary_uri(name, text, self._context):
            return key + uri
        return key + (canonical_identifier(text) or text)


def qualified(name: str, context: Mapping[str, str]) -> str:
    """An extension's name with its namespace: `{https://ns.example.com/epcis/}myField`."""
    prefix, colon, local = name.partition(":")
    if colon and prefix in context and not local.startswith("//"):
        return f"{{{context[prefix]}}}{local}"
    for mark in ("#", "/"):
        if "://" in name and mark in name.partition("://")[2]:
            namespace, _, local = name.rpartition(mark)
            return f"{{{namespace}{mark}}}{local}"
    return name


def _plain(value: Json) -> str:
    """A value of which nothing is known."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value)
    return str(value).strip()


def _number(value: Json) -> str:
    """A number without an exponent, and without zeros that say nothing; any other text as it is."""
    text = str(value).strip()
    if isinstance(value, bool) or not _DECIMAL.match(text):
        return text
    if abs(Decimal(text).adjusted()) > EXPONENT_MAX:
        return text
    number = format(Decimal(text), "f") if "e" in text.lower() else text
    plain = number.rstrip("0").rstrip(".") if "." in number else number
    return "0" if plain == "-0" else plain
