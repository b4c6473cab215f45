"""Worlds for tests of planning: what `tests.support.document_books` has in a ledger, in memory."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from contracts.accounting import BookSettings, TaxCode, Units
from contracts.books import BookPlace, Movement
from contracts.documents import Document
from ledger_sink.core.books_check import Key
from ledger_sink.core.posting.plan import Planned, plan
from ledger_sink.core.posting.world import Birth, ItemFacts, World, key_of
from tests.support.document_books import BATCHES, BILL, ITEMS, NOW_US, PLACES, UNITS


def a_world(births: dict[str, Birth] | None = None) -> World:
    """The small company without any stock."""
    return World(
        settings=BookSettings(),
        items={
            name: ItemFacts(
                book=item,
                units=UNITS.get(name, Units(units=())),
                is_valued=name != "sand",
                bill=BILL if name == "kit" else None,
            )
            for name, item in ITEMS.items()
        },
        places={
            name: BookPlace(location=name, kind=kind, warehouse=warehouse)
            for name, (kind, warehouse) in PLACES.items()
        },
        taxes={"VAT13": TaxCode(rate=Decimal("0.13"))},
        batches={(key.split("/")[0], key.split("/")[1]): card for key, card in BATCHES.items()},
        births=births or {},
    )


def planned(world: World, *documents: Document) -> list[Planned]:
    """Documents that are all right, one after the other."""
    found = []
    for document in documents:
        one = plan(document, world, NOW_US)
        assert isinstance(one, Planned), one
        world.take(*one)
        found.append(one)
    return found


def moved(world: World, document: Document) -> list[tuple[str, ...]]:
    """What a right document moves: location, batch or serial, state, container, quantity."""
    (one,) = planned(world, document)
    assert one.movement is not None
    return [
        (
            posting.location,
            posting.batch + posting.serial,
            f"{posting.disposition}"
            + ("" if posting.reservation == "none" else f" {posting.reservation}"),
            posting.container + ("?" if posting.is_inferred else ""),
            posting.quantity,
        )
        for posting in one.movement.postings
    ]


def mistakes(world: World, document: Document) -> tuple[str, ...]:
    """All that is wrong with a document; the world stays as it was."""
    before = snapshot(world)
    found = plan(document, world, NOW_US)
    assert not isinstance(found, Planned), found
    assert snapshot(world) == before
    return found


def snapshot(world: World) -> object:
    """What a world holds, without what is zero."""
    contents = {
        (container, key): quantity
        for container, inside in world.contents.items()
        for key, quantity in inside.items()
        if quantity
    }
    allocations = {
        (order, key): quantity
        for order, inside in world.allocations.items()
        for key, quantity in inside.items()
        if quantity
    }
    balances = {key: quantity for key, quantity in world.balances.items() if quantity}
    return balances, contents, allocations, list(world.documents)


def summed(movements: list[Movement]) -> dict[Key, Decimal]:
    """The book by a loop over all postings."""
    found: dict[Key, Decimal] = defaultdict(Decimal)
    for movement in movements:
        for posting in movement.postings:
            found[key_of(posting)] += Decimal(posting.quantity)
    return {key: quantity for key, quantity in found.items() if quantity}
