"""What a client asks for, as the reader understands it: ROSpecs and report specs.

A wish that this reader cannot fulfil is refused with an LLRP status; nothing is silently softened.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from firmware_sim.core.llrp_antenna import (
    Abilities,
    AntennaWish,
    read_antenna,
    read_custom,
    refuse_parameter,
)
from firmware_sim.core.llrp_makers import IMPINJ
from firmware_sim.core.llrp_wire import Kind, Parameter, Refused, Status, fields, parameters
from firmware_sim.core.tracks import SECOND

MILLISECOND = SECOND // 1000
PRIORITY_MAX = 7
NO_NEW_TAGS = 1
"""TagObservationTrigger: ends when no new tag was seen for so long."""
IMPINJ_SELECTOR, ZEBRA_SELECTOR = 50, 708
"""What tag reports shall tell beside plain LLRP."""
IMPINJ_REPORTS = {51: 55, 52: 56, 53: 57, 67: 68}
"""Impinj's switches to what they switch on: serialized TID, phase, peak RSSI, Doppler shift."""
ZEBRA_PHASE = 709
ZEBRA_PHASE_BIT = 1 << 28
START_NONE, START_IMMEDIATE, START_PERIODIC, START_GPI = range(4)
STOP_NONE, STOP_DURATION, STOP_GPI, STOP_TAGS = range(4)
REPORT_NONE, REPORT_TAGS_AI, REPORT_TAGS_RO = range(3)
REPORT_SECONDS_AI, REPORT_SECONDS_RO, REPORT_MILLISECONDS_AI, REPORT_MILLISECONDS_RO = range(3, 7)
TIMED_REPORTS = {
    REPORT_SECONDS_AI: SECOND,
    REPORT_SECONDS_RO: SECOND,
    REPORT_MILLISECONDS_AI: MILLISECOND,
    REPORT_MILLISECONDS_RO: MILLISECOND,
}
"""Report triggers of LLRP 1.1 to the unit of their N, in microseconds."""
AT_AI_END = (REPORT_TAGS_AI, REPORT_SECONDS_AI, REPORT_MILLISECONDS_AI)


@dataclass(frozen=True, slots=True)
class Content:
    """What a tag report shall tell, by the bits of TagReportContentSelector."""

    bits: int = 0
    memory_bits: int = 0
    """C1G2EPCMemorySelector: CRC, PC."""
    extras: frozenset[int] = frozenset()
    """Parameters of the maker that a report shall hold, by their numbers."""

    @property
    def rospec(self) -> bool:
        """ROSpecID."""
        return bool(self.bits & 0x8000)

    @property
    def spec_index(self) -> bool:
        """SpecIndex."""
        return bool(self.bits & 0x4000)

    @property
    def inventory_spec(self) -> bool:
        """InventoryParameterSpecID."""
        return bool(self.bits & 0x2000)

    @property
    def antenna(self) -> bool:
        """AntennaID."""
        return bool(self.bits & 0x1000)

    @property
    def channel(self) -> bool:
        """ChannelIndex."""
        return bool(self.bits & 0x0800)

    @property
    def rssi(self) -> bool:
        """PeakRSSI."""
        return bool(self.bits & 0x0400)

    @property
    def first_seen(self) -> bool:
        """FirstSeenTimestamp."""
        return bool(self.bits & 0x0200)

    @property
    def last_seen(self) -> bool:
        """LastSeenTimestamp."""
        return bool(self.bits & 0x0100)

    @property
    def count(self) -> bool:
        """TagSeenCount."""
        return bool(self.bits & 0x0080)


@dataclass(frozen=True, slots=True)
class ReportWish:
    """When reports shall come and what they tell."""

    trigger: int = REPORT_TAGS_RO
    number: int = 0
    content: Content = Content(0x9FC0)
    raw: bytes = b"\x02\x00\x00" + struct.pack(">HHH", Kind.TAG_REPORT_CONTENT_SELECTOR, 6, 0x9FC0)
    """The body of the ROReportSpec."""

    @property
    def tags_max(self) -> int:
        """After how many tag reports one is sent; 0 for no such limit."""
        return self.number if self.trigger in (REPORT_TAGS_AI, REPORT_TAGS_RO) else 0

    @property
    def period_us(self) -> int:
        """After how much time one is sent; 0 for no such limit."""
        return self.number * TIMED_REPORTS.get(self.trigger, 0)


@dataclass(frozen=True, slots=True)
class InputTrigger:
    """An input that starts or stops something."""

    port: int
    active: bool
    timeout_us: int


@dataclass(frozen=True, slots=True)
class AntennaInventory:
    """One AISpec."""

    antennas: tuple[int, ...]
    wishes: dict[int, AntennaWish]
    stop: int
    duration_us: int
    input: InputTrigger | None = None
    tags_max: int = 0
    quiet_us: int = 0
    """It ends when no new tag was seen for so long; 0: not so."""
    spec_id: int = 1


