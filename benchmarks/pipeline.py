"""How fast the Faust pipeline is beside other loops around the same core.

    python -m benchmarks.pipeline                     # 10 million reads of 1 million identities
    python -m benchmarks.pipeline --reads 200000      # a taste of it

One topic is filled with the simulator's reads (see `benchmarks.simulated`) as the bridge writes
them: parts and ticks. Then, one after the other, each reads all of it in one process, calls the
same stages and delivers the same outputs to a topic of its own: our worker, exactly the program
that a site runs; a plain confluent-kafka loop; Quix Streams. Decoding alone shows what is left to
gain.

Time runs from a contender's first output to its last, seen from outside. A core's rate divides by
the processor seconds that the process took in between, all its threads together. Real Kafka is used
where it is found, else the embedded broker.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psutil
import psycopg
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.peers import produce_all
from benchmarks.simulated import GATEWAY, Workload
from contracts.codec import encode
from contracts.log import Output
from contracts.places import ReferenceChange
from contracts.reads import SpooledBatch
from contracts.topics import kafka_topic
from ledger_sink.migrate import migrate
from stream_processors.core.bridge import Bridge
from stream_processors.core.log_check import Bounds
from stream_processors.io.kafka_log import (
    KafkaDownError,
    LogTopics,
    bounds_of,
    consumer,
    producer,
)
from tallygate.servers.child import ChildServer
from tallygate.servers.find import Kind, find_servers, server_for

SITE = "bench"
LOG = "bench"
SPOOL = "b" * 32
POLL_SECONDS = 0.05
"""How exactly first and last output are timed."""
QUIET_SECONDS = 2.0
"""No output for so long: it is looked whether the last record's output is there."""
STALLED_SECONDS_MAX = 120.0
"""No output for so long, and not done: the run has failed."""
ATTEMPTS = 3
"""So often the worker is started: on a starved machine it may end itself, as it would at a site, to
be started again; without a ledger behind it that is from the beginning. Only a whole run counts."""
LOG_CHARACTERS = 3_000
"""Of a worker that failed, so much of its last words is shown."""
START_SECONDS_MAX = 120.0
PATIENCE_SECONDS = 1e9
"""Without a sink nothing is committed; the worker must not mind."""


_output = msgspec.msgpack.Decoder(Output)


class Filled(NamedTuple):
    """The topic that all read."""

    topic: str
    reads: int
    identities: int
    records: int
    ends: tuple[int, ...]
    """Where each partition ends."""
    seconds: float


class StalledError(Exception):
    """A contender did not come to its end."""


class Measured(NamedTuple):
    """One contender's figures."""

    name: str
    seconds: float
    processor_seconds: float
    outputs: int


def fill(kafka: str, options: argparse.Namespace, site_map: Path) -> Filled:
    """Write the workload to the topic `reads` as a bridge would."""
    began = time.monotonic()
    topic = kafka_topic(SITE, "reads", LOG)
    workload = Workload(reads=options.reads, batch_reads=options.batch, seed=options.seed)
    change = ReferenceChange(key="site", version=1, value=workload.site_map)
    site_map.write_bytes(encode(change))
    writer = producer(kafka, compression="none")
    bridge = Bridge(run=1, log=LOG, partitions=options.partitions, acknowledged=(), now_s=0.0)
    ends = [0] * options.partitions
    reads = 0
    identities: set[str] = set()
    for sequence, batch in enumerate(workload.batches(), 1):
        reads += len(batch.reads)
        identities.update(read.identity for read in batch.reads)
        message = SpooledBatch(spool=SPOOL, sequence=sequence, lowest=1, payload=encode(batch))
        now_us = batch.gateway_us
        taken = bridge.receive(GATEWAY, encode(message), sequence, bridge_us=now_us, now_s=0.0)
        for records in (taken.produce, None):
            sent = bridge.tick(bridge_us=now_us).produce if records is None else records
            for record in sent:
                bridge.delivered(record.number, ends[record.partition])
                ends[record.partition] += 1
            produce_all(writer, topic, [(record.partition, record.value) for record in sent])
    writer.flush()
    seconds = time.monotonic() - began
    return Filled(topic, reads, len(identities), sum(ends), tuple(ends), seconds)


