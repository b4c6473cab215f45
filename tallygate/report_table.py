"""A report as a table: on the terminal in two languages, as CSV and as JSON.

CSV and JSON are for programs: columns have their English names in every language, numbers are
exact, times are UTC.
"""

from __future__ import annotations

import csv
import enum
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.clock import MICROSECONDS
from tallygate.words import word

NOTHING = "none"
"""A state that is not worth a word on the terminal."""

SHORTEST = 10
"""Characters to which a name is cut: of fewer nobody knows what it was."""
BETWEEN = 2
"""Characters between columns."""


class Form(enum.Enum):
    """How a column is shown."""

    TEXT = "text"
    WORD = "word"
    """A word of ours: said in the language."""
    NUMBER = "number"
    AMOUNT = "amount"
    RATE = "rate"
    """Shown in percent."""
    MOMENT = "moment"
    """Microseconds."""


class Output(enum.Enum):
    """Where a report goes."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


Cell = str | int | Decimal | bool | None


@dataclass(frozen=True)
class Column:
    """One column."""

    name: str
    """In CSV and JSON, and the key of its word."""
    form: Form = Form.TEXT
    is_shown: bool = True
    """False: for programs only, the terminal has no room for it."""
    leaves: int = 0
    """Where the terminal is narrow: which goes first, from 1; 0: it stays."""
    shrinks: bool = False
    """True: it is cut before others go."""


@dataclass(frozen=True)
class Report:
    """A table with what is said above and below it."""

    name: str
    """The key of its title's word."""
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Cell, ...]]
    """One cell for each column."""
    totals: dict[str, Cell] = field(default_factory=dict)
    """Column to what stands below it."""
    notes: tuple[str, ...] = ()
    """Lines below, whole."""


def write_reports(
    console: Console, reports: Sequence[Report], output: Output, spoken: str, zone: ZoneInfo
) -> None:
    """Print them, or write the rows of all to standard output."""
    if output is Output.JSON:
        whole = {report.name: _objects(report) for report in reports}
        json.dump(whole, sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    elif output is Output.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        for report in reports:
            writer.writerow([column.name for column in report.columns])
            writer.writerows(
                [
                    _plain(cell, column.form)
                    for cell, column in zip(row, report.columns, strict=True)
                ]
                for row in report.rows
            )
    else:
        for report in reports:
            _print(console, report, spoken, zone)


def _objects(report: Report) -> list[dict[str, Cell]]:
    names = [column.name for column in report.columns]
    return [
        {
            name: cell if isinstance(cell, bool | None) else _plain(cell, column.form)
            for name, cell, column in zip(names, row, report.columns, strict=True)
        }
        for row in report.rows
    ]


def _plain(cell: Cell, form: Form) -> str:
    """A cell for programs."""
    if cell is None:
        return ""
    if form is Form.MOMENT and isinstance(cell, int):
        return datetime.fromtimestamp(cell / MICROSECONDS, UTC).isoformat()
    return f"{cell:f}" if isinstance(cell, Decimal) else str(cell)


class _Sized(NamedTuple):
    """A column with its words and the width that they need."""

    column: Column
    cells: list[str]
    head: str
    foot: str
    width: int


def _print(console: Console, report: Report, spoken: str, zone: ZoneInfo) -> None:
    sized = [one for one in _sized(report, spoken, zone) if one is not None]
    fitting, left_out = _fit(sized, console.width)
    table = Table(
        title=word(report.name, spoken),
        title_justify="left",
        show_footer=bool(report.totals) and bool(report.rows),
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for one in fitting:
        is_text = one.column.form in {Form.TEXT, Form.WORD, Form.MOMENT}
        table.add_column(
            one.head,
            footer=one.foot,
            justify="left" if is_text else "right",
            no_wrap=True,
            width=one.width,
            overflow="ellipsis",
        )
    for row in zip(*(one.cells for one in fitting), strict=True):
        table.add_row(*(Text(cell) for cell in row))
    # A table that fits nowhere is as wide as it is: a cut number would be another number.
    console.print(table, width=max(console.width, _width(fitting)), crop=False, soft_wrap=True)
    if not report.rows:
        console.print(word("nothing", spoken))
    if left_out and report.rows:
        names = ", ".join(one.head for one in left_out)
        console.print(word("columns_left_out", spoken, names), markup=False, soft_wrap=True)
    for note in report.notes:
        console.print(note, markup=False, soft_wrap=True)


def _sized(report: Report, spoken: str, zone: ZoneInfo) -> Iterator[_Sized | None]:
    """Columns with their words; none, where all of it is empty."""
    for place, column in enumerate(report.columns):
        cells = [said(row[place], column.form, spoken, zone) for row in report.rows]
        if not column.is_shown or (report.rows and not any(cells)):
            yield None
            continue
        head = word(f"column_{column.name}", spoken)
        foot = said(report.totals.get(column.name, ""), column.form, spoken, zone)
        width = max(map(cell_len, (head, foot, *cells)))
        yield _Sized(column, cells, head, foot, width)


def _fit(sized: list[_Sized], width: int) -> tuple[list[_Sized], list[_Sized]]:
    """What has room: first some are cut, then some go."""
    over = _width(sized) - width
    found = []
    for one in sized:
        cut = min(over, one.width - SHORTEST) if one.column.shrinks else 0
        found.append(one._replace(width=one.width - max(cut, 0)))
        over -= max(cut, 0)
    left_out = []
    for one in sorted(found, key=lambda one: one.column.leaves):
        if one.column.leaves and _width(found) > width:
            found.remove(one)
            left_out.append(one)
    return found, left_out


def _width(sized: Sequence[_Sized]) -> int:
    return sum(one.width + BETWEEN for one in sized)


def said(cell: Cell, form: Form, spoken: str, zone: ZoneInfo) -> str:
    """A cell for people."""
    if cell is None or cell in {"", NOTHING}:
        return ""
    if form is Form.WORD:
        return word(str(cell), spoken)
    if form is Form.MOMENT and isinstance(cell, int):
        return f"{datetime.fromtimestamp(cell / MICROSECONDS, zone):%Y-%m-%d %H:%M}"
    return _number(cell, form) if isinstance(cell, int | Decimal) else cell


def _number(cell: int | Decimal, form: Form) -> str:
    if form is Form.RATE:
        return f"{100 * cell:,.2f} %"
    if form is Form.AMOUNT:
        return f"{cell:,.2f}"
    text = f"{cell:,f}" if isinstance(cell, Decimal) else f"{cell:,}"
    return text.rstrip("0").rstrip(".") if "." in text else text
