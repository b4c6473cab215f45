"""A small LLRP client for tests: it sets a reader up and keeps what the reader says."""

import asyncio
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from firmware_sim.core.llrp_wire import Frame, Frames, MessageType, message, parameters, tlv

WAIT_S = 60.0
"""No answer takes longer than this on a loaded machine."""


@dataclass
class TagRead:
    """One TagReportData, decoded."""

    epc: bytes = b""
    antenna: int | None = None
    rssi: int | None = None
    first_us: int | None = None
    count: int | None = None


@dataclass
class LlrpClient:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    reads: list[TagRead] = field(default_factory=list)
    events: list[tuple[int, bytes]] = field(default_factory=list)
    keepalives: int = 0
    frames: Frames = field(default_factory=Frames)
    waiting: deque[Frame] = field(default_factory=deque)
    number: int = 0
    version: int = 1

    @classmethod
    async def connect(cls, port: int) -> "LlrpClient":
        """A connection to a reader on this machine."""
        reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), WAIT_S)
        return cls(reader, writer)

    async def next(self) -> Frame | None:
        """The next message, or None at the end."""
        while not self.waiting:
            data = await self.reader.read(65536)
            if not data:
                return None
            self.waiting.extend(self.frames.receive(data))
        frame = self.waiting.popleft()
        self.note(frame)
        return frame

    def note(self, frame: Frame) -> None:
        """Keep what the reader said by itself."""
        if frame.kind == MessageType.RO_ACCESS_REPORT:
            self.reads += [read_of(part.body) for part in parameters(frame.body)]
        elif frame.kind == MessageType.KEEPALIVE:
            self.keepalives += 1
            self.send(MessageType.KEEPALIVE_ACK)
        elif frame.kind == MessageType.READER_EVENT_NOTIFICATION:
            inside = parameters(parameters(frame.body)[0].body)
            self.events += [(part.kind, part.body) for part in inside[1:]]

    def send(self, kind: int, body: bytes = b"") -> None:
        """Send a message under a fresh id."""
        self.number += 1
        self.writer.write(message(self.version, kind, self.number, body))

    async def ask(self, kind: int, body: bytes = b"") -> Frame:
        """Send a request; its answer."""
        self.send(kind, body)
        number = self.number

        async def answer() -> Frame:
            while True:
                frame = await self.next()
                assert frame is not None, "the reader closed the connection"
                if frame.id == number and frame.kind not in (61, 62, 63):
                    return frame

        return await asyncio.wait_for(answer(), WAIT_S)

    async def listen(self, enough: Callable[[], object], wait_s: float = WAIT_S) -> None:
        """Take what comes until `enough()`; fails when it takes too long."""

        async def take() -> None:
            while not enough():
                assert await self.next() is not None, "the reader closed the connection"

        await asyncio.wait_for(take(), wait_s)

    async def set_up(self, **wishes: object) -> None:
        """Add, enable and so start a ROSpec."""
        assert status_of(await self.ask(MessageType.ADD_ROSPEC, rospec(**wishes))) == 0
        assert status_of(await self.ask(MessageType.ENABLE_ROSPEC, struct.pack(">I", 1))) == 0

    async def close(self) -> None:
        """Close the connection."""
        self.writer.close()
        await asyncio.wait_for(self.writer.wait_closed(), WAIT_S)


def status_of(frame: Frame) -> int:
    """The code of the LLRPStatus in an answer."""
    skip = 2 if frame.kind == MessageType.GET_SUPPORTED_VERSION_RESPONSE else 0
    found = parameters(frame.body, skip)[0]
    assert found.kind == 287
    return struct.unpack_from(">H", found.body)[0]


def read_of(body: bytes) -> TagRead:
    """A TagReportData."""
    read = TagRead()
    for part in parameters(body):
        if part.kind == 13:
            read.epc = part.body
        elif part.kind == 241:
            read.epc = part.body[2:]
        elif part.kind == 1:
            read.antenna = int.from_bytes(part.body, "big")
        elif part.kind == 6:
            read.rssi = int.from_bytes(part.body, "big", signed=True)
        elif part.kind in (2, 3):
            read.first_us = int.from_bytes(part.body, "big")
        elif part.kind == 8:
            read.count = int.from_bytes(part.body, "big")
    return read


def rospec(
    *,
    number: int = 1,
    antennas: tuple[int, ...] = (1, 2, 3, 4),
    power_index: int = 81,
    session: int = 0,
    start: int = 1,
    report: tuple[int, int] = (2, 1),
    content: int = 0x1780,
    seconds: float = 0.0,
) -> bytes:
    """A ROSpec parameter; `seconds` is the AISpec's duration, 0 for none."""
    boundary = tlv(178, tlv(179, bytes([start])), tlv(182, struct.pack(">BI", 0, 0)))
    antenna = tlv(
        222,
        struct.pack(">H", 0),
        tlv(224, struct.pack(">HHH", 1, 0, power_index)),
        tlv(330, b"\0", tlv(336, struct.pack(">BHI", session << 6, 64, 0))),
    )
    inventory = tlv(
        183,
        struct.pack(f">H{len(antennas)}H", len(antennas), *antennas),
        tlv(184, struct.pack(">BI", 1 if seconds else 0, int(seconds * 1000))),
        tlv(186, struct.pack(">HB", 1, 1), antenna),
    )
    selector = tlv(238, struct.pack(">H", content))
    reports = tlv(237, struct.pack(">BH", *report), selector)
    return tlv(177, struct.pack(">IBB", number, 0, 0), boundary, inventory, reports)
