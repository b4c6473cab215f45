"""The ledger of a stack, opened for the command line; and where a stack keeps its state."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import psycopg

from ledger_sink.postgres_ledger import PostgresLedger, connect
from tallygate.errors import TallygateError

STATE = "stack.json"
"""What a running stack tells of itself, in its folder."""


def write_state(folder: Path, *, postgres_url: str, site: str) -> None:
    """Let other commands find this stack's ledger."""
    state = {"postgres_url": postgres_url, "site": site}
    (folder / STATE).write_text(json.dumps(state, indent=2) + "\n")


def find_postgres(folder: Path, named: str | None) -> str:
    """The ledger's URL: the one named, else that of the stack in the folder."""
    if named:
        return named
    try:
        url: str = json.loads((folder / STATE).read_text())["postgres_url"]
    except (OSError, ValueError, KeyError) as error:
        raise TallygateError(
            f"no stack has run in {folder}. Start one with `tallygate up`, or name the ledger"
            " with --postgres or TALLYGATE_POSTGRES_URL."
        ) from error
    return url


@contextlib.contextmanager
def open_ledger(url: str, site: str) -> Iterator[PostgresLedger]:
    """The site's ledger, with all rights of the URL's login. Raises TallygateError."""
    try:
        connection = connect(url)
    except psycopg.OperationalError as error:
        raise TallygateError(
            f"PostgreSQL does not answer: {str(error).strip()}. Is the stack running"
            " (`tallygate up`)? `tallygate doctor` says what was found."
        ) from error
    with connection:
        yield PostgresLedger(connection, site)
