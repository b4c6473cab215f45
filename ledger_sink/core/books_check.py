"""Recomputes the books from their entries alone: master data, postings, balances, reversals."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import NamedTuple

import msgspec

from contracts.books import QUANTITY, BookItem, BookPlace, Movement, PeriodClosed
from contracts.codec import UNDECODABLE
from ledger_sink.core.verification import Fault, Finding

EXACT = Context(prec=100, traps=[Inexact, InvalidOperation])
"""Adds without rounding: a quantity has 21 digits, and no count of movements adds 79 to them."""


class Key(NamedTuple):
    """What a balance is of."""

    item: str
    location: str
    batch: str
    serial: str
    disposition: str
    reservation: str
    owner: str


class Line(NamedTuple):
    """A posting as it stands in the database."""

    line: int
    key: Key
    quantity: Decimal
    happened_us: int
    recorded_us: int
    balance: Decimal
    """Of its key, behind it in order of recording."""


class Balance(NamedTuple):
    """The present book of a key."""

    quantity: Decimal
    seq: int
    """Of the last movement."""


class Made(NamedTuple):
    """A row that an entry made beside postings and balances."""

    table: str
    """`book_items`, `book_places`, `book_periods` or `reversals`."""
    seq: int
    """The entry."""
    values: tuple[str, ...]
    """Its columns as text, in their order in the table."""


_movement = msgspec.json.Decoder(Movement)
_book = msgspec.json.Decoder(BookItem | BookPlace | PeriodClosed)
NOTHING = Balance(Decimal(0), 0)


class BooksCheck:
    """Takes the entries of the books, movements with their postings, then what the tables hold."""

    def __init__(self) -> None:
        self.movements = 0
        self._balances: dict[Key, Balance] = {}
        self._made: set[Made] = set()

    def take_book(self, seq: int, payload: bytes) -> Iterator[Finding]:
        """An entry of kind `book`; what is wrong with it."""
        try:
            record = _book.decode(payload)
        except UNDECODABLE as error:
            yield Finding(Fault.POSTING, seq, None, f"entry {seq} is no master data: {error}")
            return
        self._made.add(_made(seq, record))

    def take(
        self, seq: int, recorded_us: int, payload: bytes, lines: list[Line]
    ) -> Iterator[Finding]:
        """One movement, in order of recording; what is wrong with it."""
        self.movements += 1
        try:
            movement = _movement.decode(payload)
        except UNDECODABLE as error:
            yield _finding(seq, f"it is no movement: {error}")
            return
        wrong = [one.quantity for one in movement.postings if not QUANTITY.fullmatch(one.quantity)]
        if wrong:
            yield _finding(seq, f"it is no movement: {wrong[0]!r} is no quantity")
            return
        if movement.reverses:
            self._made.add(Made("reversals", seq, (movement.reverses,)))
        said = [
            (
                Key(
                    *(one.item, one.location, one.batch, one.serial),
                    *(str(one.disposition), str(one.reservation), one.owner),
                ),
                Decimal(one.quantity),
                movement.happened_us,
            )
            for one in movement.postings
        ]
        if [(line.key, line.quantity, line.happened_us) for line in lines] != said:
            yield _finding(seq, "its postings are not its lines")
        for line in lines:
            if line.recorded_us != recorded_us:
                text = f"line {line.line} was recorded at {line.recorded_us}, the entry at"
                yield _finding(seq, f"{text} {recorded_us} (UTC microseconds)")
        for number, (key, quantity, _) in enumerate(said):
            after = EXACT.add(self._balances.get(key, NOTHING).quantity, quantity)
            self._balances[key] = Balance(after, seq)
            if number < len(lines) and lines[number].balance != after:
                text = f"line {number + 1}: the balance of {key.item} at {key.location} behind it"
                yield _finding(seq, f"{text} is {after}, not {lines[number].balance}")

    @staticmethod
    def stray(seq: int) -> Finding:
        """Postings stand under an entry that is no movement."""
        return Finding(Fault.POSTING, seq, None, f"postings of entry {seq}: it is no movement")

    def report(self, balances: dict[Key, Balance], made: set[Made]) -> Iterator[Finding]:
        """What is wrong with the present book, and with the rows beside it."""
        for key in self._balances.keys() | balances.keys():
            right, kept = self._balances.get(key, NOTHING), balances.get(key, NOTHING)
            if right.quantity != kept.quantity:
                text = f"the book of {key.item} at {key.location} is {right.quantity}, not"
                yield Finding(Fault.POSTING, None, None, f"{text} {kept.quantity}")
            elif right.seq != kept.seq:
                text = f"the book of {key.item} at {key.location} was last moved by entry"
                yield Finding(Fault.POSTING, None, None, f"{text} {right.seq}, not {kept.seq}")
        for row in sorted(made - self._made):
            text = f"{row.table} says {', '.join(row.values)} of entry {row.seq}, which does not"
            yield Finding(Fault.POSTING, row.seq, None, text)
        for row in sorted(self._made - made):
            text = f"{row.table} lacks {', '.join(row.values)}, which entry {row.seq} says"
            yield Finding(Fault.POSTING, row.seq, None, text)


def _made(seq: int, record: BookItem | BookPlace | PeriodClosed) -> Made:
    """The row that an entry of master data makes."""
    if isinstance(record, BookItem):
        counted = (record.base_unit, str(record.decimals))
        policy = (str(record.tracking), str(record.negative))
        return Made("book_items", seq, (record.item, *counted, *policy))
    if isinstance(record, BookPlace):
        return Made("book_places", seq, (record.location, str(record.kind), record.warehouse))
    return Made("book_periods", seq, (str(record.before_us),))


def _finding(seq: int, text: str) -> Finding:
    return Finding(Fault.POSTING, seq, None, f"movement in entry {seq}: {text}")
