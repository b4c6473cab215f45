"""The simulated reader reads what its client asked for, and no more."""

import os
import struct
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_bench import (
    BUSY_US,
    ROOM,
    START_US,
    Client,
    events_in,
    reader_over,
    rospec,
    shift,
    started,
    states_of,
    switch_on,
    tags_in,
)

from firmware_sim.core.inventory import Inventory
from firmware_sim.core.layout import DOOR_1, DOOR_2, GATE_3, Reader
from firmware_sim.core.llrp_radio import Radio
from firmware_sim.core.llrp_reader import LlrpReader
from firmware_sim.core.llrp_reports import Entry, ReportWriter
from firmware_sim.core.llrp_specs import Content
from firmware_sim.core.llrp_wire import (
    Kind,
    MessageType,
    NotLlrp,
    Parameter,
    Refused,
    message,
    parameters,
    tlv,
)
from firmware_sim.core.signals import eye_changes
from firmware_sim.core.tracks import SECOND
from firmware_sim.offline import right_settings
from firmware_sim.parameters import DEFAULT, ReaderParameters

# Reading.


def test_without_a_rospec_nothing_is_heard_and_all_is_counted() -> None:
    """What tags do is then not heard."""
    world = shift()
    client = Client(reader_over(world))
    assert tags_in(client.advance(BUSY_US)) == []
    assert client.reader.radio.unheard > 1_000
    assert client.reader.radio.emitted == 0
    counted = sum(sum(carried.unheard) for track in world.tracks for carried in track.carried)
    assert counted == client.reader.radio.unheard


def test_a_report_tells_what_was_asked_for_and_counts_as_emitted() -> None:
    """EPC-96 and EPCData, antenna, signal, times, count; the truth counts the same."""
    world = shift()
    client = started(Client(reader_over(world)))
    tags = tags_in(client.advance(BUSY_US))
    assert len(tags) == client.reader.radio.emitted > 1_000
    assert client.reader.radio.unheard == 0
    counted = sum(sum(carried.counts) for track in world.tracks for carried in track.carried)
    assert counted == len(tags)
    kinds = Counter(tuple(part.kind for part in tag) for tag in tags)
    assert set(kinds) == {(13, 9, 1, 6, 7, 2, 4, 8), (241, 9, 1, 6, 7, 2, 4, 8)}
    known = {tag.epc for tag in world.goods.tags}
    for tag in tags:
        epc = tag[0].body if tag[0].kind == 13 else tag[0].body[2:]
        assert epc in known
        assert tag[0].kind == 13 or int.from_bytes(tag[0].body[:2], "big") == len(epc) * 8
        assert START_US <= int.from_bytes(tag[5].body, "big") <= START_US + BUSY_US
        assert -80 <= int.from_bytes(tag[3].body, "big", signed=True) <= -20


def emitted(layout: Reader = DOOR_1, **wishes: object) -> tuple[int, int]:
    """Tag reports and different tags with a ROSpec."""
    client = started(Client(reader_over(shift(), layout)), **wishes)
    tags = tags_in(client.advance(BUSY_US))
    return len(tags), len({bytes(tag[0].body) for tag in tags})


@pytest.mark.parametrize(
    ("wishes", "reads_share", "tags_share"),
    [
        ({"antennas": (4,), "power_index": 49}, 0.8, 0.9),
        ({"power_index": 9}, 0.2, 0.9),
        ({"session": 1}, 0.4, 1.01),
        ({"session": 2}, 0.35, 1.01),
        ({"content": 0x8780, "report": (2, 50)}, 0.9, 1.01),
    ],
    ids=["one weak antenna", "little power", "session 1", "session 2", "antennas not told apart"],
)
def test_a_wrong_rospec_visibly_loses_reads(
    wishes: dict[str, object], reads_share: float, tags_share: float
) -> None:
    """Against the right one over the same ten minutes."""
    reads, tags = emitted()
    wrong_reads, wrong_tags = emitted(**wishes)
    assert wrong_reads < reads_share * reads
    assert wrong_tags < tags_share * tags


