"""How one scanner's messages look: the site file's table, filled in with its maker's habits.

What the makers' scanners send out of the box differs little: STX or nothing before a code; CR, LF,
CR LF or ETX behind it, all of which are understood without being told. What differs is what they
say when nothing could be read, and what they answer to commands. All of it can be set on the
scanner, so each field of the site file overrides its maker's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from contracts.control_text import control_bytes
from contracts.site_scanner import ScannerTable


class Maker(NamedTuple):
    """What a maker's scanners say beside codes, out of the box."""

    no_read: tuple[str, ...]
    """For a trigger without a code."""
    heartbeat: tuple[str, ...] = ()
    """What they say that is no code either: answers to commands."""


MAKERS: Mapping[str, Maker] = {
    "generic": Maker(("NOREAD",)),
    "cognex": Maker(("NOREAD",), ("||*",)),
    "datalogic": Maker(("<CAN>", "NOREAD")),
    "honeywell": Maker(("NR", "NOREAD")),
    "keyence": Maker(("ERROR", "NOREAD"), ("OK,*", "ER,*")),
    "sick": Maker(("NOREAD",), ("sAN *", "sRA *", "sFA *")),
    "zebra": Maker(("NR", "NOREAD")),
}
"""By the site file's `maker`."""

FRAME_MARKS = frozenset(b"\x02\x03\r\n")


class Framing(NamedTuple):
    """How messages look, in bytes."""

    start: bytes = b""
    """What begins a message; empty: STX, where one is sent."""
    end: bytes = b""
    """What ends a message; empty: CR, LF, ETX and their usual sequences."""
    prefix: bytes = b""
    suffix: bytes = b""
    separator: bytes = b""
    """Between codes of one message; empty: a message is one code."""
    no_reads: frozenset[bytes] = frozenset({b"NOREAD"})
    """Compacted, see `compact`."""
    heartbeats: frozenset[bytes] = frozenset()
    """Whole messages that only show life."""
    heartbeat_fronts: tuple[bytes, ...] = ()
    """Messages that begin so only show life."""
    beats: frozenset[int] = frozenset()
    """Single control characters between messages that only show life."""
    fnc1: bytes = b""
    """What is sent for FNC1 where it is not GS; it may be no character of a text."""


def framing_of(table: ScannerTable) -> Framing:
    """The framing of a scanner in the site file."""
    maker = MAKERS[table.maker]
    no_read = maker.no_read if table.no_read is None else table.no_read
    heartbeat = maker.heartbeat if table.heartbeat is None else table.heartbeat
    lives = [control_bytes(text) for text in heartbeat if text]
    return Framing(
        start=control_bytes(table.start or ""),
        end=control_bytes(table.end or ""),
        prefix=control_bytes(table.prefix),
        suffix=control_bytes(table.suffix),
        separator=control_bytes(table.separator),
        no_reads=frozenset(compact(control_bytes(text)) for text in no_read if text),
        heartbeats=frozenset(life for life in lives if not life.endswith(b"*")),
        heartbeat_fronts=tuple(life[:-1] for life in lives if life.endswith(b"*")),
        fnc1=table.fnc1.encode(),
        beats=frozenset(life[0] for life in lives if len(life) == 1 and life < b" ") - FRAME_MARKS,
    )


def compact(text: bytes) -> bytes:
    """A text without blanks and in capitals: `No Read`, `NOREAD` and `NoRead` are one."""
    return text.replace(b" ", b"").upper()
