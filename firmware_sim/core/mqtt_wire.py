"""The simulator's own MQTT 3.1.1: the packets of a client that publishes, as bytes.

A library would hide the bytes, and a link can only be cut in the middle of a message, or stand
still with its connection open, by whoever writes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE = 0x10, 0x20, 0x30, 0x40, 0x82
PING, DISCONNECT = b"\xc0\x00", b"\xe0\x00"
LEVEL = 4
LENGTH_BYTES_MAX = 4
REFUSED = {
    1: "the broker does not speak MQTT 3.1.1",
    2: "the broker refuses the client id",
    3: "the broker is not available",
    4: "wrong user name or password",
    5: "not allowed",
}
"""What a broker's CONNACK says."""


class NotMqttError(ValueError):
    """What came is no MQTT."""


class Packet(NamedTuple):
    """A packet that came."""

    kind: int
    """Its type in the upper four bits; the flags are gone."""
    body: bytes


class Will(NamedTuple):
    """What a broker says when a connection is lost."""

    topic: str
    payload: bytes
    retain: bool


def connect(
    client: str,
    *,
    keepalive_s: int,
    will: Will | None = None,
    username: str | None = None,
    password: str | None = None,
) -> bytes:
    """The first packet of a connection, with a clean session."""
    flags = 0x02
    parts = [_text(client)]
    if will is not None:
        flags |= 0x0C | (0x20 if will.retain else 0)
        parts += [_text(will.topic), _counted(will.payload)]
    if username is not None:
        flags |= 0x80
        parts.append(_text(username))
        if password is not None:
            flags |= 0x40
            parts.append(_text(password))
    head = _text("MQTT") + bytes([LEVEL, flags]) + keepalive_s.to_bytes(2, "big")
    return _packet(CONNECT, head + b"".join(parts))


def publish(topic: str, payload: bytes, *, number: int, retain: bool, again: bool = False) -> bytes:
    """A message at QoS 1; `number`, from 1, is what its acknowledgement names."""
    kind = PUBLISH | 0x02 | (0x01 if retain else 0) | (0x08 if again else 0)
    return _packet(kind, _text(topic) + number.to_bytes(2, "big") + payload)


def subscribe(topics: tuple[str, ...], *, number: int) -> bytes:
    """Ask for what comes on topics, at QoS 0: nothing is to be acknowledged then."""
    asked = b"".join(_text(topic) + b"\0" for topic in topics)
    return _packet(SUBSCRIBE, number.to_bytes(2, "big") + asked)


def published(packet: Packet) -> tuple[str, bytes]:
    """Topic and payload of a message at QoS 0. Raises NotMqttError."""
    length = int.from_bytes(packet.body[:2], "big")
    if len(packet.body) < 2 + length:
        raise NotMqttError("a message without its topic")
    return packet.body[2 : 2 + length].decode("utf-8", "replace"), packet.body[2 + length :]


def acknowledged(packet: Packet) -> int:
    """Which message a PUBACK acknowledges. Raises NotMqttError."""
    if len(packet.body) < 2:  # noqa: PLR2004 - the number.
        raise NotMqttError("an acknowledgement without a number")
    return int.from_bytes(packet.body[:2], "big")


class Packets:
    """Bytes from a broker, in any cuts, to packets."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive(self, data: bytes) -> Iterator[Packet]:
        """The packets that are whole by now. Raises NotMqttError."""
        self._buffer += data
        while (found := self._head()) is not None:
            start, length = found
            if len(self._buffer) < start + length:
                return
            kind = self._buffer[0] & 0xF0
            body = bytes(self._buffer[start : start + length])
            del self._buffer[: start + length]
            yield Packet(kind, body)

    def _head(self) -> tuple[int, int] | None:
        """Where the body of the next packet begins, and its length."""
        length = 0
        for place in range(LENGTH_BYTES_MAX):
            if len(self._buffer) < place + 2:
                return None
            byte = self._buffer[place + 1]
            length |= (byte & 0x7F) << 7 * place
            if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follows.
                return place + 2, length
        raise NotMqttError("a length of more than four bytes")


def _packet(kind: int, body: bytes) -> bytes:
    length, coded = len(body), bytearray()
    while True:
        length, rest = divmod(length, 0x80)
        coded.append(rest | (0x80 if length else 0))
        if not length:
            return bytes([kind]) + bytes(coded) + body


def _text(text: str) -> bytes:
    return _counted(text.encode())


def _counted(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data
