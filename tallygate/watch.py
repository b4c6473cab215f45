"""Doors and loads live in the terminal, by load, item name and identity."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.cells import cell_len, set_cell_size
from rich.console import Group
from rich.live import Live
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from contracts.clock import MICROSECONDS, ClockSetting
from contracts.events import LoadState
from contracts.places import Gate
from ledger_sink.floor import DeviceRow
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.queries import LocationRow, recent_passages, sites
from tallygate.database import look_into
from tallygate.errors import TallygateError
from tallygate.ledger import stack_clock
from tallygate.loads_view import (
    LoadsReader,
    LoadView,
    Trouble,
    clock_time,
    subject_name,
    tags_text,
    told_troubles,
)
from tallygate.names import Names
from tallygate.terminal import plain_console
from tallygate.words import language, word

EVERY_S = 0.5
"""A view that changes faster cannot be read."""
PASSAGES_READ = 400
"""Newest passages that are grouped: several full pallets at every gate."""
TOGETHER_US = 15_000_000
"""Passages of one carrier at one gate within this time of each other are one."""
LOOSE_US = 3_000_000
"""The same for what no plan puts on a carrier: on a conveyor one thing follows the other."""
RECENT_US = 600_000_000
"""What went wrong at a gate where no load was due is shown for so long."""
RANK = {LoadState.STARTED: 0, LoadState.COMPLETE: 0, LoadState.LEFT: 2}
"""Loads under way first, then the next, then those that left, newest first."""
LINES_ONCE = 200
"""How much is shown where no screen limits it."""
BAR = 10
"""Cells of a bar."""
DEVICE_STYLE = {"reading": "green", "stopped": "dim"}
"""Other states are red."""
STATE_STYLE = {LoadState.COMPLETE: "green", LoadState.LEFT: "dim"}


@dataclass
class Passage:
    """What passed a gate together."""

    gate: str
    direction: str
    load: str
    carrier: str | None
    at_us: int
    """When the first of it passed."""
    last_us: int
    identities: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Moment:
    """What is shown beside the ledger's content."""

    site: str
    entries: int
    now_us: int
    spoken: str
    zone: ZoneInfo
    width: int
    height: int


def run_watch(
    folder: Path, postgres: str | None, site: str, asked: str | None, *, once: bool
) -> int:
    """Show it until Ctrl-C, or once."""
    spoken = language(asked)
    console = plain_console()
    clock = stack_clock(folder)
    if once or not console.is_terminal:
        with look_into(folder, postgres, site, starts=False) as ledger:
            viewer = Viewer(ledger, spoken, clock)
            console.print(viewer.picture(console.width, LINES_ONCE))
        return 0
    with look_into(folder, postgres, site, starts=False):
        pass  # What cannot be shown at all is said before the screen is taken.
    last = Group()
    with (
        contextlib.suppress(KeyboardInterrupt),
        Live(console=console, auto_refresh=False, screen=True) as live,
    ):
        while True:
            try:
                with look_into(folder, postgres, site, starts=False) as ledger:
                    viewer = Viewer(ledger, spoken, clock)
                    while True:
                        last = viewer.picture(console.width, console.height)
                        live.update(last, refresh=True)
                        time.sleep(EVERY_S)
            except TallygateError:
                # What was shown last stays, with a word that it is old.
                live.update(
                    Group(Text(word("lost_ledger", spoken), "bold red"), last), refresh=True
                )
                time.sleep(EVERY_S)
    return 0


def site_zone() -> ZoneInfo:
    """The time zone in which times are said: TALLYGATE_ZONE, else UTC."""
    name = os.environ.get("TALLYGATE_ZONE", "UTC")
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise TallygateError(
            f"TALLYGATE_ZONE: no time zone {name!r}; write one such as Asia/Shanghai"
        ) from error


