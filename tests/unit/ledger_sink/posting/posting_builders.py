"""A small firm to test valuation and vouchers with: documents that are valid by default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from contracts.accounting import (
    BillComponent,
    BillOfMaterials,
    BookSettings,
    Chart,
    Costing,
    Mode,
    Party,
    PostingRules,
    ReceiptPolicy,
    ShipmentPolicy,
    TaxCode,
)
from contracts.books import Movement, PlaceKind, Posting
from contracts.documents import DocumentKind, EnteredDocument, EnteredLine
from contracts.vouchers import ItemValuation, Method, Voucher
from ledger_sink.core.posting.accounting import Accounting, Made, Problems, Related
from ledger_sink.core.posting.money import price_line
from ledger_sink.core.posting.vouchers import make_vouchers
from ledger_sink.defaults import default_chart, default_rules

PLACES = {kind.value: kind for kind in PlaceKind}
"""One location of each kind, named after it."""
TAX = Decimal("0.13")
STOCK, CLEARING, PAYABLE, INPUT_TAX = "1405.02", "2202.01", "2202", "2221.01.01"
DISPATCHED, RECEIVABLE, REVENUE, OUTPUT_TAX = "1406", "1122", "6001", "2221.01.05"
COST_OF_SALES, DIFFERENCES, TRANSIT = "6401", "1404", "1402"
AT_ONCE = ReceiptPolicy.PAYABLE_AT_ONCE
ACCEPTANCE = ShipmentPolicy.REVENUE_AT_ACCEPTANCE
ROUTES = {
    DocumentKind.OPENING: ("opening", "bin"),
    DocumentKind.GOODS_RECEIPT: ("supplier", "bin"),
    DocumentKind.SALES_SHIPMENT: ("bin", "customer"),
    DocumentKind.GOODS_ISSUE: ("bin", "production"),
    DocumentKind.PRODUCTION_RECEIPT: ("production", "bin"),
    DocumentKind.TRANSFER_OUT: ("bin", "in_transit"),
    DocumentKind.TRANSFER_IN: ("in_transit", "zone"),
    DocumentKind.CUSTOMER_RETURN: ("customer", "bin"),
    DocumentKind.SUPPLIER_RETURN: ("bin", "supplier"),
    DocumentKind.SCRAP: ("bin", "scrap"),
    DocumentKind.ADJUSTMENT: ("adjustment", "bin"),
    DocumentKind.RELOCATION: ("bin", "zone"),
}
"""Where goods go from and to."""


def accounting(
    method: Method = Method.MOVING_AVERAGE,
    *,
    receipt: ReceiptPolicy = ReceiptPolicy.GOODS_RECEIVED_NOT_INVOICED,
    shipment: ShipmentPolicy = ShipmentPolicy.REVENUE_AT_ONCE,
    mode: Mode = Mode.STANDALONE,
    chart: Chart | None = None,
    rules: PostingRules | None = None,
) -> Accounting:
    """The firm's books: screws and plates are bought, tables are made, lamps are traded."""
    classes = {"screw": "raw", "plate": "raw", "table": "finished", "lamp": "merchandise"}
    parts = (BillComponent(item="screw", quantity=Decimal(8)),)
    return Accounting(
        settings=BookSettings(receipt=receipt, shipment=shipment, mode=mode),
        chart=chart or default_chart("china"),
        rules=rules or default_rules(),
        rules_version=0,
        taxes={"vat": TaxCode(rate=TAX)},
        costings={
            item: Costing(method=method, stock_class=stock) for item, stock in classes.items()
        },
        bills={"table": BillOfMaterials(components=parts, conversion_cost=Decimal("12.50"))},
        parties={"office": Party(is_department=True)},
    )


def line(item: str = "lamp", quantity: object = 1, price: object = None, **more: object) -> dict:
    """A line to be entered."""
    return {"item": item, "quantity": str(quantity), "price": price, **more}


