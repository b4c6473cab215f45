"""What earlier documents left open: goods to be invoiced, accepted, returned or received.

The family of a document is replayed in the order in which it was recorded. Each line of a
receipt, a shipment or a transfer is a *source* with two pools: what *waits* (for its invoice, its
acceptance, its arrival) and what is *settled* (invoiced, sold). Later documents draw from them; a
reversal puts back what the reversed one drew. A pool that is drawn from gives the rounded share of
what is left in it, and its rest to the last one, so that clearing accounts end at zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from contracts.accounting import ShipmentPolicy
from contracts.documents import DocumentKind, EnteredDocument, EnteredLine
from contracts.vouchers import Occasion, Voucher
from ledger_sink.core.posting.accounting import Accounting, Related
from ledger_sink.core.posting.money import ZERO, share

CLEARING_PARTS = {
    DocumentKind.GOODS_RECEIPT: "goods_received_not_invoiced",
    DocumentKind.SALES_SHIPMENT: "goods_dispatched",
    DocumentKind.TRANSFER_OUT: "inventory_in_transit",
}
"""Where a source's open goods stand: the part of the chart."""
SOURCE_OF = {
    DocumentKind.PURCHASE_INVOICE: DocumentKind.GOODS_RECEIPT,
    DocumentKind.SUPPLIER_RETURN: DocumentKind.GOODS_RECEIPT,
    DocumentKind.SALES_ACCEPTANCE: DocumentKind.SALES_SHIPMENT,
    DocumentKind.CUSTOMER_RETURN: DocumentKind.SALES_SHIPMENT,
    DocumentKind.TRANSFER_IN: DocumentKind.TRANSFER_OUT,
}
"""What a document draws from."""
SETTLING = frozenset({DocumentKind.PURCHASE_INVOICE, DocumentKind.SALES_ACCEPTANCE})
"""What they draw stays with us as settled; the others take it away."""
RETURNS = frozenset({DocumentKind.SUPPLIER_RETURN, DocumentKind.CUSTOMER_RETURN})
"""They draw from what waits, then from what is settled."""


class Worth(NamedTuple):
    """Amounts of some goods."""

    held: Decimal = ZERO
    """On the clearing account, in the base currency."""
    cost: Decimal = ZERO
    """What they took from stock."""
    net: Decimal = ZERO
    """Their price."""
    tax: Decimal = ZERO
    """The tax on it."""
    currency_net: Decimal = ZERO
    """Price and tax in the document's currency."""
    currency_tax: Decimal = ZERO

    def plus(self, other: Worth) -> Worth:
        """Both together."""
        return Worth(*(one + two for one, two in zip(self, other, strict=True)))

    def less(self, other: Worth) -> Worth:
        """The rest."""
        return Worth(*(one - two for one, two in zip(self, other, strict=True)))

    def part(self, quantity: Decimal, whole: Decimal, decimals: int) -> Worth:
        """What of it falls to so many of so many."""
        return Worth(*(share(one, quantity, whole, decimals) for one in self))


NOTHING = Worth()


@dataclass(slots=True)
class Pool:
    """Goods of one line that are in the same state."""

    quantity: Decimal = ZERO
    worth: Worth = NOTHING

    def add(self, quantity: Decimal, worth: Worth) -> None:
        """So many more."""
        self.quantity += quantity
        self.worth = self.worth.plus(worth)

    def take(self, quantity: Decimal, decimals: int) -> Worth:
        """So many less; what they are worth."""
        taken = self.worth.part(quantity, self.quantity, decimals)
        self.quantity -= quantity
        self.worth = self.worth.less(taken)
        return taken

    def remove(self, quantity: Decimal, worth: Worth) -> None:
        """So many less, which are worth this."""
        self.quantity -= quantity
        self.worth = self.worth.less(worth)


@dataclass(slots=True)
class Source:
    """A line of a receipt, a shipment or a transfer."""

    document: EnteredDocument
    line: EnteredLine
    is_held: bool
    """True: what waits stands on the clearing account."""
    is_priced: bool
    """True: it has a price."""
    waiting: Pool = field(default_factory=Pool)
    settled: Pool = field(default_factory=Pool)


class Piece(NamedTuple):
    """What one line drew from one source."""

    source: Source
    was_settled: bool
    """True: from what was settled."""
    quantity: Decimal
    worth: Worth
    settled_as: Worth | None = None
    """What it is worth as settled; none: it is gone."""


class Drawn(NamedTuple):
    """What one line drew."""

    pieces: tuple[Piece, ...]
    missing: Decimal
    """So many were not there."""


def total(pieces: Sequence[Piece]) -> Worth:
    """What they are worth together."""
    worth = NOTHING
    for piece in pieces:
        worth = worth.plus(piece.worth)
    return worth


def own_worth(line: EnteredLine) -> Worth | None:
    """Price and tax that a line itself says."""
    if not line.net:
        return None
    return Worth(
        net=Decimal(line.net_base),
        tax=Decimal(line.tax_base or 0),
        currency_net=Decimal(line.net),
        currency_tax=Decimal(line.tax_amount or 0),
    )


