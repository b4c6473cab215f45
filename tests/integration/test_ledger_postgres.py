# ruff: noqa: D102 - the suite says what these are for.
"""PostgreSQL is a ledger, and refuses to rewrite what it holds."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from ledger_sink.core.chain import ChainEntry
from ledger_sink.migrate import migrate
from ledger_sink.postgres_ledger import PostgresLedger, connect
from tests.support.servers import Fresh, SessionServers, with_database
from tests.unit.ledger_sink.ledger_builders import passage, sighting_of
from tests.unit.ledger_sink.ledger_suite import LedgerSuite


@pytest.fixture
def ledger_url(embedded: Fresh) -> str:
    """A fresh database with the ledger's schema, as its superuser."""
    return embedded.postgres_url


COLUMNS = sql.SQL(", ").join(map(sql.Identifier, ChainEntry._fields))


def rows_of(connection: psycopg.Connection[Any]) -> list[ChainEntry]:
    query = sql.SQL("select {} from ledger.entries order by seq").format(COLUMNS)
    rows = connection.execute(query).fetchall()
    return [ChainEntry(*row) for row in rows]


class TestPostgresLedger(LedgerSuite):
    """The suite, in PostgreSQL."""

    @pytest.fixture
    def ledger(self, ledger_url: str) -> Iterator[PostgresLedger]:
        with connect(ledger_url) as connection:
            yield PostgresLedger(connection, "demo")

    def rows(self, ledger: Any) -> list[ChainEntry]:
        return rows_of(ledger.connection)

    def tallies(self, ledger: Any) -> dict[str, int]:
        return dict(ledger.connection.execute("select name, count from ledger.tallies").fetchall())


def test_migrating_twice_at_once_is_one_migration(
    embedded_servers: SessionServers, embedded: Fresh
) -> None:
    """Programs that start together all find the schema complete."""
    name = f"{embedded.name}_bare"
    with psycopg.connect(embedded.postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    url = with_database(embedded_servers.addresses.postgres_url, name)
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(migrate(url))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(counts)[:2] == [0, 0]
    assert sorted(counts)[2] > 0


@pytest.mark.parametrize("table", ["entries", "evidence", "heads", "logs", "reference"])
@pytest.mark.parametrize(
    "change", ["update ledger.{} set site = 'x'", "delete from ledger.{}", "truncate ledger.{}"]
)
def test_not_even_the_owner_changes_what_stands(ledger_url: str, table: str, change: str) -> None:
    with connect(ledger_url) as connection:
        PostgresLedger(connection, "demo").append([passage(1)], 20)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="insert-only"):
            connection.execute(change.format(table))
        assert len(rows_of(connection)) == 1


@pytest.mark.parametrize(
    "role", ["ledger_reader", "ledger_appender", "ledger_sink", "ledger_bridge", "ledger_worker"]
)
def test_no_programs_role_writes_to_a_table_itself(ledger_url: str, role: str) -> None:
    with connect(ledger_url) as owner:
        tables = owner.execute(
            "select tablename from pg_tables where schemaname = 'ledger'"
        ).fetchall()
    assert len(tables) > 10
    with connect(ledger_url, role) as connection:
        for (table,) in tables:
            for right in ("insert", "update", "delete", "truncate"):
                (allowed,) = connection.execute(
                    "select has_table_privilege(current_user, %s, %s)",
                    (f"ledger.{table}", right),
                ).fetchone() or (None,)
                assert allowed is False, (table, right)


def test_the_readers_role_appends_nothing(ledger_url: str) -> None:
    with connect(ledger_url, "ledger_reader") as connection:
        ledger = PostgresLedger(connection, "demo")
        assert ledger.positions() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ledger.append([passage(1)], 20)


def test_the_sinks_role_does_all_that_the_sink_does(ledger_url: str) -> None:
    with connect(ledger_url, "ledger_sink") as connection:
        ledger = PostgresLedger(connection, "demo")
        run = ledger.take_lease("sink", "s", 5)
        assert run == 1
        with ledger.transaction():
            assert ledger.renew_lease("sink", 1, 5)
            ledger.add_evidence([sighting_of(1)], 20)
            ledger.append([passage(1)], 20)
            ledger.keep_whereabouts([passage(1)])
            ledger.keep_stage_memory("loads", b"x")
        ledger.count({"stale_outputs": 2})
        ledger.count_latencies({1000: 1})
        ledger.keep_head(seq=1, hash_=b"h", signed_at_us=1, key="k", signature=b"s")
        assert ledger.acknowledged() == []
        assert ledger.reference(0) == []
        ledger.release_lease("sink", 1)


def test_two_that_append_at_once_make_one_chain(ledger_url: str) -> None:
    """The chain's row is the lock: no number is given twice and none is left out."""

    def append(first: int) -> None:
        with connect(ledger_url, "ledger_appender") as connection:
            ledger = PostgresLedger(connection, "demo")
            for number in range(first, first + 40):
                ledger.append([passage(number), passage(number + 1000)], 20)

    threads = [threading.Thread(target=append, args=(first,)) for first in (0, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with connect(ledger_url) as connection:
        rows = rows_of(connection)
    assert [row.seq for row in rows] == list(range(1, 121))
    assert all(row.previous == before.hash for before, row in itertools.pairwise(rows))
