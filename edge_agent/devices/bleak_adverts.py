"""Adverts from this machine's Bluetooth radio, through bleak.

On Linux bleak talks to BlueZ, which tells a beacon's advert when its signal or its data changed: a
count of adverts is therefore *at least* so many. On other systems bleak talks to theirs; there no
one looks after the radio, and only silence tells that it is gone.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Literal

from bleak import BleakAdapter, BleakScanner
from bleak.args.bluez import BlueZScannerArgs, OrPattern
from bleak.assigned_numbers import AdvertisementDataType
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from contracts.site_ble import BleTable
from edge_agent.core.ble.adverts import advert_of_parts
from edge_agent.core.ble.monitor import wanted
from edge_agent.core.ble.pool import RSSI_DBM_MIN, Heard
from edge_agent.devices.ble_radio import Radio, RadioError, SilentError, Watch

if sys.platform == "linux":
    from edge_agent.devices.bluez_watch import BlueZWatch

STOP_S_MAX = 2.0
"""How long ending a scan may take: the agent waits for it when it stops."""

Mode = Literal["active", "passive"]

# What bleak has to say of a lost radio this file says itself, in the device's state.
logging.getLogger("bleak").setLevel(logging.CRITICAL)


class _NoWatch:
    """For systems whose radio nobody looks after: bleak finds it, and scans actively."""

    async def begin(self) -> Radio:
        return Radio("", is_passive=False)

    async def follow(self) -> None:
        """There is nothing to look after."""

    async def lost(self) -> str:
        await asyncio.Event().wait()
        return ""

    @property
    def is_alive(self) -> bool:
        return True

    async def end(self) -> None:
        """There is nothing to end."""


def _watch(adapter: str) -> Watch:
    return BlueZWatch(adapter) if sys.platform == "linux" else _NoWatch()


class BleakAdverts:
    """A source of adverts; `listen` until cancelled or until the radio is lost."""

    def __init__(self, table: BleTable, now_us: Callable[[], int]) -> None:
        """`now_us`: domain time."""
        self._table = table
        self._now_us = now_us
        self._heard_s = 0.0
        self._avoided: Mode | None = None
        """What a silent radio was asked for last; the other may work."""
        self._turn = 0
        """Counts scans: adverts that still come from an older one do not count."""
        self._left: list[BleakScanner] = []
        """Scans that ended with D-Bus: bleak can be told so only when D-Bus is back."""

    async def listen(
        self, take: Callable[[Heard], None], begun: Callable[[str], Awaitable[None]]
    ) -> None:
        """Give each advert to `take`; `begun` is told how it scans. Raises RadioError."""
        watch = _watch(self._table.adapter)
        try:
            async with _in_time(self._table.timeout_s, "finding the radio"):
                radio = await watch.begin()
            await self._end_left(radio)
            mode = self._mode(radio)
            scanner = self._scanner(radio, mode, take)
            try:
                await self._start(scanner)
                await watch.follow()
                await begun(f"{mode} scan {radio.name}".rstrip())
                await self._until_lost(watch, mode)
            finally:
                self._turn += 1
                if watch.is_alive:
                    await _stop(scanner)
                else:
                    self._left.append(scanner)
        finally:
            await watch.end()

    async def _end_left(self, radio: Radio) -> None:
        """Have bleak forget scans that ended with D-Bus."""
        if not self._left:
            return
        async with _in_time(self._table.timeout_s, "connecting to D-Bus again"):
            with suppress(Exception):
                await BleakAdapter.get(bluez={"adapter": radio.name})
        while self._left:
            await _stop(self._left.pop())

    def _mode(self, radio: Radio) -> Mode:
        if self._table.scan != "auto":
            return self._table.scan
        patterns = wanted(self._table)
        # Beacons that are known by address only cannot all be asked for by their bytes.
        if not radio.is_passive or not patterns or self._table.addresses:
            return "active"
        return "active" if self._avoided == "passive" else "passive"

    def _scanner(self, radio: Radio, mode: Mode, take: Callable[[Heard], None]) -> BleakScanner:
        turn = self._turn

        def on_advert(device: BLEDevice, data: AdvertisementData) -> None:
            if data.rssi <= RSSI_DBM_MIN or turn != self._turn:
                return  # No advert: something else about the device changed.
            self._heard_s = time.monotonic()
            advert = advert_of_parts(
                manufacturer=data.manufacturer_data,
                service_data=data.service_data,
                services=data.service_uuids,
                name=data.local_name or "",
                tx_power_dbm=data.tx_power,
            )
            take(Heard(advert, device.address, data.rssi, self._now_us()))

        bluez = BlueZScannerArgs(
            filters={"DuplicateData": True},
            or_patterns=[
                OrPattern(one.at, AdvertisementDataType(one.kind), one.content)
                for one in wanted(self._table)
            ],
        )
        if radio.name:
            bluez["adapter"] = radio.name
        return BleakScanner(on_advert, scanning_mode=mode, bluez=bluez)

    async def _start(self, scanner: BleakScanner) -> None:
        async with _in_time(self._table.timeout_s, "beginning a scan"):
            try:
                await scanner.start()
            # Whatever a Bluetooth stack or bleak's way to it does wrong, the radio is tried again.
            except Exception as error:
                words = str(error) or type(error).__name__
                raise RadioError(f"the scan could not begin: {words}") from error

    async def _until_lost(self, watch: Watch, mode: Mode) -> None:
        """Raise RadioError when the radio is gone or silent."""
        self._heard_s = time.monotonic()
        lost = asyncio.ensure_future(watch.lost())
        try:
            while True:
                silent_s_max = self._table.silent_s_max or None
                left_s = None
                if silent_s_max is not None:
                    left_s = silent_s_max - (time.monotonic() - self._heard_s)
                    if left_s <= 0:
                        self._avoided = mode
                        raise SilentError(f"no advert heard for {silent_s_max:g} s")
                done, _ = await asyncio.wait({lost}, timeout=left_s)
                if done:
                    raise RadioError(lost.result())
        finally:
            lost.cancel()


@asynccontextmanager
async def _in_time(seconds: float, what: str) -> AsyncIterator[None]:
    """Bounds a wait; what takes longer is a RadioError."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise RadioError(f"{what} took more than {seconds:g} s") from error


async def _stop(scanner: BleakScanner) -> None:
    """End a scan as well as it goes: where the radio is gone there is none to end."""
    with suppress(Exception):
        async with asyncio.timeout(STOP_S_MAX):
            await scanner.stop()
