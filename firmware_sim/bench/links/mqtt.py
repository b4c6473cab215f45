"""A device that publishes to an MQTT broker by itself, with its last will.

What the broker has not acknowledged is published again after the next connection, as readers with
a buffer of their own do.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from firmware_sim.bench.kinds import Frame
from firmware_sim.bench.links.base import Ears, LinkError
from firmware_sim.bench.links.tcp_client import TcpClientLink
from firmware_sim.core import mqtt_wire
from firmware_sim.core.mqtt_wire import NotMqttError, Packet, Packets, Will

KEEPALIVE_S = 15
UNACKNOWLEDGED_MAX = 1_000
"""Publications that are kept until the broker has them; the oldest go first."""
NUMBER_MAX = 0xFFFF
PORTS = {"mqtt": 1883, "mqtts": 8883}


class BrokerAddress(NamedTuple):
    """Where the broker is and who the device is to it."""

    host: str
    port: int
    username: str | None
    password: str | None
    tls: ssl.SSLContext | None


def broker_address(url: str, authority: str | None = None) -> BrokerAddress:
    """A broker from `mqtt://user:password@host:port` or `mqtts://...`. Raises LinkError.

    `authority` is a file with the certificate of who signs the broker, if not the system's.
    """
    problem = f"a broker is mqtt://host:port or mqtts://host:port, not {url!r}"
    try:
        address = urlsplit(url)
        port = address.port or PORTS.get(address.scheme)
    except ValueError as error:
        raise LinkError(problem) from error
    if port is None or not address.hostname:
        raise LinkError(problem)
    tls = None
    if address.scheme == "mqtts":
        try:
            tls = ssl.create_default_context(cafile=authority)
        except OSError as error:
            raise LinkError(f"{authority} cannot be read: {error.strerror or error}") from error
    return BrokerAddress(
        host=address.hostname,
        port=port,
        username=unquote(address.username) if address.username else None,
        password=unquote(address.password) if address.password else None,
        tls=tls,
    )


class MqttLink(TcpClientLink):
    """The device's connection to the broker."""

    def __init__(
        self,
        ears: Ears,
        broker: BrokerAddress,
        *,
        client: str,
        will: Callable[[], Frame | None] = lambda: None,
        connected: Callable[[], list[Frame]] = list,
        topics: tuple[str, ...] = (),
        told: Callable[[str, bytes], None] = lambda *_: None,
    ) -> None:
        """`will` and `connected` are asked before and after each connection.

        `told` gets what comes on `topics`.
        """
        super().__init__(ears, broker.host, broker.port, tls=broker.tls)
        self._broker = broker
        self._client = client
        self._will = will
        self._connected = connected
        self._topics = topics
        self._told = told
        self._packets = Packets()
        self._kept: dict[int, Frame] = {}
        self._number = 0
        self._at_broker = False
        self._pinging: asyncio.TimerHandle | None = None
        self._frozen = False

    @property
    def address(self) -> str:
        """The broker's URL, without who the device is to it."""
        return f"{'mqtts' if self._broker.tls else 'mqtt'}://{self.host}:{self.port}"

    def encode(self, frame: Frame) -> bytes:
        """A PUBLISH; it is remembered until the broker acknowledges it."""
        self._number = self._number % NUMBER_MAX + 1
        while len(self._kept) >= UNACKNOWLEDGED_MAX:
            del self._kept[next(iter(self._kept))]
        self._kept[self._number] = frame
        return mqtt_wire.publish(
            frame.topic, frame.payload, number=self._number, retain=frame.retain
        )

    def write(self, data: bytes, only: int | None = None) -> bool:
        """Say bytes once the broker has let the device in; what is encoded earlier comes then."""
        return self._at_broker and super().write(data, only)

    def began(self, number: int) -> None:
        """Ask the broker to be let in."""
        self._packets = Packets()
        self._at_broker = False
        will = self._will()
        super().write(
            mqtt_wire.connect(
                self._client,
                keepalive_s=KEEPALIVE_S,
                will=Will(will.topic, will.payload, will.retain) if will else None,
                username=self._broker.username,
                password=self._broker.password,
            ),
            number,
        )

    def took(self, number: int, data: bytes) -> None:
        """Understand what the broker says."""
        try:
            for packet in self._packets.receive(data):
                self._take(number, packet)
        except NotMqttError as error:
            self.state = f"no MQTT broker: {error}"
            super().cut()

    def _take(self, number: int, packet: Packet) -> None:
        if packet.kind == mqtt_wire.PUBACK:
            self._kept.pop(mqtt_wire.acknowledged(packet), None)
        elif packet.kind == mqtt_wire.PUBLISH:
            self._told(*mqtt_wire.published(packet))
        elif packet.kind == mqtt_wire.CONNACK:
            code = packet.body[1] if len(packet.body) > 1 else 0
            if code:
                self.state = mqtt_wire.REFUSED.get(code, f"refused with code {code}")
                super().cut()
                return
            self._at_broker = True
            super().began(number)
            if self._topics:
                self.write(mqtt_wire.subscribe(self._topics, number=NUMBER_MAX))
            again, self._kept = self._kept, {}
            for frame in [*self._connected(), *again.values()]:
                self.write(self.encode(frame))
            self._ping_later()

    def _ping_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._pinging = loop.call_later(KEEPALIVE_S / 2, self._ping)

    def _ping(self) -> None:
        if not self._frozen:
            self.write(mqtt_wire.PING)
        self._ping_later()

    def ended(self, number: int) -> None:
        """The broker is gone, or has sent the device away."""
        self._at_broker = False
        if self._pinging is not None:
            self._pinging.cancel()
            self._pinging = None
        super().ended(number)

    def freeze(self, *, frozen: bool) -> None:
        """A device that hangs shows no life either."""
        self._frozen = frozen
        super().freeze(frozen=frozen)

    def leaving(self) -> None:
        """Say goodbye, so that the broker does not tell the will."""
        self.write(mqtt_wire.DISCONNECT)
