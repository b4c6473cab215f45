"""Bad input, end to end: each kind becomes a counted reject or a noted clock, and nothing stops.

Real programs on embedded servers; the devices are played by the test, byte by byte. Good reads are
sent before and behind whatever is bad, and all of them must be entered. A program that ends is a
failure at once: nobody starts it again here.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest

from contracts.codec import encode
from contracts.ids import partition_of
from contracts.log import Output, Part
from contracts.reads import RAW_BYTES_MAX, Read, ReadBatch, SpooledBatch
from tests.end_to_end.bad_floor import Floor, eventually, new_spool, now_us
from tests.support.servers import SessionServers
from tests.support.stream import PARTITIONS
from tests.unit.edge_agent.llrp_bytes import frame, report, tag_data, tlv

NONSENSE = b"\xff\x00 not ours \xc1"
MINUTE_US = 60_000_000


@pytest.fixture(scope="module", name="floor")
def fixture_floor(
    embedded_servers: SessionServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Floor]:
    with embedded_servers.fresh() as fresh:
        floor = Floor(fresh, tmp_path_factory.mktemp("floor"))
        try:
            floor.start()
            yield floor
        finally:
            floor.close()


@pytest.fixture(autouse=True)
def fixture_nothing_ends(floor: Floor) -> Iterator[None]:
    yield
    assert floor.ended() == []


def batch_of(*reads: Read) -> ReadBatch:
    return ReadBatch(gateway_us=now_us(), reads=reads)


def read_of(identity: str, **changed: object) -> Read:
    """A good read at the belt, some of its fields changed."""
    at_us = now_us()
    good = Read(
        identity=identity,
        device="reader",
        antenna=1,
        first_us=at_us,
        last_us=at_us,
        received_us=at_us,
        count=1,
    )
    return msgspec.structs.replace(good, **changed)


# -- LLRP ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "reason", "kept"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "no LLRP message starts with 0x4745", b"GET / HTTP"),
        (
            struct.pack(">HII", 1 << 10 | 61, 2**31, 0) + b"x",
            "2147483648 bytes, more than 4194304",
            struct.pack(">HII", 1 << 10 | 61, 2**31, 0),
        ),
        (
            struct.pack(">HII", 1 << 10 | 61, 3, 0),
            "3 bytes, less than its header",
            struct.pack(">HII", 1 << 10 | 61, 3, 0),
        ),
    ],
    ids=["garbage", "oversized", "undersized"],
)
def test_a_frame_that_is_none_is_rejected_and_the_reader_read_on(
    floor: Floor, raw: bytes, reason: str, kept: bytes
) -> None:
    """The framing is lost, so the agent connects anew."""
    sessions = floor.reader.sessions
    before = floor.good_tag()
    floor.reader.send(raw)
    assert floor.wait_rejected(reason) == [("dock/reader", kept, len(kept))]
    floor.reader.wait_for_session(sessions + 1)
    floor.wait_entered([before, floor.good_tag()])


def test_a_frame_that_was_cut_is_rejected_and_the_reader_read_on(floor: Floor) -> None:
    sessions = floor.reader.sessions
    whole = report(tag_data(77))
    floor.reader.send(whole[:-5])
    before = floor.good_scan()
    floor.wait_entered([before])
    floor.reader.cut()
    (reject,) = floor.wait_rejected("the connection ended in the middle of a message")
    assert reject == ("dock/reader", whole[:-5], len(whole) - 5)
    floor.reader.wait_for_session(sessions + 1)
    floor.wait_entered([floor.good_tag()])


def test_a_parameter_of_wrong_length_is_rejected_alone(floor: Floor) -> None:
    """Good tags of the same message are entered, and the connection stays."""
    sessions = floor.reader.sessions
    before, behind = floor.serials(2)
    broken = tlv(240, b"\x8d\x01\x02")
    longer = struct.pack(">HH", 240, 500) + b"\x00" * 20
    at_us = now_us()
    good = [tag_data(one, first_us=at_us, last_us=at_us) for one in (before, behind)]
    floor.reader.send(report(good[0], broken, good[1], longer))
    assert floor.wait_rejected("EPC96 is cut")[0][1:] == (
        broken,
        len(broken),
    )
    assert floor.wait_rejected("a parameter's length is wrong")[0][1] == longer
    prefix = floor.good_tag().rpartition("/")[0]
    floor.wait_entered([f"{prefix}/{before}", f"{prefix}/{behind}"])
    assert floor.reader.sessions == sessions


def test_an_unknown_message_is_rejected_alone(floor: Floor) -> None:
    sessions = floor.reader.sessions
    stranger = frame(700, b"whoever I am", message_id=9)
    floor.reader.send(stranger)
    assert floor.wait_rejected("unknown message 700") == [("dock/reader", stranger, len(stranger))]
    floor.wait_entered([floor.good_tag()])
    assert floor.reader.sessions == sessions


# -- scanner ---------------------------------------------------------------------------------------


def test_lines_that_are_no_text_or_empty_are_rejected_alone(floor: Floor) -> None:
    before = floor.good_scan()
    floor.scanner.send(b"\x00\xfe\xff\x80\r\n" + b"\r\n" + b"   \r\n")
    behind = floor.good_scan()
    floor.wait_entered([before, behind])
    assert floor.wait_rejected("bytes that are no text") == [
        ("dock/scanner", b"\x00\xfe\xff\x80", 4)
    ]
    assert sorted(floor.wait_rejected("an empty message", 2)) == [
        ("dock/scanner", b"", 0),
        ("dock/scanner", b"   ", 3),
    ]


def test_an_endless_line_is_told_while_it_lasts(floor: Floor) -> None:
    """The scanner never ends the line; its first bytes are kept, the others counted."""
    floor.scanner.send(b"x" * 100_000)
    (reject,) = floor.wait_rejected("no end of message within 4096 bytes")
    assert reject[:2] == ("dock/scanner", b"x" * RAW_BYTES_MAX)
    floor.scanner.send(b"\r\n")
    (end,) = floor.wait_rejected("the end of a message that was too long")
    assert reject[2] + end[2] == 100_000
    floor.wait_entered([floor.good_scan()])


# -- MQTT ------------------------------------------------------------------------------------------


def test_a_payload_that_is_not_ours_is_rejected(floor: Floor) -> None:
    before = floor.good_tag()
    floor.publish("stranger", NONSENSE)
    assert floor.wait_rejected("not a message of ours: ", 1)[0] == (
        "bridge",
        NONSENSE,
        len(NONSENSE),
    )
    floor.wait_entered([before, floor.good_tag()])


def test_a_huge_payload_is_rejected_with_its_first_bytes_and_true_size(floor: Floor) -> None:
    seed = 20260
    print(f"seed {seed}")  # noqa: T201
    huge = random.Random(seed).randbytes(2_000_000)
    floor.publish("stranger", huge)
    assert floor.wait_rejected("larger than 1000000 bytes") == [
        ("bridge", huge[:RAW_BYTES_MAX], len(huge))
    ]
    floor.wait_entered([floor.good_tag()])


def test_a_message_of_a_gateway_that_none_can_be_called_is_rejected(floor: Floor) -> None:
    """It came by our subscription, so it must not vanish."""
    good = encode(SpooledBatch(spool=new_spool(), sequence=1, lowest=1, payload=encode(batch_of())))
    floor.publish("door 1!", good)
    assert floor.wait_rejected("/door 1!/reads'") == [("bridge", good, len(good))]
    floor.wait_entered([floor.good_tag()])


def test_a_message_of_a_newer_schema_is_rejected_and_named(floor: Floor) -> None:
    newer = encode(
        SpooledBatch(schema=2, spool=new_spool(), sequence=1, lowest=1, payload=encode(batch_of()))
    )
    floor.publish("stranger", newer)
    (reject,) = [
        one for one in floor.wait_rejected("schema 2 is newer than 1") if one[0] == "bridge"
    ]
    assert reject == ("bridge", newer, len(newer))
    floor.wait_entered([floor.good_tag()])


def test_a_newer_batch_keeps_its_place_in_its_spool(floor: Floor) -> None:
    """The envelope is ours, what is in it is newer: the spool goes on behind it."""
    gateway = floor.stream.gateway("newer")
    gateway.wait_for_run()
    newer = ReadBatch(schema=3, gateway_us=now_us(), reads=(read_of("raw:ee01"),))
    gateway.send(newer)
    gateway.send(batch_of(read_of("raw:ee02")))
    assert floor.wait_rejected("schema 3 is newer than 1") == [
        ("newer", encode(newer), len(encode(newer)))
    ]
    floor.wait_entered(["raw:ee02"])
    gateway.wait_acknowledged(20)


def test_reads_that_no_device_can_have_made_are_rejected_one_by_one(floor: Floor) -> None:
    """Well formed, but nothing behind could hold or hash them; good reads beside are entered."""
    gateway = floor.stream.gateway("wild")
    gateway.wait_for_run()
    wild = [
        read_of("raw:aa01", first_us=2**64 - 1, last_us=2**64 - 1),
        read_of("raw:aa02", first_us=-(2**63), last_us=-(2**63), received_us=2**64 - 1),
        read_of("raw:aa03", count=2**64 - 1),
        read_of("raw:aa04", count=0),
        read_of("raw:aa05", evidence=b"e" * 500_000),
        read_of("raw:" + "a" * 5_000),
        read_of("raw:aa06", received_us=now_us() + 365 * 86_400_000_000),
        read_of("raw:\x1f\x00\x1f"),
        read_of(""),
    ]
    for read in wild:
        gateway.send(batch_of(read_of(f"raw:bb{wild.index(read):02}"), read))
    found = floor.wait_rejected("a read that cannot be used", len(wild))
    assert sorted(raw for _, raw, _ in found) == sorted(
        encode(read)[:RAW_BYTES_MAX] for read in wild
    )
    floor.wait_entered([f"raw:bb{number:02}" for number in range(len(wild))])
    gateway.wait_acknowledged(20)


# -- the log ---------------------------------------------------------------------------------------


def test_records_in_the_log_that_are_not_ours_are_rejected(floor: Floor) -> None:
    """Nonsense, a newer schema and a record without a value, straight into topic `reads`."""
    before = [floor.good_tag() for _ in range(4)]
    newer = encode(
        Part(
            schema=4, run=1, gateway="dock", spool=new_spool(), sequence=1, previous=0, gateway_us=1
        )
    )
    for value in (b"\xc1 in reads", newer, None):
        floor.append("reads", value)
    assert floor.wait_rejected("schema 4 is newer than 1") == [("worker", newer, len(newer))]
    floor.wait_rejected_by("worker", [b"", b"\xc1 in reads", newer])
    floor.wait_entered([*before, *[floor.good_tag() for _ in range(4)]])


def test_outputs_that_are_not_ours_are_rejected(floor: Floor) -> None:
    """The same in topic `events`, and an output that lies in another's partition."""
    before = [floor.good_tag() for _ in range(4)]
    log = floor.stream.log()
    newer = encode(Output(schema=5, log=log, partition=0, offset=0, epoch=1))
    astray = encode(Output(log=log, partition=1, offset=0, epoch=1))
    for value in (b"\xc1 in events", newer, astray, None):
        floor.append("events", value)
    assert floor.wait_rejected("schema 5 is newer than 1") == [("sink", newer, len(newer))]
    assert floor.wait_rejected("output of partition 1 in partition 0") == [
        ("sink", astray, len(astray))
    ]
    floor.wait_rejected_by("sink", [b"", b"\xc1 in events", newer, astray])
    floor.wait_entered([*before, *[floor.good_tag() for _ in range(4)]])


