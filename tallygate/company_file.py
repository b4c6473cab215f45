"""Files for `tallygate post`: master data of the books and documents, as JSON or as CSV.

A JSON file is an object (settings, items, places, taxes, parties, batches, chart, rules,
documents; see `Company`) or a list of documents. A CSV file has documents only: one row a line of a
document, the columns named as the fields of `Document` and `DocumentLine`; the line's own reason is
`line_reason`, serial numbers are separated by `;`, components are JSON. Rows of one document stand
together, and what is the document's own need stand in its first row only.

The bytes of a file are held at most once; documents are made one at a time, each time that they are
asked for. A mistake names the file, the document, the line, the field and what is allowed.
"""

from __future__ import annotations

import csv
import mmap
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Protocol, TypeVar

import msgspec
from pydantic import Field, ValidationError

from contracts.accounting import (
    BatchCard,
    BillOfMaterials,
    BookSettings,
    Chart,
    Costing,
    ItemCard,
    Party,
    Planning,
    PostingRules,
    TaxCode,
    Unit,
)
from contracts.books import BookItem, Negative, PlaceKind, Tracking
from contracts.codec import UNDECODABLE
from contracts.documents import Document, DocumentLine, Id, Text, Written

Model = TypeVar("Model", bound=Written)

LINE_REASON = "line_reason"
"""The column of a line's reason: `reason` is the document's."""
SERIALS_APART = ";"
"""Stands between serial numbers in a cell."""
LINE_COLUMNS = {LINE_REASON if name == "reason" else name for name in DocumentLine.model_fields}
DOCUMENT_COLUMNS = {name for name in Document.model_fields if name != "lines"}
COLUMNS = (*sorted(DOCUMENT_COLUMNS), *sorted(LINE_COLUMNS))
_decoder = msgspec.json.Decoder(float_hook=Decimal)
"""Numbers stay exact."""
NOTHING = msgspec.Raw()
NEEDED = ("id", "kind", "happened_at")
"""Columns that every CSV file has."""
SAMPLES = Path(__file__).with_name("samples")
SAMPLE = (SAMPLES / "company.json", SAMPLES / "documents_late.csv")
"""The company that ships with the package: post the files in this order."""


class CompanyItem(Written):
    """An item, with all that the books may know of it."""

    item: Id
    """Its number."""
    base_unit: Text = "each"
    """The unit of every quantity of it."""
    decimals: Annotated[int, Field(ge=0, le=6)] = 0
    """Decimal places that a quantity may have."""
    tracking: Tracking = Tracking.NONE
    """What its stock is told apart by."""
    negative: Negative = Negative.REFUSE
    """What happens when its present book would fall below zero."""
    card: ItemCard | None = None
    """What people call it."""
    costing: Costing | None = None
    """How it is valued; none: it has quantities only."""
    units: tuple[Unit, ...] = ()
    """Its packs."""
    planning: Planning | None = None
    """How it is replenished, everywhere."""
    planning_in: dict[Id, Planning] = Field(default_factory=dict)
    """And in single warehouses."""
    bill_of_materials: BillOfMaterials | None = None
    """How it is made."""

    def book(self) -> BookItem:
        """The item as the books count it."""
        return BookItem(
            item=self.item,
            base_unit=self.base_unit,
            decimals=self.decimals,
            tracking=self.tracking,
            negative=self.negative,
        )


class CompanyPlace(Written):
    """A location of the books."""

    location: Id
    """Its id."""
    kind: PlaceKind = PlaceKind.ZONE
    """What it is."""
    warehouse: Text = ""
    """The warehouse that it lies in."""


class Company(Written):
    """Master data of the books, all of it optional."""

    settings: BookSettings | None = None
    """How the site keeps its books."""
    items: tuple[CompanyItem, ...] = ()
    """Items."""
    places: tuple[CompanyPlace, ...] = ()
    """Locations, real and virtual."""
    taxes: dict[Id, TaxCode] = Field(default_factory=dict)
    """Tax code to tax."""
    parties: dict[Id, Party] = Field(default_factory=dict)
    """Suppliers, customers and departments by their ids."""
    batches: dict[Id, BatchCard] = Field(default_factory=dict)
    """`{item}/{batch}` to what is known of the batch."""
    chart: Chart | None = None
    """A chart of accounts of one's own, under the name that the settings give."""
    rules: PostingRules | None = None
    """Posting rules of one's own, under the name that the settings give."""


ONES: Mapping[str, type[Written]] = {
    "settings": BookSettings,
    "chart": Chart,
    "rules": PostingRules,
}
LISTS: Mapping[str, type[Written]] = {"items": CompanyItem, "places": CompanyPlace}
TABLES: Mapping[str, type[Written]] = {"taxes": TaxCode, "parties": Party, "batches": BatchCard}
"""The fields of `Company`, and what each holds."""


