"""What was told of gates against what truly happened. Pure.

A told event is a location event of kind `passed` (`Told`). Per identity and gate, what was told as
in or out is aligned in order of time with the true passages: a passage is *right* if it is told
once, in its direction and within the tolerance; *wrong* if told the other way; *missed* if it is
not told as in or out (`unknown`, `turned_back` and silence are all missed). A told passage that
matches none is *stray* if the identity lingered, cross-talked or turned back there at that time,
else *extra* (told twice, or out of nothing). *Unread* passages, of which the reader reported
nothing, are missed; they are counted inside missed and shown apart. Where a scanner told that
something passed that it could not read (a *no-read*), nobody knows what it was: such an event makes
no passage right, but it is held against the unread passages there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from contracts.reads import is_no_read
from firmware_sim.core.truth import Passage

TOLERANCE_US = 10_000_000
"""How far a told time may lie outside the carrier's stay: an accelerated rehearsal shakes the
estimate of a device's clock by seconds."""
MOVED = ("in", "out")
EXAMPLES_MAX = 20
"""Examples kept per kind of mistake."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A passage as the product tells it; time in UTC microseconds of domain time."""

    identity: str
    gate: str
    direction: str
    """`in`, `out`, `turned_back` or `unknown`."""
    at_us: int


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """One example of a mistake, to look into."""

    problem: str
    """`wrong`, `missed`, `unread`, `stray` or `extra`."""
    identity: str
    gate: str
    at_us: int
    truth: str
    """Kind and direction that were true."""
    told: str
    """What was told."""


class GeometryScore(msgspec.Struct, kw_only=True):
    """The figures of one geometry."""

    passages: int = 0
    """True passages."""
    right: int = 0
    """Told once, in their direction."""
    wrong: int = 0
    """Told in the other direction."""
    missed: int = 0
    """Not told as in or out; `unread` included."""
    unread: int = 0
    """Missed, and the reader had reported nothing."""
    strays: int = 0
    """True episodes of tags that lingered, cross-talked or turned back, and were read."""
    strays_moved: int = 0
    """Of these, told as passed in or out."""
    extra: int = 0
    """Told passages that match nothing true."""
    no_reads: int = 0
    """Told passages of something that could not be read."""
    no_reads_true: int = 0
    """Of these, such that something unread did pass then."""
    mistakes: list[Mistake] = msgspec.field(default_factory=list)
    """Some examples."""

    @property
    def wrong_or_missed_share(self) -> float:
        """What is compared with 1 in 200 where order carries direction."""
        return (self.wrong + self.missed) / self.passages if self.passages else 0.0

    def note(self, mistake: Mistake) -> None:
        """Keep an example."""
        if sum(kept.problem == mistake.problem for kept in self.mistakes) < EXAMPLES_MAX:
            self.mistakes.append(mistake)


class _Cost(NamedTuple):
    """How good an alignment is: fewer unmatched, then fewer wrong ways, then nearer in time."""

    unmatched: int
    wrong: int
    apart_us: int

    def plus(self, unmatched: int, wrong: int, apart_us: int) -> _Cost:
        return _Cost(self.unmatched + unmatched, self.wrong + wrong, self.apart_us + apart_us)


def score_of(
    passages: Iterable[Passage], told: Iterable[Told], *, tolerance_us: int = TOLERANCE_US
) -> dict[str, GeometryScore]:
    """The figures by geometry."""
    true_by: dict[tuple[str, str], list[Passage]] = defaultdict(list)
    strays_by: dict[tuple[str, str], list[Passage]] = defaultdict(list)
    told_by: dict[tuple[str, str], list[Told]] = defaultdict(list)
    geometry_of: dict[str, str] = {}
    scores: dict[str, GeometryScore] = {}
    for passage in passages:
        geometry_of[passage.gate] = passage.geometry
        score = scores.setdefault(passage.geometry, GeometryScore())
        key = passage.identity, passage.gate
        if passage.kind == "passed":
            true_by[key].append(passage)
            score.passages += 1
        else:
            strays_by[key].append(passage)
            score.strays += passage.reads_emitted > 0
    unread = _Unread(passages_of_gate=true_by, tolerance_us=tolerance_us)
    for event in sorted(told, key=lambda event: event.at_us):
        if event.direction not in MOVED or event.gate not in geometry_of:
            continue
        if is_no_read(event.identity):
            score = scores[geometry_of[event.gate]]
            score.no_reads += 1
            score.no_reads_true += unread.explains(event)
            continue
        told_by[event.identity, event.gate].append(event)
    for key in sorted({*true_by, *told_by}):
        score = scores[geometry_of[key[1]]]
        true = sorted(true_by.get(key, ()), key=lambda passage: passage.at_us)
        events = sorted(told_by.get(key, ()), key=lambda event: event.at_us)
        pairs = _aligned(true, events, tolerance_us)
        _count(score, true, events, pairs)
        matched = {place for _, place in pairs}
        left = [event for place, event in enumerate(events) if place not in matched]
        _count_left(score, left, strays_by.get(key, []), tolerance_us)
    return scores


