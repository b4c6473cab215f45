"""Documents in the books on a real PostgreSQL: every kind, refusals in words, both ways of costing.

Stock is worth what the stock accounts say after each step, and contents and allocations are what
the postings say.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from contracts.accounting import BookDataKind, BookSettings, ItemCard, Mode, ShipmentPolicy
from contracts.books import PeriodClosed
from contracts.commissioning import Commissioned
from contracts.documents import Document
from contracts.gs1_keys import ROOT
from contracts.labels import Packing
from contracts.vouchers import Method
from ledger_sink import posting
from ledger_sink.books import Books
from ledger_sink.commissioning import Commissioning
from ledger_sink.core.posting.plan import Planned, plan
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.posting import DocumentPosting
from ledger_sink.verify_books import verify_books
from tests.support.document_books import (
    DAY_US,
    NOW_US,
    START,
    allocating,
    check_all,
    document,
    entered,
    line,
    opening,
    post,
    problem,
    set_up,
    stock,
)
from tests.support.servers import Fresh
from tests.unit.ledger_sink.posting.test_plan_properties import DOCUMENT, written
from tests.unit.ledger_sink.posting.worlds import a_world

Connection = psycopg.Connection[Any]


@pytest.fixture(params=list(Method))
def books(connection: Connection, request: pytest.FixtureRequest) -> Books:
    made = Books(PostgresLedger(connection, "demo"))
    set_up(made, request.param)
    return made


@pytest.fixture
def average(connection: Connection) -> Books:
    made = Books(PostgresLedger(connection, "demo"))
    set_up(made)
    return made


def test_opening_stock_is_entered_in_base_units(books: Books) -> None:
    entered(books, opening())
    assert stock(books, "bolt") == 24
    assert stock(books, "pump", location="B") == 3
    check_all(books)


BEFORE = [
    document("PO-1", "purchase_order", line("bolt", 100, price="2", tax="VAT13"), party="ACME"),
    document(
        "SO-1",
        "sales_order",
        line("bolt", 10, price="9"),
        warehouse="W1",
        party="C1",
        approved_by="boss",
    ),
    document("GR-1", "goods_receipt", line("bolt", 60, location="A"), refers="PO-1", day=2),
    document(
        "SH-1",
        "sales_shipment",
        line("bolt", 5, price="9", tax="VAT13", location="A"),
        day=3,
        party="C1",
    ),
    document("TO-1", "transfer_out", line("bolt", 6, location="A"), day=3, to_warehouse="W2"),
    document("GI-1", "goods_issue", line("bolt", 8, location="A"), day=3),
]
EVERY_KIND = [
    document("D", "opening", line("bolt", 1, price="2.50", location="A")),
    document("D", "goods_receipt", line("bolt", 1, unit="case", price="25", location="B"), day=4),
    document("D", "purchase_invoice", line("bolt", 60, price="2.10"), refers="GR-1", day=4),
    document("D", "sales_shipment", line("bolt", 7, price="9", tax="VAT13"), warehouse="W1", day=4),
    document("D", "goods_issue", line("bolt", 3, location="A"), party="workshop", day=4),
    document("D", "production_receipt", line("kit", 2, location="A"), day=4),
    document("D", "transfer_out", line("bolt", 2, location="A"), day=4, to_warehouse="W2"),
    document("D", "transfer_in", line("bolt", 4, to_location="C"), refers="TO-1", day=4),
    document("D", "relocation", line("bolt", 5, location="A", to_location="B"), day=4),
    document("D", "state_change", line("bolt", 5, location="A", to_disposition="frozen"), day=4),
    document("D", "customer_return", line("bolt", 2, location="A"), refers="SH-1", day=4),
    document("D", "supplier_return", line("bolt", 3, location="A"), refers="GR-1", day=4),
    document("D", "scrap", line("bolt", 1, location="A"), day=4),
    document("D", "adjustment", line("bolt", -2, location="A"), line("oil", "0.125", location="A"),
             approved_by="boss", person="clerk", case="V-1", day=4),
    document("D", "revaluation", line("bolt", 1, price="3"), day=4),
    document("D", "purchase_order", line("bolt", 5, price="2"), day=4),
    document("D", "shipping_notice", line("bolt", 40), refers="PO-1", day=4),
    document("D", "production_order", line("kit", 40), day=4),
    document("D", "sales_order", line("bolt", 4), approved_by="boss", warehouse="W1", day=4),
    document("D", "transfer_order", line("bolt", 4), warehouse="W1", to_warehouse="W2", day=4),
    document("D", "order_closed", refers="SO-1", day=4),
]  # fmt: skip


@pytest.mark.parametrize("one", EVERY_KIND, ids=lambda one: str(one.kind))
def test_every_kind_is_posted_and_taken_back(books: Books, one: Document) -> None:
    entered(books, opening(), *BEFORE)
    before = {item: books.now(item) for item in ("bolt", "kit", "oil")}
    check_all(books)
    entered(books, one)
    check_all(books)
    entered(books, document("R", "reversal", refers="D", day=5))
    check_all(books)
    assert {item: books.now(item) for item in before} == before
    assert post(books, one)[0].outcome == "known"
    text = problem(books, document("R2", "reversal", refers="D", day=5))
    assert text == "document D was taken back by R"


def test_a_batch_of_documents_sees_what_comes_before(books: Books) -> None:
    entered(
        books,
        document("GR-1", "goods_receipt", line("bolt", 10, price="2", location="A")),
        document("RL-1", "relocation", line("bolt", 10, location="A", to_location="B")),
        document("SH-1", "sales_shipment", line("bolt", 10, price="5"), warehouse="W1"),
    )
    assert stock(books, "bolt") == 0
    check_all(books)


def test_what_hangs_on_a_refused_document_is_planned_again_and_the_rest_goes_in(
    books: Books,
) -> None:
    posted = post(
        books,
        document("GR-1", "goods_receipt", line("bolt", 10, price="2", location="A")),
        document("SH-1", "sales_shipment", line("bolt", 11, price="5", location="A")),
        document("SH-2", "sales_shipment", line("bolt", 10, price="5", location="A")),
        document("GR-2", "goods_receipt", line("oil", "1.5", price="2", location="A")),
        document("GR-2", "goods_receipt", line("oil", "1.5", price="2", location="A")),
        document("GR-2", "goods_receipt", line("oil", "2.5", price="2", location="A")),
    )
    assert [one.outcome for one in posted] == [
        *("entered", "refused", "entered", "entered", "known", "refused")
    ]
    assert posted[1].problem == (
        "line 1: 10 each of item bolt are free at A, 11 asked for: 1 are missing"
    )
    assert posted[5].problem == "number GR-2 stands for another document: give it a new one"
    assert posted[4].seq == posted[3].seq
    rows = books.ledger.connection.execute("select reason from ledger.rejects").fetchall()
    assert {row[0] for row in rows} == {posted[1].problem, posted[5].problem}
    check_all(books)


def test_a_late_document_is_entered_with_both_times_and_a_closed_period_takes_none(
    books: Books,
) -> None:
    entered(books, opening(), at_us=NOW_US - 10 * DAY_US)
    ship = document("SH-1", "sales_shipment", line("bolt", 20, price="9", location="A"), day=20)
    late = document("GR-L", "goods_receipt", line("bolt", 4, price="8", location="A"), day=2)
    entered(books, ship, late)
    check_all(books)
    rows = books.ledger.connection.execute(
        "select happened_us, recorded_us from ledger.documents where id = 'GR-L'"
    ).fetchall()
    assert rows == [(int(late.happened_at.timestamp()) * 1_000_000, NOW_US)]
    books.put(PeriodClosed(before_us=NOW_US - DAY_US), NOW_US)
    again = late.model_copy(update={"id": "GR-M"})
    text = "the period before 2026-10-31 00:00:00 UTC is closed"
    assert problem(books, again) == text
    assert problem(books, document("R", "reversal", refers="GR-L", day=3)) == text
    assert post(books, late)[0].outcome == "known"


def test_a_late_document_neither_undoes_a_count_nor_is_kept_out_by_it(books: Books) -> None:
    """It is added to what was counted, once, and the books of that day stay what they were."""
    counted_us = NOW_US - 5 * DAY_US
    entered(books, opening(), at_us=NOW_US - 10 * DAY_US)
    loss = line("bolt", -4, location="A")
    signed = {"person": "clerk", "approved_by": "boss"}
    entered(books, document("AD-1", "adjustment", loss, day=20, **signed), at_us=counted_us)
    ask = "select seq, payload from ledger.entries where site = 'demo' order by seq"
    entries = books.ledger.connection.execute(ask).fetchall()
    then = books.recorded("bolt", counted_us)
    entered(books, document("GR-L", "goods_receipt", line("bolt", 6, price="9", location="A")))
    assert stock(books, "bolt") == 24 - 4 + 6
    check_all(books)
    entered(books, document("R-L", "reversal", refers="GR-L", day=30))
    assert stock(books, "bolt") == 24 - 4
    assert books.recorded("bolt", counted_us) == then
    assert books.ledger.connection.execute(ask).fetchall()[: len(entries)] == entries
    check_all(books)


def test_a_known_document_stays_known_when_the_world_has_moved_on(books: Books) -> None:
    entered(books, opening())
    ship = document("SH-1", "sales_shipment", line("drug", 10, price="9"), warehouse="W1")
    entered(books, ship)
    entered(books, document("SH-2", "sales_shipment", line("drug", 10, price="9"), warehouse="W1"))
    first = post(books, ship)[0]
    assert (first.outcome, first.problem) == ("known", None)


def test_goods_that_are_not_ours_have_no_value(books: Books) -> None:
    entered(books, opening())
    theirs = line("bolt", 50, location="A", owner="ACME")
    entered(books, document("GR-1", "goods_receipt", theirs, party="ACME"))
    entered(books, document("SH-1", "sales_shipment", line("bolt", 24, price="9", location="A")))
    assert "50 of owner ACME" in problem(
        books, document("SH-2", "sales_shipment", line("bolt", 1, price="9", location="A"))
    )
    assert (stock(books, "bolt", owner=""), stock(books, "bolt", owner="ACME")) == (0, 50)
    back = line("bolt", 50, location="A", owner="ACME")
    entered(books, document("SR-1", "supplier_return", back, refers="GR-1"))
    check_all(books)


def commissioned(books: Books) -> tuple[str, list[str]]:
    """A pallet of two cases of two pumps each, as they are born; the cases."""
    units = [
        Commissioned(
            identity=f"{ROOT}/01/06901234567892/21/s{10 + number}",
            packing=Packing.UNIT,
            item="06901234567892",
            quantity=1,
            epc=f"30{number:02x}",
            parent=f"{ROOT}/00/{CASES[number // 2]}",
            at_us=5,
        )
        for number in range(4)
    ]
    pallet = f"{ROOT}/00/{PALLET}"
    carriers = [
        Commissioned(
            identity=identity,
            packing=packing,
            item="06901234567892",
            quantity=quantity,
            epc="31",
            parent=parent,
            at_us=5,
        )
        for identity, packing, quantity, parent in (
            (pallet, Packing.PALLET, 4, None),
            *((f"{ROOT}/00/{case}", Packing.CASE, 2, pallet) for case in CASES),
        )
    ]
    assert Commissioning(books.ledger).enter([*carriers, *units], 5) == 7
    books.put_data(BookDataKind.ITEM_CARD, "pump", ItemCard(gtin="06901234567892"), 5)
    return pallet, [f"{ROOT}/00/{case}" for case in CASES]


PALLET, CASES = "069012345000000013", ("069012345000000020", "069012345000000037")


def test_a_commissioned_pallet_is_received_moved_and_taken_apart(books: Books) -> None:
    pallet, cases = commissioned(books)
    pumps = line("pump", 4, price="500", location="A", container=pallet, serials=("s10",))
    entered(books, document("GR-1", "goods_receipt", pumps))
    rows = books.ledger.connection.execute(
        "select serial, container, is_inferred from ledger.postings where location = 'A' order by 1"
    ).fetchall()
    assert rows == [
        *(("s10", cases[0], False), ("s11", cases[0], True)),
        *(("s12", cases[1], True), ("s13", cases[1], True)),
    ]
    check_all(books)
    carry = line("pump", 4, location="A", to_location="B", container=pallet)
    apart = line("pump", 4, location="B", container=pallet)
    entered(
        books,
        document("RL-1", "relocation", carry),
        document("UP-1", "unpacking", apart),
    )
    assert stock(books, "pump", location="B") == 4
    again = line("pump", 4, price="900", location="B", container=pallet)
    assert "holds nothing by the book" in problem(books, document("X", "sales_shipment", again))
    case = line("pump", 2, price="900", location="B", container=cases[0])
    entered(books, document("SH-1", "sales_shipment", case))
    assert stock(books, "pump", location="B") == 2
    check_all(books)
    entered(books, document("R-1", "reversal", refers="SH-1", day=2))
    entered(books, document("R-2", "reversal", refers="UP-1", day=2))
    whole = line("pump", 4, price="900", location="B", container=pallet)
    entered(books, document("SH-2", "sales_shipment", whole))
    assert stock(books, "pump") == 0
    check_all(books)


def test_promised_stock_is_released_when_its_time_is_over(average: Books) -> None:
    due = {"due_at": START + timedelta(days=5)}
    entered(average, opening(), allocating("SO-1", 20, **due), allocating("SO-2", 4))
    assert stock(average, "bolt", reservation="allocated") == 24
    assert "24 allocated to SO-1, SO-2" in problem(average, allocating("SO-3", 1))
    posting = DocumentPosting(average)
    assert posting.release_expired(int((START + timedelta(days=4)).timestamp()) * 1_000_000) == []
    assert posting.release_expired(NOW_US) == ["SO-1"]
    assert posting.release_expired(NOW_US) == []
    assert stock(average, "bolt", reservation="allocated") == 4
    ship = document(
        "SH-1", "sales_shipment", line("bolt", 3, price="9"), refers="SO-2", warehouse="W1"
    )
    entered(average, ship, document("OC-2", "order_closed", refers="SO-2", day=2))
    assert stock(average, "bolt", reservation="allocated") == 0
    # A shipment that is taken back gives stock back as it was: promised to a closed order.
    entered(average, document("R", "reversal", refers="SH-1", day=3))
    assert posting.release_expired(NOW_US) == ["SO-2"]
    check_all(average)


def test_a_round_takes_only_so_many_lines(average: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit waits for the next one, in order."""
    monkeypatch.setattr(posting, "POSTINGS_AT_ONCE", 6)
    many = [
        document(f"GR-{number}", "goods_receipt", line("bolt", 1, price="2", location="A"))
        for number in range(10)
    ]
    last = document("SH", "sales_shipment", line("bolt", 10, price="3", location="A"))
    told: list[int] = []
    posted = DocumentPosting(average).post([*many, last], NOW_US, told.append)
    assert {one.outcome for one in posted} == {"entered"}
    assert told == [3, 6, 9, 11]
    check_all(average)


