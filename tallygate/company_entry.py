"""Enters a company file's master data: items, locations, and what the books know beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import psycopg

from contracts.accounting import BookDataKind, BookSettings, Units
from contracts.books import BookItem, BookPlace, PeriodClosed
from contracts.documents import Written
from ledger_sink.book_data import AccountingError
from ledger_sink.books import Books
from ledger_sink.core.posting.entered import microseconds
from ledger_sink.postgres_ledger import PostgresLedger
from tallygate.company_file import Company, CompanyItem
from tallygate.errors import TallygateError
from tallygate.ledger import first_line

Kind = BookDataKind


class Data(NamedTuple):
    """One record beside items and locations."""

    what: BookDataKind
    key: str
    body: Written


def enter_master_data(ledger: PostgresLedger, companies: Iterable[Company], at_us: int) -> int:
    """Enter all of it or nothing; how much of it was new. Raises TallygateError."""
    books, changed = Books(ledger), 0
    try:
        with books.together():
            for company in companies:
                for record in _records(company):
                    changed += _enter(books, record, at_us)
            changed += books.put_shipped(at_us)
    except AccountingError as error:
        told = "".join(f"\n  {mistake}" for mistake in error.mistakes)
        raise TallygateError(
            f"the books would not hold together, nothing was entered:{told}"
        ) from error
    return changed


def _enter(books: Books, record: BookItem | BookPlace | PeriodClosed | Data, at_us: int) -> bool:
    try:
        if isinstance(record, Data):
            return books.put_data(*record, at_us)
        return books.put(record, at_us)
    except AccountingError:
        raise
    except (psycopg.errors.CheckViolation, psycopg.errors.DataError, ValueError) as error:
        told = f"{_name(record)}: {first_line(error)}; nothing was entered"
        raise TallygateError(told) from error


def _name(record: BookItem | BookPlace | PeriodClosed | Data) -> str:
    if isinstance(record, Data):
        return f"{record.what} {record.key}".strip()
    if isinstance(record, BookPlace):
        return f"place {record.location}"
    if isinstance(record, PeriodClosed):
        return "period, closed_before"
    return f"item {record.item}"


def _records(company: Company) -> Iterator[BookItem | BookPlace | PeriodClosed | Data]:
    """In an order in which none waits for another."""
    names = company.settings or BookSettings()
    whole: tuple[tuple[BookDataKind, str, Written | None], ...] = (
        (Kind.CHART, names.chart, company.chart),
        (Kind.RULES, names.rules, company.rules),
        (Kind.SETTINGS, "", company.settings),
    )
    yield from (Data(what, key, body) for what, key, body in whole if body is not None)
    yield from (Data(Kind.TAX, code, tax) for code, tax in company.taxes.items())
    yield from (Data(Kind.PARTY, name, party) for name, party in company.parties.items())
    for place in company.places:
        yield BookPlace(location=place.location, kind=place.kind, warehouse=place.warehouse)
    yield from (item.book() for item in company.items)
    for item in company.items:
        yield from _data_of(item)
    yield from (Data(Kind.BATCH, key, card) for key, card in company.batches.items())
    if company.period is not None:
        yield PeriodClosed(before_us=microseconds(company.period.closed_before))


def _data_of(item: CompanyItem) -> Iterator[Data]:
    found: tuple[tuple[BookDataKind, Written | None], ...] = (
        (Kind.ITEM_CARD, item.card),
        (Kind.UNITS, Units(units=item.units) if item.units else None),
        (Kind.COSTING, item.costing),
        (Kind.PLANNING, item.planning),
        (Kind.BILL_OF_MATERIALS, item.bill_of_materials),
    )
    for what, body in found:
        if body is not None:
            yield Data(what, item.item, body)
    for warehouse, planning in item.planning_in.items():
        yield Data(Kind.PLANNING, f"{item.item}@{warehouse}", planning)
