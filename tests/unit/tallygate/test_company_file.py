"""Files of documents: what is read, and every mistake with its file, document, line and field."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.accounting import TaxCode
from contracts.documents import Document, DocumentKind
from tallygate.company_check import CompanyCheck
from tallygate.company_file import SAMPLE, CompanyFile, CsvFile, JsonFile, open_company_file

HEAD = "id,kind,happened_at,party,item,quantity,price,location\n"
RECEIPT = "GR-1,goods_receipt,2026-03-02T08:00:00+08:00,SUP,bolt,5,0.25,A-1\n"


def a_document(**fields: Any) -> dict[str, Any]:
    """A receipt that is right."""
    line = {"item": "bolt", "quantity": "5", "price": "0.25", "location": "A-1"}
    valid = {"id": "GR-1", "kind": "goods_receipt", "happened_at": "2026-03-02T08:00:00+08:00"}
    return {**valid, "lines": [line | fields.pop("line", {})], **fields}


def a_file(folder: Path, content: object, name: str = "company.json") -> CompanyFile:
    """A file with this content, opened."""
    path = folder / name
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return open_company_file(path)


def mistakes_in(file: CompanyFile) -> list[str]:
    """All that is wrong with a file by itself."""
    return list(CompanyCheck().take(file))


def documents_of(file: CompanyFile) -> list[Document]:
    """Its documents; all must be right."""
    assert file.mistakes == ()
    found = []
    for read in file.documents():
        assert read.mistakes == ()
        assert read.document is not None
        found.append(read.document)
    return found


def test_a_csv_file_says_what_a_json_file_says(tmp_path: Path) -> None:
    line = {"item": "pump", "quantity": "2", "serials": ["P-1", "P-2"], "reason": "late"}
    whole = a_document(lines=[a_document()["lines"][0], line], party="SUP", reason="by hand")
    from_json = documents_of(a_file(tmp_path, {"documents": [whole]}))
    csv = (
        "id,kind,happened_at,party,reason,item,quantity,price,location,serials,line_reason\n"
        "GR-1,goods_receipt,2026-03-02T08:00:00+08:00,SUP,by hand,bolt,5,0.25,A-1,,\n"
        "GR-1,,,,,pump,2,,,P-1; P-2,late\n"
    )
    assert documents_of(a_file(tmp_path, csv, "late.csv")) == from_json


def test_a_list_of_documents_is_a_file_too(tmp_path: Path) -> None:
    (document,) = documents_of(a_file(tmp_path, [a_document()]))
    assert document.kind is DocumentKind.GOODS_RECEIPT


def test_numbers_stay_exact(tmp_path: Path) -> None:
    text = json.dumps([a_document()]).replace('"0.25"', "123456789012345.000001")
    (document,) = documents_of(a_file(tmp_path, text))
    assert document.lines[0].price == Decimal("123456789012345.000001")


def test_a_document_without_lines_is_a_row_without_an_item(tmp_path: Path) -> None:
    csv = "id,kind,happened_at,refers\nRX-1,reversal,2026-03-02T08:00:00Z,GR-1\n"
    (document,) = documents_of(a_file(tmp_path, csv, "late.csv"))
    assert (document.refers, document.lines) == ("GR-1", ())


def test_documents_may_be_asked_for_again(tmp_path: Path) -> None:
    for file in (a_file(tmp_path, [a_document()]), a_file(tmp_path, HEAD + RECEIPT, "late.csv")):
        assert documents_of(file) == documents_of(file)


@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        ("", "x.json: is empty"),
        ("{", "x.json: is no company file: Input data was truncated"),
        ('{"papers": []}', "x.json: is no company file: Object contains unknown field `papers`"),
        ('{"items": {}}', "x.json: is no company file: Expected `array`, got `object`"),
        ({"settings": {"base_currency": "yuan"}}, "x.json: settings, base_currency: 'yuan'"),
        ({"items": [{"item": "a", "decimals": 7}]}, "x.json: items, 1, decimals: 7: should be"),
        ({"items": [{"item": "a"}, {"item": "a"}]}, "x.json: items: a comes twice"),
        ({"taxes": {"VAT": {"rate": "-1"}}}, "x.json: taxes, VAT, rate: '-1': should be"),
        (
            {"items": [{"item": "a", "units": [{"unit": "case", "contains": 2, "of": "box"}]}]},
            "x.json: items, units: unit box of item a is not known",
        ),
    ],
)
def test_master_data_with_a_mistake_is_told(tmp_path: Path, content: object, mistake: str) -> None:
    found = mistakes_in(a_file(tmp_path, content, "x.json"))
    assert len(found) == 1
    assert found[0].startswith(mistake)


@pytest.mark.parametrize(
    ("fields", "mistake"),
    [
        ({"kind": "gift"}, "kind: 'gift': should be 'opening', 'goods_receipt'"),
        ({"happened_at": "2026-03-02T08:00:00"}, "happened_at: '2026-03-02T08:00:00': is no"),
        ({"colour": "red"}, "colour: there is no such field"),
        ({"rate": "0"}, "rate: '0': should be greater than 0"),
        ({"line": {"quantity": "many"}}, "line 1, quantity: 'many': is no number: write digits"),
        ({"line": {"price": "-1"}}, "line 1, price: '-1': should be greater than or equal to 0"),
        ({"line": {"quantity": "1,000"}}, "line 1, quantity: '1,000': is no number: write digits"),
        ({"line": {"quantity": "1e3"}}, "line 1, quantity: '1e3': is no number: write digits"),
        ({"line": {"quantity": True}}, "line 1, quantity: True: is no number"),
        ({"line": {"price": "0.1234567"}}, "line 1, price: '0.1234567': should have no more than"),
        ({"lines": "none"}, "lines: 'none': is no list"),
        ({"reason": "two\nlines"}, "reason: 'two\\nlines': must hold no line breaks"),
    ],
)
def test_a_mistake_names_document_line_field_and_what_is_allowed(
    tmp_path: Path, fields: dict[str, Any], mistake: str
) -> None:
    (found,) = mistakes_in(a_file(tmp_path, [a_document(**fields)]))
    assert found.startswith(f"company.json: document 1 (GR-1), {mistake}")


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    rows = HEAD + RECEIPT + "GR-2,gift,2026-03-02,SUP,bolt,x,-1,A-1\n"
    found = mistakes_in(a_file(tmp_path, rows, "late.csv"))
    assert [text.split(": ")[1:3] for text in found] == [
        ["document GR-2 (row 3), kind", "'gift'"],
        ["document GR-2 (row 3), happened_at", "'2026-03-02'"],
        ["document GR-2 (row 3), line 1 (row 3), quantity", "'x'"],
        ["document GR-2 (row 3), line 1 (row 3), price", "'-1'"],
    ]


@pytest.mark.parametrize(
    ("rows", "mistake"),
    [
        ("id,kind,happened_at,colour\n", "late.csv: there is no column 'colour'; there are: "),
        ("id,kind\n", "late.csv: the column happened_at is missing"),
        ("id,id,kind,happened_at\n", "late.csv: the column id comes twice"),
        (
            HEAD + RECEIPT.replace("\n", ",1\n"),
            "late.csv:2: '1' stands under no column of the first row",
        ),
        (HEAD.replace("\n", ",\n") + RECEIPT.replace("\n", ",7\n"), "late.csv:2: '7' stands under"),
        (
            HEAD + RECEIPT + RECEIPT.replace("SUP", '"SUP').replace("GR-1", "GR-2"),
            "late.csv:3: cannot be read on: a quotation mark that opens a cell is not closed",
        ),
        ("", "late.csv: the columns id, kind, happened_at are missing"),
        ("id,kind,happened_at,a,b\n", "late.csv: there is no column 'a', 'b'; there are: "),
        (
            HEAD + RECEIPT + "GR-1,scrap,,,bolt,1,,A-1\n",
            "late.csv:3: document GR-1, kind: 'scrap' differs from 'goods_receipt'",
        ),
        (
            HEAD + RECEIPT + RECEIPT.replace("GR-1", "GR-2") + RECEIPT,
            "late.csv: document GR-1 (row 4): its rows do not stand together",
        ),
        (
            HEAD + RECEIPT + RECEIPT.replace("bolt", "bolt", 1).replace("SUP", "XYZ"),
            "late.csv:3: document GR-1, party: 'XYZ' differs from 'SUP' in its first row",
        ),
    ],
)
def test_rows_with_a_mistake_are_told(tmp_path: Path, rows: str, mistake: str) -> None:
    (found,) = mistakes_in(a_file(tmp_path, rows, "late.csv"))
    assert found.startswith(mistake)


@pytest.mark.parametrize(
    "moment",
    [
        "2026-03-02",
        "45932",
        45932,
        "1759363200",
        "02/03/2026 08:00",
        "2026/3/2 8:00",
        "2026-13-02T08Z",
    ],
)
def test_a_time_is_never_guessed_at(tmp_path: Path, moment: object) -> None:
    """A spreadsheet's number of days would be a morning of 1970."""
    (found,) = mistakes_in(a_file(tmp_path, [a_document(happened_at=moment)]))
    assert "is no time with its zone: write it like 2026-03-02T08:00:00+08:00" in found
    batch = {"bolt/B": {"expires_on": moment}}
    assert ("is no day" in "".join(mistakes_in(a_file(tmp_path, {"batches": batch})))) == (
        moment != "2026-03-02"
    )


