"""Queries that PostgreSQL runs in parallel: no function of the ledger hinders them."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from contracts.events import EntryKind

PARAMETER_SINCE_16 = 160_000
"""Before this version it had another name."""

Connection = psycopg.Connection[Any]


def in_parallel(connection: Connection) -> None:
    """From now on whatever may run in parallel does."""
    version = connection.info.server_version
    name = "debug_parallel_query" if version >= PARAMETER_SINCE_16 else "force_parallel_mode"
    connection.execute(sql.SQL("set {} = on").format(sql.Identifier(name)))
    connection.execute("set parallel_setup_cost = 0")
    connection.execute("set parallel_tuple_cost = 0")
    connection.execute("set min_parallel_table_scan_size = 0")


def test_what_catches_errors_never_runs_in_parallel(connection: Connection) -> None:
    """Before PostgreSQL 17 such a block is itself an error in a parallel query."""
    rows = connection.execute(
        "select p.oid::regprocedure::text from pg_proc p join pg_language l on l.oid = p.prolang"
        " where p.pronamespace = 'ledger'::regnamespace and l.lanname = 'plpgsql'"
        r" and p.prosrc ~* '\mexception\s+when\M' and p.proparallel <> 'u'"
    ).fetchall()
    assert rows == []


def test_every_view_can_be_read_in_parallel(connection: Connection) -> None:
    # As its owner: entries of every kind, as no program would make them.
    connection.execute("set session_replication_role = replica")
    connection.execute(
        "insert into ledger.entries (site, seq, id, kind, happened_us, recorded_us, payload,"
        " window_us, previous, hash) select 'demo', n, 'e' || n, kind, n, n, '{}', 0, '', ''"
        " from unnest(%s::text[]) with ordinality as g (kind, n)",
        (list(EntryKind),),
    )
    connection.execute("set session_replication_role = origin")
    in_parallel(connection)
    views = connection.execute(
        "select c.relname from pg_class c"
        " where c.relnamespace = 'ledger'::regnamespace and c.relkind = 'v' order by 1"
    ).fetchall()
    assert len(views) > 10
    for (view,) in views:
        connection.execute(sql.SQL("select * from ledger.{}").format(sql.Identifier(view)))
