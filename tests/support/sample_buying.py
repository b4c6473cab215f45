"""How the sample company buys: orders, notices, receipts, inspection, invoices, returns."""

from __future__ import annotations

from decimal import Decimal

from tests.support.sample_books import Line, base_quantity, make_line, moment, text
from tests.support.sample_flows import STOREKEEPERS, Flow, Flows
from tests.support.sample_master import ITEMS


class Buying(Flows):
    """Flows from order to invoice."""

    def buy_castings(self, day: float, week: int) -> Flow:
        """Housings, impellers and steel: ordered, received, put away, invoiced."""
        yield day + 0.37
        items = {"R-100": 12, "R-110": 14, "R-120": Decimal("9.6")}
        if week % 3 == 1:
            items |= {"R-101": 8, "R-111": 9, "R-121": Decimal("61.25")}
        lines = [self.priced(item, quantity, tax="VAT13") for item, quantity in items.items()]
        order = self.order(day, "SUP-CASTINGS", lines, due=day + 9)
        yield day + 8 + self.hour()
        if week % 4 != 1:
            receipt = self.receive(day + 8, "SUP-CASTINGS", order, lines)
            if week == 4:
                yield from self.send_back(day + 9, "SUP-CASTINGS", receipt, lines, "R-100", 2)
        else:
            # Two deliveries for one order, and one invoice that names the order.
            halves = [self.part(line, Decimal("0.5")) for line in lines]
            self.receive(day + 8, "SUP-CASTINGS", order, halves)
            yield day + 10 + self.hour()
            rest = [self.minus(line, half) for line, half in zip(lines, halves, strict=True)]
            self.receive(day + 10, "SUP-CASTINGS", order, rest)
            receipt = order
        yield day + 13 + self.hour()
        if week == 4:
            lines = [self.minus(lines[0], self.part_of(lines[0], 2)), *lines[1:]]
        invoiced = self.dearer(lines, week)
        invoice = self.books.write(
            *("purchase_invoice", day + 13 + self.hour(), invoiced),
            party="SUP-CASTINGS",
            refers=receipt,
        )
        if week == 6:
            yield day + 15 + self.hour()
            self.reverse(day + 15, invoice, "wrong price list")
            yield day + 16 + self.hour()
            self.books.write(
                *("purchase_invoice", day + 16 + self.hour(), lines),
                party="SUP-CASTINGS",
                refers=receipt,
            )

    def buy_motors(self, day: float, week: int) -> Flow:
        """Motors with serial numbers; bearings and bolts in boxes."""
        yield day + 0.39
        lines = [
            self.priced("R-150", 6, tax="VAT13"),
            self.priced("R-140", 3 if week % 2 else 1, unit="case" if week % 2 else "box"),
            self.priced("R-160", 2, unit="box", tax="VAT13"),
        ]
        if week % 2:
            lines.append(self.priced("R-151", 4, tax="VAT13"))
        order = self.order(day, "SUP-MOTORS", lines, due=day + 6)
        yield day + 5 + self.hour()
        arrived = [self.with_serials(line) for line in lines]
        receipt = self.receive(day + 5, "SUP-MOTORS", order, arrived)
        if week == 3:
            # Received twice by mistake: the second one is taken back.
            again = [self.with_serials(line) for line in lines[1:3]]
            twice = self.receive(day + 5.02, "SUP-MOTORS", "", again)
            yield day + 6 + self.hour()
            for line in again:
                self.books.change(line, line["location"], -1)
            self.reverse(day + 6, twice, "received twice")
        yield day + 9 + self.hour()
        self.books.write(
            *("purchase_invoice", day + 9 + self.hour(), self.dearer(lines, week + 1)),
            party="SUP-MOTORS",
            refers=receipt,
        )
        if week == 5:
            # After the invoice: the supplier owes it back.
            yield from self.send_back(day + 10, "SUP-MOTORS", receipt, arrived, "R-140", 5)

    def buy_seals(self, day: float, week: int) -> Flow:
        """Seals and chemicals in batches, which wait for their inspection."""
        yield day + 0.41
        items: dict[str, Decimal | int] = {"R-130": 40, "R-131": 24}
        if week % 3 == 2:
            items |= {"R-170": Decimal("7.5"), "R-180": Decimal("1.25"), "M-404": 36}
        lines = [self.priced(item, quantity, tax="VAT13") for item, quantity in items.items()]
        order = self.order(day, "SUP-SEALS", lines, due=day + 8)
        yield day + 3 + self.hour()
        notice = [self.bare(line) | {"order_line": n} for n, line in enumerate(lines, start=1)]
        self.books.write(
            *("shipping_notice", day + 3 + self.hour(), notice),
            party="SUP-SEALS",
            refers=order,
            warehouse="WH-SZ",
            due_at=moment(day + 7.4),
        )
        if week == 12:
            return
        yield day + 7 + self.hour()
        arrived = [
            line | {"batch": self.new_batch(line["item"], day + 7), "order_line": number}
            for number, line in enumerate(lines, start=1)
        ]
        receipt = self.receive(day + 7, "SUP-SEALS", order, arrived, place="SZ-RECEIVING")
        yield day + 8 + self.hour()
        self.inspect(day + 8, arrived)
        yield day + 9 + self.hour()
        self.put_away(day + 9, arrived)
        if week == 8:
            # One batch leaks: frozen, then destroyed.
            yield day + 10 + self.hour()
            self.freeze_and_scrap(day + 10, arrived[1])
        yield day + 12 + self.hour()
        self.books.write(
            *("purchase_invoice", day + 12 + self.hour(), self.dearer(lines, week + 2)),
            party="SUP-SEALS",
            refers=receipt,
        )

    def buy_abroad(self, day: float, week: int) -> Flow:
        """Instruments and valves, paid in US dollars at the rate of the day."""
        yield day + 0.44
        rate = Decimal("7.0825") + Decimal(week) / 250
        lines = []
        for item, quantity in {"M-400": 4, "M-401": 20, "M-402": 24}.items():
            price = self.money(Decimal(ITEMS[item].cost) / rate, "0.01")
            unit = {"unit": "case"} if item == "M-400" else {}
            price *= 20 if unit else 1
            lines.append(make_line(item, quantity, price=str(price), tax="VAT0", **unit))
        abroad = {"party": "SUP-PACIFIC", "currency": "USD"}
        order = self.order(day, "SUP-PACIFIC", lines, due=day + 19, currency="USD", rate=str(rate))
        if week == 12:
            return
        yield day + 18 + self.hour()
        rate += Decimal("0.0113")
        receipt = self.receive(
            *(day + 18, "SUP-PACIFIC", order, lines), currency="USD", rate=str(rate)
        )
        yield day + 22 + self.hour()
        rate -= Decimal("0.0247")
        self.books.write(
            *("purchase_invoice", day + 22 + self.hour(), lines),
            **abroad,
            refers=receipt,
            rate=str(rate),
        )

    def order(self, day: float, party: str, lines: list[Line], due: float, **fields: str) -> str:
        """A purchase order."""
        return self.books.write(
            *("purchase_order", day + 0.4, lines),
            party=party,
            warehouse="WH-SZ",
            due_at=moment(due + 0.4),
            person="buyer-1",
            **fields,
        )

    def receive(
        self,
        day: float,
        party: str,
        order: str,
        lines: list[Line],
        place: str = "",
        **fields: str,
    ) -> str:
        """A goods receipt; with a place, all of it waits there for its inspection."""
        arrived = []
        for line in lines:
            where = place or self.home(line["item"])
            line["location"] = where
            if place:
                line["disposition"] = "inspection"
            self.books.change(line, where, 1)
            arrived.append(dict(line))
        return self.books.write(
            *("goods_receipt", day + self.hour(), arrived),
            party=party,
            refers=order,
            warehouse="WH-SZ",
            person=self.dice.choice(STOREKEEPERS),
            **fields,
        )

    def inspect(self, day: float, lines: list[Line]) -> None:
        """What came is good."""
        changed = []
        for line in lines:
            self.books.change(line, line["location"], -1)
            line["disposition"] = "available"
            self.books.change(line, line["location"], 1)
            changed.append(
                self.bare(line)
                | {"location": line["location"], "disposition": "inspection"}
                | {"to_disposition": "available"}
            )
        self.books.write(
            *("state_change", day + self.hour(), changed),
            person="inspector-1",
            warehouse="WH-SZ",
        )

    def put_away(self, day: float, lines: list[Line]) -> None:
        """From receiving to where it usually lies."""
        moved = []
        for line in lines:
            home = self.home(line["item"])
            self.books.change(line, line["location"], -1)
            moved.append(self.bare(line) | {"location": line["location"], "to_location": home})
            line["location"] = home
            self.books.change(line, home, 1)
        self.books.write(
            *("relocation", day + self.hour(), moved),
            person=self.dice.choice(STOREKEEPERS),
            warehouse="WH-SZ",
        )

    def freeze_and_scrap(self, day: float, line: Line) -> None:
        """A part of a batch is bad."""
        bad = self.part_of(self.bare(line), 3) | {"location": line["location"]}
        self.books.change(bad, line["location"], -1)
        self.books.write(
            *("state_change", day + 0.41, [bad | {"to_disposition": "frozen"}]),
            person="inspector-1",
            reason="leaks",
        )
        self.books.write(
            *(
                "scrap",
                day + 0.62,
                [bad | {"disposition": "frozen", "reason": "damage_unrecorded"}],
            ),
            person="storekeeper-2",
            approved_by="supervisor-1",
            reason="leaks",
        )

    def send_back(
        self, day: float, party: str, receipt: str, lines: list[Line], item: str, count: int
    ) -> Flow:
        """Some of it is bad and goes back."""
        yield day + self.hour()
        line = next(line for line in lines if line["item"] == item)
        price = Decimal(line["price"]) * Decimal(line["quantity"]) / base_quantity(line)
        back = make_line(
            *(item, count),
            location=self.home(item),
            price=text(self.money(price, "0.0001")),
            tax=line.get("tax"),
            reason="rejected at inspection",
        )
        self.books.change(back, line.get("location", self.home(item)), -1)
        self.books.write(
            *("supplier_return", day + self.hour(), [back]),
            party=party,
            refers=receipt,
            warehouse="WH-SZ",
            person="storekeeper-1",
        )
