"""Loads: a case is missing when nothing of it passed with its pallet, and only then."""

from contracts.codec import canonical, decode_json
from contracts.events import (
    Direction,
    DiscrepancyClosed,
    DiscrepancyOpened,
    Entry,
    EntryKind,
    LoadEvent,
    LocationEvent,
    LocationKind,
    Problem,
)
from contracts.places import (
    AntennaPlace,
    Gate,
    Load,
    LoadLine,
    ReferenceChange,
    SiteMap,
    Zone,
)
from ledger_sink.core.loads import KEEP_US, SETTLE_US, Loads

SECOND = 1_000_000
PALLET = "https://id.gs1.org/00/000000000000000017"
CASES = [f"https://id.gs1.org/00/10000000000000000{n}" for n in range(3)]


def unit(case: int, number: int) -> str:
    return f"https://id.gs1.org/01/00614141123452/21/{case}{number}"


def site() -> SiteMap:
    return SiteMap(
        site="demo",
        zones=(Zone(id="stage"), Zone(id="yard", outside=True)),
        gates=(Gate(id="door-1", inner="stage", outer="yard", light="dock/door-1/1"),),
        antennas=(AntennaPlace(device="door-1", antenna=1, location="door-1"),),
        gateways={"door-1": "dock"},
    )


def plan() -> Load:
    """A pallet of three cases of two units each; pallet, cases and units all carry tags."""
    lines = [LoadLine(identity=PALLET, item="", pallet=PALLET)]
    for number, case in enumerate(CASES):
        lines.append(LoadLine(identity=case, item="", case=case, pallet=PALLET))
        lines.extend(
            LoadLine(identity=unit(number, n), item="00614141123452", case=case, pallet=PALLET)
            for n in range(2)
        )
    return Load(
        load="S-1",
        gate="door-1",
        direction="out",
        opens_us=0,
        closes_us=600 * SECOND,
        lines=tuple(lines),
    )


def loads() -> Loads:
    stage = Loads()
    stage.apply(ReferenceChange(key="site", version=1, value=site()))
    stage.apply(ReferenceChange(key="load/S-1", version=1, value=plan()))
    return stage


def passed(
    identity: str, at_s: float, direction: Direction = Direction.OUT, load: str | None = "S-1"
) -> Entry:
    at_us = int(at_s * SECOND)
    event = LocationEvent(
        kind=LocationKind.PASSED,
        identity=identity,
        location="door-1",
        direction=direction,
        at_us=at_us,
        first_us=at_us,
        last_us=at_us,
        confidence=1.0,
        basis="antenna_order",
        load=load,
    )
    return Entry(
        id=f"{identity}{at_us}",
        kind=EntryKind.LOCATION,
        happened_us=at_us,
        identity=identity,
        location="door-1",
        payload=canonical(event),
    )


def opened(entries: list[Entry]) -> list[DiscrepancyOpened]:
    return [
        decode_json(DiscrepancyOpened, entry.payload)
        for entry in entries
        if entry.kind == EntryKind.DISCREPANCY_OPENED
    ]


def states(entries: list[Entry]) -> list[tuple[str, int, int]]:
    found = [decode_json(LoadEvent, e.payload) for e in entries if e.kind == EntryKind.LOAD]
    return [(event.state, event.passed, event.expected) for event in found]


def test_a_case_of_which_nothing_passed_is_missing_once_its_pallet_has_settled() -> None:
    stage = loads()
    tags = [PALLET, CASES[0], unit(0, 0), unit(0, 1), CASES[1], unit(1, 0)]
    early = stage.take([passed(tag, 10) for tag in tags], {"dock": 11 * SECOND})
    assert opened(early) == []
    due = stage.take([], {"dock": 10 * SECOND + SETTLE_US})
    (missing,) = opened(due)
    assert missing.problem is Problem.MISSING
    assert missing.identities == tuple(sorted([CASES[2], unit(2, 0), unit(2, 1)]))
    assert (missing.load, missing.quantity) == ("S-1", 2)
    assert stage.take([], {"dock": 100 * SECOND}) == []


def test_one_read_unit_is_enough_for_its_case_to_be_there() -> None:
    stage = loads()
    entries = stage.take([passed(unit(n, 0), 10 + n) for n in range(3)], {"dock": 14 * SECOND})
    assert states(entries) == [("started", 0, 3), ("complete", 3, 3)]
    assert opened(stage.take([], {"dock": 60 * SECOND})) == []


