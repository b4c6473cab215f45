"""Vouchers as `tallygate report vouchers --json` prints them, in the hands of beancount."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import groupby

from beancount import loader
from beancount.core import realization
from beancount.core.data import Open

Row = Mapping[str, str]
ROOTS = {"1": "Assets", "2": "Liabilities", "4": "Equity", "5": "Assets"}
"""By the first digit of an account in the Chinese chart; 6 is income or expense."""


def account_name(code: str) -> str:
    """An account as beancount names it."""
    root = ROOTS.get(code[0], "Income" if code.startswith("6001") else "Expenses")
    return f"{root}:A{code.replace('.', '-')}"


def beancount_text(rows: Iterable[Row]) -> str:
    """A beancount file of the vouchers: it checks by itself that each one balances."""
    rows = list(rows)
    codes = sorted({row["account"] for row in rows})
    lines = [f"2020-01-01 open {account_name(code)} CNY" for code in codes]
    for voucher, group in groupby(rows, key=lambda row: row["voucher"]):
        of_voucher = list(group)
        day = of_voucher[0]["happened_at"][:10]
        lines.append(f'{day} * "{voucher}" "{of_voucher[0]["occasion"]}"')
        for row in of_voucher:
            amount = Decimal(row["debit"]) - Decimal(row["credit"])
            lines.append(f"  {account_name(row['account'])}  {amount:f} CNY")
    return "\n".join(lines) + "\n"


def beancount_balances(rows: Iterable[Row]) -> tuple[dict[str, Decimal], list[str]]:
    """Account to what beancount says stands in it, and what beancount finds wrong."""
    rows = list(rows)
    entries, errors, _ = loader.load_string(beancount_text(rows))
    root = realization.realize(entries)
    opened = {entry.account for entry in entries if isinstance(entry, Open)}
    balances = {}
    for code in {row["account"] for row in rows}:
        name = account_name(code)
        assert name in opened
        units = realization.get(root, name).balance.get_currency_units("CNY")
        balances[code] = units.number
    return balances, [error.message for error in errors]
