"""What we ask of a reader: settings turned into requests, as its capabilities allow."""

from typing import Final

import msgspec

from edge_agent.core.llrp.codec import Message, Parameter, parameter
from edge_agent.core.llrp.messages import (
    ADD_ROSPEC,
    SET_READER_CONFIG,
    VERSION_1_0_1,
    VERSION_1_1,
)

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

_AIR_PROTOCOL_GEN2: Final = 1
_START_IMMEDIATE: Final = 1
_REPORT_N_TAGS_OR_ROSPEC_END: Final = 2
_REPORT_N_MILLISECONDS_OR_ROSPEC_END: Final = 6
_GPI_STATE_UNKNOWN: Final = 2


class ReaderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How one reader shall read."""

    antennas: tuple[int, ...] = (0,)
    """Antennas from 1; 0 alone means all."""
    transmit_power_cdbm: int | None = None
    """Highest transmit power in 1/100 dBm; None leaves the reader's own."""
    session: int = 1
    """Gen2 session, 0 to 3: how long a tag stays quiet after it was read."""
    tag_population: int = 32
    """How many tags are expected in the field."""
    tag_transit_ms: int = 0
    """How long a tag stays in the field; 0 means unknown."""
    rf_mode: int | None = None
    """Mode of the reader's RF mode table; None leaves the reader's own."""
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

    def power_index(self, target_cdbm: int) -> int:
        """Return the index of the highest power at most the target; the lowest if all are above."""
        fitting = [index for index, power in self.power_levels_cdbm if power <= target_cdbm]
        return fitting[-1] if fitting else self.power_levels_cdbm[0][0]


def read_capabilities(message: Message) -> ReaderCapabilities:
    """Take what matters out of GET_READER_CAPABILITIES_RESPONSE; what is not said is not there."""
    general = message.first("GeneralDeviceCapabilities") or parameter("GeneralDeviceCapabilities")
    llrp = message.first("LLRPCapabilities") or parameter("LLRPCapabilities")
    regulatory = message.first("RegulatoryCapabilities")
    band = regulatory.first("UHFBandCapabilities") if regulatory else None
    levels = band.all("TransmitPowerLevelTableEntry") if band else []
    frequencies = band.first("FrequencyInformation") if band else None
    hopping = frequencies.first("FrequencyHopTable") if frequencies else None
    return ReaderCapabilities(
        manufacturer=general.integer("DeviceManufacturer"),
        model=general.integer("Model"),
        firmware=general.text("FirmwareVersion"),
        antennas_max=general.integer("MaxSupportedAntennas"),
        has_utc_clock=bool(general.integer("HasUTCClock")),
        holds_reports=bool(llrp.integer("SupportsEventsAndReportHolding")),
        power_levels_cdbm=tuple(
            sorted(
                ((level.integer("Index"), level.integer("TransmitPowerValue")) for level in levels),
                key=lambda level: level[1],
            )
        ),
        hop_table=hopping.integer("HopTableID") if hopping else 0,
    )


def reader_config(settings: ReaderSettings, capabilities: ReaderCapabilities) -> Message:
    """Return SET_READER_CONFIG: events, keepalives, inputs, and reports held where possible."""
    events = parameter(
        "ReaderEventNotificationSpec",
        *(
            parameter("EventNotificationState", ReaderEventType=event, NotificationEnabled=wanted)
            for event, wanted in READER_EVENTS.items()
        ),
    )
    inputs = (
        parameter("GPIPortCurrentState", Port=port, Enabled=True, State=_GPI_STATE_UNKNOWN)
        for port in settings.gpi_ports
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


def add_rospec(
    settings: ReaderSettings, capabilities: ReaderCapabilities, version: int, *, timed: bool
) -> Message:
    """Return ADD_ROSPEC: read until told otherwise; `timed` reports by time if the version can."""
    by_time = timed and version > VERSION_1_0_1 and settings.report_interval_ms > 0
    return Message(
        ADD_ROSPEC,
        {},
        (
            parameter(
                "ROSpec",
                parameter(
                    "ROBoundarySpec",
                    parameter("ROSpecStartTrigger", Trigger=_START_IMMEDIATE),
                    parameter("ROSpecStopTrigger", Trigger=0, DurationTriggerValue=0),
                ),
                parameter(
                    "AISpec",
                    parameter("AISpecStopTrigger", Trigger=0, DurationTriggerValue=0),
                    parameter(
                        "InventoryParameterSpec",
                        *(_antenna(settings, capabilities, port) for port in settings.antennas),
                        InventoryParameterSpecID=1,
                        AirProtocolID=_AIR_PROTOCOL_GEN2,
                    ),
                    AntennaIDs=settings.antennas,
                ),
                parameter(
                    "ROReportSpec",
                    parameter(
                        "TagReportContentSelector",
                        EnableAntennaID=True,
                        EnablePeakRSSI=True,
                        EnableFirstSeenTimestamp=True,
                        EnableLastSeenTimestamp=True,
                        EnableTagSeenCount=True,
                    ),
                    Trigger=(
                        _REPORT_N_MILLISECONDS_OR_ROSPEC_END
                        if by_time
                        else _REPORT_N_TAGS_OR_ROSPEC_END
                    ),
                    N=settings.report_interval_ms if by_time else settings.report_tags,
                ),
                ROSpecID=settings.rospec_id,
                Priority=0,
                ROSpecCurrentState=0,
            ),
        ),
    )


def output_config(port: int, *, on: bool) -> Message:
    """Return the SET_READER_CONFIG that switches one output."""
    return Message(
        SET_READER_CONFIG,
        {"ResetToFactoryDefaults": False},
        (parameter("GPOWriteData", Port=port, Data=on),),
    )


def _keepalives(settings: ReaderSettings) -> Parameter:
    return parameter("KeepAliveSpec", Trigger=1, Interval=settings.keepalive_ms)


def _antenna(settings: ReaderSettings, capabilities: ReaderCapabilities, antenna: int) -> Parameter:
    transmitter: tuple[Parameter, ...] = ()
    if settings.transmit_power_cdbm is not None and capabilities.power_levels_cdbm:
        transmitter = (
            parameter(
                "RFTransmitter",
                HopTableID=capabilities.hop_table,
                ChannelIndex=1,  # Only fixed frequencies heed it; some readers check it anyway.
                TransmitPowerIndex=capabilities.power_index(settings.transmit_power_cdbm),
            ),
        )
    mode: tuple[Parameter, ...] = ()
    if settings.rf_mode is not None:
        mode = (parameter("C1G2RFControl", RFModeID=settings.rf_mode, Tari=0),)
    return parameter(
        "AntennaConfiguration",
        *transmitter,
        parameter(
            "C1G2InventoryCommand",
            *mode,
            parameter(
                "C1G2SingulationControl",
                Session=settings.session,
                TagPopulation=settings.tag_population,
                TagTransitTime=settings.tag_transit_ms,
            ),
            TagInventoryStateAware=False,
        ),
        AntennaID=antenna,
    )
