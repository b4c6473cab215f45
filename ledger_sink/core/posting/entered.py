"""A document as it is kept: quantities in base units, amounts worked out."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from contracts.books import HAPPENED_US_MAX, Movement
from contracts.documents import (
    Document,
    DocumentKind,
    DocumentLine,
    EnteredDocument,
    EnteredLine,
    UsedComponent,
)
from ledger_sink.core.posting.money import (
    PRICE_DECIMALS,
    WORKING,
    amount_text,
    price_line,
    quantity_text,
    rounded,
)
from ledger_sink.core.posting.packs import contained, in_base_units
from ledger_sink.core.posting.world import NOTHING, World

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CURRENCY = re.compile("[A-Z]{3}", re.ASCII)
PRICED = (
    DocumentKind.OPENING,
    DocumentKind.GOODS_RECEIPT,
    DocumentKind.PURCHASE_INVOICE,
    DocumentKind.SALES_SHIPMENT,
    DocumentKind.REVALUATION,
)
"""Without a price nobody could value or bill their valued items."""
INHERITS_PRICE = (
    DocumentKind.GOODS_RECEIPT,
    DocumentKind.PURCHASE_INVOICE,
    DocumentKind.SALES_SHIPMENT,
    DocumentKind.SALES_ACCEPTANCE,
    DocumentKind.CUSTOMER_RETURN,
    DocumentKind.SUPPLIER_RETURN,
    DocumentKind.SHIPPING_NOTICE,
)
"""A line without a price has that of the line which it follows."""


def microseconds(moment: datetime) -> int:
    """UTC microseconds of a moment."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def is_moment(moment: datetime) -> bool:
    """Whether the books can hold a moment."""
    return 0 <= microseconds(moment) <= HAPPENED_US_MAX


def currency_of(document: Document, world: World) -> str:
    """The document's currency; where it names none the base currency."""
    return document.currency or world.settings.base_currency


def priced(
    world: World, document: Document, line: DocumentLine, followed: EnteredLine | None
) -> tuple[Decimal | None, str] | str:
    """The price of one unit of the line and its tax code, or what is wrong with them."""
    price, tax = line.price, line.tax
    may_inherit = document.kind in INHERITS_PRICE and price is None
    if may_inherit and followed is not None and followed.price:
        inherited = _price_in(world, line, followed)
        if isinstance(inherited, str):
            return inherited
        price, tax = inherited, tax or followed.tax
    if tax and tax not in world.taxes:
        return f"tax {tax} is not known: enter it first"
    is_needed = document.kind in PRICED and world.items[line.item].is_valued and not line.owner
    if price is None and is_needed:
        return f"item {line.item} is valued: say its price (0 where it is free)"
    if tax and price is None:
        return f"tax {tax} without a price"
    return price, tax


def _price_in(world: World, line: DocumentLine, followed: EnteredLine) -> Decimal | str:
    """The price of the followed line for one unit of this one."""
    facts = world.items[line.item]
    mine = contained(line.unit, facts.book, facts.units)
    theirs = contained(followed.unit, facts.book, facts.units)
    if isinstance(mine, str) or isinstance(theirs, str):
        return f"its price is for one {followed.unit} of item {line.item}: say one for {line.unit}"
    scaled = Fraction(Decimal(followed.price)) * mine / theirs * 10**PRICE_DECIMALS
    if scaled.denominator != 1:
        return (
            f"{followed.price} for one {followed.unit} of item {line.item} is no exact price for"
            f" one {line.unit or facts.book.base_unit}: say the price"
        )
    return Decimal(scaled.numerator).scaleb(-PRICE_DECIMALS)


def entered_line(
    world: World,
    document: Document,
    number: int,
    line: DocumentLine,
    base: Decimal,
    followed: EnteredLine | None,
    price: tuple[Decimal | None, str],
) -> EnteredLine:
    """One line as it is kept."""
    cost, tax = price
    amounts = ("", "", "", "")
    if cost is not None:
        rate = world.taxes[tax].rate if tax else NOTHING
        decimals = world.settings.money_decimals
        worked = price_line(line.quantity, cost, rate, document.rate, decimals)
        net, tax_amount, net_base, tax_base = (amount_text(one, decimals) for one in worked)
        amounts = (net, tax_amount, net_base, tax_base)
    return EnteredLine(
        line=number,
        item=line.item,
        quantity=quantity_text(base),
        unit=line.unit or world.items[line.item].book.base_unit,
        unit_quantity=quantity_text(line.quantity),
        price="" if cost is None else quantity_text(cost),
        net=amounts[0],
        tax=tax,
        tax_amount=amounts[1],
        net_base=amounts[2],
        tax_base=amounts[3],
        location=line.location,
        to_location=line.to_location,
        batch=line.batch,
        disposition=str(line.disposition),
        to_disposition="" if line.to_disposition is None else str(line.to_disposition),
        owner=line.owner,
        container=line.container,
        order_line=0 if followed is None else followed.line,
        reason=line.reason,
    )


