"""LLRP on the wire, written for the reader's side: frames, parameters, statuses.

A message is 10 bytes of header (version and type, length, id) and parameters. A parameter is
either type-length-value or, for the small ones in tag reports, type-value of a fixed length.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

HEADER_BYTES = 10
FRAME_BYTES_MAX = 1_000_000
"""No client needs a longer message; a longer one is no LLRP."""
DEPTH_MAX = 12
"""Parameters nest no deeper in LLRP."""
TV_BYTES = {
    1: 2,
    2: 8,
    3: 8,
    4: 8,
    5: 8,
    6: 1,
    7: 2,
    8: 2,
    9: 4,
    10: 2,
    11: 2,
    12: 2,
    13: 12,
    14: 2,
    15: 2,
    16: 4,
    17: 2,
    18: 4,
    19: 2,
    20: 2,
}
"""Value bytes of the type-value parameters."""


class MessageType(IntEnum):
    """The messages that a reader knows or sends."""

    GET_READER_CAPABILITIES = 1
    GET_READER_CONFIG = 2
    SET_READER_CONFIG = 3
    CLOSE_CONNECTION_RESPONSE = 4
    GET_READER_CAPABILITIES_RESPONSE = 11
    GET_READER_CONFIG_RESPONSE = 12
    SET_READER_CONFIG_RESPONSE = 13
    CLOSE_CONNECTION = 14
    ADD_ROSPEC = 20
    DELETE_ROSPEC = 21
    START_ROSPEC = 22
    STOP_ROSPEC = 23
    ENABLE_ROSPEC = 24
    DISABLE_ROSPEC = 25
    GET_ROSPECS = 26
    DELETE_ACCESSSPEC = 41
    GET_ACCESSSPECS = 44
    GET_SUPPORTED_VERSION = 46
    SET_PROTOCOL_VERSION = 47
    GET_SUPPORTED_VERSION_RESPONSE = 56
    SET_PROTOCOL_VERSION_RESPONSE = 57
    GET_REPORT = 60
    RO_ACCESS_REPORT = 61
    KEEPALIVE = 62
    READER_EVENT_NOTIFICATION = 63
    ENABLE_EVENTS_AND_REPORTS = 64
    KEEPALIVE_ACK = 72
    CUSTOM_MESSAGE = 1023
    ERROR_MESSAGE = 100


class Kind(IntEnum):
    """The type-length-value parameters that this reader knows or sends."""

    UTC_TIMESTAMP = 128
    UPTIME = 129
    GENERAL_DEVICE_CAPABILITIES = 137
    RECEIVE_SENSITIVITY = 139
    PER_ANTENNA_AIR_PROTOCOL = 140
    GPIO_CAPABILITIES = 141
    LLRP_CAPABILITIES = 142
    REGULATORY_CAPABILITIES = 143
    UHF_BAND_CAPABILITIES = 144
    TRANSMIT_POWER_LEVEL = 145
    FREQUENCY_INFORMATION = 146
    FREQUENCY_HOP_TABLE = 147
    RO_SPEC = 177
    RO_BOUNDARY_SPEC = 178
    RO_SPEC_START_TRIGGER = 179
    PERIODIC_TRIGGER = 180
    GPI_TRIGGER = 181
    RO_SPEC_STOP_TRIGGER = 182
    AI_SPEC = 183
    AI_SPEC_STOP_TRIGGER = 184
    TAG_OBSERVATION_TRIGGER = 185
    INVENTORY_PARAMETER_SPEC = 186
    CONFIGURATION_STATE = 217
    IDENTIFICATION = 218
    GPO_WRITE_DATA = 219
    KEEPALIVE_SPEC = 220
    ANTENNA_PROPERTIES = 221
    ANTENNA_CONFIGURATION = 222
    RF_RECEIVER = 223
    RF_TRANSMITTER = 224
    GPI_PORT_CURRENT_STATE = 225
    EVENTS_AND_REPORTS = 226
    RO_REPORT_SPEC = 237
    TAG_REPORT_CONTENT_SELECTOR = 238
    ACCESS_REPORT_SPEC = 239
    TAG_REPORT_DATA = 240
    EPC_DATA = 241
    READER_EVENT_NOTIFICATION_SPEC = 244
    EVENT_NOTIFICATION_STATE = 245
    READER_EVENT_NOTIFICATION_DATA = 246
    GPI_EVENT = 248
    RO_SPEC_EVENT = 249
    REPORT_BUFFER_WARNING = 250
    REPORT_BUFFER_OVERFLOW = 251
    READER_EXCEPTION = 252
    ANTENNA_EVENT = 255
    CONNECTION_ATTEMPT_EVENT = 256
    LLRP_STATUS = 287
    LOOP_SPEC = 355
    CUSTOM = 1023
    C1G2_FILTER = 331
    C1G2_INVENTORY_MASK = 332
    C1G2_AWARE_FILTER_ACTION = 333
    C1G2_UNAWARE_FILTER_ACTION = 334
    C1G2_STATE_AWARE_SINGULATION = 337
    C1G2_LLRP_CAPABILITIES = 327
    C1G2_RF_MODE_TABLE = 328
    C1G2_RF_MODE = 329
    C1G2_INVENTORY_COMMAND = 330
    C1G2_RF_CONTROL = 335
    C1G2_SINGULATION_CONTROL = 336
    C1G2_EPC_MEMORY_SELECTOR = 348


class Status(IntEnum):
    """The statuses of LLRP that this reader gives."""

    SUCCESS = 0
    PARAMETER_ERROR = 100
    FIELD_ERROR = 101
    UNEXPECTED_PARAMETER = 102
    MISSING_PARAMETER = 103
    OVERFLOW_PARAMETER = 105
    UNKNOWN_PARAMETER = 107
    UNSUPPORTED_MESSAGE = 109
    UNSUPPORTED_VERSION = 110
    UNSUPPORTED_PARAMETER = 111
    UNEXPECTED_MESSAGE = 112
    INVALID_VALUE = 300
    OUT_OF_RANGE = 301


class Refused(Exception):  # noqa: N818 - it is what the reader says.
    """The client's message cannot be carried out; the status says why."""

    def __init__(self, status: Status, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class NotLlrp(Exception):  # noqa: N818 - it is what arrived.
    """These bytes are no LLRP; a reader closes the connection."""


class Frame(NamedTuple):
    """One message as it came."""

    version: int
    kind: int
    id: int
    body: bytes


class Parameter(NamedTuple):
    """One parameter as it came."""

    kind: int
    body: bytes


class Frames:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def receive(self, data: bytes) -> Iterator[Frame]:
        """The messages that are whole by now, one after the other. Raises NotLlrp."""
        self._bytes += data
        while len(self._bytes) >= HEADER_BYTES:
            head, length, number = struct.unpack_from(">HII", self._bytes)
            if not HEADER_BYTES <= length <= FRAME_BYTES_MAX:
                raise NotLlrp(f"a message of {length} bytes")
            if len(self._bytes) < length:
                break
            body = bytes(self._bytes[HEADER_BYTES:length])
            del self._bytes[:length]
            yield Frame(head >> 10 & 7, head & 0x3FF, number, body)


def message(version: int, kind: int, number: int, body: bytes = b"") -> bytes:
    """A message."""
    head = version << 10 | kind
    return struct.pack(">HII", head, HEADER_BYTES + len(body), number & 0xFFFF_FFFF) + body


def tlv(kind: int, *parts: bytes) -> bytes:
    """A type-length-value parameter."""
    body = b"".join(parts)
    return struct.pack(">HH", kind, 4 + len(body)) + body


def text(words: str) -> bytes:
    """A string with its length before it."""
    raw = words.encode()
    return struct.pack(">H", len(raw)) + raw


def status(code: Status, words: str = "") -> bytes:
    """LLRPStatus."""
    return tlv(Kind.LLRP_STATUS, struct.pack(">H", code), text(words))


def parameters(body: bytes, offset: int = 0) -> list[Parameter]:
    """The parameters in a body from an offset on. Raises Refused where they do not fit."""
    found = []
    while offset < len(body):
        first = body[offset]
        if first & 0x80:
            kind = first & 0x7F
            size = TV_BYTES.get(kind)
            if size is None:
                raise Refused(Status.UNKNOWN_PARAMETER, f"parameter type {kind} is unknown")
            start, end = offset + 1, offset + 1 + size
        else:
            if offset + 4 > len(body):
                raise Refused(Status.PARAMETER_ERROR, "a parameter is cut off")
            kind, length = struct.unpack_from(">HH", body, offset)
            kind &= 0x3FF
            start, end = offset + 4, offset + length
        if end < start or end > len(body):
            raise Refused(Status.PARAMETER_ERROR, f"parameter {kind} has a wrong length")
        found.append(Parameter(kind, body[start:end]))
        offset = end
    return found


def fields(layout: str, body: bytes, what: str, offset: int = 0) -> tuple[int, ...]:
    """Fixed fields at the head of a body. Raises Refused where it is too short."""
    try:
        values: tuple[int, ...] = struct.unpack_from(">" + layout, body, offset)
    except struct.error:
        raise Refused(Status.PARAMETER_ERROR, f"{what} is too short") from None
    return values
