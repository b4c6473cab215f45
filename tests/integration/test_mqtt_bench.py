"""Every kind of device that publishes by itself: the bench's device, a broker, a running agent."""

from __future__ import annotations

import asyncio
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from contracts.clock import REAL_TIME
from contracts.codec import decode
from contracts.commands import AgentHealth, DeviceHealth
from firmware_sim.bench.bench import Bench
from firmware_sim.bench.faults import read_fault
from firmware_sim.bench.mqtt_kinds import KINDS
from firmware_sim.bench.scenario import ScenarioFile, scenario_from
from tallygate.servers.mqtt_embedded import EmbeddedMqtt
from tests.support import mqtt_rig
from tests.support.agent_bench import GATEWAY, SITE, AgentProcess, Listener

until = partial(mqtt_rig.until, look_s=0.05)
UNIT = "https://id.gs1.org/01/09506000134352/21/4711"
CASE = "https://id.gs1.org/00/106141412345678908"
BEACON = "ble:ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:7:11"
OTHER_BEACON = "ble:eddystone:00112233445566778899:0a0b0c0d0e0f"


def scenario(broker: EmbeddedMqtt) -> ScenarioFile:
    """Two things come by each device, again and again."""
    parts = [f'format = "tallygate-scenario-1"\nmqtt = "{broker.url}"\n']
    for kind in KINDS:
        parts.append(f'[[devices]]\nid = "{kind.name}"\nkind = "{kind.name}"\n')
        beacons = kind.name.startswith("ble_gateway")
        for identity in (BEACON, OTHER_BEACON) if beacons else (UNIT, CASE):
            antenna = "" if beacons else "antenna = 2\n"
            parts.append(
                f'[[devices.passings]]\nat_s = 0.1\nidentity = "{identity}"\n{antenna}'
                "times = 1000\nevery_s = 0.4\n"
            )
    found = scenario_from(tomllib.loads("".join(parts)), {})
    assert isinstance(found, ScenarioFile), found
    return found


@pytest.fixture(name="broker")
def fixture_broker(tmp_path: Path) -> Iterator[EmbeddedMqtt]:
    with EmbeddedMqtt(tmp_path / "broker") as broker:
        yield broker


class Heard:
    """What the agent published."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def reads(self) -> dict[str, Counter[str]]:
        """Identities by device."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for batch in self._listener.contents():
            for read in batch.reads:
                found[read.device][read.identity] += 1
        return found

    def states(self, device: str) -> list[str]:
        """States of a device that were told, in order."""
        return [
            change.state
            for batch in self._listener.contents()
            for change in batch.changes
            if change.device == device
        ]

    def health(self, device: str) -> DeviceHealth | None:
        """The newest figures of a device."""
        raw = self._listener.latest("health")
        health = decode(AgentHealth, raw or b"", source="test", at_us=0)
        if not isinstance(health, AgentHealth):
            return None
        return next((one for one in health.devices if one.device == device), None)


async def test_every_kind_is_read_and_its_state_followed(
    broker: EmbeddedMqtt, tmp_path: Path
) -> None:
    bench = Bench(scenario(broker), REAL_TIME, start_us=_now_us())
    await bench.open()
    site = bench.site_text()
    for name in ("site", "id", "gateway"):
        own = SITE if name == "site" else GATEWAY
        site = site.replace(f'{name} = "bench"', f'{name} = "{own}"')
    with AgentProcess(tmp_path, scanner_port=1, mqtt_port=broker.port) as agent:
        (tmp_path / "site.toml").write_text(site)
        listener = Listener(broker.port)
        agent.start()
        heard = Heard(listener)
        work = asyncio.create_task(bench.run())
        try:
            await _read_all(heard)
            await _follow_faults(bench, heard)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await bench.close()
        assert await asyncio.to_thread(agent.stop) == 0
        assert _reasons(listener) <= {"a retained message"}
        listener.close()
        print(agent.log())  # noqa: T201 - shown where the test fails.


async def _read_all(heard: Heard) -> None:
    reading = {kind.name for kind in KINDS} - {"sparkplug"}

    def all_read() -> bool:
        reads = heard.reads()
        return set(reads) == reading and all(len(of_it) == 2 for of_it in reads.values())

    await until(all_read, f"reads of {reading}, not only {heard.reads()}")
    for name, identities in heard.reads().items():
        wanted = {BEACON, OTHER_BEACON} if name.startswith("ble_gateway") else {UNIT, CASE}
        assert set(identities) == wanted, name
    await until(
        lambda: (told := heard.health("sparkplug")) and told.temperature_c, "a node's temperature"
    )
    assert (told := heard.health("sparkplug")) is not None
    assert told.state == "reading"
    assert "cpu" in told.detail
    await until(lambda: (told := heard.health("zebra")) and told.temperature_c, "a heartbeat")


async def _follow_faults(bench: Bench, heard: Heard) -> None:
    """What happens inside a device is told; a cut link shows by its will, then it reads on."""
    rigs = {rig.device: rig for rig in bench.rigs}
    rigs["impinj"].take(read_fault("antenna 3 lost"))
    rigs["zebra"].take(read_fault("antenna 3 lost"))
    rigs["zebra_handheld"].take(read_fault("clock +600"))
    for device in ("impinj", "zebra"):
        await until(lambda device=device: "antenna_lost" in heard.states(device), device)
    await until(lambda: "clock_off" in heard.states("zebra_handheld"), "the clock")
    rigs["impinj"].take(read_fault("drop"))
    rigs["ble_gateway_ruuvi"].take(read_fault("drop"))
    rigs["sparkplug"].take(read_fault("drop"))
    for device in ("impinj", "ble_gateway_ruuvi", "sparkplug"):
        await until(
            lambda device=device: "reading" in _behind(heard.states(device), "silent"),
            f"{device} is back after its last will",
        )


def _behind(states: list[str], state: str) -> list[str]:
    return states[states.index(state) :] if state in states else []


def _reasons(listener: Listener) -> set[str]:
    return {reason.partition(":")[0] for reason in listener.reasons()}


def _now_us() -> int:
    return REAL_TIME.domain_us(time.time_ns() // 1000)
