"""The part of the parameter table about readers: capabilities, configuration, events, status."""

from typing import Final

from edge_agent.core.llrp.layout import (
    Bits,
    BitString,
    Flags,
    Layout,
    Numbers,
    Octets,
    Reserved,
    Text,
    flag,
    flags,
    i16,
    many,
    maybe,
    one,
    top_bits,
    u8,
    u16,
    u32,
    u64,
)

_CUSTOM = many("Custom")

_CAPABILITIES = (
    Layout(128, "UTCTimestamp", (u64("Microseconds"),)),
    Layout(129, "Uptime", (u64("Microseconds"),)),
    Layout(
        137,
        "GeneralDeviceCapabilities",
        (
            u16("MaxSupportedAntennas"),
            flags(2, "CanSetAntennaProperties", "HasUTCClock"),
            u32("DeviceManufacturer"),
            u32("Model"),
            Text("FirmwareVersion"),
        ),
        (
            many("ReceiveSensitivityTableEntry", "ReceiveSensitivities"),
            many("PerAntennaReceiveSensitivityRange", "PerAntennaReceiveSensitivityRanges"),
            one("GPIOCapabilities"),
            many("PerAntennaAirProtocol", "PerAntennaAirProtocols"),
            maybe("MaximumReceiveSensitivity"),
        ),
    ),
    Layout(139, "ReceiveSensitivityTableEntry", (u16("Index"), u16("ReceiveSensitivity"))),
    Layout(140, "PerAntennaAirProtocol", (u16("AntennaID"), Numbers("AirProtocolIDs", 1))),
    Layout(141, "GPIOCapabilities", (u16("NumGPIs"), u16("NumGPOs"))),
    Layout(
        142,
        "LLRPCapabilities",
        (
            flags(
                1,
                "CanDoRFSurvey",
                "CanReportBufferFillWarning",
                "SupportsClientRequestOpSpec",
                "CanDoTagInventoryStateAwareSingulation",
                "SupportsEventsAndReportHolding",
            ),
            u8("MaxPriorityLevelSupported"),
            u16("ClientRequestedOpSpecTimeout"),
            u32("MaxROSpecs"),
            u32("MaxSpecsPerROSpec"),
            u32("MaxInventoryParameterSpecsPerAISpec"),
            u32("MaxAccessSpecs"),
            u32("MaxOpSpecsPerAccessSpec"),
        ),
    ),
    Layout(
        143,
        "RegulatoryCapabilities",
        (u16("CountryCode"), u16("CommunicationsStandard")),
        (maybe("UHFBandCapabilities"), _CUSTOM),
    ),
    Layout(
        144,
        "UHFBandCapabilities",
        (),
        (
            many("TransmitPowerLevelTableEntry", "TransmitPowerLevels"),
            one("FrequencyInformation"),
            one("UHFC1G2RFModeTable", "C1G2RFModes"),
            maybe("RFSurveyFrequencyCapabilities"),
        ),
    ),
    Layout(145, "TransmitPowerLevelTableEntry", (u16("Index"), i16("TransmitPowerValue"))),
    Layout(
        146,
        "FrequencyInformation",
        (flag("Hopping"),),
        (many("FrequencyHopTable", "FrequencyHopTables"), maybe("FixedFrequencyTable")),
    ),
    Layout(147, "FrequencyHopTable", (u8("HopTableID"), Reserved(1), Numbers("Frequencies", 4))),
    Layout(148, "FixedFrequencyTable", (Numbers("Frequencies", 4),)),
    Layout(
        149,
        "PerAntennaReceiveSensitivityRange",
        (u16("AntennaID"), u16("ReceiveSensitivityIndexMin"), u16("ReceiveSensitivityIndexMax")),
    ),
    Layout(
        327,
        "C1G2LLRPCapabilities",
        (
            flags(
                1,
                "SupportsBlockErase",
                "SupportsBlockWrite",
                "SupportsBlockPermalock",
                "SupportsTagRecommissioning",
                "SupportsUMIMethod2",
                "SupportsXPC",
            ),
            u16("MaxSelectFiltersPerQuery"),
        ),
    ),
    Layout(
        328,
        "UHFC1G2RFModeTable",
        (),
        (many("UHFC1G2RFModeTableEntry", "UHFC1G2RFModeTableEntries"),),
    ),
    Layout(
        329,
        "UHFC1G2RFModeTableEntry",
        (
            u32("ModeID"),
            Flags(1, (Bits("DivideRatio", 1), Bits("IsEPCHagConformant", 1, flag=True))),
            u8("Modulation"),
            u8("ForwardLinkModulation"),
            u8("SpectralMask"),
            u32("BackscatterDataRate"),
            u32("PIERatio"),
            u32("MinTariTime"),
            u32("MaxTariTime"),
            u32("StepTariTime"),
        ),
    ),
    Layout(363, "MaximumReceiveSensitivity", (i16("MaxSensitivity"),)),
    Layout(365, "RFSurveyFrequencyCapabilities", (u32("MinFrequency"), u32("MaxFrequency"))),
)

