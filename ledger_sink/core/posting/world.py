"""What planning a document needs to know, and how it is carried from one document to the next.

The rim loads a `World` for a batch; each document that is planned changes it (`take`), so that the
next one sees the stock, the orders and the containers as they will be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from contracts.accounting import BatchCard, BillOfMaterials, BookSettings, TaxCode, Units
from contracts.books import BookItem, BookPlace, Movement, PlaceKind, Posting, Reservation
from contracts.documents import DocumentKind, EnteredDocument
from ledger_sink.core.books_check import Key

REAL = (PlaceKind.ZONE, PlaceKind.BIN)
"""Where stock is in the house."""
ORDERS = (
    DocumentKind.PURCHASE_ORDER,
    DocumentKind.SHIPPING_NOTICE,
    DocumentKind.PRODUCTION_ORDER,
    DocumentKind.SALES_ORDER,
    DocumentKind.TRANSFER_ORDER,
)
"""Plans: supply and demand that is open until it is fulfilled or closed."""
NOTHING = Decimal(0)
NO_UNITS = Units(units=())
LAST = 1 << 62
"""Behind every entry's number."""


@dataclass(frozen=True, kw_only=True)
class ItemFacts:
    """What the books know of one item."""

    book: BookItem
    units: Units = NO_UNITS
    is_valued: bool = False
    """True: it has a `Costing`."""
    bill: BillOfMaterials | None = None


class Birth(NamedTuple):
    """A commissioned identity as it stands now."""

    item: str
    """The item's number; empty: not known here."""
    packing: str
    """unit, case or pallet."""
    quantity: int
    batch: str
    serial: str
    """Of a unit."""
    parent: str
    """What it was put into; empty: nothing."""
    is_out: bool = False
    """True: that was taken apart since."""

    @property
    def holder(self) -> str:
        """What holds it now; empty: nothing."""
        return "" if self.is_out else self.parent


