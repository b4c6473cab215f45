"""The words of the books: items as they are counted, movements, and what they are made of.

A movement is a balanced set of postings: for each item, batch and serial its quantities sum to
zero, because what comes into stock leaves a virtual location (the outside) and the other way.
Quantities are exact decimals in the item's base unit and travel as text.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from contracts.base import SCHEMA, Record

TEXT_BYTES_MAX = 200
"""Of an id, a number, a name: they stand in indexes, whose rows are small."""
LINES_MAX = 1_000
"""Of a document and of a voucher: larger ones come in several."""
POSTINGS_MAX = 25_000
"""Of a movement: 10,000 pieces with serial numbers have two each, and other goods may move beside
them. As many pieces with GS1 keys still fit an EPCIS event (`contracts.epcis.limits`)."""
HAPPENED_US_MAX = 2**53
"""The last whole number that every reader of JSON takes for the same."""
QUANTITY = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?", re.ASCII)
"""What a quantity looks like, whole."""


class Disposition(StrEnum):
    """The state of stock."""

    INSPECTION = "inspection"
    """Waits for its inspection."""
    AVAILABLE = "available"
    """May be used."""
    FROZEN = "frozen"
    """Must not be used until somebody says so."""
    DAMAGED = "damaged"
    """Is damaged."""
    EXPIRED = "expired"
    """Is past its date."""


class Reservation(StrEnum):
    """Whether stock is promised: an axis of its own."""

    NONE = "none"
    """To nobody."""
    ALLOCATED = "allocated"
    """To a document."""
    PICKED = "picked"
    """Taken from its place for a document."""


class Tracking(StrEnum):
    """What an item's stock is told apart by."""

    NONE = "none"
    BATCH = "batch"
    SERIAL = "serial"
    BATCH_SERIAL = "batch_serial"


class Negative(StrEnum):
    """What happens when the present book of an item would fall below zero."""

    REFUSE = "refuse"
    """The movement is refused."""
    ALARM = "alarm"
    """It is entered, and opens a discrepancy."""


class PlaceKind(StrEnum):
    """What a location is to the books. All but the first two are virtual: below zero at will."""

    ZONE = "zone"
    BIN = "bin"
    SUPPLIER = "supplier"
    CUSTOMER = "customer"
    PRODUCTION = "production"
    IN_TRANSIT = "in_transit"
    SCRAP = "scrap"
    ADJUSTMENT = "adjustment"
    MISSING = "missing"
    OPENING = "opening"


class BookItem(Record, tag="book_item", frozen=True, kw_only=True):
    """An item as the books count it (payload of an entry of kind `book`).

    Once there are balances of it, decimals never become fewer, and tracking stays.
    """

    schema: int = SCHEMA
    """Version of this record."""
    item: str
    """Its number."""
    base_unit: str = "each"
    """The unit of every quantity of it."""
    decimals: int = 0
    """Decimal places that a quantity may have, 0 to 6."""
    tracking: Tracking = Tracking.NONE
    """What its stock is told apart by."""
    negative: Negative = Negative.REFUSE
    """What happens below zero."""


class BookPlace(Record, tag="book_place", frozen=True, kw_only=True):
    """A location as the books know it (payload of an entry of kind `book`).

    While it has balances, a real one stays real and a virtual one virtual.
    """

    schema: int = SCHEMA
    """Version of this record."""
    location: str
    """Its id."""
    kind: PlaceKind = PlaceKind.ZONE
    """What it is."""
    warehouse: str = ""
    """The warehouse that it lies in."""


class BookData(Record, tag="book_data", frozen=True, kw_only=True):
    """What the books know beside items and locations (payload of an entry of kind `book`).

    The newest of `what` and `key` counts; `contracts.accounting` says what a body holds.
    """

    schema: int = SCHEMA
    """Version of this record."""
    what: str
    """A `contracts.accounting.BookDataKind`."""
    key: str
    """Of what: an item's number, a code; empty where there is one only."""
    body: msgspec.Raw
    """A JSON object: the model's fields, sorted."""


class PeriodClosed(Record, tag="period_closed", frozen=True, kw_only=True):
    """Nothing that happened before may be posted any more (payload of an entry of kind `book`).

    A period is closed up to now, not beyond.
    """

    schema: int = SCHEMA
    """Version of this record."""
    before_us: int
    """The first moment that is open."""


class Posting(Record, frozen=True, kw_only=True):
    """One line of a movement. Texts have up to `TEXT_BYTES_MAX` bytes."""

    item: str
    """The item's number."""
    location: str
    """Where."""
    quantity: str
    """How many, signed, in base units: an exact decimal that `QUANTITY` matches, not zero."""
    batch: str = ""
    """The batch, where the item has batches."""
    serial: str = ""
    """The serial number, where the item has them; the quantity is then 1 or -1."""
    disposition: Disposition = Disposition.AVAILABLE
    """The state of this stock."""
    reservation: Reservation = Reservation.NONE
    """Whether it is promised."""
    owner: str = ""
    """Whose it is, where it is not ours (consignment)."""
    container: str = ""
    """The identity of the pallet or case with which it moved; it says how, and is no dimension."""
    is_inferred: bool = False
    """True: its container was seen, it was not."""


class Movement(Record, tag="movement", frozen=True, kw_only=True):
    """A balanced set of postings (payload of an entry of kind `movement`).

    Texts have up to `TEXT_BYTES_MAX` bytes. The ledger takes it as canonical JSON writes it: every
    field, each once.
    """

    schema: int = SCHEMA
    """Version of this record."""
    id: str
    """Of the sender: the same movement again changes nothing. Not empty."""
    document: str
    """The document that moves it, such as `GR-1007`; empty for none."""
    step: str
    """The process step, such as `goods_receipt`."""
    happened_us: int
    """When it happened, UTC microseconds from 0 to `HAPPENED_US_MAX`; recorded is another time."""
    postings: tuple[Posting, ...]
    """The lines, up to `POSTINGS_MAX`."""
    person: str = ""
    """Who, from a sign-in; empty for nobody that is known."""
    is_physical: bool = False
    """True: somebody or something saw it move. It is never refused for a negative book."""
    reverses: str = ""
    """The movement that it takes back, whole and once, with the signs turned; empty for none."""
