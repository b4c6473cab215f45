"""Read me first: the bridge, from MQTT to the log in Kafka.

One run, from top to bottom:

1. take the lease `bridge` (its number is the run's);
2. make sure of the log: go on with the current one, or open a new one where that is damaged,
   missing, of another number of partitions, or to be left on request;
3. write the reference data to the log's topic `reference`;
4. subscribe to all gateways' reads, tell the run (retained), and from then on move messages: what
   is accepted, what is asked for again and what a tick says is decided in `core.bridge`;
5. end when asked (SIGTERM), when the run must end (a reason in words, exit code 75: start again),
   or, asked by SIGUSR1 for a new log, drain the old log and begin at 1.

A second thread renews the lease, a third asks the ledger, paho's reads the network. Only the main
thread decides, and it alone touches the producer.
"""

from __future__ import annotations

import queue
import secrets
import signal
import time
from functools import partial
from types import FrameType
from typing import Any

from confluent_kafka import KafkaError, Message

from contracts.codec import encode
from contracts.commands import BridgeRun
from contracts.named_points import reached
from contracts.topics import kafka_topic, mqtt_bridge_topic, mqtt_topic
from stream_processors.core.bridge import Bridge, Effects
from stream_processors.core.log_check import log_damage
from stream_processors.io import journal
from stream_processors.io.kafka_log import LogTopics, producer
from stream_processors.io.lease import Lease, take_lease
from stream_processors.io.ledger import LedgerConnection
from stream_processors.io.ledger_watch import (
    LedgerAnswer,
    LedgerWatch,
    PersonsAnswer,
    ReferenceRows,
)
from stream_processors.io.mqtt_inbox import Arrived, MqttInbox, Subscribed
from stream_processors.io.reference import publish
from stream_processors.settings import RESTART, Settings, StreamError

TICK_SECONDS = 0.2
"""Latency waits on ticks; every partition pays a record for each."""
INBOX_MAX = 500
"""Messages that wait for the main thread; more wait in the network."""
UNDELIVERED_MAX = 2_000
"""Records that Kafka has not acknowledged; above this no more messages are taken."""
MESSAGES_AT_ONCE = 50
"""Messages taken before the clock and Kafka are looked at again."""
WAIT_SECONDS = 0.005
"""Longest wait for a message while Kafka owes us acknowledgements; they end waits of others."""
IDLE_SECONDS = 0.02
"""Longest wait otherwise; a tick is late by this much at most."""
DRAIN_SECONDS_MAX = 30.0
"""A log that shall be left is given up undrained after this: what it held is sent again."""
FLUSH_SECONDS_MAX = 5.0
"""At the end, for what Kafka has not acknowledged; what it does not get is sent again."""
OLD_LOG_SECONDS = 30.0
"""After this, nobody reads the logs before the current one any more: they are removed."""


