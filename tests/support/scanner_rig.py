"""A scanner's adapter in the test's own process, and the three ways of a scanner to it."""

from __future__ import annotations

import asyncio
import os
import random
import tty
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TypeVar
from unittest import mock

from contracts.clock import REAL_TIME
from contracts.reads import DeviceChange, Read, Reject
from contracts.site_devices import DeviceTable
from contracts.site_scanner import ScannerTable
from edge_agent.core.device_watch import DeviceWatch
from edge_agent.devices.ascii_scanner import scanner_task
from edge_agent.devices.device_intake import DeviceIntake
from edge_agent.devices.scanner_links import SerialLink
from edge_agent.door import Door
from edge_agent.intake import Intake
from tallygate.servers.child import free_port

WAIT_S = 60.0
LOOK_S = 0.001
AT_ONCE_S = 0.002
"""The longest pause between two attempts to connect: tests cut links hundreds of times."""

Found = TypeVar("Found")


async def until(condition: Callable[[], Found | None], what: str) -> Found:
    """What a condition gives once it gives something."""
    with not_within(what):
        async with asyncio.timeout(WAIT_S):
            while not (found := condition()):  # noqa: ASYNC110 - it tells nobody.
                await asyncio.sleep(LOOK_S)
            return found


@contextmanager
def not_within(what: str) -> Iterator[None]:
    """Says what was waited for in vain."""
    try:
        yield
    except TimeoutError as error:
        raise AssertionError(f"not within {WAIT_S:g} s: {what}") from error


class Adapter:
    """One scanner's adapter at work, and all that it brought."""

    def __init__(self, table: DeviceTable) -> None:
        self.watch = DeviceWatch(table.id)
        self.reads: list[Read] = []
        self.rejects: list[Reject] = []
        self.changes: list[DeviceChange] = []
        self._intake = Intake(REAL_TIME, floor_us=0)
        door = Door(self._intake, watch=self.watch, can_wait=False, per_s_max=0)
        intake = DeviceIntake(source="dock/belt", intake=door, watch=self.watch)
        self.task = asyncio.create_task(scanner_task(table, intake=intake, dice=random.Random(1)))

    def take(self) -> bool:
        """Take what waits in the intake; always true."""
        batch = self._intake.take()
        self.reads += batch.reads
        self.rejects += batch.rejects
        self.changes += batch.changes
        assert not self.task.done(), self.task
        return True

    def identities(self) -> list[str]:
        """Of all reads so far."""
        self.take()
        return [read.identity for read in self.reads]

    async def read(self, identity: str) -> None:
        """Wait until it was read."""
        await until(lambda: identity in self.identities(), f"a read of {identity}")

    async def told(self, words: str) -> DeviceChange:
        """Wait for a change whose state or detail has these words."""

        def found() -> DeviceChange | None:
            self.take()
            for change in self.changes:
                if words in f"{change.state}: {change.detail}":
                    return change
            return None

        return await until(found, words)

    async def is_in(self, state: str) -> None:
        """Wait until it is in a state."""
        await until(lambda: self.take() and self.watch.state == state, state)


def device(**scanner: object) -> DeviceTable:
    """A scanner of the site file, in a hurry to come back."""
    host = scanner.pop("host", None)
    port = scanner.pop("port", None)
    table = ScannerTable.model_validate(scanner).model_copy(update={"retry_s_max": AT_ONCE_S})
    return DeviceTable.model_construct(
        id="belt", gateway="dock", kind="scanner", host=host, port=port, scanner=table
    )


@asynccontextmanager
async def adapter(table: DeviceTable) -> AsyncIterator[Adapter]:
    """It runs for as long as the block does."""
    one = Adapter(table)
    try:
        yield one
    finally:
        one.take()
        one.task.cancel()
        await asyncio.gather(one.task, return_exceptions=True)


