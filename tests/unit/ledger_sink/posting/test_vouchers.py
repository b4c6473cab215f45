"""Which voucher each kind of document leads to, account by account."""

from __future__ import annotations

from decimal import Decimal

import pytest
from posting_builders import (
    ACCEPTANCE,
    AT_ONCE,
    CLEARING,
    COST_OF_SALES,
    DIFFERENCES,
    DISPATCHED,
    INPUT_TAX,
    OUTPUT_TAX,
    PAYABLE,
    RECEIVABLE,
    REVENUE,
    STOCK,
    TRANSIT,
    Firm,
    accounting,
    booked,
    line,
    stocked,
)

from contracts.documents import UsedComponent
from contracts.vouchers import Occasion


def test_opening_stock_is_owed_to_nobody() -> None:
    """Stock against equity."""
    firm = Firm()
    (voucher,) = firm.post("opening", line("lamp", 10, "6.00"), name="O")
    assert booked(voucher) == [(STOCK, "60.00", "0"), ("4104", "0", "60.00")]
    assert (voucher.id, voucher.rule, voucher.movement) == ("O/v1", "default/0/opening", "M-O")
    assert voucher.lines[0].quantity == "10"
    assert voucher.lines[0].price == ""
    assert voucher.lines[1].quantity == "0"


def test_a_receipt_waits_for_its_invoice_on_a_clearing_account() -> None:
    """The tax comes with the invoice."""
    firm = Firm()
    (voucher,) = firm.post("goods_receipt", line("lamp", 4, "6.00", tax="vat"), party="maker")
    assert booked(voucher) == [(STOCK, "24.00", "0"), (CLEARING, "0", "24.00")]
    assert [one.party for one in voucher.lines] == ["", "maker"]
    assert voucher.lines[1].price == "6"
    assert voucher.lines[1].tax == "vat"


def test_a_receipt_can_owe_the_supplier_at_once() -> None:
    """By the site's settings."""
    firm = Firm(accounting(receipt=AT_ONCE))
    (voucher,) = firm.post("goods_receipt", line("lamp", 4, "6.00", tax="vat"))
    assert booked(voucher) == [
        *((STOCK, "24.00", "0"), (INPUT_TAX, "3.12", "0")),
        (PAYABLE, "0", "27.12"),
    ]


def test_an_invoice_clears_what_was_received_and_tells_the_difference() -> None:
    """4 came at 6.00, 3 are here, the invoice says 6.50: 1.50 on stock, 0.50 is gone."""
    firm = Firm()
    firm.post("goods_receipt", line("lamp", 4, "6.00"), name="R")
    firm.post("scrap", line("lamp", 1))
    posting, revaluation = firm.post(
        "purchase_invoice", line("lamp", 4, "6.50", tax="vat"), refers="R"
    )
    assert booked(posting) == [
        *((CLEARING, "24.00", "0"), (DIFFERENCES, "2.00", "0"), (INPUT_TAX, "3.38", "0")),
        (PAYABLE, "0", "29.38"),
    ]
    assert booked(revaluation) == [(STOCK, "1.50", "0"), (DIFFERENCES, "0", "1.50")]
    assert (revaluation.occasion, revaluation.rule) == (
        Occasion.REVALUATION,
        "default/0/revaluation",
    )
    assert firm.value() == ("3", "19.50")


def test_a_cheaper_invoice_goes_the_other_way() -> None:
    """A negative difference is a credit, and stock gets less."""
    firm = Firm()
    firm.post("goods_receipt", line("lamp", 4, "6.00"), name="R")
    posting, revaluation = firm.post("purchase_invoice", line("lamp", 4, "5.00"), refers="R")
    assert booked(posting) == [
        *((CLEARING, "24.00", "0"), (DIFFERENCES, "0", "4.00")),
        (PAYABLE, "0", "20.00"),
    ]
    assert booked(revaluation) == [(STOCK, "0", "4.00"), (DIFFERENCES, "4.00", "0")]


