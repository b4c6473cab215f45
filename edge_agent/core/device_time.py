"""A device's times brought to UTC.

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


class DeviceTime:
    """The clock of one connection to one device."""

    def __init__(self) -> None:
        self._offset_us: int | None = None
        self._uptime_us = 0
        self.skew_us: int | None = None
        """The device's clock minus ours, the least that reports have shown; None while unknown."""

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
        elif 0 <= last <= TIME_US_MAX:
            skew = last - received_us
            self.skew_us = skew if self.skew_us is None else max(self.skew_us, skew)
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
