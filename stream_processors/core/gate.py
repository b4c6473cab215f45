"""Location at gates: what a visit's reads mean.

The reads speak through the tracks of `gate_track`: each has a likelihood. What else is known adds
to it, each as the logarithm of how much likelier it makes a track: where the identity was before,
where it was surely read next, what the photo-eyes saw, what its company did, that it had been
waiting beside the gate, that another gate hears it louder. The tracks' shares of the whole are the
decision's confidence. Unsure visits wait for company and for the next sure read; what stays unsure
moves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import NamedTuple

from contracts.events import Direction
from stream_processors.core.gate_state import VOTE, EyeCrossing
from stream_processors.core.gate_track import MOVERS, TRACKS, Track
from stream_processors.core.gate_weight import (
    COMPANY_SHARE,
    FROM_ZONE,
    RESTING_MORE,
    TEMPER,
    Weighed,
    middle_us,
    path_of,
    shares_of,
)
from stream_processors.core.windows import Sample

SURE = 0.93
"""At this share a visit is decided when its silence ends."""
ENOUGH = 0.75
"""At this share it is decided after waiting for more."""
NEXT_ZONE = log(50.0) / 2
"""A sure read on one side right after says more."""
COMPANY_MAX = 6.0
"""What a group's reads say together is never surer than this: their model may be wrong for all."""
COMPANY_SHARE_WAITING = 0.3
"""Of those that are known to wait beside the gate, fewer join the next that pass ..."""
COMPANY_SHARE_ORDERED = 0.7
RESTING_MORE_ORDERED = 2.0
"""... but where antennas see the way in order, the visit was cut where the waiting one moved, and
who is silent after it has gone with its company rather than stayed."""
WELL_READ = 8
"""Who is read this often and would only pass because others do must be surer: it was heard."""
ALONE = 0.5
"""With less company than half a visit's, who rests beside a gate does so while nobody passes."""
EYES = log(200.0) / 2
"""Beams are broken in order by what passes; one time of two hundred it is somebody else's order."""
EYES_WHOLE = -3.0
"""Nobody passes without breaking a beam."""
EYES_LOUD_CDB = 800
"""Reads within 8 dB of the visit's peak were made in the gate."""
EYES_SLACK_US = 300_000
"""Between a beam and a read of what broke it."""
ELSEWHERE = -5.0
"""Heard louder at another gate at the same time: cross-talk."""
RESTS_US = 8_000_000
"""Nobody passes this slowly: who is read longer and does not pass, rests."""
TURNING = (2, 3, 4)
"""Positions within the gate in tracks that turn back."""
FAR_FIRST, FAR_LAST = 3, 5
"""Positions on the far side in tracks that pass twice."""
ORDER_MARGIN = 1.0
"""From this difference between in and out on, the order of reads is what decided."""


class Context(NamedTuple):
    """What is known of a visit besides its reads."""

    before: int = 0
    """Half where the identity was: -1 outer, 1 inner, 0 neither or unknown."""
    planned: bool = False
    """Only a load that it waits for tells that."""
    after: int = 0
    """Half where it was surely read next."""
    elsewhere: bool = False
    """Another gate hears it louder at the same time."""
    company: Sequence[int] = ()
    """Sums of the votes of others at the same time, as `votes_of` has them."""
    eyes: Sequence[EyeCrossing] | None = None
    """What the photo-eyes saw near these reads; None where there are none."""


class Passage(NamedTuple):
    """One decided event of a visit, with the share of its reads."""

    direction: Direction
    at_us: int
    confidence: float
    basis: str
    samples: Sequence[Sample]
    side: int = 0
    """Where it turned back to, if the order of reads tells: -1 outer, 1 inner."""


class Judgement(NamedTuple):
    """What a visit means, as far as is known now."""

    sure: bool
    """No waiting would change it."""
    passages: tuple[Passage, ...]
    """None where nothing moved."""
    peak_cdbm: int | None
    """Strongest signal."""
    rests: bool
    """It rests beside the gate, with nobody passing."""


