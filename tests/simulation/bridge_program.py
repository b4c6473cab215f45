"""A bridge: lease, log, MQTT, producer, and the real bridge core."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from contracts.codec import encode
from contracts.commands import BridgeRun
from stream_processors.core.bridge import Effects
from stream_processors.core.heal import Heal
from stream_processors.core.log_check import log_damage
from tests.simulation.fakes import PERSONS, Arrived, Connected, Producer
from tests.simulation.loop import POINT, EndedError, ViolationError
from tests.simulation.site import LEDGER_S, POLL_S, SiteProgram

TICK_S = 0.5
HEAL_AFTER_S = 2.0
STALLED_AFTER_S = 12.0


class BridgeProgram(SiteProgram):
    """A bridge: lease, log, MQTT, producer."""

    role: ClassVar[str] = "bridge"

    def main(self) -> Iterator[float]:
        """One run."""
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
        self._token, self._ledger_s, tick_s = 0, world.now, world.now
        self._persons: set[str] = set()
        while True:
            while self.inbox:
                yield from self._hear(self.inbox.popleft())
            if world.now >= tick_s:
                tick_s = world.now + TICK_S
                yield from self._do(bridge.tick(bridge_us=world.now_us))
            while producer.deliveries:
                bridge.delivered(*producer.deliveries.popleft())
            if world.now >= self._ledger_s:
                self._ledger_s = world.now + LEDGER_S
                yield from self._ask_ledger()
                yield from self._ask_persons()
            if bridge.restart or producer.failure:
                raise EndedError(bridge.restart or producer.failure)
            if site.partitions != self._partitions:
                raise EndedError("another number of partitions is asked for")
            self.renew_lease()
            yield POLL_S

    def _hear(self, message: object) -> Iterator[float]:
        site, world = self.site, self.world
        if isinstance(message, Connected):
            told = encode(BridgeRun(run=self.run, log=self._log))
            site.mqtt.publish(self, "bridge", told, retain=True)
        elif isinstance(message, Arrived):
            self._token += 1
            effects = self._bridge.receive(
                message.topic.partition("/")[0],
                message.payload,
                self._token,
                bridge_us=world.now_us,
                now_s=world.now,
            )
            yield from self._do(effects)
            if effects.ask_ledger:
                self._ledger_s = world.now

    def _ask_ledger(self) -> Iterator[float]:
        ticket = self._bridge.ticket
        positions = self.site.ledger.positions()
        yield POINT
        effects = self._bridge.take_ledger(
            ticket,
            self.site.ledger.acknowledged(),
            next_offsets={each.partition: each.next_offset for each in positions},
            now_s=self.world.now,
        )
        yield from self._do(effects)

    def _ask_persons(self) -> Iterator[float]:
        told = self.site.persons.pseudonyms_of(sorted(self._persons)) if self._persons else None
        if told is None:
            return
        yield POINT
        self.world.seen["pseudonyms told"] += len(told)
        self._persons.clear()
        yield from self._do(self._bridge.take_persons(told, now_s=self.world.now))

    def _do(self, effects: Effects) -> Iterator[float]:
        self._persons |= effects.ask_persons
        for record in effects.produce:
            named = next((one for one in PERSONS if one.encode() in record.value), None)
            if named is not None:
                raise ViolationError(f"a record names {named}")
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
