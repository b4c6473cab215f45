"""The session: from greeting to reading, in each order that readers answer, and out of it."""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.llrp import messages
from edge_agent.core.llrp.events import (
    Agreed,
    AntennaChanged,
    GpiChanged,
    MessageDone,
    OutputSwitched,
    ReaderNoticed,
    ReadingStarted,
    Refused,
    RequestFailed,
    SessionEnded,
    SessionEvent,
    TagsReported,
)
from edge_agent.core.llrp.reports import Reject
from edge_agent.core.llrp.rospec import ReaderSettings
from edge_agent.core.llrp.session import (
    ANSWERS,
    LAST_CHANCE_S,
    TRANSITIONS,
    Outcome,
    Session,
    State,
)
from edge_agent.core.llrp.wire import NeedData
from tests.unit.edge_agent.llrp_bytes import (
    capabilities,
    event,
    frame,
    greeting,
    report,
    split,
    status,
    tag_data,
    tlv,
)
from tests.unit.edge_agent.llrp_talk import SETTINGS, Talk, drain, wait


def test_a_1_1_reader_is_led_to_reading() -> None:
    talk = Talk().to_reading()
    assert talk.numbers == [46, 47, 1, 3, 21, 41, 20, 24, 64]
    assert [version for version, *_ in talk.asked] == [2] * 9
    assert [message_id for _, _, message_id, _ in talk.asked] == list(range(1, 10))
    agreed, started = talk.events
    assert isinstance(agreed, Agreed)
    assert (agreed.version, agreed.capabilities.firmware) == (2, "5.1")
    assert started == ReadingStarted()


def test_a_1_0_1_reader_is_spoken_to_in_its_version() -> None:
    for code in (109, 110):
        talk = Talk(changed={46: (100, status(code))}).to_reading()
        assert talk.numbers == [46, 1, 3, 21, 41, 20, 24, 64]
        assert [version for version, *_ in talk.asked] == [2] + [1] * 7
        assert not any(isinstance(told, RequestFailed) for told in talk.events)


def test_a_reader_with_nothing_newer_stays_at_1_0_1() -> None:
    talk = Talk(changed={46: (56, b"\x01\x01" + status())}).to_reading()
    assert [version for version, *_ in talk.asked][1:] == [1] * 7


def test_a_reader_that_speaks_1_1_already_is_not_told_to() -> None:
    talk = Talk(changed={46: (56, b"\x02\x02" + status())}).to_reading()
    assert talk.numbers[:2] == [46, 1]
    assert talk.session.version == messages.VERSION_1_1


def test_negotiation_can_be_left_out() -> None:
    asked = ReaderSettings(version_max=1)
    assert Talk(asked).to_reading().numbers == [1, 3, 21, 41, 20, 24, 64]


def test_a_reader_with_another_client_refuses() -> None:
    talk = Talk()
    assert talk.hear(greeting(2)) == [
        Refused("another client is connected"),
        SessionEnded("the reader refused: another client is connected"),
    ]
    assert talk.asked == []


def test_a_silent_step_ends_the_session_and_is_named() -> None:
    for request, state in ((1, "asking for capabilities"), (20, "adding the ROSpec")):
        talk = Talk(changed={request: (62, b"")})
        talk.hear(greeting(), 10.0)
        session = talk.session
        wait(session, 14.7)
        assert drain(session) == []
        wait(session, 15.0)
        assert drain(session) == [
            SessionEnded(f"the reader said nothing in time while {state}", silent=True)
        ]


def test_no_greeting_in_time_ends_the_session() -> None:
    session = Session(SETTINGS, 100.0)
    assert session.deadline_s == 105.0
    wait(session, 105.0)
    assert drain(session) == [
        SessionEnded("the reader said nothing in time while greeting", silent=True)
    ]


def test_an_end_over_the_version_is_marked() -> None:
    talk = Talk(changed={46: (62, b"")})
    talk.hear(greeting())
    talk.session.receive_data(b"", 1.0)
    assert drain(talk.session) == [
        SessionEnded("the reader closed the connection", negotiating=True)
    ]


