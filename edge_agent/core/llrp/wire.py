"""Frames of LLRP: bytes as they arrive, in any cuts, to messages or rejects, and messages to bytes.

Three verbs, after h11: `receive_data` takes bytes (none means that the other side has closed),
`next_event` gives what they mean, `send` turns a message into bytes. Nothing here raises over
arriving bytes. A message that is framed well but holds nonsense is rejected alone; a header that is
nonsense loses the framing, and only a new connection finds it again.
"""

from typing import Final

import msgspec

from edge_agent.core.llrp.codec import Message, decode_body, encode_body
from edge_agent.core.llrp.layout import Malformed
from edge_agent.core.llrp.messages import RO_ACCESS_REPORT, VERSION_1_0_1, VERSION_1_1
from edge_agent.core.llrp.reports import Reject, ReportDecoder, TagReport

HEADER_BYTES: Final = 10
FRAME_BYTES_MAX: Final = 4 * 1024 * 1024
"""The longest message taken. Readers report a few hundred tags at once; what they held while we
were away, perhaps 50,000, still fits."""
COMPACT_BYTES: Final = 64 * 1024
"""How many used bytes may stand before the unread ones until they are dropped: moving costs."""

_VERSIONS: Final = (VERSION_1_0_1, VERSION_1_1)


class NeedData(msgspec.Struct, frozen=True):
    """Nothing to say before more bytes arrive."""


NEED_DATA: Final = NeedData()


class TagReports(msgspec.Struct, frozen=True):
    """The tag reports of one RO_ACCESS_REPORT that could be used, in order."""

    reports: list[TagReport]
    rejects: list[Reject]
    """What in the same message could not be used."""


class Ended(msgspec.Struct, frozen=True):
    """This connection says nothing more; why."""

    reason: str


WireEvent = Message | TagReports | Reject | Ended | NeedData


class Connection:
    """The frames of one TCP connection; a new connection needs a new object, free of old bytes."""

    def __init__(self, frame_bytes_max: int = FRAME_BYTES_MAX) -> None:
        self._frame_bytes_max = frame_bytes_max
        self._buffer = bytearray()
        self._start = 0
        self._closed = False
        self._ended: Ended | None = None
        self.report_decoder = ReportDecoder()

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the reader; empty bytes mean that it has closed.

        Drain `next_event` before the next call: only then is the memory bounded.
        """
        if self._ended is not None:
            return
        if not data:
            self._closed = True
        self._buffer += data

    def next_event(self) -> WireEvent:
        """Return the next message, reject or end; `NEED_DATA` when the bytes so far say no more."""
        if self._ended is not None:
            return self._ended
        available = len(self._buffer) - self._start
        if available >= HEADER_BYTES:
            header = int.from_bytes(self._buffer[self._start : self._start + 6], "big")
            length = header & 0xFFFFFFFF
            fault = self._header_fault(header >> 32, length)
            if fault:
                return self._lose_framing(fault, HEADER_BYTES)
            if available >= length:
                return self._take(length)
        if not self._closed:
            return NEED_DATA
        if available:
            return self._lose_framing("the connection ended in the middle of a message", available)
        self._ended = Ended("the reader closed the connection")
        return self._ended

    def send(self, message: Message) -> bytes:
        """Return a message as bytes."""
        body = encode_body(message)
        first = message.version << 10 | message.number
        length = HEADER_BYTES + len(body)
        return (
            first.to_bytes(2, "big")
            + length.to_bytes(4, "big")
            + message.id.to_bytes(4, "big")
            + body
        )

    def _header_fault(self, first: int, length: int) -> str:
        if first >> 13 or first >> 10 not in _VERSIONS:
            return f"no LLRP message starts with {first:#06x}"
        if length < HEADER_BYTES:
            return f"a message says that it has {length} bytes, less than its header"
        if length > self._frame_bytes_max:
            return f"a message says that it has {length} bytes, more than {self._frame_bytes_max}"
        return ""

    def _lose_framing(self, reason: str, octets: int) -> Reject:
        raw = bytes(self._buffer[self._start : self._start + octets])
        self._buffer.clear()
        self._start = 0
        self._ended = Ended(reason)
        return Reject(reason, raw)

    def _take(self, length: int) -> Message | TagReports | Reject:
        frame = bytes(self._buffer[self._start : self._start + length])
        self._start += length
        if self._start == len(self._buffer):
            self._buffer.clear()
            self._start = 0
        elif self._start >= COMPACT_BYTES:
            del self._buffer[: self._start]
            self._start = 0
        first = int.from_bytes(frame[:2], "big")
        number = first & 0x3FF
        body = frame[HEADER_BYTES:]
        if number == RO_ACCESS_REPORT:
            return TagReports(*self.report_decoder.decode(body))
        try:
            return decode_body(
                number, body, message_id=int.from_bytes(frame[6:10], "big"), version=first >> 10
            )
        except Malformed as error:
            return Reject(str(error), frame)
