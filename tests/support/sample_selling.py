"""How the sample company sells: orders that allocate, shipments, acceptances, returns."""

from __future__ import annotations

from decimal import Decimal

from tests.support.sample_books import Line, make_line, moment, text
from tests.support.sample_flows import STOREKEEPERS, Flow, Flows
from tests.support.sample_master import ITEMS

CUSTOMERS = ("CUS-WATER", "CUS-FARM", "CUS-CHEM", "CUS-SHOP")
MARGIN = Decimal("1.45")
SOLD = ("M-401", "M-402", "M-404", "F-302", "M-400")


class Selling(Flows):
    """Flows from order to acceptance."""

    def sold_at(self, line: Line) -> Line:
        """The line with what the customer pays for it."""
        price = self.money(Decimal(ITEMS[line["item"]].cost) * MARGIN)
        return line | {"price": text(price), "tax": "VAT9" if line["item"] == "M-404" else "VAT13"}

    def sell(self, day: float, week: int, *, is_second: bool = False) -> Flow:
        """An order that allocates; shipped, accepted, and some of it comes back."""
        yield day + self.hour()
        turn = 2 * week + is_second
        customer = CUSTOMERS[turn % len(CUSTOMERS)]
        items = self.dice.sample(SOLD, 2)
        lines, batches = [], []
        for item in items:
            quantity = self.dice.randint(2, 9)
            batches.append(self.books.batch_with(item, self.home(item), Decimal(quantity)))
            place = (item, batches[-1], self.home(item), "available", "")
            self.books.promised[place] += quantity
            # Some orders leave it to the books which batch they get: the first to expire.
            first = self.books.first_batch(item, self.home(item))
            named = {"batch": batches[-1]} if turn % 3 or batches[-1] != first else {}
            lines.append(make_line(item, quantity, location=self.home(item), **named))
        order = self.books.write(
            *("sales_order", day + self.hour(), [self.sold_at(line) for line in lines]),
            party=customer,
            warehouse="WH-SZ",
            due_at=moment(day + 12),
            person="sales-1",
            approved_by="sales-2",
        )
        yield day + 2 + self.hour()
        shipped = []
        for number, (line, batch) in enumerate(zip(lines, batches, strict=True), start=1):
            place = (line["item"], batch, line["location"], "available", "")
            part = line if turn % 5 else self.part(line, Decimal("0.5"))
            self.books.promised[place] -= Decimal(line["quantity"])
            self.books.stock[place] -= Decimal(part["quantity"])
            named = {"batch": batch} if turn % 3 == 1 and batch else {}
            kept = {name: part[name] for name in ("item", "quantity", "location")}
            shipped.append(self.sold_at(kept) | named | {"order_line": number})
            if part is not line:
                # What is open stays allocated until the order is closed.
                self.books.promised[place] += Decimal(line["quantity"]) - Decimal(part["quantity"])
        shipment = self.books.write(
            *("sales_shipment", day + 2 + self.hour(), shipped),
            party=customer,
            refers=order,
            warehouse="WH-SZ",
            person=self.dice.choice(STOREKEEPERS),
        )
        if turn % 5 == 0:
            yield day + 3 + self.hour()
            self.books.write(
                *("order_closed", day + 3 + self.hour()), refers=order, person="sales-1"
            )
            for line, batch in zip(lines, batches, strict=True):
                place = (line["item"], batch, line["location"], "available", "")
                open_part = Decimal(line["quantity"]) - self.quantity_in(shipped, line["item"])
                self.books.promised[place] -= open_part
        if turn % 6 != 3:
            yield from self.after(day + 4, customer, shipment, shipped, turn)

    def quantity_in(self, lines: list[Line], item: str) -> Decimal:
        """How much of an item is in some lines."""
        return sum(
            (Decimal(line["quantity"]) for line in lines if line["item"] == item), Decimal(0)
        )

    def after(
        self, day: float, customer: str, shipment: str, shipped: list[Line], turn: int
    ) -> Flow:
        """Acceptance, and returns before or behind it."""
        accepted = [self.accepted(line, number) for number, line in enumerate(shipped, start=1)]
        if turn % 7 == 2:
            yield day + self.hour()
            self.give_back(day + 0.3, customer, shipment, accepted[0])
            accepted[0] = self.part_of(accepted[0], Decimal(accepted[0]["quantity"]) - 1)
        yield day + 1 + self.hour()
        both = {"party": customer, "refers": shipment}
        acceptance = self.books.write(
            "sales_acceptance", day + 1 + self.hour(), accepted, **both, person="sales-1"
        )
        if turn in (8, 17):
            yield day + 2 + self.hour()
            self.reverse(day + 2, acceptance, "signed for another delivery")
            yield day + 3 + self.hour()
            self.books.write(
                "sales_acceptance", day + 3 + self.hour(), accepted, **both, person="sales-1"
            )
        if turn % 7 == 5:
            yield day + 6 + self.hour()
            self.give_back(day + 6, customer, shipment, accepted[1])

    def accepted(self, line: Line, number: int) -> Line:
        """A line of an acceptance or a return."""
        kept = ("item", "quantity", "price", "tax")
        return {name: line[name] for name in kept if name in line} | {"order_line": number}

    def give_back(self, day: float, customer: str, shipment: str, line: Line) -> None:
        """One piece comes back, and is damaged."""
        back = self.part_of(line, 1) | {"location": "SZ-QUARANTINE", "disposition": "damaged"}
        self.books.write(
            *("customer_return", day + self.hour(), [back]),
            party=customer,
            refers=shipment,
            warehouse="WH-SZ",
            reason="damaged on its way",
            person="storekeeper-2",
        )

    def sell_pumps(self, day: float, item: str, count: int) -> Flow:
        """Pumps with their serial numbers, without an order."""
        yield day + self.hour()
        line = self.sold_at(self.go(item, count))
        customer = CUSTOMERS[int(day) % len(CUSTOMERS)]
        shipment = self.books.write(
            *("sales_shipment", day + self.hour(), [line]),
            party=customer,
            warehouse="WH-SZ",
            person=self.dice.choice(STOREKEEPERS),
        )
        if 40 < day < 48:
            # Loaded, and unloaded again: the customer's lorry broke down.
            yield day + 0.8
            self.books.change(line, line["location"], 1)
            self.reverse(day + 0.1, shipment, "lorry broke down")
            return
        yield day + 3 + self.hour()
        self.books.write(
            *("sales_acceptance", day + 3 + self.hour(), [self.accepted(line, 1)]),
            party=customer,
            refers=shipment,
            person="sales-1",
        )

    def ahead_of_the_book(self, day: float, item: str, supplier: str, cost: str) -> Flow:
        """A lorry is loaded before the goods are booked in: the book falls below zero."""
        yield day
        place = self.home(item)
        there = self.books.free(item, place)
        line = self.sold_at(make_line(item, there + 8, location=place))
        self.books.change(line, place, -1)
        shipment = self.books.write(
            *("sales_shipment", day, [line]),
            party="CUS-SHOP",
            warehouse="WH-SZ",
            person="storekeeper-1",
            is_physical=True,
        )
        yield day + 1
        came = make_line(item, 30, price=cost, tax="VAT13", location=place)
        self.books.change(came, place, 1)
        receipt = self.books.write(
            *("goods_receipt", day + 1, [came]),
            party=supplier,
            warehouse="WH-SZ",
            person="storekeeper-2",
        )
        yield day + 4
        self.books.write(
            *("sales_acceptance", day + 4, [self.accepted(line, 1)]),
            party="CUS-SHOP",
            refers=shipment,
        )
        yield day + 6
        invoiced = make_line(item, 30, price=text(Decimal(cost) + Decimal("0.4")), tax="VAT13")
        self.books.write("purchase_invoice", day + 6, [invoiced], party=supplier, refers=receipt)

    def give_up(self, day: float) -> Flow:
        """A customer never calls for the goods: the order expires or is closed."""
        yield day
        line = self.sold_at(make_line("M-402", 7, location="SZ-B-02"))
        order = self.books.write(
            *("sales_order", day, [line]),
            party="CUS-FARM",
            warehouse="WH-SZ",
            due_at=moment(day + 5),
            person="sales-1",
            approved_by="sales-2",
        )
        place = ("M-402", "", "SZ-B-02", "available", "")
        self.books.promised[place] += 7
        yield day + 6
        self.books.promised[place] -= 7
        self.books.write("order_closed", day + 6, refers=order, person="sales-1")
