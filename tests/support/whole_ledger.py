"""A small ledger that has rows of every kind, all of it under published heads."""

from __future__ import annotations

import json
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

from psycopg import Connection

from contracts.accounting import BookDataKind, TaxCode
from contracts.books import BookItem, BookPlace, Movement, PeriodClosed, Posting, Reservation
from contracts.codec import encode
from contracts.commissioning import Decommissioned, EndReason
from contracts.documents import UsedComponent
from contracts.places import Item
from contracts.vouchers import Method
from ledger_sink.books import Books, Prepared
from ledger_sink.commissioning import Commissioning
from ledger_sink.core.commissioning import Order, order_of, series_of, successor
from ledger_sink.core.posting.accounting import Made
from ledger_sink.defaults import default_chart
from ledger_sink.epcis import capture
from ledger_sink.heads_file import HEADS, PUBLIC_KEY
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.publisher import Publisher
from ledger_sink.settings import Settings
from tests.support.conformance import CONFORMANCE
from tests.unit.ledger_sink.ledger_builders import passage, sighting_of
from tests.unit.ledger_sink.posting.posting_builders import PLACES, Firm, accounting, line

SITE = "demo"
NOW = 1_000_000_000
EVENTS = CONFORMANCE / "epcis" / "examples" / "Example_9.6.1-ObjectEvent.jsonld"
PALLET = order_of(
    Order(item="80614141123458", prefix="0614141", cases=1, units=2, pallet=True, batch="B7")
)


class WholeLedger:
    """Makes it, in a database with the schema, and in a folder for what is published."""

    def __init__(self, connection: Connection[Any], folder: Path) -> None:
        self.ledger = PostgresLedger(connection, SITE)
        self._books = Books(self.ledger)
        self._firm = _Poster(self._books)
        settings = Settings(data=folder)
        self.heads = settings.folder / HEADS
        self.public_key = settings.folder / PUBLIC_KEY
        with closing(Publisher(self.ledger, settings)) as publisher:
            self._floor()
            publisher.publish()
            self._master()
            self._documents()
            publisher.publish()
            self._movements()
            self._orders()
            self._identities()
            publisher.publish()

    def _floor(self) -> None:
        """What the stream enters: a log, master data, sightings and what they decided."""
        run = self.ledger.take_lease("bridge", "b", 60)
        assert run is not None
        assert self.ledger.open_log(run, "l1", 2, "the first", 5)
        self.ledger.put_reference("item/1", encode(Item(item="1", name="阀门")), 20)
        self.ledger.put_reference("item/1", encode(Item(item="1", name="Valve")), 21)
        sightings = [sighting_of(number) for number in range(6)]
        self.ledger.add_evidence(sightings, 22)
        entries = [passage(number, evidence=one) for number, one in enumerate(sightings)]
        self.ledger.append([*entries, passage(7, location="门-1")], 22)

    def _master(self) -> None:
        books = self._books
        for location, kind in PLACES.items():
            assert books.put(BookPlace(location=location, kind=kind), 30)
        for item in ("screw", "plate", "table", "lamp", "bolt"):
            assert books.put(BookItem(item=item), 30)
        books.put_data(BookDataKind.CHART, "china", default_chart("china"), 31)
        books.put_data(BookDataKind.TAX, "vat", TaxCode(rate=Decimal("0.13")), 31)
        firm = accounting(Method.FIFO)
        books.put_data(BookDataKind.SETTINGS, "", firm.settings, 31)
        for item, costing in firm.costings.items():
            method = Method.MOVING_AVERAGE if item == "screw" else Method.FIFO
            books.put_data(
                BookDataKind.COSTING, item, costing.model_copy(update={"method": method}), 31
            )
        for item, bill in firm.bills.items():
            books.put_data(BookDataKind.BILL_OF_MATERIALS, item, bill, 31)

    def _documents(self) -> None:
        """Of most kinds, with late costs, layers of FIFO, a reversal."""
        firm = self._firm
        taxed = {"tax": "vat", "order_line": 1}
        firm.book("OP-1", "opening", line("screw", 100, "0.10"), line("lamp", 5, "20"))
        firm.book("GR-1", "goods_receipt", line("lamp", 10, "21.30", tax="vat"), party="s1")
        firm.book("GR-2", "goods_receipt", line("lamp", 4, "22", tax="vat"), party="s1")
        firm.book("PI-1", "purchase_invoice", line("lamp", 10, "21.90", **taxed), refers="GR-1")
        firm.book("SH-1", "sales_shipment", line("lamp", 7, "40", tax="vat"), party="c1")
        firm.book("CR-1", "customer_return", line("lamp", 2, "40", **taxed), refers="SH-1")
        firm.book("GI-1", "goods_issue", line("screw", 16))
        used = UsedComponent(line=1, item="screw", quantity="16")
        firm.book("PR-1", "production_receipt", line("table", 2), components=(used,))
        firm.book("SC-1", "scrap", line("screw", 3))
        firm.book("RV-1", "reversal", refers="GR-2")

    def _movements(self) -> None:
        """Without documents, of an item without a value: taken back, refused, unseen."""
        there, back = _bolts("m1", 5), _bolts("m2", -5, reverses="m1")
        assert [one.outcome for one in self._books.post([there, back], NOW)] == ["entered"] * 2
        (refused,) = self._books.post([_bolts("m3", -5)], NOW)
        assert refused.outcome == "refused"
        seen = self._books.post([_bolts("m4", -2, is_physical=True), _bolts("m5", 9)], NOW)
        assert [one.outcome for one in seen] == ["entered"] * 2
        assert self._books.put(PeriodClosed(before_us=1), NOW)

    def _orders(self) -> None:
        """An order with what is allocated to it, and a pallet that is taken apart."""
        order = self._firm.entered("sales_order", [line("lamp", 2)], "SO-1", happened_us=2)
        lamps = _moved("SO-1", "lamp", 2, {}, {"reservation": Reservation.ALLOCATED})
        pallet = line("bolt", 2, container="pallet-1")
        unpacking = self._firm.entered("unpacking", [pallet], "UP-1", happened_us=2)
        bolts = _moved("UP-1", "bolt", 2, {"container": "pallet-1"}, {})
        prepared = [Prepared(order, lamps, (), ()), Prepared(unpacking, bolts, (), ())]
        posted = self._books.post_documents(prepared, self._books.bases(["lamp", "bolt"]), NOW)
        assert [one.outcome for one in posted] == ["entered"] * 2, posted

    def _identities(self) -> None:
        desk = Commissioning(self.ledger)
        births = desk.order(PALLET, NOW)
        series = series_of(births[1])
        desk.retag(successor(births[1], desk.allocate({series: 1}, 1)[series][0], NOW), NOW)
        end = Decommissioned(identity=births[0].identity, reason=EndReason.UNPACKED, at_us=NOW)
        desk.end([end], NOW)
        assert capture(self.ledger, json.loads(EVENTS.read_bytes()), NOW).entered


