"""Links of the bench on real sockets, terminals and a real broker, with every fault of a link."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from firmware_sim.bench.kinds import Frame, Scene
from firmware_sim.bench.links.base import LinkError
from firmware_sim.bench.links.make import Place
from firmware_sim.bench.links.tcp_server import TcpServerLink
from tallygate.servers.child import free_port
from tallygate.servers.mqtt_embedded import EmbeddedMqtt
from tests.support.agent_bench import WAIT_S_MAX
from tests.support.bench_rig import LineSource, do, line_rig, line_scene, until

HERE = Place()
WRITERS: list[asyncio.StreamWriter] = []
"""Of clients of the present test: closed when it ends, however it ends."""


async def connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = address.rpartition(":")
    async with asyncio.timeout(WAIT_S_MAX):
        reader, writer = await asyncio.open_connection(host, int(port))
    WRITERS.append(writer)
    return reader, writer


@pytest.fixture(autouse=True)
async def fixture_closed_writers() -> AsyncIterator[None]:
    yield
    for writer in WRITERS:
        writer.transport.abort()
    WRITERS.clear()
    await asyncio.sleep(0)  # They are closed in the next turn.


async def line(reader: asyncio.StreamReader) -> int:
    return int(await asyncio.wait_for(reader.readline(), WAIT_S_MAX))


async def test_every_client_hears_the_device_and_what_nobody_hears_is_counted() -> None:
    async with line_rig("tcp_server", HERE) as rig:
        await until(lambda: rig.figures.unheard > 2, "lines for nobody")
        first, first_writer = await connect(rig.link.address)
        other, other_writer = await connect(rig.link.address)
        assert await line(first) >= 1002
        started = await line(other)
        assert [await line(other) for _ in range(3)] == [started + 1, started + 2, started + 3]
        assert rig.link.clients == 2
        first_writer.close()
        other_writer.close()
        await until(lambda: rig.link.clients == 0, "both are gone")


async def test_a_link_is_cut_behind_every_byte_of_a_message_and_the_client_comes_back() -> None:
    async with line_rig("tcp_server", HERE, every_us=2_000, number=100_000) as rig:
        for after in range(6):
            reader, writer = await connect(rig.link.address)
            await until(lambda: rig.link.clients == 1, "the client is there")
            await line(reader)
            do(rig, f"drop after {after}")
            heard = await asyncio.wait_for(reader.read(), WAIT_S_MAX)
            assert len(heard) % 5 == after % 5
            writer.close()
            await until(lambda: rig.link.clients == 0, "the client is gone")


async def test_a_frozen_link_stays_open_and_goes_on_with_what_it_missed() -> None:
    async with line_rig("tcp_server", HERE) as rig:
        reader, writer = await connect(rig.link.address)
        last = await line(reader)
        unheard = rig.figures.unheard
        do(rig, "freeze 1.5")
        while True:  # What was under way still comes.
            try:
                last = int(await asyncio.wait_for(reader.readline(), 0.5))
            except TimeoutError:
                break
        assert rig.link.clients == 1
        assert await line(reader) == last + 1
        assert await line(reader) == last + 2
        assert rig.figures.unheard == unheard
        writer.close()


async def test_what_a_frozen_link_holds_is_not_for_the_next_client() -> None:
    async with line_rig("tcp_server", HERE) as rig:
        reader, writer = await connect(rig.link.address)
        await line(reader)
        do(rig, "freeze 0.5")
        await until(lambda: rig.active_faults() == ["frozen 0 s"], "it is frozen")
        writer.transport.abort()
        await until(lambda: not rig.active_faults(), "it is thawed")
        await until(lambda: rig.link.clients == 0, "the client's end is noticed")
        passed = rig.figures.passed
        reader, writer = await connect(rig.link.address)
        assert await line(reader) >= 1000 + passed


async def test_messages_double_change_places_and_flood() -> None:
    async with line_rig("tcp_server", HERE) as rig:
        reader, writer = await connect(rig.link.address)
        do(rig, "duplicate 1")
        numbers = [await line(reader) for _ in range(12)]
        assert len(numbers) - len(set(numbers)) == 1
        do(rig, "reorder 3")
        numbers = [await line(reader) for _ in range(30)]
        assert sorted(numbers) != numbers
        assert sorted(numbers) == list(range(min(numbers), min(numbers) + 30))
        do(rig, "flood 2000 0.2")
        numbers = [await line(reader) for _ in range(400)]
        assert len(set(numbers)) < 150
        writer.close()


async def test_garbage_comes_between_messages() -> None:
    async with line_rig("tcp_server", HERE) as rig:
        reader, writer = await connect(rig.link.address)
        await line(reader)
        do(rig, "garbage 500")
        data = await asyncio.wait_for(reader.readexactly(700), WAIT_S_MAX)
        assert len(set(data)) > 100
        writer.close()


async def test_a_fault_inside_the_device_reaches_its_source() -> None:
    source = LineSource(line_scene(1))
    async with line_rig("tcp_server", HERE, source=source) as rig:
        do(rig, "antenna 2 lost")
        do(rig, "clock drift 200")
        assert source.faults == [("antenna_lost", 2), ("clock_drift_ppm", 200)]


class Answering(LineSource):
    """Says back what it hears, in capitals, and parts on `bye`."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self.answers: list[Frame] = []
        self.is_parting = False
        self.visits: list[str] = []

    def frames(self, upto_us: int) -> list[Frame]:
        """What it answers."""
        del upto_us
        answers, self.answers = self.answers, []
        return answers

    def came(self) -> None:
        """A client."""
        self.is_parting = False
        self.visits.append("came")

    def heard(self, data: bytes) -> bool:
        """Its words."""
        self.is_parting = data.startswith(b"bye")
        self.answers.append(Frame(0, data.upper()))
        return not data.startswith(b"nonsense")

    def gone(self) -> None:
        """It left."""
        self.visits.append("gone")

    def refusal(self) -> bytes:
        """For a second one."""
        return b"busy"

    def wants_to_part(self) -> bool:
        """After a goodbye."""
        return self.is_parting


