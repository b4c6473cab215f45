"""What a visit's reads say by themselves: how well each track explains them.

Most visits are clear: one side, loud, and then only the other side, loud. For these the search
through the tracks is spared, because its result is known. The others are weighed in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import exp, log
from typing import NamedTuple

from contracts.places import Geometry
from stream_processors.core.gate_state import VOTE
from stream_processors.core.gate_track import (
    MOVERS,
    ONCE,
    SLICE_US,
    TRACKS,
    TWICE,
    explain,
    observe,
    score,
    slice_us,
)
from stream_processors.core.windows import Sample

TEMPER = 0.7
"""Reads of one visit share shadow and fading: together they say less than what they seem to."""

FROM_ZONE = log(9.0) / 2
"""Nine of ten identities are where the last event put them."""
COMPANY_SHARE = 0.9
"""Nine of ten that pass a gate within a second of others do what these do."""
RESTING_MORE = 5.0
"""... and more stay than of others."""
SHADOW = log(0.15)
"""One of seven tags is read through goods or metal: all its signals are lower."""
SHADOW_CDB = 600
"""Peaks lower than the gate's usual one by this may be a shadow."""
SHADOW_DEPTH_CDB = 800
"""Deeper shadows are rarer: by a factor of e for every 8 dB."""
SHADOW_US = 12_000_000
"""Who is faint for longer rests, shadow or not."""
TWICE_US = 2_500_000
"""Through and back again takes at least this long."""
IMPOSSIBLE = -1000.0
BOTH_SIDES = 4.0
"""Who goes through is read by each side in 20 to 80 of a hundred slices ..."""
ONE_SIDE = 0.5
"""... who stays mostly by one side."""
FEW = (0.0, -1.0, -0.7, -0.5, -0.3, -0.1)
"""How much likelier so few reads are of a stray than of what goes through: one to three of a
hundred that pass are read this little, and every other stray."""
LOUD_CDB = 1_000
"""Reads within 10 dB of a visit's peak were made in the gate or next to it."""
LOUD_S = 1.3
"""Who goes through is loud for less than this without a break, who turns back for longer ..."""
LOUD_S_MIN = 0.3
TURN_LOUD = 2.0
NEARBY_CDB = 1_600
STILL_US = 600_000
STILL_CDB = 100
STILL_S = 0.35
"""... and each antenna hears it equally loud, read for read, for longer than this in all."""
TURN_PER_S = 8.0
WIDER = 1.6
"""From above a gate is heard over more of the way: all takes so much longer."""
TURN_MIN = 2.5
TURN_MAX = 2.0
"""Carriers also stop for other reasons: no pause says more."""
CLEAR_READS = 6
CLEAR_SIDE_READS = 2
"""Fewer reads, in all or of one side, are weighed in full."""
CLEAR_US = 6_000_000
"""So are visits that last longer than a walk through the gate."""
CLEAR_CDB = 1_500
"""So are those where one side hears it fainter than this below the gate's usual peak."""
CLEAR = {
    -1: (-8.0, -22.0, -15.0, -22.0, -17.0, -20.0, -20.0, -20.0),
    1: (-22.0, -8.0, -22.0, -15.0, -20.0, -17.0, -20.0, -20.0),
}
"""Scores of the tracks for a clear visit that began outer or inner: what the search finds there,
rounded towards doubt."""


class Weighed(NamedTuple):
    """A visit's reads alone."""

    samples: list[Sample]
    """In order of time."""
    level_cdbm: int
    """The gate's usual peak, by which they were weighed."""
    scores: Sequence[float]
    """Of each track."""
    at_us: int
    """The reads' middle, the louder the weightier."""
    peak_cdbm: int | None
    """Strongest signal."""
    waiting: bool
    """It is known to wait beside the gate."""
    clear: int
    """Side where it began, if the order of its reads leaves no doubt; else 0."""


