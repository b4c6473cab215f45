"""What we ask of a reader: settings turned into requests, as its capabilities and habits allow.

A reader may refuse what it says it can do. So a ROSpec is asked for in steps (`Extent`), from all
that is wished to the least that reads at all; the session takes the next one after a refusal.
"""

from enum import IntEnum
from typing import Final

import msgspec

from edge_agent.core.llrp.capabilities import ReaderCapabilities
from edge_agent.core.llrp.codec import Message, Parameter, parameter
from edge_agent.core.llrp.filters import EpcFilters
from edge_agent.core.llrp.messages import (
    ADD_ROSPEC,
    SET_READER_CONFIG,
    VERSION_1_0_1,
    VERSION_1_1,
)
from edge_agent.core.llrp.profiles import AUTO, BOTH_WAYS, Profile
from edge_agent.core.llrp.vendors import DUAL_TARGET, custom

READER_EVENTS: Final = {
    0: False,  # Channel hops: many and of no use here.
    1: True,  # GPI: photo-eyes.
    2: True,  # ROSpec: whether the reader still reads.
    3: True,  # Report buffer fills up.
    4: True,  # Reader exceptions.
    5: False,  # RF surveys.
    6: False,  # AISpec ends.
    7: False,  # AISpec ends with singulation details.
    8: True,  # Antennas plugged or pulled.
}
"""Which events the reader shall tell, by LLRP's number."""

QUIET_MS: Final = 500
"""A deep reading turns round when no new tag was seen for so long."""
_AIR_PROTOCOL_GEN2: Final = 1
_START_IMMEDIATE: Final = 1
_START_GPI: Final = 3
_STOP_NONE: Final = 0
_STOP_DURATION: Final = 1
_STOP_GPI: Final = 2
_AI_STOP_OBSERVED: Final = 3
_NO_NEW_TAGS: Final = 1
_REPORT_N_TAGS_OR_ROSPEC_END: Final = 2
_REPORT_N_MILLISECONDS_OR_ROSPEC_END: Final = 6
_GPI_STATE_UNKNOWN: Final = 2
_FLAG_A: Final = 0
_FLAG_B: Final = 1
_SELECTED: Final = 0
_NOT_SELECTED: Final = 1


class Extent(IntEnum):
    """How much of what is wished a ROSpec asks for."""

    WHOLE = 0
    COUNTED = 1
    """Reports by number of tags instead of time."""
    PLAIN = 2
    """No maker's parameters, modes, flags and filters either."""
    LEAST = 3
    """Antennas and session, nothing else."""


class InputTrigger(msgspec.Struct, frozen=True, kw_only=True):
    """An input that starts or stops reading."""

    port: int
    state: bool
    timeout_ms: int = 0


class ReaderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How one reader shall read."""

    profile: str = AUTO
    """Name of a profile, or `auto`."""
    antennas: tuple[int, ...] = (0,)
    """Antennas from 1; 0 alone means all."""
    transmit_power_cdbm: int | None = None
    """Highest transmit power in 1/100 dBm; None: the most that the reader offers."""
    antenna_powers_cdbm: tuple[tuple[int, int], ...] = ()
    """Antennas with a power of their own."""
    channel: int = 1
    """Which of the reader's fixed frequencies, from 1."""
    session: int = 0
    """Gen2 session, 0 to 3: how long a tag stays quiet after it was read."""
    tag_population: int = 64
    """How many tags are expected in the field."""
    tag_transit_ms: int = 0
    """How long a tag stays in the field; 0 means unknown."""
    search_mode: int = DUAL_TARGET
    """Impinj's search mode."""
    both_ways: bool = False
    """Read all tags from A to B, then from B to A, where the reader can be told."""
    rf_mode: int | None = None
    """Mode of the reader's RF mode table; None leaves the reader's own."""
    readers_near: int | None = None
    """Without `rf_mode`: the fastest mode that bears so many readers; None leaves the reader's."""
    phase: bool = True
    doppler: bool = False
    start: InputTrigger | None = None
    """Reading begins with this input; None: at once."""
    stop: InputTrigger | None = None
    stop_after_ms: int = 0
    """With `start`: reading ends so long after it began; 0: not by time."""
    filters: EpcFilters = EpcFilters()
    report_interval_ms: int = 100
    """How often a 1.1 reader reports; 0 reports by number of tags as 1.0.1 does."""
    report_tags: int = 1
    """After how many tags a reader reports that cannot report by time. More than 1 lets the last
    tags of a load wait for company."""
    gpi_ports: tuple[int, ...] = ()
    """Inputs to watch, from 1."""
    keepalive_ms: int = 5_000
    """How often the reader shall say that it lives."""
    keepalives_missed_max: int = 3
    """After how many missing keepalives the link counts as dead."""
    step_timeout_s: float = 10.0
    """How long the reader may take for one answer, in seconds."""
    version_max: int = VERSION_1_1
    """Highest protocol version to agree on: 1 is 1.0.1, 2 is 1.1."""
    rospec_id: int = 1
    """Under which number the reader keeps what we ask."""
    hold_reports: bool = True
    """Whether a reader that can shall keep its reports while no agent is connected."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides what a reader is asked."""

    settings: ReaderSettings
    capabilities: ReaderCapabilities
    profile: Profile
    version: int

    @property
    def antennas(self) -> tuple[int, ...]:
        """The antennas that there are, of those that are asked for; all of these, if none is."""
        asked, most = self.settings.antennas, self.capabilities.antennas_max
        return tuple(antenna for antenna in asked if antenna <= most) or asked

    @property
    def filters(self) -> EpcFilters:
        """The filters that the reader is asked to apply: all or none."""
        most = self.capabilities.filters_max
        filters = self.settings.filters
        return EpcFilters() if most and filters.count > most else filters

    @property
    def goes_both_ways(self) -> bool:
        """Whether all tags are read from A to B and back, with two AISpecs."""
        capabilities, profile = self.capabilities, self.profile
        return (
            self.settings.both_ways
            and capabilities.state_aware
            and profile.takes_flags
            and profile.takes_observation_triggers
            and capabilities.specs_max != 1
            # LLRP 1.0.1 has no loops: the session begins anew, which would defy an input.
            and (self.settings.start is None or self.version > VERSION_1_0_1)
        )

    def shortcomings(self) -> list[str]:
        """What the reader cannot do of what is wished, in words."""
        found = []
        if missing := sorted(set(self.settings.antennas) - set(self.antennas)):
            names = ", ".join(str(antenna) for antenna in missing)
            found.append(
                f"the reader has {self.capabilities.antennas_max} antennas, not antenna {names}"
            )
        if self.filters != self.settings.filters:
            found.append(
                f"the reader takes {self.capabilities.filters_max} filters, not"
                f" {self.settings.filters.count}: the agent filters"
            )
        return found


def reader_config(settings: ReaderSettings, capabilities: ReaderCapabilities) -> Message:
    """Return SET_READER_CONFIG: events, keepalives, inputs, and reports held where possible."""
    events = parameter(
        "ReaderEventNotificationSpec",
        *(
            parameter("EventNotificationState", ReaderEventType=event, NotificationEnabled=wanted)
            for event, wanted in READER_EVENTS.items()
        ),
    )
    triggers = (trigger.port for trigger in (settings.start, settings.stop) if trigger)
    inputs = (
        parameter("GPIPortCurrentState", Port=port, Enabled=True, State=_GPI_STATE_UNKNOWN)
        for port in sorted({*settings.gpi_ports, *triggers})
    )
    holding = settings.hold_reports and capabilities.holds_reports
    holds = (
        (parameter("EventsAndReports", HoldEventsAndReportsUponReconnect=True),) if holding else ()
    )
    return Message(
        SET_READER_CONFIG,
        {"ResetToFactoryDefaults": False},
        (events, _keepalives(settings), *inputs, *holds),
    )


def keepalive_config(settings: ReaderSettings) -> Message:
    """Return the least SET_READER_CONFIG to work with, for readers that refuse the full one."""
    return Message(SET_READER_CONFIG, {"ResetToFactoryDefaults": False}, (_keepalives(settings),))