def test_reports_come_by_number() -> None:
    """After every ten entries, and no more entries in one."""
    client = started(Client(reader_over(shift())), report=(2, 10))
    frames = [f for f in client.advance(BUSY_US) if f.kind == MessageType.RO_ACCESS_REPORT]
    assert {len(parameters(frame.body)) for frame in frames} == {10}


def test_reports_come_by_time_in_1_1_and_merge_what_is_alike() -> None:
    """Every half second: counts above one appear, and nothing is lost by it."""
    client = Client(reader_over(shift()))
    client.ask(MessageType.SET_PROTOCOL_VERSION, b"\2", version=2)
    client.version = 2
    started(client, report=(6, 500), content=0x1780)
    tags = tags_in(client.advance(BUSY_US))
    counts = Counter(int.from_bytes(tag[-1].body, "big") for tag in tags)
    assert max(counts) > 1
    assert sum(count * found for count, found in counts.items()) == emitted()[0]


def test_an_inventory_of_limited_time_reports_at_its_end_and_begins_again() -> None:
    """AISpec of 200 ms, N = 0, immediate start: a report at every end that has tags."""
    client = started(Client(reader_over(shift())), inventory_ms=200, report=(1, 0))
    tags = tags_in(client.advance(BUSY_US))
    assert len(tags) > 1_000
    assert states_of(client) == {1: 2}


def test_an_input_starts_and_stops_a_rospec() -> None:
    """Door 2 reads only while the outer photo-eye is interrupted."""
    world = shift()
    start = b"\3" + tlv(181, struct.pack(">HBI", 1, 0x80, 0))
    stop = struct.pack(">BI", 2, 0) + tlv(181, struct.pack(">HBI", 1, 0, 0))
    client = started(Client(reader_over(world, DOOR_2)), start=start, stop=stop)
    tags = tags_in(client.advance(2 * BUSY_US))
    spans = [change for change in eye_changes(DOOR_2, world.tracks) if change.port == 1]
    assert tags
    for tag in tags:
        at_us = int.from_bytes(tag[5].body, "big") - START_US
        at_us -= at_us % DEFAULT.signal.dwell_us  # A dwell that began is brought to its end.
        before = [change for change in spans if change.at_us <= at_us]
        assert before[-1].active


def test_nobody_hears_while_nobody_is_connected_unless_reports_are_held() -> None:
    """Held: they come after ENABLE_EVENTS_AND_REPORTS, and not before."""
    for hold in (False, True):
        client = Client(reader_over(shift()))
        assert (
            client.code(MessageType.SET_READER_CONFIG, b"\0" + tlv(226, bytes([0x80 * hold]))) == 0
        )
        started(client)
        client.hear()
        client.reader.disconnect()
        client.reader.advance(BUSY_US)
        again = Client(client.reader)
        assert tags_in(again.greeting) == []
        again.number += 1
        client.reader.receive(message(1, MessageType.ENABLE_EVENTS_AND_REPORTS, again.number))
        held = len(tags_in(again.hear()))
        assert (held > 1_000) == hold
        assert (client.reader.radio.unheard > 1_000) == (not hold)


def test_a_slow_client_overflows_the_buffer_and_is_told() -> None:
    """The world goes on; what did not fit is not heard."""
    nature = ReaderParameters(buffer_reports_max=500)
    client = started(Client(reader_over(shift(), nature=nature)))
    client.reader.advance(BUSY_US)
    assert client.reader.radio.unheard > 500
    frames = client.hear()
    assert len(tags_in(frames)) <= 500
    assert Kind.REPORT_BUFFER_OVERFLOW in {event.kind for event in events_in(frames)}


