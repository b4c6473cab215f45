"""The simulated reader behaves as LLRP says, refuses as real readers do, and obeys its client."""

import struct
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.core.inventory import Inventory
from firmware_sim.core.layout import DOOR_1, DOOR_2, GATE_3, Reader
from firmware_sim.core.llrp_radio import Radio
from firmware_sim.core.llrp_reader import LlrpReader
from firmware_sim.core.llrp_wire import (
    Frame,
    Frames,
    Kind,
    MessageType,
    NotLlrp,
    Parameter,
    Refused,
    message,
    parameters,
    tlv,
)
from firmware_sim.core.shift import Shift, shift_of
from firmware_sim.core.signals import eye_changes
from firmware_sim.core.tracks import SECOND
from firmware_sim.offline import right_settings
from firmware_sim.parameters import DEFAULT, ReaderParameters

SEED = 3
START_US = 1_772_438_400_000_000
ROOM = 1 << 30
BUSY_US = 600 * SECOND
"""Long enough for several loads."""


def shift() -> Shift:
    """A fresh shift: readers count in it."""
    return shift_of(SEED, DEFAULT)


def reader_over(
    world: Shift, layout: Reader = DOOR_1, nature: ReaderParameters = ReaderParameters()
) -> LlrpReader:
    """A reader in a shift."""
    inventory = Inventory(reader=layout, tracks=world.tracks, signal=DEFAULT.signal, seed=SEED)
    radio = Radio(
        inventory,
        eyes=eye_changes(layout, world.tracks),
        right=right_settings(layout, DEFAULT),
        dead=nature.dead_antennas,
        reboots_s=nature.reboots_s,
        reports_max=nature.buffer_reports_max,
    )
    antennas = tuple(antenna.number for antenna in layout.antennas)
    return LlrpReader(radio, nature, DEFAULT.signal, antennas=antennas, start_us=START_US)


class Client:
    """The other end, without a socket."""

    def __init__(self, reader: LlrpReader, version: int = 1) -> None:
        self.reader = reader
        self.version = version
        self.number = 100
        self.frames = Frames()
        reader.connect()
        self.greeting = self.hear()

    def hear(self) -> list[Frame]:
        """What the reader says now."""
        return list(self.frames.receive(self.reader.output(ROOM)))

    def ask(self, kind: int, body: bytes = b"", version: int | None = None) -> Frame:
        """One request; its answer."""
        self.number += 1
        spoken = self.version if version is None else version
        self.reader.receive(message(spoken, kind, self.number, body))
        return next(frame for frame in self.hear() if frame.id == self.number)

    def code(self, kind: int, body: bytes = b"", version: int | None = None) -> int:
        """One request; the status in its answer."""
        return status_of(self.ask(kind, body, version))

    def advance(self, until_us: int) -> list[Frame]:
        """Let time pass; what the reader says meanwhile."""
        self.reader.advance(until_us)
        return self.hear()


def status_of(frame: Frame) -> int:
    skip = 2 if frame.kind == MessageType.GET_SUPPORTED_VERSION_RESPONSE else 0
    return int.from_bytes(parameters(frame.body, skip)[0].body[:2], "big")


def rospec(  # noqa: PLR0913 - each is one thing that a test varies.
    *,
    number: int = 1,
    antennas: tuple[int, ...] = (1, 2, 3, 4),
    power_index: int = 81,
    session: int = 0,
    start: bytes = b"\x01",
    stop: bytes = b"\x00\x00\x00\x00\x00",
    inventory_ms: int = 0,
    report: tuple[int, int] = (2, 1),
    content: int = 0x9F80,
    copies: int = 1,
) -> bytes:
    """A ROSpec parameter."""
    boundary = tlv(178, tlv(179, start), tlv(182, stop))
    antenna = tlv(
        222,
        struct.pack(">H", 0),
        tlv(224, struct.pack(">HHH", 1, 0, power_index)),
        tlv(330, b"\0", tlv(336, struct.pack(">BHI", session << 6, 64, 0))),
    )
    inventory = tlv(
        183,
        struct.pack(f">H{len(antennas)}H", len(antennas), *antennas),
        tlv(184, struct.pack(">BI", inventory_ms > 0, inventory_ms)),
        tlv(186, struct.pack(">HB", 1, 1), antenna),
    )
    reports = tlv(237, struct.pack(">BH", *report), tlv(238, struct.pack(">H", content)))
    return tlv(177, struct.pack(">IBB", number, 0, 0), boundary, inventory * copies, reports)


def started(client: Client, **wishes: object) -> Client:
    """With a ROSpec that reads."""
    assert client.code(MessageType.ADD_ROSPEC, rospec(**wishes)) == 0  # type: ignore[arg-type]
    assert client.code(MessageType.ENABLE_ROSPEC, number(1)) == 0
    return client


def number(value: int) -> bytes:
    return struct.pack(">I", value)


def tags_in(frames: list[Frame]) -> list[list[Parameter]]:
    """All TagReportData of some frames."""
    return [
        parameters(part.body)
        for frame in frames
        if frame.kind == MessageType.RO_ACCESS_REPORT
        for part in parameters(frame.body)
    ]


