"""Reports of what is to come: what to order again, what to plan, and what expires."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

from ledger_sink import analysis, reports
from ledger_sink.core.mrp import (
    BELOW_ZERO,
    SAFETY_STOCK,
    UNUSABLE,
    Caution,
    Cover,
    PlanningLoopError,
)
from tallygate.errors import TallygateError
from tallygate.report_books import ZERO, Asked, Desk, open_desk, show
from tallygate.report_table import Cell, Column, Form, Output, Report
from tallygate.words import word

Area = tuple[str, str]
"""An item and a warehouse; empty: all that have no plan of their own."""
NEEDS = {
    SAFETY_STOCK: "for_safety_stock",
    BELOW_ZERO: "for_stock_below_zero",
    UNUSABLE: "for_unusable",
}
"""Needs that no document has, and their words."""
LINE = " line "
"""Between a document and the number of its line."""


def run_reorder(asked: Asked, item: str) -> int:
    """When to order again."""
    numbers = ("on_hand", "free", "reserved", "promise", "supply", "demand", "position")
    points = ("reorder_point", "safety_stock", "daily_use", "lead_time_days", "suggested")
    going = {"reserved": 3, "position": 4, "safety_stock": 5}
    hidden = {"free", "daily_use", "lead_time_days", "demand"}
    columns = (
        Column("item"),
        Column("name", leaves=1, shrinks=True),
        Column("area"),
        *(
            Column(name, Form.NUMBER, name not in hidden, going.get(name, 0))
            for name in (*numbers, *points)
        ),
        Column("how", Form.WORD, leaves=2),
        Column("source"),
    )
    with open_desk(asked) as desk:
        names = reports.item_names(desk.ledger)
        today = desk.today()
        found = analysis.reorder(desk.ledger, today, desk.zone.key)
        areas = {(row.item, row.area) for row in found}
        on_hand, promise = _by_area(desk, today, areas)
        rows: list[tuple[Cell, ...]] = []
        for row in found:
            if item in {"", row.item}:
                area = (row.item, row.area)
                there = (on_hand[area], row.free, row.reserved, promise[area])
                coming = (row.supply, row.demand, row.stock_position, row.reorder_point)
                use = (row.safety_stock, row.daily_use, row.lead_time_days)
                head = (row.item, desk.name(names, row.item), row.area)
                rows.append((*head, *there, *coming, *use, row.suggested, row.how, row.source))
        return show(asked, desk, [Report("report_reorder", columns, rows)])


def _by_area(
    desk: Desk, today: date, areas: set[Area]
) -> tuple[Mapping[Area, Decimal], Mapping[Area, Decimal]]:
    """What is on hand and what may be promised today, of each item in each of its plan's areas."""

    def area_of(item: str, warehouse: str) -> Area:
        return (item, warehouse if (item, warehouse) in areas else "")

    on_hand: defaultdict[Area, Decimal] = defaultdict(Decimal)
    promise: defaultdict[Area, Decimal] = defaultdict(Decimal)
    for there in analysis.available(desk.ledger, today):
        on_hand[area_of(there.item, there.warehouse)] += there.on_hand
    for one in analysis.available_to_promise(desk.ledger, today, desk.zone.key):
        if one.day == today:
            promise[area_of(one.item, one.warehouse)] += one.promise
    return on_hand, promise


def run_plan(asked: Asked, item: str) -> int:
    """What to buy, to make and to move so that every demand is met."""
    columns = (
        Column("order"),
        Column("how", Form.WORD),
        Column("item"),
        Column("name", leaves=1, shrinks=True),
        Column("area"),
        Column("quantity", Form.NUMBER),
        Column("unit", leaves=2),
        Column("release"),
        Column("due"),
        Column("source", leaves=4),
        Column("covers", leaves=3, shrinks=True),
        Column("warning", leaves=5),
    )
    with open_desk(asked) as desk:
        names = reports.item_names(desk.ledger)
        try:
            plan = analysis.plan_materials(desk.ledger, desk.today(), desk.zone.key)
        except PlanningLoopError as error:
            raise TallygateError(
                f"there is no plan: {error}. Change a bill of materials or `from_warehouse` in the"
                " planning of one of them, and post it."
            ) from error
        spoken = desk.spoken if asked.output is Output.TABLE else ""
        rows: list[tuple[Cell, ...]] = [
            (
                *(order.id, order.kind.value, order.item, desk.name(names, order.item)),
                *(order.warehouse, order.quantity, _unit(names, order.item)),
                *(order.release.isoformat(), order.due.isoformat(), order.source),
                *(_covered(order.covers, spoken), "; ".join(_told(order.cautions, spoken))),
            )
            for order in plan.orders
            if item in {"", order.item}
        ]
        notes = _told((one for one in plan.cautions if not item or item in one.values), spoken)
        if asked.output is not Output.TABLE:
            # Standard output is the report's.
            sys.stderr.writelines(f"{note}\n" for note in notes)
        if not plan.orders:
            notes = (word("every_need_is_met", spoken or "en"), *notes)
        return show(asked, desk, [Report("report_plan", columns, rows, notes=notes)])


def _unit(names: Mapping[str, reports.Name], item: str) -> str:
    """An item's base unit."""
    return names[item].unit if item in names else ""


def _told(cautions: Iterable[Caution], spoken: str) -> tuple[str, ...]:
    """Cautions in a language; none: for programs."""
    if not spoken:
        return tuple(caution.text() for caution in cautions)
    return tuple(
        word(
            f"worry_{caution.worry.name.lower()}",
            spoken,
            *(_need(value, spoken) for value in caution.values),
        )
        for caution in cautions
    )


def _covered(covers: tuple[Cover, ...], spoken: str) -> str:
    """What a planned order is for."""
    return ", ".join(
        f"{_need(cover.need, spoken)}: {cover.quantity.normalize():f}" for cover in covers
    )


def _need(need: str, spoken: str) -> str:
    """A need in a language: a document with its line, or what no document has."""
    if not spoken:
        return need
    if need in NEEDS:
        return word(NEEDS[need], spoken)
    document, between, line = need.rpartition(LINE)
    return word("for_line", spoken, document, line) if between and line.isdecimal() else need


def run_expiry(asked: Asked, on: date | None, item: str, warehouse: str) -> int:
    """What is past its last day, or near it."""
    columns = (
        Column("item"),
        Column("name", leaves=1, shrinks=True),
        Column("batch"),
        Column("expires_on"),
        Column("days_left", Form.NUMBER),
        Column("state", Form.WORD),
        Column("area", leaves=2),
        Column("location"),
        Column("disposition", Form.WORD, leaves=4),
        Column("reservation", Form.WORD),
        Column("owner"),
        Column("quantity", Form.NUMBER),
        Column("unit", leaves=3),
        Column("value", Form.AMOUNT),
    )
    with open_desk(asked) as desk:
        names = reports.item_names(desk.ledger)
        found = [
            row
            for row in analysis.expiry(desk.ledger, on or desk.today())
            if item in {"", row.item} and warehouse in {"", row.warehouse}
        ]
        rows: list[tuple[Cell, ...]] = [
            (
                *(row.item, desk.name(names, row.item), row.batch, row.expires_on.isoformat()),
                *(row.days_left, row.state, row.warehouse, row.location, row.disposition),
                *(row.reservation, row.owner, row.quantity, _unit(names, row.item), row.value),
            )
            for row in found
        ]
        value = sum((row.value or ZERO for row in found), ZERO)
        return show(asked, desk, [Report("report_expiry", columns, rows, {"value": value})])
