"""What the sample company's people know while they write documents: the stock, as they see it.

Only so much that what they write can be posted: an assertion fails where they would ship what is
not there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from tests.support.sample_master import ITEMS

Line = dict[str, Any]
ZERO = Decimal(0)
HOME_ZONE = timezone(timedelta(hours=8))
FIRST_DAY = datetime(2026, 1, 1, tzinfo=HOME_ZONE)
"""Day 0 of the quarter."""
PREFIXES = {
    "opening": "OPEN",
    "goods_receipt": "GR",
    "purchase_invoice": "PI",
    "sales_shipment": "SH",
    "sales_acceptance": "AC",
    "goods_issue": "GI",
    "production_receipt": "PR",
    "transfer_out": "TX",
    "transfer_in": "TI",
    "relocation": "RL",
    "state_change": "SC",
    "customer_return": "CR",
    "supplier_return": "SR",
    "scrap": "SP",
    "adjustment": "AD",
    "unpacking": "UP",
    "revaluation": "RV",
    "reversal": "RX",
    "purchase_order": "PO",
    "shipping_notice": "SN",
    "production_order": "MO",
    "sales_order": "SO",
    "transfer_order": "TO",
    "order_closed": "OC",
}
VIRTUAL = ""
"""Outside: nobody counts what is there."""


def moment(day: float) -> str:
    """A time of the quarter, to the minute."""
    at = FIRST_DAY + timedelta(minutes=round(day * 24 * 60))
    return at.isoformat()


def text(number: Decimal | int | str) -> str:
    """An exact number as it is written."""
    written = f"{Decimal(number):f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


class SampleBooks:
    """Documents as they are written, and the stock as it then is."""

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []
        """Of the company's file, in order of recording."""
        self.late: list[dict[str, Any]] = []
        """Of the file of late documents."""
        self.batches: dict[str, dict[str, str]] = {}
        self.stock: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
        """Item, batch, location, disposition, owner to how much."""
        self.promised: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
        """Of these, what is allocated to orders."""
        self.serials: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
        """Item and location to serial numbers and their batches, oldest first."""
        self._numbers: dict[str, int] = defaultdict(int)
        self._serial = 0
        self.is_late = False
        """True: what is written now goes into the file of late documents."""

    def write(self, kind: str, day: float, lines: Iterable[Line] = (), **fields: Any) -> str:
        """A document of that day; its number."""
        self._numbers[kind] += 1
        number = f"{PREFIXES[kind]}-26{self._numbers[kind]:04}"
        document = {"id": number, "kind": kind, "happened_at": moment(day)}
        document |= {name: value for name, value in fields.items() if value}
        written = list(lines)
        if written:
            document["lines"] = written
        (self.late if self.is_late else self.documents).append(document)
        return number

    def batch(self, item: str, name: str, made: str, expires: str, maker: str) -> str:
        """A batch with its card."""
        self.batches[f"{item}/{name}"] = {
            "maker": maker,
            "maker_batch": f"{name}-{item[2:]}",
            "made_on": made,
            "expires_on": expires,
        }
        return name

    def new_serials(self, prefix: str, count: int) -> list[str]:
        """Serial numbers that nobody had."""
        self._serial += count
        return [f"{prefix}{self._serial - count + n + 1:05}" for n in range(count)]

    def change(self, line: Line, location: str, sign: int, **key: str) -> None:
        """Take a line's stock from (-1) or to (1) a place, in base units."""
        place = (
            line["item"],
            key.get("batch", line.get("batch", "")),
            location,
            key.get("disposition", line.get("disposition", "available")),
            line.get("owner", ""),
        )
        self.stock[place] += sign * abs(base_quantity(line))
        serials = [(serial, place[1]) for serial in line.get("serials", ())]
        kept = self.serials[line["item"], location]
        for one in serials:
            kept.append(one) if sign > 0 else kept.remove(one)

    def free(self, item: str, location: str, batch: str = "") -> Decimal:
        """What is available and not promised."""
        place = (item, batch, location, "available", "")
        return self.stock[place] - self.promised[place]

    def batch_with(self, item: str, location: str, quantity: Decimal) -> str:
        """The first batch to expire of which so much is free."""
        if "batch" not in ITEMS[item].tracking:
            assert self.free(item, location) >= quantity, (item, location, quantity)
            return ""
        names = self._batches_of(item)
        return next(name for name in names if self.free(item, location, name) >= quantity)

    def first_batch(self, item: str, location: str) -> str:
        """The first batch to expire of which anything is free."""
        if "batch" not in ITEMS[item].tracking:
            return ""
        names = self._batches_of(item)
        return next(name for name in names if self.free(item, location, name) > 0)

    def _batches_of(self, item: str) -> list[str]:
        """Its batches, the first to expire first."""
        return sorted(
            {place[1] for place in self.stock if place[0] == item},
            key=lambda name: self.batches[f"{item}/{name}"]["expires_on"],
        )


UNIT_SIZES = {
    ("R-140", "box"): 10,
    ("R-140", "case"): 120,
    ("R-160", "box"): 200,
    ("M-400", "case"): 20,
    ("M-403", "roll"): 50,
    ("M-404", "carton"): 4,
}


def base_quantity(line: Line) -> Decimal:
    """A line's quantity in base units."""
    return Decimal(line["quantity"]) * UNIT_SIZES.get((line["item"], line.get("unit", "")), 1)


def make_line(item: str, quantity: Decimal | int | str, **fields: Any) -> Line:
    """A line with what is said of it."""
    return {"item": item, "quantity": text(quantity)} | {
        name: value for name, value in fields.items() if value not in ("", None, [], ())
    }
