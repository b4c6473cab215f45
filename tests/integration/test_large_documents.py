"""Documents with thousands of serial numbers on a real PostgreSQL: all that moves them, in time.

Each takes a few seconds where a piece costs the same in a large document as in a small one, and
minutes where it does not.
"""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from contracts.accounting import BookDataKind, ItemCard
from contracts.books import POSTINGS_MAX
from contracts.commissioning import Commissioned
from contracts.documents import SERIALS_MAX
from contracts.epcis.checking import check_document
from contracts.epcis.documents import encoded
from contracts.gs1_keys import ROOT
from contracts.labels import Packing
from ledger_sink.books import Books
from ledger_sink.commissioning import Commissioning
from ledger_sink.epcis import Slice, export
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.verify_books import verify_books
from tests.integration.test_ledger_epcis import CREATED, JUDGE
from tests.support.document_books import (
    check_all,
    document,
    entered,
    line,
    post,
    problem,
    set_up,
    stock,
)
from tests.support.servers import Fresh

Connection = psycopg.Connection[Any]
GTIN = "06901234567892"


@pytest.fixture
def books(connection: Connection) -> Books:
    made = Books(PostgresLedger(connection, "demo"))
    set_up(made)
    made.put_data(BookDataKind.ITEM_CARD, "pump", ItemCard(gtin=GTIN), 5)
    return made


def pieces(count: int, prefix: str = "SN") -> tuple[str, ...]:
    """Serial numbers."""
    return tuple(f"{prefix}{number:08d}" for number in range(count))


def test_a_line_of_as_many_serials_as_may_be_comes_in_goes_out_and_is_taken_back(
    embedded: Fresh, books: Books
) -> None:
    all_of_them = pieces(SERIALS_MAX)
    coming = line("pump", SERIALS_MAX, price="500", location="A", serials=all_of_them)
    entered(books, document("GR", "goods_receipt", coming))
    assert stock(books, "pump") == SERIALS_MAX
    assert post(books, document("GR", "goods_receipt", coming))[0].outcome == "known"
    going = line("pump", SERIALS_MAX, price="900", location="A", serials=all_of_them)
    entered(books, document("SH", "sales_shipment", going))
    assert stock(books, "pump") == 0
    entered(books, document("R", "reversal", refers="SH", day=2))
    assert stock(books, "pump", location="A") == SERIALS_MAX
    check_all(books)
    report = verify_books(embedded.postgres_url, "demo")
    assert (report.movements, report.findings) == (3, ())


def test_what_a_large_document_moves_is_told_in_events_that_are_valid(books: Books) -> None:
    coming = line("pump", SERIALS_MAX, price="500", location="A", serials=pieces(SERIALS_MAX))
    entered(books, document("GR", "goods_receipt", coming, party="ACME"))
    found = export(books.ledger, Slice(), created=CREATED)
    assert (found.events, found.untold) == (1, ())
    assert [error.message for error in JUDGE.iter_errors(found.document)] == []
    assert check_document(found.document) == []
    assert encoded(found.document).count(f"{ROOT}/01/{GTIN}/21/SN".encode()) == SERIALS_MAX


def test_thousands_of_pieces_are_promised_transferred_and_set_free(
    embedded: Fresh, books: Books
) -> None:
    count = 3_000
    all_of_them = pieces(count)
    coming = line("pump", count, price="500", location="A", serials=all_of_them)
    entered(books, document("GR", "goods_receipt", coming))
    wanted = line("pump", count, price="900")
    entered(books, document("SO", "sales_order", wanted, warehouse="W1", approved_by="boss"))
    assert stock(books, "pump", reservation="allocated") == count
    away = line("pump", count, location="A", serials=all_of_them)
    out = document("TO", "transfer_out", away, to_warehouse="W2", day=2)
    told = "serial SN00000000 of item pump is allocated to SO; "
    assert told in problem(books, out)
    assert problem(books, out).endswith(f"; and {count - 5} more")
    entered(books, document("OC", "order_closed", refers="SO", day=2), out)
    there = line("pump", count, to_location="C", serials=all_of_them)
    entered(books, document("TI", "transfer_in", there, refers="TO", day=3))
    assert stock(books, "pump", location="C") == count
    entered(books, document("R-TI", "reversal", refers="TI", day=4))
    entered(books, document("R-TO", "reversal", refers="TO", day=4))
    assert stock(books, "pump", location="A", reservation="none") == count
    check_all(books)
    assert verify_books(embedded.postgres_url, "demo").findings == ()


