"""Reports of stock: what there is, how old, and where counts differed."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from contracts.clock import MICROSECONDS
from ledger_sink import analysis, reports
from ledger_sink.postgres_ledger import PostgresLedger
from ledger_sink.queries import sites
from ledger_sink.redaction import Persons
from tallygate.database import has_own, ledger_database
from tallygate.errors import TallygateError
from tallygate.ledger import (
    open_ledger,
    read_state,
    stack_clock,
    told_errors,
    unknown_site,
)
from tallygate.report_table import Cell, Column, Form, Output, Report, write_reports
from tallygate.terminal import plain_console
from tallygate.watch import site_zone
from tallygate.words import language, word

END_OF_TIME_US = 2**53
DAY_CHARACTERS = 10
"""Of 2026-03-31."""
ZERO = Decimal(0)


class Asked(NamedTuple):
    """What every report is asked with."""

    folder: Path
    postgres: str | None
    site: str
    language: str | None
    output: Output


class Desk(NamedTuple):
    """What every report is made with."""

    ledger: PostgresLedger
    spoken: str
    zone: ZoneInfo
    now_us: int
    """Domain time."""

    def at_us(self, text: str) -> int:
        """The instant that was asked for: a day's end; now where none was."""
        return moment_us(text, self.zone, is_end=True) if text else self.now_us

    def span_us(self, since: str, until: str) -> dict[str, int]:
        """From the first to behind the last moment that was asked for."""
        return {
            "since_us": moment_us(since, self.zone, is_end=False) if since else 0,
            "until_us": moment_us(until, self.zone, is_end=True) if until else END_OF_TIME_US,
        }

    def today(self) -> date:
        """The day that it is at the site."""
        return datetime.fromtimestamp(self.now_us / MICROSECONDS, self.zone).date()

    def name(self, names: dict[str, reports.Name], key: str) -> str:
        """What people call it, in the language."""
        found = names.get(key)
        if found is None:
            return ""
        return (found.zh or found.en) if self.spoken == "zh" else (found.en or found.zh)


