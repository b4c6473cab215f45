"""A quarter of the sample company, day by day: what its people wrote, in the order they wrote it.

Each flow is a generator: it writes a document and yields the day on which it goes on. The flows
are interleaved by time, so that documents lie in the file as they would in a ledger. Dice with a
fixed seed choose quantities; the same files come out each time:

    python -m tests.support.sample_quarter
"""

from __future__ import annotations

import csv
import heapq
import io
import json
from decimal import Decimal
from typing import Any

from tallygate.company_file import COLUMNS, SAMPLE
from tests.support.sample_books import SampleBooks, make_line, text
from tests.support.sample_buying import Buying
from tests.support.sample_flows import Flow
from tests.support.sample_making import Making
from tests.support.sample_master import ITEMS, master
from tests.support.sample_selling import Selling

DAYS = 90
"""2026-01-01 to 2026-03-31."""
COUNTS = {30: "2601", 58: "2602", 88: "2603"}
"""Day of a month's cycle count, and its month."""
OPENING: dict[str, int] = {
    "R-100": 46,
    "R-101": 30,
    "R-110": 52,
    "R-111": 30,
    "R-120": 60,
    "R-121": 240,
    "R-130": 180,
    "R-131": 160,
    "R-140": 300,
    "R-150": 24,
    "R-151": 14,
    "R-160": 4200,
    "R-170": 42,
    "R-180": 14,
    "S-200": 14,
    "S-201": 10,
    "F-300": 8,
    "F-301": 5,
    "F-302": 60,
    "M-400": 90,
    "M-401": 110,
    "M-402": 150,
    "M-403": 84,
    "M-404": 90,
    "M-405": 36,
    "M-406": 5,
}
"""What was there on the last day of the year, in base units."""
LOTS = {-195.0: ("0.25", "0.94"), -75.0: ("0.35", "0.98"), -1.0: ("1", "1")}
"""Day of an opening lot, its share of the stock, and its price beside today's."""

FORGOTTEN = {"M-406": -195.0}
"""Bought long ago, and nobody wants it."""