@dataclass(slots=True)
class RoSpec:
    """One ROSpec and its state: 0 disabled, 1 inactive, 2 active."""

    id: int
    raw: bytes
    start: int
    stop: int
    stop_us: int
    inventories: tuple[AntennaInventory, ...]
    report: ReportWish | None
    period_us: int = 0
    offset_us: int = 0
    start_input: InputTrigger | None = None
    stop_input: InputTrigger | None = None
    loops: bool = False
    """From its last AISpec on to its first."""
    state: int = 0

    def encoded(self) -> bytes:
        """The ROSpec as a parameter, with its present state."""
        body = self.raw[:5] + bytes([self.state]) + self.raw[6:]
        return struct.pack(">HH", Kind.RO_SPEC, 4 + len(body)) + body


def read_rospec(body: bytes, able: Abilities) -> RoSpec:
    """The ROSpec in a parameter's body. Raises Refused."""
    number, priority, state = fields("IBB", body, "ROSpec")
    if number == 0:
        raise Refused(Status.FIELD_ERROR, "ROSpecID 0 stands for all and names none")
    if priority > PRIORITY_MAX:
        raise Refused(Status.FIELD_ERROR, f"priority {priority} is above {PRIORITY_MAX}")
    if state != 0:
        raise Refused(Status.FIELD_ERROR, "a new ROSpec is disabled: CurrentState must be 0")
    inside = parameters(body, 6)
    boundary = _one(inside, Kind.RO_BOUNDARY_SPEC, "ROBoundarySpec")
    rospec = _boundary(number, body, parameters(boundary.body))
    inventories = [read_inventory(part.body, able) for part in inside if part.kind == Kind.AI_SPEC]
    for part in inside:
        if part.kind == Kind.LOOP_SPEC and able.version > 1:
            rospec.loops = True
        elif part.kind not in (Kind.RO_BOUNDARY_SPEC, Kind.AI_SPEC, Kind.RO_REPORT_SPEC):
            raise refuse_parameter(part.kind, "ROSpec")
    if not inventories:
        raise Refused(Status.MISSING_PARAMETER, "ROSpec has no AISpec")
    if len(inventories) > able.maker.specs_max:
        raise Refused(Status.OVERFLOW_PARAMETER, f"{len(inventories)} AISpecs are too many")
    rospec.inventories = tuple(inventories)
    reports = [part for part in inside if part.kind == Kind.RO_REPORT_SPEC]
    if reports:
        rospec.report = read_report(reports[0].body, able)
    return rospec


def read_inventory(body: bytes, able: Abilities) -> AntennaInventory:
    """The AISpec in a parameter's body. Raises Refused."""
    (count,) = fields("H", body, "AISpec")
    asked = fields(f"{count}H", body, "AISpec", 2)
    if not asked:
        raise Refused(Status.FIELD_ERROR, "AISpec names no antenna")
    for antenna in asked:
        if antenna != 0 and antenna not in able.antennas:
            raise Refused(Status.OUT_OF_RANGE, f"there is no antenna {antenna}")
    inside = parameters(body, 2 + 2 * count)
    stop = _one(inside, Kind.AI_SPEC_STOP_TRIGGER, "AISpecStopTrigger").body
    kind, duration_ms = fields("BI", stop, "AISpecStopTrigger")
    if kind > STOP_TAGS or (kind == STOP_TAGS and not able.maker.observation_triggers):
        words = f"Error: Adding AISpec with unsupported StopTrigger {kind}"
        raise Refused(Status.PARAMETER_ERROR, words)
    spec_id, wishes = _inventory_parameters(inside, able)
    inventory = AntennaInventory(
        able.antennas if 0 in asked else asked,
        wishes,
        kind,
        duration_ms * MILLISECOND,
        spec_id=spec_id,
    )
    for part in parameters(stop, 5):
        if part.kind == Kind.GPI_TRIGGER:
            inventory = replace(inventory, input=_input(part.body))
        elif part.kind == Kind.TAG_OBSERVATION_TRIGGER:
            what, _, tags, _, quiet_ms, timeout_ms = fields(
                "BBHHHI", part.body, "TagObservationTrigger"
            )
            inventory = replace(inventory, duration_us=timeout_ms * MILLISECOND)
            if what == NO_NEW_TAGS:
                inventory = replace(inventory, quiet_us=quiet_ms * MILLISECOND)
            else:
                inventory = replace(inventory, tags_max=tags)
    return inventory


def _inventory_parameters(
    inside: list[Parameter], able: Abilities
) -> tuple[int, dict[int, AntennaWish]]:
    """The id of an AISpec's InventoryParameterSpec, and how each antenna shall read."""
    spec = _one(inside, Kind.INVENTORY_PARAMETER_SPEC, "InventoryParameterSpec")
    spec_id, protocol = fields("HB", spec.body, "InventoryParameterSpec")
    if protocol != 1:
        raise Refused(Status.FIELD_ERROR, f"air protocol {protocol} is not supported")
    wishes = dict(able.wishes)
    for part in parameters(spec.body, 3):
        if part.kind != Kind.ANTENNA_CONFIGURATION:
            raise refuse_parameter(part.kind, "InventoryParameterSpec")
        wishes.update(read_antenna(part.body, able, wishes))
    return spec_id, wishes


