"""A Sparkplug B edge node on the bench: a portal that tells its figures, and one device behind it.

It is born with every connection, and again when somebody asks for it (Rebirth).
"""

from __future__ import annotations

from firmware_sim.bench.kinds import Frame, Passing, Scene
from firmware_sim.bench.publishing import PublishingSource
from firmware_sim.core.vendors import sparkplug
from firmware_sim.core.vendors.sparkplug import (
    BOOLEAN,
    FLOAT,
    INT64,
    STRING,
    UINT64,
    Metric,
)

GROUP = "bench"
READER = "reader"
EVERY_US = 2_000_000
SEQUENCES = 256
BIRTHS = 256
REBIRTH = b"Node Control/Rebirth"
TEMPERATURE, CPU, TOTAL = 1, 2, 3
"""Aliases, which stand for names once the node is born."""


class SparkplugSource(PublishingSource):
    """The node."""

    every_us = EVERY_US

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._birth = -1
        self._sequence = 0
        self._is_born = False
        self._reads = 0

    def say(self, passing: Passing) -> list[Frame]:
        """What passes is counted only."""
        del passing
        self._reads += 1
        return []

    def beat(self, at_us: int) -> list[Frame]:
        """What changed, by aliases; nothing before the birth."""
        if not self._is_born:
            return []
        metrics = [Metric("", FLOAT, self._temperature(at_us), TEMPERATURE)]
        metrics.append(Metric("", INT64, self._reads % 40, CPU))
        total = [Metric("", UINT64, self._reads, TOTAL)]
        return [self._frame("NDATA", at_us, metrics), self._frame("DDATA", at_us, total, READER)]

    def antenna(self, number: int, *, connected: bool) -> list[Frame]:
        """The reader behind the node dies with its antenna, and is born with it."""
        del number
        if not self._is_born:
            return []
        if connected:
            return [self._reader_birth(self.at_us)]
        return [self._frame("DDEATH", self.at_us, [], READER)]

    def will(self) -> Frame | None:
        """The death of the session that is about to begin."""
        self._birth = (self._birth + 1) % BIRTHS
        self._is_born = False
        metric = Metric("bdSeq", INT64, self._birth)
        payload = sparkplug.payload(self.now_us() // 1_000, [metric], None)
        return Frame(self.at_us, payload, self._topic("NDEATH"))

    def connected(self, at_us: int) -> list[Frame]:
        """The birth certificates: every metric with its name, type and value."""
        self._sequence = 0
        self._is_born = True
        metrics = [
            Metric("bdSeq", INT64, self._birth),
            Metric("Node Control/Rebirth", BOOLEAN, False),
            Metric("Properties/Model", STRING, "Portal 4"),
            Metric("Health/Temperature", FLOAT, self._temperature(at_us), TEMPERATURE),
            Metric("Health/CPU", INT64, 7, CPU),
        ]
        return [self._frame("NBIRTH", at_us, metrics), self._reader_birth(at_us)]

    def topics(self) -> tuple[str, ...]:
        """Where commands for the node come."""
        return (self._topic("NCMD"),)

    def told(self, topic: str, payload: bytes) -> None:
        """A command; the only one that it knows is to be born again."""
        if topic == self._topic("NCMD") and REBIRTH in payload:
            self._waiting += self.connected(self.at_us)

    def _reader_birth(self, at_us: int) -> Frame:
        return self._frame(
            "DBIRTH", at_us, [Metric("Reads/Total", UINT64, self._reads, TOTAL)], READER
        )

    def _temperature(self, at_us: int) -> float:
        return 40.0 + (at_us - self.start_us) // EVERY_US % 5

    def _frame(self, kind: str, at_us: int, metrics: list[Metric], device: str = "") -> Frame:
        payload = sparkplug.payload(self.clock.tell(at_us) // 1_000, metrics, self._sequence)
        self._sequence = (self._sequence + 1) % SEQUENCES
        return Frame(at_us, payload, self._topic(kind, device))

    def _topic(self, kind: str, device: str = "") -> str:
        topic = f"spBv1.0/{GROUP}/{kind}/{self.device}"
        return f"{topic}/{device}" if device else topic
