"""Where stock came from, went, and what it was made of, as the books have it."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, NamedTuple

from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.sql import queries

QUERIES = queries("trace")
_UNIT = re.compile(r"https://id\.gs1\.org/01/(\d{14})(?:/10/([^/]+))?(?:/21/([^/]+))?")


class Subject(NamedTuple):
    """What is traced: a batch or one piece of an item, or all of it."""

    item: str
    """Its number."""
    batch: str = ""
    """The batch; empty: any."""
    serial: str = ""
    """The serial number; empty: any."""


class StockMove(NamedTuple):
    """One movement of the subject."""

    seq: int
    """The movement's entry."""
    happened_us: int
    recorded_us: int
    step: str
    """The process step."""
    document: str
    """Its document; empty: a bare movement."""
    kind: str
    """The document's kind."""
    party: str
    """Supplier, customer or department."""
    person: str
    """Who, from a sign-in."""
    batch: str
    quantity: Decimal | None
    """In base units."""
    pieces: int
    """How many serial numbers."""
    from_locations: tuple[str, ...]
    to_locations: tuple[str, ...]
    to_dispositions: tuple[str, ...]
    owner: str
    containers: tuple[str, ...]
    """The identities of what it moved in."""
    is_inferred: bool
    """True: at least a part of it was not read itself, its container was."""
    reverses: str
    """The movement that it takes back; empty: none."""


class Relation(NamedTuple):
    """A batch that the subject is made of or went into, with a document of it."""

    depth: int
    """0: the subject itself; 1: directly in it, or made of it."""
    item: str
    batch: str
    """Empty: nobody wrote it down."""
    document: str
    """What brought it in or took it out; empty: none did."""
    kind: str
    party: str
    happened_us: int | None
    quantity: Decimal | None
    """Of that document."""
    used: Decimal | None
    """Backward: how much of it went in."""


def subject_of(ledger: PostgresLedger, identity: str) -> Subject | None:
    """The item and piece that a Digital Link means to the books; None where they know none."""
    found = _UNIT.fullmatch(identity)
    if found is None:
        return None
    items = _rows(ledger, "items_of_gtin", gtin=found[1])
    return Subject(items[0][0], found[2] or "", found[3] or "") if items else None


def is_item(ledger: PostgresLedger, item: str) -> bool:
    """Whether the books know an item."""
    return bool(_rows(ledger, "is_item", item=item)[0][0])


def movements_of(ledger: PostgresLedger, subject: Subject) -> list[StockMove]:
    """What moved of it, oldest first."""
    rows = _rows(ledger, "movements", **subject._asdict())
    return [StockMove._make(map(_frozen, row)) for row in rows]


def made_of(ledger: PostgresLedger, subject: Subject) -> list[Relation]:
    """Backward: down to what suppliers brought."""
    return [Relation(*row) for row in _rows(ledger, "back", **subject._asdict())]


def went_into(ledger: PostgresLedger, subject: Subject) -> list[Relation]:
    """Forward: up to the customers."""
    return [Relation(*row) for row in _rows(ledger, "forward", **subject._asdict())]


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _rows(ledger: PostgresLedger, name: str, **values: object) -> list[tuple[Any, ...]]:
    return ledger.connection.execute(QUERIES[name], {"site": ledger.site, **values}).fetchall()
