"""The tasks of a gateway's devices: started, stopped, and changed while the others read on."""

from __future__ import annotations

import asyncio
import random
import time

from contracts.reads import DeviceChange
from contracts.site import SiteFile
from contracts.site_devices import DeviceTable
from edge_agent import journal
from edge_agent.core.batcher import Heard
from edge_agent.core.configuration import DeviceDifference, difference
from edge_agent.core.device_watch import DeviceWatch
from edge_agent.devices.kinds import CAN_WAIT, Surroundings, device_task
from edge_agent.devices.stack_light import StackLights
from edge_agent.door import Door
from edge_agent.intake import Intake
from edge_agent.settings import AgentSettings, gateway_in, with_site

STOP_S_MAX = 5.0
"""How long a task may take to end before it is asked again."""
LOOK_S = 0.1
"""Between two looks at whether changed devices read."""
UP = frozenset({"reading", "paused"})
"""States of a device that works. `paused`: it waits for the spool, not the other way round."""
KNOW_PLACES: frozenset[str] = frozenset({"handheld"})
"""Kinds that are told the site's zones and gates: other places are a change for them."""


class DeviceTasks:
    """The devices of one gateway. `start` inside the task group that they live in."""

    def __init__(
        self, settings: AgentSettings, *, intake: Intake, lights: StackLights, dice: random.Random
    ) -> None:
        self.settings = settings
        """With the devices that run now."""
        self.watches: dict[str, DeviceWatch] = {}
        self._intake = intake
        self._lights = lights
        self._dice = dice
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._trial_s = gateway_in(settings.start.site_file, settings.gateway).trial_s

    def start(self, group: asyncio.TaskGroup) -> None:
        """Start all."""
        self._group = group
        for device in self.settings.devices:
            self._start(device)

    async def stop(self) -> None:
        """Stop all; nothing of theirs comes any more when this returns."""
        await self._stop(tuple(self._tasks))

    async def change(self, site_file: SiteFile) -> tuple[bool, tuple[str, ...]]:
        """Bring the devices to another site file, and back where one that read reads no more.

        Devices that are the same in both files never notice.
        """
        before = self.settings
        after = with_site(before, site_file)
        change = _difference(before, after)
        awaited = [one.id for one in change.changed if self.watches[one.id].state in UP]
        journal.write("devices", change=change.text())
        problems = await self._bring_to(after)
        problems = problems or await self._wait_for(awaited)
        if problems:
            await self._bring_to(before)
            return False, problems
        table = gateway_in(site_file, after.gateway)
        self._trial_s = table.trial_s
        notes = [change.text(), *self._not_reading((*change.changed, *change.added))]
        if table.spool_mb != self._spool_mb():
            notes.append("spool_mb counts from the agent's next start on")
        return True, tuple(notes)

    def _spool_mb(self) -> int:
        return gateway_in(self.settings.start.site_file, self.settings.gateway).spool_mb

    def _not_reading(self, devices: tuple[DeviceTable, ...]) -> list[str]:
        """Of devices that need not read for a file to be good: those that do not, or not yet."""
        watches = [self.watches[device.id] for device in devices]
        return [f"{watch.device} is {watch.state}" for watch in watches if watch.state not in UP]

    async def _bring_to(self, settings: AgentSettings) -> tuple[str, ...]:
        """Stop what differs, then start it anew: two may have changed places."""
        change = _difference(self.settings, settings)
        await self._stop((*change.removed, *(device.id for device in change.changed)))
        for name in change.removed:
            del self.watches[name]
        self.settings = settings
        problems = []
        for device in (*change.changed, *change.added):
            try:
                self._start(device)
            except Exception as error:  # noqa: BLE001 - a trial ends in the version before.
                problems.append(f"{device.id} cannot be made: {error!r}")
        return tuple(problems)

    def _start(self, device: DeviceTable) -> None:
        assert self._group is not None
        watch = self.watches.get(device.id)
        if watch is None:
            watch = self.watches[device.id] = DeviceWatch(
                device.id, watched_us=self._intake.now_us()
            )
        watch.expect(antenna.number for antenna in device.antennas)
        around = Surroundings(
            device=device,
            settings=self.settings,
            intake=Door(
                self._intake,
                watch=watch,
                can_wait=device.kind in CAN_WAIT,
                per_s_max=device.reads_per_s_max,
            ),
            watch=watch,
            lights=self._lights,
            dice=self._dice,
        )
        self._tasks[device.id] = self._group.create_task(device_task(around))

    async def _stop(self, names: tuple[str, ...]) -> None:
        tasks = [self._tasks.pop(name) for name in names if name in self._tasks]
        await end(tasks)
        now_us = self._intake.now_us()
        changes: list[DeviceChange] = []
        for name in names:
            # Nothing waits for what it may have kept.
            self._intake.device_came(name)
            changes += self.watches[name].entered("stopped", "", at_us=now_us)
        if changes:
            self._intake.put_now(Heard(changes=tuple(changes)))

    async def _wait_for(self, names: list[str]) -> tuple[str, ...]:
        """Until all of them read at the same time; else what is wrong when the time is over."""
        watches = [self.watches[name] for name in names]
        deadline_s = time.monotonic() + self._trial_s
        while any(watch.state not in UP for watch in watches):
            if time.monotonic() > deadline_s:
                return tuple(
                    f"{watch.device} read before, and with this file is {watch.state}"
                    f" after {self._trial_s:g} s: {watch.detail}".removesuffix(": ")
                    for watch in watches
                    if watch.state not in UP
                )
            await asyncio.sleep(LOOK_S)
        return ()


def _difference(old: AgentSettings, new: AgentSettings) -> DeviceDifference:
    touched = KNOW_PLACES if old.locations != new.locations else frozenset()
    return difference(old.devices, new.devices, kinds_touched=touched)


async def end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they are gone.

    Again and again: a library that fails while it cleans up can swallow a cancellation.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=STOP_S_MAX)
