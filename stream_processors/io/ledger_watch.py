"""A thread that asks the ledger for the bridge, so that a slow answer never delays a tick."""

from __future__ import annotations

import queue
import threading
import time
from typing import Any, NamedTuple

from stream_processors.io import journal
from stream_processors.io.ledger import LedgerConnection, LedgerDownError, ReferenceRow
from stream_processors.settings import Settings

LEDGER_EVERY_SECONDS = 1.0
"""Between two looks, unless one is asked for."""


class LedgerAnswer(NamedTuple):
    """What the ledger said; positions were read first."""

    ticket: int
    """Of the question."""
    log: str
    """The log that counts."""
    next_offsets: dict[int, int]
    """By partition."""
    acknowledged: list[tuple[str, str, int]]
    """Gateway, spool, sequence."""


class ReferenceRows(NamedTuple):
    """Reference rows that are new since the last look."""

    rows: list[ReferenceRow]


class LedgerWatch:
    """Asks every second and on demand; answers go to the inbox."""

    def __init__(self, settings: Settings, inbox: queue.Queue[Any], reference_after: int) -> None:
        self._settings = settings
        self._inbox = inbox
        self._after = reference_after
        self._ticket = 0
        self._wanted = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="ledger-watch", daemon=True)
        self._thread.start()

    def ask(self, ticket: int) -> None:
        """Ask now; the ticket comes back with the answer or with a later one."""
        self._ticket = ticket
        self._wanted.set()

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        ledger: LedgerConnection | None = None
        while not self._closed:
            began = time.monotonic()
            self._wanted.clear()
            try:
                if ledger is None:
                    ledger = LedgerConnection(
                        self._settings.postgres_url, self._settings.site, "ledger_bridge"
                    )
                self._look(ledger)
            except LedgerDownError as error:
                ledger = None
                journal.write("the ledger could not be asked", reason=str(error))
            rest = LEDGER_EVERY_SECONDS - (time.monotonic() - began)
            self._wanted.wait(max(rest, 0.01))
        if ledger is not None:
            ledger.close()

    def _look(self, ledger: LedgerConnection) -> None:
        ticket = self._ticket
        log = ledger.current_log()
        positions = ledger.positions()
        acknowledged = ledger.acknowledged()
        self._put(
            LedgerAnswer(
                ticket,
                log.log if log else "",
                {position.partition: position.next_offset for position in positions},
                acknowledged,
            )
        )
        rows = ledger.reference(self._after)
        if rows:
            self._after = rows[-1].ordinal
            self._put(ReferenceRows(rows))

    def _put(self, item: LedgerAnswer | ReferenceRows) -> None:
        while not self._closed:
            try:
                self._inbox.put(item, timeout=0.5)
            except queue.Full:
                continue
            return
