"""Scanners on the bench: a message a trigger, in their makers' ways, and signs of life between."""

from __future__ import annotations

import pytest

from contracts.site import SiteFile, read_site
from firmware_sim.bench.kinds import DeviceKind, Passing, Scene
from firmware_sim.bench.scanner_kinds import KINDS, ScannerSource
from firmware_sim.bench.site import SiteDevice, site_text
from firmware_sim.core.scanner_styles import STYLES

SECOND = 1_000_000
START = 1_772_416_800_000_000


def passing(at_s: float, code: str) -> Passing:
    at_us = START + round(at_s * SECOND)
    return Passing(at_us, "", b"", code, 0, -5_000)


def said(maker: str, *passings: Passing, upto_s: float = 11) -> list[tuple[float, bytes]]:
    source = ScannerSource(Scene("belt", 1, START, passings), STYLES[maker])
    frames = source.frames(START + SECOND) + source.frames(START + round(upto_s * SECOND))
    assert source.frames(START + round(upto_s * SECOND)) == []
    return [((frame.at_us - START) / SECOND, frame.payload) for frame in frames]


def test_what_comes_by_at_one_time_is_one_trigger() -> None:
    both = passing(1, "]C100A"), passing(1, "]d201B"), passing(2, "")
    assert said("generic", *both) == [
        (1, b"\x02]C100A\x03\r\n\x02]d201B\x03\r\n"),
        (2, b"\x02NOREAD\x03\r\n"),
    ]
    assert said("keyence", *both) == [(1, b"]C100A,]d201B\r"), (2, b"ERROR\r")]


def test_a_scanner_with_heartbeats_shows_life_between_and_after_what_comes_by() -> None:
    assert said("sick", passing(5, "A"), passing(7, "B")) == [
        (5, b"\x02A\x03"),
        (5, b"\x02HB\x03"),
        (7, b"\x02B\x03"),
        (10, b"\x02HB\x03"),
    ]


def test_a_scanner_has_no_clock_and_no_antennas_to_be_wrong() -> None:
    source = ScannerSource(Scene("belt", 1, START, ()), STYLES["generic"])
    assert not source.fault("clock_offset_s", 5)
    assert not source.fault("antenna_lost", 1)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kinds_example_is_a_right_site_file(kind: DeviceKind) -> None:
    text = site_text([SiteDevice(kind, "belt", "127.0.0.1", 2112, "/dev/ttyUSB0")])
    site = read_site(text)
    assert isinstance(site, SiteFile), site
    connection = {"tcp_server": "client", "tcp_client": "server", "serial": "serial"}[kind.link]
    assert site.devices[0].scanner.connection == connection
