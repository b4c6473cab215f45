"""Devices that publish over MQTT by themselves: from the bench, by the broker, into the spool."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_sim.core import epc
from firmware_sim.core.vendors import impinj, sparkplug
from tallygate.servers.mqtt_embedded import EmbeddedMqtt
from tests.support.mqtt_rig import impinj_tables, publisher, rig_of, until

GTIN = "09506000134352"


@pytest.fixture(name="broker", scope="module")
def fixture_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMqtt]:
    with EmbeddedMqtt(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


def unit(serial: int) -> str:
    return f"https://id.gs1.org/01/{GTIN}/21/{serial}"


def tag(serial: int, told_us: int, *, hostname: str = "") -> bytes:
    return impinj.tag_inventory(
        epc.sgtin_96(GTIN, 7, serial),
        antenna=1,
        rssi_cdbm=-5_150,
        seen_us=told_us,
        told_us=told_us,
        hostname=hostname,
    )


async def test_a_reader_is_read_and_its_state_shown(broker: EmbeddedMqtt, tmp_path: Path) -> None:
    async with (
        rig_of(tmp_path, impinj_tables("r-1"), broker.port, name="shown") as rig,
        publisher(broker.port) as reader,
    ):
        await rig.is_in("r-1", "reading")
        assert rig.watches["r-1"].detail.startswith("nothing heard yet on impinj/r-1/events")
        await reader.publish("impinj/r-1/status", b"connected", qos=1, retain=True)
        await until(lambda: rig.watches["r-1"].detail == "the reader is connected", "its word")
        now_us = rig.intake.now_us()
        await reader.publish("impinj/r-1/events", tag(1, now_us), qos=1)
        await rig.read(unit(1))
        read = rig.reads[0]
        assert (read.device, read.antenna, read.rssi_cdbm) == ("r-1", 1, -5_150)
        assert read.last_us == now_us
        assert read.evidence == epc.sgtin_96(GTIN, 7, 1)
        await reader.publish("impinj/r-1/status", b"connection lost", qos=1, retain=True)
        await rig.is_in("r-1", "silent")
        await reader.publish("impinj/r-1/events", tag(2, now_us), qos=1)
        await rig.is_in("r-1", "reading")
        await reader.publish("impinj/r-1/status", b"", retain=True)


async def test_readers_share_a_connection_and_a_topic_and_each_takes_its_own(
    broker: EmbeddedMqtt, tmp_path: Path
) -> None:
    names = ("r-2", "r-3")
    devices = "".join(
        impinj_tables(name, more=f'sender = "{name}"\n').replace(
            f"impinj/{name}/events", "impinj/all/+"
        )
        for name in names
    )
    async with (
        rig_of(tmp_path, devices, broker.port, name="shared") as rig,
        publisher(broker.port) as reader,
    ):
        for name in names:
            await rig.is_in(name, "reading")
        for serial, name in enumerate((*names, *names)):
            told = tag(serial, rig.intake.now_us(), hostname=name)
            await reader.publish("impinj/all/events", told, qos=1)
        await until(lambda: len(rig.reads) == 4, "four reads")
        assert [read.device for read in rig.reads] == [*names, *names]


async def test_the_broker_comes_back_empty_and_reading_goes_on(tmp_path: Path) -> None:
    with EmbeddedMqtt(tmp_path / "broker") as broker:
        async with rig_of(tmp_path, impinj_tables("r-4"), broker.port, name="empty") as rig:
            await rig.is_in("r-4", "reading")
            broker.kill()
            await rig.is_in("r-4", "retrying")
            broker.start()
            await rig.is_in("r-4", "reading")
            async with publisher(broker.port) as reader:
                await reader.publish("impinj/r-4/events", tag(7, rig.intake.now_us()), qos=1)
                await rig.read(unit(7))


async def test_a_reader_from_the_future_is_told_and_freezes_nothing(
    broker: EmbeddedMqtt, tmp_path: Path
) -> None:
    async with (
        rig_of(tmp_path, impinj_tables("r-5"), broker.port, name="future") as rig,
        publisher(broker.port) as reader,
    ):
        await rig.is_in("r-5", "reading")
        year_us = 365 * 86_400 * 1_000_000
        await reader.publish("impinj/r-5/events", tag(1, rig.intake.now_us() + year_us), qos=1)
        await reader.publish("impinj/r-5/events", tag(2, rig.intake.now_us() + year_us), qos=1)
        await rig.read(unit(2))
        off = [change for change in rig.changes if change.state == "clock_off"]
        assert len(off) == 1
        assert "ahead of the agent's" in off[0].detail
        skew_us = rig.watches["r-5"].skew_us
        assert skew_us is not None
        assert abs(skew_us - year_us) < 5_000_000
        assert rig.intake.take().gateway_us < rig.intake.now_us()


async def test_retained_reads_are_refused_because_nobody_knows_their_age(
    broker: EmbeddedMqtt, tmp_path: Path
) -> None:
    async with publisher(broker.port) as reader:
        await reader.publish("impinj/r-6/events", tag(1, 1), qos=1, retain=True)
        async with rig_of(tmp_path, impinj_tables("r-6"), broker.port, name="retained") as rig:
            await until(lambda: rig.rejects, "a reject")
            assert "a retained message" in rig.rejects[0].reason
            assert not rig.reads
        await reader.publish("impinj/r-6/events", b"", retain=True)


async def test_a_silent_device_shows_after_its_time(broker: EmbeddedMqtt, tmp_path: Path) -> None:
    devices = impinj_tables("r-7", more="silent_s_max = 0.2\n")
    async with (
        rig_of(tmp_path, devices, broker.port, name="silent") as rig,
        publisher(broker.port) as reader,
    ):
        await rig.is_in("r-7", "silent")
        assert rig.watches["r-7"].detail == "nothing heard for 0.2 s"
        await reader.publish("impinj/r-7/events", b"\r\n", qos=1)
        await rig.is_in("r-7", "reading")
        await rig.is_in("r-7", "silent")


async def test_a_reader_that_floods_hurts_no_other(broker: EmbeddedMqtt, tmp_path: Path) -> None:
    """The flooder is far above its allowance, so it is slowed; what has no room is told."""
    slow = impinj_tables("r-8").replace('kind = "impinj"', 'kind = "impinj"\nreads_per_s_max = 1.0')
    async with (
        rig_of(tmp_path, slow + impinj_tables("r-9"), broker.port, name="flood") as rig,
        publisher(broker.port) as reader,
    ):
        for name in ("r-8", "r-9"):
            await rig.is_in(name, "reading")
        now_us = rig.intake.now_us()
        batch = b"[" + b",".join(tag(serial, now_us) for serial in range(100)) + b"]"
        for _ in range(3):
            await reader.publish("impinj/r-8/events", batch, qos=1)
        await until(
            lambda: [one for one in rig.changes if "is slowed down" in one.detail], "a complaint"
        )
        await reader.publish("impinj/r-9/events", tag(5_000, now_us), qos=1)
        await rig.read(unit(5_000))
        for _ in range(1_300):
            await reader.publish("impinj/r-8/events", b"[]", qos=0)
        await reader.publish("impinj/r-9/events", tag(5_001, now_us), qos=1)
        await rig.read(unit(5_001))


async def test_while_the_spool_is_nearly_full_the_broker_keeps_the_messages(
    broker: EmbeddedMqtt, tmp_path: Path
) -> None:
    async with (
        rig_of(tmp_path, impinj_tables("r-10"), broker.port, name="held") as rig,
        publisher(broker.port) as reader,
    ):
        await rig.is_in("r-10", "reading")
        rig.is_held = True
        await reader.publish("impinj/r-10/events", tag(1, rig.intake.now_us()), qos=1)
        await rig.is_in("r-10", "paused")
        assert not rig.reads
        rig.is_held = False
        await rig.read(unit(1))
        await rig.is_in("r-10", "reading")


async def test_devices_come_and_go_while_others_read_on(
    broker: EmbeddedMqtt, tmp_path: Path
) -> None:
    devices = impinj_tables("r-11") + impinj_tables("r-12")
    async with (
        rig_of(tmp_path, devices, broker.port, name="coming") as rig,
        publisher(broker.port) as reader,
    ):
        for name in ("r-11", "r-12"):
            await rig.is_in(name, "reading")
        rig.tasks[1].cancel()
        await asyncio.wait([rig.tasks[1]])
        await reader.publish("impinj/r-12/events", tag(1, rig.intake.now_us()), qos=1)
        await reader.publish("impinj/r-11/events", tag(2, rig.intake.now_us()), qos=1)
        await rig.read(unit(2))
        assert rig.identities() == [unit(2)]
        rig.tasks[1] = asyncio.create_task(rig.device("r-12").run())
        await rig.is_in("r-12", "reading")
        await reader.publish("impinj/r-12/events", tag(3, rig.intake.now_us()), qos=1)
        await rig.read(unit(3))


async def test_a_sparkplug_host_tells_its_state_and_asks_a_node_for_its_birth(
    broker: EmbeddedMqtt, tmp_path: Path
) -> None:
    devices = (
        '[[devices]]\nid = "node"\ngateway = "dock"\nkind = "sparkplug"\n[devices.mqtt]\n'
        'topic = "spBv1.0/dock/+/portal"\nhost_id = "tallygate"\n'
    )
    heard: list[tuple[str, bytes]] = []

    async def listen() -> None:
        async with publisher(broker.port) as listener:
            await listener.subscribe([("spBv1.0/STATE/tallygate", 1), ("spBv1.0/+/NCMD/#", 1)])
            async for message in listener.messages:
                assert isinstance(message.payload, bytes)
                heard.append((str(message.topic), message.payload))

    listening = asyncio.create_task(listen())
    async with (
        rig_of(tmp_path, devices, broker.port, name="host") as rig,
        publisher(broker.port) as node,
    ):
        await until(lambda: heard, "the host's state")
        assert heard[0][0] == "spBv1.0/STATE/tallygate"
        born = json.loads(heard[0][1])
        assert born["online"] is True
        data = sparkplug.payload(1, [sparkplug.Metric("", sparkplug.INT64, 1, alias=9)], 5)
        for _ in range(3):
            await node.publish("spBv1.0/dock/NDATA/portal", data)
        await until(lambda: len(heard) == 2, "the command")
        assert heard[1][0] == "spBv1.0/dock/NCMD/portal"
        assert b"Node Control/Rebirth" in heard[1][1]
        death = sparkplug.payload(1, [sparkplug.Metric("bdSeq", sparkplug.INT64, 0)], None)
        await node.publish("spBv1.0/dock/NDEATH/portal", death)
        await rig.is_in("node", "silent")
    await until(lambda: len(heard) == 3, "the end of the host")
    assert json.loads(heard[2][1]) == {"online": False, "timestamp": born["timestamp"]}
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
