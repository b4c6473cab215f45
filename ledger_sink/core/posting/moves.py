"""How each kind of document moves stock: where a line takes it from, and where it goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from contracts.books import PlaceKind, Posting, Reservation, Tracking
from contracts.documents import Document, DocumentKind, DocumentLine
from ledger_sink.core.books_check import Key
from ledger_sink.core.posting.allocation import (
    WITH_BATCHES,
    WITH_SERIALS,
    Piece,
    Want,
    allocated,
    orders_with,
    pick,
    postings_between,
    serials_needed,
    some,
)
from ledger_sink.core.posting.containers import filled, moved, spots
from ledger_sink.core.posting.money import quantity_text
from ledger_sink.core.posting.references import LEFT_FOR, batches_of, left_behind
from ledger_sink.core.posting.world import NOTHING, World

K = DocumentKind
COMES_FROM: Mapping[DocumentKind, PlaceKind] = {
    K.OPENING: PlaceKind.OPENING,
    K.GOODS_RECEIPT: PlaceKind.SUPPLIER,
    K.PRODUCTION_RECEIPT: PlaceKind.PRODUCTION,
    K.CUSTOMER_RETURN: PlaceKind.CUSTOMER,
}
"""What comes in from outside."""
GOES_TO: Mapping[DocumentKind, PlaceKind] = {
    K.SALES_SHIPMENT: PlaceKind.CUSTOMER,
    K.GOODS_ISSUE: PlaceKind.PRODUCTION,
    K.SUPPLIER_RETURN: PlaceKind.SUPPLIER,
    K.SCRAP: PlaceKind.SCRAP,
    K.TRANSFER_OUT: PlaceKind.IN_TRANSIT,
}
"""What goes out."""
STAYS = (K.RELOCATION, K.STATE_CHANGE, K.UNPACKING)
"""What stays in the house."""
MOVES_STOCK = (*COMES_FROM, *GOES_TO, *STAYS, K.TRANSFER_IN, K.ADJUSTMENT)
MOVES_CONTAINERS = (*GOES_TO, *STAYS, K.TRANSFER_IN)
"""A line with a container moves all that is in it; of what comes in, it says where it is put."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """A line whose quantity is in base units."""

    line: DocumentLine
    base: Decimal
    order: str
    """The order whose allocated stock it may take."""


def stock_of(world: World, document: Document, counted: Counted) -> list[Posting] | str:
    """The postings of one line, or why there are none."""
    kind = document.kind
    if kind is K.SALES_ORDER:
        return _promise(world, document, counted)
    if kind in COMES_FROM:
        return _coming(world, document, counted, COMES_FROM[kind])
    if kind is K.ADJUSTMENT and counted.base > 0:
        return _coming(world, document, counted, PlaceKind.ADJUSTMENT)
    if kind is K.TRANSFER_IN:
        return _arriving(world, document, counted)
    return _leaving(world, document, counted)


def _coming(
    world: World, document: Document, counted: Counted, kind: PlaceKind
) -> list[Posting] | str:
    """From outside into a zone or bin."""
    line = counted.line
    outside = outside_of(world, kind)
    target = place_of(world, line.location, _warehouse(world, document), "location")
    if isinstance(outside, Missing) or isinstance(target, Missing):
        return "; ".join(one.text for one in (outside, target) if isinstance(one, Missing))
    pieces = _pieces_coming(world, document, counted, outside)
    if isinstance(pieces, str):
        return pieces
    wrong = _serials_there(world, line.item, pieces)
    if wrong and not document.is_physical:
        return wrong
    elsewhere = spots(world, line.container) - {target} if line.container else set()
    if elsewhere:
        return f"{line.container} is at {', '.join(sorted(elsewhere))}: move it to {target} first"
    return [
        one
        for piece in pieces
        for one in postings_between(piece, piece.key._replace(location=target), piece.container)
    ]


def _pieces_coming(
    world: World, document: Document, counted: Counted, outside: str
) -> list[Piece] | str:
    """What comes in, by batch, serial number and container."""
    line, tracking = counted.line, world.items[counted.line.item].book.tracking
    if line.container:
        return _into_container(world, counted, outside)
    if document.kind in LEFT_FOR and document.refers and tracking is not Tracking.NONE:
        found = _come_back(world, document, counted)
        if isinstance(found, str):
            return found
        return [Piece(_as_it_comes(one.key, outside, line), one.quantity) for one in found]
    return _loose(world, counted, outside)


def _loose(world: World, counted: Counted, outside: str) -> list[Piece] | str:
    """What comes in and lies in no container."""
    line, tracking = counted.line, world.items[counted.line.item].book.tracking
    if tracking in WITH_BATCHES and not line.batch:
        return f"item {line.item} needs a batch"
    state = (str(line.disposition), str(Reservation.NONE), line.owner)
    if tracking not in WITH_SERIALS:
        return [Piece(Key(line.item, outside, line.batch, "", *state), counted.base)]
    if len(line.serials) != counted.base:
        return serials_needed(line.item, counted.base, len(line.serials))
    return [
        Piece(Key(line.item, outside, line.batch, serial, *state), Decimal(1))
        for serial in line.serials
    ]


def _into_container(world: World, counted: Counted, outside: str) -> list[Piece] | str:
    """What comes in and lies in a pallet or case."""
    line = counted.line
    state = (str(line.disposition), str(Reservation.NONE), line.owner)
    shares = filled(world, line.container, line.item, counted.base, line.batch, line.serials)
    if isinstance(shares, str):
        return shares
    return [
        Piece(
            Key(line.item, outside, share.batch, share.serial, *state),
            share.quantity,
            share.container,
            share.is_inferred,
        )
        for share in shares
    ]


def _as_it_comes(key: Key, outside: str, line: DocumentLine) -> Key:
    return key._replace(location=outside, disposition=str(line.disposition), owner=line.owner)


def _come_back(world: World, document: Document, counted: Counted) -> list[Piece] | str:
    """Pieces of what the other document left outside, in its order."""
    line, left = counted.line, counted.base
    has_serials = world.items[line.item].book.tracking in WITH_SERIALS
    may_be_all = document.kind is K.TRANSFER_IN and not line.serials
    if has_serials and len(line.serials) != counted.base and not may_be_all:
        return serials_needed(line.item, counted.base, len(line.serials))
    found: list[Piece] = []
    named = frozenset(line.serials)
    gone = set(named)
    for piece in left_behind(world, document):
        taken = min(piece.quantity, left)
        if taken > 0 and _is_of(piece.key, line, named):
            found.append(piece._replace(quantity=taken))
            gone.discard(piece.key.serial)
            left -= taken
    if gone:
        lost = some(sorted(gone))
        return f"serial {lost} of item {line.item} is not among what {document.refers} moved"
    if left > 0:
        batch = f" batch {line.batch}" if line.batch else ""
        there = quantity_text(counted.base - left)
        return (
            f"{quantity_text(counted.base)} of item {line.item}{batch}, but only {there} of what"
            f" {document.refers} moved are left"
        )
    return found


def _is_of(key: Key, line: DocumentLine, named: frozenset[str]) -> bool:
    return (
        key.item == line.item
        and (not line.batch or key.batch == line.batch)
        and (not named or key.serial in named)
        and key.owner == line.owner
    )


def _serials_there(world: World, item: str, pieces: Iterable[Piece]) -> str:
    """What is wrong with serial numbers that come in: one is in the house already."""
    coming = {piece.key.serial for piece in pieces} - {""}
    for key in world.keys_of(item) if coming else ():
        is_there = key.serial in coming and world.balances[key] > 0
        if is_there and world.is_real(key.location):
            return f"serial {key.serial} of item {item} is already at {key.location}"
    return ""


def _arriving(world: World, document: Document, counted: Counted) -> list[Posting] | str:
    """Out of transit into a zone or bin: what the transfer took out, batch by batch."""
    line = counted.line
    transit = outside_of(world, PlaceKind.IN_TRANSIT)
    target = place_of(
        world, line.to_location or line.location, _warehouse_to(world, document), "to_location"
    )
    if isinstance(transit, Missing) or isinstance(target, Missing):
        return "; ".join(one.text for one in (transit, target) if isinstance(one, Missing))
    if line.container:
        pieces = _with_container(world, counted, (transit,))
    else:
        pieces = _come_back(world, document, counted)
    if isinstance(pieces, str):
        return pieces
    return [
        one
        for piece in pieces
        for one in postings_between(
            piece, _changed(piece.key, line)._replace(location=target), piece.container
        )
    ]


def _leaving(world: World, document: Document, counted: Counted) -> list[Posting] | str:
    """Out of a zone or bin: outside, or to another place or state."""
    line = counted.line
    places = places_of(world, line, _warehouse(world, document))
    target = _target(world, document, line)
    if isinstance(places, Missing) or isinstance(target, Missing):
        return "; ".join(one.text for one in (places, target) if isinstance(one, Missing))
    if document.kind is K.RELOCATION:
        wrong = _far(world, places[0], target)
        if wrong:
            return wrong
        if line.to_disposition in {None, line.disposition}:
            places = tuple(one for one in places if one != target)
    if not places:
        return f"it is at {target} already"
    pieces = _pieces_leaving(world, document, counted, places)
    if isinstance(pieces, str):
        return pieces
    return [
        one
        for piece in pieces
        for one in postings_between(
            piece, _goal(document, line, piece, target), _container_after(document, line, piece)
        )
    ]


def _far(world: World, place: str, target: str) -> str:
    """Why a relocation leaves its warehouse; empty: it does not."""
    here, there = world.places[place].warehouse, world.places[target].warehouse
    if here == there:
        return ""
    return f"{place} is in warehouse {here}, {target} in {there}: transfer it"


def _goal(document: Document, line: DocumentLine, piece: Piece, target: str) -> Key:
    """The key that a piece has afterwards."""
    key = _changed(piece.key, line)
    if document.kind in STAYS:
        return key._replace(location=target) if target else key
    return key._replace(location=target, reservation=str(Reservation.NONE))


def _changed(key: Key, line: DocumentLine) -> Key:
    """The key with the disposition that the line changes it to."""
    return (
        key if line.to_disposition is None else key._replace(disposition=str(line.to_disposition))
    )


def _container_after(document: Document, line: DocumentLine, piece: Piece) -> str:
    """What a piece lies in afterwards: what was picked out of a container lies in none."""
    if document.kind is K.UNPACKING:
        return "" if piece.container == line.container else piece.container
    if document.kind is K.STATE_CHANGE or line.container:
        return piece.container
    return ""


def _pieces_leaving(
    world: World, document: Document, counted: Counted, places: tuple[str, ...]
) -> list[Piece] | str:
    """What is taken: with its container, or by the order in which stock goes out."""
    line = counted.line
    if line.container and document.kind in MOVES_CONTAINERS:
        return _with_container(world, counted, places)
    batches = None
    if document.kind is K.SUPPLIER_RETURN and document.refers and not line.batch:
        batches = batches_of(world, document.refers, line.item)
    return pick(world, _want(document, counted, places, batches))


def _want(
    document: Document,
    counted: Counted,
    places: tuple[str, ...],
    batches: frozenset[str] | None,
) -> Want:
    line = counted.line
    return Want(
        item=line.item,
        quantity=abs(counted.base),
        places=places,
        day=document.happened_at.date(),
        disposition=line.disposition,
        owner=line.owner,
        batch=line.batch,
        batches=batches,
        serials=line.serials,
        container=line.container,
        order=counted.order,
        is_physical=document.is_physical,
    )


def _with_container(world: World, counted: Counted, places: tuple[str, ...]) -> list[Piece] | str:
    """All of the line's item that is in its container."""
    line = counted.line
    found = moved(world, line.container, line.item, places, line.serials)
    if isinstance(found, str):
        return found
    pieces = [
        piece
        for piece in found
        if (not line.batch or piece.key.batch == line.batch) and piece.key.owner == line.owner
    ]
    there = sum((piece.quantity for piece in pieces), NOTHING)
    if there != counted.base:
        batch = f" batch {line.batch}" if line.batch else ""
        return (
            f"{line.container} holds {quantity_text(there)} of item {line.item}{batch} by the book,"
            f" not {quantity_text(counted.base)}: say what it holds, or take it apart first"
        )
    return _promised_to_others(world, counted, pieces) or pieces


