"""What people ask the ledger: an item's life, figures, loads, doors; read only, typed.

The role `ledger_reader` is enough. Times are microseconds of domain time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from contracts.codec import decode_json
from contracts.events import Sighting
from ledger_sink.core.latency import percentile_us
from ledger_sink.floor import DeviceRow, devices
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


class RejectReason(NamedTuple):
    """Why input could not be used, and how often."""

    source: str
    reason: str
    times: int


class Percentiles(NamedTuple):
    """What half, and what 99 of 100, stay below."""

    p50_us: int
    p99_us: int


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
    latency: Percentiles | None
    """From the receipt of the last read needed to the commit, domain time, without the window."""
    window: Percentiles | None
    """What was waited on purpose before a decision, in domain time."""


def sites(ledger: PostgresLedger) -> dict[str, int]:
    """The sites of this ledger, and how many entries each has."""
    return dict(_rows(ledger, "sites"))


def known_identities(ledger: PostgresLedger, identities: Sequence[str]) -> list[str]:
    """Those of them that were ever read or entered."""
    rows = _rows(ledger, "known_identities", identities=list(identities))
    known = {row[0] for row in rows}
    return [identity for identity in identities if identity in known]


def identities_ending(ledger: PostgresLedger, text: str, most: int) -> list[str]:
    """The identities that end so, at most so many. Reads the whole evidence: ask for one first."""
    pattern = "%" + text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return [row[0] for row in _rows(ledger, "identities_like", pattern=pattern, most=most)]


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
    ((windows,),) = _rows(ledger, "windows")
    reasons = _rows(ledger, "reject_reasons", most=REASONS_MAX)
    return Stats(
        entries=dict(_rows(ledger, "kinds")),
        tallies=dict(_rows(ledger, "tallies")),
        sightings=sightings,
        reads=reads,
        lost_reads=lost,
        rejects=tuple(RejectReason(*row) for row in reasons),
        devices=tuple(devices(ledger)),
        latency=latency(ledger),
        window=None if windows is None else Percentiles(*windows),
    )


class SoFar(NamedTuple):
    """How far a ledger is, in four figures."""

    entries: int
    events: int
    discrepancies: int
    reads: int


def progress_of(ledger: PostgresLedger) -> SoFar:
    """How far the ledger is: cheap enough to be asked every second."""
    ((entries, events, discrepancies, reads),) = _rows(ledger, "so_far")
    return SoFar(entries, events, discrepancies, reads)


def latency(ledger: PostgresLedger) -> Percentiles | None:
    """How long entries took, in domain time without the decision window; None before the first."""
    counts = dict(_rows(ledger, "latencies"))
    half, nearly_all = percentile_us(counts, 0.5), percentile_us(counts, 0.99)
    if half is None or nearly_all is None:
        return None
    return Percentiles(half, nearly_all)


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
