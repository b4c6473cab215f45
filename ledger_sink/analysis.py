"""Analysis: stock and its age, orders and what may be promised, variances, accounts, planning.

Read only, typed; the role `ledger_reader` is enough. The figures are worked out in SQL, for boards
and console alike; docs/analysis.md defines them. Quantities are in base units, values in base
currency, times in microseconds of domain time; days are days of a time zone that the caller names.
A value is None where stock is not ours or its item is not valued.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from contracts.accounting import BillOfMaterials, Planning, Units
from contracts.books import BookItem, Negative, Tracking
from ledger_sink.core.mrp import Expected, Facts, Plan, Stock, plan
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.sql import queries

QUERIES = queries("analysis")


class StockRow(NamedTuple):
    """Stock of one state in one place; serial numbers are summed."""

    item: str
    warehouse: str
    location: str
    batch: str
    disposition: str
    reservation: str
    owner: str
    quantity: Decimal
    value: Decimal | None


class LayerRow(NamedTuple):
    """What is left of what came in at one time."""

    item: str
    warehouse: str | None
    """None: of the whole house."""
    owner: str
    came_us: int
    days: int
    quantity: Decimal
    value: Decimal | None
    last_issue_us: int | None


class AgeingRow(NamedTuple):
    """The age of an item's stock."""

    item: str
    warehouse: str | None
    """None: of the whole house."""
    owner: str
    quantity: Decimal
    value: Decimal | None
    quantities: list[Decimal]
    """Up to 30 days old, 60, 90, 180, 365, older."""
    values: list[Decimal | None]
    """The same bands; None: nothing in it, or not valued."""
    oldest_us: int
    last_issue_us: int | None
    idle_days: int
    alert: str
    """`slow`, `dead` or nothing."""


class ExpiryRow(NamedTuple):
    """Stock of a batch that is past its last day, or near it."""

    item: str
    batch: str
    expires_on: date
    days_left: int
    state: str
    """`expired` or `expiring`."""
    warehouse: str
    location: str
    disposition: str
    reservation: str
    owner: str
    quantity: Decimal
    value: Decimal | None


class OrderRow(NamedTuple):
    """A line with something open."""

    document: str
    line: int
    kind: str
    item: str
    party: str
    warehouse: str
    to_warehouse: str
    due_us: int
    """0: not said."""
    ordered: Decimal
    brought: Decimal
    open: Decimal
    covered: Decimal
    """Of a purchase order: how much of what is open shipping notices stand for."""


class ExpectedRow(NamedTuple):
    """What is expected to come or to go."""

    direction: str
    """`supply` or `demand`."""
    source: str
    """The kind of document."""
    document: str
    line: int
    item: str
    warehouse: str
    due_us: int
    quantity: Decimal
    allocated: Decimal


class AvailableRow(NamedTuple):
    """What is there, by what it may be used for."""

    item: str
    warehouse: str
    on_hand: Decimal
    free: Decimal
    reserved: Decimal
    blocked: Decimal


class PromiseRow(NamedTuple):
    """What may be promised for a day."""

    item: str
    warehouse: str
    day: date
    supply: Decimal
    demand: Decimal
    projected: Decimal
    promise: Decimal


class ReorderRow(NamedTuple):
    """When to order again, for one row of planning."""

    item: str
    area: str
    """A warehouse; empty: all that have no row of their own."""
    daily_use: Decimal
    deviation: Decimal
    lead_time_days: int
    safety_stock: Decimal
    reorder_point: Decimal
    free: Decimal
    reserved: Decimal
    supply: Decimal
    demand: Decimal
    stock_position: Decimal
    suggested: Decimal
    """0: nothing to do."""
    how: str
    """`purchase`, `production` or `transfer`."""
    source: str
    """The supplier or the warehouse."""


class VarianceLine(NamedTuple):
    """One line of an adjustment."""

    document: str
    line: int
    happened_us: int
    item: str
    warehouse: str
    location: str
    batch: str
    owner: str
    person: str
    department: str
    cause: str
    quantity: Decimal
    value: Decimal | None
    book_quantity: Decimal
    book_value: Decimal | None


class By(StrEnum):
    """What variances are summed by."""

    ALL = "all"
    DAY = "day"
    MONTH = "month"
    CAUSE = "cause"
    ITEM = "item"
    WAREHOUSE = "warehouse"
    DEPARTMENT = "department"
    PERSON = "person"


class VarianceSum(NamedTuple):
    """Variances of one subject."""

    subject: str
    documents: int
    lines: int
    lines_off: int
    value_off: Decimal
    """Sum of absolute values."""
    net_value: Decimal
    book_value: Decimal
    rate: Decimal | None
    """Value off over book value; None: nothing has a book value."""


class AccountRow(NamedTuple):
    """What stands in an account."""

    account: str
    is_proposal: bool
    debit: Decimal
    credit: Decimal
    balance: Decimal
    """Debit less credit."""


class AccountItem(NamedTuple):
    """What stands in an account for an item."""

    item: str
    debit: Decimal
    credit: Decimal
    balance: Decimal


def stock(ledger: PostgresLedger) -> list[StockRow]:
    """The present stock of all warehouses."""
    return [StockRow(*row) for row in _rows(ledger, "stock")]


