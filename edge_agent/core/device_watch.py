"""One device as its agent sees it: its state, its figures, and which changes are worth telling.

A device that is away for a night tries to connect thousands of times: only another *state* is told,
not every attempt. A device that complains all the time is told once in `COMPLAINT_US`, with the
number of complaints in between.
"""

from __future__ import annotations

from contracts.commands import DeviceHealth
from contracts.reads import DeviceChange

COMPLAINT_US = 10_000_000
"""Complaints of one device are told at most this often, in the caller's steady time."""
DETAIL_CHARACTERS_MAX = 500
"""What a device or network said can be long; more helps nobody."""
TOLD_STATES = frozenset({"reading", "retrying", "refused", "silent", "paused", "stopped"})
"""States that reach the ledger. `connecting` is only shown: it comes with every attempt."""


class DeviceWatch:
    """Keeps a device's figures."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.state = "stopped"
        self.detail = ""
        self.reads = 0
        self.rejects = 0
        self.no_reads = 0
        """Triggers of a scanner that found no code."""
        self.last_read_us: int | None = None
        self.skew_us: int | None = None
        self._told = ""
        self._complained_us: int | None = None
        self._withheld = 0

    def entered(self, state: str, detail: str, *, at_us: int) -> tuple[DeviceChange, ...]:
        """The device is in a state now; what is to be told of it. `at_us`: domain time."""
        self.state = state
        self.detail = detail[:DETAIL_CHARACTERS_MAX]
        if state not in TOLD_STATES or state == self._told:
            return ()
        self._told = state
        return (self._change(state, self.detail, at_us),)

    def complained(self, detail: str, *, at_us: int, steady_us: int) -> tuple[DeviceChange, ...]:
        """The device, or one of us about it, has something to say that changes no state."""
        since = self._complained_us
        if since is not None and steady_us - since < COMPLAINT_US:
            self._withheld += 1
            return ()
        more = f" (and {self._withheld} more before)" if self._withheld else ""
        self._complained_us = steady_us
        self._withheld = 0
        return (self._change(self.state, detail[:DETAIL_CHARACTERS_MAX] + more, at_us),)

    def antenna(self, number: int, *, connected: bool, at_us: int) -> tuple[DeviceChange, ...]:
        """An antenna was plugged in or pulled."""
        state = "antenna_back" if connected else "antenna_lost"
        return (self._change(state, f"antenna {number}", at_us),)

    def heard(self, *, reads: int, rejects: int, received_us: int) -> None:
        """Count what the device brought."""
        self.reads += reads
        self.rejects += rejects
        if reads:
            self.last_read_us = received_us

    def health(self) -> DeviceHealth:
        """The device's figures for the health message."""
        detail = self.detail
        if self.no_reads:
            detail = f"{detail}; {self.no_reads} triggers without a code".removeprefix("; ")
        return DeviceHealth(
            device=self.device,
            state=self.state,
            detail=detail,
            reads=self.reads,
            rejects=self.rejects,
            last_read_us=self.last_read_us,
            skew_us=self.skew_us,
        )

    def _change(self, state: str, detail: str, at_us: int) -> DeviceChange:
        return DeviceChange(device=self.device, state=state, detail=detail, at_us=at_us)
