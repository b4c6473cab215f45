"""Records a real device: stands between it and its client, or listens to a broker."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path

from firmware_sim.bench.links.base import GOODBYE_S, LinkError
from firmware_sim.bench.links.mqtt import BrokerAddress
from firmware_sim.bench.links.serial import SerialLink
from firmware_sim.bench.recording import Piece, Recorder, What

CONNECT_S_MAX = 10.0
READ_BYTES = 65_536
QUEUED_MAX = 10_000
"""Messages of a broker that wait to be written."""
BAUD = 9_600

Told = Callable[[str], None]


def utc_us() -> int:
    """UTC now, in microseconds."""
    return time.time_ns() // 1000


class TcpRecorder:
    """A port through which clients reach a device; all that goes by is written down."""

    def __init__(self, recorder: Recorder, *, host: str, port: int, told: Told) -> None:
        """`host` and `port`: the device's."""
        self._recorder = recorder
        self._host = host
        self._port = port
        self._told = told
        self._last = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int) -> int:
        """Open the port for clients; its number. Raises LinkError."""
        try:
            self._server = await asyncio.start_server(self._serve, host, port)
        except OSError as error:
            reason = error.strerror or str(error)
            raise LinkError(f"cannot listen on {host}:{port}: {reason}") from error
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """End all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._last += 1
        number = self._last
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                from_device, to_device = await asyncio.open_connection(self._host, self._port)
        except OSError as error:
            self._told(f"no connection to {self._host}:{self._port}: {error.strerror or error}")
            writer.close()
            return
        self._note(number, "opened")
        self._told(f"connection {number} opened")
        try:
            with suppress(asyncio.CancelledError):
                await _first_of(
                    self._relay(number, "device", from_device, writer),
                    self._relay(number, "client", reader, to_device),
                )
        finally:
            self._note(number, "closed")
            self._told(f"connection {number} closed")
            for one in (writer, to_device):
                await _say_goodbye(one)

    async def _relay(
        self,
        number: int,
        what: What,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(READ_BYTES):
                self._note(number, what, data)
                writer.write(data)
                await writer.drain()

    def _note(self, number: int, what: What, data: bytes = b"") -> None:
        self._recorder.note(Piece(utc_us(), number, what, data))


class SerialRecorder:
    """A pseudo-terminal through which a client reaches a device on a serial port."""

    def __init__(self, recorder: Recorder, *, device: Path, client: Path, baud: int = BAUD) -> None:
        """`device`: the real port; `client`: where the client's end is made."""
        self._recorder = recorder
        self._path = device
        self._baud = baud
        self._number = -1
        self._link = SerialLink(self, client)

    async def open(self) -> str:
        """Open both ends; where the client's is. Raises LinkError."""
        self._number = _open_serial(self._path, self._baud)
        await self._link.open()
        return self._link.address

    async def run(self) -> None:
        """Pass on and write down until cancelled."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._number, self._from_device)
        try:
            await self._link.run()
        finally:
            loop.remove_reader(self._number)

    async def close(self) -> None:
        """Close both ends."""
        await self._link.close()
        if self._number >= 0:
            os.close(self._number)

    def _from_device(self) -> None:
        with suppress(BlockingIOError):
            data = os.read(self._number, READ_BYTES)
            if not data:
                asyncio.get_running_loop().remove_reader(self._number)
                return
            self._recorder.note(Piece(utc_us(), 1, "device", data))
            self._link.write(data)

    def came(self, connection: int) -> bool:
        """A client opened its end."""
        del connection
        self._recorder.note(Piece(utc_us(), 1, "opened"))
        return True

    def heard(self, connection: int, data: bytes) -> None:
        """The client says something to the device."""
        del connection
        self._recorder.note(Piece(utc_us(), 1, "client", data))
        with suppress(OSError):
            os.write(self._number, data)

    def gone(self, connection: int) -> None:
        """The client closed its end."""
        del connection
        self._recorder.note(Piece(utc_us(), 1, "closed"))


async def record_mqtt(
    recorder: Recorder, broker: BrokerAddress, topics: list[str], told: Told
) -> None:
    """Write down what is published on topics, until cancelled. Raises LinkError."""
    import aiomqtt  # noqa: PLC0415 - it takes a while, and only this needs it.

    try:
        async with aiomqtt.Client(
            broker.host,
            broker.port,
            username=broker.username,
            password=broker.password,
            identifier=f"firmware_sim-record-{os.getpid()}",
            tls_context=broker.tls,
            timeout=CONNECT_S_MAX,
            max_queued_incoming_messages=QUEUED_MAX,
        ) as client:
            for topic in topics:
                await client.subscribe(topic, qos=1)
            told(f"subscribed to {', '.join(topics)}")
            async for message in client.messages:
                payload = message.payload if isinstance(message.payload, bytes) else b""
                recorder.note(
                    Piece(utc_us(), 1, "device", payload, str(message.topic), retain=message.retain)
                )
    except (aiomqtt.MqttError, OSError) as error:
        raise LinkError(f"no MQTT broker at {broker.host}:{broker.port}: {error}") from error


async def _first_of(*ways: Coroutine[None, None, None]) -> None:
    """Run both until one ends."""
    tasks = [asyncio.create_task(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _say_goodbye(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, TimeoutError):
        writer.close()
        async with asyncio.timeout(GOODBYE_S):
            await writer.wait_closed()
    writer.transport.abort()


def _open_serial(path: Path, baud: int) -> int:
    """The port, raw, at a speed. Raises LinkError."""
    try:
        import termios  # noqa: PLC0415 - not there on every system.
        import tty  # noqa: PLC0415
    except ImportError as error:
        raise LinkError("serial ports are recorded on Linux and macOS only") from error
    speed = getattr(termios, f"B{baud}", None)
    if speed is None:
        raise LinkError(f"{baud} is no speed of a serial port; 9600 and 115200 are usual")
    try:
        number = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(number)
        settings = termios.tcgetattr(number)
        settings[4] = settings[5] = speed
        termios.tcsetattr(number, termios.TCSANOW, settings)
    except (OSError, termios.error) as error:
        raise LinkError(f"{path} cannot be opened: {error}") from error
    return number
