"""Tables of reports: what has room, how cells are said, and what programs get."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from tallygate.errors import TallygateError
from tallygate.report_books import moment_us
from tallygate.report_table import Column, Form, Output, Report, said, write_reports
from tallygate.report_words import REPORT_WORDS
from tallygate.words import LANGUAGES, word

SHANGHAI = ZoneInfo("Asia/Shanghai")
REPORT = Report(
    "report_stock",
    (
        Column("item"),
        Column("name", leaves=1, shrinks=True),
        Column("owner"),
        Column("disposition", Form.WORD),
        Column("quantity", Form.NUMBER, leaves=2),
        Column("value", Form.AMOUNT),
        Column("recorded_at", Form.MOMENT, is_shown=False),
    ),
    [
        (
            "R-1",
            "A name that is long",
            "",
            "frozen",
            Decimal("1234.500"),
            Decimal("0.1"),
            1_000_000,
        ),
        ("R-2", "Short", "", "available", Decimal(2), None, 2_000_000),
    ],
    {"value": Decimal("0.1")},
)


def printed(width: int, spoken: str = "en", report: Report = REPORT) -> list[str]:
    """The lines of the table on a terminal of this width."""
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    write_reports(console, [report], Output.TABLE, spoken, SHANGHAI)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_a_wide_terminal_shows_all_but_what_is_empty() -> None:
    lines = printed(120)
    assert lines[1].split() == ["item", "name", "state", "quantity", "value"]
    name = ["A", "name", "that", "is", "long"]
    assert lines[3].split() == ["R-1", *name, "frozen", "1,234.5", "0.10"]
    assert lines[4].split() == ["R-2", "Short", "available", "2"]
    assert lines[-1].split() == ["0.10"]


def test_names_are_cut_before_columns_go_and_what_went_is_told() -> None:
    assert "A name th…" in printed(46)[3]
    lines = printed(28)
    assert lines[1].split() == ["item", "state", "value"]
    assert lines[-1].startswith("no room for: name, quantity (")


@given(width=st.integers(min_value=22, max_value=200), spoken=st.sampled_from(LANGUAGES))
def test_a_table_is_no_wider_than_the_terminal_and_cuts_no_number(width: int, spoken: str) -> None:
    lines = printed(width, spoken)
    table = lines[1 : len(REPORT.rows) + 3]
    assert all(cell_len(line) <= width for line in table)
    assert "…" not in table[2].replace("A name", "").split()[-1]


def test_an_empty_report_says_so() -> None:
    report = Report("report_stock", REPORT.columns, [])
    assert printed(100, report=report)[-1] == "nothing yet"


def test_programs_get_exact_numbers_and_utc(capsys: pytest.CaptureFixture[str]) -> None:
    write_reports(Console(), [REPORT], Output.JSON, "zh", SHANGHAI)
    rows = json.loads(capsys.readouterr().out)["report_stock"]
    assert rows[0]["quantity"] == "1234.500"
    assert rows[0]["disposition"] == "frozen"
    assert rows[0]["recorded_at"] == "1970-01-01T00:00:01+00:00"
    assert rows[1]["value"] is None
    write_reports(Console(), [REPORT], Output.CSV, "zh", SHANGHAI)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "item,name,owner,disposition,quantity,value,recorded_at"
    assert lines[2] == "R-2,Short,,available,2,,1970-01-01T00:00:02+00:00"


@pytest.mark.parametrize(
    ("cell", "form", "text"),
    [
        (Decimal("-28.7"), Form.AMOUNT, "-28.70"),
        (Decimal("0.0050471"), Form.RATE, "0.50 %"),
        (1_000_000_000, Form.NUMBER, "1,000,000,000"),
        (0, Form.MOMENT, "1970-01-01 08:00"),
        ("none", Form.WORD, ""),
        ("a cause of our own", Form.WORD, "a cause of our own"),
    ],
)
def test_cells_are_said_for_people(cell: str | int | Decimal, form: Form, text: str) -> None:
    assert said(cell, form, "en", SHANGHAI) == text


def test_every_column_and_word_has_both_languages() -> None:
    for key, (english, chinese) in REPORT_WORDS.items():
        assert english, key
        assert chinese, key
        assert word(key, "zh") == chinese


def test_a_day_is_its_start_or_its_end_in_the_zone() -> None:
    start = moment_us("2026-03-31", SHANGHAI, is_end=False)
    assert start == moment_us("2026-03-30T16:00:00+00:00", SHANGHAI, is_end=False)
    assert moment_us("2026-03-31", SHANGHAI, is_end=True) == start + 86_400_000_000
    assert moment_us("2026-03-31T00:00:00", SHANGHAI, is_end=True) == start
    exact = moment_us("2026-03-31T00:00:00.999999Z", SHANGHAI, is_end=True)
    assert exact == int(datetime(2026, 3, 31, tzinfo=UTC).timestamp()) * 1_000_000 + 999_999


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "9999-12-31", "31.03.2026"])
def test_what_is_no_moment_is_told(text: str) -> None:
    with pytest.raises(TallygateError, match="is no moment: write 2026-03-31"):
        moment_us(text, SHANGHAI, is_end=True)
