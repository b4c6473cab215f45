"""Frames of an ASCII scanner: bytes as they arrive, in any cuts, to codes or what was wrong.

Two verbs, after h11: `receive_data` takes bytes and `next_event` gives what they mean. A frame ends
at CR, LF, CR LF or ETX; an STX begins it anew, and what stood before it in the same frame was
noise. So lines and STX..ETX CR LF are understood alike, whatever the scanner is set to.

Memory is bounded: a frame longer than `FRAME_BYTES_MAX` is told as soon as it is that long, and
the rest of it is only counted, and told again every `SKIPPED_BYTES_MAX`, so that a scanner which
never ends a line shows. Nothing here raises over arriving bytes.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

STX, ETX, CR, LF = 0x02, 0x03, 0x0D, 0x0A
GROUP_SEPARATOR = "\x1d"
FRAME_BYTES_MAX = 4_096
"""The largest QR code holds 4,296 digits or 2,953 bytes: codes on goods are far shorter."""
SKIPPED_BYTES_MAX = 1_000_000
"""An endless frame is told again after so many more bytes."""


class Code(NamedTuple):
    """A code was scanned."""

    content: bytes
    """As sent, without the frame."""


class NoRead(NamedTuple):
    """A trigger found no code."""

    content: bytes
    """What the scanner sent for it."""


class Alive(NamedTuple):
    """The scanner showed that it lives, and nothing more."""


class Unusable(NamedTuple):
    """Bytes that are no code."""

    reason: str
    """Why, in words."""
    content: bytes
    """The bytes, at most FRAME_BYTES_MAX of them."""
    length: int
    """How many there were."""


Event = Code | NoRead | Alive | Unusable


class ScannerFrames:
    """The frames of one connection. A new connection needs a new object."""

    def __init__(self, *, no_read: str = "NOREAD", heartbeat: str = "") -> None:
        self._no_read = _compact(no_read.encode())
        self._heartbeat = heartbeat.encode()
        self._frame = bytearray()
        self._length = 0
        self._skipping = False
        self._after_ending = 0
        self._events: deque[Event] = deque()

    def receive_data(self, data: bytes) -> None:
        """Take bytes. Drain `next_event` before the next call, so that little waits here."""
        for byte in data:
            self._take(byte)

    def next_event(self) -> Event | None:
        """What the bytes mean, one event at a time; None before more bytes arrive."""
        return self._events.popleft() if self._events else None

    def receive_end(self) -> None:
        """The connection is gone: what stands unfinished was cut."""
        if self._length:
            self._tell_unusable("the connection ended within a line")
        self._clear()

    def _take(self, byte: int) -> None:
        ended, self._after_ending = self._after_ending, 0
        # CR LF, ETX CR and ETX CR LF are one ending.
        if (byte == LF and ended in (CR, ETX)) or (byte == CR and ended == ETX):
            self._after_ending = byte
            return
        if byte in (CR, LF, ETX):
            self._finish()
            self._after_ending = byte
        elif byte == STX:
            if self._length:
                self._tell_unusable("bytes before the start of a frame")
            self._clear()
        else:
            self._length += 1
            if len(self._frame) < FRAME_BYTES_MAX and not self._skipping:
                self._frame.append(byte)
            elif not self._skipping or self._length >= SKIPPED_BYTES_MAX:
                self._tell_unusable(f"no end of line within {FRAME_BYTES_MAX} bytes")
                self._clear()
                self._skipping = True

    def _finish(self) -> None:
        content = bytes(self._frame)
        if self._skipping:
            if self._length:
                self._tell_unusable("the end of a line that was too long")
        elif not content.strip():
            self._tell_unusable("an empty line")
        elif self._heartbeat and content == self._heartbeat:
            self._events.append(Alive())
        elif self._no_read and _compact(content) == self._no_read:
            self._events.append(NoRead(content))
        elif not _is_text(content):
            self._tell_unusable("bytes that are no text")
        else:
            self._events.append(Code(content))
        self._clear()

    def _clear(self) -> None:
        self._frame.clear()
        self._length = 0
        self._skipping = False

    def _tell_unusable(self, reason: str) -> None:
        self._events.append(Unusable(reason, bytes(self._frame), self._length))


def _is_text(content: bytes) -> bool:
    """Whether it is readable UTF-8; labels in Chinese are, and FNC1 may stand between fields."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    return text.replace(GROUP_SEPARATOR, "").isprintable()


def _compact(text: bytes) -> bytes:
    """A text without blanks and in capitals: `No Read`, `NOREAD` and `NoRead` are one."""
    return text.replace(b" ", b"").upper()
