"""Hard scenes in zones, simulated with their truth: aisles, shelves and rooms."""

from __future__ import annotations

import sys

import pytest

from benchmarks.places import judged, told_of
from firmware_sim.rooms import SECOND, aisle, rooms, shelves

SEEDS = (1, 2)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cart_through_three_zones_in_a_row_is_told_in_the_middle_one(seed: int) -> None:
    sys.stdout.write(f"seed {seed}\n")
    scene = aisle(seed)
    told = told_of(scene)
    walks = [[place.zone for place in told[identity]] for identity in scene.ways]
    # One cart in thirty is heard in the middle by both ends as loud as by the middle itself.
    assert sum("middle" in walk for walk in walks) >= 11
    assert all(walk[-1] == "last" for walk in walks)
    assert judged(scene, told).false <= 1


@pytest.mark.parametrize("seed", SEEDS)
def test_goods_on_shelves_stay_for_hours_where_they_are_though_neighbours_hear_them(
    seed: int,
) -> None:
    sys.stdout.write(f"seed {seed}\n")
    scene = shelves(seed)
    resting = [identity for identity, way in scene.ways.items() if len(way) == 2]
    told = told_of(scene)
    assert len(resting) == 30
    steady = [identity for identity in resting if len(told[identity]) == 1]
    assert len(steady) >= 26
    home = {identity: scene.zones[scene.zone_at(scene.ways[identity][0][1])] for identity in steady}
    assert sum(told[one][0].zone == zone for one, zone in home.items()) >= 0.9 * len(steady)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_put_on_another_shelf_is_found_there(seed: int) -> None:
    sys.stdout.write(f"seed {seed}\n")
    scene = shelves(seed)
    told = told_of(scene)
    moved = [identity for identity, way in scene.ways.items() if len(way) == 4]
    there = {one: scene.zones[scene.zone_at(scene.ways[one][-1][1])] for one in moved}
    assert len(moved) == 10
    assert sum(told[one][-1].zone == zone for one, zone in there.items()) >= 8


@pytest.mark.parametrize("seed", SEEDS)
def test_a_badge_is_in_the_room_whose_gateway_hears_it_best_whatever_bodies_and_fading_take(
    seed: int,
) -> None:
    """Every stay of a minute or more is found, soon; between them nothing flutters."""
    sys.stdout.write(f"seed {seed}\n")
    scene = rooms(seed)
    verdict = judged(scene, told_of(scene))
    assert verdict.stays >= 40
    assert verdict.found == verdict.stays
    assert max(verdict.late_us) <= 30 * SECOND
    assert verdict.right_us >= 0.94 * verdict.time_us
    assert verdict.false <= 0.3 * verdict.stays
