"""MRP for any small world, against arithmetic on running totals that shares nothing with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.accounting import BillComponent, BillOfMaterials, Planning
from contracts.books import BookItem
from ledger_sink.core.mrp import Expected, Facts, Plan, Source, Stock, plan

TODAY = date(2026, 3, 2)
ITEMS = "ABCD"
"""Each may be made of those behind it."""
HORIZON = 40


def amount(least: int = 0, most: int = 40) -> st.SearchStrategy[Decimal]:
    return st.integers(least, most).map(Decimal)


DAYS = st.integers(-3, 20)
PLANNING = st.builds(
    Planning,
    safety_stock=amount(),
    lot_size=st.none() | amount(1, 15),
    lot_min=amount(0, 20),
    lead_time_days=st.integers(0, 6),
)
EXPECTED = st.tuples(st.sampled_from(ITEMS), amount(1), DAYS)
PART = st.tuples(st.sampled_from(ITEMS), st.integers(1, 4), st.sampled_from(["0", "0.1", "0.25"]))


@st.composite
def worlds(draw: st.DrawFn) -> Facts:
    """One warehouse, up to four levels."""
    bills = {}
    for place, item in enumerate(ITEMS[:-1]):
        below = ITEMS[place + 1 :]
        parts = {part[0]: part for part in draw(st.lists(PART, max_size=2)) if part[0] in below}
        if parts:
            bills[item] = BillOfMaterials(
                lot=draw(amount(1, 3)),
                components=tuple(
                    BillComponent(item=name, quantity=Decimal(number), scrap_rate=Decimal(rate))
                    for name, number, rate in parts.values()
                ),
            )
    return Facts(
        today=TODAY,
        items={item: BookItem(item=item) for item in ITEMS},
        planning={(item, ""): draw(PLANNING) for item in ITEMS},
        bills=bills,
        units={},
        stocks=[Stock(item, "w", draw(amount(-5, 60))) for item in ITEMS],
        supplies=said(draw(st.lists(EXPECTED, max_size=4)), "PO"),
        demands=said(draw(st.lists(EXPECTED, max_size=6)), "SO"),
    )


def said(rows: list[tuple[str, Decimal, int]], name: str) -> list[Expected]:
    return [
        Expected(f"{name}-{number}", item, "w", quantity, TODAY + timedelta(days=day))
        for number, (item, quantity, day) in enumerate(rows)
    ]


def totals(rows: list[Expected], item: str) -> list[int]:
    """What came or went by the end of each day; what is late comes today."""
    return [
        sum(
            int(row.quantity)
            for row in rows
            if row.item == item and max((row.day - TODAY).days if row.day else 0, 0) <= day
        )
        for day in range(HORIZON)
    ]


def brute_force(facts: Facts) -> dict[tuple[str, int], int]:
    """What is planned for each item and day, by running totals.

    On any day what is there, what comes by then (or before a new order could) and what is planned
    must make up all that went by then and the safety stock; what is missing is planned, in lots.
    """
    made: dict[tuple[str, int], int] = {}
    started: dict[str, list[int]] = defaultdict(lambda: [0] * HORIZON)
    for item in ITEMS:
        planning = facts.planning[item, ""]
        (stock,) = [int(one.free) for one in facts.stocks if one.item == item]
        came, went = totals(list(facts.supplies), item), totals(list(facts.demands), item)
        planned = 0
        for day in range(HORIZON):
            reach = max(day, planning.lead_time_days)
            needed = went[day] + sum(started[item][: day + 1]) + int(planning.safety_stock)
            missing = needed - stock - came[reach] - planned
            if missing <= 0:
                continue
            lot = int(planning.lot_size or 1)
            quantity = ceil(Fraction(max(missing, int(planning.lot_min)), lot)) * lot
            made[item, day] = quantity
            planned += quantity
            start = max(day - planning.lead_time_days, 0)
            for part in facts.bills[item].components if item in facts.bills else ():
                per = Fraction(part.quantity) * (1 + Fraction(part.scrap_rate))
                started[part.item][start] += ceil(quantity * per / Fraction(facts.bills[item].lot))
    return made


@settings(max_examples=300, deadline=None)
@given(facts=worlds())
def test_what_is_planned_is_what_running_totals_say(facts: Facts) -> None:
    made = plan(facts)
    assert {
        (order.item, (order.due - TODAY).days): int(order.quantity) for order in made.orders
    } == brute_force(facts)
    assert len(made.orders) == len(brute_force(facts))


@settings(max_examples=200, deadline=None)
@given(facts=worlds())
def test_stock_stays_above_its_safety_where_dates_allow_and_nothing_is_planned_without_a_need(
    facts: Facts,
) -> None:
    made = plan(facts)
    for item in ITEMS:
        planning = facts.planning[item, ""]
        for day in range(planning.lead_time_days, HORIZON):
            assert projected(facts, made, item, day) >= planning.safety_stock
    for order in made.orders:
        covered = sum(cover.quantity for cover in order.covers)
        assert 0 < covered <= order.quantity
        is_lot_for_lot = not facts.planning[order.item, ""].lot_min
        if is_lot_for_lot and facts.planning[order.item, ""].lot_size in {None, 1}:
            assert covered == order.quantity
        assert order.due - order.release == timedelta(
            days=facts.planning[order.item, ""].lead_time_days
        )
        assert bool(order.warnings) == (order.release < TODAY)
        assert order.kind is (Source.PRODUCTION if order.item in facts.bills else Source.PURCHASE)
    needs: Mapping[str, Decimal] = {one.document: one.quantity for one in facts.demands}
    covered_by: dict[str, Decimal] = defaultdict(Decimal)
    for order in made.orders:
        for cover in order.covers:
            covered_by[cover.need] += cover.quantity
    assert all(covered_by[need] <= quantity for need, quantity in needs.items())


def projected(facts: Facts, made: Plan, item: str, day: int) -> Decimal:
    """What is there at the end of a day, every receipt on its own day."""
    when = TODAY + timedelta(days=day)
    level = sum((one.free for one in facts.stocks if one.item == item), Decimal(0))
    level += sum(one.quantity for one in facts.supplies if one.item == item and late(one) <= when)
    level -= sum(one.quantity for one in facts.demands if one.item == item and late(one) <= when)
    for order in made.orders:
        if order.item == item and order.due <= when:
            level += order.quantity
        if order.kind is Source.PRODUCTION and max(order.release, TODAY) <= when:
            bill = facts.bills[order.item]
            for part in bill.components:
                if part.item == item:
                    per = Fraction(part.quantity) * (1 + Fraction(part.scrap_rate))
                    level -= ceil(Fraction(order.quantity) * per / Fraction(bill.lot))
    return level


def late(one: Expected) -> date:
    return max(one.day or TODAY, TODAY)


SHOP = st.fixed_dictionaries(
    {
        "stock": amount(0, 60),
        "safety": amount(0, 20),
        "lead": st.integers(0, 4),
        "comes": st.lists(st.tuples(amount(1), DAYS), max_size=3),
        "goes": st.lists(st.tuples(amount(1), DAYS), max_size=4),
    }
)


@settings(max_examples=300, deadline=None)
@given(shop=SHOP, store=SHOP)
def test_a_transfer_takes_no_more_than_the_sender_can_spare_and_no_less_than_is_needed(
    shop: Mapping[str, Any], store: Mapping[str, Any]
) -> None:
    """The sender plans for itself what it would plan alone, and buying starts where it ends."""
    alone = plan(two_warehouses(None, store))
    made = plan(two_warehouses(shop, store))
    own = [order for order in made.orders if order.warehouse == "store"]
    assert [(order.due, order.quantity) for order in own] == [
        (order.due, order.quantity) for order in alone.orders
    ]
    bought = plan(two_warehouses({**shop, "sender": ""}, store))
    by_day: dict[date, Decimal] = defaultdict(Decimal)
    for order in made.orders:
        if order.warehouse == "shop":
            by_day[order.due] += order.quantity
    assert by_day == {
        order.due: order.quantity for order in bought.orders if order.warehouse == "shop"
    }


def two_warehouses(shop: Mapping[str, Any] | None, store: Mapping[str, Any]) -> Facts:
    there = {"store": store, **({"shop": shop} if shop else {})}
    expected: dict[str, list[Expected]] = {"comes": [], "goes": []}
    for name, one in there.items():
        for way, rows in expected.items():
            rows += [
                Expected(f"{name} {way} {number}", "A", name, quantity, TODAY + timedelta(days=day))
                for number, (quantity, day) in enumerate(one[way])
            ]
    return Facts(
        today=TODAY,
        items={"A": BookItem(item="A")},
        planning={
            ("A", name): Planning(
                safety_stock=one["safety"],
                lead_time_days=one["lead"],
                from_warehouse=one.get("sender", "store") if name == "shop" else "",
            )
            for name, one in there.items()
        },
        bills={},
        units={},
        stocks=[Stock("A", name, one["stock"]) for name, one in there.items()],
        supplies=expected["comes"],
        demands=expected["goes"],
    )
