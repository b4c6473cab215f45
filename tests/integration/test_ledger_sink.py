"""The sink as a program: what workers say is in the ledger once, whatever happens to the sink."""

from __future__ import annotations

import dataclasses
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.codec import canonical, encode
from contracts.events import (
    DiscrepancyClosed,
    DiscrepancyOpened,
    Entry,
    EntryKind,
    Problem,
)
from contracts.places import Gate, SiteMap, Zone
from tallygate.servers.kafka_embedded import EmbeddedKafka
from tests.integration.ledger_stream import Listener, Stream
from tests.support.programs import wait_until
from tests.support.servers import Fresh
from tests.unit.ledger_sink.ledger_builders import passage, sighting_of


@pytest.fixture
def stream(embedded: Fresh, tmp_path: Path) -> Iterator[Stream]:
    made = Stream(embedded, tmp_path)
    try:
        made.open_log("l1")
        yield made
    finally:
        made.close()


def assert_whole(stream: Stream, units: int) -> None:
    """Every unit's passage and sighting is there once, and the chain is whole."""
    assert stream.count() == units
    reads = stream.value("select sum(reads) from ledger.evidence where site = %s", stream.site)
    assert reads == 3 * units
    report = stream.verify()
    assert report.findings == ()
    assert report.sightings == units


def test_what_lies_before_a_tick_is_entered_and_acknowledged(stream: Stream) -> None:
    sink = stream.start_sink()
    stream.pass_units(0, 20)
    stream.tick(7)
    stream.wait_acknowledged(7)
    stream.pass_units(20, 5)
    stream.tick(8, [0])
    stream.tick(9, [0])
    assert set(stream.acknowledged) == {7}
    stream.tick(9, [1])
    stream.wait_acknowledged(9)
    assert_whole(stream, 25)
    sink.send(signal.SIGTERM)
    assert sink.wait() == 0
    report = stream.verify()
    assert report.whole
    assert report.unprotected == 0
    assert stream.value("select until = '-infinity' from ledger.leases where role = 'sink'")


def test_what_lies_behind_the_last_tick_is_not_entered(stream: Stream) -> None:
    stream.start_sink()
    stream.pass_units(0, 10)
    stream.tick(7)
    stream.pass_units(10, 10)
    stream.wait_acknowledged(7)
    assert stream.count() == 10


def test_an_acknowledgement_is_retained(stream: Stream, embedded: Fresh) -> None:
    stream.start_sink()
    stream.tick(7)
    stream.wait_acknowledged(7)
    listener = Listener(embedded)
    try:
        assert wait_until(lambda: set(listener.acknowledged) == {7}, 60)
    finally:
        listener.close()


def test_records_that_are_no_outputs_become_rejects_once(stream: Stream) -> None:
    sink = stream.start_sink()
    stream.raw(0, b"\xc1garbage")
    stream.raw(0, b"")
    stream.raw(1, b"\x93" * 2000)
    stream.pass_units(0, 4)
    stream.tick(7)
    stream.wait_acknowledged(7)
    assert stream.count("reject") == 3
    assert_whole(stream, 4)
    sink.end()
    stream.start_sink()
    stream.tick(8)
    stream.wait_acknowledged(8)
    assert stream.count("reject") == 3
    assert stream.value("select count(*) from ledger.rejects where raw = %s", b"\xc1garbage") == 1


def test_an_entry_that_no_table_holds_becomes_a_reject(stream: Stream) -> None:
    stream.start_sink()
    stream.output(0, [passage(1, identity="a\0b"), passage(2, payload=b"not json")])
    stream.output(0, [passage(3, happened_us=2**63)])
    # More than an index takes, whatever PostgreSQL's compression makes of it.
    stream.output(0, [passage(4, identity=random.Random(4).randbytes(2_000).hex())])
    stream.output(0, evidence=[sighting_of(5, location="\0"), sighting_of(6)])
    stream.pass_units(10, 2)
    stream.tick(7)
    stream.wait_acknowledged(7)
    assert (stream.count(), stream.count("reject")) == (2, 5)
    assert stream.value("select count(*) from ledger.evidence") == 3


