"""Devices that publish to MQTT, read in the test's own process with a real spool behind them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self, TypeVar

import aiomqtt

from contracts.clock import REAL_TIME
from contracts.codec import decode
from contracts.reads import DeviceChange, GateSignal, Read, ReadBatch, Reject
from contracts.site import SiteFile, read_site
from edge_agent.broker import Broker
from edge_agent.core.device_watch import DeviceWatch
from edge_agent.devices.device_intake import DeviceIntake
from edge_agent.devices.mqtt_connections import MqttConnection
from edge_agent.devices.mqtt_device import MqttDevice
from edge_agent.door import Door
from edge_agent.intake import Intake
from edge_agent.outbox import Outbox, new_spool_id
from edge_agent.spool import open_spool
from firmware_sim.core import mqtt_wire

WAIT_S = 60.0
LOOK_S = 0.002
Found = TypeVar("Found")


class AtOnce(random.Random):
    """Dice with which nobody waits: links are cut hundreds of times."""

    def uniform(self, a: float, b: float) -> float:
        """A thousandth of what would be waited."""
        return a * b / 500


def site_of(devices: str) -> SiteFile:
    """A site with these devices at a door and in a zone."""
    site_file = read_site(
        'site = "demo"\n[[zones]]\nid = "stage"\n[[zones]]\nid = "yard"\noutside = true\n'
        '[[gates]]\nid = "door-1"\ninner = "stage"\nouter = "yard"\n[[gateways]]\nid = "dock"\n'
        + devices
    )
    assert isinstance(site_file, SiteFile), [mistake.text() for mistake in site_file]
    return site_file


def impinj_tables(device: str, *, more: str = "") -> str:
    """An Impinj reader with one antenna."""
    return (
        f'[[devices]]\nid = "{device}"\ngateway = "dock"\nkind = "impinj"\n[devices.mqtt]\n'
        f'topic = "impinj/{device}/events"\nstatus_topic = "impinj/{device}/status"\n{more}'
        '[[devices.antennas]]\nnumber = 1\nlocation = "door-1"\n'
    )


async def until(condition: Callable[[], Found | None], what: str, look_s: float = LOOK_S) -> Found:
    """What a condition gives once it gives something."""
    try:
        async with asyncio.timeout(WAIT_S):
            while not (found := condition()):  # noqa: ASYNC110 - it tells nobody.
                await asyncio.sleep(look_s)
            return found
    except TimeoutError as error:
        raise AssertionError(f"not within {WAIT_S:g} s: {what}") from error


class Rig:
    """The devices of a site at one broker, and all that reached the spool."""

    def __init__(self, folder: Path, site_file: SiteFile, port: int, *, name: str = "rig") -> None:
        self.reads: list[Read] = []
        self.rejects: list[Reject] = []
        self.signals: list[GateSignal] = []
        self.changes: list[DeviceChange] = []
        self.watches = {device.id: DeviceWatch(device.id) for device in site_file.devices}
        self.is_held = False
        """As if the spool were nearly full."""
        self._spool, losses = open_spool(
            folder / name, gateway="dock", new_id=new_spool_id, at_us=0, bytes_max=50_000_000
        )
        self._outbox = Outbox(self._spool)
        self.intake = Intake(REAL_TIME, floor_us=0, losses=losses, is_held=lambda: self.is_held)
        self.connection = MqttConnection(
            Broker(host="127.0.0.1", port=port),
            identifier=f"tallygate-{name}",
            session=True,
            host_id=site_file.devices[0].mqtt.host_id,
            is_own=True,
            dice=AtOnce(),
        )
        self._tables = {device.id: device for device in site_file.devices}
        self.tasks: list[asyncio.Task[None]] = []

    def device(self, name: str) -> MqttDevice:
        """One device's adapter, new."""
        device = self._tables[name]
        return MqttDevice(
            device,
            intake=DeviceIntake(
                source=f"dock/{device.id}",
                intake=Door(
                    self.intake,
                    watch=self.watches[device.id],
                    can_wait=True,
                    per_s_max=device.reads_per_s_max,
                ),
                watch=self.watches[device.id],
            ),
            connection=lambda: self.connection,
            speed=1.0,
        )

    async def spool_batches(self) -> None:
        """From the intake to the disk, as the agent does."""
        while True:
            batch = await self.intake.next_batch(wants_empty=lambda: False)
            sequence = await self._outbox.put(batch, self.intake.now_us())
            self.intake.spooled(batch, kept=sequence is not None)
            self.reads += batch.reads
            self.rejects += batch.rejects
            self.signals += batch.signals
            self.changes += batch.changes

    def start(self) -> None:
        """Begin."""
        self.tasks = [asyncio.create_task(self.device(name).run()) for name in self._tables]
        self.tasks.append(asyncio.create_task(self.spool_batches()))

    async def stop(self) -> None:
        """End, devices first."""
        for task in self.tasks:
            task.cancel()
        results = await asyncio.gather(*self.tasks, return_exceptions=True)
        faults = [one for one in results if not isinstance(one, asyncio.CancelledError | None)]
        await self._outbox.close()
        assert not faults, faults

    def identities(self) -> list[str]:
        """Of all reads, in order."""
        return [read.identity for read in self.reads]

    async def read(self, identity: str) -> None:
        """Wait until it was read."""
        await until(lambda: identity in self.identities(), f"a read of {identity}")

    async def is_in(self, device: str, state: str) -> None:
        """Wait until a device is in a state."""
        watch = self.watches[device]
        await until(lambda: watch.state == state, f"{device} is {state}")


