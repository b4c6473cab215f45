"""Puts the conveyor's scanner on a TCP port: it sends a line per trigger to whoever listens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from firmware_sim.core.scanning import Trigger, line_of
from firmware_sim.llrp_server import TICK_S, WRITE_BYTES
from firmware_sim.log import log

CLIENTS_MAX = 8
"""Scanners serve a handful of clients."""


class ScannerServer:
    """One scanner's port."""

    def __init__(self, triggers: list[Trigger], *, device: str, now_us: Callable[[], int]) -> None:
        self.device = device
        self.emitted = 0
        self.no_reads = 0
        self.no_reads_unheard = 0
        self.unheard = 0
        self.served = 0
        self._triggers = triggers[::-1]
        self._now_us = now_us
        self._clients: list[_Client] = []
        self._server: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> int:
        """Open the port; its number, chosen by the system where `port` is 0."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Client(self), host, port)
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    async def run(self, end_us: int) -> None:
        """Scan until a time of the shift."""
        while True:
            now_us = self._now_us()
            while self._triggers and self._triggers[-1].at_us <= now_us:
                self._fire(self._triggers.pop())
            if now_us >= end_us:
                return
            await asyncio.sleep(TICK_S)

    async def close(self) -> None:
        """Let the clients go and close the port."""
        if self._server is not None:
            self._server.close()
        for client in list(self._clients):
            client.close()
        if self._server is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), 1.0)

    def came(self, client: _Client) -> None:
        """Someone connects."""
        if len(self._clients) >= CLIENTS_MAX:
            client.close()
            return
        self._clients.append(client)
        self.served += 1
        log("client_connected", device=self.device)

    def gone(self, client: _Client) -> None:
        """Someone is gone."""
        if client in self._clients:
            self._clients.remove(client)
            log("client_gone", device=self.device)

    def _fire(self, trigger: Trigger) -> None:
        heard = False
        for client in self._clients:
            heard |= client.write(line_of(trigger.code))
        self.no_reads += not trigger.code
        self.no_reads_unheard += not trigger.code and not heard
        # That nothing could be read is a message like any other; of what passed it is no read.
        self.emitted += heard
        self.unheard += not heard
        if trigger.code and trigger.scan is not None:
            trigger.scan.counts += heard
            trigger.scan.unheard += not heard


class _Client(asyncio.Protocol):
    """One connection; what a client sends is ignored."""

    def __init__(self, server: ScannerServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.came(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        self._server.gone(self)

    def write(self, data: bytes) -> bool:
        """Send, unless the client does not take what it was sent; whether it was sent."""
        if self._transport is None or self._transport.get_write_buffer_size() > WRITE_BYTES:
            return False
        self._transport.write(data)
        return True

    def close(self) -> None:
        """Close once everything is sent."""
        if self._transport is not None:
            self._transport.close()
