"""The simulated devices on real ports, with clients that are not ours and programs of their own."""

import asyncio
import json
import os
import signal
import struct
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from firmware_sim_client import WAIT_S, LlrpClient, status_of
from sllurp.llrp import LLRPReaderClient, LLRPReaderConfig

from contracts.clock import ClockSetting, clock_from_text
from contracts.site import SiteFile, read_site
from firmware_sim.core.layout import reader_of
from firmware_sim.core.llrp_wire import MessageType, tlv
from firmware_sim.files import read_passages
from firmware_sim.parameters import ReaderParameters, Scenario
from firmware_sim.run import World

SMALL = ("units=400", "loads_per_door=1", "lingering_groups=4", "turned_back=2", "carried_past=2")
"""A shift of some minutes."""
RUN_S = 60.0
"""A small shift takes seconds; a loaded machine may take longer."""


@asynccontextmanager
async def program(*words: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m firmware_sim ...`, ended at the latest with the test."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "firmware_sim",
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        # Reads to the end as well: a pipe that is not drained keeps its transport open.
        await asyncio.wait_for(process.communicate(), WAIT_S)


async def port_of(process: asyncio.subprocess.Process) -> int:
    """The port that the program prints."""
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), WAIT_S)
    return int(line.decode().rsplit(":", 1)[1])


async def ready(process: asyncio.subprocess.Process, out: Path) -> dict[str, object]:
    """What `run` says once it listens."""
    assert process.stderr is not None
    while True:
        line = await asyncio.wait_for(process.stderr.readline(), RUN_S)
        assert line, "the program ended before it was ready"
        if json.loads(line)["event"] == "ready":
            break
    found: dict[str, object] = json.loads((out / "ready.json").read_text())
    return found


def settings(*values: str) -> list[str]:
    return [word for value in values for word in ("--set", value)]


# A client of others.


@pytest.mark.parametrize("device", ["door-1", "gate-3"])
async def test_sllurp_reads_tags_from_the_simulated_reader(device: str) -> None:
    """An LLRP client that we did not write, against 1.1 with UTC and 1.0.1 with uptime."""
    words = ("--device", device, "--speed", "30", "--lead", "0", "--skip", "60")
    async with program("llrp", *words) as process:
        port = await port_of(process)
        tags: list[dict[str, object]] = []
        enough = threading.Event()

        def take(_: object, found: list[dict[str, object]]) -> None:
            tags.extend(found)
            if len(tags) >= 200 and {tag["AntennaID"] for tag in tags} == {1, 2}:
                enough.set()

        wanted = dict.fromkeys(
            (
                "EnableAntennaID",
                "EnablePeakRSSI",
                "EnableFirstSeenTimestamp",
                "EnableLastSeenTimestamp",
                "EnableTagSeenCount",
            ),
            True,
        )
        config = LLRPReaderConfig(
            {
                "antennas": [1, 2],
                "session": 0,
                "report_every_n_tags": 1,
                "tag_content_selector": wanted,
            }
        )
        client = LLRPReaderClient("127.0.0.1", port, config)
        client.add_tag_report_callback(take)
        client.connect()
        try:
            assert await asyncio.to_thread(enough.wait, 40.0), len(tags)
        finally:
            client.disconnect()
            client.join(WAIT_S)
    stamp = "FirstSeenTimestampUTC" if device == "door-1" else "FirstSeenTimestampUptime"
    for tag in tags:
        assert -80 <= tag["PeakRSSI"] <= -20  # type: ignore[operator]
        assert tag[stamp] <= tag[stamp.replace("First", "Last")]  # type: ignore[operator]
        assert len(bytes(tag["EPC"])) in (16, 24, 52)  # type: ignore[arg-type]


# One client at a time.


async def test_a_second_client_is_told_why_and_closed_while_the_first_reads_on() -> None:
    """ConnectionAttemptEvent 2 and then the end; after the first has gone there is room."""
    words = ("--speed", "30", "--lead", "0", "--skip", "60")
    async with program("llrp", *words) as process:
        port = await port_of(process)
        first = await LlrpClient.connect(port)
        await first.listen(lambda: first.events)
        second = await LlrpClient.connect(port)
        await second.listen(lambda: second.events)
        assert second.events == [(256, struct.pack(">H", 2))]
        assert await asyncio.wait_for(second.next(), WAIT_S) is None
        await second.close()
        await first.set_up()
        await first.listen(lambda: len(first.reads) > 50, RUN_S)
        assert (256, struct.pack(">H", 4)) in first.events
        await first.ask(MessageType.CLOSE_CONNECTION)
        assert await asyncio.wait_for(first.next(), WAIT_S) is None
        await first.close()
        third = await LlrpClient.connect(port)
        await third.listen(lambda: third.events)
        assert third.events[0] == (256, struct.pack(">H", 0))
        await third.close()


async def test_keepalives_come_by_the_wall_clock_and_garbage_ends_the_connection() -> None:
    """Five keepalives at 100 ms; then a length that cannot be."""
    async with program("llrp", "--speed", "1", "--lead", "60") as process:
        client = await LlrpClient.connect(await port_of(process))
        started = asyncio.get_running_loop().time()
        wanted = b"\0" + tlv(220, struct.pack(">BI", 1, 100))
        assert status_of(await client.ask(MessageType.SET_READER_CONFIG, wanted)) == 0
        await client.listen(lambda: client.keepalives >= 5)
        assert asyncio.get_running_loop().time() - started > 0.45
        client.writer.write(b"\xff" * 64)

        async def end() -> None:
            while await client.next() is not None:
                pass

        await asyncio.wait_for(end(), WAIT_S)
        await client.close()


# The scanner.


async def test_the_scanner_sends_lines_to_all_that_listen() -> None:
    """The same lines to two clients, framed."""
    async with program("scanner", "--speed", "200", "--lead", "0.5") as process:
        port = await port_of(process)

        async def twenty() -> list[bytes]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            found = [await reader.readuntil(b"\r\n") for _ in range(20)]
            writer.close()
            await writer.wait_closed()
            return found

        lines = await asyncio.wait_for(asyncio.gather(twenty(), twenty()), WAIT_S)
    assert all(line.startswith(b"\x02") and line.endswith(b"\x03\r\n") for line in lines[0])
    common = set(lines[0]) & set(lines[1])
    assert len(common) >= 15


# The whole shift.


async def read_all(client: LlrpClient, **wishes: object) -> None:
    """Read until the reader closes."""
    await client.set_up(**wishes)
    while await client.next() is not None:
        pass
    await client.close()


async def test_a_whole_shift_tells_the_truth_of_what_it_sent(tmp_path: Path) -> None:
    """Reads that clients got are the reads that the truth counts, device by device."""
    words = ("run", "--out", str(tmp_path), "--speed", "100", "--lead", "1.5", "--drain", "0.3")
    async with program(*words, *settings(*SMALL)) as process:
        told = await ready(process, tmp_path)
        ports = told["ports"]
        assert isinstance(ports, dict)
        site = read_site((tmp_path / "site.toml").read_text())
        assert isinstance(site, SiteFile)
        assert {device.id: device.port for device in site.devices} == ports
        clock = clock_from_text(str(told["clock"]))
        assert (clock.speed, clock.domain_anchor_us) == (100.0, told["domain_start_us"])
        clients = {
            device: await LlrpClient.connect(ports[device])
            for device in ("door-1", "door-2", "gate-3")
        }
        every = {"door-1": (1, 2, 3, 4), "door-2": (0,), "gate-3": (1, 2)}
        reading = [read_all(clients[name], antennas=every[name]) for name in clients]
        await asyncio.wait_for(asyncio.gather(*reading), RUN_S)
        assert await asyncio.wait_for(process.wait(), WAIT_S) == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    passages = read_passages(tmp_path / "passages.jsonl")
    for device, client in clients.items():
        assert len(client.reads) == summary["reads_emitted"][device] > 100
        counted = sum(p.reads_emitted for p in passages if p.gate == device)
        assert counted == len(client.reads)
    assert summary["whole"] is True
    assert summary["reads_emitted"]["conveyor"] == 0
    assert summary["not_heard"]["conveyor"] > 10
    assert (tmp_path / "items.csv").exists()
    assert (tmp_path / "loads.csv").exists()
    assert (tmp_path / "truth.jsonl").exists()


async def test_a_shift_that_is_ended_early_writes_what_happened_until_then(
    tmp_path: Path,
) -> None:
    """SIGTERM; nobody listened to the readers. The clock is the environment's."""
    wall_us = time.time_ns() // 1000
    clock = f"{wall_us}:1700000000000000:200"
    words = ("run", "--out", str(tmp_path), *settings(*SMALL))
    async with program(*words, TALLYGATE_CLOCK=clock) as process:
        told = await ready(process, tmp_path)
        assert told["domain_start_us"] == 1_700_000_000_000_000
        assert told["clock"] == f"{clock}.0"

        ports = told["ports"]
        assert isinstance(ports, dict)
        reader, writer = await asyncio.open_connection("127.0.0.1", ports["conveyor"])
        for _ in range(12):
            await asyncio.wait_for(reader.readuntil(b"\r\n"), WAIT_S)
        writer.close()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), WAIT_S) == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    passages = read_passages(tmp_path / "passages.jsonl")
    assert summary["whole"] is False
    assert summary["reads_emitted_total"] == summary["reads_emitted"]["conveyor"] > 5
    assert summary["not_heard_total"] > 100
    assert passages
    unheard = sum(passage.not_heard for passage in passages) + summary["no_reads_not_heard"]
    assert unheard == summary["not_heard_total"]


async def test_a_wrong_word_is_answered_with_what_to_do() -> None:
    """Exit code 2 and a sentence."""
    for words in (
        ("run", "--out", "nowhere", "--set", "red_rate=1"),
        ("llrp", "--speed", "0"),
        ("llrp", "--start", "yesterday"),
    ):
        async with program(*words) as process:
            assert await asyncio.wait_for(process.wait(), RUN_S) == 2


# Links and power that fail, on a clock that the test moves.


class Moved:
    """A server in this process whose time of the shift the test sets."""

    def __init__(self, nature: ReaderParameters) -> None:
        self.now_us = 0
        scenario = Scenario(readers={"door-1": nature})
        world = World(1, scenario, ClockSetting(), 0)
        world.now_us = lambda: self.now_us  # type: ignore[method-assign]
        self.server = world.llrp(reader_of("door-1"))

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Its port while it runs."""
        port = await self.server.listen("127.0.0.1", 0)
        life = asyncio.create_task(self.server.run(1 << 62))
        try:
            yield port
        finally:
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)
            await self.server.close()


async def ended(client: LlrpClient) -> None:
    """The connection ends, one way or the other."""

    async def to_the_end() -> None:
        with suppress(ConnectionError):
            while await client.next() is not None:
                pass

    await asyncio.wait_for(to_the_end(), WAIT_S)
    client.writer.close()
    with suppress(ConnectionError):
        await client.writer.wait_closed()


async def greeted(port: int) -> LlrpClient:
    """A client that the reader accepted."""
    client = await LlrpClient.connect(port)
    await client.listen(lambda: client.events)
    assert client.events[0] == (256, b"\0\0")
    return client


async def test_nothing_moves_on_a_half_open_link_and_then_it_is_cut() -> None:
    """No keepalive, no answer, no end; a new client gets no greeting either."""
    moved = Moved(ReaderParameters(silences_s=((10, 20),)))
    async with moved.listening() as port:
        client = await greeted(port)
        wanted = b"\0" + tlv(220, struct.pack(">BI", 1, 100))
        assert status_of(await client.ask(MessageType.SET_READER_CONFIG, wanted)) == 0
        await client.listen(lambda: client.keepalives >= 2)
        moved.now_us = 15_000_000
        client.keepalives = 0
        client.send(MessageType.GET_ROSPECS)
        late = await LlrpClient.connect(port)
        for mute in (client, late):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(mute.reader.readexactly(200), 0.5)
        moved.now_us = 25_000_000
        await ended(client)
        await ended(late)
        again = await greeted(port)
        await again.close()


async def test_a_reader_without_power_cuts_the_link_and_takes_its_time_to_start() -> None:
    """Connections are closed until it is up again, with factory settings."""
    moved = Moved(ReaderParameters(reboots_s=(100,)))
    async with moved.listening() as port:
        client = await greeted(port)
        await client.set_up()
        moved.now_us = 101_000_000
        await ended(client)
        early = await LlrpClient.connect(port)
        await ended(early)
        assert early.events == []
        moved.now_us = 150_000_000
        again = await greeted(port)
        assert len((await again.ask(MessageType.GET_ROSPECS)).body) == 8
        await again.close()
