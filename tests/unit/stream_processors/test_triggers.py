"""Triggers: a passage finds its load, or is at the wrong door, a stranger, one too many."""

from __future__ import annotations

import time

from dock_desk import OTHER, TAG, Desk, at, load, read, walk

from contracts.events import Problem
from contracts.places import Load, LoadLine, ReferenceChange
from stream_processors.core.reference import Reference

SHIPMENT = load("S-118", "door-1", "out", TAG)


def test_a_passage_of_a_loads_line_carries_the_load() -> None:
    desk = Desk(SHIPMENT)
    desk.give(walk(10, out=True))
    desk.wait(10)
    assert desk.events()[0].load == "S-118"
    assert desk.opened() == []


def test_a_passage_long_before_the_load_opens_is_not_its() -> None:
    desk = Desk(load("S-118", "door-1", "out", TAG, opens=500))
    desk.give(walk(10, out=True))
    desk.wait(10)
    assert desk.events()[0].load is None
    assert desk.opened() == []


def test_a_passage_just_before_the_load_opens_is_within_tolerance() -> None:
    desk = Desk(load("S-118", "door-1", "out", TAG, opens=100))
    desk.give(walk(10, out=True))
    desk.wait(10)
    assert desk.events()[0].load == "S-118"


def test_any_instance_fulfils_a_line_of_its_kind() -> None:
    lines = (LoadLine(identity=None, item="09506000134352", quantity=5),)
    plan = Load(
        load="S-9", gate="door-1", direction="out", opens_us=at(0), closes_us=at(99), lines=lines
    )
    desk = Desk(plan)
    desk.give(walk(10, out=True))
    desk.wait(10)
    assert desk.events()[0].load == "S-9"


def test_what_is_on_no_line_is_a_stranger_where_a_load_is_open() -> None:
    desk = Desk(load("S-118", "door-1", "out", OTHER))
    desk.give(walk(10, out=True))
    desk.wait(10)
    (opened,) = desk.opened()
    assert opened.problem is Problem.STRANGER
    assert (opened.load, opened.identities, opened.location) == ("S-118", (TAG,), "door-1")
    assert opened.item == "09506000134352"
    assert opened.evidence == (desk.entries[0].id, desk.evidence[0].id)
    assert opened.at_us == desk.events()[0].at_us
    assert opened.found_us >= opened.at_us


def test_a_person_s_badge_is_no_stranger_among_the_goods() -> None:
    badge = "ble:ibeacon:fda50693-a4e2-4fb1-afcf-c6eb07647825:1:7"
    desk = Desk(load("S-118", "door-1", "out", OTHER))
    desk.give(walk(10, out=True, identity=badge))
    desk.wait(10)
    assert [event.direction for event in desk.events(badge)] == ["out"]
    assert desk.opened() == []


def test_a_stranger_the_other_way_is_a_plain_move() -> None:
    desk = Desk(load("S-118", "door-1", "out", OTHER))
    desk.give(walk(10))
    desk.wait(10)
    assert desk.opened() == []


def test_where_no_load_is_open_nobody_is_a_stranger() -> None:
    desk = Desk()
    desk.give(walk(10, out=True))
    desk.wait(10)
    assert desk.told() == ["out door-1"]
    assert desk.opened() == []


def test_the_wrong_door_names_both_loads() -> None:
    desk = Desk(load("S-1", "door-1", "out", OTHER), load("S-2", "door-2", "out", TAG))
    desk.give(walk(10, out=True))
    desk.wait(10)
    (opened,) = desk.opened()
    assert opened.problem is Problem.WRONG_DOOR
    assert (opened.load, opened.expected_load) == ("S-1", "S-2")
    assert desk.events()[0].load is None


def test_the_same_once_more_is_over() -> None:
    """It was missed when it came back in: out twice is one too many."""
    desk = Desk(SHIPMENT)
    desk.give(walk(10, out=True))
    desk.wait(20)
    desk.give(walk(40, out=True))
    desk.wait(10)
    (opened,) = desk.opened()
    assert opened.problem is Problem.OVER
    assert opened.load == "S-118"