# -- clocks ----------------------------------------------------------------------------------------


def test_a_reader_that_lives_in_1970_is_set_right(floor: Floor) -> None:
    """Its clock is wrong the same way always: the reads are entered at the agent's time."""
    began_us = now_us()
    identities = [
        identity
        for number, serial in enumerate(floor.serials(10))
        for identity in floor.readers["old"].tags(serial, at_us=1_000_000 + 1_000 * number)
    ]
    entered = floor.wait_entered(identities)
    assert all(began_us - MINUTE_US < at_us < now_us() + MINUTE_US for at_us in entered.values())


def test_a_clock_that_jumps_into_the_future_is_noted_and_not_believed(floor: Floor) -> None:
    """No read is dropped or entered in the future; each partition tells it once, the agent too."""
    began_us = now_us()
    mad = floor.readers["mad"]
    identities = mad.tags(*floor.serials(20))
    floor.wait_entered(identities)
    future_us = began_us + 10 * 365 * 86_400_000_000
    late = [
        identity
        for number, serial in enumerate(floor.serials(6))
        for identity in mad.tags(serial, at_us=future_us + number)
    ]
    entered = floor.wait_entered(late)
    assert all(began_us - MINUTE_US < at_us < now_us() + MINUTE_US for at_us in entered.values())
    sees_it = {partition_of(identity, PARTITIONS) for identity in late}
    assert len(sees_it) > 1, "the claim needs several partitions"
    notes = floor.stream.ask(
        "select payload from ledger.entries where kind = 'device'"
        """ and position('"clock_off"' in convert_from(payload, 'UTF8')) > 0"""
    )
    told = [str(future_us + number).encode() for number in range(len(late))]
    by_partitions = [
        bytes(payload) for (payload,) in notes if any(one in bytes(payload) for one in told)
    ]
    assert len(by_partitions) == len(sees_it)
    assert all(b'"device":"mad"' in payload for payload in by_partitions)
    by_the_agent = [payload for (payload,) in notes if b"ahead of the agent's" in bytes(payload)]
    assert len(by_the_agent) == 1
    assert b'"device":"mad"' in bytes(by_the_agent[0])
    again = mad.tags(*floor.serials(3))
    floor.wait_entered(again)


