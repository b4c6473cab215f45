"""Read me first: one shift on real ports. The flow is `Run.whole`, top to bottom."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from pathlib import Path

import msgspec

from contracts.clock import ClockSetting
from firmware_sim.core.inventory import Inventory
from firmware_sim.core.layout import READERS, SCANNER, Reader
from firmware_sim.core.llrp_radio import Radio
from firmware_sim.core.llrp_reader import LlrpReader
from firmware_sim.core.scanning import triggers_of
from firmware_sim.core.shift import Shift, shift_of
from firmware_sim.core.signals import eye_changes
from firmware_sim.core.site import GATEWAY, SITE, site_toml
from firmware_sim.core.tracks import SECOND
from firmware_sim.core.truth import Passage, passages_of
from firmware_sim.files import (
    items_csv,
    loads_csv,
    rfc3339,
    write_passages,
    write_truth,
)
from firmware_sim.llrp_server import LlrpServer
from firmware_sim.log import log
from firmware_sim.offline import ORDINARY, right_settings
from firmware_sim.parameters import Scenario
from firmware_sim.scanner_server import ScannerServer

PROGRESS_S = 5.0
"""Wall time between two lines of progress in the log."""
FOR_EVER_US = 1 << 62
"""Beyond every shift."""
TWICE_US = 5 * SECOND
"""Passages of one tag through one gate closer than this are told of in the summary."""


class World:
    """A shift, its clock and its servers."""

    def __init__(self, seed: int, scenario: Scenario, clock: ClockSetting, start_us: int) -> None:
        self.seed = seed
        self.clock = clock
        self.start_us = start_us
        self.scenario = scenario
        self.shift: Shift = shift_of(seed, scenario)
        self.inventories: dict[str, Inventory] = {}

    def now_us(self) -> int:
        """The time of the shift now; negative before it begins."""
        return self.clock.domain_us(time.time_ns() // 1000) - self.start_us

    def llrp(self, reader: Reader) -> LlrpServer:
        """A server for one reader."""
        nature = self.scenario.readers.get(reader.device, ORDINARY)
        inventory = Inventory(
            reader=reader,
            tracks=self.shift.tracks,
            signal=self.scenario.signal,
            seed=self.seed,
        )
        self.inventories[reader.device] = inventory
        right = right_settings(reader, self.scenario)
        radio = Radio(
            inventory,
            eyes=eye_changes(reader, self.shift.tracks),
            right=right,
            dead=nature.dead_antennas,
            reboots_s=nature.reboots_s,
            reports_max=nature.buffer_reports_max,
            at_us=min(0, self.now_us()),
        )
        llrp_reader = LlrpReader(
            radio,
            nature,
            self.scenario.signal,
            antennas=tuple(antenna.number for antenna in reader.antennas),
            start_us=self.start_us,
        )
        return LlrpServer(llrp_reader, nature, device=reader.device, now_us=self.now_us)

    def scanner(self) -> ScannerServer:
        """A server for the conveyor's scanner."""
        return ScannerServer(triggers_of(self.shift), device=SCANNER, now_us=self.now_us)