class _Unread:
    """The true passages that gave no read, each of which explains one no-read."""

    def __init__(
        self, *, passages_of_gate: Mapping[tuple[str, str], list[Passage]], tolerance_us: int
    ) -> None:
        self._tolerance_us = tolerance_us
        self._waiting: dict[str, list[Passage]] = defaultdict(list)
        for (_, gate), passages in passages_of_gate.items():
            self._waiting[gate] += [one for one in passages if not one.reads_emitted]
        for waiting in self._waiting.values():
            waiting.sort(key=lambda passage: passage.at_us)

    def explains(self, event: Told) -> bool:
        """Whether something unread passed there and then; events come in order of time."""
        waiting = self._waiting[event.gate]
        for place, passage in enumerate(waiting):
            if passage.direction == event.direction and _near(passage, event, self._tolerance_us):
                del waiting[place]
                return True
        return False


def _aligned(
    true: Sequence[Passage], events: Sequence[Told], tolerance_us: int
) -> list[tuple[int, int]]:
    """Pairs of a true and a told passage, in order of time on both sides."""
    best: list[list[tuple[_Cost, int]]] = [[(_Cost(0, 0, 0), 0)]]
    best[0] += [(_Cost(place + 1, 0, 0), 2) for place in range(len(events))]
    for row, passage in enumerate(true, 1):
        line = [(best[row - 1][0][0].plus(1, 0, 0), 1)]
        for column, event in enumerate(events, 1):
            choices = [
                (best[row - 1][column][0].plus(1, 0, 0), 1),
                (line[column - 1][0].plus(1, 0, 0), 2),
            ]
            if _near(passage, event, tolerance_us):
                wrong = int(passage.direction != event.direction)
                apart_us = abs(passage.at_us - event.at_us)
                choices.append((best[row - 1][column - 1][0].plus(0, wrong, apart_us), 0))
            line.append(min(choices))
        best.append(line)
    pairs = []
    row, column = len(true), len(events)
    while row or column:
        step = best[row][column][1]
        if row and column and step == 0:
            row, column = row - 1, column - 1
            pairs.append((row, column))
        elif row and (step == 1 or not column):
            row -= 1
        else:
            column -= 1
    return pairs[::-1]


def _near(passage: Passage, event: Told, tolerance_us: int) -> bool:
    return passage.from_us - tolerance_us <= event.at_us <= passage.until_us + tolerance_us


def _count(
    score: GeometryScore,
    true: Sequence[Passage],
    events: Sequence[Told],
    pairs: Sequence[tuple[int, int]],
) -> None:
    told_of = dict(pairs)
    for place, passage in enumerate(true):
        told = events[told_of[place]].direction if place in told_of else ""
        if told == passage.direction:
            score.right += 1
            continue
        if told:
            score.wrong += 1
            problem = "wrong"
        else:
            score.missed += 1
            score.unread += passage.reads_emitted == 0
            problem = "missed" if passage.reads_emitted else "unread"
        score.note(
            Mistake(
                problem=problem,
                identity=passage.identity,
                gate=passage.gate,
                at_us=passage.at_us,
                truth=f"{passage.kind} {passage.direction} {passage.how}".strip(),
                told=told,
            )
        )


def _count_left(
    score: GeometryScore, events: Sequence[Told], strays: Sequence[Passage], tolerance_us: int
) -> None:
    """Told passages that match no true one; each stray is counted once, however often told."""
    moved: set[int] = set()
    for event in events:
        here = [place for place, stray in enumerate(strays) if _near(stray, event, tolerance_us)]
        new = [place for place in here if place not in moved]
        truth = strays[here[0]].kind + " " + strays[here[0]].how if here else "nothing"
        if new:
            moved.add(new[0])
            score.strays_moved += 1
        else:
            score.extra += 1
        score.note(
            Mistake(
                problem="stray" if here else "extra",
                identity=event.identity,
                gate=event.gate,
                at_us=event.at_us,
                truth=truth,
                told=event.direction,
            )
        )
