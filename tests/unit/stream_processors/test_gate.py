"""Gates: which way, turned back, twice, strays, company, photo-eyes, settled by the next read."""

from __future__ import annotations

import msgspec
from dock_desk import OTHER, TAG, Desk, at, eyes, read, site, walk

from contracts.events import Direction, LocationKind
from contracts.places import SiteMap

GROUP = [f"https://id.gs1.org/01/09506000134352/21/9{number}" for number in range(8)]


def passed(desk: Desk, identity: str = TAG) -> list[str]:
    return [one for one in desk.told(identity) if one.startswith(("in ", "out "))]


def test_outer_row_before_inner_row_is_in() -> None:
    desk = Desk()
    desk.give(walk(10))
    desk.wait(10)
    assert desk.told() == ["in door-1"]
    event = desk.events()[0]
    assert event.basis == "antenna_order"
    assert event.confidence > 0.9
    assert abs(event.at_us - read("door-1", 1, 10).last_us) < 700_000
    assert event.sightings == (desk.evidence[0].id,)
    assert desk.evidence[0].entry == desk.entries[0].id


def test_inner_row_before_outer_row_is_out() -> None:
    desk = Desk()
    desk.give(walk(10, out=True))
    desk.wait(10)
    assert desk.told() == ["out door-1"]


def test_a_passage_is_told_within_five_seconds_of_its_last_read() -> None:
    desk = Desk()
    desk.give(walk(10))
    last = desk.now
    while not desk.entries:
        desk.tick()
    assert desk.now - last < 5.0


def test_one_stray_read_moves_nothing() -> None:
    desk = Desk()
    desk.give([read("door-1", 1, 10)])
    desk.wait(20)
    assert desk.told() == []
    assert desk.reads_told() == {TAG: 1}


def test_a_tag_that_lingers_beside_the_door_for_minutes_is_evidence_only() -> None:
    desk = Desk()
    lingering = [
        read("door-1", 3 + step % 2, 10 + step * 0.7, -66.0 + step % 3) for step in range(300)
    ]
    desk.give(lingering)
    desk.wait(20)
    assert passed(desk) == []
    assert desk.reads_told() == {TAG: 300}
    assert len(desk.evidence) >= 3
    assert all(row.entry is None for row in desk.evidence)


def test_a_tag_that_waited_beside_the_door_still_passes() -> None:
    desk = Desk()
    desk.give([read("door-1", 3, 10 + step * 0.7, -66.0) for step in range(60)])
    desk.give(walk(55, out=True))
    desk.wait(12)
    assert passed(desk) == ["out door-1"]


def test_a_turn_back_inside_the_gate_moves_nothing() -> None:
    desk = Desk()
    signals = (-66, -58, -50, -46, -49, -57)
    there = [read("door-1", 1 + n % 2, 10 + n * 0.25, dbm) for n, dbm in enumerate(signals)]
    still = [read("door-1", 3, 11.6 + n * 0.25, -64.0) for n in range(5)]
    back = [read("door-1", 1 + n % 2, 13 + n * 0.25, dbm) for n, dbm in enumerate(signals)]
    desk.give([*there, *still, *back])
    desk.wait(12)
    assert desk.told() == ["turned_back door-1"]


def test_out_and_in_again_within_five_seconds_is_two_events() -> None:
    desk = Desk()
    desk.give([*walk(10, out=True), *walk(14.5)])
    desk.wait(12)
    assert desk.told() == ["out door-1", "in door-1"]
    first, second = desk.events()
    assert first.at_us < second.at_us
    assert desk.reads_told() == {TAG: 24}


def test_two_reads_in_a_pallet_that_passes_pass_with_it() -> None:
    """Misses are correlated: a hidden tag gives a read or two while its company gives dozens."""
    desk = Desk()
    reads = [one for name in GROUP for one in walk(10, out=True, identity=name)]
    hidden = [read("door-1", 3, 8.9, -58.0), read("door-1", 1, 10.6, -57.0)]
    desk.give([*reads, *hidden])
    desk.wait(12)
    assert passed(desk) == ["out door-1"]
    alone = Desk()
    alone.give([hidden[0]])
    alone.wait(12)
    assert passed(alone) == []


def test_a_tag_known_to_wait_beside_the_door_does_not_leave_with_a_pallet() -> None:
    desk = Desk()
    desk.give([read("door-1", 3, 10 + step, -67.0) for step in range(40)])
    group = [one for name in GROUP for one in walk(62, out=True, identity=name)]
    lingering = [read("door-1", 3, 59 + step, -67.0) for step in range(6)]
    desk.give([*group, *lingering])
    desk.wait(12)
    assert passed(desk) == []
    assert all(passed(desk, name) == ["out door-1"] for name in GROUP)


def test_cross_talk_of_the_neighbouring_door_is_evidence_only() -> None:
    desk = Desk()
    passing = walk(10)
    talk = [read("door-2", 1 + n % 2, 9 + n * 0.5, -70.0) for n in range(4)]
    desk.give([*passing, *talk], eyes(10))
    desk.wait(12)
    assert desk.told() == ["in door-1"]
    assert desk.reads_told() == {TAG: 16}


def test_photo_eyes_tell_the_direction_where_antennas_face() -> None:
    for out, told in ((False, "in door-2"), (True, "out door-2")):
        desk = Desk()
        reads = [read("door-2", 1 + n % 2, 9.4 + n * 0.2, -48.0 - 2 * abs(n - 4)) for n in range(9)]
        desk.give(reads, eyes(10, out=out))
        desk.wait(12)
        assert desk.told() == [told]
        assert desk.events()[0].basis == "photo_eye"


