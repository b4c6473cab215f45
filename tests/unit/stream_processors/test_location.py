"""Zones: arrived, moved, departed; one test for each weakness of the field's reference."""

from __future__ import annotations

from dock_desk import SECOND, TAG, Desk, at, read, site, walk

from contracts.places import ReferenceChange, ZoneParameters

CONTINUOUS = ZoneParameters(continuous=True, departure_us=60 * SECOND)


def test_two_reads_arrive_and_one_does_not() -> None:
    desk = Desk()
    desk.give([read("zones", 1, 10)])
    assert desk.told() == []
    desk.give([read("zones", 1, 11)])
    assert desk.told() == ["arrived a"]
    assert desk.events()[0].at_us == at(11)


def test_a_tag_that_stays_is_told_once() -> None:
    desk = Desk()
    desk.give([read("zones", 1, 10 + step) for step in range(100)])
    desk.wait(20)
    assert desk.told() == ["arrived a"]


def test_one_stray_read_never_moves_a_tag() -> None:
    desk = Desk()
    desk.give([read("zones", 1, 10 + step, -60) for step in range(5)])
    desk.give([read("zones", 2, 16, -35)])
    desk.wait(30)
    assert desk.told() == ["arrived a"]


def test_two_weak_strays_do_not_beat_a_strong_home_after_ten_seconds_of_silence() -> None:
    desk = Desk()
    desk.give([read("zones", 1, 10 + step, -40) for step in range(5)])
    desk.give([read("zones", 2, 25, -90), read("zones", 2, 25.5, -90)])
    desk.give([read("zones", 2, 26, -79), read("zones", 2, 26.5, -79)])
    assert desk.told() == ["arrived a"]
    desk.give([read("zones", 2, 27 + step, -50) for step in range(4)])
    assert desk.told() == ["arrived a", "moved b"]


def test_reads_below_the_signal_floor_arrive_nowhere() -> None:
    desk = Desk()
    desk.give([read("zones", 1, 10 + step, -85) for step in range(20)])
    desk.wait(30)
    assert desk.told() == []
    assert desk.reads_told() == {TAG: 20}


def test_a_home_without_signals_does_not_lose_to_one_read_elsewhere() -> None:
    desk = Desk()
    desk.give([read("plain", 1, 10 + step, None) for step in range(5)])
    desk.give([read("zones", 2, 15, -40)])
    assert desk.told() == ["arrived a"]
    desk.give([read("zones", 2, 20 + step * 0.5, -45) for step in range(12)])
    assert desk.told() == ["arrived a", "moved b"]


def test_a_read_without_time_does_not_depart_the_tag() -> None:
    """A reader without clock says 1970: the receipt is believed instead."""
    desk = Desk(site_map=site(a=CONTINUOUS))
    desk.give([read("zones", 1, 10), read("zones", 1, 11)])
    desk.give([read("zones", 1, 12, clock_s=-1_700_000_000)])
    desk.wait(40)
    assert desk.told() == ["arrived a"]


def test_a_clock_in_the_future_does_not_keep_a_tag_present() -> None:
    desk = Desk(site_map=site(a=CONTINUOUS))
    desk.give([read("zones", 1, 10 + step, clock_s=1_000_000) for step in range(5)])
    desk.wait(100)
    assert desk.told() == ["arrived a", "departed a"]
    assert desk.events()[0].at_us <= at(11.2)


def test_a_walk_through_three_zones_misses_none() -> None:
    desk = Desk()
    for place in range(3):
        signals = (-62, -54, -48, -47, -53, -60)
        desk.give(
            [
                read("zones", 1 + place, 10 + place * 3 + step * 0.5, dbm)
                for step, dbm in enumerate(signals)
            ]
        )
    desk.wait(20)
    assert desk.told() == ["arrived a", "moved b", "moved c"]


def test_a_moved_event_carries_the_time_of_the_read_that_moved_it() -> None:
    desk = Desk()
    desk.give([read("zones", 1, 10 + step, -60) for step in range(4)])
    desk.give([read("zones", 2, 30 + step, -50) for step in range(30)])
    desk.wait(20)
    event = desk.events()[1]
    assert event.previous == "a"
    assert event.at_us in (at(31), at(32))


