"""Every kind of device on the bench, one agent that has them all, and the stream behind it.

The bench's devices say nothing before all of them are connected: a scanner keeps nothing for a
client that is late. From then on they play their scenes in real time.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from contracts.clock import REAL_TIME
from contracts.codec import decode, encode
from contracts.events import Sighting
from contracts.reads import ReadBatch, Reject
from contracts.site import SiteFile, read_site, site_map
from edge_agent.devices.kinds import ADAPTERS
from edge_agent.spool import kept_batches
from firmware_sim.bench.bench import Bench
from firmware_sim.bench.kinds import Frame, Publisher, Source
from firmware_sim.bench.links.make import LISTENS, Place, make_link
from firmware_sim.bench.registry import KINDS
from firmware_sim.bench.rig import Noted, Rig
from firmware_sim.bench.scenario import DeviceTable, ScenarioFile, scenario_from
from firmware_sim.bench.site import GATEWAY, agent_kind_of, antennas_of
from tallygate.servers.child import free_port
from tests.end_to_end.bad_floor import now_us
from tests.support.programs import wait_until
from tests.support.servers import Fresh
from tests.support.stream import Stream

WAIT_S = 60.0
"""A claim that is not true by then is false; all takes some seconds on an idle machine."""
THINGS = 4
"""Different things that each device gets to see."""
STEPS = 4
"""How often each is seen."""
STEP_S = 0.4
NEXT_S = 0.25
"""Between two things."""
BEGIN_S = 0.5
"""At its very beginning a scene has nobody to hear it yet."""
HELD_US = 1_000_000
"""A bench that is held stands so long before its beginning."""
READY_US = 9_000_000
"""The stack takes about so long until all devices are read; later, their clocks lag that far."""
GTIN = "https://id.gs1.org/01/09506000134352/21/"
BEACON = "ble:ibeacon:8d3f1b52-6c3e-4b0a-9a3e-0a2f5d1c7e90"
SILENT = frozenset({"sparkplug"})
"""The agent's kinds that bring state and health and no reads."""


class Device(NamedTuple):
    """One device of the bench."""

    id: str
    kind: str
    """As the bench calls it."""
    agent_kind: str
    """As the site file calls it."""
    identities: tuple[str, ...]
    """What it gets to see."""


def devices_on_the_bench() -> tuple[Device, ...]:
    """One of each kind that the bench has and the agent serves, each with things of its own."""
    found = []
    for number, (name, kind) in enumerate(KINDS.items()):
        agent_kind = agent_kind_of(kind)
        if agent_kind not in ADAPTERS:
            continue
        start = BEACON + f":{number}:" if agent_kind.startswith("ble") else f"{GTIN}{number}"
        things = range(10, 10 if agent_kind in SILENT else 10 + THINGS)
        identities = tuple(f"{start}{each:02}" for each in things)
        found.append(Device(name.replace("_", "-"), name, agent_kind, identities))
    return tuple(found)


class Below:
    """A source whose topics are below its own name, as a broker's access list wants them."""

    def __init__(self, source: Source, device: str) -> None:
        self._source = source
        self._prefix = f"devices/{device}/"

    def frames(self, upto_us: int) -> list[Frame]:
        """Its frames."""
        return [self._below(frame) for frame in self._source.frames(upto_us)]

    def fault(self, name: str, value: float) -> bool:
        """Its faults."""
        return self._source.fault(name, value)

    def will(self) -> Frame | None:
        """Its will."""
        will = self._source.will() if isinstance(self._source, Publisher) else None
        return None if will is None else self._below(will)

    def connected(self, at_us: int) -> list[Frame]:
        """Its first words."""
        said = self._source.connected(at_us) if isinstance(self._source, Publisher) else []
        return [self._below(frame) for frame in said]

    def _below(self, frame: Frame) -> Frame:
        return frame._replace(topic=self._prefix + frame.topic)


class Surroundings(NamedTuple):
    """Where the stack's programs and devices find the broker, and how they speak to it."""

    devices: Callable[[str], str]
    """A device's broker, with its own name and password where it has one."""
    authority: str | None = None
    """Who signs that broker, and the handhelds' interface."""
    below: bool = False
    """Whether devices publish below `devices/{their name}/`, where no standard fixes the topics."""
    programs: Callable[[str], Mapping[str, str]] = lambda _: {}
    """More environment of `bridge`, `sink` and `agent`."""
    certificate: tuple[str, str] | None = None
    """Certificate and key of the handhelds' interface."""


