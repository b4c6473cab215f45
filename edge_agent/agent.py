"""Read me first: the edge agent's main flow, from devices to the broker.

    device ........ bytes -> reads, rejects, signals (one task for each; `devices/`)
      | Intake.put: the device waits while there is no room
    intake ........ reads -> batches by size and age, stamped with the gateway's time
      | Outbox.put: on the disk before anything else happens
    spool ......... keeps a batch until the LEDGER has what it led to
      | Sender.due: in order, again when in doubt
    mqtt .......... up: batches, status, health; down: acknowledgements, bridge runs, commands

Whatever stops, the part before it waits: the broker may be away for days, then the spool fills up
and, at its bound, refuses and counts. A fault of our own ends the process; started anew, it goes on
from the spool.
"""

from __future__ import annotations

import asyncio
import random
import signal

from contracts.commands import AgentHealth
from contracts.named_points import reached, watching
from contracts.reads import ReadBatch
from edge_agent import journal
from edge_agent.core.batcher import Heard
from edge_agent.core.device_watch import DeviceWatch
from edge_agent.devices.kinds import CAN_WAIT, Surroundings, device_task
from edge_agent.devices.stack_light import StackLights
from edge_agent.door import Door
from edge_agent.intake import Intake, steady_us
from edge_agent.mqtt import MqttLink
from edge_agent.outbox import Outbox, new_spool_id
from edge_agent.settings import AgentSettings
from edge_agent.spool import Spool, open_spool

STOP_S_MAX = 5.0
"""How long saying goodbye may take."""
BETWEEN_ANTENNAS = "between_antennas_2_and_3"
"""The named point in the middle of a passage through a gate."""


async def run_agent(settings: AgentSettings, *, version: str) -> None:
    """Run until SIGTERM or SIGINT. Raises SpoolError where the spool cannot be used."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    now_us = Intake(settings.clock, floor_us=0).now_us()
    spool, losses = open_spool(
        settings.data,
        gateway=settings.gateway,
        new_id=new_spool_id,
        at_us=now_us,
        bytes_max=settings.spool_bytes_max,
        keep_acknowledged=settings.keep_acknowledged,
    )
    intake = Intake(
        settings.clock, floor_us=spool.gateway_us, losses=losses, is_held=spool.is_nearly_full
    )
    agent = Agent(settings, spool=spool, intake=intake, version=version)
    journal.write(
        "agent started",
        gateway=settings.gateway,
        devices=len(settings.devices),
        spool=spool.id,
        waiting=spool.batches,
    )
    await agent.run(stop)
    journal.write("agent stopped", gateway=settings.gateway, waiting=spool.batches)


class Agent:
    """The parts of one agent, put together."""

    def __init__(
        self, settings: AgentSettings, *, spool: Spool, intake: Intake, version: str
    ) -> None:
        dice = random.Random()
        self._settings = settings
        self._intake = intake
        self._outbox = Outbox(spool)
        self._watches = {device.id: DeviceWatch(device.id) for device in settings.devices}
        self._strangers = DeviceWatch("unknown")
        """For complaints about devices that are none of ours: they share one limit."""
        self._lights = StackLights(self._complain)
        self._link = MqttLink(
            settings,
            outbox=self._outbox,
            intake=intake,
            lights=self._lights,
            health=self._health,
            version=version,
            dice=dice,
        )
        self._devices = [
            device_task(
                Surroundings(
                    device=device,
                    settings=settings,
                    intake=Door(
                        intake,
                        watch=self._watches[device.id],
                        can_wait=device.kind in CAN_WAIT,
                        per_s_max=device.reads_per_s_max,
                    ),
                    watch=self._watches[device.id],
                    lights=self._lights,
                    dice=dice,
                )
            )
            for device in settings.devices
        ]

    async def run(self, stop: asyncio.Event) -> None:
        """Run all parts until asked to stop; then stop them from the devices on, losing nothing."""
        async with asyncio.TaskGroup() as tasks:
            devices = [tasks.create_task(device) for device in self._devices]
            spooling = tasks.create_task(self._spool_batches())
            others = [tasks.create_task(self._link.run()), tasks.create_task(self._lights.run())]
            await stop.wait()
            await _end(devices)
            for watch in self._watches.values():
                changes = watch.entered("stopped", "", at_us=self._intake.now_us())
                self._intake.put_now(Heard(changes=changes))
            await _end([spooling])
            while not self._intake.is_empty:
                await self._outbox.put(self._intake.take(), self._intake.now_us())
            await asyncio.wait([asyncio.create_task(self._link.stop())], timeout=STOP_S_MAX)
            await _end(others)
        await self._outbox.close()

    async def _spool_batches(self) -> None:
        """From the intake to the disk, for ever."""
        refused = 0
        while True:
            batch = await self._intake.next_batch(wants_empty=self._outbox.wants_empty)
            reached("before_spool")
            sequence = await self._outbox.put(batch, self._intake.now_us())
            reached("after_spool")
            if watching(BETWEEN_ANTENNAS) and _ends_between_antennas(batch):
                reached(BETWEEN_ANTENNAS)
            if sequence is None and not refused:
                journal.write("the spool is full: new reads are refused and counted")
            if sequence is not None and refused:
                journal.write("the spool takes reads again", refused_batches=refused)
            refused = refused + 1 if sequence is None else 0

    def _complain(self, device: str, detail: str) -> None:
        watch = self._watches.get(device, self._strangers)
        detail = detail if device in self._watches else f"{device}: {detail}"
        changes = watch.complained(detail, at_us=self._intake.now_us(), steady_us=steady_us())
        if changes:
            journal.write("complaint", device=device, detail=detail)
            self._intake.put_now(Heard(changes=changes))

    def _health(self) -> AgentHealth:
        spool = self._outbox.spool
        return AgentHealth(
            gateway=self._settings.gateway,
            at_us=self._intake.now_us(),
            spool_batches=spool.batches,
            spool_bytes=spool.bytes,
            sequence=spool.sequence,
            acknowledged=spool.acknowledged,
            lost_reads=spool.lost_reads,
            devices=tuple(watch.health() for watch in self._watches.values()),
        )


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they are gone.

    Again and again: a library that fails while it cleans up can swallow a cancellation.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=STOP_S_MAX)


def _ends_between_antennas(batch: ReadBatch) -> bool:
    """Whether something is in the middle of a gate: heard at antenna 2, not yet at antenna 3."""
    seen = {read.identity for read in batch.reads if read.antenna == 2}  # noqa: PLR2004
    return bool(seen - {read.identity for read in batch.reads if read.antenna == 3})  # noqa: PLR2004
