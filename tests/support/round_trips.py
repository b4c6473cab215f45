"""One round trip with each kind of server, by the client that our programs use."""

import queue
import time
from urllib.parse import urlsplit

import psycopg
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

SECONDS_MAX = 60.0
"""No answer takes a second; a busy machine gets more."""


class MqttClient:
    """A paho client whose messages and acknowledgements can be awaited."""

    def __init__(
        self, url: str, name: str, *, keepalive: int = 60, will: tuple[str, bytes] | None = None
    ) -> None:
        self.messages: queue.Queue[mqtt.MQTTMessage] = queue.Queue()
        self._subscribed: queue.Queue[int] = queue.Queue()
        self.paho = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name)
        if will is not None:
            self.paho.will_set(will[0], will[1], qos=1, retain=True)
        self.paho.on_message = lambda _client, _data, message: self.messages.put(message)
        self.paho.on_subscribe = lambda _client, _data, mid, *_: self._subscribed.put(mid)
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self.paho.connect(parts.hostname, parts.port, keepalive)
        self.paho.loop_start()

    def subscribe(self, topic: str) -> None:
        """Returns when the broker has acknowledged."""
        self.paho.subscribe(topic, qos=1)
        self._subscribed.get(timeout=SECONDS_MAX)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Returns when the broker has acknowledged."""
        sent = self.paho.publish(topic, payload, qos=1, retain=retain)
        sent.wait_for_publish(SECONDS_MAX)
        assert sent.is_published(), f"{topic} was not acknowledged"

    def next_payload(self) -> bytes:
        """The payload of the next message."""
        return bytes(self.messages.get(timeout=SECONDS_MAX).payload)

    def close(self) -> None:
        """Says goodbye."""
        self.paho.disconnect()
        self.paho.loop_stop()


def mqtt_round_trip(url: str, payload: bytes) -> bytes:
    """Publishes with QoS 1 and returns what a subscriber got."""
    subscriber = MqttClient(url, "round-trip-subscriber")
    publisher = MqttClient(url, "round-trip-publisher")
    try:
        subscriber.subscribe("round/trip")
        publisher.publish("round/trip", payload)
        return subscriber.next_payload()
    finally:
        publisher.close()
        subscriber.close()


def create_topic(kafka: str, topic: str, partitions: int) -> None:
    """Makes a topic and waits until every partition has a leader."""
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(SECONDS_MAX)
    deadline = time.monotonic() + SECONDS_MAX
    for partition in range(partitions):
        while end_offset(kafka, topic, partition) is None:
            assert time.monotonic() < deadline, f"{topic} has no leader for {partition}"


def topics(kafka: str) -> dict[str, int]:
    """The topics that are there, with their partitions."""
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    found = admin.list_topics(timeout=SECONDS_MAX).topics
    return {name: len(topic.partitions) for name, topic in found.items()}


def end_offset(kafka: str, topic: str, partition: int) -> int | None:
    """The offset that the next record will get; none where there is no such partition."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "ends", "log_level": 0})
    try:
        _, high = consumer.get_watermark_offsets(
            TopicPartition(topic, partition), timeout=SECONDS_MAX
        )
    except KafkaException:
        return None
    else:
        return int(high)
    finally:
        consumer.close()


def produce(producer: Producer, topic: str, value: bytes, *, partition: int = 0) -> int:
    """Produces one record and returns the offset that the broker says it has."""
    delivered: list[int] = []
    failed: list[object] = []

    def note(error: object, message: object) -> None:
        if error is None:
            delivered.append(message.offset())  # type: ignore[attr-defined]
        else:
            failed.append(error)

    producer.produce(topic, value, partition=partition, on_delivery=note)
    producer.flush(SECONDS_MAX)
    assert not failed, failed
    return delivered[0]


def kafka_round_trip(kafka: str, topic: str, value: bytes) -> tuple[int, bytes]:
    """Produces to partition 2 of a new topic, and returns partition and value as consumed."""
    create_topic(kafka, topic, 3)
    producer = Producer({"bootstrap.servers": kafka, "acks": "all", "log_level": 0})
    offset = produce(producer, topic, value, partition=2)
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": topic, "log_level": 0})
    try:
        consumer.assign([TopicPartition(topic, 2, offset)])
        message = consumer.poll(SECONDS_MAX)
        assert message is not None
        assert message.error() is None
        return message.partition(), message.value()
    finally:
        consumer.close()


def postgres_rows(url: str, statement: str) -> list[tuple[object, ...]]:
    """Runs one statement, committed, and returns its rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def influx_round_trip(url: str, token: str, measurement: str, value: float) -> list[float]:
    """Writes a point with the client of version 2 and returns what a query reads back."""
    with InfluxDBClient(url, token=token, org="tallygate") as client:
        writer = client.write_api(write_options=SYNCHRONOUS)
        writer.write("tallygate", record=f"{measurement} value={value}")
        writer.close()
        query = (
            'from(bucket:"tallygate") |> range(start:-1h)'
            f'|> filter(fn:(r) => r._measurement == "{measurement}")'
        )
        return [record["_value"] for table in client.query_api().query(query) for record in table]
