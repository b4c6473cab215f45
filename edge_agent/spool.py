"""The spool: batches on disk until the ledger has what they led to.

One SQLite file in a folder of its own. Every batch is one row under the next sequence number, and
`put` returns only when it is on the disk itself (write-ahead log, `synchronous=FULL`): from then
on neither a kill nor a power cut loses it. `acknowledge` forgets; it need not reach the disk at
once, because a batch that comes back after a power cut is sent again and ignored.

Sequences have no gaps and mean something only together with the spool's random id. A new id is
made with the file, so whatever happened to an old one, the two can never be mixed up: a file that
is damaged is moved aside, one that vanished is noticed by the note beside it, and one that was set
back (a restored backup, a disk that lied about a flush) is noticed by an acknowledgement beyond
its end. Each is told as a `Loss` or in the log.

The spool is bounded in bytes. When it is full, the oldest batches stay and new ones are refused;
refused reads are counted on the disk, and the next batch that fits tells them as a `Loss`.

Blocking; the agent calls it from one thread of its own. It holds no clock and no dice.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import msgspec

from contracts.codec import encode
from contracts.reads import Loss, ReadBatch, Reject, SpooledBatch

FILE = "spool.sqlite3"
NOTE = "spool.id"
"""The id of the spool whose file lies beside it: tells a vanished file from a first start."""
LOCK = "lock"
ROW_BYTES = 64
"""What a batch takes on disk beside its payload, about."""
WAL_BYTES_MAX = 16_000_000
"""The write-ahead log is cut back to this size after a checkpoint."""
BYTES_MAX = 512_000_000
"""How much waits at the most, unless the site file says otherwise."""
DISK_RESERVE_BYTES = 2 * WAL_BYTES_MAX
"""With less left on the disk it counts as full: to forget what the ledger has takes room, too, and
a spool that filled the disk to the last byte could never shrink again."""
RESERVE_SHARE = 0.1
RESERVE_BYTES = 600_000
"""With less room than this left devices that can wait do: it takes what is under way in the agent
(two batches), and the rest is for devices that cannot."""
MEMORY = Path(":memory:")
"""A spool that lives in memory, for simulations: all but the disk is the same."""

SCHEMA = """
create table if not exists meta (key text primary key, value) without rowid;
-- Batches that wait for the ledger.
create table if not exists waiting (
    sequence integer primary key, gateway_us integer not null, payload blob not null);
-- Batches that the ledger has, where the site file asks to keep them.
create table if not exists acknowledged (
    spool text not null, sequence integer not null, payload blob not null,
    primary key (spool, sequence)) without rowid;
"""


class SpoolError(Exception):
    """The spool cannot be used. Check the disk and the folder's rights, then start again."""


