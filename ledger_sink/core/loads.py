"""Loads: what several identities say together, decided behind the hop.

A worker sees one identity at a time: that it passed, that it is a stranger, that it took the wrong
door. That a *case is missing* needs all that stands on its pallet, and these hash to different
partitions. Here all partitions meet in order, inside the sink's transaction.

**When is a case missing?** A pallet passes within seconds. Once the gate's clock is `SETTLE_US`
past the pallet's newest passage, every case of it is judged: a case whose own tag or any unit of
which passed is there (unread units of it are *inferred*); a case of which nothing at all passed is
missing. One unread tag therefore never makes a case missing, and one read tag of a pallet never
covers for a case that is not there. What no pallet brought by the end of the load's window is
missing too. A missing case that passes later closes its discrepancy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from contracts.codec import canonical, decode_json
from contracts.events import (
    Direction,
    DiscrepancyClosed,
    DiscrepancyOpened,
    Entry,
    EntryKind,
    LoadEvent,
    LoadState,
    LocationEvent,
    LocationKind,
    Problem,
)
from contracts.ids import content_id
from contracts.places import Load, LoadLine, ReferenceChange, SiteMap

SETTLE_US = 8_000_000
"""A pallet is judged this long after its newest passage: longer than it takes to cross a gate and
for its windows to close, short enough that it still stands at the dock."""
UNIT = "https://id.gs1.org/01/"
"""How a unit's identity begins."""
KEEP_US = 3_600_000_000
"""A load that has left is remembered this long, so that what passes late still closes its case."""


GONE_MAX = 10_000
"""Loads that are remembered as gone."""


class Progress(msgspec.Struct):
    """What is known of one load; memory that survives a restart."""

    started: bool = False
    complete: bool = False
    left: bool = False
    passed: dict[str, int] = {}
    newest: dict[str, int] = {}
    judged: dict[str, int] = {}
    kinds: dict[str, dict[str, int]] = {}
    """Item -> identities that passed for a line that names no identity, and when."""
    missing: dict[str, list[str]] = {}


class Alarm(msgspec.Struct, frozen=True):
    """An open discrepancy as the stack light of its gate sees it."""

    gate: str
    load: str | None
    problem: str
    at_us: int


class _Memory(msgspec.Struct):
    progress: dict[str, Progress] = {}
    alarms: dict[str, Alarm] = {}
    gone: dict[str, int] = {}
    """Loads let go, the newest last, and when they had closed: their plans, met again at a
    restart, count for nothing."""


