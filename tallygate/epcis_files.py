"""Commands for other companies' systems: check, capture, export and hash EPCIS 2.0 documents."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg
from rich.console import Console

from contracts.codec import UNDECODABLE
from contracts.epcis.checking import MISTAKES_MAX, check_document
from contracts.epcis.documents import encoded, events_of
from contracts.epcis.event_hash import event_hash
from contracts.epcis.limits import DEPTH_MAX
from contracts.epcis.times import microseconds, moment_of
from contracts.epcis.vocabulary import Json
from ledger_sink.epcis import Export, Slice, capture, export
from ledger_sink.postgres_ledger import PostgresLedger
from tallygate.database import kept_database, look_into
from tallygate.errors import TallygateError
from tallygate.identity import find_identity
from tallygate.ledger import (
    NOT_MIGRATED,
    TOO_OLD,
    first_line,
    open_ledger,
    stack_clock,
    told_errors,
)
from tallygate.terminal import plain_console

STANDARD_INPUT = Path("-")
UNTOLD_SHOWN_MAX = 20
"""Nobody reads more of them at once."""
ALL_FAIL = (*NOT_MIGRATED, *TOO_OLD, psycopg.errors.InsufficientPrivilege)
"""What the database says of every document and not of this one."""
FUTURE_US_MAX = 60_000_000
"""An event may be ahead of our clock by so much: clocks differ."""


def run_check(paths: list[Path]) -> int:
    """Say what is wrong with documents; 0 where nothing is."""
    console = plain_console()
    wrong = 0
    for path in paths:
        document, mistakes = _read(path)
        if isinstance(document, dict) and not mistakes:
            _tell(console, path, [f"good, {len(list(events_of(document))):,} events"])
            continue
        wrong += 1
        _tell(console, path, mistakes)
    return 1 if wrong else 0


def run_hash(path: Path) -> int:
    """The event hash id of each event in a document, a line each."""
    document = _good(path)
    for one in events_of(document):
        sys.stdout.write(event_hash(*one) + "\n")
    return 0


def run_capture(
    folder: Path, postgres: str | None, site: str, paths: list[Path], *, dry_run: bool
) -> int:
    """Enter the events of documents; a document with a mistake is not taken, the others are.

    Gives 0 where every event was taken or known.
    """
    console = plain_console()
    clock = stack_clock(folder)
    refused = 0
    with (
        kept_database(folder, postgres) as url,
        open_ledger(url, site) as ledger,
        told_errors(),
    ):
        for path in paths:
            document, mistakes = _read(path)
            now_us = clock.domain_us(time.time_ns() // 1000)
            if isinstance(document, dict) and not mistakes:
                mistakes = list(_of_the_future(document, now_us))
            if isinstance(document, dict) and not mistakes:
                try:
                    said, is_whole = _taken(ledger, document, now_us, dry_run=dry_run)
                except psycopg.Error as error:
                    if ledger.connection.closed or isinstance(error, ALL_FAIL):
                        raise
                    mistakes = [f"the database refuses it: {first_line(error)}"]
                else:
                    _tell(console, path, said)
                    refused += not is_whole
                    continue
            refused += 1
            _tell(console, path, [*mistakes, "not taken"])
    return 1 if refused else 0


def _tell(console: Console, path: Path, lines: list[str]) -> None:
    # The name of a file may be any bytes, and any text in it.
    name = str(path).encode(errors="replace").decode()
    for line in lines:
        console.out(f"{name}: {line}")


def _taken(
    ledger: PostgresLedger, document: dict[str, Json], now_us: int, *, dry_run: bool
) -> tuple[list[str], bool]:
    """What became of a document, in words, and whether all of it was taken or known."""
    if dry_run:
        return [f"good, {len(list(events_of(document))):,} events would be taken"], True
    done = capture(ledger, document, now_us)
    refused = len(done.refused)
    known = done.events - done.entered - refused
    told = f"{done.entered:,} events entered" + (f", {known:,} were known" if known else "")
    told += f", {refused:,} refused and kept as rejects" if refused else ""
    return [*(f"{one.text()}: refused" for one in done.refused), told], not refused


def run_export(
    folder: Path, postgres: str | None, site: str, path: Path, asked: tuple[str | None, ...]
) -> int:
    """Write a slice of the ledger as one EPCIS document. `asked`: identity, from, before."""
    identity, since, before = asked
    created = stack_clock(folder).domain_us(time.time_ns() // 1000)
    with look_into(folder, postgres, site) as ledger:
        wanted = Slice(
            identity=None if identity is None else find_identity(ledger, identity),
            from_us=_us(since, "--from"),
            before_us=_us(before, "--before"),
        )
        moment = datetime.fromtimestamp(created / 1e6, UTC).replace(tzinfo=None)
        done = export(ledger, wanted, created=moment.isoformat(timespec="milliseconds") + "Z")
    raw = encoded(done.document)
    try:
        if path == STANDARD_INPUT:
            sys.stdout.buffer.write(raw + b"\n")
        else:
            path.write_bytes(raw + b"\n")
    except OSError as error:
        raise TallygateError(f"{path} cannot be written: {error}") from error
    if path != STANDARD_INPUT:
        plain_console().out(f"{done.events:,} events are in {path}")
    for line in _not_whole(done):
        sys.stderr.write(f"tallygate: {line}\n")
    return 1 if done.untold or done.rehashed else 0


def _not_whole(done: Export) -> Iterator[str]:
    """What of the ledger a document does not say as the ledger does."""
    for one in done.untold[:UNTOLD_SHOWN_MAX]:
        yield f"entry {one.seq} ({one.id}) is not in the document: {one.reason}"
    if len(done.untold) > UNTOLD_SHOWN_MAX:
        yield f"and {len(done.untold) - UNTOLD_SHOWN_MAX:,} more entries are not in the document"
    if done.rehashed:
        yield (
            f"{done.rehashed:,} events have another event hash in this document than in the"
            " ledger: fields of theirs are left out in others (tallygate:ignoreFields). Export"
            " these by themselves, with --identity, --from or --before."
        )


def _read(path: Path) -> tuple[Json, list[str]]:
    """A document and what is wrong with it."""
    try:
        raw = sys.stdin.buffer.read() if path == STANDARD_INPUT else path.read_bytes()
    except OSError as error:
        return None, [f"cannot be read: {error.strerror or error}"]
    try:
        document: Json = msgspec.json.decode(raw)
    except RecursionError:
        return None, [f"is nested deeper than {DEPTH_MAX} levels"]
    except UNDECODABLE as error:
        return None, [f"not JSON: {error}. EPCIS in XML is not taken; convert it to JSON first."]
    mistakes = [mistake.text() for mistake in check_document(document)]
    if len(mistakes) >= MISTAKES_MAX:
        mistakes.append(f"and perhaps more: only the first {MISTAKES_MAX} are told")
    return document, mistakes


def _good(path: Path) -> dict[str, Json]:
    document, mistakes = _read(path)
    if mistakes or not isinstance(document, dict):
        told = "\n".join(f"  {mistake}" for mistake in mistakes)
        raise TallygateError(f"{path} is no EPCIS document that can be read:\n{told}")
    return document


def _of_the_future(document: dict[str, Json], now_us: int) -> Iterator[str]:
    for number, one in enumerate(events_of(document)):
        moment = moment_of(str(one.event.get("eventTime")))
        if moment is not None and microseconds(moment) > now_us + FUTURE_US_MAX:
            yield f"event {number}: its time {one.event['eventTime']} has not come yet"


def _us(text: str | None, option: str) -> int | None:
    """A time from the command line; without an offset it is in UTC."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise TallygateError(
            f"{option} is a time such as 2026-04-02T15:00:00+02:00, not {text!r}"
        ) from error
    return microseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