def watch(
    name: str,
    process: subprocess.Popen[bytes],
    kafka: str,
    topic: str,
    n: int,
    is_done: Callable[[], bool],
    before: int = 0,
) -> Measured:
    """From outside: when outputs came, and what the process took of the processor meanwhile.

    `is_done` is asked when it has been quiet for a while; `before` outputs were there already.
    Raises StalledError.
    """
    reader = consumer(kafka)
    child = psutil.Process(process.pid)

    def processor_seconds() -> float:
        times = child.cpu_times()
        return float(times.user + times.system)

    began_s = time.monotonic()
    while count_outputs(reader, topic, n) <= before:
        assert time.monotonic() < began_s + START_SECONDS_MAX, f"{name} does not begin"
        assert process.poll() is None, f"{name} ended with {process.returncode}"
        time.sleep(POLL_SECONDS)
    first_s = last_s = time.monotonic()
    first_cpu = last_cpu = processor_seconds()
    seen = before
    while True:
        now = count_outputs(reader, topic, n)
        quiet_s = time.monotonic() - last_s
        if now != seen:
            seen, last_s = now, time.monotonic()
            if process.poll() is None:
                last_cpu = processor_seconds()
        elif quiet_s > QUIET_SECONDS:
            if is_done():
                break
            if process.poll() is not None:
                raise StalledError(f"{name} ended with {process.returncode} before the last record")
        if quiet_s > STALLED_SECONDS_MAX:
            raise StalledError(f"{name} stopped before the last record")
        time.sleep(POLL_SECONDS)
    reader.close()
    # What the broker says of a topic's end may lag behind; reading up to it tells the truth. Where
    # the embedded broker does not let a long topic be read at its end, what it says must do.
    with contextlib.suppress(KafkaDownError, KafkaException):
        seen = sum(one.end for one in bounds_of(kafka, topic, n).values())
    return Measured(name, last_s - first_s, last_cpu - first_cpu, seen - before)


def count_outputs(reader: Consumer, topic: str, n: int) -> int:
    """How many records the broker says that a topic has."""
    try:
        return sum(
            reader.get_watermark_offsets(TopicPartition(topic, each), timeout=10.0)[1]
            for each in range(n)
        )
    except KafkaException:
        # A topic that was just made has no leader yet.
        return 0


def patient_bounds(kafka: str, topic: str, n: int) -> dict[int, Bounds]:
    """The bounds, asked until they are told: a broker under such a load may be late once."""
    began_s = time.monotonic()
    while True:
        try:
            return bounds_of(kafka, topic, n)
        except (KafkaDownError, KafkaException):
            if time.monotonic() > began_s + STALLED_SECONDS_MAX:
                raise
            time.sleep(POLL_SECONDS)


def reached(kafka: str, topic: str, ends: tuple[int, ...]) -> bool:
    """Whether the last output of each partition is that of the last record."""
    reader = consumer(kafka)
    try:
        for each, bounds in patient_bounds(kafka, topic, len(ends)).items():
            if bounds.end == bounds.first:
                return False
            reader.assign([TopicPartition(topic, each, bounds.end - 1)])
            message: Any = reader.poll(10.0)
            if message is None or message.error():
                return False
            output = _output.decode(message.value())
            if output.more or output.offset != ends[each] - 1:
                return False
    finally:
        reader.close()
    return True


