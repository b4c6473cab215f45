"""Posting files: read, checked whole, entered in order. Read me first for `tallygate post`."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from contracts.clock import ClockSetting
from ledger_sink.books import Books
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.posting import DocumentPosting, PostedDocument
from ledger_sink.queries import sites
from tallygate.company_check import CompanyCheck
from tallygate.company_entry import enter_master_data
from tallygate.company_file import SAMPLE, CompanyFile, Read, open_company_file
from tallygate.database import has_own, ledger_database, sign_head
from tallygate.errors import TallygateError
from tallygate.ledger import (
    open_ledger,
    read_state,
    stack_clock,
    told_errors,
    unknown_site,
)
from tallygate.terminal import plain_console
from tallygate.words import counted, language, word

BATCH = 200
"""Documents that are entered in one go: other writers wait so long for the chain's head."""
SHOWN_MAX = 200
"""Mistakes and refusals that are told one by one; of more a person reads none."""
ENTERED, KNOWN = "entered", "known"


@dataclass(frozen=True, kw_only=True)
class PostSettings:
    """What a person asked for."""

    files: tuple[Path, ...]
    sample: bool
    dry_run: bool
    folder: Path
    postgres: str | None
    site: str
    language: str | None


class FileMistakesError(TallygateError):
    """Files have mistakes; the message lists them all. Nothing was entered."""


def run_post(settings: PostSettings) -> int:
    """Post the files; 0 where all is in the ledger, 1 where some was refused."""
    console, spoken = plain_console(), language(settings.language)
    if settings.sample == bool(settings.files):
        raise TallygateError("name files to post, or --sample for the company that ships with it")
    files = [open_company_file(path) for path in (SAMPLE if settings.sample else settings.files)]
    clock = stack_clock(settings.folder)
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(_database(settings, console))
        ledger = stack.enter_context(open_ledger(url, settings.site))
        stack.enter_context(told_errors())
        _expect_site(ledger, files)
        with console.status(word("checking", spoken)) if console.is_terminal else nullcontext():
            check = _checked(files)
        if settings.dry_run:
            stack.enter_context(ledger.connection.transaction(force_rollback=True))
        changed = enter_master_data(ledger, (file.company for file in files), _now(clock))
        posted = _post(console, ledger, files, check.documents, clock, spoken)
        freed = DocumentPosting(Books(ledger)).release_expired(_now(clock))
        if not settings.dry_run:
            sign_head(settings.folder, ledger)
    _say(console, settings, changed, posted, spoken)
    if freed:
        console.print(counted("order_released", "orders_released", len(freed), spoken))
    return 0 if all(one.outcome in {ENTERED, KNOWN} for _, one in posted) else 1


@contextlib.contextmanager
def _database(settings: PostSettings, console: Console) -> Iterator[str]:
    """The ledger's database; for a dry run without one, an empty one that is thrown away."""
    folder = settings.folder
    with contextlib.ExitStack() as stack:
        is_there = settings.postgres or has_own(folder) or read_state(folder) is not None
        if settings.dry_run and not is_there:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tallygate-")))
            # PostgreSQL may run as an account of its own, which must reach its data.
            folder.chmod(0o711)

        def tell(text: str) -> None:
            console.print(text, markup=False, style="dim")

        yield stack.enter_context(ledger_database(folder, settings.postgres, tell))


def _now(clock: ClockSetting) -> int:
    return clock.domain_us(time.time_ns() // 1000)


def _expect_site(ledger: PostgresLedger, files: Iterable[CompanyFile]) -> None:
    """A new site begins with its places; else its name is rather a slip of the pen."""
    known = sites(ledger)
    if known and ledger.site not in known and not any(file.company.places for file in files):
        raise TallygateError(unknown_site(ledger.site, known))


def _checked(files: Iterable[CompanyFile]) -> CompanyCheck:
    """Look at all files before anything is entered. Raises FileMistakesError."""
    check = CompanyCheck()
    mistakes = [mistake for file in files for mistake in check.take(file)]
    if mistakes:
        shown = "\n".join(f"  {mistake}" for mistake in mistakes[:SHOWN_MAX])
        more = len(mistakes) - SHOWN_MAX
        last = f"\n  and {more} more" if more > 0 else ""
        many = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes):,} mistakes"
        raise FileMistakesError(f"{many}, nothing was entered:\n{shown}{last}")
    return check


def _post(
    console: Console,
    ledger: PostgresLedger,
    files: Iterable[CompanyFile],
    total: int,
    clock: ClockSetting,
    spoken: str,
) -> list[tuple[str, PostedDocument]]:
    """Post all documents in order, and show how far it is; each with where it stands."""
    posting = DocumentPosting(Books(ledger))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    posted: list[tuple[str, PostedDocument]] = []
    shown = Progress(*columns, TimeElapsedColumn(), console=console, transient=True)
    shown.disable = not console.is_terminal
    with shown:
        task = shown.add_task(word("documents", spoken), total=total)
        for batch in _batches(files):
            done = len(posted)
            documents = [read.document for read in batch if read.document is not None]

            def told(count: int, done: int = done) -> None:
                shown.update(task, completed=done + count)

            outcomes = posting.post(documents, _now(clock), told)
            posted += zip((read.where for read in batch), outcomes, strict=True)
    return posted


def _batches(files: Iterable[CompanyFile]) -> Iterator[list[Read]]:
    documents = (read for file in files for read in file.documents() if read.document is not None)
    while batch := list(islice(documents, BATCH)):
        yield batch


def _say(
    console: Console,
    settings: PostSettings,
    changed: int,
    posted: list[tuple[str, PostedDocument]],
    spoken: str,
) -> None:
    """What became of it."""
    outcomes = Counter(sorted(one.outcome for _, one in posted))
    parts = [counted("master_record", "master_records", changed, spoken)] if changed else []
    parts += [
        word(f"documents_{outcome}", spoken, f"{count:,}") for outcome, count in outcomes.items()
    ]
    lead = word("dry_run", spoken) if settings.dry_run else settings.site
    console.print(f"{lead}: {', '.join(parts) or word('nothing_to_post', spoken)}", markup=False)
    refused = [(where, one) for where, one in posted if one.outcome not in {ENTERED, KNOWN}]
    for where, one in refused[:SHOWN_MAX]:
        console.print(f"  {where}: {one.problem}", markup=False, style="red", soft_wrap=True)
    if len(refused) > SHOWN_MAX:
        console.print(f"  {word('more', spoken, len(refused) - SHOWN_MAX)}", markup=False)
