"""Servers that misbehave: an MQTT broker and a Kafka, with the group that shares partitions."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from stream_processors.core.log_check import Bounds
from tests.simulation.loop import EndedError, Program, World

AWAY = 0.3
"""How often the ledger does not answer who somebody is."""
SESSION_S = 3.0
"""A group's member that was not heard for so long loses its partitions."""


PERSONS = ("person-1", "person-2", "person-3")
"""Who scans by hand."""


class FakePersons:
    """The ledger's pseudonyms; now and then it cannot be asked."""

    def __init__(self, world: World) -> None:
        self._world = world

    def pseudonyms_of(self, persons: Iterable[str]) -> dict[str, str] | None:
        """By person; None: nobody answers."""
        if not self._world.calm and self._world.dice.random() < AWAY:
            self._world.injected["ledger away for pseudonyms"] += 1
            return None
        return {
            person: "p-" + hashlib.sha256(person.encode()).hexdigest()[:32] for person in persons
        }


class Connected(NamedTuple):
    """A connection to the MQTT broker was made."""


class Arrived(NamedTuple):
    """A message came."""

    topic: str
    payload: bytes


@dataclass(slots=True)
class MqttFaults:
    """Probabilities, each for one message."""

    lost: float = 0.0
    repeated: float = 0.0
    delayed: float = 0.0


@dataclass(slots=True)
class _Client:
    wants: Callable[[str], bool]
    incarnation: int
    last_s: float = 0.0


class FakeMqtt:
    """A broker that keeps everything in memory, and that badly."""

    def __init__(self, world: World, faults: MqttFaults) -> None:
        self._world = world
        self._faults = faults
        self._retained: dict[str, bytes] = {}
        self._clients: dict[Program, _Client] = {}

    def connect(self, program: Program, wants: Callable[[str], bool]) -> None:
        """Begin a clean session; an older connection of the program is gone."""
        client = _Client(wants, program.incarnation)
        self._clients[program] = client
        program.inbox.append(Connected())
        for topic, payload in self._retained.items():
            if wants(topic):
                self._deliver(program, client, topic, payload)

    def publish(
        self, program: Program, topic: str, payload: bytes, *, retain: bool = False
    ) -> None:
        """Send to everybody who wants it, or not."""
        if program not in self._clients:
            return
        if self._world.chance(self._faults.lost):
            self._world.injected["mqtt message lost"] += 1
            return
        if retain:
            self._retained[topic] = payload
        for receiver, client in self._clients.items():
            if client.wants(topic):
                self._deliver(receiver, client, topic, payload)

    def restart(self) -> None:
        """Forget everything, retained messages and sessions among it."""
        self._world.injected["mqtt broker restarted empty"] += 1
        self._world.tell("mqtt broker restarted empty")
        self._retained.clear()
        clients, self._clients = self._clients, {}
        for program, client in clients.items():
            self._world.after(
                self._world.dice.uniform(0.1, 2.0), partial(self._return, program, client)
            )

    def _return(self, program: Program, client: _Client) -> None:
        if program.incarnation == client.incarnation and program not in self._clients:
            self.connect(program, client.wants)

    def _deliver(self, program: Program, client: _Client, topic: str, payload: bytes) -> None:
        world = self._world
        copies = 1
        if world.chance(self._faults.repeated):
            world.injected["mqtt message repeated"] += 1
            copies = 2
        for _ in range(copies):
            wait_s = max(client.last_s - world.now, world.dice.uniform(0.002, 0.02))
            if world.chance(self._faults.delayed):
                world.injected["mqtt message delayed past others"] += 1
                wait_s += world.dice.uniform(0.1, 4.0)
            else:
                client.last_s = world.now + wait_s

            def arrive() -> None:
                if self._clients.get(program) is client and client.incarnation == (
                    program.incarnation
                ):
                    program.inbox.append(Arrived(topic, payload))

            world.after(wait_s, arrive)


@dataclass(slots=True)
class KafkaFaults:
    """Probabilities, each for one request."""

    repeated: float = 0.0
    delayed: float = 0.0


@dataclass(slots=True)
class _Log:
    """One partition of a topic."""

    first: int = 0
    records: list[bytes] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.first + len(self.records)


class FakeKafka:
    """Topics in memory; they may vanish, shrink or begin anew under the same name."""

    def __init__(self, world: World, faults: KafkaFaults) -> None:
        self.world = world
        self.faults = faults
        self.up_again_s = 0.0
        self._topics: dict[str, list[_Log]] = {}

    def create(self, topic: str, partitions: int) -> None:
        """Make a topic unless it is there."""
        self._topics.setdefault(topic, [_Log() for _ in range(partitions)])

    def bounds(self, topic: str) -> dict[int, Bounds]:
        """What each partition holds."""
        return {
            number: Bounds(log.first, log.end)
            for number, log in enumerate(self._topics.get(topic, []))
        }

    def append(self, topic: str, partition: int, value: bytes) -> int | None:
        """Its offset, or None where there is no such partition."""
        logs = self._topics.get(topic, [])
        if partition >= len(logs):
            return None
        logs[partition].records.append(value)
        return logs[partition].end - 1

    def fetch(self, topic: str, partition: int, offset: int, limit: int) -> list[tuple[int, bytes]]:
        """Records from an offset on. Ends the program where there is no such offset."""
        if self.world.now < self.up_again_s:
            return []
        logs = self._topics.get(topic, [])
        if partition >= len(logs):
            raise EndedError(f"{topic} has no partition {partition}")
        log = logs[partition]
        if not log.first <= offset <= log.end:
            raise EndedError(f"{topic}/{partition} has no offset {offset}")
        start = offset - log.first
        return [
            (offset + place, value)
            for place, value in enumerate(log.records[start : start + limit])
        ]

    def hurt(self, kind: str) -> None:
        """Damage: `emptied`, `deleted`, `cut` (the newest records) or `expired` (the oldest)."""
        self.world.injected[f"kafka topics {kind}"] += 1
        self.world.tell(f"kafka topics {kind}")
        dice = self.world.dice
        if kind == "deleted":
            self._topics.clear()
            return
        only_one = kind == "cut" and dice.random() < 0.5
        names = [dice.choice(sorted(self._topics))] if only_one and self._topics else self._topics
        for name in names:
            for log in self._topics[name]:
                if kind == "emptied":
                    log.first, log.records = 0, []
                elif kind == "cut":
                    del log.records[max(0, len(log.records) - dice.randrange(1, 30)) :]
                else:
                    gone = dice.randrange(len(log.records) + 1)
                    log.first += gone
                    del log.records[:gone]