def run_worker(kafka: str, postgres: str, folder: Path, filled: Filled) -> Measured:
    """Our own worker, as a site runs it. Raises StalledError."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return run_worker_once(kafka, postgres, folder / f"worker-{attempt}", filled)
        except StalledError as error:
            if attempt == ATTEMPTS:
                raise
            print(f"{error}: it is started again from the first record", flush=True)
    raise AssertionError("it ended or raised")


def run_worker_once(kafka: str, postgres: str, data: Path, filled: Filled) -> Measured:
    """One start of it."""
    data.mkdir()
    (data / "patience.json").write_text(json.dumps({"stalled_after_s": PATIENCE_SECONDS}))
    environment = {
        **os.environ,
        "TALLYGATE_SITE": SITE,
        "TALLYGATE_KAFKA": kafka,
        "TALLYGATE_POSTGRES_URL": postgres,
    }
    command = [sys.executable, "-m", "stream_processors", "worker", "--data", str(data)]
    path = data / "worker.log"
    events = kafka_topic(SITE, "events", LOG)
    n = len(filled.ends)
    reader = consumer(kafka)
    before = count_outputs(reader, events, n)
    reader.close()
    with path.open("wb") as log:
        process = subprocess.Popen(command, env=environment, stderr=log)
    try:
        return watch(
            *("Faust worker", process, kafka, events, n),
            lambda: reached(kafka, events, filled.ends),
            before,
        )
    except (AssertionError, StalledError):
        sys.stderr.write(path.read_text()[-LOG_CHARACTERS:])
        raise
    finally:
        process.kill()
        process.wait()


def run_peer(name: str, kafka: str, filled: Filled, folder: Path, n: int) -> Measured:
    """A peer in a process of its own."""
    topic = f"{SITE}.events.{name}"
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(topic, n, 1)])[topic].result()
    process = subprocess.Popen(_peer(name, kafka, filled, folder, n, topic))
    try:
        return watch(name, process, kafka, topic, n, lambda: process.poll() == 0)
    finally:
        process.kill()
        process.wait()


def decode_rate(kafka: str, filled: Filled, folder: Path, n: int) -> float:
    """Reads a second that decoding alone would allow."""
    command = _peer("decode", kafka, filled, folder, n, "")
    said = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    assert said["reads"] == filled.reads
    return float(said["reads"] / said["seconds"])


def _peer(name: str, kafka: str, filled: Filled, folder: Path, n: int, events: str) -> list[str]:
    return [
        *(sys.executable, "-m", "benchmarks.peers", name, "--kafka", kafka),
        *("--reads", filled.topic, "--events", events, "--site-map", str(folder / "site.msgpack")),
        *("--partitions", str(n), "--records", str(filled.records)),
    ]


@contextmanager
def servers(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Kafka and PostgreSQL: name of Kafka, its address, the database's address."""
    started: dict[Kind, ChildServer] = {}
    names: dict[Kind, str] = {}
    try:
        for found in find_servers():
            if found.kind in {Kind.KAFKA, Kind.POSTGRES}:
                server = server_for(found, folder / found.kind.name.lower())
                names[found.kind] = f"{found.name} {found.version}".strip()
                if server is not None:
                    started[found.kind] = server.start()
        kafka = started[Kind.KAFKA].url if Kind.KAFKA in started else os.environ["TALLYGATE_KAFKA"]
        postgres = (
            started[Kind.POSTGRES].url
            if Kind.POSTGRES in started
            else os.environ["TALLYGATE_POSTGRES_URL"]
        )
        yield names[Kind.KAFKA], kafka, postgres
    finally:
        for server in started.values():
            server.stop()


def open_log(postgres: str, partitions: int, site_map: Path) -> None:
    """The ledger's side of what a bridge does first."""
    migrate(postgres)
    change = msgspec.msgpack.decode(site_map.read_bytes(), type=ReferenceChange)
    assert change.value is not None
    with psycopg.connect(postgres, autocommit=True) as ledger:
        ledger.execute("select ledger.take_lease(%s, 'bridge', 'bench', 1)", (SITE,))
        ledger.execute(
            "select ledger.open_log(%s, 1::bigint, %s, %s::integer, 'bench')",
            (SITE, LOG, partitions),
        )
        ledger.execute(
            "select ledger.put_reference(%s, 'site', %s, 0::bigint)", (SITE, encode(change.value))
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--reads", type=int, default=10_000_000)
    parser.add_argument("--batch", type=int, default=1_000, help="Reads in an agent's batch.")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, servers(Path(name)) as (broker, kafka, postgres):
        report(broker, kafka, postgres, Path(name), options)


def report(
    broker: str, kafka: str, postgres: str, folder: Path, options: argparse.Namespace
) -> None:
    """Run all contenders and print the table."""
    n = options.partitions
    LogTopics(kafka, SITE).create(LOG, n)
    filled = fill(kafka, options, folder / "site.msgpack")
    print(
        f"{filled.reads:,} reads of {filled.identities:,} identities in {filled.records:,} records"
        f" on {broker} (seed {options.seed}, filled in {filled.seconds:.0f} s)",
        flush=True,
    )
    open_log(postgres, n, folder / "site.msgpack")
    contenders: list[Callable[[], Measured]] = [
        lambda: run_worker(kafka, postgres, folder, filled),
        lambda: run_peer("plain", kafka, filled, folder, n),
        lambda: run_peer("quix", kafka, filled, folder, n),
    ]
    rows: list[Measured] = []
    for run in contenders:
        rows.append(run())
        seconds, busy = rows[-1].seconds, rows[-1].processor_seconds
        print(f"{rows[-1].name}: {seconds:,.0f} s, {busy:,.0f} s of a processor", flush=True)
    decode = decode_rate(kafka, filled, folder, n)
    plain = filled.reads / rows[1].processor_seconds
    print(f"{'':16}{'reads/s':>12}{'per core':>12}{'to plain':>10}{'outputs':>10}")
    for row in rows:
        rate = filled.reads / row.processor_seconds
        print(
            f"{row.name:16}{filled.reads / row.seconds:>12,.0f}{rate:>12,.0f}"
            f"{rate / plain:>10.2f}{row.outputs:>10,}"
        )
    print(f"{'decoding alone':16}{'':>12}{decode:>12,.0f}{decode / plain:>10.2f}")


if __name__ == "__main__":
    main()