def test_a_reader_without_events_is_asked_for_keepalives_only() -> None:
    talk = Talk()
    refused = frame(13, status(111, "no events here"))
    talk.changed = {3: (62, b"")}
    talk.hear(greeting())
    talk.changed = None
    told = talk.hear(refused)
    assert told[0] == RequestFailed("configuring", 111, "M_UnsupportedParameter, no events here")
    bodies = [body for _, number, _, body in talk.asked if number == 3]
    assert bodies[1] == b"\x00" + tlv(220, struct.pack(">BI", 1, 1000))
    assert talk.session.state is State.READING


def test_a_reader_that_cannot_report_by_time_is_asked_to_report_by_count() -> None:
    talk = Talk(changed={20: (62, b"")})
    talk.hear(greeting())
    talk.changed = None
    talk.hear(frame(30, status(101)))
    specs = [body for _, number, _, body in talk.asked if number == 20]
    assert [body[body.index(b"\x00\xed") + 4 :][:3] for body in specs] == [
        b"\x06\x00\x64",
        b"\x02\x00\x01",
    ]
    assert talk.session.state is State.READING


def test_a_refused_rospec_ends_with_the_words_of_the_reader() -> None:
    wrong = tlv(289, struct.pack(">HH", 224, 201))
    words = struct.pack(">HH", 100, 2) + b"no" + wrong
    talk = Talk(changed={20: (30, tlv(287, words))})
    told = talk.hear(greeting())
    assert [type(one) for one in told] == [Agreed, *[RequestFailed] * 3, SessionEnded]
    said = "M_ParameterError, no, parameter RFTransmitter: P_FieldError"
    assert told[1] == RequestFailed("adding the ROSpec", 100, said)
    assert told[-1] == SessionEnded(f"the reader said no while adding the least ROSpec: {said}")


def test_nothing_to_delete_is_no_failure() -> None:
    talk = Talk(changed={21: (31, status(300)), 41: (100, status(109))}).to_reading()
    assert talk.numbers[-3:] == [20, 24, 64]


def test_keepalives_are_acknowledged_with_their_id() -> None:
    talk = Talk().to_reading()
    talk.hear(frame(62, message_id=77))
    assert talk.asked[-1] == (2, 72, 77, b"")


def test_a_reader_that_falls_silent_ends_the_session() -> None:
    talk = Talk().to_reading()
    talk.hear(frame(62), 10.0)
    assert talk.session.deadline_s == 13.0
    wait(talk.session, 12.7)
    assert talk.session.state is State.READING
    wait(talk.session, 13.0)
    assert drain(talk.session) == [SessionEnded("the reader said nothing for 3 s", silent=True)]


def test_bytes_that_make_no_message_do_not_count_as_a_sign_of_life() -> None:
    talk = Talk().to_reading()
    long = frame(61, bytes(1000))
    for second in range(1, 4):
        talk.session.receive_data(long[second : second + 1] if second > 1 else long[:2], second)
        drain(talk.session)
        wait(talk.session, second)
    assert isinstance(talk.session.next_event(), SessionEnded)


def test_time_in_which_we_did_not_listen_is_excused() -> None:
    talk = Talk().to_reading()
    talk.session.excuse(60.0)
    wait(talk.session, 62.0)
    assert talk.session.state is State.READING


def test_what_came_while_we_were_suspended_is_heard_before_we_judge() -> None:
    talk = Talk().to_reading()
    talk.session.tick(500.0)
    assert talk.session.deadline_s == 500.0 + LAST_CHANCE_S
    talk.hear(frame(62), 500.1)
    talk.session.tick(500.1)
    assert talk.session.deadline_s == 503.1


def test_reports_are_told_in_any_state() -> None:
    talk = Talk()
    (told,) = talk.hear(report(tag_data(1)))
    assert isinstance(told, TagsReported)
    assert talk.session.state is State.GREETING


