"""How long questions take on a large ledger: an item's whole life, and balances at past instants.

    python -m benchmarks.ledger_queries                       # 10 million entries and postings
    python -m benchmarks.ledger_queries --rows 1000000

The rows are made in the database with the triggers off, because only the questions are timed; the
hashes in them prove nothing. One posting of a hundred is of one busy item.
Questions are asked one after the other on one connection, for things chosen by a seed.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable

import psycopg

from benchmarks.own_postgres import own_postgres
from ledger_sink import queries
from ledger_sink.books import Books
from ledger_sink.migrate import migrate
from ledger_sink.postgres_ledger import PostgresLedger, connect

SITE = "bench"
IDENTITY = "https://id.gs1.org/01/09506000134352/21/"
PER_IDENTITY = 10
"""Entries of one identity."""
ITEMS = 5_000
PLACES = 20
BUSY = 100
"""One posting of so many is of the busy item."""
ASKED = 200
"""Questions of each sort."""
STEP_US = 1_000_000
"""Between two entries."""
CHUNK = 500_000
"""Rows of one statement."""

ENTRIES = """
insert into ledger.entries (
    site, seq, id, kind, happened_us, recorded_us, identity, location, payload, window_us,
    previous, hash
)
select %(site)s, n, 'e' || n, 'location', at_us, at_us, what, door, convert_to(
        '{"type":"location_event","schema":1,"kind":"passed","identity":"' || what
        || '","location":"' || door || '","direction":"out","at_us":' || at_us || ',"first_us":'
        || at_us || ',"last_us":' || at_us || ',"confidence":0.98,"basis":"antenna_order",'
        || '"device":"' || door || '","sightings":["s' || n || '"],"evidence_digest":"'
        || repeat('0', 64) || '"}', 'UTF8'),
    2000000, decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex')
from (
    select n, n * %(step)s as at_us, 'door-' || n %% 8 as door,
        %(identity)s || n %% %(identities)s as what
    from generate_series(%(first)s::bigint, %(last)s::bigint) n
) made
"""
POSTINGS = """
insert into ledger.postings (
    site, seq, line, item, batch, serial, location, disposition, reservation, owner, container,
    is_inferred, quantity, happened_us, recorded_us, balance
)
select %(site)s, n, 1,
    case when n %% %(busy)s = 0 then 'busy' else 'item-' || (n * 7919) %% %(items)s end, '', '',
    'place-' || (n / %(items)s) %% %(places)s, 'available', 'none', '', '', false, 1,
    n * %(step)s, n * %(step)s, n / %(items)s + 1
from generate_series(%(first)s::bigint, %(last)s::bigint) n
"""
BALANCES = """
insert into ledger.balances (
    site, item, location, batch, serial, disposition, reservation, owner, quantity, seq
)
select site, item, location, batch, serial, disposition, reservation, owner, count(*), max(seq)
from ledger.postings group by site, item, location, batch, serial, disposition, reservation, owner
"""


def fill(url: str, rows: int) -> None:
    """Make the rows."""
    values = {
        "site": SITE,
        "step": STEP_US,
        "identity": IDENTITY,
        "identities": max(1, rows // PER_IDENTITY),
        "busy": BUSY,
        "items": ITEMS,
        "places": PLACES,
    }
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        for statement in (ENTRIES, POSTINGS):
            for first in range(1, rows + 1, CHUNK):
                last = min(rows, first + CHUNK - 1)
                connection.execute(statement, {**values, "first": first, "last": last})
        connection.execute(BALANCES)
        connection.execute("insert into ledger.chains values (%s, %s, '', 0)", (SITE, rows))
        for table in ("entries", "postings", "balances"):
            connection.execute(f"vacuum analyze ledger.{table}")


def times_ms(ask: Callable[[], object]) -> list[float]:
    """How long each of some questions took, in milliseconds."""
    found = []
    for _ in range(ASKED):
        began = time.perf_counter()
        ask()
        found.append((time.perf_counter() - began) * 1_000)
    return sorted(found)


def measure(url: str, rows: int, seed: int) -> None:
    """Ask and print."""
    dice = random.Random(seed)
    with connect(url) as connection:
        ledger = PostgresLedger(connection, SITE)
        books = Books(ledger)

        def item() -> str:
            return f"item-{dice.randrange(ITEMS)}"

        def instant() -> int:
            return dice.randrange(1, rows) * STEP_US

        def life() -> None:
            number = dice.randrange(max(1, rows // PER_IDENTITY))
            found = queries.trace(ledger, f"{IDENTITY}{number}")
            assert found.moments, f"nothing about {number}"

        questions: list[tuple[str, Callable[[], object]]] = [
            ("an item's whole life", life),
            ("book as recorded at an instant", lambda: books.recorded(item(), instant())),
            (
                "book of what had happened",
                lambda: books.happened(item(), instant(), rows * STEP_US),
            ),
            ("the busy item as recorded", lambda: books.recorded("busy", instant())),
            (
                "the busy item, what had happened",
                lambda: books.happened("busy", instant(), rows * STEP_US),
            ),
        ]
        print(f"{'':36}{'p50 ms':>9}{'p99 ms':>9}")
        for name, ask in questions:
            found = times_ms(ask)
            print(f"{name:36}{statistics.median(found):>9.2f}{found[ASKED * 99 // 100]:>9.2f}")


def main() -> None:
    """Find PostgreSQL, fill it, ask."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with own_postgres() as postgres:
        migrate(postgres.url)
        began = time.monotonic()
        fill(postgres.url, options.rows)
        print(
            f"{options.rows:,} entries and as many postings on {postgres.name}"
            f" (seed {options.seed}, made in {time.monotonic() - began:.0f} s)",
            flush=True,
        )
        measure(postgres.url, options.rows, options.seed)


if __name__ == "__main__":
    main()
