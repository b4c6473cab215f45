"""Which servers a stack on this machine would use, how the one in a folder does, and what to do."""

from __future__ import annotations

import json
import platform
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ledger_sink.queries import sites
from tallygate.errors import TallygateError
from tallygate.ledger import open_ledger, read_state, running_process, told_errors
from tallygate.servers.child import LOOPBACK
from tallygate.servers.find import Found, Kind, Source, find_servers
from tallygate.terminal import plain_console

FREE_BYTES_MIN = 2_000_000_000
"""Spools, the ledger and server logs grow; below this somebody should look."""
ANSWER_S = 0.5
"""Wall time for a server on this machine to take a connection."""
LOG_END_BYTES = 65_536
"""How much of a log's end is searched for its newest start."""
_START = re.compile(rb"^--- start (\d+)$", re.MULTILINE)


def run_doctor(folder: Path) -> int:
    """Print what was found; 0 where a stack could start now, or runs well."""
    console = plain_console()
    advice: list[str] = []
    able = _servers(console, folder, advice)
    console.print(f"Python {platform.python_version()} on {platform.platform()}", markup=False)
    free = shutil.disk_usage(folder if folder.exists() else Path()).free
    if free < FREE_BYTES_MIN:
        advice.append(f"Disk: {free / 1e9:.1f} GB free at {folder.resolve()}: make room.")
    process = running_process(folder)
    state = read_state(folder)
    if state is None:
        console.print(
            f"Folder {folder}: holds no stack yet; {free / 1e9:.0f} GB free", markup=False
        )
    else:
        runs = f"a stack runs here (process {process})" if process else "holds a stopped stack"
        console.print(f"Folder {folder}: {runs}; {free / 1e9:.0f} GB free", markup=False)
        for line in _programs(folder):
            console.print(line, markup=False)
        if process:
            able &= _ledger(console, state.postgres_url, advice)
    for line in advice:
        console.print(f"- {line}", markup=False)
    if process:
        console.print("The stack runs." if able else "[red]The stack is not well: see above.[/red]")
    else:
        console.print("A stack can start." if able else "[red]No stack can start: see above.[/red]")
    return 0 if able else 1


def _servers(console: Console, folder: Path, advice: list[str]) -> bool:
    """The table of servers; whether all that a stack needs are there."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("for", "from", "version", "address"):
        table.add_column(column, header_style="bold", overflow="fold")
    able = True
    for found in find_servers():
        needed = found.kind is not Kind.INFLUX
        able &= found.usable or not needed
        source = found.source.value if found.source is not Source.NONE else "not found"
        row = (found.kind.value, source, found.version or "-", _address(found, folder))
        style = "" if found.usable else ("red" if needed else "dim")
        table.add_row(*(Text(cell) for cell in row), style=style)
        if found.advice:
            word = "needed" if needed else "optional"
            advice.append(f"{found.kind.value} ({word}): {found.advice}")
    console.print(table)
    return able


def _address(found: Found, folder: Path) -> str:
    """Where it is, or would be."""
    if found.shown_address or not found.usable:
        return found.shown_address or "-"
    record = folder / "servers" / found.kind.name.lower() / "server.json"
    try:
        port = int(json.loads(record.read_text())["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return "a free port, when a stack starts it"
    answers = "answers" if _answers(port) else "does not run"
    return f"{LOOPBACK}:{port}, {answers}"


def _answers(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), ANSWER_S).close()
    except OSError:
        return False
    return True


def _programs(folder: Path) -> Iterator[str]:
    """Programs and how often each was started: a high number means that it keeps dying."""
    told = []
    for log in sorted((folder / "logs").glob("*.log")):
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_END_BYTES))
            starts = _START.findall(file.read())
        again = f" (start {int(starts[-1])})" if starts and int(starts[-1]) > 1 else ""
        told.append(f"{log.stem}{again}")
    if told:
        yield f"Programs: {', '.join(told)}; their words are in {folder / 'logs'}"


def _ledger(console: Console, url: str, advice: list[str]) -> bool:
    """How the stack's ledger does; whether it answers."""
    try:
        with open_ledger(url, "") as ledger, told_errors():
            found = sites(ledger)
    except TallygateError as error:
        advice.append(f"Ledger: {error}")
        return False
    told = ", ".join(f"site {site}: {entries:,} entries" for site, entries in found.items())
    console.print(f"Ledger: {told or 'empty'}", markup=False)
    return True