def test_coming_back_and_passing_again_is_not_over() -> None:
    desk = Desk(SHIPMENT)
    for moment, out in ((10, True), (40, False), (70, True)):
        desk.give(walk(moment, out=out))
        desk.wait(20)
    assert desk.opened() == []
    assert [one.load for one in desk.events()] == ["S-118", None, "S-118"]


def test_coming_back_closes_the_discrepancy() -> None:
    desk = Desk(load("S-118", "door-1", "out", OTHER))
    desk.give(walk(10, out=True))
    desk.wait(20)
    desk.give(walk(40))
    desk.wait(10)
    (closed,) = desk.closed()
    assert closed.discrepancy == desk.opened()[0].discrepancy
    assert closed.reason == "came_back"
    assert closed.at_us == desk.events()[1].at_us
    desk.give(walk(70, out=True))
    desk.wait(10)
    assert len(desk.opened()) == 2
    assert len({one.id for one in desk.entries}) == len(desk.entries)


def test_a_sure_read_inside_takes_a_stranger_back_too() -> None:
    desk = Desk(load("S-118", "door-1", "out", OTHER))
    desk.give(walk(10, out=True))
    desk.wait(20)
    desk.give([read("zones", 2, 60 + step) for step in range(3)])
    assert desk.told() == ["out door-1", "moved b"]
    assert [one.reason for one in desk.closed()] == ["came_back"]


def test_a_restart_remembers_what_passed_and_what_is_open() -> None:
    for plan, problem in ((SHIPMENT, Problem.OVER), (load("S-1", "door-1", "out", OTHER), None)):
        desk = Desk(plan)
        desk.give(walk(10, out=True))
        desk.wait(20)
        desk.restart()
        desk.give(walk(40, out=problem is Problem.OVER))
        desk.wait(10)
        if problem is Problem.OVER:
            assert [one.problem for one in desk.opened()] == [Problem.OVER]
        else:
            assert len(desk.closed()) == 1


def test_a_changed_load_replaces_its_lines() -> None:
    desk = Desk(SHIPMENT)
    other = load("S-118", "door-1", "out", OTHER)
    desk.reference.apply(ReferenceChange(key="load/S-118", version=2, value=other))
    assert desk.reference.loads_of(TAG) == []
    assert desk.reference.loads_of(OTHER) == [other]
    desk.reference.apply(ReferenceChange(key="load/S-118", version=1, value=SHIPMENT))
    assert desk.reference.loads_of(OTHER) == [other]
    desk.reference.apply(ReferenceChange(key="load/S-118", version=3, value=None))
    assert desk.reference.loads_of(OTHER) == []
    assert desk.reference.loads_open("door-1", "out", at(10)) == []


def test_an_identity_on_several_loads_finds_the_one_that_is_open() -> None:
    receipt = load("R-5", "door-1", "in", TAG, closes=100)
    desk = Desk(receipt, load("S-118", "door-1", "out", TAG, opens=1_000, closes=2_000))
    desk.give(walk(10))
    desk.wait(1_000)
    desk.give(walk(1_100, out=True))
    desk.wait(10)
    assert [one.load for one in desk.events()] == ["R-5", "S-118"]


def test_looking_up_a_load_does_not_depend_on_how_many_there_are() -> None:
    """200,000 lines in 2,000 loads: ten thousand look-ups, in CPU time, generously bounded."""
    reference = Reference()
    for number in range(2_000):
        names = [f"https://id.gs1.org/01/09506000134352/21/{number}-{n}" for n in range(100)]
        opens = number * 100.0
        plan = load(f"S-{number}", "door-1", "out", *names, opens=opens, closes=opens + 600)
        reference.apply(ReferenceChange(key=f"load/S-{number}", version=1, value=plan))
    began = time.process_time()
    for number in range(10_000):
        found = reference.loads_open("door-1", "out", at(number * 20))
        assert 1 <= len(found) <= 12
        assert reference.loads_of(f"https://id.gs1.org/01/09506000134352/21/{number % 2000}-7")
    assert time.process_time() - began < 5.0
