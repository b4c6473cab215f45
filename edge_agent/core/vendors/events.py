"""What devices that publish by themselves say, whatever their maker's words are.

Times are the device's own, in microseconds since 1970 or since its start, None where it told none.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import msgspec

from edge_agent.core.ble.adverts import Advert


class TagSeen(NamedTuple):
    """A tag was read."""

    epc: bytes
    antenna: int = 0
    first_us: int | None = None
    last_us: int | None = None
    seen: int = 1
    """How often."""
    rssi_cdbm: int | None = None
    phase_cdeg: int | None = None


class CodeSeen(NamedTuple):
    """A code was scanned."""

    content: bytes
    at_us: int | None = None


class BeaconHeard(NamedTuple):
    """A gateway heard a Bluetooth advert."""

    advert: Advert
    address: str
    """Lower case, with colons."""
    rssi_dbm: int | None = None
    at_us: int | None = None


class InputChanged(NamedTuple):
    """A level at an input."""

    port: int
    high: bool
    at_us: int | None = None
    is_change: bool = True
    """False: it was told among other figures, and may have been so for long."""


class AntennaTold(NamedTuple):
    """An antenna is there, or is not; it may have been so for long."""

    antenna: int
    connected: bool


class StateTold(NamedTuple):
    """The device is there (`reading`), or is not (`silent`)."""

    state: str
    detail: str


class HealthTold(NamedTuple):
    """Figures of the device itself."""

    detail: str = ""
    """For a person; empty: as before."""
    temperature_c: float | None = None
    at_us: int | None = None


class Noticed(NamedTuple):
    """The device has something to complain of."""

    detail: str


class Alive(NamedTuple):
    """It showed that it lives, and nothing more."""


class Unusable(NamedTuple):
    """Bytes that mean nothing here, or tell of something lost."""

    reason: str
    raw: bytes


class Ask(NamedTuple):
    """Something is to be published, because the device waits for it."""

    topic: str
    payload: bytes


Event = (
    TagSeen
    | CodeSeen
    | BeaconHeard
    | InputChanged
    | AntennaTold
    | StateTold
    | HealthTold
    | Noticed
    | Alive
    | Unusable
    | Ask
)


class Decoder(Protocol):
    """One device's payloads to events."""

    def decode(self, topic: str, payload: bytes, at_us: int) -> list[Event]:
        """What a message says; never raises. `at_us`: domain time of its receipt."""
        ...


CENTI = 100
CIRCLE_CDEG = 36_000
NUMBER_MAX = 1_000_000_000
"""What no figure of a device passes."""
ANTENNA_MAX = 0xFFFF


def centi(value: float | None) -> int | None:
    """A figure in hundredths; None for what no device means."""
    if value is None or not -NUMBER_MAX < value < NUMBER_MAX:  # NaN is neither.
        return None
    return round(value * CENTI)


def phase(degrees: float | None) -> int | None:
    """A phase in 1/100 degrees, from 0 to below 36,000."""
    found = centi(degrees)
    return None if found is None else found % CIRCLE_CDEG


def hexadecimal(text: str) -> bytes | None:
    """Bytes written in hexadecimal, None where a text is not that."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None


UNTOLD = msgspec.Raw()
"""The part of a message that was not there. Such fields cannot be optional: msgspec would take
nothing but null then."""


def told(part: msgspec.Raw) -> bytes:
    """A part's bytes; empty where it was not there, or null."""
    found = bytes(part)
    return b"" if found == b"null" else found
