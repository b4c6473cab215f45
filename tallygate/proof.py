"""Lost and twice: the agents' spools held against the ledger, read by read.

Both figures are always zero or something is badly wrong; then the identities are named. Pure: the
caller brings the counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Proof:
    """What a comparison found."""

    spooled: int
    """Reads that reached a spool."""
    entered: int
    """Reads that the ledger's evidence and rejects account for."""
    lost: dict[str, int] = field(default_factory=dict)
    """Identity to the number of its reads that the ledger lacks."""
    twice: dict[str, int] = field(default_factory=dict)
    """Identity to the number of its reads, or events, that the ledger has too often."""

    @property
    def holds(self) -> bool:
        """Whether nothing was lost and nothing entered twice."""
        return not self.lost and not self.twice


def compare(
    spooled: Mapping[str, int],
    entered: Mapping[str, int],
    events: Iterable[tuple[str, str, str, str | None, int]] = (),
) -> Proof:
    """Hold reads per identity in the spools against reads per identity in the ledger.

    `events` are the location events entered, as (identity, kind, location, direction, at_us): the
    same one under two ids is entered twice, whatever evidence it brings. (One that was `unknown`
    at first and whose direction became known later is two different events.)
    """
    lost = {i: n - entered.get(i, 0) for i, n in spooled.items() if n > entered.get(i, 0)}
    twice = {i: n - spooled.get(i, 0) for i, n in entered.items() if n > spooled.get(i, 0)}
    for (identity, *_), times in Counter(events).items():
        if times > 1:
            twice[identity] = max(twice.get(identity, 0), times - 1)
    return Proof(
        spooled=sum(spooled.values()), entered=sum(entered.values()), lost=lost, twice=twice
    )


def describe(proof: Proof, *, most: int = 5) -> list[str]:
    """The proof in sentences: one that it holds, or the identities that spoil it."""
    if proof.holds:
        return [f"lost 0, twice 0 (of {proof.spooled:,} reads in the spools)"]
    lines = [f"lost {sum(proof.lost.values()):,}, twice {sum(proof.twice.values()):,}"]
    for word, found in (("lost", proof.lost), ("twice", proof.twice)):
        for identity, reads in sorted(found.items())[:most]:
            lines.append(f"{word}: {identity} ({reads} of its reads or events)")
        if len(found) > most:
            lines.append(f"{word}: and {len(found) - most:,} more identities")
    return lines
