"""`tallygate stats` in print: what the ledger holds, how fast it came, what waits."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.clock import ClockSetting
from edge_agent.spool import spool_figures
from ledger_sink.queries import Percentiles, Stats
from tallygate.loads_view import clock_time

KIND_NAMES = {
    "location": "location events",
    "discrepancy_opened": "discrepancies opened",
    "discrepancy_closed": "discrepancies settled",
    "load": "states of loads",
    "reject": "rejects",
    "loss": "losses",
    "device": "device changes",
    "reference": "changes of master data and plans",
    "log": "logs opened",
}
TALLY_NAMES = {
    "duplicates": "entries that came again, skipped",
    "conflicts": "entries whose id stood for other content: each is a reject",
    "evidence_duplicates": "sightings that came again, skipped",
    "stale_outputs": "outputs refused: of an older epoch, or of offsets that the ledger has",
}


def print_stats(
    console: Console, site: str, found: Stats, clock: ClockSetting, zone: ZoneInfo, folder: Path
) -> None:
    """Everything, in sections; one that is empty says so."""
    entries = sum(found.entries.values())
    _section(console, f"{site}: {entries:,} entries")
    _rows(
        console,
        ((KIND_NAMES.get(k, k), f"{n:,}") for k, n in _by_count(found.entries)),
        numbers=True,
    )
    _section(console, "What was read")
    _rows(console, _reads(found), numbers=True)
    for reject in found.rejects:
        told = f"  rejected {reject.times:,} of {reject.source}: {reject.reason}"
        console.print(told, markup=False)
    _section(console, "From the last read needed to the entry")
    _rows(console, _latency(found, clock))
    _section(console, "Agents' spools")
    _rows(console, _spools(folder), "none in this folder")
    _section(console, "Devices")
    _rows(console, _devices(found, zone), "none was heard of yet")


def latency_text(latency: Percentiles | None, speed: float) -> str:
    """p50 and p99 in wall milliseconds, the decision window excluded."""
    if latency is None:
        return "none yet"
    half, nearly_all = (us / speed / 1000 for us in latency)
    return f"p50 {half:,.0f} ms, p99 {nearly_all:,.0f} ms"


def _section(console: Console, title: str) -> None:
    console.print(Text(title, style="bold"))


def _rows(
    console: Console,
    rows: Iterator[tuple[str, str]],
    nothing: str = "nothing yet",
    *,
    numbers: bool = False,
) -> None:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", justify="right" if numbers else "left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table if table.row_count else Text(f"  {nothing}", style="dim"))


def _by_count(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: -item[1])


def _reads(found: Stats) -> Iterator[tuple[str, str]]:
    yield "reads in sightings", f"{found.reads:,}"
    yield "sightings", f"{found.sightings:,}"
    yield "input rejected", f"{found.entries.get('reject', 0):,}"
    yield "given up by agents, as far as they know", f"{found.lost_reads:,}"
    for name, count in _by_count(found.tallies):
        yield TALLY_NAMES.get(name, name.replace("_", " ")), f"{count:,}"


def _latency(found: Stats, clock: ClockSetting) -> Iterator[tuple[str, str]]:
    yield "without the decision's wait", latency_text(found.latency, clock.speed)
    if found.window is not None:
        half, nearly_all = (us / 1_000_000 for us in found.window)
        yield "the decision's wait", f"p50 {half:,.1f} s, p99 {nearly_all:,.1f} s of domain time"
    if clock.speed != 1:
        yield "clock", f"{clock.speed:g} domain seconds in one second; latencies are wall time"


def _spools(folder: Path) -> Iterator[tuple[str, str]]:
    agents = folder / "agents"
    for path in sorted(agents.iterdir()) if agents.is_dir() else ():
        try:
            figures = spool_figures(path)
        except sqlite3.Error as error:
            yield path.name, f"cannot be read: {error}"
            continue
        waiting = f"{figures['waiting']:,} batches wait ({int(figures['waiting bytes']):,} bytes)"
        told = f"{waiting}; newest {figures['newest']:,}, acknowledged {figures['acknowledged']:,}"
        lost = int(figures["lost reads"])
        yield str(figures["gateway"]), f"{told}; {lost:,} reads refused" if lost else told


def _devices(found: Stats, zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    for device in found.devices:
        told = f"{device.state} since {clock_time(device.at_us, zone)}"
        if device.detail:
            told += f": {device.detail}"
        if device.antennas_lost:
            told += f"; lost: {', '.join(device.antennas_lost)}"
        if device.alarms:
            told += f"; ALARM: {', '.join(device.alarms)}"
        yield device.device, told
