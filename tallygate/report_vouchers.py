"""Reports of the accounts: the journal with its lines, and the trial balance."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from ledger_sink import analysis, reports
from tallygate.report_books import Asked, open_desk, show
from tallygate.report_table import Cell, Column, Form, Output, Report
from tallygate.words import word

ZERO = Decimal(0)


class VoucherFilter(NamedTuple):
    """Which vouchers; empty: all."""

    document: str
    account: str
    item: str
    since: str
    until: str
    at: str


def run_vouchers(asked: Asked, chosen: VoucherFilter, most: int) -> int:
    """The journal. A table shows the newest vouchers only, up to so many (0: all)."""
    columns = (
        Column("voucher"),
        Column("document", is_shown=False),
        Column("occasion", Form.WORD, leaves=2),
        Column("happened_at", Form.MOMENT, leaves=1),
        Column("recorded_at", Form.MOMENT, is_shown=False),
        Column("reverses", is_shown=False),
        Column("is_proposal", is_shown=False),
        Column("line", Form.NUMBER, is_shown=False),
        Column("account"),
        Column("account_name", leaves=4, shrinks=True),
        Column("item"),
        Column("quantity", Form.NUMBER, leaves=5),
        Column("debit", Form.AMOUNT),
        Column("credit", Form.AMOUNT),
        Column("party", leaves=3),
        Column("tax", is_shown=False),
        Column("currency", is_shown=False),
        Column("currency_amount", Form.AMOUNT, is_shown=False),
    )
    with open_desk(asked) as desk:
        names = reports.account_names(desk.ledger)
        found = list(
            reports.vouchers(
                desk.ledger,
                at_us=desk.at_us(chosen.at),
                **desk.span_us(chosen.since, chosen.until),
                document=chosen.document,
                account=chosen.account,
                item=chosen.item,
            )
        )
        order = list(dict.fromkeys(row.voucher for row in found))
        notes = []
        if asked.output is Output.TABLE and 0 < most < len(order):
            notes.append(word("more_vouchers", desk.spoken, f"{len(order) - most:,}"))
            newest = set(order[-most:])
            found = [row for row in found if row.voucher in newest]
        before = ""
        rows: list[tuple[Cell, ...]] = []
        for row in found:
            head: tuple[Cell, ...] = row[:8]
            if asked.output is Output.TABLE and row.voucher == before:
                # A voucher's own words stand on its first line only.
                head = ("", "", "", None, None, "", None, None)
            before = row.voucher
            zero_is_empty = [None if amount == 0 else amount for amount in (row.debit, row.credit)]
            amounts = zero_is_empty if asked.output is Output.TABLE else [row.debit, row.credit]
            quantity = None if row.quantity == 0 else row.quantity
            rows.append(
                (
                    *(*head, row.account, desk.name(names, row.account), row.item, quantity),
                    *(*amounts, *row[13:]),
                )
            )
        totals: dict[str, Cell] = {
            "debit": sum((row.debit for row in found), ZERO),
            "credit": sum((row.credit for row in found), ZERO),
        }
        report = Report("report_vouchers", columns, rows, totals, tuple(notes))
        return show(asked, desk, [report])


def run_accounts(asked: Asked, at: str) -> int:
    """The trial balance."""
    columns = (
        Column("account"),
        Column("account_name", shrinks=True),
        Column("is_proposal", is_shown=False),
        Column("debit", Form.AMOUNT),
        Column("credit", Form.AMOUNT),
        Column("balance", Form.AMOUNT),
    )
    with open_desk(asked) as desk:
        names = reports.account_names(desk.ledger)
        found = analysis.trial_balance(desk.ledger, desk.at_us(at))
        rows: list[tuple[Cell, ...]] = [
            (row.account, desk.name(names, row.account), *row[1:]) for row in found
        ]
        totals: dict[str, Cell] = {
            "debit": sum((row.debit for row in found), ZERO),
            "credit": sum((row.credit for row in found), ZERO),
            "balance": sum((row.balance for row in found), ZERO),
        }
        return show(asked, desk, [Report("report_accounts", columns, rows, totals)])