@asynccontextmanager
async def rig_of(folder: Path, devices: str, port: int, *, name: str = "rig") -> AsyncIterator[Rig]:
    """The devices at work for as long as the block lasts."""
    rig = Rig(folder, site_of(devices), port, name=name)
    rig.start()
    try:
        yield rig
    finally:
        await rig.stop()


@asynccontextmanager
async def publisher(port: int) -> AsyncIterator[aiomqtt.Client]:
    """Somebody who publishes."""
    async with aiomqtt.Client("127.0.0.1", port) as client:
        yield client


class CuttingProxy:
    """Passes TCP on to a broker, and cuts a connection behind a number of the broker's bytes."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.cut_after: int | None = None
        """The next connection is cut behind so many bytes from the broker; None: never."""
        self.passed = 0
        """Bytes that came from the broker on the last connection."""
        self.cuts = 0
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Cut what stands now."""
        for writer in self._writers:
            writer.transport.abort()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        left, self.cut_after = self.cut_after, None
        self.passed = 0
        broker_reader, broker_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        up = asyncio.create_task(_pass_on(reader, broker_writer))
        try:
            while data := await broker_reader.read(65_536):
                if left is not None and len(data) > left:
                    writer.write(data[:left])
                    await writer.drain()
                    self.passed += left
                    self.cuts += 1
                    return
                left = None if left is None else left - len(data)
                self.passed += len(data)
                writer.write(data)
                await writer.drain()
        except OSError:
            return  # The other side is gone: so are we.
        finally:
            up.cancel()
            await asyncio.gather(up, return_exceptions=True)
            self._writers.discard(writer)
            writer.close()
            broker_writer.close()
            with suppress(OSError):
                await broker_writer.wait_closed()
            self._tasks.discard(task)


class ScriptedBroker:
    """Says what a broker said: that the client is let in and subscribed, then one message.

    It cuts the connection behind a number of its bytes, and says the message again on the next one
    until the client acknowledges it, as brokers do.
    """

    def __init__(self, topic: str) -> None:
        self.port = 0
        self.said = 0
        """Bytes on the last connection."""
        self.cuts = 0
        self._topic = topic
        self._server: asyncio.Server | None = None
        self._payload = b""
        self._number = 0
        self._cut_after: int | None = None
        self._again = False
        self._acknowledged = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def say(self, payload: bytes, *, cut_after: int | None, again: bool = False) -> None:
        """Say a message on a new connection; returns when it was acknowledged.

        `again`: it is the last one, as if its acknowledgement had been lost with the link.
        """
        self._payload, self._cut_after, self._again = payload, cut_after, again
        self._number += not again
        self._acknowledged.clear()
        if self._writer is not None:
            self._writer.transport.abort()
        async with asyncio.timeout(WAIT_S):
            await self._acknowledged.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writer, self.said = writer, 0
        left, self._cut_after = self._cut_after, None
        packets = mqtt_wire.Packets()
        try:
            while data := await reader.read(4096):
                for packet in packets.receive(data):
                    for said in self._answers(packet):
                        whole = left is None or self.said + len(said) <= left
                        writer.write(said if whole else said[: (left or 0) - self.said])
                        await writer.drain()
                        self.said += len(said)
                        if not whole:
                            return
        except OSError:
            return
        finally:
            self.cuts += left is not None
            writer.close()
            self._tasks.discard(task)

    def _answers(self, packet: mqtt_wire.Packet) -> list[bytes]:
        number = self._number.to_bytes(2, "big")
        if packet.kind == mqtt_wire.CONNECT:
            return [b"\x20\x02\x00\x00"]
        if packet.kind == mqtt_wire.SUBSCRIBE & 0xF0:
            granted = b"\x90\x04" + packet.body[:2] + b"\x01\x01"
            message = mqtt_wire.publish(
                self._topic,
                self._payload,
                number=self._number,
                retain=False,
                again=self._again,
            )
            return [granted, message]
        if packet.kind == mqtt_wire.PUBACK and packet.body[:2] == number:
            self._acknowledged.set()
        return []


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()


def batches_of(raws: list[bytes]) -> list[ReadBatch]:
    """What batches on the disk say."""
    found = [decode(ReadBatch, raw, source="test", at_us=0) for raw in raws]
    return [one for one in found if isinstance(one, ReadBatch)]