@dataclass(kw_only=True)
class World:
    """All that planning a batch of documents reads."""

    settings: BookSettings
    items: Mapping[str, ItemFacts]
    places: Mapping[str, BookPlace]
    taxes: Mapping[str, TaxCode] = field(default_factory=dict)
    batches: Mapping[tuple[str, str], BatchCard] = field(default_factory=dict)
    """By item and batch."""
    closed_before_us: int = 0
    """The first moment that is open."""
    balances: dict[Key, Decimal] = field(default_factory=dict)
    """Of the items concerned, in real places and in transit."""
    ages: dict[Key, int] = field(default_factory=dict)
    """In which order stock first came to its key."""
    contents: dict[str, dict[Key, Decimal]] = field(default_factory=dict)
    """What is directly in a container."""
    births: dict[str, Birth] = field(default_factory=dict)
    """Commissioned identities in and around the containers concerned."""
    documents: dict[str, EnteredDocument] = field(default_factory=dict)
    """Related ones, in the order of recording."""
    movements: dict[str, Movement] = field(default_factory=dict)
    """By document."""
    allocations: dict[str, dict[Key, Decimal]] = field(default_factory=dict)
    """What is allocated to an order."""

    def __post_init__(self) -> None:
        """Index what is looked up line by line."""
        self._keys: dict[str, dict[Key, None]] = {}
        for key in self.balances:
            self._keys.setdefault(key.item, {})[key] = None
        self._holders: dict[Key, dict[str, None]] = {}
        for container, inside in self.contents.items():
            for key in inside:
                self._holders.setdefault(key, {})[container] = None
        self._referring: dict[str, list[str]] = {}
        for document in self.documents.values():
            self._referring.setdefault(document.refers, []).append(document.id)
        self._held = _by_holder(self.births)
        self._warehouses: dict[str, tuple[str, ...]] = {}
        for place in sorted(self.places.values(), key=lambda one: one.location):
            if place.kind in REAL:
                before = self._warehouses.get(place.warehouse, ())
                self._warehouses[place.warehouse] = (*before, place.location)

    def take(self, document: EnteredDocument, movement: Movement | None) -> None:
        """Carry a document that was planned."""
        self.documents[document.id] = document
        self._referring.setdefault(document.refers, []).append(document.id)
        if movement is not None:
            self.movements[document.id] = movement
            self.apply(movement.postings, self.order_of(document))
        is_back = document.kind is DocumentKind.REVERSAL
        unpacked = self.unpacked_by(self.documents.get(document.refers) if is_back else document)
        if unpacked:
            self.births = {
                identity: birth._replace(is_out=not is_back) if birth.parent in unpacked else birth
                for identity, birth in self.births.items()
            }
            self._held = _by_holder(self.births)

    def apply(self, postings: Iterable[Posting], order: str, sign: int = 1) -> None:
        """Add postings to balances, contents and the order's allocations; sign -1 takes back."""
        for one in postings:
            key, quantity = key_of(one), sign * Decimal(one.quantity)
            self.balances[key] = self.balances.get(key, NOTHING) + quantity
            self.ages.setdefault(key, LAST + len(self.ages))
            self._keys.setdefault(key.item, {})[key] = None
            if one.container:
                self._holders.setdefault(key, {})[one.container] = None
                inside = self.contents.setdefault(one.container, {})
                inside[key] = inside.get(key, NOTHING) + quantity
            if one.reservation is Reservation.ALLOCATED and order:
                promised = self.allocations.setdefault(order, {})
                promised[key] = promised.get(key, NOTHING) + quantity

    def order_of(self, document: EnteredDocument) -> str:
        """The order whose allocation a document touches; empty: of none."""
        if document.kind is DocumentKind.SALES_ORDER:
            return document.id
        referred = self.documents.get(document.refers)
        if document.kind is DocumentKind.REVERSAL and referred is not None:
            return self.order_of(referred)
        return document.refers

    @staticmethod
    def unpacked_by(document: EnteredDocument | None) -> frozenset[str]:
        """The containers that a document takes apart."""
        if document is None or document.kind is not DocumentKind.UNPACKING:
            return frozenset()
        return frozenset(line.container for line in document.lines)

    def keys_of(self, item: str) -> list[Key]:
        """The keys of an item that have or had a balance."""
        return list(self._keys.get(item, ()))

    def held_in(self, container: str) -> Sequence[str]:
        """The identities that were born in a container and are still in it."""
        return self._held.get(container, ())

    def holders_of(self, key: Key) -> list[str]:
        """The containers in which stock of a key is or was."""
        return sorted(self._holders.get(key, ()))

    def _behind(self, document: str) -> list[EnteredDocument]:
        return [self.documents[one] for one in self._referring.get(document, ())]

    def reversal_of(self, document: str) -> str:
        """The reversal that took a document back; empty: it stands."""
        found = (one.id for one in self._behind(document) if one.kind is DocumentKind.REVERSAL)
        return next(found, "")

    def followers(self, document: str) -> Iterator[EnteredDocument]:
        """The standing documents that refer to one, but for its reversal."""
        for other in self._behind(document):
            if other.kind is not DocumentKind.REVERSAL and not self.reversal_of(other.id):
                yield other

    def family_of(self, document: str) -> list[str]:
        """A document, those that refer to it, and so on, each before those behind it."""
        found = {document: None}
        for one in (layer := [document]):
            new = [other for other in self._referring.get(one, ()) if other not in found]
            found.update(dict.fromkeys(new))
            layer += new
        return list(found)

    def kin_of(self, document: str) -> list[EnteredDocument]:
        """All that hangs together with a document by what refers to what, in order of recording."""
        top, seen = document, {document}
        while top in self.documents and self.documents[top].refers:
            top = self.documents[top].refers
            if top in seen:
                break
            seen.add(top)
        members = set(self.family_of(top)) if document else set()
        return [one for name, one in self.documents.items() if name in members]

    def loose(self, key: Key) -> Decimal:
        """What of a key's stock lies in no container."""
        inside = (self.contents[one].get(key, NOTHING) for one in self._holders.get(key, ()))
        return self.balances.get(key, NOTHING) - sum(inside, NOTHING)

    def outside(self, kind: PlaceKind) -> str | tuple[str, ...]:
        """The virtual location of a kind, or all there are where it is not one."""
        found = tuple(place.location for place in self.places.values() if place.kind is kind)
        return found[0] if len(found) == 1 else found

    def warehouses(self) -> list[str]:
        """The warehouses that have a zone or bin."""
        return list(self._warehouses)

    def real_places(self, warehouse: str) -> tuple[str, ...]:
        """Zones and bins of a warehouse, in order of their ids."""
        return self._warehouses.get(warehouse, ())

    def is_real(self, location: str) -> bool:
        """Whether a location is in the house."""
        return location in self.places and self.places[location].kind in REAL

    def is_inside(self, location: str) -> bool:
        """Whether stock there is ours to find: in the house, or on its way."""
        return self.is_real(location) or self.is_kind(location, PlaceKind.IN_TRANSIT)

    def is_kind(self, location: str, kind: PlaceKind) -> bool:
        """Whether a location is of a kind."""
        return location in self.places and self.places[location].kind is kind

    def expires_on(self, item: str, batch: str) -> date:
        """The last day of a batch; the end of time where it has none."""
        card = self.batches.get((item, batch))
        return date.max if card is None or card.expires_on is None else card.expires_on


def _by_holder(births: Mapping[str, Birth]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for identity, birth in births.items():
        if birth.holder:
            found.setdefault(birth.holder, []).append(identity)
    return found


def key_of(posting: Posting) -> Key:
    """What balance a posting changes."""
    return Key(
        *(posting.item, posting.location, posting.batch, posting.serial),
        *(str(posting.disposition), str(posting.reservation), posting.owner),
    )
