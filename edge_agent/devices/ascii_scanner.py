"""A fixed scanner's adapters: one that reaches out to it, and one that waits for it to come.

`ScannerClient` connects (TCP) or opens (a serial port), reads, and comes back after every cut or
silence. `ScannerServer` listens; scanners come and go by themselves.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine

from contracts.site_devices import DeviceTable
from contracts.site_scanner import ScannerTable
from edge_agent.back_off import BackOff
from edge_agent.devices.device_intake import DeviceIntake
from edge_agent.devices.scanner_links import (
    READ_BYTES,
    Link,
    LinkEndedError,
    TcpLink,
    connect_tcp,
    open_serial,
)
from edge_agent.devices.scanner_reading import ScannerReading

STEADY_S = 10.0
"""A connection that lasted so long was a success, even if nothing was scanned."""
SCANNERS_MAX = 16
"""More at one port are no scanners."""
ANYWHERE = "0.0.0.0"  # noqa: S104 - a scanner connects from elsewhere; the site file may say where.


def scanner_task(
    device: DeviceTable, *, intake: DeviceIntake, dice: random.Random
) -> Coroutine[None, None, None]:
    """What serves a scanner of the site file, until it is cancelled."""
    settings, host, port = device.scanner, device.host, device.port
    if settings.connection == "serial":
        return ScannerClient(
            lambda: open_serial(settings),
            name=f"{settings.serial}, {settings.baud} baud",
            settings=settings,
            intake=intake,
            dice=dice,
        ).run()
    assert port is not None, "the site file's check asks for it"
    if settings.connection == "server":
        return ScannerServer(host, port, settings=settings, intake=intake, dice=dice).run()
    assert host is not None, "as above"
    return ScannerClient(
        lambda: connect_tcp(host, port, settings.timeout_s),
        name=f"{host}:{port}",
        settings=settings,
        intake=intake,
        dice=dice,
    ).run()


class ScannerClient:
    """Reads one scanner that has to be connected to; `run` until cancelled."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Link]],
        *,
        name: str,
        settings: ScannerTable,
        intake: DeviceIntake,
        dice: random.Random,
    ) -> None:
        """`connect` gives a link or raises LinkEndedError; `name` is what it connects to."""
        self._connect = connect
        self._name = name
        self._intake = intake
        self._reading = ScannerReading(settings, intake)
        self._back_off = BackOff(settings.retry_s_max, dice)

    async def run(self) -> None:
        """Read for ever."""
        watch = self._intake.watch
        while True:
            await self._intake.enter("connecting", "")
            started_s = time.monotonic()
            reads_before = watch.reads
            state, reason = await self._read()
            if watch.reads > reads_before or time.monotonic() - started_s > STEADY_S:
                self._back_off.succeeded()
            wait_s = self._back_off.wait_s()
            await self._intake.enter(state, f"{reason}; trying again in {wait_s:.1f} s")
            await asyncio.sleep(wait_s)

    async def _read(self) -> tuple[str, str]:
        """Read until the connection ends; the state that this leaves and why."""
        try:
            link = await self._connect()
        except LinkEndedError as error:
            return "retrying", str(error)
        try:
            await self._intake.enter("reading", self._name)
            return await self._reading.read(link)
        finally:
            await link.close()


class ScannerServer:
    """Listens for the scanners of one device; `run` until cancelled.

    Whoever connects is read. A scanner that lost its power comes anew while its old connection is
    not known to be dead, so one more than the site file names is no reason to refuse: it is read
    too, and told of, because it may also be a scanner that is set to the wrong port.
    """

    def __init__(
        self,
        host: str | None,
        port: int,
        *,
        settings: ScannerTable,
        intake: DeviceIntake,
        dice: random.Random,
    ) -> None:
        self._host = host or ANYWHERE
        self.port = port
        """The port that it listens on; where 0 was asked for, the system's choice."""
        self._settings = settings
        self._intake = intake
        self._reading = ScannerReading(settings, intake)
        self._back_off = BackOff(settings.retry_s_max, dice)
        self._peers: list[str] = []

    async def run(self) -> None:
        """Listen for ever."""
        async with asyncio.TaskGroup() as tasks:

            def came(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                tasks.create_task(self._serve(reader, writer))

            while True:
                try:
                    server = await asyncio.start_server(
                        came, self._host, self.port, limit=READ_BYTES
                    )
                    break
                except OSError as error:
                    wait_s = self._back_off.wait_s()
                    reason = f"cannot listen at {self._host}:{self.port}: {error.strerror or error}"
                    await self._intake.enter(
                        "retrying", f"{reason}; trying again in {wait_s:.1f} s"
                    )
                    await asyncio.sleep(wait_s)
            try:
                self.port = server.sockets[0].getsockname()[1]
                await self._intake.enter("connecting", self._waiting())
                await asyncio.Event().wait()
            finally:
                server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one scanner that came, until it goes."""
        peer = "{}:{}".format(*(writer.get_extra_info("peername") or ("?", 0))[:2])
        others = ", ".join(self._peers)
        link = TcpLink(reader, writer)
        if len(self._peers) >= SCANNERS_MAX:
            await link.close()
            await self._intake.complain(f"a scanner from {peer} is refused: {others} are here")
            return
        self._peers.append(peer)
        try:
            if len(self._peers) > self._settings.scanners:
                await self._intake.complain(f"one more scanner came, from {peer} beside {others}")
            await self._intake.enter("reading", f"from {', '.join(self._peers)}")
            state, reason = await self._reading.read(link)
        finally:
            self._peers.remove(peer)
            await link.close()
        if self._peers:
            await self._intake.enter("reading", f"from {', '.join(self._peers)}")
        else:
            await self._intake.enter(state, f"{reason}; {self._waiting()}")

    def _waiting(self) -> str:
        return f"waiting for the scanner at {self._host}:{self.port}"
