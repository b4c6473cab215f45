"""Where everything stands: two dock doors side by side, an inner gate, a conveyor.

- door-1, geometry *rows*: two antennas 1 m outside the line and two 1 m inside, turned a little
  away from each other, so the order in which they hear a tag carries its direction.
- door-2, geometry *facing*: two pairs that face each other in the plane of the door; order carries
  nothing; a photo-eye 0.8 m outside and one 0.8 m inside.
- gate-3, geometry *overhead*: two antennas above the way between bulk and staging.
- conveyor, geometry *line*: a scanner; everything moves from packing to staging.

`OTHER_READERS` furnish the same doors more poorly: door-1 has but two antennas, side by side on one
post, of which one looks a little outward and one a little inward; door-2 has no photo-eyes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from firmware_sim.core.radio import Antenna

DOOR_SPACING = 3.6
"""Metres between the middles of the doors."""
POST = 1.5
"""Metres from a door's middle to its antennas."""
ROW = 1.0
"""Metres from the gate's line to a row of antennas."""
TURN = math.radians(25.0)
"""How far the rows are turned away from each other."""
EYE = 0.8
"""Metres from the gate's line to a photo-eye."""
BESIDE = 0.3
"""Metres from the gate's line to each of two antennas side by side on one post."""
BESIDE_TURN = math.radians(35.0)
"""How far these are turned away from each other."""
LATERAL_HEIGHT = 1.3
OVERHEAD_HEIGHT = 2.8


@dataclass(frozen=True, slots=True)
class Reader:
    """One LLRP reader and the gate that it serves."""

    device: str
    gate: str
    floor: str
    lane_y: float
    geometry: str
    antennas: tuple[Antenna, ...]
    eyes: tuple[tuple[int, str, float], ...] = ()
    """Photo-eyes: input, side, x."""
    light: int | None = None
    """The output that the stack light is wired to."""
    name: str = ""
    """What the truth calls this kind of gate; empty: its geometry."""

    @property
    def kind(self) -> str:
        """What the truth calls this kind of gate."""
        return self.name or self.geometry


def _row(number: int, lane_y: float, outward: int, left: int) -> Antenna:
    side = "outer" if outward > 0 else "inner"
    position = (outward * ROW, lane_y + left * POST, LATERAL_HEIGHT)
    return Antenna(number, position, (outward * math.sin(TURN), -left * math.cos(TURN), 0.0), side)


def _beside(number: int, lane_y: float, outward: int) -> Antenna:
    side = "outer" if outward > 0 else "inner"
    facing = (outward * math.sin(BESIDE_TURN), -math.cos(BESIDE_TURN), 0.0)
    return Antenna(number, (outward * BESIDE, lane_y + POST, LATERAL_HEIGHT), facing, side)


def _facing(number: int, lane_y: float, left: int, along: float) -> Antenna:
    position = (along, lane_y + left * POST, LATERAL_HEIGHT)
    return Antenna(number, position, (0.0, -float(left), 0.0), "both")


DOOR_1 = Reader(
    device="door-1",
    gate="door-1",
    floor="dock",
    lane_y=0.0,
    geometry="rows",
    antennas=(_row(1, 0.0, 1, 1), _row(2, 0.0, 1, -1), _row(3, 0.0, -1, 1), _row(4, 0.0, -1, -1)),
    light=1,
)
DOOR_2 = Reader(
    device="door-2",
    gate="door-2",
    floor="dock",
    lane_y=-DOOR_SPACING,
    geometry="facing",
    antennas=(
        _facing(1, -DOOR_SPACING, 1, 0.1),
        _facing(2, -DOOR_SPACING, 1, -0.1),
        _facing(3, -DOOR_SPACING, -1, 0.1),
        _facing(4, -DOOR_SPACING, -1, -0.1),
    ),
    eyes=((1, "outer", EYE), (2, "inner", -EYE)),
    light=1,
)
GATE_3 = Reader(
    device="gate-3",
    gate="gate-3",
    floor="gate-3",
    lane_y=0.0,
    geometry="overhead",
    antennas=(
        Antenna(1, (0.25, 0.0, OVERHEAD_HEIGHT), (0.0, 0.0, -1.0), "both"),
        Antenna(2, (-0.25, 0.0, OVERHEAD_HEIGHT), (0.0, 0.0, -1.0), "both"),
    ),
)
READERS = (DOOR_1, DOOR_2, GATE_3)
SIDE_BY_SIDE = replace(
    DOOR_1, antennas=(_beside(1, 0.0, 1), _beside(2, 0.0, -1)), name="side by side"
)
FACING_ONLY = replace(DOOR_2, eyes=(), name="facing, no eyes")
OTHER_READERS = (SIDE_BY_SIDE, FACING_ONLY, GATE_3)
SCANNER = "conveyor"
LANES = {"door-1": DOOR_1.lane_y, "door-2": DOOR_2.lane_y, "gate-3": GATE_3.lane_y}


def reader_of(device: str) -> Reader:
    """A reader by its device id. Raises KeyError."""
    for reader in READERS:
        if reader.device == device:
            return reader
    raise KeyError(device)
