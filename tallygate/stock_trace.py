"""What the books say of an item, a batch or a piece: where it moved, what is in it, who got it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.clock import MICROSECONDS
from ledger_sink.tracing import Relation, StockMove, Subject
from tallygate.names import short
from tallygate.words import word

ROWS_MAX = 500
"""More rows than anybody reads. Of movements the newest are told, of what is in what the nearest;
and how many are not."""


def print_movements(
    console: Console, subject: Subject, moves: list[StockMove], spoken: str, zone: ZoneInfo
) -> None:
    """Each movement in a row: when, which step and document, from where to where, who."""
    console.print(Text(f"{word('in_the_books', spoken)}: {_name(subject, spoken)}", style="bold"))
    if not moves:
        console.print(Text(word("never_moved", spoken), style="dim"))
        return
    table = Table(box=None)
    for column in ("time", "step", "document", "quantity", "from", "to", "party_or_person"):
        table.add_column(word(column, spoken), justify="right" if column == "quantity" else "left")
    for move in moves[-ROWS_MAX:]:
        told = (
            _time(move.happened_us, zone),
            word(move.step, spoken),
            move.document,
            _amount(move.quantity),
            ", ".join(move.from_locations),
            ", ".join(move.to_locations) + _how(move, spoken),
            " / ".join(one for one in (move.party, move.person) if one),
        )
        # As text: what people wrote may look like the terminal's markup.
        table.add_row(*map(Text, told), style="dim" if move.reverses else "")
    console.print(table)
    if len(moves) > ROWS_MAX:
        console.print(Text(word("more", spoken, len(moves) - ROWS_MAX), style="dim"))


def print_relations(
    console: Console, title: str, relations: list[Relation], spoken: str, zone: ZoneInfo
) -> None:
    """What is in what, nearest first, with the documents that brought it in or took it out."""
    console.print(Text(word(title, spoken), style="bold"))
    table = Table(box=None, show_header=False)
    for _ in range(5):
        table.add_column()
    for relation in relations[:ROWS_MAX]:
        what = _name(Subject(relation.item, relation.batch), spoken)
        used = f" × {_amount(relation.used)}" if relation.used is not None else ""
        at = "" if relation.happened_us is None else _time(relation.happened_us, zone)
        told = (
            "  " * relation.depth + what + used,
            word(relation.kind, spoken) if relation.kind else word("no_document", spoken),
            relation.document,
            relation.party,
            f"{_amount(relation.quantity)} {at}".strip(),
        )
        table.add_row(*map(Text, told))
    console.print(table)
    if len(relations) > ROWS_MAX:
        console.print(Text(word("more", spoken, len(relations) - ROWS_MAX), style="dim"))


def _how(move: StockMove, spoken: str) -> str:
    told = [state for state in move.to_dispositions if state != "available"]
    parts = [word(state, spoken) for state in told]
    parts += [word("in_container", spoken, short(container)) for container in move.containers]
    if move.is_inferred:
        parts.append(word("inferred", spoken))
    if move.owner:
        parts.append(word("owner", spoken, move.owner))
    return f" ({', '.join(parts)})" if parts else ""


def _name(subject: Subject, spoken: str) -> str:
    parts = [subject.item]
    if subject.batch:
        parts.append(word("batch", spoken, subject.batch))
    if subject.serial:
        parts.append(word("serial", spoken, subject.serial))
    return " ".join(parts)


def _amount(quantity: Decimal | None) -> str:
    return "" if quantity is None else f"{quantity.normalize():f}"


def _time(at_us: int, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(at_us / MICROSECONDS, zone):%Y-%m-%d %H:%M}"
