"""An item's life in words: every entry about it, what decided it, and what changed nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from contracts.clock import MICROSECONDS
from contracts.codec import UNDECODABLE
from contracts.events import (
    AntennaDetail,
    DiscrepancyClosed,
    DiscrepancyOpened,
    EntryKind,
    LocationEvent,
    Sighting,
)
from contracts.symbologies import symbology_of
from ledger_sink.core.epcis import CapturedEvent
from ledger_sink.queries import Life, Moment, SightingSeen
from tallygate.birth_words import birth_said, birth_why
from tallygate.loads_view import clock_time
from tallygate.names import Names, short
from tallygate.words import counted, word

SURE = 0.995
"""What is surer than this is not worth a word."""
ANTENNAS_MAX = 6
"""Antennas of a sighting that are told one by one."""
SEPARATOR = "\x1d"
"""What stands for FNC1 in a scanned code."""

_location = msgspec.json.Decoder(LocationEvent)
_opened = msgspec.json.Decoder(DiscrepancyOpened)
_closed = msgspec.json.Decoder(DiscrepancyClosed)


def print_life(console: Console, life: Life, names: Names, spoken: str, zone: ZoneInfo) -> None:
    """Who it is, its entries day by day, and the sightings that changed nothing."""
    teller = _Teller(life, names, spoken, zone)
    console.print(Text(teller.head(), style="bold"))
    for line in teller.belongings():
        console.print(line, markup=False)
    console.print(teller.days())
    quiet = teller.quiet()
    if quiet:
        console.print(Text(quiet, style="dim"))


class _Teller:
    def __init__(self, life: Life, names: Names, spoken: str, zone: ZoneInfo) -> None:
        self._life = life
        self._names = names
        self._spoken = spoken
        self._zone = zone

    def head(self) -> str:
        """Its name and its identity."""
        name = self._names.item(self._names.item_of.get(self._life.identity), self._spoken)
        kinds = self._names.kinds([self._life.identity], self._spoken)
        return f"{name or ''.join(kinds)}  {self._life.identity}".strip()

    def belongings(self) -> Iterator[str]:
        """The case and pallet that plans put it on, and the loads that name it."""
        identity, names, spoken = self._life.identity, self._names, self._spoken
        told = []
        for kind, carriers in (("case", names.cases), ("pallet", names.pallets)):
            carrier = carriers.get(identity)
            if carrier and carrier != identity:
                told.append(f"{word(kind, spoken)} {short(carrier)}")
        loads = [
            load.load
            for load in sorted(names.loads.values(), key=lambda load: load.opens_us)
            if any(line.identity == identity for line in load.lines)
        ]
        if loads:
            told.append(f"{word('load', spoken)} {', '.join(loads)}")
        if told:
            yield "; ".join(told)

    def days(self) -> Group:
        """The entries, oldest first, a heading for each day."""
        parts: list[Text | Padding] = []
        day, table = "", self._table()
        for moment in self._life.moments:
            at = datetime.fromtimestamp(moment.happened_us / MICROSECONDS, self._zone)
            if f"{at:%Y-%m-%d}" != day:
                day, table = f"{at:%Y-%m-%d}", self._table()
                parts += [Text(f"{day} {at:%Z}", style="dim"), Padding(table, (0, 0, 0, 2))]
            said, style = self._said(moment)
            table.add_row(
                clock_time(moment.happened_us, self._zone),
                Text(f"#{moment.seq}", style="dim"),
                Text(said, style=style),
                self._names.place(moment.location or ""),
                Text("\n".join(self._why(moment))),
            )
        if not parts:
            parts.append(Text(word("nothing", self._spoken), style="dim"))
        return Group(*parts)

    def quiet(self) -> str:
        """What was read of it and changed nothing."""
        sightings = self._life.quiet
        if not sightings:
            return ""
        reads = sum(seen.reads for seen in sightings)
        newest = max(sightings, key=lambda seen: seen.sighting.last_us).sighting
        many = counted("sighting", "sightings", len(sightings), self._spoken)
        told = word(
            "evidence_only", self._spoken, many, counted("once", "times", reads, self._spoken)
        )
        place = self._names.place(newest.location)
        seen = f"{word('last_seen', self._spoken)} {place} {clock_time(newest.last_us, self._zone)}"
        return f"{told}; {seen}"

    @staticmethod
    def _table() -> Table:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for _ in range(4):
            table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        return table

    def _said(self, moment: Moment) -> tuple[str, str]:
        """What an entry says, in few words, and how it looks."""
        spoken = self._spoken
        try:
            match moment.kind:
                case EntryKind.LOCATION:
                    event = _location.decode(moment.payload)
                    return word(_key_of(event), spoken), ""
                case EntryKind.DISCREPANCY_OPENED:
                    return word(_opened.decode(moment.payload).problem, spoken), "red"
                case EntryKind.DISCREPANCY_CLOSED:
                    return word("settled", spoken), "green"
                case EntryKind.COMMISSIONED | EntryKind.DECOMMISSIONED:
                    return birth_said(moment, self._life.identity, spoken), ""
        except UNDECODABLE:
            pass
        return word(moment.kind, spoken), ""

    def _why(self, moment: Moment) -> Iterator[str]:
        """Why an entry says it, and the sightings behind it."""
        try:
            match moment.kind:
                case EntryKind.LOCATION:
                    yield from self._location(_location.decode(moment.payload))
                case EntryKind.DISCREPANCY_OPENED:
                    yield from self._opened(_opened.decode(moment.payload))
                case EntryKind.DISCREPANCY_CLOSED:
                    yield word(_closed.decode(moment.payload).reason, self._spoken)
                case EntryKind.EPCIS:
                    yield _partner_event(moment.payload)
                case EntryKind.COMMISSIONED | EntryKind.DECOMMISSIONED:
                    yield birth_why(moment, self._life.identity, self._spoken)
        except UNDECODABLE:
            yield f"({len(moment.payload)} bytes that are no such entry)"
        for seen in moment.sightings:
            yield self._sighting(seen)

    def _location(self, event: LocationEvent) -> Iterator[str]:
        told = [word(event.basis, self._spoken)]
        if event.confidence < SURE:
            told.append(word("sure", self._spoken, int(100 * event.confidence)))
        if event.load:
            told.append(f"{word('load', self._spoken)} {event.load}")
        told += [word(key, self._spoken) for key in ("late", "incomplete") if getattr(event, key)]
        yield ", ".join(told)

    def _opened(self, opened: DiscrepancyOpened) -> Iterator[str]:
        told = []
        if opened.load:
            told.append(f"{word('load', self._spoken)} {opened.load}")
        if opened.expected_load and opened.expected_load != opened.load:
            told.append(f"{word('belongs_to', self._spoken)} {opened.expected_load}")
        if len(opened.identities) > 1:
            told.append(counted("tag", "tags", len(opened.identities), self._spoken))
        if told:
            yield ", ".join(told)

    def _sighting(self, seen: SightingSeen) -> str:
        """A sighting in one line: which antennas, how often, how strong."""
        sighting: Sighting = seen.sighting
        told = [self._antenna(antenna) for antenna in sighting.antennas[:ANTENNAS_MAX]]
        if len(sighting.antennas) > ANTENNAS_MAX:
            told.append(word("more", self._spoken, len(sighting.antennas) - ANTENNAS_MAX))
        seconds = (sighting.last_us - sighting.first_us) / MICROSECONDS
        within = f" {word('within', self._spoken, f'{seconds:.1f}')}" if seconds else ""
        raw = [_read_as(tag) for tag in sighting.evidence if tag]
        return "; ".join(told) + within + (f" [{', '.join(raw)}]" if raw else "")

    def _antenna(self, antenna: AntennaDetail) -> str:
        where = antenna.device
        if antenna.antenna:
            where += f" {word('antenna', self._spoken)} {antenna.antenna}"
        told = f"{where}: {counted('once', 'times', antenna.count, self._spoken)}"
        if antenna.strongest_cdbm is not None:
            told += f", {antenna.strongest_cdbm / 100:.0f} dBm"
        return told


def _partner_event(payload: bytes) -> str:
    """A captured event in few words: its type, action, business step and disposition."""
    event = msgspec.json.decode(msgspec.json.decode(payload, type=CapturedEvent).event)
    names = ("type", "action", "bizStep", "disposition")
    told = " ".join(str(event[name]) for name in names if name in event)
    return f"{told} (declared an error)" if "errorDeclaration" in event else told


def _key_of(event: LocationEvent) -> str:
    """The word for what a location event says."""
    return f"{event.kind}_{event.direction}" if event.direction else event.kind


def _read_as(evidence: str) -> str:
    """A tag's bytes in hexadecimal as they are, a scanned code as its text and kind of symbol."""
    try:
        text = bytes.fromhex(evidence).decode("ascii").replace(SEPARATOR, "<FNC1>")
    except ValueError:
        return evidence
    if not text.isprintable():
        return evidence
    symbology = symbology_of(text[:3]) if text.startswith("]") else None
    return f"{symbology.replace('_', ' ').upper()} '{text}'" if symbology else f"'{text}'"