class Way(ABC):
    """A scanner's end of a link to the adapter."""

    table: DeviceTable

    @abstractmethod
    async def plug(self) -> None:
        """Be connected."""

    @abstractmethod
    async def send(self, raw: bytes) -> None:
        """Send bytes; returns when they are on their way."""

    @abstractmethod
    async def cut(self) -> None:
        """End the connection, after what was sent."""

    async def close(self) -> None:
        """Be gone for good."""
        await self.cut()


class ListeningScanner(Way):
    """The scanner is a TCP server."""

    def __init__(self, **scanner: object) -> None:
        self._scanner = scanner
        self._came: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = (
            asyncio.Queue()
        )
        self._writer: asyncio.StreamWriter | None = None
        self.reader: asyncio.StreamReader | None = None
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        """Open the port, and know its address in the site file."""

        def came(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._came.put_nowait((reader, writer))

        self._server = await asyncio.start_server(came, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.table = device(host="127.0.0.1", port=port, **self._scanner)

    async def plug(self) -> None:
        """Be connected."""
        self.reader, self._writer = await asyncio.wait_for(self._came.get(), WAIT_S)

    async def send(self, raw: bytes) -> None:
        """Send bytes."""
        assert self._writer is not None, "nobody is connected"
        self._writer.write(raw)
        await self._writer.drain()

    async def cut(self) -> None:
        """End the connection."""
        if self._writer is not None:
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()
            self._writer = None

    async def close(self) -> None:
        """Be gone for good."""
        await self.cut()
        while not self._came.empty():
            self._came.get_nowait()[1].close()
        if self._server is not None:
            self._server.close()


class CallingScanner(Way):
    """The scanner is a TCP client."""

    def __init__(self, **scanner: object) -> None:
        self.port = free_port()
        self.table = device(connection="server", host="127.0.0.1", port=self.port, **scanner)
        self._writer: asyncio.StreamWriter | None = None

    async def plug(self) -> None:
        """Be connected."""
        async with asyncio.timeout(WAIT_S):
            while self._writer is None:
                with suppress(ConnectionRefusedError):
                    _, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
                await asyncio.sleep(LOOK_S)

    async def send(self, raw: bytes) -> None:
        """Send bytes."""
        assert self._writer is not None, "not connected"
        self._writer.write(raw)
        await self._writer.drain()

    async def cut(self) -> None:
        """End the connection."""
        if self._writer is not None:
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()
            self._writer = None


class SerialScanner(Way):
    """The scanner is at a serial port: a pseudo-terminal behind a name that stays."""

    def __init__(self, folder: Path, **scanner: object) -> None:
        self._name = folder / "ttyUSB0"
        self.table = device(connection="serial", serial=str(self._name), **scanner)
        self._scanner_end = -1
        self._other_end = -1
        self._untaken = 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Counts what the adapter takes from the driver, as long as the block lasts.

        Nothing else tells: a pseudo-terminal hands bytes on some time after they were written.
        """
        take = SerialLink._read

        def counted(link: SerialLink) -> bytes:
            data = take(link)
            self._untaken -= len(data)
            return data

        with mock.patch.object(SerialLink, "_read", counted):
            yield

    async def plug(self) -> None:
        """Be connected."""
        self._scanner_end, self._other_end = os.openpty()
        tty.setraw(self._other_end)
        os.set_blocking(self._scanner_end, False)
        self._name.symlink_to(os.ttyname(self._other_end))

    async def send(self, raw: bytes) -> None:
        """Send bytes."""
        self._untaken += len(raw)
        while raw:
            with suppress(BlockingIOError):
                raw = raw[os.write(self._scanner_end, raw) :]
            await asyncio.sleep(0)

    def received(self) -> bytes:
        """What was sent to the scanner."""
        with suppress(BlockingIOError):
            return os.read(self._scanner_end, 4096)
        return b""

    async def cut(self) -> None:
        """Pull the plug, when everything that was sent has been taken from the driver."""
        if self._scanner_end < 0:
            return
        await until(lambda: not self._untaken, "the port's bytes are taken")
        self._name.unlink()
        os.close(self._other_end)
        os.close(self._scanner_end)
        self._scanner_end = -1
