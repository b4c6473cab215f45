"""What the ledger can do, as Python sees it: one interface, two implementations.

`postgres_ledger.PostgresLedger` calls the functions of the SQL schema `ledger`;
`memory_ledger.MemoryLedger` is its twin for simulations. Both pass one test suite. An instance
belongs to one site and to one thread.

Calls outside `transaction` are each a transaction of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from contracts.events import Entry, Evidence
from contracts.log import SpoolProgress


class CurrentLog(NamedTuple):
    """The log that counts now."""

    log: str
    """Its id, part of the Kafka topics' names."""
    partitions: int
    """How many partitions its topics have."""
    opened_us: int
    """When it was opened, domain time as far as the opener knew it."""


class Position(NamedTuple):
    """How far the ledger holds one partition of the current log."""

    log: str
    """The current log."""
    partition: int
    """The partition."""
    epoch: int
    """The hold on the partition that counts: the last one taken; 0 where nobody took one yet."""
    next_offset: int
    """The offset in the topic `reads` whose output is admitted next."""
    events_offset: int
    """Where to read on in the topic `events`."""


class PartitionCommit(NamedTuple):
    """A step of one partition: admitted only if log, epoch and `from_offset` are still so."""

    log: str
    """The log that the outputs lie in."""
    partition: int
    """The partition."""
    epoch: int
    """The epoch of the outputs."""
    from_offset: int
    """The first offset of the step, equal to the position's `next_offset`."""
    to_offset: int
    """The position's `next_offset` after it."""
    events_offset: int
    """Where to read on in the topic `events` after it."""
    spools: tuple[SpoolProgress, ...] = ()
    """How far the partition then holds each spool."""
    memory: bytes = b""
    """The undecided memory's change, an encoded `MemoryChange`; empty: none."""
    snapshot: bool = False
    """True: the change is all of it, so earlier ones may go."""


class MemoryRow(NamedTuple):
    """One change of a partition's undecided memory."""

    partitions: int
    """How many partitions the log had that it was written under."""
    partition: int
    """Whose memory."""
    ordinal: int
    """Counts up over the whole site."""
    change: bytes
    """An encoded `MemoryChange`."""


class Whereabout(NamedTuple):
    """The newest location event of an identity."""

    identity: str
    """Of whom."""
    location: str
    """The zone, or the gate that it passed."""
    at_us: int
    """When."""
    kind: str
    """A `LocationKind`; for a passage with its direction behind a colon: `passed:in`."""


class SpoolAcknowledged(NamedTuple):
    """All that a spool's batches up to this one led to is in the ledger."""

    gateway: str
    """The spool's agent."""
    spool: str
    """The spool."""
    sequence: int
    """The batch."""


class ReferenceRow(NamedTuple):
    """The newest change of one reference key."""

    ordinal: int
    """Counts up over the whole site."""
    key: str
    """As in `ReferenceChange`."""
    version: int
    """As in `ReferenceChange`."""
    change: bytes
    """An encoded `ReferenceChange`."""


class Appended(NamedTuple):
    """What became of entries that were to be appended."""

    entered: tuple[int, ...]
    """Places, from 0, of the entries that are new in the ledger."""
    duplicates: int
    """How many were there already, with the same content."""
    conflicts: int
    """How many came with an id that stands for other content: each became a reject entry."""
    sequence: int
    """The chain's last sequence number after it."""


class Ledger(Protocol):
    """One site's ledger."""

    @property
    def site(self) -> str:
        """The site."""
        ...

    def transaction(self) -> AbstractContextManager[object]:
        """All calls within happen together or, if an exception leaves it, not at all."""
        ...

    def take_lease(self, role: str, holder: str, seconds: float) -> int | None:
        """The new run's number (role `bridge` or `sink`), or None while another holds it."""
        ...

    def renew_lease(self, role: str, run: int, seconds: float) -> bool:
        """Hold on to a lease; False: another has it."""
        ...

    def release_lease(self, role: str, run: int) -> None:
        """Let the next one have it at once."""
        ...

    def current_log(self) -> CurrentLog | None:
        """The log that counts now, if one was ever opened."""
        ...

    def open_log(self, run: int, log: str, partitions: int, reason: str, at_us: int) -> bool:
        """Open a log and void the one before. False: `run` is not the bridge's current run."""
        ...

    def acknowledged(self) -> list[SpoolAcknowledged]:
        """Of every spool how far the ledger holds it; the one that moved last comes last."""
        ...

    def take_epoch(self, log: str, partition: int, worker: str) -> tuple[int, int] | None:
        """The new epoch and the next offset, or None where the log is not the current one."""
        ...

    def positions(self) -> list[Position]:
        """Of every partition of the current log."""
        ...

    def memory(self) -> list[MemoryRow]:
        """Every partition's undecided memory: its changes from its last snapshot on."""
        ...

    def whereabouts(self, partitions: int, partition: int) -> list[Whereabout]:
        """Of every identity that hashes to the partition."""
        ...

    def reference(self, after: int) -> list[ReferenceRow]:
        """The newest change of each key that has one behind ordinal `after`, in order."""
        ...

    def put_reference(self, key: str, value: bytes | None, at_us: int) -> int:
        """Set a key to an encoded SiteMap, Item or Load (None: remove it); gives its version.

        An equal value changes nothing and gives the version that it has.
        """
        ...

    def append(self, entries: Sequence[Entry], recorded_us: int) -> Appended:
        """Append to the chain what is not there yet."""
        ...

    def commit_partition(self, commit: PartitionCommit) -> bool:
        """Move a partition on; False, and nothing done, if log, epoch or offset changed."""
        ...

    def add_evidence(self, evidence: Sequence[Evidence], recorded_us: int) -> int:
        """Keep sightings that are not there yet; gives how many are new."""
        ...

    def keep_whereabouts(self, entries: Sequence[Entry]) -> None:
        """Bring whereabouts up to the location events among entries that were appended."""
        ...

    def stage_memory(self, stage: str) -> bytes:
        """What a stage behind the hop kept, empty at first."""
        ...

    def keep_stage_memory(self, stage: str, memory: bytes) -> None:
        """Keep a stage's memory."""
        ...

    def count(self, counts: Mapping[str, int]) -> None:
        """Add to the counters that the ledger keeps beside the chain, such as `stale_outputs`."""
        ...
