"""What the ledger's append and its verification cost, as ratios in one run.

    python -m benchmarks.ledger                      # 200,000 entries
    python -m benchmarks.ledger --entries 50000

The same rows (location events as the sink makes them, batches of 1,000, each a transaction of its
own) go into a bare table by COPY and into the ledger by its one function, which chains and skips
duplicates; in turns, so that a noisy machine hurts both. Movements, and documents with movement,
voucher and valuations, are posted with all checks and compared with a bare COPY of the rows that
they lead to (`benchmarks.books`). Then the chain is read back. Beside it stands what one processor
verifies in memory, compared with one SHA-256 of each payload (`benchmarks.ledger_verification`
measures verification in full).
"""

from __future__ import annotations

import argparse
import hashlib
import time

import psycopg

from benchmarks import books
from benchmarks.ledger_verification import in_memory
from benchmarks.own_postgres import own_postgres
from contracts.codec import canonical
from contracts.events import Direction, Entry, EntryKind, LocationEvent, LocationKind
from contracts.ids import content_id
from ledger_sink.migrate import migrate
from ledger_sink.postgres_ledger import PostgresLedger, connect
from ledger_sink.rows import ledger_rows

SITE = "bench"
BATCH = 1_000
"""Entries a transaction: a busy sink's step."""
COLUMNS = (
    "site, seq, id, kind, happened_us, recorded_us, identity, location, payload, read_received_us,"
    " window_us, previous, hash"
)
TYPES = (
    *("text", "int8", "text", "text", "int8", "int8", "text", "text"),
    *("bytea", "int8", "int8", "bytea", "bytea"),
)
BARE = f"""
create table bare (
    site text not null, seq bigint not null, id text not null, kind text not null,
    happened_us bigint not null, recorded_us bigint not null, identity text, location text,
    payload bytea not null, read_received_us bigint, window_us bigint not null,
    previous bytea not null, hash bytea not null, primary key (site, seq), unique (site, id));
create index on bare (site, identity, seq) where identity is not null;
-- {COLUMNS}
"""
"""A table with the ledger's columns and indexes, and nothing behind them."""


def entries(count: int) -> list[Entry]:
    """Location events."""
    found = []
    for number in range(count):
        identity = f"https://id.gs1.org/01/09506000134352/21/{number % 50_000}"
        at_us = 1_700_000_000_000_000 + number * 1_000
        event = LocationEvent(
            kind=LocationKind.PASSED,
            identity=identity,
            location=f"door-{number % 8}",
            direction=Direction.OUT,
            at_us=at_us,
            first_us=at_us - 900_000,
            last_us=at_us + 400_000,
            confidence=0.98,
            basis="antenna_order",
            device=f"door-{number % 8}",
            sightings=(content_id("sighting", number),),
            evidence_digest=hashlib.sha256(b"%d" % number).hexdigest(),
        )
        found.append(
            Entry(
                id=content_id("passage", identity, at_us),
                kind=EntryKind.LOCATION,
                happened_us=at_us,
                identity=identity,
                location=event.location,
                payload=canonical(event),
                read_received_us=at_us + 400_000,
                window_us=2_000_000,
            )
        )
    return found


def copy(connection: psycopg.Connection, batch: list[Entry], first: int) -> float:
    """COPY a batch into the bare table; seconds."""
    hash_ = b"\x00" * 32
    began = time.monotonic()
    with (
        connection.transaction(),
        connection.cursor() as cursor,
        cursor.copy(f"copy bare ({COLUMNS}) from stdin (format binary)") as rows,
    ):
        rows.set_types(TYPES)
        for seq, one in enumerate(batch, first):
            rows.write_row(
                (
                    *(SITE, seq, one.id, str(one.kind), one.happened_us, 5, one.identity),
                    *(one.location, one.payload, one.read_received_us, one.window_us),
                    *(hash_, hash_),
                )
            )
    return time.monotonic() - began


def append(ledger: PostgresLedger, batch: list[Entry]) -> float:
    """Append a batch to the ledger; seconds."""
    began = time.monotonic()
    with ledger.connection.transaction():
        ledger.append(batch, 5)
    return time.monotonic() - began


def measure(url: str, count: int) -> None:
    """Measure and print."""
    migrate(url)
    made = entries(count)
    copied = appended = 0.0
    with psycopg.connect(url, autocommit=True) as bare, connect(url) as connection:
        bare.execute(BARE)
        ledger = PostgresLedger(connection, SITE)
        for start in range(0, count, BATCH):
            batch = made[start : start + BATCH]
            copied += copy(bare, batch, start + 1)
            appended += append(ledger, batch)
        size = bare.execute(
            "select pg_total_relation_size('ledger.entries'), pg_total_relation_size('bare')"
        ).fetchone()
        moved, documents = books.measure(connection, max(books.BATCH, count // 40))
    assert size is not None
    with ledger_rows(url, SITE) as stored:
        began = time.monotonic()
        read = sum(len(batch.entries) for batch in stored.batches())
        read_s = time.monotonic() - began
    assert read == count
    verified, hashed = in_memory(count)
    print(f"{'':34}{'rows/s':>12}{'ratio':>8}")
    print(f"{'bare COPY':34}{count / copied:>12,.0f}{1:>8.2f}")
    print(f"{'ledger.append':34}{count / appended:>12,.0f}{copied / appended:>8.2f}")
    for name, one in (("movements", moved), ("documents", documents)):
        print(f"{f'bare COPY of the rows of {name}':34}{one.copied_per_second:>12,.0f}{1:>8.2f}")
        rows = f"{name}, {one.rows:.1f} rows each"
        print(f"{rows:34}{one.rows_per_second:>12,.0f}{one.ratio:>8.2f}")
    print(f"{'one SHA-256 of each payload':34}{hashed:>12,.0f}{1:>8.2f}")
    print(f"{'chain verification, per core':34}{verified:>12,.0f}{verified / hashed:>8.2f}")
    print(f"{'reading the chain back':34}{count / read_s:>12,.0f}")
    ours, plain = (bytes_ / count for bytes_ in size)
    print(f"movements a second: {moved.per_second:,.0f}, documents: {documents.per_second:,.0f}")
    print(f"bytes an entry on disk, indexes included: {ours:,.0f} (bare {plain:,.0f})")


def main() -> None:
    """Find PostgreSQL, measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--entries", type=int, default=200_000)
    options = parser.parse_args()
    with own_postgres() as postgres:
        print(f"{options.entries:,} entries on {postgres.name}", flush=True)
        measure(postgres.url, options.entries)


if __name__ == "__main__":
    main()
