"""Beacons in rooms: what the radio of each room hears of a badge that walks among them.

Three square rooms in a row, a radio under each ceiling, walls between. A badge is worn on a chest:
whenever its wearer's body is between it and a radio, that radio hears it some 10 dB fainter. Slow
fading goes with the place, fast fading is new with every advert (three channels, moving people),
and adverts are lost by chance and the more the fainter they are. Results on it are simulated.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from firmware_sim.core.dice import stream

ROOMS = ("a", "b", "c")
SECOND = 1_000_000


class Air(NamedTuple):
    """What the rooms are like; lengths in metres, levels in dB."""

    room: float = 8.0
    height: float = 1.8
    """From the badge up to the radios."""
    level_at_metre_dbm: float = -60.0
    exponent: float = 2.2
    wall_db: float = 7.0
    body_db: float = 10.0
    """How much a body takes away, straight through it."""
    slow_db: float = 4.0
    """Standard deviation of slow fading, a pattern of the place ..."""
    slow_metres: float = 1.5
    """... that changes over so much way."""
    lost_share: float = 0.15
    """Of adverts, by collision and while the radio listens on another channel."""
    floor_dbm: float = -98.0
    """Half of the adverts at this level are lost, and nearly all 4 dB below it."""
    advert_s: float = 0.5
    offsets_db: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """How much more or less than the others the radio of each room tells."""


class Heard(NamedTuple):
    """One advert at one radio."""

    at_us: int
    room: str
    """Of the radio."""
    rssi_dbm: int


class Leg(NamedTuple):
    """A stay in a room, and when it begins, walking to it included."""

    since_us: int
    room: str


class Walk(NamedTuple):
    """A badge's way, as it was and as it was heard."""

    legs: tuple[Leg, ...]
    heard: tuple[Heard, ...]
    end_us: int

    def room_at(self, at_us: int) -> str:
        """Where the badge was."""
        return next((leg.room for leg in reversed(self.legs) if leg.since_us <= at_us), "")


def walk(seed: int, *, start_us: int, stays: int, stay_s: tuple[float, float], air: Air) -> Walk:
    """A walk from room to neighbouring room; the badge lingers and turns in each."""
    dice = stream(seed, "walk")
    fading = {room: _Pattern(seed, room, air) for room in ROOMS}
    legs: list[Leg] = []
    heard: list[Heard] = []
    now_s, index = 0.0, dice.randrange(3)
    x, y = (index + 0.5) * air.room, air.room / 2
    facing = 0.0
    for _ in range(stays):
        until_s = now_s + dice.uniform(*stay_s)
        goal_x = x
        while now_s < until_s or int(x // air.room) != index:
            if int(x // air.room) == index and (not legs or legs[-1].room != ROOMS[index]):
                legs.append(Leg(start_us + round(now_s * SECOND), ROOMS[index]))
            if dice.random() < air.advert_s / 6.0 or int(x // air.room) != index:
                # Somebody looks for another place in the room about every six seconds.
                goal_x = (index + dice.uniform(0.1, 0.9)) * air.room
                y = min(max(y + dice.uniform(-1.0, 1.0), 0.5), air.room - 0.5)
                facing = dice.uniform(-math.pi, math.pi)
            step = 1.2 * air.advert_s
            if abs(goal_x - x) > step:
                x += math.copysign(step, goal_x - x)
                facing = 0.0 if goal_x > x else math.pi
            for place, room in enumerate(ROOMS):
                dbm = _level(air, x, y, facing, place) + fading[room].at(x, y)
                dbm += _fast(dice.gauss(0.0, 1.0), dice.gauss(0.0, 1.0)) + air.offsets_db[place]
                kept = 1.0 / (1.0 + math.exp(air.floor_dbm - dbm))
                if dice.random() < kept * (1.0 - air.lost_share):
                    heard.append(Heard(start_us + round(now_s * SECOND), room, round(dbm)))
            now_s += air.advert_s * dice.uniform(0.98, 1.05)
        index = 1 if index != 1 else dice.choice((0, 2))
    return Walk(tuple(legs), tuple(heard), start_us + round(now_s * SECOND))


def _level(air: Air, x: float, y: float, facing: float, place: int) -> float:
    """The mean level at the radio of a room."""
    dx, dy = (place + 0.5) * air.room - x, air.room / 2 - y
    flat = math.hypot(dx, dy)
    distance = math.hypot(flat, air.height)
    walls = abs(int(x // air.room) - place)
    behind = max(0.0, -math.cos(math.atan2(dy, dx) - facing)) * flat / distance
    return (
        air.level_at_metre_dbm
        - 10.0 * air.exponent * math.log10(max(distance, 0.5))
        - air.wall_db * walls
        - air.body_db * behind
    )


def _fast(real: float, other: float) -> float:
    """Rician fading with as much direct as scattered power: dips go deep, peaks do not."""
    direct = 1.0
    power = ((direct + real * 0.707) ** 2 + (other * 0.707) ** 2) / 2.0
    return max(-25.0, 10.0 * math.log10(power)) if power > 0 else -25.0


class _Pattern:
    """Slow fading over the floor for one radio: a sum of waves, smooth and the same for ever."""

    def __init__(self, seed: int, room: str, air: Air) -> None:
        dice = stream(seed, room, "slow")
        self._waves = [
            (dice.uniform(-math.pi, math.pi), dice.uniform(0.5, 1.5), dice.uniform(0, 2 * math.pi))
            for _ in range(8)
        ]
        self._scale = air.slow_db * math.sqrt(2.0 / len(self._waves))
        self._metres = air.slow_metres

    def at(self, x: float, y: float) -> float:
        total = 0.0
        for angle, speed, phase in self._waves:
            way = x * math.cos(angle) + y * math.sin(angle)
            total += math.sin(way * speed * 2.0 * math.pi / (4.0 * self._metres) + phase)
        return total * self._scale
