"""Readers of every maker before the running agent: their tags, their troubles and their outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from contracts.codec import decode
from contracts.commands import AgentHealth, DeviceHealth, SetOutput
from contracts.reads import Read
from firmware_sim.bench.kinds import Passing
from firmware_sim.core.llrp_reader import LightChange
from firmware_sim.llrp_server import LlrpServer
from tallygate.servers.mqtt_embedded import EmbeddedMqtt
from tests.support.agent_bench import GATEWAY, SITE, AgentProcess, Listener, wait_until
from tests.support.llrp_readers import ANTENNAS, ReaderThread, reader_server, wall_us

MAKERS = ("generic", "impinj", "zebra", "thingmagic")
TAGS = 40
AHEAD_US = 1_500_000
"""The agent is reading by then; if not, the readers keep nothing and the test waits for more."""
EVERY_US = 50_000
LAPS = 200
HEADS = {maker: bytes.fromhex(f"3034257bf7194e{place:02x}") for place, maker in enumerate(MAKERS)}
UNWANTED = bytes.fromhex("e280116060000200")


def scene(maker: str, start_us: int) -> tuple[Passing, ...]:
    """The same tags, again and again, and between them some that nobody wants."""
    return tuple(
        Passing(
            at_us=start_us + AHEAD_US + number * EVERY_US,
            identity="",
            epc=(UNWANTED if number % 4 == 3 else HEADS[maker])
            + (number % TAGS).to_bytes(4, "big"),
            code="",
            antenna=ANTENNAS[number % 3],
            rssi_cdbm=-5_500,
        )
        for number in range(TAGS * LAPS)
    )


def site_text(ports: dict[str, int]) -> str:
    head = f'site = "{SITE}"\n[[zones]]\nid = "hall"\n[[gateways]]\nid = "{GATEWAY}"\n'
    return head + "".join(
        f'[[devices]]\nid = "{maker}"\ngateway = "{GATEWAY}"\nkind = "llrp"\n'
        f'host = "127.0.0.1"\nport = {port}\n[devices.llrp]\nexclude = ["E280"]\n'
        "keepalive_s = 1.0\nretry_s_max = 0.2\ndoppler = true\n"
        # No reader has this mode: what is wished is refused, and less of it is asked for.
        + ("rf_mode = 77\n" if maker == "thingmagic" else "")
        + "".join(
            f'[[devices.antennas]]\nnumber = {number}\nlocation = "hall"\n' for number in ANTENNAS
        )
        for maker, port in ports.items()
    )


class Floor(NamedTuple):
    """The readers, the agent and who listens."""

    readers: ReaderThread
    servers: dict[str, LlrpServer]
    listener: Listener

    def reads(self) -> list[Read]:
        """All reads so far."""
        return [read for batch in self.listener.contents() for read in batch.reads]

    def changes(self, device: str) -> list[tuple[str, str]]:
        """States and details that were told of a device."""
        return [
            (change.state, change.detail)
            for batch in self.listener.contents()
            for change in batch.changes
            if change.device == device
        ]

    def health(self, device: str) -> DeviceHealth | None:
        """The device in the newest health message."""
        raw = self.listener.latest("health")
        health = decode(AgentHealth, raw, source="test", at_us=0) if raw else None
        devices = health.devices if isinstance(health, AgentHealth) else ()
        return next((one for one in devices if one.device == device), None)


@pytest.fixture(name="floor", scope="module")
def fixture_floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    folder: Path = tmp_path_factory.mktemp("makers")
    start_us = wall_us()
    servers = {
        maker: reader_server(maker, scene(maker, start_us), start_us=start_us) for maker in MAKERS
    }
    readers = ReaderThread()
    ports = {maker: readers.add(server) for maker, server in servers.items()}
    with EmbeddedMqtt(folder / "broker") as broker:
        listener = Listener(broker.port)
        with AgentProcess(folder, scanner_port=1, mqtt_port=broker.port) as agent:
            (folder / "site.toml").write_text(site_text(ports))
            agent.start()
            yield Floor(readers, servers, listener)
        listener.close()
    readers.close()


def test_every_maker_s_tags_arrive_and_no_others(floor: Floor) -> None:
    def all_seen() -> bool:
        seen = Counter({(read.device, read.evidence) for read in floor.reads()})
        return len(seen) >= len(MAKERS) * TAGS * 3 // 4

    wait_until(all_seen, "the tags of all readers")
    for read in floor.reads():
        assert read.evidence[:8] == HEADS[read.device]
        assert (read.phase_cdeg is not None) is (read.device in ("impinj", "zebra"))
        assert (read.doppler_chz is not None) is (read.device == "impinj")
    health = wait_until(lambda: floor.health("zebra"), "the health of a reader")
    assert health.state == "reading"
    # The readers themselves left out what was not wanted; what one refused, the agent left out.
    for maker, server in floor.servers.items():
        wishes = server.reader.radio.rospecs[1].inventories[0].wishes
        filters = 0 if maker == "thingmagic" else 1
        assert all(len(wish.filters) == filters for wish in wishes.values())


def test_what_a_reader_refused_is_told_once_it_reads(floor: Floor) -> None:
    def told() -> bool:
        words = "says no to adding the ROSpec: A_OutOfRange, mode 77 is not there"
        return any(words in detail for _, detail in floor.changes("thingmagic"))

    wait_until(told, "the refusal")


def test_a_barrier_follows_a_command_and_closes_by_itself(floor: Floor) -> None:
    wait_until(lambda: floor.reads() and True, "reading")
    server = floor.servers["impinj"]
    command = SetOutput(device="impinj", port=3, on=True, reason="load S-118", for_s=0.3)
    floor.listener.tell("cmd", command)

    def switched() -> list[LightChange]:
        return [change for change in server.reader.lights if change.port == 3]

    wait_until(lambda: len(switched()) >= 2, "the barrier's two changes")
    first, second = switched()[:2]
    assert (first.on, second.on) == (True, False)
    assert second.at_us - first.at_us > 200_000


def test_a_lost_antenna_and_a_clock_that_jumps_are_told_and_shown(floor: Floor) -> None:
    wait_until(lambda: floor.reads() and True, "reading")
    reader = floor.servers["zebra"].reader
    floor.readers.do(lambda: reader.fault("antenna_lost", 4))
    floor.readers.do(lambda: reader.fault("clock_offset_s", 45.0))
    wait_until(lambda: ("antenna_lost", "antenna 4") in floor.changes("zebra"), "the antenna")

    def told() -> str:
        return next((words for state, words in floor.changes("zebra") if state == "clock_off"), "")

    assert "ahead of the agent's" in wait_until(told, "the clock")

    def shown() -> bool:
        health = floor.health("zebra")
        return health is not None and (health.skew_us or 0) > 40_000_000

    wait_until(shown, "the skew in the health")