def test_progress_is_told(average: Books) -> None:
    told: list[int] = []
    documents = [
        document(f"GR-{number}", "goods_receipt", line("bolt", 1, price="1", location="A"))
        for number in range(3)
    ]
    DocumentPosting(average).post([*documents, documents[0]], NOW_US, told.append)
    assert told == [3, 4]


@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.generate],
)
@given(steps=st.lists(DOCUMENT, min_size=10, max_size=25), method=st.sampled_from(list(Method)))
def test_any_sequence_of_documents_keeps_the_books_right(
    embedded: Fresh, connection: Connection, steps: list[Any], method: Method
) -> None:
    count = connection.execute("select count(*) from ledger.chains").fetchone()
    assert count is not None
    site = f"site{count[0]}"
    books = Books(PostgresLedger(connection, site))
    set_up(books, method)
    world = a_world()
    documents = [opening()]
    for number, said in enumerate(steps):
        documents.append(one := written(number, said, world))
        found = plan(one, world, NOW_US)
        if isinstance(found, Planned):
            world.take(*found)
    posted = DocumentPosting(books).post(documents, NOW_US)
    assert len(posted) == len(documents)
    assert all(one.problem for one in posted if one.outcome == "refused")
    check_all(books)
    assert verify_books(embedded.postgres_url, site).findings == ()


