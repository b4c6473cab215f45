"""Material requirements planning: what to buy, to make or to move so that every demand is met.

Items are planned from what is made down to what is bought, by low-level code: an item's turn comes
when all that is made of it had theirs, so all its demand is known. In its turn each *area* of an
item (a warehouse with a planning row of its own, or all the others together, named '') is netted
day by day: what is free, what is expected, and for what is short a planned order that is due that
day. Safety stock is the first need of all, so what is projected never falls below it. A warehouse
that others transfer from is netted behind them, and gives only what its own future leaves it.

Days are dates, quantities exact decimals in base units. A loop raises `PlanningLoopError`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import groupby
from typing import NamedTuple

from contracts.accounting import BillComponent, BillOfMaterials, Planning, Units
from contracts.books import BookItem
from ledger_sink.core.posting.packs import contained

SAFETY_STOCK = "safety stock"
BELOW_ZERO = "stock below zero"
UNUSABLE = "allocated stock that may not be used"
"""Needs that no document has."""
ZERO = Decimal(0)


class PlanningLoopError(ValueError):
    """What is to be planned needs itself: a bill of materials or a transfer goes in a circle."""


class Worry(StrEnum):
    """What a caution is about, with what it says; the gaps are its values, in order."""

    NO_DAY = "{} of item {} has no day: it is taken to come when needed"
    NO_PLANNING = "item {} has no planning: no lead time, no lots"
    TO_HURRY = "{} of item {} is expected on {} and needed on {}: bring it forward"
    PART_UNKNOWN = "component {} of {} ({}): it is not known"
    PART_UNCOUNTED = "component {} of {} ({}): its unit {} cannot be counted in base units"
    LATE_RELEASE = "its release date {} is in the past"


class Caution(NamedTuple):
    """Something that a planner must know."""

    worry: Worry
    values: tuple[str, ...]
    """Documents, items, planned orders and days."""

    def text(self) -> str:
        """The whole sentence, in English."""
        return self.worry.format(*self.values)


class Source(StrEnum):
    """Where what is planned comes from."""

    PURCHASE = "purchase"
    PRODUCTION = "production"
    TRANSFER = "transfer"


class Stock(NamedTuple):
    """What is available of an item in a warehouse: no frozen, damaged, expired or foreign stock."""

    item: str
    warehouse: str
    free: Decimal
    """Not reserved."""
    reserved: Decimal = ZERO
    """Allocated or picked, for whatever order."""


class Expected(NamedTuple):
    """What comes or goes, by a document."""

    document: str
    """Its number, with its line: what a planned order says that it covers."""
    item: str
    warehouse: str
    quantity: Decimal
    day: date | None
    """None: not said."""
    allocated: Decimal = ZERO
    """Of a demand: how much of it has stock of its own."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What planning starts from."""

    today: date
    items: Mapping[str, BookItem]
    planning: Mapping[tuple[str, str], Planning]
    """By item and warehouse; '' is every warehouse without a row of its own for the item."""
    bills: Mapping[str, BillOfMaterials]
    units: Mapping[str, Units]
    stocks: Sequence[Stock]
    supplies: Sequence[Expected]
    demands: Sequence[Expected]


class Cover(NamedTuple):
    """What a planned order is for."""

    need: str
    """A document with its line, another planned order, or a need that no document has."""
    quantity: Decimal


