"""Births, movements and documents as EPCIS events, without a database."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from contracts.books import Disposition, Movement, PlaceKind, Posting, Reservation
from contracts.codec import canonical
from contracts.commissioning import Commissioned, Decommissioned, EndReason
from contracts.documents import DocumentKind, EnteredDocument, EnteredLine, UsedComponent
from contracts.epcis.checking import check_document
from contracts.epcis.documents import document_of
from contracts.events import EntryKind
from contracts.labels import Packing
from ledger_sink.core.chain import ChainEntry
from ledger_sink.core.epcis import ToldEvent, Untold, events_of_entry
from ledger_sink.core.epcis_flows import flows_of
from ledger_sink.core.epcis_names import Facts, History, KnownDocument, exact_parts

SECOND = 1_000_000
START = 1_772_416_800 * SECOND
GTIN = "00614141110001"
KINDS = {
    "A": PlaceKind.ZONE,
    "B": PlaceKind.BIN,
    **{str(kind): kind for kind in PlaceKind if kind not in (PlaceKind.ZONE, PlaceKind.BIN)},
}
PALLET, CASE = (
    "https://id.gs1.org/00/006141410000000012",
    "https://id.gs1.org/00/006141410000000029",
)
UNIT = f"https://id.gs1.org/01/{GTIN}/21/7"
Event = dict[str, Any]


def entry(kind: EntryKind, id_: str, record: msgspec.Struct, seq: int = 10) -> ChainEntry:
    return ChainEntry(
        *(seq, id_, str(kind), START, START + SECOND, None, None, canonical(record), None, 0),
        *(b"", b""),
    )


def facts(
    *documents: EnteredDocument,
    movements: tuple[ChainEntry, ...] = (),
    mentions: dict[int, tuple[str, ...]] | None = None,
    places: dict[str, str] | None = None,
) -> Facts:
    return Facts(
        site="demo",
        places=History([("", START, places or {})]),
        kinds=History((name, 1, kind) for name, kind in KINDS.items()),
        gtins=History([("bolt", 1, GTIN), ("bolt", 50, "09506000134352")]),
        units=History([("bolt", 1, "each"), ("oil", 1, "litre"), ("felt", 1, "roll")]),
        documents={
            one.id: KnownDocument(entry(EntryKind.DOCUMENT, one.id, one), one) for one in documents
        },
        movements={one.id: one for one in movements},
        mentions=mentions or {},
    )


def document(kind: DocumentKind, id_: str = "D1", **fields: Any) -> EnteredDocument:
    names = ("party", "refers", "warehouse", "to_warehouse", "person", "approved_by", "case")
    usual: dict[str, Any] = {**dict.fromkeys(names, ""), "currency": "CNY", "rate": "1"}
    usual |= {"happened_us": START, "due_us": 0, "is_physical": False, "reason": "", "lines": ()}
    return EnteredDocument(**{**usual, "id": id_, "kind": kind, **fields})


def movement(origin: str, target: str, quantity: str = "5", **fields: Any) -> Movement:
    before, after = fields.pop("before", "available"), fields.pop("after", "available")
    names = ("item", "batch", "serial", "owner")
    same = {name: fields.pop(name) for name in names if name in fields}
    same.setdefault("item", "bolt")
    out, into = fields.pop("out", {}), fields.pop("into", {})
    return Movement(
        **{
            "id": "m1",
            "document": "D1",
            "step": "x",
            "happened_us": START,
            "postings": (
                Posting(
                    location=origin, quantity=f"-{quantity}", disposition=Disposition(before),
                    **same, **out,
                ),
                Posting(
                    location=target, quantity=quantity, disposition=Disposition(after),
                    **same, **into,
                ),
            ),
            **fields,
        }
    )  # fmt: skip


def told(one: ChainEntry, known: Facts) -> list[Event]:
    found = events_of_entry(one, known)
    events: list[Event] = []
    for each in found:
        assert isinstance(each, ToldEvent), each
        events.append(each.event)
    assert check_document(document_of(events, created="2026-01-01T00:00:00Z")) == []
    return events


def of(moved: Movement, *documents: EnteredDocument, **fields: Any) -> list[Event]:
    return told(entry(EntryKind.MOVEMENT, moved.id, moved), facts(*documents, **fields))


SAID = [
    ("opening", "A", "ObjectEvent", "OBSERVE", "stock_taking", "sellable_not_accessible"),
    ("supplier", "A", "ObjectEvent", "OBSERVE", "receiving", "in_progress"),
    ("A", "supplier", "ObjectEvent", "OBSERVE", "shipping", "returned"),
    ("A", "customer", "ObjectEvent", "OBSERVE", "shipping", "in_transit"),
    ("customer", "A", "ObjectEvent", "OBSERVE", "receiving", "returned"),
    ("A", "production", "ObjectEvent", "OBSERVE", "picking", "in_progress"),
    ("A", "in_transit", "ObjectEvent", "OBSERVE", "shipping", "in_transit"),
    ("in_transit", "A", "ObjectEvent", "OBSERVE", "receiving", "in_progress"),
    ("A", "scrap", "ObjectEvent", "DELETE", "destroying", "destroyed"),
    ("A", "adjustment", "ObjectEvent", "DELETE", "decommissioning", "unknown"),
    ("adjustment", "A", "ObjectEvent", "ADD", "commissioning", "sellable_not_accessible"),
    ("A", "B", "ObjectEvent", "OBSERVE", "storing", "sellable_not_accessible"),
]


@pytest.mark.parametrize(("origin", "target", "kind", "action", "step", "disposition"), SAID)
def test_a_way_of_stock_is_a_business_step(
    origin: str, target: str, kind: str, action: str, step: str, disposition: str
) -> None:
    (event,) = of(movement(origin, target, document=""))
    assert [event[name] for name in ("type", "action", "bizStep", "disposition")] == [
        *(kind, action, step, disposition),
    ]
    leaves = target not in "AB"
    assert event["readPoint"]["id"].endswith(origin if leaves else target)
    assert ("bizLocation" in event) != leaves
    assert event["quantityList"] == [{"epcClass": f"https://id.gs1.org/01/{GTIN}", "quantity": 5}]


@pytest.mark.parametrize(
    ("after", "step", "disposition"),
    [
        ("damaged", "inspecting", "damaged"),
        ("frozen", "holding", "unavailable"),
        ("expired", "inspecting", "expired"),
        ("inspection", "holding", "in_progress"),
    ],
)
def test_a_change_of_state_is_an_inspection_or_a_hold(
    after: str, step: str, disposition: str
) -> None:
    (event,) = of(movement("A", "A", after=after, document=""))
    assert (event["bizStep"], event["disposition"]) == (step, disposition)


def test_a_promise_moves_no_thing() -> None:
    assert of(movement("A", "A", into={"reservation": Reservation.ALLOCATED})) == []
    (picked,) = of(movement("A", "A", into={"reservation": Reservation.PICKED}))
    assert picked["bizStep"] == "picking"


def test_a_receipt_of_an_order_is_a_transaction_with_its_parties() -> None:
    receipt = document(DocumentKind.GOODS_RECEIPT, refers="PO-1", party="acme", warehouse="north")
    order = document(DocumentKind.PURCHASE_ORDER, "PO-1")
    places = {"": "https://id.gs1.org/414/4012345000016"}
    (event,) = of(
        movement("supplier", "A", owner="9012345000011", into={"container": PALLET}),
        *(receipt, order),
        places=places,
    )
    assert [event[name] for name in ("type", "action", "parentID")] == [
        *("TransactionEvent", "ADD", PALLET),
    ]
    assert event["bizTransactionList"] == [
        {"type": "recadv", "bizTransaction": "urn:epcglobal:cbv:bt:4012345000016:D1"},
        {"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:4012345000016:PO-1"},
    ]
    owner = "https://id.gs1.org/417/9012345000011"
    assert event["sourceList"] == [
        {"type": "owning_party", "source": owner},
        {"type": "possessing_party", "source": "urn:tallygate:party:demo:acme"},
    ]
    assert event["destinationList"] == [
        {"type": "owning_party", "destination": owner},
        {"type": "possessing_party", "destination": "https://id.gs1.org/417/4012345000016"},
        {"type": "location", "destination": "urn:tallygate:location:demo:north"},
    ]


def test_what_is_in_other_places_or_states_is_another_event() -> None:
    whole = movement("supplier", "A")
    rest = movement("supplier", "B", after="damaged", before="damaged", item="oil")
    both = msgspec.structs.replace(whole, postings=whole.postings + rest.postings)
    events = of(both, document(DocumentKind.GOODS_RECEIPT))
    assert [event["disposition"] for event in events] == ["in_progress", "damaged"]
    assert events[1]["quantityList"] == [
        {"epcClass": "urn:tallygate:item:demo:oil", "quantity": 5, "uom": "LTR"}
    ]
    assert len({event["eventID"] for event in events}) == 2


def test_production_is_a_transformation() -> None:
    made = document(
        DocumentKind.PRODUCTION_RECEIPT,
        components=(
            UsedComponent(line=1, item="oil", quantity="0.25"),
            UsedComponent(line=1, item="oil", quantity="0.5"),
            UsedComponent(line=1, item="felt", quantity="1.5", batch="x y"),
        ),
    )
    (event,) = of(movement("production", "A", batch="L1"), made)
    assert event["type"] == "TransformationEvent"
    assert event["inputQuantityList"] == [
        {"epcClass": "urn:tallygate:item:demo:oil", "quantity": 0.75, "uom": "LTR"},
        {"epcClass": "urn:tallygate:batch:demo:felt:x%20y", "quantity": 1.5, "uom": "ZZ"},
    ]
    lot = f"https://id.gs1.org/01/{GTIN}/10/L1"
    assert event["outputQuantityList"] == [{"epcClass": lot, "quantity": 5}]
    (piece,) = of(movement("production", "A", "1", serial="7"), made)
    assert (piece["outputEPCList"], piece["bizStep"]) == ([UNIT], "commissioning")


def test_an_invoice_is_a_transaction_without_a_step() -> None:
    line = EnteredLine(line=1, item="bolt", quantity="5", unit="each", unit_quantity="5")
    invoice = document(DocumentKind.PURCHASE_INVOICE, lines=(line,))
    (event,) = told(entry(EntryKind.DOCUMENT, "D1", invoice), facts(invoice))
    assert (event["type"], "bizStep" in event) == ("TransactionEvent", False)
    assert event["bizTransactionList"][0]["type"] == "inv"
    back = document(DocumentKind.REVERSAL, "R1", refers="D1")
    (again,) = told(entry(EntryKind.DOCUMENT, "R1", back, 11), facts(invoice, back))
    assert again["eventID"] == event["eventID"]
    assert again["errorDeclaration"]["reason"] == "did_not_occur"
    order = document(DocumentKind.PURCHASE_ORDER)
    assert told(entry(EntryKind.DOCUMENT, "D1", order), facts()) == []


def test_what_was_taken_apart_is_a_disaggregation() -> None:
    line = EnteredLine(
        line=1, item="bolt", quantity="5", unit="each", unit_quantity="5", container=PALLET
    )
    unpacked = document(DocumentKind.UNPACKING, lines=(line,))
    (event,) = of(movement("A", "A", out={"container": PALLET}), unpacked)
    assert [event[name] for name in ("type", "action", "parentID", "bizStep")] == [
        *("AggregationEvent", "DELETE", PALLET, "unpacking"),
    ]
    assert event["childQuantityList"][0]["quantity"] == 5


def test_a_reversal_declares_the_very_event_an_error_and_voids_a_shipment() -> None:
    shipped = movement("A", "customer")
    first = entry(EntryKind.MOVEMENT, "m1", shipped)
    (event,) = told(first, facts(document(DocumentKind.SALES_SHIPMENT)))
    back = movement("customer", "A", id="m2", reverses="m1", document="R1")
    second = entry(EntryKind.MOVEMENT, "m2", back, 60)
    known = facts(document(DocumentKind.SALES_SHIPMENT), movements=(first,))
    void, again = told(second, known)
    assert void["bizStep"] == "void_shipping"
    assert again.pop("errorDeclaration") == {
        "declarationTime": "2026-03-02T02:00:01.000Z",
        "reason": "did_not_occur",
        "correctiveEventIDs": [void["eventID"]],
    }
    # The GTIN changed meanwhile: the event is still the one that was told.
    assert again["eventID"] == event["eventID"]
    assert again == event
    # A receipt that is taken back leaves nothing to correct.
    receipt = entry(EntryKind.MOVEMENT, "m1", movement("supplier", "A"))
    undone = movement("A", "supplier", id="m2", reverses="m1", document="R1")
    (gone,) = told(entry(EntryKind.MOVEMENT, "m2", undone, 60), facts(movements=(receipt,)))
    assert "correctiveEventIDs" not in gone["errorDeclaration"]
    # Taking back a reversal makes the first happen again.
    third = entry(EntryKind.MOVEMENT, "m3", movement("A", "customer", id="m3", reverses="m2"), 61)
    (anew,) = told(third, facts(document(DocumentKind.SALES_SHIPMENT), movements=(first, second)))
    assert ("errorDeclaration" in anew, anew["bizStep"]) == (False, "shipping")


def test_births_and_ends_are_commissioning_packing_and_their_undoing() -> None:
    birth = Commissioned(
        identity=UNIT, packing=Packing.UNIT, item=GTIN, quantity=1, epc="00", batch="L1",
        expiry="2027-03-31", parent=CASE, at_us=START,
    )  # fmt: skip
    born, packed = told(entry(EntryKind.COMMISSIONED, "b", birth), facts())
    assert (born["action"], born["bizStep"], born["epcList"]) == ("ADD", "commissioning", [UNIT])
    assert born["ilmd"] == {
        "cbvmda:lotNumber": "L1",
        "cbvmda:itemExpirationDate": "2027-03-31",
    }
    assert (packed["parentID"], packed["childEPCs"], packed["bizStep"]) == (CASE, [UNIT], "packing")

    end = Decommissioned(identity=CASE, reason=EndReason.RETAGGED, successor=PALLET, at_us=START)
    out, into, over = told(
        entry(EntryKind.DECOMMISSIONED, "e", end), facts(mentions={10: (PALLET, UNIT)})
    )
    assert (out["action"], out["parentID"], out["childEPCs"]) == ("DELETE", CASE, [UNIT])
    assert (into["action"], into["parentID"], into["childEPCs"]) == ("ADD", PALLET, [UNIT])
    assert (over["action"], over["disposition"]) == ("DELETE", "inactive")
    empty = Decommissioned(identity=CASE, reason=EndReason.UNPACKED, at_us=START)
    unpacked, _ = told(entry(EntryKind.DECOMMISSIONED, "e", empty), facts())
    assert (unpacked["bizStep"], unpacked["childEPCs"]) == ("unpacking", [])
    scrapped = Decommissioned(identity=UNIT, reason=EndReason.SCRAPPED, at_us=START)
    (gone,) = told(entry(EntryKind.DECOMMISSIONED, "e", scrapped), facts())
    assert (gone["bizStep"], gone["disposition"]) == ("destroying", "destroyed")


def test_a_payload_that_cannot_be_read_is_told() -> None:
    wrong = entry(EntryKind.MOVEMENT, "m1", movement("A", "B"))._replace(payload=b"{}")
    (one,) = events_of_entry(wrong, facts())
    assert isinstance(one, Untold)
    assert one.reason.startswith("its payload cannot be read")


@given(some.decimals(min_value=0, max_value=10**15 - 1, places=6).filter(lambda one: one > 0))
def test_quantities_are_exact_in_numbers_of_json(amount: Decimal) -> None:
    parts = msgspec.json.decode(msgspec.json.encode(exact_parts(amount)))
    assert sum((Decimal(str(part)) for part in parts), Decimal(0)) == amount


POSTINGS = some.lists(
    some.tuples(
        some.sampled_from("ab"), some.sampled_from("xy"), some.integers(1, 9), some.booleans()
    ),
    max_size=12,
)


@given(POSTINGS)
def test_flows_are_what_the_lines_say(lines: list[tuple[str, str, int, bool]]) -> None:
    postings: list[Posting] = []
    for item, place, quantity, is_first in lines:
        pair = [
            Posting(item=item, location=place, quantity=f"-{quantity}"),
            Posting(item=item, location="z", quantity=str(quantity)),
        ]
        postings = [*pair, *postings] if is_first else [*postings, *pair]
    flows = flows_of(postings)
    for item in "ab":
        for place in "xyz":
            said = sum(
                (Decimal(one.quantity) for one in postings
                 if (one.item, one.location) == (item, place)),
                Decimal(0),
            )  # fmt: skip
            flowed = sum(
                (
                    flow.quantity * ((flow.into.location == place) - (flow.out.location == place))
                    for flow in flows
                    if flow.out.item == item
                ),
                Decimal(0),
            )
            assert said == flowed
