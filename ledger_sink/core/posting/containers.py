"""What is in a pallet or a case, and what moves with it.

A pallet holds cases by their birth (`ledger.identities`), until it is taken apart; what was put
into a container, and not taken out, is known from the postings that name it. What is moved with a
container and was not read itself is inferred.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import NamedTuple

from contracts.books import Tracking
from ledger_sink.core.posting.allocation import (
    NAMED_MAX,
    WITH_SERIALS,
    Piece,
    serials_needed,
)
from ledger_sink.core.posting.world import NOTHING, World

DEPTH_MAX = 8
"""A pallet holds cases that hold units; a longer chain is a mistake that shall not loop."""


def inside(world: World, container: str) -> list[str]:
    """A container and all containers in it, each behind what holds it."""
    found = layer = [container]
    for _ in range(DEPTH_MAX):
        layer = [
            child
            for parent in layer
            for child in sorted(world.held_in(parent))
            if world.births[child].packing != "unit"
        ]
        found = [*found, *layer]
    return list(dict.fromkeys(found))


def held(
    world: World, container: str, places: Collection[str], read: Collection[str]
) -> list[Piece]:
    """All that lies in a container at some places; inferred, but for the serials that were read."""
    return [
        Piece(key, quantity, one, is_inferred=not key.serial or key.serial not in read)
        for one in inside(world, container)
        for key, quantity in sorted(world.contents.get(one, {}).items())
        if quantity > 0 and key.location in places
    ]


def spots(world: World, container: str) -> set[str]:
    """The zones and bins in which content of a container lies."""
    return {
        key.location
        for one in inside(world, container)
        for key, quantity in world.contents.get(one, {}).items()
        if quantity > 0 and world.is_real(key.location)
    }


def moved(
    world: World, container: str, item: str, places: Collection[str], read: Collection[str]
) -> list[Piece] | str:
    """What of an item moves with a container, or why nothing can."""
    named = frozenset(read)
    pieces = held(world, container, places, named)
    if not pieces:
        elsewhere = _names(spots(world, container))
        if elsewhere:
            return f"what {container} holds is at {elsewhere}"
        return f"{container} holds nothing by the book: receive something into it first"
    found = [piece for piece in pieces if piece.key.item == item]
    here = {piece.key.location for piece in pieces}
    unknown = named - {piece.key.serial for piece in found}
    if not found:
        other = _names({piece.key.item for piece in pieces})
        return f"{container} holds no item {item}, but {other}"
    if len(here) > 1:
        return f"what {container} holds is at {_names(here)}: name one location"
    if unknown:
        return f"serial {_names(unknown)} of item {item} is not in {container} by the book"
    return found


def _names(names: Collection[str]) -> str:
    more = len(names) - NAMED_MAX
    return ", ".join(sorted(names)[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")


class Share(NamedTuple):
    """How part of received goods lies in a container."""

    container: str
    """The innermost."""
    batch: str
    serial: str
    quantity: Decimal
    is_inferred: bool
    """Nobody read it: it was commissioned into a container that was."""


def filled(
    world: World, container: str, item: str, quantity: Decimal, batch: str, read: tuple[str, ...]
) -> list[Share] | str:
    """How received goods lie in a container, or what is missing.

    Serial numbers that nobody read are those of the units that were commissioned into it.
    """
    tracking = world.items[item].book.tracking
    born = [one for one in _born(world, container, item) if not batch or one[1] in {"", batch}]
    if tracking in WITH_SERIALS:
        return _filled_by_piece(world, container, item, quantity, batch, read, born)
    is_apart = tracking is Tracking.BATCH
    shares: dict[tuple[str, str], Decimal] = {}
    for where, of_batch, _, many in born:
        spot = (where, (batch or of_batch) if is_apart else "")
        shares[spot] = shares.get(spot, NOTHING) + many
    if sum(shares.values(), NOTHING) != quantity:
        # What was commissioned into it says nothing: it holds what the document says.
        shares = {(container, batch): quantity}
    if is_apart and any(not of_batch for _, of_batch in shares):
        return f"item {item} needs a batch"
    return [
        Share(where, of_batch, "", share, is_inferred=where != container)
        for (where, of_batch), share in shares.items()
    ]


def _filled_by_piece(
    world: World,
    container: str,
    item: str,
    quantity: Decimal,
    batch: str,
    read: tuple[str, ...],
    born: list[tuple[str, str, str, Decimal]],
) -> list[Share] | str:
    """Each piece with its serial number: those that were read, and the commissioned rest."""
    by_serial = {serial: (where, of_batch) for where, of_batch, serial, _ in born if serial}
    missing = quantity - len(read)
    here = {key.serial for key in world.keys_of(item) if world.balances[key] > 0}
    named = frozenset(read)
    rest = [serial for serial in by_serial if serial not in named and serial not in here]
    if missing and missing != len(rest):
        told = serials_needed(item, quantity, len(read))
        return f"{told}, and {len(rest)} more were commissioned into {container}"
    with_batch = world.items[item].book.tracking is Tracking.BATCH_SERIAL
    found = []
    for serial in [*read, *(rest if missing else [])]:
        where, of_batch = by_serial.get(serial, (container, ""))
        chosen = (batch or of_batch) if with_batch else ""
        if with_batch and not chosen:
            return f"item {item} needs a batch"
        is_inferred = serial not in named
        found.append(Share(where, chosen, serial, Decimal(1), is_inferred=is_inferred))
    return found


def _born(world: World, container: str, item: str) -> Iterator[tuple[str, str, str, Decimal]]:
    """Commissioned content: (innermost container, batch, serial, quantity)."""
    tree = frozenset(inside(world, container))
    found = {*tree, *(one for parent in tree for one in world.held_in(parent))}
    for identity in sorted(found & world.births.keys()):
        birth = world.births[identity]
        is_unit = birth.packing == "unit"
        if birth.item == item and is_unit and birth.holder in tree:
            yield birth.holder, birth.batch, birth.serial, Decimal(1)
        elif birth.item == item and not is_unit and identity in tree:
            if world.held_in(identity):
                continue
            yield identity, birth.batch, "", Decimal(birth.quantity)
