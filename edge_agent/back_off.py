"""How long to wait before the next attempt: doubling, bounded, with jitter, for ever."""

from __future__ import annotations

import random

WAIT_S_MIN = 0.25
"""After the first failure, in seconds."""
DOUBLINGS_MAX = 20
"""Keeps the numbers small; the bound is reached long before."""


class BackOff:
    """Counts failures in a row."""

    def __init__(self, wait_s_max: float, dice: random.Random) -> None:
        self._wait_s_max = wait_s_max
        self._dice = dice
        self._failures = 0

    def succeeded(self) -> None:
        """It worked: the next failure is a first one."""
        self._failures = 0

    def wait_s(self) -> float:
        """It failed: how long to wait now. Half is dice: many agents shall not come at once."""
        wait_s = WAIT_S_MIN * 2.0 ** min(self._failures, DOUBLINGS_MAX)
        self._failures += 1
        return float(min(wait_s, self._wait_s_max) * self._dice.uniform(0.5, 1.0))
