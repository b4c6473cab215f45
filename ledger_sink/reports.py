"""What files are checked against, names, and the journal: what reports need beside `analysis`.

Read only, typed; the role `ledger_reader` is enough. Times are microseconds of domain time.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.sql import queries

QUERIES = queries("reports")


class Name(NamedTuple):
    """What people call an item or an account."""

    en: str
    zh: str
    unit: str = ""
    """Of an item: its base unit."""


class VoucherRow(NamedTuple):
    """One line of a voucher."""

    voucher: str
    document: str
    occasion: str
    happened_us: int
    recorded_us: int
    reverses: str
    is_proposal: bool
    line: int
    account: str
    debit: Decimal
    credit: Decimal
    item: str
    quantity: Decimal
    party: str
    tax: str
    currency: str
    currency_amount: Decimal | None


def item_names(ledger: PostgresLedger) -> dict[str, Name]:
    """Item to what people call it."""
    return {row[0]: Name(*row[1:]) for row in _rows(ledger, "item_names")}


def account_names(ledger: PostgresLedger) -> dict[str, Name]:
    """Account to what the site's chart calls it."""
    return {row[0]: Name(*row[1:]) for row in _rows(ledger, "account_names")}


def vouchers(ledger: PostgresLedger, **filters: object) -> Iterator[VoucherRow]:
    """Voucher lines: `at_us`, `since_us`, `until_us`, `document`, `account`, `item`."""
    return (VoucherRow(*row) for row in _rows(ledger, "report_vouchers", **filters))


def _rows(ledger: PostgresLedger, query: str, **values: Any) -> list[tuple[Any, ...]]:
    return ledger.connection.execute(QUERIES[query], {"site": ledger.site, **values}).fetchall()
