"""Where stock came from, went and what it is made of, over real documents on a real PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from contracts.accounting import BillComponent, BillOfMaterials, BookDataKind
from contracts.books import BookItem, Tracking
from contracts.documents import Component, DocumentLine
from contracts.gs1_keys import ROOT
from ledger_sink.books import Books
from ledger_sink.postgres_ledger import PostgresLedger, connect
from ledger_sink.tracing import Relation, StockMove, Subject, made_of, movements_of, went_into
from tests.support.document_books import NOW_US, document, entered, line, set_up
from tests.support.servers import Fresh

PALLET = f"{ROOT}/00/106141412345678908"
SYRUP = BillOfMaterials(components=(BillComponent(item="drug", quantity=Decimal(2)),))


@pytest.fixture
def books(embedded: Fresh) -> Iterator[Books]:
    with connect(embedded.postgres_url) as connection:
        made = Books(PostgresLedger(connection, "demo"))
        set_up(made)
        for item in ("syrup", "pack"):
            made.put(BookItem(item=item, tracking=Tracking.BATCH), 1)
        made.put_data(BookDataKind.BILL_OF_MATERIALS, "syrup", SYRUP, 1)
        yield made


def told(relations: list[Relation]) -> list[tuple[int, str, str, str, str]]:
    """Depth, item, batch, document and party of each."""
    return [(one.depth, one.item, one.batch, one.document, one.party) for one in relations]


def made_on_two_levels(books: Books) -> None:
    """The supplier's drug became syrup, and syrup became packs, of which some were shipped."""
    syrup = Component(item="syrup", quantity=Decimal(4), batch="S1")
    entered(
        books,
        document("GR-1", "goods_receipt", _drug(20), party="ACME", person="anna"),
        document("MO-1", "production_order", line("syrup", 5), warehouse="W1"),
        document("GI-1", "goods_issue", _drug(10, price=None), refers="MO-1", day=2),
        document("PR-1", "production_receipt", _made("syrup", 5, "S1"), refers="MO-1", day=3),
        document("GI-2", "goods_issue", line("syrup", 4, batch="S1", location="A"), day=4),
        document("PR-2", "production_receipt", _made("pack", 2, "P1", components=(syrup,)), day=5),
        document(
            "SH-1",
            "sales_shipment",
            line("pack", 2, batch="P1", location="A", price="90"),
            party="CARE",
            person="ben",
            day=6,
        ),
        document(
            "CR-1",
            "customer_return",
            line("pack", 1, batch="P1", location="A", price="90"),
            party="CARE",
            refers="SH-1",
            day=7,
        ),
    )


def _drug(quantity: int, price: str | None = "3.00", batch: str = "late") -> DocumentLine:
    priced = {} if price is None else {"price": price}
    return line("drug", quantity, location="A", batch=batch, **priced)


def _made(item: str, quantity: int, batch: str, **fields: Any) -> DocumentLine:
    return line(item, quantity, location="A", batch=batch, **fields)


def test_a_shipped_pack_leads_back_to_the_suppliers_batch(books: Books) -> None:
    """The syrup's receipt says no batch of drug: that is of the issue for the same order."""
    made_on_two_levels(books)
    back = made_of(books.ledger, Subject("pack", "P1"))
    assert told(back) == [
        (0, "pack", "P1", "PR-2", ""),
        (1, "syrup", "S1", "PR-1", ""),
        (2, "drug", "late", "GR-1", "ACME"),
    ]
    assert [(one.used, one.quantity) for one in back] == [(None, 2), (4, 5), (10, 20)]


def test_a_suppliers_batch_leads_on_to_the_customers(books: Books) -> None:
    made_on_two_levels(books)
    assert told(went_into(books.ledger, Subject("drug", "late"))) == [
        (0, "drug", "late", "GI-1", ""),
        (1, "syrup", "S1", "PR-1", ""),
        (1, "syrup", "S1", "GI-2", ""),
        (2, "pack", "P1", "PR-2", ""),
        (2, "pack", "P1", "SH-1", "CARE"),
        (2, "pack", "P1", "CR-1", "CARE"),
    ]


