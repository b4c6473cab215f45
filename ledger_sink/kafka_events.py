"""Reads topic `events` of one log: assigned by hand, from where the ledger says; no group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from contracts.codec import MESSAGE_BYTES_MAX
from contracts.topics import kafka_topic
from ledger_sink.ledger import Position

RECORDS_MAX = 500
"""Read at once: a commit follows soon."""
FETCH_BYTES_MAX = 4 * MESSAGE_BYTES_MAX
"""Read ahead per partition; a backlog stays in Kafka, not in our memory."""
QUEUE_KILOBYTES_MAX = 32_768
"""All partitions together."""


class EventRecord(NamedTuple):
    """A record of topic `events`."""

    partition: int
    """Where it lies."""
    offset: int
    """Its offset there."""
    value: bytes
    """An encoded `Output`, or so one hopes."""
    wall_us: int
    """When it was written, by the writer's clock, in wall time; 0 where nobody says."""


class KafkaEvents:
    """One log's events. After `broken` is not None, make a new one."""

    def __init__(self, kafka: str, site: str, positions: Sequence[Position]) -> None:
        self._topic = kafka_topic(site, "events", positions[0].log)
        self.broken: str | None = None
        """What the broker says, where reading cannot go on by itself."""
        self._consumer = Consumer(
            {
                "bootstrap.servers": kafka,
                "group.id": f"tallygate-sink-{site}",
                "enable.auto.commit": False,
                # Outputs that the ledger has are ignored, so too early is never wrong.
                "auto.offset.reset": "earliest",
                "reconnect.backoff.max.ms": 1000,
                "fetch.wait.max.ms": 20,
                "fetch.error.backoff.ms": 50,
                "max.partition.fetch.bytes": FETCH_BYTES_MAX,
                "queued.max.messages.kbytes": QUEUE_KILOBYTES_MAX,
                "log_level": 0,
                "error_cb": _ignore,
            }
        )
        self._consumer.assign(
            [
                TopicPartition(self._topic, position.partition, position.events_offset)
                for position in positions
            ]
        )

    def poll(self, seconds: float) -> list[EventRecord]:
        """What is there, waiting at most so long for the first."""
        # One call for many would wait until it has many.
        first = self._consumer.poll(seconds)
        if first is None:
            return []
        records: list[EventRecord] = []
        for message in [first, *self._consumer.consume(RECORDS_MAX - 1, 0.0)]:
            error = message.error()
            if error is not None:
                self.broken = str(error)
            else:
                records.append(_record(message))
        return records

    def seek(self, position: Position) -> None:
        """Read a partition on from the position's events offset."""
        # A seek fails while the partition's offset is still being looked up; assigning does not.
        self._consumer.incremental_unassign([TopicPartition(self._topic, position.partition)])
        self._consumer.incremental_assign(
            [TopicPartition(self._topic, position.partition, position.events_offset)]
        )

    def close(self) -> None:
        """Let the connections go."""
        self._consumer.close()


def _record(message: Message) -> EventRecord:
    _, milliseconds = message.timestamp()
    value: Any = message.value()
    return EventRecord(
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        value=value or b"",
        wall_us=max(0, milliseconds) * 1000,
    )


def _ignore(_: KafkaError) -> None:
    """Errors of connections heal by themselves; those of partitions come with the messages."""
