"""Puts a simulated reader on a TCP port. It moves bytes and time and decides nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from firmware_sim.core.llrp_reader import LlrpReader
from firmware_sim.core.llrp_wire import NotLlrp
from firmware_sim.core.tracks import SECOND
from firmware_sim.log import log
from firmware_sim.parameters import ReaderParameters

TICK_S = 0.01
"""Wall time between two looks at the world: bursts leave promptly even when time runs fast."""
STEP_US_MAX = 5 * SECOND
"""How much of the shift is worked out at once before clients are served again."""
WRITE_BYTES = 131_072
"""Unsent bytes of one client beyond which reports wait in the reader's own memory."""
BOOT_US = 40 * SECOND
"""How long a reader takes to start, in domain time."""


class LlrpServer:
    """One reader's port."""

    def __init__(
        self,
        reader: LlrpReader,
        nature: ReaderParameters,
        *,
        device: str,
        now_us: Callable[[], int],
    ) -> None:
        self.reader = reader
        self.device = device
        self.refused = 0
        self.served = 0
        self._nature = nature
        self._now_us = now_us
        self._client: _Client | None = None
        self._server: asyncio.Server | None = None
        self._keepalive_at = 0.0
        self._mute: list[_Client] = []
        """Clients on a link that stands half-open: they are cut off when it ends."""

    async def listen(self, host: str, port: int) -> int:
        """Open the port; its number, chosen by the system where `port` is 0."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Client(self), host, port)
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    async def run(self, end_us: int) -> None:
        """Keep the reader going until a time of the shift."""
        while True:
            now_us = self._now_us()
            while self.reader.radio.at_us < now_us:
                self.reader.advance(min(now_us, self.reader.radio.at_us + STEP_US_MAX))
                self.push()
                await asyncio.sleep(0)
            if self._mute and not self.silent():
                self._cut_off()
            self._keep_alive()
            self.push()
            if now_us >= end_us:
                return
            await asyncio.sleep(TICK_S)

    async def close(self) -> None:
        """Let the client go and close the port."""
        if self._server is not None:
            self._server.close()
        if self._client is not None:
            self._client.close()
        if self._server is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), 1.0)

    def push(self) -> None:
        """Send what is due."""
        client = self._client
        if client is None:
            return
        if self.silent():
            if client not in self._mute:
                self._mute.append(client)
            return
        client.write(self.reader.output(client.room()))
        if self.reader.wants_close:
            client.close()

    def silent(self) -> bool:
        """Whether the link stands half-open or the reader has no power: nothing moves on it."""
        now_s = self._now_us() // SECOND
        return any(from_s <= now_s < until_s for from_s, until_s in self._nature.silences_s)

    def booting(self) -> bool:
        """Whether the reader has just lost its power."""
        now_us = self._now_us()
        return any(
            at_s * SECOND <= now_us < at_s * SECOND + BOOT_US for at_s in self._nature.reboots_s
        )

    def came(self, client: _Client) -> None:
        """Someone connects."""
        if self.booting():
            client.close()
            return
        if self.silent():
            self._mute.append(client)
            return
        if self._client is not None:
            self.refused += 1
            client.write(self.reader.another_tried())
            client.close()
            self.push()
            log("client_refused", device=self.device)
            return
        self._client = client
        self.served += 1
        self.reader.connect()
        self._keepalive_at = 0.0
        self.push()
        log("client_connected", device=self.device)

    def sent(self, client: _Client, data: bytes) -> None:
        """The client sent something."""
        if client is not self._client or self.silent():
            return
        try:
            self.reader.receive(data)
        except NotLlrp as error:
            log("client_dropped", device=self.device, reason=str(error))
            client.close()
            return
        self.push()

    def gone(self, client: _Client) -> None:
        """The client is gone; on a half-open link the reader does not hear of it."""
        if client is self._client and client not in self._mute:
            self._lose()

    def _lose(self) -> None:
        self._client = None
        self.reader.disconnect()
        log("client_gone", device=self.device)

    def _cut_off(self) -> None:
        """The link works again: what hung on it is gone."""
        mute, self._mute = self._mute, []
        for client in mute:
            client.abort()
        if self._client in mute:
            self._lose()

    def _keep_alive(self) -> None:
        period_s = self.reader.keepalive_ms / 1000
        if not period_s:
            self._keepalive_at = 0.0
            return
        now = time.monotonic()
        if self._keepalive_at == 0.0:
            self._keepalive_at = now + period_s
        elif now >= self._keepalive_at:
            self._keepalive_at = now + period_s
            if not self.silent():
                self.reader.keepalive()


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: LlrpServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.came(self)

    def data_received(self, data: bytes) -> None:
        self._server.sent(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        self._server.gone(self)

    def room(self) -> int:
        """How many bytes the client may be sent now."""
        if self._transport is None:
            return 0
        return max(0, WRITE_BYTES - self._transport.get_write_buffer_size())

    def write(self, data: bytes) -> None:
        """Send."""
        if data and self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        """Close once everything is sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()
