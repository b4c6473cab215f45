"""The bridge as a process between a real MQTT broker and a real log."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from contracts.ids import partition_of
from contracts.log import Part, Tick
from contracts.reads import Read, ReadBatch, Scan
from contracts.topics import kafka_topic
from ledger_sink.postgres_ledger import PostgresLedger, connect
from ledger_sink.redaction import Persons
from stream_processors.io.kafka_log import LogTopics
from stream_processors.io.ledger import LedgerConnection
from stream_processors.mqtt_to_kafka import remove_old_logs
from stream_processors.settings import Settings
from tallygate.servers.kafka_embedded import EmbeddedKafka
from tests.support.programs import wait_until
from tests.support.servers import Fresh
from tests.support.stream import (
    PARTITIONS,
    START_US,
    Stream,
    pass_through,
    passage,
    records_of,
)


@pytest.fixture(name="stream")
def fixture_stream(embedded: Fresh, tmp_path: Path) -> Iterator[Stream]:
    """A site with a conveyor; no program runs yet."""
    stream = Stream(embedded, tmp_path)
    stream.put_site()
    yield stream
    stream.close()


def parts_of(stream: Stream, log: str | None = None) -> dict[int, list[Part]]:
    """Parts in the log now, by partition."""
    found = records_of(stream.kafka, stream.site, log or stream.log())
    return {
        partition: [each for each in records if isinstance(each, Part)]
        for partition, records in found.items()
    }


def held_reads(stream: Stream) -> int:
    return sum(len(part.reads) for parts in parts_of(stream).values() for part in parts)


def test_reads_go_to_the_partition_of_their_identity_and_ticks_to_all(stream: Stream) -> None:
    """A batch is regrouped, nothing of it is lost, and time reaches every partition."""
    bridge = stream.bridge()
    gateway = stream.gateway()
    gateway.wait_for_run()
    names = [f"raw:{number}" for number in range(50)]
    reads = tuple(read for name in names for read in passage(name, START_US))
    gateway.send(ReadBatch(gateway_us=START_US, reads=reads))
    assert wait_until(lambda: held_reads(stream) == len(reads), 60)
    for partition, parts in parts_of(stream).items():
        for part in parts:
            assert part.run == 1
            assert part.gateway == "dock"
            assert {partition_of(each.identity, PARTITIONS) for each in part.reads} == {partition}

    def told_to_all() -> bool:
        found = records_of(stream.kafka, stream.site, stream.log())
        ticks = [[each for each in some if isinstance(each, Tick)] for some in found.values()]
        return all(some and some[-1].spools and some[-1].spools[0].sequence == 1 for some in ticks)

    assert wait_until(told_to_all, 60)
    bridge.send(signal.SIGTERM)
    assert bridge.wait() == 0


def scan_by(person: str | None, number: int) -> Read:
    """A scan by hand."""
    read, *_ = passage(f"raw:{number}", START_US)
    scan = Scan(id=f"scan-{number}", client="handheld-1", person=person, told_us=START_US)
    return msgspec.structs.replace(read, scan=scan)


def test_a_scan_gets_into_the_log_by_pseudonym_once_the_ledger_tells_it(
    stream: Stream, embedded: Fresh
) -> None:
    """While the ledger does not say who somebody is the batch waits; nothing is lost or doubled."""
    stream.bridge()
    gateway = stream.gateway()
    gateway.wait_for_run()
    with connect(embedded.postgres_url) as busy, connect(embedded.postgres_url) as watching:
        with busy.transaction():
            # Who makes a pseudonym waits for the chain.
            busy.execute("select ledger.lock_chain(%s)", (stream.site,))
            reads = tuple(
                scan_by(person, number)
                for number, person in enumerate(["wang.fang", "li.wei", None, "wang.fang"])
            )
            gateway.send(ReadBatch(gateway_us=START_US, reads=reads))
            gateway.send(ReadBatch(gateway_us=START_US, reads=(scan_by(None, 9),)))
            waits = (
                "select count(*) from pg_stat_activity where query like %s and"
                " wait_event_type = 'Lock'"
            )
            assert wait_until(
                lambda: watching.execute(waits, ("%pseudonym_of%",)).fetchone() == (1,), 20
            )
            assert held_reads(stream) == 0
        assert wait_until(lambda: held_reads(stream) == 5, 60)
        persons = {
            one.person: one for one in Persons(PostgresLedger(watching, stream.site)).known()
        }
    scans = {
        read.scan.id: read.scan.person
        for parts in parts_of(stream).values()
        for part in parts
        for read in part.reads
        if read.scan
    }
    wang, li = persons["wang.fang"].pseudonym, persons["li.wei"].pseudonym
    assert [scans[f"scan-{number}"] for number in (0, 1, 2, 3, 9)] == [wang, li, None, wang, None]


def test_a_payload_that_is_not_ours_travels_as_a_reject(stream: Stream) -> None:
    """Nothing that came is dropped, and the stream goes on behind it."""
    stream.bridge()
    gateway = stream.gateway()
    gateway.wait_for_run()
    gateway.publish_raw(b"\xff\x00 not ours")
    gateway.send(ReadBatch(gateway_us=START_US, reads=passage("raw:1", START_US)))
    assert wait_until(lambda: held_reads(stream) == 4, 60)
    rejects = [
        reject for parts in parts_of(stream).values() for part in parts for reject in part.rejects
    ]
    assert [reject.raw for reject in rejects] == [b"\xff\x00 not ours"]
    assert "not a message of ours" in rejects[0].reason


def test_a_killed_bridge_is_followed_by_the_one_that_waits(stream: Stream) -> None:
    """The lease has one holder; the next run asks for everything that is not in the ledger."""
    first = stream.bridge("first")
    gateway = stream.gateway()
    gateway.wait_for_run()
    second = stream.bridge("second")
    second.wait_for("waiting for the lease")
    gateway.send(ReadBatch(gateway_us=START_US, reads=passage("raw:1", START_US)))
    assert wait_until(lambda: held_reads(stream) == 4, 60)
    first.send(signal.SIGKILL)
    gateway.wait_for_run(count=2)
    assert gateway.runs == [1, 2]
    # The same log goes on, and the part is in it once more under the new run.
    assert wait_until(lambda: held_reads(stream) == 8, 60)
    assert sorted(
        part.run for parts in parts_of(stream).values() for part in parts if part.reads
    ) == [1, 2]
    assert second.wait_for("the bridge runs")["log"] == first.wait_for("the bridge runs")["log"]


def test_a_bridge_that_was_stopped_past_its_lease_ends_when_it_goes_on(stream: Stream) -> None:
    """Its successor's run voids what it may still write."""
    zombie = stream.bridge("zombie")
    gateway = stream.gateway()
    gateway.wait_for_run()
    zombie.send(signal.SIGSTOP)
    stream.bridge("heir")
    gateway.wait_for_run(count=2)
    zombie.send(signal.SIGCONT)
    assert zombie.wait() == 75
    zombie.wait_for("another bridge has the lease", 1)


