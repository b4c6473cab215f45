"""One Bluetooth radio: hears beacons, tells each at a bounded rate, and comes back after any loss.

Where adverts come from is the source's business (`bleak_adverts`), what they mean is decided in
`edge_agent.core.ble`; this waits, reports and tells how the radio is.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from contracts.site_ble import BleTable
from edge_agent.back_off import BackOff
from edge_agent.core.batcher import Heard as Input
from edge_agent.core.ble.pool import BeaconPool, Heard
from edge_agent.devices.device_intake import DeviceIntake

LOOKS = 4
"""So often in `report_every_s` the pool is looked at: a read is told at most a quarter late."""
LOOK_S_MIN = 0.02
LOOK_S_MAX = 1.0
SUMMARY_S = 2.0
"""How often the device's figures are renewed: as often as health is told."""
STEADY_S = 10.0
"""A scan that lasted so long was a success, even if no beacon came by."""


class RadioError(Exception):
    """The radio cannot be used now; the message says why and what to do."""


class SilentError(RadioError):
    """Nothing at all was heard for too long."""


class Radio(NamedTuple):
    """A radio that can be used."""

    name: str
    """Such as `hci0`."""
    is_passive: bool
    """Whether it can scan without asking beacons for anything."""


class Watch(Protocol):
    """Looks after the radio."""

    async def begin(self) -> Radio:
        """Find the radio. Raises RadioError."""
        ...

    async def follow(self) -> None:
        """The scan has begun: look after its way to the system, too."""
        ...

    async def lost(self) -> str:
        """Wait until it is gone; why."""
        ...

    @property
    def is_alive(self) -> bool:
        """Whether the way to the radio's system is there, be the radio gone or not."""
        ...

    async def end(self) -> None:
        """Look no more."""
        ...


class Adverts(Protocol):
    """Where adverts come from."""

    async def listen(
        self, take: Callable[[Heard], None], begun: Callable[[str], Awaitable[None]]
    ) -> None:
        """Give each advert to `take`. Raises RadioError when the radio is lost."""
        ...


class BleRadio:
    """The client of one radio; `run` until cancelled."""

    def __init__(
        self,
        *,
        table: BleTable,
        intake: DeviceIntake,
        source: Adverts,
        speed: float,
        dice: random.Random,
    ) -> None:
        """`speed`: domain seconds in a wall second."""
        self._intake = intake
        self._source = source
        self._pool = BeaconPool(intake.watch.device, table)
        self._look_s = min(max(LOOK_S_MIN, table.report_every_s / LOOKS / speed), LOOK_S_MAX)
        self._back_off = BackOff(table.retry_s_max, dice)
        self._scan = ""
        """How it scans; empty while it does not."""
        self._is_silent = False
        """It was silent too long: it reads again when something is heard, not before."""

    async def run(self) -> None:
        """Listen and report for ever."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen())
                tasks.create_task(self._report())
        finally:
            self._give_rest()

    async def _listen(self) -> None:
        while True:
            await self._intake.enter("connecting", "")
            started_s = time.monotonic()
            state = "retrying"
            try:
                await self._source.listen(self._take, self._begun)
                reason = "the scan ended"
            except SilentError as error:
                state, reason, self._is_silent = "silent", str(error), True
            except RadioError as error:
                reason = str(error)
            self._scan = ""
            if time.monotonic() - started_s > STEADY_S:
                self._back_off.succeeded()
            wait_s = self._back_off.wait_s()
            await self._intake.enter(state, f"{reason}; trying again in {wait_s:.1f} s")
            await asyncio.sleep(wait_s)

    async def _begun(self, scan: str) -> None:
        self._scan = scan
        if not self._is_silent:
            await self._intake.enter("reading", scan)

    def _take(self, heard: Heard) -> None:
        self._is_silent = False
        self._pool.take(heard)

    async def _report(self) -> None:
        summary_s = 0.0
        while True:
            await asyncio.sleep(self._look_s)
            now_us = self._intake.now_us()
            await self._intake.take(received_us=now_us, reads=self._pool.due(now_us))
            for complaint in self._pool.complaints():
                await self._intake.complain(complaint)
            if not self._scan or self._is_silent:
                continue
            now_s = time.monotonic()
            if self._intake.watch.state != "reading" or now_s - summary_s >= SUMMARY_S:
                summary_s = now_s
                summary = self._pool.summary(now_us)
                await self._intake.enter("reading", f"{self._scan}; {summary}")

    def _give_rest(self) -> None:
        """What was heard and not yet told: the agent stops and takes what needs no waiting."""
        now_us = self._intake.now_us()
        if reads := self._pool.all(now_us):
            self._intake.watch.heard(reads=len(reads), rejects=0, received_us=now_us)
            self._intake.intake.put_now(Input(reads=reads))
