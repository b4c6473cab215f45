"""How people and trucks move: each function gives the way of one carrier past or through a gate."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from firmware_sim.core.tracks import SECOND, Way
from firmware_sim.parameters import ShiftParameters

FAR_INSIDE = -9.0
"""Where a carrier comes into sight or leaves it, inside: beyond every antenna's reach."""
FAR_OUTSIDE = 9.0
"""The same outside: in the trailer or the yard."""
LANE_JITTER = 0.3
"""How far off the lane's middle carriers move, at most."""
FORKLIFT_BODY = (3.0, 0.6)
"""Metres from the goods' middle to the truck's rear and to the goods' front."""
CART_BODY = (1.2, 0.5)
"""The same for a person with a cart."""


@dataclass(frozen=True, slots=True)
class Mover:
    """What moves, and how fast."""

    truck: bool
    speed: float
    """m/s."""

    @property
    def body(self) -> tuple[float, float]:
        """Rear and front, in metres from the goods' middle."""
        return FORKLIFT_BODY if self.truck else CART_BODY


def mover(dice: Random, shift: ShiftParameters, *, truck: bool) -> Mover:
    """A forklift or a walker with a speed of its own."""
    if truck:
        middle = shift.drive_slowest + 0.1 * (shift.drive_fastest - shift.drive_slowest)
        return Mover(True, dice.triangular(shift.drive_slowest, shift.drive_fastest, middle))
    return Mover(False, dice.uniform(shift.walk_slowest, shift.walk_fastest))


def body_of(mover_: Mover, *, outward: bool) -> tuple[float, float]:
    """The mover's reach towards inside and towards outside."""
    rear, front = mover_.body
    return (rear, front) if outward else (front, rear)


def through(
    dice: Random, start_us: int, lane_y: float, mover_: Mover, *, outward: bool, hesitate: bool
) -> Way:
    """Straight through the gate, perhaps after a moment's wait before it."""
    y = lane_y + dice.uniform(-LANE_JITTER, LANE_JITTER)
    first, last = (FAR_INSIDE, FAR_OUTSIDE) if outward else (FAR_OUTSIDE, FAR_INSIDE)
    xs = [first, last]
    waits = [0.0, 0.0]
    if hesitate:
        xs.insert(1, (-1.0 if outward else 1.0) * dice.uniform(1.8, 3.2))
        waits.insert(1, dice.uniform(1.0, 3.0))
    return _along(start_us, xs, waits, y, dice.uniform(-0.15, 0.15), mover_.speed)


def turned_back(dice: Random, start_us: int, lane_y: float, mover_: Mover, *, outward: bool) -> Way:
    """Into the gate, up to about its line, a moment's wait, and back."""
    y = lane_y + dice.uniform(-LANE_JITTER, LANE_JITTER)
    sign = 1.0 if outward else -1.0
    turn = sign * dice.uniform(-0.3, 0.6)
    far = FAR_INSIDE if outward else FAR_OUTSIDE
    waits = [0.0, dice.uniform(0.5, 2.5), 0.0]
    return _along(start_us, [far, turn, far], waits, y, 0.0, mover_.speed)


def out_and_in(dice: Random, start_us: int, lane_y: float, speed: float) -> tuple[Way, int]:
    """Out and in again within 5 s; also when it turns outside, UTC-less microseconds."""
    y = lane_y + dice.uniform(-LANE_JITTER, LANE_JITTER)
    pause = dice.uniform(0.2, 0.6)
    reach = min(3.6, speed * (4.8 - pause) / 2.0)
    way = _along(start_us, [FAR_INSIDE, reach, FAR_INSIDE], [0.0, pause, 0.0], y, 0.0, speed)
    return way, way.at_us[1]


def beside(dice: Random, start_us: int, lasts_us: int, x: float, y: float) -> Way:
    """At rest, but moved a little every now and then."""
    times, xs, ys = [start_us], [x], [y]
    end_us = start_us + lasts_us
    while True:
        rest_us = int(dice.uniform(20.0, 60.0) * SECOND)
        if times[-1] + rest_us + SECOND >= end_us:
            break
        times += [times[-1] + rest_us, times[-1] + rest_us + SECOND]
        xs += [xs[-1], x + dice.uniform(-0.4, 0.4)]
        ys += [ys[-1], y + dice.uniform(-0.4, 0.4)]
    return Way([*times, end_us], [*xs, xs[-1]], [*ys, ys[-1]])


def past(dice: Random, start_us: int, speed: float, x: float) -> Way:
    """Along the dock, past both doors, inside."""
    ends = [7.0, -10.0]
    if dice.random() < 0.5:  # noqa: PLR2004 - either way is as likely.
        ends.reverse()
    lasts_us = int(abs(ends[1] - ends[0]) / speed * SECOND)
    return Way([start_us, start_us + lasts_us], [x, x + dice.uniform(-0.3, 0.3)], ends)


def _along(
    start_us: int, xs: list[float], waits: list[float], y: float, drift: float, speed: float
) -> Way:
    """Along x from point to point at one speed, with a wait at each point."""
    at_us, places, across = [start_us], [xs[0]], [y]
    for index in range(1, len(xs)):
        leg_us = int(abs(xs[index] - xs[index - 1]) / speed * SECOND)
        at_us.append(at_us[-1] + max(leg_us, 1))
        places.append(xs[index])
        across.append(y + drift * index / (len(xs) - 1))
        if waits[index]:
            at_us.append(at_us[-1] + int(waits[index] * SECOND))
            places.append(xs[index])
            across.append(across[-1])
    return Way(at_us, places, across)
