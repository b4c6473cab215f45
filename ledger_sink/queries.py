"""What people ask the ledger: an item's life, figures, loads, doors; read only, typed.

The role `ledger_reader` is enough. Times are microseconds of domain time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from contracts.codec import decode_json
from contracts.events import Sighting
from ledger_sink.core.latency import percentile_us
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.sql import queries

QUERIES = queries("looks")
REASONS_MAX = 20
"""Reasons of rejects that are told apart; the rest is in the view `ledger.rejects`."""


class SightingSeen(NamedTuple):
    """A sighting and how many reads it holds."""

    sighting: Sighting
    reads: int


class Moment(NamedTuple):
    """One entry in an item's life."""

    seq: int
    id: str
    kind: str
    happened_us: int
    recorded_us: int
    location: str | None
    payload: bytes
    """The exact bytes: canonical JSON of the kind's struct."""
    sightings: tuple[SightingSeen, ...]
    """The sightings that decided it, by time."""


class Life(NamedTuple):
    """All that the ledger knows of one identity."""

    identity: str
    moments: tuple[Moment, ...]
    """Its entries, by the time at which they happened."""
    quiet: tuple[SightingSeen, ...]
    """Sightings that decided nothing: it was where it was known to be."""


class LocationRow(NamedTuple):
    """A location event."""

    seq: int
    identity: str
    kind: str
    """A `LocationKind`."""
    location: str
    direction: str | None
    at_us: int
    load: str | None


class LoadRow(NamedTuple):
    """The newest state of a load."""

    load: str
    state: str
    """A `LoadState`."""
    gate: str
    expected: int
    passed: int
    at_us: int


class Discrepancy(NamedTuple):
    """A discrepancy, open or closed."""

    discrepancy: str
    problem: str
    """A `Problem`."""
    load: str | None
    expected_load: str | None
    location: str
    identities: tuple[str, ...]
    item: str | None
    quantity: int
    at_us: int
    found_us: int
    closed_reason: str | None
    closed_us: int | None


class RejectReason(NamedTuple):
    """Why input could not be used, and how often."""

    source: str
    reason: str
    times: int


class DeviceRow(NamedTuple):
    """What a device last said of itself."""

    device: str
    state: str
    detail: str
    at_us: int


class Stats(NamedTuple):
    """The ledger's figures."""

    entries: dict[str, int]
    """Kind to how many."""
    tallies: dict[str, int]
    """Counters beside the chain: duplicates, conflicts, stale outputs."""
    sightings: int
    reads: int
    """Reads merged in the sightings."""
    lost_reads: int
    """Reads that agents had to give up, where they know how many."""
    rejects: tuple[RejectReason, ...]
    devices: tuple[DeviceRow, ...]
    p50_us: int | None
    """Half of the entries took at most so long, in domain time without the decision window."""
    p99_us: int | None


def identities_ending(ledger: PostgresLedger, text: str, most: int) -> list[str]:
    """The identity that is meant, or those that end so; at most so many."""
    pattern = "%" + text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    rows = _rows(ledger, "identities_like", text=text, pattern=pattern, most=most)
    found = [row[0] for row in rows]
    return [text] if text in found else found


def trace(ledger: PostgresLedger, identity: str) -> Life:
    """An item's whole life with its evidence."""
    decided: dict[str | None, list[SightingSeen]] = {}
    for entry, reads, payload in _rows(ledger, "sightings_of", identity=identity):
        seen = SightingSeen(decode_json(Sighting, payload), reads)
        decided.setdefault(entry, []).append(seen)
    moments = tuple(
        Moment._make((*row, tuple(decided.get(row[1], ()))))
        for row in _rows(ledger, "life", identity=identity)
    )
    return Life(identity, moments, tuple(decided.get(None, ())))


def stats(ledger: PostgresLedger) -> Stats:
    """The ledger's figures."""
    ((sightings, reads),) = _rows(ledger, "sighting_totals")
    ((lost,),) = _rows(ledger, "lost_reads")
    latencies = dict(_rows(ledger, "latencies"))
    reasons = _rows(ledger, "reject_reasons", most=REASONS_MAX)
    return Stats(
        entries=dict(_rows(ledger, "kinds")),
        tallies=dict(_rows(ledger, "tallies")),
        sightings=sightings,
        reads=reads,
        lost_reads=lost,
        rejects=tuple(RejectReason(*row) for row in reasons),
        devices=tuple(DeviceRow(*row) for row in _rows(ledger, "device_states")),
        p50_us=percentile_us(latencies, 0.5),
        p99_us=percentile_us(latencies, 0.99),
    )


def loads(ledger: PostgresLedger) -> list[LoadRow]:
    """The newest state of each load that has begun."""
    return [LoadRow(*row) for row in _rows(ledger, "load_states")]


def discrepancies(ledger: PostgresLedger) -> list[Discrepancy]:
    """Every discrepancy, in the order in which they were opened."""
    return [
        Discrepancy._make((*row[:5], tuple(row[5] or ()), *row[6:]))
        for row in _rows(ledger, "discrepancies")
    ]


def recent_passages(ledger: PostgresLedger, most: int) -> list[LocationRow]:
    """The newest passages, newest first."""
    return [LocationRow(*row) for row in _rows(ledger, "recent_passages", most=most)]


def location_events(ledger: PostgresLedger, after: int = 0) -> Iterator[LocationRow]:
    """Every location event behind an entry, in the order in which they were entered."""
    for row in _rows(ledger, "location_events", after=after):
        yield LocationRow(*row)


def last_seen(
    ledger: PostgresLedger, identities: Sequence[str], before_us: int
) -> tuple[str, str, int] | None:
    """Identity, location and time of the newest location event of any of them before a moment."""
    rows = _rows(ledger, "last_seen", identities=list(identities), before_us=before_us)
    return (rows[0][0], rows[0][1], rows[0][2]) if rows else None


def reads_per_identity(ledger: PostgresLedger) -> dict[str, int]:
    """How many reads the sightings of each identity hold."""
    return dict(_rows(ledger, "reads_per_identity"))


def _rows(ledger: PostgresLedger, query: str, **values: Any) -> list[tuple[Any, ...]]:
    return ledger.connection.execute(QUERIES[query], {"site": ledger.site, **values}).fetchall()
