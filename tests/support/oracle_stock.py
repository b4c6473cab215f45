"""The stock of the sample company, document by document, from its files alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.support.oracle_base import (
    ACCOUNTS,
    ZERO,
    Booked,
    Key,
    Move,
    Pool,
    Source,
    Worth,
    cents,
    read_files,
)

COMES = {
    "opening": "opening",
    "goods_receipt": "supplier",
    "production_receipt": "production",
    "customer_return": "customer",
}
GOES = {
    "sales_shipment": "customer",
    "goods_issue": "production",
    "supplier_return": "supplier",
    "scrap": "scrap",
    "transfer_out": "in_transit",
    "adjustment": "adjustment",
}


class StockOracle(ABC):
    """The books, document by document."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.master, documents = read_files(paths)
        self.items = {one["item"]: one for one in self.master["items"]}
        self.places = {one["location"]: one for one in self.master["places"]}
        self.documents: dict[str, dict[str, Any]] = {}
        self.balances: dict[Key, Decimal] = defaultdict(Decimal)
        self.worths: dict[str, Worth] = {}
        self.moves: list[Move] = []
        self.booked: list[Booked] = []
        self.prices_before: dict[str, dict[str, Decimal]] = {}
        """Of adjustments: item to its unit cost just before."""
        self.books_before: dict[tuple[str, int], Decimal] = {}
        """Of adjustments: line to what the book said just before."""
        self._ages: dict[Key, int] = {}
        self._promised: dict[str, dict[Key, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        self._sources: list[Source] = []
        self._revalued: dict[str, list[tuple[str, Decimal]]] = defaultdict(list)
        self._drawn: dict[str, list[tuple[Source, Pool, bool, Pool | None]]] = defaultdict(list)
        for document in documents:
            self._take(document)

    # Reading.

    def base(self, line: dict[str, Any]) -> Decimal:
        """The line's quantity in base units."""
        item, unit = self.items[line["item"]], line.get("unit", "")
        size, sizes = Decimal(1), {one["unit"]: one for one in item.get("units", ())}
        while unit and unit != item["base_unit"]:
            size *= Decimal(sizes[unit]["contains"])
            unit = sizes[unit].get("of", "")
        return Decimal(line["quantity"]) * size

    def money(self, document: dict[str, Any], line: dict[str, Any]) -> tuple[Decimal, Decimal]:
        """Net and tax of a line in the base currency."""
        rate = Decimal(document.get("rate", "1"))
        net = cents(Decimal(line["quantity"]) * Decimal(line["price"]))
        tax_rate = self.master["taxes"][line["tax"]]["rate"] if line.get("tax") else "0"
        return cents(net * rate), cents(cents(net * Decimal(tax_rate)) * rate)

    def is_valued(self, line: dict[str, Any]) -> bool:
        """Ours, and an item that has a value."""
        return "costing" in self.items[line["item"]] and not line.get("owner")

    def worth(self, item: str) -> Worth:
        """What an item's stock is worth."""
        if item not in self.worths:
            self.worths[item] = Worth(self.items[item]["costing"]["method"] == "fifo")
        return self.worths[item]

    # Writing.

    def book(self, document: str, account: str, item: str, amount: Decimal) -> None:
        """Debit an account, or credit it with less than zero."""
        if amount:
            self.booked.append(Booked(document, ACCOUNTS[account], item, amount))

    def stock_account(self, item: str) -> str:
        """Where its value stands."""
        return str(self.items[item]["costing"]["stock_class"])

    def remainder(self, document: str, item: str, amount: Decimal) -> None:
        """Stock is worth so much more beside what the document says."""
        self.book(document, self.stock_account(item), item, amount)
        self.book(document, "difference", item, -amount)

    def move(self, document: dict[str, Any], key: Key, quantity: Decimal) -> None:
        """Stock comes to a key, or leaves it."""
        self.balances[key] += quantity
        self._ages.setdefault(key, len(self._ages))
        taken_back = document.get("refers", "") if document["kind"] == "reversal" else ""
        number = len(self.documents) - 1
        happened = datetime.fromisoformat(document["happened_at"])
        self.moves.append(Move(number, key, quantity, happened, taken_back))

    def _take(self, document: dict[str, Any]) -> None:
        self.documents[document["id"]] = document
        kind = document["kind"]
        if kind == "reversal":
            self._reverse(document)
        elif kind == "order_closed":
            self._release(document, document["refers"])
        else:
            for number, line in enumerate(document.get("lines", ()), start=1):
                self._stock(document, number, line)
            for number, line in enumerate(document.get("lines", ()), start=1):
                if self.is_valued(line):
                    self.work(document, number, line)

    @abstractmethod
    def work(self, document: dict[str, Any], number: int, line: dict[str, Any]) -> None:
        """Book what a line of ours means."""

    @abstractmethod
    def worked_back(self, document: dict[str, Any]) -> None:
        """Book the document that is taken back again, the other way."""

    def _reverse(self, document: dict[str, Any]) -> None:
        names = list(self.documents)
        for one in list(self.moves):
            if names[one.document] == document["refers"]:
                self.move(document, one.key, -one.quantity)
        self.worked_back(document)

    # Stock.

    def outside(self, kind: str) -> str:
        """The one location of a virtual kind."""
        return next(name for name, place in self.places.items() if place["kind"] == kind)

    def _stock(self, document: dict[str, Any], number: int, line: dict[str, Any]) -> None:
        """What a line moves."""
        kind, quantity = document["kind"], self.base(line)
        if kind == "adjustment":
            self._remember(document, number, line)
        if kind in COMES or (kind == "adjustment" and quantity > 0):
            self._come(document, line, self.outside(COMES.get(kind, "adjustment")), quantity)
        elif kind in GOES:
            target = self.outside(GOES[kind])
            for key, part in self._pick(document, line, abs(quantity)):
                self._shift(document, key, key._replace(location=target, reservation="none"), part)
        elif kind in {"relocation", "state_change"}:
            for key, part in self._pick(document, line, quantity):
                after = key._replace(
                    location=line.get("to_location") or key.location,
                    disposition=line.get("to_disposition") or key.disposition,
                )
                self._shift(document, key, after, part)
        elif kind == "transfer_in":
            for key, part in self._left(document, line, "in_transit", quantity):
                self._shift(document, key, key._replace(location=line["to_location"]), part)
        elif kind == "sales_order" and document.get("approved_by"):
            self._promise(document, line)

    def _promise(self, document: dict[str, Any], line: dict[str, Any]) -> None:
        for key, part in self._pick(document, line, self.base(line)):
            promised = key._replace(reservation="allocated")
            self._shift(document, key, promised, part)
            self._promised[document["id"]][promised] += part

    def _remember(self, document: dict[str, Any], number: int, line: dict[str, Any]) -> None:
        prices = self.prices_before.setdefault(document["id"], {})
        prices.setdefault(line["item"], self.worth(line["item"]).price)
        self.books_before[document["id"], number] = sum(
            (
                quantity
                for key, quantity in self.balances.items()
                if (key.item, key.location, key.owner)
                == (line["item"], line["location"], line.get("owner", ""))
                and line.get("batch", "") in {"", key.batch}
            ),
            ZERO,
        )

    def _shift(self, document: dict[str, Any], key: Key, after: Key, part: Decimal) -> None:
        self.move(document, key, -part)
        self.move(document, after, part)

    def _come(
        self, document: dict[str, Any], line: dict[str, Any], origin: str, quantity: Decimal
    ) -> None:
        state = (line.get("disposition", "available"), "none", line.get("owner", ""))
        tracking = self.items[line["item"]]["tracking"]
        if document["kind"] == "customer_return" and tracking != "none":
            pieces = [
                (key.batch, key.serial, part)
                for key, part in self._left(document, line, "customer", quantity)
            ]
        elif line.get("serials"):
            pieces = [(line.get("batch", ""), serial, Decimal(1)) for serial in line["serials"]]
        else:
            pieces = [(line.get("batch", ""), "", quantity)]
        for batch, serial, part in pieces:
            key = Key(line["item"], line["location"], batch, serial, *state)
            self._shift(document, key._replace(location=origin), key, part)

    def _left(
        self, document: dict[str, Any], line: dict[str, Any], kind: str, quantity: Decimal
    ) -> list[tuple[Key, Decimal]]:
        """What the document referred to left outside, less what came back of it, in its order."""
        names = list(self.documents)
        refers, there = document["refers"], defaultdict[Key, Decimal](Decimal)
        for one in self.moves:
            mover = self.documents[names[one.document]]
            is_of = mover["id"] == refers or mover.get("refers") == refers
            if is_of and self.places[one.key.location]["kind"] == kind:
                there[one.key._replace(disposition="available")] += one.quantity
        found = []
        for key, most in there.items():
            part = min(most, quantity)
            if key.item == line["item"] and part > 0:
                found.append((key, part))
                quantity -= part
        assert quantity == 0, (document["id"], line)
        return found

    def _expiry(self, key: Key) -> date:
        card = self.master["batches"].get(f"{key.item}/{key.batch}", {})
        return date.fromisoformat(card["expires_on"]) if "expires_on" in card else date.max

    def _pick(
        self, document: dict[str, Any], line: dict[str, Any], quantity: Decimal
    ) -> list[tuple[Key, Decimal]]:
        """Which stock: what is promised to its order, the first to expire, what came first."""
        order = document.get("refers", "") if document["kind"] == "sales_shipment" else ""
        promised = self._promised[order] if order else {}
        day = datetime.fromisoformat(document["happened_at"]).date()
        fitting = []
        for key, there in self.balances.items():
            most = there if key.reservation == "none" else min(there, promised.get(key, ZERO))
            if (
                most > 0
                and (key.item, key.location) == (line["item"], line["location"])
                and key.disposition == line.get("disposition", "available")
                and key.owner == line.get("owner", "")
                and line.get("batch", "") in {"", key.batch}
                and (not line.get("serials") or key.serial in line["serials"])
                and (line.get("batch") or self._expiry(key) >= day)
            ):
                rank = (key.reservation == "none", self._expiry(key), self._ages[key], key)
                fitting.append((rank, key, most))
        found = []
        for _, key, most in sorted(fitting):
            part = min(most, quantity)
            if part > 0:
                found.append((key, part))
                quantity -= part
                if key.reservation == "allocated":
                    promised[key] -= part
        if quantity:
            assert document.get("is_physical"), (document["id"], line, quantity)
            found.append((Key(line["item"], line["location"]), quantity))
        return found

    def _release(self, document: dict[str, Any], order: str) -> None:
        for key, part in self._promised.pop(order, {}).items():
            if part > 0:
                self._shift(document, key, key._replace(reservation="none"), part)
