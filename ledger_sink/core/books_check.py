"""Recomputes the books from their entries alone, and names every row that says something else.

An entry's payload says which rows stand under its number in each table (`check_rows`). What only
all entries together say is held against them at the end: balances and identities. Beside the rows
the rules of double entry are checked: every movement and every voucher sums to zero, and behind
each document the stock accounts hold, item by item, the quantity that the postings moved and the
value that the valuations have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from contracts.accounting import PostingRules
from contracts.codec import UNDECODABLE
from contracts.events import EntryKind
from ledger_sink.core.check_contents import Allocation, Content, ContentsCheck, Standing
from ledger_sink.core.check_identities import (
    IdentitiesCheck,
    Identity,
    Mentioned,
    mentions_of,
)
from ledger_sink.core.check_master import SHIPPED_CHANGES, Master
from ledger_sink.core.check_rows import (
    MENTIONS,
    TABLES,
    UNPACKINGS,
    VALUATIONS,
    Entry,
    Row,
    Table,
    differences,
    finding,
)
from ledger_sink.core.check_stock import Balance, Key, StockCheck
from ledger_sink.core.check_valuations import Family, ValuationsCheck
from ledger_sink.core.check_vouchers import rows_of_document, rows_of_voucher
from ledger_sink.core.verification import Finding

__all__ = ["KINDS", "Balance", "BooksCheck", "Entry", "Identity", "Kept", "Key"]

KINDS = (
    *(EntryKind.BOOK, EntryKind.MOVEMENT, EntryKind.DOCUMENT, EntryKind.VOUCHER),
    *(EntryKind.COMMISSIONED, EntryKind.DECOMMISSIONED, EntryKind.EPCIS),
)
"""The kinds of entry that make rows of the books."""


class Kept(NamedTuple):
    """Tables that say what stands now, by all entries together."""

    balances: Iterable[tuple[Key, Balance]] = ()
    contents: Iterable[tuple[Content, Standing]] = ()
    allocations: Iterable[tuple[Allocation, Standing]] = ()
    identities: Iterable[tuple[str, Identity]] = ()
    allowed_changes: Iterable[tuple[str, str, str]] = SHIPPED_CHANGES


class BooksCheck:
    """Takes entries in order of the chain, each with the rows that stand under it."""

    def __init__(self, shipped_rules: PostingRules, related: Family) -> None:
        """`shipped_rules` are those of a site without its own; `related`: see `Family`."""
        self._master = Master(shipped_rules)
        self._stock = StockCheck()
        self._contents = ContentsCheck()
        self._identities = IdentitiesCheck()
        self._valuations = ValuationsCheck(self._master, related)
        self.vouchers = 0

    @property
    def movements(self) -> int:
        """How many were recomputed."""
        return self._stock.movements

    def take(self, entry: Entry, rows: Mapping[str, Sequence[Row]]) -> Iterator[Finding]:
        """The next entry, with the rows of its number by table; what is wrong with them."""
        found = {table: rows.get(table.name, ()) for table in TABLES}
        told: dict[Table, list[Row]] = {}
        try:
            if entry.kind in (EntryKind.COMMISSIONED, EntryKind.DECOMMISSIONED, EntryKind.EPCIS):
                told[MENTIONS] = mentions_of(self._mentioned(entry), found[MENTIONS])
            else:
                told, wrong = self._told(entry)
                yield from wrong
        except UNDECODABLE as error:
            text = f"entry {entry.seq} ({entry.id}) is no {entry.kind} that can be read: {error}"
            yield finding(entry.seq, text)
        self._valuations.take_rows(entry.seq, found[VALUATIONS])
        for table in TABLES:
            # A document's valuations are judged when all of it is there.
            if table is not VALUATIONS:
                yield from differences(table, entry.seq, told.get(table, ()), found[table])

    def stray(self, seq: int, rows: Mapping[str, Sequence[Row]]) -> Iterator[Finding]:
        """Rows stand under a number that no entry of the books has; what is wrong with them."""
        # A document without vouchers may end with a discrepancy: its valuations stand under that.
        self._valuations.take_rows(seq, rows.get(VALUATIONS.name, ()))
        for table in TABLES:
            if table is VALUATIONS:
                continue
            yield from differences(table, seq, (), rows.get(table.name, ()))

    def report(self, kept: Kept) -> Iterator[Finding]:
        """What is wrong with what all entries together say."""
        yield from self._valuations.settle()
        yield from self._stock.report(kept.balances)
        yield from self._contents.report(kept.contents, kept.allocations)
        yield from self._identities.report(kept.identities)
        changes = set(kept.allowed_changes)
        for axis, before, after in sorted(changes - SHIPPED_CHANGES):
            text = f"allowed_changes lets a {axis} go from {before} to {after}, which nothing says"
            yield finding(None, text)
        for axis, before, after in sorted(SHIPPED_CHANGES - changes):
            text = f"allowed_changes lacks that a {axis} may go from {before} to {after}"
            yield finding(None, text)

    def _mentioned(self, entry: Entry) -> Mentioned:
        if entry.kind == EntryKind.COMMISSIONED:
            return self._identities.take_birth(entry)
        if entry.kind == EntryKind.DECOMMISSIONED:
            return self._identities.take_end(entry)
        return self._identities.take_event(entry)

    def _told(self, entry: Entry) -> tuple[dict[Table, list[Row]], list[Finding]]:
        """The rows that an entry of the books makes, and what is wrong beside them."""
        if entry.kind == EntryKind.BOOK:
            wrong = list(self._valuations.settle())
            return self._master.take(entry), wrong
        if entry.kind == EntryKind.DOCUMENT:
            document, told = rows_of_document(entry)
            told[UNPACKINGS] = self._contents.take_document(document)
            return told, list(self._valuations.take_document(entry, document))
        if entry.kind == EntryKind.MOVEMENT:
            moved = self._stock.take(entry, self._master.place_kinds)
            self._contents.take_movement(entry.seq, moved.movement)
            wrong = list(self._valuations.take_movement(entry, moved))
            return moved.rows, moved.findings + wrong
        made = rows_of_voucher(entry)
        self.vouchers += 1
        wrong = list(self._valuations.take_voucher(entry, made.voucher))
        return made.rows, made.findings + wrong