def read_report(body: bytes, able: Abilities) -> ReportWish:
    """The ROReportSpec in a parameter's body. Raises Refused."""
    trigger, number = fields("BH", body, "ROReportSpec")
    last = REPORT_MILLISECONDS_RO if able.version > 1 else REPORT_TAGS_RO
    if trigger > last:
        raise Refused(Status.FIELD_ERROR, f"ROReportTrigger {trigger} is not supported")
    inside = parameters(body, 3)
    selector = _one(inside, Kind.TAG_REPORT_CONTENT_SELECTOR, "TagReportContentSelector").body
    (bits,) = fields("H", selector, "TagReportContentSelector")
    memory = 0
    for part in parameters(selector, 2):
        if part.kind == Kind.C1G2_EPC_MEMORY_SELECTOR:
            (memory,) = fields("B", part.body, "C1G2EPCMemorySelector")
    extras: frozenset[int] = frozenset()
    for part in inside:
        if part.kind == Kind.CUSTOM:
            extras |= _extras(part, able)
    return ReportWish(trigger, number, Content(bits, memory, extras), body)


def _extras(part: Parameter, able: Abilities) -> frozenset[int]:
    """What the maker's own selector asks for, by the numbers of the parameters in reports."""
    subtype, content = read_custom(part, able, "ROReportSpec")
    if able.maker.number == IMPINJ and subtype == IMPINJ_SELECTOR:
        wanted = set()
        for inner in parameters(content):
            switch, mode = read_custom(inner, able, "ImpinjTagReportContentSelector")
            if fields("H", mode, "a mode") == (1,) and switch in IMPINJ_REPORTS:
                wanted.add(IMPINJ_REPORTS[switch])
        return frozenset(wanted)
    if subtype == ZEBRA_SELECTOR:
        (flags,) = fields("I", content, "MotoTagReportContentSelector")
        return frozenset({ZEBRA_PHASE} if flags & ZEBRA_PHASE_BIT else ())
    raise refuse_parameter(subtype, "ROReportSpec")


def _boundary(number: int, raw: bytes, inside: list[Parameter]) -> RoSpec:
    start = _one(inside, Kind.RO_SPEC_START_TRIGGER, "ROSpecStartTrigger").body
    stop = _one(inside, Kind.RO_SPEC_STOP_TRIGGER, "ROSpecStopTrigger").body
    (start_kind,) = fields("B", start, "ROSpecStartTrigger")
    stop_kind, duration_ms = fields("BI", stop, "ROSpecStopTrigger")
    if start_kind > START_GPI:
        raise Refused(Status.FIELD_ERROR, f"ROSpecStartTrigger {start_kind} is not supported")
    if stop_kind > STOP_GPI:
        raise Refused(Status.FIELD_ERROR, f"ROSpecStopTrigger {stop_kind} is not supported")
    rospec = RoSpec(
        number, raw, start_kind, stop_kind, duration_ms * MILLISECOND, inventories=(), report=None
    )
    for part in parameters(start, 1):
        if part.kind == Kind.PERIODIC_TRIGGER:
            offset_ms, period_ms = fields("II", part.body, "PeriodicTriggerValue")
            rospec.offset_us, rospec.period_us = offset_ms * MILLISECOND, period_ms * MILLISECOND
        elif part.kind == Kind.GPI_TRIGGER:
            rospec.start_input = _input(part.body)
    for part in parameters(stop, 5):
        if part.kind == Kind.GPI_TRIGGER:
            rospec.stop_input = _input(part.body)
    _check_triggers(rospec)
    return rospec


def _check_triggers(rospec: RoSpec) -> None:
    """Each trigger comes with its value. Raises Refused."""
    if rospec.start == START_PERIODIC and not (rospec.period_us or rospec.offset_us):
        raise Refused(Status.MISSING_PARAMETER, "a periodic start needs PeriodicTriggerValue")
    if rospec.start == START_GPI and rospec.start_input is None:
        raise Refused(Status.MISSING_PARAMETER, "a start by an input needs GPITriggerValue")
    if rospec.stop == STOP_GPI and rospec.stop_input is None:
        raise Refused(Status.MISSING_PARAMETER, "a stop by an input needs GPITriggerValue")


def _input(body: bytes) -> InputTrigger:
    port, event, timeout_ms = fields("HBI", body, "GPITriggerValue")
    return InputTrigger(port, bool(event & 0x80), timeout_ms * MILLISECOND)


def _one(found: list[Parameter], kind: int, name: str) -> Parameter:
    for part in found:
        if part.kind == kind:
            return part
    raise Refused(Status.MISSING_PARAMETER, f"{name} is missing")
