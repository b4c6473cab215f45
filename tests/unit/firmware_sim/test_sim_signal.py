"""The signal model is as hard as promised; every random test prints its seed."""

import statistics
import sys
from collections import Counter, defaultdict

import pytest

from firmware_sim.core.dice import key_of, throw
from firmware_sim.core.inventory import Heard, Inventory, Settings
from firmware_sim.core.layout import DOOR_1, READERS, Reader, reader_of
from firmware_sim.core.shift import Shift, shift_of
from firmware_sim.core.tracks import SECOND, Track
from firmware_sim.offline import right_settings
from firmware_sim.parameters import DEFAULT, Scenario, SignalParameters, with_settings

SEED = 11


@pytest.fixture(scope="module")
def shift() -> Shift:
    """One shift for all tests here; nothing counts on it."""
    sys.stdout.write(f"seed {SEED}\n")
    return shift_of(SEED, DEFAULT)


def inventory(shift: Shift, reader: Reader, tracks: list[Track] | None = None) -> Inventory:
    """A reader's ear over some of the shift's tracks."""
    return Inventory(
        reader=reader,
        tracks=shift.tracks if tracks is None else tracks,
        signal=shift.scenario.signal,
        seed=shift.seed,
    )


def passing(shift: Shift, gate: str) -> list[Track]:
    """Tracks that pass a gate once."""
    return [
        track
        for track in shift.tracks
        if [episode.kind for episode in track.episodes if episode.gate == gate] == ["passed"]
    ]


def heard_at(
    shift: Shift, reader: Reader, tracks: list[Track] | None = None, **changes: object
) -> list[Heard]:
    """What a reader hears of a shift, set up rightly but for the changes."""
    settings = right_settings(reader, shift.scenario)
    if changes:
        values = {name: getattr(settings, name) for name in settings.__struct_fields__}
        settings = Settings(**{**values, **changes})
    ear = inventory(shift, reader, tracks)
    return ear.hear(0, shift.end_us, settings)


def test_dice_are_even_and_independent_from_cycle_to_cycle() -> None:
    """Chi-square over 64 bins, and the correlation of neighbours; one seed, fixed bounds."""
    key = key_of("dice", SEED)
    values = [throw(key, cycle) >> 20 & 0xFFFFF for cycle in range(40_000)]
    bins = Counter(value >> 14 for value in values)
    expected = len(values) / 64
    chi = sum((bins[place] - expected) ** 2 / expected for place in range(64))
    assert 30 < chi < 110  # 63 degrees of freedom: 99.9 % lie below 103.
    assert abs(statistics.correlation(values[:-1], values[1:])) < 0.02
    other = [throw(key_of("dice", SEED + 1), cycle) >> 20 & 0xFFFFF for cycle in range(40_000)]
    assert abs(statistics.correlation(values, other)) < 0.02


def test_well_powered_tags_answer_at_the_scenarios_read_rate(shift: Shift) -> None:
    """65 % a cycle, measured over all doors."""
    powered = answered = 0
    for reader in READERS:
        tracks = passing(shift, reader.gate)
        ear = inventory(shift, reader, tracks)
        ear.hear(0, shift.end_us, right_settings(reader, DEFAULT))
        powered, answered = powered + ear.powered, answered + ear.answered
    assert powered > 20_000
    assert 0.62 < answered / powered < 0.68


def test_another_read_rate_is_what_it_says() -> None:
    """The parameter is the mean, not a ceiling."""
    low = shift_of(SEED, with_settings(DEFAULT, ["read_rate=0.5"]))
    ear = inventory(low, DOOR_1, passing(low, "door-1"))
    ear.hear(0, low.end_us, right_settings(DOOR_1, low.scenario))
    assert 0.46 < ear.answered / ear.powered < 0.54


