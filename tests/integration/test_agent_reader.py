"""The agent on the simulated dock: three LLRP readers and a scanner at sixty times real time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.clock import ClockSetting
from contracts.codec import decode
from contracts.commands import AgentHealth, SetLight
from contracts.reads import ReadBatch
from edge_agent.spool import kept_batches
from tallygate.servers.mqtt_embedded import EmbeddedMqtt
from tests.support.agent_bench import ROOT, WAIT_S_MAX, Listener, wait_until

SPEED = 60.0
READS = 3_000
"""So many are enough to have all devices at work."""


class Dock:
    """The simulator and the agent, side by side on one clock."""

    def __init__(self, folder: Path, mqtt_url: str) -> None:
        self.out = folder / "dock"
        self.data = folder / "spool"
        self._log = folder / "programs.log"
        clock = ClockSetting(
            wall_anchor_us=time.time_ns() // 1_000,
            domain_anchor_us=1_780_000_000_000_000,
            speed=SPEED,
        )
        self._environment = {
            **os.environ,
            "TALLYGATE_CLOCK": clock.text(),
            "TALLYGATE_MQTT_URL": mqtt_url,
        }
        self.simulator = self._start("firmware_sim", "run", "--seed", "3", "--out", str(self.out))
        wait_until((self.out / "ready.json").exists, "the dock")
        self.agent = self._start(
            "edge_agent",
            *("run", "--site", str(self.out / "site.toml"), "--gateway", "dock"),
            *("--data", str(self.data), "--keep-acknowledged"),
        )

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def end(self, program: subprocess.Popen[bytes]) -> int:
        """Ask a program to end; its exit code."""
        if program.poll() is None:
            program.send_signal(signal.SIGTERM)
        return program.wait(WAIT_S_MAX)

    def close(self) -> None:
        """Make sure that both are gone."""
        for program in (self.agent, self.simulator):
            if program.poll() is None:
                program.kill()
                program.wait(WAIT_S_MAX)


@pytest.fixture(name="broker")
def fixture_broker(tmp_path: Path) -> Iterator[EmbeddedMqtt]:
    with EmbeddedMqtt(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture(name="dock")
def fixture_dock(tmp_path: Path, broker: EmbeddedMqtt) -> Iterator[Dock]:
    dock = Dock(tmp_path, broker.url)
    yield dock
    dock.close()


def health_of(listener: Listener) -> dict[str, str]:
    """The devices' states, as the newest health message has them."""
    raw = listener.latest("health")
    health = decode(AgentHealth, raw, source="test", at_us=0) if raw else None
    devices = health.devices if isinstance(health, AgentHealth) else ()
    return {device.device: device.state for device in devices}


def test_every_read_that_the_dock_sent_is_spooled_once(broker: EmbeddedMqtt, dock: Dock) -> None:
    listener = Listener(broker.port)
    light = SetLight(device="door-1", port=1, red=True, reason="a stranger")
    wait_until(lambda: health_of(listener).get("door-1") == "reading", "the reader of door 1")
    listener.tell("cmd", light)

    def busy() -> bool:
        if listener.batches:
            listener.acknowledge(listener.batches[-1])
        return len(listener.identities()) >= READS

    wait_until(busy, f"{READS} reads")
    assert dock.end(dock.simulator) == 0
    wait_until(
        lambda: set(health_of(listener).values()) == {"retrying"},
        "the agent sees that all are gone",
    )
    assert dock.end(dock.agent) == 0
    listener.close()
    batches = []
    for _, _, raw in kept_batches(dock.data):
        batch = decode(ReadBatch, raw, source="test", at_us=0)
        assert isinstance(batch, ReadBatch)
        batches.append(batch)
    spooled = Counter(read.device for batch in batches for read in batch.reads)
    summary = json.loads((dock.out / "summary.json").read_text())
    assert spooled == Counter(summary["reads_emitted"])
    reached_us = 0
    for batch in batches:
        assert all(read.received_us >= reached_us for read in batch.reads)
        assert batch.gateway_us >= reached_us
        reached_us = batch.gateway_us
    assert [(one["device"], one["port"], one["on"]) for one in summary["lights"]] == [
        ("door-1", 1, True)
    ]
