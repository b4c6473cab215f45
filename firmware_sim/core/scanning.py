"""The conveyor's scanner: what each trigger gives, and how it looks on the wire."""

from __future__ import annotations

from typing import NamedTuple

from firmware_sim.core.dice import stream
from firmware_sim.core.scanner_styles import STYLES, message
from firmware_sim.core.shift import Scan, Shift
from firmware_sim.core.tracks import SECOND

GS1_128 = "]C1"
"""AIM identifier of GS1-128, on cases and pallets."""
GS1_DATA_MATRIX = "]d2"
"""AIM identifier of GS1 DataMatrix, on units."""
EMPTY_TRIGGER_SHARE = 0.01
"""Per code that passes: triggers by a hand or a strap, with nothing to read."""


class Trigger(NamedTuple):
    """The scanner was triggered; time in microseconds of the shift."""

    at_us: int
    scan: Scan | None
    """What lay on the conveyor; None for nothing."""
    code: str
    """The code with its AIM identifier; empty for none found."""


def triggers_of(shift: Shift) -> list[Trigger]:
    """All triggers of a shift, in order of time."""
    signal = shift.scenario.signal
    dice = stream(shift.seed, "scanner")
    found = []
    for scan in shift.scans:
        symbology = GS1_DATA_MATRIX if scan.tag.kind == "unit" else GS1_128
        code = symbology + scan.tag.label
        if dice.random() < signal.no_read_share:
            code = ""
        found.append(Trigger(scan.at_us, scan, code))
        if code and dice.random() < signal.double_read_share:
            found.append(Trigger(scan.at_us + 120_000, scan, code))
        if dice.random() < EMPTY_TRIGGER_SHARE:
            found.append(Trigger(scan.at_us + SECOND // 3, None, ""))
    return sorted(found, key=lambda trigger: trigger.at_us)


def line_of(code: str) -> bytes:
    """A trigger's line on the wire: STX, the code or NOREAD, ETX CR LF."""
    return message([code] if code else [], STYLES["generic"])