def test_values_of_an_older_rospec_are_not_carried_into_ours() -> None:
    talk = Talk()
    talk.hear(report(tag_data(1, antenna=4)))
    talk.hear(greeting())
    (told,) = talk.hear(report(tag_data(1, antenna=None)))
    assert isinstance(told, TagsReported)
    assert told.reports[0].antenna is None


def test_a_reject_inside_a_report_is_told_with_the_rest() -> None:
    bad = tlv(240, b"\x81\x00\x01")
    told = Talk().to_reading().hear(report(tag_data(1), bad))
    assert told[0] == Reject("ROAccessReport: TagReportData: no EPC", bad)
    assert isinstance(told[1], TagsReported)


def test_inputs_and_antennas_are_told_with_their_clock() -> None:
    talk = Talk().to_reading()
    uptime = tlv(129, struct.pack(">Q", 5_000))
    told = talk.hear(event(248, b"\x00\x01\x80", time=uptime) + event(255, b"\x00\x00\x03"))
    assert told == [
        GpiChanged(1, state=True, at_us=5_000, uptime=True),
        AntennaChanged(3, connected=False, at_us=1_700_000_000_000_000, uptime=False),
    ]


def test_what_the_reader_says_of_itself_is_told() -> None:
    talk = Talk().to_reading()
    at = 1_700_000_000_000_000
    assert talk.hear(event(252, b"\x00\x03hot")) == [
        ReaderNoticed("exception", "hot", at, uptime=False)
    ]
    (warning,) = talk.hear(event(250, b"\x50"))
    assert isinstance(warning, ReaderNoticed)
    assert warning.detail == "the reader's report buffer is 80 % full"
    (overflow,) = talk.hear(event(251))
    assert isinstance(overflow, ReaderNoticed)
    assert overflow.kind == "buffer_overflow"
    (attempt,) = talk.hear(greeting(4))
    assert isinstance(attempt, ReaderNoticed)
    assert attempt.detail == "another client tried to connect"


def rospec(number: int, state: int) -> bytes:
    """Return a ROSpec as a reader lists it."""
    triggers = tlv(178, tlv(179, b"\x01") + tlv(182, bytes(5)))
    return tlv(177, struct.pack(">IBB", number, 0, state) + triggers)


OURS_ENDED = event(249, struct.pack(">BII", 1, 1, 0))
STOPPED = SessionEnded("the reader stopped reading by itself")


def test_a_reader_that_stops_our_reading_ends_the_session() -> None:
    for listed in (b"", rospec(1, 1), rospec(2, 2)):
        talk = Talk(changed={26: (36, status() + listed)}).to_reading()
        assert talk.hear(OURS_ENDED)[-1] == STOPPED


def test_an_old_word_of_an_end_does_not_stop_a_reader_that_reads() -> None:
    """With events held, the end of the former session's ROSpec is told after ours began."""
    talk = Talk(changed={26: (36, status() + rospec(1, 2))}).to_reading()
    assert [type(one) for one in talk.hear(OURS_ENDED)] == [ReaderNoticed]
    assert talk.numbers[-1] == 26
    assert talk.session.state is State.READING


def test_the_end_of_another_rospec_is_only_told() -> None:
    talk = Talk().to_reading()
    told = talk.hear(event(249, struct.pack(">BII", 1, 99, 0)))
    assert [type(one) for one in told] == [ReaderNoticed]
    assert talk.numbers[-1] == 64


def test_a_goodbye_of_the_reader_ends_the_session() -> None:
    assert Talk().to_reading().hear(event(257)) == [SessionEnded("the reader said goodbye")]


def test_an_unexpected_message_is_rejected_and_the_session_goes_on() -> None:
    talk = Talk().to_reading()
    assert talk.hear(frame(30, status())) == [
        Reject("AddROSpecResponse is unexpected while reading", status())
    ]
    assert talk.hear(frame(100, status(401, "oh"))) == [RequestFailed("", 401, "R_DeviceError, oh")]
    assert talk.session.state is State.READING


