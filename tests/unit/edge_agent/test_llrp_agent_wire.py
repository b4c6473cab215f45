"""Bytes to messages: any bytes in any cuts give messages or rejects, and bounded memory."""

import struct

from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_agent.core.llrp.codec import Message, decode_body
from edge_agent.core.llrp.messages import KEEPALIVE_ACK
from edge_agent.core.llrp.reports import Reject
from edge_agent.core.llrp.wire import (
    FRAME_BYTES_MAX,
    Connection,
    Ended,
    NeedData,
    TagReports,
    WireEvent,
)
from tests.unit.edge_agent.llrp_bytes import capabilities, frame, greeting, report, tag_data, tlv

VALID = (
    greeting()
    + frame(11, capabilities(), message_id=3)
    + report(tag_data(1), tag_data(2, antenna=None), tag_data(3, rssi_dbm=-60))
    + frame(62, message_id=9)
)


def drain(connection: Connection) -> list[WireEvent]:
    events: list[WireEvent] = []
    while True:
        event = connection.next_event()
        if isinstance(event, NeedData):
            return events
        events.append(event)
        if isinstance(event, Ended):
            return events


def whole(data: bytes) -> list[WireEvent]:
    connection = Connection()
    connection.receive_data(data)
    events = drain(connection)
    connection.receive_data(b"")
    return events + [event for event in drain(connection) if event not in events]


def byte_by_byte(data: bytes) -> list[WireEvent]:
    connection = Connection()
    events: list[WireEvent] = []
    for at in range(len(data)):
        connection.receive_data(data[at : at + 1])
        events += drain(connection)
        if isinstance(connection.next_event(), Ended):
            return events[: events.index(connection.next_event()) + 1]
    connection.receive_data(b"")
    return events + [event for event in drain(connection) if event not in events]


def test_a_valid_stream_gives_its_messages() -> None:
    events = whole(VALID)
    assert [type(event) for event in events] == [Message, Message, TagReports, Message, Ended]
    reports = events[2]
    assert isinstance(reports, TagReports)
    assert [tag.antenna for tag in reports.reports] == [1, 1, 1]
    assert events[3] == Message(62, {}, (), 9, 1)
    assert events[4] == Ended("the reader closed the connection")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
@example(VALID)
def test_any_bytes_mean_the_same_whole_and_byte_by_byte(data: bytes) -> None:
    assert whole(data) == byte_by_byte(data)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(VALID) - 1), st.integers(0, 255), st.integers(0, len(VALID)))
def test_a_spoilt_stream_means_the_same_whole_and_byte_by_byte(at: int, to: int, cut: int) -> None:
    data = bytearray(VALID)
    data[at] = to
    assert whole(bytes(data[:cut])) == byte_by_byte(bytes(data[:cut]))


def test_garbage_is_rejected_once_and_ends_the_connection() -> None:
    events = whole(b"GET / HTTP/1.1\r\n\r\n" * 100)
    assert events == [
        Reject("no LLRP message starts with 0x4745", b"GET / HTTP"),
        Ended("no LLRP message starts with 0x4745"),
    ]


def test_an_oversized_message_is_refused_by_its_header_alone() -> None:
    header = struct.pack(">HII", 1 << 10 | 61, FRAME_BYTES_MAX + 1, 7)
    reject, ended = whole(header + bytes(1000))
    assert isinstance(reject, Reject)
    assert reject.raw == header
    assert isinstance(ended, Ended)


def test_nothing_is_kept_after_the_framing_is_lost() -> None:
    connection = Connection()
    connection.receive_data(b"\xff" * 10)
    drain(connection)
    for _ in range(100):
        connection.receive_data(bytes(10_000))
    assert not connection._buffer


def test_used_bytes_are_dropped_while_a_stream_never_pauses() -> None:
    connection = Connection()
    one = report(*(tag_data(serial) for serial in range(100)))
    connection.receive_data(one[:7])
    for _ in range(200):
        connection.receive_data(one[7:] + one[:7])
        assert len(drain(connection)) == 1
        assert len(connection._buffer) < 64 * 1024 + 2 * len(one)


def test_a_message_cut_by_the_end_is_rejected_with_its_bytes() -> None:
    events = whole(VALID[:20])
    assert events == [
        Reject("the connection ended in the middle of a message", VALID[:20]),
        Ended("the connection ended in the middle of a message"),
    ]


def test_a_wrong_length_rejects_that_message_only() -> None:
    bad = frame(63, struct.pack(">HH", 246, 99) + bytes(8))
    events = whole(bad + frame(62))
    assert events[0] == Reject(
        "ReaderEventNotification: parameter 246 says it has 99 bytes, 12 are left", bad
    )
    assert events[1] == Message(62, {}, (), 0, 1)


def test_an_unknown_message_is_rejected_alone() -> None:
    events = whole(frame(999, b"abc") + frame(62))
    assert events[0] == Reject("unknown message 999", frame(999, b"abc"))
    assert isinstance(events[1], Message)


def test_a_wrong_tag_report_is_rejected_alone() -> None:
    bad = tlv(240, b"\x8d" + bytes(5))
    events = whole(report(tag_data(1), bad, tag_data(2)))
    assert isinstance(events[0], TagReports)
    assert [tag.epc[-1] for tag in events[0].reports] == [1, 2]
    assert events[0].rejects == [Reject("ROAccessReport: TagReportData: EPC96 is cut", bad)]


def test_a_message_is_sent_with_its_header() -> None:
    sent = Connection().send(Message(KEEPALIVE_ACK, {}, (), 258, 2))
    assert sent == bytes.fromhex("0848 0000000a 00000102")
    assert decode_body(KEEPALIVE_ACK, sent[10:]).number == KEEPALIVE_ACK
