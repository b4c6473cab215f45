"""Brings the schema `ledger` of a database to what this version of the program needs.

Migrations are numbered SQL files that only ever go forward, applied by yoyo. Several programs may
do this at once: an advisory lock lets one go first, and unlike yoyo's own lock row it does not
outlive a killed process.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from yoyo import read_migrations
from yoyo.backends import get_backend_class
from yoyo.connections import DatabaseURI

LOCK = 0x7A11_6A7E
"""Any number, as long as all versions use the same."""

SCHEMA = "ledger"


def migrate(url: str, upto: str | None = None) -> int:
    """Apply what is missing and say how many migrations that were. Raises psycopg.Error.

    `upto`: the last one, such as `0007_roles`, for a ledger as an older version made it.
    """
    with psycopg.connect(url, autocommit=True) as guard:
        guard.execute("select pg_advisory_lock(%s)", (LOCK,))
        # Yoyo keeps its books in the schema that it serves, so other schemas can have theirs.
        guard.execute(f"create schema if not exists {SCHEMA}")
        backend = _backend(url)
        try:
            migrations = read_migrations(str(resources.files("ledger_sink.sql") / "migrations"))
            if upto is not None:
                migrations = migrations.filter(lambda one: one.id <= upto)
            missing = backend.to_apply(migrations)
            count = len(missing)
            backend.apply_migrations(missing)
        finally:
            backend.connection.close()
        return count


def _backend(url: str) -> Any:
    """Yoyo's connection, from whatever form of address psycopg understands."""
    settings = conninfo_to_dict(url)
    port = settings.pop("port", None)
    address = DatabaseURI(
        scheme="postgresql+psycopg",
        username=settings.pop("user", None),
        password=settings.pop("password", None),
        hostname=settings.pop("host", None),
        port=int(port) if port else None,
        database=settings.pop("dbname", None),
        args={"schema": SCHEMA, **settings},
    )
    backend = get_backend_class(address.scheme)(address, "_yoyo_migrations")
    backend.init_database()
    return backend
