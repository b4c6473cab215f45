"""Enters a company file's master data: items, locations, and what the books know beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import psycopg

from contracts.accounting import BookDataKind, BookSettings, Units
from contracts.books import BookItem, BookPlace
from contracts.documents import Written
from ledger_sink.books import Books
from ledger_sink.defaults import CHARTS, RULES, default_chart, default_rules
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
    with ledger.transaction():
        for company in companies:
            for record in _records(company):
                changed += _enter(books, record, at_us)
        for record in _shipped(books):
            changed += _enter(books, record, at_us)
    return changed


def _shipped(books: Books) -> Iterator[Data]:
    """The chart and the rules that ship, where the settings name them and nobody deployed any.

    What a voucher was made by shall stand in the ledger, not in the program of that day.
    """
    known = books.data_now(Kind.SETTINGS, Kind.CHART, Kind.RULES)
    kept = known.get((Kind.SETTINGS, ""))
    settings = kept.body if kept and isinstance(kept.body, BookSettings) else BookSettings()
    if settings.chart in CHARTS and (Kind.CHART, settings.chart) not in known:
        yield Data(Kind.CHART, settings.chart, default_chart(settings.chart))
    if settings.rules == RULES and (Kind.RULES, RULES) not in known:
        yield Data(Kind.RULES, RULES, default_rules())


def _enter(books: Books, record: BookItem | BookPlace | Data, at_us: int) -> bool:
    try:
        if isinstance(record, Data):
            return books.put_data(*record, at_us)
        return books.put(record, at_us)
    except (psycopg.errors.CheckViolation, psycopg.errors.DataError, ValueError) as error:
        told = f"{_name(record)}: {first_line(error)}; nothing was entered"
        raise TallygateError(told) from error


def _name(record: BookItem | BookPlace | Data) -> str:
    if isinstance(record, Data):
        return f"{record.what} {record.key}".strip()
    if isinstance(record, BookPlace):
        return f"place {record.location}"
    return f"item {record.item}"


def _records(company: Company) -> Iterator[BookItem | BookPlace | Data]:
    """In an order in which none waits for another."""
    names = company.settings or BookSettings()
    if company.chart is not None:
        yield Data(Kind.CHART, names.chart, company.chart)
    if company.rules is not None:
        yield Data(Kind.RULES, names.rules, company.rules)
    if company.settings is not None:
        yield Data(Kind.SETTINGS, "", company.settings)
    for code, tax in company.taxes.items():
        yield Data(Kind.TAX, code, tax)
    for name, party in company.parties.items():
        yield Data(Kind.PARTY, name, party)
    for place in company.places:
        yield BookPlace(location=place.location, kind=place.kind, warehouse=place.warehouse)
    for item in company.items:
        yield item.book()
    for item in company.items:
        yield from _data_of(item)
    for key, card in company.batches.items():
        yield Data(Kind.BATCH, key, card)


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
