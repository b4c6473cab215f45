"""Movements and documents of the books as EPCIS events.

One event tells what went the same way in the same state; a movement that does several things is
several events. Documents for which the CBV has a type make transaction events, production makes
transformations, and what is taken back is told again with its error declaration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from contracts.books import Disposition, Movement
from contracts.documents import DocumentKind, EnteredDocument
from contracts.epcis.vocabulary import DISPOSITIONS, Json
from ledger_sink.core.chain import ChainEntry
from ledger_sink.core.epcis_build import ToldEvent, told, withdrawn
from ledger_sink.core.epcis_flows import Flow, Sort, flows_of, sort_of
from ledger_sink.core.epcis_names import Facts, KnownDocument, Names, thing_uri

movement_decoder = msgspec.json.Decoder(Movement)
document_decoder = msgspec.json.Decoder(EnteredDocument)

_TRANSACTIONS: Mapping[DocumentKind, str] = MappingProxyType(
    {
        DocumentKind.PURCHASE_ORDER: "po",
        DocumentKind.SALES_ORDER: "poc",
        DocumentKind.PRODUCTION_ORDER: "prodorder",
        DocumentKind.SHIPPING_NOTICE: "desadv",
        DocumentKind.SALES_SHIPMENT: "desadv",
        DocumentKind.TRANSFER_OUT: "desadv",
        DocumentKind.GOODS_RECEIPT: "recadv",
        DocumentKind.TRANSFER_IN: "recadv",
        DocumentKind.PURCHASE_INVOICE: "inv",
        DocumentKind.CUSTOMER_RETURN: "rma",
        DocumentKind.SUPPLIER_RETURN: "rma",
    }
)
"""Types of business transactions in the CBV; a sales order confirms the customer's order."""


class Meaning(NamedTuple):
    """How EPCIS says what a flow is."""

    action: str
    step: str
    disposition: str
    """Empty: by the state of the stock."""
    leaves: bool = False
    """True: it is read where it came from, and nobody knows where it is now."""


_MEANINGS: Mapping[Sort, Meaning] = MappingProxyType(
    {
        Sort.OPENING: Meaning("OBSERVE", "stock_taking", ""),
        Sort.RECEIPT: Meaning("OBSERVE", "receiving", "in_progress"),
        Sort.SUPPLIER_RETURN: Meaning("OBSERVE", "shipping", "returned", leaves=True),
        Sort.SHIPMENT: Meaning("OBSERVE", "shipping", "in_transit", leaves=True),
        Sort.CUSTOMER_RETURN: Meaning("OBSERVE", "receiving", "returned"),
        Sort.ISSUE: Meaning("OBSERVE", "picking", "in_progress", leaves=True),
        Sort.PRODUCTION: Meaning("ADD", "creating_class_instance", "active"),
        Sort.TRANSFER_OUT: Meaning("OBSERVE", "shipping", "in_transit", leaves=True),
        Sort.TRANSFER_IN: Meaning("OBSERVE", "receiving", "in_progress"),
        Sort.SCRAP: Meaning("DELETE", "destroying", "destroyed", leaves=True),
        Sort.LOSS: Meaning("DELETE", "decommissioning", "unknown", leaves=True),
        Sort.GAIN: Meaning("ADD", "commissioning", ""),
        Sort.STORING: Meaning("OBSERVE", "storing", ""),
        Sort.STATE: Meaning("OBSERVE", "inspecting", ""),
        Sort.PICKING: Meaning("OBSERVE", "picking", "reserved"),
    }
)
_STATES: Mapping[Disposition, str] = MappingProxyType(
    {
        Disposition.INSPECTION: "in_progress",
        Disposition.AVAILABLE: "sellable_not_accessible",
        Disposition.FROZEN: "unavailable",
        Disposition.DAMAGED: "damaged",
        Disposition.EXPIRED: "expired",
    }
)
"""Stock that lies in a store."""
_JUDGED: Mapping[Disposition, tuple[str, str]] = MappingProxyType(
    {
        Disposition.INSPECTION: ("holding", "in_progress"),
        Disposition.AVAILABLE: ("inspecting", "conformant"),
        Disposition.FROZEN: ("holding", "unavailable"),
        Disposition.DAMAGED: ("inspecting", "damaged"),
        Disposition.EXPIRED: ("inspecting", "expired"),
    }
)
"""Step and disposition of stock whose state was changed where it lies."""
_WRONG_STATES = frozenset({Disposition.DAMAGED, Disposition.EXPIRED, Disposition.FROZEN})
_SHIPPED = frozenset({Sort.SHIPMENT, Sort.TRANSFER_OUT, Sort.SUPPLIER_RETURN})


