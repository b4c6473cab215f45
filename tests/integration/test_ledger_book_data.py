"""What the books know beside items and locations: kept, the newest counts, and stock stays."""

from __future__ import annotations

from typing import Any

import msgspec
import psycopg
import pytest

from contracts.accounting import (
    BookDataKind,
    BookSettings,
    Chart,
    Costing,
    PostingRules,
    ShipmentPolicy,
)
from contracts.books import BookPlace
from contracts.vouchers import Method
from ledger_sink.book_data import AccountingError
from ledger_sink.books import Books
from ledger_sink.defaults import default_chart, default_rules
from ledger_sink.postgres_ledger import PostgresLedger
from tests.integration.test_ledger_posting import CHART, NOW, Worth, bare, prepare, set_up
from tests.support import document_books as company
from tests.support.document_books import check_all, document, entered, line, opening

Connection = psycopg.Connection[Any]


@pytest.fixture
def books(connection: Connection) -> Books:
    made = Books(PostgresLedger(connection, "demo"))
    set_up(made)
    return made


def test_data_of_the_books_is_kept_and_the_newest_counts(books: Books) -> None:
    assert not books.put_data(BookDataKind.COSTING, "bolt", Costing(), 2)
    assert books.put_data(BookDataKind.COSTING, "bolt", Costing(stock_class="raw"), 2)
    kept = books.data_now(BookDataKind.COSTING)
    assert kept[BookDataKind.COSTING, "bolt"].body == Costing(stock_class="raw")
    assert kept[BookDataKind.COSTING, "nut"].body == Costing()
    assert books.data_now()[BookDataKind.CHART, "china"].body == CHART


def test_data_that_would_turn_stock_into_something_else_is_refused(books: Books) -> None:
    books.post_documents([prepare(Worth(), "GR-1", 10)], books.bases(["bolt"]), NOW)
    books.post([bare("water")], NOW)
    other = Chart(
        accounts=(CHART.accounts[0].model_copy(update={"is_stock": False}), *CHART.accounts[1:]),
        parts={},
    )
    assert books.put_data(BookDataKind.CHART, "own", other, 5)
    for what, key, body, says in (
        (BookDataKind.COSTING, "bolt", Costing(method=Method.FIFO), "it stays so while there is"),
        (BookDataKind.COSTING, "water", Costing(), "has stock that was never valued"),
        (BookDataKind.SETTINGS, "", BookSettings(base_currency="EUR"), "the base currency stays"),
        (BookDataKind.SETTINGS, "", BookSettings(chart="own"), "account 1405 has postings and"),
        (BookDataKind.CHART, "china", other, "account 1405 has postings and holds the value"),
    ):
        with pytest.raises(psycopg.errors.CheckViolation, match=says):
            books.put_data(what, key, body, 5)


@pytest.mark.parametrize("what", ["body", "what", "key"])
def test_malformed_data_of_the_books_is_refused(connection: Connection, what: str) -> None:
    said: dict[str, Any] = {"type": "book_data", "schema": 1, "what": "tax", "key": "a", "body": {}}
    wrong = {"body": [], "what": "weather", "key": 5}[what]
    payload = msgspec.json.encode({**said, what: wrong})
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        connection.execute("select ledger.put_book('demo', 1, %b)", (payload,))


@pytest.fixture
def keeping(connection: Connection) -> Books:
    """The books of the small company with its documents."""
    made = Books(PostgresLedger(connection, "demo"))
    company.set_up(made)
    return made


def with_parts(**parts: str | None) -> Chart:
    """The Chinese chart with some parts played by other accounts (None: by none)."""
    chart = default_chart("china")
    played = {**chart.parts, **parts}
    return chart.model_copy(
        update={"parts": {part: code for part, code in played.items() if code is not None}}
    )


def put_wrong(books: Books, what: BookDataKind, key: str, body: Any) -> tuple[str, ...]:
    """What is wrong with data that is refused; it does not count afterwards."""
    before = books.data_now()
    with pytest.raises(AccountingError) as refusal:
        books.put_data(what, key, body, 5)
    assert books.data_now() == before
    return refusal.value.mistakes


