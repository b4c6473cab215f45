"""The messages of LLRP 1.0.1 and 1.1 as a table, and the numbers that code speaks of by name."""

from typing import Final

from edge_agent.core.llrp.layout import Layout, Octets, flag, many, maybe, one, u8, u16, u32

GET_READER_CAPABILITIES: Final = 1
GET_READER_CONFIG: Final = 2
SET_READER_CONFIG: Final = 3
CLOSE_CONNECTION_RESPONSE: Final = 4
GET_READER_CAPABILITIES_RESPONSE: Final = 11
GET_READER_CONFIG_RESPONSE: Final = 12
SET_READER_CONFIG_RESPONSE: Final = 13
CLOSE_CONNECTION: Final = 14
ADD_ROSPEC: Final = 20
DELETE_ROSPEC: Final = 21
START_ROSPEC: Final = 22
STOP_ROSPEC: Final = 23
ENABLE_ROSPEC: Final = 24
DISABLE_ROSPEC: Final = 25
GET_ROSPECS: Final = 26
ADD_ROSPEC_RESPONSE: Final = 30
DELETE_ROSPEC_RESPONSE: Final = 31
START_ROSPEC_RESPONSE: Final = 32
STOP_ROSPEC_RESPONSE: Final = 33
ENABLE_ROSPEC_RESPONSE: Final = 34
DISABLE_ROSPEC_RESPONSE: Final = 35
GET_ROSPECS_RESPONSE: Final = 36
DELETE_ACCESSSPEC: Final = 41
GET_SUPPORTED_VERSION: Final = 46
SET_PROTOCOL_VERSION: Final = 47
DELETE_ACCESSSPEC_RESPONSE: Final = 51
GET_SUPPORTED_VERSION_RESPONSE: Final = 56
SET_PROTOCOL_VERSION_RESPONSE: Final = 57
RO_ACCESS_REPORT: Final = 61
KEEPALIVE: Final = 62
READER_EVENT_NOTIFICATION: Final = 63
ENABLE_EVENTS_AND_REPORTS: Final = 64
KEEPALIVE_ACK: Final = 72
ERROR_MESSAGE: Final = 100
CUSTOM_MESSAGE: Final = 1023

VERSION_1_0_1: Final = 1
VERSION_1_1: Final = 2

STATUS_SUCCESS: Final = 0
STATUS_NAMES: Final = {
    0: "M_Success",
    100: "M_ParameterError",
    101: "M_FieldError",
    102: "M_UnexpectedParameter",
    103: "M_MissingParameter",
    104: "M_DuplicateParameter",
    105: "M_OverflowParameter",
    106: "M_OverflowField",
    107: "M_UnknownParameter",
    108: "M_UnknownField",
    109: "M_UnsupportedMessage",
    110: "M_UnsupportedVersion",
    111: "M_UnsupportedParameter",
    112: "M_UnexpectedMessage",
    200: "P_ParameterError",
    201: "P_FieldError",
    202: "P_UnexpectedParameter",
    203: "P_MissingParameter",
    204: "P_DuplicateParameter",
    205: "P_OverflowParameter",
    206: "P_OverflowField",
    207: "P_UnknownParameter",
    208: "P_UnknownField",
    209: "P_UnsupportedParameter",
    300: "A_Invalid",
    301: "A_OutOfRange",
    401: "R_DeviceError",
}
"""Status codes of LLRP by number, as the specification names them."""

_CUSTOM = many("Custom")
_STATUS = (one("LLRPStatus"),)
_ROSPEC_ID = (u32("ROSpecID"),)
_ACCESSSPEC_ID = (u32("AccessSpecID"),)

_SETTINGS = (
    Layout(
        GET_READER_CAPABILITIES,
        "GetReaderCapabilities",
        (u8("ReaderCapabilitiesRequestedData"),),
        (_CUSTOM,),
    ),
    Layout(
        GET_READER_CAPABILITIES_RESPONSE,
        "GetReaderCapabilitiesResponse",
        (),
        (
            *_STATUS,
            maybe("GeneralDeviceCapabilities"),
            maybe("LLRPCapabilities"),
            maybe("RegulatoryCapabilities"),
            maybe("C1G2LLRPCapabilities"),
            _CUSTOM,
        ),
    ),
    Layout(
        GET_READER_CONFIG,
        "GetReaderConfig",
        (u16("AntennaID"), u8("RequestedData"), u16("GPIPortNum"), u16("GPOPortNum")),
        (_CUSTOM,),
    ),
    Layout(
        GET_READER_CONFIG_RESPONSE,
        "GetReaderConfigResponse",
        (),
        (
            *_STATUS,
            maybe("Identification"),
            many("AntennaProperties"),
            many("AntennaConfiguration", "AntennaConfigurations"),
            maybe("ReaderEventNotificationSpec"),
            maybe("ROReportSpec"),
            maybe("AccessReportSpec"),
            maybe("LLRPConfigurationStateValue"),
            maybe("KeepAliveSpec"),
            many("GPIPortCurrentState", "GPIPortCurrentStates"),
            many("GPOWriteData"),
            maybe("EventsAndReports"),
            _CUSTOM,
        ),
    ),
    Layout(
        SET_READER_CONFIG,
        "SetReaderConfig",
        (flag("ResetToFactoryDefaults"),),
        (
            maybe("ReaderEventNotificationSpec"),
            many("AntennaProperties"),
            many("AntennaConfiguration", "AntennaConfigurations"),
            maybe("ROReportSpec"),
            maybe("AccessReportSpec"),
            maybe("KeepAliveSpec"),
            many("GPOWriteData"),
            many("GPIPortCurrentState", "GPIPortCurrentStates"),
            maybe("EventsAndReports"),
            _CUSTOM,
        ),
    ),
    Layout(SET_READER_CONFIG_RESPONSE, "SetReaderConfigResponse", (), _STATUS),
)

