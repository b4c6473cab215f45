"""Bluetooth beacons on the bench: what a radio, or a gateway that carries one, hears of them.

A frame of the kind `ble` is an HCI event as a radio gives it to its system; on the link `dbus` the
double of BlueZ takes it in. Makers' gateways wrap the same adverts in formats of their own, so the
beacons are here for all of them: `BeaconAdverts`.
"""

from __future__ import annotations

import heapq
import re
from typing import NamedTuple

from firmware_sim.bench.kinds import DeviceKind, Frame, Passing, Scene, Source
from firmware_sim.core import ble
from firmware_sim.core.dice import key_of, stream

BURST = 3
"""A passing beacon is heard so often ..."""
BURST_US = 200_000
"""... at this distance."""
TELEMETRY_EVERY = 10
"""Every so many bursts an Eddystone beacon tells its battery, too."""
PHONE_US = 1_000_000
"""Somebody's phone is heard this often: an advert that names nobody, from a changing address."""
PHONE = bytes.fromhex("100603191ec86ad4")
"""What a phone says of itself to its like."""
BENCH_UUID = "8d3f1b52-6c3e-4b0a-9a3e-0a2f5d1c7e90"
"""iBeacons that stand for things whose identity no beacon can carry."""
BENCH_COMPANY = 0xFFFF
"""The company id that is reserved for tests; its beacons say 0x0B and an id of 4 bytes."""
SIGNAL_SPREAD_DB = 3.0
PHONE_DBM = -70.0

_IBEACON = re.compile(r"ble:ibeacon:([0-9a-f-]{36}):(\d{1,5}):(\d{1,5})")
_EDDYSTONE = re.compile(r"ble:eddystone:([0-9a-f]{20}):([0-9a-f]{12})")
_URL = re.compile(r"ble:eddystone-url:(https?://[!-~]{1,16})")
_ALTBEACON = re.compile(r"ble:altbeacon:([0-9a-f]{40})")
_ADDRESS = re.compile(r"ble:address:((?:[0-9a-f]{2}:){5}[0-9a-f]{2})")
_BENCH = re.compile(r"ble:bench:([0-9a-f]{8})")


class Beacon(NamedTuple):
    """One beacon."""

    address: str
    data: bytes
    """Its advert."""


def beacon_of(identity: str) -> Beacon:
    """The beacon with an identity; what is none of ours becomes an iBeacon of the bench's own."""
    if found := _ADDRESS.fullmatch(identity):
        return Beacon(found[1].upper(), ble.flags() + ble.name("beacon"))
    key = key_of("beacon", identity)
    # The two highest bits of a random address say that it stays as it is.
    octets = bytes([0xC0 | key >> 40 & 0x3F]) + (key & 0xFF_FFFF_FFFF).to_bytes(5, "big")
    address = ":".join(f"{octet:02X}" for octet in octets)
    return Beacon(address, _data_of(identity, key))


def _data_of(identity: str, key: int) -> bytes:
    """What a beacon with an identity says."""
    if found := _IBEACON.fullmatch(identity):
        return ble.ibeacon(found[1], int(found[2]) & 0xFFFF, int(found[3]) & 0xFFFF)
    if found := _EDDYSTONE.fullmatch(identity):
        return ble.eddystone_uid(bytes.fromhex(found[1]), bytes.fromhex(found[2]))
    if found := _URL.fullmatch(identity):
        return ble.eddystone_url(found[1])
    if found := _ALTBEACON.fullmatch(identity):
        return ble.altbeacon(BENCH_COMPANY, bytes.fromhex(found[1]))
    if found := _BENCH.fullmatch(identity):
        return ble.flags() + ble.manufacturer(BENCH_COMPANY, b"\x0b" + bytes.fromhex(found[1]))
    return ble.ibeacon(BENCH_UUID, key >> 16 & 0xFFFF, key & 0xFFFF)


class HeardAdvert(NamedTuple):
    """One advert as a radio heard it."""

    at_us: int
    report: ble.Report