class Trail:
    """The family of a document, replayed."""

    def __init__(self, related: Related, accounting: Accounting) -> None:
        self._accounting = accounting
        self._decimals = accounting.settings.money_decimals
        self.sources: list[Source] = []
        """The lines that later ones draw from, of documents that were not taken back."""
        self._drawn: dict[str, list[Piece]] = {}
        self._reversals: dict[str, str] = {}
        for document in related.documents:
            self._take(document, related.vouchers_of.get(document.id, ()))

    def reversed_by(self, document: str) -> str:
        """The document that took it back; empty: none."""
        return self._reversals.get(document, "")

    def drawn_from(self, document: str) -> set[str]:
        """The documents that a document drew from."""
        return {piece.source.document.id for piece in self._drawn.get(document, ())}

    def draw(self, document: EnteredDocument, line: EnteredLine) -> Drawn:
        """What a line draws, and takes away from what others can draw behind it."""
        left = abs(Decimal(line.quantity))
        sources = [one for one in self.sources if _follows(document, line, one)]
        pools = [(one, False) for one in sources]
        if document.kind in RETURNS:
            pools += [(one, True) for one in sources]
        pieces: list[Piece] = []
        for source, was_settled in pools:
            pool = source.settled if was_settled else source.waiting
            quantity = min(left, pool.quantity)
            if quantity > 0:
                worth = pool.take(quantity, self._decimals)
                pieces.append(Piece(source, was_settled, quantity, worth))
                left -= quantity
        if document.kind in SETTLING:
            pieces = self._settled(document, line, pieces)
        self._drawn.setdefault(document.id, []).extend(pieces)
        return Drawn(tuple(pieces), left)

    def users(self, document: EnteredDocument, related: Related) -> list[str]:
        """The documents that rest on this one and were not taken back, in their order."""
        found = []
        drew = [id(piece.source) for piece in self._drawn.get(document.id, ())]
        settled = set(drew) if document.kind in SETTLING else set()
        for other in related.documents:
            if other.kind is DocumentKind.REVERSAL or self.reversed_by(other.id):
                continue
            pieces = self._drawn.get(other.id, ())
            is_drawn = any(
                piece.source.document.id == document.id
                or (piece.was_settled and id(piece.source) in settled)
                for piece in pieces
            )
            if other.id != document.id and (other.refers == document.id or is_drawn):
                found.append(other.id)
        return found

    def _settled(
        self, document: EnteredDocument, line: EnteredLine, pieces: Sequence[Piece]
    ) -> list[Piece]:
        """What an invoice or an acceptance drew is settled now, a sale at its own price."""
        own = own_worth(line) if document.kind is DocumentKind.SALES_ACCEPTANCE else None
        left = sum((piece.quantity for piece in pieces), ZERO)
        settled = []
        for piece in pieces:
            worth = piece.worth
            if own is not None:
                part = own.part(piece.quantity, left, self._decimals)
                own, left = own.less(part), left - piece.quantity
                worth = part._replace(held=worth.held, cost=worth.cost)
            piece.source.settled.add(piece.quantity, worth)
            settled.append(piece._replace(settled_as=worth))
        return settled

    def _take(self, document: EnteredDocument, vouchers: Sequence[Voucher]) -> None:
        """One document of the family."""
        if document.kind in CLEARING_PARTS:
            self.sources += self._sources_of(document, vouchers)
        elif document.kind in SOURCE_OF and document.refers:
            for line in document.lines:
                self.draw(document, line)
        elif document.kind is DocumentKind.REVERSAL:
            self._reversals[document.refers] = document.id
            self._put_back(document.refers)
            self.sources = [one for one in self.sources if one.document.id != document.refers]

    def _put_back(self, document: str) -> None:
        """A reversed document drew nothing."""
        for piece in self._drawn.pop(document, ()):
            pool = piece.source.settled if piece.was_settled else piece.source.waiting
            pool.add(piece.quantity, piece.worth)
            if piece.settled_as is not None:
                piece.source.settled.remove(piece.quantity, piece.settled_as)

    def _sources_of(
        self, document: EnteredDocument, vouchers: Sequence[Voucher]
    ) -> Iterator[Source]:
        """What a receipt, a shipment or a transfer left open, line by line."""
        stock = self._accounting.stock_accounts
        clearing = self._accounting.chart.parts.get(CLEARING_PARTS[document.kind], "")
        side = -1 if document.kind is DocumentKind.GOODS_RECEIPT else 1
        costs: dict[int, Decimal] = {}
        held: dict[int, Decimal] = {}
        others: set[int] = set()
        for voucher in vouchers:
            if voucher.occasion is not Occasion.POSTING:
                continue
            for one in voucher.lines:
                amount = Decimal(one.debit) - Decimal(one.credit)
                if one.account == clearing:
                    held[one.document_line] = held.get(one.document_line, ZERO) + side * amount
                elif one.account in stock:
                    costs[one.document_line] = costs.get(one.document_line, ZERO) + side * amount
                else:
                    others.add(one.document_line)
        is_sale = document.kind is DocumentKind.SALES_SHIPMENT
        at_once = self._accounting.settings.shipment is ShipmentPolicy.REVENUE_AT_ONCE
        for line in document.lines:
            number = line.line
            if number not in costs and number not in held and not is_sale:
                continue  # Nothing of it has a value.
            money = own_worth(line)
            worth = (money or NOTHING)._replace(
                held=held.get(number, ZERO), cost=abs(costs.get(number, ZERO))
            )
            goods = Pool(abs(Decimal(line.quantity)), worth)
            is_sold = is_sale and number not in held and (number in others or at_once)
            pools = (Pool(), goods) if is_sold else (goods, Pool())
            yield Source(document, line, number in held, money is not None, *pools)


def _follows(document: EnteredDocument, line: EnteredLine, source: Source) -> bool:
    """Whether a line is about the goods of this source."""
    other = source.line
    if other.item != line.item or other.owner != line.owner:
        return False
    if source.document.kind is not SOURCE_OF[document.kind]:
        return False
    if source.document.id == document.refers:
        return line.order_line in {0, other.line}
    if source.document.refers == document.refers:
        return line.order_line in {0, other.order_line}
    return False
