"""Cuts the link between a radio's adapter and its system, inside the conversation of a scan."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import pytest

from contracts.site_ble import BleTable
from edge_agent.devices import bluez_watch
from firmware_sim.bench.bluez import SERVICE, BlueZ
from firmware_sim.bench.private_bus import PrivateBus
from tests.support.ble_bench import BADGE, Desk, badge, settle

TABLE = BleTable(report_every_s=0.1).model_copy(
    update={"report_every_s": 0.02, "retry_s_max": 0.001}
)
"""Quicker than a site file may ask for."""


async def cut_and_recover(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, first: int, step: int
) -> None:
    """Cut at every so many bytes of a conversation; the radio reads again after each cut."""
    monkeypatch.setattr(bluez_watch, "LOOK_S", 0.005)
    # The Bluetooth library leaves the ends of its connections to the garbage collector.
    noted: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: noted.append(context))
    bus = PrivateBus(folder)
    await bus.start()
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
    bluez = BlueZ(bus.address)
    await bluez.start()
    bus.spare(SERVICE)
    async with Desk(TABLE) as desk:
        await desk.until(lambda: desk.states() == ["reading"], "it begins")
        bluez.hear(badge(-60))
        await desk.until(lambda: desk.counts()[BADGE], "a read")
        conversation = bus.bytes_sent
        assert conversation > 2_000, "both connections, from the first byte to the first advert"
        for cut in range(first, conversation, step):
            await _recover(desk, bus, bluez, cut)
        known = desk.counts()[BADGE]
        bluez.hear(badge(-90))
        await desk.until(lambda: desk.counts()[BADGE] > known, "a read after all cuts")
    await bluez.stop()
    await bus.stop()
    await settle()
    gc.collect()
    others = [one for one in noted if not isinstance(one.get("exception"), EOFError | OSError)]
    assert not others, others


async def _recover(desk: Desk, bus: PrivateBus, bluez: BlueZ, cut: int) -> None:
    """The first cut ends the conversation that goes on, the second is in the next one."""
    bus.drop(after_bytes=0)
    bus.drop(after_bytes=cut)
    turns = iter(range(1_000_000))

    def recovered() -> bool:
        bluez.hear(badge(-60 - next(turns) % 20))
        return not bus.is_to_drop and desk.states()[-1] == "reading" and bool(bluez.scan())

    await desk.until(recovered, f"it recovers from a cut after {cut} bytes")