@pytest.mark.parametrize(
    ("name", "year", "reason"),
    [("ahead", 2060, "is more than a day ahead"), ("unset", 1970, "was never set")],
)
def test_reads_by_an_agents_mad_clock_are_rejects_and_it_recovers(
    floor: Floor, name: str, year: int, reason: str
) -> None:
    """Nothing is entered in another year, and once the clock is right its reads count again."""
    gateway = floor.stream.gateway(name)
    gateway.wait_for_run()
    began_us = now_us()
    gateway.send(batch_of(read_of(f"raw:{year}01")))
    mad_us = int(datetime(year, 1, 2, tzinfo=UTC).timestamp()) * 1_000_000
    mad = read_of(f"raw:{year}02", first_us=mad_us, last_us=mad_us, received_us=mad_us)
    gateway.send(ReadBatch(gateway_us=mad_us, reads=(mad,)))
    ((source, raw, _),) = floor.wait_rejected(f"its gateway's clock {reason}")
    assert (source, raw) == (name, encode(mad))
    gateway.send(batch_of(read_of(f"raw:{year}03")))
    entered = floor.wait_entered([f"raw:{year}01", f"raw:{year}03"])
    assert all(began_us - MINUTE_US < at < now_us() + MINUTE_US for at in entered.values())
    gateway.wait_acknowledged(20)
    floor.wait_entered([floor.good_tag()])


# -- after all that --------------------------------------------------------------------------------


def test_after_all_that_the_books_balance(floor: Floor) -> None:
    """Every read and every reject that reached the spool is in the ledger, once."""
    floor.wait_entered([read() for _ in range(12) for read in (floor.good_tag, floor.good_scan)])
    reads, rejects = floor.spooled()
    assert len(reads) > 20
    assert eventually(lambda: floor.stream.books().items() >= reads.items()), {
        identity: count
        for identity, count in reads.items()
        if floor.stream.books().get(identity) != count
    }
    ((entered,),) = floor.stream.ask(
        "select count(*) from ledger.rejects where source like 'dock/%%'"
    )
    assert entered == rejects
    tallies = dict(floor.stream.ask("select name, count from ledger.tallies"))
    assert tallies.get("conflicts", 0) == 0
    assert floor.stream.ask("select count(*) from ledger.losses") == [(0,)]
