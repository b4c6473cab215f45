"""Our programs as child processes of a test, and what they say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Program:
    """`python -m MODULE ARGUMENT...`; its standard error is kept in a file."""

    def __init__(
        self, folder: Path, name: str, arguments: list[str], environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def said(self) -> list[dict[str, object]]:
        """Its journal so far; other lines have the key `line`."""
        found: list[dict[str, object]] = []
        for line in self.log.read_text(errors="replace").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                found.append({"line": line})
        return found

    def wait_for(self, event: str, seconds: float = 90.0, count: int = 1) -> dict[str, object]:
        """The journal's line with this event, its `count`th one."""
        found: list[dict[str, object]] = []

        def seen() -> bool:
            found[:] = [each for each in self.said() if each.get("event") == event]
            return len(found) >= count

        assert wait_until(seen, seconds), f"{self.name} did not say {event!r}:\n{self.tail()}"
        return found[count - 1]

    def wait(self, seconds: float = 90.0) -> int:
        """Its exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end:\n{self.tail()}") from None

    def send(self, number: signal.Signals) -> None:
        """A signal."""
        self.process.send_signal(number)

    def end(self) -> None:
        """Kill it, if it still runs."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(10)

    def tail(self) -> str:
        """The end of what it said."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-25:])


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