def test_where_things_are_follows_from_what_was_entered(stream: Stream) -> None:
    """A worker that begins again knows it from there; what was refused moves nobody."""
    stream.start_sink()
    entered = passage(1, at_us=11_000_000)
    forged = passage(1, at_us=99_000_000, id=entered.id)
    stream.output(0, [entered, passage(2)])
    stream.tick(7)
    stream.wait_acknowledged(7)
    stream.output(0, [entered, forged])
    stream.tick(8)
    stream.wait_acknowledged(8)
    assert stream.count("reject") == 1
    told = stream.value(
        "select string_agg(identity || ' ' || at_us, ', ' order by identity)"
        " from ledger.whereabouts"
    )
    assert told == f"{entered.identity} 11000000, {passage(2).identity} 11000000"


@pytest.mark.parametrize(
    ("point", "nth"),
    [("before_append", 1), ("after_append", 2), ("after_commit", 1), ("after_acknowledge", 2)],
)
def test_killed_anywhere_nothing_is_lost_or_entered_twice(
    stream: Stream, point: str, nth: int
) -> None:
    sink = stream.start_sink(TALLYGATE_AT=f"{point}:{nth}:kill")
    stream.pass_units(0, 10)
    stream.tick(1)
    ended = wait_until(lambda: sink.process.poll() is not None or 1 in stream.acknowledged, 60)
    assert ended, sink.tail()
    stream.pass_units(10, 10)
    stream.tick(2)
    stream.pass_units(20, 10)
    stream.tick(3)
    assert sink.wait() == -signal.SIGKILL
    stream.start_sink()
    stream.wait_acknowledged(3)
    assert_whole(stream, 30)


def test_a_sink_that_was_stopped_and_continued_writes_nothing_more(stream: Stream) -> None:
    sink = stream.start_sink(TALLYGATE_AT="before_append:2:stop")
    point = {"line": "named point before_append: stop"}
    stream.pass_units(0, 10)
    stream.tick(1)
    # Both partitions may be committed at once or one after the other.
    assert wait_until(lambda: 1 in stream.acknowledged or point in sink.said(), 20), sink.tail()
    stream.pass_units(10, 10)
    stream.tick(2)
    assert wait_until(lambda: point in sink.said(), 20), sink.tail()
    # It holds rows that it locked; the database takes them back when its lease has run out.
    stream.start_sink()
    stream.wait_acknowledged(2)
    stream.pass_units(20, 10)
    stream.tick(3)
    stream.wait_acknowledged(3)
    sink.send(signal.SIGCONT)
    assert sink.wait() == 1
    assert_whole(stream, 30)


def test_a_sink_stopped_between_two_rounds_ends_when_it_is_continued(stream: Stream) -> None:
    first = stream.start_sink()
    stream.pass_units(0, 10)
    stream.tick(1)
    stream.wait_acknowledged(1)
    first.send(signal.SIGSTOP)
    second = stream.start_sink()
    second.wait_for("sink runs")
    first.send(signal.SIGCONT)
    stream.pass_units(10, 10)
    stream.tick(2)
    stream.wait_acknowledged(2)
    assert first.wait() == 1
    assert "taken over" in str(first.said()[-1]["reason"])
    assert_whole(stream, 20)


def test_outputs_of_an_older_epoch_are_not_entered(stream: Stream) -> None:
    stream.start_sink()
    stream.pass_units(0, 10)
    stream.tick(1)
    stream.wait_acknowledged(1)
    # The worker of partition 0 loses it with a record under way, and writes on all the same.
    old, place = stream.epochs[0], stream.offsets[0]
    stream.output(0, [passage(998)])
    stream.epochs[0] = stream.take_epoch(0)
    stream.offsets[0] = place
    stream.output(0, [passage(999)], epoch=old)
    stream.offsets[0] = place
    stream.pass_units(10, 10)
    stream.tick(2)
    stream.wait_acknowledged(2)
    assert_whole(stream, 20)
    assert stream.value("select count(*) from ledger.entries where id = %s", passage(999).id) == 0


def test_a_new_log_is_followed_and_the_old_one_is_void(stream: Stream) -> None:
    stream.start_sink()
    stream.pass_units(0, 10)
    stream.tick(1)
    stream.wait_acknowledged(1)
    stream.pass_units(10, 5)
    stream.open_log("l2")
    stream.pass_units(10, 10)
    stream.tick(2)
    stream.wait_acknowledged(2)
    assert_whole(stream, 20)


