"""Every parameter that an EPCIS query may have, and how its values are read.

Table-driven: a parameter is a name and a reader, which makes a test of the values or refuses them
in words. Names are those of EPCIS 2.0, section 8.2.7.1, as the REST binding writes them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from contracts.epcis.vocabulary import (
    ACTIONS,
    BUSINESS_STEPS,
    DISPOSITIONS,
    ERROR_REASONS,
    EVENT_TYPES,
    PARTY_TYPES,
    TRANSACTION_TYPES,
    is_uri,
)
from ledger_sink.core.epcis_match import (
    QUANTITY_LISTS,
    Extension,
    Test,
    compared,
    exists,
    extension_compares,
    extension_exists,
    has_id,
    has_word,
    is_pattern,
    matches_epc,
    number_of,
    pattern_of,
    recorded_between,
    time_between,
    time_us,
    typed,
    within,
)


class BadValueError(Exception):
    """A value is wrong; the message says how."""


Reader = Callable[[str, list[str]], Test]
"""Name and values of a parameter to its test. Raises BadValueError."""


ALIASES = {
    "GE_errorDeclaration_Time": "GE_errorDeclarationTime",
    "LT_errorDeclaration_Time": "LT_errorDeclarationTime",
    "EXISTS_errorDeclarationTime": "EXISTS_errorDeclaration",
}
"""The REST binding's schema writes two names otherwise than the standard's text."""
CONTROLS = ("orderBy", "orderDirection", "eventCountLimit", "maxEventCount")


def values_in(name: str, text: str) -> list[str]:
    """Values behind commas, as REST writes lists; a comma within a URI or a text stays."""
    if name in _OF_WORDS or name.startswith("EQ_quantity"):
        return [one.strip() for one in text.split(",")]
    if name in _SIMPLE or name.startswith(("MATCH_", *_TYPED)):
        return [one.strip() for one in _BEFORE_URI.split(text)]
    return [text]


_BEFORE_URI = re.compile(r",(?=\s*(?:urn|https?|ni):)")
_OF_WORDS = frozenset(
    {"eventType", "EQ_action", "EQ_bizStep", "EQ_disposition", "EQ_errorReason", "EQ_type"}
    | {"EQ_persistentDisposition_set", "EQ_persistentDisposition_unset"}
)


def _one(values: Sequence[str]) -> str:
    if len(values) != 1:
        message = f"takes one value, not {len(values)}"
        raise BadValueError(message)
    return values[0]


def _time(values: Sequence[str]) -> int:
    at_us = time_us(_one(values))
    if at_us is None:
        message = f"{values[0]!r} is no time such as 2026-04-02T15:00:00.000+02:00"
        raise BadValueError(message)
    return at_us


def _words(path: str, known: frozenset[str] | None = None, what: str = "") -> Reader:
    """A field that holds one of the values; `known`: the standard's words, beside URIs."""

    def read(_: str, values: list[str]) -> Test:
        for value in values:
            if not value or (known is not None and value not in known and not is_uri(value)):
                near = difflib.get_close_matches(value, known or (), n=1)
                hint = f"; did you mean {near[0]!r}?" if near else " and no URI"
                message = f"{value!r} is no {what or 'value'}{hint}"
                raise BadValueError(message)
        return has_word(path, values)

    return read


def _uris(path: str) -> Reader:
    def read(_: str, values: list[str]) -> Test:
        _need_uris(values)
        return has_word(path, values)

    return read


def _need_uris(values: Iterable[str]) -> None:
    for value in values:
        if not is_uri(value):
            message = f"{value!r} is no URI"
            raise BadValueError(message)


def _within(field: str) -> Reader:
    def read(_: str, values: list[str]) -> Test:
        _need_uris(values)
        return within(field, values)

    return read


def _epcs(*paths: str) -> Reader:
    def read(_: str, values: list[str]) -> Test:
        for value in values:
            if is_pattern(value) and pattern_of(value) is None:
                message = f"{value!r} is no pattern that is known: a key, or a company's with .*.*"
                raise BadValueError(message)
            if not is_pattern(value) and (not is_uri(value) or value.endswith("*")):
                message = f"{value!r} is no URI of an EPC and no urn:epc:idpat: pattern"
                raise BadValueError(message)
        return matches_epc(paths, values)

    return read


