"""What the amounts of each kind of document are made of, so that rules can be checked unseen.

An amount is a sum of unknowns that nothing ties together (`n` the price, `t` the tax, `c` a cost,
`h` what is held on a clearing account, `d` a difference). A voucher balances for every document
when its lines' unknowns cancel out; stock is booked rightly when its lines leave what is expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from contracts.accounting import Amount
from contracts.documents import DocumentKind

Sum = Mapping[str, int]
"""Unknowns and how often each."""

N, T, C, H, D = ({name: 1} for name in "ntchd")
PRICED: Mapping[Amount, Sum] = {Amount.NET: N, Amount.TAX: T, Amount.GROSS: {"n": 1, "t": 1}}
RECEIVED = {**PRICED, Amount.COST: N}
USED = {Amount.COST: C}


class Meaning(NamedTuple):
    """What a kind of document is about."""

    amounts: Mapping[Amount, Sum]
    """The amounts that are not always zero."""
    stock: Sum
    """What debits less credits on stock accounts must leave."""
    clearing: str = ""
    """The part whose account must be cleared or filled by it."""
    cleared: tuple[Sum, ...] = ()
    """What debits less credits there may leave."""


NOTHING: Sum = {}
MEANINGS: Mapping[DocumentKind, Meaning] = {
    DocumentKind.OPENING: Meaning(RECEIVED, N),
    DocumentKind.GOODS_RECEIPT: Meaning(
        RECEIVED, N, "goods_received_not_invoiced", (NOTHING, {"n": -1})
    ),
    DocumentKind.PURCHASE_INVOICE: Meaning(
        {
            Amount.NET: {"h": 1, "d": 1},
            Amount.TAX: T,
            Amount.GROSS: {"h": 1, "d": 1, "t": 1},
            Amount.CLEARED: H,
            Amount.DIFFERENCE: D,
        },
        NOTHING,
        "goods_received_not_invoiced",
        (H,),
    ),
    DocumentKind.SALES_SHIPMENT: Meaning(
        {**PRICED, **USED}, {"c": -1}, "goods_dispatched", (NOTHING, C)
    ),
    DocumentKind.SALES_ACCEPTANCE: Meaning(
        {**PRICED, Amount.CLEARED: H}, NOTHING, "goods_dispatched", ({"h": -1},)
    ),
    DocumentKind.CUSTOMER_RETURN: Meaning(
        {**PRICED, Amount.COST: {"h": 1, "d": 1}, Amount.CLEARED: H, Amount.DIFFERENCE: D},
        {"h": 1, "d": 1},
        "goods_dispatched",
        ({"h": -1},),
    ),
    DocumentKind.SUPPLIER_RETURN: Meaning(
        {**PRICED, **USED, Amount.CLEARED: H, Amount.DIFFERENCE: {"h": 1, "n": 1, "c": -1}},
        {"c": -1},
        "goods_received_not_invoiced",
        (H,),
    ),
    DocumentKind.GOODS_ISSUE: Meaning(USED, {"c": -1}),
    DocumentKind.SCRAP: Meaning(USED, {"c": -1}),
    DocumentKind.PRODUCTION_RECEIPT: Meaning(
        {Amount.COST: {"h": 1, "d": 1}, Amount.CLEARED: H, Amount.DIFFERENCE: D},
        {"h": 1, "d": 1},
    ),
    DocumentKind.TRANSFER_OUT: Meaning(
        {Amount.COST: C, Amount.CLEARED: C}, NOTHING, "inventory_in_transit", (C,)
    ),
    DocumentKind.TRANSFER_IN: Meaning(
        {Amount.COST: C, Amount.CLEARED: C}, NOTHING, "inventory_in_transit", ({"c": -1},)
    ),
    DocumentKind.ADJUSTMENT: Meaning(USED, C),
    DocumentKind.REVALUATION: Meaning({Amount.DIFFERENCE: D}, D),
}
"""By kind; other kinds have no voucher."""
