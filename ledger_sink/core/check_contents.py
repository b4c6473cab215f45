"""Recomputes what lies in which container, and what is allocated to which order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple, TypeVar

from contracts.books import Movement, Posting, Reservation
from contracts.documents import DocumentKind, EnteredDocument
from ledger_sink.core.check_rows import WIDE, Row, finding, told_once
from ledger_sink.core.verification import Finding


class Standing(NamedTuple):
    """A sum that stands in the database, and the last movement that changed it."""

    quantity: Decimal
    seq: int


NOTHING = Standing(Decimal(0), 0)


class Content(NamedTuple):
    """What is in a container: the key of `ledger.contents`."""

    container: str
    item: str
    location: str
    batch: str
    serial: str
    disposition: str
    reservation: str
    owner: str


class Allocation(NamedTuple):
    """What is promised to an order: the key of `ledger.allocations`."""

    order_id: str
    item: str
    location: str
    batch: str
    serial: str
    disposition: str
    owner: str


Key = TypeVar("Key", Content, Allocation)


class ContentsCheck:
    """Takes documents and movements in order of recording."""

    def __init__(self) -> None:
        self._contents: dict[Content, Standing] = {}
        self._allocations: dict[Allocation, Standing] = {}
        self._refers: dict[str, tuple[DocumentKind, str]] = {}
        self._unpacked: dict[str, list[str]] = {}
        """The containers that a document took apart."""

    def take_document(self, document: EnteredDocument) -> list[Row]:
        """The rows of `ledger.unpackings` that it makes."""
        self._refers[document.id] = (document.kind, document.refers)
        if document.kind is DocumentKind.UNPACKING:
            containers = sorted({line.container for line in document.lines} - {""})
            self._unpacked[document.id] = containers
            return [(container, True) for container in containers]
        if document.kind is DocumentKind.REVERSAL:
            return [(container, False) for container in self._unpacked.get(document.refers, ())]
        return []

    def take_movement(self, seq: int, movement: Movement) -> None:
        """A movement whose quantities are known to be some."""
        order = self._order_of(movement.document)
        for one in movement.postings:
            quantity = Decimal(one.quantity)
            if one.container:
                _add(self._contents, Content(one.container, *_state(one)), quantity, seq)
            if one.reservation is Reservation.ALLOCATED:
                item, location, batch, serial, disposition, _, owner = _state(one)
                key = Allocation(order, item, location, batch, serial, disposition, owner)
                _add(self._allocations, key, quantity, seq)

    def report(
        self,
        contents: Iterable[tuple[Content, Standing]],
        allocations: Iterable[tuple[Allocation, Standing]],
    ) -> Iterator[Finding]:
        """What is wrong with both as they stand."""
        yield from compare_sums("contents", self._contents, contents)
        yield from compare_sums("allocations", self._allocations, allocations)

    def _order_of(self, document: str) -> str:
        """The order whose stock a document takes or gives back: see `ledger.order_of`."""
        if document not in self._refers:
            return document
        kind, refers = self._refers[document]
        if kind is DocumentKind.SALES_ORDER:
            return document
        if kind is not DocumentKind.REVERSAL or refers not in self._refers:
            return refers
        other, refers_on = self._refers[refers]
        return refers if other is DocumentKind.SALES_ORDER else refers_on


def _state(one: Posting) -> tuple[str, str, str, str, str, str, str]:
    return (
        *(one.item, one.location, one.batch, one.serial),
        *(str(one.disposition), str(one.reservation), one.owner),
    )


def _add(sums: dict[Key, Standing], key: Key, quantity: Decimal, seq: int) -> None:
    sums[key] = Standing(WIDE.add(sums.get(key, NOTHING).quantity, quantity), seq)


def compare_sums(
    table: str, right: Mapping[Key, Standing], kept: Iterable[tuple[Key, Standing]]
) -> Iterator[Finding]:
    """What is wrong with sums that stand in a table."""
    there, twice = told_once(table, kept)
    yield from twice
    for key in sorted(right.keys() | there.keys(), key=str):
        should, does = right.get(key, NOTHING), there.get(key, NOTHING)
        if should != does:
            text = f"{table}, {key[0]}, item {key.item} at {key.location}: it is"
            last = f"by entry {should.seq}, not {does.quantity} by entry {does.seq}"
            yield finding(should.seq or None, f"{text} {should.quantity} {last}")