class Viewer:
    """Follows one ledger and draws it."""

    def __init__(self, ledger: PostgresLedger, spoken: str, clock: ClockSetting) -> None:
        self._ledger = ledger
        self._spoken = spoken
        self._clock = clock
        self._zone = site_zone()
        self._reader = LoadsReader(ledger)
        self._entries = -1
        self._passages: list[Passage] = []

    def picture(self, width: int, height: int) -> Group:
        """Everything, of this moment, in so many columns and at most so many lines."""
        entries = sites(self._ledger).get(self._ledger.site, 0)
        if entries != self._entries:
            self._reader.refresh()
            rows = recent_passages(self._ledger, PASSAGES_READ)
            self._passages = passages_of(rows, self._reader.names)
            self._entries = entries
        now_us = self._clock.domain_us(time.time_ns() // 1000)
        moment = Moment(self._ledger.site, entries, now_us, self._spoken, self._zone, width, height)
        return draw(self._reader, self._passages, moment)


def passages_of(rows: list[LocationRow], names: Names) -> list[Passage]:
    """Passages of single tags, newest first, as those of what carries them; newest first."""
    found: list[Passage] = []
    open_ones: dict[tuple[str, str, str | None, str], Passage] = {}
    for row in rows:
        carrier = names.pallets.get(row.identity) or names.cases.get(row.identity)
        key = row.location, row.direction or "unknown", carrier, row.load or ""
        passage = open_ones.get(key)
        apart_us = TOGETHER_US if carrier else LOOSE_US
        if passage is None or abs(passage.at_us - row.at_us) > apart_us:
            passage = Passage(key[0], key[1], key[3], carrier, row.at_us, row.at_us)
            open_ones[key] = passage
            found.append(passage)
        passage.at_us = min(passage.at_us, row.at_us)
        passage.last_us = max(passage.last_us, row.at_us)
        if row.identity not in passage.identities:
            passage.identities.append(row.identity)
    return sorted(found, key=lambda passage: -passage.last_us)


def draw(reader: LoadsReader, passages: list[Passage], moment: Moment) -> Group:
    """Gates, then loads, then the newest passages: each gets its share of the lines."""
    names = reader.names
    left = moment.height - 2 - 3 - len(names.gates)
    gates = _gates(reader, passages, moment, max(2, left // 3))
    left -= len(gates) - len(names.gates)
    loads = _ordered(reader.loads)
    loads_shown = min(len(loads), max(3, left // 2))
    left -= max(1, loads_shown)
    when = datetime.fromtimestamp(moment.now_us / MICROSECONDS, moment.zone)
    head = f"{moment.site}  {when:%Y-%m-%d %H:%M:%S %Z}  {moment.entries:,} "
    return Group(
        Text(head + word("entries", moment.spoken), style="bold"),
        _title("gates", moment),
        *gates,
        _title("loads", moment),
        _loads(loads[:loads_shown], names, moment),
        _title("passages", moment),
        _passages(passages[: max(1, left)], names, moment),
        Text(word("quit", moment.spoken), style="dim"),
    )


def _title(key: str, moment: Moment) -> Rule:
    return Rule(Text(word(key, moment.spoken), style="bold"), align="left", style="dim")


def _ordered(loads: list[LoadView]) -> list[LoadView]:
    def rank(view: LoadView) -> tuple[int, int]:
        place = RANK.get(LoadState(view.state), 1) if view.moved_us else 1
        return place, -view.moved_us if place == RANK[LoadState.LEFT] else view.opens_us

    return sorted(loads, key=rank)


def _gates(
    reader: LoadsReader, passages: list[Passage], moment: Moment, troubles_max: int
) -> list[Text]:
    """A line for each gate, and below it what is wrong there."""
    names, spoken = reader.names, moment.spoken
    width = max((cell_len(names.place(gate.id)) for gate in names.gates), default=0)
    lines: list[Text] = []
    share = max(1, troubles_max // max(1, len(names.gates)))
    wrong = {gate.id: _troubles_at(gate, reader, moment) for gate in names.gates}
    spare = troubles_max - sum(min(share, len(found)) for found in wrong.values())
    for gate in names.gates:
        newest = next((passage for passage in passages if passage.gate == gate.id), None)
        lines.append(_gate(gate, reader, newest, moment, width))
        found = wrong[gate.id]
        shown = min(len(found), share + max(0, spare))
        spare -= max(0, shown - share)
        for place, text in enumerate(found[:shown]):
            more = len(found) - shown if place == shown - 1 else 0
            ending = f"; {word('more', spoken, more)}" if more else ""
            lines.append(_fitting(f"   {text}", ending, moment.width, "red"))
    if not lines:
        lines.append(Text(word("nothing", spoken), style="dim"))
    return lines


def _fitting(text: str, ending: str, width: int, style: str) -> Text:
    """One line of at most so many cells; the ending is kept whole."""
    told = Text(text, style=style, no_wrap=True)
    told.truncate(max(1, width - cell_len(ending)), overflow="ellipsis")
    return told.append(ending)


def _gate(
    gate: Gate, reader: LoadsReader, newest: Passage | None, moment: Moment, width: int
) -> Text:
    names, spoken = reader.names, moment.spoken
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(set_cell_size(names.place(gate.id), width) + "  ", style="bold")
    devices = names.devices_at.get(gate.id, [])
    for device in devices:
        told, style = _device(reader.floor.devices.get(device), spoken)
        prefix = f"{device} " if len(devices) > 1 else ""
        line.append(set_cell_size(f"{prefix}{told}", max(10, cell_len(told))) + "  ", style=style)
    view = present_load(reader.loads, gate.id)
    if view is None:
        if newest is None:
            return line.append(word("no_load", spoken), style="dim")
        direction = word(newest.direction, spoken)
        when = clock_time(newest.last_us, moment.zone)
        return line.append(f"{when} {direction} {_carried(newest, names, spoken)}", style="dim")
    direction, state = set_cell_size(word(view.direction, spoken), 3), word(view.state, spoken)
    line.append(f"{view.load} {direction} ", style="bold")
    full = BAR * view.passed // max(1, view.expected)
    style = STATE_STYLE.get(LoadState(view.state), "yellow") if view.moved_us else "dim"
    line.append("█" * full + "░" * (BAR - full), style=style)
    line.append(f" {view.passed}/{view.expected}  {state}", style=style)
    since_us = view.moved_us or view.opens_us
    if newest is not None and newest.load == view.load:
        since_us = max(since_us, newest.last_us)
    return line.append(f"  {clock_time(since_us, moment.zone)}", style="dim")


def _device(row: DeviceRow | None, spoken: str) -> tuple[str, str]:
    """A device's state in words, and how it looks."""
    if row is None:
        return word("not_heard_of", spoken), "dim"
    told = word(row.state, spoken)
    if row.antennas_lost:
        lost = ", ".join(row.antennas_lost)
        return f"{told}, {word('lost_antenna', spoken)} {lost}", "red"
    if row.alarms:
        return f"{told}, {word('alarm', spoken)} {', '.join(row.alarms)}", "red"
    return told, DEVICE_STYLE.get(row.state, "red")


def present_load(loads: list[LoadView], gate: str) -> LoadView | None:
    """The load that stands at a gate: the newest under way, else the next, else the last."""
    here = [view for view in loads if view.gate == gate]
    begun = [view for view in here if view.moved_us and view.state != LoadState.LEFT]
    if begun:
        return max(begun, key=lambda view: (view.opens_us, view.moved_us))
    waiting = [view for view in here if not view.moved_us]
    if waiting:
        return min(waiting, key=lambda view: view.opens_us)
    return max(here, key=lambda view: view.moved_us, default=None)


def _troubles_at(gate: Gate, reader: LoadsReader, moment: Moment) -> list[str]:
    view = present_load(reader.loads, gate.id)
    found: list[Trouble] = list(view.open_troubles) if view else []
    found += [
        trouble
        for trouble in reader.troubles
        if trouble.location == gate.id
        and not trouble.closed
        and trouble.load is None
        and moment.now_us - trouble.at_us < RECENT_US
    ]
    return told_troubles(found, reader.names, moment.spoken, moment.zone, brief=True)


def _loads(views: list[LoadView], names: Names, moment: Moment) -> Table:
    spoken = moment.spoken
    table = _table(moment, "load", "gate", "direction", "passed", "state")
    table.add_column(word("discrepancies", spoken), ratio=1, no_wrap=True, overflow="ellipsis")
    for view in views:
        wrong = told_troubles(view.open_troubles, names, spoken, moment.zone, brief=True)
        count = f"({len(wrong)}) " if len(wrong) > 1 else ""
        table.add_row(
            view.load,
            names.place(view.gate),
            word(view.direction, spoken),
            f"{view.passed}/{view.expected}",
            word(view.state, spoken),
            Text(count + "; ".join(wrong), style="red"),
            style="dim" if view.state == LoadState.LEFT or not view.moved_us else "",
        )
    if not views:
        table.add_row(word("nothing", spoken), style="dim")
    return table


def _passages(passages: list[Passage], names: Names, moment: Moment) -> Table:
    spoken = moment.spoken
    table = _table(moment, "time", "gate", "direction", "load")
    table.add_column(word("item", spoken), ratio=1, no_wrap=True, overflow="ellipsis")
    for passage in passages:
        table.add_row(
            clock_time(passage.last_us, moment.zone),
            names.place(passage.gate),
            word(passage.direction, spoken),
            passage.load,
            _carried(passage, names, spoken),
        )
    if not passages:
        table.add_row(word("nothing", spoken), style="dim")
    return table


def _carried(passage: Passage, names: Names, spoken: str) -> str:
    """Such as "pallet ...: 34 tags (Servo motor 400 W ×12, ...)", or the one thing that passed."""
    kinds = ", ".join(names.kinds(passage.identities, spoken))
    if len(passage.identities) == 1:
        named = subject_name(passage.identities[0], names, spoken, brief=True)
        return f"{kinds} {named}".strip()
    text = tags_text(len(passage.identities), spoken)
    if passage.carrier:
        text = f"{subject_name(passage.carrier, names, spoken, brief=True)}: {text}"
    return f"{text} ({kinds})" if kinds else text


def _table(moment: Moment, *columns: str) -> Table:
    table = Table(box=None, expand=True, header_style="dim", padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(word(column, moment.spoken), no_wrap=True)
    return table
