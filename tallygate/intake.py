"""Master data and plans from a person's files into the ledger's reference."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from contracts.places import Item, Load, SiteMap
from contracts.site import SiteFile, read_site, site_map
from ledger_sink.ledger import Ledger
from tallygate.errors import TallygateError
from tallygate.reference import put, read_items, read_loads


class Imported(NamedTuple):
    """What a set of files holds."""

    site: SiteMap | None
    items: list[Item]
    loads: list[Load]


def load_site_file(path: Path) -> SiteFile:
    """The site file, or a TallygateError that tells all its mistakes."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TallygateError(f"{path}: cannot be read: {error}") from error
    read = read_site(text)
    if isinstance(read, SiteFile):
        return read
    told = "\n".join(f"  {mistake}" for mistake in read)
    raise TallygateError(f"{path} has {len(read)} mistakes:\n{told}")


def read_files(
    site_file: Path | None,
    items: Path | None,
    loads: Path | None,
    gates: frozenset[str] = frozenset(),
) -> Imported:
    """Check the files named; nothing is written. Raises TallygateError.

    Loads may name the gates of the site file, else `gates`; any gate where there are none.
    """
    places = site_map(load_site_file(site_file)) if site_file else None
    if places:
        gates = frozenset(gate.id for gate in places.gates)
    return Imported(
        site=places,
        items=read_items(items) if items else [],
        loads=read_loads(loads, gates or None) if loads else [],
    )


def put_reference(ledger: Ledger, found: Imported, at_us: int) -> None:
    """Put all that files held into the ledger's reference, or nothing; `at_us`: domain time."""
    places = [found.site] if found.site else []
    put(ledger, iter([*places, *found.items, *found.loads]), at_us)


def import_reference(
    ledger: Ledger,
    *,
    site_file: Path | None,
    items: Path | None,
    loads: Path | None,
    at_us: int,
) -> Imported:
    """Check the files and put all they hold into the ledger's reference, or nothing."""
    found = read_files(site_file, items, loads)
    put_reference(ledger, found, at_us)
    return found
