"""A site's ledger as it stands in the database, read batch by batch in one snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from ledger_sink.core.batch_check import LedgerBatch, needs_of
from ledger_sink.core.chain import ChainEntry
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
        """The whole chain."""
        with self._connection.cursor("chain") as cursor:
            cursor.itersize = BATCH
            cursor.execute(QUERIES["all_entries"], {"site": self.site}, binary=True)
            while rows := cursor.fetchmany(BATCH):
                yield self._batch([ChainEntry(*row) for row in rows])

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

    def _batch(self, entries: list[ChainEntry]) -> LedgerBatch:
        needs = needs_of(entries)
        sightings: dict[str, bytes] = {}
        if needs.sightings:
            rows = self._connection.execute(
                QUERIES["evidence_payloads"],
                {"site": self.site, "ids": needs.sightings},
                binary=True,
            )
            sightings = {row[0]: row[1] for row in rows}
        changes: dict[tuple[str, int], bytes | None] = {}
        if needs.changes:
            keys, versions = zip(*needs.changes, strict=True)
            rows = self._connection.execute(
                QUERIES["reference_changes"],
                {"site": self.site, "keys": list(keys), "versions": list(versions)},
            )
            changes = {(row[0], row[1]): row[2] if row[3] else None for row in rows}
        return LedgerBatch(entries, sightings, changes)


@contextmanager
def ledger_rows(postgres_url: str, site: str) -> Iterator[LedgerRows]:
    """One snapshot of a site's ledger, only to read. Raises psycopg.Error."""
    with psycopg.connect(postgres_url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield LedgerRows(connection, site)
