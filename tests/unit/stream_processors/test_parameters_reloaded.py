"""Parameters of zones and gates change while windows are open: nothing is lost, nothing doubled."""

from __future__ import annotations

import sys
from random import Random

import msgspec
import pytest
from dock_desk import SECOND, TAG, Desk, at, read, site, walk
from test_stage_memory import SCENE

from contracts.places import ReferenceChange, SiteMap, ZoneParameters
from contracts.reads import GateSignal, Read

SLOW = ZoneParameters(silence_us=8 * SECOND, memory_us=20 * SECOND)
FAST = ZoneParameters(silence_us=2 * SECOND, memory_us=5 * SECOND, sighting_us_max=10 * SECOND)
CONTINUOUS = ZoneParameters(continuous=True, departure_us=30 * SECOND)


def changed(parameters: ZoneParameters) -> SiteMap:
    """The desk's site with the same parameters everywhere."""
    base = site()
    return msgspec.structs.replace(
        base,
        zones=tuple(msgspec.structs.replace(z, parameters=parameters) for z in base.zones),
        gates=tuple(msgspec.structs.replace(g, parameters=parameters) for g in base.gates),
    )


class Reloading:
    """Counts the versions of a desk's site up."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._version = 1

    def take(self, site_map: SiteMap) -> None:
        """The next version of the site arrives."""
        self._version += 1
        change = ReferenceChange(key="site", version=self._version, value=site_map)
        self._desk.reference.apply(change)


def test_a_shorter_silence_closes_a_gate_that_is_open() -> None:
    desk = Desk(site_map=changed(SLOW))
    desk.give(walk(10))
    desk.wait(4)
    assert desk.told() == []
    Reloading(desk).take(changed(FAST))
    desk.tick()
    assert desk.told() == ["in door-1"]
    desk.wait(30)
    assert desk.told() == ["in door-1"]
    assert desk.reads_told() == {TAG: 12}


def test_a_longer_silence_keeps_a_gate_open_for_the_rest_of_a_passage() -> None:
    """What comes 6 s later belongs to the visit now, and is told with it, once."""
    desk = Desk(site_map=changed(ZoneParameters(silence_us=3 * SECOND)))
    desk.give(walk(10))
    Reloading(desk).take(changed(SLOW))
    desk.give([read("door-1", 4, 17, -66.0)])
    desk.wait(40)
    assert desk.told() == ["in door-1"]
    assert desk.reads_told() == {TAG: 13}
    assert len(desk.evidence) == 1


def test_a_shorter_memory_counts_for_a_stay_that_is_open() -> None:
    desk = Desk(site_map=changed(SLOW))
    desk.give([read("zones", 1, 10)])
    Reloading(desk).take(changed(FAST))
    desk.wait(8)
    desk.give([read("zones", 1, 19)])
    assert desk.told() == []
    desk.give([read("zones", 1, 20)])
    assert desk.told() == ["arrived a"]
    desk.wait(60)
    assert desk.reads_told() == {TAG: 3}


def test_a_zone_that_becomes_continuous_departs_who_is_silent_after_a_full_period() -> None:
    desk = Desk()
    desk.give([read("zones", 1, 10), read("zones", 1, 11)])
    desk.wait(300)
    reloading = Reloading(desk)
    reloading.take(site(a=CONTINUOUS))
    desk.wait(25)
    assert desk.told() == ["arrived a"]
    desk.wait(10)
    assert desk.told() == ["arrived a", "departed a"]


def test_a_zone_that_is_continuous_no_more_departs_nobody() -> None:
    desk = Desk(site_map=site(a=CONTINUOUS))
    desk.give([read("zones", 1, 10), read("zones", 1, 11)])
    desk.wait(20)
    Reloading(desk).take(site())
    desk.wait(300)
    assert desk.told() == ["arrived a"]


@pytest.mark.parametrize("seed", range(1, 7))
def test_changes_at_any_moment_neither_lose_nor_double_a_decision(seed: int) -> None:
    """A whole scene, its parameters changed at random ticks and back: the same passages."""
    sys.stdout.write(f"seed {seed}\n")
    dice = Random(seed)
    plain, tried = Desk(), Desk()
    reloading = Reloading(tried)
    moments = {dice.randrange(400) for _ in range(12)}
    near = [
        ZoneParameters(),
        ZoneParameters(silence_us=4_500_000, sighting_us_max=40 * SECOND),
        ZoneParameters(silence_us=3_500_000, incomplete_us=50 * SECOND),
    ]
    done = 0
    for number in range(700):
        until = at(plain.now + 0.2)
        if number in moments:
            reloading.take(changed(dice.choice(near)))
        while done < len(SCENE) and SCENE[done].received_us < until:
            for desk in (plain, tried):
                _take(desk, SCENE[done])
            done += 1
        plain.tick()
        tried.tick()
    passed = [sorted(desk.told(one) for one in _identities(desk)) for desk in (plain, tried)]
    assert passed[0] == passed[1]
    assert plain.reads_told() == tried.reads_told()
    ids = [entry.id for entry in tried.entries]
    assert len(ids) == len(set(ids))


def _identities(desk: Desk) -> set[str]:
    return {entry.identity for entry in desk.entries if entry.identity}


def _take(desk: Desk, one: Read | GateSignal) -> None:
    if isinstance(one, Read):
        desk.give_late([one])
    else:
        desk._take(desk.stages.take_signals([one], "dock"))
