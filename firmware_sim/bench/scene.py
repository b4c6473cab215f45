"""What comes by a device on the bench: things with tags, labels or beacons, at their times.

The same seed gives the same scene. Pure: the time at which it begins is an argument.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from firmware_sim.bench.kinds import Passing, Scene
from firmware_sim.core import epc
from firmware_sim.core.dice import stream
from firmware_sim.core.goods import Goods, Tag
from firmware_sim.core.scanning import GS1_128, GS1_DATA_MATRIX

SECOND_US = 1_000_000
PASSINGS_MAX = 200_000
"""A scene of more would fill the memory; at 10 reads/s it lasts five hours and a half."""
PREFIX_DIGITS = 7
"""Of the GS1 company prefix in identities that somebody wrote, which do not tell it."""
SERIAL_BITS = 38
"""Of a numeric serial on a 96-bit tag."""
CASE_SHARE = 0.1
"""Of the things in a scene that nobody wrote: cases and pallets among the units."""
BEACON_UUID = "f7826da6-4fa2-4e98-8024-bc5b71e0893e"
"""Of the beacons in a scene that nobody wrote."""

_GTIN = re.compile(r"https://id\.gs1\.org/01/(\d{14})/21/(.{1,20})")
_SSCC = re.compile(r"https://id\.gs1\.org/00/(\d{18})")
_RAW = re.compile(r"raw:((?:[0-9a-f]{4}){1,31})")
_IBEACON = re.compile(r"ble:.{1,200}")


class Thing(NamedTuple):
    """What comes by, without its time."""

    identity: str
    epc: bytes
    code: str


class Traffic(NamedTuple):
    """What comes by a device where nobody wrote it down one by one."""

    things: int = 300
    """How many different ones; they come again and again."""
    rate_per_s: float = 10.0
    antennas: tuple[int, ...] = ()
    """They take turns; none: the device has no antennas."""
    rssi_cdbm: int = -5_800
    """The middle of what is heard, in 1/100 dBm."""
    spread_cdbm: int = 600
    """What is heard lies within this of the middle, nearly always."""
    no_read_share: float = 0.0
    """Of passings whose label cannot be read."""
    beacons: bool = False
    """Bluetooth beacons instead of tags and labels."""
    passings: int = PASSINGS_MAX
    """How many there are at the most."""
    seconds: float = 3_600.0
    """How long it goes on, in domain time."""


class UnknownIdentityError(ValueError):
    """An identity that no tag or label can carry; the message says what is allowed."""


def thing_of(identity: str) -> Thing:
    """The thing with an identity; empty: one without any. Raises UnknownIdentityError."""
    if not identity:
        return Thing("", b"", "")
    if found := _GTIN.fullmatch(identity):
        gtin, serial = found.groups()
        _check_digit(gtin, identity)
        code = f"{GS1_DATA_MATRIX}01{gtin}21{serial}"
        if serial.isdigit() and str(int(serial)) == serial and int(serial) < 1 << SERIAL_BITS:
            return Thing(identity, epc.sgtin_96(gtin, PREFIX_DIGITS, int(serial)), code)
        if not serial.isascii():
            raise UnknownIdentityError(f"{identity!r}: a serial has letters of ASCII only")
        return Thing(identity, epc.sgtin_198(gtin, PREFIX_DIGITS, serial), code)
    if found := _SSCC.fullmatch(identity):
        _check_digit(found[1], identity)
        return Thing(identity, epc.sscc_96(found[1], PREFIX_DIGITS), f"{GS1_128}00{found[1]}")
    if found := _RAW.fullmatch(identity):
        return Thing(identity, bytes.fromhex(found[1]), "")
    if _IBEACON.fullmatch(identity):
        return Thing(identity, b"", "")
    raise UnknownIdentityError(
        f"{identity!r} must be https://id.gs1.org/01/GTIN/21/SERIAL, https://id.gs1.org/00/SSCC,"
        " raw:HEX in whole 16-bit words, ble:..., or empty for a label that cannot be read"
    )


def scene_of(device: str, *, seed: int, start_us: int, traffic: Traffic) -> Scene:
    """A scene from the seed and the device's name alone."""
    dice = stream(seed, device, "scene")
    things = _beacons(traffic, seed) if traffic.beacons else _goods(traffic, seed)
    dice.shuffle(things)
    number = int(min(traffic.seconds * traffic.rate_per_s, traffic.passings, PASSINGS_MAX))
    step_us = SECOND_US / traffic.rate_per_s if traffic.rate_per_s else 0.0
    antennas = traffic.antennas or (0,)
    passings = []
    for place in range(number):
        thing = things[place % len(things)]
        no_read = traffic.no_read_share and dice.random() < traffic.no_read_share
        passings.append(
            Passing(
                at_us=start_us + int((place + dice.random() * 0.8) * step_us),
                identity=thing.identity,
                epc=thing.epc,
                code="" if no_read else thing.code,
                antenna=antennas[dice.randrange(len(antennas))],
                rssi_cdbm=round(dice.gauss(traffic.rssi_cdbm, traffic.spread_cdbm / 3)),
            )
        )
    return Scene(device=device, seed=seed, start_us=start_us, passings=tuple(passings))


def _goods(traffic: Traffic, seed: int) -> list[Thing]:
    """Units, and some cases and pallets."""
    goods = Goods(seed=seed, units_left=traffic.things, sensitivity_spread_db=0.0)
    cases = int(traffic.things * CASE_SHARE)
    tags = [goods.unit() for _ in range(traffic.things - cases)]
    tags += [goods.case(0).tag for _ in range(cases)]
    return [_thing(tag) for tag in tags]


def _thing(tag: Tag) -> Thing:
    symbology = GS1_DATA_MATRIX if tag.kind == "unit" else GS1_128
    return Thing(tag.identity, tag.epc, symbology + tag.label)


def _beacons(traffic: Traffic, seed: int) -> list[Thing]:
    return [
        Thing(f"ble:ibeacon:{BEACON_UUID}:{seed % 65_536}:{number + 1}", b"", "")
        for number in range(traffic.things)
    ]


def _check_digit(digits: str, identity: str) -> None:
    right = epc.check_digit(digits[:-1])
    if digits[-1] != right:
        raise UnknownIdentityError(
            f"{identity!r}: its check digit is {digits[-1]}, but must be {right}"
        )
