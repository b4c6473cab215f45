"""One seed decides the whole shift, and the shift is as untidy as a floor is."""

from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from firmware_sim.core.goods import Tag
from firmware_sim.core.layout import DOOR_2
from firmware_sim.core.shift import Shift, shift_of
from firmware_sim.core.signals import eye_changes
from firmware_sim.core.tracks import SECOND
from firmware_sim.parameters import DEFAULT, Scenario, ShiftParameters, with_settings

SEEDS = (1, 2, 3, 4, 5)


def picture(shift: Shift) -> list[tuple[object, ...]]:
    """All that a shift decides, comparable."""
    return [
        (track.from_us, track.until_us, tuple(track.way.x), carried.tag.identity, carried.chance)
        for track in shift.tracks
        for carried in track.carried
    ] + [(scan.at_us, scan.tag.identity) for scan in shift.scans]


def test_the_same_seed_gives_the_same_shift() -> None:
    """To the last tag and microsecond."""
    assert picture(shift_of(7, DEFAULT)) == picture(shift_of(7, DEFAULT))


def test_another_seed_gives_another_shift() -> None:
    """Or a seed would be none."""
    assert picture(shift_of(7, DEFAULT)) != picture(shift_of(8, DEFAULT))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_shift_holds_at_least_what_was_promised(seed: int) -> None:
    """Passages, lingering tags, turn-backs, tags twice within 5 s; each is counted in the plan."""
    shift = shift_of(seed, DEFAULT)
    kinds: Counter[str] = Counter()
    turned: set[int] = set()
    twice = 0
    for track in shift.tracks:
        for episode in track.episodes:
            kinds[episode.kind] += len(track.carried)
            if episode.kind == "turned_back":
                turned.add(track.number)
        told = [episode for episode in track.episodes if episode.kind == "passed"]
        if [episode.direction for episode in told] == ["out", "in"]:
            assert told[1].at_us - told[0].at_us <= 5 * SECOND
            twice += len(track.carried)
    assert kinds["passed"] + len(shift.scans) >= 1_500
    assert kinds["lingered"] >= 30
    assert len(turned) >= 20
    assert twice >= 20
    assert sum(tag.kind == "unit" for tag in shift.goods.tags) == 2_000
    assert 60 <= shift.end_us / SECOND / 60 <= 110


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_in_two_places_at_once(seed: int) -> None:
    """A tag's tracks and scans never overlap in time."""
    shift = shift_of(seed, DEFAULT)
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for track in shift.tracks:
        for carried in track.carried:
            spans[carried.tag.identity].append((track.from_us, track.until_us))
    for scan in shift.scans:
        spans[scan.tag.identity].append((scan.at_us, scan.at_us))
    for identity, found in spans.items():
        found.sort()
        for (_, until_us), (from_us, _) in pairwise(found):
            assert until_us <= from_us, identity


@pytest.mark.parametrize("seed", SEEDS)
def test_the_lane_of_a_door_holds_one_carrier_at_a_time(seed: int) -> None:
    """Carriers that break beams do not drive through each other."""
    shift = shift_of(seed, DEFAULT)
    for floor, lane in (("dock", 0.0), ("dock", -3.6), ("gate-3", 0.0)):
        spans = sorted(
            (track.from_us, track.until_us)
            for track in shift.tracks
            if track.floor == floor and track.breaks_beams and abs(track.way.y[0] - lane) < 1.5
        )
        overlaps = sum(before[1] > after[0] for before, after in pairwise(spans))
        assert overlaps <= 2  # A cart at the wrong door may meet that door's own traffic.


