"""Loads as people see them: by door, pallet and item name, with what is wrong and since when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from contracts.clock import MICROSECONDS
from contracts.codec import UNDECODABLE
from contracts.events import Problem
from contracts.places import Item, Load, ReferenceChange, SiteMap
from ledger_sink.postgres_ledger import PostgresLedger
from tallygate.words import word

TOGETHER_US = 20_000_000
"""What goes wrong at one gate within this time came on one carrier, as far as a person cares."""
SSCC = "https://id.gs1.org/00/"
"""How a logistic unit's identity begins."""


@dataclass(frozen=True)
class Trouble:
    """One discrepancy of a load."""

    problem: str
    subject: str
    item: str | None
    quantity: int
    identities: int
    location: str
    at_us: int
    closed: bool
    last_seen: tuple[str, int] | None = None


@dataclass
class LoadView:
    """One load."""

    load: str
    gate: str
    direction: str
    expected: int
    passed: int
    state: str
    opens_us: int
    troubles: list[Trouble] = field(default_factory=list)


@dataclass
class Names:
    """What people call things."""

    items: dict[str, Item] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    loads: dict[str, Load] = field(default_factory=dict)
    pallets: dict[str, str] = field(default_factory=dict)
    item_of: dict[str, str] = field(default_factory=dict)

    def item(self, number: str | None, spoken: str) -> str:
        """An item's name in a language, or its number."""
        known = self.items.get(number or "")
        if known is None:
            return number or ""
        return (known.name_zh or known.name) if spoken == "zh" else known.name

    def place(self, location: str) -> str:
        """A zone's or gate's name, or its id."""
        return self.places.get(location) or location


class ReferenceReader:
    """Follows the ledger's reference: each `refresh` takes what changed."""

    def __init__(self, ledger: PostgresLedger) -> None:
        self._ledger = ledger
        self._after = 0
        self.names = Names()

    def refresh(self) -> Names:
        """Names and plans as they are now."""
        for row in self._ledger.reference(self._after):
            self._after = max(self._after, row.ordinal)
            try:
                change = msgspec.msgpack.decode(row.change, type=ReferenceChange)
            except UNDECODABLE:
                continue
            self._take(change)
        return self.names

    def _take(self, change: ReferenceChange) -> None:
        value = change.value
        if isinstance(value, SiteMap):
            self.names.places = {zone.id: zone.name for zone in value.zones if zone.name}
            self.names.places.update({gate.id: gate.name for gate in value.gates if gate.name})
        elif isinstance(value, Item):
            self.names.items[value.item] = value
        elif isinstance(value, Load):
            self.names.loads[value.load] = value
            for line in value.lines:
                if line.identity and line.pallet:
                    self.names.pallets[line.identity] = line.pallet
                if line.identity and line.item:
                    self.names.item_of[line.identity] = line.item
                if line.case and line.item:
                    self.names.item_of.setdefault(line.case, line.item)


def load_views(ledger: PostgresLedger, names: Names) -> list[LoadView]:
    """All loads with their state, in the order in which they open."""
    states: Mapping[str, tuple[Any, ...]] = {
        row[0]: row[1:]
        for row in ledger.connection.execute(
            "select load, state, expected, passed from ledger.load_states where site = %s",
            (ledger.site,),
        )
    }
    views = {}
    for load in sorted(names.loads.values(), key=lambda load: (load.opens_us, load.load)):
        state, expected, passed = states.get(load.load, ("waiting", _cases(load), 0))
        views[load.load] = LoadView(
            load.load, load.gate, load.direction, expected, passed, state, load.opens_us
        )
    for row in ledger.connection.execute(
        "select load, problem, identities, item, quantity, location, at_us, closed_us,"
        " expected_load from ledger.discrepancies where site = %s order by seq",
        (ledger.site,),
    ):
        view = views.get(row[0] or row[8])
        if view is not None:
            view.troubles.append(_trouble(ledger, row))
    return list(views.values())


def _cases(load: Load) -> int:
    """Cases, or single units outside a case, as the loads stage counts them."""
    return len(
        {(line.pallet, line.case or line.identity) for line in load.lines}
        - {(line.pallet, line.pallet) for line in load.lines}
    )


def _trouble(ledger: PostgresLedger, row: tuple[Any, ...]) -> Trouble:
    _, problem, identities, item, quantity, location, at_us, closed_us, _ = row
    seen = ledger.connection.execute(
        "select location, happened_us from ledger.entries where site = %s and identity = any(%s)"
        " and kind = 'location' and happened_us < %s order by happened_us desc limit 1",
        (ledger.site, identities, at_us),
    ).fetchone()
    return Trouble(
        problem=problem,
        subject=identities[0] if identities else "",
        item=item,
        quantity=quantity,
        identities=len(identities),
        location=location,
        at_us=at_us,
        closed=closed_us is not None,
        last_seen=None if seen is None else (seen[0], seen[1]),
    )


def sentence(view: LoadView, names: Names, spoken: str, zone: ZoneInfo) -> str:
    """A load in one line: "S-118, Dock door 2: 47 of 48; missing ... last seen ..."."""
    count = (
        f"{view.passed} / {view.expected}"
        if spoken == "zh"
        else (f"{view.passed} of {view.expected}")
    )
    parts = [f"{view.load}, {names.place(view.gate)}: {count}"]
    parts.extend(_told(group, names, spoken, zone) for group in _groups(view.troubles, names))
    return "; ".join(parts)


def _groups(troubles: list[Trouble], names: Names) -> list[list[Trouble]]:
    """Troubles that are one to a person: the same problem on the same pallet, settled or not."""
    groups: dict[tuple[object, ...], list[Trouble]] = {}
    for trouble in troubles:
        carrier = names.pallets.get(trouble.subject)
        one = carrier or (trouble.at_us // TOGETHER_US)
        groups.setdefault((trouble.problem, trouble.closed, one), []).append(trouble)
    return list(groups.values())


def _told(group: list[Trouble], names: Names, spoken: str, zone: ZoneInfo) -> str:
    trouble = min(group, key=lambda each: (not each.subject.startswith(SSCC), each.at_us))
    tags = sum(each.identities for each in group)
    number = trouble.item or names.item_of.get(trouble.subject)
    text = f"{word(trouble.problem, spoken)} {_subject(trouble, spoken)}"
    if number:
        text += f" ({names.item(number, spoken)})"
    if tags > 1:
        text += f" 等 {tags} 个标签" if spoken == "zh" else f", {tags} tags in all"
    if trouble.last_seen is not None and trouble.problem == Problem.MISSING:
        place, at_us = trouble.last_seen
        seen = "最后见于" if spoken == "zh" else "last seen"
        text += f" {seen} {names.place(place)} {clock_time(at_us, zone)}"
    else:
        text += f" {clock_time(trouble.at_us, zone)}"
    if trouble.closed:
        text += " (已解决)" if spoken == "zh" else " (settled since)"
    return text


def _subject(trouble: Trouble, spoken: str) -> str:
    """Such as "case 00/..." for a logistic unit, the identity itself for a unit."""
    named = short(trouble.subject)
    return f"{word('case', spoken)} {named}" if trouble.subject.startswith(SSCC) else named


def short(identity: str) -> str:
    """An identity as people say it: without the resolver's address."""
    return identity.removeprefix("https://id.gs1.org/")


def clock_time(at_us: int, zone: ZoneInfo) -> str:
    """A moment as a wall clock at the site shows it."""
    return f"{datetime.fromtimestamp(at_us / MICROSECONDS, zone):%H:%M:%S}"