class _Way(NamedTuple):
    """What one event has in common."""

    sort: Sort
    origin: str
    target: str
    before: Disposition
    after: Disposition
    owner: str
    container: str
    is_inferred: bool


class _Moved(NamedTuple):
    """A movement's entry with all that its events need."""

    entry: ChainEntry
    movement: Movement
    names: Names
    document: EnteredDocument | None
    followed: EnteredDocument | None


def of_movement(entry: ChainEntry, facts: Facts) -> Iterator[ToldEvent]:
    """The events of an entry of kind `movement`. Raises UntellableError."""
    movement = movement_decoder.decode(entry.payload)
    original = facts.movements.get(movement.reverses) if movement.reverses else None
    # What takes back a reversal makes happen again what that took back.
    if original is None or movement_decoder.decode(original.payload).reverses:
        yield from _happened(entry, movement, facts)
        return
    corrections: list[Json] = []
    for one in _voided(entry, movement, facts):
        corrections.append(one.event_hash)
        yield one
    for one in of_movement(original, facts):
        yield withdrawn(one, entry, corrections)


def of_document(entry: ChainEntry, facts: Facts) -> Iterator[ToldEvent]:
    """The events of an entry of kind `document`: an invoice speaks of goods and moves none."""
    document = document_decoder.decode(entry.payload)
    if document.kind == DocumentKind.PURCHASE_INVOICE:
        names = Names(facts, entry)
        goods: list[Json] = []
        for line in document.lines:
            if (amount := Decimal(line.quantity)) > 0:
                goods += names.quantity(line.item, line.batch, amount)
        if goods:
            fields: dict[str, Json] = {
                "bizTransactionList": _transactions(document, _followed(document, facts), names),
                "action": "ADD",
                "quantityList": goods,
            }
            yield told(entry, "TransactionEvent", fields)
    elif document.kind == DocumentKind.REVERSAL:
        taken_back = facts.documents.get(document.refers)
        if taken_back and taken_back.document.kind == DocumentKind.PURCHASE_INVOICE:
            for one in of_document(taken_back.entry, facts):
                yield withdrawn(one, entry, [])


def _followed(document: EnteredDocument, facts: Facts) -> EnteredDocument | None:
    known = facts.documents.get(document.refers) if document.refers else None
    return known.document if known else None


def _happened(entry: ChainEntry, movement: Movement, facts: Facts) -> Iterator[ToldEvent]:
    known: KnownDocument | None = facts.documents.get(movement.document)
    document = known.document if known else None
    followed = _followed(document, facts) if document else None
    moved = _Moved(entry, movement, Names(facts, entry), document, followed)
    ways: dict[_Way, list[Flow]] = {}
    for flow, sort in _sorted(movement, moved.names):
        ways.setdefault(_way(flow, sort), []).append(flow)
    if document is not None and document.kind == DocumentKind.UNPACKING:
        yield from _unpacked(moved, document)
    used = _used(document, moved.names)
    for way, flows in ways.items():
        if way.sort == Sort.PRODUCTION and (used or movement.document):
            yield _transformed(moved, way, flows, used)
            # The others add to the same transformation.
            used = []
        else:
            yield _told(moved, way, flows)


def _sorted(movement: Movement, names: Names) -> Iterator[tuple[Flow, Sort]]:
    for flow in flows_of(movement.postings):
        kinds = names.kind(flow.out.location), names.kind(flow.into.location)
        if (sort := sort_of(flow, *kinds)) is not None:
            yield flow, sort


def _way(flow: Flow, sort: Sort) -> _Way:
    out, into = flow.out, flow.into
    return _Way(
        sort,
        out.location,
        into.location,
        out.disposition,
        into.disposition,
        into.owner or out.owner,
        into.container or out.container,
        into.is_inferred or out.is_inferred,
    )


