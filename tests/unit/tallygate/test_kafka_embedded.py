"""How the embedded Kafka broker differs from Apache Kafka: the protocol leans on each of these.

Should one of them fail after an upgrade, the broker has become better, and a guard may go.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tallygate.servers.kafka_embedded import EmbeddedKafka
from tests.support.round_trips import SECONDS_MAX, create_topic, end_offset, produce, topics


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[EmbeddedKafka]:
    with EmbeddedKafka(tmp_path) as server:
        yield server


def producer_of(kafka: EmbeddedKafka) -> Producer:
    return Producer(
        {
            "bootstrap.servers": kafka.url,
            "acks": "all",
            "message.max.bytes": 4_000_000,
            "reconnect.backoff.max.ms": 200,
            "log_level": 0,
        }
    )


def consumer_of(kafka: EmbeddedKafka, **settings: int) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": kafka.url,
            "group.id": "test",
            "auto.offset.reset": "error",
            "enable.auto.commit": False,
            "log_level": 0,
            **{name.replace("_", "."): value for name, value in settings.items()},
        }
    )


MADE_BY_A_LOOK = 4
"""Partitions of a topic that a producer's metadata request makes."""


def test_a_producer_is_not_told_that_its_topic_was_lost(kafka: EmbeddedKafka) -> None:
    """Only the offsets tell: they begin at 0 again, in a topic that its own look may have made."""
    create_topic(kafka.url, "lost", 2)
    producer = producer_of(kafka)
    assert [produce(producer, "lost", b"before") for _ in range(3)] == [0, 1, 2]
    kafka.kill()
    kafka.start()
    assert produce(producer, "lost", b"after") == 0
    assert topics(kafka.url).get("lost") in {None, MADE_BY_A_LOOK}


def test_a_consumer_behind_the_end_hears_nothing_but_the_end_offset_tells(
    kafka: EmbeddedKafka,
) -> None:
    create_topic(kafka.url, "short", 1)
    produce(producer_of(kafka), "short", b"only")
    consumer = consumer_of(kafka)
    consumer.assign([TopicPartition("short", 0, 100)])
    assert consumer.poll(1.0) is None
    consumer.close()
    assert end_offset(kafka.url, "short", 0) == 1


def test_asking_for_end_offsets_makes_no_topic(kafka: EmbeddedKafka) -> None:
    assert end_offset(kafka.url, "never-made", 0) is None
    assert topics(kafka.url) == {}


def test_a_producer_makes_a_missing_topic_with_four_partitions(kafka: EmbeddedKafka) -> None:
    """So the bridge makes its topics itself, and compares their number of partitions."""
    produce(producer_of(kafka), "made-by-accident", b"x")
    assert topics(kafka.url) == {"made-by-accident": 4}


@pytest.mark.parametrize("size_bytes", [512 * 1024, 1_000_000, 3_000_000])
def test_large_records_are_carried_whole(kafka: EmbeddedKafka, size_bytes: int) -> None:
    create_topic(kafka.url, "large", 1)
    value = os.urandom(size_bytes)
    produce(producer_of(kafka), "large", value)
    consumer = consumer_of(kafka, fetch_wait_max_ms=10)
    consumer.assign([TopicPartition("large", 0, 0)])
    message = consumer.poll(SECONDS_MAX)
    assert message is not None
    assert message.value() == value
    consumer.close()


def test_a_fetch_that_may_wait_ten_milliseconds_brings_a_record_soon(
    kafka: EmbeddedKafka,
) -> None:
    """With the client's default of 500 ms each record would take 240."""
    create_topic(kafka.url, "soon", 4)
    producer = producer_of(kafka)
    consumer = consumer_of(kafka, fetch_wait_max_ms=10)
    consumer.assign([TopicPartition("soon", partition, 0) for partition in range(4)])
    delays_s = []
    for _ in range(20):
        produced = time.monotonic()
        producer.produce("soon", b"x", partition=0)
        producer.poll(0)
        assert consumer.poll(SECONDS_MAX) is not None
        delays_s.append(time.monotonic() - produced)
    producer.flush(SECONDS_MAX)
    consumer.close()
    # The median: a busy machine may hold up some of them.
    assert sorted(delays_s)[10] < 0.1


def test_deleting_a_topic_gives_its_memory_back(kafka: EmbeddedKafka) -> None:
    """So a full log is replaced by a new one without losing the broker."""
    create_topic(kafka.url, "full", 1)
    before_bytes = kafka.memory_bytes
    producer = producer_of(kafka)
    for _ in range(40):
        producer.produce("full", os.urandom(1_000_000), partition=0)
    producer.flush(SECONDS_MAX)
    held_bytes = kafka.memory_bytes - before_bytes
    assert held_bytes > 35_000_000
    admin = AdminClient({"bootstrap.servers": kafka.url, "log_level": 0})
    admin.delete_topics(["full"])["full"].result(SECONDS_MAX)
    deadline = time.monotonic() + SECONDS_MAX
    while kafka.memory_bytes - before_bytes > held_bytes / 2:
        assert time.monotonic() < deadline, "the memory is still held"
        time.sleep(0.05)
