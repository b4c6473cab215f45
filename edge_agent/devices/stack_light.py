"""Stack lights, barriers and what else is wired to a device's outputs, switched by commands.

What was asked last is remembered and asked again when its device comes back, because a reader that
was started anew has forgotten it. What cannot be switched is told as a complaint of its device; the
command is never given up silently. A command for so many seconds ends by itself, also while its
device is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Protocol

from contracts.commands import SetLight, SetOutput

SWITCH_S_MAX = 5.0
"""How long a reader may take to switch an output."""
FOR_S_MAX = 86_400.0
"""What shall last longer than a day is no pulse."""


class OutputControl(Protocol):
    """A reader whose outputs can be switched."""

    async def set_output(self, port: int, *, on: bool) -> None:
        """Switch an output, from 1. Raises OSError where that cannot be done now."""


class _Wanted(NamedTuple):
    """What was asked of one output."""

    on: bool
    words: tuple[str, str]
    """What it is, and how it is when it is as it was asked."""
    ending: asyncio.TimerHandle | None = None
    """When it is to be switched back, if ever."""


class StackLights:
    """The outputs of one gateway's devices; of a light, red is on."""

    def __init__(self, complain: Callable[[str, str], None]) -> None:
        """`complain(device, detail)` tells that an output could not be switched."""
        self._complain = complain
        self._readers: dict[str, OutputControl] = {}
        self._wanted: dict[tuple[str, int], _Wanted] = {}
        # A mapping, so that an output asked for many times waits once.
        self._to_switch: dict[tuple[str, int], None] = {}
        self._asked = asyncio.Event()

    def add(self, device: str, reader: OutputControl) -> None:
        """A device that lights and barriers can be wired to."""
        self._readers[device] = reader

    def set(self, command: SetLight) -> None:
        """Switch a light as soon as its reader takes it."""
        if command.device not in self._readers:
            self._complain(command.device, "a light is wired to it, but it has no outputs")
            return
        words = "light", "red" if command.red else "green"
        self._want((command.device, command.port), _Wanted(command.red, words))

    def switch(self, command: SetOutput) -> None:
        """Switch an output as soon as its device takes it."""
        if command.device not in self._readers:
            self._complain(command.device, "an output is to be switched, but it has none")
            return
        output = command.device, command.port
        ending = None
        for_s = command.for_s
        if for_s is not None:
            if not 0 < for_s <= FOR_S_MAX:
                self._complain(
                    command.device, f"output {command.port} cannot be switched for {for_s:g} s"
                )
                return
            loop = asyncio.get_running_loop()
            ending = loop.call_later(for_s, self._end, output, not command.on)
        words = "switch", "on" if command.on else "off"
        self._want(output, _Wanted(command.on, words, ending))

    def came_back(self, device: str) -> None:
        """A reader reads again: ask it for all its outputs."""
        for output in self._wanted:
            if output[0] == device:
                self._ask(output)

    def _end(self, output: tuple[str, int], on: bool) -> None:
        """The time of a command is over."""
        self._want(output, _Wanted(on, ("switch", "on" if on else "off")))

    def _want(self, output: tuple[str, int], wanted: _Wanted) -> None:
        before = self._wanted.get(output)
        if before is not None and before.ending is not None:
            before.ending.cancel()
        self._wanted[output] = wanted
        self._ask(output)

    def _ask(self, output: tuple[str, int]) -> None:
        self._to_switch[output] = None
        self._asked.set()

    async def run(self) -> None:
        """Switch what is asked, for ever."""
        try:
            while True:
                await self._asked.wait()
                self._asked.clear()
                while self._to_switch:
                    output = next(iter(self._to_switch))
                    del self._to_switch[output]
                    await self._switch(*output)
        finally:
            for wanted in self._wanted.values():
                if wanted.ending is not None:
                    wanted.ending.cancel()

    async def _switch(self, device: str, port: int) -> None:
        wanted = self._wanted[device, port]
        try:
            async with asyncio.timeout(SWITCH_S_MAX):
                await self._readers[device].set_output(port, on=wanted.on)
        except OSError as error:  # TimeoutError is one of them.
            thing, state = wanted.words
            reason = str(error) or f"no answer within {SWITCH_S_MAX:g} s"
            self._complain(device, f"the {thing} at output {port} is not {state}: {reason}")
