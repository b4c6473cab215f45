"""Journal vouchers, and what stock is worth.

Amounts are exact decimals as text in the base currency's cents. A line has a debit or a credit,
never both; a negative one is a red reversal (红字冲销), which takes back on the same side.
"""

from __future__ import annotations

from enum import StrEnum

from contracts.base import SCHEMA, Record


class Occasion(StrEnum):
    """Why there is a voucher."""

    POSTING = "posting"
    """A document was posted."""
    REVALUATION = "revaluation"
    """What stock is worth changed without its quantity: a difference that came to light."""
    REVERSAL = "reversal"
    """A document was taken back."""


class Method(StrEnum):
    """How what goes out is valued, in recorded order."""

    MOVING_AVERAGE = "moving_average"
    """At the average of what is there."""
    FIFO = "fifo"
    """At the price of what came first."""


class VoucherLine(Record, frozen=True, kw_only=True):
    """One account line."""

    account: str
    """Its code in the chart of accounts."""
    debit: str = "0"
    """In the base currency."""
    credit: str = "0"
    """In the base currency."""
    item: str = ""
    """What it is about; on a stock account always named."""
    quantity: str = "0"
    """On a stock account: by how many base units this line changes valued stock, signed."""
    price: str = ""
    """Net for one base unit, in the document's currency."""
    tax: str = ""
    """A tax code."""
    currency: str = ""
    """The document's; empty: the base currency."""
    currency_amount: str = ""
    """Debit less credit in that currency."""
    party: str = ""
    """Supplier, customer or department."""
    document_line: int = 0
    """The document's line; 0: all of it."""


class Voucher(Record, tag="voucher", frozen=True, kw_only=True):
    """A balanced set of account lines (payload of an entry of kind `voucher`)."""

    schema: int = SCHEMA
    """Version of this record."""
    id: str
    """`{document}/v{number from 1}`."""
    document: str
    """The document that led to it."""
    movement: str
    """The movement of the same document; empty: none."""
    rule: str
    """Which rule made it, `{set}/{version}/{rule}`."""
    occasion: Occasion
    """Why there is one."""
    happened_us: int
    """Its date."""
    currency: str
    """The base currency."""
    lines: tuple[VoucherLine, ...]
    """Their debits equal their credits."""
    reverses: str = ""
    """The voucher that it takes back."""
    is_proposal: bool = False
    """True: the site's ERP leads, and this is what it is asked to book."""


class Layer(Record, frozen=True, kw_only=True):
    """Stock of one price (FIFO)."""

    document: str
    """What brought it."""
    quantity: str
    """What is left of it, in base units."""
    value: str
    """What that is worth."""


class ItemValuation(Record, tag="valuation", frozen=True, kw_only=True):
    """What an item's valued stock is worth, behind one document.

    Valued is what is ours (no owner) in zones, bins and in transit.
    """

    schema: int = SCHEMA
    """Version of this record."""
    item: str
    """The item."""
    method: Method
    """How it is valued."""
    quantity: str
    """In base units; below zero where a physical read went ahead of the book."""
    value: str
    """In the base currency."""
    price: str
    """The last known unit cost, for what goes out when nothing is there."""
    layers: tuple[Layer, ...] = ()
    """FIFO: oldest first."""