class Spool:
    """A gateway's spool. Make one with `open_spool`."""

    def __init__(
        self,
        database: sqlite3.Connection,
        *,
        gateway: str,
        bytes_max: int,
        keep_acknowledged: bool,
        has_room: Callable[[], bool],
    ) -> None:
        self._database = database
        self._has_room = has_room
        self._gateway = gateway
        self._bytes_max = bytes_max
        self._keep = keep_acknowledged
        self._lock: int | None = None
        self.id = str(self._meta("spool", ""))
        """Its random id."""
        self.acknowledged = int(self._meta("acknowledged", 0))
        """The highest sequence that the ledger has."""
        self.lost_reads = int(self._meta("lost_reads", 0))
        """Reads refused since the spool was made."""
        self._untold_reads = int(self._meta("untold_reads", 0))
        self._untold_others = int(self._meta("untold_others", 0))
        row = self._row(
            "select min(sequence), max(sequence), count(*), max(gateway_us) from waiting"
        )
        self.lowest = row[0] or self.acknowledged + 1
        """The lowest sequence that it holds; the next one where it is empty."""
        self.sequence = max(row[1] or 0, self.acknowledged)
        """The newest sequence, 0 before the first."""
        self.batches = int(row[2])
        """How many batches wait."""
        self.gateway_us = max(row[3] or 0, int(self._meta("gateway_us", 0)))
        """The newest batch's gateway time."""
        self._at_start = self.sequence
        stored = self._row("select coalesce(sum(length(payload)), 0) from waiting")[0]
        self.bytes = int(stored) + ROW_BYTES * self.batches
        """What they take on disk, about."""

    def put(self, batch: ReadBatch, *, at_us: int) -> int | None:
        """Keep a batch, safe from power cuts, and give its sequence; None where it does not fit.

        What an earlier batch could not bring travels with the first one that fits. `at_us`:
        domain time.
        """
        full = self._with_untold(batch, at_us)
        payload = encode(full)
        size = len(payload) + ROW_BYTES
        if self.bytes + size > self._bytes_max or not self._fits_on_disk(size):
            self._refuse(batch)
            return None
        sequence = self.sequence + 1
        try:
            with self._transaction():
                self._run(
                    "insert into waiting values (?, ?, ?)", (sequence, batch.gateway_us, payload)
                )
                if full is not batch:
                    self._set_meta("untold_reads", 0)
                    self._set_meta("untold_others", 0)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise SpoolError(f"the spool cannot be written: {error}") from error
            self._refuse(batch)
            return None
        except sqlite3.DatabaseError as error:
            raise SpoolError(f"the spool is damaged: {error}") from error
        self.sequence = sequence
        self.batches += 1
        self.bytes += size
        self.gateway_us = max(self.gateway_us, batch.gateway_us)
        self._untold_reads = self._untold_others = 0
        return sequence

    def is_nearly_full(self) -> bool:
        """Whether devices that can wait shall wait. Cheap, and may be asked from any thread."""
        reserve = max(RESERVE_BYTES, int(RESERVE_SHARE * self._bytes_max))
        return self.bytes + reserve > self._bytes_max or not self._has_room()

    def take(self, first: int, count: int) -> list[SpooledBatch]:
        """At most so many batches in order, from the first sequence at or above `first`."""
        rows = self._run(
            "select sequence, payload from waiting where sequence >= ? order by sequence limit ?",
            (first, count),
        )
        return [
            SpooledBatch(spool=self.id, sequence=sequence, lowest=self.lowest, payload=payload)
            for sequence, payload in rows
        ]

    def acknowledge(self, sequence: int) -> bool:
        """Forget the batches up to a sequence; whether that changed anything.

        On a disk that is full to the last byte nothing is forgotten: the ledger's word comes again.
        """
        if sequence <= self.acknowledged:
            return False
        assert sequence <= self.sequence, "the caller asks `is_set_back` first"
        gone = self._row(
            "select count(*), coalesce(sum(length(payload)), 0) from waiting where sequence <= ?",
            (sequence,),
        )
        self._run("pragma synchronous = normal")
        try:
            with self._transaction():
                if self._keep:
                    self._run(
                        "insert or ignore into acknowledged "
                        "select ?, sequence, payload from waiting where sequence <= ?",
                        (self.id, sequence),
                    )
                self._run("delete from waiting where sequence <= ?", (sequence,))
                self._set_meta("acknowledged", sequence)
                self._set_meta("gateway_us", self.gateway_us)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                return False
            raise SpoolError(f"the spool cannot be written: {error}") from error
        finally:
            self._run("pragma synchronous = full")
        self.acknowledged = sequence
        self.lowest = sequence + 1
        self.batches -= int(gone[0])
        self.bytes -= int(gone[1]) + ROW_BYTES * int(gone[0])
        return True

    def is_set_back(self, acknowledged: int) -> bool:
        """Whether the ledger has more of this spool than this spool ever made: it was set back."""
        return acknowledged > self.sequence

    def start_over(self, spool: str) -> None:
        """After a set-back: go on under a new id, with what was put since this process began.

        What lay in the file at the start is known to the ledger under the old numbers; what came
        since bears numbers that the ledger took for others, so it gets new ones.
        """
        first = self._at_start + 1
        moved = self._run(
            "select gateway_us, payload from waiting where sequence >= ? order by sequence",
            (first,),
        )
        with self._transaction():
            if self._keep:
                self._run(
                    "insert or ignore into acknowledged "
                    "select ?, sequence, payload from waiting where sequence < ?",
                    (self.id, first),
                )
            self._run("delete from waiting")
            for number, (gateway_us, payload) in enumerate(moved, start=1):
                self._run("insert into waiting values (?, ?, ?)", (number, gateway_us, payload))
            self._set_meta("spool", spool)
            self._set_meta("acknowledged", 0)
            self._set_meta("gateway_us", self.gateway_us)
        self.id = spool
        self.acknowledged = self._at_start = 0
        self.lowest = 1
        self.sequence = self.batches = len(moved)
        self.bytes = sum(len(payload) + ROW_BYTES for _, payload in moved)

    def close(self) -> None:
        """Close the file and let go of the folder."""
        self._database.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def hold(self, lock: int) -> None:
        """Keep a locked file descriptor for as long as the spool is open."""
        self._lock = lock

    def _with_untold(self, batch: ReadBatch, at_us: int) -> ReadBatch:
        losses, rejects = batch.losses, batch.rejects
        if self._untold_reads:
            loss = Loss(
                gateway=self._gateway,
                spool=self.id,
                reason="spool_full",
                first_sequence=0,
                last_sequence=0,
                reads=self._untold_reads,
                at_us=at_us,
            )
            losses = (*losses, loss)
        if self._untold_others:
            reason = f"{self._untold_others} rejects, signals or device changes: spool full"
            reject = Reject(
                source=f"{self._gateway}/spool", reason=reason, raw=b"", raw_length=0, at_us=at_us
            )
            rejects = (*rejects, reject)
        if losses is batch.losses and rejects is batch.rejects:
            return batch
        return msgspec.structs.replace(batch, losses=losses, rejects=rejects)

    def _fits_on_disk(self, size: int) -> bool:
        """Whether the disk has room to spare, or the file has: pages of forgotten batches."""
        if self._has_room():
            return True
        free = self._row("pragma freelist_count")[0] * self._row("pragma page_size")[0]
        return free > 2 * size

    def _refuse(self, batch: ReadBatch) -> None:
        reads = len(batch.reads)
        others = len(batch.rejects) + len(batch.signals) + len(batch.changes) + len(batch.losses)
        if not reads and not others:
            return
        self.lost_reads += reads
        self._untold_reads += reads
        self._untold_others += others
        # On a disk that is full to the last byte the counts live in memory alone.
        with contextlib.suppress(sqlite3.OperationalError), self._transaction():
            self._set_meta("lost_reads", self.lost_reads)
            self._set_meta("untold_reads", self._untold_reads)
            self._set_meta("untold_others", self._untold_others)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._run("begin immediate")
        try:
            yield
            self._run("commit")
        except BaseException:
            if self._database.in_transaction:
                self._run("rollback")
            raise

    def _run(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[int, bytes]]:
        return self._database.execute(query, values).fetchall()

    def _row(self, query: str, values: tuple[object, ...] = ()) -> tuple[int, ...]:
        row: tuple[int, ...] = self._database.execute(query, values).fetchone()
        return row

    def _meta(self, key: str, absent: int | str) -> int | str:
        row = self._database.execute("select value from meta where key = ?", (key,)).fetchone()
        value: int | str = absent if row is None else row[0]
        return value

    def _set_meta(self, key: str, value: int | str) -> None:
        self._run("insert or replace into meta values (?, ?)", (key, value))