def _promised_to_others(world: World, counted: Counted, pieces: list[Piece]) -> str:
    """Why pieces may not be taken: they are promised, and not to this order; else empty."""
    wanted: dict[Key, Decimal] = {}
    for piece in pieces:
        wanted[piece.key] = wanted.get(piece.key, NOTHING) + piece.quantity
    for key, quantity in wanted.items():
        promised = world.allocations.get(counted.order, {}).get(key, NOTHING)
        if key.reservation != Reservation.NONE and promised < quantity:
            whom = ", ".join(orders_with(world, key)) or "somebody"
            return (
                f"{quantity_text(quantity)} of item {key.item} in {counted.line.container} are"
                f" {key.reservation} to {whom}: refer to it, or close it first"
            )
    return ""


def _promise(world: World, document: Document, counted: Counted) -> list[Posting] | str:
    """Allocate what an approved sales order asks for."""
    places = places_of(world, counted.line, _warehouse(world, document))
    if isinstance(places, Missing):
        return places.text
    want = _want(document, replace(counted, order=""), places, None)
    may_choose = not counted.line.serials
    # Nothing is promised that is not there, whatever was seen.
    pieces = pick(world, replace(want, may_choose_serials=may_choose, is_physical=False))
    if isinstance(pieces, str):
        return pieces
    short = [piece for piece in pieces if world.balances.get(piece.key, NOTHING) < piece.quantity]
    if short:
        missing = quantity_text(sum((piece.quantity for piece in short), NOTHING))
        return f"{missing} of item {counted.line.item} are missing: they cannot be allocated"
    return list(allocated(pieces))


