"""How far a device's clock is off, learnt from its own reports.

A report that arrives at `received_us` and says "last seen at `last_us`" bounds the clock's error
from above: `received_us - last_us` is the error plus the report's way (reader buffer and network,
at most about a second). The smallest such difference in a window of time is the error, as near as
reports can tell. Two windows that replace one another bound the memory and let a drifting clock be
followed; a clock that is set anew shows as several reports that agree with each other and not with
what was known. A single mad time stamp teaches nothing.

No read is ever dropped for its clock: what lies outside the tolerance after correction takes the
agent's receipt as its time, and nothing is ever believed to have been seen after it was received.
"""

from __future__ import annotations

from collections.abc import Sequence

WINDOW_US = 60_000_000
"""How long one minimum is gathered: long enough for many reports, short against 50 ppm of drift."""
BUFFER_US = 1_500_000
"""A device that reports this late may simply have buffered: such a clock counts as right."""
STEP_US = 2_000_000
"""A report this much earlier than any before is a clock set anew, or a mad time stamp."""
AGREEING = 8
"""So many reports in a row that agree with each other are a clock set anew."""

SavedClock = tuple[int, int, int, int, int, int, int]


class DeviceClock:
    """One device's clock against the agent's. All differences are received minus told."""

    __slots__ = (
        "device",
        "dirty",
        "floor_us",
        "low_us",
        "noted_us",
        "previous_us",
        "shift_us",
        "strange",
        "strange_us",
        "until_us",
        "window_us",
    )

    def __init__(self, device: str) -> None:
        self.device = device
        self.low_us = 0
        self.shift_us = 0
        """What to add to the device's time to get the agent's."""
        self.floor_us = 0
        self.previous_us = 0
        self.window_us = 0
        self.until_us = 0
        """When the window ends."""
        self.strange = 0
        self.strange_us = 0
        self.noted_us = 0
        self.dirty = False

    def start(self, differences: Sequence[int], received_us: int) -> None:
        """Begin with the first report's differences: their minimum, mad ones left aside."""
        ordered = sorted(differences)
        middle = ordered[len(ordered) // 2]
        low = min(value for value in ordered if value >= middle - STEP_US)
        self._set(low, received_us)

    def learn(self, difference: int, received_us: int, tolerance_us: int) -> None:
        """Take one read's difference."""
        beyond = difference - self.low_us
        if beyond < -STEP_US or beyond > tolerance_us:
            self._doubt(difference, received_us)
            return
        if self.strange:
            self.strange = 0
            self.dirty = True
        if received_us > self.until_us:
            self.previous_us = self.floor_us
            self.floor_us = difference
            self._window(received_us)
            self._shift(min(self.previous_us, difference))
        elif difference < self.floor_us:
            self.floor_us = difference
            self._shift(min(self.low_us, difference))

    def is_plain(self, difference: int, received_us: int, tolerance_us: int) -> bool:
        """Whether `learn` would change nothing: so it is with nearly all reads."""
        return (
            self.floor_us <= difference <= self.low_us + tolerance_us
            and received_us <= self.until_us
            and not self.strange
        )

    def corrected(self, last_us: int, received_us: int, tolerance_us: int) -> int:
        """A device's time by the agent's clock; the receipt itself where it is not believed."""
        at_us = last_us + self.shift_us
        if at_us > received_us or at_us < received_us - tolerance_us:
            return received_us
        return at_us

    def saved(self) -> SavedClock:
        """All of it, for the undecided memory."""
        return (
            self.low_us,
            self.floor_us,
            self.previous_us,
            self.window_us,
            self.strange,
            self.strange_us,
            self.noted_us,
        )

    def load(self, saved: SavedClock) -> None:
        """What `saved` wrote."""
        (
            self.low_us,
            self.floor_us,
            self.previous_us,
            self.window_us,
            self.strange,
            self.strange_us,
            self.noted_us,
        ) = saved
        self._window(self.window_us)
        self._shift(self.low_us)
        self.dirty = False

    def _window(self, received_us: int) -> None:
        self.window_us = received_us
        self.until_us = received_us + WINDOW_US

    def _shift(self, low: int) -> None:
        self.low_us = low
        self.shift_us = 0 if 0 <= low <= BUFFER_US else low
        self.dirty = True

    def _set(self, low: int, received_us: int) -> None:
        self._shift(low)
        self.floor_us = self.previous_us = low
        self._window(received_us)
        self.strange = 0

    def _doubt(self, difference: int, received_us: int) -> None:
        self.dirty = True
        if self.strange and abs(difference - self.strange_us) <= STEP_US:
            self.strange += 1
            self.strange_us = min(self.strange_us, difference)
        else:
            self.strange = 1
            self.strange_us = difference
        if self.strange >= AGREEING:
            self._set(self.strange_us, received_us)
