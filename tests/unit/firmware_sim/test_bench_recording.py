"""Recordings: written, cut anywhere, read again, and played."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.bench.kinds import Frame
from firmware_sim.bench.recording import (
    Piece,
    Recorder,
    Recording,
    RecordingError,
    read_recording,
    recorded_link,
)
from firmware_sim.bench.replay import ReplayedConversations, ReplayedMessages

BEGAN_US = 1_772_438_400_000_000
TALK = [
    Piece(BEGAN_US, 1, "opened"),
    Piece(BEGAN_US + 5_000, 1, "device", b"\x02hello\x03"),
    Piece(BEGAN_US + 9_000, 1, "client", b"who"),
    Piece(BEGAN_US + 12_000, 1, "device", b"me"),
    Piece(BEGAN_US + 20_000, 1, "closed"),
    Piece(BEGAN_US + 30_000, 2, "opened"),
    Piece(BEGAN_US + 31_000, 2, "device", b"again"),
    Piece(BEGAN_US + 40_000, 2, "closed"),
]


def recorded(path: Path, pieces: list[Piece], link: str = "tcp") -> Path:
    with Recorder(path, link, made_at_us=BEGAN_US) as recorder:  # type: ignore[arg-type]
        for piece in pieces:
            recorder.note(piece)
    return path


def conversation(tmp_path: Path, *, is_waiting: bool = True) -> ReplayedConversations:
    recording = read_recording(recorded(tmp_path / "a.rec", TALK))
    return ReplayedConversations(recording, is_waiting=is_waiting)


def said(frames: list[Frame]) -> list[bytes]:
    return [frame.payload for frame in frames]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    found = read_recording(recorded(tmp_path / "a.rec", TALK))
    assert found.link == "tcp"
    assert found.flaw == ""
    assert found.pieces == [piece._replace(at_us=piece.at_us - BEGAN_US) for piece in TALK]


def test_messages_of_mqtt_keep_their_topic(tmp_path: Path) -> None:
    piece = Piece(BEGAN_US, 1, "device", b"", "impinj/r700/events", retain=True)
    found = read_recording(recorded(tmp_path / "a.rec", [piece], "mqtt"))
    assert found.pieces == [piece._replace(at_us=0)]


def test_time_never_goes_back_though_the_clock_does(tmp_path: Path) -> None:
    pieces = [Piece(BEGAN_US + 500, 1, "opened"), Piece(BEGAN_US + 100, 1, "closed")]
    found = read_recording(recorded(tmp_path / "a.rec", pieces))
    assert [piece.at_us for piece in found.pieces] == [500, 500]


def test_a_recording_that_was_cut_anywhere_is_good_up_to_there(tmp_path: Path) -> None:
    whole = recorded(tmp_path / "whole.rec", TALK).read_bytes()
    head = whole.index(b"\n")
    cut = tmp_path / "cut.rec"
    for length in range(head, len(whole)):
        cut.write_bytes(whole[:length])
        found = read_recording(cut)
        lines = whole[:length].count(b"\n", head + 1)
        # A last line without its end may be whole all the same.
        assert lines <= len(found.pieces) <= lines + 1
    for length in range(head):
        cut.write_bytes(whole[:length])
        with pytest.raises(RecordingError, match="is no recording"):
            read_recording(cut)


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ({"format": "other"}, "is no recording"),
        ({"format": "tallygate-recording", "version": 2}, "of version 2; this program reads 1"),
        (
            {"format": "tallygate-recording", "version": 1, "link": "usb"},
            "'link' is one of tcp, serial, mqtt, not 'usb'",
        ),
        ([], "is no recording"),
    ],
)
def test_what_is_no_recording_is_told(tmp_path: Path, head: object, told: str) -> None:
    path = tmp_path / "a.rec"
    path.write_text(json.dumps(head) + "\n")
    with pytest.raises(RecordingError, match=told):
        read_recording(path)
    with pytest.raises(RecordingError, match="cannot be read"):
        read_recording(tmp_path / "none.rec")
    with pytest.raises(RecordingError, match="cannot be written"):
        Recorder(tmp_path / "no" / "folder.rec", "tcp", made_at_us=0)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"at_us": -1, "connection": 1, "what": "opened"}',
        '{"at_us": true, "connection": 1, "what": "opened"}',
        '{"at_us": 1, "connection": 0, "what": "opened"}',
        '{"at_us": 1, "connection": 1, "what": "sneezed"}',
        '{"at_us": 1, "connection": 1, "what": "device", "bytes": "*"}',
        '{"at_us": 1, "connection": 1, "what": "device", "bytes": 7}',
        '{"connection": 1, "what": "device"}',
    ],
)
def test_a_recording_ends_at_a_line_that_is_no_piece(tmp_path: Path, line: str) -> None:
    path = recorded(tmp_path / "a.rec", TALK[:2])
    with path.open("a") as file:
        file.write(line + "\n" + '{"at_us": 9, "connection": 1, "what": "closed"}\n')
    found = read_recording(path)
    assert len(found.pieces) == 2
    assert found.flaw == f"line 4 of {path} is no piece; it ends there"


@settings(max_examples=50)
@given(st.binary(max_size=300))
def test_any_bytes_behind_the_first_line_end_a_recording_at_worst(
    tmp_path_factory: pytest.TempPathFactory, tail: bytes
) -> None:
    path = recorded(tmp_path_factory.mktemp("recordings") / "a.rec", TALK[:3])
    with path.open("ab") as file:
        file.write(tail)
    assert len(read_recording(path).pieces) >= 3


def test_links_of_devices_have_their_word_in_a_recording() -> None:
    assert [recorded_link(link) for link in ("tcp_server", "llrp", "http")] == ["tcp"] * 3
    assert [recorded_link(link) for link in ("serial", "mqtt")] == ["serial", "mqtt"]
    with pytest.raises(RecordingError, match="cannot be recorded"):
        recorded_link("dbus")


def test_a_replay_says_the_same_after_the_same_pauses(tmp_path: Path) -> None:
    played = conversation(tmp_path)
    played.came()
    assert said(played.frames(1_000)) == []
    assert said(played.frames(5_999)) == []
    assert said(played.frames(6_000)) == [b"\x02hello\x03"]


def test_a_replay_waits_for_as_many_bytes_of_its_client(tmp_path: Path) -> None:
    played = conversation(tmp_path)
    played.came()
    assert said(played.frames(0) + played.frames(1_000_000)) == [b"\x02hello\x03"]
    assert played.waiting_for() == "3 more bytes of the client"
    assert played.heard(b"ab")
    assert played.frames(2_000_000) == []
    assert played.waiting_for() == "1 more bytes of the client"
    played.heard(b"c")
    # What follows comes as long after the client's word as it did then.
    assert played.frames(3_000_000) == []
    assert said(played.frames(3_003_000)) == [b"me"]
    assert not played.wants_to_part()
    played.frames(3_011_000)
    assert played.wants_to_part()


def test_a_replay_need_not_wait(tmp_path: Path) -> None:
    played = conversation(tmp_path, is_waiting=False)
    played.came()
    assert said(played.frames(0) + played.frames(12_000)) == [b"\x02hello\x03", b"me"]


def test_each_client_gets_the_next_connection(tmp_path: Path) -> None:
    played = conversation(tmp_path)
    assert played.waiting_for() == "a client"
    played.came()
    played.gone()
    played.came()
    assert said(played.frames(0) + played.frames(1_000)) == [b"again"]
    assert not played.is_done
    played.gone()
    assert played.is_done
    played.came()
    assert played.frames(1_000_000) == []


def test_messages_of_a_broker_are_played_from_the_first_on(tmp_path: Path) -> None:
    pieces = [
        Piece(BEGAN_US + 7_000, 1, "device", b"a", "t/1"),
        Piece(BEGAN_US + 9_000, 1, "device", b"b", "t/2"),
    ]
    recording = read_recording(recorded(tmp_path / "a.rec", pieces, "mqtt"))
    played = ReplayedMessages(recording, 100)
    assert [(one.payload, one.topic) for one in played.frames(2_099)] == [(b"a", "t/1")]
    assert said(played.frames(2_100)) == [b"b"]
    assert played.is_done


def test_what_was_said_cannot_be_made_wrong() -> None:
    nothing = Recording("tcp", [], "")
    assert not ReplayedConversations(nothing).fault("antenna_lost", 1)
    assert not ReplayedMessages(nothing, 0).fault("clock_offset_s", 1)