class _Plan:
    """A load's lines, indexed once."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.identities = {line.identity for line in load.lines if line.identity is not None}
        self.pallet_of: dict[str, str] = {}
        self.cases: dict[str, dict[str, list[LoadLine]]] = {}
        self.kinds: dict[str, int] = {}
        """Item -> quantity of the lines that name no identity."""
        for line in load.lines:
            if line.identity is None:
                self.kinds[line.item] = self.kinds.get(line.item, 0) + line.quantity
                continue
            pallet = line.pallet or ""
            subject = line.case or line.identity or ""
            self.pallet_of[line.identity] = pallet
            if line.identity == line.pallet:
                continue  # The pallet's own tag: it carries its cases, it is not one of them.
            self.cases.setdefault(pallet, {}).setdefault(subject, []).append(line)


class Loads:
    """All loads of one site. `take` is the stage; everything it needs comes as an argument."""

    def __init__(self) -> None:
        self._memory = _Memory()
        self._plans: dict[str, _Plan] = {}
        self._load_of: dict[str, set[str]] = {}
        self._gateway_of: dict[str, set[str]] = {}
        self._lights: dict[str, str] = {}
        self._changed = False

    # -- what it needs to know -------------------------------------------------------------

    def apply(self, change: ReferenceChange) -> None:
        """Take a change of master data: the site map's gates, or a load's plan."""
        if isinstance(change.value, SiteMap):
            self._take_map(change.value)
        elif isinstance(change.value, Load):
            self._forget_plan(change.value.load)
            if change.value.closes_us <= self._memory.gone.get(change.value.load, -1):
                return
            plan = _Plan(change.value)
            self._plans[change.value.load] = plan
            for identity in plan.identities:
                self._load_of.setdefault(identity, set()).add(change.value.load)
        elif change.value is None and change.key.startswith("load/"):
            self._forget_plan(change.key.removeprefix("load/"))

    def _take_map(self, site: SiteMap) -> None:
        self._gateway_of = {gate.id: set() for gate in site.gates}
        self._lights = {gate.id: gate.light for gate in site.gates if gate.light}
        for place in site.antennas:
            gateway = site.gateways.get(place.device)
            if place.location in self._gateway_of and gateway:
                self._gateway_of[place.location].add(gateway)

    def _forget_plan(self, load: str) -> None:
        plan = self._plans.pop(load, None)
        for identity in plan.identities if plan else ():
            self._load_of[identity].discard(load)
            if not self._load_of[identity]:
                del self._load_of[identity]

    def restore(self, raw: bytes) -> None:
        """Go on from what `memory` gave."""
        self._memory = msgspec.msgpack.decode(raw, type=_Memory)

    def memory(self) -> bytes | None:
        """All that must survive a restart, or None where nothing changed since the last call."""
        if not self._changed:
            return None
        self._changed = False
        return msgspec.msgpack.encode(self._memory)

    def lights(self) -> dict[str, tuple[str, bool, str]]:
        """Per gate with a stack light: its address, whether it is red, and why."""
        result = {gate: (light, False, "all is well") for gate, light in self._lights.items()}
        for discrepancy, alarm in self._memory.alarms.items():
            if alarm.gate in self._lights:
                why = f"{alarm.problem} {discrepancy}"
                result[alarm.gate] = (self._lights[alarm.gate], True, why)
        return result

    # -- the stage -------------------------------------------------------------------------

    def take(self, entries: Sequence[Entry], gateways: Mapping[str, int]) -> list[Entry]:
        """What these entries mean for the loads, and what has become due.

        `gateways` gives each gateway's time, the lowest over all partitions: a pallet is judged
        only when every partition has told all that happened at its gate until then.
        """
        found: list[Entry] = []
        for entry in entries:
            if entry.kind == EntryKind.LOCATION:
                event = decode_json(LocationEvent, entry.payload)
                if event.kind == LocationKind.PASSED:
                    self._passed(event, entry.id, found)
            elif entry.kind == EntryKind.DISCREPANCY_OPENED:
                self._alarm(decode_json(DiscrepancyOpened, entry.payload))
            elif entry.kind == EntryKind.DISCREPANCY_CLOSED:
                closed = decode_json(DiscrepancyClosed, entry.payload)
                self._changed |= self._memory.alarms.pop(closed.discrepancy, None) is not None
        for name in list(self._plans):
            self._due(self._plans[name], gateways, found)
        return found

    def _alarm(self, opened: DiscrepancyOpened) -> None:
        self._memory.alarms[opened.discrepancy] = Alarm(
            opened.location, opened.load, opened.problem, opened.at_us
        )
        self._changed = True

    def _passed(self, event: LocationEvent, entry: str, found: list[Entry]) -> None:
        for name in sorted(self._load_of.get(event.identity, ())):
            plan = self._plans[name]
            if plan.load.gate != event.location:
                continue
            progress = self._memory.progress.setdefault(name, Progress())
            if event.direction == plan.load.direction and event.load == name:
                self._count(plan, progress, event, entry, found)
            elif event.direction in (Direction.IN, Direction.OUT):
                came_back = progress.passed.get(event.identity)
                if came_back is not None and came_back <= event.at_us:
                    del progress.passed[event.identity]
                    progress.complete = False
                    self._changed = True
        item = _item_of(event.identity)
        if item is not None and event.identity not in self._load_of:
            self._passed_kind(item, event, entry, found)

    def _passed_kind(self, item: str, event: LocationEvent, entry: str, found: list[Entry]) -> None:
        """A unit that no line names: it counts for a line of its item, up to the quantity."""
        for name, plan in self._plans.items():
            if item not in plan.kinds or plan.load.gate != event.location:
                continue
            progress = self._memory.progress.setdefault(name, Progress())
            there = progress.kinds.setdefault(item, {})
            if event.load == name and event.direction == plan.load.direction:
                self._changed = True
                there[event.identity] = event.at_us
                if not progress.started:
                    progress.started = True
                    found.append(_load_entry(plan, progress, LoadState.STARTED, event.at_us))
                if len(there) > plan.kinds[item]:
                    opened = _over(plan, item, event, entry)
                    self._alarm(opened)
                    found.append(_opened_entry(opened, event.identity))
                elif not progress.complete and _is_complete(plan, progress):
                    progress.complete = True
                    found.append(_load_entry(plan, progress, LoadState.COMPLETE, event.at_us))
            elif event.direction in (Direction.IN, Direction.OUT) and event.identity in there:
                self._changed = True
                del there[event.identity]
                over = content_id("over", name, event.identity)
                if self._memory.alarms.pop(over, None) is not None:
                    found.append(_closed_entry(over, event, entry, "came_back"))

    def _count(
        self,
        plan: _Plan,
        progress: Progress,
        event: LocationEvent,
        entry: str,
        found: list[Entry],
    ) -> None:
        self._changed = True
        if not progress.started:
            progress.started = True
            found.append(_load_entry(plan, progress, LoadState.STARTED, event.at_us))
        progress.passed[event.identity] = event.at_us
        pallet = plan.pallet_of[event.identity]
        progress.newest[pallet] = max(progress.newest.get(pallet, 0), event.at_us)
        for discrepancy, identities in list(progress.missing.items()):
            if event.identity in identities:
                # Any tag of a case brings the case: its other units are inferred again.
                del progress.missing[discrepancy]
                self._memory.alarms.pop(discrepancy, None)
                found.append(_closed_entry(discrepancy, event, entry))
        if not progress.complete and _is_complete(plan, progress):
            progress.complete = True
            found.append(_load_entry(plan, progress, LoadState.COMPLETE, event.at_us))

    def _due(self, plan: _Plan, gateways: Mapping[str, int], found: list[Entry]) -> None:
        now = self._gate_time(plan.load.gate, gateways)
        progress = self._memory.progress.get(plan.load.load)
        if now is None or (progress is None and now < plan.load.closes_us + SETTLE_US):
            return
        progress = self._memory.progress.setdefault(plan.load.load, Progress())
        if progress.left:
            if now > plan.load.closes_us + KEEP_US:
                self._let_go(plan.load.load)
            return
        for pallet, newest in progress.newest.items():
            if progress.judged.get(pallet) != newest and now >= newest + SETTLE_US:
                progress.judged[pallet] = newest
                self._changed = True
                self._judge(plan, progress, pallet, newest, now, found)
        if now >= plan.load.closes_us + SETTLE_US:
            for pallet in plan.cases:
                self._judge(plan, progress, pallet, plan.load.closes_us, now, found)
            self._judge_kinds(plan, progress, now, found)
            progress.left = True
            self._changed = True
            found.append(_load_entry(plan, progress, LoadState.LEFT, plan.load.closes_us))
            self._settle_alarms(plan.load.load)

    def _let_go(self, load: str) -> None:
        """Nothing that passes now can belong to it any more: memory stays bounded."""
        self._settle_alarms(load)
        self._memory.gone[load] = self._plans[load].load.closes_us
        self._forget_plan(load)
        self._memory.progress.pop(load, None)
        if len(self._memory.gone) > GONE_MAX:
            del self._memory.gone[next(iter(self._memory.gone))]
        self._changed = True

    def _settle_alarms(self, load: str) -> None:
        """A load that has left keeps no light red: its discrepancies stay open in the ledger."""
        for discrepancy in [k for k, a in self._memory.alarms.items() if a.load == load]:
            del self._memory.alarms[discrepancy]
            self._changed = True

    def _judge(
        self,
        plan: _Plan,
        progress: Progress,
        pallet: str,
        at_us: int,
        now: int,
        found: list[Entry],
    ) -> None:
        known = {identity for ids in progress.missing.values() for identity in ids}
        for subject, lines in plan.cases.get(pallet, {}).items():
            identities = tuple(sorted({line.identity for line in lines if line.identity}))
            if not identities or known.intersection(identities):
                continue
            if any(identity in progress.passed for identity in identities):
                continue
            opened = DiscrepancyOpened(
                discrepancy=content_id("missing", plan.load.load, subject, at_us),
                problem=Problem.MISSING,
                load=plan.load.load,
                location=plan.load.gate,
                identities=identities,
                item=lines[-1].item or None,
                quantity=sum(line.quantity for line in lines if line.item),
                at_us=at_us,
                found_us=now,
            )
            progress.missing[opened.discrepancy] = list(identities)
            self._alarm(opened)
            found.append(_opened_entry(opened, identities[0]))

    def _judge_kinds(self, plan: _Plan, progress: Progress, now: int, found: list[Entry]) -> None:
        """What a line without identities lacks when its load has left."""
        for item, quantity in plan.kinds.items():
            lacking = quantity - len(progress.kinds.get(item, {}))
            if lacking <= 0:
                continue
            opened = DiscrepancyOpened(
                discrepancy=content_id("missing", plan.load.load, item),
                problem=Problem.MISSING,
                load=plan.load.load,
                location=plan.load.gate,
                identities=(),
                item=item,
                quantity=lacking,
                at_us=plan.load.closes_us,
                found_us=now,
            )
            self._alarm(opened)
            found.append(_opened_entry(opened, None))

    def _gate_time(self, gate: str, gateways: Mapping[str, int]) -> int | None:
        """The time of the gate: of the gateway of its devices that is furthest behind."""
        serving: Iterable[str] = self._gateway_of.get(gate, ())
        times = [gateways.get(gateway) for gateway in serving]
        known = [time for time in times if time is not None]
        return min(known) if known and len(known) == len(times) else None


def _is_complete(plan: _Plan, progress: Progress) -> bool:
    cases = all(
        any(line.identity in progress.passed for line in lines)
        for group in plan.cases.values()
        for lines in group.values()
    )
    return cases and all(
        len(progress.kinds.get(item, {})) >= quantity for item, quantity in plan.kinds.items()
    )


def _item_of(identity: str) -> str | None:
    """The GTIN of a unit's identity, or None where it is no unit with a serial number."""
    head, slash, _ = identity.removeprefix(UNIT).partition("/21/")
    return head if slash and identity.startswith(UNIT) else None


