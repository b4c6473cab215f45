"""A stack that stays: servers and programs run until Ctrl-C, what dies is started again.

Read me first for `tallygate up`. Without a site file a simulated dock runs in real time.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from contracts.clock import REAL_TIME
from tallygate.demo import READY_S, wait_ready
from tallygate.errors import TallygateError
from tallygate.intake import import_reference, load_site_file
from tallygate.ledger import open_ledger
from tallygate.progress import Progress
from tallygate.stack import Stack, program


@dataclass(frozen=True)
class UpSettings:
    """What a person may choose."""

    folder: Path
    site_file: Path | None
    items: Path | None
    loads: Path | None


async def run_up(settings: UpSettings) -> int:
    """Run until Ctrl-C or SIGTERM; the exit code."""
    console = Console(highlight=False)
    folder = settings.folder.resolve()
    with _only_one(folder):
        progress = Progress(console)
        site = load_site_file(settings.site_file).site if settings.site_file else "demo"
        stack = Stack(folder, site, REAL_TIME, progress.tell)
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopping.set)
        try:
            await _start(stack, settings, progress)
            progress.stop()
            console.print(
                f"Tallygate runs; its state is in {settings.folder}. In another terminal:\n"
                "  tallygate watch     doors and loads, live\n"
                "  tallygate stats     what the ledger holds\n"
                "  tallygate verify    prove the ledger\n"
                "Ctrl-C stops it."
            )
            await stopping.wait()
            console.print("Stopping: agents first, the ledger last ...")
        finally:
            progress.stop()
            await stack.stop()
    console.print(
        "Stopped. Nothing that reached a spool is lost; `tallygate up` goes on from here."
    )
    return 0


async def _start(stack: Stack, settings: UpSettings, progress: Progress) -> None:
    progress.step("starting MQTT, Kafka and PostgreSQL")
    await stack.start_servers()
    await stack.migrate()
    site_file, items, loads = settings.site_file, settings.items, settings.loads
    if site_file is None:
        progress.step("building a simulated dock")
        sim = stack.folder / "simulator"
        (sim / "ready.json").unlink(missing_ok=True)
        seed = str(time.time_ns() % 1000)
        arguments = ["run", "--seed", seed, "--out", str(sim), "--speed", "1"]
        stack.supervise().start(program("simulator", "firmware_sim", *arguments, restart=False))
        await wait_ready(sim / "ready.json", READY_S)
        site_file, items, loads = sim / "site.toml", sim / "items.csv", sim / "loads.csv"
    with open_ledger(stack.postgres_url, stack.site) as ledger:
        import_reference(
            ledger,
            site_file=site_file,
            items=items,
            loads=loads,
            at_us=REAL_TIME.domain_us(time.time_ns() // 1000),
        )
    progress.step("starting agents, bridge, workers and sink")
    gateways = [gateway.id for gateway in load_site_file(site_file).gateways]
    stack.start_programs(site_file.resolve(), gateways)


class _only_one:  # noqa: N801 - it reads as a with statement's word.
    """Holds the folder's lock: two stacks in one folder would fight over its files."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "lock"
        self._descriptor = -1

    def __enter__(self) -> None:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise TallygateError(
                f"a stack runs in {self._path.parent} already; stop it, or choose another --data"
            ) from error

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
