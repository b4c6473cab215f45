"""One advert's payload: AD structures (length, type, data) one after another.

Any bytes give an advert. Structures of unknown types, and known ones with too few bytes, are kept
as they came; what follows a length that runs past the end is kept as `rest`. Structures may come in
any order and more than once (Bluetooth Core Specification, Supplement, part A).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from contracts.site_ble import ADVERT_BYTES_MAX, BASE_UUID

FLAGS = 0x01
UUIDS = {0x02: 2, 0x03: 2, 0x04: 4, 0x05: 4, 0x06: 16, 0x07: 16}
"""Lists of services: type to the bytes of one UUID."""
SHORT_NAME = 0x08
NAME = 0x09
TX_POWER = 0x0A
SERVICE_DATA = {0x16: 2, 0x20: 4, 0x21: 16}
"""Service data: type to the bytes of its UUID."""
MANUFACTURER = 0xFF
COMPANY_BYTES = 2


class Advert(NamedTuple):
    """What one advert says."""

    manufacturer: tuple[tuple[int, bytes], ...] = ()
    """Company id and the data behind it, one pair a structure."""
    service_data: tuple[tuple[str, bytes], ...] = ()
    """UUID (lower case, 128 bits) and the data behind it, one pair a structure."""
    services: tuple[str, ...] = ()
    """UUIDs of services that are offered."""
    name: str = ""
    """The complete name, else the shortened one."""
    tx_power_dbm: int | None = None
    """How strongly it says that it sends."""
    flags: int | None = None
    other: tuple[tuple[int, bytes], ...] = ()
    """Type and data of structures that were not understood."""
    rest: bytes = b""
    """From where the payload could not be followed any more."""


def advert_of(payload: bytes) -> Advert:
    """The advert in a payload. Never raises."""
    builder = _Builder()
    at = 0
    end = min(len(payload), ADVERT_BYTES_MAX)
    while at < end:
        length = payload[at]
        if length == 0:  # Nothing but padding may follow.
            break
        if at + 1 + length > end:
            break
        builder.take(payload[at + 1], payload[at + 2 : at + 1 + length])
        at += 1 + length
    rest = payload[at:]
    return builder.advert(rest if any(rest) else b"")


def advert_of_parts(
    *,
    manufacturer: Mapping[int, bytes],
    service_data: Mapping[str, bytes],
    services: Iterable[str] = (),
    name: str = "",
    tx_power_dbm: int | None = None,
) -> Advert:
    """The advert that a system's Bluetooth stack has taken apart already."""
    return Advert(
        manufacturer=tuple((company, bytes(data)) for company, data in manufacturer.items()),
        service_data=tuple((uuid.lower(), bytes(data)) for uuid, data in service_data.items()),
        services=tuple(uuid.lower() for uuid in services),
        name=name,
        tx_power_dbm=tx_power_dbm,
    )


def uuid_text(little_endian: bytes) -> str:
    """A UUID of 2, 4 or 16 bytes, as it is on the air, in the form of 128 bits."""
    digits = little_endian[::-1].hex()
    if len(little_endian) < 16:  # noqa: PLR2004 - a whole UUID.
        return f"{digits:0>8}{BASE_UUID}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


class _Builder:
    """Gathers structures."""

    def __init__(self) -> None:
        self._manufacturer: list[tuple[int, bytes]] = []
        self._service_data: list[tuple[str, bytes]] = []
        self._services: list[str] = []
        self._names: dict[int, str] = {}
        self._tx_power_dbm: int | None = None
        self._flags: int | None = None
        self._other: list[tuple[int, bytes]] = []

    def take(self, kind: int, data: bytes) -> None:
        if kind == MANUFACTURER and len(data) >= COMPANY_BYTES:
            company = int.from_bytes(data[:COMPANY_BYTES], "little")
            self._manufacturer.append((company, data[COMPANY_BYTES:]))
        elif kind in SERVICE_DATA and len(data) >= SERVICE_DATA[kind]:
            size = SERVICE_DATA[kind]
            self._service_data.append((uuid_text(data[:size]), data[size:]))
        elif kind in UUIDS and data and len(data) % UUIDS[kind] == 0:
            size = UUIDS[kind]
            self._services += [uuid_text(data[at : at + size]) for at in range(0, len(data), size)]
        elif kind in {SHORT_NAME, NAME}:
            self._names[kind] = data.decode("utf-8", "replace")
        elif kind == TX_POWER and len(data) == 1:
            self._tx_power_dbm = int.from_bytes(data, "big", signed=True)
        elif kind == FLAGS and data:
            self._flags = data[0]
        else:
            self._other.append((kind, data))

    def advert(self, rest: bytes) -> Advert:
        return Advert(
            manufacturer=tuple(self._manufacturer),
            service_data=tuple(self._service_data),
            services=tuple(self._services),
            name=self._names.get(NAME) or self._names.get(SHORT_NAME, ""),
            tx_power_dbm=self._tx_power_dbm,
            flags=self._flags,
            other=tuple(self._other),
            rest=rest,
        )
