"""One seed: which faults, how often, and whether the promises held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from edge_agent.spool import MEMORY, open_spool
from stream_processors.core.partition import Stages
from tests.simulation.agent import Agent
from tests.simulation.books import Books
from tests.simulation.bridge_program import BridgeProgram
from tests.simulation.disk import MemorySpool
from tests.simulation.fakes import FakeKafka, FakeMqtt, FakePersons, Group, KafkaFaults, MqttFaults
from tests.simulation.loop import Program, ViolationError, World
from tests.simulation.sink_program import Sink
from tests.simulation.site import Cores, Disk, Rates, Site
from tests.simulation.stages import CountingStages, real_stages
from tests.simulation.worker_program import Worker

STORM_S = 60.0
"""So long faults are injected."""
REAL_STAGES = 0.1
"""The share of seeds in which the product's own stages understand the reads."""
CALM_S_MAX = 240.0
"""So long everything may take to come to rest afterwards."""


class Report(NamedTuple):
    """What one run saw."""

    seed: int
    violation: str
    """Empty: all promises held."""
    injected: Counter[str]
    seen: Counter[str]
    story: list[str]


@dataclass(slots=True)
class Plan:
    """What one seed does."""

    gateways: int = 1
    workers: int = 1
    bridges: int = 1
    sinks: int = 1
    mqtt: MqttFaults = field(default_factory=MqttFaults)
    kafka: KafkaFaults = field(default_factory=KafkaFaults)
    rates: dict[str, Rates] = field(default_factory=dict)
    stale_rate: float = 0.0
    use_real_stages: bool = False
    blows: list[str] = field(default_factory=list)
    """What happens once or a few times, at some time of the storm."""


BLOWS = (
    "mqtt restart",
    "kafka emptied",
    "kafka deleted",
    "kafka cut",
    "kafka expired",
    "kafka outage",
    "partitions",
    "disk lost",
    "disk cut",
    "foreign message",
    "foreign record",
)


def _plan(world: World) -> Plan:
    """Each seed has its own kinds of fault: many at once hide each other."""
    dice = world.dice
    plan = Plan(
        gateways=dice.randint(1, 3),
        workers=dice.randint(1, 2),
        bridges=dice.randint(1, 2),
        sinks=dice.randint(1, 2),
    )
    if dice.random() < 0.6:
        plan.mqtt.lost = dice.choice([0.0, 0.02, 0.2])
        plan.mqtt.repeated = dice.choice([0.0, 0.02, 0.2])
        plan.mqtt.delayed = dice.choice([0.0, 0.02, 0.2])
    if dice.random() < 0.6:
        plan.kafka.repeated = dice.choice([0.0, 0.02, 0.2])
        plan.kafka.delayed = dice.choice([0.0, 0.01, 0.05])
    for role in ("agent", "bridge", "worker", "sink"):
        rates = plan.rates[role] = Rates()
        if dice.random() < 0.5:
            rates.crash = dice.choice([0.001, 0.004, 0.012])
        if dice.random() < 0.5:
            rates.pause = dice.choice([0.001, 0.004])
    if dice.random() < 0.2:
        plan.rates["worker"].stage_error = 0.002
    if dice.random() < 0.4:
        plan.stale_rate = dice.choice([0.01, 0.05])
    plan.use_real_stages = dice.random() < REAL_STAGES
    for blow in BLOWS:
        if dice.random() < 0.25:
            plan.blows += [blow] * dice.randint(1, 3)
    return plan


