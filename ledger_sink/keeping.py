"""What is kept how long: months of evidence, and copies of the whole ledger.

Entries are kept for ever. Sightings lie in monthly partitions, and months that are past their
retention time are forgotten whole, by order of the role `ledger_keeper`; each site's chain says so.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from ledger_sink.migrate import SCHEMA
from ledger_sink.sql import queries

QUERIES = queries("keeping")
ROLES = (
    *("ledger_reader", "ledger_appender", "ledger_sink", "ledger_bridge", "ledger_worker"),
    *("ledger_keeper", "ledger_auditor", "ledger_names", "ledger_privacy"),
)
"""Roles belong to the server, so a copy of one database does not carry them."""


class KeepingError(Exception):
    """A copy could not be made, or not be restored; the text says why and what to do."""


class EvidenceMonth(NamedTuple):
    """One month of sightings, by the time of recording."""

    name: str
    """Of its partition: `evidence_2026_03`."""
    from_us: int
    """Its first moment."""
    to_us: int
    """The first moment after it."""
    sightings: int
    """How many rows the database thinks that it has; -1: it has not counted yet."""
    size: int
    """Bytes on disk, indexes included."""


class Forgotten(NamedTuple):
    """A month that is gone."""

    name: str
    sightings: int
    """How many, counted."""


def evidence_months(connection: psycopg.Connection[Any]) -> list[EvidenceMonth]:
    """The months that are there, oldest first; needs `ledger_keeper` or `ledger_reader`."""
    return [EvidenceMonth(*row) for row in connection.execute(QUERIES["months"])]


def forget_evidence(
    connection: psycopg.Connection[Any], before_us: int, at_us: int
) -> list[Forgotten]:
    """Remove all months that end by `before_us`; needs `ledger_keeper`.

    Raises psycopg.errors.InvalidParameterValue where that is younger than a month, and
    psycopg.errors.LockNotAvailable while others read: nothing is forgotten then.
    """
    rows = connection.execute(QUERIES["forget"], {"before_us": before_us, "at_us": at_us})
    return [Forgotten(*row) for row in rows]


def dump(url: str, path: Path, programs: Path) -> None:
    """Copy the schema `ledger` with all its data into a file, in one snapshot.

    `programs` holds pg_dump, not older than the server. Raises KeepingError.
    """
    options = ["--format=custom", "--compress=6", f"--schema={SCHEMA}", "--no-owner"]
    _run([str(programs / "pg_dump"), *options, f"--file={path}"], url, "pg_dump")


def restore(url: str, path: Path, programs: Path) -> None:
    """Bring a copy into a database that has no schema `ledger`, all of it or nothing.

    The login needs the right to make roles where they are missing. Raises KeepingError where there
    is a ledger already or the copy is damaged, psycopg.Error.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        if connection.execute("select to_regnamespace(%s)", (SCHEMA,)).fetchone() != (None,):
            raise KeepingError(
                "this database holds a ledger already. Name an empty one: a copy never goes over"
                " what is there"
            )
        for role in ROLES:
            if not connection.execute("select from pg_roles where rolname = %s", (role,)).rowcount:
                connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(role)))
    options = ["--no-owner", "--single-transaction", "--exit-on-error"]
    database = str(conninfo_to_dict(url).get("dbname") or "postgres")
    _run(
        [str(programs / "pg_restore"), *options, f"--dbname={database}", str(path)],
        url,
        "pg_restore",
    )


def version_of(programs: Path) -> int:
    """The major version of the pg_dump in a folder. Raises KeepingError."""
    done = subprocess.run(
        [str(programs / "pg_dump"), "--version"], capture_output=True, text=True, check=False
    )
    found = re.search(r"(\d+)", done.stdout)
    if found is None:
        raise KeepingError(f"{programs / 'pg_dump'} does not run: {done.stderr.strip()}")
    return int(found[1])


def _run(command: Sequence[str], url: str, name: str) -> None:
    """Run one of PostgreSQL's own programs; the address goes by its environment, not the list."""
    settings = conninfo_to_dict(url)
    known = {
        "host": "PGHOST",
        "port": "PGPORT",
        "user": "PGUSER",
        "password": "PGPASSWORD",
        "dbname": "PGDATABASE",
        "sslmode": "PGSSLMODE",
    }
    named = {known[key]: str(value) for key, value in settings.items() if key in known and value}
    done = subprocess.run(
        command,
        env={**os.environ, **named, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[0]
        raise KeepingError(f"{name} failed: {said}")