@dataclass
class Firm:
    """Posts documents one after the other and keeps what they lead to."""

    books: Accounting = field(default_factory=accounting)
    documents: list[EnteredDocument] = field(default_factory=list)
    vouchers: list[Voucher] = field(default_factory=list)
    movements: dict[str, Movement] = field(default_factory=dict)
    valuations: dict[str, ItemValuation] = field(default_factory=dict)
    quantities: dict[str, Decimal] = field(default_factory=dict)
    """Of valued stock, by the movements."""

    def entered(
        self, kind: str, lines: Iterable[Mapping], name: str = "", **more: object
    ) -> EnteredDocument:
        """The document as planning would give it."""
        rate = str(more.pop("rate", "1"))
        entered = []
        for number, given in enumerate(lines, 1):
            one = {"line": number, "unit": "each", "unit_quantity": given["quantity"], **given}
            price = one.pop("price", None)
            if price is not None:
                tax = TAX if one.get("tax") else Decimal(0)
                quantity = abs(Decimal(one["unit_quantity"]))
                amounts = price_line(quantity, Decimal(str(price)), tax, Decimal(rate), 2)
                names = ("net", "tax_amount", "net_base", "tax_base")
                one |= dict(zip(names, map(str, amounts), strict=True))
                one["price"] = str(price)
            entered.append(EnteredLine(**one))
        empty = ("party", "refers", "warehouse", "to_warehouse", "currency", "person")
        fields = dict.fromkeys((*empty, "approved_by", "case", "reason"), "")
        fields |= {"is_physical": False, "due_us": 0, "happened_us": len(self.documents)} | more
        return EnteredDocument(
            id=name or f"D{len(self.documents) + 1}",
            kind=DocumentKind(kind),
            rate=rate,
            lines=tuple(entered),
            **fields,
        )

    def movement(self, document: EnteredDocument) -> Movement | None:
        """Where its goods go."""
        step = {"document": document.id, "step": str(document.kind), "happened_us": 0}
        if document.kind is DocumentKind.REVERSAL:
            target = self.movements.get(document.refers)
            if target is None:
                return None
            postings = tuple(
                Posting(
                    item=one.item,
                    location=one.location,
                    owner=one.owner,
                    quantity=str(-Decimal(one.quantity)),
                )
                for one in target.postings
            )
            return Movement(id=f"M-{document.id}", postings=postings, reverses=target.id, **step)
        if document.kind not in ROUTES:
            return None
        postings = []
        for one in document.lines:
            for place, sign in zip(ROUTES[document.kind], (-1, 1), strict=True):
                quantity = str(sign * Decimal(one.quantity))
                postings.append(
                    Posting(item=one.item, location=place, quantity=quantity, owner=one.owner)
                )
        return Movement(id=f"M-{document.id}", postings=tuple(postings), **step)

    def family(self, document: EnteredDocument) -> Related:
        """All that hangs together with the document."""
        members = {document.refers} - {""}
        size = -1
        while size != len(members):
            size = len(members)
            for one in self.documents:
                if one.id in members or one.refers in members:
                    members |= {one.id, one.refers} - {""}
        return Related(
            tuple(one for one in self.documents if one.id in members),
            tuple(one for one in self.vouchers if one.document in members),
        )

    def make(self, document: EnteredDocument) -> Made | Problems:
        """What it would lead to."""
        return make_vouchers(
            document,
            self.movement(document),
            self.books,
            PLACES,
            self.valuations,
            self.family(document),
        )

    def post(self, kind: str, *lines: Mapping, name: str = "", **more: object) -> list[Voucher]:
        """Enter a document; its vouchers."""
        document = self.entered(kind, lines, name, **more)
        return self.enter(document)

    def enter(self, document: EnteredDocument) -> list[Voucher]:
        """Enter a document; its vouchers."""
        made = self.make(document)
        assert isinstance(made, Made), made
        movement = self.movement(document)
        if movement is not None:
            self.movements[document.id] = movement
            for one in movement.postings:
                if PLACES[one.location].value in {"zone", "bin", "in_transit"} and not one.owner:
                    before = self.quantities.get(one.item, Decimal(0))
                    self.quantities[one.item] = before + Decimal(one.quantity)
        self.documents.append(document)
        self.vouchers += made.vouchers
        self.valuations |= {one.item: one for one in made.valuations}
        return list(made.vouchers)

    def refused(self, kind: str, *lines: Mapping, name: str = "", **more: object) -> str:
        """Why a document is refused."""
        made = self.make(self.entered(kind, lines, name, **more))
        assert not isinstance(made, Made), made
        return "\n".join(made)

    def balances(self) -> dict[str, Decimal]:
        """Debit less credit by account, without those at zero."""
        found: dict[str, Decimal] = {}
        for voucher in self.vouchers:
            for one in voucher.lines:
                amount = Decimal(one.debit) - Decimal(one.credit)
                found[one.account] = found.get(one.account, Decimal(0)) + amount
        return {code: amount for code, amount in sorted(found.items()) if amount}

    def value(self, item: str = "lamp") -> tuple[str, str]:
        """Quantity and value of an item's stock."""
        one = self.valuations[item]
        return one.quantity, one.value


def booked(voucher: Voucher) -> list[tuple[str, str, str]]:
    """Account, debit and credit of a voucher's lines."""
    return [(one.account, one.debit, one.credit) for one in voucher.lines]


def stocked(quantity: int = 10, price: str = "6.00", **policies: object) -> Firm:
    """A firm with some lamps."""
    firm = Firm(accounting(**policies))
    firm.post("opening", line("lamp", quantity, price))
    return firm
