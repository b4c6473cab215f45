"""Holds what stock is worth against the stock accounts and the postings, behind every document.

For an item that has a costing, its lines on stock accounts say by how much each document changed
the quantity and the value of its stock. Behind the document both are what `ledger.valuations`
says, and the quantity is that of the postings. At a site that an ERP leads, stock also moves
without vouchers: there quantities of items that did are not compared.

Unit costs and layers are worked out as when the document was posted, by the rules that counted
then. Where that does not lead to the document's own vouchers (they were made by other rules, or by
hand), only quantity and value are held against them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from contracts.accounting import Mode
from contracts.books import Movement
from contracts.codec import UNDECODABLE
from contracts.documents import EnteredDocument
from contracts.events import EntryKind
from contracts.vouchers import ItemValuation, Layer, Method, Voucher
from ledger_sink.core.check_master import Master
from ledger_sink.core.check_rows import (
    VALUATIONS,
    WIDE,
    Entry,
    Row,
    differences,
    exact,
    finding,
    json_form,
    said,
)
from ledger_sink.core.check_stock import Moved
from ledger_sink.core.check_vouchers import amount_of
from ledger_sink.core.posting.accounting import Made, Related
from ledger_sink.core.posting.vouchers import make_vouchers
from ledger_sink.core.verification import Finding

ZERO = Decimal(0)
Family = Callable[[EnteredDocument, int], Related]
"""The family of a document, as it was before an entry: see `Related`."""


class Worth(NamedTuple):
    """Valued stock of an item."""

    quantity: Decimal
    value: Decimal


NONE = Worth(ZERO, ZERO)


class Posted:
    """A document as far as its entries have come."""

    def __init__(self, document: str) -> None:
        self.id = document
        self.document: EnteredDocument | None = None
        self.first: Entry | None = None
        self.last: Entry | None = None
        """Its last voucher; without one, its last entry."""
        self.movement: Movement | None = None
        self.vouchers: list[Voucher] = []
        self.before: dict[str, Worth] = {}
        """What the items that it touches were worth before it."""
        self.rows: list[tuple[int, Row]] = []
        """Of `ledger.valuations`, with their entry."""

    def take(self, entry: Entry) -> None:
        """One of its entries."""
        self.first = self.first or entry
        self.last = entry


class ValuationsCheck:
    """Takes documents, movements and vouchers in order of recording."""

    def __init__(self, master: Master, family: Family) -> None:
        self._master = master
        self._family = family
        self._worth: dict[str, Worth] = {}
        """By the stock accounts."""
        self._moved: dict[str, Decimal] = {}
        """By the postings."""
        self._valuations: dict[str, ItemValuation] = {}
        """As they should be, or as they are where that is not known."""
        self._unbound: set[str] = set()
        """Items that moved without vouchers at a site that an ERP leads."""
        self._posted = Posted("")

    def take_document(self, entry: Entry, document: EnteredDocument) -> Iterator[Finding]:
        """A document; what is wrong with the one before it."""
        yield from self._begin(document.id)
        self._posted.take(entry)
        self._posted.document = document

    def take_movement(self, entry: Entry, moved: Moved) -> Iterator[Finding]:
        """A movement; what is wrong with the document before it."""
        yield from self._begin(moved.movement.document)
        self._posted.take(entry)
        self._posted.movement = moved.movement
        for item, quantity in moved.valued.items():
            self._touch(item)
            self._moved[item] = WIDE.add(self._moved.get(item, ZERO), quantity)
            if self._master.accounting.settings.mode is not Mode.STANDALONE:
                self._unbound.add(item)

    def take_voucher(self, entry: Entry, voucher: Voucher) -> Iterator[Finding]:
        """A voucher; what is wrong with the document before it. Raises ValueError."""
        yield from self._begin(voucher.document)
        self._posted.take(entry)
        self._posted.vouchers.append(voucher)
        for line in voucher.lines:
            if line.account not in self._master.accounting.stock_accounts:
                continue
            if not line.item:
                text = f"voucher {voucher.id} in entry {entry.seq}: stock account {line.account}"
                yield finding(entry.seq, f"{text} names no item")
            self._touch(line.item)
            before = self._worth.get(line.item, NONE)
            self._worth[line.item] = Worth(
                WIDE.add(before.quantity, exact(line.quantity)),
                WIDE.add(before.value, amount_of(line)),
            )

    def take_rows(self, seq: int, rows: Sequence[Row]) -> None:
        """Rows of `ledger.valuations` that stand under an entry of the present document."""
        self._posted.rows += [(seq, row) for row in rows]

    def settle(self) -> Iterator[Finding]:
        """What is wrong with the present document, now that all of it is there."""
        posted, self._posted = self._posted, Posted("")
        last = posted.last
        rows: dict[str, Row] = {}
        for seq, row in posted.rows:
            item = str(row[0])
            if last is None or not _is_place(seq, last) or item in rows:
                yield finding(seq, f"valuations says {item} of entry {seq}, which does not")
            rows[item] = row
        if last is None:
            return
        right = self._remade(posted)
        yield from self._judge_worth(posted, last)
        if right is None:
            yield from self._compare_worth(posted, last, rows)
        else:
            told = [_row(one, last.recorded_us) for one in right]
            yield from differences(VALUATIONS, last.seq, told, list(rows.values()))
            self._valuations |= {one.item: one for one in right}

    def _begin(self, document: str) -> Iterator[Finding]:
        """What follows belongs to a document."""
        if document != self._posted.id or not document:
            yield from self.settle()
            self._posted = Posted(document)

    def _touch(self, item: str) -> None:
        self._posted.before.setdefault(item, self._worth.get(item, NONE))

    def _remade(self, posted: Posted) -> Sequence[ItemValuation] | None:
        """What the document's items are worth behind it; None: its vouchers say too little."""
        if posted.document is None or posted.first is None:
            return None
        try:
            made = make_vouchers(
                posted.document,
                posted.movement,
                self._master.accounting,
                self._master.place_kinds,
                self._valuations,
                self._family(posted.document, posted.first.seq),
            )
        except (*UNDECODABLE, ArithmeticError, LookupError):
            return None
        is_same = isinstance(made, Made) and list(made.vouchers) == posted.vouchers
        return made.valuations if isinstance(made, Made) and is_same else None

    def _judge_worth(self, posted: Posted, last: Entry) -> Iterator[Finding]:
        """What is wrong with the stock accounts behind the document."""
        for item in sorted(posted.before.keys() & self._master.accounting.costings.keys()):
            worth, moved = self._worth.get(item, NONE), self._moved.get(item, ZERO)
            if item not in self._unbound and moved != worth.quantity:
                text = f"entry {last.seq}: the postings of {item} hold {moved} of ours, its stock"
                yield finding(last.seq, f"{text} accounts {worth.quantity}")
            if not worth.quantity and worth.value:
                text = f"entry {last.seq}: no {item} is left, and it is still worth {worth.value}"
                yield finding(last.seq, text)

    def _compare_worth(
        self, posted: Posted, last: Entry, rows: dict[str, Row]
    ) -> Iterator[Finding]:
        """What is wrong with valuations as far as vouchers say what they are."""
        costings = self._master.accounting.costings
        for item in sorted(rows.keys() | (posted.before.keys() & costings.keys())):
            worth = self._worth.get(item, NONE)
            row = rows.get(item)
            if row is not None and (item not in posted.before or item not in costings):
                text = f"valuations says {item} of entry {last.seq}, which does not"
                yield finding(last.seq, text)
            elif row is not None:
                method = str(costings[item].method)
                told = (item, method, *worth, *row[4:6], last.recorded_us)
                yield from differences(VALUATIONS, last.seq, [told], [row])
                self._valuations[item] = _valuation(item, Method(method), worth, row)
            elif worth != posted.before[item]:
                text = f"valuations lacks {item}, which entry {last.seq} changes to"
                yield finding(last.seq, f"{text} {worth.quantity} worth {worth.value}")


def _is_place(seq: int, last: Entry) -> bool:
    """Whether valuations may stand there: under the last voucher; without one, at the end."""
    return seq == last.seq if last.kind == EntryKind.VOUCHER else seq >= last.seq


def _row(one: ItemValuation, recorded_us: int) -> Row:
    """The row of `ledger.valuations` that a valuation makes."""
    return (
        *(one.item, str(one.method), exact(one.quantity), exact(one.value), exact(one.price)),
        *(json_form(msgspec.json.encode(one.layers)), recorded_us),
    )


def _valuation(item: str, method: Method, worth: Worth, row: Row) -> ItemValuation:
    """A valuation of which price and layers are only known from its row."""
    try:
        layers = msgspec.json.decode(said(row[5]), type=tuple[Layer, ...])
    except msgspec.MsgspecError:
        layers = ()
    return ItemValuation(
        item=item,
        method=method,
        quantity=str(worth.quantity),
        value=str(worth.value),
        price=said(row[4]),
        layers=layers,
    )
