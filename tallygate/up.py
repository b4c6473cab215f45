"""A stack that stays: servers and programs run until Ctrl-C, what dies is started again.

Read me first for `tallygate up`. Without a site file a simulated dock runs in real time.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path

import psycopg

from contracts.clock import REAL_TIME
from tallygate.dock import SimulatedDock
from tallygate.errors import TallygateError
from tallygate.intake import import_reference, load_site_file
from tallygate.ledger import only_one, open_ledger
from tallygate.progress import Progress
from tallygate.releasing import keep_releasing
from tallygate.servers.child import ServerError
from tallygate.stack import Stack
from tallygate.terminal import plain_console

SIMULATED_SITE = "demo"
"""The site of the simulated dock."""
USUAL_FOLDER = ".tallygate"
"""The command line's own default: commands need not name it."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a service manager, a terminal that was closed."""


@dataclass(frozen=True)
class UpSettings:
    """What a person may choose."""

    folder: Path
    site_file: Path | None
    items: Path | None
    loads: Path | None


async def run_up(settings: UpSettings) -> int:
    """Run until Ctrl-C or SIGTERM; the exit code. Raises TallygateError."""
    console = plain_console()
    folder = settings.folder.resolve()
    stopping = asyncio.Event()
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    with only_one(folder):
        progress = Progress(console)
        site = load_site_file(settings.site_file).site if settings.site_file else SIMULATED_SITE
        stack = Stack(folder, site, progress.tell)
        dock = None if settings.site_file else SimulatedDock(stack, progress.tell)
        background: list[asyncio.Task[None]] = []
        try:
            if await _unless(stopping, _start(stack, settings, dock, progress)):
                progress.stop()
                console.print(_where_to_look(settings, site), markup=False)
                background.append(asyncio.create_task(keep_releasing(stack, progress.tell)))
                if dock is not None:
                    background.append(asyncio.create_task(dock.run()))
                await stopping.wait()
        except (ServerError, RuntimeError, psycopg.Error) as error:
            progress.stop()
            logs = folder / "logs"
            raise TallygateError(f"the stack cannot run: {error}\nLogs are in {logs}.") from error
        finally:
            progress.stop()
            console.print("Stopping: agents first, the ledger last ...")
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await stack.stop()
    console.print(
        "Stopped. Nothing that reached a spool is lost; the same command goes on from here."
    )
    return 0


async def _unless(stopping: asyncio.Event, work: Coroutine[None, None, None]) -> bool:
    """Do it, unless somebody wants to stop before it is done; whether it was done."""
    working = asyncio.create_task(work)
    wanted = asyncio.create_task(stopping.wait())
    await asyncio.wait({working, wanted}, return_when=asyncio.FIRST_COMPLETED)
    wanted.cancel()
    if working.done():
        working.result()
        return not stopping.is_set()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    return False


async def _start(
    stack: Stack, settings: UpSettings, dock: SimulatedDock | None, progress: Progress
) -> None:
    progress.step("starting MQTT, Kafka and PostgreSQL")
    await _whole(stack.start_servers())
    await stack.migrate()
    site_file = settings.site_file
    if dock is not None:
        progress.step("building a simulated dock")
        await dock.start()
        site_file = dock.site_file
    assert site_file is not None
    _import(stack, settings)
    progress.step("starting agents, bridge, workers and sink")
    gateways = [gateway.id for gateway in load_site_file(site_file).gateways]
    stack.start_programs(site_file.resolve(), gateways)


def _import(stack: Stack, settings: UpSettings) -> None:
    with open_ledger(stack.postgres_url, stack.site) as ledger:
        import_reference(
            ledger,
            site_file=settings.site_file,
            items=settings.items,
            loads=settings.loads,
            at_us=REAL_TIME.domain_us(time.time_ns() // 1000),
        )


async def _whole(work: Coroutine[None, None, object]) -> None:
    """Wait for it to its end also when cancelled: half of it could not be stopped again."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


def _where_to_look(settings: UpSettings, site: str) -> str:
    """What to type in another terminal."""
    options = "" if str(settings.folder) == USUAL_FOLDER else f" --data {settings.folder}"
    options += "" if site == SIMULATED_SITE else f" --site {site}"
    looks = {
        "watch": "doors and loads, live",
        "stats": "what the ledger holds, how fast it came",
        "verify": "prove the ledger",
        "doctor": "servers and ports",
    }
    lines = "\n".join(f"  tallygate {command}{options}   {what}" for command, what in looks.items())
    return (
        f"Tallygate runs. All of its state is in {settings.folder}, its programs' words in"
        f" {settings.folder / 'logs'}. In another terminal:\n{lines}\nCtrl-C stops it."
    )
