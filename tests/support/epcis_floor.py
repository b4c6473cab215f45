"""A site whose ledger holds all that makes EPCIS events: reads, births, documents, others' events.

Steps are numbers that a test draws; what a step cannot do it leaves undone, so that any sequence
of them is a life of the site.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from contracts.accounting import BookDataKind, ItemCard
from contracts.books import (
    BookItem,
    BookPlace,
    Disposition,
    Movement,
    Negative,
    PlaceKind,
    Posting,
    Reservation,
    Tracking,
)
from contracts.codec import canonical, encode
from contracts.commissioning import Commissioned, Decommissioned, EndReason
from contracts.documents import DocumentKind, EnteredDocument, EnteredLine, UsedComponent
from contracts.events import Direction, Entry, EntryKind, LocationEvent, LocationKind
from contracts.gs1_keys import check_digit
from contracts.labels import Packing
from contracts.places import Gate, SiteMap, Zone
from ledger_sink.books import Books, Prepared
from ledger_sink.commissioning import Commissioning
from ledger_sink.core.commissioning import CommissioningError
from ledger_sink.epcis import capture
from ledger_sink.postgres_ledger import PostgresLedger
from tests.support.conformance import CONFORMANCE

SECOND = 1_000_000
START = 1_772_416_800 * SECOND
"""2026-03-02T02:00:00Z."""
EXAMPLES = sorted((CONFORMANCE / "epcis" / "examples").glob("*.jsonld"))
GLN = "4012345000016"
BOLT, PUMP_GTIN, PAINT_GTIN = "00614141110001", "00614141110018", "00614141110025"
ITEMS = {
    BOLT: BookItem(item=BOLT, negative=Negative.ALARM),
    "pump": BookItem(item="pump", tracking=Tracking.SERIAL, negative=Negative.ALARM),
    "paint": BookItem(
        item="paint",
        tracking=Tracking.BATCH,
        base_unit="kg",
        decimals=6,
        negative=Negative.ALARM,
    ),
    "rope/中": BookItem(item="rope/中", base_unit="roll", decimals=1, negative=Negative.ALARM),
}
CARDS = {"pump": PUMP_GTIN, "paint": PAINT_GTIN}
PLACES = {
    "stage": PlaceKind.ZONE,
    "yard-1": PlaceKind.ZONE,
    "bin 7": PlaceKind.BIN,
    "supplier": PlaceKind.SUPPLIER,
    "customer": PlaceKind.CUSTOMER,
    "shop floor": PlaceKind.PRODUCTION,
    "road": PlaceKind.IN_TRANSIT,
    "scrap": PlaceKind.SCRAP,
    "adjustment": PlaceKind.ADJUSTMENT,
    "opening": PlaceKind.OPENING,
}
MAP = SiteMap(
    site="demo",
    zones=(
        Zone(id="stage", warehouse="north", sgln=f"https://id.gs1.org/414/{GLN}/254/stage"),
        Zone(id="yard-1", outside=True),
    ),
    gates=(
        Gate(
            id="door-1",
            inner="stage",
            outer="yard-1",
            sgln=f"https://id.gs1.org/414/{GLN}/254/door%2F1",
        ),
    ),
    antennas=(),
    sgln=f"https://id.gs1.org/414/{GLN}",
)
WAYS: dict[DocumentKind, tuple[str, str]] = {
    DocumentKind.OPENING: ("opening", "stage"),
    DocumentKind.GOODS_RECEIPT: ("supplier", "stage"),
    DocumentKind.SUPPLIER_RETURN: ("stage", "supplier"),
    DocumentKind.SALES_SHIPMENT: ("stage", "customer"),
    DocumentKind.CUSTOMER_RETURN: ("customer", "yard-1"),
    DocumentKind.GOODS_ISSUE: ("bin 7", "shop floor"),
    DocumentKind.PRODUCTION_RECEIPT: ("shop floor", "bin 7"),
    DocumentKind.TRANSFER_OUT: ("bin 7", "road"),
    DocumentKind.TRANSFER_IN: ("road", "stage"),
    DocumentKind.RELOCATION: ("stage", "bin 7"),
    DocumentKind.STATE_CHANGE: ("stage", "stage"),
    DocumentKind.SCRAP: ("stage", "scrap"),
    DocumentKind.ADJUSTMENT: ("adjustment", "stage"),
    DocumentKind.UNPACKING: ("stage", "stage"),
    DocumentKind.PURCHASE_INVOICE: ("", ""),
    DocumentKind.PURCHASE_ORDER: ("", ""),
    DocumentKind.SALES_ORDER: ("stage", "stage"),
}
QUANTITIES = ("1", "3", "0.5", "2.125001", "123456789012345.5", "123456789012345.654321")
CARRIER = "https://id.gs1.org/00/" + "00614141000000001" + check_digit("00614141000000001")
EMPTY = ("party", "refers", "warehouse", "to_warehouse", "case")


class Floor:
    """One site, and what happened in it."""

    def __init__(self, ledger: PostgresLedger) -> None:
        self.ledger = ledger
        self.books = Books(ledger)
        self.births = Commissioning(ledger)
        self.at_us = START
        self.count = 0
        self.posted: list[tuple[EnteredDocument, Movement | None]] = []
        self.alive: list[str] = []
        ledger.put_reference("site", encode(MAP), START)
        for item in ITEMS.values():
            self.books.put(item, START)
        for item_id, gtin in CARDS.items():
            self.books.put_data(BookDataKind.ITEM_CARD, item_id, ItemCard(gtin=gtin), START)
        for location, kind in PLACES.items():
            warehouse = "south" if location == "bin 7" else ""
            self.books.put(BookPlace(location=location, kind=kind, warehouse=warehouse), START)

    def live(self, steps: Sequence[tuple[int, int, int]]) -> None:
        """Do some steps: what, with what, and how."""
        kinds = list(WAYS)
        for what, which, how in steps:
            self.count += 1
            self.at_us += SECOND + how * 1_234
            match what % 24:
                case 0:
                    capture(
                        self.ledger,
                        json.loads(EXAMPLES[which % len(EXAMPLES)].read_bytes()),
                        self.at_us,
                    )
                case 1 | 2:
                    self.read(which, how)
                case 3:
                    self.born(which, how)
                case 4:
                    self.end(which, how)
                case 5 | 6:
                    self.take_back(which)
                case number:
                    self.document(kinds[(number - 7) % len(kinds)], which, how)

    def read(self, which: int, how: int) -> None:
        """Something is read somewhere."""
        kind = list(LocationKind)[how % len(LocationKind)]
        identity = [*self.alive, CARRIER, "raw:中", f"https://id.gs1.org/01/{BOLT}"][
            which % (len(self.alive) + 3)
        ]
        event = LocationEvent(
            kind=kind,
            identity=identity,
            location="door-1" if kind == LocationKind.PASSED else "stage",
            direction=Direction.IN if kind == LocationKind.PASSED else None,
            at_us=self.at_us - how * SECOND,
            first_us=self.at_us,
            last_us=self.at_us,
            confidence=1,
            basis="scan",
            device="r-1" if how % 2 else None,
        )
        entry = Entry(
            id=f"read{self.count}",
            kind=EntryKind.LOCATION,
            happened_us=event.at_us,
            identity=identity,
            location=event.location,
            payload=canonical(event),
        )
        self.ledger.append([entry], self.at_us)

    def born(self, which: int, how: int) -> None:
        """A unit, a case or a pallet is commissioned."""
        packing = list(Packing)[how % len(Packing)]
        # An identity is unique in the world, and sites of one ledger share it.
        row = self.ledger.connection.execute("select count(*) from ledger.identities").fetchone()
        number = 1 + row[0] if row else 1
        if packing == Packing.UNIT:
            identity = f"https://id.gs1.org/01/{PUMP_GTIN}/21/{number}"
        else:
            digits = f"00614141{number:09d}"
            identity = f"https://id.gs1.org/00/{digits}{check_digit(digits)}"
        carriers = [one for one in self.alive if "/00/" in one]
        birth = Commissioned(
            identity=identity,
            packing=packing,
            item=PUMP_GTIN,
            quantity=1,
            epc="00",
            batch="B/1" if how % 2 else "",
            expiry="2027-03-31" if how % 3 else "",
            parent=carriers[which % len(carriers)] if carriers else None,
            at_us=self.at_us,
        )
        self.births.enter([birth], self.at_us)
        self.alive.append(identity)

    def end(self, which: int, how: int) -> None:
        """An identity ends; what it held may be in another one then."""
        if not self.alive:
            return
        identity = self.alive.pop(which % len(self.alive))
        reason = list(EndReason)[how % len(EndReason)]
        other = next((one for one in self.alive if "/00/" in one), None)
        successor = other if reason == EndReason.RETAGGED and "/00/" in identity else None
        end = Decommissioned(
            identity=identity, reason=reason, successor=successor, at_us=self.at_us
        )
        try:
            self.births.end([end], self.at_us)
        except CommissioningError:
            return

    def take_back(self, which: int) -> None:
        """A document is reversed; only what is there once can be."""
        if not self.posted:
            return
        document, movement = self.posted.pop(which % len(self.posted))
        if movement is None and document.kind != DocumentKind.PURCHASE_INVOICE:
            return
        self.enter(
            self.said(DocumentKind.REVERSAL, (), refers=document.id),
            None
            if movement is None
            else msgspec.structs.replace(
                movement,
                id=f"R{self.count}/m",
                document=f"D{self.count}",
                step="reversal",
                happened_us=self.at_us,
                reverses=movement.id,
                postings=tuple(
                    msgspec.structs.replace(one, quantity=_negative(one.quantity))
                    for one in movement.postings
                ),
            ),
        )

    def document(self, kind: DocumentKind, which: int, how: int) -> None:
        """A document with one or two lines."""
        items = list(ITEMS.values())
        lines: list[EnteredLine] = []
        postings: list[Posting] = []
        container = CARRIER if how % 3 == 0 else ""
        for number in range(1 + how % 2):
            item = items[(which + number) % len(items)]
            quantity = "1" if item.tracking == Tracking.SERIAL else QUANTITIES[how % 2]
            if item.decimals:
                quantity = QUANTITIES[(which + how) % (6 if item.decimals == 6 else 3)]
            batch = f"L{which % 3}" if item.tracking == Tracking.BATCH else ""
            serial = f"s/{which % 5}" if item.tracking == Tracking.SERIAL else ""
            owner = "9012345000011" if how % 5 == 4 else ""
            lines.append(
                EnteredLine(
                    line=number + 1,
                    item=item.item,
                    quantity=quantity,
                    unit=item.base_unit,
                    unit_quantity=quantity,
                    batch=batch,
                    owner=owner,
                    container=container,
                    reason=("stolen", "?", "")[how % 3],
                )
            )
            postings += moved(
                kind, item.item, quantity, how, batch=batch, serial=serial, owner=owner,
                container=container,
            )  # fmt: skip
        orders = [one.id for one, _ in self.posted if one.kind == DocumentKind.PURCHASE_ORDER]
        said = self.said(
            kind,
            tuple(lines),
            refers=orders[-1] if orders and how % 2 else "",
            party=("acme & co", "9012345000011", "")[how % 3],
            warehouse="north" if how % 4 == 1 else "",
            components=(UsedComponent(line=1, item="paint", quantity="0.25", batch="L1"),)
            if kind == DocumentKind.PRODUCTION_RECEIPT
            else (),
        )
        movement = Movement(
            id=f"D{self.count}/m",
            document=said.id,
            step=str(kind),
            happened_us=said.happened_us,
            postings=tuple(postings),
            is_physical=True,
        )
        self.enter(said, movement if postings else None)

    def said(
        self, kind: DocumentKind, lines: tuple[EnteredLine, ...], **fields: Any
    ) -> EnteredDocument:
        """A document with what every one has."""
        usual: dict[str, Any] = {"due_us": 0, "currency": "CNY", "rate": "1", "reason": ""}
        usual |= {"person": "wu", "approved_by": "li"}
        return EnteredDocument(
            **{
                **dict.fromkeys(EMPTY, ""),
                **usual,
                "id": f"D{self.count}",
                "kind": kind,
                "happened_us": self.at_us,
                "is_physical": True,
                "lines": lines,
                **fields,
            }
        )

    def enter(self, document: EnteredDocument, movement: Movement | None) -> None:
        """Post it; what the ledger refuses is no event."""
        (done,) = self.books.post_documents([Prepared(document, movement, (), ())], {}, self.at_us)
        if done.outcome == "entered" and document.kind != DocumentKind.REVERSAL:
            self.posted.append((document, movement))


def moved(
    kind: DocumentKind, item: str, quantity: str, how: int, *, container: str, **same: str
) -> list[Posting]:
    """The two lines of what a document does to one item."""
    origin, target = WAYS[kind]
    if not origin:
        return []
    if kind == DocumentKind.ADJUSTMENT and how % 2:
        origin, target = target, origin
    out: dict[str, Any] = {**same, "item": item, "container": container}
    out["is_inferred"] = how % 7 == 0 and bool(container)
    into = dict(out)
    if kind == DocumentKind.STATE_CHANGE:
        into["disposition"] = list(Disposition)[(0, 2, 3, 4)[how % 4]]
    elif kind == DocumentKind.GOODS_RECEIPT:
        into["disposition"] = out["disposition"] = list(Disposition)[how % 5]
    elif kind == DocumentKind.SALES_ORDER:
        into["reservation"] = Reservation.ALLOCATED
    elif kind == DocumentKind.UNPACKING:
        into["container"] = ""
    return [
        Posting(location=origin, quantity=f"-{quantity}", **out),
        Posting(location=target, quantity=quantity, **into),
    ]


def _negative(quantity: str) -> str:
    return quantity[1:] if quantity.startswith("-") else f"-{quantity}"
