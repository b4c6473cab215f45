"""The ledger in PostgreSQL: each call is one function of the schema `ledger`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from contracts.events import Entry, Evidence
from ledger_sink.arrays import Bigints, Byteas, Texts
from ledger_sink.core.whereabouts import whereabout_changes
from ledger_sink.ledger import (
    Appended,
    CurrentLog,
    MemoryRow,
    PartitionCommit,
    Position,
    ReferenceRow,
    SpoolAcknowledged,
    Whereabout,
)
from ledger_sink.sql import queries

QUERIES = queries("ledger")


def connect(url: str, role: str | None = None) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection to the ledger's database, acting in a program's role where one is named."""
    connection = psycopg.connect(url, autocommit=True, prepare_threshold=1)
    if role is not None:
        connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
    return connection


class PostgresLedger:
    """One site's ledger, on one connection in autocommit mode."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]], site: str) -> None:
        """The connection may act in any role that reaches the functions one calls."""
        self.connection = connection
        self._site = site

    @property
    def site(self) -> str:
        """The site."""
        return self._site

    def transaction(self) -> AbstractContextManager[object]:
        """All calls within happen together or, if an exception leaves it, not at all."""
        return self.connection.transaction()

    def take_lease(self, role: str, holder: str, seconds: float) -> int | None:
        """The new run's number, or None while another holds it."""
        run: int | None = self._value(
            QUERIES["take_lease"], role=role, holder=holder, seconds=float(seconds)
        )
        return run

    def renew_lease(self, role: str, run: int, seconds: float) -> bool:
        """Hold on to a lease; False: another has it."""
        return bool(self._value(QUERIES["renew_lease"], role=role, run=run, seconds=float(seconds)))

    def release_lease(self, role: str, run: int) -> None:
        """Let the next one have it at once."""
        self._value(QUERIES["release_lease"], role=role, run=run)

    def current_log(self) -> CurrentLog | None:
        """The log that counts now, if one was ever opened."""
        rows = self._rows(QUERIES["current_log"])
        return CurrentLog(*rows[0]) if rows else None

    def open_log(self, run: int, log: str, partitions: int, reason: str, at_us: int) -> bool:
        """Open a log and void the one before. False: `run` is not the bridge's current run."""
        return bool(
            self._value(
                QUERIES["open_log"],
                run=run,
                log=log,
                partitions=partitions,
                reason=reason,
                at_us=at_us,
            )
        )

    def acknowledged(self) -> list[SpoolAcknowledged]:
        """Of every spool how far the ledger holds it; the one that moved last comes last."""
        return [SpoolAcknowledged(*row) for row in self._rows(QUERIES["acknowledged"])]

    def take_epoch(self, log: str, partition: int, worker: str) -> tuple[int, int] | None:
        """The new epoch and the next offset, or None where the log is not the current one."""
        rows = self._rows(QUERIES["take_epoch"], log=log, partition=partition, worker=worker)
        return (rows[0][0], rows[0][1]) if rows else None

    def positions(self) -> list[Position]:
        """Of every partition of the current log."""
        return [Position(*row) for row in self._rows(QUERIES["positions"])]

    def memory(self) -> list[MemoryRow]:
        """Every partition's undecided memory: its changes from its last snapshot on."""
        return [MemoryRow(*row) for row in self._rows(QUERIES["memory"])]

    def whereabouts(self, partitions: int, partition: int) -> list[Whereabout]:
        """Of every identity that hashes to the partition."""
        rows = self._rows(QUERIES["whereabouts"], partitions=partitions, partition=partition)
        return [Whereabout(*row) for row in rows]

    def reference(self, after: int) -> list[ReferenceRow]:
        """The newest change of each key that has one behind ordinal `after`, in order."""
        return [ReferenceRow(*row) for row in self._rows(QUERIES["reference"], after=after)]

    def put_reference(self, key: str, value: bytes | None, at_us: int) -> int:
        """Set a key to an encoded value, None removes it; gives its version."""
        return int(self._value(QUERIES["put_reference"], key=key, value=value, at_us=at_us))

    def append(self, entries: Sequence[Entry], recorded_us: int) -> Appended:
        """Append to the chain what is not there yet."""
        rows = self._rows(
            QUERIES["append"],
            at_us=recorded_us,
            ids=Texts(entry.id for entry in entries),
            kinds=Texts(str(entry.kind) for entry in entries),
            happened=Bigints(entry.happened_us for entry in entries),
            identities=Texts(entry.identity for entry in entries),
            locations=Texts(entry.location for entry in entries),
            payloads=Byteas(entry.payload for entry in entries),
            received=Bigints(entry.read_received_us for entry in entries),
            windows=Bigints(entry.window_us for entry in entries),
        )
        entered, duplicates, conflicts, sequence = rows[0]
        return Appended(tuple(place - 1 for place in entered), duplicates, conflicts, sequence)

    def commit_partition(self, commit: PartitionCommit) -> bool:
        """Move a partition on; False, and nothing done, if log, epoch or offset changed."""
        return bool(
            self._value(
                QUERIES["commit_partition"],
                log=commit.log,
                partition=commit.partition,
                epoch=commit.epoch,
                from_offset=commit.from_offset,
                to_offset=commit.to_offset,
                events_offset=commit.events_offset,
                gateways=Texts(spool.gateway for spool in commit.spools),
                spools=Texts(spool.spool for spool in commit.spools),
                sequences=Bigints(spool.sequence for spool in commit.spools),
                memory=commit.memory or None,
                snapshot=commit.snapshot,
            )
        )

    def add_evidence(self, evidence: Sequence[Evidence], recorded_us: int) -> int:
        """Keep sightings that are not there yet; gives how many are new."""
        if not evidence:
            return 0
        return int(
            self._value(
                QUERIES["add_evidence"],
                at_us=recorded_us,
                ids=Texts(sighting.id for sighting in evidence),
                entries=Texts(sighting.entry for sighting in evidence),
                identities=Texts(sighting.identity for sighting in evidence),
                locations=Texts(sighting.location for sighting in evidence),
                firsts=Bigints(sighting.first_us for sighting in evidence),
                lasts=Bigints(sighting.last_us for sighting in evidence),
                counts=Bigints(sighting.reads for sighting in evidence),
                payloads=Byteas(sighting.payload for sighting in evidence),
            )
        )

    def keep_whereabouts(self, entries: Sequence[Entry]) -> None:
        """Bring whereabouts up to the location events among entries that were appended."""
        changes = whereabout_changes(entries)
        if changes:
            self._value(
                QUERIES["keep_whereabouts"],
                identities=Texts(change.identity for change in changes),
                hashes=Bigints(change.hash for change in changes),
                locations=Texts(change.location for change in changes),
                kinds=Texts(change.kind for change in changes),
                at_times=Bigints(change.at_us for change in changes),
            )

    def stage_memory(self, stage: str) -> bytes:
        """What a stage behind the hop kept, empty at first."""
        return bytes(self._value(QUERIES["stage_memory"], stage=stage) or b"")

    def keep_stage_memory(self, stage: str, memory: bytes) -> None:
        """Keep a stage's memory."""
        self._value(QUERIES["keep_stage_memory"], stage=stage, memory=memory)

    def count(self, counts: Mapping[str, int]) -> None:
        """Add to the counters that the ledger keeps beside the chain."""
        for name, by in counts.items():
            self._value(QUERIES["tally"], name=name, by=by)

    def count_latencies(self, counts: Mapping[int, int]) -> None:
        """Add to the latency histogram: upper bound of a bucket in us to entries."""
        if counts:
            self._value(
                QUERIES["count_latencies"],
                uptos=Bigints(bound for bound in counts),
                counts=Bigints(count for count in counts.values()),
            )

    def keep_head(
        self, *, seq: int, hash_: bytes, signed_at_us: int, key: str, signature: bytes
    ) -> None:
        """Keep a copy of a head that was published outside the database."""
        self._value(
            QUERIES["keep_head"],
            seq=seq,
            hash=hash_,
            signed_at_us=signed_at_us,
            key=key,
            signature=signature,
        )

    def _rows(self, query: LiteralString, **values: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(query, {"site": self._site, **values}).fetchall()

    def _value(self, query: LiteralString, **values: Any) -> Any:
        rows = self._rows(query, **values)
        return rows[0][0] if rows else None
