"""How often somebody may ask: token buckets, and lock-out after wrong PINs.

Times are a steady clock's microseconds, passed in. Memory is bounded: who has not been seen for
longest is forgotten first.
"""

from __future__ import annotations

from collections import OrderedDict

MICROSECONDS = 1_000_000
NAMES_MAX = 10_000
"""Who is forgotten beyond this has either been away for long or is one of a flood of addresses."""
WRONG_MAX = 5
"""Wrong PINs in a row that are a person's own clumsiness; the next ones cost time."""
LOCK_US_MIN = 60_000_000
LOCK_US_MAX = 3_600_000_000
"""At an hour a try, a PIN of four digits outlasts whoever guesses it by months."""


class Rate:
    """At most so many a second in the long run, and `burst` at once, for each name."""

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._rooms: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def wait_s(self, name: str, at_us: int, *, count: float = 1.0) -> float:
        """0 where it may be done now, and is counted; else how long to wait. `count` <= burst."""
        room, since_us = self._rooms.pop(name, (self._burst, at_us))
        room = min(self._burst, room + (at_us - since_us) / MICROSECONDS * self._per_s)
        wait_s = max(0.0, min(count, self._burst) - room) / self._per_s
        self._rooms[name] = (room if wait_s else room - count, at_us)
        if len(self._rooms) > NAMES_MAX:
            self._rooms.popitem(last=False)
        return wait_s


class LockOut:
    """Counts each person's tries; a try counts as wrong until it is told to have been right."""

    def __init__(self) -> None:
        self._tries: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def wait_s(self, name: str, at_us: int) -> float:
        """0 where a try is allowed, and is counted; else how long to wait."""
        wrong, until_us = self._tries.pop(name, (0, 0))
        if at_us < until_us:
            self._tries[name] = (wrong, until_us)
            return (until_us - at_us) / MICROSECONDS
        wrong += 1
        if wrong >= WRONG_MAX:
            doublings = min(wrong - WRONG_MAX, 16)
            until_us = at_us + min(LOCK_US_MAX, LOCK_US_MIN << doublings)
        self._tries[name] = (wrong, until_us)
        if len(self._tries) > NAMES_MAX:
            self._tries.popitem(last=False)
        return 0.0

    def right(self, name: str) -> None:
        """The last try was right."""
        self._tries.pop(name, None)

    def is_locked(self, name: str, at_us: int) -> bool:
        """Whether a person's tries are refused now."""
        return at_us < self._tries.get(name, (0, 0))[1]
