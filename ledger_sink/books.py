"""The books of a site: master data in, movements in, balances out."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from contracts.accounting import BookDataKind, Chart
from contracts.books import BookData, BookItem, BookPlace, Movement, PeriodClosed
from contracts.codec import canonical
from contracts.documents import EnteredDocument, Written
from contracts.vouchers import ItemValuation, Voucher
from ledger_sink.book_data import (
    HANGING_TOGETHER,
    MODELS,
    AccountingError,
    Kept,
    Known,
    chart_of,
    missing_in,
    mistakes_in,
    shipped,
)
from ledger_sink.core.books_check import Key
from ledger_sink.core.posting.charts import moved_parts
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.pseudonyms import disguised_movements
from ledger_sink.redaction import Persons
from ledger_sink.sql import queries

QUERIES = queries("books")


class Posted(NamedTuple):
    """What became of a movement or a document."""

    outcome: str
    """`entered`, `known` (the same was there) or `refused`. Of a document also `stale` (an item's
    valuation or a document that refers to the same one is newer than what it was prepared from) and
    `skipped` (it has something in common with one before it that became nothing): both are to be
    prepared again."""
    seq: int | None
    """Its entry."""
    problem: str | None
    """Why it was refused: each reason with its line."""


class Balance(NamedTuple):
    """How much of something is where."""

    key: Key
    quantity: Decimal


class Prepared(NamedTuple):
    """A document with all that it leads to."""

    document: EnteredDocument
    movement: Movement | None
    """None: it moves nothing."""
    vouchers: Sequence[Voucher]
    valuations: Sequence[ItemValuation]
    """Of the items whose value or valued quantity it changes, behind it."""


class Books:
    """One site's books; the login needs the role `ledger_appender`."""

    def __init__(self, ledger: PostgresLedger) -> None:
        self._ledger = ledger
        self._is_together = False

    @property
    def ledger(self) -> PostgresLedger:
        """The ledger that they are kept in."""
        return self._ledger

    def put(self, record: BookItem | BookPlace | PeriodClosed, at_us: int) -> bool:
        """Enter master data; False: it was so already.

        Raises psycopg.errors.CheckViolation where it would turn stock that is there into something
        else, or closes a period beyond now; else psycopg.Error.
        """
        return self._put(record, at_us)

    def put_data(self, what: BookDataKind, key: str, body: Written, at_us: int) -> bool:
        """Enter data of the books; False: it was so already.

        Raises AccountingError where the books would not hold together by it,
        psycopg.errors.CheckViolation where it would turn stock or vouchers that are there into
        something else; else psycopg.Error.
        """
        assert type(body) is MODELS[what], what
        data = BookData(what=what, key=key, body=msgspec.Raw(_sorted(body)))
        if what not in HANGING_TOGETHER:
            return self._put(data, at_us)
        new = {(what, key): Kept(0, body)}
        if what is BookDataKind.SETTINGS:
            named = self.data_now(BookDataKind.CHART, BookDataKind.RULES)
            if missing := missing_in({**named, **new}):
                raise AccountingError(missing)
        # Of many items there is one to be looked at.
        kinds = HANGING_TOGETHER[:-1] if what is BookDataKind.COSTING else HANGING_TOGETHER
        with self._checked(kinds, new):
            return self._put(data, at_us)

    def put_shipped(self, at_us: int) -> int:
        """Enter the chart and the rules that ship, where they count and nobody put any: how many.

        What a voucher was made by shall stand in the ledger, not in the program of that day.
        """
        with self.together():
            known = self.data_now(*HANGING_TOGETHER[:-1])
            return sum(self.put_data(*one, at_us) for one in list(shipped(known)))

    def together(self) -> AbstractContextManager[None]:
        """What is put within counts together or, where it does not hold together, not at all.

        Raises AccountingError when it ends.
        """
        return self._checked(HANGING_TOGETHER, {})

    @contextlib.contextmanager
    def _checked(self, kinds: Sequence[BookDataKind], new: Known) -> Iterator[None]:
        if self._is_together:
            yield
            return
        self._is_together = True
        try:
            with self._ledger.transaction():
                before = chart_of(self.data_now(BookDataKind.SETTINGS, BookDataKind.CHART))
                yield
                known = {**self.data_now(*kinds), **new}
                mistakes = [*mistakes_in(known), *self._mistakes_in_moves(before, chart_of(known))]
                if mistakes:
                    raise AccountingError(mistakes)
        finally:
            self._is_together = False

    def _mistakes_in_moves(self, before: Chart | None, after: Chart | None) -> Iterator[str]:
        """Parts whose goods are open on the account that they had, and that get another one."""
        if before is None or after is None or before == after:
            return
        moved = list(moved_parts(before, after))
        accounts = [old for _, old, _ in moved]
        held = {row[0] for row in self._rows("held_accounts", accounts=accounts)} if moved else ()
        for part, old, new in moved:
            if old in held:
                yield (
                    f"chart, part {part}: account {old} still holds goods: it stays"
                    f" until they are gone{f', then {new} may play it' if new else ''}"
                )

    def _put(self, record: BookItem | BookPlace | PeriodClosed | BookData, at_us: int) -> bool:
        (row,) = self._rows("put_book", at_us=at_us, payload=canonical(record))
        return bool(row[0])

    def data_now(self, *what: BookDataKind) -> dict[tuple[BookDataKind, str], Kept]:
        """All data of these kinds that counts, by kind and key; none named: of all kinds."""
        rows = self._rows("data_now", what=[str(one) for one in what or BookDataKind])
        return {
            (BookDataKind(kind), key): Kept(
                seq, MODELS[BookDataKind(kind)].model_validate_json(body)
            )
            for kind, key, seq, body in rows
        }

    def bases(self, items: Sequence[str]) -> dict[str, int]:
        """What `post_documents` compares with: ask before reading what documents are made from.

        Of each item the entry of its newest valuation (0: none), and under the empty name the entry
        of the newest document.
        """
        return dict(self._rows("bases", items=list(items)))

    def post_documents(
        self, prepared: Sequence[Prepared], bases: Mapping[str, int], at_us: int
    ) -> list[Posted]:
        """Post documents in order, each whole or not at all. Raises psycopg.Error.

        `bases` is what `bases` gave before they were prepared, one after the other as if each were
        entered.
        """
        vouchers = [
            (place, canonical(one))
            for place, each in enumerate(prepared, 1)
            for one in each.vouchers
        ]
        valuations = [
            (place, canonical(one))
            for place, each in enumerate(prepared, 1)
            for one in each.valuations
        ]
        rows = self._rows(
            "post_documents",
            at_us=at_us,
            documents=[_payload(one.document) for one in prepared],
            movements=[one.movement and _payload(one.movement) for one in prepared],
            vouchers=[payload for _, payload in vouchers],
            voucher_places=[place for place, _ in vouchers],
            valuations=[payload for _, payload in valuations],
            valuation_places=[place for place, _ in valuations],
            bases=json.dumps(dict(bases)),
        )
        return [Posted(*row) for row in rows]

    def post(self, movements: Sequence[Movement], at_us: int) -> list[Posted]:
        """Post movements in order; a refused one harms no other. Raises psycopg.Error.

        Persons are entered by their pseudonyms.
        """
        disguised = disguised_movements(Persons(self._ledger), movements, at_us)
        payloads = [_payload(movement) for movement in disguised]
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


def _sorted(body: Written) -> bytes:
    """A model as canonical JSON: its fields sorted, decimals as text."""
    fields: dict[str, Any] = body.model_dump(mode="json")
    return msgspec.json.encode(fields, order="sorted")


def _payload(record: Movement | EnteredDocument) -> bytes:
    """The payload; of what canonical JSON cannot hold still bytes, which the ledger refuses."""
    try:
        return canonical(record)
    except (UnicodeEncodeError, OverflowError):
        return json.dumps(msgspec.to_builtins(record)).encode()


def _balances(rows: Sequence[tuple]) -> list[Balance]:  # type: ignore[type-arg]
    return sorted(Balance(Key(*row[:7]), row[7]) for row in rows)