def test_misses_belong_to_the_tag_and_the_passage_not_to_chance(shift: Shift) -> None:
    """Both halves of a tag's cycles agree, because the factor is the tag's own."""
    tracks = passing(shift, "gate-3")
    cycles: dict[int, list[int]] = defaultdict(list)
    for heard in heard_at(shift, reader_of("gate-3"), tracks):
        cycles[id(heard.carried)].append(heard.at_us // DEFAULT.signal.dwell_us)
    odd = [sum(c % 4 < 2 for c in found) for found in cycles.values()]
    even = [sum(c % 4 >= 2 for c in found) for found in cycles.values()]
    assert statistics.correlation(odd, even) > 0.5
    counts = [len(found) for found in cycles.values()]
    mean = statistics.mean(counts)
    assert statistics.variance(counts) > 2 * mean  # Independent misses give less than the mean.


def test_one_to_three_in_a_hundred_of_a_dense_pallet_give_three_reads_or_fewer() -> None:
    """Over four shifts and all gates, straight passages."""
    few = unread = tags = 0
    for seed in (1, 2, 3, 4):
        sys.stdout.write(f"seed {seed}\n")
        shift = shift_of(seed, DEFAULT)
        for reader in READERS:
            tracks = [track for track in passing(shift, reader.gate) if track.dense]
            counts = Counter(id(heard.carried) for heard in heard_at(shift, reader, tracks))
            for track in tracks:
                for carried in track.carried:
                    tags += 1
                    few += counts[id(carried)] <= 3
                    unread += counts[id(carried)] == 0
    assert tags > 8_000
    assert 0.01 <= few / tags <= 0.03
    assert 0 < unread / tags < 0.005


def test_signals_lie_where_the_field_sees_them(shift: Shift) -> None:
    """About -75 to -35 dBm, in whole dBm; strays are 5 to 20 dB weaker and yet overlap."""
    by_kind: dict[str, list[int]] = defaultdict(list)
    for heard in heard_at(shift, DOOR_1):
        track = heard.carried.track
        place = track.episode("door-1", heard.at_us)
        assert place is not None
        episode = track.episodes[place]
        by_kind[episode.how or episode.kind].append(heard.rssi_dbm)
    quantiles = {kind: statistics.quantiles(found, n=100) for kind, found in by_kind.items()}
    passed = quantiles["passed"]
    assert passed[0] >= -79
    assert passed[98] <= -35
    assert 8 <= passed[94] - passed[4] <= 45
    for stray in ("beside", "passed_next_door"):
        assert 3 <= passed[49] - quantiles[stray][49] <= 20, stray
        assert quantiles[stray][94] > passed[9], stray


def test_a_reader_gives_no_more_than_its_rate(shift: Shift) -> None:
    """However full the field, at most 600 reads in a second; at times several hundred."""
    seconds = Counter(heard.at_us // SECOND for heard in heard_at(shift, DOOR_1))
    assert 300 < max(seconds.values()) <= 600


def test_more_tags_in_the_field_mean_fewer_reads_of_each() -> None:
    """A slow reader reads one tag as often as it can, and each of many less often."""
    slow = with_settings(DEFAULT, ["reads_per_second_max=150"])
    crowded = shift_of(SEED, slow)
    alone = [track for track in passing(crowded, "door-1") if not track.dense]
    many = [track for track in passing(crowded, "door-1") if track.dense]

    def share(tracks: list[Track]) -> float:
        ear = inventory(crowded, DOOR_1, tracks)
        heard = ear.hear(0, crowded.end_us, right_settings(DOOR_1, slow))
        return len(heard) / ear.answered

    assert share(many) < 0.7 * share(alone)


@pytest.mark.parametrize(
    ("changes", "share"),
    [
        ({"session": 1}, 0.35),
        ({"session": 2}, 0.3),
        ({"session": 3}, 0.3),
        ({"power_dbm": (15.0,) * 4}, 0.3),
        ({"antennas": (1,), "power_dbm": (30.0,)}, 1.2),
        ({"population": 5_000}, 0.999),
    ],
)
def test_a_wrong_setting_loses_reads(
    shift: Shift, changes: dict[str, object], share: float
) -> None:
    """Sessions quiet tags, little power does not wake them; one antenna has all the time."""
    tracks = passing(shift, "door-1")
    right = len(heard_at(shift, DOOR_1, tracks))
    assert len(heard_at(shift, DOOR_1, tracks, **changes)) < share * right


def test_one_antenna_alone_misses_more_tags_than_four(shift: Shift) -> None:
    """What one side cannot see stays unread."""
    tracks = passing(shift, "door-1")

    def read(**changes: object) -> int:
        return len({id(heard.carried) for heard in heard_at(shift, DOOR_1, tracks, **changes)})

    assert read(antennas=(4,), power_dbm=(30.0,)) < read()
    assert read(antennas=(4,), power_dbm=(22.0,)) < 0.9 * read()


def test_session_one_quiets_a_tag_for_half_a_second_to_five(shift: Shift) -> None:
    """No tag is read twice within half a second, whatever the antenna."""
    last: dict[str, int] = {}
    gaps = []
    for heard in heard_at(shift, DOOR_1, session=1):
        name = heard.carried.tag.identity
        if name in last:
            gaps.append(heard.at_us - last[name])
        last[name] = heard.at_us
    assert min(gaps) >= 0.4 * SECOND
    assert statistics.median(gaps) < 6 * SECOND


def test_where_a_tag_moves_the_rows_hear_it_in_order(shift: Shift) -> None:
    """Outward: the inner row's mean time comes first, for nearly all tags."""
    tracks = passing(shift, "door-1")
    times: dict[int, dict[bool, list[int]]] = defaultdict(lambda: {True: [], False: []})
    direction = {}
    for heard in heard_at(shift, DOOR_1, tracks):
        key = id(heard.carried)
        times[key][heard.antenna <= 2].append(heard.at_us)
        episode = next(e for e in heard.carried.track.episodes if e.gate == "door-1")
        direction[key] = episode.direction
    right = both = 0
    for key, rows in times.items():
        if rows[True] and rows[False]:
            both += 1
            outward = statistics.mean(rows[True]) > statistics.mean(rows[False])
            right += ("out" if outward else "in") == direction[key]
    assert both > 500
    assert right / both > 0.97


def test_ghosts_come_as_often_as_set_and_say_another_identity(shift: Shift) -> None:
    """One in a thousand here; one in a million by default."""
    assert DEFAULT.signal.ghost_one_in == 1_000_000
    haunted = Scenario(signal=SignalParameters(ghost_one_in=1_000))
    ear = Inventory(reader=DOOR_1, tracks=shift.tracks, signal=haunted.signal, seed=SEED)
    heard = ear.hear(0, shift.end_us // 4, right_settings(DOOR_1, haunted))
    assert 0.4 < ear.ghosts / (len(heard) / 1_000) < 2.0
    assert ear.ghosts == sum(one.epc != one.carried.tag.epc for one in heard)
    names = {tag.identity for tag in shift.goods.tags}
    ghosts = [one for one in heard if one.epc != one.carried.tag.epc]
    assert ghosts
    others = [one for one in ghosts if one.identity() not in names]
    assert len(others) > 0.9 * len(ghosts)  # An error in the filter value changes no name.


def test_a_dead_antenna_hears_nothing(shift: Shift) -> None:
    """The others go on."""
    ear = inventory(shift, DOOR_1)
    heard = ear.hear(0, shift.end_us, right_settings(DOOR_1, DEFAULT), frozenset({2}))
    assert {one.antenna for one in heard} == {1, 3, 4}


def test_listening_in_pieces_hears_the_same(shift: Shift) -> None:
    """Servers look at the world in steps of any length."""
    settings = right_settings(DOOR_1, DEFAULT)
    end_us = shift.end_us // 6
    whole = inventory(shift, DOOR_1).hear(0, end_us, settings)
    ear, pieces, at_us = inventory(shift, DOOR_1), [], 0
    while at_us < end_us:
        step_us = min(end_us, at_us + 77_777)
        pieces += ear.hear(at_us, step_us, settings)
        at_us = step_us
    assert pieces == whole
    assert len(whole) > 1_000
