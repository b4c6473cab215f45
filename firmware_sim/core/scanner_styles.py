"""How the big makers' fixed scanners say on the wire what a trigger found: encoders.

Frames and texts are what the makers' scanners send out of the box, as far as their manuals say;
every one of them can be set otherwise on the scanner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

STX, ETX, CR, LF, CAN = b"\x02", b"\x03", b"\r", b"\n", b"\x18"


class Style(NamedTuple):
    """One maker's way."""

    start: bytes
    end: bytes
    no_read: bytes
    """Sent for a trigger that found no code."""
    separator: bytes = b""
    """Between several codes of one trigger; empty: each code is a message of its own."""
    heartbeat: bytes = b""
    """What is sent, in its frame, to show life; empty: nothing."""
    heartbeat_s: int = 5
    """How often."""


STYLES: Mapping[str, Style] = {
    "generic": Style(STX, ETX + CR + LF, b"NOREAD"),
    "cognex": Style(b"", CR + LF, b"No Read"),
    "datalogic": Style(STX, CR + LF, CAN),
    "honeywell": Style(b"", CR, b"NR"),
    "keyence": Style(b"", CR, b"ERROR", separator=b","),
    "sick": Style(STX, ETX, b"NoRead", separator=b";", heartbeat=b"HB"),
    "zebra": Style(b"", CR + LF, b"NR"),
}
"""By maker."""


def message(codes: Sequence[str], style: Style) -> bytes:
    """What one trigger sends; no codes: none could be read."""
    if not codes:
        return style.start + style.no_read + style.end
    raw = [code.encode() for code in codes]
    if style.separator:
        return style.start + style.separator.join(raw) + style.end
    return b"".join(style.start + one + style.end for one in raw)


def heartbeat(style: Style) -> bytes:
    """What shows life."""
    return style.start + style.heartbeat + style.end
