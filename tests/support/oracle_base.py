"""The small things that the oracle of the sample company is made of. Nothing is shared."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path
from typing import Any, NamedTuple

ZERO = Decimal(0)
CENT = Decimal("0.01")
HOUSE = ("zone", "bin")
ACCOUNTS = {
    "raw": "1403",
    "finished": "1405.01",
    "merchandise": "1405.02",
    "transit": "1402",
    "dispatched": "1406",
    "difference": "1404",
    "adjustment": "1901",
    "receivable": "1122",
    "payable": "2202",
    "not_invoiced": "2202.01",
    "input_tax": "2221.01.01",
    "output_tax": "2221.01.05",
    "equity": "4104",
    "production": "5001",
    "absorbed": "5101",
    "revenue": "6001",
    "cost_of_sales": "6401",
    "department": "6602",
    "scrap": "6711",
}
"""The Chinese chart, by what the accounts are for."""


def cents(amount: Decimal) -> Decimal:
    """Rounded half up."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def divided(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """A part's share of an amount, rounded; the whole takes it all."""
    with localcontext(prec=60):
        return amount if part == whole else cents(amount * part / whole)


class Key(NamedTuple):
    """Where stock is and in which state."""

    item: str
    location: str
    batch: str = ""
    serial: str = ""
    disposition: str = "available"
    reservation: str = "none"
    owner: str = ""


class Move(NamedTuple):
    """One line of what moved."""

    document: int
    """Its place in order of recording."""
    key: Key
    quantity: Decimal
    happened: datetime
    taken_back: str
    """The document that was taken back by this one; empty: it is no reversal."""


class Booked(NamedTuple):
    """An amount on an account; debit is above zero."""

    document: str
    account: str
    item: str
    amount: Decimal


@dataclass
class Pool:
    """Goods of a document's line that wait for what follows, or are settled."""

    quantity: Decimal = ZERO
    held: Decimal = ZERO
    cost: Decimal = ZERO
    net: Decimal = ZERO
    tax: Decimal = ZERO

    def take(self, quantity: Decimal) -> Pool:
        """So much of it, with its share of everything."""
        parts = [divided(one, quantity, self.quantity) for one in self.amounts()]
        taken = Pool(quantity, *parts)
        self.add(taken, -1)
        return taken

    def amounts(self) -> tuple[Decimal, ...]:
        """All but the quantity."""
        return (self.held, self.cost, self.net, self.tax)

    def add(self, other: Pool, sign: int = 1) -> None:
        """Put another one in."""
        self.quantity += sign * other.quantity
        self.held += sign * other.held
        self.cost += sign * other.cost
        self.net += sign * other.net
        self.tax += sign * other.tax


@dataclass
class Source:
    """A line of a receipt, a shipment or a transfer."""

    document: str
    refers: str
    line: int
    order_line: int
    item: str
    owner: str
    is_held: bool = True
    """Its goods stand on a clearing account until they are settled."""
    waiting: Pool = field(default_factory=Pool)
    settled: Pool = field(default_factory=Pool)


