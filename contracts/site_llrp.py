"""The site file's table `[devices.llrp]`: how an LLRP reader shall read."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from contracts.site_base import ANTENNA_MAX, DIGITS_MAX, PORT_MAX, Table, whole_number

EPC_DIGITS_MAX = 124
"""An EPC memory holds at most 496 bits."""
FILTERS_MAX = 32
"""No reader takes more; the agent itself would."""
Power = Annotated[float, Field(ge=0, le=36)]


def _prefix(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[0-9A-Fa-f]+", value):
        raise ValueError("must be hexadecimal digits: how an EPC begins, such as '3034257BF4'")
    return value


EpcPrefix = Annotated[str, BeforeValidator(_prefix), Field(max_length=EPC_DIGITS_MAX)]
"""How an EPC begins, in hexadecimal digits of 4 bits each."""


def _antenna_numbers(powers: dict[str, float]) -> dict[str, float]:
    for number in powers:
        if not 1 <= (whole_number(number) or 0) <= ANTENNA_MAX:
            raise ValueError(f"{number[:DIGITS_MAX]!r} is no antenna: 1 to {ANTENNA_MAX}")
    return powers


class TriggerTable(Table):
    """An input of the reader that starts or stops reading."""

    input: Annotated[int, Field(ge=1, le=PORT_MAX)]
    """The reader's input, from 1."""
    active: bool = True
    """True: when the input becomes active (a photo-eye is interrupted); False: when it ends."""
    timeout_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    """For the end of reading: at the latest after so long; 0: only the input ends it."""


class LlrpTable(Table):
    """How an LLRP reader shall read."""

    profile: Literal["auto", "generic", "impinj", "zebra", "thingmagic"] = "auto"
    """Whose habits are respected; `auto`: the maker that the reader names."""
    behaviour: Literal["portal", "fast", "normal", "deep"] = "portal"
    """`portal`: tags pass by; `fast`: few tags, each as often as possible; `normal`: up to a
    thousand resting tags; `deep`: thousands, and none may be missed."""
    session: Annotated[int, Field(ge=0, le=3)] | None = None
    """The Gen2 session: 1 repeats a tag after 0.5 to 5 s, 2 and 3 keep it quiet for longer; left
    out: the behaviour's."""
    power_dbm: Power | None = None
    """Transmit power; left out: the most that the reader offers."""
    antenna_power_dbm: Annotated[dict[str, Power], AfterValidator(_antenna_numbers)] = {}
    """Transmit power of single antennas: `{ 1 = 27.0, 2 = 30.0 }`."""
    tag_population: Annotated[int, Field(ge=1, le=65_535)] | None = None
    """How many tags are in the field at once, about; left out: the behaviour's."""
    tag_transit_s: Annotated[float, Field(ge=0, le=3600)] | None = None
    """How long a tag stays in the field, about; 0: unknown; left out: the behaviour's."""
    rf_mode: Annotated[int, Field(ge=0, le=65_535)] | None = None
    """Mode of the reader's own table; left out: the reader's choice."""
    readers_near: Annotated[int, Field(ge=0, le=1000)] | None = None
    """How many readers work within some 100 m: the fastest mode that bears so many is chosen."""
    channel: Annotated[int, Field(ge=1, le=1000)] = 1
    """For readers with fixed frequencies: which of their table."""
    search_mode: Annotated[int, Field(ge=0, le=6)] | None = None
    """Impinj: 1 single target, 2 dual target, 3 single target with suppression, 5 single target
    reset, 6 dual target with reset; left out: the behaviour's."""
    phase: bool = True
    """Impinj, Zebra: the phase of a tag's answer is told, where the reader can."""
    doppler: bool = False
    """Impinj: the Doppler shift of a tag's answer is told."""
    start: TriggerTable | None = None
    """Reading begins with this input; left out: it reads all the time."""
    stop: TriggerTable | None = None
    """Reading ends with this input."""
    stop_after_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    """With `start`: reading ends so long after it began; 0: only `stop` ends it."""
    include: Annotated[list[EpcPrefix], Field(max_length=FILTERS_MAX)] = []
    """Only tags whose EPC begins with one of these; empty: all."""
    exclude: Annotated[list[EpcPrefix], Field(max_length=FILTERS_MAX)] = []
    """No tags whose EPC begins with one of these."""
    report_every_s: Annotated[float, Field(ge=0, le=60)] = 0.1
    """A report this often while tags are seen; 0: by number of tags, as LLRP 1.0.1 does."""
    report_tags: Annotated[int, Field(ge=1, le=65_535)] = 1
    """After so many tags a reader reports that cannot report by time."""
    keepalive_s: Annotated[float, Field(ge=0.5, le=600)] = 5.0
    """The reader shows life this often."""
    keepalives_missed_max: Annotated[int, Field(ge=1, le=20)] = 3
    """After so many missing ones the connection is made anew."""
    timeout_s: Annotated[float, Field(ge=0.5, le=120)] = 10.0
    """How long the reader may take to connect or to answer a request."""
    retry_s_max: Annotated[float, Field(ge=0.1, le=3600)] = 30.0
    """The longest pause between two attempts to connect."""
    hold_reports: bool = True
    """True: the reader keeps reports while nobody is connected, where it can."""
    clock_off_s: Annotated[float, Field(ge=0, le=86_400)] = 10.0
    """A clock that is further off than this is told; 0: never. Its reads are corrected anyway."""
