"""Loads what planning a batch of documents needs: a few queries for the batch, none for a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

import msgspec

from contracts.accounting import (
    BatchCard,
    BillOfMaterials,
    BookDataKind,
    TaxCode,
    Units,
)
from contracts.books import (
    BookItem,
    BookPlace,
    Movement,
    Negative,
    PlaceKind,
    Reservation,
    Tracking,
)
from contracts.codec import decode_json
from contracts.documents import Document, EnteredDocument
from contracts.vouchers import ItemValuation, Layer, Method, Voucher
from ledger_sink.book_data import (
    MODELS,
    Kept,
    accounting_of,
    bodies_of,
    settings_of,
    shipped,
)
from ledger_sink.books import Books
from ledger_sink.core.books_check import Key
from ledger_sink.core.posting.accounting import Accounting
from ledger_sink.core.posting.world import NO_UNITS, Birth, ItemFacts, World
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.sql import queries

QUERIES = queries("posting")
SITE_WIDE = (BookDataKind.SETTINGS, BookDataKind.CHART, BookDataKind.RULES, BookDataKind.TAX)
BY_KEY = (
    BookDataKind.COSTING,
    BookDataKind.UNITS,
    BookDataKind.BILL_OF_MATERIALS,
    BookDataKind.PARTY,
)
_layers = msgspec.json.Decoder(tuple[Layer, ...])
_SERIAL = re.compile(r".*/01/\d{14}/21/(.+)")


class Loaded(NamedTuple):
    """What a batch is made from."""

    world: World
    accounting: Accounting
    valuations: dict[str, ItemValuation]
    """Of the items concerned."""
    vouchers: dict[str, tuple[Voucher, ...]]
    """Of the related documents, by document."""
    entries: dict[str, int]
    """The entry of each related document."""
    bases: dict[str, int]
    """What the ledger compares with: see `Books.bases`."""
    is_bare: bool
    """True: what ships counts and is not entered yet."""


class _Family(NamedTuple):
    """Related documents, in order of recording."""

    documents: dict[str, EnteredDocument]
    movements: dict[str, Movement]
    entries: dict[str, int]


class Loader:
    """Loads from one site's ledger; the login needs `ledger_appender` and `ledger_reader`."""

    def __init__(self, ledger: PostgresLedger, books: Books) -> None:
        self._ledger = ledger
        self._books = books

    def rows(self, name: str, **values: object) -> list[tuple[Any, ...]]:
        """The rows of a named query for this site."""
        everything = {"site": self._ledger.site, **values}
        return self._ledger.connection.execute(QUERIES[name], everything).fetchall()

    def load(self, documents: Sequence[Document], orders: Iterable[str] = ()) -> Loaded:
        """What planning these documents, or releasing these orders, needs."""
        newest = self._books.bases([])
        named = {name for one in documents for name in (one.id, one.refers) if name}
        family = self._family(sorted({*named, *orders}))
        containers = _containers(documents, family)
        inside = self.rows("inside", containers=containers) if containers else []
        carriers = sorted({*containers, *(row[0] for row in inside if row[2] != "unit")})
        contents = self._contents(carriers, [])
        items = sorted(
            {
                *(line.item for one in documents for line in one.lines),
                *(part.item for one in documents for line in one.lines for part in line.components),
                *(line.item for one in family.documents.values() for line in one.lines),
                *(part.item for one in family.documents.values() for part in one.components),
                *(key.item for held in contents.values() for key in held),
            }
        )
        data = self._data(items, documents, family)
        bills = bodies_of(data, BookDataKind.BILL_OF_MATERIALS, BillOfMaterials).values()
        parts = {part.item for bill in bills for part in bill.components} - set(items)
        if parts:
            items = sorted({*items, *parts})
            data = self._data(items, documents, family)
        bases = {**self._books.bases(items), **newest}
        world = self._world(documents, family, items, data, carriers, inside)
        vouchers: dict[str, tuple[Voucher, ...]] = {}
        for (payload,) in self.rows("vouchers", ids=list(family.documents)):
            voucher = decode_json(Voucher, payload)
            vouchers[voucher.document] = (*vouchers.get(voucher.document, ()), voucher)
        valuations = {row[0]: _valuation(*row) for row in self.rows("valuations", items=items)}
        accounting = accounting_of(data)
        is_bare = next(shipped(data), None) is not None
        return Loaded(world, accounting, valuations, vouchers, family.entries, bases, is_bare)

    def _family(self, ids: list[str]) -> _Family:
        found = _Family({}, {}, {})
        for seq, payload, movement in self.rows("family", ids=ids) if ids else ():
            document = decode_json(EnteredDocument, payload)
            found.documents[document.id] = document
            found.entries[document.id] = seq
            if movement is not None:
                found.movements[document.id] = decode_json(Movement, movement)
        return found

    def _contents(self, containers: list[str], items: list[str]) -> dict[str, dict[Key, Any]]:
        found: dict[str, dict[Key, Any]] = {}
        for row in self.rows("contents", containers=containers, items=items):
            found.setdefault(row[0], {})[Key(*row[1:8])] = row[8]
        return found

    def _births(self, rows: list[tuple[Any, ...]], items: list[str]) -> dict[str, Birth]:
        codes = {item: item for item in items}
        if rows:
            codes |= {code.zfill(14): item for item, code in self.rows("item_codes", items=items)}
        births = {}
        for identity, code, packing, quantity, batch, parent, is_out in rows:
            serial = _SERIAL.fullmatch(identity)
            births[identity] = Birth(
                item=codes.get(code, ""),
                packing=packing,
                quantity=quantity,
                batch=batch,
                serial=unquote(serial[1]) if serial else "",
                parent=parent,
                is_out=is_out,
            )
        return births

    def _data(
        self, items: list[str], documents: Sequence[Document], family: _Family
    ) -> dict[tuple[BookDataKind, str], Kept]:
        """What the books know of the site, of these items and of the documents' parties."""
        parties = {one.party for one in documents} | {
            one.party for one in family.documents.values()
        }
        rows = self.rows(
            "data",
            whole=[str(one) for one in SITE_WIDE],
            named=[str(one) for one in BY_KEY],
            keys=sorted({*items, *parties} - {""}),
        )
        return {
            (BookDataKind(what), key): Kept(
                seq, MODELS[BookDataKind(what)].model_validate_json(body)
            )
            for what, key, seq, body in rows
        }

    def _world(
        self,
        documents: Sequence[Document],
        family: _Family,
        items: list[str],
        data: Mapping[tuple[BookDataKind, str], Kept],
        carriers: list[str],
        inside: list[tuple[Any, ...]],
    ) -> World:
        units = bodies_of(data, BookDataKind.UNITS, Units)
        bills = bodies_of(data, BookDataKind.BILL_OF_MATERIALS, BillOfMaterials)
        ((closed_before_us,),) = self.rows("period")
        stock = [(Key(*row[:7]), row[7], row[8]) for row in self.rows("balances", items=items)]
        batches = {(key.item, key.batch) for key, _, _ in stock if key.batch}
        batches |= {(one.item, one.batch) for each in documents for one in each.lines if one.batch}
        allocations: dict[str, dict[Key, Any]] = {}
        for row in self.rows("allocations", items=items, ids=list(family.documents)):
            key = _allocated(row)
            allocations.setdefault(row[0], {})[key] = row[7]
        return World(
            settings=settings_of(data),
            items={
                row[0]: ItemFacts(
                    book=_item(*row),
                    units=units.get(row[0], NO_UNITS),
                    is_valued=(BookDataKind.COSTING, row[0]) in data,
                    bill=bills.get(row[0]),
                )
                for row in self.rows("items", items=items)
            },
            places={
                row[0]: BookPlace(location=row[0], kind=PlaceKind(row[1]), warehouse=row[2])
                for row in self.rows("places")
            },
            taxes=bodies_of(data, BookDataKind.TAX, TaxCode),
            batches=self._batches(batches),
            closed_before_us=closed_before_us,
            balances={key: quantity for key, quantity, _ in stock},
            ages={key: seq for key, _, seq in stock},
            contents=self._contents(carriers, items),
            births=self._births(inside, items),
            documents=family.documents,
            movements=family.movements,
            allocations=allocations,
        )

    def _batches(self, batches: set[tuple[str, str]]) -> dict[tuple[str, str], BatchCard]:
        by_key = {f"{item}/{batch}": (item, batch) for item, batch in batches}
        if not by_key:
            return {}
        rows = self.rows("data", whole=[], named=[str(BookDataKind.BATCH)], keys=sorted(by_key))
        return {by_key[key]: BatchCard.model_validate_json(body) for _, key, _, body in rows}


def _containers(documents: Sequence[Document], family: _Family) -> list[str]:
    """The containers that documents, and what they refer to, name."""
    named = {line.container for one in documents for line in one.lines}
    known = {line.container for one in family.documents.values() for line in one.lines}
    return sorted((named | known) - {""})


def _item(item: str, base_unit: str, decimals: int, tracking: str, negative: str) -> BookItem:
    return BookItem(
        item=item,
        base_unit=base_unit,
        decimals=decimals,
        tracking=Tracking(tracking),
        negative=Negative(negative),
    )


def _allocated(row: tuple[Any, ...]) -> Key:
    """The key of allocated stock."""
    _, item, location, batch, serial, disposition, owner, _ = row
    return Key(item, location, batch, serial, disposition, str(Reservation.ALLOCATED), owner)


def _valuation(
    item: str, method: str, quantity: str, value: str, price: str, layers: str
) -> ItemValuation:
    return ItemValuation(
        item=item,
        method=Method(method),
        quantity=quantity,
        value=value,
        price=price,
        layers=_layers.decode(layers),
    )
