"""RO_ACCESS_REPORT straight to tag reports: the hot path.

A reader repeats the same few arrangements of parameters thousands of times a second. The first
report of an arrangement is walked parameter by parameter; that walk leaves a *plan*: one `struct`
format in which every second value is a mark (a type, a length, a bit count) and every other one a
reading. From then on one `unpack_from` and one comparison of the marks decode a report of that
arrangement, or show that it is another one.

LLRP lets a reader leave out a parameter whose value has not changed since the last one it sent. The
decoder carries such values forward, per connection. After a report that could not be decoded
nothing is carried, since that report may have held a change: the next reports say None rather than
something stale.
"""

import struct
from collections.abc import Callable
from operator import itemgetter
from typing import Final

import msgspec

from edge_agent.core.llrp.codec import decode_parameter
from edge_agent.core.llrp.layout import Malformed
from edge_agent.core.llrp.parameters import CUSTOM, EPC_DATA, PARAMETERS, TAG_REPORT_DATA
from edge_agent.core.llrp.vendors import (
    IMPINJ,
    IMPINJ_PEAK_RSSI,
    IMPINJ_RF_DOPPLER_FREQUENCY,
    IMPINJ_RF_PHASE_ANGLE,
    ZEBRA,
    ZEBRA_TAG_PHASE,
)

PLANS_MAX: Final = 256
"""Arrangements kept per connection; honest readers use a handful. Past this, all are forgotten."""
_CDBM_PER_DBM: Final = 100
_EPC_96: Final = 13
_PEAK_RSSI: Final = 6
_TLV_HEADER_BYTES: Final = 4
_CUSTOM_HEADER_BYTES: Final = 12
_VALUE_FORMATS: Final = {
    1: "H",
    2: "Q",
    3: "Q",
    4: "Q",
    5: "Q",
    6: "b",
    7: "H",
    8: "H",
    9: "I",
    10: "H",
    11: "H",
    12: "H",
    13: "12s",
    14: "H",
    15: "H",
    16: "I",
    17: "H",
    18: "4s",
    19: "H",
    20: "H",
}
"""How `struct` reads the value of each parameter that has no length of its own."""
_CARRIED: Final = {1: 0, 6: 1, 2: 2, 3: 2, 4: 3, 5: 3, 8: 4, 7: 5, 9: 6}
"""Which carried value a parameter sets: antenna, RSSI, first, last, count, channel, ROSpec."""
_RSSI, _PHASE, _DOPPLER = 1, 7, 8
_MAKERS: Final = {
    (IMPINJ, IMPINJ_PEAK_RSSI): (_RSSI, "h", 0),
    # 4096 steps to the circle.
    (IMPINJ, IMPINJ_RF_PHASE_ANGLE): (_PHASE, "H", 7),
    # 65536 steps, from minus to plus half a circle.
    (ZEBRA, ZEBRA_TAG_PHASE): (_PHASE, "h", 11),
    (IMPINJ, IMPINJ_RF_DOPPLER_FREQUENCY): (_DOPPLER, "h", 0),
}
"""Makers' parameters of two bytes: which value they set, how it is read, and by how many bits
1125 times a phase is shifted to make it 1/100 degrees."""
_MAKERS_BYTES: Final = 2
_PHASE_FACTOR: Final = 1_125
_CIRCLE_CDEG: Final = 36_000
_DOPPLER_FACTOR: Final = 25
"""Impinj's Doppler shift is in 1/16 Hz: times 25 and by 4 it is in 1/100 Hz."""
_DOPPLER_SHIFT: Final = 2
_UPTIME: Final = frozenset({3, 5})
_UTC: Final = frozenset({2, 4})

Carried = tuple[int | None, int | None, int | None, int | None, int | None, int | None, int | None]
_NOTHING: Final[Carried] = (None,) * 7
_ABSENT: Final = (None, None)
"""Phase and Doppler shift belong to one read: they are never carried."""


class TagReport(msgspec.Struct, frozen=True, gc=False):
    """What a reader reported of one tag; never sent and made in the hot path: not keyword-only."""

    epc: bytes
    """The EPC, padded to whole bytes."""
    epc_bits: int
    """How many bits of `epc` count."""
    antenna: int | None
    """The antenna, from 1."""
    rssi_cdbm: int | None
    """Peak signal in 1/100 dBm."""
    first_seen_us: int | None
    """First seen in this report: UTC microseconds, or microseconds since the reader's start."""
    last_seen_us: int | None
    """Last seen in this report, on the same scale."""
    uptime: bool
    """Whether the times are microseconds since the reader's start."""
    seen_count: int | None
    """How often the tag was seen in this report."""
    channel: int | None
    """The reader's channel index, from 1."""
    rospec: int | None
    """Which ROSpec saw it."""
    raw: bytes
    """The TagReportData parameter as it came: the evidence, with what nobody here understands."""
    phase_cdeg: int | None = None
    """Phase of the tag's answer in 1/100 degrees, from 0 to below 36,000, where it is told."""
    doppler_chz: int | None = None
    """Doppler shift of the tag's answer in 1/100 Hz, where it is told."""


