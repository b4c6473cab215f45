"""One seed, one run: a world with one clock and one set of dice, and programs that live in it.

A program is a generator. It yields where a real one waits or where a crash would be telling: the
number of seconds that it sleeps, or `POINT`, at which it goes on at once. After any yield the
world may kill it (what it knew is gone, what it had on disk stays) or stop it for a while, as
SIGSTOP does: it later goes on in the middle of what it was doing, in a world that has moved on.
"""

from __future__ import annotations

import heapq
import random
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import ClassVar

POINT = 0.0
"""Yielded where a crash or a stop would be telling."""
BEGAN_US = 1_700_000_000_000_000
"""Domain time when the world begins."""
PAUSE_S_MAX = 9.0
"""Past every timeout of this world: leases and sessions take three seconds."""


class ViolationError(AssertionError):
    """A promise does not hold."""


class EndedError(Exception):
    """A program ends itself, to be started again."""


class World:
    """Clock, dice and what happened."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.now = 0.0
        self.calm = False
        """True: nothing more is injected."""
        self.injected: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.story: list[str] = []
        """What happened, for whoever looks into a seed."""
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    @property
    def now_us(self) -> int:
        """Domain time."""
        return BEGAN_US + int(self.now * 1_000_000)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something later."""
        self._count += 1
        heapq.heappush(self._events, (self.now + seconds, self._count, action))

    def chance(self, probability: float) -> bool:
        """Whether a fault happens."""
        return not self.calm and probability > 0 and self.dice.random() < probability

    def tell(self, text: str) -> None:
        """Add to the story."""
        self.story.append(f"{self.now:8.3f} {text}")

    def run(self, until_s: float, *, done: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass until a moment, or until `done`, asked now and then, says so."""
        steps = 0
        while self._events and self._events[0][0] <= until_s:
            self.now, _, action = heapq.heappop(self._events)
            action()
            steps += 1
            if steps % 64 == 0 and done():
                return True
        self.now = until_s
        return done()


class Program(ABC):
    """A process: it can be killed, stopped and started at any of its yields."""

    role: ClassVar[str] = "program"

    def __init__(self, world: World, name: str, *, crash_rate: float, pause_rate: float) -> None:
        self.world = world
        self.name = name
        self.inbox: deque[object] = deque()
        """What the network brought; it is gone with the process."""
        self.incarnation = 0
        self.paused_until = 0.0
        self._crash_rate = crash_rate
        self._pause_rate = pause_rate
        self._steps: Iterator[float] = iter(())
        self._running = False

    @abstractmethod
    def main(self) -> Iterator[float]:
        """The program."""

    def start(self) -> None:
        """Begin, knowing nothing."""
        self.incarnation += 1
        self._running = True
        self.inbox.clear()
        self._steps = self.main()
        self._resume(self.incarnation)

    def crash(self, why: str) -> None:
        """End at once; a supervisor starts it again after a while."""
        if not self._running:
            return
        self._running = False
        self.incarnation += 1
        self.world.tell(f"{self.name}: {why}")
        self.world.after(self.world.dice.uniform(0.1, 2.0), self.start)

    def pause(self, seconds: float) -> None:
        """Stop for a while."""
        self.paused_until = max(self.paused_until, self.world.now + seconds)
        self.world.injected[f"{self.role} stopped and continued"] += 1
        self.world.tell(f"{self.name}: stopped for {seconds:.1f} s")

    @property
    def is_paused(self) -> bool:
        """Whether it is stopped now."""
        return self.world.now < self.paused_until

    def _resume(self, incarnation: int) -> None:
        if incarnation != self.incarnation:
            return
        world = self.world
        if self.is_paused:
            world.after(self.paused_until - world.now, lambda: self._resume(incarnation))
            return
        try:
            seconds = next(self._steps)
        except (EndedError, StopIteration) as error:
            world.seen[f"{self.role} ended itself"] += 1
            self.crash(f"ended itself: {error}")
            return
        if world.chance(self._crash_rate):
            world.injected[f"{self.role} killed"] += 1
            self.crash("killed")
            return
        if world.chance(self._pause_rate):
            self.pause(world.dice.uniform(0.5, PAUSE_S_MAX))
        world.after(seconds, lambda: self._resume(incarnation))
