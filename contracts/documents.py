"""Documents: what shall move or has moved, as people and other systems write it, and as it is kept.

`Document` is what arrives (JSON or the rows of a CSV file); `EnteredDocument` is the same with
every quantity in base units and every amount worked out: the payload of an entry of kind
`document`, beside the movement and the vouchers that it led to.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)

from contracts.base import SCHEMA, Record
from contracts.books import LINES_MAX, TEXT_BYTES_MAX, Disposition


class DocumentKind(StrEnum):
    """What a document is. The first eighteen move stock or value, the rest are plans or orders."""

    OPENING = "opening"
    """Stock that was there when the books began."""
    GOODS_RECEIPT = "goods_receipt"
    """From a supplier, confirmed."""
    PURCHASE_INVOICE = "purchase_invoice"
    """The supplier's invoice for receipts: moves value, not stock."""
    SALES_SHIPMENT = "sales_shipment"
    """Scanned out to a customer."""
    SALES_ACCEPTANCE = "sales_acceptance"
    """The customer accepted a shipment, where revenue waits for that."""
    GOODS_ISSUE = "goods_issue"
    """Out of stock to production, or to a department."""
    PRODUCTION_RECEIPT = "production_receipt"
    """Made goods into stock; their components out of production, by the bill of materials."""
    TRANSFER_OUT = "transfer_out"
    """Out of one warehouse, into transit."""
    TRANSFER_IN = "transfer_in"
    """Out of transit, into another warehouse."""
    RELOCATION = "relocation"
    """From one bin or zone to another of the same warehouse."""
    STATE_CHANGE = "state_change"
    """The disposition of stock changes where it is."""
    CUSTOMER_RETURN = "customer_return"
    """A customer sends back what was shipped."""
    SUPPLIER_RETURN = "supplier_return"
    """Back to the supplier."""
    SCRAP = "scrap"
    """Destroyed."""
    ADJUSTMENT = "adjustment"
    """The book is set right after the final approval of a variance; quantities are signed."""
    UNPACKING = "unpacking"
    """A container is taken apart: its content stays and is in it no more."""
    REVALUATION = "revaluation"
    """The value of stock changes, its quantity does not: a line's price is the new unit cost."""
    REVERSAL = "reversal"
    """Takes back the document that it refers to, whole: movement and vouchers."""
    PURCHASE_ORDER = "purchase_order"
    """Supply: ordered and not yet received."""
    SHIPPING_NOTICE = "shipping_notice"
    """Supply: the supplier says that it is on its way (ASN); stands for its order's open part."""
    PRODUCTION_ORDER = "production_order"
    """Supply of what is made, demand for its components."""
    SALES_ORDER = "sales_order"
    """Demand; approved, it allocates stock until `due_at`."""
    TRANSFER_ORDER = "transfer_order"
    """Demand in one warehouse, supply in another."""
    ORDER_CLOSED = "order_closed"
    """What is open of the order that it refers to will not come: allocations are released."""


UNWANTED = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
"""What a text must not hold: it ends up in logs, in CSV files and in indexes."""
SERIALS_MAX = 10_000
"""Of a line: a truck full. Their movement must stay within `contracts.books.POSTINGS_MAX`."""
DIGITS = 21
"""That a number has at most, as `contracts.books.QUANTITY` says."""
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)", re.ASCII)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
"""How people write them. Anything else would be guessed at: `45932` is a day to a spreadsheet and a
morning of 1970 to a computer, and `1.234` is a thousand to some."""


def _short(text: str) -> str:
    if len(text.encode("utf-8", "surrogatepass")) > TEXT_BYTES_MAX:
        raise ValueError(f"must have up to {TEXT_BYTES_MAX} bytes")
    if UNWANTED.search(text):
        raise ValueError(
            "must hold no line breaks, no other control characters and no halves of characters"
        )
    return text


def _number(said: object) -> object:
    if isinstance(said, str):
        said = said.strip()
        if not NUMBER.fullmatch(said):
            raise ValueError(
                "is no number: write digits and a point (1234.50), without separators of thousands"
                " and without a currency"
            )
    return said


def _plain(number: Decimal) -> Decimal:
    """Digits alone, so that what is kept can be read again: JSON knows 1e3."""
    return Decimal(f"{number:f}") if number else Decimal(0)


def _moment(said: object) -> object:
    if isinstance(said, datetime) or (isinstance(said, str) and MOMENT.fullmatch(said.strip())):
        return said.strip() if isinstance(said, str) else said
    raise ValueError("is no time with its zone: write it like 2026-03-02T08:00:00+08:00")


def _day(said: object) -> object:
    if isinstance(said, date) or (isinstance(said, str) and DAY.fullmatch(said.strip())):
        return said.strip() if isinstance(said, str) else said
    raise ValueError("is no day: write it like 2026-03-02")


Text = Annotated[str, AfterValidator(_short)]
Id = Annotated[str, Field(min_length=1), AfterValidator(_short)]
Exact = Annotated[
    Decimal,
    Field(max_digits=DIGITS, decimal_places=6, allow_inf_nan=False),
    BeforeValidator(_number),
    AfterValidator(_plain),
]
"""Digits as `contracts.books.QUANTITY` has them."""
Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]
"""RFC 3339 with its zone."""
Day = Annotated[date, BeforeValidator(_day)]
"""A day of the calendar."""


