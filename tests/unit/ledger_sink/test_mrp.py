"""MRP against tables that were worked out by hand, and the refusals and warnings it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from contracts.accounting import BillComponent, BillOfMaterials, Planning, Unit, Units
from contracts.books import BookItem
from ledger_sink.core.mrp import (
    BELOW_ZERO,
    SAFETY_STOCK,
    UNUSABLE,
    Cover,
    Expected,
    Facts,
    Plan,
    PlannedOrder,
    PlanningLoopError,
    Stock,
    low_level_codes,
    plan,
)

TODAY = date(2026, 3, 2)
Row = tuple[str, str, str, int, int, int]
"""Kind, item, warehouse, quantity, day of release, day on which it is due; today is 0."""


def day(number: int) -> date:
    return TODAY + timedelta(days=number)


def facts(**given: Any) -> Facts:
    """A world in which nothing is there and nobody wants anything."""
    empty: dict[str, Any] = {
        "today": TODAY,
        "items": {name: BookItem(item=name) for name in "ABCDEX"},
        "planning": {},
        "bills": {},
        "units": {},
        "stocks": [],
        "supplies": [],
        "demands": [],
    }
    return Facts(**{**empty, **given})


def bill(parts: Mapping[str, str], lot: str = "1", **fields: Any) -> BillOfMaterials:
    return BillOfMaterials(
        lot=Decimal(lot),
        components=tuple(
            BillComponent(item=item, quantity=Decimal(quantity), **fields)
            for item, quantity in parts.items()
        ),
    )


def planning(**fields: Any) -> Planning:
    return Planning(
        **{
            name: Decimal(value) if isinstance(value, int) and "days" not in name else value
            for name, value in fields.items()
        }
    )


def wants(
    item: str, quantities: Mapping[int, int], warehouse: str = "", name: str = "SO"
) -> list[Expected]:
    return [
        Expected(f"{name}-{number}", item, warehouse, Decimal(quantity), day(number))
        for number, quantity in quantities.items()
    ]


def table(orders: Sequence[PlannedOrder]) -> list[Row]:
    return [
        (
            order.kind.value,
            order.item,
            order.warehouse,
            int(order.quantity),
            (order.release - TODAY).days,
            (order.due - TODAY).days,
        )
        for order in orders
    ]


def covers(made: Plan, place: int = 0) -> dict[str, int]:
    return {cover.need: int(cover.quantity) for cover in made.orders[place].covers}


def test_a_table_with_safety_stock_lots_a_lead_time_and_a_receipt() -> None:
    """The table, in pieces.

    Day:         0   1   2   3   4   5   6
    Gross:            20  10  15  25      30
    Receipts:                 30
    Planned:              30              30
    Projected:   35  15   35  50  25  25  25   (never under 10)
    """
    made = plan(
        facts(
            planning={("A", ""): planning(safety_stock=10, lot_size=30, lead_time_days=2)},
            stocks=[Stock("A", "w", Decimal(35))],
            supplies=[Expected("PO-1", "A", "w", Decimal(30), day(3))],
            demands=wants("A", {1: 20, 2: 10, 3: 15, 4: 25, 6: 30}),
        )
    )
    assert table(made.orders) == [("purchase", "A", "", 30, 0, 2), ("purchase", "A", "", 30, 4, 6)]
    assert made.warnings == ()
    assert covers(made, 0) == {"SO-2": 5, "SO-3": 15, "SO-4": 10}
    assert covers(made, 1) == {"SO-6": 15}


def test_a_part_that_stands_on_two_levels_is_netted_once_below_both() -> None:
    """A (10 there, 50 wanted on day 10) is 2 B and 3 C, a tenth of which is lost; B is 4 C.

    A: 40 due on 10, started on 8. B: 80 - 20 on 8, started on 5. C: 240 on 5, of which 100 are
    there, and 40 x 3 x 1.1 = 132 on 8.
    """
    made = plan(
        facts(
            bills={
                "A": BillOfMaterials(
                    components=(
                        BillComponent(item="B", quantity=Decimal(2)),
                        BillComponent(item="C", quantity=Decimal(3), scrap_rate=Decimal("0.1")),
                    )
                ),
                "B": bill({"C": "4"}),
            },
            planning={
                ("A", ""): planning(lead_time_days=2),
                ("B", ""): planning(lead_time_days=3),
                ("C", ""): planning(lead_time_days=5, supplier="S"),
            },
            stocks=[
                Stock("A", "w", Decimal(10)),
                Stock("B", "w", Decimal(20)),
                Stock("C", "w", Decimal(100)),
            ],
            demands=wants("A", {10: 50}),
        )
    )
    assert table(made.orders) == [
        ("production", "A", "", 40, 8, 10),
        ("production", "B", "", 60, 5, 8),
        ("purchase", "C", "", 140, 0, 5),
        ("purchase", "C", "", 132, 3, 8),
    ]
    assert covers(made, 0) == {"SO-10": 40}
    assert covers(made, 1) == {"planned-1": 60}
    assert covers(made, 2) == {"planned-2": 140}
    assert covers(made, 3) == {"planned-1": 132}
    assert [order.source for order in made.orders] == ["", "", "S", "S"]
    assert made.warnings == ()


def test_components_are_counted_in_their_units_by_the_lot_and_rounded_up_to_their_decimals() -> (
    None
):
    """A lot of 3 A takes half a drum of X, a drum is 200 litre: 10 A need 333.333... litre."""
    made = plan(
        facts(
            items={
                "A": BookItem(item="A"),
                "X": BookItem(item="X", base_unit="litre", decimals=2),
            },
            units={"X": Units(units=(Unit(unit="drum", contains=Decimal(200)),))},
            bills={"A": bill({"X": "0.5"}, lot="3", unit="drum")},
            demands=wants("A", {4: 10}),
        )
    )
    assert [str(order.quantity) for order in made.orders] == ["10", "333.34"]


def test_the_least_lot_is_one_order_for_all_that_is_short_on_a_day() -> None:
    demands = [
        *wants("A", {5: 7}, name="SO1"),
        *wants("A", {5: 6}, name="SO2"),
        *wants("A", {6: 2}),
    ]
    made = plan(facts(planning={("A", ""): planning(lot_min=10, lot_size=7)}, demands=demands))
    assert table(made.orders) == [("purchase", "A", "", 14, 5, 5), ("purchase", "A", "", 14, 6, 6)]
    assert covers(made, 0) == {"SO1-5": 7, "SO2-5": 6, "SO-6": 1}


def test_a_receipt_that_comes_before_a_new_order_could_is_hurried_not_ordered_again() -> None:
    made = plan(
        facts(
            planning={("A", ""): planning(safety_stock=20, lead_time_days=7)},
            stocks=[Stock("A", "w", Decimal(5))],
            supplies=[Expected("PO-1", "A", "w", Decimal(15), day(6))],
        )
    )
    assert made.orders == ()
    assert made.warnings == (
        f"PO-1 of item A is expected on {day(6)} and needed on {TODAY}: bring it forward",
    )


def test_what_had_to_be_ordered_before_today_is_told() -> None:
    made = plan(facts(planning={("A", ""): planning(lead_time_days=9)}, demands=wants("A", {4: 1})))
    assert table(made.orders) == [("purchase", "A", "", 1, -5, 4)]
    assert made.orders[0].warnings == (f"its release date {day(-5)} is in the past",)


def test_allocated_stock_serves_its_order_and_other_reserved_stock_the_earliest() -> None:
    """Twelve are reserved: 5 for the order of day 9; the other 7 serve that of day 3."""
    late = Expected("SO-9", "A", "w", Decimal(8), day(9), allocated=Decimal(5))
    made = plan(
        facts(
            planning={("A", ""): planning()},
            stocks=[Stock("A", "w", Decimal(0), Decimal(12))],
            demands=[late, *wants("A", {3: 10}, "w")],
        )
    )
    assert table(made.orders) == [("purchase", "A", "", 3, 3, 3), ("purchase", "A", "", 3, 9, 9)]


def test_what_is_below_zero_and_what_was_allocated_but_may_not_be_used_is_needed_today() -> None:
    made = plan(
        facts(
            planning={("A", ""): planning(safety_stock=2)},
            stocks=[Stock("A", "w", Decimal(-4))],
            demands=[Expected("SO-9", "A", "w", Decimal(3), day(9), allocated=Decimal(3))],
        )
    )
    assert table(made.orders) == [("purchase", "A", "", 9, 0, 0)]
    assert covers(made) == {SAFETY_STOCK: 2, BELOW_ZERO: 4, UNUSABLE: 3}


def test_another_warehouse_gives_what_its_future_leaves_above_its_safety_stock() -> None:
    """The store gives 25, so 5 are bought for the shop.

    The shop wants 30 on day 6, two days away. The store has 50 and 10 to come on day 3; it wants
    20 itself on day 9 and keeps 15.
    """
    made = plan(
        facts(
            planning={
                ("A", "shop"): planning(from_warehouse="store", lead_time_days=2, supplier="S"),
                ("A", "store"): planning(safety_stock=15),
            },
            stocks=[Stock("A", "store", Decimal(50))],
            supplies=[Expected("PO-1", "A", "store", Decimal(10), day(3))],
            demands=[*wants("A", {6: 30}, "shop"), *wants("A", {9: 20}, "store", "T")],
        )
    )
    assert table(made.orders) == [
        ("transfer", "A", "shop", 25, 4, 6),
        ("purchase", "A", "shop", 5, 4, 6),
    ]
    assert [order.source for order in made.orders] == ["store", "S"]
    assert made.orders[0].covers == (Cover("SO-6", Decimal(25)),)
    assert made.orders[1].covers == (Cover("SO-6", Decimal(5)),)


def test_of_warehouses_that_are_planned_together_the_named_one_gives_what_lies_in_it() -> None:
    made = plan(
        facts(
            planning={("A", "shop"): planning(from_warehouse="store"), ("A", ""): planning()},
            stocks=[Stock("A", "store", Decimal(4)), Stock("A", "far", Decimal(90))],
            demands=wants("A", {6: 10}, "shop"),
        )
    )
    assert [row[:4] for row in table(made.orders)] == [
        ("transfer", "A", "shop", 4),
        ("purchase", "A", "shop", 6),
    ]


def test_a_demand_without_a_day_is_for_today_and_a_receipt_without_one_comes_when_needed() -> None:
    made = plan(
        facts(
            planning={("A", ""): planning()},
            supplies=[Expected("PO-1", "A", "w", Decimal(2), None)],
            demands=[Expected("SO-1", "A", "w", Decimal(5), None)],
        )
    )
    assert table(made.orders) == [("purchase", "A", "", 3, 0, 0)]
    assert made.warnings == ("PO-1 of item A has no day: it is taken to come when needed",)


def test_an_item_without_planning_and_a_component_that_is_not_known_are_told() -> None:
    made = plan(facts(bills={"A": bill({"nut": "1"})}, demands=wants("A", {6: 1})))
    assert table(made.orders) == [("production", "A", "", 1, 6, 6)]
    assert made.warnings == (
        "item A has no planning: no lead time, no lots",
        "component nut of planned-1 (A): it is not known",
    )


def test_a_bill_of_materials_in_a_circle_is_named() -> None:
    bills = {
        "X": bill({"B": "1"}),
        "A": bill({"B": "1"}),
        "B": bill({"C": "1"}),
        "C": bill({"A": "1"}),
    }
    with pytest.raises(
        PlanningLoopError, match=r"^bills of materials go in a circle: A -> B -> C -> A$"
    ):
        plan(facts(bills=bills))


def test_an_item_of_itself_is_named() -> None:
    with pytest.raises(PlanningLoopError, match=r"circle: A -> A$"):
        plan(facts(bills={"A": bill({"A": "1", "B": "1"})}))


def test_warehouses_that_wait_for_each_other_are_named() -> None:
    with pytest.raises(
        PlanningLoopError, match=r"^transfers of item A go in a circle: east -> west -> east$"
    ):
        plan(
            facts(
                planning={
                    ("A", "east"): planning(from_warehouse="west"),
                    ("A", "west"): planning(from_warehouse="east"),
                }
            )
        )


def test_low_level_codes_are_the_longest_way_from_the_top() -> None:
    uses = {"A": {"B", "D"}, "B": {"C"}, "C": {"D"}, "E": {"C"}}
    assert low_level_codes(uses, "") == {"A": 0, "B": 1, "C": 2, "D": 3, "E": 0}
