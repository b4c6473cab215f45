"""Makers of readers: what each says of itself, and what its readers take and refuse.

Numbers are those that such readers show: enterprise numbers as registered, models and firmware as
in public captures, mode tables after the makers' documentation. A maker that takes extensions takes
its own only; Impinj's must be switched on first, on every connection.
"""

from __future__ import annotations

from dataclasses import dataclass

IMPINJ, ZEBRA, THINGMAGIC = 25882, 161, 26554
FM0, MILLER_2, MILLER_4, MILLER_8 = range(4)


@dataclass(frozen=True, slots=True)
class Mode:
    """One entry of the mode table."""

    number: int
    modulation: int
    mask: int
    """1 single, 2 several, 3 many readers near."""
    backscatter: int
    """As the table says it."""
    pie: int
    tari_ns: tuple[int, int]
    rate: float = 1.0
    """How many reads it gives, as a share of the reader's best."""


@dataclass(frozen=True, slots=True)
class Maker:
    """What a maker's readers say, take and refuse."""

    name: str
    number: int
    """Its private enterprise number; 0: none."""
    model: int
    firmware: str
    modes: tuple[Mode, ...]
    protocol: int = 2
    state_aware: bool = False
    filters_max: int = 8
    rospecs_max: int = 16
    specs_max: int = 8
    observation_triggers: bool = True
    """Whether an AISpec may end by what was seen."""
    extensions_first: bool = False
    """Whether extensions are refused until they were switched on."""
    search_modes: bool = False

    @property
    def mode(self) -> Mode:
        """What it uses when nobody asks for another."""
        return self.modes[0]


NOBODY = Maker(
    "none",
    0,
    1,
    "tallygate simulated reader 1",
    # Dense-reader mode, Miller 4.
    (Mode(1, MILLER_4, 2, 250_000, 2_000, (12_500, 25_000)),),
)
MAKERS = {
    "none": NOBODY,
    "generic": Maker(
        "generic",
        0,
        1,
        "simulated 1.1.0",
        (
            Mode(1, MILLER_4, 3, 62_500, 2_000, (12_500, 25_000)),
            Mode(2, MILLER_2, 2, 160_000, 1_500, (12_500, 12_500)),
            Mode(3, FM0, 1, 400_000, 1_500, (6_250, 6_250)),
        ),
        filters_max=4,
        state_aware=True,
    ),
    "impinj": Maker(
        "impinj",
        IMPINJ,
        2_001_002,
        "7.6.1.240",
        (
            Mode(0, FM0, 2, 640_000, 1_500, (6_250, 6_250)),
            Mode(1, MILLER_2, 2, 640_000, 1_500, (6_250, 6_250), 0.8),
            Mode(2, MILLER_4, 3, 274_000, 2_000, (20_000, 20_000), 0.4),
            Mode(3, MILLER_8, 3, 170_600, 2_000, (20_000, 20_000), 0.2),
            Mode(4, MILLER_4, 2, 640_000, 1_500, (7_140, 7_140), 0.6),
            Mode(1_000, FM0, 2, 40_000, 1_500, (6_250, 6_250)),
            Mode(1_002, FM0, 3, 40_000, 1_500, (6_250, 6_250)),
        ),
        protocol=1,
        filters_max=2,
        rospecs_max=1,
        specs_max=32,
        extensions_first=True,
        search_modes=True,
    ),
    "zebra": Maker(
        "zebra",
        ZEBRA,
        96_008,
        "3.32.37.0",
        (
            Mode(1, MILLER_4, 3, 64_000, 1_500, (25_000, 25_000), 0.7),
            Mode(23, MILLER_4, 2, 256_000, 1_500, (6_250, 25_000)),
            Mode(25, FM0, 1, 640_000, 1_500, (6_250, 6_250)),
        ),
        protocol=1,
        state_aware=True,
        filters_max=32,
        rospecs_max=1,
    ),
    "thingmagic": Maker(
        "thingmagic",
        THINGMAGIC,
        4,
        "5.3.5.7",
        (
            Mode(1, MILLER_4, 2, 250_000, 1_700, (12_500, 25_000)),
            Mode(4, FM0, 1, 640_000, 1_500, (6_250, 6_250)),
        ),
        protocol=1,
        filters_max=1,
        rospecs_max=1,
        observation_triggers=False,
    ),
}
"""By name; `none` is a reader of nobody, `generic` one that can all that plain LLRP has."""