def _over(plan: _Plan, item: str, event: LocationEvent, entry: str) -> DiscrepancyOpened:
    return DiscrepancyOpened(
        discrepancy=content_id("over", plan.load.load, event.identity),
        problem=Problem.OVER,
        load=plan.load.load,
        location=plan.load.gate,
        identities=(event.identity,),
        item=item,
        at_us=event.at_us,
        found_us=event.at_us,
        evidence=(entry,),
    )


def _opened_entry(opened: DiscrepancyOpened, identity: str | None) -> Entry:
    return Entry(
        id=opened.discrepancy,
        kind=EntryKind.DISCREPANCY_OPENED,
        happened_us=opened.at_us,
        identity=identity,
        location=opened.location,
        payload=canonical(opened),
    )


def _load_entry(plan: _Plan, progress: Progress, state: LoadState, at_us: int) -> Entry:
    cases = [lines for group in plan.cases.values() for lines in group.values()]
    there = sum(any(line.identity in progress.passed for line in lines) for lines in cases)
    there += sum(min(len(progress.kinds.get(k, {})), n) for k, n in plan.kinds.items())
    event = LoadEvent(
        load=plan.load.load,
        state=state,
        location=plan.load.gate,
        expected=len(cases) + sum(plan.kinds.values()),
        passed=there,
        at_us=at_us,
    )
    return Entry(
        id=content_id("load", plan.load.load, state, at_us),
        kind=EntryKind.LOAD,
        happened_us=at_us,
        identity=None,
        location=plan.load.gate,
        payload=canonical(event),
    )


def _closed_entry(
    discrepancy: str, event: LocationEvent, entry: str, reason: str = "passed_later"
) -> Entry:
    closed = DiscrepancyClosed(
        discrepancy=discrepancy, reason=reason, at_us=event.at_us, evidence=(entry,)
    )
    return Entry(
        id=content_id("closed", discrepancy, event.at_us),
        kind=EntryKind.DISCREPANCY_CLOSED,
        happened_us=event.at_us,
        identity=event.identity,
        location=event.location,
        payload=canonical(closed),
    )
