"""What stock is worth, item by item, in the order in which it is recorded.

Two methods: *moving average* (what goes out takes its share of all that is there) and *FIFO* (it
takes the oldest layers first). Nothing recorded is ever worked out again: what comes late takes
the cost of now, and what comes to light later is a *remainder*, which becomes a revaluation
voucher. Each step says the cost that its voucher books and the remainder beside it, so that

    value after = value before + (cost in, or less cost out) + remainder

holds to the cent, and stock value equals the stock accounts behind every document.

Below zero (a physical read ran ahead of the book) stock is worth less than nothing: what went out
was booked at the last known unit cost, and the receipt that fills the hole says what it really
cost.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple

from contracts.vouchers import ItemValuation, Layer, Method
from ledger_sink.core.posting.money import (
    PRICE_DECIMALS,
    ZERO,
    amount_text,
    quantity_text,
    rounded,
    share,
    times,
    unit_cost,
)

LAYERS_MAX = 1_000
"""Of an item: its valuation is written whole behind every document. Where more come, the two
oldest become one."""


class Batch(NamedTuple):
    """Stock of one price (a FIFO layer)."""

    document: str
    """What brought it."""
    quantity: Decimal
    """In base units, above zero."""
    value: Decimal
    """What it is worth, not below zero."""


@dataclass(frozen=True, slots=True)
class Stock:
    """What an item's valued stock is worth."""

    item: str
    method: Method
    quantity: Decimal = ZERO
    """In base units."""
    value: Decimal = ZERO
    """In the base currency."""
    price: Decimal = ZERO
    """The last known unit cost."""
    layers: tuple[Batch, ...] = ()
    """FIFO: oldest first; their sums are quantity and value while there is stock."""


class Step(NamedTuple):
    """What one line did to stock."""

    stock: Stock
    """Behind it."""
    cost: Decimal
    """What the line's voucher books on the stock account, as a positive amount."""
    remainder: Decimal = ZERO
    """By how much stock is worth more (or, below zero, less) beside that."""


def stock_of(valuation: ItemValuation) -> Stock:
    """An item's stock as the ledger keeps it."""
    layers = tuple(
        Batch(one.document, Decimal(one.quantity), Decimal(one.value)) for one in valuation.layers
    )
    amounts = (Decimal(valuation.quantity), Decimal(valuation.value), Decimal(valuation.price))
    return Stock(valuation.item, valuation.method, *amounts, layers)


def valuation_of(stock: Stock, decimals: int) -> ItemValuation:
    """The same as it is kept."""
    return ItemValuation(
        item=stock.item,
        method=stock.method,
        quantity=quantity_text(stock.quantity),
        value=amount_text(stock.value, decimals),
        price=quantity_text(stock.price),
        layers=tuple(
            Layer(
                document=one.document,
                quantity=quantity_text(one.quantity),
                value=amount_text(one.value, decimals),
            )
            for one in stock.layers
        ),
    )


class Back(NamedTuple):
    """What taking a document back does to an item's stock."""

    document: str
    """The document that is taken back."""
    reversal: str
    """The document that takes it back."""
    quantity: Decimal
    """By how much stock changes, signed."""
    value: Decimal
    """By how much its worth changes, signed."""
    sources: frozenset[str]
    """Whose layers a difference was added to."""


def take_in(stock: Stock, document: str, quantity: Decimal, cost: Decimal, decimals: int) -> Step:
    """So many come in and cost so much in all."""
    after = stock.quantity + quantity
    if stock.quantity < 0:
        value = share(cost, after, quantity, decimals)
        came = Batch(document, after, value)
    else:
        value = stock.value + cost
        came = Batch(document, quantity, cost)
    layers = stock.layers
    if stock.method is Method.FIFO and after > 0:
        layers = _with(layers, came)
    new = Stock(stock.item, stock.method, after, value, unit_cost(cost, quantity), layers)
    return _settled(new, cost, value - stock.value - cost)


def take_out(stock: Stock, quantity: Decimal, decimals: int) -> Step:
    """So many go out; what is not there goes at the last known unit cost."""
    there = max(stock.quantity, ZERO)
    layers = stock.layers
    if stock.method is Method.FIFO:
        taken, layers = _taken(layers, min(quantity, there), decimals)
    elif quantity < there:
        taken = share(stock.value, quantity, there, decimals)
    else:
        taken = stock.value if there else ZERO
    cost = taken + times(stock.price, max(quantity - there, ZERO), decimals)
    new = replace(
        stock, quantity=stock.quantity - quantity, value=stock.value - cost, layers=layers
    )
    return _settled(new, cost, ZERO)


def revalue(stock: Stock, price: Decimal, decimals: int) -> Step:
    """One is worth so much from now on; the remainder is what that changes."""
    value = times(price, stock.quantity, decimals)
    layers = []
    left_quantity, left_value = stock.quantity, value
    for one in stock.layers:
        worth = share(left_value, one.quantity, left_quantity, decimals)
        layers.append(one._replace(value=worth))
        left_quantity, left_value = left_quantity - one.quantity, left_value - worth
    kept = rounded(price, PRICE_DECIMALS)
    new = replace(stock, value=value, price=kept, layers=tuple(layers))
    return _settled(new, ZERO, value - stock.value)


