"""What the books know beside items and locations: accounts, rules, costs, units, recipes, plans.

Each model is the body of a `contracts.books.BookData` of its kind. People write them, so they are
checked strictly; a new version is a new entry, and the newest counts for what is posted after it.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from contracts.documents import Day, DocumentKind, Exact, Id, Text, Written
from contracts.vouchers import Method

Positive = Annotated[Exact, Field(gt=0)]
NotNegative = Annotated[Exact, Field(ge=0)]
Days = Annotated[int, Field(ge=0, le=3_650)]


class BookDataKind(StrEnum):
    """What a `BookData` is about, and what its key is."""

    SETTINGS = "settings"
    """`BookSettings`; no key."""
    CHART = "chart"
    """`Chart`; its name."""
    RULES = "rules"
    """`PostingRules`; the name of the set."""
    TAX = "tax"
    """`TaxCode`; its code."""
    COSTING = "costing"
    """`Costing`; the item."""
    UNITS = "units"
    """`Units`; the item."""
    BILL_OF_MATERIALS = "bill_of_materials"
    """`BillOfMaterials`; the item that is made."""
    PLANNING = "planning"
    """`Planning`; the item, or `{item}@{warehouse}`."""
    BATCH = "batch"
    """`BatchCard`; `{item}/{batch}`."""
    ITEM_CARD = "item_card"
    """`ItemCard`; the item."""
    PARTY = "party"
    """`Party`; its id."""


class Mode(StrEnum):
    """Whose book counts."""

    STANDALONE = "standalone"
    """Ours."""
    ERP_LED = "erp_led"
    """The ERP's: vouchers are proposals."""


class ReceiptPolicy(StrEnum):
    """What a receipt owes."""

    GOODS_RECEIVED_NOT_INVOICED = "goods_received_not_invoiced"
    """Nothing until the invoice comes: a clearing account holds it."""
    PAYABLE_AT_ONCE = "payable_at_once"
    """The supplier, at once."""


class ShipmentPolicy(StrEnum):
    """When a shipment is sold."""

    REVENUE_AT_ONCE = "revenue_at_once"
    """When it is scanned out."""
    REVENUE_AT_ACCEPTANCE = "revenue_at_acceptance"
    """When the customer accepts it: until then it is goods dispatched."""


class BookSettings(Written):
    """How a site keeps its books."""

    base_currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "CNY"
    """ISO 4217."""
    money_decimals: Annotated[int, Field(ge=0, le=4)] = 2
    """Decimals of an amount."""
    mode: Mode = Mode.STANDALONE
    """Whose book counts."""
    chart: Id = "china"
    """The chart of accounts."""
    rules: Id = "default"
    """The set of posting rules."""
    receipt: ReceiptPolicy = ReceiptPolicy.GOODS_RECEIVED_NOT_INVOICED
    """What a receipt owes."""
    shipment: ShipmentPolicy = ShipmentPolicy.REVENUE_AT_ONCE
    """When a shipment is sold."""


class AccountKind(StrEnum):
    """On which side an account grows."""

    ASSET = "asset"
    LIABILITY = "liability"
    EQUITY = "equity"
    INCOME = "income"
    EXPENSE = "expense"


class Account(Written):
    """One account."""

    code: Id
    """Its code: `1405`."""
    name: Id
    """In English."""
    name_zh: Id
    """In Chinese."""
    kind: AccountKind
    """On which side it grows."""
    is_stock: bool = False
    """True: it holds the value of stock, item by item."""


class Chart(Written):
    """A chart of accounts, and which account plays which part."""

    accounts: tuple[Account, ...]
    """All of them; codes come once."""
    parts: dict[Id, Id]
    """The part that a rule names (`inventory.raw`, `payable`) and its account's code."""


class Side(StrEnum):
    """Of a voucher line."""

    DEBIT = "debit"
    CREDIT = "credit"


class Amount(StrEnum):
    """The amounts that a rule's lines may name; each is exact, in the base currency's cents."""

    NET = "net"
    """What the line's goods cost or bring, without tax."""
    TAX = "tax"
    """The tax on it."""
    GROSS = "gross"
    """Both."""
    COST = "cost"
    """What valued stock gains or loses with the line, as valuation says."""
    CLEARED = "cleared"
    """What earlier vouchers put into the clearing account for the goods that are invoiced,
    accepted or returned."""
    DIFFERENCE = "difference"
    """What is left between them: net less cleared, or a remainder of valuation."""


