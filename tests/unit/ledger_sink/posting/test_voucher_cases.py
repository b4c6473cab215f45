"""What has no voucher, what has several, and which lines are refused in which words."""

from __future__ import annotations

import pytest
from posting_builders import (
    ACCEPTANCE,
    CLEARING,
    COST_OF_SALES,
    DIFFERENCES,
    INPUT_TAX,
    PAYABLE,
    RECEIVABLE,
    REVENUE,
    STOCK,
    Firm,
    accounting,
    booked,
    line,
    stocked,
)

from contracts.accounting import Mode, PostingRules
from contracts.books import LINES_MAX
from contracts.documents import DocumentKind
from contracts.vouchers import Method
from ledger_sink.defaults import default_chart, default_rules


def test_what_costs_nothing_has_a_stock_line_all_the_same() -> None:
    """Its quantity counts."""
    firm = Firm()
    (voucher,) = firm.post("goods_receipt", line("lamp", 5, "0"))
    assert booked(voucher) == [(STOCK, "0", "0")]
    assert voucher.lines[0].quantity == "5"
    assert firm.value() == ("5", "0")


@pytest.mark.parametrize("kind", ["goods_receipt", "sales_shipment", "goods_issue", "scrap"])
def test_stock_of_others_and_stock_without_a_costing_have_no_voucher(kind: str) -> None:
    """They have quantities only."""
    firm = Firm()
    more = {"price": "5.00"} if kind == "goods_receipt" else {}
    assert firm.post(kind, line("lamp", 1, owner="maker", **more), line("broom", 1, **more)) == []
    assert firm.valuations == {}


def test_what_has_no_costing_is_sold_and_comes_back_without_a_cost() -> None:
    """At once, or when it is accepted."""
    firm = Firm()
    firm.post("sales_shipment", line("broom", 3, "10.00"), name="S")
    (back,) = firm.post("customer_return", line("broom", 1), refers="S")
    assert booked(back) == [(REVENUE, "10.00", "0"), (RECEIVABLE, "0", "10.00")]
    firm = Firm(accounting(shipment=ACCEPTANCE))
    assert firm.post("sales_shipment", line("broom", 3, "10.00"), name="S") == []
    (accepted,) = firm.post("sales_acceptance", line("broom", 2), refers="S")
    assert booked(accepted) == [(RECEIVABLE, "20.00", "0"), (REVENUE, "0", "20.00")]
    assert firm.post("customer_return", line("broom", 1), refers="S") == []
    assert "only 2" in firm.refused("customer_return", line("broom", 3), refers="S")


@pytest.mark.parametrize("kind", ["purchase_invoice", "supplier_return", "transfer_in"])
def test_what_follows_goods_of_others_has_no_voucher_either(kind: str) -> None:
    """Nothing of them waits."""
    firm = Firm()
    firm.post("goods_receipt", line("lamp", 2, owner="maker"), name="R")
    firm.post("transfer_out", line("lamp", 2, owner="maker"), name="T")
    refers = "T" if kind == "transfer_in" else "R"
    assert firm.post(kind, line("lamp", 1, "3.00", owner="maker"), refers=refers) == []


def test_selling_the_goods_of_others_is_a_sale_without_a_cost() -> None:
    """The customer owes its price."""
    (voucher,) = Firm().post("sales_shipment", line("lamp", 1, "10.00", owner="maker"))
    assert booked(voucher) == [(RECEIVABLE, "10.00", "0"), (REVENUE, "0", "10.00")]


@pytest.mark.parametrize(
    "kind", ["relocation", "state_change", "unpacking", "purchase_order", "sales_order"]
)
def test_what_only_moves_inside_or_is_a_plan_has_no_voucher(kind: str) -> None:
    """Its worth stays as it is."""
    assert stocked().post(kind, line("lamp", 1, "9.00")) == []


def test_a_foreign_currency_stands_beside_the_base_currency() -> None:
    """Debit less credit, where the price was in it."""
    firm = Firm()
    (receipt,) = firm.post(
        "goods_receipt", line("lamp", 3, "10.00"), currency="USD", rate="7.1", name="R"
    )
    assert booked(receipt) == [(STOCK, "213.00", "0"), (CLEARING, "0", "213.00")]
    assert [(one.currency, one.currency_amount) for one in receipt.lines] == [
        ("", ""),
        ("USD", "-30.00"),
    ]
    invoice, _ = firm.post(
        *("purchase_invoice", line("lamp", 3, "10.00", tax="vat")),
        currency="USD",
        rate="7.2",
        refers="R",
    )
    assert booked(invoice) == [
        *((CLEARING, "213.00", "0"), (DIFFERENCES, "3.00", "0"), (INPUT_TAX, "28.08", "0")),
        (PAYABLE, "0", "244.08"),
    ]
    assert [one.currency_amount for one in invoice.lines] == ["", "", "3.90", "-33.90"]
    firm.post("revaluation", line("lamp", 1, "11.00"), currency="USD", rate="7")
    assert firm.value() == ("3", "231.00")


def test_where_the_erp_leads_vouchers_are_proposals() -> None:
    """Worth the same."""
    firm = stocked(mode=Mode.ERP_LED)
    (voucher,) = firm.post("scrap", line("lamp", 1))
    assert voucher.is_proposal
    assert booked(voucher) == [("6711", "6.00", "0"), (STOCK, "0", "6.00")]