def open_spool(
    folder: Path,
    *,
    gateway: str,
    new_id: Callable[[], str],
    at_us: int,
    bytes_max: int = BYTES_MAX,
    keep_acknowledged: bool = False,
    disk_reserve_bytes: int = DISK_RESERVE_BYTES,
) -> tuple[Spool, tuple[Loss, ...]]:
    """The spool in a folder, made if there is none, and what the first batch shall tell as lost.

    `new_id` gives 32 random hexadecimal characters. Raises SpoolError.
    """
    lock = None
    losses: tuple[Loss, ...] = ()
    try:
        if folder != MEMORY:
            folder.mkdir(parents=True, exist_ok=True)
            lock = _lock(folder)
        database, spool_cut = _open_database(folder, new_id, gateway)
    except (OSError, sqlite3.DatabaseError, SpoolError) as error:
        if lock is not None:
            os.close(lock)
        if isinstance(error, SpoolError):
            raise
        raise SpoolError(f"the spool in {folder} cannot be opened: {error}") from error
    if spool_cut is not None:
        loss = Loss(
            gateway=gateway,
            spool=spool_cut,
            reason="spool_cut",
            first_sequence=0,
            last_sequence=0,
            reads=None,
            at_us=at_us,
        )
        losses = (loss,)

    def has_room() -> bool:
        return folder == MEMORY or shutil.disk_usage(folder).free >= disk_reserve_bytes

    spool = Spool(
        database,
        gateway=gateway,
        bytes_max=bytes_max,
        keep_acknowledged=keep_acknowledged,
        has_room=has_room,
    )
    if lock is not None:
        spool.hold(lock)
    return spool, losses


