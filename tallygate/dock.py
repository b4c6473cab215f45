"""The simulated dock of `tallygate up`: one shift after the other, in real time.

What happens in a shift is decided by its seed and its beginning, which lie in the folder: whoever
stops the stack and starts it again finds the same shift going on, on the same ports. Loads of
different shifts have different numbers, because a ledger never forgets one.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg

from contracts.clock import MICROSECONDS
from firmware_sim.core.shift import shift_of
from firmware_sim.core.truth import passages_of
from firmware_sim.parameters import DEFAULT
from tallygate.demo import READY_S, wait_ready
from tallygate.errors import TallygateError
from tallygate.intake import put_reference, read_files
from tallygate.ledger import open_ledger
from tallygate.servers.child import LOOPBACK, free_port
from tallygate.stack import Stack, program

SOON_S = 25
"""The first pallet passes a door this long after a shift's devices start: nobody waits minutes."""
FIRST_SEEDS_US = 400 * MICROSECONDS
"""The first pallet passes a door within this time of the beginning, in every shift."""
PORTS = 4
"""Devices that listen, on ports in a row."""
PORT_ATTEMPTS_MAX = 50
"""Tries to find that many free ports in a row."""
AGAIN_S = 2.0
"""Wall time before a simulator that died is started again."""
NAME = "simulator"

Tell = Callable[[str, str], None]


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """One shift, as it lies in `shift.json`."""

    number: int
    """Counts up from 1; also the seed."""
    start_us: int
    """When it begins: before its devices start, so that something happens soon."""
    port: int
    """The first of the devices' ports."""


class SimulatedDock:
    """Runs shifts until it is cancelled."""

    def __init__(self, stack: Stack, tell: Tell) -> None:
        self.folder = stack.folder / NAME
        self._stack = stack
        self._tell = tell
        self._file = self.folder / "shift.json"
        self._ended: asyncio.Task[int] | None = None

    @property
    def site_file(self) -> Path:
        """The site file: the same for all shifts."""
        return self.folder / "site.toml"

    async def start(self) -> None:
        """Go on with the shift that the folder holds, or begin one; its devices listen then."""
        shift = self._known()
        if shift is not None and not _are_free(shift.port):
            shift = self._keep(msgspec.structs.replace(shift, port=free_ports()))
        end_us = 0 if shift is None else await self._devices(shift)
        if end_us <= time.time_ns() // 1000:
            await self._stop()
            await self._devices(self._next(shift))

    async def run(self) -> None:
        """Keep the devices alive; begin the next shift when one is over."""
        while True:
            assert self._ended is not None
            # Not awaited itself: whoever cancels us must not cancel the supervisor's own task.
            await asyncio.wait({self._ended})
            try:
                await self._go_on(self._ended.result())
            except (TallygateError, OSError, psycopg.Error) as error:
                self._tell(NAME, f"{error}; again in {AGAIN_S:g} s")
                await asyncio.sleep(AGAIN_S)

    async def _go_on(self, code: int) -> None:
        shift = self._known()
        if code == 0 or shift is None:
            shift = self._next(shift)
            self._tell(NAME, f"shift {shift.number} begins")
        else:
            self._tell(NAME, f"ended with {code}; starts again in {AGAIN_S:g} s")
            await asyncio.sleep(AGAIN_S)
        await self._devices(shift)

    async def _devices(self, shift: Shift) -> int:
        """Start the shift's devices and tell the ledger its plan; when it ends, in us."""
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        arguments = ["run", "--seed", str(shift.number), "--out", str(self.folder)]
        arguments += ["--start", _rfc3339(shift.start_us), "--port", str(shift.port)]
        supervisor = self._stack.supervise()
        supervisor.start(program(NAME, "firmware_sim", *arguments, restart=False))
        self._ended = asyncio.create_task(supervisor.ended(NAME))
        listening = asyncio.create_task(wait_ready(ready, READY_S))
        await asyncio.wait({self._ended, listening}, return_when=asyncio.FIRST_COMPLETED)
        if not listening.done():
            listening.cancel()
            raise TallygateError(
                f"the simulated dock ended with {self._ended.result()} before it listened; its"
                f" words are in {supervisor.log_path(NAME)}"
            )
        try:
            end_us = listening.result().domain_end_us
        except TimeoutError as error:
            raise TallygateError(str(error)) from error
        await asyncio.to_thread(self._import, shift.number)
        return end_us

    def _import(self, number: int) -> None:
        found = read_files(self.site_file, self.folder / "items.csv", self.folder / "loads.csv")
        if number > 1:
            loads = [
                msgspec.structs.replace(load, load=f"{load.load}-{number}") for load in found.loads
            ]
            found = found._replace(loads=loads)
        with open_ledger(self._stack.postgres_url, self._stack.site) as ledger:
            put_reference(ledger, found, time.time_ns() // 1000)

    async def _stop(self) -> None:
        supervisor = self._stack.supervise()
        if NAME in supervisor.programs:
            await supervisor.stop([NAME])

    def _known(self) -> Shift | None:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Shift)
        except (OSError, msgspec.MsgspecError):
            return None

    def _next(self, last: Shift | None) -> Shift:
        number = 1 if last is None else last.number + 1
        soon_us = time.time_ns() // 1000 + SOON_S * MICROSECONDS
        port = free_ports() if last is None else last.port
        start_us = soon_us - first_passage_us(number)
        return self._keep(Shift(number=number, start_us=start_us, port=port))

    def _keep(self, shift: Shift) -> Shift:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file.write_bytes(msgspec.json.encode(shift))
        return shift


def first_passage_us(seed: int) -> int:
    """When the first pallet of a load passes a door, from the beginning of the shift."""
    passages = passages_of(shift_of(seed, DEFAULT), 0, FIRST_SEEDS_US)
    return min(
        (passage.at_us for passage in passages if passage.kind == "passed" and passage.load),
        default=0,
    )


def free_ports() -> int:
    """The first of some free ports in a row."""
    for _ in range(PORT_ATTEMPTS_MAX):
        first = free_port()
        if _are_free(first):
            return first
    raise TallygateError(f"no {PORTS} free ports in a row on this machine")


def _are_free(first: int) -> bool:
    with contextlib.ExitStack() as held:
        for port in range(first, first + PORTS):
            probe = held.enter_context(socket.socket())
            # Connections of the last run that linger do not count; a listener does.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except (OSError, OverflowError):
                return False
    return True


def _rfc3339(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / MICROSECONDS, UTC).isoformat()
