"""Analysis on a real PostgreSQL, claim by claim. A stranger stands beside: nothing leaks in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from contracts.accounting import BookDataKind, Planning
from ledger_sink import analysis
from ledger_sink.analysis import By
from ledger_sink.books import Books
from ledger_sink.core.mrp import Source
from ledger_sink.postgres_ledger import PostgresLedger, connect
from ledger_sink.redaction import Persons
from tests.support import analysis_oracle as oracle
from tests.support.analysis_books import new_books, post, stranger
from tests.support.document_books import DAY_US, NOW_US, START, document, line
from tests.support.servers import Fresh

Connection = psycopg.Connection[Any]
TODAY = date(2026, 11, 1)
OPENING = document("OP", "opening", line("bolt", 20, price="2", location="A"), day=0)


@pytest.fixture
def books(connection: Connection) -> Books:
    post(new_books(connection, "other"), *stranger(), at_us=NOW_US - 1)
    return new_books(connection, "demo")


def figures(rows: Sequence[Any], *names: str) -> list[tuple[Any, ...]]:
    """Columns of rows; decimals as whole numbers where they are."""
    return [tuple(getattr(row, name) for name in names) for row in rows]


def test_ageing_takes_what_went_from_the_oldest_and_starts_anew_in_another_warehouse(
    books: Books,
) -> None:
    """Day 0: 20 into A, day 40: 30 into A, day 50: 10 of them to W2, day 55: 15 are shipped.

    A receipt that was taken back never was. On day 61 the house has 5 of day 0 and 30 of day 40;
    W1 gave 25 in all, so it has 25 of day 40; W2 has 10, 10 days old and never issued.
    """
    post(
        books,
        document("D1", "goods_receipt", line("bolt", 20, price="2", location="A"), day=0),
        document("D2", "goods_receipt", line("bolt", 99, price="2", location="A"), day=1),
        document("D3", "reversal", refers="D2", day=2),
        document("D4", "goods_receipt", line("bolt", 30, price="2", location="A"), day=40),
        document("D5", "transfer_out", line("bolt", 10, location="A"), day=50, to_warehouse="W2"),
        document("D6", "transfer_in", line("bolt", 10, to_location="C"), day=51, refers="D5"),
        document("D7", "sales_shipment", line("bolt", 15, price="9", location="A"), day=55),
    )
    rows = analysis.ageing(books.ledger, NOW_US + 16 * 3_600_000_000)
    assert [(row.warehouse, row.quantities[:3], row.value, row.idle_days) for row in rows] == [
        (None, [30, 0, 5], 70, 6),
        ("W1", [25, 0, 0], 50, 6),
        ("W2", [10, 0, 0], 20, 10),
    ]
    (dead,) = [
        row for row in analysis.ageing(books.ledger, NOW_US + 171 * DAY_US) if row.warehouse == "W2"
    ]
    assert (dead.alert, dead.idle_days) == ("dead", 180)


def test_stock_without_an_issue_for_as_long_as_planning_says_is_slow_then_dead(
    books: Books,
) -> None:
    plan = Planning(slow_after_days=70, dead_after_days=80)
    books.put_data(BookDataKind.PLANNING, "sand", plan, 1)
    post(books, document("D1", "opening", line("sand", 1, location="A"), day=0))
    # Now is two thirds into day 60.
    alerts = {
        day: {row.alert for row in analysis.ageing(books.ledger, NOW_US + day * DAY_US, "sand")}
        for day in (9, 10, 19, 20)
    }
    assert alerts == {9: {""}, 10: {"slow"}, 19: {"slow"}, 20: {"dead"}}


def test_batches_past_their_day_or_near_it_are_told_and_never_promised(books: Books) -> None:
    books.put_data(BookDataKind.PLANNING, "drug", Planning(expiry_warning_days=60), 1)
    post(
        books,
        document(
            "D1",
            "opening",
            *(
                line("drug", number, price="1", location=place, batch=batch)
                for number, place, batch in ((3, "A", "old"), (4, "B", "soon"), (5, "A", "late"))
            ),
            day=0,
        ),
    )
    rows = analysis.expiry(books.ledger, TODAY)
    assert figures(rows, "batch", "days_left", "state", "location", "quantity", "value") == [
        ("old", -62, "expired", "A", 3, 3),
        ("soon", 60, "expiring", "B", 4, 4),
    ]
    assert [row.batch for row in analysis.expiry(books.ledger, date(2026, 10, 31))] == ["old"]
    (there,) = [row for row in analysis.available(books.ledger, TODAY) if row.item == "drug"]
    assert (there.on_hand, there.free, there.blocked) == (12, 9, 3)


def test_a_notice_stands_for_its_orders_open_part_and_never_for_more(books: Books) -> None:
    """100 ordered; 30 and 40 are on their way; 20 of the first came, 35 came without a notice.

    So 45 are open: 10 of the first notice, 35 of the second, which says 40.
    """
    when = START + timedelta(days=70)
    post(
        books,
        document("PO", "purchase_order", line("bolt", 100, price="1", location="A"), due_at=when),
        document("N1", "shipping_notice", line("bolt", 30, location="A"), refers="PO"),
        document("N2", "shipping_notice", line("bolt", 40, location="A"), refers="PO"),
        document("R1", "goods_receipt", line("bolt", 20, location="A"), refers="N1", day=2),
        document("R2", "goods_receipt", line("bolt", 35, location="A"), refers="PO", day=2),
        document("R3", "goods_receipt", line("bolt", 9, location="A"), refers="PO", day=2),
        document("R4", "reversal", refers="R3", day=2),
    )
    rows = analysis.open_orders(books.ledger)
    assert figures(rows, "document", "brought", "open", "covered") == [
        ("PO", 55, 45, 45),
        ("N1", 20, 10, 0),
        ("N2", 0, 35, 0),
    ]
    expected = analysis.supply_and_demand(books.ledger)
    assert sorted((row.document, row.quantity) for row in expected) == [("N1", 10), ("N2", 35)]
    post(books, document("OC", "order_closed", refers="PO", day=3))
    assert analysis.open_orders(books.ledger) == []


def test_what_is_in_transit_is_supply_where_it_goes_and_the_rest_demand_where_it_is(
    books: Books,
) -> None:
    """Ten shall go from W1 to W2: 6 are on the road, of which 2 arrived."""
    post(
        books,
        document("OP", "opening", line("bolt", 50, price="1", location="A"), day=0),
        document(
            "TO", "transfer_order", line("bolt", 10), warehouse="W1", to_warehouse="W2",
            due_at=START + timedelta(days=80),
        ),
        document(
            "T1", "transfer_out", line("bolt", 6, location="A"), refers="TO", to_warehouse="W2",
            day=2,
        ),
        document("T2", "transfer_in", line("bolt", 2, to_location="C"), refers="T1", day=3),
    )  # fmt: skip
    rows = analysis.supply_and_demand(books.ledger)
    assert figures(rows, "direction", "document", "warehouse", "quantity") == [
        ("demand", "TO", "W1", 4),
        ("supply", "TO", "W2", 4),
        ("supply", "T1", "W2", 4),
    ]
    assert len({row.due_us for row in rows}) == 1
    promises = analysis.available_to_promise(books.ledger, TODAY)
    assert figures(promises, "warehouse", "day", "projected", "promise") == [
        ("W1", TODAY, 44, 40),
        ("W1", date(2026, 11, 20), 40, 40),
        ("W2", TODAY, 2, 2),
        ("W2", date(2026, 11, 20), 10, 10),
    ]


def test_a_production_order_is_supply_of_what_it_makes_and_demand_for_what_is_not_issued(
    books: Books,
) -> None:
    """Five kits of 4 bolts, 2 kits made, 6 bolts issued: 3 kits come, 14 bolts go a week before."""
    books.put_data(BookDataKind.PLANNING, "kit", Planning(lead_time_days=7), 1)
    post(
        books,
        document("OP", "opening", line("bolt", 50, price="1", location="A"), day=0),
        document(
            "MO", "production_order", line("kit", 5, location="A"),
            due_at=START + timedelta(days=80),
        ),
        document("GI", "goods_issue", line("bolt", 6, location="A"), refers="MO", day=2),
        document("PR", "production_receipt", line("kit", 2, location="A"), refers="MO", day=3),
    )  # fmt: skip
    rows = analysis.supply_and_demand(books.ledger)
    assert [
        (row.direction, row.item, row.warehouse, row.quantity, oracle.day_of(row.due_us))
        for row in rows
    ] == [
        ("demand", "bolt", "W1", 14, date(2026, 11, 13)),
        ("supply", "kit", "W1", 3, date(2026, 11, 20)),
    ]


def test_reorder_point_and_safety_stock_come_from_90_days_of_use(books: Books) -> None:
    """Nine issues of 10 in 90 days: a day uses 1, with deviation 3.017 (900 - 8100/90 over 89).

    Over 9 days of lead time safety stock is 1.645 x 3.017 x 3, up: 15; the reorder point 9 + 15.
    """
    plan = Planning(lead_time_days=9, supplier="ACME", lot_size=Decimal(20))
    books.put_data(BookDataKind.PLANNING, "bolt", plan, 2)
    post(
        books,
        document("OP", "opening", line("bolt", 112, price="1", location="A"), day=0),
        *(
            document(f"I{day}", "goods_issue", line("bolt", 10, location="A"), day=day)
            for day in range(1, 10)
        ),
        document("PO", "purchase_order", line("bolt", 3, price="1", location="A"), day=2),
    )
    (row,) = analysis.reorder(books.ledger, TODAY)
    assert (row.daily_use, row.deviation, row.safety_stock, row.reorder_point) == (
        1, Decimal("3.016807"), 15, 24,
    )  # fmt: skip
    # 22 there and 3 to come are above 24: nothing to do. One less, and 24 + 9 are the aim.
    assert (row.stock_position, row.suggested, row.how, row.source) == (25, 0, "purchase", "ACME")
    post(books, document("SO", "sales_order", line("bolt", 1), warehouse="W1", approved_by="b"))
    (row,) = analysis.reorder(books.ledger, TODAY)
    assert (row.stock_position, row.suggested) == (24, 20)


def test_the_variance_rate_is_of_the_book_that_was_counted(books: Books) -> None:
    """Of 40 bolts of 2.50 in the book 3 are missing: 7.50 of 100.00; the pump is one too many."""
    books.put_data(BookDataKind.PLANNING, "pump", Planning(), 1)
    post(
        books,
        document("OP", "opening", line("bolt", 40, price="2.5", location="A"), day=0),
        document("O2", "opening", line("kit", 5, price="20", location="A"), day=0),
        document(
            "AD", "adjustment", line("bolt", -3, location="A", reason="mispick"),
            line("kit", 1, location="A", reason="receiving_error"),
            person="clerk", approved_by="boss", case="C1", party="workshop",
        ),
    )  # fmt: skip
    names = ("subject", "lines", "value_off", "net_value", "book_value", "rate")
    of = {by: analysis.variance_by(books.ledger, 0, NOW_US, by) for by in By}
    assert figures(of[By.ALL], *names) == [
        ("", 2, Decimal("27.50"), Decimal("12.50"), 200, Decimal("0.1375"))
    ]
    assert figures(of[By.ITEM], *names) == [
        ("kit", 1, 20, 20, 100, Decimal("0.2")),
        ("bolt", 1, Decimal("7.50"), Decimal("-7.50"), 100, Decimal("0.075")),
    ]
    assert [row.subject for row in of[By.CAUSE]] == ["receiving_error", "mispick"]
    assert [of[by][0].subject for by in (By.DEPARTMENT, By.WAREHOUSE, By.MONTH)] == [
        "workshop", "W1", "2026-09",
    ]  # fmt: skip
    (who,) = (row.subject for row in of[By.PERSON])
    assert Persons(books.ledger).names([who]) == {who: "clerk"}


def test_materials_are_planned_over_the_books(books: Books) -> None:
    """Six kits go to W2, 2 are there, 1 comes: 3 are made of 12 bolts; 5 bolts are always kept."""
    books.put_data(BookDataKind.PLANNING, "kit@W2", Planning(), 1)
    post(
        books,
        document("OP", "opening", line("kit", 2, price="1", location="A"), day=0),
        document("O2", "opening", line("bolt", 9, price="1", location="A"), day=0),
        document(
            "TO", "transfer_order", line("kit", 6), warehouse="W1", to_warehouse="W2",
            due_at=START + timedelta(days=80),
        ),
        document(
            "MO", "production_order", line("kit", 1, location="A"),
            due_at=START + timedelta(days=75),
        ),
        document("GI", "goods_issue", line("bolt", 4, location="A"), refers="MO", day=2),
    )  # fmt: skip
    made = analysis.plan_materials(books.ledger, TODAY)
    assert figures(made.orders, "kind", "item", "quantity", "due", "covers") == [
        (Source.PRODUCTION, "kit", 3, date(2026, 11, 20), (("TO line 1", 3),)),
        (Source.PURCHASE, "bolt", 12, date(2026, 11, 20), (("planned-1", 12),)),
    ]
    assert made.warnings == ("item kit has no planning: no lead time, no lots",)


def test_a_reader_may_ask_for_all_of_it_and_sees_the_sites_that_are_his(
    books: Books, embedded: Fresh
) -> None:
    post(books, OPENING)
    with connect(embedded.postgres_url, "ledger_reader") as connection:
        ledger = PostgresLedger(connection, "demo")
        for look in (analysis.stock, analysis.open_orders, analysis.supply_and_demand):
            look(ledger)
        for on_day in (
            analysis.expiry, analysis.available, analysis.available_to_promise, analysis.reorder,
            analysis.plan_materials,
        ):  # fmt: skip
            on_day(ledger, TODAY)
        for at in (
            analysis.stock_recorded, analysis.ageing, analysis.ageing_layers,
            analysis.trial_balance,
        ):  # fmt: skip
            at(ledger, NOW_US)
        analysis.account_balance(ledger, "1405", NOW_US)
        analysis.variance_lines(ledger, 0, NOW_US)
        analysis.variance_by(ledger, 0, NOW_US, By.ALL)