class _Poster(Firm):
    """A firm whose documents go into the ledger."""

    def __init__(self, books: Books) -> None:
        firm = accounting(Method.FIFO)
        costings = {
            item: one.model_copy(
                update={"method": Method.MOVING_AVERAGE if item == "screw" else Method.FIFO}
            )
            for item, one in firm.costings.items()
        }
        super().__init__(
            type(firm)(
                settings=firm.settings,
                chart=firm.chart,
                rules=firm.rules,
                rules_version=0,
                taxes=firm.taxes,
                costings=costings,
                bills=firm.bills,
            )
        )
        self._books = books

    def book(self, number: str, kind: str, *lines: dict[str, Any], **more: Any) -> None:
        """Enter a document, here and there."""
        document = self.entered(kind, lines, number, happened_us=0, **more)
        made = self.make(document)
        assert isinstance(made, Made), made
        prepared = Prepared(document, self.movement(document), made.vouchers, made.valuations)
        bases = self._books.bases(list(self.books.costings))
        (posted,) = self._books.post_documents([prepared], bases, NOW)
        assert posted.outcome == "entered", posted.problem
        self.enter(document)


def _moved(
    document: str, item: str, quantity: int, before: dict[str, Any], after: dict[str, Any]
) -> Movement:
    """So many become something else where they are."""
    return Movement(
        id=f"M-{document}",
        document=document,
        step="state_change",
        happened_us=2,
        postings=(
            Posting(item=item, location="bin", quantity=str(-quantity), **before),
            Posting(item=item, location="bin", quantity=str(quantity), **after),
        ),
    )


def _bolts(id_: str, quantity: int, **fields: Any) -> Movement:
    """So many bolts from the supplier, or back."""
    return Movement(
        id=id_,
        document="",
        step="relocation",
        happened_us=5,
        postings=(
            Posting(item="bolt", location="supplier", quantity=str(-quantity)),
            Posting(item="bolt", location="bin", quantity=str(quantity), container="pallet-1"),
        ),
        **fields,
    )
