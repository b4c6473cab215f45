"""The programs: thin rims around the real cores, as the real ones are, over fake servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from contracts.codec import decode, encode
from contracts.commands import Acknowledgement, BridgeRun, SendAgain
from contracts.log import Output
from contracts.reads import DeviceChange, Read, ReadBatch, Reject
from edge_agent.core.sender import Sender
from edge_agent.core.sender import Spool as SenderSpool
from ledger_sink.commit import LeaseLostError, commit
from ledger_sink.core.admission import Admission, Verdict
from ledger_sink.ledger import SpoolAcknowledged
from ledger_sink.memory_ledger import MemoryLedger
from stream_processors.core import watch
from stream_processors.core.bridge import Bridge, Effects
from stream_processors.core.heal import Heal
from stream_processors.core.log_check import log_damage
from stream_processors.core.partition import LogSkippedError, Partition, Stages
from stream_processors.core.watch import CommitWatch
from tests.simulation.books import Books
from tests.simulation.fakes import Arrived, Connected, FakeKafka, FakeMqtt, Group, Producer
from tests.simulation.loop import POINT, EndedError, Program, World

LEASE_S = 3.0
TICK_S = 0.5
LEDGER_S = 0.7
HEAL_AFTER_S = 2.0
STALLED_AFTER_S = 12.0
WATCH_STALLED_AFTER_S = 4.0
RESEND_AFTER_S = 2.5
RESEND_AFTER_S_MAX = 10.0
REPUBLISH_S = 3.0
WINDOW = 12
POLL_S = 0.12
FETCH = 24


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


class Agent(SiteProgram):
    """An edge agent: reads, spool, sender."""

    role: ClassVar[str] = "agent"

    def __init__(self, site: Site, name: str, rates: Rates, new_disk: Callable[[], Disk]) -> None:
        super().__init__(site, name, rates)
        self.new_disk = new_disk
        self.disk = new_disk()
        self.count = 0
        self.batches = 0
        self.last_full = 0
        """The newest batch of the spool that carries anything."""

    def main(self) -> Iterator[float]:
        site, world = self.site, self.world
        sender = site.cores.sender(
            self.disk,
            now_s=world.now,
            window=WINDOW,
            resend_after_s=RESEND_AFTER_S,
            resend_after_s_max=RESEND_AFTER_S_MAX,
        )
        wanted = {f"{self.name}/ack", f"{self.name}/cmd", "bridge"}
        site.mqtt.connect(self, wanted.__contains__)
        next_batch_s = world.now
        while True:
            while self.inbox:
                self._hear(sender, self.inbox.popleft())
            if world.now >= next_batch_s:
                yield POINT
                batch = self._batch()
                sequence = self.disk.put(batch, at_us=world.now_us)
                assert sequence is not None
                if site.books.spooled(self.disk.id, sequence, batch):
                    self.last_full = sequence
                self.batches += 1
                yield POINT
                next_batch_s = world.now + world.dice.uniform(0.2, 0.8)
            for message in sender.due(world.now, 8):
                site.mqtt.publish(self, f"{self.name}/reads", encode(message))
            yield POLL_S

    def lose_disk(self) -> None:
        """The machine is replaced; what was not acknowledged is gone."""
        self.world.injected["spool replaced"] += 1
        self.crash("its disk was lost")
        self.site.books.destroyed(self.disk.id, range(self.disk.lowest, self.disk.sequence + 1))
        self.disk = self.new_disk()
        self.last_full = 0

    def cut_disk(self) -> None:
        """Somebody removed the lowest batches from the disk, and the agent was started again."""
        last = self.world.dice.randint(self.disk.lowest - 1, self.disk.sequence)
        if last < self.disk.lowest:
            return
        self.world.injected["spool cut"] += 1
        self.crash(f"batches up to {last} were removed from its disk")
        self.site.books.destroyed(self.disk.id, range(self.disk.lowest, last + 1))
        self.disk.acknowledge(last)

    def _hear(self, sender: Sender, message: object) -> None:
        now_s = self.world.now
        if isinstance(message, Connected):
            sender.connected(now_s)
        elif isinstance(message, Arrived):
            kind = message.topic.rsplit("/", 1)[-1]
            wire = {"ack": Acknowledgement, "cmd": SendAgain, "bridge": BridgeRun}[kind]
            heard = decode(wire, message.payload, source=self.name, at_us=0)
            if isinstance(heard, BridgeRun):
                sender.bridge_run(heard, now_s)
            elif isinstance(heard, SendAgain):
                sender.send_again(heard)
            elif isinstance(heard, Acknowledgement):
                before = self.disk.lowest
                sender.acknowledged(heard, now_s)
                self.site.books.forgets(self.disk.id, before, self.disk.lowest - 1)

    def _batch(self) -> ReadBatch:
        dice, now_us = self.world.dice, self.world.now_us
        if not self.site.reading or dice.random() < 0.2:
            return ReadBatch(gateway_us=now_us)
        reads = tuple(
            Read(
                identity=f"tag-{dice.randrange(self.site.identities)}",
                device=f"{self.name}-door",
                antenna=dice.randint(1, 2),
                first_us=now_us,
                last_us=now_us,
                received_us=now_us,
                count=1,
                rssi_cdbm=-5_000,
                evidence=self._name("read"),
            )
            for _ in range(dice.randrange(1, 5))
        )
        rejects = changes = ()
        if dice.random() < 0.1:
            raw = self._name("reject")
            rejects = (Reject(source=self.name, reason="odd", raw=raw, raw_length=9, at_us=now_us),)
        if dice.random() < 0.1:
            detail = self._name("change").decode()
            changes = (DeviceChange(device="door", state="retrying", detail=detail, at_us=now_us),)
        return ReadBatch(gateway_us=now_us, reads=reads, rejects=rejects, changes=changes)

    def _name(self, kind: str) -> bytes:
        self.count += 1
        return f"{kind} {self.name}.{self.count}".encode()


class BridgeProgram(SiteProgram):
    """A bridge: lease, log, MQTT, producer."""

    role: ClassVar[str] = "bridge"

    def main(self) -> Iterator[float]:
        site, world = self.site, self.world
        yield from self.take_lease()
        yield from self._find_log()
        self._bridge = bridge = site.cores.bridge(
            run=self.run,
            log=self._log,
            partitions=self._partitions,
            acknowledged=site.ledger.acknowledged(),
            now_s=world.now,
            heal=Heal(now_s=world.now, heal_after_s=HEAL_AFTER_S, stalled_after_s=STALLED_AFTER_S),
        )
        yield POINT
        self._producer = producer = Producer(site.kafka, self)
        site.mqtt.connect(self, lambda topic: topic.endswith("/reads"))
        token, tick_s, ledger_s = 0, world.now, world.now
        while True:
            while self.inbox:
                message = self.inbox.popleft()
                if isinstance(message, Connected):
                    told = encode(BridgeRun(run=self.run, log=self._log))
                    site.mqtt.publish(self, "bridge", told, retain=True)
                elif isinstance(message, Arrived):
                    token += 1
                    gateway = message.topic.split("/")[0]
                    effects = bridge.receive(
                        gateway, message.payload, token, bridge_us=world.now_us, now_s=world.now
                    )
                    yield from self._do(effects)
                    if effects.ask_ledger:
                        ledger_s = world.now
            if world.now >= tick_s:
                tick_s = world.now + TICK_S
                yield from self._do(bridge.tick(bridge_us=world.now_us))
            while producer.deliveries:
                bridge.delivered(*producer.deliveries.popleft())
            if world.now >= ledger_s:
                ledger_s = world.now + LEDGER_S
                ticket = bridge.ticket
                positions = site.ledger.positions()
                yield POINT
                offsets = {each.partition: each.next_offset for each in positions}
                effects = bridge.take_ledger(
                    ticket, site.ledger.acknowledged(), next_offsets=offsets, now_s=world.now
                )
                yield from self._do(effects)
            if bridge.restart or producer.failure:
                raise EndedError(bridge.restart or producer.failure)
            if site.partitions != self._partitions:
                raise EndedError("another number of partitions is asked for")
            self.renew_lease()
            yield POLL_S

    def _do(self, effects: Effects) -> Iterator[float]:
        for record in effects.produce:
            topic = f"reads.{self._log}"
            self._producer.send(topic, record.partition, record.value, record.number)
            yield POINT
        for command in effects.commands:
            topic = f"{command.gateway}/cmd"
            self.site.mqtt.publish(self, topic, encode(command.command))

    def _find_log(self) -> Iterator[float]:
        """The ledger's log if it is whole and has the right partitions, else a new one."""
        ledger, kafka = self.site.ledger, self.site.kafka
        self._partitions = self.site.partitions
        current = ledger.current_log()
        damage: str | None = "there is none"
        if current is not None and current.partitions != self._partitions:
            damage = "another number of partitions is asked for"
        elif current is not None:
            positions = ledger.positions()
            yield POINT
            damage = log_damage(
                {each.partition: each.next_offset for each in positions},
                {each.partition: each.events_offset for each in positions},
                kafka.bounds(f"reads.{current.log}"),
                kafka.bounds(f"events.{current.log}"),
            )
            self._log = current.log
        if damage is None:
            return
        self._log = f"log{self.run}"
        for kind in ("reads", "events"):
            kafka.create(f"{kind}.{self._log}", self._partitions)
        yield POINT
        if not ledger.open_log(self.run, self._log, self._partitions, damage, self.world.now_us):
            raise EndedError("another bridge has taken over")
        self.world.seen["logs opened"] += 1
        self.world.tell(f"{self.name}: {self._log} opened, {self._partitions} partitions: {damage}")


