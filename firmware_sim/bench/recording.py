"""Recordings of what really went over a link: how they are written, and read again.

A recording is a file of JSON lines. The first says what it is:

    {"format": "tallygate-recording", "version": 1, "link": "tcp", "made_at_us": 1772438400000000}

`link` is `tcp`, `serial` or `mqtt`. Each other line is one piece of bytes, or the beginning or end
of a connection, in order of time:

    {"at_us": 0, "connection": 1, "what": "opened"}
    {"at_us": 5012, "connection": 1, "what": "device", "bytes": "Bj8AAA..."}
    {"at_us": 6120, "connection": 1, "what": "client", "bytes": "..."}
    {"at_us": 9000, "connection": 1, "what": "closed"}

`at_us` counts microseconds from the beginning of the recording; `bytes` is base64. With `mqtt`,
each `device` line is one message and has its `topic`, and `retain` where the broker had kept it.

Each line is written to the file at once, so a recording that was cut off, in the middle of a line
too, is good up to there.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple, Self, get_args

from firmware_sim.bench.kinds import Link

FORMAT = "tallygate-recording"
VERSION = 1
LINE_BYTES_MAX = 4_000_000
"""More than a piece of bytes from any link."""

RecordedLink = Literal["tcp", "serial", "mqtt"]
What = Literal["opened", "device", "client", "closed"]
LINKS: tuple[str, ...] = get_args(RecordedLink)
WHATS: tuple[str, ...] = get_args(What)


class RecordingError(Exception):
    """The file is no recording that we can read; the message says why."""


class Piece(NamedTuple):
    """One line of a recording."""

    at_us: int
    """Since the beginning of the recording."""
    connection: int
    """From 1."""
    what: What
    data: bytes = b""
    topic: str = ""
    retain: bool = False


def recorded_link(link: Link) -> RecordedLink:
    """How a device's link stands in a recording. Raises RecordingError where it cannot."""
    match link:
        case "serial" | "mqtt":
            return link
        case "dbus":
            raise RecordingError("what goes over a D-Bus cannot be recorded")
        case _:
            return "tcp"


class Recording(NamedTuple):
    """A recording as read."""

    link: RecordedLink
    pieces: list[Piece]
    flaw: str
    """Why it ends before the file does; empty where it does not."""


class Recorder:
    """Writes a recording; `with`. Times are the caller's."""

    def __init__(self, path: Path, link: RecordedLink, *, made_at_us: int) -> None:
        """Raises RecordingError where the file cannot be written."""
        try:
            self._file = path.open("w", encoding="ascii")
        except OSError as error:
            raise RecordingError(f"{path} cannot be written: {error.strerror}") from error
        self.pieces = 0
        self.bytes = 0
        self._began_us = made_at_us
        self._newest_us = 0
        self._write({"format": FORMAT, "version": VERSION, "link": link, "made_at_us": made_at_us})

    def note(self, piece: Piece) -> None:
        """Write a piece; its time is UTC, and never goes back."""
        self._newest_us = max(self._newest_us, piece.at_us - self._began_us)
        line: dict[str, str | int | bool] = {
            "at_us": self._newest_us,
            "connection": piece.connection,
            "what": piece.what,
        }
        if piece.data or piece.what in {"device", "client"}:
            line["bytes"] = base64.b64encode(piece.data).decode()
        if piece.topic:
            line["topic"] = piece.topic
        if piece.retain:
            line["retain"] = True
        self._write(line)
        self.pieces += 1
        self.bytes += len(piece.data)

    def _write(self, line: dict[str, str | int | bool]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self) -> None:
        """End the recording."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read_recording(path: Path) -> Recording:
    """The recording in a file, as far as it is good. Raises RecordingError."""
    try:
        with path.open("rb") as file:
            lines = _lines(file.read())
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror}") from error
    head = _head(next(lines, ""), path)
    pieces: list[Piece] = []
    for number, line in enumerate(lines, start=2):
        piece = _piece(line)
        if piece is None or (pieces and piece.at_us < pieces[-1].at_us):
            return Recording(head, pieces, f"line {number} of {path} is no piece; it ends there")
        pieces.append(piece)
    return Recording(head, pieces, "")


def _lines(data: bytes) -> Iterator[str]:
    for line in data.split(b"\n"):
        if line.strip():
            yield line.decode("ascii", errors="replace")


def _head(line: str, path: Path) -> RecordedLink:
    try:
        head = json.loads(line)
    except ValueError:
        head = None
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise RecordingError(f"{path} is no recording: its first line must name {FORMAT!r}")
    if head.get("version") != VERSION:
        raise RecordingError(
            f"{path} is a recording of version {head.get('version')}; this program reads {VERSION}"
        )
    for link in get_args(RecordedLink):
        if head.get("link") == link:
            found: RecordedLink = link
            return found
    raise RecordingError(f"{path}: 'link' is one of {', '.join(LINKS)}, not {head.get('link')!r}")


def _piece(line: str) -> Piece | None:
    """A line's piece, None where it is none."""
    if len(line) > LINE_BYTES_MAX:
        return None
    try:
        written = json.loads(line)
        data = base64.b64decode(written.get("bytes", ""), validate=True)
        at_us, connection, what = written["at_us"], written["connection"], written["what"]
        topic = written.get("topic", "")
        retain = written.get("retain", False)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error, RecursionError):
        return None
    right = (
        type(at_us) is int
        and at_us >= 0
        and type(connection) is int
        and connection >= 1
        and what in WHATS
        and isinstance(topic, str)
        and isinstance(retain, bool)
    )
    return Piece(at_us, connection, what, data, topic, retain) if right else None