def test_an_invoice_behind_a_payable_at_once_books_the_difference_only() -> None:
    """Of price and tax."""
    firm = Firm(accounting(receipt=AT_ONCE))
    firm.post("goods_receipt", line("lamp", 4, "6.00", tax="vat"), name="R")
    posting, revaluation = firm.post(
        "purchase_invoice", line("lamp", 4, "6.50", tax="vat"), refers="R"
    )
    assert booked(posting) == [
        *((DIFFERENCES, "2.00", "0"), (INPUT_TAX, "0.26", "0")),
        (PAYABLE, "0", "2.26"),
    ]
    assert booked(revaluation) == [(STOCK, "2.00", "0"), (DIFFERENCES, "0", "2.00")]
    (same,) = firm.refused("purchase_invoice", line("lamp", 1, "6.00"), refers="R").splitlines()
    assert same.startswith("line 1: 1 of lamp, but of R only 0 were received")


def test_an_invoice_of_an_order_clears_all_its_receipts_in_turn() -> None:
    """Two deliveries at two prices; the invoice covers the first and half of the second."""
    firm = Firm()
    firm.post("purchase_order", line("lamp", 10, "5.00"), name="P")
    firm.post("goods_receipt", line("lamp", 4, "6.00", order_line=1), name="R1", refers="P")
    firm.post("goods_receipt", line("lamp", 6, "5.00", order_line=1), name="R2", refers="P")
    (voucher, _) = firm.post("purchase_invoice", line("lamp", 7, "6.00", order_line=1), refers="P")
    assert booked(voucher)[0] == (CLEARING, "39.00", "0")
    assert firm.balances()[CLEARING] == Decimal("-15.00")
    assert "only 3 were received" in firm.refused(
        "purchase_invoice", line("lamp", 4, "6.00"), refers="P"
    )


def test_more_than_was_received_is_not_invoiced() -> None:
    """The line is named, and what to do."""
    firm = Firm()
    firm.post("goods_receipt", line("lamp", 4, "6.00"), line("screw", 9, "1.00"), name="R")
    said = firm.refused(
        "purchase_invoice", line("lamp", 4, "6.00"), line("screw", 10, "1.00"), refers="R"
    )
    assert said == (
        "line 2: 10 of screw, but of R only 9 were received and are not yet invoiced: "
        "lower the quantity, or correct the document that it refers to"
    )


def test_a_reversed_invoice_lets_the_receipt_be_invoiced_again() -> None:
    """The reversal of an invoice is part of the receipt's family."""
    firm = Firm()
    firm.post("goods_receipt", line("lamp", 3, "3.33333"), name="R")
    firm.post("purchase_invoice", line("lamp", 1, "4.00"), refers="R", name="I1")
    firm.post("purchase_invoice", line("lamp", 1, "4.00"), refers="R", name="I2")
    firm.post("reversal", refers="I1")
    firm.post("purchase_invoice", line("lamp", 2, "3.00"), refers="R")
    assert CLEARING not in firm.balances()


def test_a_shipment_is_sold_when_it_is_scanned_out() -> None:
    """Price to the customer, cost of what left."""
    firm = stocked()
    (voucher,) = firm.post("sales_shipment", line("lamp", 2, "10.00", tax="vat"), party="shop")
    assert booked(voucher) == [
        *((RECEIVABLE, "22.60", "0"), (REVENUE, "0", "20.00"), (OUTPUT_TAX, "0", "2.60")),
        *((COST_OF_SALES, "12.00", "0"), (STOCK, "0", "12.00")),
    ]
    assert voucher.lines[4].quantity == "-2"
    assert voucher.lines[0].party == "shop"