def test_an_uptime_reader_tells_no_utc() -> None:
    """Neither in reports nor in events, and says so in its capabilities."""
    client = Client(reader_over(shift(), GATE_3, ReaderParameters(utc_clock=False)))
    stamp = parameters(parameters(client.greeting[0].body)[0].body)[0]
    assert stamp.kind == Kind.UPTIME
    answer = client.ask(MessageType.GET_READER_CAPABILITIES, b"\0")
    general = parameters(answer.body)[1]
    assert general.kind == Kind.GENERAL_DEVICE_CAPABILITIES
    assert general.body[2] & 0x40 == 0
    started(client, antennas=(1, 2))
    tags = tags_in(client.advance(2 * BUSY_US))
    assert {part.kind for tag in tags for part in tag} & {2, 3, 4, 5} == {3, 5}


def test_an_offset_and_a_drift_show_in_the_readers_times() -> None:
    """Two minutes ahead, and 50 ppm."""

    def first_time(nature: ReaderParameters) -> int:
        client = started(Client(reader_over(shift(), nature=nature)))
        return int.from_bytes(tags_in(client.advance(BUSY_US))[-1][5].body, "big")

    true = first_time(ReaderParameters())
    off = first_time(ReaderParameters(clock_offset_us=120 * SECOND, drift_ppm=50.0))
    gained = off - true - 120 * SECOND
    assert 3_600 * 50 <= gained <= 4_300 * 50