class BeaconAdverts:
    """What a radio hears of a scene: each passing is a burst of adverts, and a phone lies about."""

    def __init__(self, scene: Scene) -> None:
        # Dice of their own, so that nothing depends on how often the air is asked.
        self._beacon_dice = stream(scene.seed, scene.device, "beacons")
        self._phone_dice = stream(scene.seed, scene.device, "phones")
        self._waiting: list[tuple[int, int, int, ble.Report]] = []
        self._passings = scene.passings
        self._next = 0
        self._phones = 0
        self._start_us = scene.start_us
        self.is_deaf = False
        """The radio's antenna is lost."""

    def adverts(self, upto_us: int) -> list[HeardAdvert]:
        """All from the last call up to a domain time, in order."""
        while self._next < len(self._passings) and self._passings[self._next].at_us <= upto_us:
            self._burst(self._passings[self._next])
        while self._start_us + self._phones * PHONE_US <= upto_us:
            self._phone()
        found = []
        while self._waiting and self._waiting[0][0] <= upto_us:
            at_us, *_, report = heapq.heappop(self._waiting)
            if not self.is_deaf:
                found.append(HeardAdvert(at_us, report))
        return found

    def _burst(self, passing: Passing) -> None:
        beacon = beacon_of(passing.identity)
        self._next += 1
        saying = [beacon.data] * BURST
        if self._next % TELEMETRY_EVERY == 0 and passing.identity.startswith("ble:eddystone:"):
            count = self._next * BURST
            saying.append(ble.eddystone_tlm(2_900, 21.5, adverts=count, uptime_s=count / 10))
        for number, data in enumerate(saying):
            dbm = round(self._beacon_dice.gauss(passing.rssi_cdbm / 100, SIGNAL_SPREAD_DB))
            report = ble.Report(
                beacon.address, is_random=True, data=data, rssi_dbm=max(-120, min(20, dbm))
            )
            at_us = passing.at_us + number * BURST_US
            heapq.heappush(self._waiting, (at_us, self._next, number, report))

    def _phone(self) -> None:
        dice = self._phone_dice
        octets = [0x40 | dice.randrange(64), *(dice.randrange(256) for _ in range(5))]
        report = ble.Report(
            ":".join(f"{octet:02X}" for octet in octets),
            is_random=True,
            data=ble.flags(0x1A) + ble.manufacturer(ble.APPLE, PHONE),
            rssi_dbm=round(dice.gauss(PHONE_DBM, SIGNAL_SPREAD_DB)),
        )
        at_us = self._start_us + self._phones * PHONE_US
        heapq.heappush(self._waiting, (at_us, 0, self._phones, report))
        self._phones += 1


class RadioSource:
    """A Bluetooth radio: its frames are HCI events."""

    def __init__(self, scene: Scene) -> None:
        self._adverts = BeaconAdverts(scene)

    def frames(self, upto_us: int) -> list[Frame]:
        """All events up to a domain time."""
        return [Frame(at_us, report.encode()) for at_us, report in self._adverts.adverts(upto_us)]

    def fault(self, name: str, value: float) -> bool:
        """The radio's antenna can be lost; it has no clock to be wrong."""
        del value
        if name not in {"antenna_lost", "antenna_back"}:
            return False
        self._adverts.is_deaf = name == "antenna_lost"
        return True


def _radio(scene: Scene) -> Source:
    return RadioSource(scene)


SITE = """
[[devices]]
id = "{device}"
gateway = "bench"
kind = "ble"
location = "stage"
[devices.ble]
formats = ["ibeacon", "eddystone_uid", "eddystone_url", "altbeacon"]
[[devices.ble.patterns]]
name = "bench"
company = 0xFFFF
prefix = "0b"
id_at = 1
id_bytes = 4
"""

KINDS: tuple[DeviceKind, ...] = (
    DeviceKind(
        name="ble",
        format="iBeacon, Eddystone UID, URL and TLM, AltBeacon 1.0, through BlueZ 5.56 or later",
        link="dbus",
        source=_radio,
        site=SITE,
    ),
)
"""What this file offers."""
