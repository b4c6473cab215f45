"""The world around the agent in `benchmarks.agent`: readers that replay reports, and a broker.

    python -m benchmarks.agent_world --readers 64 --rate 500

A process of its own, as light as can be. Each reader speaks real LLRP: it greets, answers what it
is asked and then sends RO_ACCESS_REPORTs that were encoded before, with the times put in as they
leave. The broker takes MQTT 3.1.1 publications with QoS 1, acknowledges each, and tells twice a
second that the ledger has all that came. It prints its ports as one JSON line, and a line of
figures for every line that it is sent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import struct
import sys
import time
from functools import partial
from typing import cast

from msgspec.msgpack import Decoder

from contracts.codec import encode
from contracts.commands import Acknowledgement, AgentHealth
from contracts.reads import ReadBatch, SpooledBatch
from firmware_sim.core.llrp_answers import capabilities
from firmware_sim.core.llrp_antenna import Abilities
from firmware_sim.core.llrp_makers import MAKERS
from firmware_sim.core.llrp_wire import (
    Frames,
    Kind,
    MessageType,
    Status,
    message,
    status,
    tlv,
)

REPORT_S = 0.1
"""A reader reports this often."""
ANTENNAS = 4
REPORTS_KEPT = 10
"""So many different reports a reader replays."""
ACKNOWLEDGE_S = 0.5
LATENCIES_MAX = 2_000_000
KEEPALIVE_S = 5.0
CONNACK, PUBLISH, PUBACK, SUBACK = 2, 3, 4, 9
PINGRESP = b"\xd0\x00"


def report(reader: int, number: int, tags: int) -> tuple[bytearray, list[int]]:
    """A report and the offsets of each tag's first time; its last time is 9 bytes behind."""
    out = bytearray()
    stamps = []
    for place in range(tags):
        serial = (reader * REPORTS_KEPT + number) * tags + place
        fields = b"\x8d" + struct.pack(">QI", 0x3034257BF7194E40, serial)
        fields += b"\x81" + struct.pack(">H", 1 + place % ANTENNAS)
        fields += b"\x86" + struct.pack(">b", -45 - place % 25)
        stamps.append(10 + len(out) + 4 + len(fields) + 1)
        fields += b"\x82" + bytes(8) + b"\x84" + bytes(8)
        fields += b"\x88" + struct.pack(">H", 1)
        out += tlv(Kind.TAG_REPORT_DATA, fields)
    return bytearray(message(1, MessageType.RO_ACCESS_REPORT, 1, bytes(out))), stamps


