"""How strongly an antenna and a place hear each other, and how that flickers.

The link budget is free space plus antenna pattern plus fixed losses; slow fading and multipath
dips are two smooth random curves along the carrier's way, one offset per tag, passage and antenna,
so that they are as correlated as in a hall: a tag that rests in a dip stays in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from firmware_sim.core.dice import stream
from firmware_sim.core.tracks import CELL, CELLS_ACROSS
from firmware_sim.parameters import SignalParameters

CURVE = 4096
"""Points of the fading curves; a power of two."""
SLOW_STEP = 0.25
"""Metres per point of the slow curve: it changes over about a metre."""
DIP_STEP = 0.04
"""Metres per point of the dips: an eighth of the 0.33 m wavelength."""
SILENT_DB = -200.0
"""The gain of a place that is out of reach."""
LEAST_GAIN_DB = -62.0
"""A place with less gain than this is out of reach at any power."""
TAG_HEIGHT = 1.0
"""Metres above the floor at which tags move, in the middle."""
LANE_HALF_WIDTH = 1.8
"""Half the distance between door posts: beyond it lies the other door or the wall."""


@dataclass(frozen=True, slots=True)
class Antenna:
    """One antenna: where it hangs and where it looks."""

    number: int
    position: tuple[float, float, float]
    facing: tuple[float, float, float]
    side: str


class PathGains:
    """One-way gain from an antenna's port to each cell of the floor, worked out once per cell."""

    def __init__(self, antenna: Antenna, lane_y: float, signal: SignalParameters) -> None:
        self._antenna = antenna
        self._lane_y = lane_y
        self._signal = signal
        self.cells: dict[int, float] = {}

    def at(self, cell: int) -> float:
        """The gain in dB of a cell: `round(x / CELL) * CELLS_ACROSS + round(y / CELL)`."""
        half = CELLS_ACROSS // 2
        along = (cell + half) // CELLS_ACROSS
        across = cell - along * CELLS_ACROSS
        gain = self._gain(along * CELL, across * CELL)
        self.cells[cell] = gain
        return gain

    def _gain(self, x: float, y: float) -> float:
        signal = self._signal
        ax, ay, az = self._antenna.position
        dx, dy, dz = x - ax, y - ay, TAG_HEIGHT - az
        distance = max(0.3, math.sqrt(dx * dx + dy * dy + dz * dz))
        fx, fy, fz = self._antenna.facing
        cosine = (dx * fx + dy * fy + dz * fz) / distance
        angle = math.degrees(math.acos(max(-1.0, min(1.0, cosine))))
        pattern = min(12.0 * (angle / signal.beam_width_deg) ** 2, signal.front_to_back_db)
        gain = (
            signal.antenna_gain_db
            - signal.cable_loss_db
            - signal.tag_loss_db
            - pattern
            - signal.loss_at_metre_db
            - 10.0 * signal.distance_exponent * math.log10(distance)
        )
        if abs(y - self._lane_y) > LANE_HALF_WIDTH:
            gain -= signal.between_doors_loss_db
        return gain if gain > LEAST_GAIN_DB else SILENT_DB


def slow_curve(seed: int, deviation_db: float) -> list[float]:
    """Smooth noise of the given deviation, periodic, changing over about four points."""
    dice = stream(seed, "slow fading")
    raw = [dice.gauss(0.0, 1.0) for _ in range(CURVE)]
    smooth = []
    for index in range(CURVE):
        window = (raw[(index + step) % CURVE] for step in range(-3, 4))
        smooth.append(sum(window))
    mean = sum(smooth) / CURVE
    spread = math.sqrt(sum((value - mean) ** 2 for value in smooth) / CURVE)
    return [(value - mean) / spread * deviation_db for value in smooth]


def dip_curve(seed: int, signal: SignalParameters) -> list[float]:
    """Mostly 0, with dips about 0.15 m wide at random places."""
    dice = stream(seed, "dips")
    curve = [0.0] * CURVE
    width = 4
    for _ in range(int(CURVE * signal.dip_share / width)):
        middle = dice.randrange(CURVE)
        depth = dice.uniform(signal.dip_min_db, signal.dip_max_db)
        for step in range(-width, width + 1):
            place = (middle + step) % CURVE
            fallen = -depth * (1.0 - abs(step) / (width + 1))
            curve[place] = min(curve[place], fallen)
    return curve
