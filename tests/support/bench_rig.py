"""A device on the bench for tests: a plain kind of our own, at work in the test's loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from firmware_sim.bench.faults import read_fault
from firmware_sim.bench.kinds import DeviceKind, Frame, Link, Passing, Scene
from firmware_sim.bench.links.make import Place, make_link
from firmware_sim.bench.rig import Noted, Rig

WAIT_S = 60.0
EVERY_US = 10_000


class LineSource:
    """Says a numbered line for each passing."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._next = 0
        self.faults: list[tuple[str, float]] = []

    def frames(self, upto_us: int) -> list[Frame]:
        """All lines up to a domain time."""
        found = []
        while self._next < len(self._scene.passings):
            passing = self._scene.passings[self._next]
            if passing.at_us > upto_us:
                break
            found.append(Frame(passing.at_us, f"{passing.code}\n".encode(), "bench/lines"))
            self._next += 1
        return found

    def fault(self, name: str, value: float) -> bool:
        """Take any of the device's own."""
        self.faults.append((name, value))
        return True


def utc_us() -> int:
    """UTC now, in microseconds."""
    return time.time_ns() // 1000


def line_scene(number: int, *, every_us: int = EVERY_US, start_us: int | None = None) -> Scene:
    """So many passings, numbered from 1000."""
    start_us = utc_us() if start_us is None else start_us
    passings = tuple(
        Passing(start_us + place * every_us, f"raw:{1000 + place}", b"", str(1000 + place), 0, 0)
        for place in range(number)
    )
    return Scene("lines", 1, start_us, passings)


@asynccontextmanager
async def line_rig(
    link: Link,
    place: Place,
    *,
    number: int = 1_000,
    every_us: int = EVERY_US,
    noted: Noted = lambda *_: None,
    source: LineSource | None = None,
) -> AsyncIterator[Rig]:
    """The device at work; its numbered lines begin at once."""
    scene = line_scene(number, every_us=every_us)
    lines = source or LineSource(scene)
    kind = DeviceKind("lines", "numbered lines", link, LineSource, "")
    rig = Rig(
        kind,
        scene,
        lines,
        make_link=lambda ears: make_link(
            kind, place, device="lines", source=lines, ears=ears, now_us=utc_us
        ),
        domain_us=utc_us,
        noted=noted,
    )
    async with working(rig):
        yield rig


@asynccontextmanager
async def working(rig: Rig) -> AsyncIterator[Rig]:
    """Open, at work, closed again."""
    await rig.link.open()
    work = asyncio.create_task(rig.run())
    try:
        yield rig
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await rig.link.close()


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {WAIT_S:g} s: {what}"
        await asyncio.sleep(0.005)


def do(rig: Rig, text: str) -> str:
    """A fault, as typed."""
    return rig.take(read_fault(text))