def weigh(samples: Sequence[Sample], level_cdbm: int, *, waiting: bool) -> Weighed:
    """How well each track explains a visit's reads. There is at least one read."""
    ordered = sorted(samples, key=middle_us)
    peak_cdbm = max([one[3] for one in ordered if one[3] is not None], default=None)
    at_us = _loud_middle(ordered)
    clear = 0 if waiting else clear_side(ordered, level_cdbm)
    if clear:
        return Weighed(ordered, level_cdbm, CLEAR[clear], at_us, peak_cdbm, waiting, clear)
    length_us = slice_us(ordered)
    observations = observe(ordered, level_cdbm, length_us)
    lasts_us = middle_us(ordered[-1]) - middle_us(ordered[0])
    faint = peak_cdbm is not None and peak_cdbm < level_cdbm - SHADOW_CDB
    shadowed, shadow = None, 0.0
    if peak_cdbm is not None and faint and lasts_us < SHADOW_US:
        shadowed = observe(ordered, peak_cdbm + SHADOW_CDB // 3, length_us)
        depth_cdb = level_cdbm - SHADOW_CDB - peak_cdbm
        shadow = (SHADOW - depth_cdb / SHADOW_DEPTH_CDB) / TEMPER
    scores = []
    for index, track in enumerate(TRACKS):
        if index in TWICE and lasts_us < TWICE_US:
            scores.append(IMPOSSIBLE)
            continue
        found = score(observations, track, waiting=waiting)
        if shadowed is not None and index < MOVERS:
            found = max(found, score(shadowed, track, waiting=waiting) + shadow)
        scores.append(found)
    _adjust(scores, ordered, length_us)
    return Weighed(ordered, level_cdbm, scores, at_us, peak_cdbm, waiting, clear)


def _adjust(scores: list[float], samples: Sequence[Sample], length_us: int) -> None:
    """What the order of reads does not say: which sides read it, and how often."""
    if not any(one[2].side for one in samples):
        # In one plane, no read tells which way: only that it moved, and whether it stood there.
        moved = max(scores[index] for index in ONCE)
        turned = _turned(samples) / TEMPER
        for index in ONCE:
            scores[index] = moved if TRACKS[index].crossings else moved + turned
    balance = _balance(samples, length_us)
    few = FEW[len(samples)] / TEMPER if len(samples) < len(FEW) else 0.0
    for index, track in enumerate(TRACKS):
        if track.crossings:
            scores[index] += balance
        if index < MOVERS:
            scores[index] += few


def _turned(samples: Sequence[Sample]) -> float:
    """How much likelier reads in one plane are of who turned back there than of who went through.

    Who turns stands in the gate for a moment: it is loud for longer, and steadily so.
    """
    peak_cdbm = max([one[3] for one in samples if one[3] is not None], default=None)
    if peak_cdbm is None or len(samples) < CLEAR_READS:
        return 0.0
    since_us = until_us = loud_us = still_us = 0
    before: dict[int, tuple[int, int]] = {}
    for sample in samples:
        rssi_cdbm = sample[3]
        if rssi_cdbm is None or rssi_cdbm < peak_cdbm - NEARBY_CDB:
            before.pop(id(sample[2]), None)
            continue
        at_us = middle_us(sample)
        known_us, known_cdbm = before.get(id(sample[2]), (0, 0))
        before[id(sample[2])] = at_us, rssi_cdbm
        if at_us - known_us <= STILL_US and abs(rssi_cdbm - known_cdbm) <= STILL_CDB:
            still_us += at_us - known_us
        if rssi_cdbm >= peak_cdbm - LOUD_CDB:
            since_us = since_us if at_us - until_us <= STILL_US else at_us
            until_us = at_us
            loud_us = max(loud_us, until_us - since_us)
    still_s = still_us / 1e6 / len({id(sample[2]) for sample in samples})
    loud_s = max(LOUD_S_MIN, loud_us / 1e6)
    gate = samples[0][2].location.gate
    wide = WIDER if gate is not None and gate.geometry is Geometry.OVERHEAD else 1.0
    found = TURN_PER_S * (still_s - wide * STILL_S) + TURN_LOUD * log(loud_s / (wide * LOUD_S))
    return max(-TURN_MIN, min(TURN_MAX, found))


def _balance(samples: Sequence[Sample], length_us: int) -> float:
    """How much likelier the shares of both sides are of what goes through than of what stays.

    Who goes through is read by both sides, more or less alike; who stays mostly by one. Both are
    beta-binomial, over slices of time; what has no side has no say.
    """
    slices = {(middle_us(one) // length_us, one[2].side) for one in samples if one[2].side}
    outer = sum(side < 0 for _, side in slices)
    inner = len(slices) - outer
    return _beta_binomial(outer, inner, BOTH_SIDES) - _beta_binomial(outer, inner, ONE_SIDE)


@cache
def _beta_binomial(outer: int, inner: int, weight: float) -> float:
    """The logarithm of the chance of one such order of sides, both weighing the same before."""
    found = 0.0
    for seen, whole in ((outer, 0), (inner, outer)):
        for index in range(seen):
            found += log((weight + index) / (2 * weight + whole + index))
    return found


def votes_of(weighed: Weighed, before: int) -> tuple[int, ...]:
    """What a visit's reads, and where it was before, say of each track that moves, to its company.

    A vote is the logarithm of how likely these reads are if the visit's company took that track:
    then this one did too, but for those few that go their own ways. Last comes the visit's weight:
    how much surer it is that it moves than that it rests. Who waits beside the gate has no say.
    """
    resting = RESTING_MORE if weighed.waiting else 1.0
    shares = shares_of(
        [
            TEMPER * one + log(track.share if index < MOVERS else resting * track.share)
            for index, (one, track) in enumerate(zip(weighed.scores, TRACKS, strict=True))
        ]
    )
    moves = sum(shares[:MOVERS])
    alike = shares_of(
        [
            TEMPER * one + FROM_ZONE * before * track.start
            for one, track in zip(weighed.scores[:MOVERS], TRACKS[:MOVERS], strict=True)
        ]
    )
    votes = [moves * log(COMPANY_SHARE * one + (1 - COMPANY_SHARE)) for one in alike]
    return (*[int(VOTE * vote) for vote in votes], int(VOTE * max(0.0, 2 * moves - 1)))


def clear_side(samples: Sequence[Sample], level_cdbm: int) -> int:
    """The side where a clear visit began; 0 where it is not clear. `samples` in order of time."""
    first = samples[0][2].side
    if len(samples) < CLEAR_READS or samples[-1][0] - samples[0][1] > CLEAR_US or not first:
        return 0
    near_us, far_us = 0, 0
    counts = [0, 0, 0]
    loud: list[int] = [-(1 << 20)] * 3
    for sample in samples:
        side = sample[2].side
        counts[side] += 1
        if sample[3] is not None and sample[3] > loud[side]:
            loud[side] = sample[3]
        if side == first:
            near_us = middle_us(sample)
        elif not far_us:
            far_us = middle_us(sample)
    return (
        first
        if min(counts[-1], counts[1]) >= CLEAR_SIDE_READS
        and not counts[0]
        and near_us <= far_us + SLICE_US
        and min(loud[-1], loud[1]) >= level_cdbm - CLEAR_CDB
        else 0
    )


def path_of(weighed: Weighed, index: int) -> list[int]:
    """The position in a track of each read of a visit."""
    track = TRACKS[index]
    samples = weighed.samples
    if weighed.clear and len(track.crossings) == 1:
        near, far = 1, len(track.stages) - 2
        return [near if one[2].side == weighed.clear else far for one in samples]
    length_us = slice_us(samples)
    observations = observe(samples, weighed.level_cdbm, length_us)
    path = explain(observations, track, waiting=weighed.waiting)
    of_slice = dict(zip([one.at_us for one in observations], path, strict=True))
    return [of_slice[middle_us(one) // length_us * length_us] for one in samples]


def shares_of(scores: Sequence[float]) -> list[float]:
    """Shares of the whole from logarithmic weights."""
    best = max(scores)
    weights = [exp(value - best) for value in scores]
    whole = sum(weights)
    return [weight / whole for weight in weights]


def middle_us(sample: Sample) -> int:
    """The middle of a read: between first and last seen."""
    return (sample[0] + sample[1]) // 2


def _loud_middle(samples: Sequence[Sample]) -> int:
    """The middle of the reads, the louder the weightier."""
    base_us = middle_us(samples[0])
    peak = max((one[3] for one in samples if one[3] is not None), default=0)
    weight = 0.0
    moment = 0.0
    for one in samples:
        share = max(one[4], 1) * 10 ** (((peak if one[3] is None else one[3]) - peak) / 1000)
        weight += share
        moment += share * (middle_us(one) - base_us)
    return base_us + int(moment / weight)
