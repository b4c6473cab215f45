"""Captures EPCIS documents into a site's ledger, and reads events out of it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from psycopg.types.numeric import Int8

from contracts.epcis.documents import events_of
from contracts.epcis.vocabulary import Json
from ledger_sink.core.chain import ChainEntry
from ledger_sink.core.epcis import captured, event_of
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


def capture(ledger: PostgresLedger, document: Mapping[str, Json], at_us: int) -> Capture:
    """Enter the events of a document that was checked: all of them, or none where it fails.

    Raises psycopg.Error.
    """
    events = [captured(one) for one in events_of(document)]
    entries = [one.entry for one in events]
    mentions = [(one.entry.id, identity) for one in events for identity in one.identities]
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
    return Capture(len(events), int(row[0]) if row else 0)


def events(
    ledger: PostgresLedger, asked: Slice, places: Mapping[str, str] = PLACES
) -> Iterator[dict[str, Json]]:
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
            event = event_of(ledger.site, entry, places)
            if event is not None:
                yield event
        if len(rows) < BATCH:
            return
