"""A worker's hold on one partition: each record of the log in, exactly one output out.

What a record may do is decided by run, sequence and `previous` alone, never by time:

* a record of an older run than one seen before is void: a bridge that lost its lease wrote it;
* a part that was seen before is void: every run sends again what the ledger did not acknowledge;
* a part whose `previous` was not seen is void: something before it is missing. The spool's
  progress is then withheld at ticks, so that nothing of it is acknowledged, until a new run has
  sent everything again.

Nor is every time believed: what was read more than a day ahead of the bridge's time, or by a clock
that was never set, becomes a reject, and a gateway that is so far ahead has the bridge's time. Both
times lie in the log, so all who take it agree.

A void record leads to an empty output, because the ledger admits one output after the other.
The undecided memory travels in the outputs of ticks: the stages' keys with prefix `s/`, ours with
`p/` (see `restore`). `Partition` is deterministic and holds no clock: any exception out of `take`
must end the process, which begins again from the ledger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from contracts.codec import canonical, decode_with, encode, reject
from contracts.events import Entry, EntryKind, Evidence
from contracts.ids import content_id, partition_of
from contracts.log import LOG_RECORD, Output, Part, SpoolProgress, Tick, TickOutput
from contracts.reads import DeviceChange, GateSignal, Loss, Read, Reject
from stream_processors.core.chunks import CHUNK_BYTES_MAX, Memory, outputs
from stream_processors.core.keys import (
    LOOSE,
    SpoolKey,
    change_key,
    loose_reject_key,
    loss_key,
    reject_key,
)
from stream_processors.core.restore import BRIDGE, RUN, STAGES, TIME, Holder, restored, seen_key
from stream_processors.core.sound import AHEAD_US_MAX, UNSET_US

SNAPSHOT_EVERY_TICKS = 300
"""About once a minute the memory is written whole, so that a restart reads little."""
DELTA_BYTES_MIN = 65_536
"""Changes since the last snapshot are not rolled into a new one below this."""
FROM_THE_FUTURE = "a {what} from the future: its gateway's clock is more than a day ahead"
BEFORE_2000 = "a {what} from before the year 2000: its gateway's clock was never set"
"""Nothing of the run is in these: who takes the read again makes the same reject of it."""


class LogSkippedError(Exception):
    """The log does not go on where the ledger needs it: end the process and begin again."""


class Stages(Protocol):
    """What understands the reads of one partition: mutable, deterministic, without a clock."""

    def take_reads(
        self, reads: Sequence[Read], gateway: str, gateway_us: int
    ) -> tuple[list[Entry], list[Evidence]]:
        """Reads of a batch, in order."""
        ...

    def take_signals(
        self, signals: Sequence[GateSignal], gateway: str
    ) -> tuple[list[Entry], list[Evidence]]:
        """Signals of a batch. After a change of partitions the same may come again."""
        ...

    def take_tick(
        self, gateways: Mapping[str, int], bridge_us: int
    ) -> tuple[list[Entry], list[Evidence]]:
        """Time: gateway to its own time, and the bridge's."""
        ...

    def memory_change(self) -> tuple[dict[str, bytes], list[str]]:
        """New values and removed keys since the last call; keys without prefix."""
        ...

    def memory_snapshot(self) -> dict[str, bytes]:
        """All of it."""
        ...

    def restore(
        self, values: Mapping[str, bytes], whereabouts: Iterable[tuple[str, str, int, str]]
    ) -> None:
        """Begin with this memory, and with identity, location, time, kind of newest events."""
        ...

    def identity_of(self, key: str) -> str | None:
        """Whose memory a key holds; None: the whole partition's.

        It decides where memory goes when the number of partitions changes.
        """
        ...