def test_a_reader_that_omits_says_each_thing_once_and_means_it_till_it_changes() -> None:
    """Carried forward, its reports equal those of one that says all."""

    def told(omit: bool) -> tuple[list[dict[int, bytes]], int]:
        nature = ReaderParameters(omit_unchanged=omit)
        client = started(Client(reader_over(shift(), nature=nature)))
        said: dict[int, bytes] = {}
        found, size = [], 0
        for tag in tags_in(client.advance(BUSY_US // 2)):
            said.update({part.kind: part.body for part in tag if part.kind not in (13, 241)})
            found.append(dict(said) | {0: tag[0].body})
            size += len(tag)
        return found, size

    full, full_size = told(omit=False)
    short, short_size = told(omit=True)
    assert short == full
    assert short_size < 0.7 * full_size


def test_inputs_are_told_only_if_asked_for_and_switched_on() -> None:
    """GPI events need the event type and the port."""
    told = []
    for events, port_on in ((False, True), (True, True), (True, False)):
        client = Client(reader_over(shift(), DOOR_2))
        if events:
            switch_on(client, 1)
        ports = b"".join(tlv(225, struct.pack(">HBB", p, 0x80 * port_on, 2)) for p in (1, 2))
        assert client.code(MessageType.SET_READER_CONFIG, b"\0" + ports) == 0
        frames = client.advance(BUSY_US)
        told.append(sum(event.kind == Kind.GPI_EVENT for event in events_in(frames)))
    assert told[0] == told[2] == 0
    assert told[1] > 10


def test_a_light_is_switched_and_remembered() -> None:
    """GPOWriteData; there are four outputs."""
    client = Client(reader_over(shift()))
    client.advance(10 * SECOND)
    assert client.code(MessageType.SET_READER_CONFIG, b"\0" + tlv(219, b"\0\1\x80")) == 0
    assert client.code(MessageType.SET_READER_CONFIG, b"\0" + tlv(219, b"\0\1\0")) == 0
    assert client.code(MessageType.SET_READER_CONFIG, b"\0" + tlv(219, b"\0\x09\0")) == 301
    changes = [(change.at_us, change.port, change.on) for change in client.reader.lights]
    assert changes == [(10 * SECOND, 1, True), (10 * SECOND, 1, False)]


def test_an_antenna_that_dies_is_told_and_silent() -> None:
    """AntennaEvent, and no reads of it meanwhile."""
    nature = ReaderParameters(dead_antennas=((3, 0, 500),))
    client = Client(reader_over(shift(), nature=nature))
    switch_on(client, 8)
    started(client)
    frames = client.advance(400 * SECOND)
    assert Parameter(Kind.ANTENNA_EVENT, b"\0\0\3") in events_in(frames)
    assert {int.from_bytes(tag[2].body, "big") for tag in tags_in(frames)} == {1, 2, 4}
    later = client.advance(1_200 * SECOND)
    assert Parameter(Kind.ANTENNA_EVENT, b"\1\0\3") in events_in(later)
    assert 3 in {int.from_bytes(tag[2].body, "big") for tag in tags_in(later)}


def test_a_reboot_forgets_everything_and_starts_the_uptime_anew() -> None:
    """The link is cut, ROSpecs and settings are gone."""
    nature = ReaderParameters(utc_clock=False, reboots_s=(300,))
    client = started(Client(reader_over(shift(), nature=nature)))
    client.reader.advance(301 * SECOND)
    assert client.reader.wants_close
    client.reader.disconnect()
    again = Client(client.reader)
    assert states_of(again) == {}
    stamp = parameters(parameters(again.greeting[0].body)[0].body)[0]
    assert stamp == Parameter(Kind.UPTIME, struct.pack(">Q", SECOND))


# Against bytes that we did not make.


VECTORS = Path(os.environ.get("TALLYGATE_CONFORMANCE_DATA", "../shared/data")) / "llrp"


def test_a_tag_report_is_written_as_a_real_readers() -> None:
    """ROAccessReport-001: EPC-96, antenna, signal, first seen."""
    epc = bytes.fromhex("3000abcdef00000000000003")
    carried = shift().tracks[0].carried[0]
    entry = Entry(epc, 1, 1, 1, 1, 1, -48, 0, 0, 1, carried)
    writer = ReportWriter(utc=True, omit_unchanged=False)
    seen_us = 1_594_174_805_140_192
    written = writer.tag_report(entry, Content(0x1600), seen_us, seen_us)
    assert written == (VECTORS / "ROAccessReport-001.bytes").read_bytes()


def test_a_real_readers_configuration_is_read_and_none_of_it_is_unknown_here() -> None:
    """GetReaderConfigResponse-000: what it holds is what this reader tells, a vendor's apart."""
    real = parameters((VECTORS / "GetReaderConfigResponse-000.bytes").read_bytes())
    client = Client(reader_over(shift()))
    ours = parameters(client.ask(MessageType.GET_READER_CONFIG, bytes(7)).body)
    kinds = {part.kind for part in ours} | {Kind.ACCESS_REPORT_SPEC, 1023}
    assert {part.kind for part in real} <= kinds
    assert len(real) > 10


# Bad input.


REQUESTS = st.builds(
    message,
    st.sampled_from([0, 1, 2, 3]),
    st.one_of(st.sampled_from([int(kind) for kind in MessageType]), st.integers(0, 1023)),
    st.integers(0, 0xFFFF_FFFF),
    st.one_of(
        st.binary(max_size=60),
        st.builds(tlv, st.sampled_from([177, 222, 237, 244, 219]), st.binary(max_size=40)),
        st.just(rospec()),
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(REQUESTS, REQUESTS, st.binary(max_size=30)), max_size=6))
def test_any_bytes_are_answered_or_no_llrp_whole_and_a_byte_at_a_time(sent: list[bytes]) -> None:
    """And both ways alike."""
    outcomes = []
    data = b"".join(sent)
    for pieces in ([data], [data[place : place + 1] for place in range(len(data))]):
        reader = LlrpReader(
            Radio(
                Inventory(reader=DOOR_1, tracks=[], signal=DEFAULT.signal, seed=1),
                eyes=[],
                right=right_settings(DOOR_1, DEFAULT),
                reports_max=10,
            ),
            ReaderParameters(),
            DEFAULT.signal,
            antennas=(1, 2, 3, 4),
            start_us=0,
        )
        reader.connect()
        outcome = "fine"
        try:
            for piece in pieces:
                reader.receive(piece)
        except NotLlrp:
            outcome = "no llrp"
        outcomes.append((outcome, reader.output(ROOM)))
    assert outcomes[0] == outcomes[1]


@given(st.binary(max_size=80))
def test_any_parameters_are_read_or_refused(body: bytes) -> None:
    """No other exception; what was read is what lies there."""
    try:
        found = parameters(body)
    except Refused as refused:
        found = []
        status = refused.status
    else:
        status = None
    assert status in (None, 100, 107)
    assert sum(len(part.body) for part in found) <= len(body)
