"""The reports of the sample company once more, from the oracle's books."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal, localcontext
from typing import Any, NamedTuple

from tests.support.company_oracle import CompanyOracle
from tests.support.oracle_base import HOUSE, ZERO, Move, cents

ROOT_DIGITS = 40
BANDS = (30, 60, 90, 180)
STOCK_ACCOUNTS = ("1403", "1405.01", "1405.02")
Flow = tuple[int, datetime, Decimal, bool]
"""Order of recording, when, by how much, and whether it was an issue."""


def cut(value: Decimal, upto: Decimal, before: Decimal, whole: Decimal) -> Decimal:
    """The share between two running totals, so that all shares sum to the value."""
    with localcontext(prec=60):
        return cents(value * upto / whole) - cents(value * before / whole)


def rounded_up(amount: Decimal, decimals: int) -> Decimal:
    """Never less than it was."""
    return amount.quantize(Decimal(1).scaleb(-decimals), ROUND_CEILING)


def stock(oracle: CompanyOracle) -> dict[tuple[str, ...], tuple[Decimal, Decimal | None]]:
    """Item, location, batch, disposition, reservation, owner to quantity and value."""
    held: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for key, quantity in oracle.balances.items():
        if oracle.places[key.location]["kind"] in (*HOUSE, "in_transit"):
            state = (key.disposition, key.reservation, key.owner)
            held[key.item, key.location, key.batch, *state] += quantity
    found: dict[tuple[str, ...], tuple[Decimal, Decimal | None]] = {}
    running: dict[str, Decimal] = defaultdict(Decimal)
    for row in sorted(held):
        quantity, item = held[row], row[0]
        if not quantity:
            continue
        value = None
        if not row[5] and item in oracle.worths:
            worth, before = oracle.worths[item], running[item]
            running[item] += quantity
            value = cut(worth.value, running[item], before, worth.quantity)
        found[row] = (quantity, value)
    return found


class Age(NamedTuple):
    """How old an item's stock is."""

    quantity: Decimal
    value: Decimal | None
    quantities: list[Decimal]
    values: list[Decimal]
    idle_days: int
    alert: str


def flows(oracle: CompanyOracle, item: str, owner: str) -> list[Flow]:
    """By how much each document changed the item's stock in the house and in transit."""
    names = list(oracle.documents)
    undone = {one.taken_back for one in oracle.moves if one.taken_back}
    by_document: dict[int, list[Move]] = defaultdict(list)
    for one in oracle.moves:
        is_undone = one.taken_back or names[one.document] in undone
        if (one.key.item, one.key.owner) == (item, owner) and not is_undone:
            by_document[one.document].append(one)
    found = []
    for document, moves in by_document.items():
        change, used = ZERO, ZERO
        for one in moves:
            kind = oracle.places[one.key.location]["kind"]
            change += one.quantity if kind in (*HOUSE, "in_transit") else ZERO
            used += one.quantity if kind in {"customer", "production"} else ZERO
        if change:
            found.append((document, moves[0].happened, change, change < 0 < used))
    return found


def ageing(oracle: CompanyOracle, at: datetime) -> dict[tuple[str, str], Age]:
    """Item and owner to the age of what is there."""
    owners = {(key.item, key.owner) for key in oracle.balances}
    found = {}
    for item, owner in sorted(owners):
        age = _age(oracle, item, owner, at)
        if age is not None:
            found[item, owner] = age
    return found


def _age(oracle: CompanyOracle, item: str, owner: str, at: datetime) -> Age | None:
    moved = flows(oracle, item, owner)
    held = sum((change for _, _, change, _ in moved), ZERO)
    if held <= 0:
        return None
    worth = oracle.worths.get(item) if not owner else None
    bands, values, before = [ZERO] * 5, [ZERO] * 5, ZERO
    oldest = at
    came = sorted((when, place, change) for place, when, change, _ in moved if change > 0)
    for when, _, change in reversed(came):
        reach = min(before + change, held)
        if reach == before:
            break
        days, oldest = (at - when).days, when
        band = next((n for n, most in enumerate(BANDS) if days <= most), 4)
        bands[band] += reach - before
        if worth is not None:
            values[band] += cut(worth.value, reach, before, worth.quantity)
        before = reach
    issues = [when for _, when, _, is_issue in moved if is_issue]
    idle = (at - max([*issues, oldest])).days
    plan = oracle.items[item].get("planning", {})
    alert = "slow" if idle >= plan.get("slow_after_days", 90) else ""
    alert = "dead" if idle >= plan.get("dead_after_days", 180) else alert
    value = None if worth is None else worth.value
    return Age(held, value, bands, values, idle, alert)


class Off(NamedTuple):
    """Variances of one subject."""

    documents: int
    lines: int
    value_off: Decimal
    net: Decimal
    book: Decimal