class Signals:
    """What the outside asks for."""

    def __init__(self) -> None:
        self.stop = False
        """SIGTERM or SIGINT came."""
        self.new_log = False
        """SIGUSR1 came: leave this log for a new one."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGUSR1, self._leave)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stop = True

    def _leave(self, _number: int, _frame: FrameType | None) -> None:
        self.new_log = True


def run_bridge(settings: Settings) -> int:
    """Run after run until asked to stop; gives the exit code. Raises StreamError."""
    signals = Signals()
    reason: str | None = None
    while True:
        lease = take_lease(settings, "bridge", lambda: signals.stop)
        if lease is None:
            return 0
        try:
            run = _Run(settings, signals, lease, reason)
            why = run.serve()
        finally:
            lease.release()
        if signals.stop:
            journal.write("the bridge stopped", run=lease.run)
            return 0
        if why is not None:
            journal.write("this run of the bridge must end", run=lease.run, reason=why)
            return RESTART
        signals.new_log = False
        reason = "a new log was asked for"


def sound_log(
    settings: Settings, ledger: LedgerConnection, run: int, topics: LogTopics, reason: str | None
) -> str:
    """The current log, or a new one where that cannot be gone on with. Raises StreamError."""
    current = ledger.current_log()
    if current is None:
        reason = reason or "the first log"
    elif current.partitions != settings.partitions:
        reason = reason or f"{settings.partitions} partitions instead of {current.partitions}"
    else:
        positions = ledger.positions()
        reason = reason or log_damage(
            {each.partition: each.next_offset for each in positions},
            {each.partition: each.events_offset for each in positions},
            topics.bounds(current.log, "reads"),
            topics.bounds(current.log, "events"),
        )
    if current is not None and reason is None:
        topics.create(current.log, current.partitions)
        return current.log
    log = f"r{run}-{secrets.token_hex(4)}"
    # Topics first: whoever finds the log in the ledger finds its topics in Kafka.
    topics.create(log, settings.partitions)
    if not ledger.open_log(run, log, settings.partitions, reason or "", settings.domain_us()):
        raise StreamError("another bridge took the lease while this one opened a log")
    journal.write("a new log was opened", log=log, partitions=settings.partitions, reason=reason)
    return log


def remove_old_logs(settings: Settings, topics: LogTopics, log: str) -> list[str]:
    """Remove the topics of the logs before `log`; gives their names. Raises StreamError.

    Only where the ledger still names it: a bridge that was stopped and goes on would otherwise
    remove what its successor writes to.
    """
    ledger = LedgerConnection(settings.postgres_url, settings.site, "ledger_bridge")
    try:
        current = ledger.current_log()
    finally:
        ledger.close()
    if current is None or current.log != log:
        return []
    return topics.remove_all_but(log)


class _Run:
    """One run: a lease, a log, a producer, an MQTT connection and the core that decides."""

    def __init__(
        self, settings: Settings, signals: Signals, lease: Lease, reason: str | None
    ) -> None:
        self._settings = settings
        self._signals = signals
        self._lease = lease
        self._topics = LogTopics(settings.kafka, settings.site)
        ledger = LedgerConnection(settings.postgres_url, settings.site, "ledger_bridge")
        self._log = sound_log(settings, ledger, lease.run, self._topics, reason)
        self._reads = kafka_topic(settings.site, "reads", self._log)
        self._reference = kafka_topic(settings.site, "reference", self._log)
        self._producer = producer(settings.kafka, compression="none")
        self._failure: str | None = None
        rows = ledger.reference(0)
        publish(self._producer, self._reference, rows)
        self._producer.flush(FLUSH_SECONDS_MAX)
        self._core = Bridge(
            run=lease.run,
            log=self._log,
            partitions=settings.partitions,
            acknowledged=ledger.acknowledged(),
            now_s=time.monotonic(),
        )
        ledger.close()
        self._inbox: queue.Queue[Any] = queue.Queue(INBOX_MAX)
        self._watch = LedgerWatch(settings, self._inbox, rows[-1].ordinal if rows else 0)
        self._mqtt = MqttInbox(settings, lease.run, self._inbox)
        self._ends: dict[int, int] = {}
        self._next_offsets: dict[int, int] = {}
        self._drain_until_s: float | None = None
        self._fence: dict[int, int] | None = None
        journal.write("the bridge runs", run=lease.run, log=self._log, reference=len(rows))

    def serve(self) -> str | None:
        """Move messages until the run ends; gives the reason, None where the outside asked."""
        next_tick_s = time.monotonic()
        old_logs_s = time.monotonic() + OLD_LOG_SECONDS
        try:
            while True:
                now_s = time.monotonic()
                if now_s >= next_tick_s:
                    # A process that was stopped does not make up for the ticks it missed.
                    next_tick_s = max(next_tick_s + TICK_SECONDS, now_s)
                    reached("before_tick")
                    # The first record of a run tells what time it is.
                    self._do(self._core.tick(bridge_us=self._settings.domain_us()))
                self._take_messages()
                self._producer.poll(0)
                if now_s >= old_logs_s:
                    old_logs_s = float("inf")
                    self._remove_old_logs()
                why = self._failure or self._core.restart
                if why is not None or self._signals.stop:
                    return why
                if self._signals.new_log and self._is_drained(now_s):
                    return None
        finally:
            self._watch.close()
            self._mqtt.close()
            self._producer.flush(0 if self._failure else FLUSH_SECONDS_MAX)

    def _take_messages(self) -> None:
        """What came from MQTT and the ledger; waits a little where nothing did."""
        wait_s = WAIT_SECONDS if self._core.undelivered else IDLE_SECONDS
        for _ in range(MESSAGES_AT_ONCE):
            if self._core.undelivered > UNDELIVERED_MAX:
                self._producer.poll(WAIT_SECONDS)
                return
            try:
                item = self._inbox.get(timeout=wait_s) if wait_s else self._inbox.get_nowait()
            except queue.Empty:
                return
            wait_s = 0.0
            self._take(item)

    def _take(
        self, item: Arrived | Subscribed | LedgerAnswer | ReferenceRows | PersonsAnswer
    ) -> None:
        if isinstance(item, Arrived):
            if self._drain_until_s is not None:
                # The next run asks for it again.
                return
            self._do(
                self._core.receive(
                    item.gateway,
                    item.payload,
                    item.token,
                    bridge_us=self._settings.domain_us(),
                    now_s=time.monotonic(),
                )
            )
        elif isinstance(item, Subscribed):
            told = encode(BridgeRun(run=self._lease.run, log=self._log))
            self._mqtt.publish(mqtt_bridge_topic(self._settings.site), told, retain=True)
        elif isinstance(item, LedgerAnswer):
            if item.log != self._log:
                self._failure = f"the ledger's log is {item.log} now, not {self._log}"
                return
            self._next_offsets = item.next_offsets
            self._do(
                self._core.take_ledger(
                    item.ticket,
                    item.acknowledged,
                    next_offsets=item.next_offsets,
                    now_s=time.monotonic(),
                )
            )
        elif isinstance(item, PersonsAnswer):
            self._do(self._core.take_persons(item.told, now_s=time.monotonic()))
        else:
            publish(self._producer, self._reference, item.rows)

    def _do(self, effects: Effects) -> None:
        """Carry out what the core decided."""
        if effects.produce:
            reached("before_produce")
        for record in effects.produce:
            self._producer.produce(
                self._reads,
                record.value,
                partition=record.partition,
                on_delivery=partial(self._delivered, record.number),
            )
        for gateway, command in effects.commands:
            self._mqtt.publish(mqtt_topic(self._settings.site, gateway, "cmd"), encode(command))
        for token in effects.done:
            self._mqtt.acknowledge(token)
        if effects.ask_ledger:
            self._watch.ask(self._core.ticket)
        if effects.ask_persons:
            self._watch.ask_persons(effects.ask_persons)

    def _delivered(self, number: int, error: KafkaError | None, message: Message) -> None:
        """Kafka's answer to one record; called by the producer's `poll`."""
        if error is not None:
            self._failure = self._failure or f"Kafka refused a record of log {self._log}: {error}"
            return
        offset, partition = message.offset(), message.partition()
        assert offset is not None, "acks=all tells the offset"
        assert partition is not None, "acks=all tells the partition"
        self._ends[partition] = max(self._ends.get(partition, 0), offset)
        done = self._core.delivered(number, offset)
        if done:
            reached("after_produce")
        for token in done:
            self._mqtt.acknowledge(token)

    def _is_drained(self, now_s: float) -> bool:
        """Whether the ledger has all that was in the log when the log was to be left."""
        if self._drain_until_s is None:
            journal.write("this log is left for a new one once the ledger has it", log=self._log)
            self._drain_until_s = now_s + DRAIN_SECONDS_MAX
        if self._fence is None and not self._core.undelivered:
            self._fence = dict(self._ends)
        if self._fence is not None and all(
            self._next_offsets.get(partition, 0) > end for partition, end in self._fence.items()
        ):
            return True
        return now_s >= self._drain_until_s

    def _remove_old_logs(self) -> None:
        try:
            removed = remove_old_logs(self._settings, self._topics, self._log)
        except StreamError as error:
            journal.write("old logs could not be removed", reason=str(error))
            return
        if removed:
            journal.write("topics of old logs were removed", topics=" ".join(removed))
