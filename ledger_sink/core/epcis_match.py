"""Whether an event is what a query's parameter asks for (EPCIS 2.0, section 8.2.7.1).

Values are compared by what they mean: a word of the CBV in any of its spellings is one word, a GS1
identifier as URN or as Digital Link one identifier, a time in any zone one moment.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import NamedTuple

from contracts.epcis.digital_link import canonical_identifier
from contracts.epcis.event_hash import qualified
from contracts.epcis.times import microseconds, moment_of
from contracts.epcis.vocabulary import Json, vocabulary_uri
from contracts.gs1_keys import ROOT


class Candidate(NamedTuple):
    """An event that a query may want."""

    event: Mapping[str, Json]
    """The event."""
    context: Mapping[str, str]
    """Namespaces of its prefixes."""
    event_hash: str
    """Its event hash id."""
    recorded_us: int
    """When it was entered."""
    inside: Callable[[str], Collection[str]]
    """A location to the locations that it lies in."""


Test = Callable[[Candidate], bool]
"""Whether an event passes one parameter."""

COMPARISONS: Mapping[str, Callable[[Decimal, Decimal], bool]] = MappingProxyType(
    {"EQ": operator.eq, "GT": operator.gt, "GE": operator.ge, "LT": operator.lt, "LE": operator.le}
)
QUANTITY_LISTS = (
    *("quantityList", "childQuantityList"),
    *("inputQuantityList", "outputQuantityList"),
)
_CLASS_PATTERN = re.compile(r"urn:epc:idpat:([a-z]+):(.+)\Z")
_PATTERN_KEYS: Mapping[str, str] = MappingProxyType({"sgtin": "01", "sscc": "00"})
"""Keys whose patterns may leave out more than the serial."""


def words_of(field: str, value: Json, context: Mapping[str, str]) -> str:
    """A value as what it means."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return vocabulary_uri(field, text, context) or canonical_identifier(text) or text


def has_word(path: str, values: Collection[str]) -> Test:
    """A field's value, or one of a list of values, is one of these. `path`: `readPoint.id`."""
    field = path.rpartition(".")[2]

    def test(candidate: Candidate) -> bool:
        wanted = {words_of(field, value, candidate.context) for value in values}
        return any(
            words_of(field, one, candidate.context) in wanted
            for one in at_path(candidate.event, path)
        )

    return test


def at_path(value: Json | Mapping[str, Json], path: str) -> Iterator[Json]:
    """The values at a path of fields; lists on the way are looked through."""
    if isinstance(value, list):
        for one in value:
            yield from at_path(one, path)
    elif not path:
        yield value  # type: ignore[misc]
    elif isinstance(value, Mapping):
        name, _, rest = path.partition(".")
        if name in value:
            yield from at_path(value[name], rest)


def typed(listed: str, name: str, kind: str, values: Collection[str]) -> Test:
    """Of a list of typed things (transactions, sources) one of this type is one of these."""

    def test(candidate: Candidate) -> bool:
        wanted = {words_of(name, value, candidate.context) for value in values}
        sort = words_of("type", kind, candidate.context)
        return any(
            isinstance(one, dict)
            and words_of("type", one.get("type"), candidate.context) == sort
            and words_of(name, one.get(name), candidate.context) in wanted
            for one in at_path(candidate.event, listed)
        )

    return test


def within(field: str, values: Collection[str]) -> Test:
    """A location is one of these or lies in one of them."""
    wanted = [canonical_identifier(value) or value for value in values]

    def test(candidate: Candidate) -> bool:
        for place in at_path(candidate.event, f"{field}.id"):
            if not isinstance(place, str):
                continue
            here = canonical_identifier(place) or place
            around = {here, *candidate.inside(here)}
            # A GLN's extension tells places within that GLN apart.
            around |= {one.partition("/254/")[0] for one in around}
            if around.intersection(wanted):
                return True
        return False

    return test


def matches_epc(paths: Sequence[str], values: Collection[str]) -> Test:
    """One of the EPCs or classes at some paths is one of these, or fits one of these patterns."""
    exact = {canonical_identifier(one) or one for one in values if not is_pattern(one)}
    patterns = [found for one in values if is_pattern(one) and (found := pattern_of(one))]

    def test(candidate: Candidate) -> bool:
        for path in paths:
            for one in at_path(candidate.event, path):
                if not isinstance(one, str):
                    continue
                name = canonical_identifier(one) or one
                if name in exact or any(pattern.match(name) for pattern in patterns):
                    return True
        return False

    return test


def is_pattern(text: str) -> bool:
    """Whether a value is a pattern of EPCs."""
    return text.startswith("urn:epc:idpat:")


