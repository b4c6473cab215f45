r"""Texts in which control characters are written by name, as scanners' manuals do: `<STX>`, `<CR>`.

A TOML escape such as `\u0002` says the same. Capitals in brackets that name no control character
are a mistake; any other text in brackets stands for itself.
"""

from __future__ import annotations

import re

NAMES = (
    *("NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "TAB", "LF", "VT", "FF", "CR"),
    *("SO", "SI", "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB"),
    *("ESC", "FS", "GS", "RS", "US"),
)
"""By their number in ASCII, from 0."""
_NUMBERS = {name: number for number, name in enumerate(NAMES)} | {"HT": 9, "SP": 32, "DEL": 127}
_NAMED = re.compile(r"<([A-Z][A-Z0-9]{1,2})>")


def control_bytes(text: str) -> bytes:
    """The bytes that a text stands for. Raises ValueError where a name is none of ASCII's."""

    def character(found: re.Match[str]) -> str:
        number = _NUMBERS.get(found[1])
        if number is None:
            raise ValueError(f"no control character <{found[1]}>; such are <STX>, <CR>, <LF>")
        return chr(number)

    return _NAMED.sub(character, text).encode()
