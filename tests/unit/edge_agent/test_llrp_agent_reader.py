"""The client over real TCP: it comes back after every cut, silence and refusal, and says so."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from edge_agent.core.llrp.events import (
    AntennaChanged,
    ClockShown,
    GpiChanged,
    ReaderNoticed,
    Signal,
)
from edge_agent.core.llrp.reports import TagReport
from edge_agent.core.llrp.rospec import ReaderSettings
from edge_agent.devices.llrp_reader import LlrpReader, Reconnecting
from tests.unit.edge_agent.llrp_bytes import (
    answers,
    event,
    frame,
    greeting,
    report,
    split,
    status,
    tag_data,
)

PATIENCE_S = 90.0
SEED = 20260302
QUICK = Reconnecting(connect_timeout_s=1.0, wait_s_min=0.001, wait_s_max=0.002)
SETTINGS = ReaderSettings(keepalive_ms=5_000, step_timeout_s=2.0)
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """A sink that remembers, and lets a test wait for something."""

    def __init__(self) -> None:
        self.serials: list[int] = []
        self.rejects: list[tuple[str, bytes]] = []
        self.statuses: list[tuple[str, str]] = []
        self.signals: list[Signal] = []
        self.clocks: list[ClockShown] = []
        self.progress = 0
        self.received_wall_s = 0.0
        self.open = asyncio.Event()
        self.open.set()
        self._changed = asyncio.Condition()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def on_reports(self, reports: list[TagReport], received_wall_s: float) -> None:
        """Note the tags."""
        await self.open.wait()
        self.serials += [int.from_bytes(tag.epc[-4:], "big") for tag in reports]
        self.received_wall_s = received_wall_s
        await self._tell()

    async def on_reject(self, reason: str, raw: bytes) -> None:
        """Note the reject."""
        self.rejects.append((reason, raw))
        await self._tell()

    async def on_status(self, state: str, detail: str) -> None:
        """Note the status."""
        self.statuses.append((state, detail))
        await self._tell()

    async def on_signal(self, signal: Signal) -> None:
        """Note the signal."""
        self.signals.append(signal)
        await self._tell()

    async def on_clock(self, clock: ClockShown) -> None:
        """Note the reader's time."""
        self.clocks.append(clock)

    async def on_progress(self) -> None:
        """Count the message."""
        self.progress += 1
        await self._tell()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(condition)

    def said(self, state: str) -> list[str]:
        """The details of one state."""
        return [detail for told, detail in self.statuses if told == state]


@asynccontextmanager
async def reading(
    serve: Serve, *, asked: ReaderSettings = SETTINGS, again: Reconnecting = QUICK
) -> AsyncIterator[tuple[Listener, LlrpReader, asyncio.Task[None]]]:
    """Run a client against a server that is made of one function."""
    listener = Listener()
    connections: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    client = LlrpReader(
        host="127.0.0.1",
        port=server.sockets[0].getsockname()[1],
        settings=asked,
        sink=listener,
        dice=random.Random(SEED),
        reconnecting=again,
    )
    running = asyncio.create_task(client.run())
    try:
        yield listener, client, running
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def asked_by(reader: asyncio.StreamReader) -> bytes:
    """Return one message of the client."""
    header = await reader.readexactly(10)
    return header + await reader.readexactly(int.from_bytes(header[2:6], "big") - 10)


async def oblige(reader: asyncio.StreamReader, write: Callable[[bytes], None]) -> None:
    """Lead the client to reading."""
    data = greeting()
    while True:
        write(data)
        message = await asked_by(reader)
        if split(message)[0][1] == 64:
            return
        data = answers(message)


async def hang(reader: asyncio.StreamReader) -> None:
    """Say nothing until the client is gone."""
    while await reader.read(1000):
        pass