def _told(moved: _Moved, way: _Way, flows: Sequence[Flow]) -> ToldEvent:
    names, meaning = moved.names, _MEANINGS[way.sort]
    step, disposition = _said(moved, way, flows)
    fields: dict[str, Json] = {"action": meaning.action, **_things(names, flows, "epcList", "")}
    fields |= {"bizStep": step, "disposition": disposition}
    read: Json = {"id": names.place(way.origin if meaning.leaves else way.target)}
    fields["readPoint"] = read
    if not meaning.leaves:
        fields["bizLocation"] = read
    fields |= _parties(moved, way)
    own: dict[str, Json] = {"step": moved.movement.step} if moved.movement.step else {}
    if way.is_inferred:
        own["inferred"] = True
    listed = _transactions(moved.document, moved.followed, names)
    if listed:
        fields["bizTransactionList"] = listed
    is_transaction = any(isinstance(one, dict) and "type" in one for one in listed)
    if is_transaction and meaning.action == "OBSERVE":
        fields["action"] = "ADD"
        if way.container:
            fields["parentID"] = thing_uri(way.container)
        return told(moved.entry, "TransactionEvent", fields, own)
    if way.container:
        seen = fields.get("epcList")
        carrier = thing_uri(way.container)
        inside = [one for one in seen if one != carrier] if isinstance(seen, list) else []
        fields["epcList"] = [carrier, *inside]
    return told(moved.entry, "ObjectEvent", fields, own)


def _said(moved: _Moved, way: _Way, flows: Sequence[Flow]) -> tuple[str, str]:
    """Business step and disposition."""
    meaning = _MEANINGS[way.sort]
    step, disposition = meaning.step, meaning.disposition or _STATES[way.after]
    if way.sort == Sort.STATE:
        step, disposition = _JUDGED[way.after]
    elif way.sort in (Sort.RECEIPT, Sort.TRANSFER_IN) and way.after in _WRONG_STATES:
        disposition = _STATES[way.after]
    elif way.sort == Sort.LOSS and (reason := _reason(moved.document, flows)) in DISPOSITIONS:
        disposition = reason
    elif way.sort == Sort.PRODUCTION and any(flow.into.serial for flow in flows):
        step = "commissioning"
    return step, disposition


def _things(names: Names, flows: Sequence[Flow], epcs: str, lists: str) -> dict[str, Json]:
    """Pieces with a serial one by one, all else by class. `lists`: the name of that list."""
    pieces: dict[str, None] = {}
    sums: dict[tuple[str, str], Decimal] = {}
    for flow in flows:
        if flow.into.serial:
            pieces[names.instance(flow.into.item, flow.into.serial)] = None
        else:
            key = (flow.into.item, flow.into.batch)
            sums[key] = sums.get(key, Decimal(0)) + flow.quantity
    found: dict[str, Json] = {}
    if pieces:
        found[epcs] = list(pieces)
    classes: list[Json] = []
    for (item, batch), amount in sums.items():
        classes += names.quantity(item, batch, amount)
    if classes:
        found[lists or "quantityList"] = classes
    return found


def _transformed(
    moved: _Moved, way: _Way, flows: Sequence[Flow], used: Sequence[Json]
) -> ToldEvent:
    names = moved.names
    fields: dict[str, Json] = {"inputQuantityList": list(used)} if used else {}
    fields |= _things(names, flows, "outputEPCList", "outputQuantityList")
    fields["transformationID"] = names.document(moved.movement.document)
    fields["bizStep"] = "commissioning" if "outputEPCList" in fields else "creating_class_instance"
    fields["disposition"] = "active"
    here: Json = {"id": names.place(way.target)}
    fields |= {"readPoint": here, "bizLocation": here}
    if listed := _transactions(moved.document, moved.followed, names):
        fields["bizTransactionList"] = listed
    return told(moved.entry, "TransformationEvent", fields)


def _used(document: EnteredDocument | None, names: Names) -> list[Json]:
    """What a production receipt used up, each kind once."""
    sums: dict[tuple[str, str], Decimal] = {}
    for one in document.components if document else ():
        key = (one.item, one.batch)
        sums[key] = sums.get(key, Decimal(0)) + Decimal(one.quantity)
    found: list[Json] = []
    for (item, batch), amount in sums.items():
        found += names.quantity(item, batch, amount) if amount > 0 else []
    return found