@dataclass
class Worth:
    """What an item's stock is worth."""

    is_fifo: bool
    quantity: Decimal = ZERO
    value: Decimal = ZERO
    price: Decimal = ZERO
    layers: list[list[Any]] = field(default_factory=list)
    """Document, quantity, value."""

    def come(self, document: str, quantity: Decimal, cost: Decimal) -> Decimal:
        """In; gives by how much stock is worth more beside that."""
        before, there = self.value + cost, self.quantity
        self.quantity += quantity
        self.price = self._unit(cost, quantity)
        self.value = before
        if there < 0:
            self.value = divided(cost, self.quantity, quantity)
            quantity, cost = self.quantity, self.value
        if self.is_fifo and self.quantity > 0:
            self.layers.append([document, quantity, cost])
        self._reprice()
        return self._zero(self.value - before)

    def go(self, quantity: Decimal) -> Decimal:
        """Out; gives its cost."""
        there = max(self.quantity, ZERO)
        known = min(quantity, there)
        cost = self._from_layers(self.layers, known) if self.is_fifo else ZERO
        if not self.is_fifo and there:
            cost = divided(self.value, known, there)
        cost += cents(self.price * (quantity - known))
        self.quantity -= quantity
        self.value -= cost
        self._reprice()
        return cost

    def shift(self, amount: Decimal, documents: Iterable[str]) -> None:
        """The value changes, the quantity does not: of FIFO in these documents' layers."""
        self.value += amount
        own = [layer for layer in self.layers if layer[0] in set(documents)]
        whole, left = sum((layer[1] for layer in own), ZERO), amount
        for layer in own:
            part = divided(left, layer[1], whole)
            layer[2] += part
            whole, left = whole - layer[1], left - part
        self._reprice()

    def revalue(self, price: Decimal) -> Decimal:
        """All of it at another price; gives by how much it is worth more."""
        before, self.value = self.value, cents(self.quantity * price)
        self.price = price
        quantity, left = self.quantity, self.value
        for layer in self.layers:
            layer[2] = divided(left, layer[1], quantity)
            quantity, left = quantity - layer[1], left - layer[2]
        self._reprice()
        return self.value - before

    def undo(self, document: str, quantity: Decimal, value: Decimal, back: str) -> Decimal:
        """So much comes in or (below zero) goes out again at its original value."""
        before = self.value + value
        self.quantity += quantity
        self.value = before
        if self.is_fifo and quantity < 0:
            own = [layer for layer in self.layers if layer[0] == document]
            there = sum((layer[1] for layer in own), ZERO)
            self._from_layers(own, min(there, -quantity))
            self.layers = [layer for layer in self.layers if layer[0] != document or layer in own]
            self._from_layers(self.layers, -quantity - min(there, -quantity))
        elif self.is_fifo and quantity > 0:
            self.layers.append([back, quantity, value])
        self._reprice()
        return self._zero(ZERO)

    def left_of(self, documents: Iterable[str]) -> Decimal:
        """How much is still there of what documents brought."""
        if not self.is_fifo:
            return max(self.quantity, ZERO)
        return sum((layer[1] for layer in self.layers if layer[0] in set(documents)), ZERO)

    def _zero(self, remainder: Decimal) -> Decimal:
        """Nothing is worth nothing."""
        if not self.quantity:
            remainder -= self.value
            self.value = ZERO
        return remainder

    def _reprice(self) -> None:
        if not self.is_fifo and self.quantity > 0:
            self.price = self._unit(self.value, self.quantity)

    def _unit(self, amount: Decimal, quantity: Decimal) -> Decimal:
        with localcontext(prec=60):
            return (amount / quantity).quantize(Decimal("0.000001"), ROUND_HALF_UP)

    def _from_layers(self, layers: list[list[Any]], quantity: Decimal) -> Decimal:
        cost = ZERO
        while quantity > 0:
            layer = layers[0]
            taken = min(quantity, layer[1])
            part = divided(layer[2], taken, layer[1])
            layer[1], layer[2] = layer[1] - taken, layer[2] - part
            cost, quantity = cost + part, quantity - taken
            if not layer[1]:
                layers.pop(0)
        return cost


def read_files(paths: Iterable[Path]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Master data, and the documents of all files in order."""
    master: dict[str, Any] = {}
    documents: list[dict[str, Any]] = []
    for path in paths:
        if path.suffix == ".json":
            whole = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
            documents += whole.pop("documents")
            master |= whole
        else:
            documents += _rows(path)
    return master, documents


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    documents: dict[str, dict[str, Any]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            given = {name: cell for name, cell in row.items() if cell}
            document = documents.setdefault(given["id"], {"lines": []} | given)
            if "item" in given:
                line = dict(given)
                line["reason"] = line.pop("line_reason", "")
                document["lines"].append(line)
    yield from documents.values()