def passed_through(shift: Shift) -> dict[str, set[tuple[str, str | None]]]:
    """Identity to the gates and directions of its passages."""
    found: dict[str, set[tuple[str, str | None]]] = defaultdict(set)
    for track in shift.tracks:
        for episode in track.episodes:
            if episode.kind == "passed":
                for carried in track.carried:
                    found[carried.tag.identity].add((episode.gate, episode.direction))
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_loads_pass_as_planned_but_for_the_faults_written_down(seed: int) -> None:
    """Every line's identity passes its gate in its direction, unless the truth says missing."""
    shift = shift_of(seed, DEFAULT)
    passed = passed_through(shift)
    for load in shift.loads:
        missing = {
            identity
            for fault in shift.faults
            if fault.problem == "missing" and fault.load == load.name
            for identity in fault.identities
        }
        unseen = {
            line.identity
            for line in load.lines
            if line.identity and (load.gate, load.direction) not in passed[line.identity]
        }
        assert unseen == missing, load.name


@pytest.mark.parametrize("seed", SEEDS)
def test_every_kind_of_fault_is_there_and_true(seed: int) -> None:
    """Short, stranger, over and wrong door; strangers are on no line of any load."""
    shift = shift_of(seed, DEFAULT)
    problems = Counter(fault.problem for fault in shift.faults if fault.consequence_of is None)
    assert problems == {"missing": 3, "stranger": 2, "over": 2, "wrong_door": 2}
    planned = {line.identity for load in shift.loads for line in load.lines}
    passed = passed_through(shift)
    for fault in shift.faults:
        if fault.problem == "stranger":
            assert not planned & set(fault.identities)
            assert all(
                fault.location in {gate for gate, _ in passed[name]} for name in fault.identities
            )
        if fault.problem == "wrong_door":
            load = next(load for load in shift.loads if load.name == fault.load)
            assert fault.location != load.gate


def test_all_identities_are_different() -> None:
    """Two tags with one name would make every later claim worthless."""
    tags: list[Tag] = shift_of(3, DEFAULT).goods.tags
    assert len({tag.identity for tag in tags}) == len(tags)
    assert len({tag.epc for tag in tags}) == len(tags)


def test_photo_eyes_alternate_and_tell_the_direction_of_a_carrier() -> None:
    """Each eye goes on and off in turn; a passage breaks the eye on its side first."""
    shift = shift_of(2, DEFAULT)
    changes = eye_changes(DOOR_2, shift.tracks)
    for port in (1, 2):
        states = [change.active for change in changes if change.port == port]
        assert states == [place % 2 == 0 for place in range(len(states))]
    outward = [
        episode
        for track in shift.tracks
        for episode in track.episodes
        if (episode.gate, episode.kind, episode.direction) == ("door-2", "passed", "out")
    ]
    assert len(outward) > 10
    right = 0
    for episode in outward:
        first = next(c for c in changes if c.at_us >= episode.from_us and c.active)
        right += first.port == 2
    assert right == len(outward)


def test_a_setting_changes_the_scenario_and_a_wrong_name_is_told() -> None:
    """`--set` reaches both parts."""
    changed = with_settings(DEFAULT, ["read_rate=0.5", "loads_per_door=3"])
    assert changed.signal.read_rate == 0.5
    assert len(shift_of(1, changed).loads) == 6
    reader = with_settings(DEFAULT, ["door-1.reboots_s=[300]", "gate-9.utc_clock=false"]).readers
    assert reader["door-1"].reboots_s == (300,)
    assert reader["door-1"].drift_ppm == DEFAULT.readers["door-1"].drift_ppm
    assert not reader["gate-9"].utc_clock
    for wrong in ("red_rate=0.5", "door-1.colour=3"):
        with pytest.raises(ValueError, match="no parameter"):
            with_settings(DEFAULT, [wrong])
    for wrong in ("read_rate=much", 'read_rate="much"', "door-1.reboots_s=3"):
        with pytest.raises(ValueError, match=wrong):
            with_settings(DEFAULT, [wrong])


def test_a_tiny_shift_is_a_shift_too() -> None:
    """Few loads and units, for quick rehearsals."""
    small = Scenario(
        shift=ShiftParameters(
            units=500, loads_per_door=1, lingering_groups=2, turned_back=1, carried_past=1
        )
    )
    shift = shift_of(1, small)
    assert len(shift.loads) == 2
    assert shift.goods.units_left == 0
