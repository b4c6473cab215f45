"""A device on a serial line: a pseudo-terminal, whose other end any program can open.

It is looked at instead of waited for, because only a look tells whether somebody has opened the
other end: bytes for nobody must not wait there and come out of order of time.
"""

from __future__ import annotations

import asyncio
import os
import select
from pathlib import Path

from firmware_sim.bench.links.base import Ears, Link, LinkError

LOOK_S = 0.01
READ_BYTES = 4_096
UNPLUGGED_S = 0.5
"""How long a serial adapter stays away that was pulled out."""


class SerialLink(Link):
    """The pseudo-terminal; a link on disk always leads to its present other end."""

    def __init__(self, ears: Ears, path: Path) -> None:
        super().__init__(ears)
        self._path = path
        self._device = -1
        self._number = 0
        self._frozen = False
        self._pulled = False

    @property
    def address(self) -> str:
        """The path to open."""
        return str(self._path.absolute())

    async def open(self) -> None:
        """Make the terminal and the path that leads to it."""
        try:
            import pty  # noqa: PLC0415 - not there on every system.
            import tty  # noqa: PLC0415
        except ImportError as error:
            raise LinkError("pseudo-terminals need Linux or macOS") from error
        if self._path.exists() and not self._path.is_symlink():
            raise LinkError(f"{self._path} is there already and is none of ours; --serial PATH")
        try:
            device, client = pty.openpty()
            tty.setraw(client)
            name = os.ttyname(client)
            os.close(client)
            os.set_blocking(device, False)
            self._device = device
            self._path.unlink(missing_ok=True)
            self._path.symlink_to(name)
        except OSError as error:
            reason = error.strerror or str(error)
            raise LinkError(f"no pseudo-terminal at {self._path}: {reason}") from error
        self.state = "waiting to be opened"

    async def run(self) -> None:
        """Look who is there and what they send."""
        watch = self._watch()
        while True:
            await asyncio.sleep(LOOK_S)
            if self._pulled:
                self._leave()
                os.close(self._device)
                self._device = -1
                self._path.unlink(missing_ok=True)
                self.state = "unplugged"
                await self._plug_in()
                self._pulled = False
                watch = self._watch()
            self._look(watch)

    async def _plug_in(self) -> None:
        while True:
            await asyncio.sleep(UNPLUGGED_S)
            try:
                await self.open()
            except LinkError as error:
                self.state = str(error)
            else:
                return

    def _watch(self) -> select.poll:
        watch = select.poll()
        watch.register(self._device, select.POLLIN)
        return watch

    def _look(self, watch: select.poll) -> None:
        events = sum(found for _, found in watch.poll(0))
        if events & select.POLLIN and not self._frozen:
            self._arrive()
            try:
                data = os.read(self._device, READ_BYTES)
            except OSError:
                data = b""
            if data:
                self.ears.heard(self._number, data)
        elif events & select.POLLHUP:
            self._leave()
        elif not events & select.POLLIN:
            self._arrive()

    def _arrive(self) -> None:
        if not self.clients:
            self._number += 1
            self.clients = 1
            self.state = "opened"
            self.ears.came(self._number)

    def _leave(self) -> None:
        if self.clients:
            self.clients = 0
            self.state = "waiting to be opened"
            self.ears.gone(self._number)

    def write(self, data: bytes, only: int | None = None) -> bool:
        """Say bytes, if somebody is there and takes them."""
        if not self.clients or self._pulled or (only is not None and only != self._number):
            return False
        try:
            return os.write(self._device, data) == len(data)
        except OSError:  # The terminal is full, or was closed just now.
            return False

    def cut(self) -> None:
        """Pull the plug; it is put in again after a moment."""
        self._pulled = True

    def freeze(self, *, frozen: bool) -> None:
        """Take nothing, or take it again."""
        self._frozen = frozen

    async def close(self) -> None:
        """Remove the path and close the terminal."""
        if self._device >= 0:
            os.close(self._device)
            self._device = -1
            self._path.unlink(missing_ok=True)
