"""Weaknesses found in the field's reference by running it: each is named, and is not ours."""

from __future__ import annotations

import msgspec
from dock_desk import SECOND, TAG, Desk, at, read, reference_of, site, walk

from contracts.places import ZoneParameters
from stream_processors.core.understanding import Understanding

CONTINUOUS = ZoneParameters(continuous=True, departure_us=60 * SECOND)


def test_one_stray_read_at_any_antenna_neither_arrives_nor_moves_nor_passes() -> None:
    for device, antenna in (("zones", 1), ("zones", 4), ("plain", 1), ("door-1", 2), ("door-2", 1)):
        desk = Desk()
        desk.give([read(device, antenna, 10, -35)])
        desk.wait(30)
        assert desk.told() == []
        assert desk.reads_told() == {TAG: 1}


def test_silence_and_then_two_weak_strays_never_beat_a_strong_home_however_long_the_silence() -> (
    None
):
    for silence in (9.0, 10.5, 30.0, 600.0):
        desk = Desk()
        desk.give([read("zones", 1, 10 + step, -40) for step in range(5)])
        desk.wait(silence)
        again = desk.now + 1
        desk.give([read("zones", 2, again, -90), read("zones", 2, again + 0.5, -90)])
        desk.wait(30)
        assert desk.told() == ["arrived a"]


def test_a_first_read_without_antenna_arrives_at_no_place_that_does_not_exist() -> None:
    """A device of several places: the read is a reject. One of a single place: it is that place."""
    desk = Desk()
    desk.give([read("zones", 0, 10), read("zones", 0, 11), read("zones", 0, 12)])
    desk.wait(20)
    assert desk.told() == []
    assert desk.reads_told() == {TAG: 3}
    desk.give([read("plain", 0, 40), read("plain", 0, 41)])
    assert desk.told() == ["arrived a"]


def test_a_home_without_rssi_does_not_lose_its_tag_to_one_strong_read_elsewhere() -> None:
    desk = Desk()
    desk.give([read("plain", 1, 10 + step, None) for step in range(5)])
    desk.give([read("zones", 2, 14.5, -30)])
    desk.wait(30)
    assert desk.told() == ["arrived a"]


def test_reads_without_rssi_at_all_still_arrive_and_move() -> None:
    desk = Desk()
    desk.give([read("zones", 1, 10 + step, None) for step in range(3)])
    desk.give([read("zones", 2, 40 + step, None) for step in range(12)])
    assert desk.told() == ["arrived a", "moved b"]


def test_a_read_without_timestamp_departs_nothing_and_moves_nothing_back() -> None:
    """No clock: 1970. It counts at its receipt, for the place that it was read at."""
    desk = Desk(site_map=site(a=CONTINUOUS))
    desk.give([read("zones", 1, 10), read("zones", 1, 11)])
    desk.give([read("zones", 1, 40, clock_s=-1_772_416_800)])
    desk.wait(50)
    assert desk.told() == ["arrived a"]
    desk.wait(40)
    assert desk.told() == ["arrived a", "departed a"]


def test_a_reader_clock_in_the_future_keeps_no_tag_present() -> None:
    desk = Desk(site_map=site(a=CONTINUOUS))
    desk.give([read("zones", 1, 10 + step, clock_s=86_400) for step in range(5)])
    desk.wait(100)
    assert desk.told() == ["arrived a", "departed a"]
    assert all(event.at_us <= at(desk.now) for event in desk.events())


def test_a_clock_that_jumps_into_the_future_while_it_reads_freezes_no_tag() -> None:
    desk = Desk(site_map=site(a=CONTINUOUS))
    desk.give([read("zones", 1, 10 + step) for step in range(5)])
    desk.give([read("zones", 1, 15 + step, clock_s=7_200) for step in range(12)])
    desk.give([read("zones", 2, 28 + step * 0.5, -45, clock_s=7_200) for step in range(14)])
    assert desk.told() == ["arrived a", "moved b"]


def test_on_a_walk_through_three_zones_the_middle_one_is_told_whatever_was_heard_before() -> None:
    """A long stay at home weighs nothing: the mean is bounded in time, not in samples."""
    desk = Desk()
    desk.give([read("zones", 1, 10 + step, -45) for step in range(120)])
    signals = (-60, -53, -47, -46, -52, -60)
    for place in (1, 2):
        begin = 130 + place * 3
        desk.give(
            [read("zones", 1 + place, begin + step * 0.5, dbm) for step, dbm in enumerate(signals)]
        )
    desk.wait(20)
    assert desk.told() == ["arrived a", "moved b", "moved c"]


