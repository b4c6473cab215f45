"""Tag reports: the fast path agrees with the tables and carries what readers omit."""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.llrp.codec import Parameter, decode_body
from edge_agent.core.llrp.reports import PLANS_MAX, ReportDecoder, TagReport
from tests.unit.edge_agent.llrp_bytes import tag_data, tlv

IMPINJ_RSSI = tlv(1023, struct.pack(">IIh", 25882, 57, -5325))
READ_RESULT = tlv(349, struct.pack(">BHHH", 0, 1, 1, 0xBEEF))


def one(*tags: bytes) -> TagReport:
    reports, rejects = ReportDecoder().decode(b"".join(tags))
    assert rejects == []
    return reports[-1]


def test_a_report_holds_what_the_reader_said() -> None:
    raw = tag_data(7, antenna=2, rssi_dbm=-48, first_us=1000, last_us=2000, count=5)
    assert one(raw) == TagReport(
        epc=bytes.fromhex("3034257bf7194e4000000007"),
        epc_bits=96,
        antenna=2,
        rssi_cdbm=-4800,
        first_seen_us=1000,
        last_seen_us=2000,
        uptime=False,
        seen_count=5,
        channel=None,
        rospec=None,
        raw=raw,
    )


def test_a_long_epc_keeps_its_bit_count() -> None:
    tag = one(tlv(240, tlv(241, struct.pack(">H", 198) + bytes(range(25))) + b"\x81\x00\x01"))
    assert (tag.epc, tag.epc_bits, tag.antenna) == (bytes(range(25)), 198, 1)


def test_times_since_the_start_of_the_reader_are_marked() -> None:
    times = b"\x83" + struct.pack(">Q", 5) + b"\x85" + struct.pack(">Q", 9)
    tag = one(tag_data(first_us=None, last_us=None, extra=times))
    assert (tag.first_seen_us, tag.last_seen_us, tag.uptime) == (5, 9, True)


def test_the_finer_signal_of_impinj_wins() -> None:
    assert one(tag_data(rssi_dbm=-53, extra=IMPINJ_RSSI)).rssi_cdbm == -5325
    before = tlv(240, IMPINJ_RSSI + b"\x8d" + bytes(12) + b"\x86\xd0")
    assert one(before).rssi_cdbm == -5325


def test_channel_and_rospec_are_told() -> None:
    tag = one(tag_data(extra=b"\x87\x00\x0c\x89\x00\x00\x00\x01"))
    assert (tag.channel, tag.rospec) == (12, 1)


def test_what_a_reader_leaves_out_is_as_it_was_before() -> None:
    full = tag_data(1, antenna=3, rssi_dbm=-61, first_us=100, last_us=200, count=4)
    bare = tag_data(2, antenna=None, rssi_dbm=None, first_us=None, last_us=None, count=None)
    tag = one(full, bare)
    assert tag.epc[-1] == 2
    assert (tag.antenna, tag.rssi_cdbm, tag.seen_count) == (3, -6100, 4)
    assert (tag.first_seen_us, tag.last_seen_us) == (100, 200)


def test_a_new_value_replaces_the_carried_one() -> None:
    tags = (
        tag_data(1, antenna=1, extra=IMPINJ_RSSI),
        tag_data(2, antenna=2, rssi_dbm=None),
        tag_data(3, antenna=None, rssi_dbm=-40),
        tag_data(4, antenna=None, rssi_dbm=None),
    )
    reports, _ = ReportDecoder().decode(b"".join(tags))
    assert [tag.antenna for tag in reports] == [1, 2, 2, 2]
    assert [tag.rssi_cdbm for tag in reports] == [-5325, -5325, -4000, -4000]


def test_the_kind_of_time_is_carried_with_the_time() -> None:
    times = b"\x83" + struct.pack(">Q", 5) + b"\x85" + struct.pack(">Q", 9)
    uptime = tag_data(1, first_us=None, last_us=None, extra=times)
    tag = one(uptime, tag_data(2, first_us=None, last_us=None))
    assert (tag.first_seen_us, tag.uptime) == (5, True)


def test_values_are_carried_from_message_to_message() -> None:
    decoder = ReportDecoder()
    decoder.decode(tag_data(1, antenna=4))
    (tag,), _ = decoder.decode(tag_data(2, antenna=None))
    assert tag.antenna == 4
    decoder.forget()
    (tag,), _ = decoder.decode(tag_data(2, antenna=None))
    assert tag.antenna is None


def test_nothing_is_carried_over_a_report_that_was_lost() -> None:
    """The lost one may have named another antenna: better no antenna than a wrong one."""
    lost = tlv(240, b"\x8d" + bytes(12) + b"\x81\x00")
    reports, rejects = ReportDecoder().decode(
        tag_data(1, antenna=1) + lost + tag_data(2, antenna=None)
    )
    assert [tag.antenna for tag in reports] == [1, None]
    assert [reject.reason for reject in rejects] == [
        "ROAccessReport: TagReportData: AntennaID is cut"
    ]


