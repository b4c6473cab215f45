"""Scenes in zones: what antennas and gateways in rooms, aisles and shelves hear, and the truth.

- `aisle`: three zones in a row, 6 m apart, each under one RFID antenna; carts go from the first to
  the last.
- `shelves`: four shelves, 2.5 m apart, whose antennas overlap widely; all is read once a minute for
  hours, and now and then something is put on another shelf.
- `rooms`: three rooms with one BLE gateway each; badges advertise every second, walls take a
  little, fading and bodies take a lot.

The signal falls by the distance law and by each wall; slow fading belongs to a place and tag,
fast fading to each read. Values are in the scenes, so that a test can make them harder. Simulated:
not comparable with figures from the field.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

from contracts.places import AntennaPlace, SiteMap, Zone, ZoneParameters
from contracts.reads import Read
from firmware_sim.core.dice import stream

START_US = 1_772_438_400_000_000
SECOND = 1_000_000
GATEWAY = "hall"
DEVICE = "hall"
REPORT_US = 40_000
"""From an antenna's read to its receipt."""


@dataclass(frozen=True, slots=True)
class Radio:
    """How things are heard."""

    at_metre_dbm: float
    """Signal at 1 m."""
    exponent: float
    """Distance law: the signal falls by ten times this for each tenfold distance."""
    wall_db: float
    """What each zone's border between takes."""
    slow_db: float
    """Deviation of what a place and a tag do for long."""
    fast_db: tuple[float, float]
    """What fading takes from one read, from and to; evenly spread."""
    body_db: float
    """What a body in the way takes."""
    body_share: float
    """How much of the time it is in the way, for ten seconds each."""
    rate: float
    """Chance of a read in each turn, if the signal is above the floor."""
    floor_dbm: float
    """What is weaker is not heard."""
    every_us: int
    """Between two turns of an antenna."""


@dataclass(frozen=True, slots=True)
class Rest:
    """A tag is in a zone for a while: the truth. Times in microseconds of the scene."""

    identity: str
    zone: int
    from_us: int
    until_us: int


