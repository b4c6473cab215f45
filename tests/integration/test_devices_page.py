"""Each example of `docs/devices.md` is run: the device as documented, the agent as documented."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contracts.clock import REAL_TIME
from contracts.codec import decode
from contracts.reads import ReadBatch
from contracts.site import SiteFile, read_site
from edge_agent.devices.kinds import ADAPTERS
from edge_agent.spool import kept_batches
from firmware_sim.__main__ import command_parser
from firmware_sim.bench.bench import Bench
from firmware_sim.bench.links.make import NEEDS
from firmware_sim.bench.registry import KINDS, kind_named
from firmware_sim.bench.site import agent_kind_of
from firmware_sim.commands.device_options import clock_of, scenario_of
from tallygate.servers.child import free_port
from tallygate.servers.mqtt_embedded import EmbeddedMqtt
from tests.support.agent_bench import ROOT, wait_until
from tests.support.devices_page import PAGE, Example, examples_on, places_on, renewed, table_of

PAGE_TEXT = PAGE.read_text(encoding="utf-8")
SILENT = {"sparkplug"}
"""Kinds that tell state and health, and no reads."""


def test_the_page_has_every_kind_as_the_bench_has_it() -> None:
    assert renewed(PAGE_TEXT) == PAGE_TEXT, "run python -m tests.support.devices_page"
    assert [example.name for example in examples_on(PAGE_TEXT)] == list(KINDS)


def test_every_page_that_is_named_is_there() -> None:
    text = PAGE_TEXT.partition("## Every kind")[0]
    for target in [part.partition(")")[0] for part in text.split("](")[1:]]:
        assert (PAGE.parent / target).exists(), target


class Documented:
    """An example whose device and agent use a free port instead of the documented one."""

    def __init__(self, example: Example, folder: Path, mqtt_url: str) -> None:
        kind = kind_named(example.command[1])
        port = free_port()
        # A scene of a minute is made sooner than one of hours.
        words, site = [*example.command, "--seconds", "60"], example.site
        having = NEEDS[kind.link]
        if "port" in having:
            words += ["--port", str(port)]
            site = site.replace(f"port = {table_of(example)['port']}\n", f"port = {port}\n")
        if "serial" in having:
            words += ["--serial", str(folder / f"{example.name}.tty")]
        if "mqtt" in having:
            words += ["--mqtt", mqtt_url]
        if "bus" in having:
            words += ["--bus", str(folder / "bus")]
        scenario = scenario_of(command_parser().parse_args(words))
        clock, start_us = clock_of(scenario)
        assert clock == REAL_TIME
        self.site = site
        self.bench = Bench(scenario, clock, start_us=start_us)


@contextmanager
def agent(folder: Path, site: str, mqtt_url: str) -> Iterator[subprocess.Popen[bytes]]:
    """The agent as a process, in a folder of its own."""
    (folder / "site.toml").write_text(site, encoding="utf-8")
    words = ["run", "--site", "site.toml", "--gateway", "bench", "--data", "spool"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TALLYGATE_MQTT_URL": mqtt_url,
        "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder / 'bus' / 'bus'}",
    }
    with (folder / "agent.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "edge_agent", *words, "--keep-acknowledged"],
            cwd=folder,
            env=environment,
            stderr=log,
        )
    try:
        wait_until(lambda: "agent started" in (folder / "agent.log").read_text(), "the agent")
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        print((folder / "agent.log").read_text())  # noqa: T201 - shown where the test fails.


def reads_by_device(data: Path) -> Counter[str]:
    """How many reads of each device are in the agent's spool."""
    found: Counter[str] = Counter()
    for _, _, raw in kept_batches(data):
        batch = decode(ReadBatch, raw, source="test", at_us=0)
        assert isinstance(batch, ReadBatch)
        found.update(read.device for read in batch.reads)
    return found


@pytest.fixture(name="broker")
def fixture_broker(tmp_path: Path) -> Iterator[EmbeddedMqtt]:
    with EmbeddedMqtt(tmp_path / "broker") as broker:
        yield broker


def _read_all(folder: Path, site: str, mqtt_url: str, telling: set[str]) -> None:
    """Run the agent until it has a read of each device."""
    with agent(folder, site, mqtt_url):
        wait_until(lambda: set(reads_by_device(folder / "spool")) >= telling, "reads of all")


async def test_every_example_brings_reads_to_the_agent(
    tmp_path: Path, broker: EmbeddedMqtt
) -> None:
    examples = [Documented(one, tmp_path, broker.url) for one in examples_on(PAGE_TEXT)]
    site = "\n".join([places_on(PAGE_TEXT), *(one.site for one in examples)])
    assert isinstance(read_site(site), SiteFile), read_site(site)
    devices = {rig.device: rig for one in examples for rig in one.bench.rigs}
    telling = {name for name, rig in devices.items() if agent_kind_of(rig.kind) not in SILENT}
    works = []
    try:
        for one in examples:
            await one.bench.open()
            works.append(asyncio.create_task(one.bench.run()))
        with agent(tmp_path, site, broker.url):
            await asyncio.to_thread(
                wait_until,
                lambda: set(reads_by_device(tmp_path / "spool")) >= telling or None,
                "a read of each device",
            )
    finally:
        missing = telling - set(reads_by_device(tmp_path / "spool"))
        print({name: (devices[name].link.state, vars(devices[name].figures)) for name in missing})  # noqa: T201
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
        for one in examples:
            await one.bench.close()


def test_every_kind_of_the_agent_is_on_the_bench() -> None:
    assert {agent_kind_of(kind) for kind in KINDS.values()} == set(ADAPTERS)