class Partition:
    """One partition of one log under one epoch."""

    def __init__(
        self,
        *,
        log: str,
        partitions: int,
        partition: int,
        epoch: int,
        next_offset: int,
        stages: Stages,
        snapshot_every_ticks: int = SNAPSHOT_EVERY_TICKS,
        chunk_bytes_max: int = CHUNK_BYTES_MAX,
    ) -> None:
        self.log = log
        self.epoch = epoch
        self.next_offset = next_offset
        """The offset of the record to be taken next."""
        self.gaps: frozenset[SpoolKey] = frozenset()
        """Spools that were withheld at the last tick."""
        self._own = Holder(partitions, partition)
        self._stages = stages
        self._run = 0
        self._tick = 0
        self._bridge_us = 0
        self._known_us = 0
        """It is at least so late, as far as this run's ticks and memory tell; 0: nothing yet."""
        self._times: dict[str, int] = {}
        self._seen: dict[SpoolKey, int] = {}
        self._old: dict[Holder, dict[SpoolKey, int]] = {}
        self._old_sequence: dict[SpoolKey, int] = {}
        self._changed: dict[str, bytes] = {}
        self._removed: list[str] = []
        self._snapshot_every_ticks = snapshot_every_ticks
        self._chunk_bytes_max = chunk_bytes_max
        self._ticks_since = snapshot_every_ticks
        self._bytes_since = 0
        self._snapshot_bytes = 0

    def restore(
        self,
        rows: Iterable[tuple[int, int, int, bytes]],
        whereabouts: Iterable[tuple[str, str, int, str]],
    ) -> None:
        """Begin with the ledger's memory: all rows of the site, in order (`Ledger.memory`).

        Call it once, after the epoch was taken and before the first record.
        """
        memory = restored(rows, self._own, self._stages.identity_of)
        self._run = memory.run
        self._times = memory.times
        self._known_us = memory.bridge_us
        self._seen = memory.seen.pop(self._own, {})
        for holder, places in memory.seen.items():
            for key, sequence in places.items():
                if sequence > self._seen.get(key, 0):
                    self._old.setdefault(holder, {})[key] = sequence
                    self._old_sequence[key] = max(sequence, self._old_sequence.get(key, 0))
        self._stages.restore(memory.stages, whereabouts)

    def take(self, offset: int, raw: bytes) -> list[Output]:
        """The output of the record at an offset: one, in several chunks where it is large.

        An offset that was taken before gives nothing. Raises LogSkippedError.
        """
        if offset < self.next_offset:
            return []
        if offset > self.next_offset:
            raise LogSkippedError(
                f"log {self.log} partition {self._own.partition} goes on at offset {offset}, "
                f"{self.next_offset} is missing"
            )
        self.next_offset = offset + 1
        base = Output(log=self.log, partition=self._own.partition, offset=offset, epoch=self.epoch)
        record = decode_with(LOG_RECORD, raw, source="worker", at_us=self._bridge_us)
        if isinstance(record, Reject):
            key = content_id("reject", self.log, self._own.partition, offset)
            entries = [self._entry(key, EntryKind.REJECT, record)]
            return outputs(base, entries, [], chunk_bytes_max=self._chunk_bytes_max)
        if isinstance(record, Part):
            return outputs(base, *self._take_part(record), chunk_bytes_max=self._chunk_bytes_max)
        return self._take_tick(base, record)

    def _take_part(self, part: Part) -> tuple[list[Entry], list[Evidence]]:
        key = (part.gateway, part.spool)
        if part.spool == LOOSE:
            # It has no sequence to be fenced by, and its id says whether it was entered before.
            return self._small_entries(part, key), []
        if part.run < self._run:
            return [], []
        self._enter_run(part.run)
        seen = self._seen.get(key, 0)
        if part.sequence <= seen or part.previous > seen:
            return [], []
        entries = self._small_entries(part, key)
        evidence: list[Evidence] = []
        reads: Sequence[Read] = part.reads
        if part.sequence <= self._old_sequence.get(key, 0):
            reads = tuple(
                read for read in reads if not self._was_seen(key, part.sequence, read.identity)
            )
        reads, signals, rejects = self._sort_out_mad(reads, part)
        entries += rejects
        gateway_us = self._believed(part.gateway_us)
        for more in (
            self._stages.take_signals(signals, part.gateway) if signals else ([], []),
            self._stages.take_reads(reads, part.gateway, gateway_us) if reads else ([], []),
        ):
            entries += more[0]
            evidence += more[1]
        self._see(key, part.sequence)
        return entries, evidence

    def _is_future(self, time_us: int) -> bool:
        """Whether no clock that is about right can have told this."""
        return time_us - self._known_us > AHEAD_US_MAX and self._known_us > UNSET_US

    def _believed(self, gateway_us: int) -> int:
        """A gateway's time; the bridge's where it cannot be."""
        return self._known_us if self._is_future(gateway_us) else gateway_us

    def _believable(self, progress: SpoolProgress) -> SpoolProgress:
        """The same with a time that can be."""
        if not self._is_future(progress.gateway_us):
            return progress
        return msgspec.structs.replace(progress, gateway_us=self._known_us)

    def _is_unset(self, time_us: int) -> bool:
        """Whether a clock told this that was never set."""
        return time_us < UNSET_US < self._known_us

    def _is_mad(self, time_us: int) -> bool:
        return self._is_future(time_us) or self._is_unset(time_us)

    def _sort_out_mad(
        self, reads: Sequence[Read], part: Part
    ) -> tuple[Sequence[Read], Sequence[GateSignal], list[Entry]]:
        """Reads and signals whose time may be believed, and rejects of the others."""
        items: tuple[Read | GateSignal, ...] = (*reads, *part.signals)
        received = [item.received_us for item in items]
        if not items or not (self._is_future(max(received)) or self._is_unset(min(received))):
            return reads, part.signals, []
        times: Counter[str] = Counter()
        entries = []
        for item in items:
            if not self._is_mad(item.received_us):
                continue
            is_read = isinstance(item, Read)
            reason = FROM_THE_FUTURE if self._is_future(item.received_us) else BEFORE_2000
            what = "read" if is_read else "signal"
            told = reject(part.gateway, reason.format(what=what), encode(item), 0)
            owner = reject_key((part.gateway, part.spool), part.sequence, told)
            # A read came to its identity's partition alone, a signal to all of them.
            if not is_read and partition_of(owner, self._own.partitions) != self._own.partition:
                continue
            entries.append(self._entry(_numbered(owner, times), EntryKind.REJECT, told))
        return (
            [read for read in reads if not self._is_mad(read.received_us)],
            [signal for signal in part.signals if not self._is_mad(signal.received_us)],
            entries,
        )

    def _take_tick(self, base: Output, tick: Tick) -> list[Output]:
        if tick.run < self._run:
            return [base]
        self._enter_run(tick.run)
        if tick.number <= self._tick:
            return [base]
        self._tick = tick.number
        self._bridge_us = max(self._bridge_us, tick.bridge_us)
        self._known_us = max(self._known_us, tick.bridge_us)
        spools: list[SpoolProgress] = []
        gaps: list[SpoolKey] = []
        for told in tick.spools:
            progress = self._believable(told)
            key = (progress.gateway, progress.spool)
            if progress.part > self._seen.get(key, 0):
                gaps.append(key)
                continue
            spools.append(progress)
            before = self._times.get(progress.gateway, 0)
            self._times[progress.gateway] = max(before, progress.gateway_us)
        self.gaps = frozenset(gaps)
        entries, evidence = self._stages.take_tick(self._times, self._bridge_us)
        said = TickOutput(
            run=tick.run, number=tick.number, bridge_us=tick.bridge_us, spools=tuple(spools)
        )
        return outputs(
            base,
            entries,
            evidence,
            said,
            self._memory(),
            chunk_bytes_max=self._chunk_bytes_max,
        )

    def _enter_run(self, run: int) -> None:
        if run > self._run:
            self._run = run
            self._tick = 0
            # How long nobody ran is not known: what was late then may be right now.
            self._known_us = 0
            self._changed[RUN] = b"%d" % run

    def _see(self, key: SpoolKey, sequence: int) -> None:
        """Remember how far this partition saw a spool; forget what older holders said by then."""
        self._seen[key] = sequence
        self._changed[seen_key(self._own, key)] = b"%d" % sequence
        if sequence >= self._old_sequence.get(key, sequence + 1):
            del self._old_sequence[key]
            for holder, places in self._old.items():
                if places.pop(key, None) is not None:
                    self._removed.append(seen_key(holder, key))

    def _was_seen(self, key: SpoolKey, sequence: int, owner: str) -> bool:
        """Whether the partition that owned an identity or id before had taken this batch."""
        return any(
            places.get(key, 0) >= sequence
            and partition_of(owner, holder.partitions) == holder.partition
            for holder, places in self._old.items()
        )

    def _small_entries(self, part: Part, key: SpoolKey) -> list[Entry]:
        """Entries of a part's rejects, losses and device changes."""
        found: list[tuple[str, EntryKind, Reject | Loss | DeviceChange]] = [
            *((self._reject_id(part, key, each), EntryKind.REJECT, each) for each in part.rejects),
            *((loss_key(each), EntryKind.LOSS, each) for each in part.losses),
            *(
                (change_key(key, part.sequence, each), EntryKind.DEVICE, each)
                for each in part.changes
            ),
        ]
        times: Counter[str] = Counter()
        entries = []
        for owner, kind, content in found:
            if part.sequence <= self._old_sequence.get(key, 0) and self._was_seen(
                key, part.sequence, owner
            ):
                continue
            entries.append(self._entry(_numbered(owner, times), kind, content))
        return entries

    @staticmethod
    def _reject_id(part: Part, key: SpoolKey, reject: Reject) -> str:
        if part.spool == LOOSE:
            return loose_reject_key(part.gateway, reject)
        return reject_key(key, part.sequence, reject)

    def _entry(
        self, entry_id: str, kind: EntryKind, content: Reject | Loss | DeviceChange
    ) -> Entry:
        return Entry(
            id=entry_id,
            kind=kind,
            # Before the first tick, memory tells about when it is.
            happened_us=content.at_us or max(self._bridge_us, self._known_us),
            identity=None,
            location=None,
            payload=canonical(content),
        )

    def _memory(self) -> Memory | None:
        """What changed since the last tick, or all of it when that is due; None: nothing."""
        values, removed = self._stages.memory_change()
        self._ticks_since += 1
        due = self._bytes_since > max(self._snapshot_bytes, DELTA_BYTES_MIN)
        if due or self._ticks_since >= self._snapshot_every_ticks:
            memory = Memory(snapshot=True, values=self._snapshot(), removed=[])
            self._snapshot_bytes = memory.size
            self._ticks_since = self._bytes_since = 0
        else:
            memory = Memory(
                snapshot=False,
                values=self._changed | {STAGES + key: value for key, value in values.items()},
                removed=self._removed + [STAGES + key for key in removed],
            )
            if not memory.values and not memory.removed:
                return None
            # A gateway's time alone is not worth a change: it only keeps time from going back.
            memory.values |= self._time_values()
            self._bytes_since += memory.size
        self._changed, self._removed = {}, []
        return memory

    def _snapshot(self) -> dict[str, bytes]:
        """All of the undecided memory."""
        values = {RUN: b"%d" % self._run} | self._time_values()
        for holder, places in {**self._old, self._own: self._seen}.items():
            for key, sequence in places.items():
                values[seen_key(holder, key)] = b"%d" % sequence
        for name, value in self._stages.memory_snapshot().items():
            values[STAGES + name] = value
        return values

    def _time_values(self) -> dict[str, bytes]:
        values = {TIME + gateway: b"%d" % time_us for gateway, time_us in self._times.items()}
        return values | {BRIDGE: b"%d" % self._known_us}


def _numbered(owner: str, times: Counter[str]) -> str:
    """The id of the next of those that are alike in a part; `times` counts them."""
    times[owner] += 1
    return owner if times[owner] == 1 else content_id("again", owner, times[owner])
