"""The gateway's time: a watermark that says up to when its devices have been heard.

A batch's `gateway_us` promises: whatever this gateway sends in later batches was received at or
after it. Windows close and tags depart by it, so it must never run ahead of a read.

Between a device and this process a read can still be under way: in the reader's report interval,
on the wire, in a socket's buffer. The watermark therefore stays behind domain time by an
*allowance*: 0.3 s of domain time, and where a rehearsal runs faster than real time some
seconds of wall time, because networks, report intervals and this process do not get faster with
it (`contracts.clock`): at speed 60 these are minutes of domain time. It also never passes what was
received but still waits in this process for room in the spool.

Sometimes more is under way than usual, and then the watermark stands still for a while:

- a device was cut: a reader that keeps its reports brings them when it is back. That is waited
  for, but not for ever, or one dead reader would stop the clock of every door. The same at the
  agent's start, when readers bring what they kept meanwhile;
- this process stood still (stopped and continued, or a machine that slept): sockets are full.

It never goes back, over a restart either: `floor_us` is the last watermark that was spooled. When
the machine's clock is set back, it stands still until the clock has caught up. A watermark of more
than a day ahead comes from a clock that was mad: the bridge's side believed nothing of it, and it
is let go.
"""

from __future__ import annotations

CATCH_UP_US = 1_500_000
"""Steady time in which a device that is back, or this process, works off what waited."""
AWAY_US_MAX = 5_000_000
"""Steady time for which the watermark waits for a device that was cut."""
HOLD_EVERY_US = 60_000_000
"""A device that comes and goes is waited for only this often, or the watermark would stand."""
MAD_US = 86_400_000_000
"""A watermark so far ahead of the clock is that of a mad clock (`stream_processors.core.sound`)."""
STALL_US = 1_000_000
"""No call for so much steady time: this process stood still. It is called five times a second."""


class GatewayTime:
    """Computes a gateway's watermark. `steady_us` is wall time that never jumps."""

    def __init__(self, *, allowance_us: int, floor_us: int = 0) -> None:
        """`allowance_us`: see `contracts.clock.ClockSetting.link_allowance_us`."""
        self.allowance_us = allowance_us
        self._reached_us = floor_us
        self._called_us: int | None = None
        self._until_us = 0
        self._away_until_us: dict[str, int] = {}
        self._left_us: dict[str, int] = {}

    def at(self, now_us: int, oldest_us: int | None, *, steady_us: int) -> int:
        """The watermark at a domain time; `oldest_us`: when the oldest waiting read was received.

        What the batch itself carries does not count as waiting.
        """
        if self._called_us is not None and steady_us - self._called_us > STALL_US:
            self._until_us = steady_us + CATCH_UP_US
        self._called_us = steady_us
        if self._reached_us - now_us > MAD_US:
            self._reached_us = 0
        held = steady_us < max(self._until_us, *self._away_until_us.values(), 0)
        if held and self._reached_us:
            return self._reached_us
        mark = now_us - self.allowance_us
        if oldest_us is not None:
            mark = min(mark, oldest_us)
        self._reached_us = max(self._reached_us, mark)
        return self._reached_us

    def device_left(self, device: str, *, steady_us: int) -> None:
        """A device that may bring old reads is away."""
        left_us = self._left_us.get(device)
        if left_us is None or steady_us - left_us >= HOLD_EVERY_US:
            self._left_us[device] = steady_us
            self._away_until_us[device] = steady_us + AWAY_US_MAX

    def device_came(self, device: str, *, steady_us: int) -> None:
        """It is back and brings what it kept."""
        if self._away_until_us.get(device, 0) > steady_us:
            self._away_until_us[device] = steady_us + CATCH_UP_US
