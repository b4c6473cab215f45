"""A scanner's bytes: frames whole or cut, and everything else told with its bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def events_of(*pieces: bytes, end: bool = False) -> list[Event]:
    frames = ScannerFrames(heartbeat="<alive>")
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
    assert events_of(b"<alive>\r\nA\r\n") == [Alive(), Code(b"A")]


def test_empty_frames_are_told() -> None:
    empty = Unusable("an empty line", b"", 0)
    assert events_of(b"\n\n") == [empty, empty]
    assert events_of(b"\x02\x03\r\n") == [empty]
    assert events_of(b"  \r\n") == [Unusable("an empty line", b"  ", 2)]


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
        Unusable("no end of line within 4096 bytes", b"x" * FRAME_BYTES_MAX, FRAME_BYTES_MAX + 1)
    ]
    found = events_of(b"x" * (FRAME_BYTES_MAX + 100), b"\r\nA\r\n")
    assert found[1:] == [Unusable("the end of a line that was too long", b"", 99), Code(b"A")]


def test_a_line_of_exactly_the_limit_is_read() -> None:
    assert events_of(b"x" * FRAME_BYTES_MAX + b"\n") == [Code(b"x" * FRAME_BYTES_MAX)]


def test_an_endless_line_is_told_again_and_again_in_bounded_memory() -> None:
    frames = ScannerFrames()
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
        Unusable("the connection ended within a line", b"half", 4),
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
        if isinstance(event, Alive):
            told += len(b"<alive>")
        else:
            told += event.length if isinstance(event, Unusable) else len(event.content)
    assert told == sum(byte not in b"\x02\x03\r\n" for byte in raw)