class Reject(msgspec.Struct, frozen=True):
    """Bytes that could not be used, and why."""

    reason: str
    raw: bytes


class _Plan(msgspec.Struct, frozen=True):
    """How to decode one arrangement of parameters."""

    length: int
    unpack_from: Callable[[bytes, int], tuple[object, ...]]
    marks: tuple[object, ...]
    pick: Callable[
        [tuple[object, ...]],
        tuple[
            bytes,
            int | None,
            int,
            int | None,
            int | None,
            int | None,
            int | None,
            int | None,
            int | None,
            int | None,
        ],
    ]
    """Takes EPC, antenna, RSSI, first, last, count, channel, ROSpec, phase and Doppler shift out of
    values and carried."""
    epc_bits: int
    rssi_factor: int
    """What makes the RSSI read 1/100 dBm; 0 where it is carried."""
    uptime: bool | None
    """None where no time is reported: the kind of time is carried then."""
    phase_shift: int
    """By how many bits 1125 times the phase is shifted to make it 1/100 degrees."""
    verify: bool
    """Whether parameters with arrays of their own are inside, which the marks do not prove."""


class ReportDecoder:
    """Decodes the reports of one connection; keeps plans and the values to carry forward."""

    def __init__(self) -> None:
        self._plans: dict[int, list[_Plan]] = {}
        self._plans_count = 0
        self._carried = _NOTHING
        self._uptime = False

    def forget(self) -> None:
        """Carry nothing over from earlier reports."""
        self._carried = _NOTHING
        self._uptime = False

    def decode(self, body: bytes) -> tuple[list[TagReport], list[Reject]]:
        """Return a body's tag reports in order, and what in it could not be used."""
        reports: list[TagReport] = []
        rejects: list[Reject] = []
        plans = self._plans
        carried = self._carried
        uptime = self._uptime
        offset = 0
        end = len(body)
        # One flat loop with local names on purpose: every tag of every reader passes here.
        while offset < end:
            length = body[offset + 2] << 8 | body[offset + 3] if offset + 4 <= end else 0
            after = offset + length
            for plan in plans.get(length, ()) if after <= end else ():
                values = plan.unpack_from(body, offset)
                if values[0::2] == plan.marks:
                    break
            else:
                rejects_before = len(rejects)
                learnt, after = self._learn(body, offset, end, rejects)
                if learnt is None:
                    offset = after
                    if len(rejects) > rejects_before:
                        carried, uptime = _NOTHING, False
                    continue
                plan = learnt
                values = plan.unpack_from(body, offset)
            epc, antenna, rssi, first, last, count, channel, rospec, phase, doppler = plan.pick(
                values + carried + _ABSENT
            )
            if plan.rssi_factor:
                rssi *= plan.rssi_factor
            if plan.uptime is not None:
                uptime = plan.uptime
            if phase is not None:
                phase = (phase * _PHASE_FACTOR >> plan.phase_shift) % _CIRCLE_CDEG
            if doppler is not None:
                doppler = doppler * _DOPPLER_FACTOR >> _DOPPLER_SHIFT
            carried = (antenna, rssi, first, last, count, channel, rospec)
            reports.append(
                TagReport(
                    epc,
                    plan.epc_bits,
                    antenna,
                    rssi,
                    first,
                    last,
                    uptime,
                    count,
                    channel,
                    rospec,
                    body[offset:after],
                    phase,
                    doppler,
                )
            )
            offset = after
        self._carried = carried
        self._uptime = uptime
        return reports, rejects

    def _learn(
        self, body: bytes, offset: int, end: int, rejects: list[Reject]
    ) -> tuple[_Plan | None, int]:
        """Return a plan for the parameter at `offset`, if it is a tag report, and where it ends."""
        after = _parameter_end(body, offset, end)
        if after is None:
            rejects.append(Reject("ROAccessReport: a parameter's length is wrong", body[offset:]))
            return None, end
        raw = body[offset:after]
        try:
            if int.from_bytes(raw[:2], "big") != TAG_REPORT_DATA:
                decode_parameter(raw, 0, len(raw))
                return None, after
            plan = _plan(raw)
            if plan.verify:
                decode_parameter(raw, 0, len(raw))
            else:
                self._keep(plan)
        except Malformed as error:
            rejects.append(Reject(f"ROAccessReport: {error}", raw))
            return None, after
        return plan, after

    def _keep(self, plan: _Plan) -> None:
        if self._plans_count >= PLANS_MAX:
            self._plans.clear()
            self._plans_count = 0
        self._plans.setdefault(plan.length, []).append(plan)
        self._plans_count += 1


def _parameter_end(body: bytes, offset: int, end: int) -> int | None:
    if end - offset < _TLV_HEADER_BYTES:
        return None
    after = offset + int.from_bytes(body[offset + 2 : offset + 4], "big")
    return after if offset + _TLV_HEADER_BYTES <= after <= end else None


