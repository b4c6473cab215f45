"""What `tallygate redact` does: whom the ledger knows, for how long, and forgetting them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import psycopg
from rich.console import Console
from rich.table import Table

from contracts.persons import PersonUse
from ledger_sink.core.redaction import Person, found
from ledger_sink.redaction import Persons, RedactionError, RetentionTime
from tallygate.database import look_into
from tallygate.errors import TallygateError
from tallygate.ledger import first_line, stack_clock, told_errors
from tallygate.terminal import plain_console

EXPIRED = "its retention time is over"
"""The reason where nobody asked."""


class Wish(NamedTuple):
    """What the command was given."""

    persons: tuple[str, ...] = ()
    """Sign-in ids or pseudonyms to forget."""
    is_expired: bool = False
    """True: forget everybody whose retention time is over."""
    is_dry_run: bool = False
    """True: only say who it would be."""
    by: str = ""
    """Who asks for it."""
    reason: str = ""
    """Why."""
    is_early: bool = False
    """True: although a law wants it kept."""
    keep: tuple[str, ...] = ()
    """Retention times to set, as `work=730`."""
    by_law: bool = False
    """True: a law asks for them."""
    is_check: bool = False
    """True: look for payloads that name persons in clear."""


def run_redact(data: Path, postgres: str | None, site: str, wish: Wish) -> int:
    """List, set times, look, or forget. 1: payloads name persons in clear."""
    times = [_time(text, by_law=wish.by_law) for text in wish.keep]
    at_us = stack_clock(data).domain_us(time.time_ns() // 1000)
    console = plain_console()
    with look_into(data, postgres, site) as ledger, told_errors(), _told_role():
        persons = Persons(ledger)
        if wish.is_check:
            return _check(console, persons)
        for one in times:
            persons.keep(one)
            console.print(f"{one.use}: kept {one.days:,} days behind its last use")
        if not (times or wish.persons or wish.is_expired):
            _list(console, persons)
            return 0
        chosen = _chosen(persons, wish, at_us)
        if wish.is_dry_run:
            for each in chosen:
                console.out(f"would be forgotten: {_words(each, at_us)}")
        elif chosen:
            _forget(console, persons, chosen, wish, at_us)
        if wish.is_expired and not chosen:
            console.print("Nobody's retention time is over.")
    return 0


@contextmanager
def _told_role() -> Iterator[None]:
    """Say which role the login needs. Raises TallygateError."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise TallygateError(
            f"the database refuses: {first_line(error)}. Persons are for logins with the role"
            " ledger_privacy, to which the site was granted."
        ) from error


def _forget(
    console: Console, persons: Persons, chosen: Sequence[Person], wish: Wish, at_us: int
) -> None:
    reason = wish.reason or (EXPIRED if wish.is_expired and not wish.persons else "")
    if not wish.by or not reason:
        raise TallygateError("say who asks for it (--by) and why (--reason): both are entered")
    for person in chosen:
        try:
            seq = persons.redact(
                person.pseudonym,
                by=wish.by,
                reason=reason,
                at_us=at_us,
                early=wish.is_early,
            )
        except RedactionError as error:
            hint = " Give --early and the reason to do it all the same." * (
                person.is_kept_by_law(at_us) and not wish.is_early
            )
            raise TallygateError(f"{person.pseudonym} is not forgotten: {error}.{hint}") from error
        console.out(f"{person.pseudonym} stands for nobody any more: entry {seq} says so")
    if not persons.scrub():
        console.print(
            "Deleted rows remain in the table's file until its owner runs"
            " VACUUM (FULL, ANALYZE) ledger.persons."
        )
    console.print("Copies that were made before still know them: see docs/compliance.md.")


def _chosen(persons: Persons, wish: Wish, at_us: int) -> list[Person]:
    """Who is to be forgotten, each once. Raises TallygateError for somebody who is not there."""
    known = persons.known()
    chosen = {one.pseudonym: one for one in known if wish.is_expired and one.is_expired(at_us)}
    for name in wish.persons:
        person = found(known, name)
        if person is None:
            raise TallygateError(
                f"the ledger knows nobody with the sign-in id or pseudonym {name!r}; `tallygate"
                " redact` lists whom it knows"
            )
        if person.person is None:
            raise TallygateError(f"{name} was forgotten before")
        chosen[person.pseudonym] = person
    return list(chosen.values())


def _list(console: Console, persons: Persons) -> None:
    known = persons.known()
    table = Table(box=None)
    for column in ("pseudonym", "sign-in id", "name", "kept until", "by law until"):
        table.add_column(column)
    for one in known:
        there = one.person is not None
        table.add_row(
            one.pseudonym,
            one.person if there else "(forgotten)",
            one.name or "",
            _day(one.until_us) if there else "",
            _day(one.legal_us) if there and one.legal_us else "",
        )
    console.print(table if known else "The ledger knows no persons.")
    for time_ in persons.retention_times():
        law = ", by law" if time_.is_legal else ""
        console.print(f"{time_.use}: kept {time_.days:,} days behind its last use{law}")


def _check(console: Console, persons: Persons) -> int:
    in_clear = persons.in_clear()
    if not in_clear:
        console.print("No payload names a person in clear.")
        return 0
    console.print("Payloads that name persons in clear, of which nothing can be forgotten:")
    for one in in_clear:
        console.out(
            f"- {one.entries:,} of kind {one.kind}, field {one.part},"
            f" entries {one.first_seq} to {one.last_seq}"
        )
    return 1


def _time(text: str, *, by_law: bool) -> RetentionTime:
    """What `work=730` says. Raises TallygateError."""
    use, _, days = text.partition("=")
    uses = [one.value for one in PersonUse]
    if use not in uses or not (days.isascii() and days.isdecimal()) or not 0 < int(days) < 100_000:  # noqa: PLR2004
        raise TallygateError(
            f"--keep is {', '.join(f'{one}=DAYS' for one in uses)} with 1 to 99999 days, not"
            f" {text!r}"
        )
    return RetentionTime(PersonUse(use), int(days), by_law)


def _words(person: Person, at_us: int) -> str:
    names = ", ".join(name for name in (person.person, person.name) if name)
    law = f", by law until {_day(person.legal_us)}" if person.is_kept_by_law(at_us) else ""
    return f"{person.pseudonym} ({names}), kept until {_day(person.until_us)}{law}"


def _day(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, UTC).date().isoformat()
