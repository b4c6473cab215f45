"""A thread that asks the ledger for the bridge, so that a slow answer never delays a tick."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from typing import Any, NamedTuple

from stream_processors.io import journal
from stream_processors.io.ledger import LedgerConnection, LedgerDownError, ReferenceRow
from stream_processors.settings import Settings

LEDGER_EVERY_SECONDS = 1.0
"""Between two looks, unless one is asked for."""
PERSONS_WAITING_MAX = 100
"""Questions for pseudonyms that wait, each of one batch."""
PERSONS_MAX = 10_000
"""Persons who are asked for; above it no more questions are taken until they are told."""
PERSONS_AT_ONCE = 100
"""Pseudonyms of one query: it stays well below its time limit."""


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


class PersonsAnswer(NamedTuple):
    """Pseudonyms, by person."""

    told: dict[str, str]


class LedgerWatch:
    """Asks every second and on demand; answers go to the inbox."""

    def __init__(self, settings: Settings, inbox: queue.Queue[Any], reference_after: int) -> None:
        self._settings = settings
        self._inbox = inbox
        self._after = reference_after
        self._ticket = 0
        self._wanted = threading.Event()
        self._persons: queue.Queue[frozenset[str]] = queue.Queue(PERSONS_WAITING_MAX)
        self._unnamed: set[str] = set()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="ledger-watch", daemon=True)
        self._thread.start()

    def ask(self, ticket: int) -> None:
        """Ask now; the ticket comes back with the answer or with a later one."""
        self._ticket = ticket
        self._wanted.set()

    def ask_persons(self, persons: frozenset[str]) -> None:
        """Ask for pseudonyms; the answer may come in parts.

        Where too many questions wait this one is dropped: the spool sends again, and it is asked
        again.
        """
        with contextlib.suppress(queue.Full):
            self._persons.put_nowait(persons)
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
                self._name(ledger)
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

    def _name(self, ledger: LedgerConnection) -> None:
        """Pseudonyms of all who were asked for; who was not told stays wanted."""
        while len(self._unnamed) < PERSONS_MAX and not self._persons.empty():
            # Nobody else takes from it.
            self._unnamed |= self._persons.get_nowait()
        while self._unnamed:
            some = sorted(self._unnamed)[:PERSONS_AT_ONCE]
            self._put(PersonsAnswer(ledger.pseudonyms_of(some, self._settings.domain_us())))
            self._unnamed.difference_update(some)

    def _put(self, item: LedgerAnswer | ReferenceRows | PersonsAnswer) -> None:
        while not self._closed:
            try:
                self._inbox.put(item, timeout=0.5)
            except queue.Full:
                continue
            return