def _warehouse(world: World, document: Document) -> str:
    """Where, if a line names no location: as the document says, or the one that it refers to."""
    other = world.documents.get(document.refers)
    return document.warehouse or ("" if other is None else other.warehouse)


def _warehouse_to(world: World, document: Document) -> str:
    """Where a transfer goes."""
    other = world.documents.get(document.refers)
    return document.to_warehouse or ("" if other is None else other.to_warehouse)


@dataclass(frozen=True)
class Missing:
    """A location that a line needs and does not have."""

    text: str


def outside_of(world: World, kind: PlaceKind) -> str | Missing:
    """The site's one location of a virtual kind."""
    found = world.outside(kind)
    if isinstance(found, str):
        return found
    if found:
        return Missing(f"the site has {len(found)} locations of kind {kind}: leave one")
    return Missing(f"the site has no location of kind {kind}: add one to its places")


def place_of(world: World, location: str, warehouse: str, field: str) -> str | Missing:
    """The zone or bin that a line names, else the only one of the warehouse."""
    places = _places(world, location, warehouse, field)
    if isinstance(places, Missing) or len(places) == 1:
        return places if isinstance(places, Missing) else places[0]
    return Missing(f"there are {len(places)} zones and bins: say which in {field}")


def places_of(world: World, line: DocumentLine, warehouse: str) -> tuple[str, ...] | Missing:
    """Where a line takes stock from: its location, else all zones and bins of the warehouse."""
    return _places(world, line.location, warehouse, "location")


