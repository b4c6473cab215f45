"""Who may append what beside the books, and in which order writers lock."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from ledger_sink.books import Books
from ledger_sink.postgres_ledger import PostgresLedger, connect
from tests.integration.test_ledger_books import NOW, at, move, post, set_up
from tests.support.programs import wait_until
from tests.support.servers import Fresh

Connection = psycopg.Connection[Any]


@pytest.fixture
def books(connection: Connection) -> Books:
    made = Books(PostgresLedger(connection, "demo"))
    set_up(made)
    return made


APPEND = (
    "select last_seq from ledger.{function}('demo', 1, array['x'], array[%s], array[1::bigint],"
    " array[null::text], array[null::text], array['x'::bytea], array[null::bigint],"
    " array[0::bigint])"
)


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize("role", ["ledger_appender", "ledger_sink"])
def test_entries_that_stand_for_rows_are_made_by_their_functions_alone(
    connection: Connection, role: str
) -> None:
    for function, kind in (
        *(("append", kind) for kind in ("movement", "document", "voucher", "book", "epcis")),
        *(("append", kind) for kind in ("commissioned", "decommissioned")),
        ("append_any", "device"),
    ):
        with connection.transaction(force_rollback=True):
            connection.execute(f"set local role {role}")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(APPEND.format(function=function), (kind,))
    with connection.transaction(force_rollback=True):
        connection.execute(f"set local role {role}")
        connection.execute(APPEND.format(function="append"), ("device",))


def test_who_posts_may_look_at_the_books(books: Books, connection: Connection) -> None:
    post(books, move("m1", "10"))
    with connection.transaction(force_rollback=True):
        connection.execute("set local role ledger_appender")
        assert at(books.now("bolt"), "A") == 10
        assert at(books.recorded("bolt", NOW), "A") == 10
        assert at(books.happened("bolt", NOW, NOW), "A") == 10
        assert len(connection.execute("select * from ledger.items_now").fetchall()) == 5
        assert len(connection.execute("select * from ledger.places_now").fetchall()) == 4
        assert len(connection.execute("select * from ledger.postings").fetchall()) == 2
        assert connection.execute("select * from ledger.book_periods").fetchall() == []


EVIDENCE = (
    "select ledger.add_evidence('demo', 1, array['e1', 'e2'], array[null, null]::text[],"
    " array['i', 'i'], array['A', 'A'], array[1, 1]::bigint[], array[1, 1]::bigint[],"
    " array[1, 1]::bigint[], array[%b, %b]::bytea[])"
)


def waits_for_a_lock(embedded: Fresh) -> bool:
    with connect(embedded.postgres_url) as own:
        rows = own.execute(
            "select from pg_stat_activity"
            " where datname = current_database() and wait_event_type = 'Lock'"
        )
        return rows.fetchone() is not None


def test_a_sighting_that_conflicts_waits_for_the_chain_before_it_counts(
    embedded: Fresh, books: Books, connection: Connection
) -> None:
    """The appender holds the chain and then counts; who counts first would wait for it for ever."""
    ledger = PostgresLedger(connection, "demo")
    connection.execute(EVIDENCE, (b"one", b"two"))
    connection.execute(EVIDENCE, (b"other", b"two"))
    failed: list[Exception] = []

    def keep() -> None:
        with connect(embedded.postgres_url) as own:
            try:
                own.execute(EVIDENCE, (b"another", b"two"))
            except psycopg.Error as error:
                failed.append(error)

    sink = threading.Thread(target=keep)
    with connection.transaction():
        post(books, move("m1", "1"))
        sink.start()
        assert wait_until(lambda: waits_for_a_lock(embedded), 60)
        ledger.count({"conflicts": 1, "evidence_duplicates": 1})
    sink.join(60)
    assert failed == []
    counts = dict(connection.execute("select name, count from ledger.tallies").fetchall())
    assert counts == {"conflicts": 3, "evidence_duplicates": 3}
