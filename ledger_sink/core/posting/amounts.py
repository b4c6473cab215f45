"""What a line of each kind of document is about in money: the amounts that rules may name.

What the amounts mean is fixed per kind of document, here and in `MEANING`; where they go is the
rules' business. A line's stock moves when its amounts are worked out, so lines count in order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from contracts.accounting import Amount
from contracts.books import PlaceKind
from contracts.documents import DocumentKind, EnteredDocument, EnteredLine
from contracts.vouchers import ItemValuation, Method
from ledger_sink.core.posting.accounting import VALUED, Accounting, Related
from ledger_sink.core.posting.clearing import NOTHING, Piece, Trail, Worth, own_worth, total
from ledger_sink.core.posting.money import WORKING, ZERO, quantity_text, share, times
from ledger_sink.core.posting.valuation import (
    Step,
    Stock,
    add_difference,
    revalue,
    stock_of,
    take_in,
    take_out,
)


class LineAmounts(NamedTuple):
    """The amounts of a line, in the base currency."""

    net: Decimal | None = ZERO
    """None: it has no price, and a rule must not ask for one."""
    tax: Decimal = ZERO
    cost: Decimal = ZERO
    cleared: Decimal = ZERO
    difference: Decimal = ZERO
    quantity: Decimal = ZERO
    """By how many base units a debit of `cost` (or of a transfer's `cleared`) changes stock."""
    currency_net: Decimal = ZERO
    """Price and tax in the document's currency."""
    currency_tax: Decimal = ZERO

    def of(self, amount: Amount) -> Decimal | None:
        """The amount of this name; none: it has no price."""
        if amount is Amount.NET:
            return self.net
        if amount is Amount.GROSS:
            return None if self.net is None else self.net + self.tax
        return {
            Amount.TAX: self.tax,
            Amount.COST: self.cost,
            Amount.CLEARED: self.cleared,
            Amount.DIFFERENCE: self.difference,
        }[amount]

    def currency_of(self, amount: Amount) -> Decimal | None:
        """The same in the document's currency; none: it has none there."""
        return {
            Amount.NET: self.currency_net,
            Amount.TAX: self.currency_tax,
            Amount.GROSS: self.currency_net + self.currency_tax,
        }.get(amount)


Worked = LineAmounts | str | None
"""A line's amounts; or why it is refused; or none, where it has nothing to book."""


class Desk:
    """Works out one document, line by line."""

    def __init__(
        self,
        document: EnteredDocument,
        accounting: Accounting,
        place_kinds: Mapping[str, PlaceKind],
        valuations: Mapping[str, ItemValuation],
        related: Related,
    ) -> None:
        self.document = document
        self.accounting = accounting
        self.decimals = accounting.settings.money_decimals
        self.remainders: list[tuple[EnteredLine, Decimal]] = []
        """By how much stock is worth more beside the lines' own amounts."""
        self.trail = Trail(related, accounting)
        self.stocks: dict[str, Stock] = {}
        """What was touched, as it is now."""
        self._before: dict[str, Stock] = {}
        self._place_kinds = place_kinds
        self._valuations = valuations

    def work(self, line: EnteredLine) -> Worked:
        """The amounts of a line."""
        work = WORK.get(self.document.kind)
        if work is None:
            return None
        if not Decimal(line.quantity):
            return f"the quantity of {line.item} is zero: leave the line out"
        return work(self, line)

    def is_valued(self, line: EnteredLine) -> bool:
        """Whether the line is about stock that has a value: ours, with a costing, in the house."""
        kind = self._place_kinds.get(line.location, PlaceKind.ZONE)
        return not line.owner and line.item in self.accounting.costings and kind in VALUED

    def stock(self, item: str) -> Stock:
        """What the item is worth now."""
        return self.stocks[item] if item in self.stocks else self.before(item)

    def before(self, item: str) -> Stock:
        """What the item was worth before the document."""
        if item not in self._before:
            self._before[item] = self._read(item)
        return self._before[item]

    def _read(self, item: str) -> Stock:
        valuation = self._valuations.get(item)
        costing = self.accounting.costings.get(item)
        method = Method.MOVING_AVERAGE if costing is None else costing.method
        if valuation is None:
            return Stock(item, method)
        stock = stock_of(valuation)
        if stock.method is not method and not stock.quantity:
            return Stock(item, method, price=stock.price)
        return stock

    def step(self, line: EnteredLine, step: Step) -> Decimal:
        """A line moved its item's stock so; the cost that it books."""
        self.stocks[line.item] = step.stock
        if step.remainder:
            self.remainders.append((line, step.remainder))
        return step.cost

    def take_in(self, line: EnteredLine, cost: Decimal) -> Decimal:
        """The line's goods come in at this cost."""
        quantity = Decimal(line.quantity)
        stock = self.stock(line.item)
        return self.step(line, take_in(stock, self.document.id, quantity, cost, self.decimals))

    def take_out(self, line: EnteredLine) -> Decimal:
        """The line's goods go out; their cost."""
        quantity = abs(Decimal(line.quantity))
        return self.step(line, take_out(self.stock(line.item), quantity, self.decimals))

    def at_last_price(self, line: EnteredLine) -> Decimal:
        """The line's quantity at the last known unit cost."""
        price = self.stock(line.item).price
        return times(price, abs(Decimal(line.quantity)), self.decimals)

    def received(self, line: EnteredLine) -> Worth | str:
        """What comes in costs: its price; if a device saw it come without one, the last known."""
        money = own_worth(line)
        if money is not None:
            return money
        if self.document.is_physical:
            estimate = self.at_last_price(line)
            return Worth(net=estimate, currency_net=self.in_currency(estimate))
        return f"{line.item} is valued and has no price here: give its price (0 where it is free)"

    def in_currency(self, amount: Decimal) -> Decimal:
        """An amount in the document's currency."""
        return share(amount, Decimal(1), Decimal(self.document.rate or 1), self.decimals)

    def draw(self, line: EnteredLine, what: str) -> tuple[Piece, ...] | str:
        """What the line draws from earlier documents; or why it cannot."""
        pieces, missing = self.trail.draw(self.document, line)
        if not missing:
            return pieces
        there = quantity_text(abs(Decimal(line.quantity)) - missing)
        return (
            f"{line.quantity} of {line.item}, but of {self.document.refers} only {there} {what}: "
            "lower the quantity, or correct the document that it refers to"
        )


def _opening(desk: Desk, line: EnteredLine) -> Worked:
    if not desk.is_valued(line):
        return None
    money = desk.received(line)
    if isinstance(money, str):
        return money
    cost = desk.take_in(line, money.net)
    return _priced(money)._replace(cost=cost, quantity=Decimal(line.quantity))


def _purchase_invoice(desk: Desk, line: EnteredLine) -> Worked:
    if line.owner or line.item not in desk.accounting.costings:
        return None
    money = own_worth(line)
    if money is None:
        return f"the invoice of {line.item} has no price: give it"
    pieces = desk.draw(line, "were received and are not yet invoiced")
    if isinstance(pieces, str):
        return pieces
    cleared = total([piece for piece in pieces if piece.source.is_held])
    booked = total([piece for piece in pieces if not piece.source.is_held])
    owed = money.less(booked)
    difference = owed.net - cleared.held
    documents = {piece.source.document.id for piece in pieces}
    quantity = abs(Decimal(line.quantity))
    stock = desk.stock(line.item)
    desk.step(line, add_difference(stock, difference, quantity, documents, desk.decimals))
    return _priced(owed)._replace(cleared=cleared.held, difference=difference)


def _sales_shipment(desk: Desk, line: EnteredLine) -> Worked:
    money = own_worth(line)
    amounts = LineAmounts(net=None) if money is None else _priced(money)
    if not desk.is_valued(line):
        return None if money is None else amounts
    return amounts._replace(cost=desk.take_out(line), quantity=abs(Decimal(line.quantity)))


def _sales_acceptance(desk: Desk, line: EnteredLine) -> Worked:
    pieces = desk.draw(line, "were shipped and are not yet accepted")
    if isinstance(pieces, str):
        return pieces
    worth = total(pieces)
    money = own_worth(line)
    if money is None and all(piece.source.is_priced for piece in pieces):
        money = worth
    amounts = LineAmounts(net=None) if money is None else _priced(money)
    return amounts._replace(cleared=worth.held)


def _customer_return(desk: Desk, line: EnteredLine) -> Worked:
    money = own_worth(line)
    if not desk.document.refers:
        amounts = _priced(money or NOTHING)
        if not desk.is_valued(line):
            return amounts
        cost = desk.take_in(line, desk.at_last_price(line))
        return amounts._replace(cost=cost, difference=cost, quantity=Decimal(line.quantity))
    pieces = desk.draw(line, "were shipped and have not come back")
    if isinstance(pieces, str):
        return pieces
    sold = [piece for piece in pieces if piece.was_settled]
    quantity = Decimal(line.quantity)
    worth = total(sold)
    if money is not None:
        worth = money.part(sum((one.quantity for one in sold), ZERO), quantity, desk.decimals)
    amounts = _priced(worth)
    if not desk.is_valued(line):
        return amounts
    held = total([piece for piece in pieces if not piece.was_settled]).held
    cost = desk.take_in(line, total(pieces).cost)
    return amounts._replace(cost=cost, cleared=held, difference=cost - held, quantity=quantity)


def _supplier_return(desk: Desk, line: EnteredLine) -> Worked:
    if not desk.is_valued(line):
        return None
    pieces: Sequence[Piece] = ()
    if desk.document.refers:
        drawn = desk.draw(line, "were received and not yet given back")
        if isinstance(drawn, str):
            return drawn
        pieces = drawn
    held = total([one for one in pieces if one.source.is_held and not one.was_settled]).held
    owed: Worth | None = total([one for one in pieces if one.was_settled or not one.source.is_held])
    if not desk.document.refers:
        owed = own_worth(line)
    if owed is None:
        return f"{line.item} is given back without a receipt: refer to it, or give the price"
    cost = desk.take_out(line)
    return _priced(owed)._replace(
        cost=cost,
        cleared=held,
        difference=held + owed.net - cost,
        quantity=abs(Decimal(line.quantity)),
    )


def _used(desk: Desk, line: EnteredLine) -> Worked:
    """Goods issues and scrap."""
    if not desk.is_valued(line):
        return None
    return LineAmounts(cost=desk.take_out(line), quantity=abs(Decimal(line.quantity)))


def _production_receipt(desk: Desk, line: EnteredLine) -> Worked:
    if not desk.is_valued(line):
        return None
    quantity = Decimal(line.quantity)
    used = [one for one in desk.document.components if one.line == line.line]
    parts = sum(
        (
            times(desk.stock(one.item).price, Decimal(one.quantity), desk.decimals)
            for one in used
            if one.item in desk.accounting.costings
        ),
        ZERO,
    )
    bill = desk.accounting.bills.get(line.item)
    made = ZERO if bill is None else times(bill.conversion_cost, quantity, desk.decimals)
    cost = desk.take_in(line, parts + made)
    return LineAmounts(cost=cost, cleared=parts, difference=made, quantity=quantity)


def _transfer_out(desk: Desk, line: EnteredLine) -> Worked:
    """Stock in transit is stock: what it is worth stays as it is."""
    if not desk.is_valued(line):
        return None
    quantity = abs(Decimal(line.quantity))
    cost = take_out(desk.stock(line.item), quantity, desk.decimals).cost
    return LineAmounts(cost=cost, cleared=cost, quantity=quantity)


def _transfer_in(desk: Desk, line: EnteredLine) -> Worked:
    if not desk.document.refers:
        return _transfer_out(desk, line)
    if line.owner or line.item not in desk.accounting.costings:
        return None
    pieces = desk.draw(line, "were sent and are still on their way")
    if isinstance(pieces, str):
        return pieces
    cost = total(pieces).held
    return LineAmounts(cost=cost, cleared=cost, quantity=abs(Decimal(line.quantity)))


def _adjustment(desk: Desk, line: EnteredLine) -> Worked:
    """A gain is worth the last known unit cost; a loss its cost, below zero."""
    if not desk.is_valued(line):
        return None
    quantity = Decimal(line.quantity)
    if quantity < 0:
        return LineAmounts(cost=-desk.take_out(line), quantity=quantity)
    return LineAmounts(cost=desk.take_in(line, desk.at_last_price(line)), quantity=quantity)


def _revaluation(desk: Desk, line: EnteredLine) -> Worked:
    """All of it is a remainder."""
    if line.owner or line.item not in desk.accounting.costings:
        return f"{line.item} has no costing, so it has no value to change"
    stock = desk.stock(line.item)
    if not stock.quantity:
        return f"there is no stock of {line.item} whose value could change"
    if not line.price:
        return f"the new unit cost of {line.item} is missing: give its price"
    factor = WORKING.multiply(Decimal(line.price), Decimal(desk.document.rate or 1))
    units = WORKING.multiply(factor, Decimal(line.unit_quantity))
    desk.step(line, revalue(stock, WORKING.divide(units, Decimal(line.quantity)), desk.decimals))
    return None


def _priced(worth: Worth) -> LineAmounts:
    """Amounts of a price."""
    return LineAmounts(
        net=worth.net,
        tax=worth.tax,
        currency_net=worth.currency_net,
        currency_tax=worth.currency_tax,
    )


WORK: Mapping[DocumentKind, Callable[[Desk, EnteredLine], Worked]] = {
    DocumentKind.OPENING: _opening,
    DocumentKind.GOODS_RECEIPT: _opening,
    DocumentKind.PURCHASE_INVOICE: _purchase_invoice,
    DocumentKind.SALES_SHIPMENT: _sales_shipment,
    DocumentKind.SALES_ACCEPTANCE: _sales_acceptance,
    DocumentKind.CUSTOMER_RETURN: _customer_return,
    DocumentKind.SUPPLIER_RETURN: _supplier_return,
    DocumentKind.GOODS_ISSUE: _used,
    DocumentKind.SCRAP: _used,
    DocumentKind.PRODUCTION_RECEIPT: _production_receipt,
    DocumentKind.TRANSFER_OUT: _transfer_out,
    DocumentKind.TRANSFER_IN: _transfer_in,
    DocumentKind.ADJUSTMENT: _adjustment,
    DocumentKind.REVALUATION: _revaluation,
}
"""How the amounts of a line are worked out; other kinds have none."""