def _places(world: World, location: str, warehouse: str, field: str) -> tuple[str, ...] | Missing:
    if location:
        if location not in world.places:
            real = [one for one in world.places if world.is_real(one)]
            there = (
                f"there {'is' if len(real) == 1 else 'are'} {some(real)}" if real else "enter it"
            )
            return Missing(f"location {location} is not known; {there}")
        if not world.is_real(location):
            kind = world.places[location].kind
            return Missing(f"location {location} is no zone or bin, but {kind}")
        return (location,)
    if not warehouse:
        if len(world.warehouses()) != 1:
            return Missing(f"say where: a {field}, or a warehouse for the document")
        (warehouse,) = world.warehouses()
    found = world.real_places(warehouse)
    return found or Missing(f"warehouse {warehouse} has no zone and no bin")


def _target(world: World, document: Document, line: DocumentLine) -> str | Missing:
    """Where stock that leaves its place goes; empty: it stays there."""
    if document.kind in {K.STATE_CHANGE, K.UNPACKING}:
        return ""
    if document.kind is K.RELOCATION:
        if not line.to_location:
            return Missing("say where it goes in to_location")
        return place_of(world, line.to_location, "", "to_location")
    kind = PlaceKind.ADJUSTMENT if document.kind is K.ADJUSTMENT else GOES_TO[document.kind]
    return outside_of(world, kind)