def test_a_shipment_can_wait_for_its_acceptance() -> None:
    """Goods dispatched until then; the acceptance clears them at their cost."""
    firm = stocked(shipment=ACCEPTANCE)
    (shipped,) = firm.post("sales_shipment", line("lamp", 3, "10.00", tax="vat"), name="S")
    assert booked(shipped) == [(DISPATCHED, "18.00", "0"), (STOCK, "0", "18.00")]
    (accepted,) = firm.post("sales_acceptance", line("lamp", 2), refers="S")
    assert booked(accepted) == [
        *((RECEIVABLE, "22.60", "0"), (REVENUE, "0", "20.00"), (OUTPUT_TAX, "0", "2.60")),
        *((COST_OF_SALES, "12.00", "0"), (DISPATCHED, "0", "12.00")),
    ]
    assert "only 1 were shipped and are not yet accepted" in firm.refused(
        "sales_acceptance", line("lamp", 2), refers="S"
    )


def test_what_was_sold_comes_back_at_the_shipments_cost() -> None:
    """Not at the cost of today; the sale is taken back too."""
    firm = stocked()
    firm.post("sales_shipment", line("lamp", 2, "10.00", tax="vat"), name="S")
    firm.post("revaluation", line("lamp", 1, "9.00"))
    (voucher,) = firm.post("customer_return", line("lamp", 1), refers="S")
    assert booked(voucher) == [
        *((STOCK, "6.00", "0"), (COST_OF_SALES, "0", "6.00"), (REVENUE, "10.00", "0")),
        *((OUTPUT_TAX, "1.30", "0"), (RECEIVABLE, "0", "11.30")),
    ]
    assert "only 1 were shipped and have not come back" in firm.refused(
        "customer_return", line("lamp", 2), refers="S"
    )


def test_what_was_not_accepted_comes_back_first_and_was_never_sold() -> None:
    """3 shipped, 1 accepted, 3 come back: 2 from goods dispatched, 1 from the sale."""
    firm = stocked(shipment=ACCEPTANCE)
    firm.post("sales_shipment", line("lamp", 3, "10.00", tax="vat"), name="S")
    firm.post("sales_acceptance", line("lamp", 1, "8.00", tax="vat"), refers="S")
    (voucher,) = firm.post("customer_return", line("lamp", 3), refers="S")
    assert booked(voucher) == [
        *((STOCK, "18.00", "0"), (DISPATCHED, "0", "12.00"), (COST_OF_SALES, "0", "6.00")),
        *((REVENUE, "8.00", "0"), (OUTPUT_TAX, "1.04", "0"), (RECEIVABLE, "0", "9.04")),
    ]
    assert {DISPATCHED, REVENUE, RECEIVABLE, OUTPUT_TAX, COST_OF_SALES} & set(
        firm.balances()
    ) == set()


def test_a_return_of_an_unknown_shipment_comes_in_at_the_cost_of_now() -> None:
    """And takes back the price that it names."""
    firm = stocked()
    (voucher,) = firm.post("customer_return", line("lamp", 1, "10.00"))
    assert booked(voucher) == [
        *((STOCK, "6.00", "0"), (COST_OF_SALES, "0", "6.00")),
        *((REVENUE, "10.00", "0"), (RECEIVABLE, "0", "10.00")),
    ]


@pytest.mark.parametrize("is_invoiced", [False, True])
def test_a_supplier_takes_back_at_his_price_what_leaves_at_our_cost(*, is_invoiced: bool) -> None:
    """Before the invoice it is not owed, after it he owes it."""
    firm = stocked()
    firm.post("goods_receipt", line("lamp", 10, "8.00", tax="vat"), name="R")
    if is_invoiced:
        firm.post("purchase_invoice", line("lamp", 10, "8.00", tax="vat"), refers="R")
    (voucher,) = firm.post("supplier_return", line("lamp", 2), refers="R")
    stock = [(STOCK, "0", "14.00"), (DIFFERENCES, "0", "2.00")]
    if is_invoiced:
        owed = [(PAYABLE, "18.08", "0"), (INPUT_TAX, "0", "2.08")]
    else:
        owed = [(CLEARING, "16.00", "0")]
    assert booked(voucher) == [*owed, *stock]
    assert "only 8 were received and not yet given back" in firm.refused(
        "supplier_return", line("lamp", 9), refers="R"
    )


