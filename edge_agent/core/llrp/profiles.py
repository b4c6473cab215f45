"""Habits of readers by maker, and how a behaviour is asked of each.

A *profile* says what a maker's readers take beside plain LLRP and what they refuse. A *behaviour*
says what reading is for; EdgeX's three are here, and one for tags that pass by.
"""

from typing import Final

import msgspec

from edge_agent.core.llrp.capabilities import ReaderCapabilities
from edge_agent.core.llrp.vendors import (
    DUAL_TARGET,
    DUAL_TARGET_WITH_RESET,
    IMPINJ,
    THINGMAGIC,
    ZEBRA,
    ZEBRA_OWN,
)

IMPINJ_MODES_MAX: Final = 1_000
"""Impinj's modes from here on are hints to choose one of the others; their values mean nothing."""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What a maker's readers take and refuse."""

    name: str
    has_search_modes: bool = False
    """Impinj's search modes instead of flags."""
    has_impinj_reports: bool = False
    has_zebra_reports: bool = False
    takes_observation_triggers: bool = True
    """Whether an AISpec may end by what was seen."""
    takes_flags: bool = True
    """Whether flags may be told where its capabilities say so."""


GENERIC: Final = Profile(name="generic")
PROFILES: Final = {
    profile.name: profile
    for profile in (
        GENERIC,
        Profile(name="impinj", has_search_modes=True, has_impinj_reports=True, takes_flags=False),
        Profile(name="zebra", has_zebra_reports=True),
        # "Adding AISpec with unsupported StopTrigger 3" is what Mercury firmware answers.
        Profile(name="thingmagic", takes_observation_triggers=False),
    )
}
MAKERS: Final = {IMPINJ: "impinj", ZEBRA: "zebra", ZEBRA_OWN: "zebra", THINGMAGIC: "thingmagic"}
"""Profiles by enterprise number."""
AUTO: Final = "auto"


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """What reading is for."""

    session: int
    tag_population: int
    tag_transit_ms: int
    search_mode: int = DUAL_TARGET
    """Impinj's."""
    both_ways: bool = False
    """Read all tags from A to B, then from B to A, where the reader can be told."""


BEHAVIOURS: Final = {
    # With session 0 a tag answers at every antenna: between two turns the power is away and its
    # flag falls. Sessions 1 to 3 keep tags silent just while they pass.
    "portal": Behaviour(session=0, tag_population=64, tag_transit_ms=0),
    "fast": Behaviour(session=0, tag_population=500, tag_transit_ms=500),
    "normal": Behaviour(session=1, tag_population=1_000, tag_transit_ms=5_000),
    "deep": Behaviour(
        session=2,
        tag_population=3_000,
        tag_transit_ms=10_000,
        search_mode=DUAL_TARGET_WITH_RESET,
        both_ways=True,
    ),
}
BOTH_WAYS: Final = Behaviour(session=2, tag_population=500, tag_transit_ms=500)
"""How each of the two ways of a deep reading goes: nearly all tags are quiet, so few answer."""


def profile_of(name: str, capabilities: ReaderCapabilities) -> Profile:
    """The profile by its name; for `auto` by what the reader says of its maker."""
    if name == AUTO:
        name = MAKERS.get(capabilities.manufacturer, GENERIC.name)
    return PROFILES[name]


def corrected(capabilities: ReaderCapabilities, profile: Profile) -> ReaderCapabilities:
    """Capabilities without what a maker's readers say wrongly."""
    if not profile.has_search_modes:
        return capabilities
    modes = tuple(
        # They tell the link's frequency instead of the data rate that a modulation leaves of it.
        msgspec.structs.replace(mode, backscatter=mode.backscatter >> mode.modulation)
        for mode in capabilities.modes
        if mode.mode < IMPINJ_MODES_MAX
    )
    return msgspec.structs.replace(capabilities, modes=modes)
