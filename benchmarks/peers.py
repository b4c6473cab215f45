"""The pipeline's peers: other loops around the very same core, each a process of its own.

    python -m benchmarks.peers plain|quix|decode --kafka HOST:PORT --reads TOPIC --events TOPIC ...

`benchmarks.pipeline` starts them. `plain` is the shortest loop that confluent-kafka allows, `quix`
is Quix Streams, `decode` only decodes the records. All deliver (or count) all of the topic and end.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from contracts.codec import encode
from contracts.log import LOG_RECORD, Part
from contracts.places import ReferenceChange
from stream_processors.core.holding import Holding
from stream_processors.core.partition import Partition
from stream_processors.core.reference import Reference
from stream_processors.core.understanding import Understanding
from stream_processors.io.kafka_log import RECORD_BYTES_MAX, producer

AT_ONCE = 500
"""Records taken from the consumer at once."""
UNDELIVERED_MAX = 1_000
"""As the worker's."""


class Core:
    """The partitions of one process, as a worker holds them; no ledger behind them."""

    def __init__(self, site_map: Path, partitions: int) -> None:
        reference = Reference()
        reference.apply(msgspec.msgpack.decode(site_map.read_bytes(), type=ReferenceChange))
        self.partitions = [
            Partition(
                log="bench",
                partitions=partitions,
                partition=number,
                epoch=1,
                next_offset=0,
                stages=Holding(Understanding(reference)),
            )
            for number in range(partitions)
        ]
        for each in self.partitions:
            each.restore([], [])

    def take(self, partition: int, offset: int, raw: bytes) -> list[bytes]:
        """A record's outputs, encoded."""
        return [encode(output) for output in self.partitions[partition].take(offset, raw)]


def _consumer(kafka: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "bench",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 50,
            "message.max.bytes": RECORD_BYTES_MAX,
            "log_level": 0,
        }
    )


def run_plain(options: argparse.Namespace) -> None:
    """Consume, take, produce: nothing else."""
    core = Core(options.site_map, options.partitions)
    reader = _consumer(options.kafka)
    reader.assign([TopicPartition(options.reads, each, 0) for each in range(options.partitions)])
    writer = producer(options.kafka, compression="lz4")
    left = options.records
    while left:
        messages = reader.consume(AT_ONCE, 1.0)
        for message in messages:
            partition, raw = message.partition(), message.value()
            for output in core.take(partition, message.offset(), raw):
                writer.produce(options.events, output, partition=partition)
            writer.poll(0)
        while len(writer) > UNDELIVERED_MAX:
            writer.poll(0.01)
        left -= len(messages)
    writer.flush()


def run_quix(options: argparse.Namespace) -> None:
    """The same as a Quix Streams dataframe."""
    from quixstreams import Application, message_context  # noqa: PLC0415 - slow, and for one only.

    core = Core(options.site_map, options.partitions)
    app = Application(
        broker_address=options.kafka,
        consumer_group=f"quix-{time.time_ns()}",
        auto_offset_reset="earliest",
        loglevel="ERROR",
        producer_extra_config={"compression.type": "lz4", "linger.ms": 2},
        consumer_extra_config={"fetch.wait.max.ms": 50},
    )
    source = app.topic(options.reads, value_deserializer="bytes", key_deserializer="bytes")
    target = app.topic(options.events, value_serializer="bytes", key_serializer="bytes")
    left = options.records

    def take(raw: bytes) -> list[bytes]:
        nonlocal left
        place = message_context()
        outputs = core.take(place.partition, place.offset, raw)
        left -= 1
        if left == 0:
            app.stop()
        return outputs

    frame: Any = app.dataframe(source)
    frame = frame.apply(take, expand=True).to_topic(target)
    app.run()


def run_decode(options: argparse.Namespace) -> None:
    """Decode all records; only that is timed."""
    reader = _consumer(options.kafka)
    reader.assign([TopicPartition(options.reads, each, 0) for each in range(options.partitions)])
    left = options.records
    reads = 0
    seconds = 0.0
    while left:
        raws = [message.value() for message in reader.consume(AT_ONCE, 1.0)]
        began = time.thread_time()
        for raw in raws:
            record = LOG_RECORD.decode(raw)
            if isinstance(record, Part):
                reads += len(record.reads)
        seconds += time.thread_time() - began
        left -= len(raws)
    sys.stdout.write(json.dumps({"reads": reads, "seconds": seconds}) + "\n")


def produce_all(writer: Producer, topic: str, records: list[tuple[int, bytes]]) -> None:
    """Write records to their partitions, waiting where the queue is full."""
    for partition, raw in records:
        while len(writer) > UNDELIVERED_MAX:
            writer.poll(0.01)
        writer.produce(topic, raw, partition=partition)
    writer.poll(0)


def main() -> None:
    """Run one peer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=["plain", "quix", "decode"])
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--reads", required=True, help="Topic to read.")
    parser.add_argument("--events", default="", help="Topic to write.")
    parser.add_argument("--site-map", type=Path, help="File with an encoded ReferenceChange.")
    parser.add_argument("--partitions", type=int, required=True)
    parser.add_argument("--records", type=int, required=True, help="How many the topic holds.")
    options = parser.parse_args()
    {"plain": run_plain, "quix": run_quix, "decode": run_decode}[options.peer](options)


if __name__ == "__main__":
    main()
