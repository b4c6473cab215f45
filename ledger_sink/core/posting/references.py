"""What a document may refer to, which line of it a line follows, and what of that is still open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from contracts.books import Movement, PlaceKind
from contracts.documents import Document, DocumentKind, DocumentLine, EnteredDocument, EnteredLine
from ledger_sink.core.books_check import Key
from ledger_sink.core.posting.allocation import Piece
from ledger_sink.core.posting.money import quantity_text
from ledger_sink.core.posting.world import NOTHING, ORDERS, World, key_of

K = DocumentKind
MAY_REFER: Mapping[DocumentKind, tuple[DocumentKind, ...]] = {
    K.GOODS_RECEIPT: (K.PURCHASE_ORDER, K.SHIPPING_NOTICE),
    K.PURCHASE_INVOICE: (K.GOODS_RECEIPT, K.PURCHASE_ORDER, K.SHIPPING_NOTICE),
    K.SALES_SHIPMENT: (K.SALES_ORDER,),
    K.SALES_ACCEPTANCE: (K.SALES_SHIPMENT,),
    K.GOODS_ISSUE: (K.PRODUCTION_ORDER,),
    K.PRODUCTION_RECEIPT: (K.PRODUCTION_ORDER,),
    K.TRANSFER_OUT: (K.TRANSFER_ORDER,),
    K.TRANSFER_IN: (K.TRANSFER_OUT,),
    K.RELOCATION: (K.SALES_ORDER,),
    K.STATE_CHANGE: (K.SALES_ORDER,),
    K.CUSTOMER_RETURN: (K.SALES_SHIPMENT,),
    K.SUPPLIER_RETURN: (K.GOODS_RECEIPT,),
    K.REVERSAL: tuple(kind for kind in K if kind is not K.REVERSAL),
    K.SHIPPING_NOTICE: (K.PURCHASE_ORDER,),
    K.PRODUCTION_ORDER: (K.SALES_ORDER,),
    K.ORDER_CLOSED: ORDERS,
}
"""Other kinds refer to nothing."""
MUST_REFER = (
    K.PURCHASE_INVOICE,
    K.SALES_ACCEPTANCE,
    K.TRANSFER_IN,
    K.REVERSAL,
    K.ORDER_CLOSED,
)
LIMITED: Mapping[DocumentKind, str] = {
    K.CUSTOMER_RETURN: "shipped and not yet returned",
    K.SUPPLIER_RETURN: "received and not yet returned",
    K.SALES_ACCEPTANCE: "shipped and not yet accepted",
    K.TRANSFER_IN: "on its way",
}
"""More than what the other document has left is refused: it cannot have happened."""
NEEDS_ITEM = (*LIMITED, K.PURCHASE_INVOICE, K.SHIPPING_NOTICE)
"""Every line follows one of the other document."""
LEFT_FOR: Mapping[DocumentKind, PlaceKind] = {
    K.CUSTOMER_RETURN: PlaceKind.CUSTOMER,
    K.TRANSFER_IN: PlaceKind.IN_TRANSIT,
}
"""Where the other document's movement left what comes in again."""


def mistakes_in_reference(world: World, document: Document) -> Iterator[str]:
    """What is wrong with what a document refers to."""
    kind, name = document.kind, document.refers
    other = world.documents.get(name)
    if not name and kind in MUST_REFER:
        yield f"it does not say which document it refers to: a {kind} needs one"
    elif name and kind not in MAY_REFER:
        yield f"a {kind} refers to no other document: leave refers empty"
    elif name and other is None:
        yield f"document {name}, to which it refers, is not known: enter it first"
    elif other is not None and other.kind not in MAY_REFER[kind]:
        allowed = " or ".join(str(one) for one in MAY_REFER[kind])
        if kind is K.REVERSAL:
            allowed = "a document that is none itself"
        yield f"document {name} ({other.kind}) is not what a {kind} refers to: that is {allowed}"
    elif other is not None:
        yield from _mistakes_in_standing(world, kind, name)


