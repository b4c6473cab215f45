"""What posting costs beside a bare COPY of the rows that it leads to; `benchmarks.ledger` runs it.

Movements have two postings; documents two lines, a movement of four postings, a voucher of four
lines and two valuations. Payloads are made here, so that no planner's time is in it. Each batch is
posted, then the rows that came of it are copied into tables with the same columns and keys, in one
transaction and one COPY a table; in turns, so that a noisy machine hurts both. A balance that
changes is a row each time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from contracts.accounting import Account, AccountKind, BookDataKind, Chart, Costing
from contracts.books import BookItem, BookPlace, Movement, PlaceKind, Posting
from contracts.documents import DocumentKind, EnteredDocument, EnteredLine
from contracts.vouchers import ItemValuation, Method, Occasion, Voucher, VoucherLine
from ledger_sink.books import Books, Posted, Prepared
from ledger_sink.defaults import default_chart
from ledger_sink.postgres_ledger import PostgresLedger

SITE = "books"
ITEMS = 500
BATCH = 250
"""Movements or documents a call: an import, or the lines of a busy minute."""
PRICE = Decimal("2.50")
NOW = 10**15
TABLES = (
    *("entries", "postings", "balances", "documents", "document_lines", "vouchers"),
    *("voucher_lines", "valuations"),
)
SHIPPED = default_chart("china")
CHART = Chart(
    accounts=(
        Account(
            code="1405", name="Goods", name_zh="库存商品", kind=AccountKind.ASSET, is_stock=True
        ),
        *SHIPPED.accounts,
    ),
    parts=SHIPPED.parts,
)


class Measured(NamedTuple):
    """How fast something was posted."""

    per_second: float
    rows: float
    """Of each movement or document."""
    rows_per_second: float
    copied_per_second: float
    """Rows by bare COPY."""

    @property
    def ratio(self) -> float:
        """Posted rows for each that bare COPY copies in the same time."""
        return self.rows_per_second / self.copied_per_second


class BareTables:
    """Tables like the ledger's, and nothing behind them."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self.rows = 0
        self.seconds = 0.0
        connection.execute("create schema bare_books")
        for name in TABLES:
            connection.execute(
                _table("create table bare_books.{0} (like ledger.{0} including indexes)", name)
            )
        # A balance comes once a batch.
        connection.execute("alter table bare_books.balances drop constraint balances_pkey")
        connection.execute(
            "alter table bare_books.balances add primary key (site, item, location, batch, serial,"
            " disposition, reservation, owner, seq)"
        )

    def newest(self) -> int:
        """The chain's last entry."""
        row = self._connection.execute(
            "select seq from ledger.chains where site = %s", (SITE,)
        ).fetchone()
        return row[0] if row else 0

    def copy(self, after: int) -> None:
        """COPY the rows that came behind an entry."""
        blocks = []
        for name in TABLES:
            statement = _table(
                "copy (select * from ledger.{} where site = {} and seq > {}) to stdout"
                " (format binary)",
                name,
                sql.Literal(SITE),
                sql.Literal(after),
            )
            with self._connection.cursor() as cursor:
                with cursor.copy(statement) as block:
                    blocks.append(b"".join(block))
                self.rows += cursor.rowcount
        began = time.monotonic()
        with self._connection.transaction():
            for name, content in zip(TABLES, blocks, strict=True):
                statement = _table("copy bare_books.{} from stdin (format binary)", name)
                with self._connection.cursor() as cursor, cursor.copy(statement) as block:
                    block.write(content)
        self.seconds += time.monotonic() - began


def _table(statement: str, name: str, *values: sql.Composable) -> sql.Composed:
    return sql.SQL(statement).format(sql.Identifier(name), *values)


def set_up(books: Books) -> None:
    """Places, and items that have quantities only (`plain-`) or are valued (`item-`)."""
    places = (("A", PlaceKind.ZONE), ("supplier", PlaceKind.SUPPLIER))
    for location, kind in (*places, ("customer", PlaceKind.CUSTOMER)):
        books.put(BookPlace(location=location, kind=kind), 5)
    books.put_data(BookDataKind.CHART, "china", CHART, 5)
    for number in range(ITEMS):
        books.put(BookItem(item=f"plain-{number}"), 5)
        books.put(BookItem(item=f"item-{number}"), 5)
        books.put_data(BookDataKind.COSTING, f"item-{number}", Costing(), 5)


def movement(number: int) -> Movement:
    """A receipt of something without a price."""
    item = f"plain-{number % ITEMS}"
    return Movement(
        id=f"m{number}",
        document=f"GR-{number // 10}",
        step="goods_receipt",
        happened_us=number,
        postings=(
            Posting(item=item, location="supplier", quantity="-3"),
            Posting(item=item, location="A", quantity="3"),
        ),
    )


