"""The simulated reader behaves as LLRP says and refuses as real readers do."""

import struct
from collections import Counter

import pytest
from sim_bench import (
    START_US,
    Client,
    events_in,
    number,
    reader_over,
    rospec,
    shift,
    started,
    states_of,
    status_of,
)

from firmware_sim.core.layout import GATE_3
from firmware_sim.core.llrp_wire import (
    Frames,
    Kind,
    MessageType,
    NotLlrp,
    Parameter,
    parameters,
    tlv,
)
from firmware_sim.core.tracks import SECOND
from firmware_sim.parameters import ReaderParameters

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
