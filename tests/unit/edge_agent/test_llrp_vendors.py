"""Makers' parameters: known ones are read, unknown ones kept, and nothing of theirs is fatal."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.llrp.capabilities import read_capabilities
from edge_agent.core.llrp.codec import Parameter, decode_body, encode_body
from edge_agent.core.llrp.events import (
    Agreed,
    AntennaChanged,
    ReaderNoticed,
    ReadingStarted,
    RequestFailed,
    SessionEnded,
)
from edge_agent.core.llrp.notifications import read_notification
from edge_agent.core.llrp.profiles import corrected, profile_of
from edge_agent.core.llrp.reports import ReportDecoder, TagReport
from edge_agent.core.llrp.session import Session
from edge_agent.core.llrp.states import State
from edge_agent.core.llrp.vendors import IMPINJ, VENDOR_LAYOUTS, ZEBRA, custom, read_custom
from edge_agent.core.llrp.wire import NeedData
from tests.support.llrp_pair import MAKERS, Pair, passing
from tests.unit.edge_agent.llrp_bytes import capabilities, frame, status, tag_data, tlv, utc
from tests.unit.edge_agent.llrp_talk import Talk

SETTINGS = Pair("generic").settings


def impinj(subtype: int, data: bytes) -> bytes:
    return tlv(1023, struct.pack(">II", IMPINJ, subtype) + data)


def zebra(subtype: int, data: bytes) -> bytes:
    return tlv(1023, struct.pack(">II", ZEBRA, subtype) + data)


def one(extra: bytes) -> TagReport:
    reports, rejects = ReportDecoder().decode(tag_data(extra=extra))
    assert rejects == []
    return reports[0]


def parameter_of(raw: bytes) -> Parameter:
    (tag,) = decode_body(61, tag_data(extra=raw)).all("TagReportData")
    return tag.parameters[-1]


# As captured from an R420: phase 2624, Doppler shift 3984, -68.50 dBm.
R420 = impinj(56, b"\x0a\x40") + impinj(57, b"\xe5\x3e") + impinj(68, b"\x0f\x90")
# As captured from an FX9600: phase A0D4, BrandID FF.
FX9600 = bytes.fromhex("03ff000e000000a1000002c5a0d403ff000d000000a1000002c8ff")


def test_an_r420_s_report_is_read_to_hundredths() -> None:
    tag = one(R420)
    assert tag.phase_cdeg == 2624 * 36_000 // 4096
    assert tag.doppler_chz == 3984 * 100 // 16
    assert tag.rssi_cdbm == -6_850


def test_an_fx9600_s_report_is_read_and_what_is_not_known_is_kept() -> None:
    tag = one(FX9600)
    # -24364 of 32768 to half a circle is -133.835 degrees.
    assert tag.phase_cdeg == 22_616
    assert FX9600[14:] in tag.raw
    assert one(zebra(709, b"\x00\x00")).phase_cdeg == 0
    assert one(zebra(709, b"\x80\x00")).phase_cdeg == 18_000
    assert one(zebra(709, b"\x7f\xff")).phase_cdeg == 17_999


@pytest.mark.parametrize(
    "extra",
    [
        impinj(999, b"anything"),
        impinj(56, b"\x01\x02\x03"),
        impinj(56, b""),
        zebra(1000, bytes(12)),
        tlv(1023, struct.pack(">II", 4711, 1) + b"?"),
    ],
)
def test_what_nobody_knows_stays_in_the_report_and_does_no_harm(extra: bytes) -> None:
    tag = one(extra)
    assert (tag.phase_cdeg, tag.doppler_chz, tag.rssi_cdbm) == (None, None, -5_000)
    assert extra in tag.raw
    assert parameter_of(extra).number == 1023
    assert encode_body(decode_body(61, tag_data(extra=extra))) == tag_data(extra=extra)


def test_the_phase_of_one_read_is_never_that_of_the_next() -> None:
    reports, _ = ReportDecoder().decode(tag_data(extra=R420) + tag_data())
    assert [tag.phase_cdeg is None for tag in reports] == [False, True]
    assert reports[1].doppler_chz is None


def test_serialized_tid_gps_and_power_are_read() -> None:
    tid = read_custom(parameter_of(impinj(55, struct.pack(">HHH", 2, 0xE280, 0x1105))))
    assert tid == ("ImpinjSerializedTID", {"TID": (0xE280, 0x1105)}, ())
    gps = read_custom(parameter_of(impinj(58, struct.pack(">ii", 52_520_008, -13_404_954))))
    assert gps is not None
    assert gps[1] == {"Latitude": 52_520_008, "Longitude": -13_404_954}
    power = read_custom(parameter_of(impinj(73, b"\x00\x51")))
    assert power is not None
    assert power[1] == {"TxPower": 81}


def test_a_newer_firmware_s_longer_parameter_is_read_and_its_rest_kept() -> None:
    found = read_custom(parameter_of(impinj(55, struct.pack(">HH", 1, 0xE280) + b"\x01\x02")))
    assert found is not None
    assert found[1] == {"TID": (0xE280,), "reserved:more": b"\x01\x02"}
    assert read_custom(parameter_of(impinj(55, b"\x00\x09\x01"))) is None
    assert read_custom(Parameter(1)) is None


def test_selectors_are_written_as_the_makers_say() -> None:
    search = custom("ImpinjInventorySearchMode", InventorySearchMode=2)
    phase = custom("ImpinjEnableRFPhaseAngle", RFPhaseAngleMode=1)
    selector = custom("ImpinjTagReportContentSelector", phase)
    assert search.fields == {"VendorID": 25882, "Subtype": 23, "Data": b"\x00\x02"}
    data = bytes.fromhex("03ff000e0000651a000000340001")
    assert selector.fields == {"VendorID": 25882, "Subtype": 50, "Data": data}
    zebras = custom("MotoTagReportContentSelector", EnablePhase=True)
    assert zebras.fields == {"VendorID": 161, "Subtype": 708, "Data": b"\x10\x00\x00\x00"}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(VENDOR_LAYOUTS)), st.binary(max_size=40))
def test_any_bytes_in_a_maker_s_parameter_are_read_or_kept(
    key: tuple[int, int], data: bytes
) -> None:
    raw = tlv(1023, struct.pack(">II", *key) + data)
    assert raw in one(raw).raw
    found = read_custom(parameter_of(raw))
    assert found is None or found[0] == VENDOR_LAYOUTS[key].name


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (25882, "impinj"),
        (161, "zebra"),
        (10642, "zebra"),
        (26554, "thingmagic"),
        (0, "generic"),
        (4711, "generic"),
    ],
)
def test_a_maker_is_known_by_its_enterprise_number(number: int, name: str) -> None:
    able = read_capabilities(decode_body(11, capabilities(maker=number)))
    assert profile_of("auto", able).name == name
    assert profile_of("zebra", able).name == "zebra"


def test_impinj_s_mode_table_is_put_right() -> None:
    able = Pair("impinj").session.capabilities
    assert able is not None
    assert [(mode.mode, mode.backscatter) for mode in able.modes] == [
        (0, 640_000),
        (1, 320_000),
        (2, 68_500),
        (3, 21_325),
        (4, 160_000),
    ]
    generic = read_capabilities(decode_body(11, capabilities()))
    assert corrected(generic, profile_of("auto", generic)) == generic


def test_extensions_are_enabled_before_anything_of_them_is_used() -> None:
    answer = struct.pack(">IB", IMPINJ, 22) + status()
    changed = {1: (11, capabilities(maker=IMPINJ)), 1023: (1023, answer)}
    talk = Talk(changed=changed).to_reading()
    numbers = talk.numbers
    assert numbers.index(1) < numbers.index(1023) < numbers.index(20)
    (asked,) = [body for _, number, _, body in talk.asked if number == 1023]
    assert asked == bytes.fromhex("0000651a1500000000")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (struct.pack(">IB", IMPINJ, 22) + status(109), "M_UnsupportedMessage"),
        (struct.pack(">IB", IMPINJ, 22) + b"\x01", None),
        (struct.pack(">IB", IMPINJ, 99) + status(), None),
        (struct.pack(">IB", 4711, 22) + status(), None),
    ],
)
def test_a_reader_that_does_not_take_extensions_is_led_on_or_given_up(
    answer: bytes, said: str | None
) -> None:
    """A no is an answer; anything else leaves the session waiting for one until its time is up."""
    talk = Talk(changed={1: (11, capabilities(maker=IMPINJ)), 1023: (1023, answer)})
    talk.hear(frame(63, tlv(246, utc() + tlv(256, b"\0\0"))))
    failed = [event for event in talk.events if isinstance(event, RequestFailed)]
    if said is None:
        assert talk.session.state is State.ENABLING_EXTENSIONS
    else:
        assert [event.reason for event in failed] == [said]
        assert talk.session.state is State.READING
        assert talk.session.profile.name == "generic"


def test_what_a_reader_tells_of_itself_is_told_on_and_surveys_are_not() -> None:
    events = (
        tlv(250, b"\x50")
        + tlv(251)
        + tlv(252, struct.pack(">H", 7) + b"too hot" + impinj(1, b"?"))
        + tlv(253, bytes(5))
        + tlv(255, b"\x00\x00\x02")
    )
    told = read_notification(decode_body(63, tlv(246, utc(5) + events)))
    assert told == [
        ReaderNoticed("buffer_warning", "the reader's report buffer is 80 % full", 5, False),
        ReaderNoticed(
            "buffer_overflow",
            "the reader's report buffer overflowed: reads were lost in the reader",
            5,
            False,
        ),
        ReaderNoticed("exception", "too hot", 5, False),
        AntennaChanged(2, False, 5, False),
    ]


# Cuts and noise.


def conversation(maker: str) -> list[tuple[bool, bytes]]:
    """What reader and agent say until there are reports."""
    pair = Pair(maker, *(passing(serial, 0.2 + serial / 50) for serial in range(6)))
    pair.advance(1)
    assert len(pair.serials()) == 6
    return [*pair.chunks]


CONVERSATIONS = {maker: conversation(maker) for maker in MAKERS}


def said(maker: str, *, by_reader: bool) -> bytes:
    return b"".join(data for from_reader, data in CONVERSATIONS[maker] if from_reader is by_reader)


def hear(session: Session, data: bytes, size: int) -> list[object]:
    """Feed bytes in pieces and take all events; the last one is the end."""
    told: list[object] = []
    for at in range(0, len(data), size):
        session.receive_data(data[at : at + size], 0.0)
        while not isinstance(event := session.next_event(), NeedData):
            told.append(event)
            if isinstance(event, SessionEnded):
                return told
    session.receive_data(b"", 0.0)
    while not told or not isinstance(told[-1], SessionEnded):
        told.append(session.next_event())
    return told


@pytest.mark.parametrize("maker", MAKERS)
def test_a_reader_s_words_cut_at_every_byte_end_that_session_only(maker: str) -> None:
    """The last event is always the end; what was whole before the cut was told."""
    whole = said(maker, by_reader=True)
    before = 0
    for cut in range(len(whole)):
        told = hear(Session(SETTINGS, 0.0), whole[:cut], len(whole))
        assert isinstance(told[-1], SessionEnded)
        assert len(told) + 2 >= before, cut
        before = len(told)
    told = hear(Session(SETTINGS, 0.0), whole, len(whole))
    assert any(isinstance(event, ReadingStarted) for event in told)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_link_cut_in_the_agent_s_words_leaves_a_reader_that_is_set_up_anew(maker: str) -> None:
    """At every byte in turn; what an earlier connection left in the reader is in nobody's way."""
    asked = said(maker, by_reader=False)
    pair = Pair(maker)
    for cut in range(len(asked)):
        pair.cut()
        pair.reader.connect()
        pair.reader.receive(asked[:cut])
        pair.reader.output(1 << 20)
        pair.cut()
        if cut % 7 == 0:
            pair.connect()
            assert pair.session.state is State.READING, cut
            assert list(pair.reader.radio.rospecs) == [1]


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(MAKERS), st.data())
def test_a_spoilt_conversation_means_the_same_in_any_cuts(maker: str, data: st.DataObject) -> None:
    whole = bytearray(said(maker, by_reader=True))
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    at_once = hear(Session(SETTINGS, 0.0), bytes(whole), len(whole))
    assert at_once == hear(Session(SETTINGS, 0.0), bytes(whole), 1)
    assert isinstance(at_once[-1], SessionEnded)


def test_agreed_names_the_profile() -> None:
    for maker in MAKERS:
        told = hear(Session(SETTINGS, 0.0), said(maker, by_reader=True), 64)
        assert [event.profile for event in told if isinstance(event, Agreed)] == [maker]