def test_a_moved_event_has_the_time_of_the_read_that_moved_it_not_of_the_latest() -> None:
    desk = Desk()
    desk.give([read("zones", 1, 10 + step, -60) for step in range(4)])
    later = [read("zones", 2, 40 + step, -50) for step in range(3)]
    newest = read("zones", 2, 43, -50)
    moved = [msgspec.structs.replace(one, received_us=newest.received_us) for one in later]
    while desk.now < 43:
        desk.tick()
    desk.give_late([*moved, newest])
    event = desk.events()[1]
    assert desk.told() == ["arrived a", "moved b"]
    assert event.at_us == at(41)
    assert event.last_us == at(41)


def test_antennas_of_one_zone_pool_their_signals_against_a_heard_home() -> None:
    """Neither antenna of zone a alone is read twice within its memory: together they are."""
    desk = Desk()
    desk.give([read("zones", 2, 10 + step, -62) for step in range(3)])
    desk.give([read("zones", 1, 13.2, -48), read("zones", 5, 13.6, -50)])
    assert desk.told() == ["arrived b", "moved a"]


def test_antennas_of_one_gate_pool_their_reads() -> None:
    """Four antennas, three reads each: one passage, not four times too few reads."""
    desk = Desk()
    desk.give(walk(10))
    desk.wait(12)
    assert desk.told() == ["in door-1"]
    assert len(desk.sightings()[0].antennas) == 4


def test_what_one_report_costs_does_not_grow_with_the_tags_that_are_known() -> None:
    """No snapshot of everything per report: a report changes the keys of its own tag only."""
    stages = Understanding(reference_of(site()))
    stages.restore({}, [(f"raw:{n}", "a", at(0) + n, "arrived") for n in range(5_000)])
    stages.take_tick({"dock": at(9), "hall": at(9)}, at(9))
    stages.memory_change()
    stages.take_reads([read("zones", 1, 10, identity="raw:7")], "hall", at(10))
    stages.take_tick({"dock": at(10), "hall": at(10)}, at(10))
    values, removed = stages.memory_change()
    assert {stages.identity_of(key) for key in values} == {"raw:7", None}
    assert removed == []


def test_a_restart_forgets_neither_places_nor_half_heard_moves() -> None:
    desk = Desk()
    desk.give([read("zones", 1, 10 + step, -60) for step in range(4)])
    desk.give([read("zones", 2, 24, -50)])
    desk.restart()
    desk.give([read("zones", 2, 24.5, -50)])
    assert desk.told() == ["arrived a", "moved b"]
    assert desk.events()[1].previous == "a"


def test_silence_departs_only_where_reading_is_continuous_elsewhere_the_last_passage_holds() -> (
    None
):
    desk = Desk(site_map=site(stage=ZoneParameters(), a=CONTINUOUS))
    desk.give(walk(10))
    desk.wait(3_600)
    assert desk.told() == ["in door-1"]
    desk.give([read("zones", 1, desk.now + 1), read("zones", 1, desk.now + 2)])
    desk.wait(90)
    assert desk.told() == ["in door-1", "moved a", "departed a"]


def test_after_a_recovery_a_full_grace_period_begins_however_long_it_was_down() -> None:
    desk = Desk(site_map=site(a=CONTINUOUS))
    desk.give([read("zones", 1, 10), read("zones", 1, 11)])
    desk.wait(20)
    desk.now += 3_600
    desk.restart()
    desk.wait(55)
    assert desk.told() == ["arrived a"]
    desk.wait(15)
    assert desk.told() == ["arrived a", "departed a"]


def test_an_outage_of_everything_is_no_silence_of_a_tag() -> None:
    """No ticks came for an hour, and nobody was restarted: the hour was not listened to."""
    desk = Desk(site_map=site(a=CONTINUOUS))
    desk.give([read("zones", 1, 10), read("zones", 1, 11)])
    desk.wait(20)
    desk.now += 3_600
    desk.wait(30)
    assert desk.told() == ["arrived a"]
    desk.wait(30)
    assert desk.told() == ["arrived a", "departed a"]


def test_of_two_places_heard_the_louder_one_is_where_a_tag_arrives() -> None:
    """The fainter antenna was the first to read it often enough."""
    desk = Desk()
    reads = [read("zones", 1, 10, -62), read("zones", 2, 10.2, -48), read("zones", 1, 10.4, -62)]
    desk.give(reads)
    assert desk.told() == []
    desk.give([read("zones", 2, 10.8, -49)])
    assert desk.told() == ["arrived b"]


def test_one_old_read_does_not_make_a_place_blind() -> None:
    """It was made before the newest event and came after it; what is heard there then is news."""
    desk = Desk()
    desk.give([read("zones", 1, 10, -60), read("zones", 1, 11, -60)])
    old = msgspec.structs.replace(read("zones", 2, 10.9, -45), received_us=at(11.3))
    desk.give([old, *(read("zones", 2, 12 + step / 2, -45) for step in range(20))])
    assert desk.told() == ["arrived a", "moved b"]
    assert not any(event.late for event in desk.events())
