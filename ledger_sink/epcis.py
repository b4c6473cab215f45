"""Captures EPCIS documents into a site's ledger, and reads events out of it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from psycopg.types.numeric import Int8

from contracts.epcis.documents import document_of, events_of
from contracts.epcis.event_hash import event_hash
from contracts.epcis.vocabulary import Json
from ledger_sink.core.chain import ChainEntry
from ledger_sink.core.epcis import ToldEvent, Untold, captured, event_of
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.sql import queries

QUERIES = queries("epcis")
BATCH = 1_000
"""Entries read at once."""
PLACES: Mapping[str, str] = {}
"""No place has a GS1 location."""


class Slice(NamedTuple):
    """Which events; None: any. Times in UTC microseconds, from the first on and before the last."""

    identity: str | None = None
    from_us: int | None = None
    before_us: int | None = None


class Capture(NamedTuple):
    """What became of a document."""

    events: int
    """How many it holds."""
    entered: int
    """How many of them are new."""


class Export(NamedTuple):
    """A slice of the ledger as a document."""

    document: dict[str, Json]
    """The document."""
    events: int
    """How many it holds."""
    untold: tuple[Untold, ...]
    """Entries that should be events and cannot be."""
    rehashed: int
    """Events that have another hash in this document: another of its events leaves out a field
    that counts for them, and EPCIS says so of a whole document only."""


def capture(
    ledger: PostgresLedger,
    document: Mapping[str, Json],
    at_us: int,
    places: Mapping[str, str] = PLACES,
) -> Capture:
    """Enter the events of a document that was checked: all of them, or none where it fails.

    `places` are those that the ledger's own events were exported with. Raises psycopg.Error.
    """
    found = [captured(document, one) for one in events_of(document)]
    own = _own_hashes(ledger, [one.claims for one in found if one.claims is not None], places)
    others = [one for one in found if own.get(one.claims or "") != one.event_hash]
    entries = [one.entry for one in others]
    mentions = [(one.entry.id, identity) for one in others for identity in one.identities]
    values = {
        "site": ledger.site,
        "at_us": at_us,
        "ids": [entry.id for entry in entries],
        "happened": [Int8(entry.happened_us) for entry in entries],
        "identities": [entry.identity for entry in entries],
        "locations": [entry.location for entry in entries],
        "payloads": [entry.payload for entry in entries],
        "mentioning": [id_ for id_, _ in mentions],
        "mentioned": [identity for _, identity in mentions],
    }
    row = ledger.connection.execute(QUERIES["capture"], values).fetchone()
    return Capture(len(found), int(row[0]) if row else 0)


def _own_hashes(
    ledger: PostgresLedger, ids: list[str], places: Mapping[str, str]
) -> dict[str, str]:
    """Event hashes of entries of ours, by id."""
    if not ids:
        return {}
    rows = ledger.connection.execute(QUERIES["named"], {"site": ledger.site, "ids": ids})
    told = ((row[1], event_of(ledger.site, ChainEntry(*row), places)) for row in rows)
    return {id_: one.event_hash for id_, one in told if isinstance(one, ToldEvent)}


def export(
    ledger: PostgresLedger, asked: Slice, *, created: str, places: Mapping[str, str] = PLACES
) -> Export:
    """The events of a slice as one document. Raises psycopg.Error."""
    told: list[ToldEvent] = []
    untold: list[Untold] = []
    for one in events(ledger, asked, places):
        if isinstance(one, ToldEvent):
            told.append(one)
        else:
            untold.append(one)
    left_out = dict.fromkeys(name for one in told for name in one.leaving_out)
    document = document_of((one.event for one in told), created=created, leaving_out=left_out)
    rehashed = 0
    if left_out:
        pairs = zip(events_of(document), told, strict=True)
        rehashed = sum(event_hash(*there) != one.event_hash for there, one in pairs)
    return Export(document, len(told), tuple(untold), rehashed)


def events(
    ledger: PostgresLedger, asked: Slice, places: Mapping[str, str] = PLACES
) -> Iterator[ToldEvent | Untold]:
    """The events of a slice, in the order in which they were entered. Raises psycopg.Error."""
    after = 0
    while True:
        rows: Sequence[tuple[object, ...]] = ledger.connection.execute(
            QUERIES["entries"],
            {**asked._asdict(), "site": ledger.site, "after": after, "count": BATCH},
        ).fetchall()
        for row in rows:
            entry = ChainEntry(*row)  # type: ignore[arg-type]
            after = entry.seq
            told = event_of(ledger.site, entry, places)
            if told is not None:
                yield told
        if len(rows) < BATCH:
            return
