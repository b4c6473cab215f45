"""Recomputes the books from the movements alone: postings, running balances, the present book."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

import msgspec

from contracts.books import Movement
from contracts.codec import UNDECODABLE
from ledger_sink.core.verification import Fault, Finding


class Key(NamedTuple):
    """What a balance is of."""

    item: str
    location: str
    batch: str
    serial: str
    disposition: str
    reservation: str
    owner: str


class Line(NamedTuple):
    """A posting as it stands in the database."""

    line: int
    key: Key
    quantity: Decimal
    happened_us: int
    balance: Decimal
    """Of its key, behind it in order of recording."""


_movement = msgspec.json.Decoder(Movement)


class BooksCheck:
    """Takes movements with their postings in order of recording, then the present balances."""

    def __init__(self) -> None:
        self.movements = 0
        self._balances: dict[Key, Decimal] = {}

    def take(self, seq: int, payload: bytes, lines: list[Line]) -> Iterator[Finding]:
        """One movement; what is wrong with it."""
        self.movements += 1
        try:
            movement = _movement.decode(payload)
        except UNDECODABLE as error:
            yield _finding(seq, f"it is no movement: {error}")
            return
        said = [
            (
                Key(
                    *(one.item, one.location, one.batch, one.serial),
                    *(str(one.disposition), str(one.reservation), one.owner),
                ),
                Decimal(one.quantity),
                movement.happened_us,
            )
            for one in movement.postings
        ]
        if [(line.key, line.quantity, line.happened_us) for line in lines] != said:
            yield _finding(seq, "its postings are not its lines")
        for number, (key, quantity, _) in enumerate(said):
            after = self._balances.get(key, Decimal(0)) + quantity
            self._balances[key] = after
            if number < len(lines) and lines[number].balance != after:
                text = f"line {number + 1}: the balance of {key.item} at {key.location} behind it"
                yield _finding(seq, f"{text} is {after}, not {lines[number].balance}")

    @staticmethod
    def stray(seq: int) -> Finding:
        """Postings stand under an entry that is no movement."""
        return Finding(Fault.POSTING, seq, None, f"postings of entry {seq}: it is no movement")

    def report(self, balances: dict[Key, Decimal]) -> Iterator[Finding]:
        """What is wrong with the present book."""
        for key in self._balances.keys() | balances.keys():
            right, kept = self._balances.get(key, Decimal(0)), balances.get(key, Decimal(0))
            if right != kept:
                text = f"the book of {key.item} at {key.location} is {right}, not {kept}"
                yield Finding(Fault.POSTING, None, None, text)


def _finding(seq: int, text: str) -> Finding:
    return Finding(Fault.POSTING, seq, None, f"movement in entry {seq}: {text}")
