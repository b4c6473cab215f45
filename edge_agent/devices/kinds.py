"""Every kind of device and the adapter that serves it: the place to add a new one."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import NamedTuple

from contracts.site_devices import DeviceTable
from edge_agent.core.device_watch import DeviceWatch
from edge_agent.devices.ascii_scanner import scanner_task
from edge_agent.devices.ble_radio import BleRadio
from edge_agent.devices.bleak_adverts import BleakAdverts
from edge_agent.devices.device_intake import DeviceIntake
from edge_agent.devices.handheld_http import HandheldHttp
from edge_agent.devices.llrp_intake import LlrpIntake, filters_of, reader_settings
from edge_agent.devices.llrp_reader import LlrpReader, Reconnecting
from edge_agent.devices.mqtt_connections import connection_of
from edge_agent.devices.mqtt_device import MqttDevice
from edge_agent.devices.stack_light import StackLights
from edge_agent.door import Door
from edge_agent.settings import AgentSettings

MICROSECONDS = 1_000_000
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


CAN_WAIT = frozenset({"llrp", "impinj", "zebra", "zebra_handheld", "ble_gateway", "sparkplug"})
"""Kinds that keep what is not taken from them: the reader itself, or the broker between."""


def device_task(around: Surroundings) -> Task:
    """The task that serves a device."""
    return ADAPTERS[around.device.kind](around)


def _llrp(around: Surroundings) -> Task:
    device, speed = around.device, around.settings.clock.speed
    assert device.host is not None
    assert device.port is not None
    reader = LlrpReader(
        host=device.host,
        port=device.port,
        settings=reader_settings(device),
        sink=LlrpIntake(
            source=around.source,
            intake=around.intake,
            watch=around.watch,
            lights=around.lights,
            filters=filters_of(device.llrp),
            # In a rehearsal the link's own delays look so many times longer.
            clock_off_us=round(device.llrp.clock_off_s * MICROSECONDS * max(1.0, speed)),
        ),
        dice=around.dice,
        reconnecting=Reconnecting(
            connect_timeout_s=device.llrp.timeout_s, wait_s_max=device.llrp.retry_s_max
        ),
    )
    around.lights.add(device.id, reader)
    return reader.run()


def _scanner(around: Surroundings) -> Task:
    return scanner_task(around.device, intake=around.device_intake(), dice=around.dice)


def _ble(around: Surroundings) -> Task:
    return BleRadio(
        table=around.device.ble,
        intake=around.device_intake(),
        source=BleakAdverts(around.device.ble, around.intake.now_us),
        speed=around.settings.clock.speed,
        dice=around.dice,
    ).run()


def _handheld(around: Surroundings) -> Task:
    return HandheldHttp(
        around.device,
        locations=around.settings.locations,
        data=around.settings.data,
        intake=around.device_intake(),
        dice=around.dice,
    ).run()


def _mqtt(around: Surroundings) -> Task:
    return MqttDevice(
        around.device,
        intake=around.device_intake(),
        connection=partial(connection_of, around.device, around.settings, around.dice),
        speed=around.settings.clock.speed,
    ).run()


ADAPTERS: Mapping[str, Callable[[Surroundings], Task]] = {
    **dict.fromkeys(("impinj", "zebra", "zebra_handheld", "ble_gateway", "sparkplug"), _mqtt),
    "handheld": _handheld,
    "llrp": _llrp,
    "scanner": _scanner,
    "ble": _ble,
}
"""By the site file's `kind`."""
