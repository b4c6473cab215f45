"""How the commands of the bench run and end: Ctrl-C, SIGTERM, `quit`, or one of their tasks."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine, Sequence

from firmware_sim.bench.console import Quit

Work = Coroutine[None, None, None]


def say(words: str) -> None:
    """A line for a person."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def complain(words: str) -> int:
    """Say on standard error why the command cannot go on; its exit code."""
    sys.stderr.write(words + "\n")
    return 1


async def until_stopped(*works: Work, enders: Sequence[Work] = ()) -> None:
    """Run until a signal, until somebody types `quit` or until one of the enders ends.

    Raises what a work raised; a work that ends by itself ends nothing.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    tasks = {loop.create_task(work) for work in works}
    ends = {loop.create_task(ender) for ender in (*enders, _set(stop))}
    pending = tasks | ends
    try:
        while not ends - pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    except Quit:
        return
    finally:
        for task in tasks | ends:
            task.cancel()
        await asyncio.gather(*tasks, *ends, return_exceptions=True)


async def _set(event: asyncio.Event) -> None:
    await event.wait()