async def test_tags_are_read_and_progress_follows_each_message() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await oblige(reader, writer.write)
        writer.write(report(tag_data(1), tag_data(2)) + frame(62) + report(tag_data(3)))
        await hang(reader)

    async with reading(serve) as (listener, client, _):
        await listener.until(lambda: listener.serials == [1, 2, 3])
        # Greeting, eight answers, two reports and a keepalive.
        await listener.until(lambda: listener.progress == 12)
        assert [state for state, _ in listener.statuses] == ["connecting", "connecting", "reading"]
        assert listener.said("connecting")[1] == "LLRP 1.1, generic, firmware 5.1, 4 antennas"
        assert client.last_message_at is not None
        assert client.last_message_at >= listener.received_wall_s


async def test_the_client_reads_on_after_a_cut_at_every_byte() -> None:
    """Two connections for each byte of a conversation, cut there; then one that is let be.

    Two, because after a cut amid the version question the client does not ask it the next time.
    """
    tags = report(tag_data(1), tag_data(2))
    connections = 0
    finished = False

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections, finished
        if finished:
            await oblige(reader, writer.write)
            writer.write(report(tag_data(9)))
            await hang(reader)
        connections += 1
        left = (connections + 1) // 2

        def write(data: bytes) -> None:
            nonlocal left
            writer.write(data[:left])
            left -= len(data)
            if left < 0:
                raise ConnectionAbortedError

        await oblige(reader, write)
        write(tags)
        # This time nothing was cut off: the next connection is the last one.
        finished = True

    async with reading(serve) as (listener, *_):
        await listener.until(lambda: 9 in listener.serials)
        conversation = len(greeting()) + len(tags) + 7 * len(frame(13, status()))
        assert connections // 2 > conversation
        assert listener.serials == [1, 2, 9]
        cut = "the connection ended in the middle of a message"
        assert {reason for reason, _ in listener.rejects} == {cut}
        assert len(listener.said("retrying")) == connections


async def test_a_refusing_reader_is_asked_again_until_it_takes_us() -> None:
    refusals = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal refusals
        if refusals < 3:
            refusals += 1
            writer.write(greeting(2))
            return
        await oblige(reader, writer.write)
        await hang(reader)

    async with reading(serve) as (listener, *_):
        await listener.until(lambda: bool(listener.said("reading")))
        assert len(listener.said("refused")) == 3
        assert "another client is connected; trying again in" in listener.said("refused")[0]


async def test_a_half_open_link_is_given_up_and_made_anew() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await oblige(reader, writer.write)
        if connections > 1:
            writer.write(report(tag_data(5)))
        await hang(reader)

    asked = ReaderSettings(keepalive_ms=50, keepalives_missed_max=2)
    async with reading(serve, asked=asked) as (listener, *_):
        await listener.until(lambda: 5 in listener.serials)
        assert listener.said("silent")[0].startswith("the reader said nothing for 0.1 s")


async def test_a_reader_that_never_answers_a_step_is_given_up() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        if connections > 1:
            await oblige(reader, writer.write)
        await hang(reader)

    asked = ReaderSettings(step_timeout_s=0.1)
    async with reading(serve, asked=asked) as (listener, *_):
        await listener.until(lambda: bool(listener.said("reading")))
        assert listener.said("silent")[0].startswith(
            "the reader said nothing in time while greeting"
        )


async def test_a_reader_that_hangs_up_over_the_version_is_spoken_to_in_1_0_1() -> None:
    asked: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting())
        while True:
            message = await asked_by(reader)
            asked.append(split(message)[0][1])
            if asked[-1] == 46:
                return
            writer.write(answers(message))

    async with reading(serve) as (listener, *_):
        await listener.until(lambda: bool(listener.said("reading")))
        assert asked[:2] == [46, 1]
        assert "LLRP 1.0, generic, firmware 5.1, 4 antennas" in listener.said("connecting")


async def test_a_slow_reader_is_read_byte_by_byte() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = greeting()
        while True:
            for at in range(len(data)):
                writer.write(data[at : at + 1])
                await writer.drain()
                await asyncio.sleep(0)
            message = await asked_by(reader)
            data = answers(message) or report(tag_data(8))

    async with reading(serve) as (listener, *_):
        await listener.until(lambda: listener.serials == [8])
        assert listener.rejects == []


