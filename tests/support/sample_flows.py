"""What all flows of the sample company share: the books, the dice, and how a line is written."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tests.support.sample_books import FIRST_DAY, Line, SampleBooks, base_quantity, make_line, text
from tests.support.sample_master import ITEMS

SEED = 2026
Flow = Iterator[float]
"""Writes documents, and yields the day on which it goes on."""
STOREKEEPERS = ("storekeeper-1", "storekeeper-2", "storekeeper-3")
SERIAL_PREFIXES = {"R-150": "M11-", "R-151": "M22-", "F-300": "P50-", "F-301": "P80-"}
LIVES = {"R-130": 720, "R-131": 540, "R-170": 365, "R-180": 365, "F-301": 3600, "F-302": 700}
"""Days until a batch of it expires."""


class Flows:
    """The books and the dice."""

    def __init__(self) -> None:
        self.books = SampleBooks()
        self.dice = random.Random(SEED)
        self._batches = 0

    def hour(self) -> float:
        """A working hour, as a part of a day."""
        return self.dice.randint(8 * 60, 17 * 60) / (24 * 60)

    def home(self, item: str) -> str:
        """Where it usually lies."""
        return ITEMS[item].home

    def money(self, amount: Decimal, step: str = "0.01") -> Decimal:
        """Rounded to the step."""
        return amount.quantize(Decimal(step), ROUND_HALF_UP)

    def priced(self, item: str, quantity: Decimal | int, **fields: Any) -> Line:
        """A line at about its usual price, for one unit of the line."""
        line = make_line(item, quantity, **fields)
        size = base_quantity(line) / Decimal(line["quantity"])
        step = "0.0001" if item == "R-160" else "0.01"
        drift = Decimal(self.dice.randint(97, 104)) / 100
        line["price"] = text(self.money(Decimal(ITEMS[item].cost) * size * drift, step))
        return line

    def dearer(self, lines: list[Line], week: int) -> list[Line]:
        """Lines as the invoice has them: some weeks the price is another one."""
        factor = Decimal({0: "1.03", 1: "1", 2: "1", 3: "0.985"}[week % 4])
        return [
            self.bare(line)
            | {"price": text(self.money(Decimal(line["price"]) * factor, "0.0001"))}
            | ({"tax": line["tax"]} if "tax" in line else {})
            for line in lines
        ]

    def bare(self, line: Line) -> Line:
        """A line's item, quantity, unit and batch."""
        kept = ("item", "quantity", "unit", "batch")
        return {name: line[name] for name in kept if name in line}

    def part_of(self, line: Line, quantity: Decimal | int) -> Line:
        """So much of a line."""
        return line | {"quantity": text(quantity)}

    def part(self, line: Line, share: Decimal) -> Line:
        """A share of a line, in whole pieces where the item has these."""
        exact = Decimal(line["quantity"]) * share
        step = Decimal(1).scaleb(-int(ITEMS[line["item"]].decimals))
        return self.part_of(line, exact.quantize(step, ROUND_HALF_UP))

    def minus(self, line: Line, other: Line) -> Line:
        """What is left of a line."""
        return self.part_of(line, Decimal(line["quantity"]) - Decimal(other["quantity"]))

    def new_batch(self, item: str, day: float) -> str:
        """A batch that was made some days before."""
        self._batches += 1
        made = FIRST_DAY + timedelta(days=day - self.dice.randint(5, 40))
        expires = made + timedelta(days=LIVES.get(item, 500) - 7 * (self._batches % 5))
        name = f"B{made:%y%m}{self._batches:03}"
        maker = "own" if item[0] == "F" else "SUP-SEALS"
        dates = (made.date().isoformat(), expires.date().isoformat())
        return self.books.batch(item, name, *dates, maker)

    def with_serials(self, line: Line) -> Line:
        """The line with new serial numbers, where its item has them."""
        if "serial" not in ITEMS[line["item"]].tracking:
            return dict(line)
        prefix = SERIAL_PREFIXES[line["item"]]
        return line | {"serials": self.books.new_serials(prefix, int(line["quantity"]))}

    def come(self, item: str, quantity: Decimal | int, place: str, day: float, **more: Any) -> Line:
        """A line of stock that comes in, with its batch and serial numbers."""
        line = self.with_serials(make_line(item, quantity, location=place))
        if "batch" in ITEMS[item].tracking:
            line["batch"] = self.new_batch(item, day)
        line |= {name: text(value) if name == "price" else value for name, value in more.items()}
        self.books.change(line, place, 1)
        return line

    def go(self, item: str, quantity: Decimal | int, place: str = "", **more: Any) -> Line:
        """A line of stock that goes out: the first batch to expire, the oldest serial numbers."""
        place = place or self.home(item)
        line = make_line(item, quantity, location=place, **more)
        tracking = ITEMS[item].tracking
        if "serial" in tracking:
            oldest = self.books.serials[item, place][: int(quantity)]
            assert len(oldest) == quantity, (item, place, quantity)
            if "batch" in tracking:
                batch = oldest[0][1]
                oldest = [one for one in self.books.serials[item, place] if one[1] == batch]
                oldest = oldest[: int(quantity)]
                line |= {"batch": batch, "quantity": text(len(oldest))}
            line["serials"] = [serial for serial, _ in oldest]
        elif batch := self.books.batch_with(item, place, base_quantity(line)):
            line["batch"] = batch
        self.books.change(line, place, -1)
        return line

    def reverse(self, day: float, document: str, reason: str) -> str:
        """Take a document back, whole."""
        return self.books.write(
            *("reversal", day + 0.75), refers=document, reason=reason, person="supervisor-1"
        )