def test_what_was_given_back_is_not_invoiced_any_more() -> None:
    """10 came, 2 went back, 8 are invoiced: nothing waits."""
    firm = Firm()
    firm.post("goods_receipt", line("lamp", 10, "8.00"), name="R")
    firm.post("supplier_return", line("lamp", 2), refers="R")
    assert "only 8" in firm.refused("purchase_invoice", line("lamp", 9, "8.00"), refers="R")
    firm.post("purchase_invoice", line("lamp", 8, "8.00"), refers="R")
    assert CLEARING not in firm.balances()


def test_a_return_to_a_supplier_needs_a_receipt_or_a_price() -> None:
    """With a price it is owed by him."""
    firm = stocked()
    assert "refer to it, or give the price" in firm.refused("supplier_return", line("lamp", 1))
    (voucher,) = firm.post("supplier_return", line("lamp", 1, "5.00", tax="vat"))
    assert booked(voucher) == [
        *((PAYABLE, "5.65", "0"), (INPUT_TAX, "0", "0.65")),
        *((STOCK, "0", "6.00"), (DIFFERENCES, "1.00", "0")),
    ]


def test_goods_go_to_production_or_to_a_department() -> None:
    """By who gets them."""
    firm = stocked()
    (made,) = firm.post("goods_issue", line("lamp", 1), party="assembly")
    (used,) = firm.post("goods_issue", line("lamp", 1), party="office")
    assert booked(made) == [("5001", "6.00", "0"), (STOCK, "0", "6.00")]
    assert booked(used) == [("6602", "6.00", "0"), (STOCK, "0", "6.00")]


def test_what_is_made_costs_its_components_and_the_work() -> None:
    """16 screws at 0.333333 are 5.33; two tables at 12.50 are 25.00."""
    firm = Firm()
    firm.post("opening", line("screw", 30, "0.33333333"))
    (voucher,) = firm.post(
        "production_receipt",
        line("table", 2),
        components=(UsedComponent(line=1, item="screw", quantity="16"),),
    )
    assert booked(voucher) == [
        *(("1405.01", "30.33", "0"), ("5001", "0", "5.33")),
        ("5101", "0", "25.00"),
    ]
    assert firm.value("table") == ("2", "30.33")


def test_a_transfer_is_stock_all_the_way() -> None:
    """In transit it is worth what it was; the last arrival takes the rest."""
    firm = Firm()
    firm.post("opening", line("lamp", 3, "3.33333"))
    (sent,) = firm.post("transfer_out", line("lamp", 3), name="T")
    assert booked(sent) == [(TRANSIT, "10.00", "0"), (STOCK, "0", "10.00")]
    assert [one.quantity for one in sent.lines] == ["3", "-3"]
    arrived = [firm.post("transfer_in", line("lamp", 1), refers="T")[0] for _ in range(3)]
    assert [booked(one)[0][1] for one in arrived] == ["3.33", "3.34", "3.33"]
    assert firm.value() == ("3", "10.00")
    assert TRANSIT not in firm.balances()
    assert "only 0 were sent" in firm.refused("transfer_in", line("lamp", 1), refers="T")


def test_gains_and_losses_wait_to_be_settled() -> None:
    """An adjustment's sign says which way."""
    firm = stocked()
    gain, loss = (
        firm.post("adjustment", line("lamp", 2))[0],
        firm.post("adjustment", line("lamp", -3))[0],
    )
    assert booked(gain) == [(STOCK, "12.00", "0"), ("1901", "0", "12.00")]
    assert booked(loss) == [(STOCK, "0", "18.00"), ("1901", "18.00", "0")]
    assert [gain.lines[0].quantity, loss.lines[0].quantity] == ["2", "-3"]
