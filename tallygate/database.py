"""The ledger's database for a command that also works while no stack runs.

Where a stack runs, or a database is named, that one is used. Else the PostgreSQL of the folder is
started for the time of the command: the same one, with the same data, that a stack would start.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import psycopg

from ledger_sink.migrate import migrate
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.publisher import Publisher
from ledger_sink.queries import sites
from ledger_sink.settings import Settings, SinkError
from tallygate.errors import TallygateError
from tallygate.ledger import (
    find_postgres,
    first_line,
    only_one,
    open_ledger,
    read_state,
    running_process,
    told_errors,
    unknown_site,
)
from tallygate.servers.child import ServerError
from tallygate.servers.find import Kind, find_servers, server_for

FOLDER = Path("servers") / "postgres"
"""Of the folder's own PostgreSQL, as a stack lays it out."""
PROBE_S = 2
"""Wall time for the database of an earlier stack to answer."""


def has_own(folder: Path) -> bool:
    """Whether the folder has a PostgreSQL of its own, running or not."""
    return (folder / FOLDER / "data" / "PG_VERSION").exists()


@contextlib.contextmanager
def ledger_database(folder: Path, named: str | None, tell: Callable[[str], None]) -> Iterator[str]:
    """The URL of a database that answers, for the time of a command. Raises TallygateError.

    A database of the folder's own is started, made where there is none, and brought to this
    version; `tell` hears of it.
    """
    if named:
        yield named
        return
    state = read_state(folder)
    if state is not None and (
        running_process(folder) or not has_own(folder) or _answers(state.postgres_url)
    ):
        yield state.postgres_url
        return
    with only_one(folder):
        found = next(one for one in find_servers({}) if one.kind is Kind.POSTGRES)
        server = server_for(found, folder / FOLDER)
        if server is None:
            raise TallygateError(f"{found.name}: {found.advice}")
        tell(f"no stack runs: starting {found.name} in {folder / FOLDER} for this command")
        try:
            server.start()
        except ServerError as error:
            raise TallygateError(str(error)) from error
        try:
            _migrate(server.url)
            yield server.url
        finally:
            server.stop()


@contextlib.contextmanager
def kept_database(folder: Path, named: str | None) -> Iterator[str]:
    """The URL of a ledger that is there, started where no stack runs. Raises TallygateError."""
    if not has_own(folder):
        yield find_postgres(folder, named)
        return

    def tell(text: str) -> None:
        # Standard output is the command's.
        sys.stderr.write(f"{text}\n")

    with ledger_database(folder, named, tell) as url:
        yield url


@contextlib.contextmanager
def look_into(
    folder: Path, named: str | None, site: str, *, starts: bool = True
) -> Iterator[PostgresLedger]:
    """The ledger of a site that it knows, to look into. Raises TallygateError.

    `starts`: where no stack runs, the folder's own PostgreSQL is started for that long.
    """
    found = kept_database(folder, named) if starts else nullcontext(find_postgres(folder, named))
    with found as url, open_ledger(url, site) as ledger, told_errors():
        known = sites(ledger)
        if known and site not in known:
            raise TallygateError(unknown_site(site, known))
        if not known:
            raise TallygateError(
                "the ledger is empty: nothing was ever entered. `tallygate up` fills it, and"
                " `tallygate import` takes places, items and loads."
            )
        yield ledger


def sign_head(folder: Path, ledger: PostgresLedger) -> None:
    """Publish a head over what a command entered, where no sink is there to do it.

    That is so while the command itself runs the folder's PostgreSQL. Raises TallygateError.
    """
    if running_process(folder) != str(os.getpid()):
        return
    # What the publisher tells its log would stand amid the command's own output.
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            publisher = Publisher(ledger, Settings(site=ledger.site, data=folder))
            try:
                publisher.publish()
            finally:
                publisher.close()
        except SinkError as error:
            raise TallygateError(f"all is entered, but no head was signed: {error}") from error


def _migrate(url: str) -> None:
    # What a migration's statements give would stand amid the command's own output.
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            migrate(url)
        except psycopg.Error as error:
            raise TallygateError(
                f"the ledger cannot be brought to this version: {first_line(error)}"
            ) from error


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=PROBE_S).close()
    except psycopg.OperationalError:
        return False
    return True
