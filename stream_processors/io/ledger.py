"""The ledger as bridge and worker ask it: each call is one function of the SQL schema `ledger`.

A connection belongs to one thread. Statements have a deadline in the server and connections one
in the client, so a caller never waits longer than `STATEMENT_SECONDS_MAX` a call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import psycopg
from psycopg import sql

from stream_processors.settings import StreamError

CONNECT_SECONDS_MAX = 5
"""A server that does not answer for so long is down."""
STATEMENT_SECONDS_MAX = 8
"""Longest statement: the undecided memory of a partition; well under any lease or session."""

Answer = TypeVar("Answer")
Values = tuple[str | int | float | list[str] | None, ...]


class LedgerDownError(StreamError):
    """The ledger's database does not answer: see that PostgreSQL runs at TALLYGATE_POSTGRES_URL."""


class CurrentLog(NamedTuple):
    """The log that counts now."""

    log: str
    partitions: int


class Position(NamedTuple):
    """How far the ledger holds one partition of the current log."""

    log: str
    partition: int
    epoch: int
    next_offset: int
    events_offset: int


class Hold(NamedTuple):
    """What a worker gets with the next epoch of a partition."""

    epoch: int
    next_offset: int


class MemoryRow(NamedTuple):
    """One change of a partition's undecided memory; `change` is an encoded `MemoryChange`."""

    partitions: int
    partition: int
    ordinal: int
    change: bytes


class ReferenceRow(NamedTuple):
    """The newest change of one key; `change` is an encoded `ReferenceChange`."""

    ordinal: int
    key: str
    version: int
    change: bytes


Whereabout = tuple[str, str, int, str]
"""Identity, location, at_us, kind: the newest location event of an identity."""


class LedgerConnection:
    """One connection that acts in a program's role."""

    def __init__(self, url: str, site: str, role: str) -> None:
        """Connect; raises LedgerDownError."""
        self._site = site
        try:
            self._connection = psycopg.connect(
                url,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS_MAX,
                options=f"-c statement_timeout={STATEMENT_SECONDS_MAX}s",
                tcp_user_timeout=STATEMENT_SECONDS_MAX * 1000,
            )
            self._connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
        except psycopg.Error as error:
            raise LedgerDownError(_words(error)) from error

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def take_lease(self, role: str, holder: str, seconds: float) -> int | None:
        """The new run's number, or None while another holds the lease."""
        query = "select ledger.take_lease(%s, %s, %s, %s::float8)"
        run = self._rows(query, (self._site, role, holder, seconds))[0][0]
        return None if run is None else int(run)

    def renew_lease(self, role: str, run: int, seconds: float) -> bool:
        """Hold on to a lease; False: another has it."""
        query = "select ledger.renew_lease(%s, %s, %s::bigint, %s::float8)"
        return bool(self._rows(query, (self._site, role, run, seconds))[0][0])

    def release_lease(self, role: str, run: int) -> None:
        """Give a lease back, so that the next one need not wait."""
        self._rows("select ledger.release_lease(%s, %s, %s::bigint)", (self._site, role, run))

    def current_log(self) -> CurrentLog | None:
        """The log that counts now; None before the first."""
        rows = self._rows("select log, partitions from ledger.current_log(%s)", (self._site,))
        return CurrentLog(*rows[0]) if rows else None

    def open_log(self, run: int, log: str, partitions: int, reason: str, at_us: int) -> bool:
        """Open a log and void the one before; False: `run` is not the bridge's current run."""
        query = "select ledger.open_log(%s, %s::bigint, %s, %s::integer, %s, %s::bigint)"
        return bool(self._rows(query, (self._site, run, log, partitions, reason, at_us))[0][0])

    def acknowledged(self) -> list[tuple[str, str, int]]:
        """Gateway, spool and how far the ledger holds it."""
        query = "select gateway, spool, sequence from ledger.acknowledged(%s)"
        return [(str(row[0]), str(row[1]), int(row[2])) for row in self._rows(query, (self._site,))]

    def pseudonyms_of(self, persons: Sequence[str], at_us: int) -> dict[str, str]:
        """What stands for each of these persons in the ledger, made at first use; they work."""
        query = (
            "select person, ledger.pseudonym_of(%s, person, 'work', %s::bigint)"
            " from unnest(%s::text[]) as p (person)"
        )
        return dict(self._rows(query, (self._site, at_us, list(persons))))

    def positions(self) -> list[Position]:
        """How far the ledger holds each partition of the current log."""
        query = "select log, partition, epoch, next_offset, events_offset from ledger.position(%s)"
        return [Position(*row) for row in self._rows(query, (self._site,))]

    def take_epoch(self, log: str, partition: int, worker: str) -> Hold | None:
        """The next epoch of a partition; None: the log is not the current one any more."""
        query = "select epoch, next_offset from ledger.take_epoch(%s, %s, %s::integer, %s)"
        rows = self._rows(query, (self._site, log, partition, worker))
        return Hold(*rows[0]) if rows else None

    def memory(self) -> list[MemoryRow]:
        """Every partition's undecided memory, in order, from its last snapshot on."""
        query = "select partitions, partition, ordinal, change from ledger.memory_of(%s)"
        return [
            MemoryRow(row[0], row[1], row[2], bytes(row[3]))
            for row in self._rows(query, (self._site,))
        ]

    def whereabouts(self, partitions: int, partition: int) -> Iterator[Whereabout]:
        """The newest location event of each identity of a partition."""
        query = (
            "select identity, location, at_us, kind"
            " from ledger.whereabouts_of(%s, %s::integer, %s::integer)"
        )
        yield from self._rows(query, (self._site, partitions, partition))

    def reference(self, after: int) -> list[ReferenceRow]:
        """The newest change of each key that changed behind an ordinal, in order."""
        query = "select ordinal, key, version, change from ledger.reference_of(%s, %s::bigint)"
        return [
            ReferenceRow(row[0], row[1], row[2], bytes(row[3]))
            for row in self._rows(query, (self._site, after))
        ]

    def transact(self, work: Callable[[], Answer]) -> Answer:
        """Several calls that see one and the same moment."""
        with _translated(), self._connection.transaction():
            self._connection.execute("set transaction isolation level repeatable read")
            return work()

    def _rows(self, query: str, values: Values) -> list[tuple]:  # type: ignore[type-arg]
        with _translated():
            return self._connection.execute(query.encode(), values, binary=True).fetchall()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise LedgerDownError(_words(error)) from error


def _words(error: psycopg.Error) -> str:
    reason = " ".join(str(error).split()) or type(error).__name__
    return f"the ledger's database does not do what it should ({reason}): is PostgreSQL running?"
