"""What `tallygate verify` costs: all of it against a database, and the chain alone in memory.

    python -m benchmarks.ledger_verification                      # 400,000 entries
    python -m benchmarks.ledger_verification --entries 2000000

Chains of location events are put into the ledger by COPY, hashed as the ledger hashes, and
published heads are made for them: one without sightings, and one that has a sighting behind every
entry. Then the same function that the command calls reads and checks all of it: by one process,
and by as many as there are processors. Beside that stands the check of the chain alone, of rows
that are in memory already, for one processor.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import psycopg

from benchmarks.own_postgres import own_postgres
from contracts.codec import canonical
from contracts.events import Direction, Entry, EntryKind, LocationEvent, LocationKind, Sighting
from contracts.ids import content_id
from ledger_sink.core.chain import ChainEntry, chain_hashes, contents_of, genesis
from ledger_sink.core.heads import HEAD_ENTRIES_MAX, line_digest, make_head, truncated
from ledger_sink.core.verification import ChainCheck, Published
from ledger_sink.heads_file import HEADS, PUBLIC_KEY, Signer
from ledger_sink.migrate import migrate
from ledger_sink.verify import verify
from ledger_sink.verify_parts import Parts, Sizes

BARE = "bare"
"""The site whose entries have no sightings."""
SIGHTED = "sighted"
"""The site whose entries have one each."""
BATCH = 2_000
"""Entries that are checked at once, as `verify` reads them."""
ENTRY_COLUMNS = f"site, {', '.join(ChainEntry._fields)}"
ENTRY_TYPES = (
    *("text", "int8", "text", "text", "int8", "int8", "text", "text"),
    *("bytea", "int8", "int8", "bytea", "bytea"),
)
EVIDENCE_COLUMNS = (
    "site, id, entry, identity, location, first_us, last_us, reads, payload, recorded_us"
)
EVIDENCE_TYPES = ("text", "text", "text", "text", "text", "int8", "int8", "int8", "bytea", "int8")


class Rates(NamedTuple):
    """Entries a second."""

    processes: int
    """How many processes `parts` is of."""
    parts: float
    """All of `verify`, by several processes, of entries without sightings."""
    single: float
    """The same by one process."""
    sighted_parts: float
    """All of `verify`, by several processes, of entries with a sighting each."""
    sighted: float
    """The same by one process."""
    chain: float
    """The chain alone, in memory, on one processor."""
    hashed: float
    """One SHA-256 of each payload, in memory, on one processor."""


def event(site: str, number: int) -> tuple[Entry, bytes]:
    """A location event, and the payload of the sighting that it was decided by."""
    identity = f"https://id.gs1.org/01/09506000134352/21/{number % 50_000}"
    location, at_us = f"door-{number % 8}", 1_700_000_000_000_000 + number * 1_000
    sighting = canonical(
        Sighting(
            identity=identity,
            location=location,
            first_us=at_us - 900_000,
            last_us=at_us + 400_000,
            count=7,
            antennas=(),
        )
    )
    told = LocationEvent(
        kind=LocationKind.PASSED,
        identity=identity,
        location=location,
        direction=Direction.OUT,
        at_us=at_us,
        first_us=at_us - 900_000,
        last_us=at_us + 400_000,
        confidence=0.98,
        basis="antenna_order",
        device=location,
        sightings=(content_id("sighting", number),) if site == SIGHTED else (),
        evidence_digest=hashlib.sha256(sighting).hexdigest(),
    )
    entry = Entry(
        id=content_id("passage", identity, at_us),
        kind=EntryKind.LOCATION,
        happened_us=at_us,
        identity=identity,
        location=location,
        payload=canonical(told),
        read_received_us=at_us + 400_000,
        window_us=2_000_000,
    )
    return entry, sighting


def chain(site: str, first: int, count: int, before: bytes) -> tuple[list[ChainEntry], list[bytes]]:
    """So many entries as they stand in the ledger, and the payloads of their sightings."""
    made = [event(site, number) for number in range(first, first + count)]
    rows = [
        ChainEntry(
            *(first + place, one.id, str(one.kind), one.happened_us, one.happened_us),
            *(one.identity, one.location, one.payload, one.read_received_us, one.window_us),
            *(b"", b""),
        )
        for place, (one, _) in enumerate(made)
    ]
    hashes = chain_hashes(before, first, contents_of(site, rows))
    follows = zip(rows, [before, *hashes[:-1]], hashes, strict=True)
    chained = [row._replace(previous=previous, hash=hash_) for row, previous, hash_ in follows]
    return chained, [sighting for _, sighting in made]


def fill(url: str, site: str, count: int, folder: Path) -> None:
    """Put a chain into the ledger, and publish its heads into a folder."""
    signer = Signer(folder)
    before, digest = genesis(site), ""
    with psycopg.connect(url) as connection, (folder / HEADS).open("wb") as heads:
        for first in range(1, count + 1, HEAD_ENTRIES_MAX):
            rows, sightings = chain(site, first, min(HEAD_ENTRIES_MAX, count + 1 - first), before)
            copy_entries(connection, site, rows)
            if site == SIGHTED:
                copy_sightings(connection, rows, sightings)
            _, line = make_head(
                site=site,
                seq=rows[-1].seq,
                hash_=rows[-1].hash,
                contents=contents_of(site, rows),
                signed_at_us=rows[-1].recorded_us,
                previous=digest,
                key=signer.public.name,
                sign=signer.sign,
            )
            heads.write(line + b"\n")
            before, digest = rows[-1].hash, line_digest(line)
        connection.execute(
            "insert into ledger.chains (site, seq, hash, recorded_us) values (%s, %s, %s, %s)",
            (site, rows[-1].seq, before, rows[-1].recorded_us),
        )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum analyze")


def copy_entries(connection: psycopg.Connection, site: str, rows: Sequence[ChainEntry]) -> None:
    """COPY entries."""
    statement = f"copy ledger.entries ({ENTRY_COLUMNS}) from stdin (format binary)"
    with connection.cursor() as cursor, cursor.copy(statement) as lines:
        lines.set_types(ENTRY_TYPES)
        for row in rows:
            lines.write_row((site, *row))


def copy_sightings(
    connection: psycopg.Connection, rows: Sequence[ChainEntry], sightings: Sequence[bytes]
) -> None:
    """COPY the sightings that entries were decided by."""
    for row in (rows[0], rows[-1]):
        connection.execute("select ledger.evidence_month(%s)", (row.recorded_us,))
    statement = f"copy ledger.evidence ({EVIDENCE_COLUMNS}) from stdin (format binary)"
    with connection.cursor() as cursor, cursor.copy(statement) as lines:
        lines.set_types(EVIDENCE_TYPES)
        for row, sighting in zip(rows, sightings, strict=True):
            about = (content_id("sighting", row.seq), row.id, row.identity, row.location)
            times = (row.happened_us - 900_000, row.happened_us + 400_000)
            lines.write_row((SIGHTED, *about, *times, 7, sighting, row.recorded_us))
    statement = "copy ledger.evidence_ids (site, id, recorded_us) from stdin (format binary)"
    with connection.cursor() as cursor, cursor.copy(statement) as lines:
        lines.set_types(("text", "text", "int8"))
        for row in rows:
            lines.write_row((SIGHTED, content_id("sighting", row.seq), row.recorded_us))


def measure(url: str, count: int, folder: Path) -> Rates:
    """The rates of chains of so many entries, put into a ledger that has the schema."""
    processes = os.cpu_count() or 1
    rates = {}
    for site in (BARE, SIGHTED):
        fill(url, site, count, folder / site)
        for many in (processes, 1):
            rates[site, many] = count / verified(url, site, count, folder / site, many)
    chained, hashed = in_memory(min(count, 100_000))
    return Rates(
        processes=processes,
        parts=rates[BARE, processes],
        single=rates[BARE, 1],
        sighted_parts=rates[SIGHTED, processes],
        sighted=rates[SIGHTED, 1],
        chain=chained,
        hashed=hashed,
    )


def verified(url: str, site: str, count: int, folder: Path, processes: int) -> float:
    """Verify all as the command does; seconds."""
    began = time.monotonic()
    report = verify(
        url, site, folder / HEADS, folder / PUBLIC_KEY, Parts(url, processes, Sizes(parted_min=1))
    )
    seconds = time.monotonic() - began
    # The database was given no copy of the heads: that alone is told.
    others = [one for one in report.findings if not one.text.startswith("heads lacks")]
    assert not others, others
    assert (report.entries, report.sightings) == (count, count * (site == SIGHTED)), report
    return seconds


def in_memory(count: int) -> tuple[float, float]:
    """The chain's check, and one SHA-256 of each payload: entries a second of one processor."""
    rows, _ = chain(BARE, 1, count, genesis(BARE))
    contents = b"".join(map(truncated, contents_of(BARE, rows)))
    published = Published(0, contents, {count: rows[-1].hash})
    gc.collect()
    began = time.thread_time()
    check = ChainCheck(BARE, published)
    for batch in batches(rows):
        check.take(batch)
    report = check.report(chain_seq=count)
    checked = count / (time.thread_time() - began)
    assert not report.findings, report.findings
    began = time.thread_time()
    for row in rows:
        hashlib.sha256(row.payload).digest()
    return checked, count / (time.thread_time() - began)


def batches(rows: Sequence[ChainEntry]) -> Iterator[Sequence[ChainEntry]]:
    """Rows as `verify` reads them."""
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def show(rates: Rates) -> None:
    """Print the rates."""
    print(f"{'':50}{'entries/s':>12}")
    many = f"{rates.processes} processes"
    for what, rate in (
        (f"tallygate verify, {many}", rates.parts),
        ("tallygate verify, one process", rates.single),
        (f"the same with a sighting an entry, {many}", rates.sighted_parts),
        ("the same with a sighting an entry, one process", rates.sighted),
        ("the chain in memory, one processor", rates.chain),
        ("one SHA-256 of each payload, one processor", rates.hashed),
    ):
        print(f"{what:50}{rate:>12,.0f}")


def main() -> None:
    """Find PostgreSQL, measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--entries", type=int, default=400_000)
    options = parser.parse_args()
    with own_postgres() as postgres:
        print(f"{options.entries:,} entries on {postgres.name}", flush=True)
        migrate(postgres.url)
        show(measure(postgres.url, options.entries, postgres.folder / "published"))


if __name__ == "__main__":
    main()
