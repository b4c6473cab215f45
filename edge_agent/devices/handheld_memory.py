"""What a handheld interface must still know after a restart: sign-ins, and scans of late.

One SQLite file beside the spool. A scan is written here, whole, *before* it goes into the spool,
and marked *kept* after it is on the disk there. A scan that comes again is then known. One that
comes again after a crash in between goes into the spool again exactly as it did the first time, and
the ledger, which names scans by their own ids, enters it once.

Blocking; the interface calls it from one thread of its own.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from contracts.codec import encode
from contracts.reads import Read, Reject
from edge_agent.core.handheld import Judged, SignIn

SCANS_MAX = 500_000
"""About 50 MB; the oldest beyond are forgotten, and the ledger alone would know them again."""
SIGN_INS_MAX = 5_000
PRUNE_EVERY = 200
"""Requests between two looks at what is too old."""

SCHEMA = """
create table if not exists sign_ins (
    token blob primary key, client text not null, person text not null,
    from_us integer not null, until_us integer not null, credentials blob not null) without rowid;
-- Scans: under way into the spool (with what goes there) or kept.
create table if not exists scans (
    client text not null, key blob not null, digest blob not null, at_us integer not null,
    kept integer not null, is_read integer not null, thing blob,
    primary key (client, key)) without rowid;
create index if not exists scans_by_age on scans (at_us);
"""


class HandheldMemoryError(Exception):
    """The file beside the spool cannot be written: check the disk and the folder's rights."""


class Known(Enum):
    """What is known of a scan."""

    NEW = "new"
    UNDER_WAY = "under way"
    KEPT = "kept"
    OTHER = "other"
    """Its id stands for another content."""


class Found(NamedTuple):
    """A scan as the memory has it."""

    known: Known
    thing: Read | Reject
    """What goes into the spool: of the first time that it came."""


class StoredSignIn(NamedTuple):
    """A sign-in and what it was made with."""

    token: bytes
    sign_in: SignIn
    credentials: bytes


class HandheldMemory:
    """The file of one interface."""

    def __init__(self, path: Path) -> None:
        """Open it; a damaged one is moved aside and begun anew. Raises HandheldMemoryError."""
        self._begun = 0
        try:
            self._database = _open(path)
        except sqlite3.DatabaseError:
            with contextlib.suppress(OSError):
                path.replace(path.with_suffix(".damaged"))
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            try:
                self._database = _open(path)
            except sqlite3.Error as error:
                raise HandheldMemoryError(f"{path} cannot be opened: {error}") from error

    def sign_ins(self) -> list[StoredSignIn]:
        """All sign-ins that are remembered."""
        rows = self._run(
            "select token, client, person, from_us, until_us, credentials from sign_ins"
        )
        return [StoredSignIn(row[0], SignIn(*row[1:5]), row[5]) for row in rows]

    def put_sign_in(self, stored: StoredSignIn) -> None:
        """Remember one, or its new end."""
        sign_in = stored.sign_in
        values = (stored.token, sign_in.client, sign_in.person, sign_in.from_us, sign_in.until_us)
        self._change(
            "insert or replace into sign_ins values (?, ?, ?, ?, ?, ?)",
            [(*values, stored.credentials)],
        )

    def begin(self, client: str, scans: Iterable[Judged], at_us: int) -> list[Found]:
        """What is known of scans, in order; new ones are written down, all at once."""
        found = []
        new: dict[bytes, tuple[object, ...]] = {}
        for scan in scans:
            is_read = isinstance(scan.thing, Read)
            row = (client, scan.key, scan.digest, at_us, 0, is_read, encode(scan.thing))
            before = new.get(scan.key) or self._scan(client, scan.key)
            if before is None:
                new[scan.key] = row
                found.append(Found(Known.NEW, scan.thing))
            elif before[2] != scan.digest:
                found.append(Found(Known.OTHER, scan.thing))
            elif before[4]:
                found.append(Found(Known.KEPT, scan.thing))
            else:
                found.append(Found(Known.UNDER_WAY, _thing(before)))
        if new:
            self._change("insert into scans values (?, ?, ?, ?, ?, ?, ?)", new.values())
        return found

    def kept(self, client: str, keys: Iterable[bytes]) -> None:
        """These are in the spool, on the disk."""
        self._change(
            "update scans set kept = 1, thing = null where client = ? and key = ?",
            [(client, key) for key in keys],
        )

    def prune(self, oldest_us: int) -> None:
        """Forget what is older than this, now and then, and what is too much."""
        self._begun += 1
        if self._begun % PRUNE_EVERY:
            return
        self._change("delete from scans where at_us < ?", [(oldest_us,)])
        self._change("delete from sign_ins where until_us < ?", [(oldest_us,)])
        self._change(
            "delete from scans where at_us < (select at_us from scans order by at_us desc"
            " limit 1 offset ?)",
            [(SCANS_MAX,)],
        )
        self._change(
            "delete from sign_ins where from_us < (select from_us from sign_ins"
            " order by from_us desc limit 1 offset ?)",
            [(SIGN_INS_MAX,)],
        )

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _scan(self, client: str, key: bytes) -> tuple[object, ...] | None:
        rows = self._run("select * from scans where client = ? and key = ?", (client, key))
        return rows[0] if rows else None

    def _run(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise HandheldMemoryError(f"it cannot be read: {error}") from error

    def _change(self, query: str, rows: Iterable[tuple[object, ...]]) -> None:
        try:
            with self._database:
                self._database.executemany(query, rows)
        except sqlite3.Error as error:
            raise HandheldMemoryError(f"it cannot be written: {error}") from error


def _thing(row: tuple[object, ...]) -> Read | Reject:
    kind: type[Read | Reject] = Read if row[5] else Reject
    raw = row[6]
    assert isinstance(raw, bytes)
    return msgspec.msgpack.decode(raw, type=kind)


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, check_same_thread=False)
    try:
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = full")
        database.executescript(SCHEMA)
    except sqlite3.Error:
        database.close()
        raise
    return database
