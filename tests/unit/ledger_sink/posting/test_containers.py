"""What moves with a pallet or a case, and what is known of it without having been read."""

from __future__ import annotations

import pytest

from ledger_sink.core.posting.containers import held, inside
from ledger_sink.core.posting.world import Birth, World
from tests.support.document_books import document, line
from tests.unit.ledger_sink.posting.worlds import a_world, mistakes, moved, planned

FREE = "available"


def born(item: str, packing: str, parent: str = "", serial: str = "", quantity: int = 1) -> Birth:
    return Birth(item, packing, quantity, "", serial, parent)


@pytest.fixture
def world() -> World:
    """A pallet of two cases of two pumps, and a case of six bolts on it, all commissioned."""
    births = {
        "P": born("pump", "pallet", quantity=4),
        "K1": born("pump", "case", "P", quantity=2),
        "K2": born("pump", "case", "P", quantity=2),
        "K3": born("bolt", "case", "P", quantity=6),
        **{f"u{n}": born("pump", "unit", "K1" if n < 3 else "K2", f"s{n}") for n in (1, 2, 3, 4)},
    }
    return a_world(births)


def received(world: World) -> World:
    pumps = line("pump", 4, price="9", location="A", container="P", serials=("s1", "s3", "s4"))
    bolts = line("bolt", 6, price="1", location="A", container="P")
    planned(world, document("GR", "goods_receipt", pumps, bolts))
    return world


def test_what_is_received_lies_where_it_was_commissioned(world: World) -> None:
    pumps = line("pump", 4, price="9", location="A", container="P", serials=("s1", "s3", "s4"))
    moves = moved(world, document("GR", "goods_receipt", pumps))
    assert moves[1::2] == [
        ("A", "s1", FREE, "K1", "1"),
        ("A", "s3", FREE, "K2", "1"),
        ("A", "s4", FREE, "K2", "1"),
        ("A", "s2", FREE, "K1?", "1"),
    ]


def test_pieces_that_nobody_knows_are_missing(world: World) -> None:
    five = line("pump", 5, price="9", location="A", container="P", serials=("s1",))
    assert mistakes(world, document("GR", "goods_receipt", five)) == (
        "line 1: item pump needs 5 serial numbers, 1 is named, and 3 more were commissioned into P",
    )


def test_a_moved_pallet_moves_all_that_is_in_it(world: World) -> None:
    received(world)
    carry = line("pump", 4, location="A", to_location="B", container="P", serials=("s2",))
    (one,) = planned(world, document("RL", "relocation", carry))
    # The bolts have a line of their own now, because they moved too.
    assert [(entry.item, entry.quantity) for entry in one.document.lines] == [
        *(("pump", "4"), ("bolt", "6"))
    ]
    assert one.movement is not None
    assert [
        (entry.serial, entry.container, entry.is_inferred)
        for entry in one.movement.postings
        if entry.location == "B"
    ] == [
        *(("s1", "K1", True), ("s2", "K1", False), ("s3", "K2", True), ("s4", "K2", True)),
        ("", "K3", True),
    ]
    assert held(world, "P", ["A"], ()) == []


def test_what_is_billed_needs_a_line_of_its_own(world: World) -> None:
    received(world)
    pumps = line("pump", 4, price="9", location="A", container="P")
    assert mistakes(world, document("SH", "sales_shipment", pumps)) == (
        "line 1: P also holds 6 of item bolt: give it a line of its own",
    )
    bolts = line("bolt", 6, price="1", location="A", container="P")
    planned(world, document("SH", "sales_shipment", pumps, bolts))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (
            {"quantity": 3},
            "P holds 4 of item pump by the book, not 3: say what it holds, or take it apart first",
        ),
        ({"item": "oil"}, "P holds no item oil, but bolt, pump"),
        ({"container": "Q"}, "Q holds nothing by the book: receive something into it first"),
        ({"location": "B"}, "what P holds is at A"),
        ({"serials": ("s9",)}, "serial s9 of item pump is not in P by the book"),
    ],
)
def test_what_does_not_fit_its_container_is_refused(
    world: World, fields: dict[str, object], says: str
) -> None:
    received(world)
    right = {"item": "pump", "quantity": 4, "location": "A", "container": "P"}
    wrong = line(**{**right, **fields})  # type: ignore[arg-type]
    assert mistakes(world, document("SC", "scrap", wrong)) == (f"line 1: {says}",)


def test_a_pallet_that_was_taken_apart_holds_its_cases_no_more(world: World) -> None:
    received(world)
    assert inside(world, "P") == ["P", "K1", "K2", "K3"]
    apart = [
        line("pump", 4, location="A", container="P"),
        line("bolt", 6, location="A", container="P"),
    ]
    planned(world, document("UP", "unpacking", *apart))
    assert inside(world, "P") == ["P"]
    case = line("pump", 2, location="A", container="K1")
    assert {entry[3] for entry in moved(world, document("UC", "unpacking", case))} == {"K1?", "?"}
    assert held(world, "K1", ["A"], ()) == []
    assert len(held(world, "K2", ["A"], ())) == 2