def document(number: int, stock: dict[str, int]) -> Prepared:
    """A receipt of two items, or a shipment of what is there; brings `stock` up to it."""
    items = [f"item-{(2 * number + line) % ITEMS}" for line in (0, 1)]
    is_out = number % 3 == 2 and all(item in stock for item in items)
    quantity = -1 if is_out else 3
    origin, to = ("A", "customer") if is_out else ("supplier", "A")
    amount = str(abs(quantity) * PRICE)
    id_ = f"D-{number:07}"
    lines: list[VoucherLine] = []
    postings: list[Posting] = []
    for line, item in enumerate(items, 1):
        stock[item] = stock.get(item, 0) + quantity
        sides: dict[str, Any] = {"credit": amount} if is_out else {"debit": amount}
        others: dict[str, Any] = {"debit": amount} if is_out else {"credit": amount}
        lines += (
            VoucherLine(account="1405", item=item, quantity=str(quantity), **sides),
            VoucherLine(account="2202", party="S-1", document_line=line, **others),
        )
        postings += (
            Posting(item=item, location=origin, quantity=str(-abs(quantity))),
            Posting(item=item, location=to, quantity=str(abs(quantity))),
        )
    entered = _entered(id_, number + 1, items, abs(quantity), is_out=is_out)
    moved = Movement(
        id=f"{id_}/m",
        document=id_,
        step=str(entered.kind),
        happened_us=number + 1,
        postings=tuple(postings),
        person="clerk-7",
    )
    voucher = Voucher(
        id=f"{id_}/v1",
        document=id_,
        movement=moved.id,
        rule="default/1/goods",
        occasion=Occasion.POSTING,
        happened_us=number + 1,
        currency="CNY",
        lines=tuple(lines),
    )
    valuations = [
        ItemValuation(
            item=item,
            method=Method.MOVING_AVERAGE,
            quantity=str(stock[item]),
            value=str(stock[item] * PRICE),
            price=str(PRICE),
        )
        for item in items
    ]
    return Prepared(entered, moved, (voucher,), valuations)


def _entered(
    id_: str, happened_us: int, items: Sequence[str], quantity: int, *, is_out: bool
) -> EnteredDocument:
    amount = str(quantity * PRICE)
    kind = DocumentKind.SALES_SHIPMENT if is_out else DocumentKind.GOODS_RECEIPT
    return EnteredDocument(
        refers="",
        to_warehouse="",
        approved_by="",
        case="",
        reason="",
        id=id_,
        kind=kind,
        happened_us=happened_us,
        due_us=0,
        party="S-1",
        warehouse="W-1",
        currency="CNY",
        rate="1",
        person="clerk-7",
        is_physical=False,
        lines=tuple(
            EnteredLine(
                line=line,
                item=item,
                quantity=str(quantity),
                unit="each",
                unit_quantity=str(quantity),
                price=str(PRICE),
                net=amount,
                net_base=amount,
                location="A",
            )
            for line, item in enumerate(items, 1)
        ),
    )


def post(
    bare: BareTables, post_batch: Callable[[int, int], Sequence[Posted]], count: int
) -> Measured:
    """Post `count` in batches, and copy what comes of each."""
    posted_s = 0.0
    before = bare.rows, bare.seconds
    for start in range(0, count, BATCH):
        newest = bare.newest()
        began = time.monotonic()
        outcomes = post_batch(start, min(start + BATCH, count))
        posted_s += time.monotonic() - began
        wrong = [one for one in outcomes if one.outcome != "entered"]
        assert not wrong, wrong[0]
        bare.copy(newest)
    rows, copied_s = bare.rows - before[0], bare.seconds - before[1]
    return Measured(count / posted_s, rows / count, rows / posted_s, rows / copied_s)


def measure(connection: psycopg.Connection[Any], count: int) -> tuple[Measured, Measured]:
    """Movements, then documents."""
    books = Books(PostgresLedger(connection, SITE))
    set_up(books)
    connection.execute("analyze")
    bare = BareTables(connection)
    movements = [movement(number) for number in range(count)]
    stock: dict[str, int] = {}
    documents = [document(number, stock) for number in range(count)]

    def post_documents(start: int, end: int) -> Sequence[Posted]:
        batch = documents[start:end]
        items = sorted({one.item for prepared in batch for one in prepared.valuations})
        return books.post_documents(batch, books.bases(items), NOW)

    moved = post(bare, lambda start, end: books.post(movements[start:end], NOW), count)
    return moved, post(bare, post_documents, count)
