"""Master data and plans from files: the site's map, items and loads, checked before any is used.

`loads.csv` has one line for each thing that carries a tag (pallet, case, unit):
`load,gate,direction,opens_at,closes_at,pallet,case,identity,item,quantity`, times in RFC 3339.
`items.csv` has `item,name,name_zh`. A mistake names the file, the line, the column, the value and
what is allowed; all mistakes are told at once and nothing of a file with a mistake is used.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from contracts.clock import MICROSECONDS
from contracts.codec import encode
from contracts.places import Item, Load, LoadLine, SiteMap
from ledger_sink.ledger import Ledger
from tallygate.errors import TallygateError

Name = Annotated[str, Field(min_length=1, max_length=100)]
Row = TypeVar("Row", bound=BaseModel)


class ReferenceFileError(TallygateError):
    """A file of master data has mistakes; the message lists all of them."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class ItemRow(_Row):
    """A line of `items.csv`."""

    item: Name
    name: Name
    name_zh: str = ""


class LoadRow(_Row):
    """A line of `loads.csv`."""

    load: Name
    gate: Name
    direction: Literal["in", "out"]
    opens_at: AwareDatetime
    closes_at: AwareDatetime
    pallet: str = ""
    case: str = ""
    identity: str = ""
    item: str = ""
    quantity: Annotated[int, Field(ge=1)] = 1


def read_items(path: Path) -> list[Item]:
    """The items in a file. Raises ReferenceFileError."""
    rows = _read(path, ItemRow)
    return [Item(item=row.item, name=row.name, name_zh=row.name_zh) for _, row in rows]


def read_loads(path: Path, gates: frozenset[str] | None = None) -> list[Load]:
    """The loads in a file; with `gates`, only these may be named. Raises ReferenceFileError."""
    rows = _read(path, LoadRow)
    mistakes = [
        f"{path.name}:{number}: gate: {row.gate!r} is not in the site map ({_list(gates)})"
        for number, row in rows
        if gates is not None and row.gate not in gates
    ]
    grouped: dict[str, list[tuple[int, LoadRow]]] = {}
    for number, row in rows:
        grouped.setdefault(row.load, []).append((number, row))
    for name, lines in grouped.items():
        mistakes.extend(_disagreements(path, name, lines))
    if mistakes:
        raise ReferenceFileError("\n".join(mistakes))
    return [_load(name, [row for _, row in lines]) for name, lines in grouped.items()]


def put(ledger: Ledger, values: Iterator[SiteMap | Item | Load], at_us: int) -> int:
    """Set these in the ledger's reference, from where the bridge publishes them; how many."""
    count = 0
    with ledger.transaction():
        for value in values:
            ledger.put_reference(key_of(value), encode(value), at_us)
            count += 1
    return count


def key_of(value: SiteMap | Item | Load) -> str:
    """The reference key under which a value is kept."""
    if isinstance(value, SiteMap):
        return "site"
    return f"item/{value.item}" if isinstance(value, Item) else f"load/{value.load}"


def _read(path: Path, kind: type[Row]) -> list[tuple[int, Row]]:
    rows: list[tuple[int, Row]] = []
    mistakes: list[str] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for number, raw in enumerate(csv.DictReader(file, restkey="surplus"), start=2):
                given = {key: text for key, text in raw.items() if text not in ("", None)}
                try:
                    rows.append((number, kind.model_validate(given)))
                except ValidationError as error:
                    mistakes.extend(_told(path, number, error))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReferenceFileError(f"{path}: cannot be read: {error}") from error
    if mistakes:
        raise ReferenceFileError("\n".join(mistakes))
    return rows


def _told(path: Path, number: int, error: ValidationError) -> Iterator[str]:
    for mistake in error.errors():
        column = ".".join(str(part) for part in mistake["loc"])
        value = "" if mistake["type"] == "missing" else f" {mistake['input']!r}:"
        yield f"{path.name}:{number}: {column}:{value} {mistake['msg']}"


def _disagreements(path: Path, name: str, lines: list[tuple[int, LoadRow]]) -> Iterator[str]:
    """A load has one gate, one direction and one window, and names each identity once."""
    first = lines[0][1]
    seen: dict[str, int] = {}
    for number, row in lines:
        for column in ("gate", "direction", "opens_at", "closes_at"):
            if getattr(row, column) != getattr(first, column):
                value = getattr(row, column)
                yield (
                    f"{path.name}:{number}: {column}: {value} differs from"
                    f" {getattr(first, column)} in line {lines[0][0]} of the same load {name}"
                )
        if row.identity and row.identity in seen:
            yield (
                f"{path.name}:{number}: identity: {row.identity} stands in line"
                f" {seen[row.identity]} of load {name} already"
            )
        seen.setdefault(row.identity, number)
    if first.closes_at <= first.opens_at:
        yield f"{path.name}:{lines[0][0]}: closes_at: not after opens_at (load {name})"


def _load(name: str, rows: list[LoadRow]) -> Load:
    return Load(
        load=name,
        gate=rows[0].gate,
        direction=rows[0].direction,
        opens_us=_us(rows[0].opens_at),
        closes_us=_us(rows[0].closes_at),
        lines=tuple(
            LoadLine(
                identity=row.identity or None,
                item=row.item,
                quantity=row.quantity,
                case=row.case or None,
                pallet=row.pallet or None,
            )
            for row in rows
        ),
    )


def _us(moment: datetime) -> int:
    return int(moment.timestamp()) * MICROSECONDS + moment.microsecond


def _list(names: frozenset[str] | None) -> str:
    return ", ".join(sorted(names or ()))
