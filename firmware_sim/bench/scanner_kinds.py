"""Fixed scanners on the bench: by TCP both ways and by a serial port, as the big makers speak."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby

from firmware_sim.bench.kinds import DeviceKind, Frame, Link, Scene, Source
from firmware_sim.core.scanner_styles import STYLES, Style, heartbeat, message

SECOND = 1_000_000


class ScannerSource:
    """One scanner: a message for each trigger, and signs of life between."""

    def __init__(self, scene: Scene, style: Style) -> None:
        self._frames = _merged(_triggers(scene, style), _beats(scene, style))
        self._next: Frame | None = next(self._frames, None)

    def frames(self, upto_us: int) -> list[Frame]:
        """All that the scanner sends up to a domain time."""
        found = []
        while self._next is not None and self._next.at_us <= upto_us:
            found.append(self._next)
            self._next = next(self._frames, None)
        return found

    def fault(self, name: str, value: float) -> bool:
        """A scanner tells no time and has no antennas."""
        del name, value
        return False


def _triggers(scene: Scene, style: Style) -> Iterator[Frame]:
    """What lies under the scanner at one time is one trigger."""
    for at_us, together in groupby(scene.passings, key=lambda passing: passing.at_us):
        codes = [passing.code for passing in together if passing.code]
        yield Frame(at_us, message(codes, style))


def _beats(scene: Scene, style: Style) -> Iterator[Frame]:
    at_us = scene.start_us
    while style.heartbeat:
        at_us += style.heartbeat_s * SECOND
        yield Frame(at_us, heartbeat(style))


def _merged(triggers: Iterator[Frame], beats: Iterator[Frame]) -> Iterator[Frame]:
    """Both in order of time; beats never end."""
    beat = next(beats, None)
    for trigger in triggers:
        while beat is not None and beat.at_us < trigger.at_us:
            yield beat
            beat = next(beats, None)
        yield trigger
    while beat is not None:
        yield beat
        beat = next(beats, None)


def _source(maker: str) -> Callable[[Scene], Source]:
    return lambda scene: ScannerSource(scene, STYLES[maker])


_WAYS: dict[Link, str] = {
    "tcp_server": 'host = "{host}"\nport = {port}\n',
    "tcp_client": 'host = "{host}"\nport = {port}\n',
    "serial": "",
}
_CONNECTIONS: dict[Link, str] = {
    "tcp_server": "",
    "tcp_client": 'connection = "server"\n',
    "serial": 'connection = "serial"\nserial = "{serial}"\n',
}


def _kind(name: str, maker: str, link: Link, text: str, more: str = "") -> DeviceKind:
    site = (
        '[[devices]]\nid = "{device}"\ngateway = "bench"\nkind = "scanner"\n'
        + _WAYS[link]
        + 'location = "stage"\n[devices.scanner]\n'
        + _CONNECTIONS[link]
        + (f'maker = "{maker}"\n' if maker != "generic" else "")
        + more
    )
    return DeviceKind(name=name, format=text, link=link, source=_source(maker), site=site)


KINDS = (
    _kind("scanner", "generic", "tcp_server", "ASCII over TCP: STX code ETX CR LF, NOREAD"),
    _kind("scanner-client", "generic", "tcp_client", "ASCII over TCP, the scanner connects to us"),
    _kind("scanner-serial", "generic", "serial", "ASCII over a serial port, 9600 8N1"),
    _kind("scanner-cognex", "cognex", "tcp_server", "Cognex DataMan: code CR LF, No Read"),
    _kind("scanner-datalogic", "datalogic", "tcp_client", "Datalogic Matrix: STX code CR LF, CAN"),
    _kind("scanner-honeywell", "honeywell", "serial", "Honeywell: code CR, NR"),
    _kind(
        "scanner-keyence",
        "keyence",
        "tcp_server",
        "Keyence SR: code CR, several codes behind commas, ERROR",
        'separator = ","\n',
    ),
    _kind(
        "scanner-sick",
        "sick",
        "tcp_server",
        "SICK CLV and Lector: STX code ETX, several codes behind semicolons, NoRead, heartbeats",
        'separator = ";"\nheartbeat = "HB"\n',
    ),
    _kind("scanner-zebra", "zebra", "tcp_server", "Zebra FS and DS: code CR LF, NR"),
)
"""By the name that the bench takes."""
