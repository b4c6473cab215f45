"""The parameters of an EPCIS query (EPCIS 2.0, section 8.2.7.1; names as in the REST binding).

`read_query` makes of names and values a `Query`, or says of every parameter what is wrong with it.
A query is a conjunction: an event is wanted where it passes every parameter; of several values of
one parameter it needs one. Beside the tests a query says which entries can be left aside unread.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from contracts.epcis.digital_link import canonical_identifier
from contracts.events import EntryKind
from ledger_sink.core.epcis import KINDS
from ledger_sink.core.epcis_match import Candidate, Test, is_pattern, time_us
from ledger_sink.core.epcis_parameters import (
    ALIASES,
    CONTROLS,
    BadValueError,
    reader_of,
    unknown,
    values_in,
)

ORDERS = ("eventTime", "recordTime")
VALUES_MAX = 1_000
"""Of all parameters together."""


class Query(NamedTuple):
    """What is asked for."""

    tests: tuple[Test, ...] = ()
    """An event passes all of them."""
    kinds: tuple[EntryKind, ...] = KINDS
    """Kinds of entries that can be such events."""
    identities: tuple[str, ...] | None = None
    """The event speaks of one of these; None: nobody knows before it is read."""
    places: tuple[str, ...] | None = None
    """The event was read at one of these or things are there since; None: anywhere."""
    from_us: int | None = None
    before_us: int | None = None
    """The event's time lies between these."""
    recorded_from: int | None = None
    recorded_before: int | None = None
    """The time of its recording lies between these."""
    order_by: str = ""
    """`eventTime` or `recordTime`; empty: as it was entered."""
    is_descending: bool = True
    """The newest first, where there is an order."""
    count_limit: int | None = None
    """Only the first so many, in that order."""
    count_max: int | None = None
    """More than so many are refused."""

    def wants(self, candidate: Candidate) -> bool:
        """Whether an event is asked for."""
        return all(test(candidate) for test in self.tests)


class QueryMistake(NamedTuple):
    """What is wrong with a parameter."""

    name: str
    problem: str

    def text(self) -> str:
        """The mistake as one line."""
        return f"{self.name}: {self.problem}"


def read_query(given: Iterable[tuple[str, str]]) -> Query | list[QueryMistake]:
    """The query of names and values, a name as often as it has values; or all mistakes."""
    values: dict[str, list[str]] = {}
    for name, text in given:
        values.setdefault(ALIASES.get(name, name), []).extend(values_in(name, text))
    if sum(map(len, values.values())) > VALUES_MAX:
        return [QueryMistake("query", f"has more than {VALUES_MAX:,} values")]
    mistakes: list[QueryMistake] = []
    tests: list[Test] = []
    for name, several in values.items():
        if name in CONTROLS:
            continue
        reader = reader_of(name)
        if reader is None:
            mistakes.append(QueryMistake(name, unknown(name)))
            continue
        try:
            tests.append(reader(name, several))
        except BadValueError as error:
            mistakes.append(QueryMistake(name, str(error)))
    query = _controlled(values, mistakes)
    if mistakes:
        return mistakes
    return _hinted(query._replace(tests=tuple(tests)), values)


def serials_in(identities: Iterable[str]) -> list[str]:
    """What the books may call single pieces: their serials."""
    found: list[str] = []
    for identity in identities:
        found.append(identity)
        if "/21/" in identity:
            found.append(unquote(identity.rpartition("/21/")[2]))
        elif identity.startswith("urn:tallygate:serial:"):
            found.append(unquote(identity.rpartition(":")[2]))
    return found