def test_each_movement_says_who_when_where_and_by_which_document(books: Books) -> None:
    made_on_two_levels(books)
    came, went, back = movements_of(books.ledger, Subject("pack", "P1"))
    assert _said(came) == ("production_receipt", "PR-2", "", "", ("production",), ("A",))
    ((ben,),) = books.ledger.connection.execute(
        "select pseudonym from ledger.persons where person = 'ben'"
    )
    assert _said(went) == ("sales_shipment", "SH-1", "CARE", ben, ("A",), ("customer",))
    assert _said(back) == ("customer_return", "CR-1", "CARE", "", ("customer",), ("A",))
    assert came.happened_us < went.happened_us < back.happened_us < went.recorded_us == NOW_US
    assert (came.quantity, went.quantity, back.quantity) == (2, 2, 1)


def _said(move: StockMove) -> tuple[str, str, str, str, tuple[str, ...], tuple[str, ...]]:
    who = (move.party, move.person)
    return (move.step, move.document, *who, move.from_locations, move.to_locations)


def test_what_was_taken_back_is_in_nothing(books: Books) -> None:
    """The production that never was, and the issue and the shipment that were mistakes."""
    made_on_two_levels(books)
    entered(
        books,
        document("RV-CR", "reversal", refers="CR-1", day=8),
        document("RV-SH", "reversal", refers="SH-1", day=8),
        document("RV-PR", "reversal", refers="PR-2", day=9),
    )
    assert told(went_into(books.ledger, Subject("drug", "late"))) == [
        (0, "drug", "late", "GI-1", ""),
        (1, "syrup", "S1", "PR-1", ""),
        (1, "syrup", "S1", "GI-2", ""),
    ]
    assert told(made_of(books.ledger, Subject("pack", "P1"))) == [(0, "pack", "P1", "", "")]
    moves = movements_of(books.ledger, Subject("pack", "P1"))
    assert [one.reverses for one in moves] == ["", "", "", "CR-1/m", "SH-1/m", "PR-2/m"]


def test_a_batch_that_is_made_of_itself_is_told_once(books: Books) -> None:
    """What is worked over keeps its batch; two batches may also be mixed into each other."""
    entered(books, document("GR-1", "goods_receipt", _drug(20), party="ACME"))
    for number, (batch, part) in enumerate([("late", "late"), ("soon", "late"), ("late", "soon")]):
        used = Component(item="drug", quantity=Decimal(1), batch=part)
        made = _made("drug", 1, batch, components=(used,))
        entered(
            books,
            document(f"GI-{number}", "goods_issue", _drug(1, None, part), day=2 + number),
            document(f"PR-{number}", "production_receipt", made, day=2.5 + number),
        )
    back = made_of(books.ledger, Subject("drug", "late"))
    assert {(one.depth, one.batch) for one in back} == {(0, "late"), (1, "soon")}
    forward = went_into(books.ledger, Subject("drug", "soon"))
    assert {(one.depth, one.batch) for one in forward} == {(0, "soon"), (1, "late")}
    documents = [(one.batch, one.document) for one in back]
    assert len(set(documents)) == len(documents)


def test_batches_that_were_all_mixed_into_each_other_are_looked_up_once_each(books: Books) -> None:
    """Twelve of them, each made of all others: there are millions of ways from one to another."""
    names = [f"B{number:02}" for number in range(12)]
    made = [
        document(
            f"PR-{name}",
            "production_receipt",
            _made(
                *("syrup", 11, name),
                components=tuple(
                    Component(item="syrup", quantity=Decimal(1), batch=other)
                    for other in names
                    if other != name
                ),
            ),
        )
        for name in names
    ]
    entered(books, *made)
    began_s = time.monotonic()
    back = made_of(books.ledger, Subject("syrup", "B05"))
    forward = went_into(books.ledger, Subject("syrup", "B05"))
    assert time.monotonic() - began_s < 20
    assert [one.depth for one in back] == [0, *[1] * 11]
    assert {one.used for one in back} == {11}
    assert [one.depth for one in forward] == [0, *[1] * 11]


