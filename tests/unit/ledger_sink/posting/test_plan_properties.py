"""Any sequence of documents, right and wrong: book, containers and promises always agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.books import Movement
from contracts.documents import Document, DocumentKind
from ledger_sink.core.books_check import Key
from ledger_sink.core.posting.containers import held
from ledger_sink.core.posting.entered import is_same
from ledger_sink.core.posting.fields import AT_COST, WITHOUT_STOCK
from ledger_sink.core.posting.moves import COMES_FROM, MOVES_CONTAINERS, MOVES_STOCK
from ledger_sink.core.posting.plan import Planned, plan, released
from ledger_sink.core.posting.references import MAY_REFER, MUST_REFER
from ledger_sink.core.posting.world import Birth, World
from tests.support.document_books import NOW_US, document, line
from tests.unit.ledger_sink.posting.worlds import a_world, planned, snapshot, summed

K = DocumentKind
BIRTHS = {
    "P": Birth("bolt", "pallet", 12, "", "", ""),
    "K1": Birth("bolt", "case", 6, "", "", "P"),
    "K2": Birth("bolt", "case", 6, "", "", "P"),
}
OPENING = document(
    "OP",
    "opening",
    line("bolt", 12, price="1", location="A", container="P"),
    line("bolt", 9, price="1", location="A"),
    line("drug", 9, price="1", location="A", batch="late"),
    line("pump", 2, price="1", location="A", serials=("s1", "s2")),
    day=0,
)
IN_THE_HOUSE = {"A", "B", "C"}
LINE: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "item": st.sampled_from(["bolt", "drug", "pump"]),
        "quantity": st.sampled_from([1, 2, 3, 6, 12]),
    },
    optional={
        "location": st.sampled_from(["A", "A", "B", "C"]),
        "to_location": st.sampled_from(["A", "B"]),
        "batch": st.sampled_from(["soon", "late"]),
        "container": st.sampled_from(["P", "K1", "K2", "X"]),
        "owner": st.sampled_from(["", "", "ACME"]),
        "disposition": st.sampled_from(["available", "available", "frozen"]),
        "to_disposition": st.sampled_from(["available", "frozen"]),
    },
)
DOCUMENT = st.fixed_dictionaries(
    {
        "kind": st.sampled_from([*MOVES_STOCK, *K, K.REVERSAL, K.SALES_ORDER]),
        "lines": st.lists(LINE, min_size=1, max_size=2),
        "refers": st.integers(0, 12),
        "first_serial": st.integers(1, 4),
        "is_negative": st.booleans(),
    }
)


def written(number: int, said: Mapping[str, Any], world: World) -> Document:
    """A document that is right often enough: what its kind does not use is left out."""
    kind: DocumentKind = said["kind"]
    may_refer = [one.id for one in world.documents.values() if one.kind in MAY_REFER.get(kind, ())]
    is_following = kind in MUST_REFER or said["refers"] < 6
    refers = may_refer[said["refers"] % len(may_refer)] if may_refer and is_following else ""
    lines = [] if kind in {K.REVERSAL, K.ORDER_CLOSED} else said["lines"]
    return document(
        f"D{number}",
        kind,
        *(line(**_fields(kind, fields, said, world)) for fields in lines),
        refers=refers,
        approved_by="boss",
        person="clerk",
    )


LEFT_OUT: Mapping[str, frozenset[DocumentKind]] = {
    "to_location": frozenset(K) - {K.RELOCATION, K.TRANSFER_IN},
    "to_disposition": frozenset(K) - {K.RELOCATION, K.STATE_CHANGE},
    "container": frozenset(K) - {*COMES_FROM, *MOVES_CONTAINERS, K.ADJUSTMENT},
    "serials": frozenset(WITHOUT_STOCK),
    "price": AT_COST,
}
FILLED_IN: Mapping[DocumentKind, Mapping[str, str]] = {
    K.RELOCATION: {"to_location": "B"},
    K.TRANSFER_IN: {"to_location": "C"},
    K.STATE_CHANGE: {"to_disposition": "frozen"},
    K.UNPACKING: {"container": "K1"},
}


def _fields(
    kind: DocumentKind, fields: Mapping[str, Any], said: Mapping[str, Any], world: World
) -> dict[str, Any]:
    one = {"location": "A", "price": "2", **FILLED_IN.get(kind, {}), **fields}
    if one["item"] == "drug" and kind in COMES_FROM:
        one.setdefault("batch", "soon")
    elif one["item"] != "drug":
        one.pop("batch", None)
    if one["item"] == "pump":
        one["serials"] = [f"s{said['first_serial'] + n}" for n in range(one["quantity"])]
    one = {name: value for name, value in one.items() if kind not in LEFT_OUT.get(name, ())}
    if kind is K.ADJUSTMENT and said["is_negative"]:
        one["quantity"] = -one["quantity"]
    if kind in MOVES_CONTAINERS and one.get("container"):
        one |= _held_by(world, one["container"])
        one.pop("serials", None)
    return one


def _held_by(world: World, container: str) -> dict[str, Any]:
    """A line that fits what a container holds."""
    pieces = held(world, container, list(world.places), ())
    if not pieces:
        return {}
    key = pieces[0].key
    same = [piece for piece in pieces if piece.key.item == key.item]
    here = [piece.quantity for piece in same if piece.key.location == key.location]
    fits = {"item": key.item, "location": key.location, "owner": key.owner}
    return {**fits, "quantity": sum(here), "batch": ""}


def check(world: World, movements: list[Movement]) -> None:
    """Everything that must hold after each document."""
    balances = {key: quantity for key, quantity in world.balances.items() if quantity}
    assert balances == summed(movements)
    real = {key: many for key, many in balances.items() if key.location in IN_THE_HOUSE}
    assert all(many > 0 for many in real.values())
    assert all(many == 1 for key, many in real.items() if key.serial)
    inside = added(world.contents)
    for key, many in inside.items():
        assert key.location not in IN_THE_HOUSE or many <= real.get(key, 0)
    promised = {key: many for key, many in added(world.allocations).items() if many}
    assert promised == {key: many for key, many in real.items() if key.reservation == "allocated"}


def added(held_by: Mapping[str, Mapping[Key, Decimal]]) -> dict[Key, Decimal]:
    """What containers or orders hold, over all of them; none holds less than nothing."""
    found: dict[Key, Decimal] = defaultdict(Decimal)
    for inside in held_by.values():
        for key, many in inside.items():
            assert many >= 0 or key.location not in IN_THE_HOUSE
            found[key] += many
    return found


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(DOCUMENT, min_size=1, max_size=25))
def test_any_sequence_keeps_book_containers_and_promises_in_step(steps: list[Any]) -> None:
    world = a_world(dict(BIRTHS))
    (opening,) = planned(world, OPENING)
    movements: list[Movement] = [opening.movement] if opening.movement else []
    for number, said in enumerate(steps):
        one = written(number, said, world)
        was = snapshot(world)
        found = plan(one, world, NOW_US)
        assert snapshot(world) == was
        if not isinstance(found, Planned):
            assert found
            assert all(found)
            continue
        for movement in [found.movement] if found.movement else []:
            turned = [entry for entry in movement.postings if entry.quantity in {"0", "-0"}]
            assert not turned
            movements.append(movement)
        world.take(*found)
        assert is_same(one, *found)
        assert plan(one, world, NOW_US) == plan(one, world, NOW_US)
        check(world, movements)


@settings(max_examples=50, deadline=None)
@given(quantities=st.lists(st.integers(1, 9), min_size=1, max_size=8), stock=st.integers(1, 40))
def test_orders_never_promise_more_than_there_is_and_give_back_all(
    quantities: list[int], stock: int
) -> None:
    world = a_world()
    first = document("GR", "goods_receipt", line("bolt", stock, price="1", location="A"))
    found = plan(first, world, NOW_US)
    assert isinstance(found, Planned)
    world.take(*found)
    left = stock
    taken = []
    for number, quantity in enumerate(quantities):
        order = document(
            f"SO{number}",
            "sales_order",
            line("bolt", quantity),
            warehouse="W1",
            approved_by="boss",
        )
        found = plan(order, world, NOW_US)
        assert isinstance(found, Planned) == (quantity <= left)
        if isinstance(found, Planned):
            world.take(*found)
            left -= quantity
            taken.append(order.id)
    for order_id in taken:
        movement = released(world, order_id, 1, NOW_US)
        assert movement is not None
        world.apply(movement.postings, order_id)
    free = [key for key, quantity in world.balances.items() if quantity and key.location == "A"]
    assert [world.balances[key] for key in free] == [stock]
