"""Charts of accounts: which account plays which part, and what is wrong with a chart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from contracts.accounting import Account, AccountKind, Chart

INVENTORY = "inventory"
"""The part that is followed by the item's stock class: `inventory.raw`."""
CLEARING = ("goods_received_not_invoiced", "goods_dispatched")
"""Parts that later documents read back by name."""
IN_TRANSIT = "inventory_in_transit"


def full_part(part: str, stock_class: str) -> str:
    """The part as the chart names it."""
    return f"{INVENTORY}.{stock_class}" if part == INVENTORY else part


def account_of(chart: Chart, part: str) -> Account | None:
    """The account that plays a part; none: nobody does."""
    code = chart.parts.get(part)
    return None if code is None else next((x for x in chart.accounts if x.code == code), None)


def is_stock_part(part: str) -> bool:
    """Whether the account of a part holds the value of stock."""
    return part in {IN_TRANSIT, INVENTORY} or part.startswith(f"{INVENTORY}.")


def check_chart(chart: Chart) -> list[str]:
    """What is wrong with a chart; empty: nothing."""
    codes = Counter(one.code for one in chart.accounts)
    mistakes = [f"account {code}: it comes twice" for code, count in codes.items() if count > 1]
    for part, code in chart.parts.items():
        account = account_of(chart, part)
        if account is None:
            mistakes.append(f"part {part}: there is no account {code}")
        elif account.is_stock and not is_stock_part(part):
            mistakes.append(f"part {part}: account {code} holds stock, and this part is none")
        elif not account.is_stock and is_stock_part(part):
            mistakes.append(f"part {part}: account {code} must hold stock (is_stock)")
        elif account.is_stock and account.kind is not AccountKind.ASSET:
            mistakes.append(f"part {part}: account {code} holds stock and must be an asset")
    return mistakes


def moved_parts(before: Chart, after: Chart) -> Iterator[tuple[str, str, str]]:
    """Parts that hold goods and get another account: the part, its old and its new account.

    The new one is empty where nobody plays the part any more.
    """
    for part, old in before.parts.items():
        new = after.parts.get(part, "")
        if new != old and (part in CLEARING or is_stock_part(part)):
            yield part, old, new
