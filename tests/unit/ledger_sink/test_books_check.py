"""The books are recomputed from entries alone, and every row that says something else is named."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext
from typing import Any

import msgspec
import pytest

from contracts.accounting import BookDataKind, Costing
from contracts.books import BookData, BookPlace, Movement, PlaceKind, Posting
from contracts.codec import canonical
from contracts.commissioning import Commissioned, Decommissioned, EndReason
from contracts.events import EntryKind
from contracts.labels import Packing
from contracts.vouchers import Occasion, Voucher, VoucherLine
from ledger_sink.core.books_check import BooksCheck, Kept
from ledger_sink.core.check_identities import Identity
from ledger_sink.core.check_master import SHIPPED_CHANGES
from ledger_sink.core.check_rows import Entry, Row, json_form, json_or_text
from ledger_sink.core.check_stock import Balance, Key
from ledger_sink.core.posting.accounting import Related
from ledger_sink.defaults import default_chart, default_rules

SENT = msgspec.json.encode


def check_of() -> BooksCheck:
    return BooksCheck(default_rules(), lambda *_: Related())


def entry(seq: int, kind: EntryKind, record: msgspec.Struct, recorded_us: int = 9) -> Entry:
    return Entry(seq, f"id-{seq}", kind, 5, recorded_us, None, canonical(record))


def movement(*lines: tuple[str, str], document: str = "") -> Movement:
    """Of bolts: lines are locations and quantities."""
    postings = tuple(
        Posting(item="bolt", location=location, quantity=quantity) for location, quantity in lines
    )
    return Movement(id="m", document=document, step="", happened_us=5, postings=postings)


def row(line: int, location: str, quantity: str, balance: str) -> Row:
    key = ("bolt", location, "", "", "available", "none", "")
    return (line, *key, "", False, Decimal(quantity), 5, 9, Decimal(balance))


def told(check: BooksCheck, one: Entry, **rows: Sequence[Row]) -> list[str]:
    return [finding.text for finding in check.take(one, rows)]


def reported(check: BooksCheck, **kept: Any) -> list[str]:
    return [finding.text for finding in check.report(Kept(**kept))]


def test_quantities_are_added_exactly_whatever_the_caller_rounds_to() -> None:
    check = check_of()
    with localcontext(prec=6):
        first, second = "999999999999999.999999", "0.000001"
        whole = "1000000000000000"
        one = entry(1, EntryKind.MOVEMENT, movement(("A", first), ("supplier", f"-{first}")))
        rows = [row(1, "A", first, first), row(2, "supplier", f"-{first}", f"-{first}")]
        assert told(check, one, postings=rows) == []
        one = entry(2, EntryKind.MOVEMENT, movement(("A", second), ("supplier", f"-{second}")))
        rows = [row(1, "A", second, whole), row(2, "supplier", f"-{second}", f"-{whole}")]
        assert told(check, one, postings=rows) == []
        balances = [
            (Key("bolt", place, "", "", "available", "none", ""), Balance(Decimal(sum_), 2))
            for place, sum_ in (("A", whole), ("supplier", f"-{whole}"))
        ]
        assert reported(check, balances=balances) == []


def test_a_row_that_differs_is_named_with_its_table_column_and_what_it_should_be() -> None:
    check = check_of()
    one = entry(7, EntryKind.MOVEMENT, movement(("A", "3"), ("supplier", "-3")))
    rows = [row(1, "A", "4", "3"), row(3, "supplier", "-3", "-3")]
    rest = "item bolt, location supplier, disposition available"
    assert told(check, one, postings=rows) == [
        f"postings lacks line 2, {rest}, which entry 7 says",
        f"postings says line 3, {rest} of entry 7, which does not",
        "postings of entry 7, line 1: quantity is 3, not 4",
    ]


@pytest.mark.parametrize("number", ["NaN", "Infinity"])
def test_what_is_no_number_is_none_of_an_entry(number: str) -> None:
    check = check_of()
    one = entry(1, EntryKind.MOVEMENT, movement(("A", "3"), ("supplier", "-3")))
    rows = [row(1, "A", number, "3"), row(2, "supplier", "-3", "-3")]
    assert told(check, one, postings=rows) == [
        f"postings of entry 1, line 1: quantity is 3, not {number}"
    ]


def test_rows_under_an_entry_that_is_none_of_the_books_are_named() -> None:
    found = check_of().stray(4, {"reversals": [("m1",)]})
    assert [one.text for one in found] == ["reversals says reversed m1 of entry 4, which does not"]


def test_an_entry_that_cannot_be_read_is_named_with_its_kind() -> None:
    for kind in EntryKind:
        one = Entry(3, "x", kind, 5, 9, None, b'{"type":')
        assert any("entry 3 (x) is no" in text for text in told(check_of(), one)), kind


def test_a_movement_and_a_voucher_that_leave_something_over_are_named() -> None:
    check = check_of()
    one = entry(1, EntryKind.MOVEMENT, movement(("A", "3"), ("supplier", "-2")))
    assert "movement in entry 1: 1 of item bolt is left over" in told(check, one)
    lines = (VoucherLine(account="1", debit="2.00"), VoucherLine(account="2", credit="1.99"))
    one = entry(2, EntryKind.VOUCHER, voucher(*lines))
    says = "voucher D1/v1 in entry 2 does not balance: its debits are more by 0.01"
    assert says in told(check, one)


def voucher(*lines: VoucherLine) -> Voucher:
    return Voucher(
        id="D1/v1",
        document="D1",
        movement="m",
        rule="default/0/x",
        occasion=Occasion.POSTING,
        happened_us=5,
        currency="CNY",
        lines=lines,
    )


def valued() -> BooksCheck:
    """The chart, two places, and one item that is valued."""
    check = check_of()
    chart = default_chart("china")
    data = [
        (BookDataKind.CHART, "china", chart),
        (BookDataKind.COSTING, "bolt", Costing()),
    ]
    for seq, (what, key, body) in enumerate(data, 1):
        raw = SENT(body.model_dump(mode="json"))
        one = entry(seq, EntryKind.BOOK, BookData(what=what, key=key, body=msgspec.Raw(raw)))
        assert told(check, one, book_data=[(str(what), key, json_form(raw))]) == []
    for seq, (place, kind) in enumerate(
        [("A", PlaceKind.ZONE), ("supplier", PlaceKind.SUPPLIER)], 3
    ):
        one = entry(seq, EntryKind.BOOK, BookPlace(location=place, kind=kind))
        assert told(check, one, book_places=[(place, str(kind), "")]) == []
    return check


def posted(check: BooksCheck, quantity: str, *valuations: Row) -> list[str]:
    """Ten bolts come in for 25, on a stock account that says so many; what is wrong."""
    lines = [("A", "10"), ("supplier", "-10")]
    one = entry(5, EntryKind.MOVEMENT, movement(*lines, document="D1"))
    rows = [row(1, "A", "10", "10"), row(2, "supplier", "-10", "-10")]
    assert told(check, one, postings=rows) == []
    stock = default_chart("china").parts["inventory.merchandise"]
    debit = VoucherLine(account=stock, debit="25.00", item="bolt", quantity=quantity)
    credit = VoucherLine(account="2202", credit="25.00")
    one = entry(6, EntryKind.VOUCHER, voucher(debit, credit))
    voucher_rows = [("D1/v1", "D1", "m", "default/0/x", "posting", 5, 9, "CNY", "", False)]
    line_rows = [
        (1, stock, Decimal("25.00"), Decimal(0), "bolt", Decimal(quantity), "", "", None, "", 0),
        (2, "2202", Decimal(0), Decimal("25.00"), "", Decimal(0), "", "", None, "", 0),
    ]
    assert (
        told(check, one, vouchers=voucher_rows, voucher_lines=line_rows, valuations=valuations)
        == []
    )
    balances = [
        (Key("bolt", "A", "", "", "available", "none", ""), Balance(Decimal(10), 5)),
        (Key("bolt", "supplier", "", "", "available", "none", ""), Balance(Decimal(-10), 5)),
    ]
    return reported(check, balances=balances)


def valuation(quantity: str = "10", value: str = "25.00", method: str = "moving_average") -> Row:
    return ("bolt", method, Decimal(quantity), Decimal(value), Decimal("2.5"), "[]", 9)


def test_what_stock_is_worth_is_what_its_stock_accounts_say() -> None:
    assert posted(valued(), "10", valuation()) == []
    assert posted(valued(), "10", valuation(value="26")) == [
        "valuations of entry 6, item bolt: value is 25.00, not 26"
    ]
    assert posted(valued(), "10", valuation(method="fifo")) == [
        "valuations of entry 6, item bolt: method is moving_average, not fifo"
    ]
    assert posted(valued(), "10") == [
        "valuations lacks bolt, which entry 6 changes to 10 worth 25.00"
    ]


def test_stock_accounts_that_count_other_than_postings_are_named() -> None:
    assert posted(valued(), "9", valuation("9")) == [
        "entry 6: the postings of bolt hold 10 of ours, its stock accounts 9"
    ]


def test_a_change_of_state_that_nothing_explains_is_named() -> None:
    added = {*SHIPPED_CHANGES, ("disposition", "damaged", "available")}
    (says,) = reported(check_of(), allowed_changes=added)
    assert "a disposition go from damaged to available, which nothing says" in says
    (says,) = reported(
        check_of(), allowed_changes=SHIPPED_CHANGES - {("reservation", "none", "allocated")}
    )
    assert "allowed_changes lacks that a reservation may go from none to allocated" in says


def birth(identity: str, packing: Packing, parent: str | None) -> Commissioned:
    return Commissioned(
        identity=identity, packing=packing, item="1", quantity=1, epc="00", parent=parent, at_us=5
    )


def test_ends_that_came_in_one_call_or_one_by_one_are_both_right() -> None:
    """A pallet and its case end at one moment: the case is named by the pallet's end, or not."""
    births = [birth("pallet", Packing.PALLET, None), birth("case", Packing.CASE, "pallet")]
    for order in (("pallet", "case"), ("case", "pallet")):
        for parent in ("pallet", None) if order[0] == "pallet" else ("pallet",):
            check = check_of()
            told(check, entry(1, EntryKind.COMMISSIONED, births[0]))
            one = entry(2, EntryKind.COMMISSIONED, births[1])
            assert told(check, one, mentions=[("pallet",)]) == []
            for seq, identity in enumerate(order, 3):
                end = Decommissioned(identity=identity, reason=EndReason.UNPACKED, at_us=5)
                rows = [("case",)] if identity == "pallet" else []
                one = entry(seq, EntryKind.DECOMMISSIONED, end)
                assert told(check, one, mentions=rows) == []
            ended = {identity: seq for seq, identity in enumerate(order, 3)}
            kept = [
                ("pallet", known("pallet", None, 1, ended["pallet"])),
                ("case", known("case", parent, 2, ended["case"])),
            ]
            assert reported(check, identities=kept) == []


def known(packing: str, parent: str | None, born_seq: int, ended_seq: int) -> Identity:
    return Identity(packing, "1", 1, "", "", parent, b"\0", born_seq, 5, ended_seq, 5, None)


def test_json_is_compared_by_what_it_says() -> None:
    assert json_form('{"b": 1.50, "a": [1e2, -0]}') == json_form('{"a":[100,0],"b":1.5}')
    different = ["1", '"1"', "true", "null", "[]", "{}", '"\\u0000"', "1.5", '"100"', "100"]
    assert len({json_form(text) for text in different}) == len(different)
    digits = "1" * 40
    assert json_form(digits) != json_form(digits + "0") != json_form(digits + "1")
    assert json_or_text("no json") == "no json"