def variance(oracle: CompanyOracle, by: str) -> dict[str, Off]:
    """Cause, item or person to what counts found; by `all`: one subject without a name."""
    undone = {one["refers"] for one in oracle.documents.values() if one["kind"] == "reversal"}
    found: dict[str, list[tuple[str, Decimal, Decimal]]] = defaultdict(list)
    for name, document in oracle.documents.items():
        if document["kind"] != "adjustment" or name in undone:
            continue
        for number, line in enumerate(document["lines"], start=1):
            item = line["item"]
            value = sum(
                one.amount
                for one in oracle.booked
                if (one.document, one.item) == (name, item) and one.account in STOCK_ACCOUNTS
            )
            price = oracle.prices_before[name][item]
            book = cents(oracle.books_before[name, number] * price)
            subjects = {
                "all": "",
                "cause": line.get("reason") or "unknown",
                "item": item,
                "person": document.get("person", ""),
            }
            found[subjects[by]].append((name, Decimal(value), book))
    return {
        subject: Off(
            documents=len({name for name, _, _ in lines}),
            lines=len(lines),
            value_off=sum((abs(value) for _, value, _ in lines), ZERO),
            net=sum((value for _, value, _ in lines), ZERO),
            book=sum((abs(book) for _, _, book in lines), ZERO),
        )
        for subject, lines in found.items()
    }


class Order(NamedTuple):
    """What to order of an item."""

    on_hand: Decimal
    free: Decimal
    reserved: Decimal
    promise: Decimal
    supply: Decimal
    demand: Decimal
    position: Decimal
    point: Decimal
    safety: Decimal
    use: Decimal
    suggested: Decimal


class Expected(NamedTuple):
    """What shall come (above zero) or go, and when."""

    item: str
    warehouse: str
    day: date
    quantity: Decimal


def reorder(oracle: CompanyOracle, today: date) -> dict[str, Order]:
    """Each planned item, in all warehouses together."""
    expected = list(_expected(oracle, today))
    planned = (name for name, item in oracle.items.items() if "planning" in item)
    return {name: _order(oracle, name, today, expected) for name in planned}


def _order(oracle: CompanyOracle, name: str, today: date, expected: list[Expected]) -> Order:
    item = oracle.items[name]
    plan, decimals = item["planning"], item["decimals"]
    mean, variance_of_use = _use(oracle, name, today)
    lead = Decimal(plan.get("lead_time_days", 0))
    safety = Decimal(plan.get("safety_stock", "0"))
    with localcontext(prec=ROOT_DIGITS):
        if not safety:
            wide = Decimal("1.645") * (variance_of_use * lead).sqrt()
            safety = rounded_up(wide, decimals)
        coming_use = rounded_up(mean * lead, decimals)
    point = Decimal(plan["reorder_point"]) if "reorder_point" in plan else coming_use + safety
    here = {house: _here(oracle, name, house, today) for house in ("WH-SZ", "WH-WX")}
    on_hand, free, reserved = (sum(parts, ZERO) for parts in zip(*here.values(), strict=True))
    mine = [one for one in expected if one.item == name]
    supply = sum((one.quantity for one in mine if one.quantity > 0), ZERO)
    demand = -sum((one.quantity for one in mine if one.quantity < 0), ZERO)
    position = free + supply - max(demand - reserved, ZERO)
    least = max(point + coming_use - position, Decimal(plan.get("lot_min", "0")), Decimal(1))
    size = Decimal(plan.get("lot_size", "0"))
    suggested = ZERO if position > point else least
    if suggested and size:
        suggested = (suggested / size).to_integral_value(ROUND_CEILING) * size
    promise = ZERO
    for house, (_, there, promised) in here.items():
        at_house = [one for one in mine if one.warehouse == house]
        promise += _promise(there, promised, at_house, today)
    figures = (on_hand, free, reserved, promise, supply, demand, position, point, safety)
    return Order(*figures, mean, suggested)


def _promise(free: Decimal, reserved: Decimal, expected: list[Expected], today: date) -> Decimal:
    """What may be promised today without breaking any later demand; late demand counts today."""
    left_on = []
    for day in sorted({today, *(one.day for one in expected)}):
        came = sum((one.quantity for one in expected if one.quantity > 0 and one.day <= day), ZERO)
        went = -sum((one.quantity for one in expected if one.quantity < 0 and one.day <= day), ZERO)
        left_on.append(free + came - max(went - reserved, ZERO))
    return max(min(left_on), ZERO)


def _use(oracle: CompanyOracle, name: str, today: date) -> tuple[Decimal, Decimal]:
    """Mean and variance of what was issued a day, over the 90 days before today."""
    days: dict[date, Decimal] = defaultdict(Decimal)
    for _, when, change, is_issue in flows(oracle, name, ""):
        day = when.astimezone(UTC).date()
        if is_issue and today - timedelta(days=90) <= day < today:
            days[day] -= change
    whole = sum(days.values(), ZERO)
    with localcontext(prec=ROOT_DIGITS):
        squares = sum((one * one for one in days.values()), ZERO)
        return whole / 90, (squares - whole * whole / 90) / 89


