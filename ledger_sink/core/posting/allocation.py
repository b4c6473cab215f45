"""Which stock goes out, and which is promised to whom.

First expiring first, then what came first; an owner's stock never fills in for ours or another's;
an expired batch only where it is named. What is allocated to an order is taken by the shipment
that refers to it before anything else, and by nobody else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from contracts.books import Disposition, Negative, Posting, Reservation, Tracking
from ledger_sink.core.books_check import Key
from ledger_sink.core.posting.money import quantity_text
from ledger_sink.core.posting.world import NOTHING, World

NAMED_MAX = 5
"""Orders, locations or serial numbers that a refusal names."""
WITH_SERIALS = (Tracking.SERIAL, Tracking.BATCH_SERIAL)
WITH_BATCHES = (Tracking.BATCH, Tracking.BATCH_SERIAL)


class Piece(NamedTuple):
    """So much stock of one key."""

    key: Key
    quantity: Decimal
    container: str = ""
    """What it lies in."""
    is_inferred: bool = False
    """Its container was seen, it was not."""


@dataclass(frozen=True, kw_only=True)
class Want:
    """What stock is looked for."""

    item: str
    quantity: Decimal
    """In base units; of serial items as many as are named, but for allocation."""
    places: tuple[str, ...]
    """Where to look; the first is what goes below zero, where something may."""
    day: date
    """The day, where the document was written: what expired before is left."""
    disposition: Disposition = Disposition.AVAILABLE
    owner: str = ""
    batch: str = ""
    batches: frozenset[str] | None = None
    """Only these; None: any."""
    serials: tuple[str, ...] = ()
    container: str = ""
    """Only what lies directly in it; empty: anywhere."""
    order: str = ""
    """Whose allocated stock may be taken."""
    may_choose_serials: bool = False
    """True: stock is only promised, so any piece will do."""
    is_physical: bool = False
    """True: it was seen to move, whatever the book says."""


def pick(world: World, want: Want) -> list[Piece] | str:
    """The pieces that are taken, or why there are not enough."""
    facts = world.items[want.item].book
    if facts.tracking in WITH_SERIALS and not want.may_choose_serials:
        return _pick_serials(world, want)
    pieces, left = _fill(world, want, want.quantity)
    if left == 0:
        return pieces
    if not want.is_physical and facts.negative is Negative.REFUSE:
        return shortage(world, want, left)
    batch = want.batch or (pieces[-1].key.batch if pieces else "")
    if facts.tracking in WITH_BATCHES and not batch:
        return f"the book has none of item {want.item} here: say which batch it is"
    state = (str(want.disposition), str(Reservation.NONE), want.owner)
    key = Key(want.item, want.places[0], batch, "", *state)
    return [*pieces, Piece(key, left)]


def _fill(world: World, want: Want, quantity: Decimal) -> tuple[list[Piece], Decimal]:
    """Pieces up to a quantity in the order in which stock is taken, and what is missing."""
    pieces: list[Piece] = []
    left = quantity
    for key, most in candidates(world, want):
        for container, there in parts(world, key, most):
            taken = min(left, there)
            if taken > 0 and want.container in {"", container}:
                pieces.append(Piece(key, taken, container))
                left -= taken
        if left == 0:
            break
    return pieces, left


def candidates(world: World, want: Want) -> Iterator[tuple[Key, Decimal]]:
    """Stock that may be taken and how much, in the order in which it is taken."""
    promised = world.allocations.get(want.order, {}) if want.order else {}
    named = frozenset(want.serials)
    fitting = [
        (key, world.balances[key])
        for key in world.keys_of(want.item)
        if world.balances[key] > 0 and _fits(world, want, key, named)
    ]

    def rank(entry: tuple[Key, Decimal]) -> tuple[bool, date, int, str, Key]:
        key = entry[0]
        is_free = key.reservation == Reservation.NONE
        return (is_free, world.expires_on(key.item, key.batch), world.ages[key], key.location, key)

    for key, quantity in sorted(fitting, key=rank):
        if key.reservation == Reservation.NONE:
            yield key, quantity
        elif promised.get(key, NOTHING) > 0:
            yield key, min(quantity, promised[key])


def _fits(world: World, want: Want, key: Key, named: frozenset[str]) -> bool:
    is_expired = not want.batch and world.expires_on(key.item, key.batch) < want.day
    return (
        key.location in want.places
        and key.disposition == want.disposition
        and key.owner == want.owner
        and key.reservation != Reservation.PICKED
        and (not want.batch or key.batch == want.batch)
        and (want.batches is None or key.batch in want.batches)
        and (not named or key.serial in named)
        and not (is_expired and want.disposition is Disposition.AVAILABLE)
    )


def parts(world: World, key: Key, most: Decimal) -> Iterator[tuple[str, Decimal]]:
    """What of a key's stock is loose and what lies in which container, loose first."""
    inside = [
        (container, world.contents[container][key])
        for container in world.holders_of(key)
        if world.contents[container].get(key, NOTHING) > 0
    ]
    loose = world.loose(key)
    left = most
    for container, quantity in [("", max(loose, NOTHING)), *inside]:
        there = min(quantity, left)
        if there > 0:
            yield container, there
            left -= there


