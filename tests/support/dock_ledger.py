"""A small dock's ledger, filled: two loads, a pallet that left short, a stranger, a wrong door."""

from __future__ import annotations

import msgspec

from contracts.codec import canonical, encode
from contracts.events import (
    AntennaDetail,
    Direction,
    DiscrepancyOpened,
    Entry,
    EntryKind,
    Evidence,
    LocationEvent,
    LocationKind,
    Problem,
    Sighting,
)
from contracts.ids import content_id
from contracts.places import (
    AntennaPlace,
    Gate,
    Item,
    Load,
    LoadLine,
    ReferenceChange,
    SiteMap,
    Zone,
)
from contracts.reads import DeviceChange
from ledger_sink.core.loads import Loads
from ledger_sink.postgres_ledger import PostgresLedger
from tallygate.reference import key_of

SECOND = 1_000_000
START = 1_772_416_800 * SECOND
"""2026-03-02T02:00:00Z."""
PALLET = "https://id.gs1.org/00/006141410000000010"
MOTORS = "https://id.gs1.org/00/006141410000000027"
VALVES = "https://id.gs1.org/00/006141410000000034"
MOTOR, VALVE, RELAY = "00614141110001", "00614141110018", "00614141110025"
STRANGER = f"https://id.gs1.org/01/{RELAY}/21/77"
EPC = "3034257BF400B7800000004D"


def unit(item: str, serial: int) -> str:
    """A unit's identity."""
    return f"https://id.gs1.org/01/{item}/21/{serial}"


MAP = SiteMap(
    site="demo",
    zones=(
        Zone(id="stage", name="Staging"),
        Zone(id="yard-1", name="Yard", outside=True),
    ),
    gates=(
        Gate(id="door-1", name="Dock door 1", inner="stage", outer="yard-1"),
        Gate(id="door-2", name="Dock door 2", inner="stage", outer="yard-1"),
        Gate(id="belt", name="Conveyor", inner="stage", outer="stage"),
    ),
    antennas=tuple(
        AntennaPlace(device=device, antenna=1, location=location)
        for device, location in (("r-1", "door-1"), ("r-2", "door-2"), ("s-1", "belt"))
    ),
    gateways={"r-1": "dock", "r-2": "dock", "s-1": "dock"},
)
ITEMS = (
    Item(item=MOTOR, name="Servo motor 400 W", name_zh="伺服电机 400 瓦"),
    Item(item=VALVE, name="Ball valve DN25", name_zh="球阀 DN25"),
    Item(item=RELAY, name="Safety relay 24 V", name_zh="安全继电器 24 伏"),
)


def plan(name: str, gate: str, opens_us: int, lines: tuple[LoadLine, ...]) -> Load:
    """A load that leaves within ten minutes."""
    return Load(
        load=name,
        gate=gate,
        direction="out",
        opens_us=opens_us,
        closes_us=opens_us + 600 * SECOND,
        lines=lines,
    )


def _case(case: str, item: str, serials: range) -> list[LoadLine]:
    tag = LoadLine(identity=case, item="CASE", case=case, pallet=PALLET)
    units = [
        LoadLine(identity=unit(item, serial), item=item, case=case, pallet=PALLET)
        for serial in serials
    ]
    return [tag, *units]


FIRST = plan(
    "S-118",
    "door-1",
    START,
    (
        LoadLine(identity=PALLET, item="PALLET", pallet=PALLET),
        *_case(MOTORS, MOTOR, range(1, 7)),
        *_case(VALVES, VALVE, range(11, 15)),
    ),
)
NEXT = plan("S-120", "door-2", START + 900 * SECOND, (LoadLine(identity="raw:aa", item=VALVE),))