class SampleQuarter(Buying, Making, Selling):
    """All flows of the quarter."""

    def __init__(self) -> None:
        super().__init__()
        self._queue: list[tuple[float, int, Flow]] = []
        self._count = 0

    def run(self) -> SampleBooks:
        """Write the whole quarter, and the late documents behind it."""
        self.opening()
        self.plan()
        while self._queue:
            day, _, flow = heapq.heappop(self._queue)
            if day < DAYS:
                self.start(flow)
        self.books.is_late = True
        self.late()
        return self.books

    def start(self, flow: Flow) -> None:
        """Let a flow write until it waits for another day."""
        day = next(flow, None)
        if day is not None:
            self._count += 1
            heapq.heappush(self._queue, (day, self._count, flow))

    def plan(self) -> None:
        """Start all flows; each waits for its day by itself."""
        for week in range(13):
            monday = 4.0 + 7 * week
            self.start(self.buy_castings(monday, week))
            self.start(self.buy_motors(monday, week))
            self.start(self.buy_seals(monday, week))
            self.start(self.sell(monday + 1, week))
            self.start(self.sell(monday + 3, week, is_second=True))
            if week % 2 == 0:
                self.start(self.buy_abroad(monday + 2, week))
                self.start(self.make(monday + 1, "S-200", 10))
                self.start(self.make(monday + 3, "F-300", 6))
                self.start(self.sell_pumps(monday + 9, "F-300", 5))
            else:
                self.start(self.make(monday + 1, "S-201", 6))
                self.start(self.make(monday + 3, "F-301", 4))
                self.start(self.make(monday + 4, "F-302", 20))
                self.start(self.sell_pumps(monday + 9, "F-301", 3))
                self.start(self.transfer(monday + 2, week))
        for day, month in COUNTS.items():
            self.start(self.count(day + 0.7, month))
        # In transit while a month ends; the last one still is.
        self.start(self.transfer(30, 20, arrives=33))
        self.start(self.transfer(58, 21, arrives=60))
        self.start(self.transfer(86, 22, arrives=DAYS + 5))
        for number, morning in enumerate((12.4, 33.4, 51.4, 71.4)):
            self.start(self.maintenance(morning, number))
        self.start(self.consign(9.4))
        self.start(self.unpack(16.4))
        self.start(self.ahead_of_the_book(37.4, "M-405", "SUP-PACIFIC", "8.85"))
        self.start(self.ahead_of_the_book(65.4, "M-403", "SUP-PACIFIC", "11.9"))
        self.start(self.revalue(59.4))
        self.start(self.give_up(20.4))
        self.start(self.samples(27.4))

    def opening(self) -> None:
        """Stock in three lots of different age; of an average only what is there counts."""
        for day, (share, factor) in LOTS.items():
            lines = []
            for item, amount in OPENING.items():
                days = LOTS if ITEMS[item].method == "F" else [FORGOTTEN.get(item, -1.0)]
                if day not in days:
                    continue
                price = self.money(Decimal(ITEMS[item].cost) * Decimal(factor), "0.0001")
                count = amount if item in FORGOTTEN else max(1, int(amount * Decimal(share)))
                lines.append(self.come(item, count, self.home(item), day, price=price))
            if day == -1:
                lines.append(self.come("F-302", 7, "WX-A-01", day, price="74.1"))
                lines.append(self.come("M-407", 12, "SZ-B-02", day))
            self.books.write("opening", day + 0.35, lines, person="accountant-1")

    def late(self) -> None:
        """Documents that come when others that happened later are posted already."""
        books = self.books
        found = self.come("M-401", 10, "SZ-B-02", 20, price="87.4", tax="VAT13")
        receipt = books.write(
            *("goods_receipt", 78.45, [found]), party="SUP-PACIFIC", warehouse="WH-SZ"
        )
        invoiced = make_line("M-401", 10, price="89.15", tax="VAT13")
        books.write("purchase_invoice", 83.6, [invoiced], party="SUP-PACIFIC", refers=receipt)
        shipped = [self.sold_at(self.go("M-402", 3)), self.sold_at(self.go("M-404", 2))]
        shipment = books.write(
            *("sales_shipment", 74.55, shipped),
            party="CUS-FARM",
            warehouse="WH-SZ",
            person="storekeeper-2",
            is_physical=True,
        )
        accepted = [self.accepted(line, number) for number, line in enumerate(shipped, start=1)]
        books.write("sales_acceptance", 76.4, accepted, party="CUS-FARM", refers=shipment)
        books.write("scrap", 66.7, [self.go("M-400", 1, reason="damage_unrecorded")])
        issued = [self.go("R-160", 25), self.go("R-120", Decimal("1.275"))]
        books.write("goods_issue", 80.4, issued, party="DEP-MAINTENANCE", person="storekeeper-1")
        lost = self.go("R-131", 4, reason="late_posting")
        gained = make_line("R-130", 2, location="SZ-A-03", batch=self.any_batch("R-130"))
        counted = [lost | {"quantity": f"-{lost['quantity']}"}, gained | {"reason": "count_error"}]
        adjusted = books.write(
            *("adjustment", 58.9, counted),
            person="storekeeper-3",
            approved_by="supervisor-1",
            case="VC-2602-2",
        )
        self.reverse(85, adjusted, "counted before the goods issue")

    def any_batch(self, item: str) -> str:
        """A batch of which something is there."""
        return next(
            place[1]
            for place, quantity in self.books.stock.items()
            if place[0] == item and place[2] == self.home(item) and quantity > 0
        )


def sample_texts() -> tuple[str, str]:
    """The company's file, one record a line, and the file of late documents."""
    books = SampleQuarter().run()
    whole = master() | {"batches": books.batches, "documents": books.documents}
    return _json(whole), _csv(books.late)


def _json(whole: dict[str, Any]) -> str:
    def compact(value: object) -> str:
        return json.dumps(value, ensure_ascii=False)

    parts = []
    for name, value in whole.items():
        if isinstance(value, list):
            rows = ",\n    ".join(compact(one) for one in value)
            parts.append(f"  {compact(name)}: [\n    {rows}\n  ]")
        elif name == "settings":
            parts.append(f"  {compact(name)}: {compact(value)}")
        else:
            rows = ",\n    ".join(f"{compact(key)}: {compact(one)}" for key, one in value.items())
            parts.append(f"  {compact(name)}: {{\n    {rows}\n  }}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _csv(documents: list[dict[str, Any]]) -> str:
    rows = []
    for document in documents:
        own = {name: text_of(value) for name, value in document.items() if name != "lines"}
        for number, line in enumerate(document.get("lines", [{}])):
            cells = {
                "line_reason" if name == "reason" else name: text_of(value)
                for name, value in line.items()
            }
            rows.append((own if number == 0 else {"id": document["id"]}) | cells)
    used = [name for name in COLUMNS if any(name in row for row in rows)]
    file = io.StringIO()
    writer = csv.DictWriter(file, used, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def text_of(value: object) -> str:
    """A cell."""
    if isinstance(value, list):
        return ";".join(str(one) for one in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return text(value) if isinstance(value, (int, Decimal)) else str(value)


if __name__ == "__main__":
    for path, content in zip(SAMPLE, sample_texts(), strict=True):
        path.write_text(content, encoding="utf-8")