def events_in(frames: list[Frame]) -> list[Parameter]:
    """All events of some frames, without their time."""
    return [
        part
        for frame in frames
        if frame.kind == MessageType.READER_EVENT_NOTIFICATION
        for part in parameters(parameters(frame.body)[0].body)[1:]
    ]


def switch_on(client: Client, *kinds: int) -> None:
    """Ask for events."""
    states = [tlv(245, struct.pack(">HB", kind, 0x80)) for kind in kinds]
    assert client.code(MessageType.SET_READER_CONFIG, b"\0" + tlv(244, *states)) == 0


def states_of(client: Client) -> dict[int, int]:
    """ROSpecs and their states as GET_ROSPECS tells them."""
    specs = parameters(client.ask(MessageType.GET_ROSPECS).body)[1:]
    return {int.from_bytes(spec.body[:4], "big"): spec.body[5] for spec in specs}


# Connecting.


def test_the_reader_speaks_first_and_accepts() -> None:
    """READER_EVENT_NOTIFICATION with ConnectionAttemptEvent 0, its time in UTC."""
    (frame,) = Client(reader_over(shift())).greeting
    stamp, event = parameters(parameters(frame.body)[0].body)
    assert stamp.kind == Kind.UTC_TIMESTAMP
    assert struct.unpack(">Q", stamp.body) == (START_US,)
    assert event == Parameter(Kind.CONNECTION_ATTEMPT_EVENT, b"\0\0")


def test_a_second_client_is_refused_and_the_first_is_told() -> None:
    """Status 2 for the one, 4 for the other."""
    reader = reader_over(shift())
    client = Client(reader)
    (refusal,) = events_in(list(Frames().receive(reader.another_tried())))
    assert refusal == Parameter(Kind.CONNECTION_ATTEMPT_EVENT, b"\0\2")
    assert events_in(client.hear()) == [Parameter(Kind.CONNECTION_ATTEMPT_EVENT, b"\0\4")]


def test_a_newer_reader_negotiates_its_version() -> None:
    """1.1 is offered, taken, and spoken from then on."""
    client = Client(reader_over(shift()))
    assert client.ask(MessageType.GET_SUPPORTED_VERSION, version=2).body[:2] == b"\1\2"
    assert client.code(MessageType.SET_PROTOCOL_VERSION, b"\3", version=2) == 110
    assert client.code(MessageType.SET_PROTOCOL_VERSION, b"\2", version=2) == 0
    assert client.ask(MessageType.GET_ROSPECS, version=2).version == 2


@pytest.mark.parametrize("kind", [46, 47])
def test_a_reader_of_1_0_1_does_not_know_versions(kind: int) -> None:
    """It answers ERROR_MESSAGE, with its own version in the header."""
    client = Client(reader_over(shift(), GATE_3, ReaderParameters(protocol=1)))
    newer = client.ask(kind, b"\2", version=2)
    assert (newer.kind, newer.version, status_of(newer)) == (MessageType.ERROR_MESSAGE, 1, 110)
    older = client.ask(kind, b"\2", version=1)
    assert (older.kind, status_of(older)) == (MessageType.ERROR_MESSAGE, 109)


def test_an_unknown_message_gets_an_error_message() -> None:
    """Custom messages too."""
    client = Client(reader_over(shift()))
    for kind in (1023, 999, 40):
        answer = client.ask(kind, b"anything")
        assert (answer.kind, status_of(answer)) == (MessageType.ERROR_MESSAGE, 109)


def test_the_goodbye_is_answered_and_then_the_reader_closes() -> None:
    """CLOSE_CONNECTION."""
    client = Client(reader_over(shift()))
    assert client.ask(MessageType.CLOSE_CONNECTION).kind == MessageType.CLOSE_CONNECTION_RESPONSE
    assert client.reader.wants_close


@pytest.mark.parametrize("length", [0, 9, 1_000_001, 0xFFFF_FFFF])
def test_a_length_that_cannot_be_is_no_llrp(length: int) -> None:
    """Such a client is dropped."""
    client = Client(reader_over(shift()))
    with pytest.raises(NotLlrp):
        client.reader.receive(struct.pack(">HII", 1 << 10 | 1, length, 1))


# The ROSpec's life.


def test_a_rospec_goes_through_its_states() -> None:
    """Disabled, inactive, active, and back; only what is added can be enabled."""
    client = Client(reader_over(shift()))
    assert client.code(MessageType.ENABLE_ROSPEC, number(1)) == 101
    assert client.code(MessageType.ADD_ROSPEC, rospec(start=b"\0")) == 0
    assert states_of(client) == {1: 0}
    assert client.code(MessageType.START_ROSPEC, number(1)) == 112
    assert client.code(MessageType.ENABLE_ROSPEC, number(1)) == 0
    assert states_of(client) == {1: 1}
    assert client.code(MessageType.START_ROSPEC, number(1)) == 0
    assert states_of(client) == {1: 2}
    assert client.code(MessageType.STOP_ROSPEC, number(1)) == 0
    assert states_of(client) == {1: 1}
    assert client.code(MessageType.DISABLE_ROSPEC, number(1)) == 0
    assert states_of(client) == {1: 0}
    assert client.code(MessageType.DELETE_ROSPEC, number(0)) == 0
    assert states_of(client) == {}
    assert client.code(MessageType.DELETE_ROSPEC, number(7)) == 101


