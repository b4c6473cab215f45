"""The topic `reference`: all master data of a site, however much there is."""

from __future__ import annotations

from confluent_kafka import Producer

from contracts.codec import encode
from contracts.places import Item, ReferenceChange
from contracts.topics import kafka_topic
from stream_processors.io.kafka_log import LogTopics
from stream_processors.io.ledger import ReferenceRow
from stream_processors.io.reference import ReferenceFollower, publish
from tests.support.programs import wait_until
from tests.support.servers import Fresh

WAITING_MAX = 100
"""What a producer takes without being asked for its answers; 100,000 unless told otherwise."""


def row(number: int) -> ReferenceRow:
    key = f"item/{number}"
    change = ReferenceChange(key=key, version=1, value=Item(item=str(number), name="a thing"))
    return ReferenceRow(number, key, 1, encode(change))


def test_more_master_data_than_a_producer_holds_is_published_whole(embedded: Fresh) -> None:
    """A site with more items than that must not keep its bridge from starting."""
    LogTopics(embedded.kafka, embedded.name).create("log", 1)
    heard: list[str] = []
    follower = ReferenceFollower(
        embedded.kafka,
        embedded.name,
        "log",
        lambda changes: heard.extend(change.key for change in changes),
    )
    producer = Producer(
        {
            "bootstrap.servers": embedded.kafka,
            "queue.buffering.max.messages": WAITING_MAX,
            "log_level": 0,
        }
    )
    rows = [row(number) for number in range(5 * WAITING_MAX)]
    try:
        publish(producer, kafka_topic(embedded.name, "reference", "log"), rows)
        assert producer.flush(20) == 0
        assert wait_until(lambda: len(heard) >= len(rows), 60)
    finally:
        follower.close()
    assert heard == [each.key for each in rows]