_CONFIGURATION = (
    Layout(217, "LLRPConfigurationStateValue", (u32("LLRPConfigurationState"),)),
    Layout(218, "Identification", (u8("IDType"), Octets("ReaderID"))),
    Layout(219, "GPOWriteData", (u16("Port"), flag("Data"))),
    Layout(220, "KeepAliveSpec", (u8("Trigger"), u32("Interval"))),
    Layout(
        221, "AntennaProperties", (flag("AntennaConnected"), u16("AntennaID"), i16("AntennaGain"))
    ),
    Layout(
        222,
        "AntennaConfiguration",
        (u16("AntennaID"),),
        (maybe("RFReceiver"), maybe("RFTransmitter"), maybe("C1G2InventoryCommand"), _CUSTOM),
    ),
    Layout(223, "RFReceiver", (u16("ReceiverSensitivityIndex"),)),
    Layout(
        224, "RFTransmitter", (u16("HopTableID"), u16("ChannelIndex"), u16("TransmitPowerIndex"))
    ),
    Layout(225, "GPIPortCurrentState", (u16("Port"), flag("Enabled"), u8("State"))),
    Layout(226, "EventsAndReports", (flag("HoldEventsAndReportsUponReconnect"),)),
    Layout(
        330,
        "C1G2InventoryCommand",
        (flag("TagInventoryStateAware"),),
        (
            many("C1G2Filter", "Filters"),
            maybe("C1G2RFControl", "RFControl"),
            maybe("C1G2SingulationControl", "SingulationControl"),
            _CUSTOM,
        ),
    ),
    Layout(
        331,
        "C1G2Filter",
        (top_bits("TruncateAction", 2),),
        (
            one("C1G2TagInventoryMask", "TagInventoryMask"),
            maybe("C1G2TagInventoryStateAwareFilterAction", "AwareFilterAction"),
            maybe("C1G2TagInventoryStateUnawareFilterAction", "UnawareFilterAction"),
        ),
    ),
    Layout(
        332,
        "C1G2TagInventoryMask",
        (top_bits("MemoryBank", 2), u16("MostSignificantBit"), BitString("TagMask")),
    ),
    Layout(333, "C1G2TagInventoryStateAwareFilterAction", (u8("Target"), u8("FilterAction"))),
    Layout(334, "C1G2TagInventoryStateUnawareFilterAction", (u8("FilterAction"),)),
    Layout(335, "C1G2RFControl", (u16("RFModeID"), u16("Tari"))),
    Layout(
        336,
        "C1G2SingulationControl",
        (top_bits("Session", 2), u16("TagPopulation"), u32("TagTransitTime")),
        (maybe("C1G2TagInventoryStateAwareSingulationAction", "InvAwareAction"),),
    ),
    Layout(
        337,
        "C1G2TagInventoryStateAwareSingulationAction",
        (Flags(1, (Bits("SessionState", 1), Bits("SLState", 1))),),
    ),
)

_EVENTS = (
    Layout(
        244,
        "ReaderEventNotificationSpec",
        (),
        (many("EventNotificationState", "EventNotificationStates"),),
    ),
    Layout(245, "EventNotificationState", (u16("ReaderEventType"), flag("NotificationEnabled"))),
    Layout(
        246,
        "ReaderEventNotificationData",
        (),
        (
            one("UTCTimestamp"),
            one("Uptime"),
            maybe("HoppingEvent"),
            maybe("GPIEvent"),
            maybe("ROSpecEvent"),
            maybe("ReportBufferLevelWarningEvent"),
            maybe("ReportBufferOverflowErrorEvent"),
            maybe("ReaderExceptionEvent"),
            maybe("RFSurveyEvent"),
            maybe("AISpecEvent"),
            maybe("AntennaEvent"),
            maybe("ConnectionAttemptEvent"),
            maybe("ConnectionCloseEvent"),
            maybe("SpecLoopEvent"),
            _CUSTOM,
        ),
    ),
    Layout(247, "HoppingEvent", (u16("HopTableID"),)),
    Layout(248, "GPIEvent", (u16("Port"), flag("Event"))),
    Layout(249, "ROSpecEvent", (u8("Event"), u32("ROSpecID"), u32("PreemptingROSpecID"))),
    Layout(250, "ReportBufferLevelWarningEvent", (u8("PercentFull"),)),
    Layout(251, "ReportBufferOverflowErrorEvent"),
    Layout(
        252,
        "ReaderExceptionEvent",
        (Text("Message"),),
        (
            maybe("ROSpecID"),
            maybe("SpecIndex"),
            maybe("InventoryParameterSpecID"),
            maybe("AntennaID"),
            maybe("AccessSpecID"),
            maybe("OpSpecID"),
            _CUSTOM,
        ),
    ),
    Layout(253, "RFSurveyEvent", (u8("Event"), u32("ROSpecID"))),
    Layout(
        254,
        "AISpecEvent",
        (u8("Event"), u32("ROSpecID"), u16("SpecIndex")),
        (maybe("C1G2SingulationDetails", "SingulationDetails"),),
    ),
    Layout(255, "AntennaEvent", (u8("Event"), u16("AntennaID"))),
    Layout(256, "ConnectionAttemptEvent", (u16("Event"),)),
    Layout(257, "ConnectionCloseEvent"),
    Layout(356, "SpecLoopEvent", (u32("ROSpecID"), u32("LoopCount"))),
)

_STATUS = (
    Layout(
        287,
        "LLRPStatus",
        (u16("Status"), Text("ErrorDescription")),
        (maybe("FieldError"), maybe("ParameterError")),
    ),
    Layout(288, "FieldError", (u16("FieldIndex"), u16("ErrorCode"))),
    Layout(
        289,
        "ParameterError",
        (u16("ParameterType"), u16("ErrorCode")),
        (maybe("ParameterError"), maybe("FieldError")),
    ),
    Layout(1023, "Custom", (u32("VendorID"), u32("Subtype"), Octets("Data", remaining=True))),
)

READER_PARAMETERS: Final = (*_CAPABILITIES, *_CONFIGURATION, *_EVENTS, *_STATUS)
