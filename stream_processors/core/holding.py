"""Reads that run ahead of their gateway's time wait here, and come out in the order of event time.

A gateway's time is a watermark: it stays behind what its devices already sent, by 0.3 s in real
time, by more while a cut device is waited for or where a rehearsal is accelerated. The stages judge
what is open *now*; a read of half a minute later, met while the window before it is still open,
would look like its present. So what is ahead by more than `HOLD_US` is held until the watermark
reaches it, then given on in the order in which it happened, with time advancing in small steps.
In real time nothing is held and this is one comparison a batch.

The other way round, after an outage: a backlog's batches each carry the time of their own moment,
while ticks tell the newest only. There time follows the batches.

`Holding` has the shape of the stages that it wraps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush

import msgspec

from contracts.events import Entry, Evidence
from contracts.reads import GateSignal, Read
from stream_processors.core.understanding import Outcome, Understanding

HOLD_US = 2_000_000
"""A batch whose newest read is ahead of the gateway's time by more is held."""
STEP_US = 500_000
"""Time advances by at most so much between reads that were held."""
BACKLOG_US = 1_000_000
"""A batch whose own gateway time is ahead of the last tick by more is a backlog's."""
HELD_MAX = 200_000
"""More held reads than this are let go early, the oldest first: memory stays bounded."""
SILENT_US = 60_000_000
"""Bridge time after which a gateway whose time stands still is waited for no longer."""
READS = "h/"
"""Keys of held reads: `h/{identity}`."""
SIGNALS = "hs"
"""Key of held signals."""
FOR_EVER_US = 1 << 62

HeldRead = tuple[int, int, str, Read]
HeldSignal = tuple[int, int, str, GateSignal]
SavedReads = list[tuple[int, str, Read]]
SavedSignals = list[tuple[int, str, GateSignal]]

_encode = msgspec.msgpack.Encoder().encode
_reads = msgspec.msgpack.Decoder(SavedReads)
_signals = msgspec.msgpack.Decoder(SavedSignals)


