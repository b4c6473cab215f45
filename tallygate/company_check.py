"""Holds documents against master data before any is posted: all mistakes of a file at once.

What only the present book can say (is there enough, is the period open, was it shipped) is not
asked here: the ledger refuses that, document by document.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from contracts.accounting import Units
from contracts.books import BookItem, Tracking
from contracts.documents import Document, DocumentLine
from ledger_sink.core.posting.packs import in_base_units, mistakes_in_units
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.reports import known_books
from tallygate.company_file import Company, CompanyFile

WITHOUT_STOCK = {
    "purchase_invoice",
    "sales_acceptance",
    "revaluation",
    "purchase_order",
    "shipping_notice",
    "production_order",
    "sales_order",
    "transfer_order",
}
"""Kinds whose lines need not say which serial numbers or batches."""
SHOWN_MAX = 12
"""So many names are told of what is allowed; more would hide the mistake."""


class KnownItem(NamedTuple):
    """What a document's line is held against."""

    book: BookItem
    units: Units


class Known(NamedTuple):
    """What the books know, or will know when the files' master data is entered."""

    items: dict[str, KnownItem]
    locations: set[str]
    taxes: set[str]

    def learn(self, company: Company) -> None:
        """Add what a file says."""
        for item in company.items:
            self.items[item.item] = KnownItem(item.book(), Units(units=item.units))
        self.locations.update(place.location for place in company.places)
        self.taxes.update(company.taxes)


def known_to(ledger: PostgresLedger) -> Known:
    """What the ledger's books know. Raises psycopg.Error."""
    items, locations, taxes = known_books(ledger)
    return Known({book.item: KnownItem(book, units) for book, units in items}, locations, taxes)


class CompanyCheck:
    """Takes files in order; each says what is wrong with it."""

    def __init__(self, known: Known) -> None:
        """`known` is what the ledger knows; it learns from each file."""
        self._known = known
        self._seen: dict[str, bytes] = {}
        self._is_blind = False
        self.documents = 0
        """How many there are in all."""
        self.lines = 0
        """And lines in them."""

    def take(self, file: CompanyFile) -> Iterator[str]:
        """What is wrong with a file: whole sentences."""
        yield from file.mistakes
        yield from _master_data(file)
        self._known.learn(file.company)
        # What master data with mistakes says is not known here, and is not told as unknown.
        self._is_blind = self._is_blind or bool(file.mistakes)
        for read in file.documents():
            self.documents += 1
            yield from read.mistakes
            if read.document is not None and not self._is_blind:
                self.lines += len(read.document.lines)
                yield from self._document(read.where, read.document)

    def _document(self, where: str, document: Document) -> Iterator[str]:
        content = hashlib.sha256(document.model_dump_json().encode()).digest()
        if self._seen.setdefault(document.id, content) != content:
            yield f"{where}: id: another document has this number already"
        for number, line in enumerate(document.lines, start=1):
            for field, problem in self._line(document, line):
                yield f"{where}, line {number}, {field}: {problem}"

    def _line(self, document: Document, line: DocumentLine) -> Iterator[tuple[str, str]]:
        known = self._known
        item = known.items.get(line.item)
        if item is None:
            yield "item", f"{line.item!r} is not known; there are: {_some(known.items)}"
        else:
            yield from _amount(item, line)
            if document.kind not in WITHOUT_STOCK:
                yield from _tracked(item, line)
        for field in ("location", "to_location"):
            location = getattr(line, field)
            if location and location not in known.locations:
                yield field, f"{location!r} is not known; there are: {_some(known.locations)}"
        if line.tax and line.tax not in known.taxes:
            yield "tax", f"{line.tax!r} is not known; there are: {_some(known.taxes)}"
        for place, component in enumerate(line.components, start=1):
            if component.item not in known.items:
                yield f"components.{place}.item", f"{component.item!r} is not known"


def _master_data(file: CompanyFile) -> Iterator[str]:
    """What single records cannot know of each other."""
    company, name = file.company, file.path.name
    for what, keys in (
        ("items", [item.item for item in company.items]),
        ("places", [place.location for place in company.places]),
    ):
        for key in sorted({key for key in keys if keys.count(key) > 1}):
            yield f"{name}: {what}: {key} comes twice"
    for item in company.items:
        for problem in mistakes_in_units(item.book(), Units(units=item.units)):
            yield f"{name}: items, units: {problem}"


def _amount(item: KnownItem, line: DocumentLine) -> Iterator[tuple[str, str]]:
    quantity = in_base_units(line.quantity, line.unit, item.book, item.units)
    if isinstance(quantity, str):
        yield "unit" if "not known" in quantity else "quantity", quantity
    elif line.serials:
        if abs(quantity) != len(line.serials):
            told = f"{len(line.serials)} serial numbers for {quantity:f} {item.book.base_unit}"
            yield "serials", f"{told}: there is one for each piece"
        if len(set(line.serials)) != len(line.serials):
            yield "serials", "one comes twice"


def _tracked(item: KnownItem, line: DocumentLine) -> Iterator[tuple[str, str]]:
    if line.batch and item.book.tracking in (Tracking.NONE, Tracking.SERIAL):
        yield "batch", f"{line.item} has no batches: leave it empty"
    if line.serials and item.book.tracking in (Tracking.NONE, Tracking.BATCH):
        yield "serials", f"{line.item} has no serial numbers: leave it empty"


def _some(names: Iterable[str]) -> str:
    """Names that are allowed, a few of them."""
    ordered = sorted(names)
    shown = ", ".join(ordered[:SHOWN_MAX])
    more = len(ordered) - SHOWN_MAX
    return f"{shown} and {more} more" if more > 0 else shown or "none"
