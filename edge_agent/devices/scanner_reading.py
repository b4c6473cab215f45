"""The reading loop of every fixed scanner, however it is connected: bytes to reads and rejects.

A scanner does not wait for an acknowledgement and often shows no life by itself, so a link that
died without a word is found by TCP keepalive, by what we send (`keepalive`), or by `silent_s_max`
where the scanner sends heartbeats.
"""

from __future__ import annotations

import asyncio

from contracts.reads import Read, Reject, no_read_identity
from contracts.site_scanner import ScannerTable
from edge_agent.core.code_patterns import code_reader
from edge_agent.core.framing import framing_of
from edge_agent.core.scanner import Alive, Code, NoRead, ScannerFrames, Unusable
from edge_agent.devices.device_intake import DeviceIntake
from edge_agent.devices.scanner_links import Link, LinkEndedError, send_keepalives


class ScannerReading:
    """Reads one scanner's links; what it learned of codes outlasts a link."""

    def __init__(self, settings: ScannerTable, intake: DeviceIntake) -> None:
        self._settings = settings
        self._framing = framing_of(settings)
        self._identity = code_reader(settings)
        self._intake = intake
        self._device = intake.watch.device

    async def read(self, link: Link) -> tuple[str, str]:
        """Read until the link ends, and close it; the state that this leaves and why."""
        keeping = asyncio.create_task(send_keepalives(link, self._settings))
        frames = ScannerFrames(self._framing)
        silent_s_max = self._settings.silent_s_max or None
        try:
            while True:
                async with asyncio.timeout(silent_s_max):
                    data = await link.read()
                frames.receive_data(data)
                await self._hand_over(frames)
        except TimeoutError:
            await self._cut(frames)
            return "silent", f"nothing heard for {silent_s_max:g} s"
        except LinkEndedError as ended:
            await self._cut(frames)
            return "retrying", str(ended)
        finally:
            keeping.cancel()
            await link.close()

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
                    reads.append(self._read_of(self._identity(content), content, received_us))
                case NoRead(content):
                    self._intake.watch.no_reads += 1
                    identity = no_read_identity(self._device)
                    reads.append(self._read_of(identity, content, received_us))
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

    def _read_of(self, identity: str, content: bytes, received_us: int) -> Read:
        at_us = self._intake.next_us(received_us)
        return Read(
            identity=identity,
            device=self._device,
            antenna=0,
            first_us=at_us,
            last_us=at_us,
            received_us=at_us,
            count=1,
            evidence=content,
        )
