"""What a partition remembers of one gate: who passed of late, how loud, and its photo-eyes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

LEVEL_CDBM = -5_000
"""Usual peak of a passing tag before any has passed: the middle of what portals report."""
LEVEL_WEIGHT_MIN = 4
"""The level expected before any passage counts as so many."""
LEVEL_WEIGHT_MAX = 50
"""The usual peak follows the last so many sure passages."""
VOTE = 1_000
"""A visit's votes for what it may have been sum up to this."""
COMPANY_US = 500_000
"""Votes are counted in bins of this length."""
COMPANY_KEPT_US = 20_000_000
"""Who passed longer ago than any window and its wait is nobody's company."""
COMPANY_NEAR = 3
"""Company is who passed within so many bins before or after: a pallet's length and its slack."""
EYE_KEPT_US = 90_000_000
"""Older interruptions matter to no open visit: visits end after a minute."""
EYES_MAX = 64
"""Interruptions kept per side, however nervous an eye is."""
EYE_PAIR_US = 4_000_000
"""Whatever breaks both beams breaks the second within this of the first."""


class EyeCrossing(NamedTuple):
    """Something broke both beams of a gate."""

    at_us: int
    direction: str
    """`in`, `out` or `back`."""


class Gate:
    """Memory of one gate in one partition."""

    __slots__ = ("company", "dirty", "eyes", "id", "level_cdbm", "weight")

    def __init__(self, gate: str) -> None:
        self.id = gate
        self.level_cdbm = LEVEL_CDBM
        self.weight = 0
        self.company: dict[int, list[int]] = {}
        """Bin of time to votes for each track that moves."""
        self.eyes: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
        """Outer and inner beam: when it was broken and when it was whole again (0: not yet)."""
        self.dirty = False

    def heard(self, peak_cdbm: int) -> None:
        """A sure passage tells how loud passing tags are here."""
        self.weight = min(self.weight + 1, LEVEL_WEIGHT_MAX)
        self.level_cdbm += (peak_cdbm - self.level_cdbm) // max(self.weight, LEVEL_WEIGHT_MIN)
        self.dirty = True

    def vote(self, at_us: int, votes: Sequence[int], sign: int = 1) -> None:
        """A visit says what it may have been, for those beside it; or takes that back."""
        number = at_us // COMPANY_US
        before = self.company.setdefault(number, [0] * len(votes))
        for index, vote in enumerate(votes):
            before[index] += sign * vote
        oldest = max(self.company) - COMPANY_KEPT_US // COMPANY_US
        if min(self.company) < oldest:
            self.company = {key: value for key, value in self.company.items() if key >= oldest}
        self.dirty = True

    def company_at(self, at_us: int, own: Sequence[int]) -> list[int]:
        """The votes of others near a time; `own` are left out."""
        number = at_us // COMPANY_US
        found = [-vote for vote in own]
        for near in range(number - COMPANY_NEAR, number + COMPANY_NEAR + 1):
            for index, vote in enumerate(self.company.get(near, ())):
                found[index] += vote
        return found

    def eye(self, side: int, *, broken: bool, at_us: int) -> None:
        """A beam changed. What comes again, or too late to matter, changes nothing."""
        beam = self.eyes[0 if side < 0 else 1]
        if broken:
            if not beam or at_us > max(beam[-1]):
                beam.append((at_us, 0))
        elif beam and not beam[-1][1] and at_us >= beam[-1][0]:
            beam[-1] = (beam[-1][0], max(at_us, 1))
        while len(beam) > EYES_MAX or (beam and beam[0][0] < at_us - EYE_KEPT_US):
            del beam[0]
        self.dirty = True

    def crossings(self, from_us: int, to_us: int) -> list[EyeCrossing]:
        """What broke both beams in a span of time.

        Going through, the beam that was broken first is also whole first; turning back, last.
        """
        found = []
        inner = [one for one in self.eyes[1] if one[0] <= to_us + EYE_PAIR_US]
        used: set[int] = set()
        for outer in self.eyes[0]:
            pair = _nearest(outer, inner, used)
            if pair is None:
                continue
            used.add(pair)
            at_us = (outer[0] + inner[pair][0]) // 2
            if from_us <= at_us <= to_us:
                found.append(EyeCrossing(at_us, _direction(outer, inner[pair])))
        found.sort()
        return found


def _nearest(
    outer: tuple[int, int], inner: Sequence[tuple[int, int]], used: set[int]
) -> int | None:
    best = None
    least_us = EYE_PAIR_US
    for index, one in enumerate(inner):
        apart_us = abs(one[0] - outer[0])
        if index not in used and apart_us <= least_us:
            least_us = apart_us
            best = index
    return best


def _direction(outer: tuple[int, int], inner: tuple[int, int]) -> str:
    outer_first = outer[0] < inner[0]
    outer_off = outer[1] or 1 << 62
    inner_off = inner[1] or 1 << 62
    if outer_off == inner_off:
        return "in" if outer_first else "out"
    if outer_first != (outer_off < inner_off):
        return "back"
    return "in" if outer_first else "out"
