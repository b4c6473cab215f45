"""Analysis worked out anew from raw postings, documents and vouchers, by plain loops.

It knows nothing of the SQL: FIFO takes away what went from the oldest that came, orders are counted
line by line, days are walked one after the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import psycopg

DAY_US = 86_400_000_000
REAL = {"zone", "bin"}
ZERO = Decimal(0)
BROUGHT_BY = {
    "purchase_order": "goods_receipt",
    "shipping_notice": "goods_receipt",
    "production_order": "production_receipt",
    "sales_order": "sales_shipment",
    "transfer_order": "transfer_out",
    "transfer_out": "transfer_in",
}


class Raw(NamedTuple):
    """One posting."""

    seq: int
    item: str
    batch: str
    location: str
    disposition: str
    reservation: str
    owner: str
    quantity: Decimal
    happened_us: int
    recorded_us: int


class Worth(NamedTuple):
    """One row of valuation."""

    seq: int
    item: str
    quantity: Decimal
    value: Decimal
    price: Decimal
    recorded_us: int


class Paper(NamedTuple):
    """One document."""

    seq: int
    id: str
    kind: str
    refers: str
    warehouse: str
    to_warehouse: str
    due_us: int


class PaperLine(NamedTuple):
    """One of its lines."""

    line: int
    item: str
    quantity: Decimal
    location: str
    to_location: str
    batch: str
    owner: str
    order_line: int
    reason: str


class Open(NamedTuple):
    """An order line, as `order_progress` gives it."""

    document: str
    line: int
    brought: Decimal
    open: Decimal
    covered: Decimal


class Layer(NamedTuple):
    """What is left of what came in."""

    item: str
    warehouse: str | None
    owner: str
    came_us: int
    quantity: Decimal
    value: Decimal | None
    last_issue_us: int | None


@dataclass(frozen=True)
class World:
    """All that is read of a site."""

    places: Mapping[str, tuple[str, str]]
    postings: list[Raw]
    reversals: list[tuple[int, int, int]]
    """Movement taken back, movement that did it, when it was recorded."""
    worths: list[Worth]
    papers: list[Paper]
    lines: Mapping[int, list[PaperLine]]


def read(connection: psycopg.Connection[Any], site: str) -> World:
    """A site's raw rows."""

    def rows(query: str) -> list[Any]:
        return connection.execute(query, {"site": site}).fetchall()  # type: ignore[call-overload]

    lines: dict[int, list[PaperLine]] = defaultdict(list)
    for seq, *row in rows(
        "select seq, line, item, quantity, location, to_location, batch, owner, order_line, reason"
        " from ledger.document_lines where site = %(site)s order by seq, line"
    ):
        lines[seq].append(PaperLine(*row))
    return World(
        places={
            row[0]: (row[1], row[2])
            for row in rows(
                "select location, kind, warehouse from ledger.book_places where site = %(site)s"
                " order by seq"
            )
        },
        postings=[
            Raw(*row)
            for row in rows(
                "select seq, item, batch, location, disposition, reservation, owner, quantity,"
                " happened_us, recorded_us from ledger.postings where site = %(site)s"
            )
        ],
        reversals=rows(
            "select e.seq, r.seq, b.recorded_us from ledger.reversals r"
            " join ledger.entries e on e.site = r.site and e.id = r.reversed"
            " join ledger.entries b on b.site = r.site and b.seq = r.seq where r.site = %(site)s"
        ),
        worths=[
            Worth(*row)
            for row in rows(
                "select seq, item, quantity, value, price, recorded_us from ledger.valuations"
                " where site = %(site)s order by seq"
            )
        ],
        papers=[
            Paper(*row)
            for row in rows(
                "select seq, id, kind, refers, warehouse, to_warehouse, due_us"
                " from ledger.documents where site = %(site)s order by seq"
            )
        ],
        lines=lines,
    )


def cents(exact: Fraction) -> Decimal:
    """Half a cent goes away from zero."""
    whole = (abs(exact) * 200 + 1) // 2
    return Decimal(int(whole) if exact >= 0 else -int(whole)) / 100


def worth_of(world: World, item: str, at_us: int) -> Worth | None:
    found = [one for one in world.worths if one.item == item and one.recorded_us <= at_us]
    return found[-1] if found else None


def share(worth: Worth | None, since: Decimal, upto: Decimal) -> Decimal | None:
    """The value of what lies between two points of the running quantity."""
    if worth is None:
        return None
    if not worth.quantity:
        return ZERO
    per = Fraction(worth.value) / Fraction(worth.quantity)
    return cents(per * Fraction(upto)) - cents(per * Fraction(since))


def stock(world: World, at_us: int) -> set[tuple[Any, ...]]:
    """Rows as `stock_recorded` gives them."""
    held: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for one in world.postings:
        kind, warehouse = world.places[one.location]
        if one.recorded_us <= at_us and kind in {*REAL, "in_transit"}:
            key = (one.item, one.owner, one.location, one.batch, one.disposition, one.reservation)
            held[(*key, warehouse)] += one.quantity
    found: set[tuple[Any, ...]] = set()
    running: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for key, quantity in sorted(held.items()):
        item, owner, location, batch, disposition, reservation, warehouse = key
        if quantity:
            since = running[item, owner]
            running[item, owner] += quantity
            worth = None if owner else worth_of(world, item, at_us)
            value = share(worth, since, since + quantity)
            found.add(
                (item, warehouse, location, batch, disposition, reservation, owner, quantity, value)
            )
    return found