@pytest.mark.parametrize("text", ["1e3", "0E-9", "0.000000000", "-0", "1.5000000000"])
def test_a_number_of_any_form_can_be_read_again_when_it_was_kept(text: str) -> None:
    tax = TaxCode.model_validate({"rate": Decimal(text)})
    assert TaxCode.model_validate_json(tax.model_dump_json()) == tax


@pytest.mark.parametrize(
    "write",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace("\n", ",,\n") + ",,,,,,,,,\n",
        lambda text: text.replace("id,kind", " ID ,Kind").replace("bolt", " bolt "),
        lambda text: text.replace("bolt", '"bolt"'),
    ],
    ids=["mark", "windows", "semicolons", "tabs", "empty cells", "names", "quoted"],
)
def test_a_file_may_come_from_any_spreadsheet(tmp_path: Path, write: Any) -> None:
    plain = documents_of(a_file(tmp_path, HEAD + RECEIPT, "plain.csv"))
    assert documents_of(a_file(tmp_path, write(HEAD + RECEIPT), "late.csv")) == plain


def test_a_json_file_may_begin_with_a_mark(tmp_path: Path) -> None:
    assert documents_of(a_file(tmp_path, "\ufeff" + json.dumps([a_document()])))


def test_a_workbook_says_how_to_save_it(tmp_path: Path) -> None:
    for name in ("book.xlsx", "book.csv"):
        (tmp_path / name).write_bytes(b"PK\x03\x04" + b"\x00" * 40)
        assert mistakes_in(open_company_file(tmp_path / name)) == [
            f"{name}: is a workbook: save it as CSV UTF-8"
        ]


