"""Domain time: the clock that a stack shares, accelerated or not.

Reads, windows, ticks and departures live in domain time; keepalives, back-off and leases live in
wall time. Both are the same unless a rehearsal runs faster than real time.
"""

from __future__ import annotations

import msgspec

MICROSECONDS = 1_000_000
LINK_US = 300_000
"""Domain time that a read may be under way between a device and its agent: the reader's report
interval, the wire, socket buffers."""
LINK_WALL_US = 3_000_000
"""The same as wall time where domain time is accelerated: links and programs do not get faster
with the clock."""


class ClockSetting(msgspec.Struct, frozen=True, kw_only=True):
    """How domain time follows wall time. `speed` 1 and equal anchors mean real time."""

    wall_anchor_us: int = 0
    """Wall time at which domain time was `domain_anchor_us`."""
    domain_anchor_us: int = 0
    """Domain time at the anchor."""
    speed: float = 1.0
    """Domain seconds that pass in one wall second."""

    def domain_us(self, wall_us: int) -> int:
        """Domain time at a wall time, both UTC microseconds."""
        return self.domain_anchor_us + int((wall_us - self.wall_anchor_us) * self.speed)

    def wall_us(self, domain_us: int) -> int:
        """Wall time at a domain time: the inverse of `domain_us`, to the microsecond."""
        return self.wall_anchor_us + int((domain_us - self.domain_anchor_us) / self.speed)

    def link_allowance_us(self) -> int:
        """Domain time by which a gateway's time stays behind, so that nothing older can come.

        Decisions that wait for a gateway's time wait so much longer, on purpose.
        """
        return LINK_US if self.speed <= 1 else max(LINK_US, round(LINK_WALL_US * self.speed))

    def text(self) -> str:
        """The setting as one word, for the environment variable `TALLYGATE_CLOCK`."""
        return f"{self.wall_anchor_us}:{self.domain_anchor_us}:{self.speed}"


REAL_TIME = ClockSetting()


def clock_from_text(text: str) -> ClockSetting:
    """Read what `ClockSetting.text` wrote; an empty text is real time. Raises ValueError."""
    if not text:
        return REAL_TIME
    parts = text.split(":")
    if len(parts) != 3:  # noqa: PLR2004 - the three fields of `text`.
        message = f"a clock is written wall_us:domain_us:speed, not {text!r}"
        raise ValueError(message)
    speed = float(parts[2])
    if not 0 < speed <= 10_000:  # noqa: PLR2004 - past this, timers of a stack lose their meaning.
        message = f"a clock's speed lies above 0 and at most 10000, not {speed}"
        raise ValueError(message)
    return ClockSetting(wall_anchor_us=int(parts[0]), domain_anchor_us=int(parts[1]), speed=speed)
