"""Tells sightings that were forgotten by order from those that are merely gone.

A month's sightings are removed by order only, and an entry of kind `evidence_forgotten` says how
many that were. When each sighting was kept outlives it. So of a sighting that is gone it is known
in which month it was, and of every such month that the chain has the order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

import msgspec

from contracts.codec import UNDECODABLE
from contracts.events import EntryKind, EvidenceForgotten
from ledger_sink.core.chain import ChainEntry
from ledger_sink.core.verification import FINDINGS_MAX, Fault, Finding

DAY_US = 86_400_000_000
"""Months begin and end with a day."""

_forgotten = msgspec.json.Decoder(EvidenceForgotten)


class Order(NamedTuple):
    """What an entry says was forgotten."""

    from_us: int
    to_us: int
    sightings: int


class ForgottenCheck:
    """Takes entries, and the sightings that are gone with the time at which they were kept."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.days: dict[int, list[Finding]] = {}
        """By the day on which sightings were kept, since 1970: the first of them that are gone, as
        what that is where nobody ordered it."""

    def take(
        self, entries: Iterable[ChainEntry], gone: Iterable[tuple[int, Finding]]
    ) -> Iterator[Finding]:
        """The next entries, and what they speak of that is gone; what is wrong with orders.

        What is gone comes with the time at which it was kept, UTC microseconds.
        """
        for recorded_us, finding in gone:
            self._add(recorded_us // DAY_US, [finding])
        for entry in entries:
            if entry.kind != EntryKind.EVIDENCE_FORGOTTEN:
                continue
            try:
                said = _forgotten.decode(entry.payload)
            except UNDECODABLE as error:
                text = f"entry {entry.seq} ({entry.id}) is no order to forget: {error}"
                yield Finding(Fault.EVIDENCE, entry.seq, entry.id, text)
                continue
            self.orders.append(Order(said.from_us, said.to_us, said.sightings))

    def join(self, orders: Iterable[Order], days: Mapping[int, list[Finding]]) -> None:
        """What another one found in the next part of the chain."""
        self.orders += orders
        for day, gone in days.items():
            self._add(day, gone)

    @property
    def spans(self) -> set[tuple[int, int]]:
        """The months that were forgotten: first moment, first moment after."""
        return {(one.from_us, one.to_us) for one in self.orders}

    def report(self, kept: Mapping[tuple[int, int], int] | None = None) -> Iterator[Finding]:
        """What is gone without an order; what its orders do not account for.

        `kept`: by span, how many sightings were kept in it once; None: that is not known.
        """
        for day, gone in sorted(self.days.items()):
            if not any(one.from_us <= day * DAY_US < one.to_us for one in self.orders):
                for sighting in gone:
                    text = f"{sighting.text}; no entry says that it was forgotten"
                    yield sighting._replace(text=text)
        told: Counter[tuple[int, int]] = Counter()
        for one in self.orders:
            told[one.from_us, one.to_us] += one.sightings
        for span, count in sorted(told.items()):
            if kept is not None and kept.get(span) != count:
                text = f"{count} sightings were forgotten of the month from {span[0]} (UTC"
                other = f"microseconds), and {kept.get(span)} were kept in it"
                yield Finding(Fault.EVIDENCE, None, None, f"{text} {other}")

    def _add(self, day: int, gone: Iterable[Finding]) -> None:
        known = self.days.setdefault(day, [])
        known += islice(gone, FINDINGS_MAX - len(known))
