"""Exact amounts: how they are rounded, shared out and written.

Nothing here is a float. Amounts are rounded half up, to the decimals that the books say.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import NamedTuple

ZERO = Decimal(0)
PRICE_DECIMALS = 6
"""Of a unit cost that is kept."""
WORKING = Context(
    prec=100, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero, Overflow]
)
"""A quantity has 21 digits, an amount under 50: products are exact, and a quotient is so close
that rounding it again cannot go another way."""


class LinePrice(NamedTuple):
    """The amounts of a document's line."""

    net: Decimal
    """In the document's currency."""
    tax_amount: Decimal
    """In the document's currency."""
    net_base: Decimal
    """In the base currency."""
    tax_base: Decimal
    """In the base currency."""


def rounded(value: Decimal, decimals: int) -> Decimal:
    """The value with so many decimals, half up (away from zero)."""
    return value.quantize(Decimal(1).scaleb(-decimals), context=WORKING)


def times(value: Decimal, factor: Decimal, decimals: int) -> Decimal:
    """The product, rounded."""
    return rounded(WORKING.multiply(value, factor), decimals)


def share(amount: Decimal, part: Decimal, whole: Decimal, decimals: int) -> Decimal:
    """What of the amount falls to `part` of `whole`, rounded; the whole is the amount itself."""
    if part == whole:
        return amount
    return rounded(WORKING.divide(WORKING.multiply(amount, part), whole), decimals)


def unit_cost(amount: Decimal, quantity: Decimal) -> Decimal:
    """What one is worth, to `PRICE_DECIMALS`."""
    return rounded(WORKING.divide(amount, quantity), PRICE_DECIMALS)


def price_line(
    unit_quantity: Decimal, price: Decimal, tax_rate: Decimal, rate: Decimal, money_decimals: int
) -> LinePrice:
    """The amounts of a line: each step is rounded, because each stands on paper.

    `unit_quantity` and `price` are in the line's unit, `rate` is base currency for one of the
    document's.
    """
    net = times(unit_quantity, price, money_decimals)
    tax = times(net, tax_rate, money_decimals)
    base = (times(net, rate, money_decimals), times(tax, rate, money_decimals))
    return LinePrice(net, tax, *base)


def amount_text(amount: Decimal, decimals: int) -> str:
    """An amount as it is kept: with its cents, zero as `0`."""
    return f"{rounded(amount, decimals):f}" if amount else "0"


def quantity_text(quantity: Decimal) -> str:
    """A quantity or unit cost as it is kept: without zeros behind."""
    text = f"{quantity:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"", "-0"} else text
