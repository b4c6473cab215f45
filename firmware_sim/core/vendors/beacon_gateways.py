"""Messages of gateways that hear Bluetooth beacons: Minew JSON-LONG, Ruuvi Gateway."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from firmware_sim.core.vendors.wording import MILLION, as_json, time_text

IBEACON_FRONT = bytes.fromhex("1aff4c000215")
"""An iBeacon's structure, up to its UUID."""


class Advert(NamedTuple):
    """One advert that the gateway heard."""

    at_us: int
    """By the gateway's clock."""
    address: str
    rssi_dbm: int
    data: bytes


def minew(gateway: str, told_us: int, adverts: Iterable[Advert], *, raw: bool) -> bytes:
    """The gateway itself, then its adverts; iBeacons are taken apart unless `raw`."""
    elements: list[dict[str, object]] = [
        {
            "timestamp": time_text(told_us),
            "type": "Gateway",
            "mac": _plain(gateway),
            "gatewayFree": 89,
            "gatewayLoad": 0.03,
        }
    ]
    return as_json([*elements, *(_minew_advert(advert, raw=raw) for advert in adverts)])


def _minew_advert(advert: Advert, *, raw: bool) -> dict[str, object]:
    told: dict[str, object] = {"timestamp": time_text(advert.at_us)}
    at = advert.data.find(IBEACON_FRONT)
    if raw or at < 0:
        return told | {
            "type": "Unknown",
            "mac": _plain(advert.address),
            "bleName": "",
            "rssi": advert.rssi_dbm,
            "rawData": advert.data.hex().upper(),
        }
    body = advert.data[at + len(IBEACON_FRONT) :]
    return told | {
        "type": "iBeacon",
        "mac": _plain(advert.address),
        "bleName": "",
        "ibeaconUuid": body[:16].hex().upper(),
        "ibeaconMajor": int.from_bytes(body[16:18], "big"),
        "ibeaconMinor": int.from_bytes(body[18:20], "big"),
        "rssi": advert.rssi_dbm,
        "ibeaconTxPower": int.from_bytes(body[20:21], "big", signed=True),
        "battery": 0,
    }


def ruuvi(gateway: str, told_us: int, advert: Advert) -> bytes:
    """One advert. Times are whole seconds, written as text."""
    return as_json(
        {
            "gw_mac": gateway,
            "rssi": advert.rssi_dbm,
            "aoa": [],
            "gwts": str(told_us // MILLION),
            "ts": str(advert.at_us // MILLION),
            "data": advert.data.hex().upper(),
            "coords": "",
        }
    )


def ruuvi_state(*, online: bool) -> bytes:
    """On the topic `gw_status`; offline is the last will."""
    return as_json({"state": "online" if online else "offline"})


def _plain(address: str) -> str:
    return address.replace(":", "")
