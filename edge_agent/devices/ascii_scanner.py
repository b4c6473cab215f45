"""One ASCII scanner over TCP: connects, reads on, and comes back after every cut or silence.

A scanner does not wait for an acknowledgement and shows no life by itself, so a link that died
without a word is found by TCP keepalive, or by `silent_s_max` where the scanner sends heartbeats.
What frames mean is decided in `edge_agent.core.scanner`; this moves bytes and waits.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from contextlib import suppress

from contracts.codec import reject
from contracts.reads import Read, Reject
from contracts.site_scanner import ScannerTable
from edge_agent.back_off import BackOff
from edge_agent.core.identity import identity_of_code
from edge_agent.core.scanner import Alive, Code, NoRead, ScannerFrames, Unusable
from edge_agent.devices.device_intake import DeviceIntake

READ_BYTES = 4096
"""So little at once bounds what one piece of input can lead to."""
KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""A dead link is found within 25 s, where the system lets us say so."""
STEADY_S = 10.0
"""A connection that lasted so long was a success, even if nothing was scanned."""


class AsciiScanner:
    """The client of one scanner; `run` until cancelled."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        settings: ScannerTable,
        intake: DeviceIntake,
        dice: random.Random,
    ) -> None:
        self._address = (host, port)
        self._settings = settings
        self._intake = intake
        self._watch = intake.watch
        self._back_off = BackOff(settings.retry_s_max, dice)

    async def run(self) -> None:
        """Read for ever."""
        while True:
            await self._intake.enter("connecting", "")
            started_s = time.monotonic()
            reads_before = self._watch.reads
            state, reason = await self._connect()
            if self._watch.reads > reads_before or time.monotonic() - started_s > STEADY_S:
                self._back_off.succeeded()
            wait_s = self._back_off.wait_s()
            await self._intake.enter(state, f"{reason}; trying again in {wait_s:.1f} s")
            await asyncio.sleep(wait_s)

    async def _connect(self) -> tuple[str, str]:
        """Read until the connection ends; the state that this leaves and why."""
        timeout_s = self._settings.timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_connection(*self._address, limit=READ_BYTES)
        except TimeoutError:
            return "retrying", f"no connection within {timeout_s:g} s"
        except OSError as error:
            return "retrying", f"no connection: {error.strerror or error}"
        try:
            _keep_alive(writer)
            await self._intake.enter("reading", "{}:{}".format(*self._address))
            return await self._read(reader)
        finally:
            writer.transport.abort()

    async def _read(self, reader: asyncio.StreamReader) -> tuple[str, str]:
        frames = ScannerFrames(no_read=self._settings.no_read, heartbeat=self._settings.heartbeat)
        silent_s_max = self._settings.silent_s_max or None
        while True:
            try:
                async with asyncio.timeout(silent_s_max):
                    data = await reader.read(READ_BYTES)
            except TimeoutError:
                await self._cut(frames)
                return "silent", f"nothing heard for {silent_s_max:g} s"
            except OSError as error:
                await self._cut(frames)
                return "retrying", f"the connection broke: {error.strerror or error}"
            if not data:
                await self._cut(frames)
                return "retrying", "the scanner closed the connection"
            frames.receive_data(data)
            await self._hand_over(frames)

    async def _cut(self, frames: ScannerFrames) -> None:
        frames.receive_end()
        await self._hand_over(frames)

    async def _hand_over(self, frames: ScannerFrames) -> None:
        received_us = self._intake.now_us()
        reads: list[Read] = []
        rejects: list[Reject] = []
        while (event := frames.next_event()) is not None:
            match event:
                case Code(content):
                    reads.append(self._read_of(content, self._intake.next_us(received_us)))
                case NoRead(content):
                    self._watch.no_reads += 1
                    at_us = self._intake.next_us(received_us)
                    rejects.append(reject(self._intake.source, "no read", content, at_us))
                case Unusable(reason, content, length):
                    rejects.append(
                        Reject(
                            source=self._intake.source,
                            reason=reason,
                            raw=content,
                            raw_length=length,
                            at_us=self._intake.next_us(received_us),
                        )
                    )
                case Alive():
                    continue
        await self._intake.take(received_us=received_us, reads=tuple(reads), rejects=tuple(rejects))

    def _read_of(self, content: bytes, received_us: int) -> Read:
        return Read(
            identity=identity_of_code(content),
            device=self._watch.device,
            antenna=0,
            first_us=received_us,
            last_us=received_us,
            received_us=received_us,
            count=1,
            evidence=content,
        )


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    """Let the system find out when the other side is gone without a word."""
    connection: socket.socket = writer.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEPALIVE.items():
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