class LineTemplate(Written):
    """One line of a voucher that a rule makes for each line of the document."""

    side: Side
    """Where the amount goes; a negative amount goes to the other side."""
    part: Id
    """The part in the chart: `payable`; `inventory` is followed by the item's stock class."""
    amount: Amount
    """How much."""
    when: str = Field(default="", max_length=500)
    """A condition in CEL; empty: always."""


class PostingRule(Written):
    """IF a document is like this THEN this voucher."""

    id: Id
    """Its name within the set."""
    document: DocumentKind
    """For which documents."""
    when: str = Field(default="", max_length=500)
    """A condition in CEL over `document`, `line` and `settings`; empty: always."""
    lines: tuple[LineTemplate, ...]
    """The voucher's lines; they balance for every document, or it is refused."""


class PostingRules(Written):
    """A set of rules; the first that applies to a line makes its part of the voucher."""

    rules: tuple[PostingRule, ...] = Field(max_length=200)


class TaxCode(Written):
    """A tax."""

    rate: NotNegative
    """Of the net amount: 0.13."""
    name: Text = ""
    """In words."""


class Costing(Written):
    """How an item is valued. An item without it has quantities only."""

    method: Method = Method.MOVING_AVERAGE
    """How what goes out is valued; it stays while there is stock."""
    stock_class: Id = "merchandise"
    """`raw`, `finished`, `merchandise`, ...: which inventory account."""


class Unit(Written):
    """A unit or pack of an item."""

    unit: Id
    """Its name: `case`."""
    contains: Positive
    """How many of `of` it is; conversions are exact or the line is refused."""
    of: Text = ""
    """Another unit of the item; empty: the base unit."""
    gtin: Text = ""
    """The GTIN-14 of the pack."""


class Units(Written):
    """An item's units beside its base unit."""

    units: tuple[Unit, ...] = Field(max_length=50)


class BillComponent(Written):
    """What goes into one lot of what is made."""

    item: Id
    """The component."""
    quantity: Positive
    """For one lot, in `unit`."""
    unit: Text = ""
    """Empty: its base unit."""
    scrap_rate: NotNegative = Decimal(0)
    """What is lost on the way: 0.02 needs 2 % more."""


class BillOfMaterials(Written):
    """How an item is made."""

    lot: Positive = Decimal(1)
    """How many base units the components are for."""
    components: tuple[BillComponent, ...] = Field(min_length=1, max_length=500)
    conversion_cost: NotNegative = Decimal(0)
    """Labour and overhead for one base unit, in the base currency."""


class Planning(Written):
    """How an item is replenished, everywhere or in one warehouse."""

    safety_stock: NotNegative = Decimal(0)
    """What shall always be there, in base units."""
    reorder_point: NotNegative | None = None
    """Order at or below this; none: worked out from use, lead time and safety stock."""
    lot_size: Positive | None = None
    """Order multiples of this."""
    lot_min: NotNegative = Decimal(0)
    """Order at least this."""
    lead_time_days: Days = 0
    """From order to receipt."""
    supplier: Text = ""
    """Whom to order from."""
    from_warehouse: Text = ""
    """Or from which warehouse to transfer first."""
    slow_after_days: Days = 90
    """No issue for so long: slow."""
    dead_after_days: Days = 180
    """And for so long: dead."""
    expiry_warning_days: Days = 30
    """How long before its expiry a batch is told."""


class BatchCard(Written):
    """A batch."""

    maker: Text = ""
    """Who made it."""
    maker_batch: Text = ""
    """The maker's own number."""
    made_on: Day | None = None
    expires_on: Day | None = None
    """The last day on which it may be used."""


class ItemCard(Written):
    """What people call an item."""

    name: Text = ""
    """In English."""
    name_zh: Text = ""
    """In Chinese."""
    category: Text = ""
    """For reports."""
    gtin: Text = ""
    """Its GTIN-14."""


class Party(Written):
    """A supplier, a customer or a department."""

    name: Text = ""
    name_zh: Text = ""
    is_department: bool = False
