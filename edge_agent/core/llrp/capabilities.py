"""What a reader says that it can do, as far as it decides what it is asked."""

from typing import Final

import msgspec

from edge_agent.core.llrp.codec import Message, Parameter, parameter
from edge_agent.core.llrp.layout import numbers

DENSE_SHARE: Final = 0.5
"""With more readers near than this share of the channels, each has a neighbour on its own."""
MASK_UNKNOWN: Final = 0
MASK_SINGLE: Final = 1
MASK_MULTI: Final = 2
MASK_DENSE: Final = 3
_FASTEST_RTCAL: Final = 6_250 * 2_500
"""The shortest forward symbols of Gen2: Tari of 6.25 us at a ratio of 1.5, in LLRP's units."""
_FASTEST_BACKSCATTER: Final = 640_000
_MODE_MAX: Final = 0xFFFF
"""The table has numbers of 32 bits, but what asks for one has 16."""


class RfMode(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the reader's table of modes."""

    mode: int
    modulation: int
    """0 FM0, 1 to 3 Miller 2, 4 and 8."""
    spectral_mask: int
    """How well it bears other readers: 0 unknown, 1 single, 2 several, 3 many."""
    backscatter: int
    """Bits a second from the tag."""
    pie: int
    """1000 times the length of a 1 over that of a 0."""
    tari_ns: int
    """The shortest one."""

    @property
    def slowness(self) -> float:
        """What a read takes, about: half of it the way to the tag, half the way back."""
        forward = self.tari_ns * (1_000 + self.pie) / _FASTEST_RTCAL
        return forward / 2 + _FASTEST_BACKSCATTER / max(self.backscatter, 1) / 2


class ReaderCapabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader says that it can do, as far as it matters here."""

    manufacturer: int
    """IANA private enterprise number."""
    model: int
    firmware: str
    antennas_max: int
    has_utc_clock: bool
    """Whether its times are UTC, else since its start."""
    holds_reports: bool
    """Whether it can keep reports while no client is connected."""
    power_levels_cdbm: tuple[tuple[int, int], ...]
    """Index and transmit power in 1/100 dBm, by power."""
    hop_table: int
    """The first frequency hop table, 0 where frequencies are fixed."""
    channels: int = 0
    """How many frequencies it uses, 0 where it does not say."""
    fixed_channels: int = 0
    """How many fixed frequencies it lists; 0 where it hops."""
    inputs: int = 0
    outputs: int = 0
    rospecs_max: int = 0
    """How many ROSpecs it keeps; 0: it sets no limit."""
    specs_max: int = 0
    """How many AISpecs a ROSpec may have; 0: it sets no limit."""
    state_aware: bool = False
    """Whether the inventoried flag that is asked for can be said."""
    filters_max: int = 0
    """How many C1G2Filters an antenna takes; 0: none."""
    modes: tuple[RfMode, ...] = ()

    def power_index(self, target_cdbm: int) -> int:
        """Return the index of the highest power at most the target; the lowest if all are above."""
        fitting = [index for index, power in self.power_levels_cdbm if power <= target_cdbm]
        return fitting[-1] if fitting else self.power_levels_cdbm[0][0]

    def mode_for(self, readers_near: int) -> RfMode | None:
        """The fastest mode that bears so many readers near, or as many as any mode bears."""
        mask = self._mask(readers_near)
        while mask > MASK_UNKNOWN and not any(mode.spectral_mask >= mask for mode in self.modes):
            mask -= 1
        fitting = [mode for mode in self.modes if mode.spectral_mask >= mask]
        return min(fitting, key=lambda mode: mode.slowness, default=None)

    def _mask(self, readers_near: int) -> int:
        if readers_near == 0:
            return MASK_SINGLE
        many = self.channels and readers_near + 1 > DENSE_SHARE * self.channels
        return MASK_DENSE if many else MASK_MULTI


def read_capabilities(message: Message) -> ReaderCapabilities:
    """Take what matters out of GET_READER_CAPABILITIES_RESPONSE; what is not said is not there."""
    general = message.first("GeneralDeviceCapabilities") or parameter("GeneralDeviceCapabilities")
    llrp = message.first("LLRPCapabilities") or parameter("LLRPCapabilities")
    gen2 = message.first("C1G2LLRPCapabilities") or parameter("C1G2LLRPCapabilities")
    inputs_outputs = general.first("GPIOCapabilities") or parameter("GPIOCapabilities")
    regulatory = message.first("RegulatoryCapabilities")
    band = regulatory.first("UHFBandCapabilities") if regulatory else None
    band = band or parameter("UHFBandCapabilities")
    frequencies = band.first("FrequencyInformation") or parameter("FrequencyInformation")
    hopping = frequencies.first("FrequencyHopTable")
    fixed = frequencies.first("FixedFrequencyTable")
    fixed_channels = len(numbers(fixed.fields, "Frequencies")) if fixed else 0
    levels = (
        (level.integer("Index"), level.integer("TransmitPowerValue"))
        for level in band.all("TransmitPowerLevelTableEntry")
    )
    return ReaderCapabilities(
        manufacturer=general.integer("DeviceManufacturer"),
        model=general.integer("Model"),
        firmware=printable(general.text("FirmwareVersion")),
        antennas_max=general.integer("MaxSupportedAntennas"),
        has_utc_clock=bool(general.integer("HasUTCClock")),
        holds_reports=bool(llrp.integer("SupportsEventsAndReportHolding")),
        power_levels_cdbm=tuple(sorted(levels, key=lambda level: level[1])),
        hop_table=hopping.integer("HopTableID") if hopping else 0,
        channels=len(numbers(hopping.fields, "Frequencies")) if hopping else fixed_channels,
        fixed_channels=0 if hopping else fixed_channels,
        inputs=inputs_outputs.integer("NumGPIs"),
        outputs=inputs_outputs.integer("NumGPOs"),
        rospecs_max=llrp.integer("MaxROSpecs"),
        specs_max=llrp.integer("MaxSpecsPerROSpec"),
        state_aware=bool(llrp.integer("CanDoTagInventoryStateAwareSingulation")),
        filters_max=gen2.integer("MaxSelectFiltersPerQuery"),
        modes=tuple(_modes(band)),
    )


def printable(words: str) -> str:
    """A reader's text without what cannot be shown or sent on."""
    text = words.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _modes(band: Parameter) -> list[RfMode]:
    entries = [
        entry
        for table in band.all("UHFC1G2RFModeTable")
        for entry in table.all("UHFC1G2RFModeTableEntry")
    ]
    return [
        RfMode(
            mode=entry.integer("ModeID"),
            modulation=entry.integer("Modulation"),
            spectral_mask=entry.integer("SpectralMask"),
            backscatter=entry.integer("BackscatterDataRate"),
            pie=entry.integer("PIERatio"),
            tari_ns=entry.integer("MinTariTime"),
        )
        for entry in entries
        if entry.integer("ModeID") <= _MODE_MAX
    ]