class Delivery(NamedTuple):
    """Kafka acknowledged a record."""

    number: int
    offset: int


@dataclass(slots=True)
class _Lane:
    """What a producer has for one partition: one request under way at a time."""

    waiting: deque[tuple[int, bytes]] = field(default_factory=deque)
    is_under_way: bool = False


class Producer:
    """A producer that keeps the order, sends again when in doubt, and may so send twice."""

    REQUEST_RECORDS_MAX = 16

    def __init__(self, kafka: FakeKafka, program: Program) -> None:
        self._kafka = kafka
        self._program = program
        self._incarnation = program.incarnation
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self.deliveries: deque[Delivery] = deque()
        self.failure = ""
        """Why a record cannot be sent: the program must end."""

    def send(self, topic: str, partition: int, value: bytes, number: int = 0) -> None:
        """Send a record some time."""
        if self.failure:
            raise EndedError(self.failure)
        lane = self._lanes.setdefault((topic, partition), _Lane())
        lane.waiting.append((number, value))
        self._pump(topic, partition, lane)

    def _pump(self, topic: str, partition: int, lane: _Lane) -> None:
        world = self._kafka.world
        if lane.is_under_way or not lane.waiting or self._is_gone():
            return
        if self._program.is_paused:
            wait_s = self._program.paused_until - world.now
            world.after(wait_s, lambda: self._pump(topic, partition, lane))
            return
        count = min(len(lane.waiting), self.REQUEST_RECORDS_MAX)
        request = [lane.waiting.popleft() for _ in range(count)]
        lane.is_under_way = True
        wait_s = world.dice.uniform(0.002, 0.03)
        if world.chance(self._kafka.faults.delayed):
            world.injected["kafka request delayed"] += 1
            wait_s += world.dice.uniform(0.1, 6.0)
        world.after(wait_s, lambda: self._land(topic, partition, lane, request))

    def _land(
        self, topic: str, partition: int, lane: _Lane, request: list[tuple[int, bytes]]
    ) -> None:
        """The request reaches Kafka, whatever became of its sender."""
        kafka, world = self._kafka, self._kafka.world
        if world.now < kafka.up_again_s:
            wait_s = kafka.up_again_s - world.now + 0.05
            world.after(wait_s, lambda: self._land(topic, partition, lane, request))
            return
        offsets = [kafka.append(topic, partition, value) for _, value in request]
        if world.chance(kafka.faults.repeated):
            world.injected["kafka records written twice"] += len(request)
            offsets = [kafka.append(topic, partition, value) for _, value in request]

        def answer() -> None:
            lane.is_under_way = False
            for (number, _), offset in zip(request, offsets, strict=True):
                if offset is None:
                    self.failure = f"{topic} is missing"
                else:
                    self.deliveries.append(Delivery(number, offset))
            if not self.failure:
                self._pump(topic, partition, lane)

        world.after(world.dice.uniform(0.001, 0.01), answer)

    def _is_gone(self) -> bool:
        return self._program.incarnation != self._incarnation


class Group:
    """Shares partitions among workers, and tells some of them late that they lost theirs."""

    def __init__(self, world: World, *, stale_rate: float) -> None:
        self._world = world
        self._stale_rate = stale_rate
        self._heard: dict[Program, float] = {}
        self._given: dict[Program, frozenset[int]] = {}
        self._stale_until: dict[Program, float] = {}

    def leave(self, program: Program) -> None:
        """A member ended."""
        self._heard.pop(program, None)
        self._given.pop(program, None)
        self._stale_until.pop(program, None)

    def poll(self, program: Program, partitions: int) -> frozenset[int]:
        """A member is alive: which partitions are its own?"""
        world = self._world
        self._heard[program] = world.now
        if self._stale_until.get(program, 0.0) > world.now:
            return self._given[program]
        if self._given.get(program) and world.chance(self._stale_rate):
            world.injected["worker told late that it lost partitions"] += 1
            self._stale_until[program] = world.now + world.dice.uniform(1.0, 6.0)
            return self._given[program]
        live = sorted(
            (each for each, at in self._heard.items() if world.now - at < SESSION_S),
            key=lambda each: each.name,
        )
        mine = frozenset(
            number for number in range(partitions) if live[number % len(live)] is program
        )
        self._given[program] = mine
        return mine
