"""The one door between devices and the spool, and the spool's own pace.

A device's task awaits `Intake.put`; while the spool is busy it waits there and reads no further
from its socket. That is the back-pressure: in this process waits at most one batch's worth plus
one message of each device; the rest waits in the devices.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from contracts.clock import ClockSetting
from contracts.reads import Loss, ReadBatch
from edge_agent.core.batcher import Batcher, Heard
from edge_agent.core.gateway_time import GatewayTime
from edge_agent.tickets import Ticket, Tickets

MICROSECONDS = 1_000_000
NANOSECONDS = 1_000


def steady_us() -> int:
    """Wall time that never jumps, in microseconds."""
    return time.monotonic_ns() // NANOSECONDS


class Intake:
    """Takes what devices heard and gives it out as batches. Belongs to one event loop."""

    def __init__(
        self,
        clock: ClockSetting,
        *,
        floor_us: int,
        losses: tuple[Loss, ...] = (),
        is_held: Callable[[], bool] = lambda: False,
    ) -> None:
        """`floor_us`: the gateway time already reached; `losses`: for the first batch.

        `is_held` tells whether devices that can wait shall.
        """
        self._clock = clock
        self.is_held = is_held
        self._batcher = Batcher(started_us=steady_us())
        self._gateway_time = GatewayTime(allowance_us=clock.link_allowance_us(), floor_us=floor_us)
        self._losses = losses
        self._tickets = Tickets()
        self._waiting: dict[object, int] = {}
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def now_us(self) -> int:
        """Domain time now."""
        return self._clock.domain_us(time.time_ns() // NANOSECONDS)

    def domain_us(self, wall_s: float) -> int:
        """Domain time at a Unix time in seconds."""
        return self._clock.domain_us(int(wall_s * MICROSECONDS))

    def wall_s(self, domain_us: int) -> float:
        """Wall seconds that a span of domain time takes."""
        return domain_us / self._clock.speed / MICROSECONDS

    async def put(self, heard: Heard, *, received_us: int) -> None:
        """Take what was heard at a domain time; returns when there was room for it."""
        with self.waiting(received_us):
            while self._batcher.is_full:
                self._room.clear()
                await self._room.wait()
        self.put_now(heard)

    @contextmanager
    def waiting(self, received_us: int) -> Iterator[None]:
        """Something received at a domain time waits: the gateway's time does not pass it."""
        token = object()
        self._waiting[token] = received_us
        try:
            yield
        finally:
            del self._waiting[token]

    async def put_with_ticket(self, heard: Heard, *, received_us: int) -> Ticket:
        """As `put`; await the ticket to learn when it is on the disk, or that it was refused."""
        await self.put(heard, received_us=received_us)
        # Nobody else ran since it was put: it is the last in line.
        return self._tickets.ticket(heard)

    def put_now(self, heard: Heard) -> None:
        """Take it without waiting: for the few things that the agent has to say itself."""
        self._batcher.add(heard, steady_us())
        self._tickets.put(heard)
        self._changed.set()

    async def next_batch(self, *, wants_empty: Callable[[], bool]) -> ReadBatch:
        """The next batch when it is due; an empty one only where it is wanted."""
        while True:
            wait_us = self._batcher.due_us() - steady_us()
            if wait_us <= 0 and (wants_empty() or not self._batcher.is_empty):
                return self.take()
            # An unwanted empty batch is asked about again after as long as an empty one takes.
            wait_s = max(wait_us, 0) / MICROSECONDS or IDLE_S
            self._changed.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def take(self) -> ReadBatch:
        """A batch of what waits now."""
        batch = self._batcher.take(steady_us())
        losses, self._losses = self._losses, ()
        oldest = [*self._waiting.values(), *filter(None, [self._batcher.oldest_us()])]
        gateway_us = self._gateway_time.at(
            self.now_us(), min(oldest, default=None), steady_us=steady_us()
        )
        self._room.set()
        taken = ReadBatch(
            gateway_us=gateway_us,
            reads=batch.reads,
            rejects=batch.rejects,
            signals=batch.signals,
            losses=losses,
            changes=batch.changes,
        )
        self._tickets.took(taken)
        return taken

    def spooled(self, batch: ReadBatch, *, kept: bool) -> None:
        """A batch that was taken is on the disk, or was refused: whoever waits for it is told."""
        self._tickets.spooled(batch, kept=kept)

    def device_left(self, device: str) -> None:
        """A device that may bring old reads when it is back is away: the gateway's time waits."""
        self._gateway_time.device_left(device, steady_us=steady_us())

    def device_came(self, device: str) -> None:
        """It is back."""
        self._gateway_time.device_came(device, steady_us=steady_us())

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits here."""
        return self._batcher.is_empty and not self._losses


IDLE_S = 0.2
"""Between two looks at whether an empty batch is wanted."""
