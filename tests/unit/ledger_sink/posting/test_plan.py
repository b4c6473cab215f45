"""From a document to its movement: every kind, and all mistakes at once with their lines."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from contracts.accounting import BookSettings
from contracts.books import LINES_MAX, POSTINGS_MAX, BookPlace, PlaceKind
from contracts.documents import SERIALS_MAX, Component, Document, DocumentLine
from ledger_sink.core.posting.entered import is_same
from ledger_sink.core.posting.fields import AT_COST
from ledger_sink.core.posting.plan import Planned, plan
from ledger_sink.core.posting.world import World
from tests.support.document_books import NOW_US, document, line
from tests.unit.ledger_sink.posting.worlds import a_world, mistakes, moved, planned

FREE = "available"


@pytest.fixture
def world() -> World:
    made = a_world()
    opening = document(
        "OP",
        "opening",
        line("bolt", 100, price="2", location="A"),
        line("drug", 10, price="3", location="A", batch="late"),
        line("drug", 10, price="3", location="A", batch="soon"),
        line("drug", 10, price="3", location="A", batch="old"),
        line("pump", 2, price="500", location="B", serials=("s1", "s2")),
        day=0,
    )
    planned(made, opening)
    return made


MOVES: list[tuple[Document, list[tuple[str, ...]]]] = [
    (
        document("D", "goods_receipt", line("bolt", 2, unit="case", price="24", location="B")),
        [("supplier", "", FREE, "", "-24"), ("B", "", FREE, "", "24")],
    ),
    (
        document("D", "sales_shipment", line("bolt", 4, price="9", location="A")),
        [("A", "", FREE, "", "-4"), ("customer", "", FREE, "", "4")],
    ),
    (
        document("D", "goods_issue", line("bolt", 4, location="A"), party="workshop"),
        [("A", "", FREE, "", "-4"), ("production", "", FREE, "", "4")],
    ),
    (
        document("D", "production_receipt", line("kit", 1, location="A")),
        [("production", "", FREE, "", "-1"), ("A", "", FREE, "", "1")],
    ),
    (
        document("D", "transfer_out", line("bolt", 4, location="A"), to_warehouse="W2"),
        [("A", "", FREE, "", "-4"), ("in_transit", "", FREE, "", "4")],
    ),
    (
        document("D", "relocation", line("bolt", 4, location="A", to_location="B")),
        [("A", "", FREE, "", "-4"), ("B", "", FREE, "", "4")],
    ),
    (
        document("D", "state_change", line("bolt", 4, location="A", to_disposition="frozen")),
        [("A", "", FREE, "", "-4"), ("A", "", "frozen", "", "4")],
    ),
    (
        document("D", "customer_return", line("bolt", 1, location="A", disposition="inspection")),
        [("customer", "", "inspection", "", "-1"), ("A", "", "inspection", "", "1")],
    ),
    (
        document("D", "supplier_return", line("bolt", 1, location="A")),
        [("A", "", FREE, "", "-1"), ("supplier", "", FREE, "", "1")],
    ),
    (
        document("D", "scrap", line("pump", 1, location="B", serials=("s2",))),
        [("B", "s2", FREE, "", "-1"), ("scrap", "s2", FREE, "", "1")],
    ),
    (
        document("D", "adjustment", line("bolt", -3, location="A"), approved_by="boss"),
        [("A", "", FREE, "", "-3"), ("adjustment", "", FREE, "", "3")],
    ),
    (
        document("D", "adjustment", line("bolt", 3, location="A"), approved_by="boss"),
        [("adjustment", "", FREE, "", "-3"), ("A", "", FREE, "", "3")],
    ),
    (
        document("D", "sales_order", line("bolt", 3), warehouse="W1", approved_by="boss"),
        [("A", "", FREE, "", "-3"), ("A", "", f"{FREE} allocated", "", "3")],
    ),
    (
        document("D", "sales_shipment", line("drug", 12, price="9"), warehouse="W1"),
        [
            *(("A", "soon", FREE, "", "-10"), ("customer", "soon", FREE, "", "10")),
            *(("A", "late", FREE, "", "-2"), ("customer", "late", FREE, "", "2")),
        ],
    ),
    (
        document("D", "scrap", line("drug", 4, location="A", batch="old")),
        [("A", "old", FREE, "", "-4"), ("scrap", "old", FREE, "", "4")],
    ),
    (
        document("D", "reversal", refers="OP"),
        [
            *(("opening", "", FREE, "", "100"), ("A", "", FREE, "", "-100")),
            *(("opening", "late", FREE, "", "10"), ("A", "late", FREE, "", "-10")),
            *(("opening", "soon", FREE, "", "10"), ("A", "soon", FREE, "", "-10")),
            *(("opening", "old", FREE, "", "10"), ("A", "old", FREE, "", "-10")),
            *(("opening", "s1", FREE, "", "1"), ("B", "s1", FREE, "", "-1")),
            *(("opening", "s2", FREE, "", "1"), ("B", "s2", FREE, "", "-1")),
        ],
    ),
]


@pytest.mark.parametrize(
    ("one", "moves"), MOVES, ids=[f"{number}-{one.kind}" for number, (one, _) in enumerate(MOVES)]
)
def test_a_document_moves_stock_where_its_kind_says(
    world: World, one: Document, moves: list[tuple[str, ...]]
) -> None:
    assert moved(world, one) == moves


NO_MOVE: list[Document] = [
    document("D", "purchase_order", line("bolt", 4, price="2"), party="ACME"),
    document("D", "production_order", line("kit", 4)),
    document("D", "transfer_order", line("bolt", 4), warehouse="W1", to_warehouse="W2"),
    document("D", "sales_order", line("bolt", 4), warehouse="W1"),
    document("D", "revaluation", line("bolt", 1, price="3")),
]


@pytest.mark.parametrize("one", NO_MOVE, ids=lambda one: str(one.kind))
def test_plans_and_orders_that_nobody_approved_move_nothing(world: World, one: Document) -> None:
    assert planned(world, one)[0].movement is None


def test_a_line_is_entered_in_base_units_with_its_amounts(world: World) -> None:
    receipt = document(
        "GR",
        "goods_receipt",
        line("bolt", "2", unit="case", price="10.005", tax="VAT13", location="A"),
        currency="USD",
        rate=Decimal("7.1"),
    )
    (one,) = planned(world, receipt)
    (entered,) = one.document.lines
    assert (entered.quantity, entered.unit, entered.unit_quantity) == ("24", "case", "2")
    assert (entered.price, entered.net, entered.tax_amount) == ("10.005", "20.01", "2.60")
    assert (entered.net_base, entered.tax_base) == ("142.07", "18.46")
    assert one.document.currency == "USD"


def test_a_transfer_arrives_as_it_left(world: World) -> None:
    planned(world, document("TO", "transfer_out", line("drug", 12), warehouse="W1"))
    arrival = document("T1", "transfer_in", line("drug", 11), refers="TO", to_warehouse="W2")
    assert moved(world, arrival) == [
        *(("in_transit", "soon", FREE, "", "-10"), ("C", "soon", FREE, "", "10")),
        *(("in_transit", "late", FREE, "", "-1"), ("C", "late", FREE, "", "1")),
    ]
    late = document("T2", "transfer_in", line("drug", 2, to_location="C"), refers="TO")
    assert mistakes(world, late) == (
        "line 1: 2 of item drug, but only 1 of TO line 1 are on its way",
        "line 1: 2 of item drug, but only 1 of what TO moved are left",
    )


def test_a_return_brings_back_what_was_shipped_and_no_more(world: World) -> None:
    planned(
        world,
        document("SH", "sales_shipment", line("drug", 4, price="9"), warehouse="W1"),
        document("SP", "sales_shipment", line("pump", 1, price="9", location="B", serials=("s1",))),
    )
    back = document("R1", "customer_return", line("drug", 3, location="A"), refers="SH")
    assert moved(world, back)[1] == ("A", "soon", FREE, "", "3")
    more = document("R2", "customer_return", line("drug", 2, location="A"), refers="SH")
    assert mistakes(world, more)[0] == (
        "line 1: 2 of item drug, but only 1 of SH line 1 are shipped and not yet returned"
    )
    other = line("pump", 1, location="B", serials=("s2",))
    assert mistakes(world, document("R3", "customer_return", other, refers="SP")) == (
        "line 1: serial s2 of item pump is not among what SP moved",
    )
    twice = [line("drug", 1, location="A"), line("drug", 1, location="A")]
    assert "line 2" in mistakes(world, document("R4", "customer_return", *twice, refers="SH"))[0]


def test_a_price_is_that_of_the_order_in_the_unit_of_the_line(world: World) -> None:
    planned(world, document("PO", "purchase_order", line("bolt", 5, unit="case", price="30")))
    receipt = document("GR", "goods_receipt", line("bolt", 12, location="A"), refers="PO")
    (one,) = planned(world, receipt)
    assert (one.document.lines[0].price, one.document.lines[0].order_line) == ("2.5", 1)
    planned(world, document("P2", "purchase_order", line("bolt", 5, unit="case", price="10")))
    receipt = document("G2", "goods_receipt", line("bolt", 12, location="A"), refers="P2")
    assert mistakes(world, receipt) == (
        "line 1: 10 for one case of item bolt is no exact price for one each: say the price",
    )


def test_made_goods_name_what_they_used(world: World) -> None:
    made = [line("kit", 3, location="A")]
    made.append(
        line("kit", 1, location="A", components=({"item": "bolt", "quantity": 1, "unit": "case"},))
    )
    (one,) = planned(world, document("PR", "production_receipt", *made))
    assert [(used.line, used.item, used.quantity) for used in one.document.components] == [
        (1, "bolt", "12"),
        (2, "bolt", "12"),
    ]


def test_all_mistakes_are_told_at_once_each_with_its_line(world: World) -> None:
    wrong = document(
        "D",
        "sales_shipment",
        line("nut", 1, price="1", location="A"),
        line("bolt", 3, unit="box", price="1", location="A"),
        line("kit", 3, unit="half", price="1", location="A"),
        line("bolt", 3, tax="GST", price="1", location="A"),
        line("bolt", 3, location="A"),
        line("bolt", 3, price="1", location="Z"),
        line("bolt", 3, price="1", location="supplier"),
        line("bolt", 3, price="1"),
        line("pump", 2, price="1", location="B", serials=("s1",)),
        line("pump", 2, price="1", location="B", serials=("s1", "s9")),
        line("bolt", 3, price="1", location="A", batch="x"),
        line("bolt", 300, price="1", location="A"),
        line("bolt", 0, price="1", location="A"),
        line("bolt", 1, price="1", location="A", to_location="B"),
        refers="nowhere",
        currency="usd",
        day=90,
    )
    assert mistakes(world, wrong) == (
        "currency usd is no code of three capital letters",
        "document nowhere, to which it refers, is not known: enter it first",
        "its time has not come yet",
        "line 1: item nut is not known",
        "line 2: unit box of item bolt is not known: it has each, case, pallet",
        "line 3: 3 of half are 7.5 each: item kit counts whole pieces",
        "line 4: tax GST is not known: enter it first",
        "line 5: item bolt is valued: say its price (0 where it is free)",
        "line 6: location Z is not known; there are A, B, C",
        "line 7: location supplier is no zone or bin, but supplier",
        "line 8: say where: a location, or a warehouse for the document",
        "line 9: item pump needs 2 serial numbers, 1 is named",
        "line 10: serial s9 of item pump is not in the book",
        "line 11: item bolt has no batches",
        "line 12: 94 each of item bolt are free at A, 300 asked for: 206 are missing",
        "line 13: quantity 0 of item bolt: it must be above zero",
        "line 14: a sales_shipment has no to_location: leave it empty",
    )


HEADS: list[tuple[dict[str, Any], str]] = [
    ({"kind": "reversal"}, "it does not say which document it refers to: a reversal needs one"),
    ({"kind": "scrap", "refers": "OP"}, "a scrap refers to no other document: leave refers empty"),
    (
        {"kind": "goods_receipt", "refers": "OP"},
        (
            "document OP (opening) is not what a goods_receipt refers to: that is purchase_order or"
            " shipping_notice"
        ),
    ),
    ({"kind": "adjustment"}, "an adjustment needs its approval: say who approved it last"),
    (
        {"kind": "adjustment", "approved_by": "me", "person": "me"},
        "who made an adjustment cannot approve it: somebody else has to",
    ),
    ({"kind": "opening", "lines": ()}, "it has no lines"),
    ({"kind": "opening", "rate": "7"}, "rate 7, but CNY is the base currency: its rate is 1"),
    ({"kind": "opening", "currency": "EUR"}, "say the rate: how much CNY one EUR is"),
    (
        {"kind": "reversal", "refers": "OP", "lines": [line("bolt", 1)]},
        "a reversal has no lines: it is about all of OP",
    ),
    ({"kind": "opening", "id": "x" * 190}, "its number has more than 180 bytes"),
]


@pytest.mark.parametrize(("fields", "says"), HEADS)
def test_a_head_that_is_wrong_is_refused_in_words(
    world: World, fields: dict[str, Any], says: str
) -> None:
    lines = fields.pop("lines", [line("bolt", 1, price="1", location="A")])
    wrong = document(fields.pop("id", "D"), fields.pop("kind"), *lines, **fields)
    assert says in mistakes(world, wrong)


@pytest.mark.parametrize("kind", sorted(AT_COST))
def test_a_price_is_refused_where_stock_moves_at_its_cost(world: World, kind: Any) -> None:
    """Whoever writes one believes that it counts."""
    wrong = document("D", kind, line("bolt", 1, price="1", location="A"))
    assert f"line 1: a {kind} has no price: leave it empty" in mistakes(world, wrong)


def test_a_site_needs_one_outside_of_each_kind(world: World) -> None:
    receipt = document("D", "goods_receipt", line("bolt", 1, price="1", location="A"))
    places = {name: place for name, place in world.places.items() if name != "supplier"}
    world.places = places
    assert mistakes(world, receipt) == (
        "line 1: the site has no location of kind supplier: add one to its places",
    )
    for name in ("s1", "s2"):
        places[name] = BookPlace(location=name, kind=PlaceKind.SUPPLIER)
    assert mistakes(world, receipt) == (
        "line 1: the site has 2 locations of kind supplier: leave one",
    )


def test_a_closed_period_takes_nothing(world: World) -> None:
    world.closed_before_us = NOW_US
    scrap = document("D", "scrap", line("bolt", 1, location="A"))
    assert mistakes(world, scrap) == ("the period before 2026-11-01 00:00:00 UTC is closed",)


def test_what_others_follow_is_taken_back_after_them(world: World) -> None:
    planned(
        world,
        document("SH", "sales_shipment", line("bolt", 4, price="9", location="A")),
        document("CR", "customer_return", line("bolt", 1, location="A"), refers="SH"),
    )
    assert mistakes(world, document("R1", "reversal", refers="SH")) == (
        "document SH has CR behind it: reverse that first",
    )
    planned(
        world,
        document("R2", "reversal", refers="CR"),
        document("R3", "reversal", refers="SH"),
    )
    assert mistakes(world, document("R4", "reversal", refers="SH")) == (
        "document SH was taken back by R3",
    )
    assert mistakes(world, document("R5", "reversal", refers="R3")) == (
        (
            "document R3 (reversal) is not what a reversal refers to: that is a document"
            " that is none itself"
        ),
    )


def test_a_document_that_moves_too_much_is_to_be_split(world: World) -> None:
    pieces = [f"n{number}" for number in range(POSTINGS_MAX // 2 + 1)]
    most = document("D", "goods_receipt", *with_serials(pieces[1:]))
    assert isinstance(plan(most, world, NOW_US), Planned)
    text = f"it moves {POSTINGS_MAX + 2:,} lines, more than {POSTINGS_MAX:,}: split it"
    found = plan(document("D", "goods_receipt", *with_serials(pieces)), world, NOW_US)
    assert not isinstance(found, Planned), "it is planned"
    assert found == (text,)


def with_serials(pieces: list[str]) -> list[DocumentLine]:
    """Lines for these pieces, each as long as may be."""
    return [
        line("pump", len(some), price="1", location="A", serials=tuple(some))
        for start in range(0, len(pieces), SERIALS_MAX)
        if (some := pieces[start : start + SERIALS_MAX])
    ]


def test_a_document_with_too_many_other_goods_in_its_containers_is_to_be_split(
    world: World,
) -> None:
    cases = [f"K{number}" for number in range(LINES_MAX // 2 + 1)]
    for item in ("bolt", "oil"):
        full = [line(item, 1, price="1", location="A", container=case) for case in cases]
        planned(world, document(f"GR-{item}", "goods_receipt", *full))
    carried = [line("bolt", 1, location="A", to_location="B", container=case) for case in cases]
    most = document("D", "relocation", *carried[1:])
    assert isinstance(plan(most, world, NOW_US), Planned)
    told = f"it has {LINES_MAX + 2:,} lines with what else is in its containers"
    text = f"{told}, more than {LINES_MAX:,}: split it"
    assert plan(document("D", "relocation", *carried), world, NOW_US) == (text,)


def test_a_document_that_uses_too_many_components_is_to_be_split(world: World) -> None:
    lines = [line("kit", 1, location="A") for _ in range(LINES_MAX)]
    assert isinstance(plan(document("D", "production_receipt", *lines), world, NOW_US), Planned)
    parts = (
        Component(item="bolt", quantity=Decimal(1)),
        Component(item="bolt", quantity=Decimal(2)),
    )
    lines = [line("kit", 1, location="A", components=parts) for _ in range(LINES_MAX // 2 + 1)]
    text = f"it uses {LINES_MAX + 2:,} components, more than {LINES_MAX:,}: split it"
    assert plan(document("D", "production_receipt", *lines), world, NOW_US) == (text,)


def test_what_was_seen_is_never_refused_for_the_book(world: World) -> None:
    seen = document("D", "sales_shipment", line("bolt", 101, price="9", location="A"),
                    line("pump", 1, price="1", location="A", serials=("s1",)),
                    line("pump", 1, price="1", location="A", serials=("s7",)),
                    is_physical=True)  # fmt: skip
    assert [entry[-1] for entry in moved(world, seen)] == [
        *("-100", "100", "-1", "1", "-1", "1", "-1", "1")
    ]


def test_an_alarm_item_goes_below_zero(world: World) -> None:
    shipment = document("D", "goods_issue", line("sand", 4, location="A"))
    assert moved(world, shipment)[0] == ("A", "", FREE, "", "-4")


def test_the_same_document_is_known_whatever_was_left_to_the_books(world: World) -> None:
    shipment = document("D", "sales_shipment", line("drug", 2, price="9.50"), warehouse="W1")
    (one,) = planned(world, shipment)
    assert is_same(shipment, *one)
    for update in ({"person": "x"}, {"party": "x"}, {"lines": ()}, {"warehouse": ""}):
        assert not is_same(shipment.model_copy(update=update), *one)
    for fields in ({"quantity": 3}, {"price": 9}, {"batch": "soon"}, {"serials": ("a",)}):
        changed = shipment.lines[0].model_copy(update=fields)
        assert not is_same(shipment.model_copy(update={"lines": (changed,)}), *one)


def test_planning_needs_no_settings_but_those_of_the_world(world: World) -> None:
    world.settings = BookSettings(base_currency="EUR", money_decimals=3)
    receipt = document("D", "goods_receipt", line("bolt", 1, price="1.23456", location="A"))
    (one,) = planned(world, receipt)
    assert (one.document.currency, one.document.lines[0].net) == ("EUR", "1.235")
