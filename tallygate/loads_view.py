"""Loads as people see them: by door, pallet and item name, with what is wrong and since when."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from contracts.clock import MICROSECONDS
from contracts.events import LoadState, Problem
from contracts.places import Load
from contracts.reads import NO_READ, is_no_read
from ledger_sink.floor import Discrepancy, Floor, passed_now
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.queries import last_seen
from tallygate.names import SSCC, Names, ReferenceReader, short, tail
from tallygate.words import counted, word

TOGETHER_US = 20_000_000
"""What goes wrong at one gate within this time came on one carrier, as far as a person cares."""
WAITING = "waiting"
"""The state of a load of which nothing has passed."""
ORDER = (Problem.MISSING, Problem.STRANGER, Problem.WRONG_DOOR, Problem.OVER)
"""What somebody must look at first."""

Cases = dict[tuple[str, str], set[str]]
"""Cases, or single units outside a case, and their identities: what the loads stage counts."""

__all__ = ["LoadView", "LoadsReader", "Names", "ReferenceReader", "Trouble", "load_views", "short"]


@dataclass(frozen=True)
class Trouble:
    """One discrepancy of a load."""

    problem: Problem
    identities: tuple[str, ...]
    item: str | None
    location: str
    at_us: int
    closed: bool
    load: str | None
    """The load that is wrong because of it; None where none was planned at that gate."""
    expected_load: str | None
    """The load that it belongs to, where it took the wrong door."""
    last_seen: tuple[str, int] | None
    """For what is missing: where it was before, and when."""

    @property
    def subject(self) -> str:
        """Whom it is about first."""
        return self.identities[0] if self.identities else ""


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
    moved_us: int
    """When its state last changed; 0 while it waits."""
    troubles: list[Trouble] = field(default_factory=list)

    @property
    def open_troubles(self) -> list[Trouble]:
        """What is still wrong."""
        return [trouble for trouble in self.troubles if not trouble.closed]


class LoadsReader:
    """Follows all loads of a site: each `refresh` takes what is new."""

    def __init__(self, ledger: PostgresLedger) -> None:
        """Nothing is read before the first `refresh`."""
        self._ledger = ledger
        self._reference = ReferenceReader(ledger)
        self._cases: dict[str, tuple[Load, Cases]] = {}
        self._seen: dict[tuple[str, int], tuple[str, int] | None] = {}
        self.floor = Floor(ledger)
        self.names = self._reference.names
        self.loads: list[LoadView] = []
        """In the order in which they open."""
        self.troubles: list[Trouble] = []
        """Of all loads, in the order in which they were found."""

    def refresh(self) -> None:
        """All loads with their state, as the ledger has them now."""
        self._reference.refresh()
        self.follow(self._reference.names)

    def follow(self, names: Names) -> None:
        """The same with names and plans that somebody else follows."""
        self.names = names
        self.floor.refresh()
        passed = passed_now(self._ledger)
        planned = sorted(names.loads.values(), key=lambda load: (load.opens_us, load.load))
        views = {load.load: self._view(load, passed.get(load.load)) for load in planned}
        self.troubles = [self._trouble(found) for found in self.floor.discrepancies]
        for trouble in self.troubles:
            view = views.get(trouble.load or trouble.expected_load or "")
            if view is not None:
                view.troubles.append(trouble)
        self.loads = list(views.values())

    def _view(self, load: Load, passed: frozenset[str] | None) -> LoadView:
        told = self.floor.loads.get(load.load)
        cases = self._cases_of(load)
        view = LoadView(
            load=load.load,
            gate=load.gate,
            direction=load.direction,
            expected=told.expected if told else len(cases),
            passed=told.passed if told else 0,
            state=told.state if told else WAITING,
            opens_us=load.opens_us,
            moved_us=told.at_us if told else 0,
        )
        if told and view.state != LoadState.LEFT and passed is not None:
            # While a load is under way the ledger tells only its beginning: its stage knows more.
            view.expected = len(cases)
            view.passed = sum(not passed.isdisjoint(identities) for identities in cases.values())
            short_again = view.passed < view.expected and view.state == LoadState.COMPLETE
            view.state = LoadState.STARTED if short_again else view.state
        return view

    def _cases_of(self, load: Load) -> Cases:
        known = self._cases.get(load.load)
        if known is None or known[0] is not load:
            known = self._cases[load.load] = (load, _cases(load))
        return known[1]

    def _trouble(self, found: Discrepancy) -> Trouble:
        return Trouble(
            problem=found.problem,
            identities=found.identities,
            item=found.item,
            location=found.location,
            at_us=found.at_us,
            closed=found.closed_us is not None,
            load=found.load,
            expected_load=found.expected_load,
            last_seen=self._last_seen(found) if found.problem == Problem.MISSING else None,
        )

    def _last_seen(self, found: Discrepancy) -> tuple[str, int] | None:
        key = found.discrepancy, found.at_us
        if key not in self._seen:
            seen = last_seen(self._ledger, found.identities, found.at_us)
            self._seen[key] = None if seen is None else (seen[1], seen[2])
        return self._seen[key]


def load_views(ledger: PostgresLedger, names: Names) -> list[LoadView]:
    """All loads with their state, in the order in which they open."""
    reader = LoadsReader(ledger)
    reader.follow(names)
    return reader.loads


def _cases(load: Load) -> Cases:
    cases: Cases = {}
    for line in load.lines:
        if line.identity == line.pallet:
            continue  # The pallet's own tag: it carries its cases, it is not one of them.
        found = cases.setdefault((line.pallet or "", line.case or line.identity or ""), set())
        if line.identity:
            found.add(line.identity)
    return cases


def sentence(view: LoadView, names: Names, spoken: str, zone: ZoneInfo) -> str:
    """A load in one line: "S-118, Dock door 2: 47 of 48; missing ... last seen ..."."""
    count = f"{view.passed} / {view.expected}"
    if spoken != "zh":
        count = f"{view.passed} of {view.expected}"
    parts = [f"{view.load}, {names.place(view.gate)}: {count}"]
    parts += told_troubles(view.open_troubles, names, spoken, zone, brief=False)
    settled = groups([trouble for trouble in view.troubles if trouble.closed], names)
    if settled:
        parts.append(word("settled_many", spoken, len(settled)))
    return "; ".join(parts)


def told_troubles(
    troubles: list[Trouble], names: Names, spoken: str, zone: ZoneInfo, *, brief: bool
) -> list[str]:
    """Troubles in sentences, one for all that is one to a person, the gravest first."""
    return [_told(group, names, spoken, zone, brief=brief) for group in groups(troubles, names)]


def groups(troubles: list[Trouble], names: Names) -> list[list[Trouble]]:
    """Troubles that are one to a person: the same problem on the same pallet."""
    found: dict[tuple[object, ...], list[Trouble]] = {}
    for trouble in troubles:
        carrier = names.pallets.get(trouble.subject)
        one = carrier or (trouble.at_us // TOGETHER_US)
        found.setdefault((trouble.problem, trouble.expected_load, one), []).append(trouble)
    return sorted(found.values(), key=_gravity)


def _gravity(group: list[Trouble]) -> tuple[int, int]:
    return ORDER.index(group[0].problem), -len(group)


def _told(group: list[Trouble], names: Names, spoken: str, zone: ZoneInfo, *, brief: bool) -> str:
    first = min(group, key=lambda each: each.at_us)
    identities = list(dict.fromkeys(one for each in group for one in each.identities))
    subject = subject_name(_carrier(identities, names), names, spoken, brief=brief)
    # What is counted by kind names no identity.
    kinds = names.kinds(identities, spoken) or [names.item(first.item, spoken)]
    text = f"{word(first.problem, spoken)} {subject}".rstrip()
    if len(kinds) == 1:
        text += f" ({kinds[0]})" if kinds[0] else ""
    elif len(identities) > 1:
        text += f", {tags_text(len(identities), spoken)}"
    if first.last_seen is not None:
        place, at_us = first.last_seen
        seen = f"{word('last_seen', spoken)} {names.place(place)}"
        text += f", {seen} {clock_time(at_us, zone)}"
    else:
        text += f", {_where(first, names, spoken)}{clock_time(first.at_us, zone)}"
    return f"{text} ({', '.join(kinds)})" if len(kinds) > 1 else text


def _where(trouble: Trouble, names: Names, spoken: str) -> str:
    """Of what took the wrong door: which door, or which load it belongs to."""
    if trouble.problem != Problem.WRONG_DOOR:
        return ""
    if trouble.load is None or trouble.load == trouble.expected_load:
        return f"{names.place(trouble.location)} "
    return f"{word('belongs_to', spoken)} {trouble.expected_load}, "


def _carrier(identities: list[str], names: Names) -> str:
    """The case that they all are in, else the pallet that they all stand on, else the first."""
    if not identities:
        return ""
    for carriers in (names.cases, names.pallets):
        found = {carriers.get(identity) for identity in identities}
        carrier = found.pop()
        if len(identities) > 1 and not found and carrier:
            return carrier
    return next((one for one in identities if one.startswith(SSCC)), identities[0])


def subject_name(identity: str, names: Names, spoken: str, *, brief: bool) -> str:
    """Such as "case 00/..." for a logistic unit, the identity itself for a unit."""
    if is_no_read(identity):
        return f"{word('unread', spoken)} {identity.removeprefix(NO_READ)}"
    named = tail(identity) if brief else short(identity)
    if not identity.startswith(SSCC):
        return named
    kind = "pallet" if names.is_pallet(identity) else "case"
    return f"{word(kind, spoken)} {named}"


def tags_text(count: int, spoken: str) -> str:
    """Such as "34 tags"."""
    return counted("tag", "tags", count, spoken)


def clock_time(at_us: int, zone: ZoneInfo) -> str:
    """A moment as a wall clock at the site shows it."""
    return f"{datetime.fromtimestamp(at_us / MICROSECONDS, zone):%H:%M:%S}"
