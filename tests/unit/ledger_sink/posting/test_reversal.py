"""Taking documents back: in red, at the original value, in the right order."""

from __future__ import annotations

import pytest
from posting_builders import Firm, accounting, booked, line

from contracts.vouchers import Method, Occasion


def firm_of(method: Method = Method.MOVING_AVERAGE) -> Firm:
    firm = Firm(accounting(method))
    firm.post("opening", line("lamp", 10, "6.00"), name="O")
    return firm


@pytest.mark.parametrize("method", Method)
def test_a_reversal_is_the_same_voucher_in_red(method: Method) -> None:
    """On the same sides, naming what it takes back."""
    firm = firm_of(method)
    firm.post("goods_receipt", line("lamp", 2, "9.00"), name="R", currency="USD", rate="2")
    (voucher,) = firm.post("reversal", refers="R", name="X")
    assert booked(voucher) == [("1405.02", "-36.00", "0"), ("2202.01", "0", "-36.00")]
    assert (voucher.id, voucher.reverses, voucher.occasion) == (
        *("X/v1", "R/v1"),
        Occasion.REVERSAL,
    )
    assert voucher.rule == "default/0/receipt_not_invoiced"
    assert [one.quantity for one in voucher.lines] == ["-2", "0"]
    assert voucher.lines[1].currency_amount == "18.00"
    assert firm.value() == ("10", "60.00")


@pytest.mark.parametrize("method", Method)
def test_an_issue_that_is_taken_back_comes_in_at_what_it_cost(method: Method) -> None:
    """Whatever stock is worth meanwhile."""
    firm = firm_of(method)
    firm.post("goods_issue", line("lamp", 4), name="I")
    firm.post("revaluation", line("lamp", 1, "10.00"))
    firm.post("reversal", refers="I")
    assert firm.value() == ("10", "84.00")


@pytest.mark.parametrize("method", Method)
def test_a_receipt_taken_back_when_all_is_gone_leaves_a_hole_at_its_value(method: Method) -> None:
    """Below zero a value may be anything; the next receipt tells the difference."""
    firm = firm_of(method)
    firm.post("goods_issue", line("lamp", 10))
    vouchers = firm.post("reversal", refers="O", is_physical=True)
    assert [one.occasion for one in vouchers] == [Occasion.REVERSAL]
    assert firm.value() == ("-10", "-60.00")
    _, difference = firm.post("goods_receipt", line("lamp", 10, "7.00"))
    assert booked(difference) == [("1405.02", "0", "10.00"), ("1404", "10.00", "0")]
    assert firm.value() == ("0", "0")


def test_what_would_be_worth_something_without_being_there_is_a_difference() -> None:
    """5 at 6.00 go, 5 come at 8.00; the opening is taken back: 10 go at 60.00 of 70.00."""
    firm = firm_of()
    firm.post("goods_issue", line("lamp", 5))
    firm.post("goods_receipt", line("lamp", 5, "8.00"))
    reversal, difference = firm.post("reversal", refers="O")
    assert booked(reversal)[0] == ("1405.02", "-60.00", "0")
    assert booked(difference) == [("1405.02", "0", "10.00"), ("1404", "10.00", "0")]
    assert difference.occasion is Occasion.REVALUATION
    assert difference.id.endswith("/v2")
    assert firm.value() == ("0", "0")


def test_a_document_is_not_taken_back_before_those_that_rest_on_it() -> None:
    """An invoice on its receipt, even where it names the order; a return on its shipment."""
    firm = firm_of()
    firm.post("purchase_order", line("lamp", 5, "6.00"), name="P")
    firm.post("goods_receipt", line("lamp", 5, "6.00", order_line=1), refers="P", name="R")
    firm.post("purchase_invoice", line("lamp", 5, "6.00"), refers="P", name="I")
    firm.post("sales_shipment", line("lamp", 5, "9.00"), name="S")
    firm.post("customer_return", line("lamp", 1), refers="S", name="C")
    assert firm.refused("reversal", refers="R") == (
        "R cannot be taken back before I: take back these first"
    )
    assert "before C" in firm.refused("reversal", refers="S")
    assert "P cannot be taken back before R, I" in firm.refused("reversal", refers="P")
    for number in ("I", "R", "C", "S"):
        firm.post("reversal", refers=number)
    assert firm.balances() == {"1405.02": 60, "4104": -60}


def test_an_invoice_is_not_taken_back_before_the_return_of_what_it_invoiced() -> None:
    """The supplier owes those goods by that invoice."""
    firm = firm_of()
    firm.post("goods_receipt", line("lamp", 5, "6.00"), name="R")
    firm.post("purchase_invoice", line("lamp", 5, "6.00"), refers="R", name="I")
    firm.post("supplier_return", line("lamp", 1), refers="R", name="B")
    assert "I cannot be taken back before B" in firm.refused("reversal", refers="I")
    firm.post("reversal", refers="B")
    firm.post("reversal", refers="I")
    assert firm.balances()["2202.01"] == -30


def test_a_document_is_taken_back_once_and_a_reversal_never() -> None:
    """What was taken back by mistake is entered again."""
    firm = firm_of()
    firm.post("scrap", line("lamp", 1), name="S")
    firm.post("reversal", refers="S", name="X")
    assert firm.refused("reversal", refers="S") == "S was taken back already, by X"
    assert "X is a reversal itself" in firm.refused("reversal", refers="X")
    assert "not in the ledger" in firm.refused("reversal", refers="nowhere")


def test_an_invoice_taken_back_takes_its_difference_from_the_layers_that_got_it() -> None:
    """Also where it named the order."""
    firm = firm_of(Method.FIFO)
    firm.post("purchase_order", line("lamp", 5, "6.00"), name="P")
    firm.post("goods_receipt", line("lamp", 5, "6.00", order_line=1), refers="P", name="R")
    firm.post("purchase_invoice", line("lamp", 5, "7.00"), refers="P", name="I")
    assert [one.value for one in firm.valuations["lamp"].layers] == ["60.00", "35.00"]
    vouchers = firm.post("reversal", refers="I")
    assert [one.reverses for one in vouchers] == ["I/v1", "I/v2"]
    assert [one.value for one in firm.valuations["lamp"].layers] == ["60.00", "30.00"]


def test_a_document_without_vouchers_is_taken_back_without() -> None:
    """A relocation."""
    firm = firm_of()
    firm.post("relocation", line("lamp", 1), name="L")
    assert firm.post("reversal", refers="L") == []


def test_what_was_not_valued_then_is_not_taken_back_as_valued_now() -> None:
    """Its vouchers say nothing of it."""
    firm = Firm(accounting())
    costings = dict(firm.books.costings)
    firm.books.costings.pop("lamp")
    firm.post("goods_receipt", line("lamp", 1, "5.00"), name="R")
    firm.books.costings.update(costings)
    said = firm.refused("reversal", refers="R")
    assert "the movement changes the valued stock of lamp by -1, its vouchers by 0" in said
