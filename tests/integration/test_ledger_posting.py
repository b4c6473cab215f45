"""Documents in the books: each whole or not at all, and stock worth what the vouchers say.

What documents lead to is worked out here by a few lines of Python, so that planner and rules can
hide no mistake of the ledger, nor the other way.
"""

from __future__ import annotations

import threading
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg import sql

from contracts.accounting import (
    Account,
    AccountKind,
    BookDataKind,
    BookSettings,
    Chart,
    Costing,
    Mode,
)
from contracts.books import BookItem, BookPlace, Movement, Negative, PlaceKind, Posting
from contracts.documents import DocumentKind, EnteredDocument, EnteredLine
from contracts.vouchers import ItemValuation, Method, Occasion, Voucher, VoucherLine
from ledger_sink.books import Books, Posted, Prepared
from ledger_sink.defaults import default_chart
from ledger_sink.postgres_ledger import PostgresLedger, connect
from tests.support.servers import Fresh

Connection = psycopg.Connection[Any]
SECOND = 1_000_000
NOW = 1_000 * SECOND
STOCK, OTHER, COST = "1405", "2202", "6401"
SHIPPED = default_chart("china")
CHART = Chart(
    accounts=(
        Account(
            code=STOCK, name="Goods", name_zh="库存商品", kind=AccountKind.ASSET, is_stock=True
        ),
        Account(code=OTHER, name="Payable", name_zh="应付账款", kind=AccountKind.LIABILITY),
        Account(code=COST, name="Cost of sales", name_zh="主营业务成本", kind=AccountKind.EXPENSE),
        *(one for one in SHIPPED.accounts if one.code not in {STOCK, OTHER, COST}),
    ),
    parts=SHIPPED.parts,
)
PLACES = {
    "A": PlaceKind.ZONE,
    "B": PlaceKind.BIN,
    "supplier": PlaceKind.SUPPLIER,
    "customer": PlaceKind.CUSTOMER,
    "road": PlaceKind.IN_TRANSIT,
}
ITEMS = ("bolt", "nut", "sand", "water")


@pytest.fixture
def books(connection: Connection) -> Books:
    made = Books(PostgresLedger(connection, "demo"))
    set_up(made)
    return made


def set_up(books: Books) -> None:
    for location, kind in PLACES.items():
        books.put(BookPlace(location=location, kind=kind), 1)
    for item in ITEMS:
        negative = Negative.ALARM if item == "sand" else Negative.REFUSE
        books.put(BookItem(item=item, negative=negative), 1)
        if item != "water":
            assert books.put_data(BookDataKind.COSTING, item, Costing(), 1)
    assert books.put_data(BookDataKind.CHART, "china", CHART, 1)


class Worth(msgspec.Struct):
    """What an item's stock is worth, as the test reckons it: moving average."""

    quantity: Decimal = Decimal(0)
    value: Decimal = Decimal(0)
    price: Decimal = Decimal(0)

    def take_in(self, quantity: Decimal, cost: Decimal) -> Decimal:
        """The value that the stock gains."""
        self.quantity += quantity
        self.value += cost
        self.price = cost / quantity
        return cost

    def take_out(self, quantity: Decimal) -> Decimal:
        """The value that the stock loses."""
        cost = (
            self.value
            if quantity == self.quantity
            else cents(self.value * quantity / self.quantity)
            if quantity < self.quantity
            else cents(self.price * quantity)
        )
        self.quantity -= quantity
        self.value -= cost
        return cost

    def valuation(self, item: str) -> ItemValuation:
        """As it is posted."""
        return ItemValuation(
            item=item,
            method=Method.MOVING_AVERAGE,
            quantity=str(self.quantity),
            value=str(self.value),
            price=str(self.price.quantize(Decimal("0.000001"))),
        )


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def document(
    id_: str, item: str, quantity: str, *, origin: str = "supplier", to: str = "A", **fields: Any
) -> EnteredDocument:
    """Valid by default."""
    line = EnteredLine(
        line=1, item=item, quantity=quantity, unit="each", unit_quantity=quantity, location=origin
    )
    said: dict[str, Any] = {
        "kind": DocumentKind.GOODS_RECEIPT if to == "A" else DocumentKind.SALES_SHIPMENT,
        "happened_us": 10 * SECOND,
        "due_us": 0,
        "currency": "CNY",
        "rate": "1",
        "is_physical": False,
        "lines": (line,),
    }
    empty = ("party", "refers", "warehouse", "to_warehouse", "person", "approved_by", "case")
    return EnteredDocument(
        **{"id": id_, "reason": "", **dict.fromkeys(empty, ""), **said, **fields}
    )


