"""Frames of an ASCII scanner: bytes as they arrive, in any cuts, to codes or what was wrong.

Two verbs, after h11: `receive_data` takes bytes and `next_event` gives what they mean. Unless the
site file says otherwise a frame ends at CR, LF, CR LF or ETX; an STX begins it anew, and what stood
before it in the same frame was noise. So lines and STX..ETX CR LF are understood alike, whatever
the scanner is set to. A frame may carry several codes of one trigger (`separator`).

Memory is bounded: a frame longer than `FRAME_BYTES_MAX` is told as soon as it is that long, and
the rest of it is only counted, and told again every `SKIPPED_BYTES_MAX`, so that a scanner which
never ends a line shows. Nothing here raises over arriving bytes.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from edge_agent.core.framing import Framing, compact

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

    content: bytes
    """What it sent for that."""


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

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._start = framing.start or bytes([STX])
        self._end = framing.end
        self._marks_max = max(len(self._start), len(self._end))
        self._bytes_max = FRAME_BYTES_MAX + max(0, len(self._end) - 1)
        self._frame = bytearray()
        self._length = 0
        self._skipping = False
        self._after_ending = 0
        self._events: deque[Event] = deque()

    def receive_data(self, data: bytes) -> None:
        """Take bytes. Drain `next_event` before the next call, so that little waits here."""
        take = self._add if self._end else self._take
        for byte in data:
            take(byte)

    def next_event(self) -> Event | None:
        """What the bytes mean, one event at a time; None before more bytes arrive."""
        return self._events.popleft() if self._events else None

    def receive_end(self) -> None:
        """The connection is gone: what stands unfinished was cut."""
        if self._length and (self._skipping or self._frame.strip(b"\r\n")):
            self._tell_unusable("the connection ended within a message")
        self._clear()

    def _take(self, byte: int) -> None:
        """A byte, where a frame ends as scanners' frames usually do."""
        ended, self._after_ending = self._after_ending, 0
        # CR LF, ETX CR and ETX CR LF are one ending.
        if (byte == LF and ended in (CR, ETX)) or (byte == CR and ended == ETX):
            self._after_ending = byte
        elif byte in (CR, LF, ETX):
            self._finish()
            self._after_ending = byte
        else:
            self._add(byte)

    def _add(self, byte: int) -> None:
        """A byte of a frame, or of what begins it or ends it."""
        if not self._length and not self._skipping and byte in self._framing.beats:
            self._events.append(Alive(bytes([byte])))
            return
        self._frame.append(byte)
        self._length += 1
        if self._frame.endswith(self._start):
            self._take_off(self._start)
            if self._skipping or self._frame.strip(b"\r\n"):
                self._tell_unusable("bytes before the start of a frame")
            self._clear()
        elif self._end and self._frame.endswith(self._end):
            self._take_off(self._end)
            self._finish()
        elif self._skipping:
            self._skip()
        elif self._length > self._bytes_max:
            self._tell_unusable(f"no end of message within {FRAME_BYTES_MAX} bytes")
            self._length = 0
            self._skipping = True
            self._skip()

    def _skip(self) -> None:
        """Of a frame too long only the last bytes are kept, to find its end."""
        del self._frame[: max(0, len(self._frame) - self._marks_max)]
        if self._length >= SKIPPED_BYTES_MAX:
            self._tell_unusable(f"no end of message within {FRAME_BYTES_MAX} bytes")
            self._length = 0

    def _take_off(self, mark: bytes) -> None:
        del self._frame[-len(mark) :]
        self._length = max(0, self._length - len(mark))

    def _finish(self) -> None:
        if self._skipping:
            if self._length:
                self._tell_unusable("the end of a message that was too long")
        else:
            self._tell(bytes(self._frame).strip(b"\r\n"))
        self._clear()

    def _tell(self, message: bytes) -> None:
        """What a whole message means."""
        framing = self._framing
        content = message.removeprefix(framing.prefix).removesuffix(framing.suffix)
        if {message, content} & framing.heartbeats or content.startswith(framing.heartbeat_fronts):
            self._events.append(Alive(message))
            return
        parts = content.split(framing.separator) if framing.separator else [content]
        parts = [part for part in parts if part.strip()]
        unread = [part for part in parts if compact(part) in framing.no_reads]
        if not parts:
            self._tell_unusable("an empty message")
        elif len(unread) == len(parts):
            self._events.append(NoRead(content))
        else:
            self._tell_codes(parts)

    def _tell_codes(self, parts: list[bytes]) -> None:
        for place, part in enumerate(parts, 1):
            if compact(part) in self._framing.no_reads:
                reason = f"part {place} of {len(parts)} of one trigger was not read"
                self._events.append(Unusable(reason, part, len(part)))
            elif _is_text(self._plain(part)):
                self._events.append(Code(part))
            else:
                self._events.append(Unusable("bytes that are no text", part, len(part)))

    def _plain(self, part: bytes) -> bytes:
        """A code with GS for FNC1, whatever its scanner sends for it."""
        fnc1 = self._framing.fnc1
        return part.replace(fnc1, GROUP_SEPARATOR.encode()) if fnc1 else part

    def _clear(self) -> None:
        self._frame.clear()
        self._length = 0
        self._skipping = False

    def _tell_unusable(self, reason: str) -> None:
        content = b"" if self._skipping else bytes(self._frame[:FRAME_BYTES_MAX])
        self._events.append(Unusable(reason, content, self._length))


def _is_text(content: bytes) -> bool:
    """Whether it is readable UTF-8; labels in Chinese are, and FNC1 may stand between fields."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    return text.replace(GROUP_SEPARATOR, "").isprintable()
