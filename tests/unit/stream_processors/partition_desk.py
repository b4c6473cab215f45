"""A partition on a desk: stages that take notes, its log, and records for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from contracts.codec import encode
from contracts.events import Entry, Evidence
from contracts.log import MemoryChange, Output, Part, SpoolProgress, Tick
from contracts.reads import GateSignal, Read
from stream_processors.core.partition import Partition

SPOOL = "a" * 32
KEY = ("dock", SPOOL)
Row = tuple[int, int, int, bytes]


class Notes:
    """Stages that keep identities until told to let go, and note what they were given."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.taken: list[str] = []
        self.signals = 0
        self.ticks: list[tuple[dict[str, int], int]] = []
        self.let_go = False
        self.whereabouts: list[tuple[str, str, int, str]] = []
        self._changed: set[str] = set()

    def take_reads(
        self, reads: Sequence[Read], gateway: str, gateway_us: int
    ) -> tuple[list[Entry], list[Evidence]]:
        """Keep."""
        del gateway, gateway_us
        for read in reads:
            self.taken.append(read.identity)
            self.held[read.identity] = self.held.get(read.identity, 0) + 1
            self._changed.add(read.identity)
        return [], []

    def take_signals(
        self, signals: Sequence[GateSignal], gateway: str
    ) -> tuple[list[Entry], list[Evidence]]:
        """Count."""
        del gateway
        self.signals += len(signals)
        return [], []

    def take_tick(
        self, gateways: Mapping[str, int], bridge_us: int
    ) -> tuple[list[Entry], list[Evidence]]:
        """Note; let go if told to."""
        self.ticks.append((dict(gateways), bridge_us))
        evidence = []
        if self.let_go:
            for identity, reads in sorted(self.held.items()):
                self._changed.add(identity)
                evidence.append(
                    Evidence(
                        id=identity,
                        entry=None,
                        identity=identity,
                        location="stage",
                        first_us=1,
                        last_us=2,
                        reads=reads,
                        payload=b"x" * 100,
                    )
                )
            self.held.clear()
        return [], evidence

    def memory_change(self) -> tuple[dict[str, bytes], list[str]]:
        """What is held."""
        changed, self._changed = sorted(self._changed), set()
        return (
            {f"i/{each}": b"%d" % self.held[each] for each in changed if each in self.held},
            [f"i/{each}" for each in changed if each not in self.held],
        )

    def memory_snapshot(self) -> dict[str, bytes]:
        """All that is held, and something that belongs to nobody."""
        return {"device": b"skew"} | {f"i/{each}": b"%d" % n for each, n in self.held.items()}

    def restore(
        self, values: Mapping[str, bytes], whereabouts: Iterable[tuple[str, str, int, str]]
    ) -> None:
        """Hold again."""
        self.whereabouts = list(whereabouts)
        for key, value in values.items():
            if key.startswith("i/"):
                self.held[key[2:]] = int(value)

    def identity_of(self, key: str) -> str | None:
        """Whose it is."""
        return key[2:] if key.startswith("i/") else None


class Desk:
    """A partition with its log, and the memory that its ticks told."""

    def __init__(
        self,
        *,
        partitions: int = 1,
        partition: int = 0,
        rows: Iterable[Row] = (),
        chunk_bytes_max: int = 400_000,
        snapshot_every_ticks: int = 300,
    ) -> None:
        self.notes = Notes()
        self.core = Partition(
            log="log",
            partitions=partitions,
            partition=partition,
            epoch=3,
            next_offset=0,
            stages=self.notes,
            chunk_bytes_max=chunk_bytes_max,
            snapshot_every_ticks=snapshot_every_ticks,
        )
        self.core.restore(rows, [])
        self.place = (partitions, partition)
        self.changes: list[MemoryChange] = []

    def take(self, record: msgspec.Struct | bytes) -> Output:
        """The next record's output; chunks are put together as a sink does."""
        raw = record if isinstance(record, bytes) else encode(record)
        offset = self.core.next_offset
        outputs = self.core.take(offset, raw)
        assert [each.chunk for each in outputs] == list(range(len(outputs)))
        assert [each.more for each in outputs] == [True] * (len(outputs) - 1) + [False]
        assert {each.offset for each in outputs} == {offset}
        for each in outputs:
            if each.tick is not None and each.tick.memory:
                self.changes.append(msgspec.msgpack.decode(each.tick.memory, type=MemoryChange))
        return msgspec.structs.replace(
            outputs[-1],
            entries=tuple(entry for each in outputs for entry in each.entries),
            evidence=tuple(row for each in outputs for row in each.evidence),
        )

    def rows(self) -> list[Row]:
        """The memory as the ledger gives it."""
        return [(*self.place, number, encode(each)) for number, each in enumerate(self.changes)]


def read_of(identity: str) -> Read:
    """A read."""
    return Read(
        identity=identity, device="door", antenna=1, first_us=1, last_us=2, received_us=3, count=1
    )


def part(sequence: int, *identities: str, previous: int = 0, run: int = 1) -> Part:
    """A part of the spool."""
    return Part(
        run=run,
        gateway="dock",
        spool=SPOOL,
        sequence=sequence,
        previous=previous,
        gateway_us=sequence * 10,
        reads=tuple(map(read_of, identities or ("tag",))),
    )


def tick(number: int, sequence: int = 0, *, part: int = 0, run: int = 1, at_us: int = 0) -> Tick:
    """A tick that tells of the spool."""
    progress = SpoolProgress(
        gateway="dock", spool=SPOOL, sequence=sequence, gateway_us=sequence * 10, part=part
    )
    return Tick(
        run=run,
        number=number,
        bridge_us=at_us or number,
        spools=(progress,) if sequence else (),
    )


def covered(output: Output) -> list[int]:
    """How far a tick's output says that the partition holds spools."""
    assert output.tick is not None
    return [progress.sequence for progress in output.tick.spools]