async def test_a_device_that_talks_answers_one_client_and_sends_the_second_away() -> None:
    source = Answering(line_scene(1))
    async with line_rig("tcp_server", HERE, source=source) as rig:
        reader, writer = await connect(rig.link.address)
        writer.write(b"hello")
        assert await asyncio.wait_for(reader.readexactly(5), WAIT_S_MAX) == b"HELLO"
        second, second_writer = await connect(rig.link.address)
        assert await asyncio.wait_for(second.read(), WAIT_S_MAX) == b"busy"
        second_writer.close()
        writer.write(b"bye")
        assert await asyncio.wait_for(reader.read(), WAIT_S_MAX) == b"BYE"
        writer.close()
        await until(lambda: source.visits == ["came", "gone"], "it is gone")
        reader, writer = await connect(rig.link.address)
        writer.write(b"nonsense")
        await asyncio.wait_for(reader.read(), WAIT_S_MAX)
        writer.close()
        await until(lambda: source.visits == ["came", "gone"] * 2, "it was let go")


async def test_a_frozen_device_does_not_hear_either() -> None:
    source = Answering(line_scene(1))
    async with line_rig("tcp_server", HERE, source=source) as rig:
        reader, writer = await connect(rig.link.address)
        await until(lambda: source.visits, "it is there")
        do(rig, "freeze 0.3")
        await until(rig.active_faults, "it is frozen")
        await asyncio.sleep(0.02)
        began = time.monotonic()
        writer.write(b"hello")
        assert await asyncio.wait_for(reader.readexactly(5), WAIT_S_MAX) == b"HELLO"
        assert time.monotonic() - began > 0.2
        writer.close()


async def test_a_port_that_is_taken_is_told() -> None:
    async with line_rig("tcp_server", HERE) as rig:
        port = int(rig.link.address.rpartition(":")[2])
        with pytest.raises(LinkError, match=f"cannot listen on 127.0.0.1:{port}: .*--port 0"):
            await TcpServerLink(rig, "127.0.0.1", port).open()


async def test_a_device_that_connects_comes_back_for_ever() -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await heard.put(await reader.readline())
        finally:
            writer.close()

    port = free_port()
    async with line_rig("tcp_client", Place(port=port)) as rig:
        await until(lambda: "no connection" in rig.link.state, "nobody is there")
        server = await asyncio.start_server(serve, "127.0.0.1", port)
        for _ in range(2):
            assert int(await asyncio.wait_for(heard.get(), WAIT_S_MAX)) >= 1000
        server.close()


async def test_a_serial_device_speaks_to_whoever_opens_its_port(tmp_path: Path) -> None:
    path = tmp_path / "scanner.tty"
    async with line_rig("serial", Place(serial=path)) as rig:
        assert rig.link.address == str(path)
        await until(lambda: rig.figures.unheard > 2, "lines for nobody")
        for _ in range(2):
            unheard = rig.figures.unheard
            number = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            await until(lambda: rig.link.clients == 1, "the port is opened")
            data = await _read_port(number, 20)
            # Nothing old waits in the terminal: it begins with what is said now.
            assert int(data.split(b"\n")[0]) >= 1000 + unheard
            os.close(number)
            await until(lambda: rig.link.clients == 0, "the port is closed")
        do(rig, "drop")
        await until(lambda: not path.is_symlink(), "it is unplugged")
        await until(path.is_symlink, "it is plugged in again")
    assert not path.is_symlink()


