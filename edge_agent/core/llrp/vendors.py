"""Parameters of makers: what Impinj, Zebra (formerly Motorola) and ThingMagic add to LLRP.

On the wire each is a Custom parameter with the maker's enterprise number and a number of its own.
`custom` builds one by name, `read_custom` reads one; what is not in this table stays a Custom with
its bytes, and is never an error.

Impinj's layouts are those of its published LLRP definitions (Octane). Zebra's guide (72E-131718)
shows reserved bits that its readers do not send: phase, BrandID and capabilities below are as an
FX9600 sends them. GPS, whose scale the guide leaves open, is kept as bytes.
"""

from typing import Final

from edge_agent.core.llrp.codec import Parameter, decode_content, encode_content
from edge_agent.core.llrp.layout import (
    RESERVED,
    Fields,
    Layout,
    Malformed,
    Number,
    Numbers,
    Value,
    flags,
    i16,
    octets_of,
    u8,
    u16,
    u32,
)
from edge_agent.core.llrp.parameters import CUSTOM

IMPINJ: Final = 25882
ZEBRA: Final = 161
"""Registered to Motorola, whose readers became Zebra's."""
ZEBRA_OWN: Final = 10642
"""Zebra Technologies' own number, which it had before; its extensions keep Motorola's."""
THINGMAGIC: Final = 26554

IMPINJ_ENABLE_EXTENSIONS: Final = 21
"""Message: from now on the reader takes and sends Impinj's parameters on this connection."""
IMPINJ_ENABLE_EXTENSIONS_RESPONSE: Final = 22
IMPINJ_SERIALIZED_TID: Final = 55
IMPINJ_RF_PHASE_ANGLE: Final = 56
IMPINJ_PEAK_RSSI: Final = 57
IMPINJ_RF_DOPPLER_FREQUENCY: Final = 68
ZEBRA_TAG_PHASE: Final = 709

DUAL_TARGET: Final = 2
"""Impinj: tags are read from A to B and back, so they answer all the time."""
SINGLE_TARGET_WITH_SUPPRESSION: Final = 3
DUAL_TARGET_WITH_RESET: Final = 6
"""Impinj: tags are read from A to B, then all are set back to A."""


def _i32(name: str) -> Number:
    return Number(name, 4, signed=True)


_IMPINJ = (
    Layout(23, "ImpinjInventorySearchMode", (u16("InventorySearchMode"),)),
    Layout(50, "ImpinjTagReportContentSelector"),
    Layout(51, "ImpinjEnableSerializedTID", (u16("SerializedTIDMode"),)),
    Layout(52, "ImpinjEnableRFPhaseAngle", (u16("RFPhaseAngleMode"),)),
    Layout(53, "ImpinjEnablePeakRSSI", (u16("PeakRSSIMode"),)),
    Layout(54, "ImpinjEnableGPSCoordinates", (u16("GPSCoordinatesMode"),)),
    Layout(IMPINJ_SERIALIZED_TID, "ImpinjSerializedTID", (Numbers("TID", 2),)),
    Layout(IMPINJ_RF_PHASE_ANGLE, "ImpinjRFPhaseAngle", (u16("PhaseAngle"),)),
    Layout(IMPINJ_PEAK_RSSI, "ImpinjPeakRSSI", (i16("RSSI"),)),
    Layout(58, "ImpinjGPSCoordinates", (_i32("Latitude"), _i32("Longitude"))),
    Layout(67, "ImpinjEnableRFDopplerFrequency", (u16("RFDopplerFrequencyMode"),)),
    Layout(IMPINJ_RF_DOPPLER_FREQUENCY, "ImpinjRFDopplerFrequency", (i16("DopplerFrequency"),)),
    Layout(72, "ImpinjEnableTxPower", (u16("TxPowerReportingMode"),)),
    Layout(73, "ImpinjTxPower", (u16("TxPower"),)),
)
_ZEBRA = (
    Layout(50, "MotoGeneralRequestCapabilities", (u8("RequestedData"),)),
    Layout(
        110,
        "MotoAdvancedCapabilities",
        (
            u32("Version"),
            flags(
                1,
                "CanSupportPhase",
                "CanSupportGPS",
                "CanSupportZone",
                "CanSupportAntennaRFConfig",
            ),
        ),
    ),
    Layout(450, "MotoC1G2ExtendedPC", (Numbers("XPC", 2),)),
    Layout(
        708,
        "MotoTagReportContentSelector",
        (
            flags(
                4,
                "EnableZoneID",
                "EnableZoneName",
                "EnableAntennaPhysicalPortConfig",
                "EnablePhase",
                "EnableGPS",
                "EnableMLTReport",
            ),
        ),
    ),
    Layout(ZEBRA_TAG_PHASE, "MotoTagPhase", (i16("Phase"),)),
    Layout(712, "BrandIDCheckStatus", (u8("BrandID"),)),
)
VENDOR_LAYOUTS: Final = {(IMPINJ, layout.number): layout for layout in _IMPINJ} | {
    (ZEBRA, layout.number): layout for layout in _ZEBRA
}
"""Every known parameter of a maker, by enterprise number and its own."""
_BY_NAME: Final = {layout.name: (vendor, layout) for (vendor, _), layout in VENDOR_LAYOUTS.items()}


def custom(name: str, *parameters: Parameter, **fields: Value) -> Parameter:
    """Build a maker's parameter by name, ready to be put into another."""
    vendor, layout = _BY_NAME[name]
    out = bytearray()
    encode_content(layout, Parameter(layout.number, fields, parameters), out)
    return _custom(vendor, layout.number, bytes(out))


def read_custom(parameter: Parameter) -> tuple[str, Fields, tuple[Parameter, ...]] | None:
    """Name, fields and inner parameters of a Custom; None where it is not known or not as known.

    A newer firmware may send more than we know of: that is under `reserved:more`, as it came.
    """
    if parameter.number != CUSTOM:
        return None
    key = parameter.integer("VendorID"), parameter.integer("Subtype")
    layout = VENDOR_LAYOUTS.get(key)
    if layout is None:
        return None
    data = octets_of(parameter.fields, "Data")
    fields: Fields = {}
    offset = 0
    try:
        for field in layout.fields:
            offset = field.read(data, offset, len(data), fields)
    except Malformed:
        return None
    try:
        _, inner = decode_content(Layout(0, ""), data, offset, len(data), 0)
    except Malformed:
        fields[RESERVED + "more"] = data[offset:]
        inner = ()
    return layout.name, fields, inner


def enable_extensions() -> Fields:
    """The fields of Impinj's CUSTOM_MESSAGE that switches its parameters on."""
    return {"VendorID": IMPINJ, "MessageSubtype": IMPINJ_ENABLE_EXTENSIONS, "Data": bytes(4)}


def _custom(vendor: int, subtype: int, data: bytes) -> Parameter:
    return Parameter(CUSTOM, {"VendorID": vendor, "Subtype": subtype, "Data": data})
