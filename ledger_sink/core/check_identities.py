"""Recomputes what the ledger knows of identities: births, ends, and which entries speak of whom.

Ends that were entered together take effect together: what a pallet held is named by its end, also
what ended in the same call. Entries do not say which of them came in one call, so of those that
follow each other and were recorded at one moment either reading is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from contracts.commissioning import Commissioned, Decommissioned
from contracts.epcis.documents import identities_of
from ledger_sink.core.check_rows import Entry, Row, finding, said, told_once
from ledger_sink.core.epcis import CapturedEvent
from ledger_sink.core.verification import Finding

_birth = msgspec.json.Decoder(Commissioned)
_end = msgspec.json.Decoder(Decommissioned)
_captured = msgspec.json.Decoder(CapturedEvent)


class Identity(NamedTuple):
    """An identity as the ledger knows it: a row of `ledger.identities`."""

    packing: str
    item: str
    quantity: int
    batch: str
    expiry: str
    parent: str | None
    epc: bytes
    born_seq: int
    born_us: int
    ended_seq: int | None = None
    ended_us: int | None = None
    successor: str | None = None


class Mentioned(NamedTuple):
    """The identities that an entry speaks of beside its own."""

    surely: set[str]
    perhaps: set[str]
    """Only if something else ended in the same call."""


class _Run:
    """Ends that may have been entered together."""

    def __init__(self, entry: Entry) -> None:
        self.last_seq = entry.seq
        self.recorded_us = entry.recorded_us
        self.ended: dict[str, str | None] = {}
        """Who ended in it, and in what it was then."""
        self.moved: dict[str, str] = {}
        """What was in something that ended in it, and in what."""

    def goes_on(self, entry: Entry) -> bool:
        """Whether the entry may have come in the same call as the last one."""
        return (self.last_seq + 1, self.recorded_us) == (entry.seq, entry.recorded_us)


class IdentitiesCheck:
    """Takes births, ends and events of others in order of recording."""

    def __init__(self) -> None:
        self._known: dict[str, Identity] = {}
        self._inside: dict[str, set[str]] = {}
        self._run: _Run | None = None
        self._other_parents: dict[str, str] = {}

    def take_birth(self, entry: Entry) -> Mentioned:
        """An identity began. Raises what decoding raises."""
        birth = _birth.decode(entry.payload)
        self._known[birth.identity] = Identity(
            *(str(birth.packing), birth.item, birth.quantity, birth.batch, birth.expiry),
            *(birth.parent, bytes.fromhex(birth.epc), entry.seq, birth.at_us),
        )
        if birth.parent is not None:
            self._inside.setdefault(birth.parent, set()).add(birth.identity)
        return Mentioned({one for one in (birth.parent, birth.replaces) if one is not None}, set())

    def take_end(self, entry: Entry) -> Mentioned:
        """An identity ended. Raises what decoding raises, and ValueError where it never began."""
        end = _end.decode(entry.payload)
        known = self._known.get(end.identity)
        if known is None:
            raise ValueError(f"{end.identity} was never commissioned")
        if self._run is None or not self._run.goes_on(entry):
            self._run = _Run(entry)
        run, run.last_seq = self._run, entry.seq
        perhaps = {one for one, parent in run.ended.items() if parent == end.identity}
        inside = self._inside.pop(end.identity, set())
        for one in inside:
            self._known[one] = self._known[one]._replace(parent=end.successor)
            run.moved[one] = end.identity
        surely = set(inside)
        if end.successor is not None:
            self._inside.setdefault(end.successor, set()).update(inside)
            surely.add(end.successor)
        if known.parent is not None:
            self._inside.get(known.parent, set()).discard(end.identity)
        run.ended[end.identity] = known.parent
        if end.identity in run.moved:
            self._other_parents[end.identity] = run.moved[end.identity]
        self._known[end.identity] = known._replace(
            ended_seq=entry.seq, ended_us=end.at_us, successor=end.successor
        )
        return Mentioned(surely, perhaps)

    @staticmethod
    def take_event(entry: Entry) -> Mentioned:
        """Another party's event. Raises what decoding raises."""
        event = msgspec.json.decode(_captured.decode(entry.payload).event)
        return Mentioned(set(identities_of(event)) - {entry.identity or ""}, set())

    def report(self, kept: Iterable[tuple[str, Identity]]) -> Iterator[Finding]:
        """What is wrong with the identities as they stand."""
        found, twice = told_once("identities", kept)
        yield from twice
        for name in sorted(self._known.keys() | found.keys(), key=str):
            right, there = self._known.get(name), found.get(name)
            if right is None:
                seq = there.born_seq if there else None
                yield finding(seq, f"identities has {name}, which no entry commissioned")
            elif there is None:
                yield finding(
                    right.born_seq, f"identities lacks {name}, which entry {right.born_seq} says"
                )
            elif right != there:
                yield from self._compare(name, right, there)

    def _compare(self, name: str, right: Identity, there: Identity) -> Iterator[Finding]:
        for column, should, does in zip(Identity._fields, right, there, strict=True):
            other = self._other_parents.get(name, should)
            if does == should or (column == "parent" and does == other):
                continue
            seq = right.ended_seq if column.startswith("ended") else right.born_seq
            text = f"identities, identity {name}: {column} is {said(should)}, not {said(does)}"
            yield finding(seq or right.born_seq, text)


def mentions_of(mentioned: Mentioned, found: Sequence[Row]) -> list[Row]:
    """The rows of `ledger.mentions` that an entry makes; of those that may be, those that are."""
    there = {str(identity) for (identity,) in found}
    return [(one,) for one in sorted(mentioned.surely | (mentioned.perhaps & there))]