def judge(weighed: Weighed, context: Context) -> Judgement:
    """Decide what a visit means."""
    company = _company(weighed, context)
    seen = _seen(weighed, context.eyes)
    alone = [
        TEMPER * one + _context(track, context, seen)
        for one, track in zip(weighed.scores, TRACKS, strict=True)
    ]
    shares = shares_of([own + others for own, others in zip(alone, company, strict=True)])
    index = _best(shares)
    share, best = shares[index], TRACKS[index]
    basis = _basis(best, weighed, context, company)
    passages: tuple[Passage, ...]
    joins = len(weighed.samples) >= WELL_READ and _rests_alone(alone)
    if best.crossings and share < (SURE if joins else ENOUGH):
        passing = sum(one for one, track in zip(shares, TRACKS, strict=True) if track.crossings)
        unknown = Passage(
            Direction.UNKNOWN, weighed.at_us, round(passing, 3), basis, weighed.samples
        )
        passages = (unknown,) if passing >= ENOUGH else ()
        return Judgement(False, passages, weighed.peak_cdbm, rests=False)
    path = path_of(weighed, index)
    passages = _passages(best, weighed.samples, path, round(share, 3), basis)
    nobody = not context.company or context.company[-1] < ALONE * VOTE
    rests = not passages and (nobody or _length_us(weighed) >= RESTS_US)
    return Judgement(share >= SURE, passages, weighed.peak_cdbm, rests)


def _rests_alone(scores: Sequence[float]) -> bool:
    """Whether a visit would be taken to rest if nobody else passed."""
    shares = [score + log(track.share) for score, track in zip(scores, TRACKS, strict=True)]
    return TRACKS[_best(shares_of(shares))].kind == "stay"


def _best(shares: Sequence[float]) -> int:
    """The likeliest track of the likeliest kind: either way it passed is a passage."""
    kinds: dict[str, float] = {}
    for share, track in zip(shares, TRACKS, strict=True):
        kinds[track.kind] = kinds.get(track.kind, 0.0) + share
    kind = max(kinds, key=kinds.__getitem__)
    return max(
        (index for index, track in enumerate(TRACKS) if track.kind == kind),
        key=shares.__getitem__,
    )


def _length_us(weighed: Weighed) -> int:
    return weighed.samples[-1][0] - weighed.samples[0][1]


def _passages(
    track: Track, samples: Sequence[Sample], path: Sequence[int], share: float, basis: str
) -> tuple[Passage, ...]:
    """The events of the chosen track."""
    if len(track.crossings) == 1:
        at_us = _crossing_us(samples, path, track.crossings[0][0])
        direction = Direction(track.crossings[0][1])
        return (Passage(direction, at_us, share, basis, samples),)
    if track.crossings:
        cut = _turn(samples, path)
        first = _crossing_us(samples[:cut], path[:cut], track.crossings[0][0])
        second = _crossing_us(samples[cut:], path[cut:], track.crossings[1][0])
        return (
            Passage(Direction(track.crossings[0][1]), first, share, basis, samples[:cut]),
            Passage(Direction(track.crossings[1][1]), second, share, basis, samples[cut:]),
        )
    if track.name.startswith("back") and any(position in TURNING for position in path):
        at_us = _crossing_us(samples, path, TURNING[1])
        side = track.start if basis == "antenna_order" else 0
        return (Passage(Direction.TURNED_BACK, at_us, share, basis, samples, side),)
    return ()


def _crossing_us(samples: Sequence[Sample], path: Sequence[int], middle: int) -> int:
    """When the gate's line was crossed: amid the reads of the middle, or between its sides."""
    placed = list(zip(samples, path, strict=True))
    amid = [middle_us(one) for one, position in placed if position == middle]
    if amid:
        return sum(amid) // len(amid)
    before = [one for one, position in placed if position < middle]
    after = [one for one, position in placed if position > middle]
    if before and after:
        return (middle_us(before[-1]) + middle_us(after[0])) // 2
    return middle_us(before[-1]) if before else middle_us(after[0])


