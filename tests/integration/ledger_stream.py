"""A bridge and its workers, as the sink sees them: outputs that the test writes itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from paho.mqtt.enums import CallbackAPIVersion

from contracts.codec import decode, decode_with, encode
from contracts.commands import COMMAND, Acknowledgement, SetLight
from contracts.events import Entry, Evidence
from contracts.ids import partition_of
from contracts.log import MemoryChange, Output, TickOutput
from contracts.topics import kafka_topic, mqtt_topic
from ledger_sink.heads_file import HEADS, PUBLIC_KEY
from ledger_sink.postgres_ledger import PostgresLedger, connect
from ledger_sink.verify import VerifyReport, verify
from tests.support.programs import Program, wait_until
from tests.support.servers import Fresh
from tests.unit.ledger_sink.ledger_builders import passage, progress, sighting_of

PARTITIONS = 2


class Stream:
    """Writes outputs as workers would, and looks at what became of them."""

    def __init__(self, fresh: Fresh, folder: Path) -> None:
        self.fresh = fresh
        self.site = fresh.name
        self.folder = folder
        self.connection = connect(fresh.postgres_url)
        self.ledger = PostgresLedger(self.connection, self.site)
        self.sinks: list[Program] = []
        self._producer = Producer({"bootstrap.servers": fresh.kafka, "acks": "all"})
        run = self.ledger.take_lease("bridge", "test", 3600)
        assert run is not None
        self._run = run
        self._tick = 0
        self._listener = Listener(fresh)

    def open_log(self, log: str) -> None:
        """A log with new topics; every partition gets a worker."""
        topic = kafka_topic(self.site, "events", log)
        admin = AdminClient({"bootstrap.servers": self.fresh.kafka})
        for made in admin.create_topics([NewTopic(topic, PARTITIONS)]).values():
            made.result(10)
        assert self.ledger.open_log(self._run, log, PARTITIONS, "a test", 1)
        self.log = log
        self.epochs = [self.take_epoch(partition) for partition in range(PARTITIONS)]
        self.offsets = [0] * PARTITIONS

    def take_epoch(self, partition: int) -> int:
        """The next hold on a partition."""
        hold = self.ledger.take_epoch(self.log, partition, "test")
        assert hold is not None
        return hold[0]

    def output(
        self,
        partition: int,
        entries: Sequence[Entry] = (),
        evidence: Sequence[Evidence] = (),
        tick: TickOutput | None = None,
        epoch: int | None = None,
    ) -> None:
        """The output of the partition's next record."""
        output = Output(
            log=self.log,
            partition=partition,
            offset=self.offsets[partition],
            epoch=self.epochs[partition] if epoch is None else epoch,
            entries=tuple(entries),
            evidence=tuple(evidence),
            tick=tick,
        )
        self.offsets[partition] += 1
        self.raw(partition, encode(output))

    def raw(self, partition: int, value: bytes) -> None:
        """A record of topic `events`."""
        topic = kafka_topic(self.site, "events", self.log)
        self._producer.produce(topic, value, partition=partition)
        assert self._producer.flush(10) == 0

    def tick(self, sequence: int, partitions: Sequence[int] = range(PARTITIONS)) -> None:
        """A tick in some partitions: they hold spool s1 up to a batch."""
        self._tick += 1
        for partition in partitions:
            change = MemoryChange(snapshot=False, values={"tick": b"%d" % self._tick})
            self.output(
                partition,
                tick=TickOutput(
                    run=self._run,
                    number=self._tick,
                    bridge_us=self._tick,
                    spools=(progress(sequence),),
                    memory=encode(change),
                ),
            )

    def pass_units(self, first: int, count: int) -> None:
        """Units pass door-1, each with a sighting, each in its partition."""
        for number in range(first, first + count):
            sighting = sighting_of(number)
            entry = passage(number, evidence=sighting)
            partition = partition_of(sighting.identity, PARTITIONS)
            self.output(partition, [entry], [sighting])

    def start_sink(self, **environment: str) -> Program:
        """The program under test."""
        name = f"sink-{len(self.sinks)}"
        sink = Program(
            self.folder,
            name,
            ["ledger_sink", "run"],
            {
                **self.fresh.environment(),
                "TALLYGATE_DATA": str(self.folder),
                "TALLYGATE_HEADS_EVERY_S": "0.5",
                **environment,
            },
        )
        self.sinks.append(sink)
        return sink

    def count(self, kind: str = "location") -> int:
        """How many entries of a kind there are."""
        return int(
            self.value(
                "select count(*) from ledger.entries where site = %s and kind = %s",
                self.site,
                kind,
            )
        )

    def value(self, query: Any, *values: Any) -> Any:
        """One value out of the database."""
        row = self.connection.execute(query, values).fetchone()
        assert row is not None
        return row[0]

    def wait_acknowledged(self, sequence: int, seconds: float = 30.0) -> None:
        """Until MQTT has the acknowledgement of spool s1 up to a batch."""
        heard = self._listener.acknowledged
        assert wait_until(lambda: sequence in heard, seconds), (
            f"acknowledged: {heard}\n{self.sinks[-1].tail()}"
        )

    @property
    def lights(self) -> list[SetLight]:
        """What lights were told, in order."""
        return self._listener.lights

    @property
    def acknowledged(self) -> list[int]:
        """What was acknowledged of spool s1, in order."""
        return self._listener.acknowledged

    def verify(self) -> VerifyReport:
        """The whole ledger against its published heads."""
        files = self.folder / "ledger"
        return verify(self.fresh.postgres_url, self.site, files / HEADS, files / PUBLIC_KEY)

    def close(self) -> None:
        """End what was started."""
        for sink in self.sinks:
            sink.end()
        self._listener.close()
        self.connection.close()


class Listener:
    """The gateway `dock`: what it hears over MQTT."""

    def __init__(self, fresh: Fresh) -> None:
        self.acknowledged: list[int] = []
        self.lights: list[SetLight] = []
        address = urlsplit(fresh.mqtt_url)
        self._topics = [(mqtt_topic(fresh.name, "dock", kind), 1) for kind in ("ack", "cmd")]
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"dock-{fresh.name}")
        self._client.on_connect = lambda client, *_: client.subscribe(self._topics)
        self._client.on_message = self._on_message
        self._client.connect(address.hostname or "", address.port or 1883)
        self._client.loop_start()

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        now = time.time_ns() // 1000
        if message.topic.endswith("/ack"):
            said = decode(Acknowledgement, message.payload, source="test", at_us=now)
            if isinstance(said, Acknowledgement):
                self.acknowledged.append(said.sequence)
        else:
            command = decode_with(COMMAND, message.payload, source="test", at_us=now)
            if isinstance(command, SetLight):
                self.lights.append(command)

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()