class Run:
    """One world from its first second to its rest."""

    def __init__(
        self,
        seed: int,
        *,
        cores: Cores | None = None,
        change: Callable[[Plan], None] = lambda _: None,
    ) -> None:
        self.seed = seed
        self.world = world = World(seed)
        self.plan = plan = _plan(world)
        change(plan)
        dice = world.dice
        self.cores = cores or Cores()
        ledger = self.cores.ledger("demo", wall_seconds=lambda: world.now)
        self.site = Site(
            world=world,
            mqtt=FakeMqtt(world, plan.mqtt),
            kafka=FakeKafka(world, plan.kafka),
            ledger=ledger,
            persons=FakePersons(world),
            group=Group(world, stale_rate=plan.stale_rate),
            books=Books(by_name=not plan.use_real_stages),
            cores=self.cores,
            make_stages=self._stages(),
            identities=dice.choice([3, 12, 40]),
            snapshot_every_ticks=dice.choice([1, 4, 300]),
            chunk_bytes_max=dice.choice([300, 400_000]),
            partitions=dice.randint(1, 4),
        )
        self._ids = 0
        self._use_real_spool = dice.random() < 0.15
        rates = plan.rates
        self.agents = [
            Agent(self.site, f"dock{number}", rates["agent"], self._new_disk)
            for number in range(plan.gateways)
        ]
        self.programs: list[Program] = [
            *self.agents,
            *(
                BridgeProgram(self.site, f"bridge{each}", rates["bridge"])
                for each in range(plan.bridges)
            ),
            *(Worker(self.site, f"worker{each}", rates["worker"]) for each in range(plan.workers)),
            *(Sink(self.site, f"sink{each}", rates["sink"]) for each in range(plan.sinks)),
        ]
        for program in self.programs:
            world.after(dice.uniform(0.0, 1.0), program.start)
        for blow in plan.blows:
            world.after(dice.uniform(3.0, STORM_S), partial(self._blow, blow))

    def go(self) -> Report:
        """Storm, calm, and the check."""
        violation = ""
        try:
            self.world.run(STORM_S)
            self.world.calm = True
            self.site.reading = False
            self.world.tell("calm")
            self.world.run(STORM_S + CALM_S_MAX, done=self._is_at_rest)
            self.site.books.check()
            for agent in self.agents:
                self._check_spool(agent)
        except AssertionError as error:
            violation = f"{type(error).__name__}: {error}"
        seen = self.world.seen
        seen["batches"] += sum(agent.batches for agent in self.agents)
        seen["reads, rejects and changes"] += self.site.books.things
        seen["entries"] += len(self.site.ledger.entries)
        return Report(self.seed, violation, self.world.injected, seen, self.world.story)

    def _stages(self) -> Callable[[str], Stages]:
        dice = self.world.dice
        if self.plan.use_real_stages:
            return real_stages([f"dock{number}" for number in range(self.plan.gateways)])
        return lambda name: CountingStages(name, dice.randrange(100_000, 3_000_000))

    def _is_at_rest(self) -> bool:
        return self.site.books.is_balanced and all(
            agent.disk.lowest > agent.last_full for agent in self.agents
        )

    @staticmethod
    def _check_spool(agent: Agent) -> None:
        if agent.disk.lowest <= agent.last_full:
            raise ViolationError(
                f"{agent.name} still holds batches from {agent.disk.lowest} on, "
                f"up to {agent.last_full} with content"
            )

    def _new_disk(self) -> Disk:
        self._ids += 1
        spool = f"{self._ids:032x}"
        if self._use_real_spool:
            return open_spool(MEMORY, gateway="dock", new_id=lambda: spool, at_us=0)[0]
        return MemorySpool(spool)

    def _blow(self, blow: str) -> None:
        """Something happens from outside."""
        kind, _, what = blow.partition(" ")
        if self.world.calm:
            return
        if kind == "kafka" and what != "outage":
            self._hurt_kafka(what)
            return
        {
            "mqtt restart": self.site.mqtt.restart,
            "kafka outage": self._stop_kafka,
            "partitions": self._turn_partitions,
            "disk lost": lambda: self.world.dice.choice(self.agents).lose_disk(),
            "disk cut": lambda: self.world.dice.choice(self.agents).cut_disk(),
            "foreign message": self._foreign_message,
            "foreign record": self._foreign_record,
        }[blow]()

    def _stop_kafka(self) -> None:
        self.world.injected["kafka outage"] += 1
        self.site.kafka.up_again_s = self.world.now + self.world.dice.uniform(0.5, 8.0)

    def _turn_partitions(self) -> None:
        dice, before = self.world.dice, self.site.partitions
        self._change_partitions(dice.choice([each for each in range(1, 5) if each != before]))
        if dice.random() < 0.5:
            # Back again before everything has settled.
            self.world.after(dice.uniform(1.0, 8.0), lambda: self._change_partitions(before))

    def _foreign_message(self) -> None:
        self.world.injected["foreign mqtt message"] += 1
        raw = self.world.dice.randbytes(20)
        self.site.mqtt.publish(self.agents[0], f"{self.agents[0].name}/reads", raw)

    def _change_partitions(self, partitions: int) -> None:
        if not self.world.calm and partitions != self.site.partitions:
            self.site.partitions = partitions
            self.world.injected["number of partitions changed"] += 1
            self.world.tell(f"{partitions} partitions are asked for")

    def _hurt_kafka(self, kind: str) -> None:
        """Damage the log, often while those who read it are stopped: then it tells."""
        world = self.world
        role = world.dice.choice(["worker", "sink", ""])
        wait_s = 0.0
        if role:
            wait_s = world.dice.uniform(0.5, 3.0)
            for program in self.programs:
                if program.role == role:
                    program.pause(wait_s + world.dice.uniform(0.1, 3.0))

        def hurt() -> None:
            if not world.calm:
                self.site.kafka.hurt(kind)

        world.after(wait_s, hurt)

    def _foreign_record(self) -> None:
        current = self.site.ledger.current_log()
        if current is None:
            return
        self.world.injected["foreign kafka record"] += 1
        for kind in ("reads", "events"):
            partition = self.world.dice.randrange(current.partitions)
            self.site.kafka.append(
                f"{kind}.{current.log}", partition, self.world.dice.randbytes(20)
            )


def simulate(
    seed: int, *, cores: Cores | None = None, change: Callable[[Plan], None] = lambda _: None
) -> Report:
    """Run one seed."""
    return Run(seed, cores=cores, change=change).go()
