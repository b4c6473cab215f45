"""Recomputes the rows of documents and vouchers, and whether vouchers balance."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import msgspec

from contracts.documents import EnteredDocument
from contracts.vouchers import Voucher, VoucherLine
from ledger_sink.core.check_rows import (
    DOCUMENT_COMPONENTS,
    DOCUMENT_LINES,
    DOCUMENTS,
    VOUCHER_LINES,
    VOUCHERS,
    WIDE,
    Entry,
    Row,
    Table,
    exact,
    exact_or_none,
    finding,
)
from ledger_sink.core.verification import Finding

ZERO = Decimal(0)
_document = msgspec.json.Decoder(EnteredDocument)
_voucher = msgspec.json.Decoder(Voucher)


def rows_of_document(entry: Entry) -> tuple[EnteredDocument, dict[Table, list[Row]]]:
    """A document, and the rows that it makes. Raises what decoding raises."""
    said = _document.decode(entry.payload)
    places = (said.party, said.refers, said.warehouse, said.to_warehouse, said.person)
    times = (said.happened_us, said.due_us, entry.recorded_us)
    lines: list[Row] = [
        (
            *(one.line, one.item, exact(one.quantity), exact_or_none(one.net_base)),
            *(one.location, one.to_location, one.batch, one.owner, one.order_line, one.reason),
        )
        for one in said.lines
    ]
    return said, {
        DOCUMENTS: [(said.id, str(said.kind), *places, *times)],
        DOCUMENT_LINES: lines,
        DOCUMENT_COMPONENTS: [
            (place, one.line, one.item, exact(one.quantity), one.batch)
            for place, one in enumerate(said.components, start=1)
        ],
    }


class Vouchered(NamedTuple):
    """What a voucher says."""

    voucher: Voucher
    rows: dict[Table, list[Row]]
    findings: list[Finding]


def rows_of_voucher(entry: Entry) -> Vouchered:
    """A voucher, its rows, and whether it balances. Raises what decoding raises."""
    said = _voucher.decode(entry.payload)
    times = (said.happened_us, entry.recorded_us)
    row: Row = (
        *(said.id, said.document, said.movement, said.rule, str(said.occasion), *times),
        *(said.currency, said.reverses, said.is_proposal),
    )
    lines = [_line(number, one) for number, one in enumerate(said.lines, start=1)]
    left = ZERO
    for one in said.lines:
        left = WIDE.add(left, amount_of(one))
    findings = []
    if left:
        text = f"voucher {said.id} in entry {entry.seq} does not balance: its debits are more by"
        findings.append(finding(entry.seq, f"{text} {left}"))
    return Vouchered(said, {VOUCHERS: [row], VOUCHER_LINES: lines}, findings)


def amount_of(line: VoucherLine) -> Decimal:
    """Debit less credit. Raises ValueError where they are none."""
    return WIDE.subtract(exact(line.debit), exact(line.credit))


def _line(number: int, one: VoucherLine) -> Row:
    return (
        *(number, one.account, exact(one.debit), exact(one.credit), one.item),
        *(exact(one.quantity), one.tax, one.currency, exact_or_none(one.currency_amount)),
        *(one.party, one.document_line),
    )
