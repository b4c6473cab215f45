"""What a person sees while a stack starts and a shift passes."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from contracts.clock import MICROSECONDS, ClockSetting
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.queries import progress_of

PLAIN_EVERY_S = 10.0
"""Where the output is no terminal, a line this often is enough."""


class Progress:
    """Steps, and the shift's time with the ledger's counts beside it."""

    def __init__(self, console: Console) -> None:
        """On a terminal one line that changes; elsewhere a line now and then."""
        self._console = console
        self._status: Status | None = None
        self._began = time.monotonic()
        self._told = 0.0
        self._shift: tuple[int, int, ClockSetting] | None = None

    def tell(self, name: str, text: str) -> None:
        """Something worth knowing about a program."""
        self._console.print(f"[yellow]{name}[/yellow]: {escape(text)}")

    def step(self, text: str) -> None:
        """The next step begins."""
        self._shift = None
        seconds = time.monotonic() - self._began
        if self._console.is_terminal:
            self._say(f"{text} ...")
        else:
            self._console.print(f"[{seconds:5.1f} s] {text}", markup=False)

    def shift(self, start_us: int, end_us: int, clock: ClockSetting) -> None:
        """From now on `show` tells how far the shift is."""
        self._shift = (start_us, end_us, clock)

    def show(self, ledger: PostgresLedger) -> None:
        """The shift's time and what the ledger holds so far."""
        plain = not self._console.is_terminal
        if plain and time.monotonic() - self._told < PLAIN_EVERY_S:
            return
        self._told = time.monotonic()
        so_far = progress_of(ledger)
        text = (
            f"{self._clock_text()} {so_far.reads:,} reads understood, {so_far.events:,} location"
            f" events, {so_far.discrepancies:,} discrepancies, {so_far.entries:,} entries"
        )
        if plain:
            seconds = time.monotonic() - self._began
            self._console.print(f"[{seconds:5.1f} s] {text}", markup=False)
        else:
            self._say(text)

    def stop(self) -> None:
        """Leave the line."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _say(self, text: str) -> None:
        if self._status is None:
            self._status = self._console.status(text)
            self._status.start()
        else:
            self._status.update(text)

    def _clock_text(self) -> str:
        if self._shift is None:
            return ""
        start_us, end_us, clock = self._shift
        now_us = clock.domain_us(time.time_ns() // 1000)
        if now_us < start_us:
            return "the shift is about to begin;"
        done = min(100, 100 * (now_us - start_us) // (end_us - start_us))
        moment = datetime.fromtimestamp(now_us / MICROSECONDS, UTC)
        return f"{moment:%H:%M:%S} UTC at the dock ({done} % of the shift):"