def test_each_kind_of_wrong_report_is_told_apart() -> None:
    wrong = {
        "no EPC": tlv(240, b"\x81\x00\x01"),
        "more than one EPC": tlv(240, b"\x8d" + bytes(12) + b"\x8d" + bytes(12)),
        "AntennaID is there twice": tag_data(extra=b"\x81\x00\x01"),
        "times are both UTC and since the reader's start": tag_data(
            last_us=None, extra=b"\x85" + bytes(8)
        ),
        "unknown parameter 100 has no length of its own": tag_data(extra=b"\xe4\x00"),
        "EPCData of 96 bits in 10 bytes": tlv(240, tlv(241, b"\x00\x60" + bytes(4))),
        "Custom of 8 bytes": tag_data(extra=tlv(1023, bytes(4))),
        "a parameter's length is wrong": tag_data(extra=b"\x03\xff\x00\x03"),
        "C1G2ReadOpSpecResult: Data needs 4 bytes": tag_data(
            extra=tlv(349, struct.pack(">BHHH", 0, 1, 2, 0))
        ),
    }
    for reason, raw in wrong.items():
        reports, rejects = ReportDecoder().decode(tag_data(1) + raw + tag_data(2))
        assert [tag.epc[-1] for tag in reports] == [1, 2], reason
        assert len(rejects) == 1, reason
        assert reason in rejects[0].reason
        assert rejects[0].raw == raw


def test_a_wrong_outer_length_keeps_what_came_before() -> None:
    rest = struct.pack(">HH", 240, 3) + tag_data(2)
    reports, rejects = ReportDecoder().decode(tag_data(1) + rest)
    assert [tag.epc[-1] for tag in reports] == [1]
    assert rejects[0].raw == rest


def test_survey_reports_and_vendor_parameters_are_passed_over() -> None:
    survey = tlv(242, tlv(243, struct.pack(">IIbb", 902750, 500, -80, -70) + tlv(128, bytes(8))))
    reports, rejects = ReportDecoder().decode(tag_data(1) + survey + tlv(1023, bytes(9)))
    assert len(reports) == 1
    assert rejects == []


def test_results_of_access_operations_do_not_disturb() -> None:
    assert one(tag_data(1, extra=READ_RESULT), tag_data(2, extra=READ_RESULT)).epc[-1] == 2


def test_plans_stay_bounded_whatever_arrives() -> None:
    decoder = ReportDecoder()
    for size in range(3 * PLANS_MAX):
        decoder.decode(tag_data(extra=tlv(1023, bytes(8 + size))))
        assert sum(len(plans) for plans in decoder._plans.values()) <= PLANS_MAX


@st.composite
def tags(draw: st.DrawFn) -> bytes:
    def some(low: int, high: int) -> int | None:
        return draw(st.none() | st.integers(low, high))

    extras = (b"", b"\x87\x00\x0c", b"\x8a\x00\x01\x8c\x30\x00", IMPINJ_RSSI, READ_RESULT)
    return tag_data(
        draw(st.integers(0, 9)),
        antenna=some(0, 65535),
        rssi_dbm=some(-128, 127),
        first_us=some(0, 2**64 - 1),
        last_us=some(0, 2**64 - 1),
        count=some(0, 65535),
        extra=draw(st.sampled_from(extras)),
    )


@settings(max_examples=200, deadline=None)
@given(st.lists(tags(), max_size=6))
def test_the_fast_path_says_what_the_tables_say(body: list[bytes]) -> None:
    reports, rejects = ReportDecoder().decode(b"".join(body))
    assert rejects == []
    told: dict[str, int | None] = {}

    def value(tag: Parameter, name: str) -> int | None:
        inner = tag.first(name)
        if inner is not None:
            told[name] = next(v for v in inner.fields.values() if isinstance(v, int))
        return told.get(name)

    expected = decode_body(61, b"".join(body)).all("TagReportData")
    assert len(reports) == len(expected)
    for report, tag, raw in zip(reports, expected, body, strict=True):
        assert report.raw == raw
        assert report.antenna == value(tag, "AntennaID")
        assert report.first_seen_us == value(tag, "FirstSeenUTC")
        assert report.last_seen_us == value(tag, "LastSeenUTC")
        assert report.seen_count == value(tag, "TagSeenCount")
        assert report.channel == value(tag, "ChannelIndex")
        epc = tag.all("EPC96")[0].fields["EPC"]
        assert report.epc == epc


@settings(max_examples=300, deadline=None)
@given(st.lists(tags(), min_size=1, max_size=3), st.data())
def test_spoilt_reports_are_kept_or_rejected_and_nothing_vanishes(
    parts: list[bytes], data: st.DataObject
) -> None:
    body = bytearray(b"".join(parts))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    reports, rejects = ReportDecoder().decode(bytes(body))
    raw = [tag.raw for tag in reports] + [reject.raw for reject in rejects]
    assert sum(map(len, raw)) <= len(body)
    again, _ = ReportDecoder().decode(b"".join(tag.raw for tag in reports))
    assert len(again) == len(reports)
