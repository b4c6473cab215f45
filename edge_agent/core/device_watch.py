"""One device as its agent sees it: its state, its figures, and which changes are worth telling.

A device that is away for a night tries to connect thousands of times: only another *state* is told,
not every attempt. A device that complains all the time is told once in `COMPLAINT_US`, with the
number of complaints in between.
"""

from __future__ import annotations

from collections.abc import Iterable

from contracts.commands import AntennaHealth, DeviceHealth
from contracts.reads import DeviceChange, Read
from edge_agent.core.alarms import AntennaLook, DeviceLook

COMPLAINT_US = 10_000_000
"""Complaints of one device are told at most this often, in the caller's steady time."""
DETAIL_CHARACTERS_MAX = 500
"""What a device or network said can be long; more helps nobody."""
TOLD_STATES = frozenset({"reading", "retrying", "refused", "silent", "paused", "stopped"})
"""States that reach the ledger. `connecting` is only shown: it comes with every attempt."""
ANTENNAS_MAX = 256
"""Antennas that are counted one by one: what a device calls so is arriving data."""
MICROSECONDS = 1_000_000


class _Antenna:
    """One antenna's figures."""

    __slots__ = ("connected", "last_read_us", "reads")

    def __init__(self) -> None:
        self.reads = 0
        self.last_read_us: int | None = None
        self.connected: bool | None = None


class DeviceWatch:
    """Keeps a device's figures."""

    def __init__(self, device: str, *, watched_us: int = 0) -> None:
        """`watched_us`: since when, domain time."""
        self.device = device
        self.state = "stopped"
        self.detail = ""
        self.reads = 0
        self.rejects = 0
        self.no_reads = 0
        """Triggers of a scanner that found no code."""
        self.last_read_us: int | None = None
        self.skew_us: int | None = None
        self.temperature_c: float | None = None
        """Set by adapters of devices that tell it."""
        self._watched_us = self._reading_us = watched_us
        self._antennas: dict[int, _Antenna] = {}
        self._rated: tuple[int, int] | None = None
        """Steady time and reads at the last health message."""
        self._told = ""
        self._complained_us: int | None = None
        self._withheld = 0

    def entered(self, state: str, detail: str, *, at_us: int) -> tuple[DeviceChange, ...]:
        """The device is in a state now; what is to be told of it. `at_us`: domain time."""
        if state == "reading" != self.state:
            self._reading_us = at_us
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
        if (known := self._antenna(number)) is not None:
            known.connected = connected
        state = "antenna_back" if connected else "antenna_lost"
        return (self._change(state, f"antenna {number}", at_us),)

    def heard(self, *, reads: int, rejects: int, received_us: int) -> None:
        """Count what the device brought."""
        self.reads += reads
        self.rejects += rejects
        if reads:
            self.last_read_us = received_us

    def expect(self, antennas: Iterable[int]) -> None:
        """Antennas of the site file are shown, heard or not."""
        for number in antennas:
            self._antenna(number)

    def took(self, reads: Iterable[Read]) -> None:
        """Count per antenna what the device brought."""
        for read in reads:
            antenna = self._antennas.get(read.antenna) or self._antenna(read.antenna)
            if antenna is not None:
                antenna.reads += 1
                antenna.last_read_us = read.received_us

    def _antenna(self, number: int) -> _Antenna | None:
        if number not in self._antennas and len(self._antennas) < ANTENNAS_MAX:
            self._antennas[number] = _Antenna()
        return self._antennas.get(number)

    def look(self) -> DeviceLook:
        """The device's figures for the alarms."""
        return DeviceLook(
            device=self.device,
            state=self.state,
            watched_us=self._watched_us,
            reading_us=self._reading_us,
            last_read_us=self.last_read_us,
            skew_us=self.skew_us,
            temperature_c=self.temperature_c,
            antennas={
                number: AntennaLook(antenna.reads, antenna.last_read_us)
                for number, antenna in self._antennas.items()
            },
        )

    def _rate(self, steady_us: int) -> float:
        """Reads a second since the last call."""
        rated, self._rated = self._rated, (steady_us, self.reads)
        if rated is None or steady_us <= rated[0]:
            return 0.0
        return (self.reads - rated[1]) * MICROSECONDS / (steady_us - rated[0])

    def health(self, *, steady_us: int = 0, alarms: tuple[str, ...] = ()) -> DeviceHealth:
        """The device's figures for the health message; `steady_us` as in `complained`."""
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
            antennas=tuple(
                AntennaHealth(
                    number=number,
                    reads=antenna.reads,
                    last_read_us=antenna.last_read_us,
                    connected=antenna.connected,
                )
                for number, antenna in sorted(self._antennas.items())
            ),
            reads_per_s=round(self._rate(steady_us), 1),
            temperature_c=self.temperature_c,
            alarms=alarms,
        )

    def _change(self, state: str, detail: str, at_us: int) -> DeviceChange:
        return DeviceChange(device=self.device, state=state, detail=detail, at_us=at_us)