def _pick_serials(world: World, want: Want) -> list[Piece] | str:
    """The named pieces, each where the book has it."""
    if len(want.serials) != want.quantity:
        return serials_needed(want.item, want.quantity, len(want.serials))
    there = {key.serial: key for key, _ in candidates(world, want)}
    known = _by_serial(world, want) if len(there) < len(want.serials) else {}
    pieces: list[Piece] = []
    wrong: list[str] = []
    for serial in want.serials:
        key = there.get(serial)
        if key is None and want.is_physical:
            key = _serial_anywhere(world, want, serial, known.get(serial))
        if key is None:
            wrong.append(_why_no_serial(world, want, serial, known.get(serial)))
            continue
        container = next((one for one, _ in parts(world, key, Decimal(1))), "")
        if want.container not in {"", container}:
            wrong.append(f"serial {serial} of item {want.item} is not in {want.container}")
        pieces.append(Piece(key, Decimal(1), container))
    more = len(wrong) - NAMED_MAX
    told = "; ".join(wrong[:NAMED_MAX]) + (f"; and {more} more" if more > 0 else "")
    return told if wrong else pieces


def serials_needed(item: str, quantity: Decimal, named: int) -> str:
    """That a line names too few or too many serial numbers."""
    verb = "is" if named == 1 else "are"
    return f"item {item} needs {quantity_text(quantity)} serial numbers, {named} {verb} named"


def _by_serial(world: World, want: Want) -> dict[str, Key]:
    """Where the book has the named pieces: the first key of each."""
    named = frozenset(want.serials)
    found: dict[str, Key] = {}
    for key in world.keys_of(want.item):
        if key.serial in named and world.balances[key] > 0:
            found.setdefault(key.serial, key)
    return found


def _serial_anywhere(world: World, want: Want, serial: str, known: Key | None) -> Key | None:
    """Where a piece that was seen goes out from: below zero, where it is not in the book."""
    state = (str(want.disposition), str(Reservation.NONE), want.owner)
    batch = want.batch or ("" if known is None else known.batch)
    if world.items[want.item].book.tracking in WITH_BATCHES and not batch:
        return None
    return Key(want.item, want.places[0], batch, serial, *state)


def _why_no_serial(world: World, want: Want, serial: str, known: Key | None) -> str:
    """Why a named piece cannot be taken."""
    if known is None:
        return f"serial {serial} of item {want.item} is not in the book"
    return f"serial {serial} of item {want.item} is {_reason(world, want, known)}"


def orders_with(world: World, key: Key) -> list[str]:
    """The orders to which stock of a key is allocated."""
    return [order for order, held in world.allocations.items() if held.get(key, NOTHING) > 0]