class Read(NamedTuple):
    """What became of one document of a file."""

    where: str
    """Such as `late.csv: document GR-7 (rows 2 to 4)`."""
    document: Document | None
    """None: it has mistakes."""
    mistakes: tuple[str, ...] = ()
    """Each whole, with the file's name."""


class CompanyFile(Protocol):
    """A file that was opened."""

    path: Path
    company: Company
    mistakes: tuple[str, ...]
    """Mistakes in its form and in its master data; whole sentences."""

    def documents(self) -> Iterator[Read]:
        """Its documents in order, made anew each time."""


def open_company_file(path: Path) -> CompanyFile:
    """The file; what is wrong with it is told in `mistakes` and by its documents."""
    if path.suffix.lower() == ".csv":
        return CsvFile(path)
    return JsonFile(path)


class _Parts(msgspec.Struct, forbid_unknown_fields=True):
    """A JSON file's parts, none of them looked into yet: views of the file's bytes."""

    settings: msgspec.Raw = NOTHING
    items: list[msgspec.Raw] = []
    places: list[msgspec.Raw] = []
    taxes: dict[str, msgspec.Raw] = {}
    parties: dict[str, msgspec.Raw] = {}
    batches: dict[str, msgspec.Raw] = {}
    chart: msgspec.Raw = NOTHING
    rules: msgspec.Raw = NOTHING
    documents: list[msgspec.Raw] = []


class JsonFile:
    """A company file, or a list of documents."""

    def __init__(self, path: Path) -> None:
        """Reads the file and checks its master data."""
        self.path = path
        self._parts, problem = _parts_of(path)
        found = [f"{path.name}: {problem}"] if problem else []
        self.company = self._company(found)
        self.mistakes = tuple(found)

    def documents(self) -> Iterator[Read]:
        """Its documents in order, made anew each time."""
        for number, raw in enumerate(self._parts.documents, start=1):
            said, where = _decoded(raw), f"{self.path.name}: document {number}"
            if isinstance(said, dict) and isinstance(name := said.get("id"), str) and name:
                where = f"{where} ({name})"
            yield _read(where, said, {})

    def _company(self, mistakes: list[str]) -> Company:
        parts, whole = self._parts, dict[str, Any]()

        def take(kind: type[Model], raw: msgspec.Raw, place: str) -> Iterator[Model]:
            try:
                yield kind.model_validate(_decoded(raw))
            except ValidationError as error:
                mistakes.extend(_told(error, f"{self.path.name}: {place}", {}))

        for name, kind in ONES.items():
            raw = getattr(parts, name)
            if bytes(raw) not in {b"", b"null"}:
                whole[name] = next(take(kind, raw, name), None)
        for name, kind in LISTS.items():
            raws = enumerate(getattr(parts, name), start=1)
            whole[name] = tuple(
                one for number, raw in raws for one in take(kind, raw, f"{name}, {number}")
            )
        for name, kind in TABLES.items():
            whole[name] = {
                key: one
                for key, raw in getattr(parts, name).items()
                for one in take(kind, raw, f"{name}, {key}")
            }
        return Company().model_copy(update=whole)


