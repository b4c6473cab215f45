"""Triggers: what a passage means for the loads, as far as one identity tells.

Whether anything is *missing* needs several identities and is decided behind this hop. Here a
passage finds its load, or is at the wrong door, a stranger, or one passage too many; and what
comes back takes its discrepancy with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from contracts.events import Direction, DiscrepancyClosed, DiscrepancyOpened, Problem
from contracts.ids import content_id
from contracts.places import Load
from stream_processors.core.reference import (
    LOAD_TOLERANCE_US,
    Reference,
    is_beacon,
    is_open,
    item_of,
)
from stream_processors.core.windows import Record, Trail

REMEMBERED_US = 3_600_000_000
"""How long after its load's end a passage still tells coming back from passing once more."""


class Passed(NamedTuple):
    """A passage in or out, as the triggers see it."""

    gate: str
    direction: Direction
    at_us: int
    late: bool
    found_us: int
    """The gate's time."""
    evidence: tuple[str, ...]
    """Ids of the entry and its sightings."""


class Triggered(NamedTuple):
    """What a passage led to."""

    load: str | None
    opened: tuple[DiscrepancyOpened, ...] = ()
    closed: tuple[DiscrepancyClosed, ...] = ()


def on_passage(reference: Reference, record: Record, trail: Trail, passed: Passed) -> Triggered:
    """Compare a passage with the plan. Changes the trail, unless the passage is late."""
    identity = record.identity
    direction, at_us = passed.direction, passed.at_us
    closed: tuple[DiscrepancyClosed, ...] = ()
    came_back = False
    if not passed.late:
        came_back = bool(trail.load or trail.discrepancies) and trail.direction != direction
        closed = came_back_closed(trail, direction, at_us, passed.evidence)
    load = _load_of(reference, identity, passed)
    if load is not None:
        again = not passed.late and trail.load == load.load and trail.direction == direction
        over = (_over(load, identity, passed),) if again else ()
        if not passed.late:
            trail.load = load.load
            _remember(trail, over, direction, load.closes_us)
        return Triggered(load.load, over, closed)
    if not passed.late:
        trail.load = ""
    if came_back:
        return Triggered(None, (), closed)
    opened, until_us = _beside_the_plan(reference, identity, passed)
    if opened and not passed.late:
        _remember(trail, opened, direction, until_us)
    return Triggered(None, opened, closed)


def came_back_closed(
    trail: Trail, direction: str, at_us: int, evidence: tuple[str, ...]
) -> tuple[DiscrepancyClosed, ...]:
    """Close what was open because it had moved the other way."""
    closed = tuple(
        DiscrepancyClosed(discrepancy=name, reason="came_back", at_us=at_us, evidence=evidence)
        for name, moved in trail.discrepancies
        if moved != direction
    )
    if closed:
        trail.discrepancies = tuple(one for one in trail.discrepancies if one[1] == direction)
    return closed


def _load_of(reference: Reference, identity: str, passed: Passed) -> Load | None:
    """The load that this passage belongs to: it names the identity, or takes any of its kind."""
    for load in reference.loads_of(identity):
        right = load.gate == passed.gate and load.direction == passed.direction
        if right and is_open(load, passed.at_us):
            return load
    item = item_of(identity)
    if item is None:
        return None
    for load in reference.loads_open(passed.gate, passed.direction, passed.at_us):
        if reference.takes_kind(load, item):
            return load
    return None


def _beside_the_plan(
    reference: Reference, identity: str, passed: Passed
) -> tuple[tuple[DiscrepancyOpened, ...], int]:
    """Wrong door, stranger, or nothing; and until when that load may pass."""
    here = reference.loads_open(passed.gate, passed.direction, passed.at_us)
    if not here and not reference.leads_out(passed.gate):
        return (), 0  # Between two zones of a warehouse goods may move as they like.
    expected = [one for one in reference.loads_of(identity) if is_open(one, passed.at_us)]
    item = item_of(identity)
    if expected:
        opened = DiscrepancyOpened(
            discrepancy=_name(Problem.WRONG_DOOR, here, passed.gate, identity),
            problem=Problem.WRONG_DOOR,
            load=here[0].load if here else None,
            expected_load=expected[0].load,
            location=passed.gate,
            identities=(identity,),
            item=item,
            at_us=passed.at_us,
            found_us=passed.found_us,
            evidence=passed.evidence,
        )
        return (opened,), max(one.closes_us for one in (*here, *expected))
    if not here or is_beacon(identity):
        # A person's badge or an asset's beacon is no goods, unless a line names it.
        return (), 0
    opened = DiscrepancyOpened(
        discrepancy=_name(Problem.STRANGER, here, passed.gate, identity),
        problem=Problem.STRANGER,
        load=here[0].load,
        location=passed.gate,
        identities=(identity,),
        item=item,
        at_us=passed.at_us,
        found_us=passed.found_us,
        evidence=passed.evidence,
    )
    return (opened,), here[0].closes_us


def _over(load: Load, identity: str, passed: Passed) -> DiscrepancyOpened:
    return DiscrepancyOpened(
        discrepancy=_name(Problem.OVER, [load], passed.gate, identity),
        problem=Problem.OVER,
        load=load.load,
        location=passed.gate,
        identities=(identity,),
        item=item_of(identity),
        at_us=passed.at_us,
        found_us=passed.found_us,
        evidence=passed.evidence,
    )


def _name(problem: Problem, loads: Sequence[Load], gate: str, identity: str) -> str:
    return content_id("discrepancy", problem, loads[0].load if loads else gate, identity)


def _remember(
    trail: Trail, opened: tuple[DiscrepancyOpened, ...], direction: str, until_us: int
) -> None:
    for one in opened:
        if all(name != one.discrepancy for name, _ in trail.discrepancies):
            trail.discrepancies = (*trail.discrepancies, (one.discrepancy, direction))
    trail.closes_us = max(trail.closes_us, until_us + LOAD_TOLERANCE_US + REMEMBERED_US)
