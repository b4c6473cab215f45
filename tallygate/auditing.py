"""Commands for who does not take our word: verify, export, prove."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import psycopg
from rich.console import Console
from rich.progress import Progress

from contracts.codec import canonical
from ledger_sink.core.export import ExportError
from ledger_sink.export import export
from ledger_sink.heads_file import HEADS, PUBLIC_KEY
from ledger_sink.verify import ProofReport, VerifyReport, prove, verify, verify_file, verify_proof
from ledger_sink.verify_books import verify_books
from tallygate.database import kept_database, look_into
from tallygate.errors import TallygateError
from tallygate.ledger import stack_clock, told_errors
from tallygate.terminal import plain_console

LEDGER = "ledger"
"""The folder, in a stack's, of what the ledger publishes."""


class Published(NamedTuple):
    """Where what the ledger published lies; None: in the stack's folder."""

    folder: Path
    heads: Path | None
    public_key: Path | None

    def heads_path(self) -> Path:
        """The published heads. Raises TallygateError."""
        return self._there(self.heads or self.folder / LEDGER / HEADS, "--heads")

    def key_path(self) -> Path:
        """The public key. Raises TallygateError."""
        return self._there(self.public_key or self.folder / LEDGER / PUBLIC_KEY, "--public-key")

    def _there(self, path: Path, option: str) -> Path:
        if path.exists():
            return path
        raise TallygateError(
            f"{path} does not exist. Without what the ledger published nothing can be proved:"
            f" name the copy with {option}, or the stack's folder with --data."
        )


def run_verify(published: Published, postgres: str | None, site: str) -> int:
    """Verify the chain in the database; 0 where it is whole, 1 where it is not."""
    key, heads = published.key_path(), published.heads_path()
    with _ledger_of(published.folder, postgres, site) as url:
        return _told(lambda: verify(url, site, heads, key))


def run_verify_balances(folder: Path, postgres: str | None, site: str) -> int:
    """Recompute the books from their entries; 0 where they are right."""
    console = plain_console()
    with _ledger_of(folder, postgres, site) as url, told_errors():
        report = verify_books(url, site)
    console.print(f"{report.movements:,} movements and {report.vouchers:,} vouchers recomputed")
    if not report.findings:
        console.print("[green]The books are what the entries say.[/green]")
        return 0
    console.print("[red]The books are not what the entries say:[/red]")
    for finding in report.findings:
        console.out(f"- {finding.fault}: {finding.text}")
    return 1


def run_verify_file(published: Published, path: Path) -> int:
    """Verify an exported file: no database is asked."""
    key, heads = published.key_path(), published.heads_path()
    return _told(lambda: verify_file(path, heads, key))


def run_verify_proof(published: Published, path: Path) -> int:
    """Verify the proof of one entry: the public key is all that is needed."""
    console = plain_console()
    heads = published.heads or published.folder / LEDGER / HEADS
    try:
        report = verify_proof(path, published.key_path(), heads if heads.exists() else None)
    except (OSError, ValueError) as error:
        raise TallygateError(f"{path} or the public key cannot be read: {error}") from error
    if isinstance(report, str):
        console.out(f"{path} proves nothing: {report}", style="red")
        return 1
    _print_proof(console, report)
    return 1 if report.is_published is False else 0


def run_export(folder: Path, postgres: str | None, site: str, path: Path) -> int:
    """Write the ledger to a file."""
    clock = stack_clock(folder)
    at_us = clock.domain_us(time.time_ns() // 1000)
    console = plain_console()
    try:
        with (
            _ledger_of(folder, postgres, site) as url,
            told_errors(),
            Progress(console=console, transient=True) as progress,
        ):
            task = progress.add_task("entries", total=None)
            count = export(
                url,
                site,
                path,
                at_us=at_us,
                told=lambda done, total: progress.update(task, completed=done, total=total),
            )
    except OSError as error:
        raise TallygateError(f"{path} cannot be written: {error}") from error
    console.out(
        f"{count:,} entries are in {path}. Verify it anywhere with `tallygate verify --file"
        f" {path} --heads {HEADS} --public-key {PUBLIC_KEY}`.",
    )
    return 0


def run_prove(published: Published, postgres: str | None, site: str, entry: str, path: Path) -> int:
    """Write the proof of one entry to a file."""
    heads, key = published.heads_path(), published.key_path()
    try:
        with _ledger_of(published.folder, postgres, site) as url, told_errors():
            proof = prove(url, heads, key, site, entry)
        if isinstance(proof, str):
            raise TallygateError(proof)
        path.write_bytes(canonical(proof) + b"\n")
    except (OSError, ValueError) as error:
        raise TallygateError(f"the proof cannot be made: {error}") from error
    plain_console().out(
        f"the proof of entry {proof.entry.seq} is in {path}. Verify it anywhere with `tallygate"
        f" verify --proof {path} --public-key {PUBLIC_KEY}`.",
    )
    return 0


@contextlib.contextmanager
def _ledger_of(folder: Path, postgres: str | None, site: str) -> Iterator[str]:
    """The URL of a ledger that is there and knows the site. Raises TallygateError."""
    with kept_database(folder, postgres) as url:
        with look_into(folder, url, site):
            pass
        yield url


def _told(check: Callable[[], VerifyReport]) -> int:
    """What a verification found, said; 0 where the ledger is whole, 1 where it is not."""
    try:
        with told_errors():
            report = check()
    except ExportError as error:
        raise TallygateError(str(error)) from error
    except (OSError, ValueError) as error:
        raise TallygateError(
            f"a file cannot be read: {error}. The public key is named with --public-key, the"
            " published heads with --heads, an exported ledger with --file."
        ) from error
    except psycopg.Error as error:
        raise TallygateError(f"the ledger cannot be read: {str(error).strip()}") from error
    _print_verified(plain_console(), report)
    return 0 if report.whole else 1


def _print_verified(console: Console, report: VerifyReport) -> None:
    console.print(
        f"{report.entries:,} entries, {report.heads:,} published heads,"
        f" {report.sightings:,} sightings compared with their digests"
    )
    if report.unprotected:
        console.print(
            f"not yet protected: {report.unprotected:,} entries after the last published head"
            f" (entry {report.protected:,})"
        )
    if report.whole:
        console.print("[green]The ledger is whole.[/green]")
        return
    console.print("[red]The ledger is not what was entered:[/red]")
    for finding in report.findings:
        console.out(f"- {finding.fault}: {finding.text}")


def _print_proof(console: Console, report: ProofReport) -> None:
    site, entry, head = report.proved
    about = f" about {entry.identity}" if entry.identity else ""
    happened = _moment(entry.happened_us)
    console.out(
        f"Entry {entry.seq} of site {site} ({entry.kind}{about}, happened {happened}) stands"
        f" under the head of entries {head.first} to {head.seq}."
    )
    console.out(entry.payload.decode(errors="replace"))
    match report.is_published:
        case True:
            console.print("[green]The head is one of the published ones.[/green]")
        case False:
            console.print("[red]The head is none of the published ones.[/red]")
        case None:
            console.print(
                "The public key signed it. Name the published heads with --heads to see that it"
                " was published."
            )


def _moment(us: int) -> str:
    """A time for people; no calendar has every time that an entry may bear."""
    try:
        return datetime.fromtimestamp(us / 1e6, UTC).isoformat(" ", "milliseconds")
    except (ValueError, OverflowError, OSError):
        return f"{us:,} microseconds from 1970"