def prepare(
    worth: Worth,
    id_: str,
    quantity: int,
    *,
    item: str = "bolt",
    price: str = "2.50",
    out: bool = False,
    **fields: Any,
) -> Prepared:
    """A receipt or a shipment of so many; `worth` is brought up to it."""
    origin, to = ("A", "customer") if out else ("supplier", "A")
    said = document(id_, item, str(quantity), origin=origin, to=to, **fields)
    movement = Movement(
        id=f"{id_}/m",
        document=id_,
        step=str(said.kind),
        happened_us=said.happened_us,
        postings=(
            Posting(item=item, location=origin, quantity=f"-{quantity}"),
            Posting(item=item, location=to, quantity=str(quantity)),
        ),
        is_physical=said.is_physical,
    )
    amount = (
        worth.take_out(Decimal(quantity))
        if out
        else worth.take_in(Decimal(quantity), cents(quantity * Decimal(price)))
    )
    stock = VoucherLine(account=STOCK, item=item, quantity=str(-quantity if out else quantity))
    other = VoucherLine(account=COST if out else OTHER, document_line=1)
    debit, credit = (other, stock) if out else (stock, other)
    voucher = Voucher(
        id=f"{id_}/v1",
        document=id_,
        movement=movement.id,
        rule="default/0/x",
        occasion=Occasion.POSTING,
        happened_us=said.happened_us,
        currency="CNY",
        lines=(
            msgspec.structs.replace(debit, debit=str(amount)),
            msgspec.structs.replace(credit, credit=str(amount)),
        ),
    )
    return Prepared(said, movement, (voucher,), (worth.valuation(item),))


def told(posted: list[Posted]) -> list[tuple[str, str | None]]:
    return [(one.outcome, one.problem) for one in posted]


def value_of(connection: Connection, item: str) -> tuple[Decimal, Decimal]:
    """Quantity and value by the stock accounts."""
    row = connection.execute(
        "select coalesce(sum(quantity), 0), coalesce(sum(debit - credit), 0)"
        " from ledger.voucher_lines where item = %s and account = %s",
        (item, STOCK),
    ).fetchone()
    assert row is not None
    return row


def test_a_receipt_and_a_shipment_leave_stock_and_its_value(
    books: Books, connection: Connection
) -> None:
    worth = Worth()
    prepared = [prepare(worth, "GR-1", 10), prepare(worth, "SH-1", 4, out=True)]
    posted = books.post_documents(prepared, books.bases(["bolt"]), NOW)
    assert told(posted) == [("entered", None), ("entered", None)]
    assert value_of(connection, "bolt") == (6, 15)
    row = connection.execute("select quantity, value from ledger.valuation_now('demo', 'bolt')")
    assert row.fetchone() == (6, 15)
    kinds = connection.execute(
        "select kind from ledger.entries where seq >= %s order by seq", (posted[0].seq,)
    ).fetchall()
    assert [kind for (kind,) in kinds] == ["document", "movement", "voucher"] * 2
    rows = connection.execute("select id, kind from ledger.documents order by seq").fetchall()
    assert rows == [("GR-1", "goods_receipt"), ("SH-1", "sales_shipment")]
    rows = connection.execute("select item, quantity from ledger.document_lines").fetchall()
    assert rows == [("bolt", 10), ("bolt", 4)]


