"""Simulated readers of each maker on ports, for the agent's tests."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from firmware_sim.bench.kinds import Passing
from firmware_sim.core.inventory import Settings
from firmware_sim.core.llrp_passings import Passings
from firmware_sim.core.llrp_radio import Radio
from firmware_sim.core.llrp_reader import LlrpReader
from firmware_sim.llrp_server import LlrpServer
from firmware_sim.parameters import ReaderParameters, SignalParameters

ANTENNAS = (1, 2, 3, 4)
FOR_EVER_US = 1 << 60
WAIT_S = 60.0


def wall_us() -> int:
    """Now."""
    return time.time_ns() // 1_000


def reader_server(
    maker: str,
    passings: tuple[Passing, ...] = (),
    *,
    start_us: int,
    nature: ReaderParameters | None = None,
    now_us: Callable[[], int] = wall_us,
) -> LlrpServer:
    """A reader before which tags pass; it does not listen yet."""
    signal = SignalParameters()
    nature = nature or ReaderParameters(maker=maker)
    ear = Passings(passings, device=maker, antennas=ANTENNAS, start_us=start_us, signal=signal)
    right = Settings(antennas=ANTENNAS, power_dbm=(30.0,) * 4, session=0, population=32)
    radio = Radio(ear, eyes=[], right=right, reports_max=nature.buffer_reports_max)
    reader = LlrpReader(radio, nature, signal, antennas=ANTENNAS, start_us=start_us)
    return LlrpServer(reader, nature, device=maker, now_us=lambda: now_us() - start_us)


@asynccontextmanager
async def reader_on_port(
    maker: str, passings: tuple[Passing, ...] = (), *, start_us: int | None = None
) -> AsyncIterator[tuple[int, LlrpServer]]:
    """A reader that listens, on this loop."""
    start_us = wall_us() if start_us is None else start_us
    server = reader_server(maker, passings, start_us=start_us)
    port = await server.listen("127.0.0.1", 0)
    life = asyncio.create_task(server.run(FOR_EVER_US))
    try:
        yield port, server
    finally:
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)
        await server.close()


class ReaderThread:
    """Readers on a loop of their own, for tests that wait in the ordinary way."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._lives: list[asyncio.Task[None]] = []
        self._servers: list[LlrpServer] = []

    def add(self, server: LlrpServer) -> int:
        """Let a reader listen; its port."""
        return asyncio.run_coroutine_threadsafe(self._add(server), self._loop).result(WAIT_S)

    def do(self, work: Callable[[], object]) -> None:
        """Do something to a reader, on its loop."""
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (work(), done.set()))
        assert done.wait(WAIT_S)

    def close(self) -> None:
        """End all of them."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(WAIT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S)
        self._loop.close()

    async def _add(self, server: LlrpServer) -> int:
        port = await server.listen("127.0.0.1", 0)
        self._servers.append(server)
        self._lives.append(asyncio.create_task(server.run(FOR_EVER_US)))
        return port

    async def _close(self) -> None:
        for life in self._lives:
            life.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)
        for server in self._servers:
            await server.close()