@dataclass(frozen=True, kw_only=True)
class PlannedOrder:
    """A suggestion."""

    id: str
    """`planned-1`: within this plan."""
    kind: Source
    item: str
    warehouse: str
    """Where it is needed; '': in a warehouse without planning of its own."""
    source: str
    """The supplier, or the warehouse that it comes from; empty: made here, or not said."""
    quantity: Decimal
    release: date
    """When to order, to start or to send."""
    due: date
    """When it is needed."""
    covers: tuple[Cover, ...]
    """What is left over because of lots covers nothing yet."""
    cautions: tuple[Caution, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Its cautions in words."""
        return _in_words(self.cautions)


class Plan(NamedTuple):
    """What to do."""

    orders: tuple[PlannedOrder, ...]
    """What is made before what it is made of."""
    cautions: tuple[Caution, ...]
    """What no planned order can say."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Its cautions in words."""
        return _in_words(self.cautions)


def _in_words(cautions: tuple[Caution, ...]) -> tuple[str, ...]:
    return tuple(caution.text() for caution in cautions)


def plan(facts: Facts) -> Plan:
    """Plan all items. Raises PlanningLoopError."""
    return _Planner(facts).run()


def low_level_codes(uses: Mapping[str, set[str]], circle: str) -> dict[str, int]:
    """How far below the topmost user each is, the longest way; `circle` says what a loop is."""
    waiting = Counter(part for parts in uses.values() for part in parts)
    levels = dict.fromkeys([*uses, *waiting], 0)
    ready = [name for name in levels if not waiting[name]]
    done = 0
    while ready:
        name = ready.pop()
        done += 1
        for part in uses.get(name, ()):
            levels[part] = max(levels[part], levels[name] + 1)
            waiting[part] -= 1
            if not waiting[part]:
                ready.append(part)
    if done < len(levels):
        raise PlanningLoopError(f"{circle}: {' -> '.join(_circle(uses, waiting))}")
    return levels


def _circle(uses: Mapping[str, set[str]], waiting: Mapping[str, int]) -> list[str]:
    """A way from one of them back to it: each that waits has a user that waits, so go up."""
    users = {
        part: min(name for name, parts in uses.items() if part in parts and waiting.get(name, 0))
        for part, number in waiting.items()
        if number
    }
    way = [min(users)]
    while users[way[-1]] not in way:
        way.append(users[way[-1]])
    first = users[way[-1]]
    ring = [first, *reversed(way[way.index(first) + 1 :]), first]
    turn = ring.index(min(ring))
    return [*ring[turn:-1], *ring[: turn + 1]]


@dataclass
class _Supply:
    """What is there or comes; `left` shrinks."""

    name: str
    """Of a document or a planned order; empty: on hand."""
    day: date
    left: Decimal
    covers: list[Cover] = field(default_factory=list)


class _Need(NamedTuple):
    day: date
    """Never before today."""
    name: str
    quantity: Decimal


@dataclass
class _Area:
    """An item in one area, until its turn."""

    free: Decimal = ZERO
    spare: Decimal = ZERO
    """Reserved, and for no order that is known."""
    receipts: list[_Supply] = field(default_factory=list)
    undated: list[_Supply] = field(default_factory=list)
    needs: list[_Need] = field(default_factory=list)


class _Planner:
    """One run."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._areas: dict[str, dict[str, _Area]] = defaultdict(lambda: defaultdict(_Area))
        self._free = {(stock.item, stock.warehouse): stock.free for stock in facts.stocks}
        self._orders: list[tuple[PlannedOrder, _Supply]] = []
        self._cautions: dict[Caution, None] = {}
        """In order, each once."""
        self._recipes: dict[str, list[tuple[BillComponent, Fraction | Worry]]] = {}

    def run(self) -> Plan:
        """Items by low-level code, of each item its areas, those that are transferred from last."""
        bills = self._facts.bills
        levels = low_level_codes(
            {made: {part.item for part in bill.components} for made, bill in bills.items()},
            "bills of materials go in a circle",
        )
        self._gather()
        # Components join while it runs, but never above what is being planned.
        for item in sorted({*levels, *self._areas}, key=lambda one: (levels.get(one, 0), one)):
            for area in self._in_order(item):
                self._plan_area(item, area)
        return Plan(tuple(_finished(*order) for order in self._orders), tuple(self._cautions))

    def _gather(self) -> None:
        """Put what is known into its areas."""
        today = self._facts.today
        for item, warehouse in self._facts.planning:
            self._areas[item][warehouse].free += ZERO
        for stock in self._facts.stocks:
            area = self._area(stock.item, stock.warehouse)
            area.free += stock.free
            area.spare += stock.reserved
        for one in self._facts.supplies:
            area = self._area(one.item, one.warehouse)
            if one.day is None:
                area.undated.append(_Supply(one.document, date.max, one.quantity))
                self._warn(Worry.NO_DAY, one.document, one.item)
            else:
                area.receipts.append(_Supply(one.document, max(one.day, today), one.quantity))
        for one in self._facts.demands:
            self._area(one.item, one.warehouse).spare -= one.allocated
        for one in sorted(self._facts.demands, key=lambda one: one.day or today):
            area = self._area(one.item, one.warehouse)
            # What is reserved for nobody that is known serves the earliest demand.
            spared = max(min(area.spare, one.quantity - one.allocated), ZERO)
            area.spare -= spared
            rest = one.quantity - one.allocated - spared
            if rest > 0:
                area.needs.append(_Need(max(one.day or today, today), one.document, rest))

    def _warn(self, worry: Worry, *values: str) -> None:
        self._cautions[Caution(worry, values)] = None

    def _area_name(self, item: str, warehouse: str) -> str:
        return warehouse if (item, warehouse) in self._facts.planning else ""

    def _area(self, item: str, warehouse: str) -> _Area:
        return self._areas[item][self._area_name(item, warehouse)]

    def _planning(self, item: str, area: str) -> Planning:
        return self._facts.planning.get((item, area)) or Planning()

    def _in_order(self, item: str) -> list[str]:
        """The areas of an item: who is transferred from comes behind who receives."""
        areas = self._areas[item]
        senders: dict[str, set[str]] = {area: set() for area in areas}
        for area in list(areas):
            sender = self._planning(item, area).from_warehouse
            if sender and self._area_name(item, sender) != area:
                senders[area].add(self._area_name(item, sender))
        named = {area: area or "other warehouses" for area in {*areas, *_all(senders)}}
        levels = low_level_codes(
            {named[area]: {named[one] for one in of} for area, of in senders.items()},
            f"transfers of item {item} go in a circle",
        )
        return sorted(named, key=lambda area: (levels[named[area]], area))

    def _plan_area(self, item: str, area: str) -> None:
        """Net an area day by day."""
        facts = self._facts
        this, planning = self._areas[item][area], self._planning(item, area)
        needs = sorted(this.needs)
        for name, quantity in (
            (SAFETY_STOCK, planning.safety_stock),
            (UNUSABLE, -this.spare),
            (BELOW_ZERO, -this.free),
        ):
            if quantity > 0:
                needs.insert(0, _Need(facts.today, name, quantity))
        if not needs:
            return
        # A new order takes the lead time: what is expected before that can only be hurried.
        reach = facts.today + timedelta(days=planning.lead_time_days)
        there = [_Supply("", facts.today, this.free), *this.undated]
        coming = sorted(this.receipts, key=lambda one: (one.day, one.name))
        for day, of_day in groupby(needs, key=lambda need: need.day):
            there = [supply for supply in there if supply.left > 0]
            while coming and coming[0].day <= day:
                there.append(coming.pop(0))
            short = [
                need._replace(quantity=rest) for need in of_day if (rest := _take(there, need))
            ]
            while short and coming and coming[0].day <= reach:
                there.append(coming.pop(0))
                hurried = there[-1]
                self._warn(Worry.TO_HURRY, hurried.name, item, f"{hurried.day}", f"{day}")
                short = [
                    need._replace(quantity=rest) for need in short if (rest := _take(there, need))
                ]
            if short:
                there += self._order(item, area, day, short)

    def _order(self, item: str, area: str, day: date, short: list[_Need]) -> list[_Supply]:
        """Planned orders for what is short on a day; the supplies that they are."""
        planning, decimals = self._planning(item, area), self._decimals(item)
        if (item, area) not in self._facts.planning:
            self._warn(Worry.NO_PLANNING, item)
        made: list[_Supply] = []
        quantity = sum((need.quantity for need in short), ZERO)
        moved = self._surplus(item, area, day, quantity)
        if moved:
            made.append(self._add(Source.TRANSFER, item, area, day, moved))
            short = [need._replace(quantity=rest) for need in short if (rest := _take(made, need))]
        if short:
            kind = Source.PRODUCTION if item in self._facts.bills else Source.PURCHASE
            rest = _lot(sum((need.quantity for need in short), ZERO), planning, decimals)
            made.append(self._add(kind, item, area, day, rest))
            for need in short:
                _take(made, need)
        return made

    def _add(self, kind: Source, item: str, area: str, day: date, quantity: Decimal) -> _Supply:
        """A planned order, and what it needs itself."""
        planning, today = self._planning(item, area), self._facts.today
        release = day - timedelta(days=planning.lead_time_days)
        late = Caution(Worry.LATE_RELEASE, (f"{release}",))
        source = {
            Source.TRANSFER: planning.from_warehouse,
            Source.PURCHASE: planning.supplier,
            Source.PRODUCTION: "",
        }[kind]
        order = PlannedOrder(
            id=f"planned-{len(self._orders) + 1}",
            kind=kind,
            item=item,
            warehouse=area,
            source=source,
            quantity=quantity,
            release=release,
            due=day,
            covers=(),
            cautions=(late,) if release < today else (),
        )
        supply = _Supply(order.id, day, quantity)
        self._orders.append((order, supply))
        start = max(release, today)
        if kind is Source.TRANSFER:
            self._area(item, source).needs.append(_Need(start, order.id, quantity))
            if (item, source) in self._free:
                self._free[item, source] -= quantity
        elif kind is Source.PRODUCTION:
            for part, rate in self._recipe(item):
                if isinstance(rate, Worry):
                    unit = (part.unit,) if rate is Worry.PART_UNCOUNTED else ()
                    self._warn(rate, part.item, order.id, item, *unit)
                else:
                    needed = _round_up(Fraction(quantity) * rate, self._decimals(part.item))
                    self._area(part.item, area).needs.append(_Need(start, order.id, needed))
        return supply

    def _surplus(self, item: str, area: str, day: date, wanted: Decimal) -> Decimal:
        """How much another warehouse can send: what its whole future leaves above its safety."""
        planning = self._planning(item, area)
        sender = planning.from_warehouse
        name = self._area_name(item, sender)
        if not sender or name == area:
            return ZERO
        other = self._areas[item][name]
        start = max(day - timedelta(days=planning.lead_time_days), self._facts.today)
        changes: dict[date, Decimal] = defaultdict(Decimal)
        changes[start] += ZERO
        for receipt in other.receipts:
            changes[receipt.day] += receipt.left
        for need in other.needs:
            changes[need.day] -= need.quantity
        level = other.free - self._planning(item, name).safety_stock
        lowest = None
        for moment in sorted(changes):
            level += changes[moment]
            if moment >= start:
                lowest = level if lowest is None else min(lowest, level)
        assert lowest is not None
        if not name:
            # Of several warehouses together, the one that is named gives what lies in it.
            lowest = min(lowest, self._free.get((item, sender), ZERO))
        return max(min(wanted, lowest), ZERO)

    def _recipe(self, made: str) -> list[tuple[BillComponent, Fraction | Worry]]:
        """Components, and how much of each one base unit needs, with what is lost on the way."""
        if made not in self._recipes:
            bill = self._facts.bills[made]
            self._recipes[made] = [(part, self._rate(part, bill.lot)) for part in bill.components]
        return self._recipes[made]

    def _rate(self, part: BillComponent, lot: Decimal) -> Fraction | Worry:
        known = self._facts.items.get(part.item)
        if known is None:
            return Worry.PART_UNKNOWN
        size = contained(part.unit, known, self._facts.units.get(part.item, Units(units=())))
        if isinstance(size, str):
            return Worry.PART_UNCOUNTED
        return Fraction(part.quantity) * size * (1 + Fraction(part.scrap_rate)) / Fraction(lot)

    def _decimals(self, item: str) -> int:
        known = self._facts.items.get(item)
        return known.decimals if known else 0


def _take(supplies: list[_Supply], need: _Need) -> Decimal:
    """Serve a need from what is there, in order; gives what stays short."""
    rest = need.quantity
    for supply in supplies:
        if not rest:
            break
        taken = min(rest, supply.left)
        if taken > 0:
            supply.left -= taken
            supply.covers.append(Cover(need.name, taken))
            rest -= taken
    return rest


def _finished(order: PlannedOrder, supply: _Supply) -> PlannedOrder:
    """The order with what it came to cover, each need once."""
    covers: dict[str, Decimal] = defaultdict(Decimal)
    for cover in supply.covers:
        covers[cover.need] += cover.quantity
    return replace(order, covers=tuple(Cover(*cover) for cover in covers.items()))


def _lot(short: Decimal, planning: Planning, decimals: int) -> Decimal:
    """How much to order where so much is short: at least the least lot, in whole lots."""
    quantity = Fraction(max(short, planning.lot_min))
    if planning.lot_size is not None:
        size = Fraction(planning.lot_size)
        quantity = -(-quantity // size) * size
    return _round_up(quantity, decimals)


def _round_up(exact: Fraction, decimals: int) -> Decimal:
    scaled = exact * 10**decimals
    return Decimal(-(-scaled.numerator // scaled.denominator)).scaleb(-decimals)


def _all(senders: Mapping[str, set[str]]) -> set[str]:
    return {sender for of in senders.values() for sender in of}
