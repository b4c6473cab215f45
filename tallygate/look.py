"""Commands that look into the ledger: verify, trace, stats; and import."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

from contracts.clock import REAL_TIME
from contracts.codec import decode_json
from contracts.events import Sighting
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.verify import verify
from tallygate.errors import TallygateError
from tallygate.intake import import_reference, read_files
from tallygate.ledger import find_postgres, open_ledger
from tallygate.loads_view import Names, ReferenceReader, clock_time, short
from tallygate.report import latency_text
from tallygate.watch import site_zone
from tallygate.words import language, word

IDENTITIES_MAX = 20
"""How many identities an ambiguous end of an identity names."""


def run_verify(
    folder: Path, postgres: str | None, site: str, heads: Path | None, public_key: Path | None
) -> int:
    """Verify the chain; 0 where it is whole, 1 where it is not."""
    console = Console(highlight=False)
    url = find_postgres(folder, postgres)
    heads = heads or folder / "ledger" / "heads.jsonl"
    public_key = public_key or folder / "ledger" / "public.pem"
    try:
        report = verify(url, site, heads, public_key)
    except (OSError, ValueError) as error:
        raise TallygateError(
            f"the public key or the heads cannot be read: {error}. Name them with --public-key"
            " and --heads."
        ) from error
    except psycopg.Error as error:
        raise TallygateError(f"the ledger cannot be read: {str(error).strip()}") from error
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
        return 0
    console.print("[red]The ledger is not what was entered:[/red]")
    for finding in report.findings:
        console.print(f"- {finding.fault}: {finding.text}", markup=False)
    return 1


def run_trace(
    folder: Path, postgres: str | None, site: str, identity: str, asked: str | None
) -> int:
    """Tell an item's life."""
    console = Console(highlight=False)
    spoken = language(asked)
    with open_ledger(find_postgres(folder, postgres), site) as ledger:
        whole = _whole_identity(ledger, identity)
        names = ReferenceReader(ledger).refresh()
        item = names.item(names.item_of.get(whole), spoken)
        console.print(f"{whole}  {item}", markup=False)
        pallet = names.pallets.get(whole)
        if pallet and pallet != whole:
            console.print(f"{word('pallet', spoken)}: {short(pallet)}", markup=False)
        console.print(_life(ledger, names, whole, spoken))
    return 0


