"""Commissioning at the command line: numbers and entries first, then labels.

The entry comes before the label: a tag that nobody commissioned would be a stranger at every door,
an identity without its tag harms nobody. So a printer is asked first whether it is ready, and what
it could not print is printed again from the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from rich.table import Table

from contracts.clock import MICROSECONDS
from contracts.commissioning import Commissioned, Decommissioned, EndReason
from contracts.epc_encoding import EncodingError
from ledger_sink.commissioning import Carried, Commissioning
from ledger_sink.core.commissioning import (
    CommissioningError,
    Order,
    label_of,
    needs,
    order_of,
    plan,
    printing_order,
    series_of,
    successor,
)
from ledger_sink.postgres_ledger import PostgresLedger
from tallygate.database import kept_database, look_into
from tallygate.errors import TallygateError
from tallygate.identity import find_identity
from tallygate.labels.layout import Placed, place
from tallygate.labels.pdf import pdf
from tallygate.labels.printer import Address, PrinterError, printer_address, zpl_printer
from tallygate.labels.template import Template, TemplateError, default_template, read_template
from tallygate.labels.zpl import zpl
from tallygate.ledger import open_ledger, stack_clock, told_errors
from tallygate.names import Names, ReferenceReader, short
from tallygate.terminal import plain_console
from tallygate.watch import site_zone

SHOWN_MAX = 12
"""Identities that are listed one by one."""
UNKNOWN_MAX = 1_000
PROGRESS_EVERY = 10
"""Where the output is no terminal, a line for so many labels is enough."""


class Where(NamedTuple):
    """Which ledger."""

    folder: Path
    postgres: str | None
    site: str


class Output(NamedTuple):
    """Where the labels go."""

    printer: Address | None
    file: Path | None
    template: Template
    patience_s: float
    """How long a printer with a problem is waited for."""


def output_of(
    printer: str | None, file: Path | None, template: Path | None, patience_s: float
) -> Output:
    """The output that options name. Raises TallygateError."""
    if printer and file:
        raise TallygateError("name --printer or --pdf, not both")
    with _told():
        address = printer_address(printer) if printer else None
        read = read_template(template) if template else default_template()
    if file is not None and not file.absolute().parent.is_dir():
        raise TallygateError(f"{file}: its folder does not exist")
    return Output(address, file, read, patience_s)


def run_commission(
    where: Where, asked: Order, output: Output, *, parent: str | None, at_least: int, dry_run: bool
) -> int:
    """Commission what was asked for, and print its labels."""
    console = plain_console()
    now_us = stack_clock(where.folder).domain_us(time.time_ns() // 1000)
    with _told():
        order = order_of(asked)
        with _open(where) as ledger:
            if parent is not None:
                order = order._replace(parent=find_identity(ledger, parent))
            desk, names = Commissioning(ledger), ReferenceReader(ledger).refresh()
            numbers = desk.peek(needs(order), at_least)
            labels = _placed(plan(order, numbers, now_us), names, output.template)
            if dry_run:
                births = plan(order, numbers, now_us)
                _tell(births, "would be commissioned")
                return 0
            asyncio.run(_look_at_printer(output))
            births = desk.order(order, now_us, at_least)
            labels = _placed(births, names, output.template)
        _tell(births, "commissioned")
        _print(labels, output, births[0])
    if output.printer is None and output.file is None:
        console.print(
            f"No label was printed: `tallygate commission reprint {short(births[0].identity)}"
            " --printer tcp://HOST:PORT` prints them.",
            markup=False,
            soft_wrap=True,
        )
    return 0


def run_reprint(where: Where, identity: str, output: Output, *, alone: bool, skip: int) -> int:
    """Print the labels of an identity, and of all that it holds, again."""
    if output.printer is None and output.file is None:
        raise TallygateError("name --printer tcp://HOST:PORT or --pdf FILE")
    with _told():
        with look_into(*where) as ledger:
            found = _living(Commissioning(ledger), find_identity(ledger, identity))
            names = ReferenceReader(ledger).refresh()
        births = [one.birth for one in found[:1] if alone] or [one.birth for one in found]
        _print(_placed(births, names, output.template), output, births[0], skip)
    return 0


def run_retag(where: Where, identity: str, output: Output, *, dry_run: bool) -> int:
    """Give a thing a new identity in place of one whose tag is lost or broken."""
    console = plain_console()
    now_us = stack_clock(where.folder).domain_us(time.time_ns() // 1000)
    with _told():
        with _open(where) as ledger:
            desk, names = Commissioning(ledger), ReferenceReader(ledger).refresh()
            old = _living(desk, find_identity(ledger, identity))[0].birth
            series = series_of(old)
            if dry_run:
                new = successor(old, desk.peek({series: 1}, 1)[series][0], now_us)
                console.print(f"{short(old.identity)} would become {short(new.identity)}")
                return 0
            asyncio.run(_look_at_printer(output))
            new = successor(old, desk.allocate({series: 1}, 1)[series][0], now_us)
            labels = _placed([new], names, output.template)
            desk.retag(new, now_us)
        console.print(f"{short(old.identity)} is now {short(new.identity)}", markup=False)
        _print(labels, output, new)
    return 0


def run_decommission(where: Where, identity: str, reason: EndReason, *, contents: bool) -> int:
    """End an identity, and, if asked, all that it holds."""
    now_us = stack_clock(where.folder).domain_us(time.time_ns() // 1000)
    with _told(), _open(where) as ledger:
        desk = Commissioning(ledger)
        found = _living(desk, find_identity(ledger, identity))
        ended = found if contents else found[:1]
        # From the inside out, so that nothing is left in nothing for a moment.
        desk.end(
            [
                Decommissioned(identity=one.birth.identity, reason=reason, at_us=now_us)
                for one in reversed(ended)
            ],
            now_us,
        )
    freed = len(found) - 1 if not contents else 0
    more = f"; it held {freed:,}, which live on" if freed else ""
    plain_console().print(f"{_many(len(ended))} decommissioned: {reason}{more}", markup=False)
    return 0


def run_unknown(where: Where) -> int:
    """List tags that were read and should not be. 1 where there are some."""
    console, zone = plain_console(), site_zone()
    with look_into(*where) as ledger:
        found = Commissioning(ledger).unknown_tags(UNKNOWN_MAX)
        names = ReferenceReader(ledger).refresh()
    if not found:
        console.print("every tag that was read is as it should be")
        return 0
    table = Table(box=None)
    for title in ("tag", "what is wrong", "last read", "where", "reads"):
        table.add_column(title, overflow="fold")
    for tag in found:
        wrong = tag.problem.replace("_", " ")
        if tag.successor:
            wrong += f", replaced by {short(tag.successor)}"
        table.add_row(
            short(tag.identity),
            wrong,
            f"{datetime.fromtimestamp(tag.last_us / MICROSECONDS, zone):%Y-%m-%d %H:%M:%S}",
            names.place(tag.location),
            f"{tag.reads:,}",
        )
    console.print(table)
    return 1


def _living(desk: Commissioning, identity: str) -> list[Carried]:
    found = desk.contents(identity)
    if not found:
        raise TallygateError(f"{short(identity)} was never commissioned here")
    if found[0].ended_us is not None:
        then = f"; {short(found[0].successor)} took its place" if found[0].successor else ""
        raise TallygateError(f"{short(identity)} was decommissioned{then}")
    return found


def _placed(births: Sequence[Commissioned], names: Names, template: Template) -> list[Placed]:
    """The labels, in the order in which they are stuck on."""
    placed = []
    for birth in printing_order(births):
        item = names.items.get(birth.item)
        both = (item.name, item.name_zh) if item else ("", "")
        placed.append(place(label_of(birth, both), template))
    return placed


async def _look_at_printer(output: Output) -> None:
    """Nothing is entered for a printer that cannot be reached."""
    if output.printer is not None:
        async with zpl_printer(
            output.printer, patience_s=output.patience_s, tell=_problem
        ) as printer:
            await printer.ready()


def _print(labels: list[Placed], output: Output, first: Commissioned, skip: int = 0) -> None:
    console = plain_console()
    if output.file is not None:
        try:
            output.file.write_bytes(pdf(labels[skip:], output.template))
        except OSError as error:
            raise TallygateError(f"{output.file} cannot be written: {error}") from error
        many = _many(len(labels) - skip, "label")
        console.print(f"{many} written to {output.file}", markup=False)
    elif output.printer is not None:
        asyncio.run(_print_out(labels, output, first, skip))


async def _print_out(labels: list[Placed], output: Output, first: Commissioned, skip: int) -> None:
    console, template = plain_console(), output.template
    done = skip
    assert output.printer is not None
    try:
        async with zpl_printer(
            output.printer, patience_s=output.patience_s, tell=_problem
        ) as printer:
            for placed in labels[skip:]:
                epc = placed.label.epc if template.rfid else None
                await printer.print(zpl(placed, template), epc)
                done += 1
                if console.is_terminal or done % PROGRESS_EVERY == 0:
                    console.print(f"{done:,} of {len(labels):,} labels", end=_line_end(console))
    except PrinterError as error:
        stuck = labels[done].label if done < len(labels) else labels[-1].label
        raise TallygateError(
            f"{error}. {done:,} of {len(labels):,} labels are out; the next one is"
            f" {short(stuck.identity)}. All are commissioned: go on with `tallygate commission"
            f" reprint {short(first.identity)} --skip {done} --printer"
            f" tcp://{output.printer.host}:{output.printer.port}` (--skip {done + 1} where that"
            " one did come out)."
        ) from error
    written = ", their tags written and read back" if template.rfid else ""
    console.print(f"{_many(len(labels) - skip, 'label')} printed{written}")


def _line_end(console: object) -> str:
    return "\r" if getattr(console, "is_terminal", False) else "\n"


def _problem(text: str) -> None:
    plain_console().print(f"[yellow]{text}[/yellow]")


def _tell(births: Sequence[Commissioned], done: str) -> None:
    console = plain_console()
    for birth in births[:SHOWN_MAX]:
        depth = 2 if birth.packing == "unit" and birth.parent else int(birth.packing != "pallet")
        console.print(f"{'  ' * depth}{birth.packing} {short(birth.identity)}", markup=False)
    if len(births) > SHOWN_MAX:
        console.print(f"  and {len(births) - SHOWN_MAX:,} more")
    console.print(f"{_many(len(births))} {done}")


def _many(count: int, noun: str = "identity") -> str:
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {'identities' if noun == 'identity' else noun + 's'}"


@contextlib.contextmanager
def _open(where: Where) -> Iterator[PostgresLedger]:
    with (
        kept_database(where.folder, where.postgres) as url,
        open_ledger(url, where.site) as ledger,
        told_errors(),
    ):
        yield ledger


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (CommissioningError, EncodingError, TemplateError, PrinterError) as error:
        raise TallygateError(str(error)) from error