class Worker(SiteProgram):
    """A worker: the partitions that the group gives it, each under an epoch."""

    role: ClassVar[str] = "worker"

    def main(self) -> Iterator[float]:
        site, world = self.site, self.world
        self._log = ""
        self._producer = Producer(site.kafka, self)
        self._held: dict[int, Partition] = {}
        self._watches: dict[int, CommitWatch] = {}
        judge_s = world.now
        while True:
            current = site.ledger.current_log()
            if current is None:
                yield 0.5
                continue
            if current.log != self._log:
                self._log, self._partitions = current.log, current.partitions
                self._held.clear()
                self._watches.clear()
            mine = site.group.poll(self, self._partitions)
            for number in [each for each in self._held if each not in mine]:
                del self._held[number], self._watches[number]
            for number in sorted(mine - self._held.keys()):
                yield from self._begin(number)
            for number in sorted(self._held):
                yield from self._work(number)
            if world.now >= judge_s:
                judge_s = world.now + LEDGER_S
                yield from self._judge()
            if self._producer.failure:
                raise EndedError(self._producer.failure)
            yield POLL_S

    def crash(self, why: str) -> None:
        self.site.group.leave(self)
        super().crash(why)

    def _begin(self, number: int) -> Iterator[float]:
        """Take a partition: epoch, then memory."""
        site, world = self.site, self.world
        taken = site.ledger.take_epoch(self._log, number, self.name)
        yield POINT
        if taken is None:
            return
        epoch, next_offset = taken
        world.seen["epochs taken"] += 1
        partition = site.cores.partition(
            log=self._log,
            partitions=self._partitions,
            partition=number,
            epoch=epoch,
            next_offset=next_offset,
            stages=site.make_stages(f"{self._log}/{number}/{epoch}"),
            snapshot_every_ticks=site.snapshot_every_ticks,
            chunk_bytes_max=site.chunk_bytes_max,
        )
        memory = site.ledger.memory()
        yield POINT
        partition.restore(memory, site.ledger.whereabouts(self._partitions, number))
        self._held[number] = partition
        watched = self._watches.setdefault(
            number, CommitWatch(stalled_after_s=WATCH_STALLED_AFTER_S)
        )
        watched.began(epoch, next_offset, world.now)

    def _work(self, number: int) -> Iterator[float]:
        """Take what lies in the log."""
        site, world = self.site, self.world
        partition = self._held[number]
        topic = f"events.{self._log}"
        records = site.kafka.fetch(f"reads.{self._log}", number, partition.next_offset, FETCH)
        for offset, raw in records:
            try:
                outputs = partition.take(offset, raw)
            except LogSkippedError as error:
                raise EndedError(str(error)) from error
            if world.chance(self.rates.stage_error):
                world.injected["a stage raised"] += 1
                raise EndedError("a stage raised")
            for output in outputs:
                self._producer.send(topic, number, encode(output))
                if output.tick is not None and not output.more:
                    self._watches[number].ticked(offset, world.now)
            if world.dice.random() < 0.2:
                yield POINT
        if partition.gaps:
            world.seen["ticks that withheld a spool"] += 1

    def _judge(self) -> Iterator[float]:
        positions = {each.partition: each for each in self.site.ledger.positions()}
        yield POINT
        for number in list(self._held):
            position = positions.get(number)
            if position is None or position.log != self._log:
                continue
            verdict = self._watches[number].judge(
                position.epoch, position.next_offset, self.world.now
            )
            if verdict is watch.Verdict.SUPERSEDED:
                raise EndedError(f"another worker has partition {number}")
            if verdict is watch.Verdict.STALLED:
                self.world.seen["partitions begun again, nothing was committed"] += 1
                del self._held[number]