def run_stats(folder: Path, postgres: str | None, site: str) -> int:
    """What the ledger holds."""
    console = Console(highlight=False)
    with open_ledger(find_postgres(folder, postgres), site) as ledger:
        table = Table(show_header=False, box=None)
        for kind, count in _rows(ledger, "select kind, entries from ledger.counts where site = %s"):
            table.add_row(f"entries: {kind}", f"{count:,}")
        for name, count in _rows(ledger, "select name, count from ledger.tallies where site = %s"):
            table.add_row(name.replace("_", " "), f"{count:,}")
        ((sightings, reads),) = _rows(
            ledger,
            "select count(*), coalesce(sum(reads), 0)::bigint from ledger.evidence where site = %s",
        )
        table.add_row("sightings", f"{sightings:,}")
        table.add_row("reads in them", f"{reads:,}")
        table.add_row("read to entry (domain time)", latency_text(ledger, 1.0))
        console.print(table)
        query = (
            "select reason, count(*) from ledger.rejects where site = %s"
            " group by reason order by 2 desc limit 10"
        )
        for reason, count in _rows(ledger, query):
            console.print(f"rejected {count:,}: {reason}", markup=False)
        query = "select device, state, detail from ledger.device_states where site = %s order by 1"
        for device, state, detail in _rows(ledger, query):
            console.print(f"device {device}: {state} {detail}", markup=False)
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
    console = Console(highlight=False)
    if dry_run:
        found = read_files(site_file, items, loads)
    else:
        with open_ledger(find_postgres(folder, postgres), site) as ledger:
            at_us = REAL_TIME.domain_us(time.time_ns() // 1000)
            found = import_reference(
                ledger, site_file=site_file, items=items, loads=loads, at_us=at_us
            )
    done = "would be taken" if dry_run else "taken"
    console.print(
        f"{done}: {'the site map, ' if found.site else ''}{len(found.items):,} items,"
        f" {len(found.loads):,} loads with {sum(len(load.lines) for load in found.loads):,} lines"
    )
    return 0


def _rows(ledger: PostgresLedger, query: Any) -> list[tuple[Any, ...]]:
    return ledger.connection.execute(query, (ledger.site,)).fetchall()


def _whole_identity(ledger: PostgresLedger, text: str) -> str:
    """The identity that is meant: itself, or the only one that ends so."""
    pattern = "%" + text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    found = [
        row[0]
        for row in ledger.connection.execute(
            "select distinct identity from ledger.evidence where site = %s and"
            " (identity = %s or identity like %s) order by 1 limit %s",
            (ledger.site, text, pattern, IDENTITIES_MAX),
        )
    ]
    if text in found:
        return text
    if len(found) == 1:
        return str(found[0])
    if not found:
        raise TallygateError(f"nothing was ever read of an identity that ends in {text!r}")
    listed = "\n  ".join(found)
    raise TallygateError(f"{text!r} may mean one of several; say which:\n  {listed}")


def _life(ledger: PostgresLedger, names: Names, identity: str, spoken: str) -> Table:
    zone = site_zone()
    table = Table()
    for column in ("#", word("time", spoken), "entry", word("location", spoken), "why, evidence"):
        table.add_column(column, overflow="fold")
    query = (
        "select e.seq, e.happened_us, e.kind, e.location, j.payload, e.id from ledger.entries e,"
        " lateral ledger.json_of(e.payload) as j (payload) where e.site = %s and"
        " (e.identity = %s or j.payload -> 'identities' ? %s) order by e.happened_us, e.seq"
    )
    rows = ledger.connection.execute(query, (ledger.site, identity, identity)).fetchall()
    for seq, at_us, kind, location, payload, entry in rows:
        said = payload.get("kind") or payload.get("problem") or payload.get("reason") or kind
        if payload.get("direction"):
            said += f" {word(payload['direction'], spoken)}"
        load = payload.get("load")
        why = [payload.get("basis") or "", f"{word('load', spoken)} {load}" if load else ""]
        why += ["late"] if payload.get("late") else []
        why += [_sighting(row[0]) for row in _sightings(ledger, entry)]
        table.add_row(
            str(seq),
            clock_time(at_us, zone),
            word(said, spoken),
            names.place(location or ""),
            "\n".join(filter(None, why)),
        )
    query = (
        "select count(*), coalesce(sum(reads), 0)::bigint from ledger.evidence"
        " where site = %s and identity = %s and entry is null"
    )
    ((quiet, reads),) = ledger.connection.execute(query, (ledger.site, identity)).fetchall()
    table.caption = f"and {quiet} sightings ({reads} reads) that changed nothing"
    return table


def _sightings(ledger: PostgresLedger, entry: str) -> list[tuple[Any, ...]]:
    return ledger.connection.execute(
        "select payload from ledger.evidence where site = %s and entry = %s order by first_us",
        (ledger.site, entry),
    ).fetchall()


def _sighting(payload: bytes) -> str:
    """A sighting in one line: which antennas, how often, how strong."""
    sighting = decode_json(Sighting, payload)
    parts = []
    for antenna in sighting.antennas:
        strength = (
            "" if antenna.strongest_cdbm is None else f", {antenna.strongest_cdbm / 100:.0f} dBm"
        )
        parts.append(f"{antenna.device}/{antenna.antenna}: {antenna.count} times{strength}")
    seconds = (sighting.last_us - sighting.first_us) / 1e6
    return f"{'; '.join(parts)} within {seconds:.1f} s"