def add_rospec(reading: Reading, extent: Extent) -> Message:
    """Return ADD_ROSPEC: read until told otherwise, or between two changes of inputs."""
    both_ways = extent < Extent.PLAIN and reading.goes_both_ways
    inventories = (
        (_inventory(reading, extent, flag) for flag in (_FLAG_A, _FLAG_B))
        if both_ways
        else (_inventory(reading, extent, None),)
    )
    loops = both_ways and reading.version > VERSION_1_0_1
    rospec = parameter(
        "ROSpec",
        _boundary(reading.settings, extent),
        *inventories,
        *((parameter("LoopSpec", LoopCount=0),) if loops else ()),
        _reports(reading, extent),
        ROSpecID=reading.settings.rospec_id,
        Priority=0,
        ROSpecCurrentState=0,
    )
    return Message(ADD_ROSPEC, {}, (rospec,))


def output_config(port: int, *, on: bool) -> Message:
    """Return the SET_READER_CONFIG that switches one output."""
    return Message(
        SET_READER_CONFIG,
        {"ResetToFactoryDefaults": False},
        (parameter("GPOWriteData", Port=port, Data=on),),
    )


def _keepalives(settings: ReaderSettings) -> Parameter:
    return parameter("KeepAliveSpec", Trigger=1, Interval=settings.keepalive_ms)


def _boundary(settings: ReaderSettings, extent: Extent) -> Parameter:
    start, stop = settings.start, settings.stop
    if start is None or extent is Extent.LEAST:
        return parameter(
            "ROBoundarySpec",
            parameter("ROSpecStartTrigger", Trigger=_START_IMMEDIATE),
            parameter("ROSpecStopTrigger", Trigger=_STOP_NONE, DurationTriggerValue=0),
        )
    ending: tuple[Parameter, ...] = ()
    kind = _STOP_DURATION if settings.stop_after_ms else _STOP_NONE
    if stop is not None:
        kind = _STOP_GPI
        timeout_ms = min(filter(None, (stop.timeout_ms, settings.stop_after_ms)), default=0)
        ending = (_input(msgspec.structs.replace(stop, timeout_ms=timeout_ms)),)
    return parameter(
        "ROBoundarySpec",
        parameter("ROSpecStartTrigger", _input(start), Trigger=_START_GPI),
        parameter(
            "ROSpecStopTrigger",
            *ending,
            Trigger=kind,
            DurationTriggerValue=settings.stop_after_ms if kind == _STOP_DURATION else 0,
        ),
    )


def _input(trigger: InputTrigger) -> Parameter:
    return parameter(
        "GPITriggerValue", Port=trigger.port, Event=trigger.state, Timeout=trigger.timeout_ms
    )


def _inventory(reading: Reading, extent: Extent, flag: int | None) -> Parameter:
    """An AISpec; `flag`: only tags with this flag, until no new one is seen."""
    stop = parameter("AISpecStopTrigger", Trigger=_STOP_NONE, DurationTriggerValue=0)
    if flag is not None:
        observed = parameter(
            "TagObservationTrigger",
            Trigger=_NO_NEW_TAGS,
            NumberOfTags=0,
            NumberOfAttempts=0,
            T=QUIET_MS,
            Timeout=0,
        )
        stop = parameter(
            "AISpecStopTrigger", observed, Trigger=_AI_STOP_OBSERVED, DurationTriggerValue=0
        )
    return parameter(
        "AISpec",
        stop,
        parameter(
            "InventoryParameterSpec",
            *(_antenna(reading, extent, antenna, flag) for antenna in reading.antennas),
            InventoryParameterSpecID=1 if flag is None else 1 + flag,
            AirProtocolID=_AIR_PROTOCOL_GEN2,
        ),
        AntennaIDs=reading.antennas,
    )


def _antenna(reading: Reading, extent: Extent, antenna: int, flag: int | None) -> Parameter:
    extras = extent < Extent.PLAIN
    search: tuple[Parameter, ...] = ()
    if extras and reading.profile.has_search_modes:
        mode = reading.settings.search_mode
        search = (custom("ImpinjInventorySearchMode", InventorySearchMode=mode),)
    return parameter(
        "AntennaConfiguration",
        *(_transmitter(reading, antenna) if extent < Extent.LEAST else ()),
        parameter(
            "C1G2InventoryCommand",
            *(reading.filters.parameters(state_aware=flag is not None) if extras else ()),
            *(_mode(reading) if extras else ()),
            _singulation(reading, flag),
            *search,
            TagInventoryStateAware=flag is not None,
        ),
        AntennaID=antenna,
    )