def used_components(
    world: World, number: int, line: DocumentLine, base: Decimal
) -> list[UsedComponent] | str:
    """What a line of a production receipt used: as it says, else as the bill of materials does."""
    if line.components:
        return _said_components(world, number, line)
    bill = world.items[line.item].bill
    found: list[UsedComponent] = []
    for part in () if bill is None else bill.components:
        assert bill is not None
        facts = world.items.get(part.item)
        if facts is None:
            return f"component {part.item} of its bill of materials is not known"
        size = contained(part.unit, facts.book, facts.units)
        if isinstance(size, str):
            return f"component {part.item} of its bill of materials: {size}"
        share = Fraction(base) / Fraction(bill.lot) * (1 + Fraction(part.scrap_rate))
        used = Fraction(part.quantity) * size * share
        quantity = rounded(WORKING.divide(*map(Decimal, used.as_integer_ratio())), PRICE_DECIMALS)
        if quantity > 0:
            found.append(
                UsedComponent(line=number, item=part.item, quantity=quantity_text(quantity))
            )
    return found


def _said_components(world: World, number: int, line: DocumentLine) -> list[UsedComponent] | str:
    found: list[UsedComponent] = []
    for part in line.components:
        facts = world.items.get(part.item)
        if facts is None:
            return f"component {part.item} is not known"
        quantity = in_base_units(part.quantity, part.unit, facts.book, facts.units)
        if isinstance(quantity, str):
            return f"component {part.item}: {quantity}"
        used = UsedComponent(
            line=number, item=part.item, quantity=quantity_text(quantity), batch=part.batch
        )
        found.append(used)
    return found


def enter(
    document: Document,
    world: World,
    lines: tuple[EnteredLine, ...],
    components: tuple[UsedComponent, ...] = (),
) -> EnteredDocument:
    """The document as it is kept."""
    return EnteredDocument(
        id=document.id,
        kind=document.kind,
        happened_us=microseconds(document.happened_at),
        due_us=0 if document.due_at is None else microseconds(document.due_at),
        party=document.party,
        refers=document.refers,
        warehouse=document.warehouse,
        to_warehouse=document.to_warehouse,
        currency=currency_of(document, world),
        rate=quantity_text(document.rate),
        person=document.person,
        approved_by=document.approved_by,
        case=document.case,
        reason=document.reason,
        is_physical=document.is_physical,
        lines=lines,
        components=components,
    )


def is_same(document: Document, known: EnteredDocument, movement: Movement | None) -> bool:
    """Whether a document says what the entered one under its number says.

    What was left to the books (a price, a place, a batch) may be anything.
    """
    heads = (
        (document.kind, known.kind),
        (microseconds(document.happened_at), known.happened_us),
        (0 if document.due_at is None else microseconds(document.due_at), known.due_us),
        (document.party, known.party),
        (document.refers, known.refers),
        (document.warehouse, known.warehouse),
        (document.to_warehouse, known.to_warehouse),
        (document.currency or known.currency, known.currency),
        (quantity_text(document.rate), known.rate),
        (document.person, known.person),
        (document.approved_by, known.approved_by),
        (document.case, known.case),
        (document.reason, known.reason),
        (document.is_physical, known.is_physical),
    )
    rest = known.lines[len(document.lines) :]
    containers = {line.container for line in document.lines if line.container}
    if any(said != kept for said, kept in heads) or len(document.lines) > len(known.lines):
        return False
    if any(line.container not in containers for line in rest):
        return False
    if not _are_same_components(document, known):
        return False
    moved = set() if movement is None else {(one.item, one.serial) for one in movement.postings}
    return all(
        _is_same_line(line, kept) and all((line.item, one) in moved for one in line.serials)
        for line, kept in zip(document.lines, known.lines, strict=False)
    )


def _is_same_line(line: DocumentLine, kept: EnteredLine) -> bool:
    may_be_open = (
        (line.unit, kept.unit),
        ("" if line.price is None else quantity_text(line.price), kept.price),
        (line.tax, kept.tax),
        (line.location, kept.location),
        (line.to_location, kept.to_location),
        (line.order_line or kept.order_line, kept.order_line),
    )
    must_be = (
        (line.item, kept.item),
        (quantity_text(line.quantity), kept.unit_quantity),
        (line.batch, kept.batch),
        (str(line.disposition), kept.disposition),
        ("" if line.to_disposition is None else str(line.to_disposition), kept.to_disposition),
        (line.owner, kept.owner),
        (line.container, kept.container),
        (line.reason, kept.reason),
    )
    return all(said in {"", was} for said, was in may_be_open) and all(
        said == was for said, was in must_be
    )


def _are_same_components(document: Document, known: EnteredDocument) -> bool:
    """Whether the components that were written are those that were kept."""
    for number, line in enumerate(document.lines, start=1):
        kept = [one for one in known.components if one.line == number]
        if not line.components:
            continue
        said = [(part.item, part.batch) for part in line.components]
        if said != [(one.item, one.batch) for one in kept]:
            return False
        for part, one in zip(line.components, kept, strict=True):
            if not part.unit and quantity_text(part.quantity) != one.quantity:
                return False
    return True