def _here(
    oracle: CompanyOracle, name: str, warehouse: str, today: date
) -> tuple[Decimal, Decimal, Decimal]:
    """On hand, free and reserved."""
    on_hand, free, reserved = ZERO, ZERO, ZERO
    for key, quantity in oracle.balances.items():
        place = oracle.places[key.location]
        if key.item != name or place["kind"] not in HOUSE or place["warehouse"] != warehouse:
            continue
        on_hand += quantity
        card = oracle.master["batches"].get(f"{name}/{key.batch}", {})
        is_fresh = card.get("expires_on", "9999-12-31") >= today.isoformat()
        if key.disposition == "available" and not key.owner and is_fresh:
            free += quantity if key.reservation == "none" else ZERO
            reserved += quantity if key.reservation != "none" else ZERO
    return on_hand, free, reserved


BRINGS = {
    "purchase_order": "goods_receipt",
    "production_order": "production_receipt",
    "sales_order": "sales_shipment",
    "transfer_order": "transfer_out",
    "transfer_out": "transfer_in",
}


def _expected(oracle: CompanyOracle, today: date) -> list[Expected]:
    """What is open of orders, and what is on its way."""
    found: list[Expected] = []
    for name, order in oracle.documents.items():
        if order["kind"] not in BRINGS or _is_over(oracle, name):
            continue
        for number, line in enumerate(order["lines"], start=1):
            left = oracle.base(line) - _brought(oracle, name, number, line["item"])
            if left > 0:
                found += _open(oracle, order, line, left, today)
    return found


def _is_over(oracle: CompanyOracle, name: str) -> bool:
    """Closed, or taken back."""
    return any(
        other["kind"] in {"order_closed", "reversal"} and other.get("refers") == name
        for other in oracle.documents.values()
    )


def _brought(oracle: CompanyOracle, name: str, number: int, item: str) -> Decimal:
    brings = BRINGS[oracle.documents[name]["kind"]]
    return sum(
        (
            oracle.base(line)
            for other_name, other in oracle.documents.items()
            if other["kind"] == brings
            and other.get("refers") == name
            and not _is_over(oracle, other_name)
            for line in other["lines"]
            if line["item"] == item and int(line.get("order_line", number)) == number
        ),
        ZERO,
    )


def _open(
    oracle: CompanyOracle, order: dict[str, Any], line: dict[str, Any], left: Decimal, today: date
) -> list[Expected]:
    kind, item = order["kind"], line["item"]
    place = oracle.places.get(line.get("location", ""), {})
    warehouse = place.get("warehouse") or order.get("warehouse", "")
    day = _day(order.get("due_at", ""), today)
    if kind == "sales_order":
        return [Expected(item, warehouse, day, -left)]
    if kind == "transfer_out":
        due = oracle.documents.get(order.get("refers", ""), {}).get("due_at", "")
        return [Expected(item, order["to_warehouse"], _day(due, today), left)]
    if kind == "transfer_order":
        there = Expected(item, order["to_warehouse"], day, left)
        return [there, Expected(item, warehouse, day, -left)]
    if kind == "production_order":
        needs = _needs(oracle, order, line, warehouse, today)
        return [Expected(item, warehouse, day, left), *needs]
    noticed = [
        one["due_at"]
        for one in oracle.documents.values()
        if one["kind"] == "shipping_notice" and one.get("refers") == order["id"]
    ]
    return [Expected(item, warehouse, _day(noticed[0], today) if noticed else day, left)]


def _needs(
    oracle: CompanyOracle, order: dict[str, Any], line: dict[str, Any], warehouse: str, today: date
) -> list[Expected]:
    """What an open production order still needs of its components."""
    made = oracle.items[line["item"]]
    bill = made["bill_of_materials"]
    lots = oracle.base(line) / Decimal(bill.get("lot", "1"))
    lead = made.get("planning", {}).get("lead_time_days", 0)
    due = datetime.fromisoformat(order["due_at"]) - timedelta(days=lead)
    found = []
    for one in bill["components"]:
        needed = oracle.base(one) * lots * (1 + Decimal(one.get("scrap_rate", "0")))
        issued = sum(
            (
                oracle.base(issue)
                for other in oracle.documents.values()
                if other["kind"] == "goods_issue" and other.get("refers") == order["id"]
                for issue in other["lines"]
                if issue["item"] == one["item"]
            ),
            ZERO,
        )
        left = rounded_up(needed - issued, oracle.items[one["item"]]["decimals"])
        if left > 0:
            day = _day(due.isoformat(), today)
            found.append(Expected(one["item"], warehouse, day, -left))
    return found


def _day(moment: str, today: date) -> date:
    """The day in UTC; what is late counts today."""
    if not moment:
        return today
    return max(datetime.fromisoformat(moment).astimezone(UTC).date(), today)