_CONNECTION = (
    Layout(CLOSE_CONNECTION, "CloseConnection"),
    Layout(CLOSE_CONNECTION_RESPONSE, "CloseConnectionResponse", (), _STATUS),
    Layout(GET_SUPPORTED_VERSION, "GetSupportedVersion"),
    Layout(
        GET_SUPPORTED_VERSION_RESPONSE,
        "GetSupportedVersionResponse",
        (u8("CurrentVersion"), u8("MaxSupportedVersion")),
        _STATUS,
    ),
    Layout(SET_PROTOCOL_VERSION, "SetProtocolVersion", (u8("TargetVersion"),)),
    Layout(SET_PROTOCOL_VERSION_RESPONSE, "SetProtocolVersionResponse", (), _STATUS),
    Layout(KEEPALIVE, "KeepAlive"),
    Layout(KEEPALIVE_ACK, "KeepAliveAck"),
    Layout(ERROR_MESSAGE, "ErrorMessage", (), _STATUS),
    Layout(
        CUSTOM_MESSAGE,
        "CustomMessage",
        (u32("VendorID"), u8("MessageSubtype"), Octets("Data", remaining=True)),
    ),
)

_SPECS = (
    Layout(ADD_ROSPEC, "AddROSpec", (), (one("ROSpec"),)),
    Layout(ADD_ROSPEC_RESPONSE, "AddROSpecResponse", (), _STATUS),
    Layout(DELETE_ROSPEC, "DeleteROSpec", _ROSPEC_ID),
    Layout(DELETE_ROSPEC_RESPONSE, "DeleteROSpecResponse", (), _STATUS),
    Layout(START_ROSPEC, "StartROSpec", _ROSPEC_ID),
    Layout(START_ROSPEC_RESPONSE, "StartROSpecResponse", (), _STATUS),
    Layout(STOP_ROSPEC, "StopROSpec", _ROSPEC_ID),
    Layout(STOP_ROSPEC_RESPONSE, "StopROSpecResponse", (), _STATUS),
    Layout(ENABLE_ROSPEC, "EnableROSpec", _ROSPEC_ID),
    Layout(ENABLE_ROSPEC_RESPONSE, "EnableROSpecResponse", (), _STATUS),
    Layout(DISABLE_ROSPEC, "DisableROSpec", _ROSPEC_ID),
    Layout(DISABLE_ROSPEC_RESPONSE, "DisableROSpecResponse", (), _STATUS),
    Layout(GET_ROSPECS, "GetROSpecs"),
    Layout(GET_ROSPECS_RESPONSE, "GetROSpecsResponse", (), (*_STATUS, many("ROSpec", "ROSpecs"))),
    Layout(40, "AddAccessSpec", (), (one("AccessSpec"),)),
    Layout(50, "AddAccessSpecResponse", (), _STATUS),
    Layout(DELETE_ACCESSSPEC, "DeleteAccessSpec", _ACCESSSPEC_ID),
    Layout(DELETE_ACCESSSPEC_RESPONSE, "DeleteAccessSpecResponse", (), _STATUS),
    Layout(42, "EnableAccessSpec", _ACCESSSPEC_ID),
    Layout(52, "EnableAccessSpecResponse", (), _STATUS),
    Layout(43, "DisableAccessSpec", _ACCESSSPEC_ID),
    Layout(53, "DisableAccessSpecResponse", (), _STATUS),
    Layout(44, "GetAccessSpecs"),
    Layout(54, "GetAccessSpecsResponse", (), (*_STATUS, many("AccessSpec", "AccessSpecs"))),
    Layout(45, "ClientRequestOp", (), (one("TagReportData"),)),
    Layout(55, "ClientRequestOpResponse", (), (one("ClientRequestResponse"),)),
)

_REPORTS = (
    Layout(60, "GetReport"),
    Layout(
        RO_ACCESS_REPORT,
        "ROAccessReport",
        (),
        (many("TagReportData"), many("RFSurveyReportData"), _CUSTOM),
    ),
    Layout(
        READER_EVENT_NOTIFICATION,
        "ReaderEventNotification",
        (),
        (one("ReaderEventNotificationData"),),
    ),
    Layout(ENABLE_EVENTS_AND_REPORTS, "EnableEventsAndReports"),
)

MESSAGES: Final = {
    layout.number: layout for layout in (*_SETTINGS, *_CONNECTION, *_SPECS, *_REPORTS)
}
"""Every message's layout by its number."""

MESSAGE_NUMBERS: Final = {layout.name: layout.number for layout in MESSAGES.values()}
"""Every message's number by its name."""
