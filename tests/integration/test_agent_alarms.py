"""Alarms of a running agent, and a device that floods beside one that does not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from contracts.clock import ClockSetting
from contracts.codec import decode
from contracts.commands import AgentHealth
from contracts.reads import DeviceChange
from tallygate.servers.mqtt_embedded import EmbeddedMqtt
from tests.support.agent_bench import AgentProcess, Listener, TcpScanner, wait_until

SPEED = 60.0


@pytest.fixture(name="broker")
def fixture_broker(tmp_path: Path) -> Iterator[EmbeddedMqtt]:
    with EmbeddedMqtt(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture(name="listener")
def fixture_listener(broker: EmbeddedMqtt) -> Iterator[Listener]:
    listener = Listener(broker.port)
    yield listener
    listener.close()


@pytest.fixture(name="scanners")
def fixture_scanners() -> Iterator[tuple[TcpScanner, TcpScanner]]:
    pair = TcpScanner(), TcpScanner()
    yield pair
    for scanner in pair:
        with suppress(OSError):
            scanner.close()


@pytest.fixture(name="agent")
def fixture_agent(
    tmp_path: Path, scanners: tuple[TcpScanner, TcpScanner], broker: EmbeddedMqtt
) -> Iterator[AgentProcess]:
    with AgentProcess(
        tmp_path, scanner_port=scanners[0].port, mqtt_port=broker.port, spool_mb=64
    ) as agent:
        yield agent
        print(agent.log())  # noqa: T201 - shown where the test fails.


def alarms(listener: Listener) -> list[DeviceChange]:
    changes = [change for batch in listener.contents() for change in batch.changes]
    return [change for change in changes if change.state in {"alarm", "alarm_over"}]


def health(listener: Listener) -> AgentHealth | None:
    found = decode(AgentHealth, listener.latest("health") or b"", source="test", at_us=0)
    return found if isinstance(found, AgentHealth) else None


def test_an_alarm_is_told_once_over_a_restart_and_cleared_once(
    agent: AgentProcess, listener: Listener
) -> None:
    good = agent._site.read_text()
    agent._site.write_text(good + "[alarms]\ndisk_free_mb = 1_000_000_000\n")
    wall_us = time.time_ns() // 1_000
    clock = ClockSetting(wall_anchor_us=wall_us, domain_anchor_us=wall_us, speed=SPEED).text()
    agent.start(TALLYGATE_CLOCK=clock)
    raised = wait_until(lambda: alarms(listener), "the alarm")
    assert (raised[0].device, raised[0].state) == ("dock", "alarm")
    assert raised[0].detail.startswith("disk: ")
    shown = wait_until(lambda: (told := health(listener)) and told.alarms, "it is shown")
    assert shown[0].startswith("disk: ")
    assert agent.stop() == 0
    agent._site.write_text(good)
    agent.start(TALLYGATE_CLOCK=clock)
    wait_until(lambda: len(alarms(listener)) == 2, "it is over")
    assert [change.state for change in alarms(listener)] == ["alarm", "alarm_over"]
    assert agent.stop() == 0


def test_a_device_that_floods_is_slowed_and_told_and_its_neighbour_is_not_hurt(
    agent: AgentProcess, scanners: tuple[TcpScanner, TcpScanner], listener: Listener
) -> None:
    flooding, neighbour = scanners
    agent._site.write_text(
        agent._site.read_text().replace(
            'location = "conveyor"', 'reads_per_s_max = 100\nlocation = "conveyor"', 1
        )
        + f"""
[[devices]]
id = "door"
gateway = "dock"
kind = "scanner"
host = "127.0.0.1"
port = {neighbour.port}
location = "stage"
"""
    )
    agent.start()
    for scanner in scanners:
        scanner.wait_for_client()
    ended = threading.Event()

    def flood() -> None:
        with suppress(OSError):
            while not ended.is_set():
                flooding.send(b"]C10109506000134352210\r\n" * 1_000)

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()

    def complaints() -> list[str]:
        changes = [change for batch in listener.contents() for change in batch.changes]
        return [
            one.detail for one in changes if one.device == "conveyor" and "slowed" in one.detail
        ]

    wait_until(complaints, "it is told that it floods")
    for serial in range(1, 6):
        neighbour.send(f"]C1010950600013435221{serial}\r\n".encode())
    wanted = {f"https://id.gs1.org/01/09506000134352/21/{serial}" for serial in range(1, 6)}
    wait_until(lambda: wanted <= set(listener.identities()), "the neighbour's reads")
    reads = [read for batch in listener.contents() for read in batch.reads]
    flooded = [read for read in reads if read.device == "conveyor"]
    span_s = (max(read.received_us for read in reads) - min(r.received_us for r in reads)) / 1e6
    assert len(flooded) <= 100 * (10 + span_s) + 400, "ten seconds' worth at once, then its pace"
    ended.set()
    assert agent.stop() == 0
    thread.join(60)
    assert not thread.is_alive()
