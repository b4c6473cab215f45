"""A storm: the real programs on a small shift, some of them killed, paused or broken on the way.

Whatever happens, the shift's books must balance in the end: `Judgement.proof` and the chain.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from rich.console import Console

from edge_agent.spool import spool_figures
from tallygate.demo import DemoSettings, rehearse
from tallygate.progress import Progress
from tallygate.report import Judgement
from tallygate.servers.find import Found, Kind, embedded_servers
from tallygate.stack import Stack

SPEED = 30.0
"""A shift of a quarter of an hour in half a minute."""
PAUSE_S = 20.0
"""Longer than every lease, session and timeout between the programs."""
SMALL_SHIFT = (
    "units=500",
    "loads_per_door=2",
    "short_loads=1",
    "stranger_loads=1",
    "over_loads=0",
    "wrong_door_loads=0",
    "turned_back=2",
    "twice_at_rows=1",
    "twice_elsewhere=0",
    "lingering_groups=2",
    "parked_pallets=1",
    "carried_past=1",
    "foreign_tags=1",
)


@dataclass
class Storm:
    """What shall go wrong."""

    arm: Mapping[str, str] = field(default_factory=dict)
    """Program to `point:nth:action` (TALLYGATE_AT)."""
    servers: Mapping[Kind, float] = field(default_factory=dict)
    """Server to the seconds of the shift at which it is killed; the embedded brokers come back
    empty."""
    seed: int = 1


async def weather(
    storm: Storm,
    folder: Path,
    found: Sequence[Found] | None = None,
    at_the_end: Callable[[Stack], None] | None = None,
) -> tuple[Judgement, list[str]]:
    """Live through a storm: the judgement, and what happened, with what was in flight then.

    `at_the_end` may look at the stack while its servers still run.
    """
    happened: list[str] = []
    stack_of: list[Stack] = []

    def tell(name: str, text: str) -> None:
        in_flight = _in_flight(stack_of[0]) if stack_of else "unknown"
        happened.append(f"{name}: {text} [in flight: {in_flight}]")

    stack = Stack(folder, "demo", tell, found=tuple(embedded_servers() if found is None else found))
    stack_of.append(stack)
    arguments = [part for setting in SMALL_SHIFT for part in ("--set", setting)]
    settings = DemoSettings(seed=storm.seed, speed=SPEED, simulator=tuple(arguments))
    with open(folder / "progress.txt", "w") as words:  # noqa: ASYNC230, PTH123 - a rehearsal's log.
        progress = Progress(Console(file=words))

        async def during(stack: Stack) -> None:
            await asyncio.gather(
                _kill_servers(stack, storm, tell), _wake_paused(stack, storm, tell)
            )

        try:
            judgement = await rehearse(stack, settings, progress, during=during, arm=storm.arm)
            if at_the_end is not None:
                await asyncio.to_thread(at_the_end, stack)
        finally:
            await stack.stop()
    return judgement, happened


async def _kill_servers(stack: Stack, storm: Storm, tell: object) -> None:
    """Kill servers at their times; the stack starts them again by itself."""
    assert callable(tell)
    began = time.monotonic()
    for kind, seconds in sorted(storm.servers.items(), key=lambda item: item[1]):
        await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
        tell(kind.value, "is killed")
        await asyncio.to_thread(stack.servers[kind].kill)


async def _wake_paused(stack: Stack, storm: Storm, tell: object) -> None:
    """Let who was stopped go on again after PAUSE_S: by then others have taken its place."""
    assert callable(tell)
    waiting = {name for name, armed in storm.arm.items() if armed.endswith(":stop")}
    deadline = time.monotonic() + 120
    while waiting and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
        for name in _stopped(stack, waiting):
            waiting.discard(name)
            tell(name, f"is paused; it will go on in {PAUSE_S:.0f} s")
            asyncio.get_running_loop().call_later(PAUSE_S, _wake, stack, name)
    assert not waiting, f"never reached their points: {waiting}"
    await asyncio.sleep(PAUSE_S + 1)


def _stopped(stack: Stack, names: Iterable[str]) -> list[str]:
    found = []
    for name in names:
        process = stack.supervise().programs[name].process
        with contextlib.suppress(psutil.NoSuchProcess):
            if process is not None and psutil.Process(process.pid).status() == "stopped":
                found.append(name)
    return found


def _wake(stack: Stack, name: str) -> None:
    process = stack.supervise().programs[name].process
    if process is not None and process.returncode is None:
        process.send_signal(signal.SIGCONT)


def _in_flight(stack: Stack) -> str:
    """Batches that wait in the spools for the ledger's acknowledgement."""
    waiting = []
    for gateway, folder in stack.agent_folders().items():
        with contextlib.suppress(Exception):
            figures = spool_figures(folder)
            waiting.append(f"{gateway}: {figures['waiting']} batches")
    return ", ".join(waiting) or "nothing"
