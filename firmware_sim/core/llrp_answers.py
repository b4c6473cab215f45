"""The longer answers of a reader: its capabilities and its configuration."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from firmware_sim.core.llrp_antenna import HOP_TABLE, Abilities, AntennaWish
from firmware_sim.core.llrp_specs import ReportWish
from firmware_sim.core.llrp_wire import Kind, Status, status, text, tlv

INPUTS = 4
OUTPUTS = 4
FREQUENCIES_KHZ = tuple(920_625 + 250 * channel for channel in range(16))
"""The Chinese band."""
EVENT_TYPES = range(9)
ALL, GENERAL, LLRP, REGULATORY, AIR_PROTOCOL = range(5)
CONFIG_ALL, IDENTIFICATION, ANTENNA_PROPERTIES, ANTENNA_CONFIG, REPORT_SPEC, EVENT_SPEC = range(6)
ACCESS_SPEC, CONFIG_STATE, KEEPALIVE_SPEC, INPUT_STATE, OUTPUT_STATE, HOLDING = range(6, 12)


@dataclass(slots=True)
class Configuration:
    """What SET_READER_CONFIG changes."""

    wishes: dict[int, AntennaWish]
    report: ReportWish = field(default_factory=ReportWish)
    events: dict[int, bool] = field(default_factory=lambda: dict.fromkeys(EVENT_TYPES, False))
    keepalive_ms: int = 0
    hold: bool = False
    inputs: dict[int, bool] = field(
        default_factory=lambda: dict.fromkeys(range(1, INPUTS + 1), True)
    )
    """Whether each input is listened to."""
    outputs: dict[int, bool] = field(
        default_factory=lambda: dict.fromkeys(range(1, OUTPUTS + 1), False)
    )
    changes: int = 0
    """LLRPConfigurationStateValue."""


def capabilities(asked: int, able: Abilities, *, utc_clock: bool) -> bytes:
    """The body of GET_READER_CAPABILITIES_RESPONSE."""
    parts = [status(Status.SUCCESS)]
    if asked in (ALL, GENERAL):
        parts.append(_general(able, utc_clock=utc_clock))
    if asked in (ALL, LLRP):
        parts.append(_llrp(able))
    if asked in (ALL, REGULATORY):
        parts.append(_regulatory(able))
    if asked in (ALL, AIR_PROTOCOL):
        filters_max = able.maker.filters_max
        parts.append(tlv(Kind.C1G2_LLRP_CAPABILITIES, struct.pack(">BH", 0, filters_max)))
    return b"".join(parts)


def configuration(
    asked: int, antenna: int, now: Configuration, able: Abilities, inputs: dict[int, bool]
) -> bytes:
    """The body of GET_READER_CONFIG_RESPONSE; `inputs` are the inputs' present states."""
    antennas = able.antennas if antenna == 0 else (antenna,)
    parts = {
        IDENTIFICATION: [tlv(Kind.IDENTIFICATION, struct.pack(">BH", 0, 8), b"\x02tallyga")],
        ANTENNA_PROPERTIES: [
            tlv(Kind.ANTENNA_PROPERTIES, struct.pack(">BHH", 0x80, one, 600)) for one in antennas
        ],
        ANTENNA_CONFIG: [_antenna(one, now.wishes[one], able) for one in antennas],
        EVENT_SPEC: [_events(now)],
        REPORT_SPEC: [tlv(Kind.RO_REPORT_SPEC, now.report.raw)],
        CONFIG_STATE: [tlv(Kind.CONFIGURATION_STATE, struct.pack(">I", now.changes))],
        KEEPALIVE_SPEC: [
            tlv(Kind.KEEPALIVE_SPEC, struct.pack(">BI", now.keepalive_ms > 0, now.keepalive_ms))
        ],
        INPUT_STATE: [
            tlv(
                Kind.GPI_PORT_CURRENT_STATE,
                struct.pack(">HBB", port, 0x80 * on, int(inputs.get(port, False))),
            )
            for port, on in now.inputs.items()
        ],
        OUTPUT_STATE: [
            tlv(Kind.GPO_WRITE_DATA, struct.pack(">HB", port, 0x80 * on))
            for port, on in now.outputs.items()
        ],
        HOLDING: [tlv(Kind.EVENTS_AND_REPORTS, bytes([0x80 * now.hold]))],
    }
    wanted = parts.values() if asked == CONFIG_ALL else [parts.get(asked, [])]
    return status(Status.SUCCESS) + b"".join(part for group in wanted for part in group)


