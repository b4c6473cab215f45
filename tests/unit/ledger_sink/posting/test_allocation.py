"""Which stock goes out, and what is promised to whom."""

from __future__ import annotations

import pytest

from contracts.documents import Document
from ledger_sink.core.posting.plan import released
from ledger_sink.core.posting.world import World
from tests.support.document_books import NOW_US, document, line
from tests.unit.ledger_sink.posting.worlds import a_world, mistakes, moved, planned, snapshot

FREE, PROMISED = "available", "available allocated"


def receipt(id_: str, *lines: object, **fields: object) -> Document:
    return document(id_, "goods_receipt", *lines, **fields)  # type: ignore[arg-type]


def order(id_: str, quantity: int, item: str = "bolt", **fields: object) -> Document:
    return document(id_, "sales_order", line(item, quantity, **fields), warehouse="W1",
                    approved_by="boss")  # fmt: skip


def ship(
    id_: str, quantity: int, item: str = "bolt", refers: str = "", **fields: object
) -> Document:
    one = line(item, quantity, price="9", **fields)
    return document(id_, "sales_shipment", one, warehouse="W1", refers=refers)


@pytest.fixture
def world() -> World:
    made = a_world()
    planned(
        made,
        receipt("G1", line("bolt", 10, price="2", location="B")),
        receipt("G2", line("bolt", 10, price="2", location="A")),
        receipt("G3", line("drug", 5, price="2", location="A", batch="late")),
        receipt("G4", line("drug", 5, price="2", location="B", batch="soon")),
        receipt("G5", line("drug", 5, price="2", location="A", batch="old")),
        receipt("G6", line("drug", 5, price="2", location="A", batch="undated")),
    )
    return made


def test_what_expires_first_goes_out_first_then_what_came_first(world: World) -> None:
    assert [entry[:2] for entry in moved(world, ship("S1", 11, "drug"))][::2] == [
        *(("B", "soon"), ("A", "late"), ("A", "undated"))
    ]
    assert [entry[0] for entry in moved(world, ship("S2", 12))][::2] == ["B", "A"]


def test_what_has_expired_goes_out_only_where_it_is_named(world: World) -> None:
    assert mistakes(world, ship("S1", 16, "drug")) == (
        (
            "line 1: 15 each of item drug are free at A, B, 16 asked for: 1 are missing"
            " (5 of expired batch old: name it to take it)"
        ),
    )
    assert moved(world, ship("S2", 5, "drug", batch="old"))[0][1] == "old"


def test_an_order_is_promised_stock_that_no_other_gets(world: World) -> None:
    assert moved(world, order("SO1", 15)) == [
        *(("B", "", FREE, "", "-10"), ("B", "", PROMISED, "", "10")),
        *(("A", "", FREE, "", "-5"), ("A", "", PROMISED, "", "5")),
    ]
    assert mistakes(world, order("SO2", 6)) == (
        (
            "line 1: 5 each of item bolt are free at A, B, 6 asked for: 1 are missing"
            " (15 allocated to SO1)"
        ),
    )
    assert "15 allocated to SO1" in mistakes(world, ship("S1", 6))[0]
    planned(world, order("SO2", 5))


def test_a_shipment_takes_first_what_its_order_was_promised(world: World) -> None:
    planned(world, order("SO1", 15))
    assert moved(world, ship("S1", 12, refers="SO1")) == [
        *(("B", "", PROMISED, "", "-10"), ("customer", "", FREE, "", "10")),
        *(("A", "", PROMISED, "", "-2"), ("customer", "", FREE, "", "2")),
    ]
    # More than was ordered was shipped all the same, and nothing stays promised.
    assert moved(world, ship("S2", 5, refers="SO1")) == [
        *(("A", "", PROMISED, "", "-3"), ("customer", "", FREE, "", "3")),
        *(("A", "", FREE, "", "-2"), ("customer", "", FREE, "", "2")),
    ]
    assert not [key for key, held in world.allocations["SO1"].items() if held]


