"""What the books know beside items and locations: kept, the newest counts, and stock stays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import psycopg
import pytest

from contracts.accounting import BookDataKind, BookSettings, Chart, Costing
from contracts.vouchers import Method
from ledger_sink.books import Books
from ledger_sink.postgres_ledger import PostgresLedger, connect
from tests.integration.test_ledger_posting import CHART, NOW, Worth, bare, prepare, set_up
from tests.support.servers import Fresh

Connection = psycopg.Connection[Any]


@pytest.fixture
def connection(embedded: Fresh) -> Iterator[Connection]:
    with connect(embedded.postgres_url) as made:
        yield made


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
