"""The site file's table `[devices.ble]`: Bluetooth beacons that a radio or a gateway hears."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from contracts.site_base import Decibels, Name, Table

BASE_UUID = "-0000-1000-8000-00805f9b34fb"
"""What Bluetooth's short UUIDs stand before."""
ADVERT_BYTES_MAX = 1_650
"""The longest advert that Bluetooth 5 knows; most have 31 bytes."""
LISTED_MAX = 10_000
"""Entries of a list in the table: more than any radio meets."""
RESERVED = frozenset({"ibeacon", "eddystone", "eddystone-url", "altbeacon", "address"})
"""Names that identities of our own formats carry after `ble:`."""

BleFormat = Literal["ibeacon", "eddystone_uid", "eddystone_url", "altbeacon"]
TagKind = Literal["badge", "asset", "unit", "logistic_unit"]
"""Kinds of tag, as the vocabulary has them; a badge is a person's."""

_SHORT_UUID = re.compile(r"(?:0x)?([0-9a-f]{4}|[0-9a-f]{8})")
_LONG_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ADDRESS = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}|(?:[0-9a-f]{2}:){3,5}\*")


def long_uuid(written: str) -> str:
    """A UUID as it is compared: lower case, 128 bits. Raises ValueError."""
    text = written.lower()
    if short := _SHORT_UUID.fullmatch(text):
        return f"{short[1]:0>8}{BASE_UUID}"
    if _LONG_UUID.fullmatch(text):
        return text
    raise ValueError("must be a UUID such as feaa or 0000feaa-0000-1000-8000-00805f9b34fb")


def _uuid(value: object) -> object:
    return long_uuid(value) if isinstance(value, str) else value


def _bytes(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be bytes in hexadecimal, such as '0215'")  # noqa: TRY004
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise ValueError("must be bytes in hexadecimal, such as '0215'") from None


def _address(value: object) -> object:
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value.lower()):
        raise ValueError(
            "must be an address such as AC:23:3F:01:02:03 or its beginning, AC:23:3F:*"
        )
    return value.lower()


def _beginning(value: object) -> object:
    if isinstance(value, str) and "*" in value[:-1]:
        raise ValueError("may have a * only at its end")
    if isinstance(value, str) and not value.startswith("ble:"):
        raise ValueError("must be an identity such as ble:ibeacon:..., or its beginning and a *")
    return value


def _pattern_name(value: object) -> object:
    if isinstance(value, str) and value in RESERVED:
        raise ValueError("is the name of a format; take another")
    return value


Uuid = Annotated[str, BeforeValidator(_uuid)]
HexBytes = Annotated[bytes, BeforeValidator(_bytes), Field(max_length=ADVERT_BYTES_MAX)]
Address = Annotated[str, BeforeValidator(_address)]
"""Lower case, with colons; a `*` at the end stands for the rest."""
Matching = Annotated[str, Field(max_length=200), BeforeValidator(_beginning)]
"""An identity, or the beginning of identities with a `*` at the end."""
Offset = Annotated[int, Field(ge=0, lt=ADVERT_BYTES_MAX)]


class BlePattern(Table):
    """A maker's own format: which adverts it means and which of their bytes are the id.

    Bytes are counted from 0 behind the company id, or behind the service's UUID.
    """

    name: Annotated[Name, BeforeValidator(_pattern_name)]
    """The identity is `ble:{name}:{id in hexadecimal}`."""
    company: Annotated[int, Field(ge=0, le=0xFFFF)] | None = None
    """Manufacturer data of this company; either this or `service`."""
    service: Uuid | None = None
    """Service data of this UUID."""
    prefix: HexBytes = b""
    """The data has these bytes at `prefix_at`."""
    prefix_at: Offset = 0
    id_at: Offset
    """The id begins here ..."""
    id_bytes: Annotated[int, Field(ge=1, le=32)]
    """... and is so long."""


class BleTags(Table):
    """What kind of tag some beacons are."""

    match: Matching
    kind: TagKind


class BleTable(Table):
    """Which adverts count, and how."""

    adapter: Annotated[str, Field(pattern=r"^(hci\d{1,3})?$")] = ""
    """The radio, such as `hci0`; empty: the first that is switched on."""
    scan: Literal["auto", "passive", "active"] = "auto"
    """`passive` asks beacons for nothing; `auto`: passive where the system can, else active."""
    formats: Annotated[list[BleFormat], Field(max_length=8)] = [
        "ibeacon",
        "eddystone_uid",
        "altbeacon",
    ]
    """Formats that name a beacon, best first: a beacon that sends several has one identity."""
    patterns: Annotated[list[BlePattern], Field(max_length=64)] = []
    """Makers' own formats; they come after `formats`."""
    addresses: Annotated[list[Address], Field(max_length=LISTED_MAX)] = []
    """Beacons that are known by their address, which must be a fixed one; comes before all."""
    allow: Annotated[list[Matching], Field(max_length=LISTED_MAX)] = []
    """Identities that count; empty: all. Phones and other people's beacons stay out."""
    tags: Annotated[list[BleTags], Field(max_length=LISTED_MAX)] = []
    """Kinds of tag; the first that matches holds."""
    report_every_s: Annotated[float, Field(ge=0.1, le=60)] = 1.0
    """A beacon's adverts are pooled for so long into one read."""
    signal: Literal["upper", "mean", "strongest"] = "upper"
    """Of a read's adverts: the mean of the stronger half (dips of fading do not pull it down), the
    mean of all, or the strongest."""
    signal_offset_db: Decibels = 0.0
    """Added to what this radio tells: radios and their boxes differ by several dB."""
    battery_low_mv: Annotated[int, Field(ge=0, le=10_000)] = 2_200
    """A beacon whose telemetry tells less is complained of; 0: never."""
    silent_s_max: Annotated[float, Field(ge=0, le=86_400)] = 300.0
    """The scan is begun anew after so long without any advert; 0: never."""
    timeout_s: Annotated[float, Field(ge=0.5, le=120)] = 10.0
    """How long beginning and ending a scan may take."""
    retry_s_max: Annotated[float, Field(ge=0.1, le=3600)] = 30.0
    """The longest pause between two attempts."""


def matches(identity: str, pattern: str) -> bool:
    """Whether an identity is the one written, or begins as it is written before a `*`."""
    if pattern.endswith("*"):
        return identity.startswith(pattern[:-1])
    return identity == pattern


def kind_of_tag(identity: str, table: BleTable) -> TagKind | None:
    """What kind of tag a beacon is, where the table tells."""
    return next((one.kind for one in table.tags if matches(identity, one.match)), None)
