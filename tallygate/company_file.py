"""Files for `tallygate post`: master data of the books and documents, as JSON or as CSV.

A JSON file is an object (settings, items, places, taxes, parties, batches, chart, rules, period,
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
import re
from collections.abc import Iterator, Mapping, Sequence
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
from contracts.documents import Document, DocumentLine, Id, Moment, Text, Written

Model = TypeVar("Model", bound=Written)

LINE_REASON = "line_reason"
"""The column of a line's reason: `reason` is the document's."""
SERIALS_APART = ";"
"""Stands between serial numbers in a cell."""
SEPARATORS = ",;\t"
"""Between the cells of a row: a spreadsheet takes the one of its country."""
SURPLUS = "?"
"""What stands in a row under no column."""
ARCHIVE = b"PK\x03\x04"
"""How a workbook begins."""
MARK = b"\xef\xbb\xbf"
"""How some editors begin a text in UTF-8."""
LINE_COLUMNS = {LINE_REASON if name == "reason" else name for name in DocumentLine.model_fields}
DOCUMENT_COLUMNS = {name for name in Document.model_fields if name != "lines"}
COLUMNS = (*sorted(DOCUMENT_COLUMNS), *sorted(LINE_COLUMNS))
WORDS = {
    "missing": "is missing",
    "extra_forbidden": "there is no such field",
    "string_too_short": "is empty",
}
"""A mistake of this type, in words."""
PROBLEMS = {
    "model_type": "is no object with fields",
    "tuple_type": "is no list",
    "dict_type": "is no object with fields",
    "string_type": "is no text: put it in quotation marks",
    "decimal_type": "is no number",
    "bool_parsing": "should be true or false",
    "bool_type": "should be true or false",
}
"""And beside what was given."""
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


class CompanyPeriod(Written):
    """Which periods are closed."""

    closed_before: Moment
    """What happened before this moment is not taken any more, the files' documents included."""


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
    period: CompanyPeriod | None = None
    """Closes what is over."""


ONES: Mapping[str, type[Written]] = {
    "settings": BookSettings,
    "chart": Chart,
    "rules": PostingRules,
    "period": CompanyPeriod,
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
    period: msgspec.Raw = NOTHING
    documents: list[msgspec.Raw] = []


class JsonFile:
    """A company file, or a list of documents."""

    def __init__(self, path: Path) -> None:
        """Reads the file and checks its master data."""
        self.path = path
        self._parts, problem = _parts_of(path)
        found = [f"{_name(path)}: {problem}"] if problem else []
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
        self._separator = ","
        self._columns: tuple[str, ...] = ()
        self.mistakes: tuple[str, ...] = tuple(self._header_mistakes())

    def documents(self) -> Iterator[Read]:
        """Its documents in order, read anew each time; none where its columns are wrong."""
        if self.mistakes:
            return
        seen: set[str] = set()
        name = _name(self.path)
        try:
            with self.path.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.reader(file, delimiter=self._separator, strict=True)
                next(reader, None)
                numbered = ((reader.line_num, self._row(cells)) for cells in reader)
                filled = (row for row in numbered if any(row[1].values()))
                for document, rows in groupby(filled, key=lambda row: row[1]["id"]):
                    yield self._document(document, list(rows), seen)
                    seen.add(document)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            row = f":{reader.line_num}" if isinstance(error, csv.Error) else ""
            told = f"{name}{row}: cannot be read on: {_why_unreadable(error)}"
            yield Read(name, None, (told,))

    def _row(self, cells: Sequence[str]) -> dict[str, str]:
        """A row's cells by their columns, with what stands under no column."""
        row = dict.fromkeys(self._columns, "")
        row |= dict(zip(self._columns, map(str.strip, cells), strict=False))
        unnamed = [cell for column, cell in zip(self._columns, cells, strict=False) if not column]
        row[SURPLUS] = "".join([*unnamed, *cells[len(self._columns) :]]).strip()
        row.pop("", None)
        return row

    def _header_mistakes(self) -> Iterator[str]:
        name = _name(self.path)
        try:
            with self.path.open("rb") as bytes_:
                if bytes_.read(len(ARCHIVE)) == ARCHIVE:
                    yield f"{name}: is a workbook: save it as CSV UTF-8"
                    return
            with self.path.open(newline="", encoding="utf-8-sig") as file:
                first = file.readline()
            self._separator = _separator(first)
            cells = next(csv.reader([first], delimiter=self._separator), [])
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            yield f"{name}: cannot be read: {_why_unreadable(error)}"
            return
        columns = self._columns = tuple(cell.strip().lower() for cell in cells)
        unknown = [repr(column) for column in columns if column and column not in COLUMNS]
        if unknown:
            told = f"there is no column {', '.join(unknown)}"
            yield f"{name}: {told}; there are: {', '.join(COLUMNS)}"
        for column in sorted({column for column in columns if columns.count(column) > 1} - {""}):
            yield f"{name}: the column {column} comes twice"
        missing = [column for column in NEEDED if column not in columns]
        if missing:
            verb = "column {} is" if len(missing) == 1 else "columns {} are"
            yield f"{name}: the {verb.format(', '.join(missing))} missing"

    def _document(self, name: str, rows: list[tuple[int, dict[str, Any]]], seen: set[str]) -> Read:
        first, last = rows[0][0], rows[-1][0]
        at = f"row {first}" if first == last else f"rows {first} to {last}"
        where = f"{self.path.name}: document {name} ({at})" if name else f"{self.path.name}, {at}"
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
        if row[SURPLUS]:
            yield f"{here}: {row[SURPLUS]!r} stands under no column of the first row"
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
    if bytes(text[: len(ARCHIVE)]) == ARCHIVE:
        return _Parts(), "is a workbook: save it as CSV UTF-8"
    if bytes(text[: len(MARK)]) == MARK:
        text = text[len(MARK) :]
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
    if kind in WORDS:
        return WORDS[kind]
    text = message.removeprefix("Value error, ").removeprefix("Decimal input ")
    text = re.sub("^(Input|String|Tuple|List|Dictionary) should", "should", text)
    text = PROBLEMS.get(kind, text)
    shown = repr(given) if isinstance(given, (str, int)) else str(given)
    # A whole line as the input would bury what is wrong with it.
    return f"{shown if len(shown) <= 60 else shown[:57] + '...'}: {text}"  # noqa: PLR2004


def _name(path: Path) -> str:
    """What a file is called in messages."""
    return path.name or str(path)


def _separator(first: str) -> str:
    """What stands between the cells of a first row: what makes most columns of it."""

    def found(separator: str) -> int:
        cells = next(csv.reader([first], delimiter=separator), [])
        return sum(cell.strip().lower() in COLUMNS for cell in cells)

    return max(SEPARATORS, key=found)


def _why_unreadable(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1} is not UTF-8: save it as CSV UTF-8"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, csv.Error) and "unexpected end" in str(error):
        return "a quotation mark that opens a cell is not closed"
    return str(error)