class Sink(SiteProgram):
    """A sink: admission, commit, acknowledgements."""

    role: ClassVar[str] = "sink"

    def main(self) -> Iterator[float]:
        site, world = self.site, self.world
        yield from self.take_lease()
        site.mqtt.connect(self, lambda _: False)
        self._log = ""
        reload_s = republish_s = world.now
        while True:
            current = site.ledger.current_log()
            if current is None:
                yield 0.5
                continue
            if current.log != self._log:
                self._log, self._partitions = current.log, current.partitions
                positions = site.ledger.positions()
                yield POINT
                self._admission = site.cores.admission(positions, site.ledger.acknowledged())
                self._offsets = {each.partition: each.events_offset for each in positions}
                if len(positions) != self._partitions:
                    raise EndedError("another log was opened meanwhile")
            while self.inbox:
                self.inbox.popleft()
                republish_s = world.now
            if world.now >= republish_s:
                republish_s = world.now + REPUBLISH_S
                self._publish(site.ledger.acknowledged())
            for number in range(self._partitions):
                yield from self._read(number)
            yield from self._commit()
            if world.now >= reload_s and self._admission.reloads():
                reload_s = world.now + 1.0
                yield from self._reload()
            self.renew_lease()
            yield POLL_S

    def _read(self, number: int) -> Iterator[float]:
        for offset, raw in self.site.kafka.fetch(
            f"events.{self._log}", number, self._offsets[number], FETCH
        ):
            output = decode(Output, raw, source="sink", at_us=0)
            if isinstance(output, Output):
                verdict = self._admission.receive(output, offset)
                if verdict is not Verdict.ADMITTED:
                    self.world.seen[f"outputs {verdict.value}"] += 1
            self._offsets[number] = offset + 1
        yield POINT

    def _commit(self) -> Iterator[float]:
        plan = self._admission.ready()
        if plan is None:
            return
        yield POINT
        gateways: Mapping[str, int] = {}
        try:
            done = commit(
                self.site.ledger,
                plan,
                run=self.run,
                stages={},
                gateways=gateways,
                recorded_us=self.world.now_us,
            )
        except LeaseLostError as error:
            raise EndedError("another holds the lease") from error
        if done.refused:
            self.world.seen["commits refused"] += 1
            for number in done.refused:
                self._admission.refused(number)
            return
        self.world.seen["commits"] += 1
        self.site.books.committed(plan, self._partitions)
        yield POINT
        self._publish(self._admission.committed(plan))

    def _reload(self) -> Iterator[float]:
        positions = {each.partition: each for each in self.site.ledger.positions()}
        yield POINT
        for number in self._admission.reloads():
            position = positions.get(number)
            if position is not None and position.log == self._log:
                self._admission.reload(position)
                self._offsets[number] = position.events_offset

    def _publish(self, rows: Sequence[SpoolAcknowledged]) -> None:
        for gateway, spool, sequence in rows:
            told = encode(Acknowledgement(spool=spool, sequence=sequence))
            self.site.mqtt.publish(self, f"{gateway}/ack", told, retain=True)