def pattern_of(text: str) -> re.Pattern[str] | None:
    """A pattern URI over canonical identifiers; None where it is none that is known.

    A pattern without a serial is a class too: it fits the class and its instances.
    """
    match = _CLASS_PATTERN.match(text)
    if match is None:
        return None
    if (known := canonical_identifier(text)) is not None:
        return re.compile(rf"{re.escape(known)}(?:/21/.+|[^/]+)?\Z")
    key, parts = _PATTERN_KEYS.get(match[1]), match[2].split(".")
    if key is None or not re.fullmatch(r"[0-9]{6,12}|\*", parts[0]) or set(parts[1:]) != {"*"}:
        return None
    company = r"[0-9]*" if parts[0] == "*" else parts[0]
    return re.compile(rf"{re.escape(ROOT)}/{key}/[0-9]{company}[0-9]*(?:/21/.+)?\Z")


def time_between(path: str, from_us: int | None, before_us: int | None) -> Test:
    """A time at a path lies in a span; None: without an end."""

    def test(candidate: Candidate) -> bool:
        for one in at_path(candidate.event, path):
            at_us = time_us(one)
            if at_us is not None and _lies(at_us, from_us, before_us):
                return True
        return False

    return test


def recorded_between(from_us: int | None, before_us: int | None) -> Test:
    """The event was entered in a span."""
    return lambda candidate: _lies(candidate.recorded_us, from_us, before_us)


def time_us(value: Json) -> int | None:
    """A time in UTC microseconds; None where it is none."""
    moment = moment_of(value) if isinstance(value, str) else None
    return None if moment is None else microseconds(moment)


def _lies(at_us: int, from_us: int | None, before_us: int | None) -> bool:
    return (from_us is None or at_us >= from_us) and (before_us is None or at_us < before_us)


def number_of(value: Json) -> Decimal | None:
    """A number, exact; None where the value is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def compared(
    paths: Sequence[str], name: str, how: str, values: Sequence[Decimal], unit: str | None = None
) -> Test:
    """Of the elements at some paths one has a number that compares so with one of these.

    `unit`: only elements in this unit; None: in any.
    """
    compare = COMPARISONS[how]

    def test(candidate: Candidate) -> bool:
        for path in paths:
            for element in at_path(candidate.event, path):
                if not isinstance(element, dict) or (unit and element.get("uom") != unit):
                    continue
                number = number_of(element.get(name))
                if number is not None and any(compare(number, value) for value in values):
                    return True
        return False

    return test


def exists(path: str) -> Test:
    """A field is there."""
    return lambda candidate: next(at_path(candidate.event, path), None) is not None


def has_id(values: Collection[str]) -> Test:
    """The event's id, given or by its hash, is one of these."""
    wanted = frozenset(values)
    return lambda candidate: (
        candidate.event_hash in wanted or candidate.event.get("eventID") in wanted
    )


class Extension(NamedTuple):
    """A field with a namespace."""

    path: str
    """Where it stands: empty for the event, `ilmd`, `errorDeclaration`, ..."""
    name: str
    """Its name, qualified or with a prefix."""
    is_inner: bool
    """True: anywhere deeper than that."""


def extension_exists(field: Extension) -> Test:
    """A field of a namespace is there."""
    return lambda candidate: next(_extensions(candidate, field), None) is not None


def extension_compares(field: Extension, how: str, values: Sequence[str]) -> Test:
    """A field of a namespace compares so with one of these: as time, number, or text."""

    def test(candidate: Candidate) -> bool:
        return any(
            _compares(found, how, value)
            for one in _extensions(candidate, field)
            for found in at_path(one, "")
            for value in values
        )

    return test


def _compares(found: Json, how: str, value: str) -> bool:
    if isinstance(found, dict):
        return False
    times = time_us(found), time_us(value)
    numbers = number_of(found), number_of(value)
    if times[0] is not None and times[1] is not None:
        return COMPARISONS[how](Decimal(times[0]), Decimal(times[1]))
    if numbers[0] is not None and numbers[1] is not None:
        return COMPARISONS[how](numbers[0], numbers[1])
    return how == "EQ" and words_of("", found, {}) == words_of("", value, {})


def _extensions(candidate: Candidate, field: Extension) -> Iterator[Json]:
    wanted = qualified(field.name, candidate.context)
    for top in at_path(candidate.event, field.path):
        if field.is_inner and not field.path and isinstance(top, Mapping):
            # Inner fields of an event are those of its extensions, and of no part of its own.
            extensions = {name: value for name, value in top.items() if ":" in name}
            yield from _named(extensions, wanted, candidate.context, is_inner=True)
        else:
            yield from _named(top, wanted, candidate.context, is_inner=field.is_inner)


def _named(value: Json, wanted: str, context: Mapping[str, str], is_inner: bool) -> Iterator[Json]:
    if isinstance(value, list):
        for one in value:
            yield from _named(one, wanted, context, is_inner=is_inner)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if is_inner:
                # Only what lies within another field is inner.
                for deeper in at_path(inner, ""):
                    yield from _deep(deeper, wanted, context)
            elif qualified(name, context) == wanted:
                yield inner


def _deep(value: Json, wanted: str, context: Mapping[str, str]) -> Iterator[Json]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if qualified(name, context) == wanted:
                yield inner
            yield from _deep(inner, wanted, context)
    elif isinstance(value, list):
        for one in value:
            yield from _deep(one, wanted, context)
