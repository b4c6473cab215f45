"""Stack lights: outputs of readers, switched by commands from the stream processors.

What was asked last is remembered and asked again when its reader comes back, because a reader that
was started anew has forgotten it. A light that cannot be switched is told as a complaint of its
device; the command is never given up silently.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from contracts.commands import SetLight

SWITCH_S_MAX = 5.0
"""How long a reader may take to switch an output."""


class OutputControl(Protocol):
    """A reader whose outputs can be switched."""

    async def set_output(self, port: int, *, on: bool) -> None:
        """Switch an output, from 1. Raises OSError where that cannot be done now."""


class StackLights:
    """The lights of one gateway: red is on."""

    def __init__(self, complain: Callable[[str, str], None]) -> None:
        """`complain(device, detail)` tells that a light could not be switched."""
        self._complain = complain
        self._readers: dict[str, OutputControl] = {}
        self._wanted: dict[tuple[str, int], bool] = {}
        # A mapping, so that a light asked for many times waits once.
        self._to_switch: dict[tuple[str, int], None] = {}
        self._asked = asyncio.Event()

    def add(self, device: str, reader: OutputControl) -> None:
        """A device that lights can be wired to."""
        self._readers[device] = reader

    def set(self, command: SetLight) -> None:
        """Switch a light as soon as its reader takes it."""
        if command.device not in self._readers:
            self._complain(command.device, "a light is wired to it, but it has no outputs")
            return
        self._wanted[command.device, command.port] = command.red
        self._ask((command.device, command.port))

    def came_back(self, device: str) -> None:
        """A reader reads again: ask it for all its lights."""
        for light in self._wanted:
            if light[0] == device:
                self._ask(light)

    def _ask(self, light: tuple[str, int]) -> None:
        self._to_switch[light] = None
        self._asked.set()

    async def run(self) -> None:
        """Switch what is asked, for ever."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            while self._to_switch:
                light = next(iter(self._to_switch))
                del self._to_switch[light]
                await self._switch(*light)

    async def _switch(self, device: str, port: int) -> None:
        red = self._wanted[device, port]
        try:
            async with asyncio.timeout(SWITCH_S_MAX):
                await self._readers[device].set_output(port, on=red)
        except OSError as error:  # TimeoutError is one of them.
            colour = "red" if red else "green"
            reason = str(error) or f"no answer within {SWITCH_S_MAX:g} s"
            self._complain(device, f"the light at output {port} is not {colour}: {reason}")
