"""The sample company's books once more, from its files alone: the oracle of what the ledger says.

Nothing of the product is imported. What a document means for stock, value and accounts is written
down here a second time, from the rules that docs/books.md gives, in the plainest form that does:
one document after the other, nothing is looked up twice, nothing is quick.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from tests.support.oracle_base import ZERO, Pool, Source, cents, divided
from tests.support.oracle_stock import StockOracle

Document = dict[str, Any]
Line = dict[str, Any]
FOLLOWS = {
    "purchase_invoice": "goods_receipt",
    "supplier_return": "goods_receipt",
    "sales_acceptance": "sales_shipment",
    "customer_return": "sales_shipment",
    "transfer_in": "transfer_out",
}
"""What a document is about the goods of."""
SETTLES = ("purchase_invoice", "sales_acceptance")


class CompanyOracle(StockOracle):
    """Stock, its value, and the vouchers."""

    def balances_of_accounts(self) -> dict[str, Decimal]:
        """What stands in each account; debit is above zero."""
        found: dict[str, Decimal] = {}
        for one in self.booked:
            found[one.account] = found.get(one.account, ZERO) + one.amount
        return found

    def work(self, document: Document, number: int, line: Line) -> None:
        """Book what a line of ours means."""
        work = getattr(self, f"_{document['kind']}", None)
        if work is not None:
            work(document, number, line)

    # What comes in.

    def come(self, document: Document, line: Line, cost: Decimal) -> None:
        """Into stock, at a cost."""
        name, item = document["id"], line["item"]
        self.book(name, self.stock_account(item), item, cost)
        more = self.worth(item).come(name, abs(self.base(line)), cost)
        self.remainder(name, item, more)

    def _opening(self, document: Document, number: int, line: Line) -> None:
        del number
        net, _ = self.money(document, line)
        self.come(document, line, net)
        self.book(document["id"], "equity", line["item"], -net)

    def _goods_receipt(self, document: Document, number: int, line: Line) -> None:
        net, tax = self.money(document, line)
        name, item = document["id"], line["item"]
        self.come(document, line, net)
        goods = Pool(self.base(line), held=net, cost=net, net=net, tax=tax)
        if self.is_at_once("receipt"):
            self.book(name, "input_tax", item, tax)
            self.book(name, "payable", item, -net - tax)
            self._open(document, number, line, replace(goods, held=ZERO)).is_held = False
        else:
            self.book(name, "not_invoiced", item, -net)
            self._open(document, number, line, goods)

    def is_at_once(self, what: str) -> bool:
        """Whether receipts owe, or shipments are sold, at once."""
        return str(self.master["settings"][what]).endswith("at_once")

    def _open(self, document: Document, number: int, line: Line, waiting: Pool) -> Source:
        order = self.documents.get(document.get("refers", ""), {}).get("lines", ())
        place = int(line.get("order_line", 0)) or next(
            (n for n, one in enumerate(order, start=1) if one["item"] == line["item"]), 0
        )
        source = Source(document["id"], document.get("refers", ""), number, place, line["item"], "")
        source.waiting = waiting
        self._sources.append(source)
        return source

    def _draw(self, document: Document, line: Line) -> list[tuple[Source, Pool, bool]]:
        """The goods of earlier documents that a line is about: source, share, was settled."""
        left, refers = abs(self.base(line)), document["refers"]
        wanted = int(line.get("order_line", 0))
        sources = [
            one
            for one in self._sources
            if one.item == line["item"]
            and self.documents[one.document]["kind"] == FOLLOWS[document["kind"]]
            and (
                (one.document == refers and wanted in {0, one.line})
                or (one.refers == refers and wanted in {0, one.order_line})
            )
        ]
        pools = [(one, one.waiting, False) for one in sources]
        if document["kind"].endswith("return"):
            pools += [(one, one.settled, True) for one in sources]
        found = []
        for source, pool, was_settled in pools:
            part = min(left, pool.quantity)
            if part > 0:
                found.append((source, pool.take(part), was_settled))
                left -= part
        assert not left, (document["id"], line)
        self._settle(document, line, found)
        return found

    def _settle(
        self, document: Document, line: Line, found: list[tuple[Source, Pool, bool]]
    ) -> None:
        """Invoiced or sold goods may still come back; a sale has its own price."""
        net, tax = ZERO, ZERO
        left = sum((pool.quantity for _, pool, _ in found), ZERO)
        if document["kind"] == "sales_acceptance":
            net, tax = self.money(document, line)
        for source, pool, was_settled in found:
            after = None
            if document["kind"] in SETTLES:
                after = Pool(pool.quantity, *pool.amounts())
                if document["kind"] == "sales_acceptance":
                    after.net = divided(net, pool.quantity, left)
                    after.tax = divided(tax, pool.quantity, left)
                    net, tax, left = net - after.net, tax - after.tax, left - pool.quantity
                source.settled.add(after)
            self._drawn[document["id"]].append((source, pool, was_settled, after))

    def _purchase_invoice(self, document: Document, number: int, line: Line) -> None:
        del number
        name, item = document["id"], line["item"]
        net, tax = self.money(document, line)
        drawn = self._draw(document, line)
        cleared = sum((pool.held for _, pool, _ in drawn), ZERO)
        # What was owed at once is not owed again.
        net -= sum((pool.net for source, pool, _ in drawn if not source.is_held), ZERO)
        tax -= sum((pool.tax for source, pool, _ in drawn if not source.is_held), ZERO)
        self.book(name, "not_invoiced", item, cleared)
        self.book(name, "difference", item, net - cleared)
        self.book(name, "input_tax", item, tax)
        self.book(name, "payable", item, -net - tax)
        quantity = self.base(line)
        receipts = {source.document for source, _, _ in drawn}
        there = min(self.worth(item).left_of(receipts), quantity)
        if there:
            part = divided(net - cleared, there, quantity)
            self.worth(item).shift(part, receipts)
            self.remainder(name, item, part)

    # What goes out.

    def go(self, document: Document, line: Line, account: str) -> Decimal:
        """Out of stock, onto an account; its cost."""
        cost = self.worth(line["item"]).go(abs(self.base(line)))
        self.book(document["id"], self.stock_account(line["item"]), line["item"], -cost)
        self.book(document["id"], account, line["item"], cost)
        return cost

    def _sales_shipment(self, document: Document, number: int, line: Line) -> None:
        net, tax = self.money(document, line)
        at_once = self.is_at_once("shipment")
        cost = self.go(document, line, "cost_of_sales" if at_once else "dispatched")
        goods = Pool(self.base(line), held=ZERO if at_once else cost, cost=cost, net=net, tax=tax)
        source = self._open(document, number, line, goods)
        if at_once:
            source.waiting, source.settled = Pool(), goods
            self._sold(document["id"], line["item"], net, tax)

    def _sales_acceptance(self, document: Document, number: int, line: Line) -> None:
        del number
        name, item = document["id"], line["item"]
        net, tax = self.money(document, line)
        cleared = sum((pool.held for _, pool, _ in self._draw(document, line)), ZERO)
        self.book(name, "cost_of_sales", item, cleared)
        self.book(name, "dispatched", item, -cleared)
        self._sold(name, item, net, tax)

    def _sold(self, name: str, item: str, net: Decimal, tax: Decimal) -> None:
        self.book(name, "receivable", item, net + tax)
        self.book(name, "revenue", item, -net)
        self.book(name, "output_tax", item, -tax)

    def _customer_return(self, document: Document, number: int, line: Line) -> None:
        del number
        name, item, quantity = document["id"], line["item"], self.base(line)
        drawn = self._draw(document, line)
        sold = sum((pool.quantity for _, pool, was in drawn if was), ZERO)
        net, tax = (divided(one, sold, quantity) for one in self.money(document, line))
        held = sum((pool.held for _, pool, was in drawn if not was), ZERO)
        cost = sum((pool.cost for _, pool, _ in drawn), ZERO)
        self.come(document, line, cost)
        self.book(name, "dispatched", item, -held)
        self.book(name, "cost_of_sales", item, held - cost)
        self._sold(name, item, -net, -tax)

    def _supplier_return(self, document: Document, number: int, line: Line) -> None:
        del number
        name, item = document["id"], line["item"]
        drawn = self._draw(document, line)
        held = sum((pool.held for _, pool, was in drawn if not was), ZERO)
        owed = [pool for source, pool, was in drawn if was or not source.is_held]
        net = sum((pool.net for pool in owed), ZERO)
        tax = sum((pool.tax for pool in owed), ZERO)
        cost = self.go(document, line, "difference")
        self.book(name, "difference", item, -held - net)
        self.book(name, "not_invoiced", item, held)
        self.book(name, "payable", item, net + tax)
        self.book(name, "input_tax", item, -tax)
        assert cost

    def _goods_issue(self, document: Document, number: int, line: Line) -> None:
        del number
        party = self.master["parties"].get(document.get("party", ""), {})
        self.go(document, line, "department" if party.get("is_department") else "production")

    def _scrap(self, document: Document, number: int, line: Line) -> None:
        del number
        self.go(document, line, "scrap")

    # What stays.

    def _production_receipt(self, document: Document, number: int, line: Line) -> None:
        del number
        name, item, quantity = document["id"], line["item"], self.base(line)
        bill = self.items[item]["bill_of_materials"]
        lots = quantity / Decimal(bill.get("lot", "1"))
        used = line.get("components") or [
            one
            | {
                "quantity": Decimal(one["quantity"])
                * lots
                * (1 + Decimal(one.get("scrap_rate", "0")))
            }
            for one in bill["components"]
        ]
        parts = sum((cents(self.base(one) * self.worth(one["item"]).price) for one in used), ZERO)
        made = cents(Decimal(bill["conversion_cost"]) * quantity)
        self.come(document, line, parts + made)
        self.book(name, "production", item, -parts)
        self.book(name, "absorbed", item, -made)

    def _transfer_out(self, document: Document, number: int, line: Line) -> None:
        name, item, quantity = document["id"], line["item"], self.base(line)
        worth = self.worth(item)
        kept = (worth.quantity, worth.value, worth.price, [list(one) for one in worth.layers])
        cost = worth.go(quantity)
        worth.quantity, worth.value, worth.price, worth.layers = kept
        self.book(name, "transit", item, cost)
        self.book(name, self.stock_account(item), item, -cost)
        self._open(document, number, line, Pool(quantity, held=cost, cost=cost))

    def _transfer_in(self, document: Document, number: int, line: Line) -> None:
        del number
        name, item = document["id"], line["item"]
        cleared = sum((pool.held for _, pool, _ in self._draw(document, line)), ZERO)
        self.book(name, self.stock_account(item), item, cleared)
        self.book(name, "transit", item, -cleared)

    def _adjustment(self, document: Document, number: int, line: Line) -> None:
        del number
        if self.base(line) < 0:
            self.go(document, line, "adjustment")
            return
        cost = cents(self.worth(line["item"]).price * self.base(line))
        self.come(document, line, cost)
        self.book(document["id"], "adjustment", line["item"], -cost)

    def _revaluation(self, document: Document, number: int, line: Line) -> None:
        del number
        worth = self.worth(line["item"])
        price = Decimal(line["price"]) * Decimal(line["quantity"]) / self.base(line)
        self.remainder(document["id"], line["item"], worth.revalue(price))

    # What is taken back.

    def worked_back(self, document: Document) -> None:
        """Book the document that is taken back again, the other way."""
        refers, name = document["refers"], document["id"]
        values: dict[str, Decimal] = {}
        stock = {"1402", "1403", "1405.01", "1405.02"}
        for one in [one for one in self.booked if one.document == refers]:
            self.booked.append(one._replace(document=name, amount=-one.amount))
            if one.account in stock:
                values[one.item] = values.get(one.item, ZERO) - one.amount
        quantities = self._valued_change(name)
        for item, value in values.items():
            quantity = quantities.get(item, ZERO)
            if quantity:
                more = self.worth(item).undo(refers, quantity, value, name)
                self.remainder(name, item, more)
            else:
                self.worth(item).shift(value, {self.documents[refers].get("refers", "")})
        for source, pool, was_settled, after in self._drawn.pop(refers, []):
            (source.settled if was_settled else source.waiting).add(pool)
            if after is not None:
                source.settled.add(after, -1)
        self._sources = [one for one in self._sources if one.document != refers]

    def _valued_change(self, name: str) -> dict[str, Decimal]:
        """By how much a document changed our stock in the house."""
        place = list(self.documents).index(name)
        found: dict[str, Decimal] = {}
        for one in self.moves:
            kind = self.places[one.key.location]["kind"]
            if (
                one.document == place
                and not one.key.owner
                and kind in {"zone", "bin", "in_transit"}
            ):
                found[one.key.item] = found.get(one.key.item, ZERO) + one.quantity
        return found
