"""The ledger of a stack, opened for the command line; and where a stack keeps its state."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import psycopg
from psycopg.conninfo import make_conninfo

from contracts.clock import ClockSetting, clock_from_text
from ledger_sink.postgres_ledger import PostgresLedger, connect
from tallygate.errors import TallygateError

STATE = "stack.json"
"""What a running stack tells of itself, in its folder."""
LOCK = "lock"
"""Held by a running stack; holds its process id, for people."""
CONNECT_S = 5
"""Wall time for a database to answer: a person waits for it."""

NOT_MIGRATED = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)
TOO_OLD = (psycopg.errors.UndefinedFunction, psycopg.errors.UndefinedColumn)


class StackState(msgspec.Struct):
    """What `stack.json` says."""

    postgres_url: str
    """The ledger's database."""
    site: str
    """The stack's site."""
    clock: str = ""
    """The stack's domain clock, as `ClockSetting.text` writes it; empty: real time."""


def write_state(folder: Path, *, postgres_url: str, site: str, clock: str = "") -> None:
    """Let other commands find this stack's ledger and clock."""
    state = StackState(postgres_url=postgres_url, site=site, clock=clock)
    # Whoever reads it at this very moment shall not see half of it, nor others its password.
    draft = folder / f"{STATE}.draft"
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(msgspec.to_builtins(state), indent=2) + "\n")
    draft.replace(folder / STATE)


def read_state(folder: Path) -> StackState | None:
    """What the folder's stack told of itself last; None where none has run there."""
    try:
        return msgspec.json.decode((folder / STATE).read_bytes(), type=StackState)
    except (OSError, msgspec.MsgspecError):
        return None


def running_process(folder: Path) -> str | None:
    """The process id of the stack that runs in the folder; None where none does."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return os.read(descriptor, 20).decode(errors="replace").strip() or "?"
    finally:
        os.close(descriptor)
    return None


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: two stacks in one folder would fight over its files."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise TallygateError(
                f"a stack runs in {folder} already (process {running_process(folder)}): stop it,"
                " or choose another folder with --data"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def stack_clock(folder: Path) -> ClockSetting:
    """The domain clock: the environment's TALLYGATE_CLOCK, else that of the folder's stack."""
    state = read_state(folder)
    text = os.environ.get("TALLYGATE_CLOCK") or (state.clock if state else "")
    try:
        return clock_from_text(text)
    except ValueError as error:
        raise TallygateError(f"TALLYGATE_CLOCK: {error}") from error


def find_postgres(folder: Path, named: str | None) -> str:
    """The ledger's URL: the one named, else that of the stack in the folder."""
    if named:
        return named
    state = read_state(folder)
    if state is None:
        raise TallygateError(
            f"no stack has run in {folder}. Start one with `tallygate up`, name another folder"
            " with --data, or name the ledger with --postgres or TALLYGATE_POSTGRES_URL."
        )
    return state.postgres_url


def find_site(folder: Path, named: str | None) -> str:
    """The site: the one named, else that of the stack in the folder, else the demo's."""
    if named:
        return named
    state = read_state(folder)
    return state.site if state else "demo"


@contextlib.contextmanager
def open_ledger(url: str, site: str) -> Iterator[PostgresLedger]:
    """The site's ledger, with all rights of the URL's login. Raises TallygateError."""
    try:
        connection = connect(make_conninfo(url, connect_timeout=CONNECT_S))
    except psycopg.Error as error:
        raise TallygateError(
            f"PostgreSQL does not answer: {first_line(error)}. Is the stack running"
            " (`tallygate up`)? `tallygate doctor` says what was found."
        ) from error
    with connection:
        yield PostgresLedger(connection, site)


def unknown_site(site: str, known: Iterable[str]) -> str:
    """What to say of a site that the ledger does not have."""
    return (
        f"the ledger has no site {site!r}; it has {', '.join(sorted(known))}. Name one with --site"
        " or TALLYGATE_SITE."
    )


@contextlib.contextmanager
def told_errors() -> Iterator[None]:
    """Say in words what a database refused, and what to do about it."""
    try:
        yield
    except NOT_MIGRATED as error:
        raise TallygateError(
            "this database holds no ledger. Is it the right one (--postgres)? A new ledger is"
            " made by `python -m ledger_sink migrate`, which `tallygate up` does by itself."
        ) from error
    except TOO_OLD as error:
        raise TallygateError(
            f"the ledger is older than this program ({first_line(error)}). Bring it up with"
            " `python -m ledger_sink migrate`."
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise TallygateError(
            f"the database refuses: {first_line(error)}. Its login needs the role ledger_reader"
            " to look, ledger_bridge to import, ledger_appender to post and to release."
        ) from error
    except psycopg.OperationalError as error:
        raise TallygateError(
            f"PostgreSQL went away: {first_line(error)}. Try again when it runs."
        ) from error


def first_line(error: Exception) -> str:
    """The first line of what an error says, without its full stop."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