class Flow(NamedTuple):
    """What a movement changed in one scope."""

    happened_us: int
    seq: int
    quantity: Decimal
    is_issue: bool


def flows(world: World, at_us: int) -> Mapping[tuple[str, str, str | None], list[Flow]]:
    """By item, owner and warehouse (None: the whole house)."""
    gone = {
        seq
        for taken, by, recorded_us in world.reversals
        if recorded_us <= at_us
        for seq in (taken, by)
    }
    moved: dict[tuple[int, str, str], list[Raw]] = defaultdict(list)
    for one in world.postings:
        if one.recorded_us <= at_us and one.seq not in gone:
            moved[one.seq, one.item, one.owner].append(one)
    found: dict[tuple[str, str, str | None], list[Flow]] = defaultdict(list)
    for (seq, item, owner), lines in moved.items():
        changes: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for one in lines:
            kind, warehouse = world.places[one.location]
            changes["real" if kind in REAL else kind, warehouse if kind in REAL else ""] += (
                one.quantity
            )
        used = any(changes[kind, ""] > 0 for kind in ("customer", "production"))
        kept = used or any(
            quantity > 0
            for (kind, _), quantity in changes.items()
            if kind in {"real", "in_transit"}
        )
        house = sum(
            (number for (kind, _), number in changes.items() if kind in {"real", "in_transit"}),
            ZERO,
        )
        when = lines[0].happened_us
        if house:
            found[item, owner, None].append(Flow(when, seq, house, house < 0 and used))
        for (kind, warehouse), number in changes.items():
            if kind == "real" and number:
                found[item, owner, warehouse].append(Flow(when, seq, number, number < 0 and kept))
    return found


def layers(world: World, at_us: int) -> list[Layer]:
    """What went is taken from the oldest that came."""
    found = []
    for (item, owner, warehouse), moved in flows(world, at_us).items():
        came = sorted(flow for flow in moved if flow.quantity > 0)
        out = -sum((flow.quantity for flow in moved if flow.quantity < 0), ZERO)
        left = []
        for flow in came:
            taken = min(out, flow.quantity)
            out -= taken
            if flow.quantity > taken:
                left.append((flow.happened_us, flow.quantity - taken))
        last = max((flow.happened_us for flow in moved if flow.is_issue), default=None)
        worth = None if owner else worth_of(world, item, at_us)
        upto = ZERO
        for came_us, quantity in reversed(left):
            value = share(worth, upto, upto + quantity)
            upto += quantity
            found.append(Layer(item, warehouse, owner, came_us, quantity, value, last))
    return found


def standing(world: World) -> list[Paper]:
    """Documents that were not taken back."""
    reversed_ids = {paper.refers for paper in world.papers if paper.kind == "reversal"}
    return [
        paper for paper in world.papers if paper.kind != "reversal" and paper.id not in reversed_ids
    ]


def _followed(world: World, order: Paper, line: PaperLine) -> Iterator[tuple[Paper, PaperLine]]:
    """Lines of standing documents that follow an order's line."""
    first = next(one.line for one in world.lines[order.seq] if one.item == line.item)
    for paper in standing(world):
        if paper.refers == order.id:
            for one in world.lines[paper.seq]:
                if one.order_line == line.line or (
                    one.order_line == 0 and line.line == first and one.item == line.item
                ):
                    yield paper, one


def orders(world: World) -> dict[tuple[str, int], Open]:
    """What each order line has open, notices before their orders."""
    closed = {paper.refers for paper in standing(world) if paper.kind == "order_closed"}
    found: dict[tuple[str, int], Open] = {}
    for order in standing(world):
        if order.kind not in BROUGHT_BY or (order.kind == "shipping_notice" and order.refers):
            continue
        for line in world.lines[order.seq]:
            brought, notices = ZERO, []
            for paper, one in _followed(world, order, line):
                if paper.kind == BROUGHT_BY[order.kind]:
                    brought += one.quantity
                elif paper.kind == "shipping_notice" and order.kind == "purchase_order":
                    came = sum(
                        (
                            there.quantity
                            for bringing, there in _followed(world, paper, one)
                            if bringing.kind == "goods_receipt"
                        ),
                        ZERO,
                    )
                    brought += came
                    notices.append((paper, one, came))
            rest = ZERO if order.id in closed else max(line.quantity - brought, ZERO)
            uncovered = rest
            for paper, one, came in notices:
                said = ZERO if paper.id in closed else max(one.quantity - came, ZERO)
                stands = min(said, uncovered)
                uncovered -= stands
                found[paper.id, one.line] = Open(paper.id, one.line, came, stands, ZERO)
            found[order.id, line.line] = Open(order.id, line.line, brought, rest, rest - uncovered)
    return found


def day_of(at_us: int) -> date:
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).date()
