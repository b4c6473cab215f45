"""What the programs of one world share. Each is a thin rim around a real core, as real ones are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from contracts.reads import ReadBatch
from edge_agent.core.sender import Sender
from edge_agent.core.sender import Spool as SenderSpool
from ledger_sink.core.admission import Admission
from ledger_sink.memory_ledger import MemoryLedger
from stream_processors.core.bridge import Bridge
from stream_processors.core.partition import Partition, Stages
from tests.simulation.books import Books
from tests.simulation.fakes import FakeKafka, FakeMqtt, FakePersons, Group
from tests.simulation.loop import POINT, EndedError, Program, World

LEASE_S = 3.0
POLL_S = 0.12
LEDGER_S = 0.7
FETCH = 24
"""Records that a worker takes at once."""
FETCH_EVENTS = 400
"""Outputs that a sink takes at once: it does little with each, so it is never the slower one."""


class Disk(SenderSpool, Protocol):
    """An agent's spool, as the real one is: it outlives the process."""

    def put(self, batch: ReadBatch, *, at_us: int) -> int | None:
        """Keep a batch."""
        ...


@dataclass(slots=True)
class Cores:
    """What is simulated; a test plants a mistake by giving a subclass."""

    sender: type[Sender] = Sender
    bridge: type[Bridge] = Bridge
    partition: type[Partition] = Partition
    admission: type[Admission] = Admission
    ledger: type[MemoryLedger] = MemoryLedger


@dataclass(slots=True)
class Site:
    """All that the programs of one world share."""

    world: World
    mqtt: FakeMqtt
    kafka: FakeKafka
    ledger: MemoryLedger
    persons: FakePersons
    group: Group
    books: Books
    cores: Cores
    make_stages: Callable[[str], Stages]
    identities: int
    snapshot_every_ticks: int
    chunk_bytes_max: int
    partitions: int = 1
    """How many the site's configuration asks for now."""
    reading: bool = True
    """False: nothing is read any more."""
    acknowledged: dict[str, int] = field(default_factory=dict)
    """By spool, what some agent was told."""


@dataclass(slots=True)
class Rates:
    """Probabilities at each yield."""

    crash: float = 0.0
    pause: float = 0.0
    stage_error: float = 0.0


class SiteProgram(Program):
    """A program of a site."""

    def __init__(self, site: Site, name: str, rates: Rates) -> None:
        super().__init__(site.world, name, crash_rate=rates.crash, pause_rate=rates.pause)
        self.site = site
        self.rates = rates

    def take_lease(self) -> Iterator[float]:
        """Wait for this role's lease; its run is then in `run`."""
        self.run = 0
        while not self.run:
            self.run = self.site.ledger.take_lease(self.role, self.name, LEASE_S) or 0
            yield POINT if self.run else 0.5
        self._renew_s = self.world.now + 1.0

    def renew_lease(self) -> None:
        """Hold on to it, now and then; ends the program where another has it."""
        if self.world.now < self._renew_s:
            return
        self._renew_s = self.world.now + 1.0
        if not self.site.ledger.renew_lease(self.role, self.run, LEASE_S):
            raise EndedError("another holds the lease")
