"""Master data for the stages: all of it from the ledger at first, then as the topic tells."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from confluent_kafka import OFFSET_BEGINNING, Producer, TopicPartition

from contracts.codec import decode
from contracts.places import ReferenceChange
from contracts.reads import Reject
from contracts.topics import kafka_topic
from stream_processors.io import journal
from stream_processors.io.kafka_log import ANSWER_SECONDS_MAX, KafkaDownError, consumer
from stream_processors.io.ledger import ReferenceRow

BATCH_MAX = 500
"""Changes taken at once from the topic."""
ROOM_SECONDS = 0.05
"""Between two tries to hand a change to a producer that is full."""
POLL_SECONDS = 0.5
"""How soon the thread notices that it shall end."""

Apply = Callable[[list[ReferenceChange]], None]


def publish(producer: Producer, topic: str, rows: list[ReferenceRow]) -> None:
    """Write rows of the ledger to the topic; the newest version of a key wins there too.

    There may be more than the producer holds, then this waits. Raises KafkaDownError.
    """
    for row in rows:
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while True:
            try:
                producer.produce(topic, row.change, key=row.key, partition=0)
            except BufferError as error:
                if time.monotonic() > deadline:
                    raise KafkaDownError("Kafka takes no reference data") from error
                producer.poll(ROOM_SECONDS)
            else:
                break


def changes_in(raws: list[bytes]) -> list[ReferenceChange]:
    """The changes in what the ledger or the topic holds; what is none is told and left out."""
    changes = []
    for raw in raws:
        change = decode(ReferenceChange, raw, source="reference", at_us=0)
        if isinstance(change, Reject):
            journal.write("a reference change cannot be used", reason=change.reason)
        else:
            changes.append(change)
    return changes


class ReferenceFollower:
    """Reads the topic `reference` from its beginning and on, in a thread."""

    def __init__(self, kafka: str, site: str, log: str, apply: Apply) -> None:
        """`apply` is called in the thread."""
        self._apply = apply
        self._closed = threading.Event()
        self._consumer = consumer(kafka, **{"fetch.wait.max.ms": 200})
        self._consumer.assign(
            [TopicPartition(kafka_topic(site, "reference", log), 0, OFFSET_BEGINNING)]
        )
        self._thread = threading.Thread(target=self._run, name="reference", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        self._thread.join()
        self._consumer.close()

    def _run(self) -> None:
        while not self._closed.is_set():
            messages = self._consumer.consume(BATCH_MAX, POLL_SECONDS)
            raws = [each.value() for each in messages if each.error() is None]
            changes = changes_in([raw for raw in raws if raw is not None])
            if changes:
                self._apply(changes)
