"""A small dock on a desk: a site with gates and zones, reads for it, and stages to give them to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from contracts.codec import decode_json
from contracts.events import (
    DiscrepancyClosed,
    DiscrepancyOpened,
    Entry,
    EntryKind,
    Evidence,
    LocationEvent,
    Sighting,
)
from contracts.places import (
    AntennaPlace,
    Gate,
    Geometry,
    Load,
    LoadLine,
    ReferenceChange,
    Side,
    SignalPlace,
    SiteMap,
    Zone,
    ZoneParameters,
)
from contracts.reads import GateSignal, Read, is_no_read
from stream_processors.core.understanding import Reference, Understanding

SECOND = 1_000_000
START = 1_772_416_800_000_000
TAG = "https://id.gs1.org/01/09506000134352/21/1"
OTHER = "https://id.gs1.org/01/09506000134352/21/2"


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


def site(**zones: ZoneParameters) -> SiteMap:
    """door-1 (rows), door-2 (facing, photo-eyes), a conveyor; zones a, b and c with antennas."""
    names = ("stage", "pack", "a", "b", "c")
    return SiteMap(
        site="demo",
        zones=(
            *(Zone(id=name, parameters=zones.get(name, ZoneParameters())) for name in names),
            Zone(id="yard", outside=True),
        ),
        gates=(
            Gate(id="door-1", inner="stage", outer="yard"),
            Gate(id="door-2", inner="stage", outer="yard", geometry=Geometry.FACING),
            Gate(id="belt", inner="stage", outer="pack", geometry=Geometry.LINE, direction="in"),
        ),
        antennas=(
            *(
                AntennaPlace(
                    device="door-1",
                    antenna=number,
                    location="door-1",
                    side=Side.OUTER if number < 3 else Side.INNER,
                )
                for number in (1, 2, 3, 4)
            ),
            *(AntennaPlace(device="door-2", antenna=n, location="door-2") for n in (1, 2)),
            AntennaPlace(device="scanner", antenna=0, location="belt"),
            *(
                AntennaPlace(device="zones", antenna=number, location=name)
                for number, name in enumerate(("a", "b", "c", "stage"), 1)
            ),
            AntennaPlace(device="zones", antenna=5, location="a"),
            AntennaPlace(device="plain", antenna=1, location="a"),
        ),
        signals=(
            SignalPlace(device="door-2", port=1, gate="door-2", side=Side.OUTER),
            SignalPlace(device="door-2", port=2, gate="door-2", side=Side.INNER),
        ),
        gateways={
            "door-1": "dock",
            "door-2": "dock",
            "scanner": "dock",
            "zones": "hall",
            "plain": "hall",
        },
    )


def reference_of(site_map: SiteMap, *loads: Load) -> Reference:
    found = Reference()
    found.apply(ReferenceChange(key="site", version=1, value=site_map))
    for load in loads:
        found.apply(ReferenceChange(key=f"load/{load.load}", version=1, value=load))
    return found


def load(
    name: str, gate: str, direction: str, *identities: str, opens: float = 0, closes: float = 600
) -> Load:
    return Load(
        load=name,
        gate=gate,
        direction=direction,
        opens_us=at(opens),
        closes_us=at(closes),
        lines=tuple(LoadLine(identity=one, item="09506000134352") for one in identities),
    )


def read(
    device: str,
    antenna: int,
    seconds: float,
    dbm: float | None = -50.0,
    *,
    identity: str = TAG,
    clock_s: float = 0.0,
    count: int = 1,
) -> Read:
    """A read made at a time; `clock_s` is how much the device's clock is ahead."""
    at_us = at(seconds)
    return Read(
        identity=identity,
        device=device,
        antenna=antenna,
        first_us=at_us + round(clock_s * SECOND),
        last_us=at_us + round(clock_s * SECOND),
        received_us=at_us + 50_000,
        count=count,
        rssi_cdbm=None if dbm is None else round(dbm * 100),
        evidence=b"\x30\x01",
    )


LOUDNESS = (-62.0, -55.0, -48.0, -47.0, -54.0, -61.0)
"""How a passing tag's signal rises and falls at one row."""


def walk(
    seconds: float,
    *,
    out: bool = False,
    identity: str = TAG,
    clock_s: float = 0.0,
    device: str = "door-1",
) -> list[Read]:
    """Through door-1 around a time: one row rises and falls, then the other."""
    found = []
    near, far = ((3, 4), (1, 2)) if out else ((1, 2), (3, 4))
    for row, antennas in ((-1, near), (0, far)):
        for step, dbm in enumerate(LOUDNESS):
            moment = seconds + row * 1.5 + step * 0.25
            antenna = antennas[step % 2]
            found.append(read(device, antenna, moment, dbm, identity=identity, clock_s=clock_s))
    return found