def _turn(samples: Sequence[Sample], path: Sequence[int]) -> int:
    """Where a visit of two passages is cut: at the longest silence on the far side."""
    best, widest_us = 1, -1
    for index in range(1, len(samples)):
        if path[index - 1] > FAR_LAST or path[index] < FAR_FIRST:
            continue
        gap_us = middle_us(samples[index]) - middle_us(samples[index - 1])
        if gap_us > widest_us:
            best, widest_us = index, gap_us
    return best


def _context(track: Track, context: Context, seen: Sequence[str]) -> float:
    """How much likelier all that is known besides the reads and company makes a track."""
    found = FROM_ZONE * context.before * track.start
    found += NEXT_ZONE * context.after * track.end
    if context.elsewhere and track.crossings:
        found += ELSEWHERE
    if context.eyes is not None:
        found += _eyes(track, seen)
    return found


def _company(weighed: Weighed, context: Context) -> list[float]:
    """The logarithmic share of each track, as company changes it."""
    *votes, weight = context.company or (0,) * (MOVERS + 1)
    together = COMPANY_SHARE
    resting = 1.0
    if weighed.waiting:
        together, resting = COMPANY_SHARE_WAITING, RESTING_MORE
        if any(sample[2].side for sample in weighed.samples):
            together, resting = COMPANY_SHARE_ORDERED, RESTING_MORE_ORDERED
    moving = sum(track.share for track in TRACKS[:MOVERS])
    alone = 1 / (1 + max(0, weight) / VOTE)
    group = shares_of(
        [
            max(-COMPANY_MAX, (vote - max(votes)) / VOTE) + log(track.share)
            for vote, track in zip(votes, TRACKS[:MOVERS], strict=True)
        ]
    )
    found = []
    for index, track in enumerate(TRACKS):
        if index < MOVERS:
            share, own = group[index] * (1 - (1 - moving) * alone), track.share
        else:
            share, own = track.share * alone, track.share * resting
        found.append(log(together * share + (1 - together) * own))
    return found


def _eyes(track: Track, seen: Sequence[str]) -> float:
    """What the photo-eyes say of a track; `seen` are the crossings at which the tag was loud."""
    if not seen:
        return EYES_WHOLE if track.crossings else 0.0
    wanted = [direction for _, direction in track.crossings] or ["back"]
    if track.start == track.end and not track.crossings and track.name.startswith("stay"):
        return 0.0
    return (EYES * len(wanted) if list(seen) == wanted else -EYES) - 0.7


def _seen(weighed: Weighed, eyes: Sequence[EyeCrossing] | None) -> list[str]:
    """Directions of what crossed the beams just when the tag was loud."""
    loud = -(1 << 20)
    if weighed.peak_cdbm is not None:
        loud = min(weighed.peak_cdbm, weighed.level_cdbm) - EYES_LOUD_CDB
    times = [middle_us(one) for one in weighed.samples if one[3] is None or one[3] >= loud]
    return [
        eye.direction
        for eye in eyes or ()
        if any(eye.from_us - EYES_SLACK_US <= at_us <= eye.to_us + EYES_SLACK_US for at_us in times)
    ]


def _basis(track: Track, weighed: Weighed, context: Context, company: Sequence[float]) -> str:
    """What spoke loudest for the chosen track against its opposite."""
    opposite = next(
        index
        for index, other in enumerate(TRACKS)
        if other.start == -track.start
        and len(other.crossings) == len(track.crossings)
        and other.name[:2] == {"in": "ou", "ou": "in"}.get(track.name[:2], track.name[:2])
    )
    index = TRACKS.index(track)
    eyes = 0.0
    if context.eyes is not None:
        seen = _seen(weighed, context.eyes)
        eyes = _eyes(track, seen) - _eyes(TRACKS[opposite], seen)
    reasons = {
        "antenna_order": TEMPER * (weighed.scores[index] - weighed.scores[opposite]),
        "photo_eye": eyes,
        "load" if context.planned else "neighbour": 2 * FROM_ZONE * context.before * track.start
        + NEXT_ZONE * context.after * (track.end - TRACKS[opposite].end),
        "companions": company[index] - company[opposite],
    }
    if reasons["antenna_order"] >= ORDER_MARGIN:
        return "antenna_order"
    best = max(reasons, key=reasons.__getitem__)
    return best if reasons[best] > 0 else "trend"