def _span(path: str) -> Reader:
    def read(name: str, values: list[str]) -> Test:
        at_us = _time(values)
        starts = name.startswith("GE_")
        if path == "recordTime":
            return recorded_between(at_us if starts else None, None if starts else at_us)
        return time_between(path, at_us if starts else None, None if starts else at_us)

    return read


def _sensed_span(field: str) -> Reader:
    """A time of a sensor's report or of the data about all its reports."""

    def read(name: str, values: list[str]) -> Test:
        tests = [
            _span(f"sensorElementList.{part}.{field}")(name, values)
            for part in ("sensorMetadata", "sensorReport")
        ]
        return lambda candidate: any(test(candidate) for test in tests)

    return read


def _sensed_uris(field: str) -> Reader:
    def read(_: str, values: list[str]) -> Test:
        _need_uris(values)
        tests = [
            has_word(f"sensorElementList.{part}.{field}", values)
            for part in ("sensorMetadata", "sensorReport")
        ]
        return lambda candidate: any(test(candidate) for test in tests)

    return read


def _there(path: str) -> Reader:
    def read(_: str, values: list[str]) -> Test:
        if _one(values) not in ("", "1", "true"):
            message = "takes no value: the field is asked for, not what it says"
            raise BadValueError(message)
        return exists(path)

    return read


def _numbers(paths: Sequence[str], field: str, unit: str | None = None) -> Reader:
    def read(name: str, values: list[str]) -> Test:
        how = name.partition("_")[0]
        if how != "EQ":
            _one(values)
        numbers = [number_of(value) for value in values]
        if None in numbers:
            message = f"{values[numbers.index(None)]!r} is no number"
            raise BadValueError(message)
        return compared(paths, field, how, [one for one in numbers if one is not None], unit)

    return read


_REPORTS = ("sensorElementList.sensorReport",)
_SIMPLE: Mapping[str, Reader] = {
    "eventType": _words("type", EVENT_TYPES, "event type"),
    **{f"{how}_eventTime": _span("eventTime") for how in ("GE", "LT")},
    **{f"{how}_recordTime": _span("recordTime") for how in ("GE", "LT")},
    "EQ_action": _words("action", ACTIONS, "action"),
    "EQ_bizStep": _words("bizStep", BUSINESS_STEPS, "business step"),
    "EQ_disposition": _words("disposition", DISPOSITIONS, "disposition"),
    "EQ_persistentDisposition_set": _words(
        "persistentDisposition.set", DISPOSITIONS, "disposition"
    ),
    "EQ_persistentDisposition_unset": _words(
        "persistentDisposition.unset", DISPOSITIONS, "disposition"
    ),
    "EQ_readPoint": _uris("readPoint.id"),
    "WD_readPoint": _within("readPoint"),
    "EQ_bizLocation": _uris("bizLocation.id"),
    "WD_bizLocation": _within("bizLocation"),
    "EQ_transformationID": _uris("transformationID"),
    "MATCH_epc": _epcs("epcList", "childEPCs"),
    "MATCH_parentID": _epcs("parentID"),
    "MATCH_inputEPC": _epcs("inputEPCList"),
    "MATCH_outputEPC": _epcs("outputEPCList"),
    "MATCH_anyEPC": _epcs("epcList", "childEPCs", "inputEPCList", "outputEPCList", "parentID"),
    "MATCH_epcClass": _epcs("quantityList.epcClass", "childQuantityList.epcClass"),
    "MATCH_inputEPCClass": _epcs("inputQuantityList.epcClass"),
    "MATCH_outputEPCClass": _epcs("outputQuantityList.epcClass"),
    "MATCH_anyEPCClass": _epcs(*(f"{listed}.epcClass" for listed in QUANTITY_LISTS)),
    **{
        f"{how}_quantity": _numbers(QUANTITY_LISTS, "quantity")
        for how in ("EQ", "GT", "GE", "LT", "LE")
    },
    "EQ_eventID": lambda _, values: has_id(values),
    "EXISTS_errorDeclaration": _there("errorDeclaration"),
    **{
        f"{how}_errorDeclarationTime": _span("errorDeclaration.declarationTime")
        for how in ("GE", "LT")
    },
    "EQ_errorReason": _words("errorDeclaration.reason", ERROR_REASONS, "reason"),
    "EQ_correctiveEventID": _uris("errorDeclaration.correctiveEventIDs"),
    "EXISTS_sensorElementList": _there("sensorElementList"),
    **{
        f"{how}_{field}": _sensed_span(field)
        for how in ("GE", "LT")
        for field in ("time", "startTime", "endTime")
    },
    "EQ_type": _words("sensorElementList.sensorReport.type"),
    **{
        f"EQ_{field}": _sensed_uris(field)
        for field in ("deviceID", "deviceMetadata", "rawData", "dataProcessingMethod", "bizRules")
    },
    **{
        f"EQ_{field}": _words(f"sensorElementList.sensorReport.{field}")
        for field in (
            *("microorganism", "chemicalSubstance", "stringValue", "booleanValue"),
            *("hexBinaryValue", "uriValue", "component"),
        )
    },
    **{f"{how}_percRank": _numbers(_REPORTS, "percRank") for how in ("EQ", "GT", "GE", "LT", "LE")},
}
"""Parameters with a name of their own."""
_TYPED: Mapping[str, tuple[str, str, frozenset[str]]] = {
    "EQ_bizTransaction_": ("bizTransactionList", "bizTransaction", TRANSACTION_TYPES),
    "EQ_source_": ("sourceList", "source", PARTY_TYPES),
    "EQ_destination_": ("destinationList", "destination", PARTY_TYPES),
}
"""Families whose name ends in a type."""
_MEASURED = re.compile(
    r"(?:EQ|GT|GE|LT|LE)_"
    r"(quantity|value|minValue|maxValue|meanValue|sDev|percValue)(?:_([A-Z0-9]{2,4}))?\Z"
)
_EXTENSION = re.compile(
    r"(EQ|GT|GE|LT|LE|EXISTS)_(INNER_)?"
    r"(?:(ILMD|ERROR_DECLARATION|readPoint|bizLocation|SENSORELEMENT|SENSORMETADATA|SENSORREPORT)_)?"
    r"([A-Za-z][^:]*:.+)\Z"
)
_PARTS = {
    "ILMD": "ilmd",
    "ERROR_DECLARATION": "errorDeclaration",
    "SENSORELEMENT": "sensorElementList",
    "SENSORMETADATA": "sensorElementList.sensorMetadata",
    "SENSORREPORT": "sensorElementList.sensorReport",
}
_NEEDS_MASTER_DATA = ("HASATTR_", "EQATTR_", "EQ_ATTR_")