def _events(now: Configuration) -> bytes:
    states = (
        tlv(Kind.EVENT_NOTIFICATION_STATE, struct.pack(">HB", kind, 0x80 * on))
        for kind, on in now.events.items()
    )
    return tlv(Kind.READER_EVENT_NOTIFICATION_SPEC, *states)


def _llrp(able: Abilities) -> bytes:
    """Buffer warnings, flags and report holding are bits of the first byte."""
    maker = able.maker
    flags = 0x48 | (0x10 if maker.state_aware else 0)
    limits = struct.pack(">IIIII", maker.rospecs_max, maker.specs_max, 1, 0, 0)
    return tlv(Kind.LLRP_CAPABILITIES, struct.pack(">BBH", flags, 0, 0), limits)


def _general(able: Abilities, *, utc_clock: bool) -> bytes:
    flags = 0x4000 if utc_clock else 0
    return tlv(
        Kind.GENERAL_DEVICE_CAPABILITIES,
        struct.pack(">HHII", len(able.antennas), flags, able.maker.number, able.maker.model),
        text(able.maker.firmware),
        tlv(Kind.RECEIVE_SENSITIVITY, struct.pack(">HH", 1, 0)),
        tlv(Kind.GPIO_CAPABILITIES, struct.pack(">HH", INPUTS, OUTPUTS)),
        *(
            tlv(Kind.PER_ANTENNA_AIR_PROTOCOL, struct.pack(">HHB", antenna, 1, 1))
            for antenna in able.antennas
        ),
    )


def _regulatory(able: Abilities) -> bytes:
    powers = [
        tlv(Kind.TRANSMIT_POWER_LEVEL, struct.pack(">Hh", index, round(power * 100)))
        for index, power in enumerate(able.powers, 1)
    ]
    hops = struct.pack(">BBH", HOP_TABLE, 0, len(FREQUENCIES_KHZ))
    hops += struct.pack(f">{len(FREQUENCIES_KHZ)}I", *FREQUENCIES_KHZ)
    modes = [
        struct.pack(
            ">IBBBBIIIII",
            mode.number,
            0x40,
            mode.modulation,
            0,
            mode.mask,
            mode.backscatter,
            mode.pie,
            *mode.tari_ns,
            mode.tari_ns[1] - mode.tari_ns[0],
        )
        for mode in able.maker.modes
    ]
    band = tlv(
        Kind.UHF_BAND_CAPABILITIES,
        *powers,
        tlv(Kind.FREQUENCY_INFORMATION, b"\x80", tlv(Kind.FREQUENCY_HOP_TABLE, hops)),
        tlv(Kind.C1G2_RF_MODE_TABLE, *(tlv(Kind.C1G2_RF_MODE, mode) for mode in modes)),
    )
    return tlv(Kind.REGULATORY_CAPABILITIES, struct.pack(">HH", 156, 0), band)


def _antenna(antenna: int, wish: AntennaWish, able: Abilities) -> bytes:
    index = min(range(len(able.powers)), key=lambda place: abs(able.powers[place] - wish.power_dbm))
    return tlv(
        Kind.ANTENNA_CONFIGURATION,
        struct.pack(">H", antenna),
        tlv(Kind.RF_RECEIVER, struct.pack(">H", 1)),
        tlv(Kind.RF_TRANSMITTER, struct.pack(">HHH", HOP_TABLE, 0, index + 1)),
        tlv(
            Kind.C1G2_INVENTORY_COMMAND,
            b"\x00",
            tlv(Kind.C1G2_RF_CONTROL, struct.pack(">HH", able.maker.mode.number, 0)),
            tlv(
                Kind.C1G2_SINGULATION_CONTROL,
                struct.pack(">BHI", wish.session << 6, wish.population, 0),
            ),
        ),
    )