class HeldBench(Bench):
    """A bench whose time stands still before its scenes until it is let go."""

    def __init__(self, scenario: ScenarioFile, *, below: bool) -> None:
        self.released = threading.Event()
        self._below = below
        super().__init__(scenario, REAL_TIME, start_us=now_us() + READY_US)

    def _rig(self, table: DeviceTable, count: int | None, noted: Noted) -> Rig:
        rig = super()._rig(table, count, noted)
        if self._below and rig.kind.link == "mqtt" and table.kind not in SILENT:
            source = rig._source = Below(rig._source, table.id)
            place = Place(mqtt=table.mqtt or "", ca=table.ca)
            rig.link = make_link(
                rig.kind, place, device=table.id, source=source, ears=rig, now_us=self.now_us
            )
        return rig

    def now_us(self) -> int:
        """Domain time; before the beginning while it is held."""
        real_us = super().now_us()
        return real_us if self.released.is_set() else min(real_us, self.start_us - HELD_US)


class BenchThread:
    """The bench at work in a thread of its own."""

    def __init__(self, scenario: ScenarioFile, *, below: bool) -> None:
        self.bench = HeldBench(scenario, below=below)
        self._loop = asyncio.new_event_loop()
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._thread.start()
        assert self._opened.wait(WAIT_S), "the bench did not open"

    def close(self) -> None:
        """Stop all devices."""
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(WAIT_S)

    def _main(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._work())

    async def _work(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        await self.bench.open()
        self._opened.set()
        try:
            await self.bench.run()
        except asyncio.CancelledError:
            await self.bench.close()


class DeviceStack:
    """All of it; `start` it, then ask the ledger."""

    def __init__(
        self,
        fresh: Fresh,
        folder: Path,
        devices: tuple[Device, ...],
        around: Surroundings | None = None,
    ) -> None:
        self.stream = Stream(fresh, folder)
        self.devices = devices
        self._around = around or Surroundings(lambda _: fresh.mqtt_url)
        self._folder = folder
        self._spool = folder / "agent"
        self._bench = BenchThread(self._scenario(), below=self._around.below)
        self._site = folder / "site.toml"
        self._site.write_text(self._site_text())
        site_file = read_site(self._site.read_text())
        assert isinstance(site_file, SiteFile), site_file
        self._site_file = site_file

    def start(self) -> None:
        """Start the programs, wait until every device is read, and let the scenes begin."""
        self.stream.ask(
            "select ledger.put_reference(%s, 'site', %s, %s)",
            self.stream.site,
            encode(site_map(self._site_file)),
            now_us(),
        )
        programs = self._around.programs
        self.stream.start("bridge", "stream_processors", "bridge", **programs("bridge"))
        self.stream.start("sink", "ledger_sink", "run", **programs("sink"))
        worker = self.stream.worker()
        arguments = ["--site", str(self._site), "--gateway", GATEWAY, "--data", str(self._spool)]
        bus = next((r.link.address for r in self._bench.bench.rigs if r.kind.link == "dbus"), "")
        environment = {"DBUS_SYSTEM_BUS_ADDRESS": bus, **programs("agent")}
        self.stream.start("agent", "edge_agent", "run", *arguments, **environment)
        worker.wait_for("partitions were taken", WAIT_S)
        names = {device.id for device in self.devices}
        assert wait_until(lambda: self.reading() >= names, WAIT_S), names - self.reading()
        self._bench.bench.released.set()

    def reading(self) -> set[str]:
        """Devices that the ledger knows to be read."""
        rows = self.stream.ask("select payload from ledger.entries where kind = 'device'")
        told = [json.loads(bytes(payload)) for (payload,) in rows]
        return {change["device"] for change in told if change["state"] == "reading"}

    def entered(self, device: str) -> dict[str, int]:
        """By identity, how many reads of a device are in the ledger's evidence."""
        found: Counter[str] = Counter()
        for (payload,) in self.stream.ask("select payload from ledger.evidence"):
            sighting = msgspec.json.decode(bytes(payload), type=Sighting)
            for antenna in sighting.antennas:
                if antenna.device == device:
                    found[sighting.identity] += antenna.reads
        return dict(found)

    def spooled(self, device: str) -> dict[str, int]:
        """By identity, how many reads of a device reached the spool."""
        found: Counter[str] = Counter()
        for _, _, raw in kept_batches(self._spool):
            batch = decode(ReadBatch, raw, source="test", at_us=0)
            assert not isinstance(batch, Reject)
            found.update(read.identity for read in batch.reads if read.device == device)
        return dict(found)

    def moves(self, identities: tuple[str, ...]) -> list[dict[str, object]]:
        """Location events of some identities, in order."""
        rows = self.stream.ask(
            "select payload from ledger.entries where kind = 'location' and identity = any (%s)"
            " order by seq",
            list(identities),
        )
        return [json.loads(bytes(payload)) for (payload,) in rows]

    def check_entered(self, device: Device) -> None:
        """Exactly the identities of a device's scene are in the ledger, read for read, once.

        And each of them was placed, or passed its gate, once. Of a device that brings no reads the
        ledger knows that it is there.
        """
        assert device.id in self.reading()
        expected = set(device.identities)

        def all_there() -> bool:
            spooled = self.spooled(device.id)
            return set(spooled) >= expected and self.entered(device.id) == spooled

        assert wait_until(all_there, WAIT_S), (
            f"{device.id}: spooled {self.spooled(device.id)}, entered {self.entered(device.id)}, "
            f"of {sorted(expected)}"
        )
        assert set(self.entered(device.id)) == expected
        # The first reads of a thing may be entered before they are enough to place it.
        assert wait_until(lambda: len(self.moved(device)) >= len(expected), WAIT_S), device.id
        assert self.moved(device) == sorted(expected)

    def moved(self, device: Device) -> list[str]:
        """The identities of a device's scene, as often as each was placed or passed its gate."""
        return sorted(str(move["identity"]) for move in self.moves(device.identities))

    def check_persons(self) -> None:
        """Who was signed in at the handheld stands by pseudonym at its scans, and nowhere else."""
        named = {
            device.agent_kind: {move.get("person") for move in self.moves(device.identities)}
            for device in self.devices
        }
        query = "select pseudonym from ledger.persons where person = 'bench'"
        assert named.pop("handheld") == {pseudonym for (pseudonym,) in self.stream.ask(query)}
        assert set().union(*named.values()) == {None}
        assert self.stream.ask("select seq from ledger.persons_in_clear") == []
        in_clear = (
            "select id from ledger.evidence"
            """ where position('"person":"bench"'::bytea in payload) > 0"""
        )
        assert self.stream.ask(in_clear) == []

    def close(self) -> None:
        """End everything."""
        self.stream.close()
        self._bench.close()

    def _scenario(self) -> ScenarioFile:
        tables: list[dict[str, object]] = []
        for device in self.devices:
            kind = KINDS[device.kind]
            table: dict[str, object] = {"id": device.id, "kind": device.kind}
            if kind.link in LISTENS:
                table["port"] = 0
            elif kind.link in {"tcp_client", "http"}:
                table["port"] = free_port()
            elif kind.link == "serial":
                table["serial"] = str(self._folder / f"{device.id}.tty")
            elif kind.link == "dbus":
                table["bus"] = str(self._folder / "bus")
            elif kind.link == "mqtt":
                table["mqtt"] = self._around.devices(device.id)
            if self._around.authority is not None and kind.link == "mqtt":
                table["ca"] = self._around.authority
            if self._around.certificate is not None and kind.link == "http":
                table["ca"] = self._around.certificate[0]
            antennas = antennas_of(kind) or (0,)
            table["passings"] = [
                {
                    "at_s": round(BEGIN_S + number * NEXT_S + step * STEP_S, 3),
                    "identity": identity,
                    "antenna": antennas[step * len(antennas) // STEPS],
                    "rssi_dbm": -52.0,
                }
                for number, identity in enumerate(device.identities)
                for step in range(STEPS)
            ]
            tables.append(table)
        scenario = scenario_from({"devices": tables}, {})
        assert isinstance(scenario, ScenarioFile), scenario
        return scenario

    def _site_text(self) -> str:
        """The bench's own site file, under the test's site, with zones that decide soon."""
        text = self._bench.bench.site_text()
        text = re.sub('^site = "[^"]*"', f'site = "{self.stream.site}"', text, count=1)
        text = text.replace(
            '[[gateways]]\nid = "bench"\n', '[[gateways]]\nid = "bench"\nkeep_acknowledged = true\n'
        )
        soon = "[zones.parameters]\nmemory_s = 2.0\n"
        text = text.replace('[[zones]]\nid = "stage"\n', f'[[zones]]\nid = "stage"\n{soon}', 1)
        if self._around.certificate is not None:
            certificate, key = self._around.certificate
            text = text.replace("plain = true", f'certificate = "{certificate}"\nkey = "{key}"')
        if not self._around.below:
            return text
        parts = text.split("[[devices]]\n")
        return "[[devices]]\n".join([parts[0], *[_below(part) for part in parts[1:]]])


def _below(table: str) -> str:
    """A device's table with its topics below its own name."""
    device = tomllib.loads(table)["id"]
    return re.sub(r'(?m)^((?:status_)?topic = ")(?!spBv1\.0/)', rf"\1devices/{device}/", table)
