"""How well gates are understood: the location stages on the simulator's offline reads.

    python -m benchmarks.location --seeds 1-5 --partitions 4

Results are simulated and are not comparable with figures from the field.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterator

from contracts.codec import decode_json
from contracts.events import Entry, EntryKind, Evidence, LocationEvent, LocationKind
from contracts.ids import partition_of
from contracts.places import ReferenceChange
from contracts.reads import Read, ReadBatch
from firmware_sim.offline import Rehearsal
from firmware_sim.score import GeometryScore, Told, score_of
from stream_processors.core.understanding import Reference, Understanding

GATEWAY = "dock"


class Run:
    """One shift through the stages of all partitions."""

    def __init__(self, rehearsal: Rehearsal, partitions: int) -> None:
        reference = reference_of(rehearsal)
        self.stages = [Understanding(reference) for _ in range(partitions)]
        self.entries: list[Entry] = []
        self.evidence: list[Evidence] = []
        self.reads: defaultdict[str, int] = defaultdict(int)
        self.seconds = 0.0

    def take(self, batch: ReadBatch) -> None:
        """One batch, and the tick behind it."""
        shares: list[list[Read]] = [[] for _ in self.stages]
        for read in batch.reads:
            shares[partition_of(read.identity, len(self.stages))].append(read)
            self.reads[read.identity] += 1
        began = time.process_time()
        for stages, reads in zip(self.stages, shares, strict=True):
            for entries, evidence in (
                stages.take_signals(batch.signals, GATEWAY),
                stages.take_reads(reads, GATEWAY, batch.gateway_us),
                stages.take_tick({GATEWAY: batch.gateway_us}, batch.gateway_us),
            ):
                self.entries += entries
                self.evidence += evidence
        self.seconds += time.process_time() - began

    def finish(self, from_us: int) -> None:
        """Let every window close."""
        for step in range(1, 40):
            self.take(ReadBatch(gateway_us=from_us + step * 5_000_000))

    def passages(self) -> Iterator[Told]:
        """What was told of gates."""
        for entry in self.entries:
            if entry.kind != EntryKind.LOCATION:
                continue
            event = decode_json(LocationEvent, entry.payload)
            if event.kind is LocationKind.PASSED and event.direction is not None:
                yield Told(
                    identity=event.identity,
                    gate=event.location,
                    direction=event.direction,
                    at_us=event.at_us,
                )

    def imbalance(self) -> int:
        """Identities whose reads and evidence do not balance."""
        told: defaultdict[str, int] = defaultdict(int)
        for row in self.evidence:
            told[row.identity] += row.reads
        return sum(told[name] != self.reads[name] for name in {*told, *self.reads})


def reference_of(rehearsal: Rehearsal) -> Reference:
    """The shift's map, items and loads."""
    reference = Reference()
    changes = [
        ReferenceChange(key="site", version=1, value=rehearsal.site_map),
        *(ReferenceChange(key=f"item/{one.item}", version=1, value=one) for one in rehearsal.items),
        *(ReferenceChange(key=f"load/{one.load}", version=1, value=one) for one in rehearsal.loads),
    ]
    for change in changes:
        reference.apply(change)
    return reference


def rehearse(seed: int, *, partitions: int, true_clocks: bool) -> tuple[Run, list[Told], Rehearsal]:
    """One seed through the stages."""
    rehearsal = Rehearsal(seed, true_clocks=true_clocks)
    run = Run(rehearsal, partitions)
    end_us = rehearsal.start_us
    for batch in rehearsal.batches():
        run.take(batch)
        end_us = batch.gateway_us
    run.finish(end_us)
    return run, list(run.passages()), rehearsal


def add(whole: dict[str, GeometryScore], part: dict[str, GeometryScore]) -> None:
    """Sum up the figures of another seed."""
    for geometry, score in part.items():
        into = whole.setdefault(geometry, GeometryScore())
        for name in ("passages", "right", "wrong", "missed", "unread"):
            setattr(into, name, getattr(into, name) + getattr(score, name))
        for name in ("strays", "strays_moved", "extra"):
            setattr(into, name, getattr(into, name) + getattr(score, name))
        into.mistakes += score.mistakes


def seeds_of(text: str) -> list[int]:
    """`3`, `1-5` or `1,4,9`."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Accuracy of gates on simulated reads.")
    parser.add_argument("--seeds", default="1-3", help="such as 1-5 or 1,4,9 (default 1-3)")
    parser.add_argument("--partitions", type=int, default=4, help="default 4")
    parser.add_argument("--device-clocks", action="store_true", help="leave the clocks' errors in")
    parser.add_argument("--mistakes", action="store_true", help="list examples")
    chosen = parser.parse_args()
    whole: dict[str, GeometryScore] = {}
    reads = 0
    seconds = 0.0
    unbalanced = 0
    for seed in seeds_of(chosen.seeds):
        run, told, rehearsal = rehearse(
            seed, partitions=chosen.partitions, true_clocks=not chosen.device_clocks
        )
        add(whole, score_of(rehearsal.passages(), told))
        count = sum(run.reads.values())
        unbalanced += run.imbalance()
        reads += count
        seconds += run.seconds
        print(f"seed {seed}: {count} reads, {run.seconds:.1f} s in the stages", file=sys.stderr)
    print(table(whole))
    print(f"reads {reads}, books unbalanced for {unbalanced} identities,", end=" ")
    print(f"{reads / max(seconds, 1e-9):,.0f} reads/s of CPU time through the stages")
    if chosen.mistakes:
        for score in whole.values():
            for mistake in score.mistakes:
                print(mistake)
    return 0 if not unbalanced else 1


def table(scores: dict[str, GeometryScore]) -> str:
    """The figures by geometry."""
    lines = [
        "geometry   passages  right  wrong missed unread   share  strays moved extra",
    ]
    for geometry, one in scores.items():
        lines.append(
            f"{geometry:10} {one.passages:8} {one.right:6} {one.wrong:6} {one.missed:6} "
            f"{one.unread:6} {one.wrong_or_missed_share:7.4f} {one.strays:7} "
            f"{one.strays_moved:5} {one.extra:5}"
        )
    lines.append("Simulated reads: not comparable with figures from the field.")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
