"""Doors and loads live in the terminal, by load, item name and identity."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ledger_sink.postgres_ledger import PostgresLedger
from tallygate.ledger import find_postgres, open_ledger
from tallygate.loads_view import (
    LoadView,
    Names,
    ReferenceReader,
    clock_time,
    load_views,
    sentence,
    short,
)
from tallygate.words import language, word

EVERY_S = 0.5
"""A view that changes faster cannot be read."""
PASSAGES_MAX = 12
"""Newest passages shown."""
LOADS_MAX = 14
"""Loads shown: those under way first, then the next, then those that left."""
RANK = {"started": 0, "complete": 0, "waiting": 1, "left": 2}


def run_watch(
    folder: Path, postgres: str | None, site: str, asked: str | None, *, once: bool
) -> int:
    """Show it until Ctrl-C, or once."""
    spoken = language(asked)
    console = Console(highlight=False)
    with open_ledger(find_postgres(folder, postgres), site) as ledger:
        reader = ReferenceReader(ledger)
        if once:
            console.print(picture(ledger, reader.refresh(), spoken))
            return 0
        with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
            while True:
                live.update(picture(ledger, reader.refresh(), spoken), refresh=True)
                time.sleep(EVERY_S)


def picture(ledger: PostgresLedger, names: Names, spoken: str) -> Group:
    """Everything that is shown, of this moment."""
    zone = site_zone()
    views = load_views(ledger, names)
    views.sort(key=lambda view: (RANK.get(view.state, 1), view.opens_us))
    return Group(
        _loads(views[:LOADS_MAX], names, spoken, zone),
        _passages(ledger, names, spoken, zone),
        Text(word("quit", spoken), style="dim"),
    )


def site_zone() -> ZoneInfo:
    """The time zone in which times are said: TALLYGATE_ZONE, else UTC."""
    return ZoneInfo(os.environ.get("TALLYGATE_ZONE", "UTC"))


def _loads(views: list[LoadView], names: Names, spoken: str, zone: ZoneInfo) -> Table:
    table = Table(title=word("loads", spoken), expand=True)
    for column in ("load", "gate", "direction", "passed", "state"):
        table.add_column(word(column, spoken), no_wrap=True)
    table.add_column(word("discrepancies", spoken), ratio=1, overflow="fold")
    for view in views:
        open_troubles = [trouble for trouble in view.troubles if not trouble.closed]
        told = sentence(view, names, spoken, zone).split("; ", 1)
        table.add_row(
            view.load,
            names.place(view.gate),
            word(view.direction, spoken),
            f"{view.passed}/{view.expected}",
            word(view.state, spoken),
            told[1] if len(told) > 1 else "",
            style="red" if open_troubles else ("green" if view.state == "complete" else ""),
        )
    if not views:
        table.add_row("", "", "", "", "", word("nothing", spoken))
    return table


def _passages(ledger: PostgresLedger, names: Names, spoken: str, zone: ZoneInfo) -> Table:
    table = Table(title=word("passages", spoken), expand=True)
    for column in ("time", "gate", "direction", "load"):
        table.add_column(word(column, spoken), no_wrap=True)
    table.add_column(word("item", spoken), ratio=1, overflow="fold")
    table.add_column(word("identity", spoken), ratio=1, overflow="fold")
    rows: list[tuple[Any, ...]] = ledger.connection.execute(
        "select happened_us, location, identity, j.payload ->> 'direction',"
        " j.payload ->> 'load' from ledger.entries e,"
        " lateral ledger.json_of(e.payload) as j (payload)"
        " where e.site = %s and e.kind = 'location' and j.payload ->> 'kind' = 'passed'"
        " order by e.seq desc limit %s",
        (ledger.site, PASSAGES_MAX),
    ).fetchall()
    for at_us, gate, identity, direction, load in rows:
        table.add_row(
            clock_time(at_us, zone),
            names.place(gate),
            word(direction or "unknown", spoken),
            load or "",
            names.item(names.item_of.get(identity), spoken),
            short(identity),
        )
    return table