async def test_a_path_that_is_no_port_of_ours_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("dear")
    with pytest.raises(LinkError, match="is there already and is none of ours"):
        async with line_rig("serial", Place(serial=path)):
            pass
    assert path.read_text() == "dear"


async def _read_port(number: int, size: int) -> bytes:
    data = b""

    def more() -> bool:
        nonlocal data
        try:
            data += os.read(number, size)
        except BlockingIOError:
            return False
        return len(data) >= size

    await until(more, f"{size} bytes")
    return data


# MQTT.


class WithWill(LineSource):
    """Tells of its own connection."""

    def will(self) -> Frame | None:
        """Last words."""
        return Frame(0, b"gone", "bench/status", retain=True)

    def connected(self, at_us: int) -> list[Frame]:
        """First words."""
        return [Frame(at_us, b"here", "bench/status", retain=True)]


class Subscriber:
    """Hears what is published."""

    def __init__(self, port: int) -> None:
        self.lines: list[int] = []
        self.states: list[str] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("bench/#", 1)
        self._client.on_message = self._hear
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _hear(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        if message.topic == "bench/status":
            self.states.append(message.payload.decode())
        elif message.payload[:1].isdigit():
            self.lines.append(int(message.payload))

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture(name="broker")
def fixture_broker(tmp_path: Path) -> Iterator[EmbeddedMqtt]:
    with EmbeddedMqtt(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture(name="subscriber")
def fixture_subscriber(broker: EmbeddedMqtt) -> Iterator[Subscriber]:
    subscriber = Subscriber(broker.port)
    yield subscriber
    subscriber.close()


async def test_a_publisher_that_is_cut_in_a_message_leaves_its_will_and_loses_nothing(
    broker: EmbeddedMqtt, subscriber: Subscriber
) -> None:
    source = WithWill(line_scene(1_000, every_us=20_000))
    async with line_rig("mqtt", Place(mqtt=broker.url), source=source) as rig:
        await until(lambda: len(subscriber.lines) > 3, "lines")
        for after in (1, 9, 30):
            states = len(subscriber.states)
            do(rig, f"drop after {after}")
            await until(lambda: len(subscriber.states) >= states + 2, "will and return")  # noqa: B023
            heard = len(subscriber.lines)
            await until(lambda: len(subscriber.lines) > heard + 3, "more lines")  # noqa: B023
    assert subscriber.states[:3] == ["here", "gone", "here"]
    heard_once = sorted(set(subscriber.lines))
    # Each cut message is the only one of its drop that a broker at QoS 1 never saw whole; what was
    # not acknowledged came again.
    assert heard_once == list(range(heard_once[0], heard_once[0] + len(heard_once)))


async def test_a_publisher_that_leaves_in_peace_leaves_no_will(
    broker: EmbeddedMqtt, subscriber: Subscriber
) -> None:
    source = WithWill(line_scene(1_000))
    async with line_rig("mqtt", Place(mqtt=broker.url), source=source):
        await until(lambda: len(subscriber.lines) > 3, "lines")
    async with line_rig("mqtt", Place(mqtt=broker.url), number=1_000) as rig:
        await until(lambda: rig.link.clients, "another connection")
        heard = len(subscriber.lines)
        await until(lambda: len(subscriber.lines) > heard + 3, "its lines")
    assert subscriber.states == ["here"]


async def test_a_publisher_waits_for_a_broker_that_is_away(
    broker: EmbeddedMqtt, subscriber: Subscriber
) -> None:
    async with line_rig("mqtt", Place(mqtt=broker.url), every_us=50_000) as rig:
        await until(lambda: len(subscriber.lines) > 1, "lines")
        broker.kill()
        await until(lambda: "no connection" in rig.link.state, "the broker is away")
        broker.start()
        heard = len(subscriber.lines)
        await until(lambda: len(subscriber.lines) > heard + 3, "lines again")


async def test_what_is_no_broker_is_told() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(10)
            writer.write(b"\x20\xff\xff\xff\xff\xff")
            await reader.read()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with line_rig("mqtt", Place(mqtt=f"mqtt://127.0.0.1:{port}")) as rig:
        await until(lambda: "no MQTT broker" in rig.link.state, "it is told")
    server.close()
