"""Every kind of device and the adapter that serves it: the place to add a new one."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Mapping
from typing import NamedTuple

from contracts.site_devices import DeviceTable
from edge_agent.core.device_watch import DeviceWatch
from edge_agent.devices.ascii_scanner import AsciiScanner
from edge_agent.devices.device_intake import DeviceIntake
from edge_agent.devices.llrp_intake import LlrpIntake, reader_settings
from edge_agent.devices.llrp_reader import LlrpReader, Reconnecting
from edge_agent.devices.stack_light import StackLights
from edge_agent.door import Door
from edge_agent.settings import AgentSettings

Task = Coroutine[None, None, None]


class Surroundings(NamedTuple):
    """What a device's adapter is given; it runs until it is cancelled, whatever the device does."""

    device: DeviceTable
    settings: AgentSettings
    intake: Door
    watch: DeviceWatch
    lights: StackLights
    """For kinds with outputs: `lights.add(device.id, ...)` when the adapter is made."""
    dice: random.Random

    @property
    def source(self) -> str:
        """The device in rejects."""
        return f"{self.settings.gateway}/{self.device.id}"

    def device_intake(self) -> DeviceIntake:
        """The device's way into the spool."""
        return DeviceIntake(source=self.source, intake=self.intake, watch=self.watch)


CAN_WAIT = frozenset({"llrp"})
"""Kinds that keep what is not taken from them: the reader itself, or the broker between."""


def device_task(around: Surroundings) -> Task:
    """The task that serves a device."""
    return ADAPTERS[around.device.kind](around)


def _llrp(around: Surroundings) -> Task:
    device = around.device
    assert device.host is not None
    assert device.port is not None
    reader = LlrpReader(
        host=device.host,
        port=device.port,
        settings=reader_settings(device),
        sink=LlrpIntake(
            source=around.source, intake=around.intake, watch=around.watch, lights=around.lights
        ),
        dice=around.dice,
        reconnecting=Reconnecting(
            connect_timeout_s=device.llrp.timeout_s, wait_s_max=device.llrp.retry_s_max
        ),
    )
    around.lights.add(device.id, reader)
    return reader.run()


def _scanner(around: Surroundings) -> Task:
    device = around.device
    assert device.host is not None
    assert device.port is not None
    return AsciiScanner(
        host=device.host,
        port=device.port,
        settings=device.scanner,
        intake=around.device_intake(),
        dice=around.dice,
    ).run()


ADAPTERS: Mapping[str, Callable[[Surroundings], Task]] = {
    "llrp": _llrp,
    "scanner": _scanner,
}
"""By the site file's `kind`."""