def test_pieces_are_followed_through_the_order_that_they_were_issued_for(books: Books) -> None:
    """Of two orders each used its own pumps; what they made has numbers, too."""
    made = BillOfMaterials(components=(BillComponent(item="pump", quantity=Decimal(1)),))
    books.put_data(BookDataKind.BILL_OF_MATERIALS, "valve", made, 1)
    pumps = line("pump", 2, price="500", location="A", serials=("s1", "s2"))
    entered(books, document("GR-1", "goods_receipt", pumps, party="ACME"))
    for number, serial in enumerate(("s1", "s2"), start=1):
        order, valve = f"MO-{number}", {"batch": "V", "serials": (f"v{number}",), "location": "A"}
        entered(
            books,
            document(order, "production_order", line("valve", 1), warehouse="W1"),
            document(
                f"GI-{number}",
                "goods_issue",
                line("pump", 1, location="A", serials=(serial,)),
                refers=order,
                day=2,
            ),
            document(
                f"PR-{number}", "production_receipt", line("valve", 1, **valve), refers=order, day=3
            ),
            document(
                f"SH-{number}",
                "sales_shipment",
                line("valve", 1, price="900", **valve),
                party=f"C{number}",
                day=4,
            ),
        )
    assert told(went_into(books.ledger, Subject("pump", serial="s2"))) == [
        (0, "pump", "", "GI-2", ""),
        (1, "valve", "V", "PR-2", ""),
        (1, "valve", "V", "SH-2", "C2"),
    ]
    back = made_of(books.ledger, Subject("valve", "V", "v1"))
    assert told(back) == [(0, "valve", "V", "PR-1", ""), (1, "pump", "", "GR-1", "ACME")]
    assert back[1].quantity == 1


def test_a_part_that_nobody_numbered_is_named_and_the_trace_ends_there(books: Books) -> None:
    entered(
        books,
        document("OP-1", "opening", line("bolt", 100, price="2", location="A"), day=0),
        document("GI-1", "goods_issue", line("bolt", 8, location="A")),
        document("PR-1", "production_receipt", line("kit", 2, location="A"), day=2),
    )
    assert told(went_into(books.ledger, Subject("bolt"))) == [(0, "bolt", "", "", "")]
    assert told(made_of(books.ledger, Subject("kit"))) == [(0, "kit", "", "", "")]
    used = Component(item="bolt", quantity=Decimal(3))
    made = _made("syrup", 1, "S9", components=(used,))
    entered(books, document("PR-2", "production_receipt", made, day=3))
    assert told(made_of(books.ledger, Subject("syrup", "S9"))) == [
        (0, "syrup", "S9", "PR-2", ""),
        (1, "bolt", "", "", ""),
    ]


def test_the_container_that_it_moved_in_is_told(books: Books) -> None:
    received = line("bolt", 8, price="2", location="A", container=PALLET)
    carried = line("bolt", 8, location="A", to_location="B", container=PALLET)
    entered(
        books,
        document("GR-1", "goods_receipt", received, party="ACME"),
        document("RL-1", "relocation", carried, day=2),
    )
    moves = movements_of(books.ledger, Subject("bolt"))
    assert [(one.document, one.containers) for one in moves] == [
        ("GR-1", (PALLET,)),
        ("RL-1", (PALLET,)),
    ]


def test_many_pieces_are_one_movement_and_one_document(books: Books) -> None:
    serials = tuple(f"n{number:04}" for number in range(400))
    pumps = line("pump", 400, price="5", location="A", serials=serials)
    entered(books, document("OP-1", "opening", pumps, day=0))
    (move,) = movements_of(books.ledger, Subject("pump"))
    assert (move.pieces, move.quantity) == (400, 400)
    (source,) = made_of(books.ledger, Subject("pump", serial="n0399"))
    assert (source.document, source.quantity) == ("OP-1", 1)
