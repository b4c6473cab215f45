"""Who a beacon is: iBeacon, Eddystone, AltBeacon, makers' own formats, or a listed address.

An identity is what the beacon says of itself, never an address that was not listed: phones and
many beacons change theirs every few minutes. Nothing here is authenticated: whoever copies an
advert is taken for that beacon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import quote

from contracts.site_ble import BlePattern, BleTable, matches
from edge_agent.core.ble.adverts import Advert

EDDYSTONE = "0000feaa-0000-1000-8000-00805f9b34fb"
EDDYSTONE_UID = 0x00
EDDYSTONE_URL = 0x10
UID_BYTES = 18
"""Frame type, power, namespace (10), instance (6); two reserved bytes may follow."""
URL_SCHEMES = ("http://www.", "https://www.", "http://", "https://")
URL_ENDINGS = (".com", ".org", ".edu", ".net", ".info", ".biz", ".gov")
URL_BYTES_MIN = 4
"""Frame type, power, scheme and one character."""
URL_BYTES_MAX = 20
APPLE = 0x004C
IBEACON = b"\x02\x15"
IBEACON_BYTES = 23
"""Type, length, UUID (16), major, minor, power at a metre."""
ALTBEACON = b"\xbe\xac"
ALTBEACON_BYTES = 23
"""Code, id (20), power at a metre; a byte of the maker's own may follow."""

ADDRESS_RANK = -1
"""A listed address comes before every format."""


class Identified(NamedTuple):
    """A beacon that says who it is."""

    identity: str
    rank: int
    """Of several identities of one beacon the one with the lowest rank is its identity."""
    evidence: bytes
    """The bytes that say it: company id or UUID as on the air, and the data."""


def beacon_identity(advert: Advert, address: str, table: BleTable) -> str | None:
    """The identity of the beacon that sent an advert, None where it has none that counts."""
    found = identified(advert, address, table)
    return found.identity if found else None


def identified(advert: Advert, address: str, table: BleTable) -> Identified | None:
    """The same with what it rests on. Never raises."""
    for found in _candidates(advert, address.lower(), table):
        if not table.allow or any(matches(found.identity, one) for one in table.allow):
            return found
    return None


def _candidates(advert: Advert, address: str, table: BleTable) -> Iterator[Identified]:
    if any(matches(address, one) for one in table.addresses):
        evidence = address.encode()
        yield Identified(f"ble:address:{address}", ADDRESS_RANK, evidence)
    for rank, name in enumerate(table.formats):
        # In order, so that the order of structures on the air does not matter.
        for identity, evidence in sorted(FORMATS[name](advert)):
            yield Identified(identity, rank, evidence)
    for rank, pattern in enumerate(table.patterns, start=len(table.formats)):
        for identity, evidence in sorted(_by_pattern(advert, pattern)):
            yield Identified(identity, rank, evidence)


Found = Iterator[tuple[str, bytes]]


def _ibeacon(advert: Advert) -> Found:
    for company, data in advert.manufacturer:
        if company != APPLE or not data.startswith(IBEACON) or len(data) < IBEACON_BYTES:
            continue
        digits = data[2:18].hex()
        uuid = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        major, minor = int.from_bytes(data[18:20], "big"), int.from_bytes(data[20:22], "big")
        yield f"ble:ibeacon:{uuid}:{major}:{minor}", _of_company(company, data)


def _altbeacon(advert: Advert) -> Found:
    for company, data in advert.manufacturer:
        if data.startswith(ALTBEACON) and len(data) >= ALTBEACON_BYTES:
            yield f"ble:altbeacon:{data[2:22].hex()}", _of_company(company, data)


def _eddystone_uid(advert: Advert) -> Found:
    for uuid, data in advert.service_data:
        if uuid == EDDYSTONE and len(data) >= UID_BYTES and data[0] == EDDYSTONE_UID:
            yield f"ble:eddystone:{data[2:12].hex()}:{data[12:18].hex()}", _of_service(uuid, data)


def _eddystone_url(advert: Advert) -> Found:
    for uuid, data in advert.service_data:
        sized = URL_BYTES_MIN <= len(data) <= URL_BYTES_MAX
        if uuid == EDDYSTONE and sized and data[0] == EDDYSTONE_URL and (url := _url(data[2:])):
            yield f"ble:eddystone-url:{url}", _of_service(uuid, data)


def _url(coded: bytes) -> str:
    """A URL as Eddystone shortens it; empty where it is none."""
    if coded[0] >= len(URL_SCHEMES):
        return ""
    url = URL_SCHEMES[coded[0]]
    for byte in coded[1:]:
        if byte < 2 * len(URL_ENDINGS):
            url += URL_ENDINGS[byte % len(URL_ENDINGS)] + ("/" if byte < len(URL_ENDINGS) else "")
        elif 0x20 < byte < 0x7F:  # noqa: PLR2004 - what can be printed.
            url += chr(byte)
        else:
            return ""
    return quote(url, safe=":/?#[]@!$&'()*+,;=-._~%")


FORMATS: Mapping[str, Callable[[Advert], Found]] = {
    "ibeacon": _ibeacon,
    "eddystone_uid": _eddystone_uid,
    "eddystone_url": _eddystone_url,
    "altbeacon": _altbeacon,
}
"""By their names in the site file."""


def _by_pattern(advert: Advert, pattern: BlePattern) -> Found:
    if pattern.company is not None:
        pairs = [
            (data, _of_company(company, data))
            for company, data in advert.manufacturer
            if company == pattern.company
        ]
    else:
        pairs = [
            (data, _of_service(uuid, data))
            for uuid, data in advert.service_data
            if uuid == pattern.service
        ]
    for data, evidence in pairs:
        code = data[pattern.id_at : pattern.id_at + pattern.id_bytes]
        if len(code) == pattern.id_bytes and data.startswith(pattern.prefix, pattern.prefix_at):
            yield f"ble:{pattern.name}:{code.hex()}", evidence


def _of_company(company: int, data: bytes) -> bytes:
    return company.to_bytes(2, "little") + data


def _of_service(uuid: str, data: bytes) -> bytes:
    """The UUID as short as it is on the air, and the data."""
    whole = bytes.fromhex(uuid.replace("-", ""))
    short = uuid.endswith("-0000-1000-8000-00805f9b34fb") and uuid.startswith("0000")
    return (whole[2:4] if short else whole)[::-1] + data
