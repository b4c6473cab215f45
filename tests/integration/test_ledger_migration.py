"""A ledger that an older version made and filled comes up to this one whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from contracts.codec import encode
from contracts.places import Item
from ledger_sink.keeping import evidence_months
from ledger_sink.migrate import migrate
from ledger_sink.postgres_ledger import PostgresLedger, connect
from ledger_sink.verify import verify
from ledger_sink.verify_books import verify_books
from tests.support.keeping_suite import JANUARY_US, MARCH_US, MAY_US, fill, publish
from tests.support.servers import Fresh, SessionServers, with_database

RELEASED = "0007_roles"
"""The last migration of version 0.1.0."""


@pytest.fixture
def old_url(embedded_servers: SessionServers, embedded: Fresh) -> Iterator[str]:
    """An empty database of the test's own."""
    name = sql.Identifier(f"{embedded.name}_old")
    with psycopg.connect(embedded.postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(name))
    yield with_database(embedded_servers.addresses.postgres_url, f"{embedded.name}_old")
    with psycopg.connect(embedded.postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(name))


def test_a_released_ledger_with_data_comes_up_whole(old_url: str, tmp_path: Path) -> None:
    assert migrate(old_url, RELEASED) == 7
    with connect(old_url) as connection:
        ledger = PostgresLedger(connection, "demo")
        fill(ledger, range(30), JANUARY_US)
        fill(ledger, range(30, 40), MARCH_US)
        ledger.put_reference("item/1", encode(Item(item="1", name="Valve")), MARCH_US)
        heads, key = publish(ledger, tmp_path)

    assert migrate(old_url) > 0
    assert migrate(old_url) == 0

    with connect(old_url, "ledger_sink") as connection:
        fill(PostgresLedger(connection, "demo"), range(40, 45), MAY_US)
    with connect(old_url) as connection:
        names = [month.name for month in evidence_months(connection)]
        kept = connection.execute("select count(*), sum(reads) from ledger.evidence").fetchone()
    assert names == ["evidence_2026_01", "evidence_2026_03", "evidence_2026_05"]
    assert kept == (45, 135)
    report = verify(old_url, "demo", heads, key)
    assert (report.entries, report.findings) == (46, ())
    assert verify_books(old_url, "demo").findings == ()


def test_the_same_sighting_is_still_known_after_it(old_url: str) -> None:
    migrate(old_url, RELEASED)
    with connect(old_url) as connection:
        fill(PostgresLedger(connection, "demo"), range(5), JANUARY_US)
    migrate(old_url)
    with connect(old_url) as connection:
        ledger = PostgresLedger(connection, "demo")
        fill(ledger, range(3, 7), MARCH_US)
        assert connection.execute("select count(*) from ledger.evidence").fetchone() == (7,)
