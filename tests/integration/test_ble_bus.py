"""The bench's own D-Bus: what a client may do to it, and what it may not do to others."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from firmware_sim.bench.bluez import ADAPTER, OBJECTS, SERVICE, BlueZ
from firmware_sim.bench.private_bus import PrivateBus
from tests.support.ble_bench import badge, settle


@pytest.fixture(name="bus")
async def fixture_bus(tmp_path: Path) -> AsyncIterator[PrivateBus]:
    async with PrivateBus(tmp_path) as bus:
        yield bus
    await settle()


@pytest.fixture(name="client")
async def fixture_client(bus: PrivateBus) -> AsyncIterator[MessageBus]:
    client = await MessageBus(bus.address).connect()
    yield client
    client.disconnect()
    await settle()


async def call(client: MessageBus, path: str, interface: str, member: str) -> Message:
    reply = await client.call(
        Message(destination=SERVICE, path=path, interface=interface, member=member)
    )
    assert reply is not None
    return reply


async def test_a_call_to_nobody_is_answered(client: MessageBus) -> None:
    reply = await call(client, "/", OBJECTS, "GetManagedObjects")
    assert reply.message_type is MessageType.ERROR
    assert str(reply.error_name).endswith("ServiceUnknown")


async def test_the_stack_answers_as_bluez_does(bus: PrivateBus, client: MessageBus) -> None:
    bluez = BlueZ(bus.address)
    await bluez.start()
    objects = (await call(client, "/", OBJECTS, "GetManagedObjects")).body[0]
    assert ADAPTER in objects["/org/bluez/hci0"]
    hci0, hci9 = "/org/bluez/hci0", "/org/bluez/hci9"
    assert (await call(client, hci9, ADAPTER, "StartDiscovery")).error_name
    assert not (await call(client, hci0, ADAPTER, "StartDiscovery")).error_name
    again = await call(client, hci0, ADAPTER, "StartDiscovery")
    assert again.error_name == "org.bluez.Error.InProgress"
    assert bluez.scan() == "active"
    assert bluez.hear(badge(-60))
    assert not bluez.hear(badge(-60)), "what did not change is not told unless asked for"
    assert bluez.hear(badge(-61))
    assert not (await call(client, hci0, ADAPTER, "StopDiscovery")).error_name
    assert not bluez.hear(badge(-62))
    bluez.power(on=False)
    assert (await call(client, hci0, ADAPTER, "StartDiscovery")).error_name == (
        "org.bluez.Error.NotReady"
    )
    await bluez.stop()


async def test_a_client_that_leaves_scans_no_more(bus: PrivateBus) -> None:
    bluez = BlueZ(bus.address)
    await bluez.start()
    client = await MessageBus(bus.address).connect()
    await call(client, "/org/bluez/hci0", ADAPTER, "StartDiscovery")
    assert bluez.scan() == "active"
    client.disconnect()
    async with asyncio.timeout(5):
        await bluez.until_left()
    await bluez.stop()


async def test_nonsense_is_let_go_and_hurts_nobody(bus: PrivateBus, client: MessageBus) -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")  # noqa: T201
    dice = random.Random(seed)
    path = bus.address.removeprefix("unix:path=")
    hello = b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n"
    for begin in [b"", b"\0", b"\0AUTH\r\n", hello] * 10:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(begin + dice.randbytes(dice.randrange(1, 200)))
        writer.write_eof()
        async with asyncio.timeout(5):
            await reader.read()
        writer.close()
        await writer.wait_closed()
    reply = await call(client, "/", OBJECTS, "GetManagedObjects")
    assert str(reply.error_name).endswith("ServiceUnknown"), "the bus goes on"