def eyes(seconds: float, *, out: bool = False) -> list[GateSignal]:
    """Something goes through door-2: it breaks one beam, both, the other."""
    first, second = (2, 1) if out else (1, 2)
    changes = ((first, True, -0.5), (second, True, 0.2), (first, False, 0.7), (second, False, 1.4))
    return [
        GateSignal(
            device="door-2",
            port=port,
            state=state,
            at_us=at(seconds + later),
            received_us=at(seconds + later) + 20_000,
        )
        for port, state, later in changes
    ]


class Desk:
    """Stages that are given reads in order of time, with a tick every 200 ms in between."""

    def __init__(self, *loads: Load, site_map: SiteMap | None = None) -> None:
        self.reference = reference_of(site_map or site(), *loads)
        self.stages = Understanding(self.reference)
        self.entries: list[Entry] = []
        self.evidence: list[Evidence] = []
        self.now = 0.0
        self.silent: set[str] = set()
        self.stopped: dict[str, int] = {}

    def give(self, reads: Iterable[Read], signals: Sequence[GateSignal] = ()) -> None:
        """Reads and signals, each when it was received."""
        waiting = sorted([*reads, *signals], key=lambda one: one.received_us)
        for one in waiting:
            while at(self.now) < one.received_us - SECOND // 10:
                self.tick()
            if isinstance(one, Read):
                self._take(self.stages.take_reads([one], "dock", at(self.now)))
            else:
                self._take(self.stages.take_signals([one], "dock"))

    def give_late(self, reads: Sequence[Read]) -> None:
        """Reads that come now, whenever they were made."""
        self._take(self.stages.take_reads(reads, "dock", at(self.now)))

    def tick(self) -> None:
        """200 ms go by."""
        self.now += 0.2
        times = {}
        for gateway in ("dock", "hall"):
            if gateway in self.silent:
                times[gateway] = self.stopped.setdefault(gateway, at(self.now - 0.2))
            else:
                self.stopped.pop(gateway, None)
                times[gateway] = at(self.now)
        self._take(self.stages.take_tick(times, at(self.now)))

    def wait(self, seconds: float) -> None:
        """Ticks for so long."""
        until = self.now + seconds
        while self.now < until:
            self.tick()

    def restart(self) -> None:
        """Another worker goes on from memory and whereabouts."""
        values = self.stages.memory_snapshot()
        self.stages = Understanding(self.reference)
        self.stages.restore(values, whereabouts_of(self.entries))

    def _take(self, outcome: tuple[list[Entry], list[Evidence]]) -> None:
        self.entries += outcome[0]
        self.evidence += outcome[1]

    def events(self, identity: str = TAG) -> list[LocationEvent]:
        """An identity's location events, in the order of entry."""
        return [
            decode_json(LocationEvent, one.payload)
            for one in self.entries
            if one.kind == EntryKind.LOCATION and one.identity == identity
        ]

    def told(self, identity: str = TAG) -> list[str]:
        """`kind location` or `direction gate` of each event."""
        return [f"{one.direction or one.kind} {one.location}" for one in self.events(identity)]

    def opened(self) -> list[DiscrepancyOpened]:
        """Discrepancies that began."""
        return self._payloads(EntryKind.DISCREPANCY_OPENED, DiscrepancyOpened)

    def closed(self) -> list[DiscrepancyClosed]:
        """Discrepancies that ended."""
        return self._payloads(EntryKind.DISCREPANCY_CLOSED, DiscrepancyClosed)

    def sightings(self) -> list[Sighting]:
        """All sightings told."""
        return [decode_json(Sighting, one.payload) for one in self.evidence]

    def reads_told(self) -> Counter[str]:
        """The books: reads by identity, in evidence and in rejects."""
        counts: Counter[str] = Counter()
        for row in self.evidence:
            counts[row.identity] += row.reads
        for entry in self.entries:
            if entry.kind == EntryKind.REJECT:
                counts[entry.identity or ""] += 1
        return counts

    def _payloads(self, kind: EntryKind, shape: type[Any]) -> list[Any]:
        return [decode_json(shape, one.payload) for one in self.entries if one.kind == kind]


def whereabouts_of(entries: Iterable[Entry]) -> list[tuple[str, str, int, str]]:
    """The newest location event of each identity, as the ledger tells it."""
    newest: dict[str, tuple[str, str, int, str]] = {}
    for entry in entries:
        if entry.kind != EntryKind.LOCATION or is_no_read(entry.identity or ""):
            continue
        event = decode_json(LocationEvent, entry.payload)
        kind = f"passed:{event.direction}" if event.direction else str(event.kind)
        known = newest.get(event.identity)
        if known is None or event.at_us >= known[2]:
            newest[event.identity] = (event.identity, event.location, event.at_us, kind)
    return list(newest.values())


def as_told(outcome: Sequence[msgspec.Struct]) -> list[bytes]:
    """Structs as bytes, to be compared whatever their order."""
    return sorted(msgspec.msgpack.encode(one) for one in outcome)
