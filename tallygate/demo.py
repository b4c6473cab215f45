"""The demo, read top to bottom: a simulated dock, the whole stack, a report, a verdict.

Read me first. The exit code is 0 only when every promise held: nothing lost, nothing twice, the
chain whole, gates right as often as claimed.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import psycopg
from rich.console import Console

from contracts.clock import MICROSECONDS, ClockSetting
from edge_agent.spool import kept_batches
from tallygate.errors import TallygateError
from tallygate.intake import import_reference, load_site_file
from tallygate.ledger import open_ledger
from tallygate.progress import Progress
from tallygate.report import Judgement, judge, print_report
from tallygate.stack import Stack, program
from tallygate.words import language

LEAD_S = 12.0
"""Wall time between the clock's start and the first forklift: the world is built and readers get
their settings."""
LEAD_TIMES = 3.0
"""On a busy machine the lead is so many times what the servers took to start."""
TAIL_S = 20.0
"""Domain time after the shift in which the last windows close, beside what acceleration adds."""
DRAIN_S = 90.0
"""Wall time for the ledger to have everything after that; far more than a healthy run needs."""
READY_S = 60.0
"""Wall time for the simulator to build its world and listen."""
SHIFT = "2026-03-02T02:00:00Z"
"""When the rehearsed shift begins: ten o'clock in China."""
SHIFT_US = int(datetime.fromisoformat(SHIFT).timestamp()) * MICROSECONDS


@dataclass(frozen=True)
class DemoSettings:
    """What a person may choose."""

    seed: int = 1
    speed: float = 60.0
    folder: Path | None = None
    sabotage: str | None = None
    language: str | None = None
    simulator: tuple[str, ...] = ()
    """Further arguments for the simulator: a smaller world, in tests."""


class Ready(msgspec.Struct):
    """What the simulator says when its devices listen (`ready.json`)."""

    domain_start_us: int
    domain_end_us: int


async def run_demo(settings: DemoSettings) -> int:
    """Run it; the exit code."""
    console = Console(highlight=False)
    folder = settings.folder or Path(tempfile.mkdtemp(prefix="tallygate-demo-"))
    progress = Progress(console)
    stack = Stack(folder, "demo", progress.tell)
    try:
        judgement = await rehearse(stack, settings, progress)
        print_report(console, judgement)
    except (TallygateError, RuntimeError, TimeoutError) as error:
        progress.stop()
        console.print(f"[red]The demo could not run:[/red] {error}")
        console.print(f"Logs are in {folder / 'logs'}.")
        return 2
    finally:
        progress.stop()
        await stack.stop()
    if judgement.holds and settings.folder is None:
        shutil.rmtree(folder)
    else:
        console.print(f"Everything of this run is in {folder}.")
    return 0 if judgement.holds else 1


def shift_clock(speed: float, lead_s: float) -> ClockSetting:
    """A clock by which the shift begins `lead_s` of wall time from now."""
    return ClockSetting(
        wall_anchor_us=time.time_ns() // 1000,
        domain_anchor_us=SHIFT_US - int(lead_s * speed * MICROSECONDS),
        speed=speed,
    )


async def rehearse(
    stack: Stack,
    settings: DemoSettings,
    progress: Progress,
    *,
    during: Callable[[Stack], Coroutine[None, None, None]] | None = None,
    arm: Mapping[str, str] | None = None,
) -> Judgement:
    """The whole shift, then the judgement. Raises TimeoutError where it does not come to an end.

    A storm gives `during`, which runs beside the shift, and `arm`: program to TALLYGATE_AT.
    """
    progress.step("starting MQTT, Kafka and PostgreSQL")
    began = time.monotonic()
    await stack.start_servers()
    await stack.migrate()
    lead_s = max(LEAD_S, LEAD_TIMES * (time.monotonic() - began))
    clock = stack.clock = shift_clock(settings.speed, lead_s)
    progress.step("building the dock")
    sim = stack.folder / "simulator"
    supervisor = stack.supervise()
    arguments = ["run", "--seed", str(settings.seed), "--out", str(sim), "--start", SHIFT]
    arguments += settings.simulator
    supervisor.start(program("simulator", "firmware_sim", *arguments, restart=False))
    ready = await wait_ready(sim / "ready.json", READY_S)
    with open_ledger(stack.postgres_url, stack.site) as ledger:
        import_reference(
            ledger,
            site_file=sim / "site.toml",
            items=sim / "items.csv",
            loads=sim / "loads.csv",
            at_us=ready.domain_start_us,
        )
    progress.step("starting agents, bridge, workers and sink")
    stack.start_programs(
        sim / "site.toml",
        [gateway.id for gateway in load_site_file(sim / "site.toml").gateways],
        sabotage=settings.sabotage,
        keep_acknowledged=True,
        arm=arm or {},
    )
    progress.shift(ready.domain_start_us, ready.domain_end_us, clock)
    beside = asyncio.create_task(during(stack)) if during else None
    await _live(stack, progress)
    progress.step("waiting for the last windows and acknowledgements")
    if beside is not None:
        await beside
    await _until_domain(clock, ready.domain_end_us + int(TAIL_S * MICROSECONDS))
    await _drained(stack, progress)
    progress.step("stopping the programs, proving the ledger")
    await stack.stop_programs()
    return await asyncio.to_thread(judge, stack, sim, clock, language(settings.language))


async def _live(stack: Stack, progress: Progress) -> None:
    """Show how the shift goes until the simulator has ended."""
    ended = asyncio.create_task(stack.supervise().ended("simulator"))
    while not ended.done():
        with (
            contextlib.suppress(TallygateError, psycopg.Error),  # A storm may have killed it.
            open_ledger(stack.postgres_url, stack.site) as ledger,
        ):
            progress.show(ledger)
        await asyncio.wait([ended], timeout=1.0)
    if ended.result() != 0:
        raise RuntimeError(f"the simulator ended with {ended.result()}")


async def wait_ready(path: Path, seconds_max: float) -> Ready:
    """Wait until the simulator's devices listen. Raises TimeoutError."""
    deadline = time.monotonic() + seconds_max
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
            raw = await asyncio.to_thread(path.read_bytes)
            return msgspec.json.decode(raw, type=Ready)
        await asyncio.sleep(0.1)
    raise TimeoutError(f"the simulator was not ready within {seconds_max:.0f} s")


async def _until_domain(clock: ClockSetting, domain_us: int) -> None:
    wait_us = clock.wall_us(domain_us) - time.time_ns() // 1000
    await asyncio.sleep(max(0.0, wait_us / MICROSECONDS))


async def _drained(stack: Stack, progress: Progress) -> None:
    """Wait until the ledger has acknowledged every batch that the spools held at this moment."""
    wanted: dict[tuple[str, str], int] = {}
    for gateway, folder in stack.agent_folders().items():
        for spool, sequence, _ in kept_batches(folder):
            wanted[gateway, spool] = max(wanted.get((gateway, spool), 0), sequence)
    deadline = time.monotonic() + DRAIN_S
    with open_ledger(stack.postgres_url, stack.site) as ledger:
        while time.monotonic() < deadline:
            have = {(row.gateway, row.spool): row.sequence for row in ledger.acknowledged()}
            if all(have.get(key, 0) >= sequence for key, sequence in wanted.items()):
                return
            progress.show(ledger)
            await asyncio.sleep(0.5)
    raise TimeoutError(
        f"the ledger did not acknowledge everything within {DRAIN_S:.0f} s: {wanted} wanted, {have}"
    )
