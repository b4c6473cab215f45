"""Answers to EPCIS queries: what is given now, what comes with the next page, what is too much.

A token for the next page says up to which entry the query looks, so that what is entered meanwhile
changes no page, and behind which event the next page begins. It belongs to one query.
"""

from __future__ import annotations

import base64
import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec

from contracts.epcis.documents import (
    OWN_NAMESPACE,
    OWN_PREFIX,
    SCHEMA_VERSION,
    STANDARD_CONTEXT,
)
from contracts.epcis.times import microseconds, moment_of
from contracts.epcis.vocabulary import Json
from contracts.ids import content_id
from ledger_sink.core.epcis_build import ToldEvent, time_text
from ledger_sink.core.epcis_query import Query

EVENTS_MAX = 10_000
"""Of an answer, where the query says no smaller number: an answer is held in memory whole."""


class QueryTooLargeError(Exception):
    """More events match than may be given at once."""


class TokenError(Exception):
    """The token for the next page is of no query like this one."""


class Place(NamedTuple):
    """Where an event stands in an answer; places of one query can be compared."""

    key: int
    """What it is ordered by; 0: the order of entering alone."""
    seq: int
    """Its entry."""
    part: int
    """Which of the entry's events."""


class Page(msgspec.Struct, frozen=True, array_like=True):
    """What a token says."""

    query: str
    """Which query."""
    upto: int
    """The last entry that it looks at."""
    after: tuple[int, int, int]
    """The place behind which the page begins."""
    given: int
    """How many events the pages before had."""


class Found(NamedTuple):
    """An event of an answer."""

    place: Place
    told: ToldEvent


def place_of(query: Query, one: ToldEvent, part: int) -> Place:
    """Where an event stands, the first place the least."""
    key = 0
    if query.order_by == "recordTime":
        key = one.recorded_us
    elif query.order_by:
        moment = moment_of(str(one.event["eventTime"]))
        key = microseconds(moment) if moment else 0
    if query.order_by and query.is_descending:
        return Place(-key, -one.seq, -part)
    return Place(key, one.seq, part)


def collect(
    query: Query, found: Iterable[Found], page: Page | None, per_page: int | None
) -> tuple[list[Found], bool]:
    """The events of a page in order, and whether more come. Raises QueryTooLargeError."""
    given = page.given if page else 0
    after = Place(*page.after) if page else None
    most = query.count_max or EVENTS_MAX
    room = per_page if per_page is not None else EVENTS_MAX
    if query.count_limit is not None:
        room = max(0, min(room, query.count_limit - given))
    behind = (one for one in _counted(query, found) if after is None or one.place > after)
    # One more than there is room for says that there is more.
    first = _first(query, behind, room + 1)
    is_more = len(first) > room
    if is_more and per_page is None and query.count_limit is None:
        message = f"more than {min(most, EVENTS_MAX):,} events match: ask for less, or for pages"
        raise QueryTooLargeError(message)
    is_last = query.count_limit is not None and given + room >= query.count_limit
    return first[:room], is_more and not is_last


def _counted(query: Query, found: Iterable[Found]) -> Iterator[Found]:
    """What is found, unless it is more than the query takes."""
    for number, one in enumerate(found, start=1):
        if query.count_max is not None and number > query.count_max:
            message = f"more than {query.count_max:,} events match (maxEventCount)"
            raise QueryTooLargeError(message)
        yield one


def _first(query: Query, found: Iterable[Found], count: int) -> list[Found]:
    if not query.order_by and query.count_max is None:
        # They come in this order, so that the rest need not be looked at.
        return list(islice(found, count))
    return heapq.nsmallest(count, found, key=lambda one: one.place)


def token_of(name: str, upto: int, last: Found, given: int) -> str:
    """The token for what comes behind an event. `name`: of the query."""
    raw = msgspec.json.encode(
        Page(name, upto, (last.place.key, last.place.seq, last.place.part), given)
    )
    return base64.urlsafe_b64encode(raw).decode()


def page_of(name: str, token: str) -> Page:
    """What a token says. Raises TokenError."""
    try:
        page = msgspec.json.decode(base64.urlsafe_b64decode(token), type=Page)
    except (ValueError, msgspec.MsgspecError) as error:
        message = "the token for the next page is none that was given out"
        raise TokenError(message) from error
    if page.query != name:
        message = "the token for the next page is of another query: give the same parameters again"
        raise TokenError(message)
    return page


def name_of(given: Sequence[tuple[str, str]]) -> str:
    """A name of a query by its parameters, in whatever order they were given."""
    return content_id("epcis_query", *(f"{name}={value}" for name, value in sorted(given)))


def answer_of(found: Sequence[ToldEvent], *, created: str) -> dict[str, Json]:
    """An EPCISQueryDocument of events, each with its id and the time when it was entered."""
    context: list[Json] = [STANDARD_CONTEXT]
    document: dict[str, Json] = {
        "@context": context,
        "type": "EPCISQueryDocument",
        "schemaVersion": SCHEMA_VERSION,
        "creationDate": created,
    }
    if left_out := list(dict.fromkeys(name for one in found for name in one.leaving_out)):
        context.append({OWN_PREFIX: OWN_NAMESPACE})
        document[f"{OWN_PREFIX}:ignoreFields"] = [*left_out]
    body: Mapping[str, Json] = {
        "queryName": "SimpleEventQuery",
        "resultsBody": {"eventList": [_answered(one) for one in found]},
    }
    document["epcisBody"] = {"queryResults": {**body}}
    return document


def _answered(one: ToldEvent) -> dict[str, Json]:
    event = {**one.event, "recordTime": time_text(one.recorded_us)}
    event.setdefault("eventID", one.event_hash)
    return event