def test_the_same_document_again_changes_nothing_and_another_under_its_id_is_refused(
    books: Books,
) -> None:
    worth = Worth()
    first = prepare(worth, "GR-1", 10)
    assert told(books.post_documents([first], {}, NOW)) == [("entered", None)]
    assert told(books.post_documents([first], {}, NOW)) == [("known", None)]
    bases = books.bases(["bolt"])
    other = prepare(worth, "GR-1", 11)
    problem = "; ".join(
        f"id {id_} stands for other content" for id_ in ("GR-1", "GR-1/m", "GR-1/v1")
    )
    assert told(books.post_documents([other], bases, NOW)) == [("refused", problem)]


def spoil(one: Prepared, **fields: Any) -> Prepared:
    """The first voucher's first line is another one, and so on."""
    (voucher,), (valuation,) = one.vouchers, one.valuations
    first, *others = voucher.lines
    if "line" in fields:
        first = msgspec.structs.replace(first, **fields["line"])
    if "other" in fields:
        others = [msgspec.structs.replace(others[0], **fields["other"])]
    said: dict[str, Any] = {"lines": (first, *others), **fields.get("voucher", {})}
    return Prepared(
        msgspec.structs.replace(one.document, **fields.get("document", {})),
        msgspec.structs.replace(one.movement, **fields.get("movement", {})),
        (msgspec.structs.replace(voucher, **said),),
        (msgspec.structs.replace(valuation, **fields.get("valuation", {})),),
    )


WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"line": {"debit": "7"}},
        "voucher D/v1 does not balance: its debits are 7, its credits 25.00",
    ),
    ({"line": {"credit": "1"}}, "voucher D/v1 line 1: it has both a debit and a credit"),
    ({"line": {"account": "9"}}, "voucher D/v1 line 1: account 9 is not in chart china"),
    ({"line": {"item": ""}}, "account 1405 holds the value of stock: the line must name its item"),
    ({"line": {"item": "water"}}, "line 1: item water is not valued: put its costing first"),
    (
        {"line": {"debit": "25.001"}, "other": {"credit": "25.001"}},
        "voucher D/v1 line 1: amounts in CNY have 2 decimals",
    ),
    (
        {"other": {"quantity": "1"}},
        "line 2: account 2202 does not hold the value of stock: the line must have no quantity",
    ),
    ({"line": {"quantity": "9"}}, "item bolt: 10 of it move, the lines on stock accounts say 9"),
    ({"valuation": {"quantity": "9"}}, "item bolt: 10 of it move, its valuation says 9"),
    (
        {"valuation": {"value": "24"}},
        "item bolt: the lines on stock accounts change its value by 25.00, its valuation by 24",
    ),
    ({"valuation": {"method": Method.FIFO}}, "it is valued by moving_average, not by fifo"),
    ({"voucher": {"currency": "USD"}}, "voucher D/v1 is in USD, the base currency is CNY"),
    ({"voucher": {"is_proposal": True}}, "voucher D/v1 must not be a proposal"),
    ({"voucher": {"reverses": "X/v1"}}, "voucher X/v1, which D/v1 takes back, is not known"),
    ({"voucher": {"lines": ()}}, "voucher D/v1 has no lines"),
    ({"voucher": {"document": "E"}}, "voucher D/v1 is not of this document and movement"),
    ({"movement": {"document": "E"}}, "its movement is not of this document, at its time"),
    ({"document": {"due_us": -1}}, "due_us is not a whole number from 0 to 2^53"),
    ({"document": {"rate": "1e3"}}, "rate is not an exact decimal as text"),
    ({"voucher": {"id": "D"}}, "id D stands for other content"),
    (
        {"document": {"kind": DocumentKind.ADJUSTMENT, "person": "x", "approved_by": "x"}},
        "an adjustment needs the approval of somebody else",
    ),
    (
        {"movement": {"postings": (Posting(item="bolt", location="A", quantity="10"),)}},
        "posting 1: 10 of item bolt is left over: lines must sum to zero",
    ),
]