def _controlled(values: Mapping[str, list[str]], mistakes: list[QueryMistake]) -> Query:
    """Order and number of what is given."""
    found: dict[str, int] = {}
    for name in ("eventCountLimit", "maxEventCount"):
        if name in values:
            text = values[name][0]
            if len(values[name]) != 1 or not re.fullmatch(r"[0-9]{1,9}", text) or int(text) < 1:
                mistakes.append(QueryMistake(name, f"{text!r} is no whole number above zero"))
            else:
                found[name] = int(text)
    order = values.get("orderBy", [""])[0]
    if "orderBy" in values and (order not in ORDERS or len(values["orderBy"]) != 1):
        mistakes.append(QueryMistake("orderBy", f"{order!r} must be {' or '.join(ORDERS)}"))
    direction = values.get("orderDirection", ["DESC"])[0]
    if direction not in ("ASC", "DESC") or len(values.get("orderDirection", "1")) != 1:
        mistakes.append(QueryMistake("orderDirection", f"{direction!r} must be ASC or DESC"))
    if len(values.keys() & {"eventCountLimit", "maxEventCount"}) > 1:
        problem = "eventCountLimit and maxEventCount exclude each other"
        mistakes.append(QueryMistake("maxEventCount", problem))
    if "eventCountLimit" in values and "orderBy" not in values:
        problem = "needs orderBy, which says what is first"
        mistakes.append(QueryMistake("eventCountLimit", problem))
    return Query(
        order_by=order,
        is_descending=direction == "DESC",
        count_limit=found.get("eventCountLimit"),
        count_max=found.get("maxEventCount"),
    )


_NOT_OF_READS = (
    *("EQ_bizTransaction_", "EQ_source_", "EQ_destination_", "MATCH_parentID", "MATCH_input"),
    *("MATCH_output", "EQ_transformationID", "EXISTS_errorDeclaration", "GE_errorDeclaration"),
    *("LT_errorDeclaration", "EQ_errorReason", "EQ_correctiveEventID", "EQ_disposition"),
    *("EQ_persistentDisposition", "EXISTS_sensorElementList"),
)
"""What no event of ours that was made of reads has."""
_OF_READS: Mapping[str, frozenset[str]] = {
    "eventType": frozenset({"ObjectEvent"}),
    "EQ_action": frozenset({"OBSERVE"}),
}
"""The only value that such an event has of a parameter."""


_OF_IDENTITIES = (
    *("MATCH_epc", "MATCH_parentID", "MATCH_anyEPC", "MATCH_inputEPC", "MATCH_outputEPC"),
)


def spellings(epc: str) -> Iterator[str]:
    """How the ledger may write an identity."""
    yield canonical_identifier(epc) or epc
    yield epc
    if epc.startswith(_OWN_IDENTITY):
        yield unquote(epc.removeprefix(_OWN_IDENTITY))


_OWN_IDENTITY = "urn:tallygate:identity:"


def _hinted(query: Query, values: Mapping[str, list[str]]) -> Query:
    """The query with what leaves entries aside unread: the most of them are made of reads."""
    is_of_reads = not any(name.startswith(_NOT_OF_READS) for name in values) and all(
        name not in values or only.intersection(values[name]) for name, only in _OF_READS.items()
    )
    named = [
        values[name]
        for name in _OF_IDENTITIES
        if name in values and not any(map(is_pattern, values[name]))
    ]
    identities = None
    if named:
        fewest = min(named, key=len)
        identities = tuple(dict.fromkeys(each for one in fewest for each in spellings(one)))

    def at(name: str) -> int | None:
        return time_us(values[name][0]) if name in values else None

    return query._replace(
        kinds=tuple(one for one in KINDS if is_of_reads or one != EntryKind.LOCATION),
        identities=identities,
        places=_places(values),
        from_us=at("GE_eventTime"),
        before_us=at("LT_eventTime"),
        recorded_from=at("GE_recordTime"),
        recorded_before=at("LT_recordTime"),
    )


def _places(values: Mapping[str, list[str]]) -> tuple[str, ...] | None:
    for name in ("EQ_readPoint", "EQ_bizLocation"):
        if name in values:
            return tuple(canonical_identifier(one) or one for one in values[name])
    return None
