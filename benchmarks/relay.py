"""A bare relay of the same bytes: MQTT to Kafka to PostgreSQL, understanding nothing.

    python -m benchmarks.relay --mqtt URL --kafka HOST:PORT --postgres URL --warm SECONDS

`benchmarks.latency` starts it beside our pipeline: what it takes is what the servers take. It
prints its latencies in us, one JSON list, when it is told to end (SIGTERM).
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import msgspec
import paho.mqtt.client as paho
import psycopg
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from paho.mqtt.enums import CallbackAPIVersion

from contracts.reads import ReadBatch, SpooledBatch
from contracts.topics import mqtt_topic
from stream_processors.io.kafka_log import consumer, producer

TOPIC = "relay"
AT_ONCE = 100


def main() -> None:
    """Relay until the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--site", required=True)
    parser.add_argument("--mqtt", required=True)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--postgres", required=True)
    parser.add_argument("--warm", type=float, required=True, help="Seconds that do not count.")
    options = parser.parse_args()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    admin = AdminClient({"bootstrap.servers": options.kafka})
    admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result()
    writer = producer(options.kafka, compression="none")
    address = urlsplit(options.mqtt)
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="relay")

    def on_message(_client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        writer.produce(TOPIC, bytes(message.payload), partition=0)
        writer.poll(0)

    def on_connect(client: paho.Client, *_: Any) -> None:
        client.subscribe(mqtt_topic(options.site, "+", "reads"), qos=1)

    client.on_message = on_message
    client.on_connect = on_connect
    client.connect(address.hostname or "", address.port or 1883)
    client.loop_start()
    latencies = relay(options, ended)
    client.loop_stop()
    sys.stdout.write(json.dumps(latencies) + "\n")


def relay(options: argparse.Namespace, ended: threading.Event) -> list[int]:
    """Kafka to PostgreSQL; gives the time from each read's receipt to its commit, in us."""
    reader = consumer(options.kafka, **{"fetch.wait.max.ms": 50})
    reader.assign([TopicPartition(TOPIC, 0, 0)])
    decoder = msgspec.msgpack.Decoder(SpooledBatch)
    batch_decoder = msgspec.msgpack.Decoder(ReadBatch)
    latencies: list[int] = []
    counts_from_s = float("inf")
    with psycopg.connect(options.postgres) as database:
        database.execute("create table if not exists relayed (at timestamptz, bytes bytea)")
        database.commit()
        while not ended.is_set():
            payloads = [each.value() for each in reader.consume(AT_ONCE, 0.01)]
            if not payloads:
                continue
            with database.cursor() as cursor:
                cursor.executemany(
                    "insert into relayed values (now(), %s)", [(each,) for each in payloads]
                )
            database.commit()
            now_us = time.time_ns() // 1000
            if counts_from_s == float("inf"):
                counts_from_s = time.monotonic() + options.warm
            if time.monotonic() >= counts_from_s:
                for payload in payloads:
                    reads = batch_decoder.decode(decoder.decode(payload).payload).reads
                    latencies += [now_us - read.received_us for read in reads]
    reader.close()
    return latencies


if __name__ == "__main__":
    main()
