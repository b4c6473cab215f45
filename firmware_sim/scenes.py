"""Hard scenes at gates, each a small shift of its own: `Rehearsal(seed, shift=SCENES[name](seed))`.

- `parked`: goods stand beside a door for half an hour, while trucks pass it.
- `turning`: forklifts drive into a gate, turn round there and go back; some come again and pass.
- `next_door`: pallets pass one door while others wait or pass at the door 3.6 m beside it.
"""

from __future__ import annotations

from collections.abc import Callable

from firmware_sim.core.floor import Floor
from firmware_sim.core.goods import Goods, Tag
from firmware_sim.core.shift import TAIL_US, Shift
from firmware_sim.core.tracks import SECOND
from firmware_sim.parameters import DEFAULT, Scenario

UNITS = 600
"""Tagged units in a scene: more than any of them takes."""
PARKED_US = 1_800 * SECOND
PARKED_TAGS = 3
TRUCKS = 12
TRUCK_TAGS = 8
PAUSE_US = 40 * SECOND
"""Between two carriers at one door."""
DOORS = ("door-1", "door-2")


def parked(seed: int, scenario: Scenario = DEFAULT) -> Shift:
    """Half an hour beside each door, off its lane, while every few minutes a truck passes."""
    shift = _shift(seed, scenario)
    dice = shift.floor.dice("parked")
    for door, away in zip(DOORS, (1.0, -1.0), strict=True):
        tags = _units(shift, PARKED_TAGS)
        x, y = dice.uniform(-2.6, -1.2), away * dice.uniform(1.9, 3.2)
        shift.floor.rests(door, 0, PARKED_US, tags, x, y, "beside")
        for place in range(TRUCKS // 2):
            start_us = int((place + dice.uniform(0.2, 0.8)) * PARKED_US * 2 / TRUCKS)
            _through(shift, door, start_us, outward=place % 2 == 0)
    return _closed(shift)


def turning(seed: int, scenario: Scenario = DEFAULT) -> Shift:
    """Forklifts that turn round in the gate; every other one comes again and passes."""
    shift = _shift(seed, scenario)
    for door in DOORS:
        now_us = 5 * SECOND
        for place in range(TRUCKS):
            tags, outward = _units(shift, TRUCK_TAGS), place % 3 != 0
            now_us = shift.floor.turned_back(
                door, now_us, tags, outward=outward, truck=True, load=""
            )
            now_us += PAUSE_US
            if place % 2:
                _, now_us = shift.floor.through(
                    door, now_us, tags, outward=outward, truck=True, load=""
                )
                now_us += PAUSE_US
    return _closed(shift)


def next_door(seed: int, scenario: Scenario = DEFAULT) -> Shift:
    """Both doors at work at once: each hears the other's goods, passing and waiting."""
    shift = _shift(seed, scenario)
    dice = shift.floor.dice("next door")
    for place in range(TRUCKS):
        now_us = 10 * SECOND + place * (PAUSE_US + 20 * SECOND)
        here = DOORS[place % 2]
        there = DOORS[1 - place % 2]
        _through(shift, here, now_us, outward=place % 4 < 2)  # noqa: PLR2004 - two of four.
        if place % 3 == 0:
            later_us = now_us + int(dice.uniform(0.0, 2.0) * SECOND)
            _through(shift, there, later_us, outward=place % 2 == 0)
        elif place % 3 == 1:
            tags = _units(shift, TRUCK_TAGS)
            x, until_us = dice.uniform(-3.2, -2.0), now_us + 30 * SECOND
            shift.floor.rests(there, now_us - 5 * SECOND, until_us, tags, x, 0.0, "parked")
    return _closed(shift)


SCENES: dict[str, Callable[[int], Shift]] = {
    "parked": parked,
    "turning": turning,
    "next_door": next_door,
}


def _shift(seed: int, scenario: Scenario) -> Shift:
    goods = Goods(seed, UNITS, scenario.signal.sensitivity_spread_db)
    return Shift(seed, scenario, goods, Floor(seed, scenario))


def _units(shift: Shift, count: int) -> list[Tag]:
    return [shift.goods.unit() for _ in range(count)]


def _through(shift: Shift, door: str, start_us: int, *, outward: bool) -> None:
    tags = _units(shift, TRUCK_TAGS)
    shift.floor.through(door, start_us, tags, outward=outward, truck=True, load="")


def _closed(shift: Shift) -> Shift:
    shift.end_us = max(track.until_us for track in shift.tracks) + TAIL_US
    return shift
