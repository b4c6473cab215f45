"""The bridge's lease: one bridge a site. Whoever loses it ends at once.

The lease is a row in the ledger that runs out by itself; a thread with a connection of its own
renews it. A bridge that was stopped past its end and continued may still write: its records carry
an older run and are void behind those of the newer one.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable

from stream_processors.io import journal
from stream_processors.io.ledger import LedgerConnection, LedgerDownError
from stream_processors.settings import RESTART, Settings

LEASE_SECONDS = 12.0
"""So long a killed bridge keeps its successor waiting."""
RENEW_SECONDS = 2.0
"""Several renewals may fail before the lease runs out."""
ASK_SECONDS = 0.5
"""Between two tries to take a lease that another holds."""
SAY_SECONDS = 10.0
"""How often a bridge that waits says so."""


class Lease:
    """A lease that is held until `release`, or until the process ends."""

    def __init__(self, settings: Settings, role: str, run: int) -> None:
        self.run = run
        """The lease's number: it numbers the bridge's runs."""
        self._settings = settings
        self._role = role
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Give it back."""
        self._released.set()
        self._thread.join()
        try:
            ledger = LedgerConnection(
                self._settings.postgres_url, self._settings.site, f"ledger_{self._role}"
            )
            ledger.release_lease(self._role, self.run)
            ledger.close()
        except LedgerDownError:
            journal.write("the lease could not be given back; it runs out by itself")

    def _keep(self) -> None:
        ledger: LedgerConnection | None = None
        good_until = time.monotonic() + LEASE_SECONDS
        while not self._released.wait(RENEW_SECONDS):
            asked = time.monotonic()
            try:
                if ledger is None:
                    ledger = LedgerConnection(
                        self._settings.postgres_url, self._settings.site, f"ledger_{self._role}"
                    )
                if not ledger.renew_lease(self._role, self.run, LEASE_SECONDS):
                    journal.exit_now(RESTART, "another bridge has the lease", run=self.run)
                good_until = asked + LEASE_SECONDS
            except LedgerDownError as error:
                ledger = None
                journal.write("the lease could not be renewed", reason=str(error))
            if time.monotonic() > good_until:
                journal.exit_now(RESTART, "the lease ran out unrenewed", run=self.run)
        if ledger is not None:
            ledger.close()


def take_lease(settings: Settings, role: str, stopped: Callable[[], bool]) -> Lease | None:
    """Wait for a lease and take it; None when asked to stop while waiting."""
    holder = f"{socket.gethostname()}:{os.getpid()}"
    ledger: LedgerConnection | None = None
    said = float("-inf")
    waiting_for = ""
    while not stopped():
        try:
            if ledger is None:
                ledger = LedgerConnection(settings.postgres_url, settings.site, f"ledger_{role}")
            run = ledger.take_lease(role, holder, LEASE_SECONDS)
            if run is not None:
                ledger.close()
                return Lease(settings, role, run)
            waiting_for = "another bridge holds the lease"
        except LedgerDownError as error:
            ledger = None
            waiting_for = str(error)
        if time.monotonic() - said > SAY_SECONDS:
            said = time.monotonic()
            journal.write("waiting for the lease", reason=waiting_for)
        time.sleep(ASK_SECONDS)
    return None