def _unpacked(moved: _Moved, document: EnteredDocument) -> Iterator[ToldEvent]:
    """A container that is taken apart: all that is in it comes out."""
    named = [line.container for line in document.lines]
    named += [one.container for one in moved.movement.postings]
    for container in dict.fromkeys(one for one in named if one):
        inside = [
            flow for flow in flows_of(moved.movement.postings) if flow.out.container == container
        ]
        fields: dict[str, Json] = {"parentID": thing_uri(container), "action": "DELETE"}
        fields |= _things(moved.names, inside, "childEPCs", "childQuantityList")
        fields.setdefault("childEPCs", [])
        fields |= {"bizStep": "unpacking", "disposition": "in_progress"}
        yield told(moved.entry, "AggregationEvent", fields)


def _voided(entry: ChainEntry, movement: Movement, facts: Facts) -> Iterator[ToldEvent]:
    """What was told to be shipped and was not, as it is back where it lay."""
    names = Names(facts, entry)
    back: dict[str, list[Flow]] = {}
    for flow in flows_of(movement.postings):
        turned = Flow(flow.quantity, flow.into, flow.out)
        kinds = names.kind(flow.into.location), names.kind(flow.out.location)
        if sort_of(turned, *kinds) in _SHIPPED:
            back.setdefault(flow.into.location, []).append(flow)
    for location, flows in back.items():
        here: Json = {"id": names.place(location)}
        fields: dict[str, Json] = {"action": "OBSERVE"}
        fields |= _things(names, flows, "epcList", "")
        fields |= {"bizStep": "void_shipping", "disposition": "in_progress"}
        fields |= {"readPoint": here, "bizLocation": here}
        if movement.document:
            fields["bizTransactionList"] = [{"bizTransaction": names.document(movement.document)}]
        yield told(entry, "ObjectEvent", fields)


def _transactions(
    document: EnteredDocument | None, followed: EnteredDocument | None, names: Names
) -> list[Json]:
    """A document, and the one that it follows, as business transactions."""
    found: list[Json] = []
    for one in (document, followed):
        if one is not None:
            named: dict[str, Json] = {"bizTransaction": names.document(one.id)}
            kind = _TRANSACTIONS.get(one.kind)
            found.append({"type": kind, **named} if kind else named)
    return found


def _parties(moved: _Moved, way: _Way) -> dict[str, Json]:
    """Where goods change hands or houses: from whom and to whom, and whose they are."""
    names, document = moved.names, moved.document
    other = names.party(document.party) if document and document.party else ""
    owner = names.party(way.owner) if way.owner else ""
    us = names.us()
    theirs, ours = (owner or other, other), (owner or us, us)
    origin = _house(document.warehouse if document else "", names)
    target = _house(document.to_warehouse if document else "", names)
    match way.sort:
        case Sort.RECEIPT | Sort.CUSTOMER_RETURN:
            ends = _ends("source", *theirs, ""), _ends("destination", *ours, origin)
        case Sort.SHIPMENT | Sort.SUPPLIER_RETURN:
            ends = _ends("source", *ours, origin), _ends("destination", *theirs, "")
        case Sort.TRANSFER_OUT | Sort.TRANSFER_IN:
            ends = _ends("source", *ours, origin), _ends("destination", *ours, target)
        case _:
            return {}
    sources, destinations = ends
    found: dict[str, Json] = {"sourceList": sources} if sources else {}
    return found | ({"destinationList": destinations} if destinations else {})


def _house(warehouse: str, names: Names) -> str:
    return names.place(warehouse) if warehouse else names.site()


def _ends(name: str, owning: str, possessing: str, location: str) -> list[Json]:
    kinds = {"owning_party": owning, "possessing_party": possessing, "location": location}
    return [{"type": kind, name: who} for kind, who in kinds.items() if who]


def _reason(document: EnteredDocument | None, flows: Sequence[Flow]) -> str:
    """Why stock is gone, where a document says it in a word of the CBV."""
    items = {flow.into.item for flow in flows}
    reasons = {
        line.reason or document.reason
        for line in (document.lines if document else ())
        if document and line.item in items
    }
    return reasons.pop() if len(reasons) == 1 else ""
