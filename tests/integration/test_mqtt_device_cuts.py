"""The links of devices that publish by themselves, cut behind every byte of a conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_sim.core import epc, mqtt_wire
from firmware_sim.core.vendors import impinj
from tallygate.servers.mqtt_embedded import EmbeddedMqtt
from tests.support.mqtt_rig import (
    ScriptedBroker,
    impinj_tables,
    publisher,
    rig_of,
)

GTIN = "09506000134352"
TOGETHER = 12
"""Links that are cut at the same time, each at its own bytes."""


@pytest.fixture(name="broker", scope="module")
def fixture_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMqtt]:
    with EmbeddedMqtt(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


def unit(serial: int) -> str:
    return f"https://id.gs1.org/01/{GTIN}/21/{serial}"


def tag(serial: int) -> bytes:
    content = epc.sgtin_96(GTIN, 7, serial)
    told_us = 1_795_514_400_000_000 + serial
    return impinj.tag_inventory(
        content, antenna=1, rssi_cdbm=-5_150, seen_us=told_us, told_us=told_us
    )


async def test_the_readers_link_cut_at_every_byte_loses_only_what_was_not_whole(
    broker: EmbeddedMqtt, tmp_path: Path
) -> None:
    """The reader publishes again what the broker had not acknowledged, as readers do."""
    number = 7_000
    conversation = mqtt_wire.connect("cut-reader", keepalive_s=15) + mqtt_wire.publish(
        "impinj/c-1/events", tag(number), number=1, retain=False
    )

    async with rig_of(tmp_path, impinj_tables("c-1"), broker.port, name="reader-cut") as rig:
        await rig.is_in("c-1", "reading")
        for cut in range(len(conversation)):
            _, writer = await asyncio.open_connection("127.0.0.1", broker.port)
            writer.write(conversation[:cut])
            await writer.drain()
            writer.transport.abort()
        assert not rig.identities()
        async with publisher(broker.port) as reader:
            await reader.publish("impinj/c-1/events", tag(number), qos=1)
            await rig.read(unit(number))
        assert not rig.rejects


async def _cut_each(cuts: range, folder: Path, name: str) -> None:
    """One agent's link, cut behind each of these bytes from the broker, one after the other."""
    async with (
        ScriptedBroker(f"impinj/{name}/events") as broker,
        rig_of(folder, impinj_tables(name), broker.port, name=name) as rig,
    ):
        for cut in cuts:
            await broker.say(tag(cut), cut_after=cut)
        await rig.read(unit(cuts[-1]))
        assert rig.identities() == [unit(cut) for cut in cuts]
        assert not rig.rejects
        assert broker.cuts == len(cuts)


async def test_the_agents_link_cut_at_every_byte_is_made_anew_and_each_read_is_entered_once(
    tmp_path: Path,
) -> None:
    """The broker says what one said once, and is cut; what was not acknowledged it says again."""
    async with (
        ScriptedBroker("impinj/c-00/events") as broker,
        rig_of(tmp_path, impinj_tables("c-00"), broker.port, name="c-00") as rig,
    ):
        await broker.say(tag(100), cut_after=None)
        await rig.read(unit(100))
        length = broker.said
    assert length > 200
    async with asyncio.TaskGroup() as group:
        for place in range(TOGETHER):
            cuts = range(place, length, TOGETHER)
            group.create_task(_cut_each(cuts, tmp_path, f"c-{place + 10}"))


async def test_what_the_broker_sends_again_is_entered_once(tmp_path: Path) -> None:
    """The acknowledgement is lost with the link: the broker has to send the message again."""
    async with (
        ScriptedBroker("impinj/c-r/events") as broker,
        rig_of(tmp_path, impinj_tables("c-r"), broker.port, name="c-r") as rig,
    ):
        await broker.say(tag(1), cut_after=None)
        await rig.read(unit(1))
        await broker.say(tag(1), cut_after=None, again=True)
        await broker.say(tag(2), cut_after=None)
        await rig.read(unit(2))
        assert rig.identities() == [unit(1), unit(2)]


async def test_what_the_broker_says_anew_is_entered_though_it_is_equal(tmp_path: Path) -> None:
    """A reader's last will says the same each time that the reader dies."""
    async with (
        ScriptedBroker("impinj/c-e/events") as broker,
        rig_of(tmp_path, impinj_tables("c-e"), broker.port, name="c-e") as rig,
    ):
        await broker.say(tag(1), cut_after=None)
        await rig.read(unit(1))
        await broker.say(tag(1), cut_after=None)
        await broker.say(tag(2), cut_after=None)
        await rig.read(unit(2))
        assert rig.identities() == [unit(1), unit(1), unit(2)]