@pytest.mark.parametrize(("fields", "says"), WRONG)
def test_a_wrong_document_is_refused_whole_and_harms_no_other(
    books: Books, connection: Connection, fields: dict[str, Any], says: str
) -> None:
    wrong = spoil(prepare(Worth(), "D", 10), **fields)
    apart = prepare(Worth(), "E", 10, item="nut")
    (one, other) = books.post_documents([wrong, apart], books.bases(ITEMS), NOW)
    assert one.outcome == "refused"
    assert says in str(one.problem)
    assert other.outcome == "entered"
    assert value_of(connection, "bolt") == (0, 0)
    assert books.now("bolt") == []
    rejects = connection.execute("select reason, raw from ledger.rejects").fetchall()
    assert [reason for reason, _ in rejects] == [one.problem]
    assert b'"id":"D"' in bytes(rejects[0][1])


def test_what_hangs_on_a_document_that_became_nothing_is_skipped(books: Books) -> None:
    worth, other = Worth(), Worth()
    wrong = spoil(prepare(worth, "GR-1", 10), line={"account": "9"})
    prepared = [
        wrong,
        prepare(worth, "SH-1", 4, out=True),
        prepare(other, "GR-2", 5, item="nut"),
        Prepared(document("PO-1", "water", "5", refers="SH-1"), None, (), ()),
    ]
    posted = books.post_documents(prepared, books.bases(ITEMS), NOW)
    assert [one.outcome for one in posted] == ["refused", "skipped", "entered", "skipped"]


def test_a_document_that_was_prepared_from_older_valuations_is_stale(
    books: Books, connection: Connection
) -> None:
    old = books.bases(["bolt"])
    worth, too_old = Worth(), Worth()
    first, late = prepare(worth, "GR-1", 10), prepare(too_old, "GR-2", 5)
    assert told(books.post_documents([first], old, NOW)) == [("entered", None)]
    assert told(books.post_documents([late], old, NOW)) == [("stale", None)]
    assert value_of(connection, "bolt") == (10, 25)
    anew = prepare(worth, "GR-2", 5)
    assert told(books.post_documents([anew], books.bases(["bolt"]), NOW)) == [("entered", None)]
    assert value_of(connection, "bolt") == (15, Decimal("37.5"))


def test_a_document_is_stale_where_another_refers_to_the_same_since(books: Books) -> None:
    def invoice(id_: str) -> Prepared:
        return Prepared(document(id_, "bolt", "5", refers="PO-1"), None, (), ())

    old = books.bases([])
    assert told(books.post_documents([invoice("PI-1")], old, NOW)) == [("entered", None)]
    assert told(books.post_documents([invoice("PI-2")], old, NOW)) == [("stale", None)]
    assert told(books.post_documents([invoice("PI-2")], books.bases([]), NOW)) == [
        ("entered", None)
    ]


def bare(item: str, mode: str = "m1") -> Movement:
    return Movement(
        id=mode,
        document="",
        step="x",
        happened_us=SECOND,
        postings=(
            Posting(item=item, location="supplier", quantity="-3"),
            Posting(item=item, location="A", quantity="3"),
        ),
    )


def test_a_bare_movement_does_not_change_stock_that_is_valued(books: Books) -> None:
    assert told(books.post([bare("water")], NOW)) == [("entered", None)]
    assert told(books.post([bare("bolt", "m2")], NOW)) == [
        ("refused", "item bolt is valued: post its document, not a bare movement")
    ]
    books.post_documents([prepare(Worth(), "GR-1", 10)], books.bases(["bolt"]), NOW)
    inside = Movement(
        id="m3",
        document="",
        step="x",
        happened_us=20 * SECOND,
        postings=(
            Posting(item="bolt", location="A", quantity="-3"),
            Posting(item="bolt", location="B", quantity="3"),
        ),
    )
    assert told(books.post([inside], NOW)) == [("entered", None)]


def test_where_the_erp_leads_bare_movements_count_and_vouchers_are_proposals(
    books: Books,
) -> None:
    led = BookSettings(mode=Mode.ERP_LED)
    assert books.put_data(BookDataKind.SETTINGS, "", led, 2)
    assert told(books.post([bare("bolt")], NOW)) == [("entered", None)]
    one = spoil(prepare(Worth(), "GR-1", 10), voucher={"is_proposal": True})
    assert told(books.post_documents([one], books.bases(["bolt"]), NOW)) == [("entered", None)]
    with pytest.raises(psycopg.errors.CheckViolation, match="the book has 13, its valuation 10"):
        books.put_data(BookDataKind.SETTINGS, "", BookSettings(), 3)


