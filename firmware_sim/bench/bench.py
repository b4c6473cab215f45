"""Read me first: the bench. A scenario's devices, opened together, at work until somebody stops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from contracts.clock import ClockSetting
from firmware_sim.bench.faults import TimedFault, read_fault
from firmware_sim.bench.kinds import DeviceKind, Passing, Scene, Source
from firmware_sim.bench.links.make import BROKER, HOST, Place, make_link
from firmware_sim.bench.llrp_source import LlrpSource
from firmware_sim.bench.registry import kind_named, usual_port
from firmware_sim.bench.rig import Noted, Rig
from firmware_sim.bench.scenario import DeviceTable, PassingTable, ScenarioFile, TrafficTable
from firmware_sim.bench.scene import Traffic, scene_of, thing_of
from firmware_sim.bench.site import SiteDevice, agent_kind_of, antennas_of, site_text

MILLION = 1_000_000
CENTIBELS = 100
USUAL_SECONDS = 5_000.0
"""How long something passes, if nobody says how long; a longer scene takes longer to make."""
USUAL_NO_READ_SHARE = 0.02
"""Of what passes a scanner, if nobody says anything else."""
WITH_BEACONS = frozenset({"ble", "ble_gateway"})
"""The agent's kinds that hear beacons instead of tags and labels."""
Told = Callable[[str], None]


class Bench:
    """The devices of a scenario."""

    def __init__(
        self,
        scenario: ScenarioFile,
        clock: ClockSetting,
        *,
        start_us: int,
        count: int | None = None,
        noted: Callable[[str], Noted] = lambda _: lambda *_: None,
    ) -> None:
        """`count`: every device's scene ends after so many passings. Raises LinkError."""
        self.scenario = scenario
        self.clock = clock
        self.start_us = start_us
        self.rigs = [self._rig(table, count, noted(table.id)) for table in scenario.devices]
        self._places = [_place(table, scenario) for table in scenario.devices]

    def now_us(self) -> int:
        """Domain time."""
        return self.clock.domain_us(time.time_ns() // 1000)

    async def open(self) -> None:
        """Open all links. Raises LinkError."""
        for rig in self.rigs:
            await rig.link.open()

    async def run(self, told: Told = lambda _: None) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for rig in self.rigs:
                group.create_task(rig.run(told))

    async def until_over(self) -> None:
        """Wait until all scenes are over."""
        for rig in self.rigs:
            await rig.is_over.wait()

    async def close(self) -> None:
        """Close all links."""
        for rig in self.rigs:
            await rig.link.close()

    def site_text(self) -> str:
        """The site file for all devices; ports are known once the links are open."""
        return site_text(
            SiteDevice(
                kind=rig.kind,
                device=rig.device,
                host=place.host,
                port=getattr(rig.link, "port", 0),
                serial=rig.link.address,
            )
            for rig, place in zip(self.rigs, self._places, strict=True)
        )

    def _rig(self, table: DeviceTable, count: int | None, noted: Noted) -> Rig:
        kind = kind_named(table.kind)
        scene = self._scene(table, kind)
        if count is not None:
            scene = scene._replace(passings=scene.passings[:count])
        source = source_of(kind, scene)
        place = _place(table, self.scenario)
        return Rig(
            kind,
            scene,
            source,
            make_link=lambda rig: make_link(
                kind, place, device=table.id, source=source, ears=rig, now_us=self.now_us
            ),
            domain_us=self.now_us,
            timed=tuple(TimedFault(one.at_s, read_fault(one.fault)) for one in table.faults),
            noted=noted,
        )

    def _scene(self, table: DeviceTable, kind: DeviceKind) -> Scene:
        passings = [one for row in table.passings for one in _passings(row, self.start_us)]
        traffic = table.traffic
        if traffic is None and not passings:
            share = USUAL_NO_READ_SHARE if agent_kind_of(kind) == "scanner" else 0.0
            traffic = TrafficTable(no_read_share=share)
        scene = Scene(table.id, self.scenario.seed, self.start_us, ())
        if traffic is not None:
            seconds = self.scenario.seconds
            wanted = _traffic(traffic, kind, USUAL_SECONDS if seconds is None else seconds)
            scene = scene_of(
                table.id, seed=self.scenario.seed, start_us=self.start_us, traffic=wanted
            )
        both = sorted([*scene.passings, *passings], key=lambda one: one.at_us)
        return scene._replace(passings=tuple(both))


def source_of(kind: DeviceKind, scene: Scene) -> Source:
    """The device of a kind; an LLRP reader, where the kind leaves that to the bench."""
    return LlrpSource(kind.name, scene) if kind.source is None else kind.source(scene)


def _traffic(table: TrafficTable, kind: DeviceKind, seconds: float) -> Traffic:
    return Traffic(
        things=table.things,
        rate_per_s=table.rate_per_s,
        antennas=tuple(table.antennas) or antennas_of(kind),
        rssi_cdbm=round(table.rssi_dbm * CENTIBELS),
        spread_cdbm=round(table.spread_db * CENTIBELS),
        no_read_share=table.no_read_share,
        beacons=agent_kind_of(kind) in WITH_BEACONS,
        passings=table.passings,
        seconds=seconds,
    )


def _passings(row: PassingTable, start_us: int) -> list[Passing]:
    thing = thing_of(row.identity)
    return [
        Passing(
            at_us=start_us + round((row.at_s + time_ * row.every_s) * MILLION),
            identity=thing.identity,
            epc=thing.epc,
            code=thing.code,
            antenna=row.antenna,
            rssi_cdbm=round(row.rssi_dbm * CENTIBELS),
        )
        for time_ in range(row.times)
    ]


def _place(table: DeviceTable, scenario: ScenarioFile) -> Place:
    kind = kind_named(table.kind)
    return Place(
        host=table.host or HOST,
        port=usual_port(kind) if table.port is None else table.port,
        mqtt=table.mqtt or scenario.mqtt or BROKER,
        ca=table.ca or scenario.ca,
        serial=Path(table.serial) if table.serial else None,
        bus=Path(table.bus) if table.bus else None,
    )
