"""What devices that publish by themselves share: a scene worked off in time, a clock, antennas."""

from __future__ import annotations

from abc import ABC, abstractmethod

from firmware_sim.bench.kinds import Frame, Passing, Scene
from firmware_sim.core.vendors.wording import DeviceClock


class PublishingSource(ABC):
    """A device whose messages are made of passings and of the beats of its own time."""

    every_us = 0
    """How often `beat` is asked; 0: never."""

    def __init__(self, scene: Scene) -> None:
        self.device = scene.device
        self.start_us = scene.start_us
        self.at_us = scene.start_us
        """How far it is, in domain time."""
        self.clock = DeviceClock(scene.start_us)
        self.lost: set[int] = set()
        """Antennas that hear nothing."""
        self._passings = scene.passings
        self._next = 0
        self._beat_us = scene.start_us + self.every_us
        self._waiting: list[Frame] = []
        self._has_begun = False

    def frames(self, upto_us: int) -> list[Frame]:
        """All that the device says up to a domain time, in order."""
        frames, self._waiting = self._waiting, []
        if not self._has_begun:
            self._has_begun = True
            frames += self.begin()
        while (passing := self._passing(upto_us)) is not None:
            frames += self._beats(passing.at_us)
            self.at_us = max(self.at_us, passing.at_us)
            frames += self.say(passing)
        frames += self._beats(upto_us)
        self.at_us = max(self.at_us, upto_us)
        return frames

    def _passing(self, upto_us: int) -> Passing | None:
        if self._next >= len(self._passings) or self._passings[self._next].at_us > upto_us:
            return None
        self._next += 1
        return self._passings[self._next - 1]

    def _beats(self, upto_us: int) -> list[Frame]:
        frames: list[Frame] = []
        while self.every_us and self._beat_us <= upto_us:
            self.at_us = max(self.at_us, self._beat_us)
            frames += self.beat(self._beat_us)
            self._beat_us += self.every_us
        return frames

    def now_us(self) -> int:
        """What the device's clock shows."""
        return self.clock.tell(self.at_us)

    def fault(self, name: str, value: float) -> bool:
        """A wrong clock, and antennas that are lost and come back."""
        if self.clock.fault(name, value, self.at_us):
            return True
        if name not in {"antenna_lost", "antenna_back"}:
            return False
        number = int(value)
        is_lost = name == "antenna_lost"
        (self.lost.add if is_lost else self.lost.discard)(number)
        self._waiting += self.antenna(number, connected=not is_lost)
        return True

    def will(self) -> Frame | None:
        """None, unless the kind has one."""
        return None

    def connected(self, at_us: int) -> list[Frame]:
        """Nothing, unless the kind says something."""
        del at_us
        return []

    def begin(self) -> list[Frame]:
        """What it says when it begins."""
        return []

    @abstractmethod
    def say(self, passing: Passing) -> list[Frame]:
        """What it says at once of a passing."""

    def beat(self, at_us: int) -> list[Frame]:
        """What it says every `every_us`."""
        del at_us
        return []

    def antenna(self, number: int, *, connected: bool) -> list[Frame]:
        """What it says of an antenna that was lost or is back."""
        del number, connected
        return []
