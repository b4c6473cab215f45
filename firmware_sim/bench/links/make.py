"""The link that a kind of device has, made as somebody asked for it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from firmware_sim.bench.kinds import DeviceKind, Publisher, Source, Subscriber
from firmware_sim.bench.links.base import Ears, Link
from firmware_sim.bench.links.http import HttpLink
from firmware_sim.bench.links.mqtt import MqttLink, broker_address
from firmware_sim.bench.links.serial import SerialLink
from firmware_sim.bench.links.tcp_client import TcpClientLink
from firmware_sim.bench.links.tcp_server import TcpServerLink

HOST = "127.0.0.1"
BROKER = "mqtt://127.0.0.1:1883"
NEEDS: Mapping[str, frozenset[str]] = {
    "tcp_server": frozenset({"host", "port"}),
    "llrp": frozenset({"host", "port"}),
    "tcp_client": frozenset({"host", "port"}),
    "http": frozenset({"host", "port", "ca"}),
    "mqtt": frozenset({"mqtt", "ca"}),
    "serial": frozenset({"serial"}),
    "dbus": frozenset({"bus"}),
}
"""Link to the options that it has."""
LISTENS = frozenset({"tcp_server", "llrp"})
"""Links on which port 0 takes a free one."""


class Place(NamedTuple):
    """Where a device shall be; what its link does not have is ignored."""

    host: str = HOST
    port: int = 0
    """Where it listens, or, for one that connects, where its client listens."""
    mqtt: str = BROKER
    ca: str | None = None
    """File with the certificate of who signs the other side."""
    serial: Path | None = None
    """Where the link to the pseudo-terminal is made."""
    bus: Path | None = None
    """Folder of the D-Bus."""


def usual_serial(device: str) -> Path:
    """Where a device's serial port is if nobody says anything else: in the present folder."""
    return Path(f"{device}.tty")


def usual_bus(device: str) -> Path:
    """Where a device's D-Bus is; a socket's path must be short."""
    return Path(tempfile.gettempdir()) / f"firmware_sim-{device}.bus"


def make_link(
    kind: DeviceKind,
    place: Place,
    *,
    device: str,
    source: Source,
    ears: Ears,
    now_us: Callable[[], int],
) -> Link:
    """The link, closed yet. Raises LinkError."""
    match kind.link:
        case "tcp_server" | "llrp":
            return TcpServerLink(ears, place.host, place.port)
        case "tcp_client":
            return TcpClientLink(ears, place.host, place.port)
        case "http":
            return HttpLink(ears, place.host, place.port, authority=place.ca)
        case "serial":
            return SerialLink(ears, place.serial or usual_serial(device))
        case "dbus":
            from firmware_sim.bench.links.dbus import (  # noqa: PLC0415 - on Linux only.
                DbusLink,
            )

            return DbusLink(ears, place.bus or usual_bus(device))
        case "mqtt":
            return _mqtt(place, device=device, source=source, ears=ears, now_us=now_us)


def _mqtt(
    place: Place, *, device: str, source: Source, ears: Ears, now_us: Callable[[], int]
) -> MqttLink:
    broker = broker_address(place.mqtt, place.ca)
    client = f"firmware_sim-{device}"
    if not isinstance(source, Publisher):
        return MqttLink(ears, broker, client=client)
    return MqttLink(
        ears,
        broker,
        client=client,
        will=source.will,
        connected=lambda: source.connected(now_us()),
        topics=source.topics() if isinstance(source, Subscriber) else (),
        told=source.told if isinstance(source, Subscriber) else lambda *_: None,
    )