def test_repeated_signals_change_nothing() -> None:
    desk = Desk()
    reads = [read("door-2", 1 + n % 2, 9.4 + n * 0.2, -48.0 - 2 * abs(n - 4)) for n in range(9)]
    desk.give(reads, [*eyes(10), *eyes(10)])
    desk.wait(12)
    assert desk.told() == ["in door-2"]


def test_without_order_or_eyes_the_zone_before_tells_the_direction() -> None:
    desk = Desk()
    desk.give(walk(10))
    desk.wait(10)
    reads = [read("door-2", 1 + n % 2, 39.4 + n * 0.2, -48.0 - 2 * abs(n - 4)) for n in range(9)]
    desk.give(reads, eyes(40, out=True))
    desk.wait(12)
    assert desk.told() == ["in door-1", "out door-2"]
    assert desk.events()[1].previous == "stage"


def test_an_undecided_passage_is_settled_by_the_next_sure_one() -> None:
    """Nobody knew where it was: told as unknown. Then it goes out of door-1, from staging."""
    desk = Desk(site_map=_without_eyes())
    reads = [read("door-2", 1 + n % 2, 9.4 + n * 0.2, -48.0 - 2 * abs(n - 4)) for n in range(9)]
    desk.give(reads)
    desk.wait(14)
    assert desk.told() == ["unknown door-2"]
    desk.give(walk(60, out=True))
    desk.wait(12)
    assert desk.told() == ["unknown door-2", "in door-2", "out door-1"]
    first, settled, last = desk.events()
    assert settled.at_us == first.at_us
    assert settled.basis == "neighbour"
    assert settled.sightings == first.sightings
    assert last.previous == "stage"


def test_turning_back_tells_where_an_undecided_passage_led() -> None:
    desk = Desk(site_map=_without_eyes())
    reads = [read("door-2", 1 + n % 2, 9.4 + n * 0.2, -48.0 - 2 * abs(n - 4)) for n in range(9)]
    desk.give(reads)
    desk.wait(14)
    signals = (-66, -58, -50, -46, -49, -57)
    there = [read("door-1", 3 + n % 2, 40 + n * 0.25, dbm) for n, dbm in enumerate(signals)]
    still = [read("door-1", 1, 41.6 + n * 0.25, -64.0) for n in range(5)]
    back = [read("door-1", 3 + n % 2, 43 + n * 0.25, dbm) for n, dbm in enumerate(signals)]
    desk.give([*there, *still, *back])
    desk.wait(12)
    assert desk.told() == ["unknown door-2", "in door-2", "turned_back door-1"]


def test_what_is_settled_leaves_nothing_undecided_behind() -> None:
    desk = Desk(site_map=_without_eyes())
    reads = [read("door-2", 1 + n % 2, 9.4 + n * 0.2, -48.0 - 2 * abs(n - 4)) for n in range(9)]
    desk.give(reads)
    desk.wait(700)
    assert any(key.startswith("i/") for key in desk.stages.memory_snapshot())
    desk.give(walk(720, out=True))
    desk.wait(700)
    assert not any(key.startswith("i/") for key in desk.stages.memory_snapshot())


def test_an_undecided_passage_is_settled_after_a_restart_too() -> None:
    desk = Desk(site_map=_without_eyes())
    reads = [read("door-2", 1 + n % 2, 9.4 + n * 0.2, -48.0 - 2 * abs(n - 4)) for n in range(9)]
    desk.give(reads)
    desk.wait(14)
    desk.restart()
    desk.give(walk(60, out=True))
    desk.wait(12)
    assert desk.told() == ["unknown door-2", "in door-2", "out door-1"]


def test_a_silent_gateway_stops_its_gate_and_then_closes_windows_incomplete() -> None:
    desk = Desk()
    desk.give(walk(10))
    desk.silent.add("dock")
    desk.wait(50)
    assert desk.told() == []
    desk.wait(20)
    assert desk.told() == ["in door-1"]
    assert desk.events()[0].incomplete
    assert desk.sightings()[0].incomplete


def test_a_passage_reported_late_is_told_at_its_own_time_and_moves_nothing() -> None:
    desk = Desk()
    desk.give(walk(100, out=True))
    desk.wait(10)
    late = [msgspec.structs.replace(one, received_us=at(desk.now)) for one in walk(60)]
    desk.give_late(late)
    desk.wait(12)
    assert desk.told() == ["out door-1", "in door-1"]
    event = desk.events()[1]
    assert event.late
    assert event.at_us < desk.events()[0].at_us
    desk.give(walk(desk.now + 5))
    desk.wait(10)
    assert desk.events()[2].previous == "yard"
    assert desk.events()[2].kind is LocationKind.PASSED


def test_a_conveyor_passes_in_its_direction_at_once_and_once() -> None:
    desk = Desk()
    scans = [read("scanner", 0, moment, None) for moment in (10, 10.2, 10.6, 30)]
    desk.give(scans[:1])
    assert desk.told() == ["in belt"]
    desk.give(scans[1:])
    desk.wait(5)
    assert desk.told() == ["in belt", "in belt"]
    assert desk.events()[0].direction is Direction.IN
    assert desk.reads_told() == {TAG: 4}


def test_the_same_reads_of_two_tags_do_not_mix() -> None:
    desk = Desk()
    desk.give([*walk(10), *walk(10, out=True, identity=OTHER)])
    desk.wait(12)
    assert desk.told(TAG) == ["in door-1"]
    assert desk.told(OTHER) == ["out door-1"]


def _without_eyes() -> SiteMap:
    return msgspec.structs.replace(site(), signals=())
