# ruff: noqa: D102 - a test's name is its claim.
"""Beacons through BlueZ' double, D-Bus and bleak: what our own bus and dbus-daemon both pass."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from contracts.commands import AgentHealth
from contracts.site_ble import BleTable
from firmware_sim.bench.bluez import BlueZ
from firmware_sim.core.ble import eddystone_tlm, ibeacon
from tallygate.servers.mqtt_embedded import EmbeddedMqtt
from tests.support.agent_bench import Listener, wait_until
from tests.support.ble_bench import (
    BADGE,
    CART,
    CART_ADDRESS,
    UUID,
    BlueZThread,
    Bus,
    Desk,
    RadioAgent,
    badge,
    bus_in,
    cart,
    event,
    phone,
    settle,
)


def table(**more: object) -> BleTable:
    """As the site file would give it, but quick."""
    quick = {"report_every_s": 0.1, "retry_s_max": 0.1, "timeout_s": 5}
    return BleTable.model_validate(quick | more)


async def until_read(desk: Desk, bluez: BlueZ, what: str) -> None:
    """Adverts until one of them is read."""
    known = len(desk.reads)
    turns = iter(range(10_000))

    def heard() -> bool:
        bluez.hear(badge(-60 - next(turns) % 10))
        return len(desk.reads) > known

    await desk.until(heard, what)


class BleSuite:
    """What a radio does whatever bus it is on; a subclass says which."""

    ON_DAEMON = False

    @pytest.fixture(name="bus")
    async def fixture_bus(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> AsyncIterator[Bus]:
        bus = bus_in(tmp_path, daemon=self.ON_DAEMON)
        await bus.start()
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
        yield bus
        await bus.stop()
        await settle()

    @pytest.fixture(name="bluez")
    async def fixture_bluez(self, bus: Bus) -> AsyncIterator[BlueZ]:
        bluez = BlueZ(bus.address)
        await bluez.start()
        yield bluez
        await bluez.stop()

    @pytest.fixture(name="broker")
    def fixture_broker(self, tmp_path: Path) -> Iterator[EmbeddedMqtt]:
        with EmbeddedMqtt(tmp_path / "broker") as broker:
            yield broker

    @pytest.fixture(name="listener")
    def fixture_listener(self, broker: EmbeddedMqtt) -> Iterator[Listener]:
        listener = Listener(broker.port)
        yield listener
        listener.close()

    def test_beacons_go_from_the_air_to_the_agent_s_batches(
        self, broker: EmbeddedMqtt, listener: Listener, tmp_path: Path
    ) -> None:
        radio = BlueZThread(tmp_path / "dbus", daemon=self.ON_DAEMON)
        tags = f'tags = [{{ match = "ble:ibeacon:{UUID}:1:*", kind = "badge" }}]'

        def counted() -> int:
            return sum(read.count for batch in listener.contents() for read in batch.reads)

        def detail() -> str:
            raw = listener.latest("health")
            health = None if raw is None else msgspec.msgpack.decode(raw, type=AgentHealth)
            return health.devices[0].detail if health else ""

        with RadioAgent(tmp_path, mqtt_port=broker.port, ble=tags) as agent:
            agent.start(DBUS_SYSTEM_BUS_ADDRESS=radio.address)
            assert radio.until_scanned() == "passive"
            told = radio.hear(*(badge(-60 - turn) for turn in range(20)))
            told += radio.hear(*(cart(-70 - turn) for turn in range(10)))
            assert told == 30
            assert radio.hear(phone()) == 0, "a passive scan is asked for beacons only"
            wait_until(lambda: counted() == 30, "all adverts in reads")
            wait_until(lambda: "hears 2 beacons (1 badge)" in detail(), "figures in health")
            assert agent.stop() == 0
        assert {*listener.identities()} == {BADGE, CART}
        assert listener.states() == ["reading", "stopped"]
        radio.close()

    async def test_a_read_pools_a_beacon_s_adverts(self, bluez: BlueZ) -> None:
        async with Desk(table(report_every_s=0.5)) as desk:
            await bluez.until_scanned()
            assert all(bluez.hear(badge(dbm)) for dbm in (-60, -64, -80, -62))
            await desk.until(lambda: desk.reads, "a read")
        (read,) = desk.reads
        assert (read.identity, read.device, read.antenna, read.count) == (BADGE, "radio", 0, 4)
        assert read.first_us <= read.last_us <= read.received_us
        assert read.rssi_cdbm == -6100
        assert read.evidence == ibeacon(UUID, 1, 7)[5:]

    async def test_a_stack_without_passive_scans_is_scanned_actively(self, bus: Bus) -> None:
        """And what repeats unchanged is counted, too."""
        bluez = BlueZ(bus.address, passive=False)
        await bluez.start()
        async with Desk(table()) as desk:
            assert await bluez.until_scanned() == "active"
            assert all(bluez.hear(one) for one in (*[badge(-60)] * 5, phone()))
            await desk.until(lambda: desk.counts() == {BADGE: 5}, "the badge's adverts")
            words = "active scan hci0; hears 1 beacons; 1 adverts of others"
            await desk.until(lambda: desk.watch.detail == words, "figures")
        assert bluez.scan() == "", "a stopped agent leaves no scan behind"
        await bluez.stop()

    async def test_a_radio_comes_back_after_every_loss(self, bus: Bus, bluez: BlueZ) -> None:
        async def switch_off() -> None:
            bluez.power(on=False)

        async def switch_on() -> None:
            bluez.power(on=True)

        async def pull() -> None:
            bluez.pull()

        async def plug() -> None:
            bluez.plug("hci0")

        async def end_bus() -> None:
            await bus.stop()
            await bluez.stop()

        async def begin_bus() -> None:
            await bus.start()
            await bluez.start()

        losses = (
            ("switched off", switch_off, switch_on),
            ("pulled out", pull, plug),
            ("BlueZ does not run", bluez.stop, bluez.start),
            ("D-Bus", end_bus, begin_bus),
        )
        async with Desk(table()) as desk:
            await bluez.until_scanned()
            await until_read(desk, bluez, "the first read")
            for words, lose, bring_back in losses:
                await lose()
                await desk.until(lambda: desk.states()[-1] == "retrying", words)
                assert words in desk.changes[-1].detail, desk.changes[-1].detail
                await bring_back()
                await bluez.until_scanned()
                await until_read(desk, bluez, f"a read after: {words}")
                await desk.until(lambda: desk.states()[-1] == "reading", f"reading after: {words}")
        assert desk.states() == ["reading"] + ["retrying", "reading"] * len(losses)

    async def test_an_agent_that_starts_before_its_radio_waits_for_it(
        self, bus: Bus, bluez: BlueZ
    ) -> None:
        await bus.stop()
        await bluez.stop()
        async with Desk(table()) as desk:
            await desk.until(lambda: desk.states() == ["retrying"], "no D-Bus")
            assert "there is no D-Bus here" in desk.changes[0].detail
            await bus.start()
            await desk.until(lambda: "BlueZ does not run" in desk.watch.detail, "no BlueZ")
            await bluez.start()
            await bluez.until_scanned()
            await until_read(desk, bluez, "a read")

    async def test_the_radio_that_is_wanted_is_named_when_it_is_missing(self, bus: Bus) -> None:
        bluez = BlueZ(bus.address, adapters=("hci0", "hci2"))
        await bluez.start()
        async with Desk(table(adapter="hci1")) as desk:
            await desk.until(lambda: desk.states() == ["retrying"], "there is none")
            words = "there is no Bluetooth adapter hci1; there is hci0, hci2; trying again in"
            assert words in desk.changes[0].detail
        async with Desk(table(adapter="hci2")) as desk:
            await bluez.until_scanned("hci2")
            assert bluez.scan("hci0") == ""
        await bluez.stop()

    async def test_a_radio_that_falls_silent_is_scanned_anew_and_told_once(
        self, bluez: BlueZ
    ) -> None:
        async with Desk(table(silent_s_max=0.2)) as desk:
            assert await bluez.until_scanned() == "passive"
            await desk.until(lambda: desk.states() == ["reading", "silent"], "the silence is told")
            # What did not hear passively is tried actively.
            await desk.until(lambda: bluez.scan() == "active", "another way to scan")
            assert desk.states() == ["reading", "silent"], "it does not read yet"
            await until_read(desk, bluez, "a read")
            await desk.until(lambda: desk.states()[-1] == "reading", "it reads")
        assert desk.states() == ["reading", "silent", "reading"]

    async def test_a_low_battery_is_complained_of_once(self, bluez: BlueZ) -> None:
        async with Desk(table()) as desk:
            await bluez.until_scanned()
            bluez.hear(cart(-60))
            for turn in range(5):
                bluez.hear(event(eddystone_tlm(2_100, 21.5, adverts=turn), -60, CART_ADDRESS))
            await desk.until(lambda: desk.counts() == {CART: 6}, "its telemetry counts for it")
            words = f"the battery of {CART} is low: 2.10 V at 21.5 degrees Celsius"
            await desk.until(lambda: words in [one.detail for one in desk.changes], words)
        assert [one.detail for one in desk.changes].count(words) == 1
