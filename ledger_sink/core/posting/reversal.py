"""Taking a document back: its vouchers again in red, its stock at its original value."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from contracts.documents import DocumentKind, EnteredLine
from contracts.vouchers import Voucher, VoucherLine
from ledger_sink.core.posting.accounting import Related
from ledger_sink.core.posting.amounts import Desk
from ledger_sink.core.posting.money import ZERO
from ledger_sink.core.posting.valuation import Back, take_back


def reverse(desk: Desk, related: Related) -> list[Voucher] | str:
    """The vouchers of the document that is taken back, in red; or why it cannot be.

    Rule and id of each are those of the original.
    """
    document = desk.document
    target = related.by_id.get(document.refers)
    if target is None:
        return f"it refers to {document.refers!r}, which is not in the ledger: check the number"
    if target.kind is DocumentKind.REVERSAL:
        return f"{target.id} is a reversal itself: enter what it took back again, as a new document"
    earlier = desk.trail.reversed_by(target.id)
    if earlier:
        return f"{target.id} was taken back already, by {earlier}"
    users = desk.trail.users(target, related)
    if users:
        return f"{target.id} cannot be taken back before {', '.join(users)}: take back these first"
    vouchers = related.vouchers_of.get(target.id, ())
    sources = frozenset({target.id, target.refers, *desk.trail.drawn_from(target.id)})
    changes: dict[str, tuple[Decimal, Decimal]] = {}
    for voucher in vouchers:
        for line in voucher.lines:
            if line.account in desk.accounting.stock_accounts:
                quantity, value = changes.get(line.item, (ZERO, ZERO))
                gained = Decimal(line.debit) - Decimal(line.credit)
                changes[line.item] = (quantity - Decimal(line.quantity), value - gained)
    for item, (quantity, value) in changes.items():
        back = Back(target.id, document.id, quantity, value, sources)
        about = EnteredLine(line=0, item=item, quantity="0", unit="", unit_quantity="0")
        desk.step(about, take_back(desk.stock(item), back, desk.decimals))
    return [
        msgspec.structs.replace(voucher, lines=tuple(_red(line) for line in voucher.lines))
        for voucher in vouchers
    ]


def _red(line: VoucherLine) -> VoucherLine:
    """The line with all its amounts turned, on the same sides."""
    return msgspec.structs.replace(
        line,
        debit=_turned(line.debit),
        credit=_turned(line.credit),
        quantity=_turned(line.quantity),
        currency_amount=_turned(line.currency_amount),
    )


def _turned(text: str) -> str:
    """A number with its sign turned; zero and nothing stay."""
    if text in {"", "0"}:
        return text
    return text[1:] if text.startswith("-") else f"-{text}"
