"""When something is due, by the time of the gateways that serve a place.

The stages learn time only from ticks: each says how far every gateway's own time has come. A
place's time is the least time of its gateways, so a gateway that falls silent stops the place.
After a configured wait (by the bridge's time) the silent one is left out, and what then comes due
is `incomplete`. Absence is judged by the time that was truly listened: it stands still while a
gateway is silent, so a silence never makes a departure.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop, heappush
from typing import Generic, TypeVar

Thing = TypeVar("Thing")

BUCKET_US = 100_000
"""What is due within one bucket comes together: half a tick."""
STEP_SLACK_US = 1_000_000
"""A gateway's time that grows by more than the bridge's and this was not all listened to."""
STEP_TIMES = 4
STEP_FIRST_US = 2_000_000
"""Bridge time that grows by more than so many times its last step and this was no tick but an
outage, in which nobody listened."""
FOREVER_US = 1 << 62
"""Later than any time: all gateways of a place are silent, whatever waits is closed."""


class Wheel(Generic[Thing]):
    """Things by the time when they are due."""

    __slots__ = ("_buckets", "_order")

    def __init__(self) -> None:
        self._buckets: dict[int, list[Thing]] = {}
        self._order: list[int] = []

    def put(self, thing: Thing, due_us: int) -> None:
        """Have `due` return a thing at a time."""
        number = due_us // BUCKET_US
        bucket = self._buckets.get(number)
        if bucket is None:
            self._buckets[number] = [thing]
            heappush(self._order, number)
        else:
            bucket.append(thing)

    def due(self, now_us: int) -> list[Thing]:
        """Take out what is due, in the order of time."""
        found: list[Thing] = []
        while self._order and (self._order[0] + 1) * BUCKET_US <= now_us:
            found += self._buckets.pop(heappop(self._order))
        return found

    def clear(self) -> list[Thing]:
        """Take out everything."""
        return self.due(FOREVER_US + BUCKET_US)


class GatewayTime:
    """How far one gateway is."""

    __slots__ = ("stalled_us", "time_us")

    def __init__(self, time_us: int, stalled_us: int) -> None:
        self.time_us = time_us
        self.stalled_us = stalled_us
        """The bridge's time since when `time_us` stands still; -1 while it moves."""


class Times:
    """All gateways' times."""

    __slots__ = ("_grown_us", "bridge_us", "gateways", "step_us")

    def __init__(self) -> None:
        self.bridge_us = 0
        self.step_us = 0
        """How much the bridge's time grew at the last tick, as far as that was listened to."""
        self._grown_us = 0
        self.gateways: dict[str, GatewayTime] = {}

    def take(self, gateways: Mapping[str, int], bridge_us: int) -> None:
        """A tick: time only moves forward; who is not named, or not further, stands still."""
        before_us, self.bridge_us = self.bridge_us, max(self.bridge_us, bridge_us)
        grown_us = self.bridge_us - before_us if before_us else 0
        self.step_us = min(grown_us, STEP_TIMES * self._grown_us + STEP_FIRST_US)
        self._grown_us = grown_us
        for gateway, time_us in gateways.items():
            known = self.gateways.get(gateway)
            if known is None:
                self.gateways[gateway] = GatewayTime(time_us, -1)
            elif time_us > known.time_us:
                known.time_us = time_us
                known.stalled_us = -1
            elif known.stalled_us < 0:
                known.stalled_us = self.bridge_us
        for gateway, known in self.gateways.items():
            if gateway not in gateways and known.stalled_us < 0:
                known.stalled_us = self.bridge_us

    def need(self, gateways: tuple[str, ...]) -> None:
        """Gateways that serve a place and have never been heard of count as silent from now on."""
        for gateway in gateways:
            if gateway not in self.gateways:
                self.gateways[gateway] = GatewayTime(-1, self.bridge_us)


class Clock(Generic[Thing]):
    """The time of the places that the same gateways serve, and what is due there."""

    __slots__ = (
        "departures",
        "gateways",
        "incomplete",
        "incomplete_us",
        "listened_us",
        "now_us",
        "strict_us",
        "trails",
        "windows",
    )

    def __init__(self, gateways: tuple[str, ...], incomplete_us: int) -> None:
        self.gateways = gateways
        self.incomplete_us = incomplete_us
        self.now_us = -1
        """Time by which windows close."""
        self.strict_us = -1
        """The least time of all gateways, silent ones too."""
        self.listened_us = 0
        """How much of the time since the start all gateways were heard."""
        self.incomplete = False
        """A silent gateway is left out of `now_us`."""
        self.windows: Wheel[Thing] = Wheel()
        """Due by `now_us`."""
        self.departures: Wheel[Thing] = Wheel()
        """Due by `listened_us`."""
        self.trails: Wheel[Thing] = Wheel()
        """Due by `strict_us`."""

    def advance(self, times: Times) -> None:
        """Follow the gateways' times."""
        times.need(self.gateways)
        strict_us = FOREVER_US
        now_us = FOREVER_US
        incomplete = False
        for gateway in self.gateways:
            known = times.gateways[gateway]
            strict_us = min(strict_us, known.time_us)
            waited_us = times.bridge_us - known.stalled_us
            if known.stalled_us >= 0 and waited_us >= self.incomplete_us:
                incomplete = True
            else:
                now_us = min(now_us, known.time_us)
        if strict_us > self.strict_us:
            if self.strict_us >= 0:
                listened_us = times.step_us + STEP_SLACK_US
                self.listened_us += min(strict_us - self.strict_us, listened_us)
            self.strict_us = strict_us
        self.incomplete = incomplete
        self.now_us = now_us
