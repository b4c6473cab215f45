"""Devices that publish by themselves, on a real Mosquitto: what it keeps is not lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.spool import kept_batches
from firmware_sim.core import epc
from firmware_sim.core.vendors import impinj
from tallygate.servers.mqtt_mosquitto import Mosquitto
from tests.support.agent_bench import GATEWAY, SITE, AgentProcess, Listener, wait_until
from tests.support.mqtt_rig import (
    CuttingProxy,
    batches_of,
    impinj_tables,
    publisher,
    rig_of,
    until,
)
from tests.support.servers import SessionServers

GTIN = "09506000134352"
EVENTS = "impinj/m-1/events"
CUT_EVERY = 7
"""Bytes between two cuts; every byte is cut where no broker is needed."""
MANY = 3_000


@pytest.fixture(name="broker")
def fixture_broker(real_servers: SessionServers, tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker of the test's own; `real_servers` says that there is one."""
    del real_servers
    with Mosquitto(tmp_path / "broker") as broker:
        yield broker


def unit(serial: int) -> str:
    return f"https://id.gs1.org/01/{GTIN}/21/{serial}"


def tag(serial: int) -> bytes:
    content = epc.sgtin_96(GTIN, 7, serial)
    told_us = 1_795_514_400_000_000 + serial
    return impinj.tag_inventory(
        content, antenna=1, rssi_cdbm=-5_150, seen_us=told_us, told_us=told_us
    )


async def test_what_is_published_once_is_read_once_however_the_link_is_cut(
    broker: Mosquitto, tmp_path: Path
) -> None:
    async with (
        CuttingProxy(broker.port) as proxy,
        rig_of(tmp_path, impinj_tables("m-1"), proxy.port, name="m-1") as rig,
        publisher(broker.port) as reader,
    ):
        await rig.is_in("m-1", "reading")
        await reader.publish(EVENTS, tag(0), qos=1)
        await rig.read(unit(0))
        length = proxy.passed
        assert length > 200
        cuts = range(0, length, CUT_EVERY)
        for number, cut in enumerate(cuts, start=1):
            before, proxy.cut_after = proxy.cuts, cut
            proxy.cut()
            await reader.publish(EVENTS, tag(number), qos=1)
            await rig.read(unit(number))
            # A message that came on the connection before needs another to be cut by.
            proxy.cut_after = None if proxy.cuts > before else proxy.cut_after
        assert rig.identities() == [unit(serial) for serial in range(len(cuts) + 1)]
        assert proxy.cuts > len(cuts) // 2
        assert not rig.rejects


async def test_what_comes_while_the_agent_is_away_is_read_when_it_is_back(
    broker: Mosquitto, tmp_path: Path
) -> None:
    async with rig_of(tmp_path, impinj_tables("m-1"), broker.port, name="away") as rig:
        await rig.is_in("m-1", "reading")
    async with publisher(broker.port) as reader:
        for serial in range(MANY):
            await reader.publish(EVENTS, tag(serial), qos=1)
    async with rig_of(tmp_path, impinj_tables("m-1"), broker.port, name="away") as rig:
        await until(lambda: len(rig.reads) >= MANY, "all that the broker kept")
        assert rig.identities() == [unit(serial) for serial in range(MANY)]


def test_an_agent_killed_before_the_disk_had_a_message_gets_it_again(
    broker: Mosquitto, tmp_path: Path
) -> None:
    site = (
        f'site = "{SITE}"\n[[zones]]\nid = "stage"\n[[zones]]\nid = "yard"\noutside = true\n'
        f'[[gates]]\nid = "door-1"\ninner = "stage"\nouter = "yard"\n'
        f'[[gateways]]\nid = "{GATEWAY}"\n'
    ) + impinj_tables("m-1").replace('gateway = "dock"', f'gateway = "{GATEWAY}"')
    with AgentProcess(tmp_path, scanner_port=1, mqtt_port=broker.port) as agent:
        (tmp_path / "site.toml").write_text(site)
        listener = Listener(broker.port)
        agent.start()
        wait_until(lambda: "reading" in listener.states(), "the subscription")
        agent.kill()

        async def publish() -> None:
            async with publisher(broker.port) as reader:
                await reader.publish(EVENTS, tag(1), qos=1)

        asyncio.run(publish())
        agent.start(TALLYGATE_AT="before_spool:1:kill")
        assert agent.ended() == -9
        kept = batches_of([raw for _, _, raw in kept_batches(agent.data)])
        assert not [read for batch in kept for read in batch.reads]
        agent.start()
        wait_until(lambda: unit(1) in listener.identities(), "the read")
        assert listener.identities() == [unit(1)]
        assert agent.stop() == 0
        listener.close()