def add_difference(
    stock: Stock, amount: Decimal, quantity: Decimal, documents: Collection[str], decimals: int
) -> Step:
    """So many turn out to have cost so much more (or less) than was booked.

    What is still there takes its share, as the remainder: of a moving average as far as there is
    stock, of FIFO the layers that these documents left. Stock never falls below nothing by it.
    """
    left, worth = stock.quantity, stock.value
    if stock.method is Method.FIFO:
        own = [one for one in stock.layers if one.document in documents]
        left = sum((one.quantity for one in own), ZERO)
        worth = sum((one.value for one in own), ZERO)
    part = min(max(left, ZERO), quantity)
    gain = max(share(amount, part, quantity, decimals), -worth) if part else ZERO
    layers = _shifted(stock.layers, gain, documents, decimals)
    new = replace(stock, value=stock.value + gain, layers=layers)
    return _settled(new, ZERO, gain)


def take_back(stock: Stock, back: Back, decimals: int) -> Step:
    """A document is taken back: its quantity and its value go the other way, to the cent.

    Of FIFO, what came in leaves the document's own layers first, then the oldest; what went out
    comes back as a new layer. Where what is left would be worth what it cannot be (something
    while there is none, less than nothing, or other than its layers), the remainder puts it right.
    """
    quantity, value = stock.quantity + back.quantity, stock.value + back.value
    layers = stock.layers
    if stock.method is Method.FIFO:
        if back.quantity < 0:
            there = min(-back.quantity, max(stock.quantity, ZERO))
            _, layers = _taken(layers, there, decimals, first=back.document)
        elif not back.quantity:
            layers = _shifted(layers, back.value, back.sources, decimals)
        elif quantity > 0:
            came = (back.quantity, back.value) if stock.quantity >= 0 else (quantity, value)
            layers = _with(layers, Batch(back.reversal, came[0], max(came[1], ZERO)))
    new = replace(stock, quantity=quantity, value=value, layers=layers)
    return _settled(new, ZERO, ZERO)


def _settled(new: Stock, cost: Decimal, remainder: Decimal) -> Step:
    """The step to this stock, worth what it can be, and at its average."""
    right = new.value
    if not new.quantity:
        right = ZERO
    elif new.quantity > 0:
        is_layered = new.method is Method.FIFO
        right = sum((one.value for one in new.layers), ZERO) if is_layered else max(right, ZERO)
    price = new.price
    if new.quantity > 0 and new.method is Method.MOVING_AVERAGE:
        price = unit_cost(right, new.quantity)
    settled = replace(new, value=right, price=price)
    return Step(settled, cost, remainder + right - new.value)


def _with(layers: tuple[Batch, ...], came: Batch) -> tuple[Batch, ...]:
    """The layers and one more."""
    if len(layers) < LAYERS_MAX:
        return (*layers, came)
    first, second, *rest = layers
    both = Batch(second.document, first.quantity + second.quantity, first.value + second.value)
    return (both, *rest, came)


def _taken(
    layers: tuple[Batch, ...], quantity: Decimal, decimals: int, first: str = ""
) -> tuple[Decimal, tuple[Batch, ...]]:
    """What so many of the layers are worth, and the layers left; those of `first` go first."""
    order = sorted(range(len(layers)), key=lambda place: layers[place].document != first)
    left: list[Batch | None] = list(layers)
    taken = ZERO
    for place in order if first else range(len(layers)):
        if not quantity:
            break
        layer = layers[place]
        part = min(quantity, layer.quantity)
        worth = share(layer.value, part, layer.quantity, decimals)
        rest = Batch(layer.document, layer.quantity - part, layer.value - worth)
        left[place] = rest if rest.quantity else None
        taken, quantity = taken + worth, quantity - part
    return taken, tuple(one for one in left if one is not None)


def _shifted(
    layers: tuple[Batch, ...], amount: Decimal, documents: Collection[str], decimals: int
) -> tuple[Batch, ...]:
    """The layers worth so much more: those of the documents by quantity, then any that can."""
    if not amount:
        return layers
    chosen = [one.document in documents for one in layers]
    weight = sum((one.quantity for one, is_own in zip(layers, chosen, strict=True) if is_own), ZERO)
    shifted = []
    for one, is_own in zip(layers, chosen, strict=True):
        if not is_own:
            shifted.append(one)
            continue
        part = max(share(amount, one.quantity, weight, decimals), -one.value)
        shifted.append(one._replace(value=one.value + part))
        amount, weight = amount - part, weight - one.quantity
    for place, one in enumerate(shifted):
        part = max(amount, -one.value)
        shifted[place] = one._replace(value=one.value + part)
        amount -= part
    return tuple(shifted)