def test_another_number_of_partitions_opens_a_new_log(stream: Stream) -> None:
    """And tells why."""
    bridge = stream.bridge()
    first = bridge.wait_for("the bridge runs")["log"]
    bridge.send(signal.SIGTERM)
    assert bridge.wait() == 0
    wider = stream.bridge("wider", TALLYGATE_PARTITIONS="6")
    assert wider.wait_for("a new log was opened")["reason"] == "6 partitions instead of 4"
    assert wider.wait_for("the bridge runs")["log"] != first
    assert stream.ask("select partitions from ledger.current_log(%s)", stream.site) == [(6,)]


def test_an_emptied_log_is_noticed_and_a_new_one_is_opened(embedded: Fresh, tmp_path: Path) -> None:
    """The broker loses its memory: the run ends, and the next one begins a log; nothing is lost."""
    with EmbeddedKafka(tmp_path / "kafka") as kafka:
        stream = Stream(dataclasses.replace(embedded, kafka=kafka.url), tmp_path)
        stream.put_site()
        try:
            bridge = stream.bridge()
            stream.sink()
            worker = stream.worker()
            worker.wait_for("partitions were taken")
            gateway = stream.gateway()
            gateway.wait_for_run()
            names = [f"raw:{number:03}" for number in range(60)]
            pass_through(gateway, names[:30], START_US)
            gateway.wait_acknowledged()
            first = stream.log()
            kafka.kill()
            pass_through(gateway, names[30:], START_US + 600_000_000)
            kafka.start()
            assert bridge.wait() != 0
            next_bridge = stream.bridge("next-bridge")
            assert "topic" in str(next_bridge.wait_for("a new log was opened")["reason"])
            assert stream.log() != first
            assert worker.wait() != 0
            stream.worker("next-worker")
            # The sink's client may have died with the broker's memory; its supervisor's part here.
            stream.sink()
            gateway.wait_acknowledged(90)
            assert wait_until(lambda: stream.passages() == names, 60)
            assert stream.books() == dict.fromkeys(names, 4)
        finally:
            stream.close()


def test_asked_for_a_new_log_the_bridge_drains_the_old_one_first(stream: Stream) -> None:
    """SIGUSR1: what the old log holds is in the ledger before it is left."""
    bridge = stream.bridge()
    stream.sink()
    worker = stream.worker()
    worker.wait_for("partitions were taken")
    gateway = stream.gateway()
    gateway.wait_for_run()
    names = [f"raw:{number:03}" for number in range(40)]
    pass_through(gateway, names, START_US)
    bridge.send(signal.SIGUSR1)
    opened = bridge.wait_for("a new log was opened", count=2)
    assert opened["reason"] == "a new log was asked for"
    gateway.wait_for_run(count=2)
    assert worker.wait() == 75
    stream.worker("next-worker")
    gateway.wait_acknowledged()
    assert wait_until(lambda: stream.passages() == names, 60)
    assert stream.books() == dict.fromkeys(names, 4)


def test_a_bridge_that_was_overtaken_removes_nothing_of_its_successors_log(embedded: Fresh) -> None:
    """Stopped before old logs are removed and continued after, it still thinks its own is new."""
    settings = Settings(
        site=embedded.name, kafka=embedded.kafka, postgres_url=embedded.postgres_url
    )
    topics = LogTopics(embedded.kafka, embedded.name)
    ledger = LedgerConnection(embedded.postgres_url, embedded.name, "ledger_bridge")
    run = ledger.take_lease("bridge", "test", 60.0)
    assert run is not None
    for log in ("before", "after"):
        topics.create(log, 1)
        assert ledger.open_log(run, log, 1, "test", START_US)
    ledger.close()
    kinds = ("reads", "events", "reference")
    assert remove_old_logs(settings, topics, "before") == []
    assert len(topics.existing()) == 2 * len(kinds)
    removed = remove_old_logs(settings, topics, "after")
    assert sorted(removed) == sorted(kafka_topic(embedded.name, kind, "before") for kind in kinds)
