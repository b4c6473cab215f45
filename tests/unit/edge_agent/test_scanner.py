"""A scanner's bytes: frames whole or cut, and everything else told with its bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.site_scanner import ScannerTable
from edge_agent.core.framing import MAKERS, Framing, framing_of
from edge_agent.core.scanner import (
    FRAME_BYTES_MAX,
    SKIPPED_BYTES_MAX,
    Alive,
    Code,
    Event,
    NoRead,
    ScannerFrames,
    Unusable,
)
from firmware_sim.core.scanner_styles import STYLES, heartbeat, message

USUAL = Framing(heartbeats=frozenset({b"<alive>"}))


def events_of(*pieces: bytes, end: bool = False, framing: Framing = USUAL) -> list[Event]:
    frames = ScannerFrames(framing)
    found: list[Event] = []
    for piece in pieces:
        frames.receive_data(piece)
        while (event := frames.next_event()) is not None:
            found.append(event)
    if end:
        frames.receive_end()
        while (event := frames.next_event()) is not None:
            found.append(event)
    return found


def framing(**fields: object) -> Framing:
    """What the site file's fields lead to."""
    return framing_of(ScannerTable.model_validate(fields))


@pytest.mark.parametrize(
    "raw",
    [
        b"A1\r\nB2\r\n",
        b"A1\nB2\n",
        b"A1\rB2\r",
        b"\x02A1\x03\x02B2\x03",
        b"\x02A1\x03\r\n\x02B2\x03\r\n",
        b"\x02A1\x03\n\x02B2\x03\n",
        b"\x02A1\r\n\x02B2\r\n",
    ],
)
def test_every_usual_frame_is_understood(raw: bytes) -> None:
    assert events_of(raw) == [Code(b"A1"), Code(b"B2")]


def test_fnc1_and_chinese_are_text() -> None:
    assert events_of("]C101\x1d21甲\r\n".encode()) == [Code("]C101\x1d21甲".encode())]


@pytest.mark.parametrize("text", [b"NOREAD", b"NoRead", b"no read"])
def test_no_read_is_told_as_such(text: bytes) -> None:
    assert events_of(text + b"\r\n") == [NoRead(text)]


def test_a_heartbeat_only_shows_life() -> None:
    assert events_of(b"<alive>\r\nA\r\n") == [Alive(b"<alive>"), Code(b"A")]


def test_empty_frames_are_told() -> None:
    empty = Unusable("an empty message", b"", 0)
    assert events_of(b"\n\n") == [empty, empty]
    assert events_of(b"\x02\x03\r\n") == [empty]
    assert events_of(b"  \r\n") == [Unusable("an empty message", b"  ", 2)]


def test_binary_is_told_with_its_bytes() -> None:
    assert events_of(b"\xff\xfe\x00\r\nA\r\n") == [
        Unusable("bytes that are no text", b"\xff\xfe\x00", 3),
        Code(b"A"),
    ]


def test_noise_before_a_frame_is_told_and_the_frame_is_read() -> None:
    assert events_of(b"noise\x02A\x03") == [
        Unusable("bytes before the start of a frame", b"noise", 5),
        Code(b"A"),
    ]


def test_a_line_too_long_is_told_at_once_and_the_next_one_is_read() -> None:
    told = events_of(b"x" * (FRAME_BYTES_MAX + 1))
    assert told == [
        Unusable("no end of message within 4096 bytes", b"x" * FRAME_BYTES_MAX, FRAME_BYTES_MAX + 1)
    ]
    found = events_of(b"x" * (FRAME_BYTES_MAX + 100), b"\r\nA\r\n")
    assert found[1:] == [Unusable("the end of a message that was too long", b"", 99), Code(b"A")]


def test_a_line_of_exactly_the_limit_is_read() -> None:
    assert events_of(b"x" * FRAME_BYTES_MAX + b"\n") == [Code(b"x" * FRAME_BYTES_MAX)]


def test_an_endless_line_is_told_again_and_again_in_bounded_memory() -> None:
    frames = ScannerFrames(Framing())
    told = []
    for _ in range(25):
        frames.receive_data(b"x" * 100_000)
        while (event := frames.next_event()) is not None:
            told.append(event)
        assert len(frames._frame) <= FRAME_BYTES_MAX
        assert not frames._events
    assert [event.length for event in told if isinstance(event, Unusable)] == [
        FRAME_BYTES_MAX + 1,
        SKIPPED_BYTES_MAX,
        SKIPPED_BYTES_MAX,
    ]