def test_what_the_books_cannot_be_kept_by_is_refused_with_all_mistakes(keeping: Books) -> None:
    """Before it counts: not when the first document of its kind comes."""
    kinds = BookDataKind
    assert put_wrong(keeping, kinds.COSTING, "sand", Costing(stock_class="sands")) == (
        "costing of sand, stock_class: the chart has no part inventory.sands",
    )
    assert put_wrong(keeping, kinds.SETTINGS, "", BookSettings(chart="ours", rules="ours")) == (
        (
            "settings, chart: there is no chart ours: put it before, or name china or"
            " international, which ships"
        ),
        "settings, rules: there is no rules ours: put it before, or name default, which ships",
    )
    wrong = with_parts(scrap_loss="9999", payable=None)
    told = put_wrong(keeping, kinds.CHART, "china", wrong)
    assert "chart: part scrap_loss: there is no account 9999" in told
    assert any(text.endswith("part: the chart has no part payable") for text in told)
    rules = default_rules().rules
    unbalanced = rules[0].model_copy(update={"lines": rules[0].lines[:1]})
    told = put_wrong(keeping, kinds.RULES, "default", PostingRules(rules=(unbalanced, *rules[1:])))
    assert any("debits and credits are not the same" in text for text in told)
    # What nobody named yet may be anything, until the settings name it.
    assert keeping.put_data(kinds.CHART, "ours", wrong, 5)
    assert put_wrong(keeping, kinds.SETTINGS, "", BookSettings(chart="ours"))


def test_a_chart_and_its_rules_may_change_together(keeping: Books) -> None:
    """Each by itself would not fit the other."""
    renamed = default_rules().model_dump_json().replace('"scrap_loss"', '"waste"')
    rules = PostingRules.model_validate_json(renamed)
    chart = with_parts(scrap_loss=None, waste=default_chart("china").parts["scrap_loss"])
    assert put_wrong(keeping, BookDataKind.RULES, "default", rules)
    assert put_wrong(keeping, BookDataKind.CHART, "china", chart)
    with keeping.together():
        keeping.put_data(BookDataKind.RULES, "default", rules, 6)
        keeping.put_data(BookDataKind.CHART, "china", chart, 6)
    entered(keeping, opening(), document("SC", "scrap", line("bolt", 1, location="A"), day=2))
    check_all(keeping)


@pytest.mark.parametrize("part", ["goods_received_not_invoiced", "goods_dispatched"])
def test_a_clearing_part_stays_on_its_account_while_goods_are_open(
    keeping: Books, part: str
) -> None:
    """Else what clears them would be looked for where they are not."""
    waiting = BookSettings(shipment=ShipmentPolicy.REVENUE_AT_ACCEPTANCE)
    keeping.put_data(BookDataKind.SETTINGS, "", waiting, 2)
    dear = {"price": "9", "location": "A"}
    entered(
        keeping,
        document("GR", "goods_receipt", line("bolt", 9, **dear), day=2),
        document("SH", "sales_shipment", line("bolt", 4, **dear), day=3),
    )
    old = default_chart("china").parts[part]
    moved = with_parts(**{part: "1901" if part == "goods_dispatched" else "2202"})
    new = moved.parts[part]
    assert put_wrong(keeping, BookDataKind.CHART, "china", moved) == (
        (
            f"chart, part {part}: account {old} still holds goods: it stays until they are gone,"
            f" then {new} may play it"
        ),
    )
    keeping.put_data(BookDataKind.CHART, "ours", moved, 6)
    assert put_wrong(keeping, BookDataKind.SETTINGS, "", BookSettings(chart="ours"))
    entered(
        keeping,
        document("PI", "purchase_invoice", line("bolt", 9, price="9"), refers="GR", day=4),
        document("SA", "sales_acceptance", line("bolt", 4), refers="SH", day=4),
    )
    assert keeping.put_data(BookDataKind.CHART, "china", moved, 7)
    check_all(keeping)


def test_the_first_document_enters_the_chart_and_the_rules_that_ship(keeping: Books) -> None:
    """What a voucher was made by stands in the ledger, whoever posts."""
    ledger = PostgresLedger(keeping.ledger.connection, "other")
    books = Books(ledger)
    for item in company.ITEMS.values():
        books.put(item, 1)
    for place in ("A", "opening"):
        kind, warehouse = company.PLACES[place]
        books.put(BookPlace(location=place, kind=kind, warehouse=warehouse), 1)
    assert books.put_data(BookDataKind.COSTING, "bolt", Costing(), 1)
    bare_line = line("bolt", 1, price="2", location="A")
    entered(books, document("OP", "opening", bare_line))
    kept = books.data_now(BookDataKind.CHART, BookDataKind.RULES)
    assert kept[BookDataKind.CHART, "china"].body == default_chart("china")
    assert kept[BookDataKind.RULES, "default"].body == default_rules()
    rows = ledger.connection.execute("select rule from ledger.vouchers where site = 'other'")
    ((rule,),) = rows.fetchall()
    assert rule.startswith(f"default/{kept[BookDataKind.RULES, 'default'].seq}/")
    entered(books, document("OP-2", "opening", bare_line))
    assert books.data_now(BookDataKind.CHART, BookDataKind.RULES) == kept
