"""Read me first: everything that happens in one shift, decided from one seed before it begins.

Loads come and go at two doors, one after the other at each; pallets come from bulk through the
inner gate before they leave and go there after they arrived; carts bring what the conveyor packed.
Around them the floor is as untidy as a real one: see `parameters.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

from firmware_sim.core.floor import DOORS, Floor
from firmware_sim.core.goods import Case, Goods, Pallet, Tag
from firmware_sim.core.loads import Fault, Load
from firmware_sim.core.tracks import SECOND, Track
from firmware_sim.parameters import Scenario

FIRST_LOAD_US = 60 * SECOND
"""A quiet minute first: programs settle."""
PALLETS_UNITS_MIN = 420
"""With fewer units left than this, no further second pallet is made: carts, conveyor and floor
need some."""
CART_IS_PLAIN = ("", "missing", "stranger")
"""Faults that leave a load's cart alone: it may go out and in again before it leaves."""
OUT_SHARE = 0.6
"""Share of loads that leave."""
TAIL_US = 45 * SECOND
"""After the last thing happened."""


@dataclass(slots=True)
class Scan:
    """A code passes the conveyor's scanner."""

    at_us: int
    tag: Tag
    counts: int = 0
    unheard: int = 0


@dataclass(slots=True)
class Wish:
    """What shall be special about one load."""

    gate: str
    direction: str
    fault: str = ""
    by_quantity: bool = False
    parked: bool = False
    turned_back: int = 0
    twice: int = 0


@dataclass(slots=True)
class Shift:
    """One shift."""

    seed: int
    scenario: Scenario
    goods: Goods
    floor: Floor
    loads: list[Load] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    scans: list[Scan] = field(default_factory=list)
    end_us: int = 0
    inner_gate: list[tuple[int, int]] = field(default_factory=list)
    """When the inner gate is taken."""
    carts: list[Tag] = field(default_factory=list)
    """Units that leave on carts: the conveyor brings them first."""

    @property
    def tracks(self) -> list[Track]:
        """Everything that moves."""
        return self.floor.tracks


def shift_of(seed: int, scenario: Scenario) -> Shift:
    """The shift of a seed: the same seed and scenario give the same shift."""
    goods = Goods(seed, scenario.shift.units, scenario.signal.sensitivity_spread_db)
    shift = Shift(seed, scenario, goods, Floor(seed, scenario))
    wishes = _wishes(shift)
    for door in DOORS:
        _door(shift, door, [wish for wish in wishes if wish.gate == door])
    shift.loads.sort(key=lambda load: (load.opens_us, load.name))
    last_us = max(load.closes_us for load in shift.loads)
    _floor_traffic(shift, last_us)
    _conveyor(shift, last_us)
    _close(shift)
    return shift


def _wishes(shift: Shift) -> list[Wish]:
    """Each door's loads in order, and which of them are special."""
    dice, plan = shift.floor.dice("wishes"), shift.scenario.shift
    wishes: list[Wish] = []
    for door in DOORS:
        leaving = min(round(plan.loads_per_door * OUT_SHARE), plan.loads_per_door - 1)
        directions = ["out"] * leaving + ["in"] * (plan.loads_per_door - leaving - 1)
        dice.shuffle(directions)
        # What leaves comes through the inner gate first, so each door begins with an arrival.
        wishes += [Wish(door, direction) for direction in ("in", *directions)]
    outgoing = [wish for wish in wishes if wish.direction == "out"]
    incoming = [wish for wish in wishes if wish.direction == "in"]
    arriving = ["missing"] * min(plan.short_loads, 1) + ["stranger"] * min(plan.stranger_loads, 1)
    leaving_faults = ["over"] * plan.over_loads + ["wrong_door"] * plan.wrong_door_loads
    leaving_faults += ["missing"] * (plan.short_loads - 1)
    leaving_faults += ["stranger"] * (plan.stranger_loads - 1)
    for faults, among in ((arriving, incoming), (leaving_faults, outgoing)):
        for fault, wish in zip(faults, dice.sample(among, len(among)), strict=False):
            wish.fault = fault
            wish.by_quantity = fault == "over"
    for wish in [wish for wish in outgoing if not wish.fault][:2]:
        wish.by_quantity = True
    for wish in dice.sample(wishes, min(plan.parked_pallets, len(wishes))):
        wish.parked = True
    for _ in range(plan.turned_back):
        dice.choice(wishes).turned_back += 1
    for door, count in (("door-1", plan.twice_at_rows), ("door-2", plan.twice_elsewhere)):
        here = [wish for wish in outgoing if wish.gate == door and wish.fault in CART_IS_PLAIN]
        for place in range(count if here else 0):
            here[place % len(here)].twice += 1
    return wishes


