"""A site's ledger as it stands in the database, read batch by batch in one snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from contracts.events import EntryKind
from ledger_sink.core.batch_check import LedgerBatch, SightingColumns, needs_of
from ledger_sink.core.chain import ChainEntry
from ledger_sink.core.check_beside import ChainRow, HeadRow, LogRow, ReferenceRow
from ledger_sink.sql import queries

QUERIES = queries("chain")

BATCH = 2_000
"""Entries read at once."""


class LedgerRows:
    """Reads one site's rows; make one with `ledger_rows`."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]], site: str) -> None:
        self._connection = connection
        self.site = site

    def chain_seq(self) -> int:
        """Where the ledger's own books say that the chain ends."""
        row = self._connection.execute(QUERIES["chain_end"], {"site": self.site}).fetchone()
        return int(row[0]) if row else 0

    def batches(self) -> Iterator[LedgerBatch]:
        """The whole chain, whatever its entries are numbered."""
        return self._read("all_entries", {"site": self.site})

    def part(self, after: int, upto: int) -> Iterator[LedgerBatch]:
        """The entries behind one up to another."""
        return self._read("entries_upto", {"site": self.site, "after": after, "upto": upto})

    def ends(self) -> tuple[int, int]:
        """The lowest and the highest place that an entry has; 0, 0: there is none."""
        row = self._one("ends")
        return (row[0] or 0, row[1] or 0) if row else (0, 0)

    def snapshot(self) -> str:
        """The name under which other connections see the same, while this one is open."""
        row = self._connection.execute("select pg_export_snapshot()").fetchone()
        assert row is not None
        return str(row[0])

    def chain_row(self) -> ChainRow | None:
        """The ledger's own books of the chain's end."""
        row = self._one("chain_row")
        return ChainRow(*row) if row else None

    def heads(self) -> Iterator[HeadRow]:
        """The heads that the database keeps."""
        return (HeadRow(*row) for row in self._all("heads"))

    def logs(self) -> Iterator[LogRow]:
        """The logs that were opened."""
        return (LogRow(*row) for row in self._all("logs"))

    def references(self) -> Iterator[ReferenceRow]:
        """The versions of master data and plans."""
        return (ReferenceRow(*row) for row in self._all("references"))

    def kept_in(self, from_us: int, to_us: int) -> int:
        """How many sightings were kept in a span, whether they are still there or not."""
        row = self._connection.execute(
            QUERIES["kept_in"], {"site": self.site, "from_us": from_us, "to_us": to_us}
        ).fetchone()
        return int(row[0]) if row else 0

    def entries_of(self, *kinds: EntryKind) -> Iterator[ChainEntry]:
        """The entries of some kinds, of which there are few."""
        with self._connection.cursor("kinds") as cursor:
            cursor.itersize = BATCH
            values = {"site": self.site, "kinds": list(kinds)}
            cursor.execute(QUERIES["entries_of"], values, binary=True)
            yield from (ChainEntry(*row) for row in cursor)

    def between(self, first: int, last: int) -> list[ChainEntry]:
        """The entries at these places of the chain."""
        rows = self._connection.execute(
            QUERIES["entries_after"],
            {"site": self.site, "after": first - 1, "count": last - first + 1},
            binary=True,
        ).fetchall()
        return [ChainEntry(*row) for row in rows]

    def place_of(self, id_: str) -> int | None:
        """An entry's place in the chain, by its id."""
        row = self._connection.execute(
            QUERIES["place_of"], {"site": self.site, "id": id_}
        ).fetchone()
        return int(row[0]) if row else None

    def _read(self, query: str, values: dict[str, object]) -> Iterator[LedgerBatch]:
        with self._connection.cursor("chain") as cursor:
            cursor.itersize = BATCH
            cursor.execute(QUERIES[query], values, binary=True)
            while rows := cursor.fetchmany(BATCH):
                yield self._batch(list(map(ChainEntry._make, rows)))

    def _one(self, query: str) -> tuple[Any, ...] | None:
        return self._connection.execute(QUERIES[query], {"site": self.site}, binary=True).fetchone()

    def _all(self, query: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(QUERIES[query], {"site": self.site}, binary=True).fetchall()

    def _batch(self, entries: list[ChainEntry]) -> LedgerBatch:
        needs = needs_of(entries)
        sightings: dict[str, bytes] = {}
        columns: dict[str, SightingColumns] = {}
        gone: dict[str, int] = {}
        if needs.sightings:
            rows = self._connection.execute(
                QUERIES["evidence_payloads"],
                {"site": self.site, "ids": needs.sightings},
                binary=True,
            )
            for id_, recorded_us, payload, *beside in rows:
                if id_ in sightings or id_ in gone:
                    # Two rows of one sighting: none of them is what an entry speaks of.
                    sightings[id_] = b""
                elif payload is None:
                    gone[id_] = recorded_us
                else:
                    sightings[id_] = payload
                    columns[id_] = SightingColumns(*beside)
        changes: dict[tuple[str, int], bytes | None] = {}
        if needs.changes:
            keys, versions = zip(*needs.changes, strict=True)
            rows = self._connection.execute(
                QUERIES["reference_changes"],
                {"site": self.site, "keys": list(keys), "versions": list(versions)},
            )
            changes = {(row[0], row[1]): row[2] if row[3] else None for row in rows}
        return LedgerBatch(entries, sightings, changes, columns, gone)


@contextmanager
def ledger_rows(postgres_url: str, site: str, snapshot: str | None = None) -> Iterator[LedgerRows]:
    """One snapshot of a site's ledger, only to read: a new one, or the one of this name.

    Raises psycopg.Error.
    """
    with psycopg.connect(postgres_url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        if snapshot is not None:
            connection.execute(sql.SQL("set transaction snapshot {}").format(sql.Literal(snapshot)))
        connection.execute(QUERIES["look_up"])
        yield LedgerRows(connection, site)
