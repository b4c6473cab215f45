"""What a beacon says of its own health: Eddystone's telemetry frame, version 0, not encrypted."""

from __future__ import annotations

from typing import NamedTuple

from edge_agent.core.ble.adverts import Advert
from edge_agent.core.ble.identities import EDDYSTONE

TELEMETRY = b"\x20\x00"
"""Frame type and version."""
TELEMETRY_BYTES = 14
NO_TEMPERATURE = -0x8000


class Telemetry(NamedTuple):
    """A beacon's own figures."""

    battery_mv: int | None
    """Millivolts; None where the beacon does not measure it."""
    temperature_c: float | None
    """Degrees Celsius, in steps of 1/256."""


def telemetry_of(advert: Advert) -> Telemetry | None:
    """The telemetry in an advert, if it carries any."""
    for uuid, data in advert.service_data:
        if uuid != EDDYSTONE or len(data) < TELEMETRY_BYTES or not data.startswith(TELEMETRY):
            continue
        battery_mv = int.from_bytes(data[2:4], "big")
        temperature = int.from_bytes(data[4:6], "big", signed=True)
        return Telemetry(
            battery_mv=battery_mv or None,
            temperature_c=None if temperature == NO_TEMPERATURE else temperature / 256,
        )
    return None
