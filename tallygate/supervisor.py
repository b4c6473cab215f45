"""Keeps our programs running: starts them, restarts what dies with back-off, stops them cleanly.

One asyncio task for each program. A program that lives for `HEALTHY_S` has its back-off forgotten.
What a program prints goes to `{folder}/logs/{name}.log`, whole, in front of which a new start is
marked; only the newest `LOG_BYTES_MAX` are kept when it starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tallygate.servers.child import LAUNCHER

BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Waits before the next start; the last one repeats."""
HEALTHY_S = 30.0
"""Who ran this long starts again at once, should it die."""
STOP_S = 15.0
"""How long a program may take to stop before it is killed: a sink finishes its transaction."""
TIED = (sys.executable, "-I", "-S", str(LAUNCHER), str(int(signal.SIGTERM)), "-")
"""In front of a command: its process ends when ours does, even if ours is killed."""
LOG_BYTES_MAX = 20_000_000
"""A log larger than this is set aside (one generation) at the next start."""


@dataclass
class Program:
    """One program to keep running."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    first_environment: Mapping[str, str] = field(default_factory=dict)
    """What only its first start is told."""
    restart: bool = True
    """False: it runs once, such as a simulator; its end is no failure."""
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    exit_code: int | None = None


class Supervisor:
    """All programs of one stack. Use as `async with`."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        tell: Callable[[str, str], None] = lambda _name, _text: None,
    ) -> None:
        """`tell(name, text)` is called when a program starts again or ends unexpectedly."""
        self._folder = folder
        self._environment = dict(environment)
        self._tell = tell
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.programs: dict[str, Program] = {}
        (folder / "logs").mkdir(parents=True, exist_ok=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def start(self, program: Program) -> None:
        """Start it and keep it running."""
        self.programs[program.name] = program
        self._tasks[program.name] = asyncio.create_task(self._keep(program), name=program.name)

    async def ended(self, name: str) -> int:
        """Wait until a program that runs once has ended; its exit code."""
        await self._tasks[name]
        code = self.programs[name].exit_code
        return 0 if code is None else code

    async def stop(self, names: Sequence[str] | None = None) -> None:
        """Stop these programs, or all, together and cleanly."""
        chosen = list(self.programs) if names is None else list(names)
        for name in chosen:
            self.programs[name].restart = False
        await asyncio.gather(*(self._end(self.programs[name]) for name in chosen))
        tasks = [self._tasks[name] for name in chosen]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def log_path(self, name: str) -> Path:
        """Where a program's words go."""
        return self._folder / "logs" / f"{name}.log"

    async def _end(self, program: Program) -> None:
        process = program.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            self._tell(program.name, f"did not stop within {STOP_S:.0f} s and was killed")
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _keep(self, program: Program) -> None:
        failures = 0
        while True:
            began = time.monotonic()
            await self._run_once(program)
            if not program.restart:
                return
            failures = 0 if time.monotonic() - began > HEALTHY_S else failures + 1
            wait = BACKOFF_S[min(failures, len(BACKOFF_S) - 1)]
            why = _last_line(self.log_path(program.name))
            self._tell(
                program.name,
                f"ended with {program.exit_code} ({why}); starts again in {wait:g} s",
            )
            await asyncio.sleep(wait)

    async def _run_once(self, program: Program) -> None:
        path = self.log_path(program.name)
        if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
            path.replace(path.with_suffix(".log.1"))
        program.starts += 1
        with path.open("ab") as log:
            log.write(f"--- start {program.starts}\n".encode())
            log.flush()
            program.process = await asyncio.create_subprocess_exec(
                *TIED,
                *program.arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={
                    **os.environ,
                    **self._environment,
                    **program.environment,
                    **(program.first_environment if program.starts == 1 else {}),
                },
                start_new_session=True,
            )
        program.exit_code = await program.process.wait()


def _last_line(path: Path) -> str:
    """The last thing a program said, for the message about its end."""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - 4096))
        lines = log.read().decode(errors="replace").strip().splitlines()
    return lines[-1][-200:] if lines else "said nothing"
