"""One transaction of the sink: what a plan of the admission adds to the ledger, or nothing.

The same code runs against PostgreSQL and, in simulations, against the twin in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from contracts.events import Entry
from contracts.named_points import reached
from ledger_sink.core.admission import CommitPlan
from ledger_sink.core.cleaning import clean_entries, clean_evidence
from ledger_sink.ledger import Ledger

LEASE = "sink"
LEASE_S = 5.0
"""A killed sink's successor waits so long; a commit that takes longer is given up."""


class Stage(Protocol):
    """A stage behind the hop: it sees what all partitions say, in the order of the chain."""

    def take(self, entries: Sequence[Entry], gateways: Mapping[str, int]) -> list[Entry]:
        """What new entries and the gateways' times (us) lead to: entries of its own."""
        ...

    def memory(self) -> bytes | None:
        """All that must survive a restart, or None where nothing changed since the last call."""
        ...

    def restore(self, raw: bytes) -> None:
        """Go on from what `memory` gave."""
        ...


class LeaseLostError(Exception):
    """Another sink has taken over: this one must end, and the next start will wait its turn."""


class Committed(NamedTuple):
    """What a transaction did."""

    refused: tuple[int, ...]
    """Partitions whose position was not as expected; if there is one, nothing was done."""
    entries: tuple[Entry, ...] = ()
    """New in the ledger, in the chain's order."""
    sightings: int = 0
    """New sightings."""
    reads: int = 0
    """Reads merged in the sightings given, new or not."""
    sequence: int = 0
    """The chain's last seq."""


class _RefusedError(Exception):
    """Rolls the transaction back."""

    def __init__(self, partitions: tuple[int, ...]) -> None:
        super().__init__()
        self.partitions = partitions


def commit(
    ledger: Ledger,
    plan: CommitPlan,
    *,
    run: int,
    stages: Mapping[str, Stage],
    gateways: Mapping[str, int],
    recorded_us: int,
) -> Committed:
    """Do the plan's steps, the stages behind the hop and their memory in one transaction.

    `run` is the sink's lease; `gateways` are the gateways' times once the plan is done. Raises
    LeaseLostError, with nothing done. After any other exception the stages may be ahead of the
    ledger: end the process, its next start restores them.
    """
    try:
        with ledger.transaction():
            _admit(ledger, plan, run)
            return _append(ledger, plan, stages, gateways, recorded_us)
    except _RefusedError as error:
        return Committed(refused=error.partitions)


def _admit(ledger: Ledger, plan: CommitPlan, run: int) -> None:
    """Compare log, epoch and offset of every step with the ledger's rows, and move these on."""
    if not ledger.renew_lease(LEASE, run, LEASE_S):
        raise LeaseLostError
    refused = tuple(
        step.commit.partition
        # Rows are locked from the lowest partition up, as everywhere.
        for step in sorted(plan.steps, key=lambda step: step.commit.partition)
        if not ledger.commit_partition(step.commit)
    )
    if refused:
        raise _RefusedError(refused)


def _append(
    ledger: Ledger,
    plan: CommitPlan,
    stages: Mapping[str, Stage],
    gateways: Mapping[str, int],
    recorded_us: int,
) -> Committed:
    evidence, rejects = clean_evidence([row for step in plan.steps for row in step.evidence])
    given = clean_entries([entry for step in plan.steps for entry in step.entries]) + rejects
    reached("before_append")
    sightings = ledger.add_evidence(evidence, recorded_us)
    appended = ledger.append(given, recorded_us) if given else None
    entered = [given[place] for place in appended.entered] if appended else []
    sequence = appended.sequence if appended else 0
    # A stage hears of what is new only: what came twice it has heard of.
    for name, stage in stages.items():
        found = stage.take(entered, gateways)
        if found:
            appended = ledger.append(found, recorded_us)
            entered += [found[place] for place in appended.entered]
            sequence = appended.sequence
        memory = stage.memory()
        if memory is not None:
            ledger.keep_stage_memory(name, memory)
    ledger.keep_whereabouts(entered)
    reached("after_append")
    return Committed(
        refused=(),
        entries=tuple(entered),
        sightings=sightings,
        reads=sum(row.reads for row in evidence),
        sequence=sequence,
    )
