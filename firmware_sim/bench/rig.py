"""Read me first: one device at work. The flow is `Rig._step`: source, faults, link.

What the device says goes through the faults to its link. The source knows domain time; the faults
and the link know wall time, because a cable does not get faster when a rehearsal does.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from random import Random

from firmware_sim.bench.faults import DEVICES_OWN, Fault, LinkFaults, TimedFault
from firmware_sim.bench.kinds import DeviceKind, Frame, Scene, Source, Talker
from firmware_sim.bench.links.base import Link
from firmware_sim.bench.links.mqtt import MqttLink
from firmware_sim.bench.recording import What

STEP_S = 0.01
"""Wall time between two looks at the scene."""
STEP_US_MAX = 60_000_000
"""So much of the scene is told at once, however late the machine is."""
LATE_MAX = 10_000
"""What is said while the link is frozen waits, up to so many messages; the rest is not heard."""
MILLION = 1_000_000
RATE_SAMPLES = 50
RATE_STEP_S = 0.1
"""Reads a second are told over so many looks at this distance."""
AFTER_US = 1_000_000
"""A scene is over so long after its last passing: devices pool what they hear."""

Noted = Callable[[What, int, bytes, str], None]
"""Told of all that goes over a link: what, connection, bytes (of MQTT: the payload) and topic."""


class Figures:
    """What a watcher sees of a device."""

    def __init__(self) -> None:
        self.passed = 0
        """How much of the scene came by."""
        self.said = 0
        """Messages that somebody was told."""
        self.unheard = 0
        """Messages for nobody."""
        self.last_identity = ""
        self.device_faults: dict[str, str] = {}
        """Faults inside the device that hold, by what they are about."""
        self._looks: deque[tuple[float, int]] = deque(maxlen=RATE_SAMPLES)

    def rate(self, now_s: float) -> float:
        """Of what passed, how much a second."""
        if not self._looks or now_s - self._looks[-1][0] >= RATE_STEP_S:
            self._looks.append((now_s, self.passed))
        since_s, passed = self._looks[0]
        return (self.passed - passed) / (now_s - since_s) if now_s > since_s else 0.0


class Rig:
    """One device: its source, its faults and its link."""

    def __init__(
        self,
        kind: DeviceKind,
        scene: Scene,
        source: Source,
        *,
        make_link: Callable[[Rig], Link],
        domain_us: Callable[[], int],
        timed: tuple[TimedFault, ...] = (),
        noted: Noted = lambda *_: None,
    ) -> None:
        self.kind = kind
        self.device = scene.device
        self.faults = LinkFaults(Random(f"{scene.seed}/{scene.device}/faults"))
        self.figures = Figures()
        self.is_over = asyncio.Event()
        """Set when all that shall come by has come by and was said."""
        self._scene = scene
        self._source = source
        self._told: Callable[[str], None] = lambda _: None
        self._domain_us = domain_us
        self._at_us = scene.start_us
        self._timed = sorted(timed, key=lambda one: one.at_s)
        self._noted = noted
        self._late: deque[Frame] = deque()
        self._frozen = False
        self._client: int | None = None
        self._heard = asyncio.Event()
        self._connection = 0
        self.link = make_link(self)

    # What the link tells (`Ears`).

    def came(self, connection: int) -> bool:
        """A client is there; one that listens to an answer is the only one."""
        self._connection = connection
        self._noted("opened", connection, b"", "")
        self._told(f"{self.device}: connection {connection} begins")
        if not isinstance(self._source, Talker):
            return True
        if self._client is not None:
            self.link.write(self._source.refusal(), connection)
            return False
        self._client = connection
        self._source.came()
        self._heard.set()
        return True

    def heard(self, connection: int, data: bytes) -> None:
        """A client sent something; whoever does not listen does not mind."""
        self._noted("client", connection, data, "")
        if isinstance(self._source, Talker) and connection == self._client:
            if not self._source.heard(data):
                self.link.cut()
            self._heard.set()

    def gone(self, connection: int) -> None:
        """A client is gone."""
        self._noted("closed", connection, b"", "")
        self._told(f"{self.device}: connection {connection} ends")
        if not self.link.clients and not isinstance(self.link, MqttLink):
            # What was said to the one who left is not for the one who comes.
            self.figures.unheard += len(self._late)
            self._late.clear()
        if isinstance(self._source, Talker) and connection == self._client:
            self._client = None
            self._source.gone()

    # What the one at the bench does.

    def take(self, fault: Fault) -> str:
        """Begin with a fault; in words, what becomes of it."""
        if fault.name in DEVICES_OWN:
            if not self._source.fault(fault.name, fault.value):
                return f"{self.device}: a device of kind {self.kind.name} cannot {_cannot(fault)}"
            self._remember(fault)
        elif fault.name == "drop" and fault.value >= 0 and self.link.carries == "messages":
            return f"{self.device}: its link cannot be cut within a message; 'drop' cuts it now"
        else:
            self.faults.take(fault, time.monotonic())
        self._heard.set()
        return f"{self.device}: {fault.text}"

    def _remember(self, fault: Fault) -> None:
        held = self.figures.device_faults
        if fault.name == "antenna_back":
            held.pop(f"antenna {fault.value:g}", None)
        elif fault.name == "antenna_lost":
            held[f"antenna {fault.value:g}"] = fault.text
        elif fault.name == "clock_drift_ppm" and not fault.value:
            held.pop(fault.name, None)
        else:
            held[fault.name] = fault.text

    def active_faults(self) -> list[str]:
        """All that act now, in words."""
        return [*self.faults.active(time.monotonic()), *self.figures.device_faults.values()]

    async def run(self, told: Callable[[str], None] = lambda _: None) -> None:
        """Work until cancelled; `told` hears what happens. The link is open already."""
        self._told = told
        async with asyncio.TaskGroup() as group:
            group.create_task(self.link.run())
            group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            self._heard.clear()
            self._step()
            with suppress(TimeoutError):
                async with asyncio.timeout(STEP_S):
                    await self._heard.wait()

    def _step(self) -> None:
        now_us, now_s = self._domain_us(), time.monotonic()
        while self._timed and self._scene.start_us + self._timed[0].at_s * MILLION <= now_us:
            self._told(self.take(self._timed.pop(0).fault))
        if self.faults.cut():
            self.link.cut()
        frozen = self.faults.frozen_s(now_s) > 0
        if frozen != self._frozen:
            self._frozen = frozen
            self.link.freeze(frozen=frozen)
        if self._listen(now_us):
            self._told(f"{self.device}: all {self.figures.passed} passings of its scene are over")
        if frozen:
            self._shorten()
            return
        said = list(self._late)
        self._late.clear()
        for frame in self.faults.messages(said, now_s):
            self._say(frame)
        if isinstance(self._source, Talker) and self._source.wants_to_part():
            self.link.cut()

    def _listen(self, now_us: int) -> bool:
        """Let the device's time move on, as far as its client keeps up; whether all is over now."""
        if isinstance(self._source, Talker) and not self.link.has_room():
            return False
        self._at_us = max(self._at_us, min(now_us, self._at_us + STEP_US_MAX))
        self._late.extend(self._source.frames(self._at_us))
        passings, figures = self._scene.passings, self.figures
        while figures.passed < len(passings) and passings[figures.passed].at_us <= self._at_us:
            figures.last_identity = passings[figures.passed].identity or "(no read)"
            figures.passed += 1
        last_us = passings[-1].at_us if passings else self._scene.start_us
        if self.is_over.is_set() or self._late or self._at_us <= last_us + AFTER_US:
            return False
        self.is_over.set()
        return bool(passings)

    def _shorten(self) -> None:
        while len(self._late) > LATE_MAX:
            self._late.popleft()
            self.figures.unheard += 1

    def _say(self, frame: Frame) -> None:
        link = self.link
        data = link.encode(frame)
        at = self.faults.cut_at(len(data)) if link.clients else None
        if at is not None and link.carries == "bytes":
            link.write(data[:at])
            self._noted("device", self._connection, data[:at], frame.topic)
            link.cut()
            return
        # What a broker does not take now it gets later; anybody else never hears of it.
        is_kept = isinstance(link, MqttLink)
        if link.write(data) or is_kept:
            self.figures.said += 1
            self._noted("device", self._connection, frame.payload if is_kept else data, frame.topic)
        else:
            self.figures.unheard += 1


def _cannot(fault: Fault) -> str:
    if fault.name.startswith("clock"):
        return "have a wrong clock: it tells no time"
    return f"lose antenna {fault.value:g}: it has none of that number"
