"""Which servers a stack on this machine would use, and what to do about what is missing."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tallygate.ledger import STATE
from tallygate.servers.find import Kind, Source, find_servers

FREE_BYTES_MIN = 2_000_000_000
"""Spools, the ledger and server logs grow; below this somebody should look."""


def run_doctor(folder: Path) -> int:
    """Print what was found; 0 where a stack could start now."""
    console = Console(highlight=False)
    table = Table(title="Servers", expand=False)
    for column in ("for", "what", "version", "from", "address"):
        table.add_column(column)
    advice: list[str] = []
    able = True
    for found in find_servers():
        needed = found.kind is not Kind.INFLUX
        able &= found.usable or not needed
        address = found.shown_address or ("started by the stack" if found.usable else "-")
        source = found.source.value if found.source is not Source.NONE else "not found"
        style = "" if found.usable else ("red" if needed else "dim")
        table.add_row(
            found.kind.value, found.name, found.version or "-", source, address, style=style
        )
        if found.advice:
            word = "needed" if needed else "optional, metrics are then not kept"
            advice.append(f"{found.kind.value} ({word}): {found.advice}")
    console.print(table)
    console.print(f"Python {platform.python_version()} on {platform.platform()}")
    state = folder if folder.exists() else Path()
    free = shutil.disk_usage(state).free
    if free < FREE_BYTES_MIN:
        advice.append(f"Disk: {free / 1e9:.1f} GB free at {state.resolve()}; make room.")
    where = "holds a stack's state" if (folder / STATE).exists() else "holds no stack yet"
    console.print(f"Data folder {folder}: {where}; {free / 1e9:.0f} GB free")
    for line in advice:
        console.print(f"- {line}", markup=False)
    console.print("A stack can start." if able else "[red]A stack cannot start: see above.[/red]")
    return 0 if able else 1
