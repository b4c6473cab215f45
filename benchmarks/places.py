"""How well zones are understood: aisles, shelves and rooms, with their truth.

    python -m benchmarks.places --seeds 1-20

*Found*: true stays that were told as the tag's place while it was there. *Late*: how long after it
came. *False*: moves told of tags that had not moved. *Right of the time*: how much of all time the
told place was the true one. Simulated: not comparable with figures from the field.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from statistics import median
from typing import NamedTuple

import msgspec

from benchmarks.location import interval, seeds_of
from contracts.codec import decode_json
from contracts.events import Entry, EntryKind, LocationEvent
from contracts.places import ReferenceChange
from contracts.reads import Read
from firmware_sim.rooms import GATEWAY, SCENES, START_US, Rooms
from stream_processors.core.understanding import Reference, Understanding

TICK_US = 1_000_000
AFTER_US = 120_000_000
"""So long after the last read, every window is closed."""


class Placed(NamedTuple):
    """A place that was told."""

    at_us: int
    zone: str


class Verdict(msgspec.Struct):
    """What came of scenes of one kind."""

    stays: int = 0
    found: int = 0
    late_us: list[int] = msgspec.field(default_factory=list)
    false: int = 0
    time_us: int = 0
    right_us: int = 0

    def add(self, other: Verdict) -> None:
        """Sum up."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def told_of(scene: Rooms) -> dict[str, list[Placed]]:
    """Each tag's places as the stages tell them; times of the scene."""
    reference = Reference()
    reference.apply(ReferenceChange(key="site", version=1, value=scene.site_map))
    stages = Understanding(reference)
    entries: list[Entry] = []
    waiting: defaultdict[int, list[Read]] = defaultdict(list)
    for read in scene.reads():
        waiting[(read.received_us - START_US) // TICK_US].append(read)
    for number in range((scene.end_us + AFTER_US) // TICK_US):
        now_us = START_US + (number + 1) * TICK_US
        if number in waiting:
            entries += stages.take_reads(waiting.pop(number), GATEWAY, now_us).entries
        entries += stages.take_tick({GATEWAY: now_us}, now_us).entries
    told: dict[str, list[Placed]] = {}
    for entry in entries:
        if entry.kind == EntryKind.LOCATION:
            event = decode_json(LocationEvent, entry.payload)
            placed = Placed(event.at_us - START_US, event.location)
            told.setdefault(event.identity, []).append(placed)
    return told


def judged(scene: Rooms, told: dict[str, list[Placed]]) -> Verdict:
    """The told places against the true ones."""
    verdict = Verdict()
    for identity, stays in scene.stays().items():
        places = told.get(identity, [])
        ends = [*[place.at_us for place in places[1:]], scene.end_us]
        for stay in stays:
            verdict.stays += 1
            verdict.time_us += stay.until_us - stay.from_us
            first_us = None
            for (at_us, zone), end_us in zip(places, ends, strict=False):
                if zone != scene.zones[stay.zone]:
                    continue
                both_us = min(end_us, stay.until_us) - max(at_us, stay.from_us)
                if both_us > 0:
                    verdict.right_us += both_us
                    first_us = max(at_us - stay.from_us, 0) if first_us is None else first_us
            if first_us is not None:
                verdict.found += 1
                verdict.late_us.append(first_us)
        verdict.false += max(0, len(places) - len(stays))
    return verdict


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", default="1-20", help="such as 1-5 or 1,4,9 (default 1-20)")
    chosen = parser.parse_args()
    print(
        "scene     stays  found %  95 % interval  late (median, most) s  right of the time %  false"
    )
    for name, scene_of in SCENES.items():
        whole = Verdict()
        for seed in seeds_of(chosen.seeds):
            scene = scene_of(seed)
            whole.add(judged(scene, told_of(scene)))
        low, high = interval(whole.found, whole.stays)
        late = f"{median(whole.late_us) / 1e6:.1f}, {max(whole.late_us) / 1e6:.1f}"
        print(
            f"{name:9} {whole.stays:5} {100 * whole.found / whole.stays:8.2f}  "
            f"{100 * low:6.2f}-{100 * high:6.2f} {late:>22} "
            f"{100 * whole.right_us / whole.time_us:20.2f} {whole.false:6}"
        )
    print("Simulated reads: not comparable with figures from the field.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