class _Walk:
    """One walk over a TagReportData parameter, which collects what its plan needs."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.format = ">I0s"
        self.marks: list[object] = [int.from_bytes(raw[:4], "big")]
        self.places: dict[int, int] = {}
        self.epc_place = 0
        self.epc_bits = 0
        self.rssi_factor = 0
        self.phase_shift = 0
        self.uptime: bool | None = None
        self.verify = False

    def add(self, mark_format: str, mark: object, value_format: str) -> int:
        """Take a mark and the value after it into the format; return the value's place."""
        self.format += mark_format + value_format
        self.marks.append(mark)
        return 2 * len(self.marks) - 1

    def value(self, offset: int) -> int:
        """Take in a parameter without a length."""
        kind = self.raw[offset] & 0x7F
        value_format = _VALUE_FORMATS.get(kind)
        if value_format is None:
            raise Malformed(f"TagReportData: unknown parameter {kind} has no length of its own")
        after = offset + 1 + struct.calcsize(">" + value_format)
        if after > len(self.raw):
            raise Malformed(f"TagReportData: {PARAMETERS[kind].name} is cut")
        place = self.add("B", 0x80 | kind, value_format)
        if kind == _EPC_96:
            self.epc(place, 96)
        elif kind in _CARRIED:
            self.carried(kind, place)
        return after

    def carried(self, kind: int, place: int) -> None:
        """Take in a value of the report."""
        if kind in _UPTIME or kind in _UTC:
            uptime = kind in _UPTIME
            if self.uptime not in (None, uptime):
                raise Malformed("TagReportData: times are both UTC and since the reader's start")
            self.uptime = uptime
        target = _CARRIED[kind]
        if kind == _PEAK_RSSI and self.rssi_factor:
            return  # The vendor's finer signal was there first.
        if target in self.places:
            raise Malformed(f"TagReportData: {PARAMETERS[kind].name} is there twice")
        if kind == _PEAK_RSSI:
            self.rssi_factor = _CDBM_PER_DBM
        self.places[target] = place

    def long(self, offset: int) -> int:
        """Take in a parameter with a length."""
        after = _parameter_end(self.raw, offset, len(self.raw))
        if after is None:
            raise Malformed("TagReportData: a parameter's length is wrong")
        header = int.from_bytes(self.raw[offset : offset + 4], "big")
        kind = header >> 16
        length = after - offset
        if kind == EPC_DATA:
            self.epc_data(header, offset, length)
        elif kind == CUSTOM:
            self.custom(header, offset, length)
        else:
            self.verify = True
            self.add("I", header, f"{length - _TLV_HEADER_BYTES}s")
        return after

    def epc_data(self, header: int, offset: int, length: int) -> None:
        """Take in an EPC of any length."""
        bits = int.from_bytes(self.raw[offset + 4 : offset + 6], "big")
        octets = (bits + 7) // 8
        if length != 6 + octets:
            raise Malformed(f"TagReportData: EPCData of {bits} bits in {length} bytes")
        self.add("I", header, "0s")
        self.epc(self.add("H", bits, f"{octets}s"), bits)

    def epc(self, place: int, bits: int) -> None:
        """Note where the EPC is."""
        if self.epc_place:
            raise Malformed("TagReportData: more than one EPC")
        self.epc_place = place
        self.epc_bits = bits

    def custom(self, header: int, offset: int, length: int) -> None:
        """Take in a maker's parameter; what is not known stays in the report's bytes."""
        if length < _CUSTOM_HEADER_BYTES:
            raise Malformed(f"TagReportData: Custom of {length} bytes")
        vendor, subtype = struct.unpack_from(">II", self.raw, offset + 4)
        self.add("I", header, "0s")
        self.add("I", vendor, "0s")
        rest = length - _CUSTOM_HEADER_BYTES
        known = _MAKERS.get((vendor, subtype)) if rest == _MAKERS_BYTES else None
        if known is None or (known[0] in self.places and known[0] != _RSSI):
            self.add("I", subtype, f"{rest}s")
            return
        target, value_format, shift = known
        self.places[target] = self.add("I", subtype, value_format)
        if target == _RSSI:
            self.rssi_factor = 1
        elif target == _PHASE:
            self.phase_shift = shift


def _plan(raw: bytes) -> _Plan:
    """Return how to decode all TagReportData that are arranged like this; raises `Malformed`."""
    walk = _Walk(raw)
    offset = _TLV_HEADER_BYTES
    while offset < len(raw):
        offset = walk.value(offset) if raw[offset] & 0x80 else walk.long(offset)
    if not walk.epc_place:
        raise Malformed("TagReportData: no EPC")
    first_carried = 2 * len(walk.marks)
    places = (walk.places.get(target, first_carried + target) for target in range(_DOPPLER + 1))
    return _Plan(
        length=len(raw),
        unpack_from=struct.Struct(walk.format).unpack_from,
        marks=tuple(walk.marks),
        pick=itemgetter(walk.epc_place, *places),
        epc_bits=walk.epc_bits,
        rssi_factor=walk.rssi_factor,
        phase_shift=walk.phase_shift,
        uptime=walk.uptime,
        verify=walk.verify,
    )