def reader_of(name: str) -> Reader | None:
    """The reader of a parameter; None: there is no such parameter."""
    if name in _SIMPLE:
        return _SIMPLE[name]
    if name.startswith(_NEEDS_MASTER_DATA):
        return _no_master_data
    for prefix, (listed, field, kinds) in _TYPED.items():
        if name.startswith(prefix):
            return _typed(listed, field, kinds, name.removeprefix(prefix))
    if measured := _MEASURED.match(name):
        paths = QUANTITY_LISTS if measured[1] == "quantity" else _REPORTS
        return _numbers(paths, measured[1], measured[2])
    if extension := _EXTENSION.match(name):
        part = extension[3] or ""
        where = Extension(_PARTS.get(part, part), extension[4], extension[2] is not None)
        return _extension(where, extension[1])
    return None


def _no_master_data(_: str, values: list[str]) -> Test:
    del values
    message = "asks for master data of a location, and this ledger keeps none: use EQ_ or WD_"
    raise BadValueError(message)


def _typed(listed: str, field: str, kinds: frozenset[str], kind: str) -> Reader:
    def read(_: str, values: list[str]) -> Test:
        if kind not in kinds and not is_uri(kind):
            message = f"{kind!r} is no type of it: {', '.join(sorted(kinds))}, or a URI"
            raise BadValueError(message)
        _need_uris(values)
        return typed(listed, field, kind, values)

    return read


def _extension(field: Extension, how: str) -> Reader:
    def read(_: str, values: list[str]) -> Test:
        if how == "EXISTS":
            return extension_exists(field)
        if how != "EQ" and number_of(_one(values)) is None and time_us(values[0]) is None:
            message = f"{values[0]!r} is neither a number nor a time"
            raise BadValueError(message)
        return extension_compares(field, how, values)

    return read


def unknown(name: str) -> str:
    """What is said of a parameter that there is not."""
    known = [*_SIMPLE, *CONTROLS, *ALIASES]
    known += [prefix + kind for prefix, (_, _, kinds) in _TYPED.items() for kind in sorted(kinds)]
    lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.lower(), lower, n=1)
    hint = f"did you mean {lower[near[0]]!r}?" if near else "see docs/epcis.md for all of them"
    return f"no such parameter; {hint}"