def test_an_output_is_switched_and_answered_by_id() -> None:
    talk = Talk().to_reading()
    first = talk.session.switch_output(2, on=True)
    second = talk.session.switch_output(3, on=False)
    sent = split(talk.session.data_to_send())
    assert sent[0] == (2, 3, first, b"\x00" + tlv(219, b"\x00\x02\x80"))
    told = talk.hear(
        frame(13, status(), message_id=first) + frame(100, status(301), message_id=second)
    )
    assert told == [OutputSwitched(first, ""), OutputSwitched(second, "A_OutOfRange")]


def test_closing_says_goodbye_once() -> None:
    talk = Talk().to_reading()
    talk.session.close()
    talk.session.close()
    assert [number for _, number, _, _ in split(talk.session.data_to_send())] == [14]
    assert drain(talk.session) == [SessionEnded("closed by us")]


def test_each_message_is_followed_by_its_mark() -> None:
    session = Session(SETTINGS, 0.0)
    session.receive_data(report(tag_data(1)) + frame(62), 0.0)
    told = [session.next_event() for _ in range(4)]
    assert isinstance(told[0], TagsReported)
    assert told[1:3] == [MessageDone(), MessageDone()]
    assert isinstance(told[3], NeedData)


def test_every_state_is_reached_and_left() -> None:
    reached = set(TRANSITIONS.values()) | {State.GREETING, State.ENDED}
    assert reached == set(State)
    assert {state for state, _ in TRANSITIONS} == set(State) - {State.READING, State.ENDED}
    assert set(ANSWERS) == {state for state, _ in TRANSITIONS} - {State.GREETING}
    assert all((state, Outcome.DONE) in TRANSITIONS for state in ANSWERS)


CONVERSATION = (
    greeting()
    + frame(56, b"\x01\x02" + status())
    + frame(57, status(), version=2)
    + frame(11, capabilities(), version=2)
    + frame(62, message_id=5)
    + b"".join(frame(number, status(), version=2) for number in (13, 31, 51, 30, 34))
    + report(tag_data(1), tag_data(2, antenna=None))
    + event(248, b"\x00\x01\x80")
)


def converse(pieces: list[bytes]) -> tuple[list[SessionEvent], bytes, State]:
    session = Session(SETTINGS, 0.0)
    events: list[SessionEvent] = []
    sent = b""
    for piece in [*pieces, b""]:
        session.receive_data(piece, 1.0)
        events += [told for told in drain(session) if told not in events]
        sent += session.data_to_send()
    return events, sent, session.state


def test_a_whole_conversation_in_one_piece_comes_to_reading() -> None:
    events, sent, _ = converse([CONVERSATION])
    assert ReadingStarted() in events
    assert [number for _, number, _, _ in split(sent)] == [46, 47, 1, 3, 72, 21, 41, 20, 24, 64]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(CONVERSATION) - 1), st.integers(0, 255), st.data())
def test_a_spoilt_conversation_means_the_same_in_any_cuts(
    at: int, to: int, data: st.DataObject
) -> None:
    spoilt = bytearray(CONVERSATION)
    spoilt[at] = to
    end = data.draw(st.integers(1, len(spoilt)))
    spoilt = spoilt[:end]
    cuts = sorted(data.draw(st.sets(st.integers(1, end), max_size=5)))
    pieces = [bytes(spoilt[a:b]) for a, b in zip([0, *cuts], [*cuts, end], strict=True)]
    whole = converse([bytes(spoilt)])
    assert converse([piece for piece in pieces if piece]) == whole
    assert converse([bytes([octet]) for octet in spoilt]) == whole


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=100))
def test_any_bytes_leave_the_session_calm(data: bytes) -> None:
    assert converse([data]) == converse([bytes([octet]) for octet in data])
