"""`tallygate epcis query`: finds events by the parameters of the standard."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from rich.markup import escape
from rich.table import Table

from contracts.epcis.documents import encoded, identities_of
from contracts.epcis.vocabulary import Json
from ledger_sink.core.epcis_pages import QueryTooLargeError, TokenError
from ledger_sink.epcis import Answer, query
from tallygate.database import look_into
from tallygate.epcis_files import UNTOLD_SHOWN_MAX
from tallygate.errors import TallygateError
from tallygate.ledger import stack_clock
from tallygate.terminal import plain_console

THINGS_SHOWN = 2
"""Of an event in a table; the rest is counted."""
WORDS_SHOWN_MAX = 60


class Paging(NamedTuple):
    """Which part of an answer."""

    per_page: int | None
    """How many events at once; None: all."""
    token: str
    """Behind what; empty: from the beginning."""


def run_query(
    folder: Path,
    postgres: str | None,
    site: str,
    parameters: Sequence[str],
    paging: Paging,
    *,
    as_json: bool,
) -> int:
    """Print the events that parameters ask for; 1 where entries cannot be told as events."""
    given = [_pair(one) for one in parameters]
    moment = datetime.fromtimestamp(
        stack_clock(folder).domain_us(time.time_ns() // 1000) / 1e6, UTC
    ).replace(tzinfo=None)
    with look_into(folder, postgres, site) as ledger:
        try:
            answer = query(
                ledger,
                given,
                created=moment.isoformat(timespec="milliseconds") + "Z",
                per_page=paging.per_page,
                token=paging.token,
            )
        except QueryTooLargeError as error:
            message = f"QueryTooLargeException: {error}: narrow the query, or give --per-page"
            raise TallygateError(message) from error
        except TokenError as error:
            raise TallygateError(str(error)) from error
    if isinstance(answer, list):
        told = "\n".join(f"  {mistake.text()}" for mistake in answer)
        message = f"QueryParameterException: the query cannot be asked:\n{told}"
        raise TallygateError(message)
    if as_json:
        sys.stdout.buffer.write(encoded(answer.document) + b"\n")
    else:
        _print(answer)
    for line in _beside(answer, in_json=as_json):
        sys.stderr.write(f"tallygate: {line}\n")
    return 1 if answer.untold or answer.rehashed else 0


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals and not name.startswith("EXISTS_"):
        message = f"{text!r} is no parameter: write NAME=VALUE, such as EQ_bizStep=shipping"
        raise TallygateError(message)
    return name, value


def _print(answer: Answer) -> None:
    table = Table(box=None)
    for head in ("time", "type", "action", "step", "disposition", "place", "what"):
        table.add_column(head)
    for one in answer.found:
        event = one.event
        words = [event.get(name) for name in ("action", "bizStep", "disposition")]
        table.add_row(
            str(event["eventTime"]),
            _type_of(event),
            *(escape(str(word or "")) for word in words),
            escape(_place(event)),
            escape(_what(event)),
        )
    console = plain_console()
    if answer.found:
        console.print(table)
    console.out(f"{len(answer.found):,} events")
    if answer.next_page:
        console.out(f"more with --next-page {answer.next_page}")


def _type_of(event: Mapping[str, Json]) -> str:
    kind = escape(str(event["type"]))
    return f"{kind}, withdrawn" if "errorDeclaration" in event else kind


def _place(event: Mapping[str, Json]) -> str:
    for name in ("readPoint", "bizLocation"):
        place = event.get(name)
        if isinstance(place, dict):
            return str(place.get("id", ""))[:WORDS_SHOWN_MAX]
    return ""


def _what(event: Mapping[str, Json]) -> str:
    things = [*identities_of(event), *_quantities(event)]
    more = len(things) - THINGS_SHOWN
    return ", ".join(things[:THINGS_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _quantities(event: Mapping[str, Json]) -> Iterator[str]:
    for name, listed in event.items():
        if name.endswith("uantityList") and isinstance(listed, list):
            for one in listed:
                if isinstance(one, dict):
                    words = (one.get("quantity"), one.get("uom"), one.get("epcClass"))
                    yield " ".join(str(word) for word in words if word is not None)


def _beside(answer: Answer, *, in_json: bool) -> Iterator[str]:
    """What the answer does not say by itself."""
    if in_json and answer.next_page:
        yield f"more with --next-page {answer.next_page}"
    for one in answer.untold[:UNTOLD_SHOWN_MAX]:
        yield f"entry {one.seq} ({one.id}) is no event: {one.reason}"
    if len(answer.untold) > UNTOLD_SHOWN_MAX:
        yield f"and {len(answer.untold) - UNTOLD_SHOWN_MAX:,} more entries are no events"
    if answer.rehashed:
        yield f"{answer.rehashed:,} events have another event hash in this document"
