"""A Bluetooth radio on the bench: the double of BlueZ on a bus, and what listens to it."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Protocol, Self, TypeVar

from contracts.clock import REAL_TIME
from contracts.reads import DeviceChange, Read
from contracts.site_ble import BleTable
from edge_agent.core.device_watch import DeviceWatch
from edge_agent.devices.ble_radio import Adverts, BleRadio
from edge_agent.devices.bleak_adverts import BleakAdverts
from edge_agent.devices.device_intake import DeviceIntake
from edge_agent.door import Door
from edge_agent.intake import Intake
from firmware_sim.bench.bluez import BlueZ
from firmware_sim.bench.private_bus import PrivateBus
from firmware_sim.core import ble
from tests.support.agent_bench import GATEWAY, SITE, WAIT_S_MAX, AgentProcess

Found = TypeVar("Found")

UUID = "fda50693-a4e2-4fb1-afcf-c6eb07647825"
BADGE = f"ble:ibeacon:{UUID}:1:7"
BADGE_ADDRESS = "C0:00:00:00:00:07"
CART = "ble:eddystone:00112233445566778899:aabbccddeeff"
CART_ADDRESS = "C0:00:00:00:00:08"


def event(data: bytes, rssi_dbm: int, address: str) -> bytes:
    """An advert as a radio hands it on."""
    return ble.Report(address, is_random=True, data=data, rssi_dbm=rssi_dbm).encode()


def badge(rssi_dbm: int) -> bytes:
    """A badge's iBeacon."""
    return event(ble.ibeacon(UUID, 1, 7), rssi_dbm, BADGE_ADDRESS)


def cart(rssi_dbm: int) -> bytes:
    """A cart's Eddystone beacon."""
    frame = ble.eddystone_uid(bytes.fromhex(CART[14:34]), bytes.fromhex(CART[35:]))
    return event(frame, rssi_dbm, CART_ADDRESS)


def phone() -> bytes:
    """Somebody's phone, from an address that it changes."""
    data = ble.flags(0x1A) + ble.manufacturer(ble.APPLE, b"\x10\x05\x01")
    return event(data, -50, "5A:00:00:00:00:01")


DAEMON = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="false"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>
"""


class Bus(Protocol):
    """A message bus that can go and come."""

    @property
    def address(self) -> str:
        """For `DBUS_SYSTEM_BUS_ADDRESS`."""

    async def start(self) -> None:
        """Be there."""

    async def stop(self) -> None:
        """Be gone, with all connections."""


class DaemonBus:
    """`dbus-daemon` with a configuration and a socket of its own."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "socket"
        self._config = folder / "bus.conf"
        self._config.write_text(DAEMON.format(socket=self._socket))
        self._process: asyncio.subprocess.Process | None = None
        self.address = f"unix:path={self._socket}"

    async def start(self) -> None:
        """Be there: it says its address when it listens."""
        self._process = await asyncio.create_subprocess_exec(
            "dbus-daemon",
            f"--config-file={self._config}",
            "--nofork",
            "--print-address",
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line.startswith(b"unix:"), "dbus-daemon did not start"

    async def stop(self) -> None:
        """Be gone, with all connections."""
        if self._process is None:
            return
        self._process.kill()
        await self._process.wait()
        self._process = None
        self._socket.unlink(missing_ok=True)


def bus_in(folder: Path, *, daemon: bool) -> Bus:
    """A bus in a folder of its own: dbus-daemon, or ours."""
    return DaemonBus(folder) if daemon else PrivateBus(folder)


async def settle() -> None:
    """Give clients' connections a few turns to see that their bus is gone."""
    for _ in range(10):
        await asyncio.sleep(0)


class Desk:
    """A radio's adapter on a desk, with an intake that is emptied and noted; `async with`."""

    def __init__(self, table: BleTable, source: Adverts | None = None) -> None:
        """`source`: in place of bleak."""
        self.reads: list[Read] = []
        self.changes: list[DeviceChange] = []
        self.watch = DeviceWatch("radio")
        self.intake = Intake(REAL_TIME, floor_us=0)
        door = Door(self.intake, watch=self.watch, can_wait=False, per_s_max=0)
        self._radio = BleRadio(
            table=table,
            intake=DeviceIntake(source="dock/radio", intake=door, watch=self.watch),
            source=source or BleakAdverts(table, door.now_us),
            speed=1.0,
            dice=random.Random(1),
        )
        self._noted = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(one) for one in (self._radio.run(), self._note())]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self._take()

    async def _note(self) -> None:
        while True:
            batch = await self.intake.next_batch(wants_empty=bool)
            self._add(batch.reads, batch.changes)

    def _take(self) -> None:
        batch = self.intake.take()
        self._add(batch.reads, batch.changes)

    def _add(self, reads: tuple[Read, ...], changes: tuple[DeviceChange, ...]) -> None:
        self.reads += reads
        self.changes += changes
        self._noted.set()

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until a condition holds; it is looked at whenever something is noted."""
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                while not condition():
                    self._noted.clear()
                    with suppress(TimeoutError):
                        # Some conditions change without a note: a device's detail in words.
                        async with asyncio.timeout(0.005):
                            await self._noted.wait()
        except TimeoutError:
            raise AssertionError(f"not within {WAIT_S_MAX:g} s: {what}; {self.changes}") from None

    def states(self) -> list[str]:
        """The states that were told, in order."""
        return [change.state for change in self.changes]

    def counts(self) -> Counter[str]:
        """Adverts by identity."""
        found: Counter[str] = Counter()
        for read in self.reads:
            found[read.identity] += read.count
        return found


class BlueZThread:
    """A bus and the double on it in a thread, for tests with an agent in a process of its own."""

    def __init__(self, folder: Path, *, daemon: bool) -> None:
        """`daemon`: on dbus-daemon."""
        folder.mkdir()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._bus = bus_in(folder, daemon=daemon)
        self.address = self._bus.address
        self._bluez = self.run(self._start())

    async def _start(self) -> BlueZ:
        await self._bus.start()
        bluez = BlueZ(self.address)
        await bluez.start()
        return bluez

    def run(self, work: Coroutine[None, None, Found]) -> Found:
        """Do something in the thread; its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_S_MAX)

    def until_scanned(self) -> str:
        """Wait until a client scans; how."""
        return self.run(self._bluez.until_scanned())

    def hear(self, *events: bytes) -> int:
        """The radio hears adverts; how many a client was told of."""

        async def hear() -> int:
            return sum(self._bluez.hear(event) for event in events)

        return self.run(hear())

    def close(self) -> None:
        """All of it ends."""
        self.run(self._bluez.stop())
        self.run(self._bus.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S_MAX)
        self._loop.close()


class RadioAgent(AgentProcess):
    """An edge agent with one Bluetooth radio."""

    def __init__(self, folder: Path, *, mqtt_port: int, ble: str = "") -> None:
        """`ble`: more of the table `[devices.ble]`."""
        super().__init__(folder, scanner_port=1, mqtt_port=mqtt_port)
        self._site.write_text(
            f"""
site = "{SITE}"
[[zones]]
id = "stage"
[[gateways]]
id = "{GATEWAY}"
[[devices]]
id = "radio"
gateway = "{GATEWAY}"
kind = "ble"
location = "stage"
[devices.ble]
report_every_s = 0.2
retry_s_max = 0.3
timeout_s = 5
{ble}
"""
        )