def test_what_a_cut_leaves_is_told() -> None:
    assert events_of(b"A\r\nhalf", end=True) == [
        Code(b"A"),
        Unusable("the connection ended within a message", b"half", 4),
    ]
    assert events_of(b"A\r\n", end=True) == [Code(b"A")]


PIECES = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from([b"\x02", b"\x03", b"\r\n", b"\n", b"\r", b"NOREAD", b"<alive>", b"]C1"]),
    ),
    max_size=40,
)


@given(PIECES)
def test_whole_or_a_byte_at_a_time_is_the_same(pieces: list[bytes]) -> None:
    raw = b"".join(pieces)
    single = [raw[place : place + 1] for place in range(len(raw))]
    assert events_of(raw, end=True) == events_of(*single, end=True) == events_of(*pieces, end=True)


@given(PIECES)
def test_no_byte_beside_the_frames_vanishes(pieces: list[bytes]) -> None:
    raw = b"".join(pieces)
    told = 0
    for event in events_of(raw, end=True):
        told += event.length if isinstance(event, Unusable) else len(event.content)
    assert told == sum(byte not in b"\x02\x03\r\n" for byte in raw)


@pytest.mark.parametrize(
    ("fields", "raw"),
    [
        ({"end": "<ETX>"}, b"A1\x03B2\x03"),
        ({"start": "<STX>", "end": "<ETX>"}, b"\x02A1\x03\r\n\x02B2\x03\r\n"),
        ({"start": "<STX>", "end": "<CR><LF>"}, b"\x02A1\r\n\x02B2\r\n"),
        ({"start": "[[", "end": "]]"}, b"[[A1]][[B2]]"),
        ({"end": ";"}, b"A1;B2;"),
        ({"end": "<EOT>", "start": "<SOH>"}, b"\x01A1\x04\x01B2\x04"),
        ({"prefix": "P:", "suffix": ":S"}, b"P:A1:S\r\nB2\r\n"),
        ({"start": "#"}, b"#A1\r\n#B2\x03"),
    ],
)
def test_a_site_may_say_how_messages_begin_and_end(fields: dict[str, str], raw: bytes) -> None:
    assert events_of(raw, end=True, framing=framing(**fields)) == [Code(b"A1"), Code(b"B2")]


def test_several_codes_of_one_trigger_are_several_codes() -> None:
    several = framing(separator=",", no_read=["ERROR"])
    assert events_of(b"A1,B2,,C3,\r", framing=several) == [Code(b"A1"), Code(b"B2"), Code(b"C3")]
    assert events_of(b"\x02A1\x1eB2\x03", framing=framing(separator="<RS>")) == [
        Code(b"A1"),
        Code(b"B2"),
    ]


def test_a_trigger_of_which_all_parts_are_unread_is_one_no_read() -> None:
    several = framing(separator=",", no_read="ERROR")
    assert events_of(b"ERROR,error\r", framing=several) == [NoRead(b"ERROR,error")]
    assert events_of(b"A1,ERROR\r", framing=several) == [
        Code(b"A1"),
        Unusable("part 2 of 2 of one trigger was not read", b"ERROR", 5),
    ]
    assert events_of(b",,\r", framing=several) == [Unusable("an empty message", b",,", 2)]


def test_signs_of_life_come_as_messages_as_answers_and_as_single_characters() -> None:
    lively = framing(heartbeat=["HB", "OK,*", "<ENQ>"])
    assert events_of(b"HB\r\nOK,LON\r\n\x05\x05A1\r\n\x05", framing=lively) == [
        Alive(b"HB"),
        Alive(b"OK,LON"),
        Alive(b"\x05"),
        Alive(b"\x05"),
        Code(b"A1"),
        Alive(b"\x05"),
    ]


def test_several_texts_may_say_that_nothing_was_read() -> None:
    either = framing(no_read=["NR", "<CAN>"])
    assert events_of(b"nr\r\n\x18\r\nNOREAD\r\n", framing=either) == [
        NoRead(b"nr"),
        NoRead(b"\x18"),
        Code(b"NOREAD"),
    ]
    assert events_of(b"NOREAD\r\n", framing=framing(no_read=[])) == [Code(b"NOREAD")]


