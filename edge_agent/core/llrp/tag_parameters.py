"""The part of the parameter table about tags: reports, inventory and access operations."""

from typing import Final

from edge_agent.core.llrp.layout import (
    Bits,
    BitString,
    Flags,
    Layout,
    Numbers,
    Octets,
    Reserved,
    flag,
    flags,
    i8,
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
_OPERATIONS = (
    maybe("C1G2Read"),
    maybe("C1G2Write"),
    maybe("C1G2Kill"),
    maybe("C1G2Recommission"),
    maybe("C1G2Lock"),
    maybe("C1G2BlockErase"),
    maybe("C1G2BlockWrite"),
    maybe("C1G2BlockPermalock"),
    maybe("C1G2GetBlockPermalockStatus"),
    maybe("ClientRequestOpSpec"),
)
_ACCESS = (u16("OpSpecID"), u32("AccessPassword"))
_BANK = top_bits("C1G2MemoryBank", 2)

_TAG_VALUES = (
    Layout(1, "AntennaID", (u16("AntennaID"),)),
    Layout(2, "FirstSeenUTC", (u64("FirstSeen"),)),
    Layout(3, "FirstSeenUptime", (u64("FirstSeen"),)),
    Layout(4, "LastSeenUTC", (u64("LastSeen"),)),
    Layout(5, "LastSeenUptime", (u64("LastSeen"),)),
    Layout(6, "PeakRSSI", (i8("PeakRSSI"),)),
    Layout(7, "ChannelIndex", (u16("ChannelIndex"),)),
    Layout(8, "TagSeenCount", (u16("TagSeenCount"),)),
    Layout(9, "ROSpecID", (u32("ROSpecID"),)),
    Layout(10, "InventoryParameterSpecID", (u16("InventoryParameterSpecID"),)),
    Layout(11, "C1G2CRC", (u16("C1G2CRC"),)),
    Layout(
        12,
        "C1G2PC",
        (
            Flags(
                2,
                (
                    Bits("EPCMemoryLength", 5),
                    Bits("HasUserMemory", 1, flag=True),
                    Bits("HasXPC", 1, flag=True),
                    Bits("IsISO15961", 1, flag=True),
                    Bits("AttributesOrAFI", 8),
                ),
            ),
        ),
    ),
    Layout(13, "EPC96", (Octets("EPC", fixed=12),)),
    Layout(14, "SpecIndex", (u16("SpecIndex"),)),
    Layout(15, "ClientRequestOpSpecResult", (u16("ClientRequestOpSpecResult"),)),
    Layout(16, "AccessSpecID", (u32("AccessSpecID"),)),
    Layout(17, "OpSpecID", (u16("OpSpecID"),)),
    Layout(18, "C1G2SingulationDetails", (u16("NumCollisionSlots"), u16("NumEmptySlots"))),
    Layout(19, "C1G2XPCW1", (u16("C1G2XPCW1"),)),
    Layout(20, "C1G2XPCW2", (u16("C1G2XPCW2"),)),
)

_REPORTS = (
    Layout(
        237,
        "ROReportSpec",
        (u8("Trigger"), u16("N")),
        (one("TagReportContentSelector"), _CUSTOM),
    ),
    Layout(
        238,
        "TagReportContentSelector",
        (
            flags(
                2,
                "EnableROSpecID",
                "EnableSpecIndex",
                "EnableInventoryParamSpecID",
                "EnableAntennaID",
                "EnableChannelIndex",
                "EnablePeakRSSI",
                "EnableFirstSeenTimestamp",
                "EnableLastSeenTimestamp",
                "EnableTagSeenCount",
                "EnableAccessSpecID",
            ),
        ),
        (maybe("C1G2EPCMemorySelector"), _CUSTOM),
    ),
    Layout(239, "AccessReportSpec", (u8("Trigger"),)),
    Layout(
        240,
        "TagReportData",
        (),
        (
            one("EPCData"),
            one("EPC96"),
            maybe("ROSpecID"),
            maybe("SpecIndex"),
            maybe("InventoryParameterSpecID"),
            maybe("AntennaID"),
            maybe("PeakRSSI"),
            maybe("ChannelIndex"),
            maybe("FirstSeenUTC"),
            maybe("FirstSeenUptime"),
            maybe("LastSeenUTC"),
            maybe("LastSeenUptime"),
            maybe("TagSeenCount"),
            maybe("C1G2PC"),
            maybe("C1G2XPCW1"),
            maybe("C1G2XPCW2"),
            maybe("C1G2CRC"),
            maybe("AccessSpecID"),
            maybe("C1G2ReadOpSpecResult"),
            maybe("C1G2WriteOpSpecResult"),
            maybe("C1G2KillOpSpecResult"),
            maybe("C1G2LockOpSpecResult"),
            maybe("C1G2BlockEraseOpSpecResult"),
            maybe("C1G2BlockWriteOpSpecResult"),
            maybe("C1G2RecommissionOpSpecResult"),
            maybe("C1G2BlockPermalockOpSpecResult"),
            maybe("C1G2GetBlockPermalockStatusOpSpecResult"),
            maybe("ClientRequestOpSpecResult"),
            _CUSTOM,
        ),
    ),
    Layout(241, "EPCData", (BitString("EPC"),)),
    Layout(
        242,
        "RFSurveyReportData",
        (),
        (
            maybe("ROSpecID"),
            maybe("SpecIndex"),
            many("FrequencyRSSILevelEntry", "FrequencyRSSILevelEntries"),
            _CUSTOM,
        ),
    ),
    Layout(
        243,
        "FrequencyRSSILevelEntry",
        (u32("Frequency"), u32("Bandwidth"), i8("AverageRSSI"), i8("PeakRSSI")),
        (one("UTCTimestamp"), one("Uptime")),
    ),
    Layout(
        348, "C1G2EPCMemorySelector", (flags(1, "CRCEnabled", "PCBitsEnabled", "XPCBitsEnabled"),)
    ),
)

_READER_OPERATIONS = (
    Layout(
        177,
        "ROSpec",
        (u32("ROSpecID"), u8("Priority"), u8("ROSpecCurrentState")),
        (
            one("ROBoundarySpec"),
            many("AISpec", "AISpecs"),
            many("RFSurveySpec", "RFSurveySpecs"),
            _CUSTOM,
            maybe("LoopSpec"),
            maybe("ROReportSpec"),
        ),
    ),
    Layout(
        178,
        "ROBoundarySpec",
        (),
        (one("ROSpecStartTrigger", "StartTrigger"), one("ROSpecStopTrigger", "StopTrigger")),
    ),
    Layout(
        179,
        "ROSpecStartTrigger",
        (u8("Trigger"),),
        (maybe("PeriodicTriggerValue", "PeriodicTrigger"), maybe("GPITriggerValue", "GPITrigger")),
    ),
    Layout(180, "PeriodicTriggerValue", (u32("Offset"), u32("Period")), (maybe("UTCTimestamp"),)),
    Layout(181, "GPITriggerValue", (u16("Port"), flag("Event"), u32("Timeout"))),
    Layout(
        182,
        "ROSpecStopTrigger",
        (u8("Trigger"), u32("DurationTriggerValue")),
        (maybe("GPITriggerValue"),),
    ),
    Layout(
        183,
        "AISpec",
        (Numbers("AntennaIDs", 2),),
        (
            one("AISpecStopTrigger", "StopTrigger"),
            many("InventoryParameterSpec", "InventoryParameterSpecs"),
            _CUSTOM,
        ),
    ),
    Layout(
        184,
        "AISpecStopTrigger",
        (u8("Trigger"), u32("DurationTriggerValue")),
        (maybe("GPITriggerValue", "GPITrigger"), maybe("TagObservationTrigger")),
    ),
    Layout(
        185,
        "TagObservationTrigger",
        (
            u8("Trigger"),
            Reserved(1),
            u16("NumberOfTags"),
            u16("NumberOfAttempts"),
            u16("T"),
            u32("Timeout"),
        ),
    ),
    Layout(
        186,
        "InventoryParameterSpec",
        (u16("InventoryParameterSpecID"), u8("AirProtocolID")),
        (many("AntennaConfiguration", "AntennaConfigurations"), _CUSTOM),
    ),
    Layout(
        187,
        "RFSurveySpec",
        (u16("AntennaID"), u32("StartFrequency"), u32("EndFrequency")),
        (one("RFSurveySpecStopTrigger", "Trigger"), _CUSTOM),
    ),
    Layout(188, "RFSurveySpecStopTrigger", (u8("Trigger"), u32("Duration"), u32("N"))),
    Layout(355, "LoopSpec", (u32("LoopCount"),)),
)

_ACCESS_OPERATIONS = (
    Layout(
        207,
        "AccessSpec",
        (
            u32("AccessSpecID"),
            u16("AntennaID"),
            u8("AirProtocolID"),
            flag("IsActive"),
            u32("ROSpecID"),
        ),
        (
            one("AccessSpecStopTrigger", "Trigger"),
            one("AccessCommand"),
            maybe("AccessReportSpec"),
            _CUSTOM,
        ),
    ),
    Layout(208, "AccessSpecStopTrigger", (u8("Trigger"), u16("OperationCountValue"))),
    Layout(209, "AccessCommand", (), (one("C1G2TagSpec"), *_OPERATIONS, _CUSTOM)),
    Layout(210, "ClientRequestOpSpec", (u16("OpSpecID"),)),
    Layout(
        211,
        "ClientRequestResponse",
        (u32("AccessSpecID"),),
        (one("EPCData"), *_OPERATIONS, maybe("Custom")),
    ),
    Layout(
        338,
        "C1G2TagSpec",
        (),
        (one("C1G2TargetTag", "TagPattern1"), maybe("C1G2TargetTag", "TagPattern2")),
    ),
    Layout(
        339,
        "C1G2TargetTag",
        (
            Flags(1, (Bits("C1G2MemoryBank", 2), Bits("MatchFlag", 1, flag=True))),
            u16("MostSignificantBit"),
            BitString("TagMask"),
            BitString("TagData"),
        ),
    ),
    Layout(341, "C1G2Read", (*_ACCESS, _BANK, u16("WordAddress"), u16("WordCount"))),
    Layout(342, "C1G2Write", (*_ACCESS, _BANK, u16("WordAddress"), Numbers("Data", 2))),
    Layout(343, "C1G2Kill", (u16("OpSpecID"), u32("KillPassword"))),
    Layout(344, "C1G2Lock", _ACCESS, (many("C1G2LockPayload", "C1G2LockPayloads"),)),
    Layout(345, "C1G2LockPayload", (u8("LockPrivilege"), u8("LockData"))),
    Layout(346, "C1G2BlockErase", (*_ACCESS, _BANK, u16("WordAddress"), u16("WordCount"))),
    Layout(347, "C1G2BlockWrite", (*_ACCESS, _BANK, u16("WordAddress"), Numbers("Data", 2))),
    Layout(
        349,
        "C1G2ReadOpSpecResult",
        (u8("C1G2ReadOpSpecResultType"), u16("OpSpecID"), Numbers("Data", 2)),
    ),
    Layout(
        350,
        "C1G2WriteOpSpecResult",
        (u8("C1G2WriteOpSpecResultType"), u16("OpSpecID"), u16("WordsWritten")),
    ),
    Layout(351, "C1G2KillOpSpecResult", (u8("C1G2KillResult"), u16("OpSpecID"))),
    Layout(352, "C1G2LockOpSpecResult", (u8("C1G2LockResult"), u16("OpSpecID"))),
    Layout(353, "C1G2BlockEraseOpSpecResult", (u8("C1G2BlockEraseResult"), u16("OpSpecID"))),
    Layout(
        354,
        "C1G2BlockWriteOpSpecResult",
        (u8("C1G2BlockWriteResult"), u16("OpSpecID"), u16("WordsWritten")),
    ),
    Layout(
        357,
        "C1G2Recommission",
        (u16("OpSpecID"), u32("KillPassword"), flags(1, "", "", "", "", "", "SB3", "SB2", "LSB")),
    ),
    Layout(
        358, "C1G2BlockPermalock", (*_ACCESS, _BANK, u16("BlockAddress"), Numbers("BlockMask", 2))
    ),
    Layout(
        359,
        "C1G2GetBlockPermalockStatus",
        (*_ACCESS, _BANK, u16("BlockAddress"), u16("BlockRange")),
    ),
    Layout(360, "C1G2RecommissionOpSpecResult", (u8("C1G2RecommissionResult"), u16("OpSpecID"))),
    Layout(
        361, "C1G2BlockPermalockOpSpecResult", (u8("C1G2BlockPermalockResult"), u16("OpSpecID"))
    ),
    Layout(
        362,
        "C1G2GetBlockPermalockStatusOpSpecResult",
        (u8("C1G2GetBlockPermalockStatusResult"), u16("OpSpecID"), Numbers("PermalockStatuses", 2)),
    ),
)

TAG_PARAMETERS: Final = (*_TAG_VALUES, *_REPORTS, *_READER_OPERATIONS, *_ACCESS_OPERATIONS)
