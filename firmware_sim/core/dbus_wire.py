"""D-Bus messages as far as a bus has to understand them: the header, not the body.

A bus routes by a message's header and writes the sender into it; bodies are passed on as they come.
Header fields are texts, object paths, signatures and numbers only. Little endian, which is what all
our clients write (D-Bus Specification 0.43, "Message Format").
"""

from __future__ import annotations

import struct
from typing import NamedTuple

FIXED_BYTES = 16
"""Up to the length of the header fields."""
MESSAGE_BYTES_MAX = 1 << 20
"""Far more than Bluetooth's objects take; the specification allows 128 MiB."""
LITTLE = 0x6C
VERSION = 1
CALL, RETURN, ERROR, SIGNAL = 1, 2, 3, 4
PATH, INTERFACE, MEMBER, ERROR_NAME, REPLY_SERIAL, DESTINATION, SENDER, SIGNATURE = range(1, 9)
NO_REPLY = 0x01
_TYPES = {1: "o", 2: "s", 3: "s", 4: "s", 5: "u", 6: "s", 7: "s", 8: "g", 9: "u"}

Value = str | int


class WireError(Exception):
    """These bytes are no D-Bus message that a bus of ours can pass on."""


class Message(NamedTuple):
    """One message."""

    kind: int
    serial: int
    fields: dict[int, Value]
    """Header fields by code."""
    body: bytes = b""
    flags: int = 0

    def text(self, code: int) -> str:
        """A header field that is a text; empty where it is missing."""
        value = self.fields.get(code, "")
        return value if isinstance(value, str) else ""

    def encode(self) -> bytes:
        """The message as it is on the wire."""
        fields = b""
        for code, value in sorted(self.fields.items()):
            fields += (
                bytes(-len(fields) % 8) + bytes([code]) + _variant(_TYPES[code], value, fields)
            )
        head = struct.pack(
            "<BBBBIII",
            LITTLE,
            self.kind,
            self.flags,
            VERSION,
            len(self.body),
            self.serial,
            len(fields),
        )
        return head + fields + bytes(-(len(head) + len(fields)) % 8) + self.body


def _variant(kind: str, value: Value, before: bytes) -> bytes:
    """A value with its signature; `before`: the fields so far, because values are aligned."""
    start = len(before) + -len(before) % 8 + 1
    lead = bytes([1]) + kind.encode() + b"\0"
    if kind == "g":
        text = str(value).encode()
        return lead + bytes([len(text)]) + text + b"\0"
    lead += bytes(-(start + len(lead)) % 4)
    if kind == "u":
        return lead + struct.pack("<I", value)
    text = str(value).encode()
    return lead + struct.pack("<I", len(text)) + text + b"\0"


def length_of(head: bytes) -> int:
    """How long the message is that begins with these 16 bytes. Raises WireError."""
    endian, _, _, version, body, _, fields = struct.unpack("<BBBBIII", head[:FIXED_BYTES])
    if endian != LITTLE or version != VERSION:
        raise WireError("not a little-endian D-Bus message")
    length = FIXED_BYTES + fields + -fields % 8 + body
    if length > MESSAGE_BYTES_MAX:
        raise WireError(f"a message of {length} bytes")
    return int(length)


def message_of(raw: bytes) -> Message:
    """A whole message. Raises WireError."""
    try:
        _, kind, flags, _, body, serial, size = struct.unpack("<BBBBIII", raw[:FIXED_BYTES])
        fields = {}
        at, end = FIXED_BYTES, FIXED_BYTES + size
        while at < end:
            at += -at % 8
            code = raw[at]
            value, at = _value(raw, at + 1)
            fields[code] = value
    except (struct.error, IndexError, UnicodeDecodeError, KeyError) as error:
        raise WireError(f"a header that cannot be read: {error}") from error
    start = end + -end % 8
    return Message(kind, serial, fields, raw[start : start + body], flags)


def _value(raw: bytes, at: int) -> tuple[Value, int]:
    kind = raw[at + 1 : at + 2].decode()
    at += 3
    if kind == "g":
        length = raw[at]
        return raw[at + 1 : at + 1 + length].decode(), at + length + 2
    at += -at % 4
    number = int(struct.unpack_from("<I", raw, at)[0])
    if kind == "u":
        return number, at + 4
    if kind not in {"s", "o"}:
        raise WireError(f"a header field of type {kind!r}")
    return raw[at + 4 : at + 4 + number].decode(), at + number + 5


def first_text(body: bytes) -> str:
    """The text that a body begins with; empty where it does not."""
    try:
        length = int(struct.unpack_from("<I", body)[0])
        return body[4 : 4 + length].decode()
    except (struct.error, UnicodeDecodeError):
        return ""


def texts(*values: str) -> bytes:
    """A body of texts."""
    body = b""
    for value in values:
        body += bytes(-len(body) % 4) + struct.pack("<I", len(value.encode()))
        body += value.encode() + b"\0"
    return body


def number(value: int) -> bytes:
    """A body of one number, or of one truth value."""
    return struct.pack("<I", value)