def moment_us(text: str, zone: ZoneInfo, *, is_end: bool) -> int:
    """Microseconds of a moment; a day is its start, or its end. Raises TallygateError."""
    try:
        if len(text) == DAY_CHARACTERS:
            day = date.fromisoformat(text) + timedelta(days=is_end)
            moment = datetime(day.year, day.month, day.day, tzinfo=zone)
        else:
            moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise TallygateError(
            f"{text!r} is no moment: write 2026-03-31T18:00:00+08:00 or 2026-03-31"
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * MICROSECONDS + moment.microsecond


@contextlib.contextmanager
def open_desk(asked: Asked) -> Iterator[Desk]:
    """The ledger to report from. Raises TallygateError."""
    spoken, zone = language(asked.language), site_zone()
    clock = stack_clock(asked.folder)
    if not (asked.postgres or has_own(asked.folder) or read_state(asked.folder)):
        raise TallygateError(
            f"there is no ledger in {asked.folder}: `tallygate post` or `tallygate up` makes one."
            " Name another folder with --data, or a database with --postgres."
        )

    def tell(text: str) -> None:
        # Standard output is the report's.
        sys.stderr.write(f"{text}\n")

    with (
        ledger_database(asked.folder, asked.postgres, tell) as url,
        open_ledger(url, asked.site) as ledger,
        told_errors(),
    ):
        known = sites(ledger)
        if known and asked.site not in known:
            raise TallygateError(unknown_site(asked.site, known))
        yield Desk(ledger, spoken, zone, clock.domain_us(time.time_ns() // 1000))


def show(asked: Asked, desk: Desk, found: Sequence[Report]) -> int:
    """Print or write reports."""
    write_reports(plain_console(), found, asked.output, desk.spoken, desk.zone)
    return 0


def run_stock(asked: Asked, at: str, item: str, warehouse: str, location: str) -> int:
    """Stock and its value."""
    columns = (
        Column("item"),
        Column("name", leaves=1, shrinks=True),
        Column("warehouse", is_shown=False),
        Column("location"),
        Column("batch"),
        Column("disposition", Form.WORD),
        Column("reservation", Form.WORD),
        Column("owner"),
        Column("quantity", Form.NUMBER),
        Column("unit", leaves=2),
        Column("value", Form.AMOUNT),
    )
    with open_desk(asked) as desk:
        names = reports.item_names(desk.ledger)
        found = [
            row
            for row in analysis.stock_recorded(desk.ledger, desk.at_us(at))
            if item in {"", row.item}
            and warehouse in {"", row.warehouse}
            and location in {"", row.location}
        ]
        rows: list[tuple[Cell, ...]] = [
            (
                *(row.item, desk.name(names, row.item), *row[1:6], row.owner, row.quantity),
                *(names[row.item].unit, row.value),
            )
            for row in found
        ]
        value = sum((row.value or ZERO for row in found), ZERO)
        return show(asked, desk, [Report("report_stock", columns, rows, {"value": value})])


def run_ageing(asked: Asked, at: str, item: str, warehouse: str) -> int:
    """How old stock is."""
    bands = ("30", "60", "90", "180", "older")
    columns = (
        Column("item"),
        Column("name", leaves=1, shrinks=True),
        Column("owner", leaves=3),
        Column("quantity", Form.NUMBER, leaves=4),
        *(Column(f"quantity_{band}", Form.NUMBER, is_shown=False) for band in bands),
        Column("value", Form.AMOUNT),
        *(Column(f"value_{band}", Form.AMOUNT) for band in bands),
        Column("idle_days", Form.NUMBER, leaves=2),
        Column("alert", Form.WORD),
    )
    with open_desk(asked) as desk:
        names = reports.item_names(desk.ledger)
        rows: list[tuple[Cell, ...]] = []
        totals = [ZERO] * (1 + len(bands))
        for row in analysis.ageing(desk.ledger, desk.at_us(at), item or None):
            if (row.warehouse or "") != warehouse:
                continue
            values = _filled(row)
            totals = [total + (value or ZERO) for total, value in zip(totals, values, strict=True)]
            quantities = (*row.quantities[:4], sum(row.quantities[4:], ZERO))
            head = (row.item, desk.name(names, row.item), row.owner, row.quantity)
            rows.append((*head, *quantities, *values, row.idle_days, row.alert))
        keys = ("value", *(f"value_{band}" for band in bands))
        below: dict[str, Cell] = dict(zip(keys, totals, strict=True))
        return show(asked, desk, [Report("report_ageing", columns, rows, below)])


def _filled(row: analysis.AgeingRow) -> list[Decimal | None]:
    """The value in all and of each band; a band with nothing in it is worth nothing."""
    if row.value is None:
        return [None] * 6
    bands = [value or ZERO for value in row.values]
    return [row.value, *bands[:4], sum(bands[4:], ZERO)]


def run_variance(asked: Asked, by: str, since: str, until: str) -> int:
    """Where counts differed from the book."""
    columns = (
        Column("subject", Form.WORD if by == "cause" else Form.TEXT),
        Column("documents", Form.NUMBER, leaves=1),
        Column("lines", Form.NUMBER),
        Column("lines_off", Form.NUMBER),
        Column("value_off", Form.AMOUNT),
        Column("net_value", Form.AMOUNT),
        Column("book_value", Form.AMOUNT),
        Column("rate", Form.RATE),
    )
    with open_desk(asked) as desk:
        span, zone = desk.span_us(since, until), desk.zone.key
        parts = [
            [tuple(row) for row in analysis.variance_by(desk.ledger, **span, by=what, zone=zone)]
            for what in (analysis.By.ALL, analysis.By(by))
        ]
        if by == analysis.By.PERSON:
            names = Persons(desk.ledger).names(str(row[0]) for row in parts[1])
            parts[1] = [(names.get(str(row[0]), row[0]), *row[1:]) for row in parts[1]]
        note, no_subject = word("variance_is", desk.spoken), Column("subject", is_shown=False)
        found = [
            Report("report_variance_all", (no_subject, *columns[1:]), parts[0]),
            Report(f"report_variance_{by}", columns, parts[1], notes=(note,)),
        ]
        return show(asked, desk, found)