@pytest.mark.parametrize("maker", sorted(STYLES))
def test_every_makers_scanner_is_understood_by_its_preset(maker: str) -> None:
    """What the simulated scanner's own encoder sends: codes, several of them, nothing, life."""
    style = STYLES[maker]
    preset = framing(
        maker=maker,
        separator=style.separator.decode(),
        **({"heartbeat": style.heartbeat.decode()} if style.heartbeat else {}),
    )
    codes = ["]C10109506000134352211", "]d20109506000134352212\x1d10L1"]
    wanted: list[Event] = [Code(code.encode()) for code in codes]
    raw = message(codes, style) + message([], style) + message(codes[:1], style)
    assert events_of(raw, end=True, framing=preset) == [*wanted, NoRead(style.no_read), wanted[0]]
    if style.heartbeat:
        assert events_of(heartbeat(style), end=True, framing=preset) == [Alive(style.heartbeat)]


def test_every_preset_has_a_simulated_scanner() -> None:
    assert set(MAKERS) == set(STYLES)


def test_a_message_too_long_for_its_own_ending_is_told_and_the_next_one_is_read() -> None:
    own = framing(end="<EOT><EOT>")
    found = events_of(b"x" * (FRAME_BYTES_MAX + 100) + b"\x04\x04A1\x04\x04", framing=own)
    assert [event.reason for event in found[:2] if isinstance(event, Unusable)] == [
        "no end of message within 4096 bytes",
        "the end of a message that was too long",
    ]
    assert found[2:] == [Code(b"A1")]
    longest = b"x" * FRAME_BYTES_MAX
    assert events_of(longest + b"\x04\x04", framing=own) == [Code(longest)]


FRAMINGS = st.sampled_from(
    [
        framing(),
        framing(end="<ETX>"),
        framing(start="<STX>", end="<CR><LF>", prefix="]", suffix="a"),
        framing(start="ab", end="ba", separator="b", no_read=["b", "a"]),
        framing(maker="keyence", separator=","),
        framing(maker="datalogic", heartbeat=["<ENQ>", "a*"]),
        framing(maker="sick", separator="<RS>"),
    ]
)
WORDS = [b"\x02", b"\x03", b"\r\n", b"ab", b"ba", b",", b"ERROR", b"\x18", b"\x05", b"x" * 5_000]
ANY_PIECES = st.lists(st.one_of(st.binary(max_size=20), st.sampled_from(WORDS)), max_size=20)


@settings(max_examples=200, deadline=None)
@given(ANY_PIECES, FRAMINGS)
def test_any_bytes_in_any_cuts_give_events_and_bounded_memory(
    pieces: list[bytes], own: Framing
) -> None:
    raw = b"".join(pieces)
    single = [raw[place : place + 1] for place in range(len(raw))]
    whole = events_of(raw, end=True, framing=own)
    assert whole == events_of(*single, end=True, framing=own)
    assert all(len(event.content) <= FRAME_BYTES_MAX for event in whole)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(STYLES)), st.integers(0, 200), st.binary(min_size=1, max_size=3))
def test_a_damaged_conversation_costs_no_more_than_its_neighbours(
    maker: str, place: int, damage: bytes
) -> None:
    """Bytes put in somewhere: what stands two messages away is read as before."""
    style = STYLES[maker]
    sent = [f"]C1010950600013435221{number:04}" for number in range(8)]
    messages = [message([code], style) for code in sent]
    raw = b"".join(messages)
    place = min(place, len(raw))
    preset = framing(maker=maker)
    found = events_of(raw[:place] + damage + raw[place:], end=True, framing=preset)
    codes = {event.content.decode() for event in found if isinstance(event, Code)}
    hurt = min(place // len(messages[0]), 7)
    assert {code for number, code in enumerate(sent) if abs(number - hurt) > 1} <= codes


def test_what_stands_for_fnc1_is_no_reason_to_refuse_a_code() -> None:
    """`<RS>` is no text by itself."""
    frames = ScannerFrames(framing_of(ScannerTable(fnc1="<RS>")))
    frames.receive_data(b"]d210L\x1e010950600013435221A7\r\n")
    assert frames.next_event() == Code(b"]d210L\x1e010950600013435221A7")
