"""Whatever is posted in whatever order, vouchers balance and stock is worth what accounts say."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from posting_builders import TAX, Firm, accounting, line

from contracts.accounting import ReceiptPolicy, ShipmentPolicy
from contracts.documents import DocumentKind, EnteredDocument, UsedComponent
from contracts.vouchers import Method, Voucher
from ledger_sink.core.posting.accounting import Made, Related
from ledger_sink.core.posting.clearing import CLEARING_PARTS, Trail

ITEMS = ("lamp", "screw", "table")
QUANTITIES = st.decimals("0.001", "50", places=3).map(lambda q: q.normalize() + 0)
PRICES = st.decimals("0", "99", places=4)
FREE = ("opening", "goods_receipt", "sales_shipment", "goods_issue", "scrap", "transfer_out")
FOLLOWING = {
    "purchase_invoice": DocumentKind.GOODS_RECEIPT,
    "supplier_return": DocumentKind.GOODS_RECEIPT,
    "sales_acceptance": DocumentKind.SALES_SHIPMENT,
    "customer_return": DocumentKind.SALES_SHIPMENT,
    "transfer_in": DocumentKind.TRANSFER_OUT,
}
OTHERS = ("adjustment", "production_receipt", "revaluation", "reversal")
STEPS = st.tuples(
    st.sampled_from([*FREE, *FREE, *FOLLOWING, *FOLLOWING, *OTHERS]),
    st.lists(
        st.tuples(st.sampled_from(ITEMS), QUANTITIES, PRICES, st.booleans()),
        min_size=1,
        max_size=3,
    ),
    st.integers(0, 10_000),
)
FIRMS = st.builds(
    accounting,
    st.sampled_from(Method),
    receipt=st.sampled_from(ReceiptPolicy),
    shipment=st.sampled_from(ShipmentPolicy),
)


def document_of(
    firm: Firm, kind: str, lines: list[tuple[str, Decimal, Decimal, bool]], choice: int
) -> EnteredDocument | None:
    """A document of this kind; none: there is nothing that it could refer to."""
    more: dict[str, object] = {"is_physical": True}
    if kind == "reversal":
        if not firm.documents:
            return None
        target = firm.documents[choice % len(firm.documents)]
        return firm.entered("reversal", [], refers=target.id)
    if kind in FOLLOWING:
        targets = [one for one in firm.documents if one.kind is FOLLOWING[kind]]
        if not targets:
            return None
        target = targets[choice % len(targets)]
        more["refers"] = target.id
        # Often exactly what is there, which a random number would never be.
        lines = [
            (one.item, Decimal(one.quantity) if is_whole else quantity, price, is_whole)
            for one, (_, quantity, price, is_whole) in zip(target.lines, lines, strict=False)
        ]
    written = []
    for item, quantity, price, flag in lines:
        sign = -1 if kind == "adjustment" and flag else 1
        written.append(line(item, sign * quantity, price, tax="vat" if flag else ""))
    if kind == "production_receipt":
        more["components"] = tuple(
            UsedComponent(line=number, item="screw", quantity=str(quantity))
            for number, (_, quantity, _, _) in enumerate(lines, 1)
        )
    return firm.entered(kind, written, **more)


def check(firm: Firm, vouchers: list[Voucher]) -> None:
    """What must hold behind every document."""
    for voucher in vouchers:
        debit = sum(Decimal(one.debit) for one in voucher.lines)
        assert debit == sum(Decimal(one.credit) for one in voucher.lines)
        for one in voucher.lines:
            assert Decimal(one.debit) == 0 or Decimal(one.credit) == 0
            for amount in (one.debit, one.credit, one.currency_amount or "0"):
                assert len(amount.partition(".")[2]) <= 2
    values: dict[str, Decimal] = defaultdict(Decimal)
    counted: dict[str, Decimal] = defaultdict(Decimal)
    stock = firm.books.stock_accounts
    for voucher in firm.vouchers:
        for one in voucher.lines:
            if one.account in stock:
                values[one.item] += Decimal(one.debit) - Decimal(one.credit)
                counted[one.item] += Decimal(one.quantity)
    for item, valuation in firm.valuations.items():
        quantity, value = Decimal(valuation.quantity), Decimal(valuation.value)
        assert (quantity, value) == (counted[item], values[item]), item
        assert quantity == firm.quantities.get(item, 0)
        assert quantity or not value
        assert value >= 0 or quantity < 0
        layers = [(Decimal(one.quantity), Decimal(one.value)) for one in valuation.layers]
        assert all(many > 0 and worth >= 0 for many, worth in layers)
        if valuation.method is Method.FIFO:
            expected = (max(quantity, Decimal(0)), max(value, Decimal(0)) if quantity > 0 else 0)
            found = (sum(many for many, _ in layers), sum(worth for _, worth in layers))
            assert found == expected
    trail = Trail(Related(tuple(firm.documents), tuple(firm.vouchers)), firm.books)
    for kind, part in CLEARING_PARTS.items():
        sign = -1 if kind is DocumentKind.GOODS_RECEIPT else 1
        open_goods = [one for one in trail.sources if one.document.kind is kind]
        waiting = sum(sign * one.waiting.worth.held for one in open_goods)
        assert firm.balances().get(firm.books.accounts[part].code, 0) == waiting, part
    assert {item for item, value in values.items() if value} <= set(firm.valuations)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(books=FIRMS, steps=st.lists(STEPS, min_size=1, max_size=14))
def test_stock_is_worth_what_the_accounts_say_behind_every_document(
    books: object, steps: list
) -> None:
    """Any documents in any order; those that are refused change nothing."""
    firm = Firm(books)
    for kind, lines, choice in steps:
        document = document_of(firm, kind, lines, choice)
        if document is not None and isinstance(firm.make(document), Made):
            check(firm, firm.enter(document))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(books=FIRMS, steps=st.lists(STEPS, min_size=1, max_size=8))
def test_a_reversal_right_behind_a_document_restores_quantity_and_value(
    books: object, steps: list
) -> None:
    """To the cent, account by account, whatever the document was."""
    firm = Firm(books)
    for kind, lines, choice in steps:
        document = document_of(firm, kind, lines, choice)
        if document is None or not isinstance(firm.make(document), Made):
            continue
        before, balances = dict(firm.valuations), firm.balances()
        firm.enter(document)
        if document.kind is DocumentKind.REVERSAL:
            continue
        vouchers = firm.post("reversal", refers=document.id)
        check(firm, vouchers)
        assert firm.balances() == balances
        for item, valuation in firm.valuations.items():
            was = before.get(item)
            assert Decimal(valuation.quantity) == (Decimal(was.quantity) if was else 0)
            assert Decimal(valuation.value) == (Decimal(was.value) if was else 0)


@pytest.mark.parametrize("method", Method)
@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(QUANTITIES, min_size=1, max_size=5),
    price=PRICES,
    invoiced=st.lists(PRICES, min_size=5, max_size=5),
    order=st.permutations(range(5)),
)
def test_what_was_received_and_invoiced_in_parts_leaves_nothing_to_be_cleared(
    method: Method, parts: list[Decimal], price: Decimal, invoiced: list[Decimal], order: list[int]
) -> None:
    """However the quantity is split, the clearing account ends at zero."""
    firm = Firm(accounting(method))
    firm.post("goods_receipt", line("screw", sum(parts), price, tax="vat"), name="R")
    for place in order:
        if place < len(parts):
            firm.post(
                "purchase_invoice",
                line("screw", parts[place], invoiced[place], tax="vat"),
                refers="R",
            )
    assert firm.books.accounts["goods_received_not_invoiced"].code not in firm.balances()
    owed = sum(
        (
            round_half_up(part * cost) + round_half_up(round_half_up(part * cost) * TAX)
            for part, cost in zip(parts, invoiced, strict=False)
        ),
        Decimal(0),
    )
    assert -firm.balances().get("2202", Decimal(0)) == owed


def round_half_up(amount: Decimal) -> Decimal:
    """To cents, by hand."""
    return Decimal(int(amount * 100 + Decimal("0.5"))) / 100