def _mistakes_in_standing(world: World, kind: DocumentKind, name: str) -> Iterator[str]:
    """What became of the other document that nothing, or not this, can follow it any more."""
    taken_back = world.reversal_of(name)
    if taken_back:
        yield f"document {name} was taken back by {taken_back}"
        return
    followers = list(world.followers(name))
    if kind is K.REVERSAL and followers:
        names = ", ".join(one.id for one in followers)
        yield f"document {name} has {names} behind it: reverse that first"
    closed = [one.id for one in followers if one.kind is K.ORDER_CLOSED]
    if kind is K.ORDER_CLOSED and closed:
        yield f"order {name} was closed by {closed[0]}"


def followed(
    world: World, document: Document, line: DocumentLine, taken: Mapping[int, Decimal]
) -> EnteredLine | str | None:
    """The line of the other document that a line follows; None: of none. Or what is wrong.

    `taken` is what earlier lines of the same document take of each line.
    """
    other = world.documents.get(document.refers)
    if other is None:
        is_lost = line.order_line and not document.refers
        return "it names a line, but the document does not say of which one" if is_lost else None
    if line.order_line:
        return _line_of(other, line)
    same = [one for one in other.lines if one.item == line.item]
    if same:
        return next((one for one in same if left_of(world, document, one, taken) > 0), same[0])
    if document.kind in NEEDS_ITEM:
        return f"document {other.id} has no item {line.item}"
    return None


def _line_of(other: EnteredDocument, line: DocumentLine) -> EnteredLine | str:
    """The line that is named."""
    found = next((one for one in other.lines if one.line == line.order_line), None)
    if found is None:
        return f"document {other.id} has no line {line.order_line}"
    if found.item != line.item:
        return f"line {found.line} of document {other.id} is about item {found.item}"
    return found


def left_of(
    world: World, document: Document, line: EnteredLine, taken: Mapping[int, Decimal]
) -> Decimal:
    """What of another document's line no document of this kind has taken yet; never below zero."""
    done = sum(
        (
            Decimal(one.quantity)
            for other in world.followers(document.refers)
            if other.kind is document.kind and other.id != document.id
            for one in other.lines
            if one.order_line == line.line
        ),
        taken.get(line.line, NOTHING),
    )
    return max(Decimal(line.quantity) - done, NOTHING)


def open_of(world: World, document: Document, item: str, taken: Mapping[int, Decimal]) -> Decimal:
    """What of an item the other document has left for this kind, over all its lines."""
    lines = [one for one in world.documents[document.refers].lines if one.item == item]
    done = sum(
        (
            Decimal(one.quantity)
            for other in world.followers(document.refers)
            if other.kind is document.kind and other.id != document.id
            for one in other.lines
            if one.item == item
        ),
        sum((taken.get(one.line, NOTHING) for one in lines), NOTHING),
    )
    return max(sum((Decimal(one.quantity) for one in lines), NOTHING) - done, NOTHING)


def over_limit(
    world: World,
    document: Document,
    line: EnteredLine,
    asked: Decimal,
    taken: Mapping[int, Decimal],
) -> str | None:
    """Why a line takes more than what is left; None: it does not."""
    if document.kind not in LIMITED:
        return None
    left = left_of(world, document, line, taken)
    if asked <= left:
        return None
    return (
        f"{quantity_text(asked)} of item {line.item}, but only {quantity_text(left)} of"
        f" {document.refers} line {line.line} are {LIMITED[document.kind]}"
    )


def left_behind(world: World, document: Document) -> list[Piece]:
    """What the other document's movement left outside, less what has come back, piece by piece."""
    kind = LEFT_FOR[document.kind]
    found: dict[tuple[Key, str], Decimal] = {}
    for movement in _family(world, document.refers):
        for one in movement.postings:
            if world.is_kind(one.location, kind):
                spot = (key_of(one), one.container)
                found[spot] = found.get(spot, NOTHING) + Decimal(one.quantity)
    return [Piece(key, quantity, container) for (key, container), quantity in found.items()]


def _family(world: World, name: str) -> Iterator[Movement]:
    """The movements of a document, of those that refer to it, and of their reversals."""
    for one in world.family_of(name):
        if one in world.movements:
            yield world.movements[one]


def batches_of(world: World, document: str, item: str) -> frozenset[str] | None:
    """The batches of an item that a document moved; None: it tells nothing of them."""
    movement = world.movements.get(document)
    if movement is None:
        return None
    found = frozenset(one.batch for one in movement.postings if one.item == item and one.batch)
    return found or None
