"""Tables whose rows follow from entries, and what is wrong with rows that do not.

Each row names, in its column `seq`, the entry that made it. So an entry's payload says which rows
stand under its number, in every table: those are held against the rows that do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, Inexact, InvalidOperation
from typing import NamedTuple, TypeVar

from ledger_sink.core.verification import FINDINGS_MAX, Fault, Finding

Value = str | int | bool | bytes | Decimal | None
Name = TypeVar("Name")
Sum = TypeVar("Sum")
Row = tuple[Value, ...]
"""A row's columns, but for the site and the entry."""

WIDE = Context(prec=200_000, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[Inexact, InvalidOperation])
"""Adds and compares without rounding: no number of the database has more digits."""
EXACT = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,20})?", re.ASCII)
"""What an exact decimal looks like, whole."""


class Entry(NamedTuple):
    """An entry as far as rows follow from it."""

    seq: int
    id: str
    kind: str
    happened_us: int
    recorded_us: int
    identity: str | None
    payload: bytes


class Table(NamedTuple):
    """A table of rows that entries made."""

    name: str
    columns: tuple[str, ...]
    """All but `site` and `seq`, in the order in which its query has them."""
    names: int
    """So many of the first columns tell the rows of one entry apart."""


BOOK_ITEMS = Table("book_items", ("item", "base_unit", "decimals", "tracking", "negative"), 1)
BOOK_PLACES = Table("book_places", ("location", "kind", "warehouse"), 1)
BOOK_PERIODS = Table("book_periods", ("before_us",), 1)
BOOK_DATA = Table("book_data", ("what", "key", "body"), 2)
POSTINGS = Table(
    "postings",
    (
        *("line", "item", "location", "batch", "serial", "disposition", "reservation", "owner"),
        *("container", "is_inferred", "quantity", "happened_us", "recorded_us", "balance"),
    ),
    1,
)
REVERSALS = Table("reversals", ("reversed",), 1)
DOCUMENTS = Table(
    "documents",
    (
        *("id", "kind", "party", "refers", "warehouse", "to_warehouse", "person", "happened_us"),
        *("due_us", "recorded_us"),
    ),
    1,
)
DOCUMENT_LINES = Table(
    "document_lines",
    (
        *("line", "item", "quantity", "net_base", "location", "to_location", "batch", "owner"),
        *("order_line", "reason"),
    ),
    1,
)
DOCUMENT_COMPONENTS = Table(
    "document_components", ("place", "line", "item", "quantity", "batch"), 1
)
VOUCHERS = Table(
    "vouchers",
    (
        *("id", "document", "movement", "rule", "occasion", "happened_us", "recorded_us"),
        *("currency", "reverses", "is_proposal"),
    ),
    1,
)
VOUCHER_LINES = Table(
    "voucher_lines",
    (
        *("line", "account", "debit", "credit", "item", "quantity", "tax", "currency"),
        *("currency_amount", "party", "document_line"),
    ),
    1,
)
VALUATIONS = Table(
    "valuations", ("item", "method", "quantity", "value", "price", "layers", "recorded_us"), 1
)
UNPACKINGS = Table("unpackings", ("container", "is_apart"), 1)
MENTIONS = Table("mentions", ("identity",), 1)

TABLES = (
    *(BOOK_ITEMS, BOOK_PLACES, BOOK_PERIODS, BOOK_DATA, POSTINGS, REVERSALS),
    *(DOCUMENTS, DOCUMENT_LINES, DOCUMENT_COMPONENTS, UNPACKINGS),
    *(VOUCHERS, VOUCHER_LINES, VALUATIONS, MENTIONS),
)


def exact(text: str) -> Decimal:
    """The decimal in a payload. Raises ValueError where it is none."""
    if not EXACT.fullmatch(text):
        raise ValueError(f"{text!r} is no exact decimal")
    return Decimal(text)


def exact_or_none(text: str) -> Decimal | None:
    """The same, where an empty text stands for nothing."""
    return exact(text) if text else None


def json_form(text: str | bytes) -> str:
    """One text for all that say the same in JSON, whatever their order and spaces.

    Raises ValueError or RecursionError where it is no JSON.
    """
    # NUL stands in no text of the database: what begins with it is a number, never a text.
    return json.dumps(
        json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_number),
        sort_keys=True,
    )


def json_or_text(text: str) -> str:
    """The same of what stands in the database: what is no JSON is compared as it is."""
    try:
        return json_form(text)
    except (ValueError, ArithmeticError, RecursionError):
        return text


def _number(text: str) -> str:
    number = Decimal(text)
    return f"\0{WIDE.normalize(number)}" if number else "\0"


def differences(
    table: Table, seq: int, told: Sequence[Row], found: Sequence[Row]
) -> Iterator[Finding]:
    """What is wrong with the rows of a table that stand under an entry."""
    if list(told) == list(found):
        return
    right = {row[: table.names]: row for row in told}
    kept = {row[: table.names]: row for row in found}
    if len(right) != len(told) or len(kept) != len(found):
        yield finding(seq, f"{table.name} holds a row of entry {seq} twice")
    for name in sorted(right.keys() - kept.keys(), key=str):
        which = _named(table, right[name])
        yield finding(seq, f"{table.name} lacks {which}, which entry {seq} says")
    for name in sorted(kept.keys() - right.keys(), key=str):
        which = _named(table, kept[name])
        yield finding(seq, f"{table.name} says {which} of entry {seq}, which does not")
    for name in sorted(right.keys() & kept.keys(), key=str):
        for column, should, does in zip(table.columns, right[name], kept[name], strict=True):
            if should != does:
                which = ", ".join(map(said, name))
                text = f"{table.name} of entry {seq}, {table.columns[0]} {which}: {column} is"
                yield finding(seq, f"{text} {said(should)}, not {said(does)}")


def told_once(
    table: str, rows: Iterable[tuple[Name, Sum]]
) -> tuple[dict[Name, Sum], list[Finding]]:
    """Rows by what they are of, and findings where a table has two of the same.

    Its key forbids that, and whoever may change the table may drop the key.
    """
    found: dict[Name, Sum] = {}
    findings = []
    for name, row in rows:
        if name in found:
            findings.append(finding(None, f"{table} holds a row twice: {_plain_name(name)}"))
        found[name] = row
    return found, findings[:FINDINGS_MAX]


def _plain_name(name: object) -> str:
    parts = name if isinstance(name, tuple) else (name,)
    return ", ".join(str(part) for part in parts if part != "")


def finding(seq: int | None, text: str) -> Finding:
    """A finding of the books."""
    return Finding(Fault.POSTING, seq, None, text)


def _named(table: Table, row: Row) -> str:
    """A row in words: enough of it to find it."""
    return ", ".join(
        f"{column} {said(value)}"
        for column, value in zip(table.columns[:6], row[:6], strict=True)
        if value != ""
    )


def said(value: Value) -> str:
    """A value in words."""
    if value is None:
        return "nothing"
    return repr(value) if value == "" or isinstance(value, bytes) else str(value)