def _door(shift: Shift, door: str, wishes: list[Wish]) -> None:
    clock_us = FIRST_LOAD_US + int(shift.floor.dice("door", door).uniform(0, 40) * SECOND)
    for place, wish in enumerate(wishes):
        dice = shift.floor.dice("load", door, place)
        number = 100 + 2 * place + DOORS.index(door)
        name = f"{'S' if wish.direction == 'out' else 'R'}-{number}"
        load = Load(name, door, wish.direction, clock_us)
        shift.loads.append(load)
        clock_us = _Loading(shift, wish, load, dice).run()
        clock_us += int(dice.uniform(20.0, 40.0) * SECOND)


@dataclass(slots=True)
class _Loading:
    """One load at its door, carrier after carrier."""

    shift: Shift
    wish: Wish
    load: Load
    dice: Random
    now_us: int = 0

    def run(self) -> int:
        """Do it all; when the load closes."""
        dice, wish = self.dice, self.wish
        self.now_us = self.load.opens_us + int(dice.uniform(25.0, 45.0) * SECOND)
        pallets = (
            1 if self.shift.goods.units_left < PALLETS_UNITS_MIN else dice.choice((1, 2, 2, 2))
        )
        turns = [place % (pallets + 1) for place in range(wish.turned_back)]
        for place in range(pallets):
            self._pallet(place, turns.count(place))
        self._cart(turns.count(pallets))
        self.load.closes_us = self.now_us + int(dice.uniform(40.0, 60.0) * SECOND)
        return self.load.closes_us

    @property
    def outward(self) -> bool:
        """Whether it leaves."""
        return self.load.direction == "out"

    def _pause(self) -> None:
        self.now_us += int(self.dice.uniform(50.0, 95.0) * SECOND)

    def _pallet(self, place: int, turns: int) -> None:
        shift, dice, load = self.shift, self.dice, self.load
        pallet = shift.goods.pallet()
        load.expect_pallet(pallet)
        tags = pallet.tags
        missing = self._missing(place, pallet)
        stranger = self._stranger(place)
        tags = [tag for tag in tags if missing is None or tag not in missing.tags]
        if stranger is not None:
            tags += stranger.tags
        staged_us = self._from_bulk(pallet.tags, load) if self.outward else 0
        truck = dice.random() < 0.65  # noqa: PLR2004 - the others take the hand truck.
        if self.wish.parked and place == 0:
            self._parked(tags)
        for _ in range(turns):
            self.now_us = shift.floor.turned_back(
                load.gate, self.now_us, tags, outward=self.outward, truck=truck, load=load.name
            )
            self._pause()
        at_us, self.now_us = shift.floor.through(
            load.gate, self.now_us, tags, outward=self.outward, truck=truck, load=load.name
        )
        self._note(missing, stranger, at_us, staged_us)
        if not self.outward:
            self._to_bulk(tags)
        self._pause()

    def _missing(self, place: int, pallet: Pallet) -> Case | None:
        if self.wish.fault == "missing" and place == 0:
            return self.dice.choice(pallet.cases)
        return None

    def _stranger(self, place: int) -> Case | None:
        if self.wish.fault == "stranger" and place == 0:
            return self.shift.goods.case(self.dice.randint(3, 5))
        return None

    def _note(
        self, missing: Case | None, stranger: Case | None, at_us: int, staged_us: int
    ) -> None:
        load = self.load
        for problem, case in (("missing", missing), ("stranger", stranger)):
            if case is None:
                continue
            cause = "mispick" if problem == "stranger" else "shipping_error"
            if not self.outward:
                cause = "supplier_shortage" if problem == "missing" else "receiving_error"
            identities = [tag.identity for tag in case.tags]
            self.shift.faults.append(
                Fault(
                    problem,
                    cause,
                    load.name,
                    load.gate,
                    at_us,
                    case.units[0].item,
                    len(case.units),
                    identities,
                )
            )
        if missing is not None and self.outward:
            x, y = _place_beside(self.dice, load.gate, inside=True)
            from_us = max(staged_us, at_us - 90 * SECOND)
            until_us = at_us + int(self.dice.uniform(120.0, 240.0) * SECOND)
            self.shift.floor.rests(load.gate, from_us, until_us, missing.tags, x, y, "left_behind")

    def _parked(self, tags: list[Tag]) -> None:
        """The pallet waits in the field before it goes, on the side from which it comes."""
        dice = self.dice
        x = dice.uniform(2.0, 3.2) * (-1.0 if self.outward else 1.0)
        until_us = self.now_us + int(dice.uniform(60.0, 120.0) * SECOND)
        start_us = self.now_us - int(dice.uniform(0.0, 20.0) * SECOND)
        y = dice.uniform(-1.0, 1.0)
        self.shift.floor.rests(self.load.gate, start_us, until_us, tags, x, y, "parked")
        self.now_us = until_us + 2 * SECOND

    def _from_bulk(self, tags: list[Tag], load: Load) -> int:
        """Through the inner gate to staging, if there is time; when they are there."""
        wanted_us = load.opens_us - int(self.dice.uniform(60.0, 240.0) * SECOND)
        start_us = _free(self.shift.inner_gate, max(wanted_us, 5 * SECOND))
        if start_us + 30 * SECOND >= self.now_us:
            return 0
        floor = self.shift.floor
        _, done_us = floor.through("gate-3", start_us, tags, outward=True, truck=True, load="")
        return done_us

    def _to_bulk(self, tags: list[Tag]) -> None:
        wanted_us = self.now_us + int(self.dice.uniform(60.0, 240.0) * SECOND)
        start_us = _free(self.shift.inner_gate, wanted_us)
        self.shift.floor.through("gate-3", start_us, tags, outward=False, truck=True, load="")

    def _cart(self, turns: int) -> None:
        shift, dice, load, wish = self.shift, self.dice, self.load, self.wish
        count = dice.randint(5, 8)
        if wish.by_quantity:
            item = dice.choice(shift.goods.items)
            units = [shift.goods.unit(item) for _ in range(count)]
            over = dice.randint(1, 2) if wish.fault == "over" else 0
            load.expect_quantity(item.number, count - over)
        else:
            units = [shift.goods.unit() for _ in range(count)]
            load.expect_units(units)
        if self.outward:
            shift.carts += units
        gate = load.gate
        for _ in range(wish.twice):
            self.now_us = shift.floor.out_and_in(gate, self.now_us, units, load=load.name)
            self._pause()
        for _ in range(turns):
            self.now_us = shift.floor.turned_back(
                gate, self.now_us, units, outward=self.outward, truck=False, load=load.name
            )
            self._pause()
        if wish.fault == "wrong_door":
            gate = DOORS[1 - DOORS.index(gate)]
        at_us, done_us = shift.floor.through(
            gate, self.now_us, units, outward=self.outward, truck=False, load=load.name
        )
        self.now_us = done_us
        if wish.fault == "over":
            self._note_over(units, at_us)
        elif wish.fault == "wrong_door":
            self._note_wrong_door(units, gate, at_us)

    def _note_over(self, units: list[Tag], at_us: int) -> None:
        load = self.load
        over = len(units) - load.lines[-1].quantity
        self.shift.faults.append(
            Fault(
                "over",
                "mispick",
                load.name,
                load.gate,
                at_us,
                units[0].item,
                over,
                [unit.identity for unit in units],
            )
        )

    def _note_wrong_door(self, units: list[Tag], gate: str, at_us: int) -> None:
        load, faults = self.load, self.shift.faults
        identities = [unit.identity for unit in units]
        faults.append(
            Fault(
                "wrong_door",
                "shipping_error",
                load.name,
                gate,
                at_us,
                units[0].item,
                len(units),
                identities,
            )
        )
        faults.append(
            Fault(
                "missing",
                "shipping_error",
                load.name,
                load.gate,
                at_us,
                units[0].item,
                len(units),
                identities,
                consequence_of=len(faults) - 1,
            )
        )


