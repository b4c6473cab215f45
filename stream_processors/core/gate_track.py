"""What a tag may have done at a gate, as tracks, and how well each explains its reads.

Theory of operation. Along its way a tag goes through stages: waiting beside the gate on the outer
side, nearing on the outer side, in the middle, nearing on the inner side, waiting on the inner
side. A *track* is an order of stages: passing in is outer - middle - inner, turning back is outer -
middle - outer, and so on. Each read is more or less likely in each stage: the row of antennas on
the tag's own side reads it more often and louder, and whoever waits beside the gate is heard
more faintly than who goes through. For every track the best assignment of reads to its stages is
found (a Viterbi search, left to right), and its logarithmic likelihood is the track's score.

The constants are physics, in decibels and seconds, not fitted to any one run: an antenna pattern's
front-to-back ratio, the 5 to 20 dB between a tag beside the gate and one within it, the second or
so that a tag spends in each stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import log
from typing import NamedTuple

from stream_processors.core.reference import Place
from stream_processors.core.windows import Sample

WAIT_OUTER, NEAR_OUTER, MIDDLE, NEAR_INNER, WAIT_INNER, AWAY_OUTER, AWAY_INNER = range(7)

OWN_SIDE = log(0.93)
"""A tag near one side is read by that side's antennas: the others look away or are far."""
OTHER_SIDE = log(0.07)
EITHER_SIDE = log(0.5)
WAIT_OWN = log(0.8)
"""A tag that rests somewhere near the gate is read by the nearer row more often."""
WAIT_OTHER = log(0.2)

NEAR_DB = -11.0
"""Mean of all signals of a tag near a side, relative to the gate's usual peak of a passing tag."""
NEAR_OTHER_DB = -24.0
MIDDLE_DB = -19.0
"""Between two rows, at the edge of both beams."""
PLANE_DB = -8.0
"""In the middle of a gate whose antennas all stand in one plane."""
WAIT_DB = -19.0
WAIT_SPREAD_DB = 10.0
"""Who rests may do so beside the gate or within it."""
AWAY_DB = -27.0
AWAY_SPREAD_DB = 6.0
"""Beyond the far row, on the way to turning: faint, or not heard at all."""
AWAY_FLOOR = -12.0
"""Nothing makes a tag that is away loud: dips only take."""
STEADY_CDB = 200
"""A tag at rest is heard equally loud again, within the reader's own noise."""
STEADY_US = 1_000_000
"""... by the same antenna, if it is asked again this soon."""
REST_STEADY = log(0.85)
REST_UNSTEADY = log(0.15)
MOVED_STEADY = log(0.5)
"""A tag in motion crosses dips and lobes, but carriers also pause on their way."""
MOVED_UNSTEADY = log(0.5)
SPREAD_DB = 8.0
"""Standard deviation: slow fading, multipath and the tag's own sensitivity together."""
SIGNAL_FLOOR = -3.0
"""No single read says more against a stage than this: dips of 15 dB happen anywhere."""
SLICE_US = 250_000
"""Reads this close share their fading: they speak as one, if with more weight."""
SLICES_MAX = 48
"""A long visit is cut no finer than this: rest is not to speak louder than passing."""
SLICE_WEIGHT_MAX = 2.0
INDEPENDENCE = 0.7
"""Weight of each read of a slice until the most is reached."""

UNSEEN = -0.5
"""A stage passed without a read, where it was hardly read at all."""
UNSEEN_SLICE = -0.12
"""Who is read in many slices is not missed for all of its nearing; each makes that unlikelier."""
UNSEEN_MIN = -3.0
SLICES_COUNTED = 32
"""More slices than this make no difference to that."""
WAITING = -2.0
"""One in seven of those that pass had waited beside the gate before, or stays there after."""
FRESH = -2.5
"""Who is known to wait beside the gate rarely shows up out of nowhere."""
DWELL_PER_S = 0.4
"""A tag in motion leaves a stage after a second or two; every second more costs this."""
WAIT_PER_S = 0.02
DWELL_MAX = 4.0
"""A forklift may also stand in the doorway: no pause costs more."""

