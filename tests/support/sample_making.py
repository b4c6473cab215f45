"""What the sample company does in the house: making, moving, counting, and going wrong."""

from __future__ import annotations

from decimal import Decimal

from tests.support.sample_books import Line, make_line, moment, text
from tests.support.sample_flows import STOREKEEPERS, Flow, Flows
from tests.support.sample_master import BILLS

SSCC = "https://id.gs1.org/00/069012341234567895"
"""A pallet that came from abroad."""


class Making(Flows):
    """Flows in the house."""

    def make(self, day: float, item: str, count: int) -> Flow:
        """A production order, its components out of stock, and the made goods into it."""
        yield day + 0.36
        order = self.books.write(
            *("production_order", day + 0.36, [make_line(item, count, location=self.home(item))]),
            warehouse="WH-SZ",
            due_at=moment(day + 5),
            person="planner-1",
        )
        yield day + 1 + self.hour()
        bill = BILLS[item]
        lots = Decimal(count) / Decimal(bill.get("lot", "1"))
        lines = []
        for one in bill["components"]:
            needed = Decimal(one["quantity"]) * (1 + Decimal(one.get("scrap_rate", "0"))) * lots
            unit = {"unit": one["unit"]} if "unit" in one else {}
            lines += self.components(one["item"], needed, unit)
        self.books.write(
            *("goods_issue", day + 1 + self.hour(), lines),
            refers=order,
            warehouse="WH-SZ",
            person=self.dice.choice(STOREKEEPERS),
        )
        yield day + 3 + self.hour()
        made = self.come(item, count, self.home(item), day + 3)
        if item == "S-201" and self.dice.random() < 0.5:
            # More steel went into it than the bill says.
            made["components"] = [
                {"item": one["item"], "quantity": text(Decimal(one["quantity"]) * lots)}
                for one in bill["components"]
            ] + [{"item": "R-121", "quantity": "1.35"}]
        self.books.write(
            *("production_receipt", day + 3 + self.hour(), [made]),
            refers=order,
            warehouse="WH-SZ",
            person="operator-1",
        )

    def components(self, item: str, needed: Decimal, unit: dict[str, str]) -> list[Line]:
        """What production takes of one component, from more than one batch where it must."""
        return [self.go(item, needed, **unit)]

    def transfer(self, day: float, number: int, arrives: float = 0) -> Flow:
        """From one warehouse to the other; some pieces are on their way while a month ends."""
        wanted = {"M-401": 6, "M-402": 8} if number % 2 else {"M-404": 5, "M-402": 4}
        yield day + 0.35
        lines = [make_line(item, count) for item, count in wanted.items()]
        both = {"warehouse": "WH-SZ", "to_warehouse": "WH-WX"}
        order = self.books.write(
            *("transfer_order", day + 0.35, lines),
            **both,
            due_at=moment(day + 3),
            person="planner-1",
        )
        yield day + 0.5
        gone = [self.go(item, count) for item, count in wanted.items()]
        out = self.books.write(
            *("transfer_out", day + 0.55, gone), **both, refers=order, person="storekeeper-2"
        )
        yield (arrives or day + 2) + 0.4
        shares = (Decimal("0.5"), Decimal(1)) if number == 20 else (Decimal(1),)
        left = [self.bare(line) for line in gone]
        for turn, share in enumerate(shares):
            came = [self.part(line, share) for line in left]
            left = [self.minus(line, one) for line, one in zip(left, came, strict=True)]
            placed = [
                line | {"to_location": "WX-A-01", "order_line": n}
                for n, line in enumerate(came, start=1)
            ]
            for line in placed:
                self.books.change(line, "WX-A-01", 1)
            self.books.write(
                *("transfer_in", (arrives or day + 2) + 0.45 + turn, placed),
                **both,
                refers=out,
                person="storekeeper-3",
            )
            yield (arrives or day + 2) + 0.4 + turn + 1

    def count(self, day: float, month: str) -> Flow:
        """A cycle count: what is off is approved by somebody else and put right."""
        yield day
        gains = {"R-140": 4, "M-402": 1, "R-120": Decimal("0.35")}
        losses = {"R-160": 35, "M-400": 2, "F-302": 1, "R-121": Decimal("2.405")}
        causes = iter(["receiving_error", "mispick", "unit_error", "count_error"] * 2)
        lines = []
        for item, quantity in gains.items():
            line = make_line(item, quantity, location=self.home(item), reason=next(causes))
            self.books.change(line, line["location"], 1)
            lines.append(line)
        for item, quantity in losses.items():
            line = self.go(item, quantity, reason=next(causes))
            lines.append(line | {"quantity": f"-{line['quantity']}"})
        self.books.write(
            *("adjustment", day, lines),
            person=self.dice.choice(STOREKEEPERS),
            approved_by="cfo-1" if month == "2603" else "supervisor-1",
            case=f"VC-{month}-1",
            warehouse="WH-SZ",
        )

    def maintenance(self, day: float, number: int) -> Flow:
        """Departments take what they need."""
        yield day
        department = "DEP-QUALITY" if number % 2 else "DEP-MAINTENANCE"
        lines = [self.go("R-160", 12), self.go("M-404", 1), self.go("M-400", 2)]
        self.books.write(
            *("goods_issue", day, lines),
            party=department,
            warehouse="WH-SZ",
            person="storekeeper-1",
        )
        yield day + 1
        if number == 2:
            bad = self.go("M-401", 1, reason="damage_unrecorded")
            scrap = self.books.write(
                *("scrap", day + 1, [bad]), person="storekeeper-2", approved_by="supervisor-1"
            )
            yield day + 2
            self.books.change(bad, bad["location"], 1)
            self.reverse(day + 2, scrap, "it could be repaired")

    def consign(self, day: float) -> Flow:
        """Flow meters that stay their supplier's until they are sold."""
        yield day
        owned = {"owner": "SUP-PACIFIC"}
        line = make_line("M-406", 8, location="SZ-B-02", **owned)
        self.books.change(line, "SZ-B-02", 1)
        receipt = self.books.write(
            *("goods_receipt", day, [line]), party="SUP-PACIFIC", warehouse="WH-SZ"
        )
        yield day + 20
        self.books.change(make_line("M-406", 3, **owned), "SZ-B-02", -1)
        self.books.write(
            *("relocation", day + 20),
            [make_line("M-406", 3, location="SZ-B-02", to_location="SZ-SHIPPING", **owned)],
            person="storekeeper-3",
        )
        yield day + 30
        back = make_line("M-406", 2, location="SZ-B-02", **owned)
        self.books.change(back, "SZ-B-02", -1)
        self.books.write(
            *("supplier_return", day + 30, [back]),
            party="SUP-PACIFIC",
            refers=receipt,
            warehouse="WH-SZ",
        )

    def unpack(self, day: float) -> Flow:
        """A pallet of check valves is received whole, and taken apart where it lies."""
        yield day
        line = self.priced("M-401", 16, tax="VAT0", location="SZ-B-02", container=SSCC)
        self.books.change(line, "SZ-B-02", 1)
        self.books.write(
            *("goods_receipt", day, [line]),
            party="SUP-PACIFIC",
            warehouse="WH-SZ",
            person="storekeeper-1",
        )
        yield day + 1
        self.books.write(
            *("unpacking", day + 1),
            [make_line("M-401", 16, location="SZ-B-02", container=SSCC)],
            person="storekeeper-1",
        )

    def revalue(self, day: float) -> Flow:
        """Valves are worth less than the books say."""
        yield day
        lines = [make_line("M-401", 1, price="81.5"), make_line("M-402", 1, price="52.25")]
        self.books.write(
            "revaluation", day, lines, person="accountant-1", approved_by="cfo-1", reason="market"
        )

    def samples(self, day: float) -> Flow:
        """Flanges that have quantities and no value."""
        yield day
        self.books.change(make_line("M-407", 4), "SZ-B-02", -1)
        self.books.change(make_line("M-407", 4), "SZ-SHIPPING", 1)
        self.books.write(
            *("relocation", day),
            [make_line("M-407", 4, location="SZ-B-02", to_location="SZ-SHIPPING")],
            person="storekeeper-3",
        )
        yield day + 4
        self.books.change(make_line("M-407", 1), "SZ-SHIPPING", -1)
        self.books.write(
            *("scrap", day + 4, [make_line("M-407", 1, location="SZ-SHIPPING")]),
            person="storekeeper-3",
        )
