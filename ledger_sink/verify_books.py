"""The proof of the books: everything that their rows say, recomputed from the entries alone.

All tables are read beside the entries in one snapshot, each through a cursor of its own in the
order of entries, so that memory does not grow with them.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

import msgspec
import psycopg
from psycopg import IsolationLevel

from contracts.documents import EnteredDocument
from contracts.events import EntryKind
from contracts.vouchers import Voucher
from ledger_sink.core.books_check import KINDS, BooksCheck, Kept
from ledger_sink.core.check_contents import Allocation, Content, Standing
from ledger_sink.core.check_identities import Identity
from ledger_sink.core.check_rows import BOOK_DATA, TABLES, VALUATIONS, Entry, Row, json_or_text
from ledger_sink.core.check_stock import Balance, Key
from ledger_sink.core.posting.accounting import Related
from ledger_sink.core.verification import FINDINGS_MAX, Finding
from ledger_sink.defaults import default_rules
from ledger_sink.sql import queries

QUERIES = queries("verify")
_document = msgspec.json.Decoder(EnteredDocument)
_voucher = msgspec.json.Decoder(Voucher)
BATCH = 2_000
"""Rows read at once."""
PLACES_END = 2**63
"""Behind the last place that an entry can have."""
Name = TypeVar("Name", Key, Content, Allocation)
Sum = TypeVar("Sum", Balance, Standing)

Connection = psycopg.Connection[tuple[Any, ...]]
Numbered = tuple[int, str, Row | Entry]
"""The entry's place, the table's name (empty: the entry itself), the row."""


class BooksReport(NamedTuple):
    """What recomputing the books found."""

    movements: int
    """How many movements were recomputed."""
    vouchers: int
    """How many vouchers were recomputed."""
    findings: tuple[Finding, ...]
    """What is wrong; empty: the books are what the entries say."""


def verify_books(postgres_url: str, site: str) -> BooksReport:
    """Recompute everything from the payloads of entries. Raises psycopg.Error."""
    with psycopg.connect(postgres_url) as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        return recompute(connection, site)


def recompute(connection: Connection, site: str) -> BooksReport:
    """The same in the transaction that a connection is in: one snapshot, or its own changes."""
    check = BooksCheck(default_rules(), _Families(connection, site).before)
    findings = tuple(islice(_findings(connection, site, check), FINDINGS_MAX))
    return BooksReport(check.movements, check.vouchers, findings)


def _findings(connection: Connection, site: str, check: BooksCheck) -> Iterator[Finding]:
    streams = [_entries(connection, site)]
    streams += [_rows(connection, site, table.name) for table in TABLES]
    for seq, numbered in groupby(heapq.merge(*streams, key=itemgetter(0)), key=itemgetter(0)):
        entry: Entry | None = None
        rows: dict[str, list[Row]] = {}
        for _, name, row in numbered:
            if isinstance(row, Entry):
                entry = row
            else:
                rows.setdefault(name, []).append(row)
        yield from check.stray(seq, rows) if entry is None else check.take(entry, rows)
    yield from check.report(
        Kept(
            balances=_sums(connection, site, "balances", Key, Balance),
            contents=_sums(connection, site, "contents", Content, Standing),
            allocations=_sums(connection, site, "allocations", Allocation, Standing),
            identities=(
                (row[0], Identity(*row[1:])) for row in _all(connection, site, "identities")
            ),
            allowed_changes=(
                (row[0], row[1], row[2]) for row in _all(connection, site, "allowed_changes")
            ),
        )
    )


def _sums(
    connection: Connection, site: str, table: str, key: type[Name], sum_: type[Sum]
) -> Iterator[tuple[Name, Sum]]:
    """The rows of a table of sums: key, quantity, last movement."""
    for row in _all(connection, site, table):
        yield key(*row[:-2]), sum_(*row[-2:])


class _Families:
    """Looks up what hangs together with a document."""

    def __init__(self, connection: Connection, site: str) -> None:
        self._connection = connection
        self._site = site

    def before(self, document: EnteredDocument, seq: int) -> Related:
        """The documents and vouchers of its family, as they were before an entry."""
        if not document.refers:
            return Related()
        rows = self._connection.execute(
            QUERIES["family"], {"site": self._site, "refers": document.refers, "before": seq}
        ).fetchall()
        return Related(
            tuple(_document.decode(row[1]) for row in rows if row[0] == EntryKind.DOCUMENT),
            tuple(_voucher.decode(row[1]) for row in rows if row[0] == EntryKind.VOUCHER),
        )


def _entries(connection: Connection, site: str) -> Iterator[Numbered]:
    for row in _all(connection, site, "entries_of_books"):
        yield _place(row), "", Entry(*row)


def _rows(connection: Connection, site: str, table: str) -> Iterator[Numbered]:
    for row in _all(connection, site, table):
        yield _place(row), table, _plain(table, row[1:])


def _place(row: Row) -> int:
    """The entry's place: a row without one is behind them all, where the database has it, too."""
    return row[0] if isinstance(row[0], int) else PLACES_END


def _plain(table: str, row: Row) -> Row:
    """A row with its JSON in the form in which it is compared."""
    if table == BOOK_DATA.name:
        return (*row[:2], json_or_text(str(row[2])))
    if table == VALUATIONS.name:
        return (*row[:5], json_or_text(str(row[5])), row[6])
    return row


def _all(connection: Connection, site: str, query: str) -> Iterable[tuple[Any, ...]]:
    """A query's rows, read in batches."""
    with connection.cursor(query) as cursor:
        cursor.itersize = BATCH
        cursor.execute(QUERIES[query], {"site": site, "kinds": list(KINDS)}, binary=True)
        yield from cursor