@dataclass(slots=True)
class Rooms:
    """One scene: zones in a row, each with its antenna in the middle."""

    seed: int
    zones: tuple[str, ...]
    spacing: float
    """Metres from the middle of a zone to the next."""
    radio: Radio
    parameters: ZoneParameters
    shortest_us: int
    """Who is in a zone for less only goes through."""
    ways: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    """Of each tag: when it reaches which x, in metres; between two points it moves evenly."""
    end_us: int = 0

    @property
    def site_map(self) -> SiteMap:
        """The zones and their antennas."""
        return SiteMap(
            site="demo",
            zones=tuple(Zone(id=zone, parameters=self.parameters) for zone in self.zones),
            gates=(),
            antennas=tuple(
                AntennaPlace(device=DEVICE, antenna=number, location=zone)
                for number, zone in enumerate(self.zones, 1)
            ),
            gateways={DEVICE: GATEWAY},
        )

    def zone_at(self, x: float) -> int:
        """The zone in whose half of the way to the next a place lies."""
        return max(0, min(len(self.zones) - 1, round(x / self.spacing)))

    def truth(self) -> list[Rest]:
        """Where each tag truly is, zone after zone."""
        found = []
        for identity, way in self.ways.items():
            zone, since_us = self.zone_at(way[0][1]), way[0][0]
            for (from_us, from_x), (until_us, until_x) in pairwise(way):
                for at_us in range(from_us, until_us, SECOND // 5):
                    part = (at_us - from_us) / (until_us - from_us)
                    here = self.zone_at(from_x + part * (until_x - from_x))
                    if here != zone:
                        found.append(Rest(identity, zone, since_us, at_us))
                        zone, since_us = here, at_us
            found.append(Rest(identity, zone, since_us, way[-1][0]))
        return found

    def stays(self) -> dict[str, list[Rest]]:
        """Each tag's true rests that are no mere going through, in order of time."""
        found: dict[str, list[Rest]] = {}
        for rest in self.truth():
            if rest.until_us - rest.from_us >= self.shortest_us:
                found.setdefault(rest.identity, []).append(rest)
        return found

    def reads(self) -> list[Read]:
        """All that is heard, in order of receipt."""
        found = []
        for identity, way in self.ways.items():
            found += self._reads_of(identity, way)
        return sorted(found, key=lambda read: (read.received_us, read.identity, read.antenna))

    def _reads_of(self, identity: str, way: list[tuple[int, float]]) -> list[Read]:
        dice = stream(self.seed, "rooms", identity)
        slow = [dice.gauss(0.0, self.radio.slow_db) for _ in self.zones]
        bodies = [
            {slot for slot in range(self.end_us // (10 * SECOND) + 1) if dice.random() < share}
            for share in [self.radio.body_share] * len(self.zones)
        ]
        found = []
        at_us = way[0][0] + int(dice.random() * self.radio.every_us)
        leg = 0
        while at_us < way[-1][0]:
            while way[leg + 1][0] <= at_us:
                leg += 1
            (from_us, from_x), (until_us, until_x) = way[leg], way[leg + 1]
            x = from_x + (at_us - from_us) / (until_us - from_us) * (until_x - from_x)
            for number in range(len(self.zones)):
                loss = self.radio.body_db if at_us // (10 * SECOND) in bodies[number] else 0.0
                dbm = self._signal(dice, number, x) + slow[number] - loss
                if dbm > self.radio.floor_dbm and dice.random() < self.radio.rate:
                    found.append(_read(identity, number + 1, at_us + number * 1_000, dbm))
            at_us += self.radio.every_us
        return found

    def _signal(self, dice: Random, number: int, x: float) -> float:
        radio = self.radio
        away = math.hypot(x - number * self.spacing, 1.5)
        walls = abs(self.zone_at(x) - number)
        law = 10.0 * radio.exponent * math.log10(max(away, 0.3))
        return radio.at_metre_dbm - law - walls * radio.wall_db - dice.uniform(*radio.fast_db)


def _read(identity: str, antenna: int, at_us: int, dbm: float) -> Read:
    return Read(
        identity=identity,
        device=DEVICE,
        antenna=antenna,
        first_us=START_US + at_us,
        last_us=START_US + at_us,
        received_us=START_US + at_us + REPORT_US,
        count=1,
        rssi_cdbm=round(dbm) * 100,
    )


RFID = Radio(
    at_metre_dbm=-42.0,
    exponent=2.2,
    wall_db=0.0,
    slow_db=3.0,
    fast_db=(0.0, 9.0),
    body_db=0.0,
    body_share=0.0,
    rate=0.65,
    floor_dbm=-72.0,
    every_us=300_000,
)
BLE = Radio(
    at_metre_dbm=-58.0,
    exponent=2.2,
    wall_db=4.0,
    slow_db=2.0,
    fast_db=(0.0, 15.0),
    body_db=8.0,
    body_share=0.25,
    rate=0.8,
    floor_dbm=-95.0,
    every_us=1_000_000,
)
SHELF = Radio(
    at_metre_dbm=-48.0,
    exponent=2.0,
    wall_db=0.0,
    slow_db=2.0,
    fast_db=(0.0, 6.0),
    body_db=0.0,
    body_share=0.0,
    rate=0.65,
    floor_dbm=-75.0,
    every_us=60 * SECOND,
)


def aisle(seed: int, carts: int = 12) -> Rooms:
    """Carts through three zones in a row, at 1 to 1.5 m/s."""
    parameters = ZoneParameters(memory_us=5 * SECOND, stronger_cdbm=300)
    scene = Rooms(seed, ("first", "middle", "last"), 6.0, RFID, parameters, 2 * SECOND)
    dice = stream(seed, "aisle")
    for number in range(carts):
        from_us = number * 30 * SECOND
        lasts_us = int(12.0 / dice.uniform(1.0, 1.5) * SECOND)
        rest_us = int(dice.uniform(4.0, 8.0) * SECOND)
        arrived_us = from_us + rest_us + lasts_us
        way = [(from_us, 0.0), (from_us + rest_us, 0.0), (arrived_us, 12.0)]
        scene.ways[_identity(number)] = [*way, (arrived_us + 8 * SECOND, 12.0)]
    return _closed(scene)


def shelves(seed: int, tags: int = 40, hours: float = 4.0) -> Rooms:
    """Goods on four shelves for hours; each fourth is once put on another one."""
    minutes = 60 * SECOND
    parameters = ZoneParameters(
        memory_us=40 * minutes, reads_min=3, stronger_cdbm=300, sighting_us_max=30 * minutes
    )
    scene = Rooms(
        seed, ("shelf-1", "shelf-2", "shelf-3", "shelf-4"), 2.5, SHELF, parameters, 600 * SECOND
    )
    dice = stream(seed, "shelves")
    end_us = int(hours * 3_600 * SECOND)
    for number in range(tags):
        zone = dice.randrange(4)
        x = zone * 2.5 + dice.uniform(-0.5, 0.5)
        way = [(0, x)]
        if number % 4 == 0:
            other = (zone + dice.choice((1, 2, 3))) % 4
            at_us = int(dice.uniform(0.3, 0.7) * end_us)
            way += [(at_us, x), (at_us + 20 * SECOND, other * 2.5 + dice.uniform(-0.5, 0.5))]
        scene.ways[_identity(number)] = [*way, (end_us, way[-1][1])]
    return _closed(scene)


def rooms(seed: int, badges: int = 8, minutes: int = 30) -> Rooms:
    """People with badges who stay in a room for minutes and go on to another."""
    parameters = ZoneParameters(
        memory_us=20 * SECOND, reads_min=3, stronger_cdbm=400, rssi_min_cdbm=-9_500
    )
    scene = Rooms(seed, ("office", "lab", "store"), 8.0, BLE, parameters, 60 * SECOND)
    dice = stream(seed, "rooms")
    for number in range(badges):
        at_us, zone = 0, dice.randrange(3)
        x = zone * 8.0
        way = [(at_us, x)]
        while at_us < minutes * 60 * SECOND:
            at_us += int(dice.uniform(120.0, 420.0) * SECOND)
            way.append((at_us, x))
            zone = (zone + dice.choice((1, 2))) % 3
            there = zone * 8.0 + dice.uniform(-2.0, 2.0)
            at_us += int(abs(there - x) / 1.2 * SECOND) + SECOND
            x = there
            way.append((at_us, x))
        scene.ways[f"ble:{number:04d}"] = [*way, (at_us + 60 * SECOND, x)]
    return _closed(scene)


SCENES: dict[str, Callable[[int], Rooms]] = {"aisle": aisle, "shelves": shelves, "rooms": rooms}


def _identity(number: int) -> str:
    return f"https://id.gs1.org/01/09506000134352/21/{number + 1}"


def _closed(scene: Rooms) -> Rooms:
    scene.end_us = max(way[-1][0] for way in scene.ways.values())
    return scene