LEVEL_STEP_CDB = 200
"""Signals are told in steps of 1 dB or more: a table in steps of 2 dB loses nothing."""
LEVEL_LOW = -20
LEVEL_HIGH = 10

TWICE_STAGES = 9
AWAY = 4
"""In tracks that pass twice, the position of the turn far away ..."""
AWAY_US = 1_000_000
"""... which may be unheard, but then for this long."""
UNTURNED = -8.0
"""Passing back without having been away."""
RESTING = (WAIT_OUTER, WAIT_INNER)
STAY_NEAR = -2.0
"""One in seven of those that do not go through comes as near as those that do."""
STAYING = 3
"""Stages of a track that never leaves its side: these it may take in any measure, freely."""

COUNT_MAX = 3
"""A report of many sightings still shares its fading."""

Emission = Sequence[float]
"""Logarithmic likelihoods in the stages."""


class Observation(NamedTuple):
    """Reads of one slice of time as the tracks see them."""

    at_us: int
    """Its slice's begin."""
    emission: Emission
    """Their logarithmic likelihood in each stage."""
    far: bool = False
    """The silence before it was long enough to have been away."""
    dwell: float = 0.0
    """What it costs to have moved no further since the slice before ..."""
    wait: float = 0.0
    """... and to have rested."""


class Track(NamedTuple):
    """An order of stages."""

    name: str
    stages: tuple[int, ...]
    share: float
    """How many of all visits are such, before anything is known of one."""
    start: int
    """Half where it begins: -1 outer, 1 inner."""
    end: int
    """Half where it ends."""
    crossings: tuple[tuple[int, str], ...] = ()
    """Which position in `stages` is each crossing's middle, and its direction."""

    @property
    def kind(self) -> str:
        """What it does, whichever way: `through`, `twice`, `back` or `stay`."""
        if self.crossings:
            return "through" if len(self.crossings) == 1 else "twice"
        return self.name.partition("_")[0]


_IN = (WAIT_OUTER, NEAR_OUTER, MIDDLE, NEAR_INNER, WAIT_INNER)
_BACK_OUTER = (*_IN[:3], WAIT_INNER, *_IN[2::-1])
_BACK_INNER = (*_IN[:1:-1], WAIT_OUTER, *_IN[2:])
_IN_OUT = (*_IN[:4], AWAY_INNER, *_IN[3::-1])
_OUT_IN = (*_IN[:0:-1], AWAY_OUTER, *_IN[1:])

TRACKS = (
    Track("in", _IN, 0.38, -1, 1, ((2, "in"),)),
    Track("out", _IN[::-1], 0.38, 1, -1, ((2, "out"),)),
    Track("in_out", _IN_OUT, 0.003, -1, -1, ((2, "in"), (6, "out"))),
    Track("out_in", _OUT_IN, 0.003, 1, 1, ((2, "out"), (6, "in"))),
    Track("back_outer", _BACK_OUTER, 0.05, -1, -1),
    Track("back_inner", _BACK_INNER, 0.05, 1, 1),
    Track("stay_outer", (WAIT_OUTER, NEAR_OUTER, WAIT_OUTER), 0.067, -1, -1),
    Track("stay_inner", (WAIT_INNER, NEAR_INNER, WAIT_INNER), 0.067, 1, 1),
)
"""All that a visit may be. Who stays comes last: such a one is nobody's company."""
MOVERS = 6
"""How many of the tracks move."""
TWICE = (2, 3)
ONCE = (0, 1, 4, 5)


