"""A device that connects to its client by TCP, with or without TLS, and comes back for ever."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

from firmware_sim.bench.links.base import GOODBYE_S, WRITE_BYTES, Ears, Link

CONNECT_S_MAX = 5.0
RETRY_S = 0.5
"""Pause between two attempts to connect: whoever watches a bench does not want to wait."""
READ_BYTES = 65_536


class TcpClientLink(Link):
    """The connection, when there is one."""

    def __init__(
        self, ears: Ears, host: str, port: int, *, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(ears)
        self.host = host
        self.port = port
        self._tls = tls
        self._writer: asyncio.StreamWriter | None = None
        self._last = 0
        self._thawed = asyncio.Event()
        self._thawed.set()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"

    async def open(self) -> None:
        """Nothing is taken before there is somebody to connect to."""
        self.state = "connecting"

    async def run(self) -> None:
        """Connect, listen, and connect again."""
        while True:
            try:
                async with asyncio.timeout(CONNECT_S_MAX):
                    reader, writer = await asyncio.open_connection(
                        self.host, self.port, ssl=self._tls
                    )
            except (OSError, ssl.SSLError) as error:  # TimeoutError is one of the first.
                self.state = f"no connection: {_words(error)}"
                await asyncio.sleep(RETRY_S)
                continue
            await self._connection(reader, writer)
            await asyncio.sleep(RETRY_S)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._last += 1
        number = self._last
        self._writer = writer
        self.began(number)
        try:
            while True:
                data = await reader.read(READ_BYTES)
                await self._thawed.wait()
                if not data:
                    break
                self.took(number, data)
        except OSError as error:
            self.state = f"connection lost: {_words(error)}"
        except asyncio.CancelledError:
            self.leaving()
            await _until_heard(reader, writer)
            raise
        finally:
            self._writer = None
            self.ended(number)
            writer.close()
            with suppress(OSError, TimeoutError, ssl.SSLError):
                async with asyncio.timeout(GOODBYE_S):
                    await writer.wait_closed()
            writer.transport.abort()

    def began(self, number: int) -> None:
        """A connection began."""
        self.clients = 1
        self.state = "connected"
        if not self.ears.came(number):
            self.cut()

    def took(self, number: int, data: bytes) -> None:
        """Bytes came."""
        self.ears.heard(number, data)

    def leaving(self) -> None:
        """The device ends: last words on the connection, if it has some."""

    def ended(self, number: int) -> None:
        """The connection is gone."""
        if self.state == "connected":
            self.state = "connection ended"
        if self.clients:
            self.clients = 0
            self.ears.gone(number)

    def write(self, data: bytes, only: int | None = None) -> bool:
        """Say bytes, if there is a connection that takes them."""
        if self._writer is None or self._writer.is_closing() or not self.has_room():
            return False
        if only is not None and only != self._last:
            return False
        self._writer.write(data)
        return True

    def has_room(self) -> bool:
        """Whether the other side takes what it is told."""
        writer = self._writer
        return writer is None or writer.transport.get_write_buffer_size() < WRITE_BYTES

    def cut(self) -> None:
        """End the connection once everything is sent."""
        if self._writer is not None:
            self._writer.close()

    def freeze(self, *, frozen: bool) -> None:
        """Read nothing, or read again; the socket's own buffers fill meanwhile."""
        if frozen:
            self._thawed.clear()
        else:
            self._thawed.set()

    async def close(self) -> None:
        """The connection ends with `run`."""
        self.cut()


async def _until_heard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Wait until the other side ends the connection, too.

    A socket that is closed before all was read resets the connection, and last words are lost.
    """
    with suppress(OSError, TimeoutError, ssl.SSLError):
        async with asyncio.timeout(GOODBYE_S):
            if writer.can_write_eof():
                writer.write_eof()
            while await reader.read(READ_BYTES):
                pass


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
