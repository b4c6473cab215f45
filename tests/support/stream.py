"""The stream's programs around one test: bridge, workers, sink, and a site to understand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
from confluent_kafka import Consumer, TopicPartition

from contracts.codec import decode_with, encode
from contracts.log import LOG_RECORD, Part, Tick
from contracts.places import AntennaPlace, Gate, Geometry, SiteMap, Zone
from contracts.reads import Read, ReadBatch, Reject
from contracts.topics import kafka_topic
from tests.support.gateway import Gateway
from tests.support.programs import Program
from tests.support.servers import Fresh

PARTITIONS = 4
SECOND_US = 1_000_000
START_US = 1_700_000_000_000_000
"""Domain time in these tests is whatever the gateway says."""

SITE = SiteMap(
    site="test",
    zones=(Zone(id="stage"), Zone(id="yard", outside=True)),
    gates=(Gate(id="belt", inner="stage", outer="yard", geometry=Geometry.LINE, direction="in"),),
    antennas=(
        AntennaPlace(device="tunnel", antenna=1, location="belt"),
        AntennaPlace(device="tunnel", antenna=2, location="stage"),
    ),
    gateways={"tunnel": "dock"},
)
"""A conveyor: whatever is read there has passed, so these tests do not depend on how a portal's
reads are weighed. A second antenna looks at where it leads to."""


class Stream:
    """Starts programs and ends them; asks the ledger."""

    def __init__(self, fresh: Fresh, folder: Path) -> None:
        self.site = fresh.name
        self.folder = folder
        self.kafka = fresh.kafka
        self.postgres_url = fresh.postgres_url
        self.mqtt_url = fresh.mqtt_url
        self.environment = {
            **fresh.environment(),
            "TALLYGATE_PARTITIONS": str(PARTITIONS),
            "TALLYGATE_DATA": str(folder),
            "TALLYGATE_INFLUX_URL": "",
        }
        self._programs: list[Program] = []
        self._gateways: list[Gateway] = []

    def start(self, name: str, *arguments: str, **environment: str) -> Program:
        """A program of ours."""
        program = Program(self.folder, name, list(arguments), {**self.environment, **environment})
        self._programs.append(program)
        return program

    def bridge(self, name: str = "bridge", **environment: str) -> Program:
        """The bridge."""
        return self.start(name, "stream_processors", "bridge", **environment)

    def worker(self, name: str = "worker", **environment: str) -> Program:
        """A worker."""
        data = str(self.folder / name)
        return self.start(name, "stream_processors", "worker", "--data", data, **environment)

    def sink(self) -> Program:
        """The sink."""
        return self.start("sink", "ledger_sink", "run")

    def gateway(self, name: str = "dock") -> Gateway:
        """A gateway."""
        gateway = Gateway(self.mqtt_url, self.site, name)
        self._gateways.append(gateway)
        return gateway

    def put_site(self) -> None:
        """Tell the ledger the site's map."""
        self.ask(
            "select ledger.put_reference(%s, 'site', %s, %s)", self.site, encode(SITE), START_US
        )

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        with psycopg.connect(self.postgres_url, autocommit=True) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def log(self) -> str:
        """The current log."""
        return str(self.ask("select log from ledger.current_log(%s)", self.site)[0][0])

    def books(self) -> dict[str, int]:
        """By identity, how many reads are in the ledger's evidence."""
        rows = self.ask("select identity, sum(reads) from ledger.evidence group by identity")
        return {identity: int(reads) for identity, reads in rows}

    def passages(self) -> list[str]:
        """Identities of all passages through gates in the ledger."""
        rows = self.ask(
            "select identity from ledger.entries where kind = 'location'"
            """ and convert_from(payload, 'UTF8') like '%%"kind":"passed"%%'"""
        )
        return sorted(row[0] for row in rows)

    def close(self) -> None:
        """End everything; what the programs said is printed for whoever reads a failure."""
        for gateway in self._gateways:
            gateway.close()
        for program in self._programs:
            program.end()
        for program in self._programs:
            print(f"--- {program.name}\n{program.tail()}")  # noqa: T201


def passage(identity: str, at_us: int, antenna: int = 1) -> tuple[Read, ...]:
    """Reads of one passage; at antenna 2, of a thing that rests."""
    return tuple(
        Read(
            identity=identity,
            device="tunnel",
            antenna=antenna,
            first_us=at_us + offset_us,
            last_us=at_us + offset_us + 100_000,
            received_us=at_us + offset_us + 120_000,
            count=3,
            rssi_cdbm=-5_000,
        )
        for offset_us in (0, 300_000, 900_000, 1_200_000)
    )


def pass_through(gateway: Gateway, identities: list[str], at_us: int) -> None:
    """Batches in which each identity goes in, ten identities a batch; ends with quiet batches."""
    for place in range(0, len(identities), 10):
        reads = [read for each in identities[place : place + 10] for read in passage(each, at_us)]
        at_us += 2 * SECOND_US
        gateway.send(ReadBatch(gateway_us=at_us, reads=tuple(reads)))
    for _ in range(3):
        at_us += 60 * SECOND_US
        gateway.send(ReadBatch(gateway_us=at_us))


def records_of(
    kafka: str, site: str, log: str, seconds: float = 10.0
) -> dict[int, list[Part | Tick]]:
    """What lies in the topic `reads` now, by partition."""
    topic = kafka_topic(site, "reads", log)
    reader = Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": "test",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 50,
            "enable.partition.eof": True,
        }
    )
    found: dict[int, list[Part | Tick]] = {each: [] for each in range(PARTITIONS)}
    for partition, records in found.items():
        reader.assign([TopicPartition(topic, partition, 0)])
        while True:
            message = reader.poll(seconds)
            assert message is not None, f"nothing came from {topic}"
            if message.error() is not None:
                break
            record = decode_with(LOG_RECORD, message.value() or b"", source="test", at_us=0)
            assert not isinstance(record, Reject)
            records.append(record)
            if len(records) > 5_000:
                break
    reader.close()
    return found