def test_a_price_is_asked_for_where_a_rule_books_it() -> None:
    """What a device saw move is never refused for it."""
    firm = stocked()
    said = firm.refused("goods_receipt", line("lamp", 1, "1.00"), line("lamp", 1))
    assert said.startswith("line 2: lamp is valued and has no price here")
    assert "line 1: lamp has no price, and the rule shipment_sold books one" in firm.refused(
        "sales_shipment", line("lamp", 1)
    )
    (receipt,) = firm.post("goods_receipt", line("lamp", 1), is_physical=True)
    assert booked(receipt) == [(STOCK, "6.00", "0"), (CLEARING, "0", "6.00")]
    (shipped,) = firm.post("sales_shipment", line("lamp", 1), is_physical=True)
    assert booked(shipped) == [(COST_OF_SALES, "6.00", "0"), (STOCK, "0", "6.00")]


def test_every_line_that_is_wrong_is_named() -> None:
    """Not only the first."""
    said = Firm().refused(
        "revaluation", line("lamp", 1, "1.00"), line("broom", 1, "1.00"), line("screw", 0)
    )
    assert said.splitlines() == [
        "line 1: there is no stock of lamp whose value could change",
        "line 2: broom has no costing, so it has no value to change",
        "line 3: the quantity of screw is zero: leave the line out",
    ]


def test_a_chart_without_the_part_of_an_item_is_told() -> None:
    """Which part, of which item, in which chart."""
    chart = default_chart("china")
    parts = {part: code for part, code in chart.parts.items() if part != "inventory.merchandise"}
    firm = Firm(accounting(chart=chart.model_copy(update={"parts": parts})))
    assert firm.refused("opening", line("lamp", 1, "1.00")) == (
        "line 1: the chart china has no account for the part inventory.merchandise of lamp: add it"
    )


def test_a_rule_that_was_never_checked_refuses_the_line_and_nothing_else() -> None:
    """It says what to do."""
    rules = default_rules().model_dump()
    for text, mistake in (
        ("line.colour == 'red'", "fails"),
        ("line.item", "is neither true nor false"),
        ("line.item ==", "fails"),
    ):
        rules["rules"][0]["when"] = text
        firm = Firm(accounting(rules=PostingRules.model_validate(rules)))
        said = firm.refused("opening", line("lamp", 1, "1.00"))
        assert said.startswith(
            f"line 1: in the set of posting rules default the condition {text!r}"
        )
        assert mistake in said


def test_an_amount_beyond_what_the_books_hold_is_refused() -> None:
    """Fifteen digits before the point."""
    said = Firm().refused("opening", line("lamp", 10**9, 10**9))
    assert said == "line 1: 1000000000000000000.00 for lamp is more than the books can hold"


def test_a_movement_that_does_not_fit_its_lines_is_told() -> None:
    """What stands in the house and is ours must be booked."""
    firm = stocked()
    document = firm.entered("goods_issue", [line("lamp", 2)])
    short = firm.entered("goods_issue", [line("lamp", 1)])
    firm.movement = lambda _: Firm.movement(firm, short)  # type: ignore[method-assign]
    (said,) = firm.make(document)
    assert said.startswith(
        "line 1: the movement changes the valued stock of lamp by -1, its vouchers by -2"
    )


def test_lines_with_different_rules_have_a_voucher_each() -> None:
    """A rule's name stands on its voucher."""
    rules = default_rules().model_dump()
    special = {
        **next(one for one in rules["rules"] if one["id"] == "scrap"),
        "id": "raw_scrap",
        "when": "line.stock_class == 'raw'",
    }
    own = PostingRules.model_validate({"rules": [special, *rules["rules"]]})
    firm = Firm(accounting(rules=own))
    firm.post("opening", line("lamp", 9, "1.00"), line("screw", 9, "1.00"))
    vouchers = firm.post("scrap", line("lamp", 1), line("screw", 1), line("lamp", 1))
    assert [one.rule for one in vouchers] == ["default/0/scrap", "default/0/raw_scrap"]
    assert [len(one.lines) for one in vouchers] == [4, 2]


def test_a_long_document_has_several_vouchers_that_each_balance() -> None:
    """A voucher has no more lines than the ledger takes."""
    firm = Firm()
    vouchers = firm.post("opening", *(line("lamp", 1, "1.00") for _ in range(LINES_MAX)))
    assert [len(one.lines) for one in vouchers] == [LINES_MAX, LINES_MAX]
    assert [one.id for one in vouchers] == ["D1/v1", "D1/v2"]
    assert firm.value() == ("1000", "1000.00")


def test_an_item_without_stock_takes_up_a_new_method() -> None:
    """With stock it keeps the one that it is valued by."""
    firm = stocked()
    fifo = accounting(Method.FIFO)
    firm.books = fifo
    firm.post("goods_receipt", line("lamp", 1, "9.00"))
    assert firm.valuations["lamp"].method is Method.MOVING_AVERAGE
    firm.post("scrap", line("lamp", 11))
    firm.post("goods_receipt", line("lamp", 1, "9.00"))
    assert firm.valuations["lamp"].method is Method.FIFO
    assert firm.valuations["lamp"].layers[0].quantity == "1"


def test_every_kind_of_document_is_worked_or_has_no_voucher() -> None:
    """None falls through."""
    for kind in DocumentKind:
        if kind is not DocumentKind.REVERSAL:
            made = Firm().make(Firm().entered(kind, []))
            assert made.vouchers == ()
