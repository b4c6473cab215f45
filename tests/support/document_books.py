"""A small company for tests of documents: its books, and documents that are right by default."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from contracts.accounting import (
    BatchCard,
    BillComponent,
    BillOfMaterials,
    BookDataKind,
    BookSettings,
    Costing,
    Party,
    TaxCode,
    Unit,
    Units,
)
from contracts.books import BookItem, BookPlace, Negative, PlaceKind, Tracking
from contracts.documents import Document, DocumentKind, DocumentLine
from contracts.vouchers import Method
from ledger_sink.books import Books
from ledger_sink.defaults import default_chart, default_rules
from ledger_sink.posting import DocumentPosting, PostedDocument

DAY_US = 86_400_000_000
START = datetime(2026, 9, 1, 8, tzinfo=UTC)
NOW_US = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp()) * 1_000_000
PLACES = {
    "A": (PlaceKind.ZONE, "W1"),
    "B": (PlaceKind.BIN, "W1"),
    "C": (PlaceKind.ZONE, "W2"),
    **{str(kind): (kind, "") for kind in PlaceKind if kind not in {PlaceKind.ZONE, PlaceKind.BIN}},
}
ITEMS = {
    "bolt": BookItem(item="bolt"),
    "oil": BookItem(item="oil", base_unit="litre", decimals=3),
    "drug": BookItem(item="drug", tracking=Tracking.BATCH),
    "pump": BookItem(item="pump", tracking=Tracking.SERIAL),
    "valve": BookItem(item="valve", tracking=Tracking.BATCH_SERIAL),
    "sand": BookItem(item="sand", negative=Negative.ALARM),
    "kit": BookItem(item="kit"),
}
UNITS = {
    "bolt": Units(
        units=(Unit(unit="case", contains=Decimal(12)), Unit(unit="pallet", contains=40, of="case"))
    ),
    "kit": Units(units=(Unit(unit="half", contains=Decimal("2.5")),)),
}
BATCHES = {
    "drug/late": BatchCard(expires_on=date(2027, 6, 30)),
    "drug/soon": BatchCard(expires_on=date(2026, 12, 31)),
    "drug/old": BatchCard(expires_on=date(2026, 8, 31)),
}
BILL = BillOfMaterials(
    components=(BillComponent(item="bolt", quantity=Decimal(4)),), conversion_cost=Decimal("1.5")
)


def line(item: str, quantity: str | int, **fields: Any) -> DocumentLine:
    """One line of a document."""
    return DocumentLine(item=item, quantity=Decimal(quantity), **fields)


def document(
    id_: str, kind: DocumentKind | str, *lines: DocumentLine, day: float = 1, **fields: Any
) -> Document:
    """A document some days after the start."""
    happened = START + timedelta(days=day)
    return Document(id=id_, kind=DocumentKind(kind), happened_at=happened, lines=lines, **fields)


def set_up(books: Books, method: Method = Method.MOVING_AVERAGE) -> None:
    """The company's items, places and all that the books know of them."""
    for location, (kind, warehouse) in PLACES.items():
        books.put(BookPlace(location=location, kind=kind, warehouse=warehouse), 1)
    for item in ITEMS.values():
        books.put(item, 1)
    kinds = BookDataKind
    books.put_data(kinds.SETTINGS, "", BookSettings(), 1)
    books.put_data(kinds.CHART, "china", default_chart("china"), 1)
    books.put_data(kinds.RULES, "default", default_rules(), 1)
    books.put_data(kinds.TAX, "VAT13", TaxCode(rate=Decimal("0.13")), 1)
    books.put_data(kinds.PARTY, "workshop", Party(is_department=True), 1)
    books.put_data(kinds.BILL_OF_MATERIALS, "kit", BILL, 1)
    for item in ITEMS:
        if item != "sand":
            books.put_data(kinds.COSTING, item, Costing(method=method), 1)
    for item, units in UNITS.items():
        books.put_data(kinds.UNITS, item, units, 1)
    for key, card in BATCHES.items():
        books.put_data(kinds.BATCH, key, card, 1)


def post(books: Books, *documents: Document, at_us: int = NOW_US) -> list[PostedDocument]:
    return DocumentPosting(books).post(documents, at_us)


def entered(books: Books, *documents: Document, at_us: int = NOW_US) -> None:
    posted = post(books, *documents, at_us=at_us)
    assert [(one.id, one.outcome, one.problem) for one in posted] == [
        (one.id, "entered", None) for one in documents
    ]


def problem(books: Books, wrong: Document, at_us: int = NOW_US) -> str:
    ((_, outcome, _, why),) = post(books, wrong, at_us=at_us)
    assert outcome == "refused"
    return str(why)


def stock(books: Books, item: str, **dimensions: str) -> Decimal:
    """How much of an item the book has, of these dimensions, in the house."""
    real = dimensions.pop("real", "A B C").split()
    return sum(
        (
            one.quantity
            for one in books.now(item)
            if one.key.location in real
            and all(getattr(one.key, name) == value for name, value in dimensions.items())
        ),
        Decimal(0),
    )


def check_all(books: Books) -> None:
    """Value by item is what the stock accounts say; contents and allocations fit the postings."""
    rows = books.ledger.connection.execute(
        """
        select a.item, a.value, a.quantity, coalesce(v.value, 0), coalesce(v.quantity, 0),
            ledger.valued_quantity(%(site)s, a.item)
        from (
            select l.item, sum(l.debit - l.credit) as value, sum(l.quantity) as quantity
            from ledger.voucher_lines l
            join ledger.accounts_of(ledger.data_now(%(site)s, 'chart', 'china')) c
                on c.account = l.account and c.is_stock
            where l.site = %(site)s group by l.item
        ) a left join lateral ledger.valuation_now(%(site)s, a.item) v on true
        """,
        {"site": books.ledger.site},
    ).fetchall()
    for item, value, quantity, kept_value, kept_quantity, moved in rows:
        assert (item, value, quantity, moved) == (item, kept_value, kept_quantity, kept_quantity)
    assert DocumentPosting(books).verify() == []


def opening(id_: str = "OP-1") -> Document:
    return document(
        id_,
        "opening",
        line("bolt", 2, unit="case", price="24.00", location="A"),
        line("drug", 10, price="3.10", location="A", batch="late"),
        line("drug", 10, price="3.00", location="A", batch="soon"),
        line("drug", 10, price="1.00", location="A", batch="old"),
        line("pump", 3, price="500", location="B", serials=("s1", "s2", "s3")),
        line("oil", "12.5", price="8", location="A"),
        day=0,
    )


def allocating(id_: str, quantity: int, **fields: Any) -> Document:
    return document(
        *(id_, "sales_order", line("bolt", quantity)),
        **{"warehouse": "W1", "approved_by": "boss", **fields},
    )
