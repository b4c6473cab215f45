"""One device's door to the intake: it slows a device that floods and stops one that can wait.

While the spool is nearly full, devices that keep what they have (a reader holds its reports, a
broker its messages) are paused: nothing more is taken from them, and the oldest batches stay. From
devices that keep nothing everything is taken on; what then finds no room is counted and told.
"""

from __future__ import annotations

import asyncio

from contracts.reads import DeviceChange
from edge_agent.core.batcher import Heard
from edge_agent.core.device_watch import DeviceWatch
from edge_agent.core.pace import Pace
from edge_agent.intake import IDLE_S, Intake, steady_us
from edge_agent.tickets import Ticket

PAUSED = "the spool is nearly full: nothing more is taken until the ledger has some of it"


class Door:
    """The intake as one device sees it."""

    def __init__(
        self, intake: Intake, *, watch: DeviceWatch, can_wait: bool, per_s_max: float
    ) -> None:
        """`can_wait`: the device keeps what is not taken from it."""
        self._intake = intake
        self._watch = watch
        self._can_wait = can_wait
        self._pace = Pace(per_s_max)

    def now_us(self) -> int:
        """Domain time now."""
        return self._intake.now_us()

    def domain_us(self, wall_s: float) -> int:
        """Domain time at a Unix time in seconds."""
        return self._intake.domain_us(wall_s)

    async def put(self, heard: Heard, *, received_us: int) -> None:
        """Take what was heard at a domain time; returns when its device may go on."""
        with self._intake.waiting(received_us):
            try:
                await self._wait_for(heard)
                await self._intake.put(heard, received_us=received_us)
            except asyncio.CancelledError:
                # Its device is stopped; what it had brought stays.
                self._intake.put_now(heard)
                raise

    async def put_with_ticket(self, heard: Heard, *, received_us: int) -> Ticket:
        """As `put`; await the ticket to learn when it is on the disk, or that it was refused."""
        with self._intake.waiting(received_us):
            await self._wait_for(heard)
            return await self._intake.put_with_ticket(heard, received_us=received_us)

    def put_now(self, heard: Heard) -> None:
        """Take it without waiting: for the few things that the agent has to say itself."""
        self._intake.put_now(heard)

    def is_held(self) -> bool:
        """Whether the spool is nearly full, for devices that can be told to come again later."""
        return self._intake.is_held()

    def device_left(self, device: str) -> None:
        """A device that may bring old reads when it is back is away: the gateway's time waits."""
        self._intake.device_left(device)

    def device_came(self, device: str) -> None:
        """It is back."""
        self._intake.device_came(device)

    async def _wait_for(self, heard: Heard) -> None:
        """Until this may be taken."""
        self._watch.took(heard.reads)
        await self._slow_down(len(heard.reads) + len(heard.rejects))
        if self._can_wait and self._intake.is_held():
            await self._pause()

    async def _slow_down(self, items: int) -> None:
        wait_us = self._pace.wait_us(items, self.now_us())
        if not wait_us:
            return
        detail = f"brings more than {self._pace.per_s_max:g} reads a second and is slowed down"
        self._say(self._watch.complained(detail, at_us=self.now_us(), steady_us=steady_us()))
        await asyncio.sleep(self._intake.wall_s(wait_us))

    async def _pause(self) -> None:
        state, detail = self._watch.state, self._watch.detail
        self._say(self._watch.entered("paused", PAUSED, at_us=self.now_us()))
        try:
            while self._intake.is_held():  # noqa: ASYNC110 - a disk with room again tells nobody.
                await asyncio.sleep(IDLE_S)
        finally:
            self._say(self._watch.entered(state, detail, at_us=self.now_us()))

    def _say(self, changes: tuple[DeviceChange, ...]) -> None:
        if changes:
            self.put_now(Heard(changes=changes))
