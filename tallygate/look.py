"""Commands that look into the ledger: trace, stats; and import."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from ledger_sink import queries
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.redaction import Persons
from ledger_sink.tracing import (
    StockMove,
    Subject,
    is_item,
    made_of,
    movements_of,
    subject_of,
    went_into,
)
from tallygate.database import kept_database, look_into
from tallygate.errors import TallygateError
from tallygate.figures import print_stats
from tallygate.identity import find_identity, readings
from tallygate.intake import Imported, put_reference, read_files
from tallygate.ledger import (
    open_ledger,
    stack_clock,
    told_errors,
    unknown_site,
)
from tallygate.names import ReferenceReader
from tallygate.stock_trace import print_movements, print_relations
from tallygate.terminal import plain_console
from tallygate.trace import print_life
from tallygate.watch import site_zone
from tallygate.words import language


class Asked(NamedTuple):
    """What `tallygate trace` was asked for beside the identity."""

    batch: str = ""
    """The batch; the identity is then an item's number."""
    is_back: bool = False
    """Whether to tell what it is made of."""
    is_forward: bool = False
    """Whether to tell what it went into."""


def run_trace(
    folder: Path,
    postgres: str | None,
    site: str,
    identity: str,
    asked: Asked,
    spoken_as: str | None,
) -> int:
    """Tell an item's life: what was seen of it, and what the books say."""
    spoken, zone = language(spoken_as), site_zone()
    console = plain_console()
    with look_into(folder, postgres, site) as ledger:
        subject = _subject(ledger, identity, asked.batch)
        if subject is None or subject.serial:
            known = find_identity(ledger, identity, is_booked=subject is not None)
            life = queries.trace(ledger, known)
            names = ReferenceReader(ledger).refresh()
            print_life(console, life, names, spoken, zone)
        if subject is not None:
            print_movements(console, subject, _movements(ledger, subject), spoken, zone)
            if asked.is_back:
                print_relations(console, "made_of", made_of(ledger, subject), spoken, zone)
            if asked.is_forward:
                print_relations(console, "went_into", went_into(ledger, subject), spoken, zone)
        elif asked.is_back or asked.is_forward:
            raise TallygateError(
                f"the books do not know {identity!r}: --back and --forward need an item with"
                " --batch, or the identity of a piece whose item the books have"
            )
    return 0


def _movements(ledger: PostgresLedger, subject: Subject) -> list[StockMove]:
    """What moved of it; who did it by name, as far as the login may know names."""
    moves = movements_of(ledger, subject)
    names = Persons(ledger).names(move.person for move in moves)
    return [move._replace(person=names.get(move.person, move.person)) for move in moves]


def _subject(ledger: PostgresLedger, text: str, batch: str) -> Subject | None:
    """What a text means to the books: an item's number, or an identity of a piece."""
    if is_item(ledger, text):
        return Subject(text, batch)
    if batch:
        raise TallygateError(f"the books have no item {text!r}; --batch goes with an item's number")
    found = (subject_of(ledger, reading) for reading in readings(text))
    return next((subject for subject in found if subject is not None), None)


def run_stats(folder: Path, postgres: str | None, site: str) -> int:
    """What the ledger holds."""
    clock, zone = stack_clock(folder), site_zone()
    with look_into(folder, postgres, site) as ledger:
        found = queries.stats(ledger)
    print_stats(plain_console(), site, found, clock, zone, folder)
    return 0


def run_import(
    folder: Path,
    postgres: str | None,
    site: str,
    site_file: Path | None,
    items: Path | None,
    loads: Path | None,
    *,
    dry_run: bool,
) -> int:
    """Take files into the reference."""
    if not (site_file or items or loads):
        raise TallygateError("name at least one of --site-file, --items and --loads")
    if dry_run:
        found = _checked(site, site_file, items, loads, frozenset())
    else:
        clock = stack_clock(folder)
        with (
            kept_database(folder, postgres) as url,
            open_ledger(url, site) as ledger,
            told_errors(),
        ):
            known = queries.sites(ledger)
            if known and site not in known and site_file is None:
                # A new site begins with its places: this is rather a slip of the pen.
                raise TallygateError(unknown_site(site, known))
            gates = frozenset(gate.id for gate in ReferenceReader(ledger).refresh().gates)
            found = _checked(site, site_file, items, loads, gates)
            put_reference(ledger, found, clock.domain_us(time.time_ns() // 1000))
    done = "would be taken" if dry_run else "taken"
    parts = ["the site map"] if found.site else []
    parts += [_many(len(found.items), "item")] if items else []
    lines = sum(len(load.lines) for load in found.loads)
    parts += [f"{_many(len(found.loads), 'load')} with {_many(lines, 'line')}"] if loads else []
    plain_console().print(f"{done}: {', '.join(parts)}")
    return 0


def _checked(
    site: str,
    site_file: Path | None,
    items: Path | None,
    loads: Path | None,
    gates: frozenset[str],
) -> Imported:
    found = read_files(site_file, items, loads, gates)
    if found.site is not None and found.site.site != site:
        raise TallygateError(
            f"{site_file} is of the site {found.site.site!r}, not {site!r}: name it with --site"
            " or TALLYGATE_SITE"
        )
    return found


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
