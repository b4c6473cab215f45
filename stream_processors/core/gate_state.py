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
NEVER_US = 1 << 62
EYES_MAX = 64
"""Interruptions kept per side, however nervous an eye is."""
EYE_GAP_US = 1_500_000
"""What breaks one beam and then the other within this went from one to the other."""


class EyeCrossing(NamedTuple):
    """Something broke the beams of a gate."""

    at_us: int
    """About when its front crossed the gate's line."""
    direction: str
    """`in`, `out` or `back`."""
    from_us: int
    """When the first beam was broken."""
    to_us: int
    """When the last one was whole again."""


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
        """What broke beams within a span of time.

        While any beam is broken, something is in the gate. It came from the side whose beam it
        broke first, and left to the side whose beam was whole again last.
        """
        breaks = sorted(
            (start, end or NEVER_US, side)
            for side, beam in zip((-1, 1), self.eyes, strict=True)
            for start, end in beam
        )
        found: list[EyeCrossing] = []
        group: list[tuple[int, int, int]] = []
        until_us = 0
        for one in breaks:
            apart_us = one[0] - until_us
            alone = {side for _, _, side in group}
            if group and (apart_us > EYE_GAP_US or (apart_us > 0 and one[2] in alone)):
                found.append(_crossing(group))
                group = []
            group.append(one)
            until_us = max(one[1], until_us) if len(group) > 1 else one[1]
        if group:
            found.append(_crossing(group))
        return [one for one in found if one.to_us >= from_us and one.from_us <= to_us]


def _crossing(group: list[tuple[int, int, int]]) -> EyeCrossing:
    start_us, _, first = group[0]
    end_us, last = max((end, side) for _, end, side in group)
    other_us = next((start for start, _, side in group if side != first), start_us)
    direction = "back" if first == last else ("in" if first < 0 else "out")
    return EyeCrossing((start_us + other_us) // 2, direction, start_us, end_us)