def test_a_missing_case_that_passes_later_closes_its_discrepancy_and_the_light_is_green() -> None:
    stage = loads()
    stage.take([passed(CASES[0], 10), passed(CASES[1], 10)], {"dock": 11 * SECOND})
    (missing,) = opened(stage.take([], {"dock": 30 * SECOND}))
    assert stage.lights()["door-1"][1] is True
    late = stage.take([passed(unit(2, 1), 50)], {"dock": 51 * SECOND})
    (closed,) = [
        decode_json(DiscrepancyClosed, e.payload)
        for e in late
        if e.kind == EntryKind.DISCREPANCY_CLOSED
    ]
    assert closed.discrepancy == missing.discrepancy
    assert stage.lights()["door-1"][1] is False


def test_what_no_pallet_brought_is_missing_when_the_load_has_left() -> None:
    stage = loads()
    assert opened(stage.take([], {"dock": 599 * SECOND})) == []
    entries = stage.take([], {"dock": 600 * SECOND + SETTLE_US})
    assert [found.identities[0] for found in opened(entries)] == CASES
    assert states(entries) == [("left", 0, 3)]


def test_a_silent_gateway_stops_the_judgement() -> None:
    stage = loads()
    stage.take([passed(CASES[0], 10)], {"dock": 11 * SECOND})
    assert stage.take([], {}) == []
    assert stage.take([], {"other": 900 * SECOND}) == []


def test_what_came_back_no_longer_counts() -> None:
    stage = loads()
    stage.take([passed(case, 10) for case in CASES], {"dock": 11 * SECOND})
    stage.take([passed(CASES[2], 15, Direction.IN, None)], {"dock": 16 * SECOND})
    found = stage.take([], {"dock": 600 * SECOND + SETTLE_US})
    assert [missing.identities[0] for missing in opened(found)] == [CASES[2]]
    assert states(found) == [("left", 2, 3)]


def test_its_memory_goes_on_after_a_restart() -> None:
    stage = loads()
    stage.take([passed(CASES[0], 10)], {"dock": 11 * SECOND})
    raw = stage.memory()
    assert raw is not None
    assert stage.memory() is None
    again = loads()
    again.restore(raw)
    expected = stage.take([], {"dock": 30 * SECOND})
    assert again.take([], {"dock": 30 * SECOND}) == expected
    assert len(opened(expected)) == 2


def by_quantity(quantity: int) -> Loads:
    """A load with one line that names an item and a quantity, no identity."""
    stage = Loads()
    stage.apply(ReferenceChange(key="site", version=1, value=site()))
    load = Load(
        load="S-1",
        gate="door-1",
        direction="out",
        opens_us=0,
        closes_us=600 * SECOND,
        lines=(LoadLine(identity=None, item="00614141123452", quantity=quantity),),
    )
    stage.apply(ReferenceChange(key="load/S-1", version=1, value=load))
    return stage


def test_a_line_by_quantity_is_complete_and_what_passes_beyond_is_over() -> None:
    stage = by_quantity(2)
    entries = stage.take([passed(unit(0, n), 10 + n) for n in range(3)], {"dock": 14 * SECOND})
    assert states(entries) == [("started", 1, 2), ("complete", 2, 2)]
    (over,) = opened(entries)
    assert (over.problem, over.identities) == (Problem.OVER, (unit(0, 2),))
    assert stage.lights()["door-1"][1] is True
    back = stage.take([passed(unit(0, 2), 20, Direction.IN, None)], {"dock": 21 * SECOND})
    assert [entry.kind for entry in back] == [EntryKind.DISCREPANCY_CLOSED]
    assert stage.lights()["door-1"][1] is False


def test_a_line_by_quantity_that_leaves_short_tells_how_many_are_missing() -> None:
    stage = by_quantity(5)
    stage.take([passed(unit(0, n), 10 + n) for n in range(3)], {"dock": 14 * SECOND})
    found = stage.take([], {"dock": 600 * SECOND + SETTLE_US})
    (missing,) = opened(found)
    assert (missing.problem, missing.item, missing.quantity) == (
        Problem.MISSING,
        "00614141123452",
        2,
    )
    assert states(found) == [("left", 3, 5)]


def test_a_load_that_left_long_ago_is_let_go_also_after_a_restart() -> None:
    stage = loads()
    stage.take([passed(CASES[0], 10)], {"dock": 11 * SECOND})
    stage.take([], {"dock": 700 * SECOND})
    stage.take([], {"dock": 700 * SECOND + KEEP_US})
    raw = stage.memory()
    assert raw is not None
    again = Loads()
    again.restore(raw)
    again.apply(ReferenceChange(key="site", version=1, value=site()))
    again.apply(ReferenceChange(key="load/S-1", version=1, value=plan()))
    assert again.take([], {"dock": 800 * SECOND + KEEP_US}) == []