class Written(BaseModel):
    """What somebody wrote: an unknown field is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Component(Written):
    """What a production receipt used, where that is not what its bill of materials says."""

    item: Id
    """The component."""
    quantity: Exact = Field(gt=0)
    """How much in all, in `unit`."""
    unit: Text = ""
    """Empty: its base unit."""
    batch: Text = ""
    """Of which batch."""


class DocumentLine(Written):
    """One line. What a kind of document does not use must stay empty."""

    item: Id
    """The item's number."""
    quantity: Exact
    """How much, in `unit`; above zero but on adjustments, whose sign says which way."""
    unit: Text = ""
    """Its unit of measure or pack (`case`); empty: the base unit."""
    price: Exact | None = Field(default=None, ge=0)
    """Net, for one `unit`, in the document's currency."""
    tax: Text = ""
    """A tax code; empty: none."""
    location: Text = ""
    """The bin or zone: where it comes from, or, of a receipt, where it goes."""
    to_location: Text = ""
    """Where it goes, where it stays in the house."""
    batch: Text = ""
    """The batch; empty: none, or, where stock goes out, the first to expire."""
    serials: tuple[Id, ...] = Field(default=(), max_length=SERIALS_MAX)
    """Serial numbers, one a piece."""
    disposition: Disposition = Disposition.AVAILABLE
    """The state of the stock: as it comes, or as it is taken."""
    to_disposition: Disposition | None = None
    """Its state afterwards, where that changes."""
    owner: Text = ""
    """Whose it is; empty: ours."""
    container: Text = ""
    """The identity of the pallet or case that is moved, with all that is in it."""
    order_line: int = Field(default=0, ge=0)
    """The line of the document that `refers` names; 0: the first with this item."""
    reason: Text = ""
    """Why, such as a cause."""
    components: tuple[Component, ...] = ()
    """Of a production receipt; empty: as the bill of materials says."""


class Document(Written):
    """One document, as it arrives."""

    id: Id
    """Its number: the same again changes nothing, another one under it is refused."""
    kind: DocumentKind
    """What it is."""
    happened_at: Moment
    """When it happened."""
    lines: tuple[DocumentLine, ...] = Field(default=(), max_length=LINES_MAX)
    """What it is about."""
    party: Text = ""
    """Supplier, customer or department."""
    refers: Text = ""
    """The document that it follows: the order of a receipt, the receipt of an invoice, the shipment
    of a return, the document that is reversed or closed."""
    warehouse: Text = ""
    """Where, if lines name no location."""
    to_warehouse: Text = ""
    """Of transfers."""
    due_at: Moment | None = None
    """Of orders: when it is expected; of a sales order also how long stock stays allocated."""
    currency: Text = ""
    """ISO 4217; empty: the base currency."""
    rate: Exact = Field(default=Decimal(1), gt=0)
    """Base currency for one of `currency`."""
    person: Text = ""
    """Who did it, from a sign-in."""
    approved_by: Text = ""
    """Who approved it last; an adjustment needs one, and not its own `person`."""
    case: Text = ""
    """Of an adjustment: the variance case."""
    reason: Text = ""
    """Why."""
    is_physical: bool = False
    """True: it was seen to move. It is never refused for a negative book."""


class EnteredLine(Record, frozen=True, kw_only=True):
    """A line as it is kept. Quantities and amounts are exact decimals as text; empty: none."""

    line: int
    """From 1."""
    item: str
    """The item's number."""
    quantity: str
    """In base units; signed on adjustments."""
    unit: str
    """As it was written; the base unit where none was."""
    unit_quantity: str
    """As it was written, in `unit`."""
    price: str = ""
    """Net for one `unit`, in the document's currency."""
    net: str = ""
    """Quantity times price in the document's currency, rounded to its cents."""
    tax: str = ""
    """The tax code."""
    tax_amount: str = ""
    """In the document's currency."""
    net_base: str = ""
    """`net` in the base currency."""
    tax_base: str = ""
    """`tax_amount` in the base currency."""
    location: str = ""
    """Where from, or of a receipt where to."""
    to_location: str = ""
    """Where to."""
    batch: str = ""
    """The batch that was written."""
    disposition: str = ""
    """The state as it came or was taken."""
    to_disposition: str = ""
    """The state afterwards."""
    owner: str = ""
    """Whose."""
    container: str = ""
    """The container that was moved."""
    order_line: int = 0
    """The line of the document that it follows; 0: of none."""
    reason: str = ""
    """Why."""


class UsedComponent(Record, frozen=True, kw_only=True):
    """What a production receipt used up."""

    line: int
    """Of the document."""
    item: str
    """The component."""
    quantity: str
    """In base units."""
    batch: str = ""
    """Of which batch."""


class EnteredDocument(Record, tag="document", frozen=True, kw_only=True):
    """A document as it is kept (payload of an entry of kind `document`)."""

    schema: int = SCHEMA
    """Version of this record."""
    id: str
    """Its number."""
    kind: DocumentKind
    """What it is."""
    happened_us: int
    """When it happened."""
    due_us: int
    """When it is expected; 0: not said."""
    party: str
    """Supplier, customer or department."""
    refers: str
    """The document that it follows."""
    warehouse: str
    """Where."""
    to_warehouse: str
    """Of transfers."""
    currency: str
    """ISO 4217."""
    rate: str
    """Base currency for one of `currency`."""
    person: str
    """Who did it."""
    approved_by: str
    """Who approved it."""
    case: str
    """The variance case."""
    reason: str
    """Why."""
    is_physical: bool
    """True: it was seen."""
    lines: tuple[EnteredLine, ...]
    """What it is about."""
    components: tuple[UsedComponent, ...] = ()
    """Of a production receipt: what it used."""
