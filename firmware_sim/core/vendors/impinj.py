"""Messages of an Impinj R700 with the IoT device interface, API 1.7."""

from __future__ import annotations

import base64

from firmware_sim.core.vendors.wording import as_json, time_text

NANOSECOND_DIGITS = 9
"""The reader writes fractions of a second to the nanosecond."""


def tag_inventory(
    epc: bytes,
    *,
    antenna: int,
    rssi_cdbm: int,
    seen_us: int,
    told_us: int,
    hostname: str = "",
    with_hex: bool = False,
    with_last_seen: bool = False,
    phase_degrees: float | None = None,
) -> bytes:
    """A tag event. As delivered: base64, neither host name, `lastSeenTime`, `epcHex` nor phase."""
    tag: dict[str, object] = {"epc": base64.b64encode(epc).decode()}
    if with_hex:
        tag["epcHex"] = epc.hex().upper()
    tag |= {
        "antennaPort": antenna,
        "transmitPowerCdbm": 3000,
        "peakRssiCdbm": rssi_cdbm,
        "frequency": 866_300,
    }
    if with_last_seen:
        tag["lastSeenTime"] = _time(seen_us)
    if phase_degrees is not None:
        tag["phaseAngle"] = phase_degrees
    return event("tagInventory", told_us, tag, hostname)


def antenna_event(antenna: int, told_us: int, *, connected: bool, hostname: str = "") -> bytes:
    """An antenna was plugged in or pulled."""
    kind = "antennaConnected" if connected else "antennaDisconnected"
    return event(kind, told_us, {"antennaPort": antenna, "antennaName": f"A{antenna}"}, hostname)


def inventory_status(status: str, told_us: int, hostname: str = "") -> bytes:
    """`running`, `idle` or `armed`."""
    return event("inventoryStatus", told_us, {"inventoryStatus": status}, hostname)


def overflow(purged: int, told_us: int, hostname: str = "") -> bytes:
    """The reader gave up events because nobody took them."""
    return event("overflow", told_us, {"eventsPurged": purged}, hostname)


def event(kind: str, told_us: int, content: dict[str, object], hostname: str = "") -> bytes:
    """The envelope: the content's field is named after the type."""
    head: dict[str, object] = {"hostname": hostname} if hostname else {}
    head |= {"eventType": kind, "timestamp": _time(told_us), f"{kind}Event": content}
    return as_json(head)


def _time(at_us: int) -> str:
    return time_text(at_us, digits=NANOSECOND_DIGITS)