def test_another_batch_than_the_promised_one_sets_that_free(world: World) -> None:
    planned(world, order("SO1", 5, "drug"))
    assert moved(world, ship("S1", 5, "drug", refers="SO1", batch="undated")) == [
        *(("A", "undated", FREE, "", "-5"), ("customer", "undated", FREE, "", "5")),
        *(("B", "soon", PROMISED, "", "-5"), ("B", "soon", FREE, "", "5")),
    ]


def test_a_closed_order_sets_its_stock_free_and_is_opened_by_a_reversal(world: World) -> None:
    planned(world, order("SO1", 15), ship("S1", 12, refers="SO1"))
    before = snapshot(world)
    closing = document("OC", "order_closed", refers="SO1")
    assert moved(world, closing) == [
        ("A", "", PROMISED, "", "-3"),
        ("A", "", FREE, "", "3"),
    ]
    assert mistakes(world, document("OC2", "order_closed", refers="SO1")) == (
        "order SO1 was closed by OC",
    )
    planned(world, document("R", "reversal", refers="OC"))
    assert snapshot(world)[:3] == before[:3]  # type: ignore[index]


def test_what_is_promised_beyond_its_time_is_released_once(world: World) -> None:
    planned(world, order("SO1", 15))
    movement = released(world, "SO1", 1, NOW_US)
    assert movement is not None
    assert (movement.id, movement.document) == ("SO1/released/1", "SO1")
    world.apply(movement.postings, "SO1")
    assert released(world, "SO1", 2, NOW_US) is None
    assert moved(world, ship("S1", 20))[0] == ("B", "", FREE, "", "-10")


def test_pieces_are_promised_by_number_and_another_one_may_be_shipped(world: World) -> None:
    numbers = {"serials": ("s1", "s2", "s3"), "location": "A", "price": "5"}
    planned(world, receipt("GP", line("pump", 3, **numbers)), order("SO1", 2, "pump"))
    assert [key.serial for key in world.allocations["SO1"]] == ["s1", "s2"]
    assert mistakes(world, ship("S0", 1, "pump", serials=("s1",))) == (
        "line 1: serial s1 of item pump is allocated to SO1",
    )
    assert moved(world, ship("S1", 1, "pump", refers="SO1", serials=("s3",))) == [
        *(("A", "s3", FREE, "", "-1"), ("customer", "s3", FREE, "", "1")),
        *(("A", "s2", PROMISED, "", "-1"), ("A", "s2", FREE, "", "1")),
    ]


def test_our_stock_and_an_owners_never_fill_in_for_each_other(world: World) -> None:
    planned(world, receipt("GO", line("bolt", 7, owner="ACME", location="A")))
    assert "7 of owner ACME" in mistakes(world, ship("S1", 21))[0]
    assert "20 of our own" in mistakes(world, ship("S2", 8, owner="ACME"))[0]
    planned(world, ship("S3", 7, owner="ACME"), ship("S4", 20))


def test_nothing_is_promised_that_is_not_there(world: World) -> None:
    assert "2 are missing" in mistakes(world, order("SO1", 22))[0]
    assert "4 of item sand are missing" in mistakes(world, order("SO2", 4, "sand"))[0]


def test_lines_of_one_item_share_what_is_shipped(world: World) -> None:
    lines = [line("bolt", 5), line("bolt", 5)]
    two = document("SO1", "sales_order", *lines, warehouse="W1", approved_by="boss")
    planned(world, two, ship("S1", 8, refers="SO1"))
    assert sum(world.allocations["SO1"].values()) == 2
    (one,) = planned(world, ship("S2", 2, refers="SO1"))
    assert one.document.lines[0].order_line == 2
    assert sum(world.allocations["SO1"].values()) == 0


def test_a_shipment_without_a_place_takes_that_of_its_order(world: World) -> None:
    planned(world, order("SO1", 5))
    one = line("bolt", 5, price="9")
    assert moved(world, document("S1", "sales_shipment", one, refers="SO1"))[0][0] == "B"