def _free(busy: list[tuple[int, int]], wanted_us: int) -> int:
    """The first time from then on at which a way of 30 s is free; it is taken."""
    start_us = wanted_us
    for begin, end in sorted(busy):
        if start_us + 40 * SECOND > begin and start_us < end:
            start_us = end
    busy.append((start_us, start_us + 40 * SECOND))
    return start_us


def _place_beside(dice: Random, gate: str, *, inside: bool) -> tuple[float, float]:
    """A place 1 to 5 m beside a door, off its lane, relative to its middle."""
    x = dice.uniform(0.8, 3.2) * (-1.0 if inside else 1.0)
    # Beside the outer wall of either door, or between the doors.
    y = dice.uniform(1.9, 4.2) * (1.0 if gate == DOORS[0] else -1.0)
    if dice.random() < 0.35:  # noqa: PLR2004 - less room there.
        y = dice.uniform(1.7, 1.9) * (-1.0 if gate == DOORS[0] else 1.0)
    return x, y


def _floor_traffic(shift: Shift, last_us: int) -> None:
    """What never passes a door in this shift, and yet is heard."""
    dice, plan, goods = shift.floor.dice("floor"), shift.scenario.shift, shift.goods
    foreign = [goods.foreign() for _ in range(plan.foreign_tags)]
    for place in range(plan.lingering_groups):
        tags = [goods.unit() for _ in range(dice.randint(1, 4))]
        if place < len(foreign) // 2:
            tags.append(foreign[place])
        gate = DOORS[place % 2]
        x, y = _place_beside(dice, gate, inside=dice.random() < 0.75)  # noqa: PLR2004
        start_us = int(dice.uniform(0.0, last_us - 500 * SECOND))
        until_us = start_us + int(dice.uniform(120.0, 420.0) * SECOND)
        shift.floor.rests(gate, start_us, until_us, tags, x, y, "beside")
    carts = [[goods.unit() for _ in range(6)] for _ in range(4)]
    for place in range(plan.carried_past):
        span_us = (last_us - 120 * SECOND) // max(plan.carried_past, 1)
        start_us = 60 * SECOND + place * span_us + int(dice.random() * span_us / 2)
        shift.floor.carried_past(start_us, carts[place % len(carts)])
    for tag in foreign[len(foreign) // 2 :]:
        start_us = _free(shift.inner_gate, int(dice.uniform(100 * SECOND, last_us)))
        outward = dice.random() < 0.5  # noqa: PLR2004
        shift.floor.through("gate-3", start_us, [tag], outward=outward, truck=False, load="")


def _conveyor(shift: Shift, last_us: int) -> None:
    """The conveyor carries the carts' units before they leave, and all units that are left."""
    dice, goods = shift.floor.dice("conveyor"), shift.goods
    first_seen: dict[str, int] = {}
    for track in shift.tracks:
        for carried in track.carried:
            key = carried.tag.identity
            first_seen[key] = min(first_seen.get(key, track.from_us), track.from_us)
    for tag in shift.carts:
        before_us = first_seen[tag.identity] - int(dice.uniform(60.0, 400.0) * SECOND)
        if before_us > 0:
            shift.scans.append(Scan(before_us, tag))
    while goods.units_left:
        at_us = int(dice.uniform(10 * SECOND, last_us))
        shift.scans.append(Scan(at_us, goods.unit()))
        if goods.units_left % 12 == 0 and goods.units_left > 6:  # noqa: PLR2004
            case = goods.case(min(5, goods.units_left))
            shift.scans.append(Scan(at_us + SECOND, case.tag))
    shift.scans.sort(key=lambda scan: (scan.at_us, scan.tag.identity))
    for before, after in pairwise(shift.scans):
        after.at_us = max(after.at_us, before.at_us + 700_000)


def _close(shift: Shift) -> None:
    tracks_end_us = max(track.until_us for track in shift.tracks)
    scans_end_us = shift.scans[-1].at_us if shift.scans else 0
    shift.end_us = max(tracks_end_us, scans_end_us, shift.loads[-1].closes_us) + TAIL_US
    for fault in shift.faults:
        if fault.problem == "wrong_door":
            here = [
                load.name
                for load in shift.loads
                if load.gate == fault.location
                and load.opens_us <= fault.occurred_us <= load.closes_us
            ]
            fault.at_load = here[0] if here else ""
