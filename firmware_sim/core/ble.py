"""Bluetooth Low Energy adverts as beacons send them, and as a radio hands them on.

Formats: Apple's iBeacon, Google's Eddystone (UID, URL, TLM version 0), AltBeacon 1.0, and any
maker's manufacturer or service data. A radio hands an advert on as the HCI event *LE Advertising
Report* (Bluetooth Core Specification 5.4, volume 4, part E, 7.7.65.2), which is also what a capture
of a real radio holds.
"""

from __future__ import annotations

from typing import NamedTuple

LEGACY_BYTES_MAX = 31
"""What one advert holds."""
EDDYSTONE = 0xFEAA
APPLE = 0x004C
RSSI_UNKNOWN = 127
_HCI_EVENT = 0x04
_LE_META = 0x3E
_ADVERTISING_REPORT = 0x02
_NOT_CONNECTABLE = 0x03
_REPORT_BYTES_MIN = 15
"""A report of an advert without data."""
_URL_SCHEMES = ("http://www.", "https://www.", "http://", "https://")
_URL_ENDINGS = (".com", ".org", ".edu", ".net", ".info", ".biz", ".gov")


def structure(kind: int, data: bytes) -> bytes:
    """One AD structure."""
    return bytes([len(data) + 1, kind]) + data


def flags(value: int = 0x06) -> bytes:
    """Generally discoverable, no classic Bluetooth."""
    return structure(0x01, bytes([value]))


def name(text: str) -> bytes:
    """The complete local name."""
    return structure(0x09, text.encode())


def manufacturer(company: int, data: bytes) -> bytes:
    """A maker's own data."""
    return structure(0xFF, company.to_bytes(2, "little") + data)


def service_data(uuid_16: int, data: bytes) -> bytes:
    """Data of a service with a short UUID."""
    return structure(0x16, uuid_16.to_bytes(2, "little") + data)


def service_data_128(uuid: str, data: bytes) -> bytes:
    """Data of a service with a long UUID, written with hyphens."""
    return structure(0x21, bytes.fromhex(uuid.replace("-", ""))[::-1] + data)


def ibeacon(uuid: str, major: int, minor: int, power_dbm: int = -59) -> bytes:
    """An iBeacon's whole advert."""
    body = (
        bytes.fromhex(uuid.replace("-", "")) + major.to_bytes(2, "big") + minor.to_bytes(2, "big")
    )
    return flags() + manufacturer(APPLE, b"\x02\x15" + body + _signed(power_dbm))


def altbeacon(company: int, beacon_id: bytes, power_dbm: int = -59) -> bytes:
    """An AltBeacon's whole advert; the id has 20 bytes."""
    return flags() + manufacturer(company, b"\xbe\xac" + beacon_id + _signed(power_dbm) + b"\0")


def eddystone_uid(namespace: bytes, instance: bytes, power_dbm: int = -20) -> bytes:
    """Eddystone-UID: 10 bytes of namespace, 6 of instance."""
    return _eddystone(b"\x00" + _signed(power_dbm) + namespace + instance + b"\0\0")


def eddystone_url(url: str, power_dbm: int = -20) -> bytes:
    """Eddystone-URL, shortened as the format does. Raises ValueError for another scheme."""
    scheme = next((index for index, one in enumerate(_URL_SCHEMES) if url.startswith(one)), None)
    if scheme is None:
        raise ValueError(f"Eddystone knows no such scheme: {url}")
    rest = url[len(_URL_SCHEMES[scheme]) :]
    for index, ending in enumerate(_URL_ENDINGS):
        rest = rest.replace(f"{ending}/", chr(index))
        rest = rest.replace(ending, chr(index + len(_URL_ENDINGS)))
    return _eddystone(b"\x10" + _signed(power_dbm) + bytes([scheme]) + rest.encode("ascii"))


def eddystone_tlm(
    battery_mv: int, temperature_c: float, *, adverts: int = 0, uptime_s: float = 0.0
) -> bytes:
    """Eddystone-TLM: a beacon's battery and temperature."""
    temperature = round(temperature_c * 256).to_bytes(2, "big", signed=True)
    counters = adverts.to_bytes(4, "big") + round(uptime_s * 10).to_bytes(4, "big")
    return _eddystone(b"\x20\x00" + battery_mv.to_bytes(2, "big") + temperature + counters)


def _eddystone(frame: bytes) -> bytes:
    uuids = structure(0x03, EDDYSTONE.to_bytes(2, "little"))
    return flags() + uuids + service_data(EDDYSTONE, frame)


def _signed(value: int) -> bytes:
    return value.to_bytes(1, "big", signed=True)


class Report(NamedTuple):
    """One advert as a radio heard it."""

    address: str
    """Upper case, with colons."""
    is_random: bool
    """Whether the address is no registered one."""
    data: bytes
    """The advert's AD structures."""
    rssi_dbm: int

    def encode(self) -> bytes:
        """The HCI event."""
        parameters = (
            bytes([_ADVERTISING_REPORT, 1, _NOT_CONNECTABLE, int(self.is_random)])
            + bytes.fromhex(self.address.replace(":", ""))[::-1]
            + bytes([len(self.data)])
            + self.data
            + _signed(self.rssi_dbm)
        )
        return bytes([_HCI_EVENT, _LE_META, len(parameters)]) + parameters


def report_of(event: bytes) -> Report | None:
    """The report in an HCI event, None where it is another event or was cut."""
    head = bytes([_HCI_EVENT, _LE_META, max(0, len(event) - 3) & 0xFF, _ADVERTISING_REPORT, 1])
    if len(event) < _REPORT_BYTES_MIN or not event.startswith(head):
        return None
    length = event[13]
    if len(event) != _REPORT_BYTES_MIN + length:
        return None
    return Report(
        address=":".join(f"{byte:02X}" for byte in event[12:6:-1]),
        is_random=event[6] != 0,
        data=event[14 : 14 + length],
        rssi_dbm=int.from_bytes(event[-1:], "big", signed=True),
    )


def structures(data: bytes) -> list[tuple[int, bytes]]:
    """AD structures as the double of a Bluetooth stack takes them apart; a cut one ends it."""
    found = []
    at = 0
    while at < len(data) and data[at] and at + 1 + data[at] <= len(data):
        found.append((data[at + 1], data[at + 2 : at + 1 + data[at]]))
        at += 1 + data[at]
    return found
