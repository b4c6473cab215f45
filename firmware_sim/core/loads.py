"""What the papers say: loads with their lines, and what was planned to go wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

from firmware_sim.core.goods import Case, Pallet, Tag


@dataclass(slots=True)
class Line:
    """One line of a load."""

    item: str
    quantity: int
    identity: str = ""
    case: str = ""
    pallet: str = ""


@dataclass(slots=True)
class Load:
    """One load; times in microseconds of the shift."""

    name: str
    gate: str
    direction: str
    opens_us: int
    closes_us: int = 0
    lines: list[Line] = field(default_factory=list)

    def expect_pallet(self, pallet: Pallet) -> None:
        """Add a pallet, its cases and their units to the lines."""
        own = pallet.tag.identity
        self.lines.append(Line(pallet.tag.item, 1, own, "", own))
        for case in pallet.cases:
            self.expect_case(case, own)

    def expect_case(self, case: Case, pallet: str = "") -> None:
        """Add a case and its units to the lines."""
        own = case.tag.identity
        self.lines.append(Line(case.tag.item, 1, own, own, pallet))
        for unit in case.units:
            self.lines.append(Line(unit.item, 1, unit.identity, own, pallet))

    def expect_units(self, units: list[Tag]) -> None:
        """Add loose units to the lines."""
        self.lines += [Line(unit.item, 1, unit.identity) for unit in units]

    def expect_quantity(self, item: str, quantity: int) -> None:
        """Add a line that names no identity."""
        self.lines.append(Line(item, quantity))


@dataclass(slots=True)
class Fault:
    """Something that was planned to go wrong: `truth.jsonl`."""

    problem: str
    """`missing`, `over`, `stranger` or `wrong_door`."""
    cause: str
    """The cause in the vocabulary of discrepancies."""
    load: str
    """The load that is wrong because of it."""
    location: str
    """The gate where it shows."""
    occurred_us: int
    item: str
    quantity: int
    identities: list[str]
    at_load: str = ""
    """For a wrong door: the load that was open there, if one was."""
    consequence_of: int | None = None
    """The number of the fault that brings this one with it."""