def test_revenue_that_waits_for_acceptance_is_taken_back_from_behind(books: Books) -> None:
    waiting = BookSettings(shipment=ShipmentPolicy.REVENUE_AT_ACCEPTANCE)
    books.put_data(BookDataKind.SETTINGS, "", waiting, 2)
    ship = document("SH", "sales_shipment", line("bolt", 9, price="9"), warehouse="W1", day=2)
    accepted = document("AC", "sales_acceptance", line("bolt", 5), refers="SH", day=3)
    entered(books, opening(), ship, accepted)
    check_all(books)
    more = document("AC-2", "sales_acceptance", line("bolt", 5), refers="SH", day=3)
    assert problem(books, more) == (
        "line 1: 5 of item bolt, but only 4 of SH line 1 are shipped and not yet accepted"
    )
    assert "SH has AC behind it" in problem(books, document("R", "reversal", refers="SH", day=4))
    entered(
        books,
        document("R-1", "reversal", refers="AC", day=4),
        document("R-2", "reversal", refers="SH", day=4),
    )
    assert stock(books, "bolt") == 24
    check_all(books)


def test_where_the_erp_leads_vouchers_are_what_it_is_asked_to_book(books: Books) -> None:
    books.put_data(BookDataKind.SETTINGS, "", BookSettings(mode=Mode.ERP_LED), 2)
    dollars = {"currency": "USD", "rate": Decimal("7.1234")}
    receipt = line("bolt", 3, price="1.11", tax="VAT13", location="A")
    entered(books, opening(), document("GR", "goods_receipt", receipt, **dollars))
    rows = books.ledger.connection.execute("select distinct is_proposal from ledger.vouchers")
    assert rows.fetchall() == [(True,)]
    check_all(books)


def test_what_is_refused_again_for_the_same_reasons_is_kept_once(average: Books) -> None:
    wrong = document("SH", "sales_shipment", line("bolt", 1, price="1", location="A"))
    first, again = (problem(average, wrong, at_us) for at_us in (NOW_US, NOW_US + 1))
    assert first == again
    ask = average.ledger.connection.execute
    assert ask("select reason from ledger.rejects").fetchall() == [(first,)]
    assert ask("select * from ledger.tallies where name = 'conflicts'").fetchall() == []