class Holding:
    """The stages of one partition behind a gate that opens by the gateways' time."""

    def __init__(self, stages: Understanding) -> None:
        self._stages = stages
        self._times: dict[str, int] = {}
        self._bridge_us = 0
        self._moved_us: dict[str, int] = {}
        self._number = 0
        self._reads: dict[str, list[HeldRead]] = {}
        self._signals: dict[str, list[HeldSignal]] = {}
        self._of: dict[str, dict[int, HeldRead]] = {}
        self._held = 0
        self._dirty: set[str] = set()
        self._signals_dirty = False

    def take_reads(self, reads: Sequence[Read], gateway: str, gateway_us: int) -> Outcome:
        """Reads of one batch: understood at once, or held."""
        out = Outcome([], [])
        newest_us = reads[-1].received_us if reads else 0
        if not self._reads.get(gateway) and newest_us - gateway_us <= HOLD_US:
            _add(out, self._stages.take_reads(reads, gateway, gateway_us))
        else:
            heap = self._reads.setdefault(gateway, [])
            for read, at_us in zip(reads, self._stages.times_of(reads), strict=True):
                self._number += 1
                held = (at_us, self._number, gateway, read)
                heappush(heap, held)
                self._of.setdefault(read.identity, {})[self._number] = held
                self._dirty.add(read.identity)
            self._held += len(reads)
        known_us = self._times.get(gateway)
        if known_us is not None and gateway_us - known_us >= BACKLOG_US:
            _add(out, self.take_tick({**self._times, gateway: gateway_us}, self._bridge_us))
        if self._held > HELD_MAX:
            self._let_go({gateway: FOR_EVER_US}, out, self._held - HELD_MAX)
        return out

    def take_signals(self, signals: Sequence[GateSignal], gateway: str) -> Outcome:
        """Signals of one batch: those behind held reads wait as these do."""
        known_us = self._times.get(gateway, FOR_EVER_US)
        ahead = [s for s in signals if s.received_us - known_us > HOLD_US]
        out = Outcome([], [])
        _add(out, self._stages.take_signals([s for s in signals if s not in ahead], gateway))
        for signal, at_us in zip(ahead, self._stages.times_of_signals(ahead), strict=True):
            self._number += 1
            heappush(self._signals.setdefault(gateway, []), (at_us, self._number, gateway, signal))
            self._signals_dirty = True
        return out

    def take_tick(self, gateways: Mapping[str, int], bridge_us: int) -> Outcome:
        """Time: what it has reached is let go first, step by step."""
        out = Outcome([], [])
        self._bridge_us = max(self._bridge_us, bridge_us)
        target = dict(gateways)
        for gateway, time_us in gateways.items():
            known_us = self._times.get(gateway, -1)
            if time_us > known_us or gateway not in self._moved_us:
                self._moved_us[gateway] = self._bridge_us
            target[gateway] = max(time_us, known_us)
        if self._held or any(self._signals.values()):
            reach = {
                gateway: FOR_EVER_US if self._is_silent(gateway) else target.get(gateway, -1)
                for gateway in {*self._reads, *self._signals}
            }
            self._step_to(target, reach, bridge_us, out)
        self._times.update(target)
        _add(out, self._stages.take_tick(target, bridge_us))
        return out

    def memory_change(self) -> tuple[dict[str, bytes], list[str]]:
        """New values and removed keys since the last call."""
        values, removed = self._stages.memory_change()
        if self._dirty or self._signals_dirty:
            removed = list(removed)
            for identity in self._dirty:
                self._save(identity, values, removed)
            self._dirty.clear()
            if self._signals_dirty:
                self._signals_dirty = False
                values[SIGNALS] = self._saved_signals()
        return values, removed

    def memory_snapshot(self) -> dict[str, bytes]:
        """All of the undecided memory."""
        values = self._stages.memory_snapshot()
        for identity in self._of:
            self._save(identity, values, [])
        self._dirty.clear()
        self._signals_dirty = False
        if any(self._signals.values()):
            values[SIGNALS] = self._saved_signals()
        return values

    def restore(
        self, values: Mapping[str, bytes], whereabouts: Iterable[tuple[str, str, int, str]]
    ) -> None:
        """Begin with this memory; see `Understanding.restore`."""
        own = {key: raw for key, raw in values.items() if key == SIGNALS or key.startswith(READS)}
        rest = {key: raw for key, raw in values.items() if key not in own}
        self._stages.restore(rest, whereabouts)
        for key, raw in sorted(own.items()):
            if key == SIGNALS:
                for at_us, gateway, signal in _signals.decode(raw):
                    self._number += 1
                    held_signal = (at_us, self._number, gateway, signal)
                    self._signals.setdefault(gateway, []).append(held_signal)
                continue
            for at_us, gateway, read in _reads.decode(raw):
                self._number += 1
                held = (at_us, self._number, gateway, read)
                self._reads.setdefault(gateway, []).append(held)
                self._of.setdefault(read.identity, {})[self._number] = held
                self._held += 1
        for waiting in self._reads.values():
            heapify(waiting)
        for waiting_signals in self._signals.values():
            heapify(waiting_signals)

    def identity_of(self, key: str) -> str | None:
        """Whose memory a key holds; None: the whole partition's."""
        if key.startswith(READS):
            return key.removeprefix(READS)
        return None if key == SIGNALS else self._stages.identity_of(key)

    def _is_silent(self, gateway: str) -> bool:
        moved_us = self._moved_us.setdefault(gateway, self._bridge_us)
        return self._bridge_us - moved_us >= SILENT_US

    def _step_to(
        self, target: Mapping[str, int], reach: Mapping[str, int], bridge_us: int, out: Outcome
    ) -> None:
        """Let go what lies below `reach`, time following in steps."""
        while True:
            heads = [
                heap[0][0]
                for heaps in (self._reads, self._signals)
                for gateway, heap in heaps.items()
                if heap and heap[0][0] <= reach[gateway]
            ]
            if not heads:
                return
            step_us = min(heads) + STEP_US
            self._let_go({g: min(step_us, r) for g, r in reach.items()}, out)
            times = {
                gateway: max(self._times.get(gateway, -1), min(time_us, step_us))
                for gateway, time_us in target.items()
            }
            self._times.update(times)
            _add(out, self._stages.take_tick(times, bridge_us))

    def _let_go(self, reach: Mapping[str, int], out: Outcome, most: int = FOR_EVER_US) -> None:
        """Give on held signals and reads up to a time of each gateway, in order."""
        for gateway, limit_us in reach.items():
            signals = []
            waiting = self._signals.get(gateway, [])
            while waiting and waiting[0][0] <= limit_us:
                signals.append(heappop(waiting)[3])
            if signals:
                self._signals_dirty = True
                _add(out, self._stages.take_signals(signals, gateway))
            reads: list[Read] = []
            heap = self._reads.get(gateway, [])
            while heap and heap[0][0] <= limit_us and len(reads) < most:
                _, number, _, read = heappop(heap)
                reads.append(read)
                mine = self._of[read.identity]
                del mine[number]
                if not mine:
                    del self._of[read.identity]
                self._dirty.add(read.identity)
            if reads:
                self._held -= len(reads)
                _add(out, self._stages.take_reads(reads, gateway, limit_us))

    def _save(self, identity: str, values: dict[str, bytes], removed: list[str]) -> None:
        mine = self._of.get(identity)
        if mine is None:
            removed.append(READS + identity)
            return
        rows: SavedReads = [(at_us, gateway, read) for at_us, _, gateway, read in mine.values()]
        values[READS + identity] = _encode(rows)

    def _saved_signals(self) -> bytes:
        rows: SavedSignals = [
            (at_us, gateway, signal)
            for heap in self._signals.values()
            for at_us, _, gateway, signal in sorted(heap, key=_order)
        ]
        return _encode(rows)


def _order(held: HeldSignal) -> tuple[int, int]:
    return held[0], held[1]


def _add(out: Outcome, more: tuple[list[Entry], list[Evidence]]) -> None:
    out.entries.extend(more[0])
    out.evidence.extend(more[1])