def _transmitter(reading: Reading, antenna: int) -> tuple[Parameter, ...]:
    settings, capabilities = reading.settings, reading.capabilities
    if not capabilities.power_levels_cdbm:
        return ()
    power = dict(settings.antenna_powers_cdbm).get(antenna, settings.transmit_power_cdbm)
    highest_cdbm = capabilities.power_levels_cdbm[-1][1]
    return (
        parameter(
            "RFTransmitter",
            HopTableID=capabilities.hop_table,
            # Only fixed frequencies heed it; some readers check it anyway.
            ChannelIndex=min(settings.channel, max(capabilities.fixed_channels, 1)),
            TransmitPowerIndex=capabilities.power_index(highest_cdbm if power is None else power),
        ),
    )


def _mode(reading: Reading) -> tuple[Parameter, ...]:
    settings, capabilities = reading.settings, reading.capabilities
    modes = {mode.mode: mode for mode in capabilities.modes}
    wanted = settings.rf_mode
    if wanted is None and settings.readers_near is not None:
        best = capabilities.mode_for(settings.readers_near)
        wanted = best.mode if best else None
    if wanted is None:
        return ()
    tari_ns = modes[wanted].tari_ns if wanted in modes else 0
    return (parameter("C1G2RFControl", RFModeID=wanted, Tari=min(tari_ns, 0xFFFF)),)


def _singulation(reading: Reading, flag: int | None) -> Parameter:
    settings = reading.settings
    if flag is None:
        return parameter(
            "C1G2SingulationControl",
            Session=settings.session,
            TagPopulation=settings.tag_population,
            TagTransitTime=settings.tag_transit_ms,
        )
    # With filters the tags that are wanted are the selected ones.
    selected = _SELECTED if reading.filters else _NOT_SELECTED
    return parameter(
        "C1G2SingulationControl",
        parameter(
            "C1G2TagInventoryStateAwareSingulationAction", SessionState=flag, SLState=selected
        ),
        Session=settings.session,
        TagPopulation=BOTH_WAYS.tag_population,
        TagTransitTime=BOTH_WAYS.tag_transit_ms,
    )


def _reports(reading: Reading, extent: Extent) -> Parameter:
    settings = reading.settings
    by_time = (
        extent is Extent.WHOLE
        and reading.version > VERSION_1_0_1
        and settings.report_interval_ms > 0
    )
    return parameter(
        "ROReportSpec",
        parameter(
            "TagReportContentSelector",
            EnableAntennaID=True,
            EnablePeakRSSI=True,
            EnableFirstSeenTimestamp=True,
            EnableLastSeenTimestamp=True,
            EnableTagSeenCount=True,
        ),
        *(_maker_reports(reading) if extent < Extent.PLAIN else ()),
        Trigger=_REPORT_N_MILLISECONDS_OR_ROSPEC_END if by_time else _REPORT_N_TAGS_OR_ROSPEC_END,
        N=settings.report_interval_ms if by_time else settings.report_tags,
    )


def _maker_reports(reading: Reading) -> tuple[Parameter, ...]:
    settings, profile = reading.settings, reading.profile
    if profile.has_impinj_reports:
        wanted = [custom("ImpinjEnablePeakRSSI", PeakRSSIMode=1)]
        if settings.phase:
            wanted.append(custom("ImpinjEnableRFPhaseAngle", RFPhaseAngleMode=1))
        if settings.doppler:
            wanted.append(custom("ImpinjEnableRFDopplerFrequency", RFDopplerFrequencyMode=1))
        return (custom("ImpinjTagReportContentSelector", *wanted),)
    if profile.has_zebra_reports and settings.phase:
        return (custom("MotoTagReportContentSelector", EnablePhase=True),)
    return ()