class Reader(asyncio.Protocol):
    """One connection to one reader."""

    def __init__(self, number: int, rate: int) -> None:
        self.sent = 0
        self._number = number
        self._tags = max(1, round(rate * REPORT_S))
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        # uvloop's transports are asyncio's in all but name.
        self._transport = cast("asyncio.Transport", transport)
        moment = tlv(Kind.UTC_TIMESTAMP, struct.pack(">Q", time.time_ns() // 1000))
        event = tlv(Kind.CONNECTION_ATTEMPT_EVENT, bytes(2))
        data = tlv(Kind.READER_EVENT_NOTIFICATION_DATA, moment, event)
        self._transport.write(message(1, MessageType.READER_EVENT_NOTIFICATION, 0, data))

    def data_received(self, data: bytes) -> None:
        """Answer; begin to report once everything is set up."""
        assert self._transport is not None
        for frame in self._frames.receive(data):
            if frame.kind == MessageType.ENABLE_EVENTS_AND_REPORTS:
                self._task = asyncio.get_running_loop().create_task(self._replay())
            elif frame.kind == MessageType.GET_SUPPORTED_VERSION:
                body = status(Status.UNSUPPORTED_VERSION)
                self._transport.write(message(1, MessageType.ERROR_MESSAGE, frame.id, body))
            elif frame.kind != MessageType.KEEPALIVE_ACK:
                body = self._capabilities() if frame.kind == 1 else status(Status.SUCCESS)
                self._transport.write(message(1, frame.kind + 10, frame.id, body))

    def _capabilities(self) -> bytes:
        able = Abilities(tuple(range(1, ANTENNAS + 1)), 4, 1, 10.0, 30.0, maker=MAKERS["generic"])
        return capabilities(0, able, utc_clock=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop."""
        del exc
        if self._task is not None:
            self._task.cancel()

    async def _replay(self) -> None:
        reports = [report(self._number, each, self._tags) for each in range(REPORTS_KEPT)]
        due_s = time.monotonic() + self._number % 64 / 64 * REPORT_S
        keepalive_s = due_s + KEEPALIVE_S
        turn = 0
        assert self._transport is not None
        while True:
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            raw, stamps = reports[turn % REPORTS_KEPT]
            now_us = time.time_ns() // 1000
            for offset in stamps:
                struct.pack_into(">QBQ", raw, offset, now_us - 40_000, 0x84, now_us)
            self._transport.write(bytes(raw))
            self.sent += len(stamps)
            turn += 1
            due_s += REPORT_S
            if due_s > keepalive_s:
                keepalive_s += KEEPALIVE_S
                self._transport.write(message(1, MessageType.KEEPALIVE, turn))


class Broker(asyncio.Protocol):
    """The agent's connection to the broker, and what came over it."""

    latencies: list[int] = []  # noqa: RUF012 - one connection after the other adds to it.
    received = 0
    health: AgentHealth | None = None

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._spool = ""
        self._sequence = 0
        self._topic = ""
        self._spooled: Decoder[SpooledBatch] = Decoder(SpooledBatch)
        self._batches: Decoder[ReadBatch] = Decoder(ReadBatch)
        self._health: Decoder[AgentHealth] = Decoder(AgentHealth)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for its CONNECT."""
        # uvloop's transports are asyncio's in all but name.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take whole packets."""
        self._buffer += data
        while (packet := self._packet()) is not None:
            self._take(*packet)

    def _packet(self) -> tuple[int, bytes] | None:
        length, shift = 0, 0
        for place in range(1, 5):
            if place >= len(self._buffer):
                return None
            octet = self._buffer[place]
            length |= (octet & 0x7F) << shift
            shift += 7
            if not octet & 0x80:
                break
        end = place + 1 + length
        if len(self._buffer) < end:
            return None
        first, body = self._buffer[0], bytes(self._buffer[place + 1 : end])
        del self._buffer[:end]
        return first, body

    def _take(self, first: int, body: bytes) -> None:
        assert self._transport is not None
        match first >> 4:
            case 1:
                self._transport.write(bytes([CONNACK << 4, 2, 0, 0]))
                asyncio.get_running_loop().call_later(ACKNOWLEDGE_S, self._acknowledge)
            case 3:
                self._publication(first, body)
            case 8:
                topics = body.count(b"tallygate")
                self._transport.write(
                    bytes([SUBACK << 4, 2 + topics]) + body[:2] + bytes([1] * topics)
                )
            case 12:
                self._transport.write(PINGRESP)

    def _publication(self, first: int, body: bytes) -> None:
        assert self._transport is not None
        end = 2 + int.from_bytes(body[:2], "big")
        topic = body[2:end].decode()
        if first & 0x06:
            self._transport.write(bytes([PUBACK << 4, 2]) + body[end : end + 2])
            end += 2
        if topic.endswith("/health"):
            Broker.health = self._health.decode(body[end:])
        if not topic.endswith("/reads"):
            return
        now_us = time.time_ns() // 1000
        self._topic = topic.removesuffix("reads") + "ack"
        batch = self._spooled.decode(body[end:])
        if batch.sequence <= self._sequence:
            return
        self._spool, self._sequence = batch.spool, batch.sequence
        reads = self._batches.decode(batch.payload).reads
        Broker.received += len(reads)
        if len(Broker.latencies) < LATENCIES_MAX:
            Broker.latencies += [now_us - read.received_us for read in reads[::10]]

    def _acknowledge(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._spool:
            payload = encode(Acknowledgement(spool=self._spool, sequence=self._sequence))
            topic = self._topic.encode()
            body = struct.pack(">H", len(topic)) + topic + payload
            assert len(body) < 16_384
            length = bytes([len(body) & 0x7F | 0x80, len(body) >> 7])
            self._transport.write(bytes([PUBLISH << 4]) + length + body)
        asyncio.get_running_loop().call_later(ACKNOWLEDGE_S, self._acknowledge)


def figures(readers: list[Reader]) -> dict[str, object]:
    """What happened since the last time."""
    latencies, Broker.latencies = sorted(Broker.latencies), []
    health = Broker.health
    return {
        "sent": sum(reader.sent for reader in readers),
        "received": Broker.received,
        "p50_us": latencies[len(latencies) // 2] if latencies else None,
        "p99_us": latencies[len(latencies) * 99 // 100] if latencies else None,
        "spool_batches": health.spool_batches if health else None,
        "rejects": sum(device.rejects for device in health.devices) if health else None,
        "reading": sum(device.state == "reading" for device in health.devices) if health else 0,
    }


async def main(count: int, rate: int) -> None:
    """Serve until the input ends."""
    loop = asyncio.get_running_loop()
    readers: list[Reader] = []
    ports = []

    def connected(number: int) -> Reader:
        readers.append(Reader(number, rate))
        return readers[-1]

    for number in range(count):
        server = await loop.create_server(partial(connected, number), "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
    broker = await loop.create_server(Broker, "127.0.0.1", 0)
    line = {"readers": ports, "mqtt": broker.sockets[0].getsockname()[1]}
    print(json.dumps(line), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(figures(readers)), flush=True)


if __name__ == "__main__":
    import uvloop

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, required=True)
    parser.add_argument("--rate", type=int, required=True)
    options = parser.parse_args()
    uvloop.run(main(options.readers, options.rate))
