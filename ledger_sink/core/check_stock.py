"""Recomputes postings and balances from movements, and by how much each changed valued stock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from contracts.books import QUANTITY, Movement, PlaceKind, Posting
from ledger_sink.core.check_rows import (
    POSTINGS,
    REVERSALS,
    WIDE,
    Entry,
    Row,
    Table,
    finding,
    told_once,
)
from ledger_sink.core.posting.accounting import VALUED
from ledger_sink.core.verification import Finding

ZERO = Decimal(0)
_movement = msgspec.json.Decoder(Movement)


class Key(NamedTuple):
    """What a balance is of."""

    item: str
    location: str
    batch: str
    serial: str
    disposition: str
    reservation: str
    owner: str


class Balance(NamedTuple):
    """The present book of a key."""

    quantity: Decimal
    seq: int
    """Of the last movement."""


NOTHING = Balance(ZERO, 0)


class Moved(NamedTuple):
    """What a movement says."""

    movement: Movement
    rows: dict[Table, list[Row]]
    valued: dict[str, Decimal]
    """By how much it changed the valued quantity of items."""
    findings: list[Finding]


class StockCheck:
    """Takes movements in order of recording."""

    def __init__(self) -> None:
        self.movements = 0
        self._balances: dict[Key, Balance] = {}

    def take(self, entry: Entry, place_kinds: Mapping[str, PlaceKind]) -> Moved:
        """The rows of a movement. Raises what decoding raises where it is none."""
        self.movements += 1
        movement = _movement.decode(entry.payload)
        wrong = [one.quantity for one in movement.postings if not QUANTITY.fullmatch(one.quantity)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no quantity")
        rows: list[Row] = []
        sums: dict[tuple[str, str, str], Decimal] = {}
        valued: dict[str, Decimal] = {}
        for line, posting in enumerate(movement.postings, start=1):
            key, quantity = _key(posting), Decimal(posting.quantity)
            after = WIDE.add(self._balances.get(key, NOTHING).quantity, quantity)
            self._balances[key] = Balance(after, entry.seq)
            times = (movement.happened_us, entry.recorded_us)
            how = (posting.container, posting.is_inferred)
            rows.append((line, *key, *how, quantity, *times, after))
            same = (key.item, key.batch, key.serial)
            sums[same] = WIDE.add(sums.get(same, ZERO), quantity)
            if key.owner == "" and place_kinds.get(key.location) in VALUED:
                valued[key.item] = WIDE.add(valued.get(key.item, ZERO), quantity)
        findings = [
            finding(entry.seq, f"movement in entry {entry.seq}: {left} of item {item} is left over")
            for (item, _, _), left in sums.items()
            if left
        ]
        told = {POSTINGS: rows}
        if movement.reverses:
            told[REVERSALS] = [(movement.reverses,)]
        return Moved(movement, told, valued, findings)

    def report(self, kept: Iterable[tuple[Key, Balance]]) -> Iterator[Finding]:
        """What is wrong with the present book."""
        balances, twice = told_once("balances", kept)
        yield from twice
        for key in sorted(self._balances.keys() | balances.keys(), key=str):
            right, found = self._balances.get(key, NOTHING), balances.get(key, NOTHING)
            where = f"{key.item} at {key.location}"
            if right.quantity != found.quantity:
                text = f"balances: the book of {where} is {right.quantity}, not {found.quantity}"
                yield finding(right.seq or None, text)
            elif right.seq != found.seq:
                text = f"balances: the book of {where} was last moved by entry {right.seq}, not"
                yield finding(right.seq or None, f"{text} {found.seq}")


def _key(posting: Posting) -> Key:
    return Key(
        *(posting.item, posting.location, posting.batch, posting.serial),
        *(str(posting.disposition), str(posting.reservation), posting.owner),
    )