def kept_batches(folder: Path) -> Iterator[tuple[str, int, bytes]]:
    """Spool, sequence and payload of all batches in a folder's spool, acknowledged ones first.

    Reads beside a running agent. Payloads are encoded `ReadBatch`es.
    """
    database = sqlite3.connect(f"file:{folder / FILE}?mode=ro", uri=True)
    try:
        yield from database.execute(
            "select spool, sequence, payload from acknowledged union all "
            "select (select value from meta where key = 'spool'), sequence, payload from waiting "
            "order by 1, 2"
        )
    finally:
        database.close()


def spool_figures(folder: Path) -> dict[str, str | int]:
    """What a folder's spool holds, by name. Reads beside a running agent; raises sqlite3.Error."""
    with contextlib.closing(sqlite3.connect(f"file:{folder / FILE}?mode=ro", uri=True)) as database:
        meta = dict(database.execute("select key, value from meta"))
        held = database.execute(
            "select count(*), coalesce(sum(length(payload)), 0), min(sequence), max(sequence) "
            "from waiting"
        ).fetchone()
        kept = database.execute("select count(*) from acknowledged").fetchone()
    acknowledged = int(meta.get("acknowledged", 0))
    return {
        "gateway": meta["gateway"],
        "spool": meta["spool"],
        "newest": held[3] or acknowledged,
        "acknowledged": acknowledged,
        "waiting": held[0],
        "waiting bytes": held[1],
        "kept": kept[0],
        "lost reads": meta.get("lost_reads", 0),
    }


def _lock(folder: Path) -> int:
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        message = f"another agent runs on {folder}: stop it, or give this one its own"
        raise SpoolError(message) from error
    return descriptor


def _open_database(
    folder: Path, new_id: Callable[[], str], gateway: str
) -> tuple[sqlite3.Connection, str | None]:
    """The open database, and the id of a spool that is gone for good."""
    if folder == MEMORY:
        return _connect(":memory:", new_id, gateway), None
    path, note = folder / FILE, folder / NOTE
    noted = note.read_text().strip() if note.exists() else ""
    if path.exists() and not _is_whole(path):
        _move_aside(folder)
    spool_cut = noted if noted and not path.exists() else None
    database = _connect(str(path), new_id, gateway)
    spool = str(database.execute("select value from meta where key = 'spool'").fetchone()[0])
    if noted != spool:
        note.write_text(f"{spool}\n")
    _flush(note)
    _flush(folder)
    return database, spool_cut


def _connect(path: str, new_id: Callable[[], str], gateway: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    database.execute("pragma journal_mode = wal")
    database.execute("pragma synchronous = full")
    database.execute(f"pragma journal_size_limit = {WAL_BYTES_MAX}")
    database.executescript(SCHEMA)
    database.execute("insert or ignore into meta values ('spool', ?)", (new_id(),))
    database.execute("insert or ignore into meta values ('gateway', ?)", (gateway,))
    owner = database.execute("select value from meta where key = 'gateway'").fetchone()[0]
    if owner != gateway:
        database.close()
        raise SpoolError(f"the spool belongs to gateway {owner!r}, not {gateway!r}")
    return database


def _is_whole(path: Path) -> bool:
    """Whether SQLite finds nothing wrong with a file and it is a spool."""
    try:
        with contextlib.closing(sqlite3.connect(path)) as database:
            if database.execute("pragma quick_check").fetchone() != ("ok",):
                return False
            tables = {row[0] for row in database.execute("select name from sqlite_master")}
            return not tables or {"meta", "waiting", "acknowledged"} <= tables
    except sqlite3.DatabaseError:
        return False


def _move_aside(folder: Path) -> None:
    """Keep a damaged file under another name, for whoever wants to look into it."""
    number = 1
    while (folder / f"damaged-{number}").exists():
        number += 1
    aside = folder / f"damaged-{number}"
    aside.mkdir()
    for name in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
        if (folder / name).exists():
            (folder / name).rename(aside / name)


def _flush(path: Path) -> None:
    """A file's bytes or a folder's list of names, on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