def test_what_is_picked_out_of_a_case_is_in_it_no_more_and_loose_stock_goes_first(
    world: World,
) -> None:
    received(world)
    planned(world, document("G2", "goods_receipt", line("bolt", 3, price="1", location="A")))
    ship = document("SH", "sales_shipment", line("bolt", 5, price="2", location="A"))
    assert moved(world, ship) == [
        *(("A", "", FREE, "", "-3"), ("customer", "", FREE, "", "3")),
        *(("A", "", FREE, "K3", "-2"), ("customer", "", FREE, "", "2")),
    ]
    assert [piece.quantity for piece in held(world, "K3", ["A"], ())] == [4]


def test_what_is_promised_in_a_pallet_moves_only_for_its_order(world: World) -> None:
    received(world)
    order = line("bolt", 2)
    planned(world, document("SO", "sales_order", order, warehouse="W1", approved_by="boss"))
    carry = line("bolt", 6, location="A", to_location="B", container="K3")
    assert mistakes(world, document("RL", "relocation", carry)) == (
        "line 1: 2 of item bolt in K3 are allocated to SO: refer to it, or close it first",
    )
    moves = moved(world, document("RL", "relocation", carry, refers="SO"))
    assert ("B", "", "available allocated", "K3?", "2") in moves
    shipment = line("bolt", 2, price="1", location="B")
    assert moved(world, document("SH", "sales_shipment", shipment, refers="SO"))[0] == (
        *("B", "", "available allocated", "K3", "-2"),
    )


def test_a_pallet_travels_and_arrives_whole(world: World) -> None:
    received(world)
    out = line("pump", 4, location="A", container="P")
    planned(world, document("TO", "transfer_out", out))
    arrive = line("pump", 4, to_location="C", container="P")
    (one,) = planned(world, document("TI", "transfer_in", arrive, refers="TO"))
    assert [entry.item for entry in one.document.lines] == ["pump", "bolt"]
    assert {piece.key.location for piece in held(world, "P", ["A", "B", "C"], ())} == {"C"}


def test_nothing_is_received_into_a_pallet_that_stands_elsewhere(world: World) -> None:
    received(world)
    more = line("bolt", 1, price="1", location="B", container="P")
    assert mistakes(world, document("G2", "goods_receipt", more)) == (
        "line 1: P is at A: move it to B first",
    )


def test_an_unpacking_is_taken_back_only_while_what_it_left_loose_is_there(world: World) -> None:
    received(world)
    apart = line("bolt", 6, location="A", container="K3")
    planned(world, document("UP", "unpacking", apart))
    ship = document("SH", "sales_shipment", line("bolt", 4, price="1", location="A"))
    planned(world, ship)
    assert mistakes(world, document("R", "reversal", refers="UP")) == (
        "4 of item bolt at A that UP left loose lie in containers or are gone",
    )
    planned(
        world,
        document("R1", "reversal", refers="SH"),
        document("R2", "reversal", refers="UP"),
    )
    assert [piece.quantity for piece in held(world, "K3", ["A"], ())] == [6]


def test_a_pallet_whose_unpacking_was_taken_back_holds_its_cases_again(world: World) -> None:
    received(world)
    apart = [
        line("pump", 4, location="A", container="P"),
        line("bolt", 6, location="A", container="P"),
    ]
    planned(world, document("UP", "unpacking", *apart), document("R", "reversal", refers="UP"))
    assert inside(world, "P") == ["P", "K1", "K2", "K3"]


def test_a_receipt_into_a_container_is_not_taken_back_once_that_was_emptied(world: World) -> None:
    planned(
        world,
        document("GR", "goods_receipt", line("bolt", 5, price="1", location="A", container="X")),
        document("UP", "unpacking", line("bolt", 5, location="A", container="X")),
    )
    assert mistakes(world, document("R", "reversal", refers="GR")) == (
        "what GR put into X is not in it any more",
    )


def test_a_variance_inside_a_container_is_set_right_there(world: World) -> None:
    received(world)
    fewer = line("bolt", -2, location="A", container="K3")
    adjust = document("AD", "adjustment", fewer, approved_by="boss")
    assert moved(world, adjust)[0] == ("A", "", FREE, "K3", "-2")
    more = line("bolt", -5, location="A", container="K3")
    assert mistakes(world, document("A2", "adjustment", more, approved_by="boss")) == (
        "line 1: 4 each of item bolt are free at A in K3, 5 asked for: 1 are missing",
    )
    stray = line("pump", -1, location="A", container="K2", serials=("s1",))
    assert mistakes(world, document("A3", "adjustment", stray, approved_by="boss")) == (
        "line 1: serial s1 of item pump is not in K2",
    )
