"""What the commands that keep do: copies of the ledger, and evidence no longer than it shall be."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from rich.table import Table

from contracts.clock import MICROSECONDS
from ledger_sink import keeping
from ledger_sink.heads_file import HEADS, PUBLIC_KEY
from ledger_sink.verify import verify
from ledger_sink.verify_books import verify_books
from tallygate.auditing import LEDGER
from tallygate.database import kept_database
from tallygate.errors import TallygateError
from tallygate.ledger import (
    find_site,
    first_line,
    open_ledger,
    stack_clock,
    told_errors,
)
from tallygate.servers import postgres_embedded, postgres_real
from tallygate.servers.child import ServerNotFoundError
from tallygate.terminal import plain_console

DUMP = "ledger.dump"
"""The database's part of a copy."""


def run_months(data: Path, postgres: str | None) -> int:
    """Say which months of sightings the ledger holds, and how large they are."""
    with (
        kept_database(data, postgres) as url,
        open_ledger(url, "") as ledger,
        told_errors(),
    ):
        found = keeping.evidence_months(ledger.connection)
    table = Table(box=None)
    table.add_column("month")
    table.add_column("sightings", justify="right")
    table.add_column("MB", justify="right")
    for month in found:
        counted = f"{month.sightings:,}" if month.sightings >= 0 else "not counted yet"
        table.add_row(_name(month.from_us), counted, f"{month.size / 1e6:,.1f}")
    plain_console().print(table if found else "The ledger holds no sightings.")
    return 0


def run_forget(data: Path, postgres: str | None, before: str, *, dry_run: bool) -> int:
    """Remove the sightings of all months before one."""
    before_us = _month_us(before)
    at_us = stack_clock(data).domain_us(time.time_ns() // 1000)
    console = plain_console()
    with (
        kept_database(data, postgres) as url,
        open_ledger(url, "") as ledger,
        told_errors(),
    ):
        if dry_run:
            found = keeping.evidence_months(ledger.connection)
            gone = [_name(month.from_us) for month in found if month.to_us <= before_us]
            console.print(f"would be forgotten: {', '.join(gone) or 'nothing'}")
            return 0
        try:
            forgotten = keeping.forget_evidence(ledger.connection, before_us, at_us)
        except psycopg.errors.InvalidParameterValue as error:
            raise TallygateError(f"{first_line(error)}: name an earlier month") from error
        except psycopg.errors.LockNotAvailable as error:
            raise TallygateError(f"{first_line(error)}. Try again later.") from error
    for month in forgotten:
        name = month.name.removeprefix("evidence_").replace("_", "-")
        console.print(f"{name}: {month.sightings:,} sightings forgotten")
    if not forgotten:
        console.print(f"There are no sightings from before {before}.")
    return 0


def run_backup(data: Path, postgres: str | None, folder: Path) -> int:
    """Copy the ledger with its published heads and public key."""
    if folder.exists() and any(folder.iterdir()):
        raise TallygateError(f"{folder} is not empty: a copy never goes over one")
    console = plain_console()
    with kept_database(data, postgres) as url:
        with open_ledger(url, "") as ledger, told_errors():
            programs = _programs(ledger.connection.info.server_version)
        folder.mkdir(parents=True, exist_ok=True)
        # The heads first: what they protect is in the database by then.
        for name in (HEADS, PUBLIC_KEY):
            if (data / LEDGER / name).exists():
                shutil.copy2(data / LEDGER / name, folder / name)
        with _told_failures(), console.status("copying the ledger"):
            keeping.dump(url, folder / DUMP, programs)
    size = sum(path.stat().st_size for path in folder.iterdir())
    console.print(f"The ledger is in {folder} ({size / 1e6:,.1f} MB).")
    if not (folder / HEADS).exists():
        console.print(
            f"[yellow]{data / LEDGER} holds no published heads: put them beside it.[/yellow]"
        )
    return 0


def run_restore(data: Path, postgres: str, site: str | None, folder: Path) -> int:
    """Bring a copy into an empty database, and verify it against the heads beside it."""
    if not (folder / DUMP).exists():
        raise TallygateError(f"{folder} holds no {DUMP}: `tallygate backup` makes such a folder")
    console = plain_console()
    with open_ledger(postgres, "") as ledger:
        programs = _programs(ledger.connection.info.server_version)
    with _told_failures(), told_errors(), console.status("bringing the ledger back"):
        keeping.restore(postgres, folder / DUMP, programs)
    console.print("The ledger is in the database.")
    if not (folder / HEADS).exists() or not (folder / PUBLIC_KEY).exists():
        console.print("[yellow]Not verified: the copy holds no published heads.[/yellow]")
        return 0
    with told_errors():
        report = verify(postgres, find_site(data, site), folder / HEADS, folder / PUBLIC_KEY)
        findings = [*report.findings, *verify_books(postgres, report.site).findings]
    for finding in findings:
        console.out(f"- {finding.fault}: {finding.text}", style="red")
    if findings:
        return 1
    console.print(f"[green]{report.entries:,} entries of {report.site} are whole.[/green]")
    return 0


def _programs(server_version: int) -> Path:
    """PostgreSQL's own programs that fit a server; Raises TallygateError."""
    wanted = server_version // 10_000
    for find in (postgres_real.find_programs, postgres_embedded.find_programs):
        try:
            programs = find()
        except ServerNotFoundError:
            continue
        if (programs / "pg_dump").exists() and keeping.version_of(programs) == wanted:
            return programs
    raise TallygateError(
        f"no pg_dump of PostgreSQL {wanted} on this machine: install its client programs"
        f" (Debian: postgresql-client-{wanted})"
    )


@contextlib.contextmanager
def _told_failures() -> Iterator[None]:
    """Say in words what went wrong with a copy."""
    try:
        yield
    except keeping.KeepingError as error:
        raise TallygateError(str(error)) from error


def _month_us(text: str) -> int:
    try:
        first = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    except ValueError as error:
        raise TallygateError(f"--before {text!r} is no month such as 2026-03") from error
    return int(first.timestamp()) * MICROSECONDS


def _name(from_us: int) -> str:
    return f"{datetime.fromtimestamp(from_us / MICROSECONDS, UTC):%Y-%m}"
