"""The books of a site: master data in, movements in, balances out, and their proof."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

import msgspec
import psycopg
from psycopg import IsolationLevel

from contracts.books import BookItem, BookPlace, Movement, PeriodClosed
from contracts.codec import canonical
from ledger_sink.core.books_check import Balance as Kept
from ledger_sink.core.books_check import BooksCheck, Key, Line, Made
from ledger_sink.core.verification import FINDINGS_MAX, Finding
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.sql import queries

QUERIES = queries("books")
BATCH = 2_000
"""Rows read at once."""


class Posted(NamedTuple):
    """What became of a movement."""

    outcome: str
    """`entered`, `known` (the same was there) or `refused`."""
    seq: int | None
    """Its entry."""
    problem: str | None
    """Why it was refused: each reason with its line."""


class Balance(NamedTuple):
    """How much of something is where."""

    key: Key
    quantity: Decimal


class BooksReport(NamedTuple):
    """What recomputing the books found."""

    movements: int
    findings: tuple[Finding, ...]


class Books:
    """One site's books; the login needs the role `ledger_appender`."""

    def __init__(self, ledger: PostgresLedger) -> None:
        self._ledger = ledger

    def put(self, record: BookItem | BookPlace | PeriodClosed, at_us: int) -> bool:
        """Enter master data; False: it was so already.

        Raises psycopg.errors.CheckViolation where it would turn stock that is there into something
        else, or closes a period beyond now; else psycopg.Error.
        """
        (row,) = self._rows("put_book", at_us=at_us, payload=canonical(record))
        return bool(row[0])

    def post(self, movements: Sequence[Movement], at_us: int) -> list[Posted]:
        """Post movements in order; a refused one harms no other. Raises psycopg.Error."""
        payloads = [_payload(movement) for movement in movements]
        return [Posted(*row) for row in self._rows("post", at_us=at_us, payloads=payloads)]

    def now(self, item: str) -> list[Balance]:
        """The present book of an item, but for what is zero."""
        return _balances(self._rows("book_now", item=item))

    def recorded(self, item: str, at_us: int) -> list[Balance]:
        """The book as it was at a past instant, with what had been recorded by then."""
        return _balances(self._rows("book_recorded", item=item, at_us=at_us))

    def happened(self, item: str, happened_us: int, recorded_us: int) -> list[Balance]:
        """What had happened by one instant, as far as it was recorded by another."""
        return _balances(
            self._rows("book_happened", item=item, happened_us=happened_us, recorded_us=recorded_us)
        )

    def _rows(self, name: str, **values: object) -> list[tuple]:  # type: ignore[type-arg]
        everything = {"site": self._ledger.site, **values}
        return self._ledger.connection.execute(QUERIES[name], everything).fetchall()


def _payload(movement: Movement) -> bytes:
    """The payload; of what canonical JSON cannot hold still bytes, which the ledger refuses."""
    try:
        return canonical(movement)
    except (UnicodeEncodeError, OverflowError):
        return json.dumps(msgspec.to_builtins(movement)).encode()


def _balances(rows: Sequence[tuple]) -> list[Balance]:  # type: ignore[type-arg]
    return sorted(Balance(Key(*row[:7]), row[7]) for row in rows)


def verify_books(postgres_url: str, site: str) -> BooksReport:
    """Recompute everything from the movements' payloads. Raises psycopg.Error."""
    with psycopg.connect(postgres_url) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        check = BooksCheck()
        findings: list[Finding] = []
        for seq, payload in _rows(connection, "all_books", site):
            findings += check.take_book(seq, payload)
        by_entry = groupby(_rows(connection, "all_movements", site), key=lambda row: row[:3])
        for (seq, recorded_us, payload), rows in by_entry:
            lines = [
                Line(row[3], Key(*row[4:11]), row[11], row[12], row[13], row[14])
                for row in rows
                if row[3] is not None
            ]
            findings += check.take(seq, recorded_us, payload, lines)
        balances = {
            Key(*row[:7]): Kept(row[7], row[8]) for row in _rows(connection, "all_balances", site)
        }
        made = {Made(row[0], row[1], tuple(row[2])) for row in _rows(connection, "all_made", site)}
        findings += check.report(balances, made)
        findings += [check.stray(row[0]) for row in _rows(connection, "stray_postings", site)]
    return BooksReport(check.movements, tuple(findings[:FINDINGS_MAX]))


def _rows(connection: psycopg.Connection, name: str, site: str) -> Iterator[tuple]:  # type: ignore[type-arg]
    """A query's rows, read in batches."""
    with connection.cursor(name) as cursor:
        cursor.itersize = BATCH
        cursor.execute(QUERIES[name], {"site": site}, binary=True)
        yield from cursor
