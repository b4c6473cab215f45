"""Phase, Doppler shift and fine signal of a tag's answer, as readers of some makers tell them.

The phase turns once in half a wavelength of distance; the shift is what the way's change makes of
the carrier. Both follow from where the tag is, so that they agree with the truth.
"""

from __future__ import annotations

import math

from firmware_sim.core.dice import key_of
from firmware_sim.core.layout import Reader
from firmware_sim.core.llrp_reports import Air, Entry
from firmware_sim.core.radio import TAG_HEIGHT
from firmware_sim.core.tracks import SECOND

WAVELENGTH = 0.3257
"""Metres, at 920.6 MHz."""
STEP_US = 20_000
"""The speed is taken over so long."""
CDBM = 100


def air_of(entry: Entry, reader: Reader) -> Air:
    """What the answer told by one entry was like."""
    epc = entry.epc.hex()
    dice = key_of(epc, entry.antenna)
    fine = key_of(entry.last_us, epc) % CDBM - CDBM // 2
    here, then = _distance(entry, reader, 0), _distance(entry, reader, STEP_US)
    turns = 2.0 * here / WAVELENGTH + dice % 4096 / 4096
    speed = (then - here) * SECOND / STEP_US
    return Air(turns % 1.0, -2.0 * speed / WAVELENGTH, entry.rssi_dbm * CDBM + fine)


def _distance(entry: Entry, reader: Reader, later_us: int) -> float:
    """Metres from the antenna to the carrier's middle, 1 where there is none."""
    place = next((spot for spot in reader.antennas if spot.number == entry.antenna), None)
    if place is None:
        return 1.0
    x, y, _ = entry.carried.track.way.place(entry.last_us + later_us)
    return math.dist(place.position, (x, y, TAG_HEIGHT))