def test_an_immediate_rospec_reads_once_enabled_and_waits_while_another_reads() -> None:
    """One at a time."""
    client = started(Client(reader_over(shift())))
    assert client.code(MessageType.ADD_ROSPEC, rospec(number=2)) == 0
    assert client.code(MessageType.ENABLE_ROSPEC, number(2)) == 0
    assert states_of(client) == {1: 2, 2: 1}
    assert client.code(MessageType.DELETE_ROSPEC, number(1)) == 0
    client.advance(SECOND)
    assert states_of(client) == {2: 2}


@pytest.mark.parametrize(
    ("wishes", "code"),
    [
        ({"number": 0}, 101),
        ({"antennas": (5,)}, 301),
        ({"antennas": ()}, 101),
        ({"power_index": 0}, 301),
        ({"power_index": 82}, 301),
        ({"start": b"\x09"}, 101),
        ({"start": b"\x02"}, 103),
        ({"start": b"\x03"}, 103),
        ({"stop": b"\x07\0\0\0\0"}, 101),
        ({"report": (6, 100)}, 101),
        ({"copies": 0}, 103),
    ],
)
def test_a_wish_that_cannot_be_is_refused_with_its_status(
    wishes: dict[str, object], code: int
) -> None:
    """Nothing is silently softened; reports by time are LLRP 1.1's."""
    client = Client(reader_over(shift()))
    body = rospec(**wishes)  # type: ignore[arg-type]
    assert client.code(MessageType.ADD_ROSPEC, body) == code
    assert states_of(client) == {}


def test_the_same_rospec_twice_and_a_cut_one_are_refused() -> None:
    """Field error and parameter error."""
    client = Client(reader_over(shift()))
    body = rospec()
    assert client.code(MessageType.ADD_ROSPEC, body) == 0
    assert client.code(MessageType.ADD_ROSPEC, body) == 101
    assert client.code(MessageType.ADD_ROSPEC, body[:-1]) == 100
    assert client.code(MessageType.ADD_ROSPEC, b"") == 103


def test_a_vendors_parameter_is_refused_and_nothing_of_the_message_is_done() -> None:
    """As readers of another vendor do."""
    client = Client(reader_over(shift()))
    keepalive = tlv(220, struct.pack(">BI", 1, 1_000))
    custom = tlv(1023, struct.pack(">II", 25_882, 37), b"\0\1")
    assert client.code(MessageType.SET_READER_CONFIG, b"\0" + keepalive + custom) == 111
    assert client.reader.keepalive_ms == 0
    assert client.code(MessageType.SET_READER_CONFIG, b"\0" + keepalive) == 0
    assert client.reader.keepalive_ms == 1_000
    assert client.code(MessageType.SET_READER_CONFIG, b"\x80") == 0
    assert client.reader.keepalive_ms == 0


def test_configuration_is_told_as_it_was_set() -> None:
    """Keepalives, events, holding."""
    client = Client(reader_over(shift()))
    wanted = tlv(220, struct.pack(">BI", 1, 2_500)) + tlv(226, b"\x80")
    assert client.code(MessageType.SET_READER_CONFIG, b"\0" + wanted) == 0
    body = client.ask(MessageType.GET_READER_CONFIG, struct.pack(">HBHH", 0, 0, 0, 0)).body
    told = {part.kind: part.body for part in parameters(body)}
    assert told[Kind.KEEPALIVE_SPEC] == struct.pack(">BI", 1, 2_500)
    assert told[Kind.EVENTS_AND_REPORTS] == b"\x80"
    assert Counter(part.kind for part in parameters(body))[Kind.ANTENNA_CONFIGURATION] == 4


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
        assert client.code(MessageType.SET_READER_CONFIG, b"\0" + tlv(226, bytes([0x80 * hold]))) == 0
        started(client)
        client.hear()
        client.reader.disconnect()
        client.reader.advance(BUSY_US)
        again = Client(client.reader)
        assert tags_in(again.greeting) == []
        again.number += 1
        client.reader.receive(
            message(1, MessageType.ENABLE_EVENTS_AND_REPORTS, again.number)
        )
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


# Bad input.


REQUESTS = st.builds(
    message,
    st.sampled_from([0, 1, 2, 3]),
    st.one_of(st.sampled_from([int(kind) for kind in MessageType]), st.integers(0, 1023)),
    st.integers(0, 0xFFFF_FFFF),
    st.one_of(st.binary(max_size=60), st.builds(tlv, st.sampled_from([177, 222, 237, 244, 219]),
              st.binary(max_size=40)), st.just(rospec())),
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
    """No other exception."""
    try:
        parameters(body)
    except Refused as refused:
        assert refused.status in (100, 107)