async def test_a_slow_sink_slows_the_reader_and_loses_nothing() -> None:
    count = 400  # 17 MB: more than the sockets of both sides hold.
    tags = report(*(tag_data(serial) for serial in range(1000)))
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await oblige(reader, writer.write)
        writer.transport.set_write_buffer_limits(high=1)
        for _ in range(count):
            writer.write(tags)
            await writer.drain()
            sent += 1
        await hang(reader)

    asked = ReaderSettings(keepalive_ms=100, keepalives_missed_max=2)
    async with reading(serve, asked=asked) as (listener, *_):
        listener.open.clear()
        await listener.until(lambda: bool(listener.said("reading")))
        before = -1
        async with asyncio.timeout(PATIENCE_S):
            while before != sent or not sent:
                before = sent
                # There is no event for "nothing more is sent". It is longer than the watchdog
                # waits: time in which the sink blocks is excused.
                await asyncio.sleep(0.5)
        assert sent < count
        listener.open.set()
        await listener.until(lambda: len(listener.serials) >= count * 1000)
        assert listener.serials == list(range(1000)) * count


async def test_garbage_is_rejected_and_a_new_connection_made() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        if connections == 1:
            writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
            await hang(reader)
        await oblige(reader, writer.write)
        await hang(reader)

    async with reading(serve) as (listener, *_):
        await listener.until(lambda: bool(listener.said("reading")))
        assert listener.rejects == [("no LLRP message starts with 0x5353", b"SSH-2.0-Op")]


async def test_signals_and_complaints_are_told() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await oblige(reader, writer.write)
        writer.write(event(248, b"\x00\x01\x80") + event(255, b"\x00\x00\x02"))
        writer.write(event(252, b"\x00\x03hot") + frame(100, status(401, "oh")))
        await hang(reader)

    async with reading(serve) as (listener, *_):
        await listener.until(lambda: len(listener.said("reading")) == 2)
        kinds = [type(signal) for signal in listener.signals]
        assert kinds == [GpiChanged, AntennaChanged, ReaderNoticed]
        assert listener.said("reading")[1].endswith("R_DeviceError, oh")


async def test_an_output_is_switched_or_the_reason_is_raised() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await oblige(reader, writer.write)
        for code in (0, 301):
            message = await asked_by(reader)
            writer.write(answers(message, {3: (13, status(code))}))
        await asked_by(reader)

    async with reading(serve) as (listener, client, _):
        with pytest.raises(ConnectionError):
            await client.set_output(1, on=True)
        await listener.until(lambda: bool(listener.said("reading")))
        await client.set_output(1, on=True)
        with pytest.raises(OSError, match="A_OutOfRange"):
            await client.set_output(9, on=True)
        with pytest.raises(OSError, match="connection ended"):
            await client.set_output(1, on=False)


async def test_a_stopped_client_says_goodbye() -> None:
    last: list[int] = []
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await oblige(reader, writer.write)
        with suppress(asyncio.IncompleteReadError):
            while True:
                last.append(split(await asked_by(reader))[0][1])
        gone.set()

    async with reading(serve) as (listener, _, running):
        await listener.until(lambda: bool(listener.said("reading")))
        running.cancel()
        async with asyncio.timeout(PATIENCE_S):
            await gone.wait()
        assert last == [14]


async def test_nobody_listening_is_told_and_tried_again() -> None:
    listener = Listener()
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    client = LlrpReader(
        host="127.0.0.1",
        port=port,
        settings=SETTINGS,
        sink=listener,
        dice=random.Random(SEED),
        reconnecting=QUICK,
    )
    running = asyncio.create_task(client.run())
    await listener.until(lambda: len(listener.said("retrying")) >= 2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert listener.said("retrying")[0].startswith("no connection: ")


def test_back_off_doubles_up_to_its_bound_with_jitter() -> None:
    again = Reconnecting(wait_s_min=0.5, wait_s_max=30.0)
    dice = random.Random(SEED)
    for failures in range(40):
        full = min(0.5 * 2.0**failures, 30.0)
        assert full / 2 <= again.wait_s(failures, dice) <= full
    assert again.wait_s(3, dice) != again.wait_s(3, dice)
