"""The site file's table `[devices.scanner]`: how a fixed scanner is connected and understood.

Texts of the wire may name control characters: `<STX>`, `<CR><LF>` (see `control_text`).
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from contracts.code_patterns import KEYS, QUALIFIERS, compiled
from contracts.control_text import control_bytes
from contracts.site_base import Table
from contracts.symbologies import Symbology

TEXT_CHARACTERS_MAX = 64
TEXTS_MAX = 16
STOP_BITS = (1, 1.5, 2)
_OPTION = r"(ign_set_control|poll_modem|timeout=\d{1,3})"
_ADDRESS = r"[^/?#]+:\d{1,5}"
_URL = re.compile(rf"socket://{_ADDRESS}|rfc2217://{_ADDRESS}(\?{_OPTION}(&{_OPTION})*)?")


def _wire_text(text: str) -> str:
    control_bytes(text)
    return text


def _control_text(text: str) -> str:
    return control_bytes(text).decode()


def _listed(value: object) -> object:
    """One text is a list of one."""
    return [value] if isinstance(value, str) else value


def _stop_bits(number: float) -> float:
    if number not in STOP_BITS:
        raise ValueError("must be 1, 1.5 or 2")
    return number


def _serial(port: str) -> str:
    if "://" in port and not _URL.fullmatch(port):
        raise ValueError("must be a port such as /dev/ttyUSB0 or COM3, or rfc2217://host:port or"
                         " socket://host:port")  # fmt: skip
    return port


def _pattern(pattern: str) -> str:
    known = compiled(pattern)
    for name in known.groupindex:
        if name not in (*KEYS, *QUALIFIERS):
            raise ValueError(f"no part {name!r}; parts are {', '.join((*KEYS, *QUALIFIERS))}")
    return pattern


WireText = Annotated[str, Field(max_length=TEXT_CHARACTERS_MAX), AfterValidator(_wire_text)]
WireTexts = Annotated[list[WireText], Field(max_length=TEXTS_MAX), BeforeValidator(_listed)]
"""One text, or a list of texts."""


class CodeTable(Table):
    """What codes of a form mean, by a regular expression that a code must match as a whole."""

    pattern: Annotated[str, AfterValidator(_pattern)]
    r"""With named groups: one of `gtin`, `sscc`, `grai`, `giai`, and with a GTIN `serial`, `lot`.
    The symbology identifier is off already; `\x1d` stands for FNC1."""
    gtin: str | None = None
    """The GTIN of codes that carry only a serial or lot."""
    symbologies: list[Symbology] = []
    """Only for codes of these; empty: for all."""


class ScannerTable(Table):
    """How a fixed scanner is connected and understood."""

    connection: Literal["client", "server", "serial"] = "client"
    """`client`: we connect to it; `server`: it connects to us; `serial`: a serial port."""
    scanners: Annotated[int, Field(ge=1, le=8)] = 1
    """For `server`: so many may be connected at once; one more is read as well, and told of."""
    serial: Annotated[str, AfterValidator(_serial)] | None = None
    """The port: `/dev/ttyUSB0`, `COM3`, `rfc2217://host:port` or `socket://host:port`."""
    baud: Annotated[int, Field(ge=50, le=4_000_000)] = 9600
    data_bits: Literal[7, 8] = 8
    parity: Literal["none", "even", "odd", "mark", "space"] = "none"
    stop_bits: Annotated[float, AfterValidator(_stop_bits)] = 1
    flow: Literal["none", "rts_cts", "xon_xoff"] = "none"

    maker: Literal["generic", "cognex", "datalogic", "honeywell", "keyence", "sick", "zebra"] = (
        "generic"
    )
    """Fills in what is left out below: what the maker's scanners send out of the box."""
    start: WireText | None = None
    """What begins a message; left out: STX, where one is sent."""
    end: WireText | None = None
    """What ends a message; left out: any of CR, LF, CR LF, ETX, ETX CR LF."""
    prefix: WireText = ""
    """Taken off the front of a message where it stands there."""
    suffix: WireText = ""
    """Taken off the end of a message where it stands there."""
    separator: WireText = ""
    """Stands between several codes in one message; empty: a message is one code."""
    fnc1: Annotated[str, Field(max_length=TEXT_CHARACTERS_MAX), AfterValidator(_control_text)] = ""
    """What the scanner sends for FNC1 where it does not send GS (1D hexadecimal). Here with
    control characters in place of their names."""
    symbology: Symbology | None = None
    """What codes without a symbology identifier are; left out: what they look like."""
    codes: Annotated[list[CodeTable], Field(max_length=50)] = []
    """What the site's own codes mean; the first that fits."""

    no_read: WireTexts | None = None
    """What the scanner sends when a trigger found no code; capitals and blanks do not matter."""
    heartbeat: WireTexts | None = None
    """Messages that only show life; a `*` at the end stands for anything."""
    keepalive: WireText = ""
    """What we send to the scanner every `keepalive_s`, such as a harmless command; its answer
    should be one of `heartbeat`."""
    keepalive_s: Annotated[float, Field(ge=0.1, le=3600)] = 10.0
    silent_s_max: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    """The connection is made anew after this much silence; 0: never, TCP keepalive must do."""
    timeout_s: Annotated[float, Field(ge=0.5, le=120)] = 10.0
    """How long a connection attempt may take."""
    retry_s_max: Annotated[float, Field(ge=0.1, le=3600)] = 30.0
    """The longest pause between two attempts to connect."""