def test_antennas_of_one_zone_pool_their_reads() -> None:
    desk = Desk()
    desk.give([read("zones", 1, 10), read("zones", 5, 10.4)])
    assert desk.told() == ["arrived a"]


def test_silence_departs_only_in_zones_that_are_always_read() -> None:
    desk = Desk(site_map=site(a=CONTINUOUS))
    desk.give([read("zones", 1, 10), read("zones", 1, 11)])
    desk.give([read("zones", 2, 12, identity="raw:b"), read("zones", 2, 13, identity="raw:b")])
    desk.wait(400)
    assert desk.told() == ["arrived a", "departed a"]
    assert desk.told("raw:b") == ["arrived b"]
    assert at(11 + 60) <= desk.events()[1].at_us <= at(11 + 62)


def test_a_silent_gateway_departs_nobody() -> None:
    desk = Desk(site_map=site(a=CONTINUOUS))
    desk.give([read("zones", 1, 10), read("zones", 1, 11)])
    desk.silent.add("hall")
    desk.wait(600)
    assert desk.told() == ["arrived a"]
    desk.silent.clear()
    desk.wait(30)
    assert desk.told() == ["arrived a"]
    desk.wait(60)
    assert desk.told() == ["arrived a", "departed a"]


def test_after_a_restart_a_resting_tag_gets_a_full_grace_period() -> None:
    desk = Desk(site_map=site(a=CONTINUOUS))
    desk.give([read("zones", 1, 10), read("zones", 1, 11)])
    desk.wait(50)
    desk.restart()
    desk.wait(50)
    assert desk.told() == ["arrived a"]
    desk.wait(20)
    assert desk.told() == ["arrived a", "departed a"]


def test_a_departed_tag_arrives_again() -> None:
    desk = Desk(site_map=site(a=CONTINUOUS))
    desk.give([read("zones", 1, 10), read("zones", 1, 11)])
    desk.wait(90)
    desk.give([read("zones", 1, 110), read("zones", 1, 111)])
    assert desk.told() == ["arrived a", "departed a", "arrived a"]


def test_a_missed_exit_heals_at_the_next_sure_read() -> None:
    desk = Desk()
    desk.give(walk(10))
    desk.wait(10)
    desk.give([read("zones", 2, 60 + step) for step in range(3)])
    assert desk.told() == ["in door-1", "moved b"]
    assert desk.events()[1].previous == "stage"


def test_echoes_of_the_zone_just_left_do_not_bring_a_tag_back() -> None:
    desk = Desk()
    desk.give([read("zones", 4, 1 + step, -55) for step in range(6)])
    desk.give([*walk(10, out=True), *(read("zones", 4, 9 + step * 0.5, -72) for step in range(8))])
    desk.wait(12)
    assert desk.told() == ["arrived stage", "out door-1"]


def test_a_sure_read_in_the_zone_behind_settles_a_passage_before_its_silence() -> None:
    desk = Desk()
    desk.give([*walk(10), read("zones", 4, 12, -50), read("zones", 4, 12.4, -50)])
    assert desk.told() == ["in door-1"]
    desk.wait(10)
    assert desk.told() == ["in door-1"]


def test_late_reads_in_a_zone_are_told_late_and_move_nothing() -> None:
    desk = Desk()
    desk.give([read("zones", 2, 100), read("zones", 2, 101)])
    desk.give_late([read("zones", 1, 60), read("zones", 1, 61)])
    desk.wait(20)
    assert desk.told() == ["arrived b", "arrived a"]
    assert desk.events()[1].late
    assert desk.events()[1].at_us == at(61)
    desk.give([read("zones", 2, 130 + step) for step in range(3)])
    assert len(desk.events()) == 2


def test_parameters_are_taken_over_while_running() -> None:
    desk = Desk()
    desk.give([read("zones", 1, 10)])
    strict = site(a=ZoneParameters(reads_min=5))
    desk.reference.apply(ReferenceChange(key="site", version=2, value=strict))
    desk.give([read("zones", 1, 11 + step * 0.5) for step in range(3)])
    assert desk.told() == []
    desk.give([read("zones", 1, 13)])
    assert desk.told() == ["arrived a"]
    desk.wait(20)
    assert desk.reads_told() == {TAG: 5}