def shortage(world: World, want: Want, missing: Decimal) -> str:
    """In words: how much there is, how much is missing, and where the rest is."""
    unit = world.items[want.item].book.base_unit
    where = some(want.places) + (f" in {want.container}" if want.container else "")
    batch = f" batch {want.batch}" if want.batch else ""
    free = quantity_text(want.quantity - missing)
    asked = quantity_text(want.quantity)
    text = f"{free} {unit} of item {want.item}{batch} are free at {where}, {asked} asked for: "
    text += f"{quantity_text(missing)} are missing"
    others = _elsewhere(world, want)
    return f"{text} ({'; '.join(others)})" if others else text


def _elsewhere(world: World, want: Want) -> list[str]:
    """What of the item is there but may not be taken, and why."""
    found: dict[str, Decimal] = {}
    takeable = {key for key, _ in candidates(world, want)}
    for key in world.keys_of(want.item):
        quantity = world.balances[key]
        if quantity <= 0 or key in takeable or not world.is_inside(key.location):
            continue
        reason = _reason(world, want, key)
        found[reason] = found.get(reason, NOTHING) + quantity
    return [
        f"{quantity_text(quantity)} {reason}"
        for reason, quantity in list(found.items())[:NAMED_MAX]
    ]


def _reason(world: World, want: Want, key: Key) -> str:
    if key.location not in want.places:
        return f"at {key.location}"
    if key.owner != want.owner:
        return f"of owner {key.owner}" if key.owner else "of our own"
    if key.reservation != Reservation.NONE:
        holders = orders_with(world, key)
        return f"{key.reservation}" + (f" to {some(tuple(holders))}" if holders else "")
    if key.disposition != want.disposition:
        return str(key.disposition)
    if want.batch or want.batches is not None:
        return f"of batch {key.batch}"
    return f"of expired batch {key.batch}: name it to take it"


def some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = len(names) - NAMED_MAX
    return ", ".join(names[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")


def postings_between(piece: Piece, target: Key, container: str) -> tuple[Posting, Posting]:
    """One piece from its key to another."""
    return (
        posting(piece.key, -piece.quantity, piece.container, piece.is_inferred),
        posting(target, piece.quantity, container, piece.is_inferred),
    )


def posting(key: Key, quantity: Decimal, container: str, is_inferred: bool) -> Posting:
    """A posting of a key."""
    return Posting(
        item=key.item,
        location=key.location,
        quantity=quantity_text(quantity),
        batch=key.batch,
        serial=key.serial,
        disposition=Disposition(key.disposition),
        reservation=Reservation(key.reservation),
        owner=key.owner,
        container=container,
        is_inferred=is_inferred,
    )


def allocated(pieces: Sequence[Piece]) -> Iterator[Posting]:
    """Promise free stock where it lies."""
    for piece in pieces:
        target = piece.key._replace(reservation=str(Reservation.ALLOCATED))
        yield from postings_between(piece, target, piece.container)


def release(world: World, order: str, item: str = "", most: Decimal | None = None) -> list[Posting]:
    """Set free what is allocated to an order: all, or up to so much of one item.

    What expires last is set free first: the order keeps what it should take first.
    """
    found: list[Posting] = []
    left = most
    held = sorted(
        world.allocations.get(order, {}).items(),
        key=lambda entry: (world.expires_on(entry[0].item, entry[0].batch), entry[0]),
        reverse=True,
    )
    for key, promised in held:
        there = min(promised, world.balances.get(key, NOTHING))
        if there <= 0 or (item and key.item != item):
            continue
        for container, quantity in parts(world, key, there):
            freed = quantity if left is None else min(quantity, left)
            if freed <= 0:
                continue
            target = key._replace(reservation=str(Reservation.NONE))
            found += postings_between(Piece(key, freed, container), target, container)
            left = None if left is None else left - freed
    return found


def held_by(world: World, order: str, item: str) -> Decimal:
    """How much of an item is allocated to an order."""
    return sum(
        (held for key, held in world.allocations.get(order, {}).items() if key.item == item),
        NOTHING,
    )
