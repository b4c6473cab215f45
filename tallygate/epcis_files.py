"""Commands for other companies' systems: check, capture, export and hash EPCIS 2.0 documents."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from contracts.codec import UNDECODABLE
from contracts.epcis.checking import MISTAKES_MAX, check_document
from contracts.epcis.documents import document_of, events_of
from contracts.epcis.event_hash import event_hash
from contracts.epcis.vocabulary import Json
from ledger_sink.epcis import Slice, capture, events
from ledger_sink.postgres_ledger import PostgresLedger
from tallygate.errors import TallygateError
from tallygate.identity import find_identity
from tallygate.ledger import find_postgres, look_into, open_ledger, stack_clock, told_errors
from tallygate.terminal import plain_console

STANDARD_INPUT = Path("-")
FUTURE_US_MAX = 60_000_000
"""An event may be ahead of our clock by so much: clocks differ."""


def run_check(paths: list[Path]) -> int:
    """Say what is wrong with documents; 0 where nothing is."""
    console = plain_console()
    wrong = 0
    for path in paths:
        document, mistakes = _read(path)
        count = len(list(events_of(document))) if isinstance(document, dict) else 0
        if not mistakes:
            console.print(f"{path}: good, {count:,} events", markup=False)
            continue
        wrong += 1
        for mistake in mistakes:
            console.print(f"{path}: {mistake}", markup=False, soft_wrap=True)
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
    """Enter the events of documents; a document with a mistake is not taken, the others are."""
    console = plain_console()
    clock = stack_clock(folder)
    refused = 0
    with open_ledger(find_postgres(folder, postgres), site) as ledger, told_errors():
        for path in paths:
            document, mistakes = _read(path)
            now_us = clock.domain_us(time.time_ns() // 1000)
            if isinstance(document, dict) and not mistakes:
                mistakes = list(_of_the_future(document, now_us))
            if not isinstance(document, dict) or mistakes:
                refused += 1
                for mistake in mistakes:
                    console.print(f"{path}: {mistake}", markup=False, soft_wrap=True)
                console.print(f"{path}: [red]not taken[/red]")
                continue
            console.print(f"{path}: {_taken(ledger, document, now_us, dry_run=dry_run)}")
    return 1 if refused else 0


def _taken(ledger: PostgresLedger, document: dict[str, Json], now_us: int, *, dry_run: bool) -> str:
    if dry_run:
        return f"good, {len(list(events_of(document))):,} events would be taken"
    done = capture(ledger, document, now_us)
    known = done.events - done.entered
    return f"{done.entered:,} events entered" + (f", {known:,} were known" if known else "")


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
        found = list(events(ledger, wanted))
    moment = datetime.fromtimestamp(created / 1e6, UTC).replace(tzinfo=None)
    raw = document_of(found, created=moment.isoformat(timespec="milliseconds") + "Z")
    if path == STANDARD_INPUT:
        sys.stdout.buffer.write(raw + b"\n")
        return 0
    try:
        path.write_bytes(raw + b"\n")
    except OSError as error:
        raise TallygateError(f"{path} cannot be written: {error}") from error
    plain_console().print(f"{len(found):,} events are in {path}", markup=False)
    return 0


def _read(path: Path) -> tuple[Json, list[str]]:
    """A document and what is wrong with it."""
    try:
        raw = sys.stdin.buffer.read() if path == STANDARD_INPUT else path.read_bytes()
    except OSError as error:
        raise TallygateError(f"{path} cannot be read: {error}") from error
    try:
        document: Json = msgspec.json.decode(raw)
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
        at_us = _us(str(one.event.get("eventTime")), "eventTime")
        if at_us is not None and at_us > now_us + FUTURE_US_MAX:
            yield f"event {number}: its time {one.event['eventTime']} has not come yet"


def _us(text: str | None, option: str) -> int | None:
    """A time from the command line."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise TallygateError(
            f"{option} is a time such as 2026-04-02T15:00:00+02:00, not {text!r}"
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1_000_000)
