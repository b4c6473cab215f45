"""Tag reports: singulations gathered into entries, and entries into RO_ACCESS_REPORT bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from firmware_sim.core.inventory import Heard
from firmware_sim.core.llrp_makers import IMPINJ, ZEBRA
from firmware_sim.core.llrp_specs import Content
from firmware_sim.core.llrp_wire import Kind, tlv
from firmware_sim.core.tracks import Carried

EPC_96_BYTES = 12
CHANNELS = 16
"""The European and Chinese bands have about so many channels; the reader hops among them."""
HOP_US = 400_000
"""A reader stays on a channel for so long at the most."""
COUNT_MAX = 0xFFFF
HALF = 0.5


class Air(NamedTuple):
    """What an answer tells beside its strength in whole dBm."""

    phase: float
    """In turns, from 0 to 1."""
    doppler_hz: float
    rssi_cdbm: int


@dataclass(slots=True)
class Entry:
    """One TagReportData to be."""

    epc: bytes
    antenna: int
    rospec: int
    spec_index: int
    inventory_spec: int
    channel: int
    rssi_dbm: int
    first_us: int
    last_us: int
    """Times of the shift."""
    count: int
    carried: Carried
    """Whose reads it counts as."""


def channel_at(at_us: int) -> int:
    """The channel index at a time, from 1."""
    return at_us // HOP_US * 7 % CHANNELS + 1


class Gathering:
    """Entries of one ROSpec since its last report."""

    def __init__(self, content: Content, rospec: int) -> None:
        self.content = content
        self._rospec = rospec
        self._entries: dict[tuple[bytes, int, int, int], Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, heard: Heard, spec_index: int, inventory_spec: int) -> None:
        """Gather one singulation, into an entry that differs in nothing that shall be told."""
        content = self.content
        channel = channel_at(heard.at_us)
        key = (
            heard.epc,
            heard.antenna if content.antenna else 0,
            channel if content.channel else 0,
            spec_index if content.spec_index else 0,
        )
        entry = self._entries.get(key)
        if entry is None:
            self._entries[key] = Entry(
                heard.epc,
                heard.antenna,
                self._rospec,
                spec_index,
                inventory_spec,
                channel,
                heard.rssi_dbm,
                heard.at_us,
                heard.at_us,
                1,
                heard.carried,
            )
        else:
            entry.last_us = heard.at_us
            entry.count = min(entry.count + 1, COUNT_MAX)
            entry.rssi_dbm = max(entry.rssi_dbm, heard.rssi_dbm)

    def take(self) -> list[Entry]:
        """The entries so far; gathering begins anew."""
        entries = list(self._entries.values())
        self._entries = {}
        return entries


class ReportWriter:
    """Writes entries as TagReportData; one per connection, for it remembers what it said last."""

    def __init__(self, *, utc: bool, omit_unchanged: bool) -> None:
        self._first_kind, self._last_kind = (0x82, 0x84) if utc else (0x83, 0x85)
        self._omit = omit_unchanged
        self._said: dict[int, bytes] = {}

    def tag_report(
        self,
        entry: Entry,
        content: Content,
        first_us: int,
        last_us: int,
        air: Callable[[], Air] | None = None,
    ) -> bytes:
        """One TagReportData; times by the reader's own clock."""
        parts = [
            _epc(entry.epc),
            self._told(content.rospec, 0x89, struct.pack(">I", entry.rospec)),
            self._told(content.spec_index, 0x8E, struct.pack(">H", entry.spec_index)),
            self._told(content.inventory_spec, 0x8A, struct.pack(">H", entry.inventory_spec)),
            self._told(content.antenna, 0x81, struct.pack(">H", entry.antenna)),
            self._told(content.rssi, 0x86, struct.pack(">b", max(-128, entry.rssi_dbm))),
            self._told(content.channel, 0x87, struct.pack(">H", entry.channel)),
        ]
        if content.first_seen:
            parts.append(struct.pack(">BQ", self._first_kind, max(0, first_us)))
        if content.last_seen:
            parts.append(struct.pack(">BQ", self._last_kind, max(0, last_us)))
        parts.append(self._told(content.count, 0x88, struct.pack(">H", entry.count)))
        if content.memory_bits & 0x40:
            parts.append(struct.pack(">BH", 0x8C, len(entry.epc) // 2 << 11))
        if content.memory_bits & 0x80:
            parts.append(struct.pack(">BH", 0x8B, sum(entry.epc) & 0xFFFF))
        if content.extras and air is not None:
            parts += _extras(entry, content.extras, air())
        return tlv(Kind.TAG_REPORT_DATA, *parts)

    def _told(self, wanted: bool, kind: int, value: bytes) -> bytes:
        """A parameter, if it is wanted and not the same as said last by a reader that omits."""
        if not wanted or (self._omit and self._said.get(kind) == value):
            return b""
        self._said[kind] = value
        return bytes([kind]) + value


def _epc(epc: bytes) -> bytes:
    if len(epc) == EPC_96_BYTES:
        return b"\x8d" + epc
    return tlv(Kind.EPC_DATA, struct.pack(">H", len(epc) * 8), epc)


def _extras(entry: Entry, wanted: frozenset[int], air: Air) -> list[bytes]:
    """The maker's own parameters, whose numbers tell whose they are."""
    values = {
        # Impinj: serialized TID, phase in 4096 steps, 1/100 dBm, 1/16 Hz.
        55: (IMPINJ, struct.pack(">H6H", 6, 0xE280, 0x1160, *struct.unpack(">4H", entry.epc[-8:]))),
        56: (IMPINJ, struct.pack(">H", int(air.phase * 4096))),
        57: (IMPINJ, struct.pack(">h", air.rssi_cdbm)),
        68: (IMPINJ, struct.pack(">h", _short(air.doppler_hz * 16))),
        # Zebra: phase from minus to plus half a turn.
        709: (ZEBRA, struct.pack(">h", _short(air.phase * 65_536 - 65_536 * (air.phase >= HALF)))),
    }
    return [
        tlv(Kind.CUSTOM, struct.pack(">II", values[number][0], number), values[number][1])
        for number in sorted(wanted)
    ]


def _short(value: float) -> int:
    """A number of 16 bits; what is beyond is cut."""
    return max(-0x8000, min(0x7FFF, round(value)))
