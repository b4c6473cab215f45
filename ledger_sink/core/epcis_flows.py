"""What a movement of the books moved, piece by piece: from where and in which state, to where.

A movement's postings sum to zero for each item, batch and serial; so what is less in one place is
more in another. The lines that take are matched with those that give in the order in which they
stand there: a *flow* is what went from one to the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from contracts.books import PlaceKind, Posting, Reservation

REAL = frozenset({PlaceKind.ZONE, PlaceKind.BIN})


class Flow(NamedTuple):
    """So much of something that went from one state to another."""

    quantity: Decimal
    """In base units, above zero."""
    out: Posting
    """The line that takes it."""
    into: Posting
    """The line that gives it."""


class Sort(StrEnum):
    """What a flow is to the business."""

    OPENING = "opening"
    RECEIPT = "receipt"
    SUPPLIER_RETURN = "supplier_return"
    SHIPMENT = "shipment"
    CUSTOMER_RETURN = "customer_return"
    ISSUE = "issue"
    PRODUCTION = "production"
    TRANSFER_OUT = "transfer_out"
    TRANSFER_IN = "transfer_in"
    SCRAP = "scrap"
    LOSS = "loss"
    GAIN = "gain"
    STORING = "storing"
    STATE = "state"
    PICKING = "picking"


_OUT = {
    PlaceKind.SUPPLIER: Sort.SUPPLIER_RETURN,
    PlaceKind.CUSTOMER: Sort.SHIPMENT,
    PlaceKind.PRODUCTION: Sort.ISSUE,
    PlaceKind.IN_TRANSIT: Sort.TRANSFER_OUT,
    PlaceKind.SCRAP: Sort.SCRAP,
    PlaceKind.ADJUSTMENT: Sort.LOSS,
    PlaceKind.MISSING: Sort.LOSS,
    PlaceKind.OPENING: Sort.LOSS,
}
_IN = {
    PlaceKind.SUPPLIER: Sort.RECEIPT,
    PlaceKind.CUSTOMER: Sort.CUSTOMER_RETURN,
    PlaceKind.PRODUCTION: Sort.PRODUCTION,
    PlaceKind.IN_TRANSIT: Sort.TRANSFER_IN,
    PlaceKind.SCRAP: Sort.GAIN,
    PlaceKind.ADJUSTMENT: Sort.GAIN,
    PlaceKind.MISSING: Sort.GAIN,
    PlaceKind.OPENING: Sort.OPENING,
}


def flows_of(postings: Sequence[Posting]) -> list[Flow]:
    """What a balanced movement moved, in the order of the lines that take."""
    giving: dict[tuple[str, str, str], list[tuple[Posting, Decimal]]] = {}
    for one in postings:
        if (amount := Decimal(one.quantity)) > 0:
            giving.setdefault((one.item, one.batch, one.serial), []).append((one, amount))
    found: list[Flow] = []
    for one in postings:
        needed = -Decimal(one.quantity)
        queue = giving.get((one.item, one.batch, one.serial), [])
        while needed > 0 and queue:
            into, amount = queue[0]
            moved = min(needed, amount)
            found.append(Flow(moved, one, into))
            needed -= moved
            if moved == amount:
                queue.pop(0)
            else:
                queue[0] = (into, amount - moved)
    return found


def sort_of(flow: Flow, out: PlaceKind, into: PlaceKind) -> Sort | None:
    """What a flow is; None where nothing happened to a thing, as when stock is only promised."""
    if out not in REAL:
        return _IN[out] if into in REAL else None
    if into not in REAL:
        return _OUT[into]
    if flow.into.reservation == Reservation.PICKED != flow.out.reservation:
        return Sort.PICKING
    if flow.out.location != flow.into.location:
        return Sort.STORING
    return Sort.STATE if flow.out.disposition != flow.into.disposition else None