def test_a_kafka_that_was_emptied_is_followed_again(embedded: Fresh, tmp_path: Path) -> None:
    """The broker dies with all that it held; the bridge opens a new log on the empty one."""
    with EmbeddedKafka(tmp_path / "kafka") as kafka:
        stream = Stream(dataclasses.replace(embedded, kafka=kafka.url), tmp_path)
        try:
            stream.open_log("l1")
            sink = stream.start_sink()
            stream.pass_units(0, 10)
            stream.tick(1)
            stream.wait_acknowledged(1)
            stream.pass_units(10, 5)
            kafka.kill()
            kafka.start()
            stream.open_log("l2")
            stream.pass_units(10, 10)
            stream.tick(2)
            stream.wait_acknowledged(2)
            assert_whole(stream, 20)
            assert sink.process.poll() is None
        finally:
            stream.close()


def test_a_light_is_red_while_a_discrepancy_is_open(stream: Stream) -> None:
    site = SiteMap(
        site=stream.site,
        zones=(Zone(id="stage"), Zone(id="yard", outside=True)),
        gates=(Gate(id="door-1", inner="stage", outer="yard", light="dock/door-1/1"),),
        antennas=(),
    )
    stream.ledger.put_reference("site", encode(site), 5)
    sink = stream.start_sink()
    opened = DiscrepancyOpened(
        discrepancy="d1",
        problem=Problem.STRANGER,
        load=None,
        location="door-1",
        identities=("raw:1",),
        at_us=5,
        found_us=5,
    )
    stream.output(0, [entry_of(EntryKind.DISCREPANCY_OPENED, "d1", opened)])
    stream.tick(1)
    assert wait_until(lambda: any(light.red for light in stream.lights), 20), sink.tail()
    sink.send(signal.SIGTERM)
    assert sink.wait() == 0
    stream.lights.clear()
    sink = stream.start_sink()
    assert wait_until(lambda: bool(stream.lights), 20), "told again at a new start"
    assert stream.lights[-1].red
    closed = DiscrepancyClosed(discrepancy="d1", reason="plan_changed", at_us=6)
    stream.output(0, [entry_of(EntryKind.DISCREPANCY_CLOSED, "d1c", closed)])
    stream.tick(2)
    assert wait_until(lambda: not stream.lights[-1].red, 20), sink.tail()
    assert (stream.lights[-1].device, stream.lights[-1].port) == ("door-1", 1)


def entry_of(kind: EntryKind, id_: str, payload: DiscrepancyOpened | DiscrepancyClosed) -> Entry:
    return Entry(
        id=id_,
        kind=kind,
        happened_us=payload.at_us,
        identity=None,
        location="door-1",
        payload=canonical(payload),
    )


def test_an_influxdb_that_is_away_holds_nothing_up(stream: Stream) -> None:
    sink = stream.start_sink(TALLYGATE_INFLUX_URL="http://127.0.0.1:9")
    stream.pass_units(0, 10)
    stream.tick(1)
    stream.wait_acknowledged(1)
    sink.wait_for("InfluxDB does not take metrics; they wait")
    stream.pass_units(10, 10)
    stream.tick(2)
    stream.wait_acknowledged(2)
    sink.send(signal.SIGTERM)
    assert sink.wait() == 0


def test_a_mistake_in_the_environment_is_told_in_one_sentence(stream: Stream) -> None:
    sink = stream.start_sink(TALLYGATE_SITE="no site", TALLYGATE_CLOCK="fast")
    assert sink.wait() == 2
    reason = str(sink.said()[-1]["reason"])
    assert "TALLYGATE_SITE" in reason
    assert "TALLYGATE_CLOCK" in reason


def test_a_database_that_is_away_is_told_in_one_sentence(stream: Stream) -> None:
    sink = stream.start_sink(TALLYGATE_POSTGRES_URL="postgresql://postgres@127.0.0.1:9/x")
    assert sink.wait() == 1
    assert "TALLYGATE_POSTGRES_URL" in str(sink.said()[-1]["reason"])
