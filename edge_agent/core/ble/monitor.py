"""What a passive scan asks the Bluetooth stack for: adverts that contain certain bytes."""

from __future__ import annotations

from typing import NamedTuple

from contracts.site_ble import BASE_UUID, BlePattern, BleTable
from edge_agent.core.ble.adverts import FLAGS, MANUFACTURER
from edge_agent.core.ble.identities import ALTBEACON, APPLE, IBEACON
from edge_agent.core.ble.telemetry import TELEMETRY

SERVICE_DATA_16 = 0x16
SERVICE_DATA_32 = 0x20
SERVICE_DATA_128 = 0x21
EDDYSTONE_16 = b"\xaa\xfe"
COMPANY_BYTES = 2
PATTERN_BYTES_MAX = 29
"""The stack takes no longer ones: what a legacy advert's structure can hold."""
USUAL_FLAGS = (0x02, 0x04, 0x05, 0x06, 0x1A)
"""A listed address can only be asked for as any advert that carries flags."""


class Wanted(NamedTuple):
    """An AD structure of this type has these bytes at this place."""

    at: int
    kind: int
    content: bytes


def wanted(table: BleTable) -> tuple[Wanted, ...]:
    """All that a table's adverts can look like, each once; empty where it wants none."""
    found: list[Wanted] = []
    if "ibeacon" in table.formats:
        found.append(Wanted(0, MANUFACTURER, APPLE.to_bytes(2, "little") + IBEACON))
    if "altbeacon" in table.formats:
        found.append(Wanted(COMPANY_BYTES, MANUFACTURER, ALTBEACON))
    if {"eddystone_uid", "eddystone_url"} & set(table.formats):
        found.append(Wanted(0, SERVICE_DATA_16, EDDYSTONE_16))
    elif found and table.battery_low_mv:
        found.append(Wanted(0, SERVICE_DATA_16, EDDYSTONE_16 + TELEMETRY))
    found += [_of_pattern(pattern) for pattern in table.patterns]
    if table.addresses:
        found += [Wanted(0, FLAGS, bytes([flags])) for flags in USUAL_FLAGS]
    return tuple(dict.fromkeys(found))


def _of_pattern(pattern: BlePattern) -> Wanted:
    """The beginning of its data: what stands further behind is looked at when it is heard."""
    prefix = pattern.prefix if pattern.prefix_at == 0 else b""
    if pattern.company is not None:
        content = pattern.company.to_bytes(2, "little") + prefix
        return Wanted(0, MANUFACTURER, content[:PATTERN_BYTES_MAX])
    assert pattern.service is not None
    whole = bytes.fromhex(pattern.service.replace("-", ""))
    kind, uuid = SERVICE_DATA_128, whole[::-1]
    if pattern.service.endswith(BASE_UUID):
        is_16 = whole.startswith(b"\x00\x00")
        kind, uuid = (
            (SERVICE_DATA_16, whole[2:4][::-1]) if is_16 else (SERVICE_DATA_32, whole[:4][::-1])
        )
    return Wanted(0, kind, (uuid + prefix)[:PATTERN_BYTES_MAX])
