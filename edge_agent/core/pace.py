"""How fast one device may go, so that one that floods hurts no other.

A token bucket without a timer: what a device brought is a debt of time, which real time pays off.
A device may be ahead by `BURST_US` (a reader brings what it kept while it was away all at once);
who is further ahead waits, and TCP makes its device wait, too.
"""

from __future__ import annotations

BURST_US = 10_000_000
"""Ten seconds' worth at once: what a reader keeps during a short cut."""
MICROSECONDS = 1_000_000


class Pace:
    """One device's pace. Times are domain time, because a rehearsal's devices follow its clock."""

    def __init__(self, per_s_max: float) -> None:
        """`per_s_max`: reads and rejects a second; 0: as many as come."""
        self.per_s_max = per_s_max
        self._cost_us = MICROSECONDS / per_s_max if per_s_max else 0.0
        self._paid_until_us = 0.0

    def wait_us(self, items: int, at_us: int) -> int:
        """Take so many items at a time; for how long their device is to wait now.

        A clock that was set back costs at the most one burst.
        """
        behind = min(max(self._paid_until_us, at_us), at_us + BURST_US)
        self._paid_until_us = behind + items * self._cost_us
        return max(0, round(self._paid_until_us - at_us - BURST_US))
