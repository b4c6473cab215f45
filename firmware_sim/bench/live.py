"""A live view of the bench in the terminal: devices, links, reads and faults, and a line to type.

Where there is no terminal, the same figures come as log lines.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from firmware_sim.bench.bench import Bench
from firmware_sim.bench.console import answer
from firmware_sim.bench.rig import Rig
from firmware_sim.log import log

REFRESH_S = 0.25
LOG_EVERY_S = 5.0
LINES_KEPT = 6
"""Of what was answered."""
GS1 = "https://id.gs1.org/"
BACKSPACE = ("\x7f", "\b")


class LiveView:
    """What is shown, and what is being typed."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._typed = ""
        self._answers: deque[str] = deque(maxlen=LINES_KEPT)

    def say(self, words: str) -> None:
        """Show a line under the devices."""
        self._answers.append(words)

    def type(self, text: str) -> None:
        """Something was typed. Raises Quit."""
        for character in text:
            if character in "\r\n":
                line, self._typed = self._typed, ""
                for words in answer(self._bench.rigs, line):
                    self.say(words)
            elif character in BACKSPACE:
                self._typed = self._typed[:-1]
            elif character.isprintable():
                self._typed += character

    def render(self) -> RenderableType:
        """All of it, for 80 columns and more."""
        table = Table(box=None, pad_edge=False, expand=True, header_style="bold")
        table.add_column("device", max_width=14, no_wrap=True)
        table.add_column("link", max_width=18, no_wrap=True)
        table.add_column("clients", justify="right")
        table.add_column("reads/s", justify="right")
        table.add_column("said", justify="right")
        table.add_column("last", ratio=1, no_wrap=True)
        for rig in self._bench.rigs:
            table.add_row(*_cells(rig))
        faults = [
            Text(f"{rig.device}: {', '.join(active)}", style="yellow")
            for rig in self._bench.rigs
            if (active := rig.active_faults())
        ]
        answers = [Text(line, style="dim", overflow="ellipsis") for line in self._answers]
        prompt = Text(f"> {self._typed}") if self._typed else Text("> help, quit", style="dim")
        return Group(table, *faults, Text(), *answers, prompt)


def _cells(rig: Rig) -> tuple[RenderableType, ...]:
    style = "green" if rig.link.clients else "red"
    figures = rig.figures
    return (
        rig.device,
        Text(rig.link.state, style=style),
        str(rig.link.clients),
        f"{figures.rate(time.monotonic()):.1f}",
        f"{figures.said:,}",
        figures.last_identity.removeprefix(GS1),
    )


async def show(view: LiveView) -> None:
    """Show and take what is typed until cancelled. Raises Quit."""
    console = Console()
    with _key_by_key(), Live(view.render(), console=console, auto_refresh=False) as live:
        keys = asyncio.Queue[str]()
        loop = asyncio.get_running_loop()
        loop.add_reader(sys.stdin.fileno(), _read_keys, keys)
        try:
            while True:
                live.update(view.render(), refresh=True)
                try:
                    async with asyncio.timeout(REFRESH_S):
                        view.type(await keys.get())
                except TimeoutError:
                    continue
        finally:
            loop.remove_reader(sys.stdin.fileno())


def _read_keys(keys: asyncio.Queue[str]) -> None:
    keys.put_nowait(os.read(sys.stdin.fileno(), 1_000).decode(errors="replace"))


@contextmanager
def _key_by_key() -> Iterator[None]:
    """The terminal gives every key at once and does not show it."""
    import termios  # noqa: PLC0415 - not there on every system.
    import tty  # noqa: PLC0415

    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    tty.setcbreak(number)
    try:
        yield
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


async def log_lines(bench: Bench) -> None:
    """The same as log lines, for ever."""
    while True:
        await asyncio.sleep(LOG_EVERY_S)
        for rig in bench.rigs:
            log(
                "device",
                device=rig.device,
                link=rig.link.state,
                clients=rig.link.clients,
                reads_per_s=round(rig.figures.rate(time.monotonic()), 1),
                said=rig.figures.said,
                unheard=rig.figures.unheard,
                last=rig.figures.last_identity,
                faults=", ".join(rig.active_faults()) or None,
            )