class CsvFile:
    """Documents, one row a line."""

    company = Company()

    def __init__(self, path: Path) -> None:
        """Reads the first row only; the others are read when documents are asked for."""
        self.path = path
        self.mistakes: tuple[str, ...] = tuple(self._header_mistakes())

    def documents(self) -> Iterator[Read]:
        """Its documents in order, read anew each time."""
        seen: set[str] = set()
        try:
            with self.path.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.DictReader(file, restkey="surplus", restval="")
                numbered = ((reader.line_num, row) for row in reader if any(row.values()))
                for name, rows in groupby(numbered, key=lambda row: row[1].get("id") or ""):
                    yield self._document(name, list(rows), seen)
                    seen.add(name)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            told = f"{self.path.name}: cannot be read on: {_why_unreadable(error)}"
            yield Read(self.path.name, None, (told,))

    def _header_mistakes(self) -> Iterator[str]:
        name = self.path.name
        try:
            with self.path.open(newline="", encoding="utf-8-sig") as file:
                columns = next(csv.reader(file), [])
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            yield f"{name}: cannot be read: {_why_unreadable(error)}"
            return
        for column in columns:
            if column not in COLUMNS:
                yield f"{name}: there is no column {column!r}; there are: {', '.join(COLUMNS)}"
        for column in sorted({column for column in columns if columns.count(column) > 1}):
            yield f"{name}: the column {column} comes twice"
        for column in NEEDED:
            if column not in columns:
                yield f"{name}: the column {column} is missing"

    def _document(self, name: str, rows: list[tuple[int, dict[str, Any]]], seen: set[str]) -> Read:
        first, last = rows[0][0], rows[-1][0]
        at = f"row {first}" if first == last else f"rows {first} to {last}"
        where = f"{self.path.name}: document {name} ({at})"
        if name in seen and name:
            return Read(where, None, (f"{where}: its rows do not stand together",))
        mistakes: list[str] = []
        said: dict[str, Any] = {
            column: rows[0][1][column] for column in DOCUMENT_COLUMNS if rows[0][1].get(column)
        }
        lines: list[dict[str, Any]] = []
        numbers: dict[int, int] = {}
        for number, row in rows:
            mistakes += self._row_mistakes(number, row, said)
            line = {column: row[column] for column in LINE_COLUMNS if row.get(column)}
            if line:
                numbers[len(lines)] = number
                lines.append(line)
                mistakes += self._unfold(number, line)
        said["lines"] = lines
        read = _read(where, said, numbers)
        if mistakes:
            return Read(where, None, (*mistakes, *read.mistakes))
        return read

    def _row_mistakes(
        self, number: int, row: Mapping[str, Any], said: Mapping[str, str]
    ) -> Iterator[str]:
        here = f"{self.path.name}:{number}"
        if "surplus" in row:
            yield f"{here}: has more cells than the first row has columns"
        for column in sorted(DOCUMENT_COLUMNS - {"id"}):
            if row.get(column) and row[column] != said.get(column):
                yield (
                    f"{here}: document {said.get('id', '')}, {column}: {row[column]!r} differs"
                    f" from {said.get(column, '')!r} in its first row"
                )

    def _unfold(self, number: int, line: dict[str, Any]) -> Iterator[str]:
        """Make of a row's cells what a line holds."""
        if LINE_REASON in line:
            line["reason"] = line.pop(LINE_REASON)
        if "serials" in line:
            line["serials"] = [each.strip() for each in line["serials"].split(SERIALS_APART)]
        if "components" in line:
            try:
                line["components"] = _decoder.decode(line["components"])
            except UNDECODABLE as error:
                line["components"] = []
                yield f"{self.path.name}:{number}: components: is not JSON: {error}"


def _parts_of(path: Path) -> tuple[_Parts, str]:
    """The parts of a JSON file, and what is wrong with its form."""
    try:
        with path.open("rb") as file:
            # Mapped, not read: the system holds the bytes, once, and may drop them again.
            if not file.seek(0, 2):
                return _Parts(), "is empty"
            text = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        return _Parts(), f"cannot be read: {_why_unreadable(error)}"
    try:
        if bytes(text[:100]).lstrip().startswith(b"["):
            return _Parts(documents=msgspec.json.decode(text, type=list[msgspec.Raw])), ""
        return msgspec.json.decode(text, type=_Parts), ""
    except UNDECODABLE as error:
        return _Parts(), (
            f"is no company file: {error}. It is an object with any of"
            f" {', '.join(_Parts.__struct_fields__)}, or a list of documents, in UTF-8"
        )


def _decoded(raw: msgspec.Raw) -> object:
    """A value with exact numbers; a text that says why, where a number cannot be held."""
    try:
        return _decoder.decode(raw)
    except UNDECODABLE as error:
        return f"cannot be read: {error}"


def _read(where: str, said: object, rows: Mapping[int, int]) -> Read:
    try:
        return Read(where, Document.model_validate(said))
    except ValidationError as error:
        return Read(where, None, tuple(_told(error, where, rows)))


def _told(error: ValidationError, where: str, rows: Mapping[int, int]) -> Iterator[str]:
    """Each mistake as a sentence; `rows` says in which row of a CSV file a line stands."""
    for mistake in error.errors(include_url=False):
        place = list(mistake["loc"])
        told = [where]
        if len(place) > 1 and place[0] == "lines" and isinstance(place[1], int):
            row = f" (row {rows[place[1]]})" if place[1] in rows else ""
            told.append(f"line {place[1] + 1}{row}")
            place = place[2:]
        field = ".".join(str(each + 1) if isinstance(each, int) else each for each in place)
        if field:
            told.append(field)
        yield f"{', '.join(told)}: {_problem(mistake['type'], mistake['msg'], mistake['input'])}"


def _problem(kind: str, message: str, given: object) -> str:
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return "there is no such field"
    text = message.removeprefix("Value error, ").replace("Input should", "should")
    shown = repr(given) if isinstance(given, (str, int)) else str(given)
    # A whole line as the input would bury what is wrong with it.
    return f"{shown if len(shown) <= 60 else shown[:57] + '...'}: {text}"  # noqa: PLR2004


def _why_unreadable(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1} is not UTF-8: save it as CSV UTF-8"
    return str(error)
