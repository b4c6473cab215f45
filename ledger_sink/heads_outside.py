"""Sends published heads on, to where the database's administrator does not reach.

The file of heads is the queue: a way out keeps beside it how far its heads have arrived, and a
thread of its own sends what stands behind that, in order. So no head is lost, whatever is away
for how long; one that arrived may arrive again. The sink never waits for any of it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ledger_sink import journal

RETRY_S_MIN = 1.0
"""Before the second try; each wait is twice the one before."""
RETRY_S_MAX = 60.0
"""A receiver that is back has what it missed within a minute."""
CLOSE_S = 5.0
"""How long the last heads may take at the end; what has not arrived then is sent at the start."""


class Way(Protocol):
    """A way out."""

    name: str
    """One word, part of a file's name."""

    def send(self, line: bytes) -> str | None:
        """Send a head, as it stands in the file. None: it arrived; text: why it did not."""


class HeadsOutside:
    """Sends the heads of one file on one way."""

    def __init__(self, path: Path, way: Way, *, retry_s: float = RETRY_S_MIN) -> None:
        """Begin behind what has arrived, at the file's beginning at first."""
        self._path = path
        self._way = way
        self._retry_s = retry_s
        self._cursor = path.with_name(f"{path.stem}.{way.name}.sent")
        self._end = 0
        self._waiting = 0
        self._lock = threading.Lock()
        self._told = threading.Event()
        self._stop = threading.Event()
        self._sent = self._read_cursor()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """The way's name."""
        return self._way.name

    @property
    def waiting(self) -> int:
        """Heads that have not arrived yet."""
        return self._waiting

    def tell(self, end: int) -> None:
        """The disk has the file up to `end`: it may be sent."""
        with self._lock:
            if self._sent > end:
                # Another file lies there now.
                self._sent = self._waiting = 0
            start = self._sent if self._waiting == 0 else self._end
            # The count is for people: what is wrong with the file is told when it is sent.
            with contextlib.suppress(OSError), self._path.open("rb") as file:
                file.seek(start)
                self._waiting += file.read(end - start).count(b"\n")
            self._end = end
        self._told.set()

    def stop(self) -> None:
        """Try what waits once more, go on as long as it arrives, then end."""
        self._stop.set()
        self._told.set()

    def close(self, seconds: float = CLOSE_S) -> None:
        """Stop, and wait for the end so long."""
        self.stop()
        self._thread.join(seconds)

    def _work(self) -> None:
        wait_s, complained = self._retry_s, False
        while True:
            try:
                line = self._next()
                problem = None if line is None else self._way.send(line)
                if line is not None and problem is None:
                    self._advance(line)
            except OSError as error:
                line, problem = b"", f"the files of heads cannot be used: {error}"
            if line is None:
                if self._stop.is_set():
                    return
                self._told.wait()
                self._told.clear()
                continue
            if problem is None:
                if complained:
                    journal.write("heads arrive again", way=self.name, waiting=self._waiting)
                wait_s, complained = self._retry_s, False
                continue
            if not complained:
                journal.write("a head did not arrive; it waits", way=self.name, reason=problem)
                complained = True
            if self._stop.is_set():
                return
            # Whoever ends us gets one more try at once.
            self._stop.wait(wait_s)
            wait_s = min(wait_s * 2, RETRY_S_MAX)

    def _next(self) -> bytes | None:
        """The next line to be sent; None: all has arrived."""
        with self._lock:
            if self._sent >= self._end:
                return None
            with self._path.open("rb") as file:
                file.seek(self._sent)
                line = file.readline()
            if not line.endswith(b"\n"):
                raise OSError(f"{self._path} is shorter than what was published")
            return line

    def _advance(self, line: bytes) -> None:
        with self._lock:
            self._sent += len(line)
            self._waiting -= 1
            part = self._cursor.with_name(self._cursor.name + ".part")
            part.write_text(f"{self._sent}\n")
            part.replace(self._cursor)

    def _read_cursor(self) -> int:
        """Where the next line begins; 0 where the file is not the one that the cursor was for."""
        try:
            sent = int(self._cursor.read_text())
            with self._path.open("rb") as file:
                file.seek(max(0, sent - 1))
                return sent if sent > 0 and file.read(1) == b"\n" else 0
        except (OSError, ValueError):
            return 0


def close_all(ways: Sequence[HeadsOutside], seconds: float = CLOSE_S) -> None:
    """Let all end at once: together they have the time of one, so that the sink stops in time."""
    until_s = time.monotonic() + seconds
    for way in ways:
        way.stop()
    for way in ways:
        way.close(max(0.0, until_s - time.monotonic()))
