"""The log's topics in Kafka: made, looked at, removed; and the producer that writes to them.

Tried with the embedded broker: naming a topic in a metadata request *makes* it, so topics are
looked for in the full list only; and its "latest offset" is the last batch's base plus one, so
the true end is found by reading up to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from contracts.topics import kafka_topic
from stream_processors.core.log_check import Bounds
from stream_processors.settings import StreamError

ANSWER_SECONDS_MAX = 20.0
"""A broker that does not answer a question for so long is down; the supervisor tries again."""
RECORD_BYTES_MAX = 4_000_000
"""Largest record: a part of the largest batch, or a tick's output with a snapshot of memory."""
FOLLOW_SECONDS_MAX = 1.0
"""How long a partition's end is followed where it moves."""
LINGER_MS = 2
"""Records that come together travel together; a tick waits no longer than this."""
RETENTION_MS = -1
"""The log is needed until the ledger has it, however long that takes; old logs are removed."""

Delivered = Callable[[KafkaError | None, Message], None]


class KafkaDownError(StreamError):
    """Kafka does not answer: see that a broker runs at TALLYGATE_KAFKA."""


def producer(kafka: str, *, compression: str) -> Producer:
    """A producer that keeps the order within each partition and never gives a record up.

    `compression` is what the topic's readers know: librdkafka knows all kinds, aiokafka without
    further packages none but gzip, which costs more than it saves.

    One request is under way at a time, which keeps the order on any broker, the embedded one
    included. A record may be written twice after a lost answer: the protocol takes that.
    """
    return Producer(
        {
            "bootstrap.servers": kafka,
            "acks": "all",
            "max.in.flight": 1,
            "message.timeout.ms": 0,
            "message.max.bytes": RECORD_BYTES_MAX,
            "linger.ms": LINGER_MS,
            "compression.type": compression,
            "reconnect.backoff.max.ms": 1000,
            "topic.metadata.propagation.max.ms": 5000,
            "log_level": 0,
            "error_cb": _ignore,
        }
    )


def consumer(kafka: str, **more: str | int | bool) -> Consumer:
    """A consumer of assigned partitions; it joins no group and commits nothing."""
    return Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "tallygate-unused",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "reconnect.backoff.max.ms": 1000,
            "message.max.bytes": RECORD_BYTES_MAX,
            "log_level": 0,
            "error_cb": _ignore,
            **more,
        }
    )


def _ignore(_: KafkaError) -> None:
    """Errors of connections heal by themselves or show where somebody waits for an answer."""


class LogTopics:
    """Topics of one site's logs."""

    def __init__(self, kafka: str, site: str) -> None:
        self._kafka = kafka
        self._site = site
        self._admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0, "error_cb": _ignore})

    def existing(self) -> dict[str, int]:
        """All topics of the site, with their number of partitions."""
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while True:
            try:
                found = self._admin.list_topics(timeout=2.0).topics
            except KafkaException as error:
                if time.monotonic() > deadline:
                    raise KafkaDownError(
                        f"Kafka at {self._kafka} does not answer: {error}"
                    ) from error
                continue
            prefix = kafka_topic(self._site, "", "")[:-1]
            return {
                name: len(topic.partitions)
                for name, topic in found.items()
                if name.startswith(prefix)
            }

    def create(self, log: str, partitions: int) -> None:
        """Make a log's topics, those that are there already excepted."""
        config = {"retention.ms": str(RETENTION_MS), "max.message.bytes": str(RECORD_BYTES_MAX)}
        topics = [
            NewTopic(kafka_topic(self._site, "reads", log), partitions, config=config),
            NewTopic(kafka_topic(self._site, "events", log), partitions, config=config),
            NewTopic(
                kafka_topic(self._site, "reference", log), 1, config={"cleanup.policy": "compact"}
            ),
        ]
        for name, made in self._admin.create_topics(
            topics, operation_timeout=ANSWER_SECONDS_MAX, request_timeout=ANSWER_SECONDS_MAX
        ).items():
            try:
                made.result(ANSWER_SECONDS_MAX)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise KafkaDownError(f"Kafka cannot make topic {name}: {error}") from error

    def remove_all_but(self, log: str) -> list[str]:
        """Remove the topics of other logs; gives their names. What fails is tried another time."""
        keep = {kafka_topic(self._site, kind, log) for kind in ("reads", "events", "reference")}
        old = [name for name in self.existing() if name not in keep]
        if not old:
            return []
        answers = self._admin.delete_topics(old).items()
        return [name for name, gone in answers if gone.exception(ANSWER_SECONDS_MAX) is None]

    def bounds(self, log: str, kind: str) -> dict[int, Bounds]:
        """What each partition of a log's topic holds; nothing where the topic is missing."""
        topic = kafka_topic(self._site, kind, log)
        partitions = self.existing().get(topic, 0)
        if not partitions:
            return {}
        try:
            return bounds_of(self._kafka, topic, partitions)
        except KafkaException as error:
            raise KafkaDownError(f"Kafka at {self._kafka} does not answer: {error}") from error


def bounds_of(kafka: str, topic: str, partitions: int) -> dict[int, Bounds]:
    """First and end of each partition; the ends by reading up to them. Raises KafkaException."""
    reader = consumer(kafka, **{"enable.partition.eof": True, "fetch.wait.max.ms": 20})
    try:
        found = {}
        for each in range(partitions):
            marks = reader.get_watermark_offsets(
                TopicPartition(topic, each), timeout=ANSWER_SECONDS_MAX
            )
            found[each] = Bounds(*marks)
        filled = {each: one for each, one in found.items() if one.end > one.first}
        reader.assign([TopicPartition(topic, each, one.end - 1) for each, one in filled.items()])
        return found | _followed(reader, filled)
    finally:
        reader.close()


def _followed(reader: Consumer, bounds: Mapping[int, Bounds]) -> dict[int, Bounds]:
    """The bounds with the ends where reading ended."""
    found = dict(bounds)
    unread, moving = set(bounds), set(bounds)
    began = time.monotonic()
    while moving and (unread or time.monotonic() < began + FOLLOW_SECONDS_MAX):
        if time.monotonic() > began + ANSWER_SECONDS_MAX:
            raise KafkaDownError(f"Kafka does not tell where partitions {sorted(unread)} end")
        message: Any = reader.poll(FOLLOW_SECONDS_MAX)
        if message is None:
            continue
        partition, error = message.partition(), message.error()
        end = message.offset()
        if error is None:
            end += 1
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name.
            moving.discard(partition)
        else:
            raise KafkaException(error)
        unread.discard(partition)
        found[partition] = found[partition]._replace(end=max(found[partition].end, end))
    # What still moves has a writer: the batch that hid its end was passed long ago.
    return found
