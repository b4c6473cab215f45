"""A device's times brought to UTC, and how far its clock is off.

Readers tell UTC or microseconds since their start ("uptime"). Uptime becomes UTC by the smallest
difference between receipt and uptime that this connection has shown: the report that travelled
fastest. A reader that was started anew tells smaller uptimes than before; then the difference is
learnt anew. UTC is passed on as it is: a skewed clock is estimated and corrected where all of a
device's reads are seen, not here. Only times that no clock of ours can hold are replaced.
"""

from __future__ import annotations

TIME_US_MAX = 4_102_444_800_000_000
"""The year 2100: a device's time beyond it is nonsense and would not fit every store behind us."""
REBOOT_US = 1_000_000
"""Uptime that falls back by more than this means a restart; less is reports out of order."""
SKEW_WINDOW_US = 60_000_000
"""The skew is the least that the reports of this window or the one before it have shown: a clock
that drifts is followed, and reports that were kept for a while do not count against it."""
AGREES_SHARE = 0.5
"""A clock that was told to be off agrees again below this share of the limit."""
MICROSECONDS = 1_000_000


class DeviceTime:
    """The clock of one connection to one device."""

    def __init__(self) -> None:
        self._offset_us: int | None = None
        self._uptime_us = 0
        self._window_us: int | None = None
        self._skew_us: int | None = None
        self._skew_before_us: int | None = None

    @property
    def skew_us(self) -> int | None:
        """The device's clock minus ours, the least that reports have shown; None while unknown."""
        if self._skew_us is None or self._skew_before_us is None:
            return self._skew_us
        return max(self._skew_us, self._skew_before_us)

    def shown(self, at_us: int, *, received_us: int) -> None:
        """The device told its UTC time in a message that was not kept for a while."""
        if not 0 <= at_us <= TIME_US_MAX:
            return
        skew_us = at_us - received_us
        if self._window_us is None or received_us - self._window_us >= SKEW_WINDOW_US:
            self._window_us = received_us
            self._skew_before_us, self._skew_us = self._skew_us, skew_us
        elif self._skew_us is None or skew_us > self._skew_us:
            self._skew_us = skew_us

    def utc_us(
        self, first_us: int | None, last_us: int | None, *, uptime: bool, received_us: int
    ) -> tuple[int, int]:
        """First and last seen in UTC, in order; what the device left out is the receipt's time."""
        last = last_us if last_us is not None else first_us
        first = first_us if first_us is not None else last
        if first is None or last is None:
            return received_us, received_us
        if uptime:
            offset = self._learn(max(first, last), received_us)
            first, last = first + offset, last + offset
        else:
            self.shown(last, received_us=received_us)
        first = first if 0 <= first <= TIME_US_MAX else received_us
        last = last if 0 <= last <= TIME_US_MAX else received_us
        return min(first, last), max(first, last)

    def _learn(self, uptime_us: int, received_us: int) -> int:
        """The offset from uptime to UTC, with this report taken in."""
        seen = received_us - uptime_us
        if self._offset_us is None or uptime_us < self._uptime_us - REBOOT_US:
            self._offset_us = seen
            self._uptime_us = uptime_us
        self._offset_us = min(self._offset_us, seen)
        self._uptime_us = max(self._uptime_us, uptime_us)
        return self._offset_us


class ClockLimit:
    """Tells once that a clock is further off than a limit, and once that it agrees again."""

    def __init__(self, limit_us: int) -> None:
        """`limit_us`: 0 tells nothing."""
        self._limit_us = limit_us
        self.is_off = False

    def judge(self, skew_us: int | None) -> str:
        """What is to be told of a skew, in words; empty: nothing."""
        if skew_us is None or not self._limit_us:
            return ""
        limit_us = self._limit_us * (AGREES_SHARE if self.is_off else 1.0)
        is_off = abs(skew_us) > limit_us
        if is_off == self.is_off:
            return ""
        self.is_off = is_off
        seconds = abs(skew_us) / MICROSECONDS
        if not is_off:
            return f"its clock agrees again, to {seconds:.1f} s"
        return f"its clock is {seconds:.1f} s {'ahead of' if skew_us > 0 else 'behind'} the agent's"
