"""A Bluetooth radio: a double of BlueZ on a private D-Bus, which takes in what the radio hears."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from firmware_sim.bench.bluez import BlueZ
from firmware_sim.bench.links.base import Ears, Link, LinkError
from firmware_sim.bench.private_bus import PrivateBus

RESTART_S = 0.5
"""How long the stack is away that crashed."""
LOOK_S = 0.05


class DbusLink(Link):
    """The bus and the stack on it; a client finds the bus in DBUS_SYSTEM_BUS_ADDRESS."""

    carries = "messages"

    def __init__(self, ears: Ears, folder: Path | None = None) -> None:
        """`folder`: where the bus's socket is made; else one of its own."""
        super().__init__(ears)
        self._folder = folder
        self._own: Path | None = None
        self._bus: PrivateBus | None = None
        self._stack: BlueZ | None = None
        self._crashed = asyncio.Event()

    @property
    def address(self) -> str:
        """What goes into the client's environment."""
        return self._bus.address if self._bus else ""

    async def open(self) -> None:
        """Start the bus and the stack."""
        folder = self._folder
        try:
            if folder is None:
                folder = self._own = Path(tempfile.mkdtemp(prefix="firmware_sim-"))
            folder.mkdir(parents=True, exist_ok=True)
            self._bus = PrivateBus(folder)
            await self._bus.start()
            self._stack = BlueZ(self._bus.address)
            await self._stack.start()
        except OSError as error:
            raise LinkError(f"no D-Bus in {folder}: {error.strerror or error}") from error
        self.state = "waiting for a scan"

    async def run(self) -> None:
        """Look whether somebody scans, and come back after a crash."""
        assert self._stack is not None
        while True:
            if self._crashed.is_set():
                self._leave()
                await self._stack.stop()
                self.state = "crashed"
                await asyncio.sleep(RESTART_S)
                await self._stack.start()
                self._crashed.clear()
            scan = self._stack.scan()
            if scan and not self.clients:
                self.clients = 1
                self.state = f"scanned ({scan})"
                self.ears.came(1)
            elif not scan:
                self._leave()
            await asyncio.sleep(LOOK_S)

    def _leave(self) -> None:
        self.state = "waiting for a scan"
        if self.clients:
            self.clients = 0
            self.ears.gone(1)

    def write(self, data: bytes, only: int | None = None) -> bool:
        """The radio hears an advert; whether a client was told of it."""
        del only
        if self._stack is None or self._crashed.is_set():
            return False
        return self._stack.hear(data)

    def cut(self) -> None:
        """The stack crashes and is started again."""
        self._crashed.set()

    def freeze(self, *, frozen: bool) -> None:
        """The stack answers its clients; only the radio is silent."""

    async def close(self) -> None:
        """Stop both."""
        if self._stack is not None:
            await self._stack.stop()
        if self._bus is not None:
            await self._bus.stop()
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)
