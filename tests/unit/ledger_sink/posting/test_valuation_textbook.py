"""A quarter of one item, worked out by hand in both methods, to the cent.

| what happens                | moving average        | FIFO                                |
|-----------------------------|-----------------------|-------------------------------------|
| opening 100 at 2.00         | 100 worth 200.00      | 100 worth 200.00                    |
| receipt 50 at 2.60          | 150 worth 330.00      | 150 worth 330.00                    |
| 40 to production            | cost 88.00            | cost 80.00 (40 at 2.00)             |
| 7 to the office             | cost 15.40            | cost 14.00                          |
| invoice: 50 at 2.75         | +7.50, all still here | +7.50 on the layer of 50            |
| receipt 3 for 10.00         | 106 worth 244.10      | 106 worth 253.50                    |
| 1 scrapped                  | cost 2.30             | cost 2.00                           |
| 5 found                     | at 2.302857: 11.51    | at 3.333333: 16.67                  |
| all 110 gone                | cost 253.31           | cost 268.17                         |
| 4 seen to go nevertheless   | at 2.302818: 9.21     | at 3.334: 13.34                     |
| receipt 10 for 24.00        | 6 worth 14.40, -0.39  | 6 worth 14.40, +3.74                |
| one is worth 2.50           | +0.60                 | +0.60                               |
| that receipt is taken back  | -4 worth -8.61        | -4 worth -12.74                     |
"""

from __future__ import annotations

import pytest
from posting_builders import Firm, accounting, line

from contracts.vouchers import Method, Occasion, Voucher

COSTS = {
    Method.MOVING_AVERAGE: ["88.00", "15.40", "2.30", "11.51", "253.31", "9.21"],
    Method.FIFO: ["80.00", "14.00", "2.00", "16.67", "268.17", "13.34"],
}
"""On the stock account: to production, to the office, scrap, found, gone, gone below zero."""
STATES = {
    Method.MOVING_AVERAGE: [
        *(("100", "200.00"), ("150", "330.00"), ("110", "242.00"), ("103", "226.60")),
        *(("103", "234.10"), ("106", "244.10"), ("105", "241.80"), ("110", "253.31")),
        *(("0", "0"), ("-4", "-9.21"), ("6", "14.40"), ("6", "15.00"), ("-4", "-8.61")),
    ],
    Method.FIFO: [
        *(("100", "200.00"), ("150", "330.00"), ("110", "250.00"), ("103", "236.00")),
        *(("103", "243.50"), ("106", "253.50"), ("105", "251.50"), ("110", "268.17")),
        *(("0", "0"), ("-4", "-13.34"), ("6", "14.40"), ("6", "15.00"), ("-4", "-12.74")),
    ],
}
"""Quantity and value behind each."""
REMAINDERS = {
    Method.MOVING_AVERAGE: ["7.50", "-0.39", "0.60"],
    Method.FIFO: ["7.50", "3.74", "0.60"],
}
"""Of the invoice, of the receipt below zero, of the revaluation."""


def gained(vouchers: list[Voucher], occasion: Occasion) -> str:
    """The one amount on the stock account, less what goes to the other side."""
    (found,) = (
        one
        for voucher in vouchers
        if voucher.occasion is occasion
        for one in voucher.lines
        if one.account == "1403"
    )
    return found.debit if found.debit != "0" else f"-{found.credit}"


@pytest.mark.parametrize("method", Method)
def test_a_quarter_of_screws_is_worth_what_the_table_says(method: Method) -> None:
    """Thirteen documents; the table above was made with pencil and paper."""
    firm, states, costs, remainders = Firm(accounting(method)), [], [], []

    def post(kind: str, *lines: dict, **more: object) -> list[Voucher]:
        vouchers = firm.post(kind, *lines, **more)
        states.append(firm.value("screw"))
        return vouchers

    post("opening", line("screw", 100, "2.00"))
    post("goods_receipt", line("screw", 50, "2.60"), name="R1")
    for kind, quantity, more in (
        ("goods_issue", 40, {}),
        ("goods_issue", 7, {"party": "office"}),
    ):
        costs.append(gained(post(kind, line("screw", quantity), **more), Occasion.POSTING))
    invoice = post("purchase_invoice", line("screw", 50, "2.75"), refers="R1")
    remainders.append(gained(invoice, Occasion.REVALUATION))
    post("goods_receipt", line("screw", 3, "3.3333"))
    costs.append(gained(post("scrap", line("screw", 1)), Occasion.POSTING))
    costs.append(gained(post("adjustment", line("screw", 5)), Occasion.POSTING))
    costs.append(gained(post("adjustment", line("screw", -110)), Occasion.POSTING))
    late = post("goods_issue", line("screw", 4), is_physical=True)
    costs.append(gained(late, Occasion.POSTING))
    receipt = post("goods_receipt", line("screw", 10, "2.40"), name="R3")
    assert gained(receipt, Occasion.POSTING) == "24.00"
    remainders.append(gained(receipt, Occasion.REVALUATION))
    revaluation = post("revaluation", line("screw", 1, "2.50"))
    remainders.append(gained(revaluation, Occasion.REVALUATION))
    post("reversal", refers="R3")

    assert states == STATES[method]
    assert [cost.removeprefix("-") for cost in costs] == COSTS[method]
    assert remainders == REMAINDERS[method]