def slice_us(samples: Sequence[Sample]) -> int:
    """How long the slices of a visit are; `samples` are in order of time."""
    span_us = samples[-1][0] - samples[0][1]
    return max(SLICE_US, span_us // SLICES_MAX)


def observe(samples: Sequence[Sample], level_cdbm: int, length_us: int) -> list[Observation]:
    """Reads, in order of time, as seen by a gate whose passing tags usually peak at a level."""
    slices: dict[int, list[Emission]] = {}
    before: dict[int, tuple[int, int]] = {}
    for last_us, first_us, place, rssi_cdbm, count in samples:
        if rssi_cdbm is None:
            step = LEVEL_HIGH + 1
        else:
            step = (rssi_cdbm - level_cdbm) // LEVEL_STEP_CDB
            step = min(max(step, LEVEL_LOW), LEVEL_HIGH)
        emission = emission_of(place.side, step, _steady(before, place, last_us, rssi_cdbm))
        number = (first_us + last_us) // 2 // length_us
        if number not in slices:
            slices[number] = []
        slices[number] += (emission,) if count < 2 else (emission,) * min(count, COUNT_MAX)  # noqa: PLR2004
    found: list[Observation] = []
    for number in sorted(slices):
        emissions = slices[number]
        count = len(emissions)
        if count == 1:
            weight, sums = INDEPENDENCE, emissions[0]
        else:
            weight = min(SLICE_WEIGHT_MAX, INDEPENDENCE * count) / count
            sums = tuple(map(sum, zip(*emissions, strict=True)))
        at_us = number * length_us
        gap_us = at_us - found[-1].at_us if found else 0
        emission = [weight * one for one in sums]
        found.append(Observation(at_us, emission, gap_us >= AWAY_US, *_dwell(gap_us)))
    return found


@cache
def emission_of(side: int, step: int, steady: int) -> Emission:
    """How likely one read is in each stage; `step` above LEVEL_HIGH means no signal was told."""
    signal = None if step > LEVEL_HIGH else (step + 0.5) * LEVEL_STEP_CDB / 100
    near_outer = OWN_SIDE if side < 0 else OTHER_SIDE
    near_inner = OWN_SIDE if side > 0 else OTHER_SIDE
    wait_outer = WAIT_OWN if side < 0 else WAIT_OTHER
    wait_inner = WAIT_OWN if side > 0 else WAIT_OTHER
    if side == 0:
        near_outer = near_inner = wait_outer = wait_inner = EITHER_SIDE
    resting = (0.0, REST_STEADY, REST_UNSTEADY)[steady]
    moving = (0.0, MOVED_STEADY, MOVED_UNSTEADY)[steady]
    return (
        wait_outer + resting + _signal(signal, WAIT_DB, WAIT_SPREAD_DB),
        near_outer + moving + _signal(signal, NEAR_OTHER_DB if side > 0 else NEAR_DB),
        EITHER_SIDE + moving + _signal(signal, MIDDLE_DB if side else PLANE_DB),
        near_inner + moving + _signal(signal, NEAR_OTHER_DB if side < 0 else NEAR_DB),
        wait_inner + resting + _signal(signal, WAIT_DB, WAIT_SPREAD_DB),
        near_outer + moving + _signal(signal, AWAY_DB, AWAY_SPREAD_DB, AWAY_FLOOR),
        near_inner + moving + _signal(signal, AWAY_DB, AWAY_SPREAD_DB, AWAY_FLOOR),
    )


def _steady(
    before: dict[int, tuple[int, int]], place: Place, at_us: int, rssi_cdbm: int | None
) -> int:
    """Whether an antenna heard a tag as loud again: 1, as never before 0, or otherwise -1."""
    if rssi_cdbm is None:
        return 0
    key = id(place)
    known = before.get(key)
    before[key] = (at_us, rssi_cdbm)
    if known is None or at_us - known[0] > STEADY_US:
        return 0
    return 1 if abs(rssi_cdbm - known[1]) <= STEADY_CDB else -1


def score(observations: Sequence[Observation], track: Track, *, waiting: bool) -> float:
    """The best explanation that a track has for the reads. There is at least one."""
    stages = track.stages
    costs = _costs(stages, min(len(observations), SLICES_COUNTED))
    best = _begin(observations[0], stages, costs, waiting=waiting)
    first = stages[0]
    for _, emission, far, dwell, wait in observations[1:]:
        # From the end to the begin, so that each step sees the slice before.
        steps = costs.far_steps if far else costs.steps
        for index, stage, rests, enter, past in steps:
            found = best[index] - (wait if rests else dwell)
            other = best[index - 1] + enter
            if other > found:  # noqa: PLR1730 - `max` costs more than all the rest of the loop.
                found = other
            if index > 1:
                other = best[index - 2] + past
                if other > found:  # noqa: PLR1730 - as above.
                    found = other
            best[index] = found + emission[stage]
        best[0] += emission[first] - wait
    return max([found + end for found, end in zip(best, costs.end, strict=True)])


def explain(observations: Sequence[Observation], track: Track, *, waiting: bool) -> list[int]:
    """As `score`, but tells in which position of the track each slice was read."""
    stages = track.stages
    costs = _costs(stages, min(len(observations), SLICES_COUNTED))
    best = _begin(observations[0], stages, costs, waiting=waiting)
    trace: list[list[int]] = []
    for _, emission, far, dwell, wait in observations[1:]:
        came = [0] * len(stages)
        steps = costs.far_steps if far else costs.steps
        for index, stage, rests, enter, past in steps:
            found = best[index] - (wait if rests else dwell)
            for back, cost in ((1, enter), (2, past)):
                if index >= back and best[index - back] + cost > found:
                    found = best[index - back] + cost
                    came[index] = back
            best[index] = found + emission[stage]
        best[0] += emission[stages[0]] - wait
        trace.append(came)
    ends = [found + end for found, end in zip(best, costs.end, strict=True)]
    index = ends.index(max(ends))
    path = [index]
    for came in reversed(trace):
        index -= came[index]
        path.append(index)
    path.reverse()
    return path


Step = tuple[int, int, bool, float, float]
"""A position, its stage, whether one rests there, and what it costs to enter it from the position
before, or from the one before that."""


class Costs(NamedTuple):
    """What it costs to be in or pass by each position of a track."""

    start: tuple[float, ...]
    """To begin there: what comes before was not read."""
    end: tuple[float, ...]
    """To end there: what comes after was not read."""
    steps: tuple[Step, ...]
    """All positions but the first, the last first."""
    far_steps: tuple[Step, ...]
    """The same after a silence long enough to have been away."""


@cache
def _costs(stages: tuple[int, ...], slices: int) -> Costs:
    count = len(stages)
    if count == STAYING:
        loud = (0.0, STAY_NEAR, 0.0)
        steps = _steps(stages, loud, (0.0,) * count)
        return Costs(start=loud, end=(0.0,) * count, steps=steps, far_steps=steps)
    unseen = max(UNSEEN_MIN, UNSEEN + UNSEEN_SLICE * slices)
    skip = [unseen if stage in (NEAR_OUTER, NEAR_INNER) else UNSEEN for stage in stages]
    skip[0] = skip[-1] = 0.0  # Waiting is not expected.
    far = list(skip)
    if count == TWICE_STAGES:
        skip[AWAY] = UNTURNED
        far[AWAY] = 0.0
    enter = [WAITING if index == count - 1 else 0.0 for index in range(count)]
    return Costs(
        start=tuple(sum(skip[:index]) for index in range(count)),
        end=tuple(sum(skip[index + 1 :]) for index in range(count)),
        steps=_steps(stages, enter, skip),
        far_steps=_steps(stages, enter, far),
    )


def _steps(
    stages: tuple[int, ...], enter: Sequence[float], skip: Sequence[float]
) -> tuple[Step, ...]:
    return tuple(
        (index, stage, stage in RESTING, enter[index], enter[index] + skip[index - 1])
        for index, stage in reversed(list(enumerate(stages)))
        if index
    )


def _begin(
    first: Observation, stages: tuple[int, ...], costs: Costs, *, waiting: bool
) -> list[float]:
    """Where the first slice may have been read."""
    found = [cost + first.emission[stage] for cost, stage in zip(costs.start, stages, strict=True)]
    if len(stages) == STAYING:
        return found
    if waiting:
        return [found[0], *(one + FRESH for one in found[1:])]
    return [found[0] + WAITING, *found[1:]]


def _dwell(gap_us: int) -> tuple[float, float]:
    gap_s = gap_us / 1_000_000
    return min(gap_s * DWELL_PER_S, DWELL_MAX), gap_s * WAIT_PER_S


def _signal(
    signal_db: float | None,
    mean_db: float,
    spread_db: float = SPREAD_DB,
    floor: float = SIGNAL_FLOOR,
) -> float:
    if signal_db is None:
        return 0.0
    beside = (signal_db - mean_db) / spread_db
    return max(floor, -beside * beside / 2)
