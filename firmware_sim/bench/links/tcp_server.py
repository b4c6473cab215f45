"""A device that listens on a TCP port."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from firmware_sim.bench.links.base import GOODBYE_S, WRITE_BYTES, Ears, Link, LinkError

CLIENTS_MAX = 8
"""Devices serve a handful of clients."""


class TcpServerLink(Link):
    """The port and its clients."""

    def __init__(self, ears: Ears, host: str, port: int) -> None:
        super().__init__(ears)
        self.host = host
        self.port = port
        self._server: asyncio.Server | None = None
        self._clients: dict[int, _Client] = {}
        self._last = 0
        self._frozen = False

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"

    async def open(self) -> None:
        """Listen; port 0 becomes a free one."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Client(self), self.host, self.port)
        except OSError as error:
            reason = error.strerror or str(error)
            raise LinkError(
                f"cannot listen on {self.address}: {reason}; --port 0 takes a free port"
            ) from error
        self.port = int(self._server.sockets[0].getsockname()[1])
        self.state = "listening"

    async def run(self) -> None:
        """Clients are served as they come."""
        await asyncio.Event().wait()

    def write(self, data: bytes, only: int | None = None) -> bool:
        """Say bytes to all, but for those who do not take what they were told."""
        told = [
            client.write(data)
            for number, client in self._clients.items()
            if only is None or number == only
        ]
        return any(told)

    def cut(self) -> None:
        """End the connections."""
        for client in list(self._clients.values()):
            client.end()

    def has_room(self) -> bool:
        """Whether no client is behind."""
        return all(client.room() for client in self._clients.values())

    def freeze(self, *, frozen: bool) -> None:
        """Read nothing from the sockets, or read again."""
        self._frozen = frozen
        for client in self._clients.values():
            client.freeze(frozen=frozen)

    async def close(self) -> None:
        """Let the clients go and close the port."""
        if self._server is None:
            return
        self._server.close()
        self.cut()
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await self._server.wait_closed()

    def came(self, client: _Client) -> None:
        """Someone connects."""
        self._last += 1
        client.number = self._last
        if len(self._clients) >= CLIENTS_MAX:
            client.end()
            return
        self._clients[client.number] = client
        if not self.ears.came(client.number):
            del self._clients[client.number]
            client.end()
        self.clients = len(self._clients)
        client.freeze(frozen=self._frozen)

    def gone(self, client: _Client) -> None:
        """Someone is gone."""
        if self._clients.pop(client.number, None) is not None:
            self.clients = len(self._clients)
            self.ears.gone(client.number)


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, link: TcpServerLink) -> None:
        self.number = 0
        self._link = link
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._link.came(self)

    def data_received(self, data: bytes) -> None:
        self._link.ears.heard(self.number, data)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        self._link.gone(self)

    def room(self) -> bool:
        """Whether it takes what it is told."""
        transport = self._transport
        return transport is None or transport.get_write_buffer_size() < WRITE_BYTES

    def write(self, data: bytes) -> bool:
        if self._transport is None or self._transport.is_closing() or not self.room():
            return False
        self._transport.write(data)
        return True

    def freeze(self, *, frozen: bool) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if frozen:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def end(self) -> None:
        """Close once everything is sent, and soon in any case."""
        if self._transport is not None:
            self._transport.close()
            asyncio.get_running_loop().call_later(GOODBYE_S, self._transport.abort)