def test_a_file_that_is_not_utf_8_says_how_to_save_it(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    path.write_bytes((HEAD + RECEIPT.replace("SUP", "供应商")).encode("gb18030"))
    found = mistakes_in(CsvFile(path))
    assert any("is not UTF-8: save it as CSV UTF-8" in text for text in found)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    for file in (JsonFile(tmp_path / "no.json"), CsvFile(tmp_path / "no.csv")):
        (found, *_) = mistakes_in(file)
        assert found.endswith("cannot be read: no such file or directory")


def test_the_sample_company_has_no_mistakes_and_every_kind_of_document() -> None:
    check = CompanyCheck()
    files = [open_company_file(path) for path in SAMPLE]
    assert [mistake for file in files for mistake in check.take(file)] == []
    kinds = {read.document.kind for file in files for read in file.documents() if read.document}
    assert kinds == set(DocumentKind)
    assert check.documents > 300


def test_the_file_in_the_documentation_has_no_mistakes(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "books.md").read_text(encoding="utf-8")
    content = text.split("```json")[1].split("```")[0]
    check = CompanyCheck()
    assert list(check.take(a_file(tmp_path, content))) == []
    assert check.lines == 1


@given(content=st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_told(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name in ("any.json", "any.csv"):
        (folder / name).write_bytes(content)
        file = open_company_file(folder / name)
        assert all(isinstance(mistake, str) for mistake in CompanyCheck().take(file))
