"""What is typed while devices run: faults, and a few words about the bench itself."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator, Callable
from typing import TextIO

from firmware_sim.bench.faults import FAULTS, FaultError, fault_help, read_fault
from firmware_sim.bench.rig import Rig

LINE_BYTES_MAX = 1_000
HELP = (
    *fault_help(),
    "status                         how the devices are",
    "help                           this",
    "quit                           end (Ctrl-C does, too)",
)


class Quit(Exception):  # noqa: N818 - it is no error.
    """Somebody typed `quit`."""


def _status(rig: Rig) -> str:
    figures = rig.figures
    faults = rig.active_faults()
    words = [
        f"{rig.device}: {rig.link.state}",
        f"{rig.link.clients} client{'' if rig.link.clients == 1 else 's'}",
        f"{figures.passed} passed",
        f"{figures.said} messages told",
        f"{figures.unheard} unheard",
    ]
    return ", ".join(words) + (f"; {', '.join(faults)}" if faults else "")


def answer(rigs: list[Rig], line: str) -> list[str]:
    """Do what a line says; what is answered. Raises Quit.

    With several devices a line may begin with a device's id; else it is for all of them.
    """
    words = line.split()
    if not words:
        return []
    named = rigs
    if words[0] in {rig.device for rig in rigs} and words[0] not in FAULTS:
        named = [rig for rig in rigs if rig.device == words[0]]
        words.pop(0)
    match " ".join(words).lower():
        case "":
            return [_status(rig) for rig in named]
        case "help" | "?":
            several = len(rigs) > 1
            first = f"{rigs[0].device} freeze 5"
            more = f"A device's id before it means only that one: {first}"
            return [*HELP, more] if several else list(HELP)
        case "quit" | "exit":
            raise Quit
        case "status":
            return [_status(rig) for rig in named]
        case rest:
            try:
                fault = read_fault(rest)
            except FaultError as error:
                return [f"{error}; 'help' shows all"]
            return [rig.take(fault) for rig in named]


def _can_be_waited_for(stream: TextIO) -> bool:
    """Whether it is a terminal, a pipe or a socket; not a file, and not /dev/null."""
    mode = os.fstat(stream.fileno()).st_mode
    return stream.isatty() or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


async def typed_lines(stream: TextIO | None) -> AsyncIterator[str]:
    """Lines from a terminal or a pipe until its end; a file is read at once."""
    if stream is None:  # Somebody closed it before we began.
        return
    if not _can_be_waited_for(stream):
        for line in stream:
            yield line
        return
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), stream
    )
    try:
        while True:
            try:
                raw = await reader.readline()
            except ValueError:  # A line of more than LINE_BYTES_MAX.
                continue
            if not raw:
                return
            yield raw.decode(errors="replace")
    finally:
        transport.close()
        if stream.isatty():
            # The pipe shares its blocking mode with the terminal that comes after us.
            os.set_blocking(stream.fileno(), True)


async def listen_to(
    rigs: list[Rig], say: Callable[[str], None], stream: TextIO | None = sys.stdin
) -> None:
    """Do what is typed. Raises Quit."""
    async for line in typed_lines(stream):
        for words in answer(rigs, line):
            say(words)