def test_the_table_takes_no_voucher_that_does_not_balance_and_none_in_two_goes(
    books: Books, connection: Connection
) -> None:
    books.post_documents([prepare(Worth(), "GR-1", 10)], books.bases(["bolt"]), NOW)
    insert = (
        "insert into ledger.voucher_lines select site, seq + {more}, line + {next}, account,"
        " debit, credit, item, quantity, tax, currency, currency_amount, party, document_line"
        " from ledger.voucher_lines where {where}"
    )
    with pytest.raises(psycopg.errors.CheckViolation, match="does not balance"):
        connection.execute(insert.format(more=9, next=0, where="line = 1"))
    with pytest.raises(psycopg.errors.CheckViolation, match="has its lines already"):
        connection.execute(insert.format(more=0, next=2, where="true"))


def test_writers_at_once_take_nothing_twice_and_lose_no_value(
    embedded: Fresh, books: Books, connection: Connection
) -> None:
    """32 writers want one of 20 each; what is stale is prepared again."""
    worth = Worth()
    books.post_documents([prepare(worth, "GR-1", 20, price="1.37")], books.bases(["bolt"]), NOW)
    outcomes: list[str] = []

    def take(number: int) -> None:
        with connect(embedded.postgres_url) as own:
            writer = Books(PostgresLedger(own, "demo"))
            outcome = "stale"
            while outcome == "stale":
                bases = writer.bases(["bolt"])
                row = own.execute(
                    "select quantity, value, price from ledger.valuation_now('demo', 'bolt')"
                ).fetchone()
                assert row is not None
                one = prepare(Worth(*row), f"SH-{number}", 1, out=True)
                outcome = writer.post_documents([one], bases, NOW)[0].outcome
            outcomes.append(outcome)

    writers = [threading.Thread(target=take, args=(number,)) for number in range(32)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert sorted(outcomes) == ["entered"] * 20 + ["refused"] * 12
    assert value_of(connection, "bolt") == (0, 0)
    row = connection.execute("select quantity, value from ledger.valuation_now('demo', 'bolt')")
    assert row.fetchone() == (0, 0)


@pytest.mark.usefixtures("books")
def test_documents_are_entered_by_their_function_alone(connection: Connection) -> None:
    forbidden = [
        "insert into ledger.vouchers select * from ledger.vouchers",
        "insert into ledger.valuations select * from ledger.valuations",
        "update ledger.documents set party = ''",
        "delete from ledger.voucher_lines",
        "truncate ledger.book_data",
        "select ledger.post_document_set('', 1, 0, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')",
        "select ledger.post_set('demo', 1, '{}')",
        "select ledger.enter_lines('demo', '{}', '{}', 1)",
    ]
    for role in ("ledger_appender", "ledger_reader", "ledger_sink", "ledger_worker"):
        for statement in forbidden:
            with connection.transaction(force_rollback=True):
                connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)
    with connection.transaction(force_rollback=True):
        connection.execute("set local role ledger_appender")
        own = Books(PostgresLedger(connection, "demo"))
        one = prepare(Worth(), "GR-1", 10)
        assert told(own.post_documents([one], own.bases(["bolt"]), NOW)) == [("entered", None)]


def test_what_is_known_or_stale_is_told_before_its_valuations_are_read(books: Books) -> None:
    """They may hold a thousand layers each, and whoever was slower must not keep others waiting."""
    first, second = (prepare(Worth(), name, 10) for name in ("GR-1", "GR-2"))
    books.post_documents([first], books.bases(["bolt"]), NOW)
    late = [spoil(one, valuation={"layers": 5}) for one in (first, second)]
    outcomes = [one.outcome for one in books.post_documents(late, {"bolt": 0}, NOW)]
    assert outcomes == ["known", "skipped"]
    assert told(books.post_documents(late[1:], {"bolt": 0}, NOW)) == [("stale", None)]