class Run:
    """The whole shift on its ports, with its files."""

    def __init__(self, world: World, out: Path, *, host: str, port: int, drain_s: float) -> None:
        self._world = world
        self._out = out
        self._host = host
        self._port = port
        self._drain_s = drain_s
        self._readers = [world.llrp(reader) for reader in READERS]
        self._scanner = world.scanner()

    async def whole(self) -> None:
        """Write what a site is given, listen, live through the shift, write the truth."""
        servers: list[LlrpServer | ScannerServer] = [*self._readers, self._scanner]
        ports = {}
        for place, server in enumerate(servers):
            wanted = self._port + place if self._port else 0
            ports[server.device] = await server.listen(self._host, wanted)
        self._write_before(ports)
        log("ready", clock=self._world.clock.text(), out=str(self._out), **ports)
        end_us = self._world.shift.end_us
        lives = [asyncio.create_task(server.run(end_us)) for server in servers]
        lives.append(asyncio.create_task(self._progress(end_us)))
        stopped = await until_stopped(lives)
        if not stopped:
            lives += [asyncio.create_task(server.run(FOR_EVER_US)) for server in servers]
            await until_stopped([asyncio.create_task(asyncio.sleep(self._drain_s))])
        until_us = min(self._world.now_us(), end_us)
        for life in lives:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)
        for server in servers:
            await server.close()
        self._write_after(until_us, whole=not stopped)

    async def _progress(self, end_us: int) -> None:
        while self._world.now_us() < end_us:
            await asyncio.sleep(PROGRESS_S)
            emitted = sum(server.reader.radio.emitted for server in self._readers)
            unheard = sum(server.reader.radio.unheard for server in self._readers)
            minutes = round(self._world.now_us() / 60 / SECOND, 1)
            log("progress", minute=minutes, reads_emitted=emitted, not_heard=unheard)

    def _write_before(self, ports: dict[str, int]) -> None:
        world, out = self._world, self._out
        out.mkdir(parents=True, exist_ok=True)
        (out / "site.toml").write_text(site_toml(ports, self._host), encoding="utf-8")
        (out / "items.csv").write_text(items_csv(world.shift), encoding="utf-8")
        (out / "loads.csv").write_text(loads_csv(world.shift, world.start_us), encoding="utf-8")
        ready = {
            "site": SITE,
            "gateway": GATEWAY,
            "seed": world.seed,
            "host": self._host,
            "ports": ports,
            "clock": world.clock.text(),
            "domain_start": rfc3339(world.start_us),
            "domain_end": rfc3339(world.start_us + world.shift.end_us),
            "domain_start_us": world.start_us,
            "domain_end_us": world.start_us + world.shift.end_us,
        }
        # Whoever waits for it shall never see half of it.
        draft = out / "ready.json.draft"
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(ready)))
        draft.replace(out / "ready.json")

    def _write_after(self, until_us: int, *, whole: bool) -> None:
        world, out = self._world, self._out
        passages = passages_of(world.shift, world.start_us, until_us)
        write_passages(out / "passages.jsonl", passages)
        write_truth(out / "truth.jsonl", world.shift, world.start_us, until_us)
        summary = self._summary(passages, whole=whole)
        (out / "summary.json").write_bytes(msgspec.json.format(msgspec.json.encode(summary)))
        log("done", out=str(out), passages=len(passages), whole=str(whole).lower())

    def _summary(self, passages: list[Passage], *, whole: bool) -> dict[str, object]:
        scanner, readers = self._scanner, self._readers
        servers: list[LlrpServer | ScannerServer] = [*readers, scanner]
        inventories = self._world.inventories.values()
        powered = sum(inventory.powered for inventory in inventories)
        answered = sum(inventory.answered for inventory in inventories)
        emitted = {server.device: server.reader.radio.emitted for server in readers}
        unheard = {server.device: server.reader.radio.unheard for server in readers}
        return {
            "seed": self._world.seed,
            "whole": whole,
            "units": self._world.scenario.shift.units,
            "reads_emitted": emitted | {scanner.device: scanner.emitted},
            "reads_emitted_total": sum(emitted.values()) + scanner.emitted,
            "not_heard": unheard | {scanner.device: scanner.unheard},
            "not_heard_total": sum(unheard.values()) + scanner.unheard,
            "no_reads": scanner.no_reads,
            "no_reads_not_heard": scanner.no_reads_unheard,
            "clients_served": {server.device: server.served for server in servers},
            "clients_refused": {server.device: server.refused for server in readers},
            "requests_refused": {
                server.device: server.reader.refused_requests for server in readers
            },
            "read_rate": round(answered / powered, 4) if powered else None,
            "ghosts": sum(inventory.ghosts for inventory in inventories),
            "lights": [
                {
                    "device": server.device,
                    "port": change.port,
                    "on": change.on,
                    "at": rfc3339(self._world.start_us + change.at_us),
                }
                for server in readers
                for change in server.reader.lights
            ],
            **counts_of(passages),
        }


def counts_of(passages: list[Passage]) -> dict[str, int]:
    """How much of everything there was."""
    kinds = Counter(passage.kind for passage in passages if passage.reads_emitted)
    passed = [passage for passage in passages if passage.kind == "passed"]
    twice = 0
    last: dict[tuple[str, str], int] = {}
    for passage in passed:
        key = passage.identity, passage.gate
        if key in last and passage.at_us - last[key] <= TWICE_US:
            twice += 1
        last[key] = passage.at_us
    return {
        "passages": len(passed),
        "passages_unread": sum(passage.reads_emitted == 0 for passage in passed),
        "lingering_tags": kinds["lingered"],
        "turned_back_tags": kinds["turned_back"],
        "turn_backs": len({p.at_us for p in passages if p.kind == "turned_back"}),
        "crosstalk_tags": kinds["crosstalk"],
        "twice_within_5_s": twice,
    }


async def until_stopped(tasks: list[asyncio.Task[None]]) -> bool:
    """Wait for the tasks, or for a signal to stop; whether it was the signal.

    Raises what a task raised.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    waiting = asyncio.create_task(_set(stop))
    pending: set[asyncio.Task[None]] = set(tasks)
    while pending and not stop.is_set():
        done, _ = await asyncio.wait([*pending, waiting], return_when=asyncio.FIRST_COMPLETED)
        for task in pending & done:
            task.result()
        pending -= done
    waiting.cancel()
    for task in pending:
        task.cancel()
    await asyncio.gather(waiting, *pending, return_exceptions=True)
    return stop.is_set()


async def _set(event: asyncio.Event) -> None:
    await event.wait()