def stock_recorded(ledger: PostgresLedger, at_us: int) -> list[StockRow]:
    """The stock as it was recorded by an instant."""
    return [StockRow(*row) for row in _rows(ledger, "stock_recorded", at_us=at_us)]


def ageing_layers(ledger: PostgresLedger, at_us: int, item: str | None = None) -> list[LayerRow]:
    """What is left of what came in, oldest first; None: of all items."""
    return [LayerRow(*row) for row in _rows(ledger, "ageing_layers", at_us=at_us, item=item)]


def ageing(ledger: PostgresLedger, at_us: int, item: str | None = None) -> list[AgeingRow]:
    """The age of stock in bands, with slow and dead stock; None: of all items."""
    return [AgeingRow(*row) for row in _rows(ledger, "ageing", at_us=at_us, item=item)]


def expiry(ledger: PostgresLedger, today: date) -> list[ExpiryRow]:
    """Batches past their last day or near it, the first to expire first."""
    return [ExpiryRow(*row) for row in _rows(ledger, "expiry", today=today)]


def open_orders(ledger: PostgresLedger) -> list[OrderRow]:
    """Order lines with something open, in order of recording."""
    return [OrderRow(*row) for row in _rows(ledger, "open_orders")]


def supply_and_demand(ledger: PostgresLedger) -> list[ExpectedRow]:
    """What is expected to come and to go."""
    return [ExpectedRow(*row) for row in _rows(ledger, "supply_and_demand")]


def available(ledger: PostgresLedger, today: date) -> list[AvailableRow]:
    """What is there of each item in each warehouse, by what it may be used for."""
    return [AvailableRow(*row) for row in _rows(ledger, "available", today=today)]


def available_to_promise(
    ledger: PostgresLedger, today: date, zone: str = "UTC"
) -> list[PromiseRow]:
    """What may be promised today, and on each day on which something comes or goes."""
    rows = _rows(ledger, "available_to_promise", today=today, zone=zone)
    return [PromiseRow(*row) for row in rows]


def reorder(ledger: PostgresLedger, today: date, zone: str = "UTC") -> list[ReorderRow]:
    """When to order again and how much, for each row of planning."""
    return [ReorderRow(*row) for row in _rows(ledger, "reorder", today=today, zone=zone)]


def variance_lines(ledger: PostgresLedger, since_us: int, until_us: int) -> list[VarianceLine]:
    """Variances that happened in a span of time; its end is outside."""
    rows = _rows(ledger, "variance_lines", since_us=since_us, until_us=until_us)
    return [VarianceLine(*row) for row in rows]


def variance_by(
    ledger: PostgresLedger, since_us: int, until_us: int, by: By, zone: str = "UTC"
) -> list[VarianceSum]:
    """The same summed by something, the greatest value first."""
    span = {"since_us": since_us, "until_us": until_us}
    rows = _rows(ledger, "variance_by", by_what=by.value, zone=zone, **span)
    return [VarianceSum(*row) for row in rows]


def trial_balance(ledger: PostgresLedger, at_us: int) -> list[AccountRow]:
    """What stands in each account, as it was recorded by an instant."""
    return [AccountRow(*row) for row in _rows(ledger, "trial_balance", at_us=at_us)]


def account_balance(ledger: PostgresLedger, account: str, at_us: int) -> list[AccountItem]:
    """What stands in one account for each item, as it was recorded by an instant."""
    rows = _rows(ledger, "account_balance", account=account, at_us=at_us)
    return [AccountItem(*row) for row in rows]


def plan_materials(ledger: PostgresLedger, today: date, zone: str = "UTC") -> Plan:
    """Material requirements planning over the present books.

    Raises `ledger_sink.core.mrp.PlanningLoopError`, which names what goes in a circle.
    """
    return plan(facts(ledger, today, zone))


def facts(ledger: PostgresLedger, today: date, zone: str = "UTC") -> Facts:
    """What planning starts from, in one snapshot."""
    with ledger.transaction():
        ledger.connection.execute("set transaction isolation level repeatable read, read only")
        expected = _rows(ledger, "expected_days", zone=zone)
        recipes = _rows(ledger, "recipes")
        return Facts(
            today=today,
            items={
                row[0]: BookItem(
                    item=row[0],
                    base_unit=row[1],
                    decimals=row[2],
                    tracking=Tracking(row[3]),
                    negative=Negative(row[4]),
                )
                for row in _rows(ledger, "items")
            },
            planning={
                (item, warehouse): Planning.model_validate_json(body)
                for item, warehouse, body in _rows(ledger, "planning")
            },
            bills={
                key: BillOfMaterials.model_validate_json(body)
                for what, key, body in recipes
                if what == "bill_of_materials"
            },
            units={
                key: Units.model_validate_json(body)
                for what, key, body in recipes
                if what == "units"
            },
            stocks=[
                Stock(row.item, row.warehouse, row.free, row.reserved)
                for row in available(ledger, today)
            ],
            supplies=[Expected(*row[1:]) for row in expected if row[0] == "supply"],
            demands=[Expected(*row[1:]) for row in expected if row[0] == "demand"],
        )


def _rows(ledger: PostgresLedger, query: str, **values: Any) -> list[tuple[Any, ...]]:
    return ledger.connection.execute(QUERIES[query], {"site": ledger.site, **values}).fetchall()
