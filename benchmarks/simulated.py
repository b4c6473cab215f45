"""Reads for the speed comparisons: the simulator's visits, told again of many more identities.

A rehearsal of one dock gives visits: all reads of one tag at one gate in one passing. Those of
about ten reads are templates; each is told again for a new identity, at a new time, at one of many
docks. So the signals are the simulator's, and the number of identities is free. Photo-eyes are left
out. Everything comes from one seed.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from contracts.clock import REAL_TIME
from contracts.places import AntennaPlace, Gate, SiteMap
from contracts.reads import Read, ReadBatch
from firmware_sim.offline import Rehearsal

GATEWAY = "dock"
READS_MIN, READS_MAX = 8, 12
"""Visits with so many reads are templates: ten reads an identity on average."""
VISIT_GAP_US = 20_000_000
"""Longer silence ends a visit."""
DOCKS = 40
"""Copies of the rehearsal's dock; a thousand reads come from them in one batch."""
BATCH_US = 200_000
"""One batch covers so much time."""
BEHIND_US = REAL_TIME.link_allowance_us()
"""A gateway's time stays behind by this, as an agent's does: a batch is sent so much later."""
QUIET_BATCHES = 5
"""At the end, a minute apart."""
TEMPLATE_BATCHES = 6_000
"""Twenty minutes of the rehearsal give enough templates."""


class Template(NamedTuple):
    """One visit of the rehearsal; times count from its first read."""

    reads: tuple[Read, ...]


class Workload:
    """So many reads of a tenth as many identities."""

    def __init__(
        self,
        *,
        reads: int,
        batch_reads: int = 1_000,
        batch_us: int = BATCH_US,
        start_us: int | None = None,
        seed: int = 1,
    ) -> None:
        """Batches of about `batch_reads`, one every `batch_us`, from `start_us` on."""
        rehearsal = Rehearsal(seed)
        self.site_map = _docks(rehearsal.site_map)
        self.start_us = rehearsal.start_us if start_us is None else start_us
        self.reads = reads
        self._batch_reads = batch_reads
        self._batch_us = batch_us
        self._dice = random.Random(seed)
        self._templates = _templates(rehearsal)
        assert self._templates, "the rehearsal has no visit of a fitting length"

    def batches(self) -> Iterator[ReadBatch]:
        """Batches in order of time; the last ones are quiet, so that every window closes."""
        told = serial = number = gateway_us = 0
        later: defaultdict[int, list[Read]] = defaultdict(list)
        planned = 0
        while told < self.reads:
            wanted = min((number + 1) * self._batch_reads, self.reads)
            while planned < wanted:
                serial += 1
                planned += self._tell(serial, number, later)
            reads = later.pop(number, [])
            reads.sort(key=lambda read: read.received_us)
            told += len(reads)
            number += 1
            gateway_us = self.start_us + number * self._batch_us - BEHIND_US
            yield ReadBatch(gateway_us=gateway_us, reads=tuple(reads))
        for quiet in range(1, QUIET_BATCHES + 1):
            yield ReadBatch(gateway_us=gateway_us + quiet * 60_000_000)

    def _tell(self, serial: int, number: int, later: defaultdict[int, list[Read]]) -> int:
        """Plan one visit's reads into the batches to come; gives how many."""
        template = self._dice.choice(self._templates)
        dock = self._dice.randrange(DOCKS)
        at_us = self.start_us + number * self._batch_us + self._dice.randrange(self._batch_us)
        identity = f"https://id.gs1.org/01/09506000134352/21/{serial}"
        for read in template.reads:
            moved = msgspec.structs.replace(
                read,
                identity=identity,
                device=f"{read.device}-{dock}",
                first_us=at_us + read.first_us,
                last_us=at_us + read.last_us,
                received_us=at_us + read.received_us,
            )
            later[max(number, (moved.received_us - self.start_us) // self._batch_us)].append(moved)
        return len(template.reads)


def _templates(rehearsal: Rehearsal) -> list[Template]:
    """Visits of a fitting length, with times from their first read."""
    open_visits: dict[tuple[str, str], list[Read]] = {}
    found: list[Template] = []
    portals = {each.device for each in rehearsal.site_map.antennas if each.antenna}

    def close(reads: list[Read]) -> None:
        if READS_MIN <= len(reads) <= READS_MAX:
            first_us = reads[0].first_us
            found.append(
                Template(
                    tuple(
                        msgspec.structs.replace(
                            read,
                            first_us=read.first_us - first_us,
                            last_us=read.last_us - first_us,
                            received_us=read.received_us - first_us,
                        )
                        for read in reads
                    )
                )
            )

    for number, batch in enumerate(rehearsal.batches()):
        if number > TEMPLATE_BATCHES:
            break
        for read in batch.reads:
            if read.device not in portals:
                continue
            key = (read.identity, read.device)
            before = open_visits.setdefault(key, [])
            if before and read.first_us - before[-1].last_us > VISIT_GAP_US:
                close(before)
                before = open_visits[key] = []
            before.append(read)
    for reads in open_visits.values():
        close(reads)
    return found


def _docks(site: SiteMap) -> SiteMap:
    """The map with every gate and reader `DOCKS` times."""

    def gate(each: Gate, dock: int) -> Gate:
        return msgspec.structs.replace(each, id=f"{each.id}-{dock}", light=None)

    def antenna(each: AntennaPlace, dock: int) -> AntennaPlace:
        gates = {gate.id for gate in site.gates}
        location = f"{each.location}-{dock}" if each.location in gates else each.location
        return msgspec.structs.replace(each, device=f"{each.device}-{dock}", location=location)

    return msgspec.structs.replace(
        site,
        gates=tuple(gate(each, dock) for each in site.gates for dock in range(DOCKS)),
        antennas=tuple(antenna(each, dock) for each in site.antennas for dock in range(DOCKS)),
        signals=(),
        gateways={f"{device}-{dock}": GATEWAY for device in site.gateways for dock in range(DOCKS)},
    )
