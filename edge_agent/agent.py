"""Read me first: the edge agent's main flow, from devices to the broker.

    device ........ bytes -> reads, rejects, signals (one task for each; `devices/`)
      | Intake.put: the device waits while there is no room
    intake ........ reads -> batches by size and age, stamped with the gateway's time
      | Outbox.put: on the disk before anything else happens
    spool ......... keeps a batch until the LEDGER has what it led to
      | Sender.due: in order, again when in doubt
    mqtt .......... up: batches, status, health; down: acknowledgements, bridge runs, commands,
                    and site files, which `configuration` tries and, where need be, takes back

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
from contracts.site import SiteFile
from edge_agent import journal
from edge_agent.configuration import Configuration, ConfigurationStore
from edge_agent.core.alarms import places_of
from edge_agent.core.batcher import Heard
from edge_agent.core.device_watch import DeviceWatch
from edge_agent.device_tasks import DeviceTasks, end
from edge_agent.devices.stack_light import StackLights
from edge_agent.health import Health
from edge_agent.intake import Intake, steady_us
from edge_agent.mqtt import MqttLink
from edge_agent.outbox import Outbox, new_spool_id
from edge_agent.settings import AgentSettings
from edge_agent.spool import Spool, SpoolError, open_spool
from edge_agent.system_health import SystemHealth

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
    try:
        ConfigurationStore(settings.data).keep(settings.start.stored, settings.start.text)
    except OSError as error:
        spool.close()
        raise SpoolError(f"the site file cannot be kept in {settings.data}: {error}") from error
    for note in settings.start.notes:
        journal.write(note, level="warning")
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
        store = ConfigurationStore(settings.data)
        self._settings = settings
        self._intake = intake
        self._outbox = Outbox(spool)
        self._strangers = DeviceWatch("unknown")
        """For complaints about devices that are none of ours: they share one limit."""
        self._lights = StackLights(self._complain)
        self._devices = DeviceTasks(settings, intake=intake, lights=self._lights, dice=dice)
        self._configuration = Configuration(
            store,
            settings.start.stored,
            site=settings.site,
            gateway=settings.gateway,
            trial=self._try,
        )
        self._figures = Health(
            settings,
            watches=self._devices.watches,
            system=SystemHealth(settings.data, settings.broker),
            spool=spool,
            intake=intake,
            store=store,
        )
        self._link = MqttLink(
            settings,
            outbox=self._outbox,
            intake=intake,
            lights=self._lights,
            configuration=self._configuration,
            health=self._health,
            version=version,
            dice=dice,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Run all parts until asked to stop; then stop them from the devices on, losing nothing."""
        async with asyncio.TaskGroup() as tasks:
            self._devices.start(tasks)
            spooling = tasks.create_task(self._spool_batches())
            changing = tasks.create_task(self._configuration.run())
            others = [
                tasks.create_task(other)
                for other in (self._link.run(), self._lights.run(), self._figures.run())
            ]
            await stop.wait()
            await end([changing])
            await self._devices.stop()
            await end([spooling])
            while not self._intake.is_empty:
                batch = self._intake.take()
                kept = await self._outbox.put(batch, self._intake.now_us()) is not None
                self._intake.spooled(batch, kept=kept)
            await asyncio.wait([asyncio.create_task(self._link.stop())], timeout=STOP_S_MAX)
            await end(others)
        await self._outbox.close()

    async def _spool_batches(self) -> None:
        """From the intake to the disk, for ever."""
        refused = 0
        while True:
            batch = await self._intake.next_batch(wants_empty=self._outbox.wants_empty)
            reached("before_spool")
            sequence = await self._outbox.put(batch, self._intake.now_us())
            reached("after_spool")
            self._intake.spooled(batch, kept=sequence is not None)
            if journal.level() == "debug":
                _tell(batch, sequence)
            if watching(BETWEEN_ANTENNAS) and _ends_between_antennas(batch):
                reached(BETWEEN_ANTENNAS)
            if sequence is None and not refused:
                journal.write("the spool is full: new reads are refused and counted")
            if sequence is not None and refused:
                journal.write("the spool takes reads again", refused_batches=refused)
            refused = refused + 1 if sequence is None else 0

    async def _try(self, site_file: SiteFile) -> tuple[bool, tuple[str, ...]]:
        """Go on with another site file, or with the same as before where that does not work."""
        is_good, reasons = await self._devices.change(site_file)
        if is_good:
            self._figures.places = places_of(site_file, self._settings.gateway)
        return is_good, reasons

    def _complain(self, device: str, detail: str) -> None:
        watch = self._devices.watches.get(device, self._strangers)
        detail = detail if watch is not self._strangers else f"{device}: {detail}"
        changes = watch.complained(detail, at_us=self._intake.now_us(), steady_us=steady_us())
        if changes:
            journal.write("complaint", device=device, detail=detail)
            self._intake.put_now(Heard(changes=changes))

    async def _health(self) -> AgentHealth:
        return self._figures.health(
            configuration=self._configuration.state.running,
            oldest_us=await self._outbox.oldest_us(),
        )


def _tell(batch: ReadBatch, sequence: int | None) -> None:
    """What a batch carries, for whoever looks for a fault."""
    if batch.reads or batch.rejects:
        journal.write(
            "batch",
            level="debug",
            sequence=sequence,
            reads=len(batch.reads),
            rejects=len(batch.rejects),
        )
    for change in batch.changes:
        journal.write(
            "device", level="debug", device=change.device, state=change.state, detail=change.detail
        )
    for reject in batch.rejects:
        journal.write("reject", level="debug", source=reject.source, reason=reject.reason)


def _ends_between_antennas(batch: ReadBatch) -> bool:
    """Whether something is in the middle of a gate: heard at antenna 2, not yet at antenna 3."""
    seen = {read.identity for read in batch.reads if read.antenna == 2}  # noqa: PLR2004
    return bool(seen - {read.identity for read in batch.reads if read.antenna == 3})  # noqa: PLR2004
