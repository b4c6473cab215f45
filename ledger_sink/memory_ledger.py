"""The ledger's twin in memory, for simulations: same calls, same answers, same hashes.

It forgets everything with its process and knows no roles; wall time, which leases need, is an
argument.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from contracts.codec import canonical, encode
from contracts.events import Entry, EntryKind, Evidence
from contracts.ids import ID_CHARACTERS
from contracts.places import Item, Load, ReferenceChange, SiteMap
from contracts.reads import RAW_BYTES_MAX, Reject
from ledger_sink.core.chain import ChainEntry, chain_hash, content_hash, genesis
from ledger_sink.core.payloads import LogOpened, ReferenceChanged
from ledger_sink.core.whereabouts import WhereaboutChange, whereabout_changes
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


class _Lease(NamedTuple):
    run: int
    holder: str
    until: float


class _MemoryChange(NamedTuple):
    row: MemoryRow
    snapshot: bool


class _Spool(NamedTuple):
    sequence: int
    moved: int


class _State:
    """All tables; copied at the begin of a transaction, so values in it are never changed."""

    def __init__(self, site: str) -> None:
        self.entries: list[ChainEntry] = []
        self.by_id: dict[str, ChainEntry] = {}
        self.head: bytes = genesis(site)
        self.recorded_us = 0
        self.evidence: dict[str, Evidence] = {}
        self.logs: list[CurrentLog] = []
        self.positions: dict[int, Position] = {}
        self.coverage: dict[tuple[str, str, int], dict[int, int]] = {}
        self.spools: dict[tuple[str, str], _Spool] = {}
        self.moves = 0
        self.memory: list[_MemoryChange] = []
        self.memory_ordinal = 0
        self.stage_memory: dict[str, bytes] = {}
        self.references: list[ReferenceRow] = []
        self.reference_values: dict[str, tuple[int, bytes | None]] = {}
        self.leases: dict[str, _Lease] = {}
        self.whereabouts: dict[str, WhereaboutChange] = {}
        self.tallies: dict[str, int] = {}

    def copy(self) -> _State:
        other = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, (list, dict)):
                setattr(other, name, copy.copy(value))
        other.coverage = {key: dict(held) for key, held in self.coverage.items()}
        return other


class MemoryLedger:
    """One site's ledger, in memory."""

    def __init__(self, site: str, wall_seconds: Callable[[], float]) -> None:
        """`wall_seconds` tells the time that leases live in."""
        self._site = site
        self._wall_seconds = wall_seconds
        self._state = _State(site)
        self._depth = 0

    @property
    def site(self) -> str:
        """The site."""
        return self._site

    @property
    def entries(self) -> Sequence[ChainEntry]:
        """The chain."""
        return self._state.entries

    @property
    def evidence(self) -> Mapping[str, Evidence]:
        """The sightings by id."""
        return self._state.evidence

    @property
    def tallies(self) -> Mapping[str, int]:
        """What is merely counted."""
        return self._state.tallies

    @contextmanager
    def transaction(self) -> Iterator[object]:
        """All calls within happen together or, if an exception leaves it, not at all."""
        before = self._state.copy()
        try:
            yield self
        except BaseException:
            self._state = before
            raise

    def take_lease(self, role: str, holder: str, seconds: float) -> int | None:
        """The new run's number, or None while another holds it."""
        now = self._wall_seconds()
        held = self._state.leases.get(role)
        if held is not None and held.until > now:
            return None
        run = 1 if held is None else held.run + 1
        self._state.leases[role] = _Lease(run, holder, now + seconds)
        return run

    def renew_lease(self, role: str, run: int, seconds: float) -> bool:
        """Hold on to a lease; False: another has it."""
        held = self._state.leases.get(role)
        if held is None or held.run != run or held.until == float("-inf"):
            return False
        self._state.leases[role] = held._replace(until=self._wall_seconds() + seconds)
        return True

    def release_lease(self, role: str, run: int) -> None:
        """Let the next one have it at once."""
        held = self._state.leases.get(role)
        if held is not None and held.run == run:
            self._state.leases[role] = held._replace(until=float("-inf"))

    def current_log(self) -> CurrentLog | None:
        """The log that counts now, if one was ever opened."""
        return self._state.logs[-1] if self._state.logs else None

    def open_log(self, run: int, log: str, partitions: int, reason: str, at_us: int) -> bool:
        """Open a log and void the one before. False: `run` is not the bridge's current run."""
        lease = self._state.leases.get("bridge")
        if lease is None or lease.run != run:
            return False
        self._state.logs.append(CurrentLog(log, partitions, at_us))
        for partition in range(partitions):
            held = self._state.positions.get(partition)
            epoch = 0 if held is None else held.epoch
            self._state.positions[partition] = Position(log, partition, epoch, 0, 0)
        for partition, held in self._state.positions.items():
            if partition >= partitions:
                # The log lacks it: nothing of it is admitted any more, its epochs go on counting.
                self._state.positions[partition] = Position("", partition, held.epoch, 0, 0)
        payload = LogOpened(log=log, partitions=partitions, run=run, reason=reason)
        id_ = _digest(b"log " + f"{self._site} {log}".encode())
        self.append([_own_entry(id_, EntryKind.LOG, at_us, payload)], at_us)
        return True

    def acknowledged(self) -> list[SpoolAcknowledged]:
        """Of every spool how far the ledger holds it; the one that moved last comes last."""
        spools = sorted(self._state.spools.items(), key=lambda item: (item[1].moved, item[0]))
        return [
            SpoolAcknowledged(gateway, spool, held.sequence)
            for (gateway, spool), held in spools
            if held.sequence > 0
        ]

    def take_epoch(self, log: str, partition: int, worker: str) -> tuple[int, int] | None:
        """The new epoch and the next offset, or None where the log is not the current one."""
        del worker
        current = self.current_log()
        held = self._state.positions.get(partition)
        if current is None or held is None or current.log != log or held.log != log:
            return None
        held = held._replace(epoch=held.epoch + 1)
        self._state.positions[partition] = held
        return held.epoch, held.next_offset

    def positions(self) -> list[Position]:
        """Of every partition of the current log."""
        current = self.current_log()
        if current is None:
            return []
        held = sorted(self._state.positions.items())
        return [position for _, position in held if position.log == current.log]

    def memory(self) -> list[MemoryRow]:
        """Every partition's undecided memory: its changes from its last snapshot on."""
        return [change.row for change in self._state.memory]

    def whereabouts(self, partitions: int, partition: int) -> list[Whereabout]:
        """Of every identity that hashes to the partition."""
        changes = [
            change
            for change in self._state.whereabouts.values()
            if change.hash % partitions == partition
        ]
        changes.sort(key=lambda change: (change.at_us, change.identity))
        return [
            Whereabout(change.identity, change.location, change.at_us, change.kind)
            for change in changes
        ]

    def reference(self, after: int) -> list[ReferenceRow]:
        """The newest change of each key that has one behind ordinal `after`, in order."""
        newest = {row.key: row for row in self._state.references if row.ordinal > after}
        return sorted(newest.values())

    def put_reference(self, key: str, value: bytes | None, at_us: int) -> int:
        """Set a key to an encoded value, None removes it; gives its version."""
        version, held = self._state.reference_values.get(key, (0, None))
        if held == value:
            return version
        version += 1
        change = encode(
            ReferenceChange(
                key=key, version=version, value=None if value is None else _place.decode(value)
            )
        )
        self._state.reference_values[key] = (version, value)
        ordinal = len(self._state.references) + 1
        self._state.references.append(ReferenceRow(ordinal, key, version, change))
        payload = ReferenceChanged(
            key=key,
            version=version,
            removed=value is None,
            change_digest=hashlib.sha256(change).hexdigest(),
        )
        id_ = _digest(b"reference " + f"{self._site} {key} {version}".encode())
        self.append([_own_entry(id_, EntryKind.REFERENCE, at_us, payload)], at_us)
        return version

    def append(self, entries: Sequence[Entry], recorded_us: int) -> Appended:
        """Append to the chain what is not there yet."""
        state = self._state
        recorded_us = max(recorded_us, state.recorded_us)
        entered: list[int] = []
        duplicates = 0
        refused: list[Entry] = []
        for place, entry in enumerate(entries):
            held = state.by_id.get(entry.id)
            if held is None:
                self._enter(entry, recorded_us)
                entered.append(place)
            elif _says_the_same(held, entry):
                duplicates += 1
            else:
                refused.append(entry)
        self.count({"duplicates": duplicates, "conflicts": len(refused)})
        rejects = [
            _refusal("entry", entry.id, self._bare_content(entry), entry.happened_us, entry.payload)
            for entry in refused
        ]
        self._enter_refusals([entry.id for entry in refused], rejects, recorded_us)
        return Appended(tuple(entered), duplicates, len(refused), len(state.entries))

    def commit_partition(self, commit: PartitionCommit) -> bool:
        """Move a partition on; False, and nothing done, if log, epoch or offset changed."""
        state = self._state
        held = state.positions.get(commit.partition)
        if held is None or (held.log, held.epoch, held.next_offset) != (
            commit.log,
            commit.epoch,
            commit.from_offset,
        ):
            return False
        state.positions[commit.partition] = held._replace(
            next_offset=commit.to_offset, events_offset=commit.events_offset
        )
        current = self.current_log()
        assert current is not None
        assert current.log == commit.log
        self._cover(commit, current.partitions)
        self._remember(commit, current.partitions)
        return True

    def add_evidence(self, evidence: Sequence[Evidence], recorded_us: int) -> int:
        """Keep sightings that are not there yet; gives how many are new."""
        added = 0
        refused: list[Evidence] = []
        for sighting in evidence:
            held = self._state.evidence.get(sighting.id)
            if held is None:
                self._state.evidence[sighting.id] = sighting
                added += 1
            elif (held.reads, held.payload) != (sighting.reads, sighting.payload):
                refused.append(sighting)
        self.count(
            {
                "evidence_duplicates": len(evidence) - added - len(refused),
                "conflicts": len(refused),
            }
        )
        rejects = [
            _refusal(
                "sighting",
                sighting.id,
                hashlib.sha256(
                    f"{sighting.id} {sighting.reads} ".encode() + sighting.payload
                ).digest(),
                sighting.last_us,
                sighting.payload,
            )
            for sighting in refused
        ]
        self._enter_refusals([sighting.id for sighting in refused], rejects, recorded_us)
        return added

    def keep_whereabouts(self, entries: Sequence[Entry]) -> None:
        """Bring whereabouts up to the location events among entries that were appended."""
        for change in whereabout_changes(entries):
            held = self._state.whereabouts.get(change.identity)
            if held is None or change.at_us >= held.at_us:
                self._state.whereabouts[change.identity] = change

    def stage_memory(self, stage: str) -> bytes:
        """What a stage behind the hop kept, empty at first."""
        return self._state.stage_memory.get(stage, b"")

    def keep_stage_memory(self, stage: str, memory: bytes) -> None:
        """Keep a stage's memory."""
        self._state.stage_memory[stage] = memory

    def count(self, counts: Mapping[str, int]) -> None:
        """Add to the counters that the ledger keeps beside the chain."""
        for name, by in counts.items():
            if by > 0:
                self._state.tallies[name] = self._state.tallies.get(name, 0) + by

    def _enter(self, entry: Entry, recorded_us: int) -> None:
        state = self._state
        seq = len(state.entries) + 1
        content = self._bare_content(entry, recorded_us, entry.read_received_us, entry.window_us)
        row = ChainEntry(
            seq=seq,
            id=entry.id,
            kind=str(entry.kind),
            happened_us=entry.happened_us,
            recorded_us=recorded_us,
            identity=entry.identity,
            location=entry.location,
            payload=entry.payload,
            read_received_us=entry.read_received_us,
            window_us=entry.window_us,
            previous=state.head,
            hash=chain_hash(state.head, seq, content),
        )
        state.entries.append(row)
        state.by_id[entry.id] = row
        state.head = row.hash
        state.recorded_us = recorded_us

    def _bare_content(
        self,
        entry: Entry,
        recorded_us: int = 0,
        read_received_us: int | None = None,
        window_us: int = 0,
    ) -> bytes:
        return content_hash(
            site=self._site,
            id_=entry.id,
            kind=str(entry.kind),
            happened_us=entry.happened_us,
            recorded_us=recorded_us,
            identity=entry.identity,
            location=entry.location,
            payload=entry.payload,
            read_received_us=read_received_us,
            window_us=window_us,
        )

    def _enter_refusals(
        self, refused_ids: Sequence[str], rejects: Sequence[Entry], recorded_us: int
    ) -> None:
        # A refused reject of ours is not refused again: its tally is its trace.
        if rejects and not set(refused_ids) & {reject.id for reject in rejects}:
            self.append(rejects, recorded_us)

    def _cover(self, commit: PartitionCommit, partitions: int) -> None:
        state = self._state
        for progress in commit.spools:
            key = (progress.gateway, progress.spool)
            held = state.coverage.setdefault((*key, partitions), {})
            held[commit.partition] = max(progress.sequence, held.get(commit.partition, 0))
            if len(held) < partitions:
                continue
            sequence = min(held.values())
            before = state.spools.get(key)
            if before is None or sequence > before.sequence:
                state.moves += 1
                state.spools[key] = _Spool(sequence, state.moves)

    def _remember(self, commit: PartitionCommit, partitions: int) -> None:
        if not commit.memory:
            return
        state = self._state
        if commit.snapshot:
            state.memory = [
                change
                for change in state.memory
                if (change.row.partitions, change.row.partition) != (partitions, commit.partition)
            ]
        state.memory_ordinal += 1
        row = MemoryRow(partitions, commit.partition, state.memory_ordinal, commit.memory)
        state.memory.append(_MemoryChange(row, commit.snapshot))
        if commit.snapshot:
            # A snapshot of this number of partitions may be older than one of another number.
            others = [change.row for change in state.memory if change.row.partitions != partitions]
            newest = max((row.ordinal for row in others), default=0)
            taken_over = {
                change.row.partition
                for change in state.memory
                if change.snapshot
                and change.row.partitions == partitions
                and change.row.ordinal > newest
            }
            if len(taken_over) == partitions:
                state.memory = [
                    change for change in state.memory if change.row.partitions == partitions
                ]


_place: msgspec.msgpack.Decoder[SiteMap | Item | Load] = msgspec.msgpack.Decoder(
    SiteMap | Item | Load
)


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:ID_CHARACTERS]


def _own_entry(id_: str, kind: EntryKind, at_us: int, payload: msgspec.Struct) -> Entry:
    return Entry(
        id=id_,
        kind=kind,
        happened_us=at_us,
        identity=None,
        location=None,
        payload=canonical(payload),
    )


def _says_the_same(held: ChainEntry, entry: Entry) -> bool:
    return (held.kind, held.happened_us, held.identity, held.location, held.payload) == (
        str(entry.kind),
        entry.happened_us,
        entry.identity,
        entry.location,
        entry.payload,
    )


def _refusal(what: str, id_: str, content: bytes, at_us: int, raw: bytes) -> Entry:
    reject = Reject(
        source="ledger",
        reason=f"the id of this {what}, {id_}, stands for other content",
        raw=raw[:RAW_BYTES_MAX],
        raw_length=len(raw),
        at_us=at_us,
    )
    return _own_entry(
        _digest(f"refused {what} ".encode() + content), EntryKind.REJECT, at_us, reject
    )
