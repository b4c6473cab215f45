"""The way of one device into the spool: what it brought and how it is, told in one manner.

Every adapter in this folder has one. It stamps with domain time, counts in the device's watch and
waits while the intake has no room, which is how a device is slowed down.
"""

from __future__ import annotations

from contracts.codec import reject
from contracts.reads import GateSignal, Read, Reject
from edge_agent.core.batcher import Heard
from edge_agent.core.device_watch import DeviceWatch
from edge_agent.door import Door
from edge_agent.intake import steady_us
from edge_agent.tickets import Ticket


class DeviceIntake:
    """Takes what one device brings; each call returns when there was room for it."""

    def __init__(self, *, source: str, intake: Door, watch: DeviceWatch) -> None:
        """`source` names the device in rejects: `{gateway}/{device}`."""
        self.source = source
        self.watch = watch
        self.intake = intake
        self._newest_us = 0

    def now_us(self) -> int:
        """Domain time now."""
        return self.intake.now_us()

    def next_us(self, received_us: int) -> int:
        """A time later than the last one given.

        For devices that tell no time: two codes of one piece of input that are equal are still two.
        """
        self._newest_us = max(received_us, self._newest_us + 1)
        return self._newest_us

    async def take(
        self,
        *,
        received_us: int,
        reads: tuple[Read, ...] = (),
        rejects: tuple[Reject, ...] = (),
        signals: tuple[GateSignal, ...] = (),
    ) -> None:
        """Take what one piece of input led to."""
        if not (reads or rejects or signals):
            return
        self.watch.heard(reads=len(reads), rejects=len(rejects), received_us=received_us)
        heard = Heard(reads=reads, rejects=rejects, signals=signals)
        await self.intake.put(heard, received_us=received_us)

    async def take_with_ticket(
        self, *, received_us: int, reads: tuple[Read, ...] = (), rejects: tuple[Reject, ...] = ()
    ) -> Ticket:
        """As `take`; await the ticket to learn when it is on the disk, or that it was refused."""
        self.watch.heard(reads=len(reads), rejects=len(rejects), received_us=received_us)
        heard = Heard(reads=reads, rejects=rejects)
        return await self.intake.put_with_ticket(heard, received_us=received_us)

    async def refuse(self, reason: str, raw: bytes) -> None:
        """Take bytes that could not be used."""
        now_us = self.now_us()
        await self.take(received_us=now_us, rejects=(reject(self.source, reason, raw, now_us),))

    async def enter(self, state: str, detail: str) -> None:
        """The device is in a state now: `connecting`, `reading`, `retrying`, `refused`, `silent`.

        A device that may bring old reads when it is back holds the gateway's time while it is away:
        its adapter calls `intake.device_left` and `device_came` itself.
        """
        now_us = self.now_us()
        if changes := self.watch.entered(state, detail, at_us=now_us):
            await self.intake.put(Heard(changes=changes), received_us=now_us)

    async def complain(self, detail: str) -> None:
        """The device has something to say that changes no state; told at a bounded rate."""
        now_us = self.now_us()
        if changes := self.watch.complained(detail, at_us=now_us, steady_us=steady_us()):
            await self.intake.put(Heard(changes=changes), received_us=now_us)
