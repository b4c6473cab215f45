"""The health message, and the alarms that come of the same figures."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from contracts.commands import AgentHealth
from edge_agent import journal
from edge_agent.configuration import ConfigurationStore, wall_us
from edge_agent.core.alarms import AgentLook, Alarms, Places, places_of
from edge_agent.core.batcher import Heard
from edge_agent.core.device_watch import DeviceWatch
from edge_agent.intake import Intake, steady_us
from edge_agent.settings import AgentSettings
from edge_agent.spool import Spool
from edge_agent.system_health import SystemHealth

LOOK_US = 5_000_000
"""Alarms are looked at this often, in domain time."""
LOOK_S_MIN = 0.2
"""And at the most so often where domain time is accelerated, in wall seconds."""
DAY_US = 86_400_000_000


class Health:
    """Gathers figures; `run` raises and clears alarms."""

    def __init__(
        self,
        settings: AgentSettings,
        *,
        watches: Mapping[str, DeviceWatch],
        system: SystemHealth,
        spool: Spool,
        intake: Intake,
        store: ConfigurationStore,
    ) -> None:
        self._settings = settings
        self._watches = watches
        self._system = system
        self._spool = spool
        self._intake = intake
        self._store = store
        self._alarms = Alarms(
            places_of(settings.start.site_file, settings.gateway),
            standing=store.standing_alarms(),
        )

    @property
    def places(self) -> Places:
        """Where devices are, for the alarms; set when the site file is another one."""
        return self._alarms.places

    @places.setter
    def places(self, places: Places) -> None:
        self._alarms.places = places

    async def run(self) -> None:
        """Look at the figures, for ever."""
        while True:
            await asyncio.sleep(max(LOOK_S_MIN, self._intake.wall_s(LOOK_US)))
            self._look()

    def _look(self) -> None:
        figures = self._system.figures()
        until_us = figures.certificate_until_us
        agent = AgentLook(
            gateway=self._settings.gateway,
            disk_free_bytes=figures.disk_free_bytes,
            spool_share=self._spool.bytes / self._settings.spool_bytes_max,
            temperature_c=figures.temperature_c,
            certificate_days=None if until_us is None else (until_us - wall_us()) / DAY_US,
        )
        devices = tuple(watch.look() for watch in self._watches.values())
        changes = self._alarms.look(agent, devices, at_us=self._intake.now_us())
        if not changes:
            return
        for change in changes:
            journal.write(
                change.state.replace("_", " "),
                level="warning",
                device=change.device,
                detail=change.detail,
            )
        self._intake.put_now(Heard(changes=changes))
        try:
            self._store.keep_alarms(self._alarms.standing)
        except OSError as error:
            # An alarm may then be raised once more after a restart: better than an agent that ends.
            journal.write("alarms cannot be kept", level="warning", problem=str(error))

    def health(self, *, configuration: str, oldest_us: int | None) -> AgentHealth:
        """The message."""
        spool, figures, now_us = self._spool, self._system.figures(), steady_us()
        return AgentHealth(
            gateway=self._settings.gateway,
            at_us=self._intake.now_us(),
            spool_batches=spool.batches,
            spool_bytes=spool.bytes,
            sequence=spool.sequence,
            acknowledged=spool.acknowledged,
            lost_reads=spool.lost_reads,
            devices=tuple(
                watch.health(steady_us=now_us, alarms=self._alarms.of(watch.device))
                for watch in self._watches.values()
            ),
            oldest_us=oldest_us,
            uptime_s=figures.uptime_s,
            cpu_percent=figures.cpu_percent,
            memory_bytes=figures.memory_bytes,
            disk_free_bytes=figures.disk_free_bytes,
            temperature_c=figures.temperature_c,
            certificate_until_us=figures.certificate_until_us,
            configuration=configuration,
            log_level=journal.level(),
            alarms=self._alarms.of(self._settings.gateway),
        )