def fill(ledger: PostgresLedger) -> None:
    """The pallet passes with its motors; the valves are missing; a stranger rode along."""
    for value in (MAP, *ITEMS, FIRST, NEXT):
        ledger.put_reference(key_of(value), encode(value), START)
    loads = Loads()
    for load in (FIRST, NEXT):
        loads.apply(ReferenceChange(key=key_of(load), version=1, value=load))
    at_us = START + 120 * SECOND
    carried = [PALLET, MOTORS, *(unit(MOTOR, serial) for serial in range(1, 7))]
    passed = [passage(identity, at_us + place) for place, identity in enumerate(carried)]
    told = loads.take(passed, {})
    ledger.append(
        [
            *(entry("device", change, START) for change in CHANGES),
            *passed,
            passage(STRANGER, at_us + SECOND, load=None),
            *told,
            entry("discrepancy_opened", missing(at_us), at_us),
            entry("discrepancy_opened", stranger(at_us), at_us),
        ],
        at_us + 9 * SECOND,
    )
    ledger.keep_stage_memory("loads", loads.memory() or b"")
    first = passed[2]
    ledger.add_evidence([sighting(unit(MOTOR, 1), at_us, first.id)], at_us)
    ledger.add_evidence([sighting(unit(MOTOR, 1), at_us + 20 * SECOND, None)], at_us)
    ledger.count_latencies({31_000: 98, 95_000: 2})


CHANGES = (
    DeviceChange(device="r-1", state="reading", detail="", at_us=START),
    DeviceChange(device="r-2", state="retrying", detail="refused", at_us=START),
)


def missing(at_us: int) -> DiscrepancyOpened:
    """The valves are not there."""
    identities = (VALVES, *(unit(VALVE, serial) for serial in range(11, 15)))
    return DiscrepancyOpened(
        discrepancy="missing",
        problem=Problem.MISSING,
        load="S-118",
        location="door-1",
        identities=identities,
        item=VALVE,
        quantity=4,
        at_us=at_us,
        found_us=at_us + 8 * SECOND,
    )


def stranger(at_us: int) -> DiscrepancyOpened:
    """Somebody else's relay."""
    return DiscrepancyOpened(
        discrepancy="stranger",
        problem=Problem.STRANGER,
        load="S-118",
        location="door-1",
        identities=(STRANGER,),
        item=RELAY,
        at_us=at_us,
        found_us=at_us + 8 * SECOND,
    )


def passage(identity: str, at_us: int, *, load: str | None = "S-118") -> Entry:
    """It left through door 1."""
    event = LocationEvent(
        kind=LocationKind.PASSED,
        identity=identity,
        location="door-1",
        direction=Direction.OUT,
        at_us=at_us,
        first_us=at_us - SECOND,
        last_us=at_us + SECOND,
        confidence=0.98,
        basis="antenna_order",
        load=load,
    )
    return msgspec.structs.replace(
        entry("location", event, at_us),
        identity=identity,
        read_received_us=at_us,
        window_us=4 * SECOND,
    )


def entry(
    kind: str, payload: LocationEvent | DiscrepancyOpened | DeviceChange, at_us: int
) -> Entry:
    """An entry at door 1."""
    raw = canonical(payload)
    return Entry(
        id=content_id(kind, raw),
        kind=EntryKind(kind),
        happened_us=at_us,
        identity=None,
        location="door-1",
        payload=raw,
    )


def sighting(identity: str, first_us: int, decided: str | None) -> Evidence:
    """Seventeen reads at one antenna."""
    antenna = AntennaDetail(
        device="r-1",
        antenna=4,
        first_us=first_us,
        last_us=first_us + SECOND,
        reads=17,
        count=17,
        strongest_cdbm=-4600,
    )
    payload = Sighting(
        identity=identity,
        location="door-1",
        first_us=first_us,
        last_us=first_us + SECOND,
        count=17,
        antennas=(antenna,),
        evidence=(EPC.lower(),),
    )
    return Evidence(
        id=content_id("sighting", identity, first_us),
        entry=decided,
        identity=identity,
        location="door-1",
        first_us=first_us,
        last_us=first_us + SECOND,
        reads=17,
        payload=canonical(payload),
    )
