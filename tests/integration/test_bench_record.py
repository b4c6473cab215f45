"""Recording on real links, and playing what was recorded."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_sim.bench.kinds import DeviceKind, Scene
from firmware_sim.bench.links.base import LinkError
from firmware_sim.bench.links.make import Place, make_link
from firmware_sim.bench.links.mqtt import broker_address
from firmware_sim.bench.record import SerialRecorder, TcpRecorder, record_mqtt, utc_us
from firmware_sim.bench.recording import Recorder, read_recording
from firmware_sim.bench.replay import ReplayedConversations
from firmware_sim.bench.rig import Rig
from tallygate.servers.child import free_port
from tallygate.servers.mqtt_embedded import EmbeddedMqtt
from tests.support.agent_bench import WAIT_S_MAX
from tests.support.bench_rig import line_rig, until, working

TALK = ((b"hello\n", b"HELLO\n"), (b"more\n", b"MORE\n"))


async def shouting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A device that answers in capitals."""
    try:
        while data := await reader.readline():
            writer.write(data.upper())
    finally:
        writer.close()


async def talk(port: int) -> bytes:
    """A client's conversation; all that it heard."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = b""
    for said, answer in TALK:
        writer.write(said)
        heard += await asyncio.wait_for(reader.readexactly(len(answer)), WAIT_S_MAX)
    writer.close()
    return heard


async def recorded(path: Path) -> None:
    """Two conversations with the device, written down."""
    device = await asyncio.start_server(shouting, "127.0.0.1", 0)
    port = device.sockets[0].getsockname()[1]
    told: list[str] = []
    with Recorder(path, "tcp", made_at_us=utc_us()) as recorder:
        between = TcpRecorder(recorder, host="127.0.0.1", port=port, told=told.append)
        own = await between.listen("127.0.0.1", 0)
        for number in (1, 2):
            assert await talk(own) == b"HELLO\nMORE\n"
            await until(lambda: f"connection {number} closed" in told, "it ended")  # noqa: B023
        await between.close()
    device.close()


async def test_both_sides_of_each_connection_are_written_down(tmp_path: Path) -> None:
    path = tmp_path / "device.rec"
    await recorded(path)
    recording = read_recording(path)
    assert recording.flaw == ""
    for number in (1, 2):
        pieces = [piece for piece in recording.pieces if piece.connection == number]
        assert [piece.what for piece in pieces] == [
            "opened",
            *["client", "device"] * 2,
            "closed",
        ]
        assert [piece.data for piece in pieces if piece.what == "client"] == [b"hello\n", b"more\n"]
        assert [piece.data for piece in pieces if piece.what == "device"] == [b"HELLO\n", b"MORE\n"]


async def test_the_replay_is_the_device(tmp_path: Path) -> None:
    path = tmp_path / "device.rec"
    await recorded(path)
    source = ReplayedConversations(read_recording(path))
    kind = DeviceKind("replay", "", "tcp_server", None, "")
    rig = Rig(
        kind,
        Scene("replay", 0, utc_us(), ()),
        source,
        make_link=lambda ears: make_link(
            kind, Place(), device="replay", source=source, ears=ears, now_us=utc_us
        ),
        domain_us=utc_us,
    )
    async with working(rig):
        port = int(rig.link.address.rpartition(":")[2])
        for _ in range(2):
            assert await talk(port) == b"HELLO\nMORE\n"
            await until(lambda: rig.link.clients == 0, "it ended")
        assert source.is_done


async def test_a_device_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    with Recorder(tmp_path / "a.rec", "tcp", made_at_us=0) as recorder:
        between = TcpRecorder(recorder, host="127.0.0.1", port=free_port(), told=told.append)
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", await between.listen("127.0.0.1", 0)
        )
        assert await asyncio.wait_for(reader.read(), WAIT_S_MAX) == b""
        writer.close()
        await between.close()
    assert told[0].startswith("no connection to 127.0.0.1:")


async def test_a_serial_port_is_passed_on_and_written_down(tmp_path: Path) -> None:
    device, port = pty.openpty()
    tty.setraw(port)
    path = tmp_path / "scanner.rec"
    with Recorder(path, "serial", made_at_us=utc_us()) as recorder:
        serial = SerialRecorder(
            recorder, device=Path(os.ttyname(port)), client=tmp_path / "client.tty"
        )
        client = os.open(await serial.open(), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        work = asyncio.create_task(serial.run())
        await until(lambda: recorder.pieces == 1, "the client is noticed")
        os.write(device, b"code 1\r")
        heard = bytearray()

        def more() -> bool:
            try:
                heard.extend(os.read(client, 100))
            except BlockingIOError:
                return False
            return heard == b"code 1\r"

        await until(more, "the code")
        os.write(client, b"ok")
        await until(lambda: recorder.bytes == 9, "the client's word")
        os.close(client)
        await until(lambda: read_recording(path).pieces[-1].what == "closed", "the end")
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await serial.close()
    os.close(device)
    os.close(port)
    pieces = read_recording(path).pieces
    assert [(piece.what, piece.data) for piece in pieces] == [
        ("opened", b""),
        ("device", b"code 1\r"),
        ("client", b"ok"),
        ("closed", b""),
    ]


async def test_a_serial_port_that_is_not_there_is_told(tmp_path: Path) -> None:
    with Recorder(tmp_path / "a.rec", "serial", made_at_us=0) as recorder:
        for baud, told in ((9_600, "cannot be opened"), (9_601, "9601 is no speed")):
            serial = SerialRecorder(
                recorder, device=tmp_path / "none", client=tmp_path / "c.tty", baud=baud
            )
            with pytest.raises(LinkError, match=told):
                await serial.open()


@pytest.fixture(name="broker")
def fixture_broker(tmp_path: Path) -> Iterator[EmbeddedMqtt]:
    with EmbeddedMqtt(tmp_path / "broker") as broker:
        yield broker


async def test_what_is_published_is_written_down_with_its_topic(
    tmp_path: Path, broker: EmbeddedMqtt
) -> None:
    path = tmp_path / "published.rec"
    told: list[str] = []
    with Recorder(path, "mqtt", made_at_us=utc_us()) as recorder:
        work = asyncio.create_task(
            record_mqtt(recorder, broker_address(broker.url), ["bench/#"], told.append)
        )
        await until(lambda: told, "it is subscribed")
        async with line_rig("mqtt", Place(mqtt=broker.url)):
            await until(lambda: recorder.pieces >= 5, "messages")
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    recording = read_recording(path)
    assert recording.link == "mqtt"
    assert {piece.topic for piece in recording.pieces} == {"bench/lines"}
    numbers = [int(piece.data) for piece in recording.pieces]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_a_broker_that_is_away_is_told(tmp_path: Path) -> None:
    address = broker_address(f"mqtt://127.0.0.1:{free_port()}")
    with (
        Recorder(tmp_path / "a.rec", "mqtt", made_at_us=0) as recorder,
        pytest.raises(LinkError, match=r"no MQTT broker at 127\.0\.0\.1:"),
    ):
        await record_mqtt(recorder, address, ["#"], lambda _: None)