def commissioned(books: Books, units: int, in_a_case: int) -> tuple[str, list[str]]:
    """A pallet of cases of pumps, as they are born; the cases."""
    pallet = f"{ROOT}/00/069012345000000013"
    cases = [f"{ROOT}/00/{number:018d}" for number in range(units // in_a_case)]

    def born(identity: str, packing: Packing, quantity: int, parent: str | None) -> Commissioned:
        return Commissioned(
            identity=identity,
            packing=packing,
            item=GTIN,
            quantity=quantity,
            epc=identity.encode().hex(),
            parent=parent,
            at_us=5,
        )

    births = [born(pallet, Packing.PALLET, units, None)]
    births += [born(case, Packing.CASE, in_a_case, pallet) for case in cases]
    births += [
        born(f"{ROOT}/01/{GTIN}/21/{serial}", Packing.UNIT, 1, cases[number // in_a_case])
        for number, serial in enumerate(pieces(units))
    ]
    assert Commissioning(books.ledger).enter(births, 5) == len(births)
    return pallet, cases


def test_a_pallet_with_thousands_of_pieces_is_received_carried_taken_apart_and_picked(
    embedded: Fresh, books: Books, connection: Connection
) -> None:
    count = 3_000
    pallet, cases = commissioned(books, count, in_a_case=20)
    read = pieces(count)[: count // 2]
    coming = line("pump", count, price="500", location="A", container=pallet, serials=read)
    entered(books, document("GR", "goods_receipt", coming))
    inferred = connection.execute(
        "select count(*) from ledger.postings where location = 'A' and is_inferred"
    ).fetchone()
    assert inferred == (count - len(read),)
    carried = line("pump", count, location="A", to_location="B", container=pallet)
    entered(books, document("RL", "relocation", carried))
    apart = line("pump", count, location="B", container=pallet)
    entered(books, document("UP", "unpacking", apart, day=2))
    each = [line("pump", 20, location="B", to_location="A", container=case) for case in cases]
    entered(books, document("RC", "relocation", *each, day=3))
    entered(books, document("R-RC", "reversal", refers="RC", day=3))
    picked = line("pump", count, price="900", location="B", serials=pieces(count))
    entered(books, document("SH", "sales_shipment", picked, day=4))
    assert stock(books, "pump") == 0
    check_all(books)
    assert verify_books(embedded.postgres_url, "demo").findings == ()


def test_pieces_that_are_somewhere_else_are_named_and_what_was_seen_goes_out_all_the_same(
    embedded: Fresh, books: Books, connection: Connection
) -> None:
    count = 3_000
    coming = line("pump", count, price="500", location="A", serials=pieces(count))
    entered(books, document("GR", "goods_receipt", coming))
    strange = line("pump", count, price="900", location="A", serials=pieces(count, "X"))
    told = problem(books, document("SH", "sales_shipment", strange))
    assert told.startswith("line 1: serial X00000000 of item pump is not in the book; serial X")
    assert told.endswith(f"; and {count - 5} more")
    entered(books, document("SH", "sales_shipment", strange, is_physical=True))
    rows = connection.execute("select problem, quantity from ledger.discrepancies").fetchall()
    assert rows == [("negative_book", count)]
    late = line("pump", count, price="900", location="A", serials=pieces(count))
    entered(books, document("SL", "sales_shipment", late, day=0.5))
    assert verify_books(embedded.postgres_url, "demo").findings == ()


def test_more_than_a_movement_may_have_is_refused_in_words(books: Books) -> None:
    lines = [
        line("pump", 6_251, price="500", location="A", serials=pieces(6_251, prefix))
        for prefix in ("SA", "SB")
    ]
    assert problem(books, document("GR", "goods_receipt", *lines)) == (
        f"it moves {POSTINGS_MAX + 4:,} lines, more than {POSTINGS_MAX:,}: split it"
    )
