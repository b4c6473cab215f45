"""The sample company, posted and reported with the real command line, to the cent.

What the reports say is recomputed from the files alone (`tests/support/company_oracle.py` and
`oracle_reports.py`, which know nothing of the ledger), and beancount checks the vouchers.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from psycopg import conninfo

from contracts.clock import ClockSetting
from ledger_sink import analysis
from ledger_sink.postgres_ledger import connect
from ledger_sink.verify_books import verify_books
from tallygate.company_file import SAMPLE, open_company_file
from tallygate.database import ledger_database
from tallygate.ledger import open_ledger
from tallygate.post_files import PostSettings, run_post
from tallygate.report_books import END_OF_TIME_US
from tests.support import oracle_reports
from tests.support.company_oracle import CompanyOracle
from tests.support.oracle_base import read_files
from tests.support.programs import ROOT
from tests.support.sample_quarter import sample_texts
from tests.support.servers import Fresh
from tests.support.voucher_book import beancount_balances

SECONDS_MAX = 240
"""A quarter is posted in less, on a small and busy machine too."""
QUARTER_END = datetime(2026, 4, 1, 0, 0, tzinfo=UTC)
FIVE_DAYS_LATER = datetime(2026, 4, 6, 0, 0, tzinfo=UTC)
ZERO = Decimal(0)
Row = dict[str, Any]


class Company(NamedTuple):
    """The sample company in a ledger of its own, without a stack."""

    url: str
    """Of its database, which runs meanwhile: not every command starts it anew."""
    said: tuple[str, ...]
    """By plain commands with no server running: a post at the quarter's end, one five days later
    with the late documents, and a report."""
    late: CompanyOracle
    """Of both files."""
    on_time: CompanyOracle
    """Of the first file alone."""
    reports: dict[tuple[str, ...], list[Row]]
    """What was asked for already."""

    def run(self, *arguments: str, at: datetime = FIVE_DAYS_LATER) -> tuple[int, str, str]:
        """The exit code, standard output and standard error of a command."""
        return tallygate(*arguments, "--postgres", self.url, at=at)

    def report(self, kind: str, *arguments: str) -> list[Row]:
        """Its rows, from JSON."""
        asked = (kind, *arguments)
        if asked not in self.reports:
            code, said, errors = self.run("report", kind, "--json", *arguments)
            assert code == 0, errors
            (self.reports[asked],) = json.loads(said).values()
        return self.reports[asked]


def tallygate(*arguments: str, at: datetime) -> tuple[int, str, str]:
    """The command's exit code and what it said, at a standing domain clock."""
    clock = ClockSetting(domain_anchor_us=int(at.timestamp()) * 1_000_000, speed=1e-12)
    given = {name: text for name, text in os.environ.items() if not name.startswith("TALLYGATE_")}
    done = subprocess.run(
        [sys.executable, "-m", "tallygate", *arguments],
        cwd=ROOT,
        env={**given, "LC_ALL": "C.UTF-8", "TALLYGATE_CLOCK": clock.text()},
        capture_output=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """Posted with plain commands in an empty folder, no server running."""
    folder = tmp_path_factory.mktemp("company") / "data"
    said = []
    for arguments, at in (
        (["post", str(SAMPLE[0])], QUARTER_END),
        (["post", "--sample"], FIVE_DAYS_LATER),
        (["report", "accounts"], FIVE_DAYS_LATER),
    ):
        code, out, errors = tallygate(*arguments, "--data", str(folder), at=at)
        assert code == 0, out + errors
        said.append(out)
    with ledger_database(folder, None, print) as url:
        yield Company(url, tuple(said), CompanyOracle(SAMPLE), CompanyOracle(SAMPLE[:1]), {})


def test_the_sample_is_what_its_generator_makes() -> None:
    assert sample_texts() == tuple(path.read_text(encoding="utf-8") for path in SAMPLE)


def test_every_document_is_entered_once(company: Company) -> None:
    first = sum(1 for _ in open_company_file(SAMPLE[0]).documents())
    late = sum(1 for _ in open_company_file(SAMPLE[1]).documents())
    assert f"documents entered: {first}" in company.said[0]
    assert f"documents entered: {late}" in company.said[1]
    assert f"known already: {first}" in company.said[1]


def test_a_report_needs_no_running_stack(company: Company) -> None:
    assert "Trial balance" in company.said[2]
    assert "Raw materials" in company.said[2]


@pytest.mark.parametrize("when", ["now", "quarter_end"])
def test_stock_and_its_value_are_what_the_files_say(company: Company, when: str) -> None:
    """Late documents change what is there now, and not what was recorded before them."""
    oracle, at = (company.late, []) if when == "now" else (company.on_time, ["--at", "2026-04-02"])
    rows = company.report("stock", *at)
    keys = ("item", "location", "batch", "disposition", "reservation", "owner")
    told = {
        tuple(row[key] for key in keys): (Decimal(row["quantity"]), amount(row["value"]))
        for row in rows
    }
    assert told == oracle_reports.stock(oracle)
    assert sum(value or ZERO for _, value in told.values()) == sum(
        worth.value for worth in oracle.worths.values()
    )


def test_late_documents_do_change_stock(company: Company) -> None:
    assert oracle_reports.stock(company.late) != oracle_reports.stock(company.on_time)


@pytest.mark.parametrize("when", ["now", "quarter_end"])
def test_ages_are_what_the_files_say(company: Company, when: str) -> None:
    oracle, at, moment = (company.late, [], FIVE_DAYS_LATER)
    if when == "quarter_end":
        # The clock stands just behind the quarter's end.
        moment = QUARTER_END + timedelta(seconds=1)
        oracle, at = company.on_time, ["--at", moment.isoformat()]
    told = {
        (row["item"], row["owner"]): oracle_reports.Age(
            Decimal(row["quantity"]),
            amount(row["value"]),
            [Decimal(row[f"quantity_{band}"]) for band in ("30", "60", "90", "180", "older")],
            [amount(row[f"value_{band}"]) or ZERO for band in ("30", "60", "90", "180", "older")],
            int(row["idle_days"]),
            row["alert"],
        )
        for row in company.report("ageing", *at)
    }
    assert told == oracle_reports.ageing(oracle, moment)
    assert {age.alert for age in told.values()} == {"", "slow", "dead"}


def test_what_to_order_is_what_the_files_say(company: Company) -> None:
    told = {}
    for row in company.report("reorder"):
        names = ("on_hand", "free", "reserved", "promise", "supply", "demand", "position")
        points = ("reorder_point", "safety_stock", "daily_use", "suggested")
        figures = [Decimal(row[name]) for name in (*names, *points)]
        assert row["area"] == ""
        told[row["item"]] = oracle_reports.Order(*figures)
    expected = oracle_reports.reorder(company.late, date(2026, 4, 6))
    rounded = {
        item: order._replace(use=order.use.quantize(Decimal("0.000001")))
        for item, order in expected.items()
    }
    assert told == rounded
    assert {order.suggested > 0 for order in told.values()} == {True, False}


@pytest.mark.parametrize("by", ["cause", "item", "person"])
def test_variances_are_what_the_files_say(company: Company, by: str) -> None:
    code, said, errors = company.run("report", "variance", "--json", "--by", by)
    assert code == 0, errors
    whole = json.loads(said)
    for what, name in (("all", "report_variance_all"), (by, f"report_variance_{by}")):
        expected = oracle_reports.variance(company.late, what)
        told = {
            row["subject"]: oracle_reports.Off(
                int(row["documents"]),
                int(row["lines"]),
                *(Decimal(row[column]) for column in ("value_off", "net_value", "book_value")),
            )
            for row in whole[name]
        }
        assert told == expected
        for row in whole[name]:
            off = expected[row["subject"]]
            assert round(Decimal(row["rate"]), 12) == round(off.value_off / off.book, 12)


def test_nobody_stands_in_clear_in_the_ledger(company: Company) -> None:
    code, said, errors = company.run("redact", "--check")
    assert (code, said.strip()) == (0, "No payload names a person in clear."), errors


def test_names_are_for_those_who_may_know_them(company: Company) -> None:
    """Everybody else sees pseudonyms in the same reports."""
    variance = ("report", "variance", "--json", "--by", "person")
    trace = ("trace", "R-131")
    with connect(company.url) as owner:
        owner.execute("create role plain_reader login password 'plain' in role ledger_reader")
        try:
            plain = conninfo.make_conninfo(company.url, user="plain_reader", password="plain")
            told = [
                (company.run(*asked)[1], company._replace(url=plain).run(*asked)[1])
                for asked in (variance, trace)
            ]
        finally:
            owner.execute("drop role plain_reader")
    for named, nameless in told:
        assert "storekeeper-" in named
        assert "storekeeper-" not in nameless
        assert re.search("p-[0-9a-f]{4}", nameless)
        assert not re.search("p-[0-9a-f]{32}", named)


def test_vouchers_are_what_the_files_say(company: Company) -> None:
    told: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for row in company.report("vouchers"):
        key = (row["document"], row["account"], row["item"])
        told[key] += Decimal(row["debit"]) - Decimal(row["credit"])
    expected: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for one in company.late.booked:
        expected[one.document, one.account, one.item] += one.amount
    assert {key: value for key, value in told.items() if value} == {
        key: value for key, value in expected.items() if value
    }


@pytest.mark.parametrize("when", ["now", "quarter_end"])
def test_beancount_says_the_same_of_every_account(company: Company, when: str) -> None:
    """Every voucher balances, and what stands in each account is what the trial balance says."""
    oracle, at = (company.late, []) if when == "now" else (company.on_time, ["--at", "2026-04-02"])
    balances, wrong = beancount_balances(company.report("vouchers", *at))
    assert wrong == []
    told = {row["account"]: Decimal(row["balance"]) for row in company.report("accounts", *at)}
    assert told == balances
    assert told == oracle.balances_of_accounts()


def test_stock_is_worth_what_stands_in_the_stock_accounts(company: Company) -> None:
    stock = sum(amount(row["value"]) or ZERO for row in company.report("stock"))
    accounts = company.report("accounts")
    codes = {"1402", "1403", "1405.01", "1405.02"}
    assert stock == sum(Decimal(row["balance"]) for row in accounts if row["account"] in codes)


def test_tables_speak_two_languages_and_csv_is_the_same_rows(company: Company) -> None:
    _, english, _ = company.run("report", "stock", "--item", "R-120")
    assert "Shaft steel 25 mm" in english
    assert "quantity" in english
    _, chinese, _ = company.run("report", "stock", "--item", "R-120", "--language", "zh")
    assert "轴用圆钢 25 mm" in chinese
    assert "数量" in chinese
    _, text, _ = company.run("report", "stock", "--csv", "--item", "R-120")
    rows = list(csv.DictReader(io.StringIO(text)))
    told = company.report("stock", "--item", "R-120")
    assert rows == [{key: value or "" for key, value in row.items()} for row in told]


def test_a_dry_run_checks_everything_and_enters_nothing(company: Company, tmp_path: Path) -> None:
    """Also what only the book can say: there are not so many."""
    path = tmp_path / "more.csv"
    path.write_text(
        "id,kind,happened_at,party,warehouse,item,quantity,price,location\n"
        "SH-9001,sales_shipment,2026-04-02T08:00:00Z,CUS-FARM,WH-SZ,M-401,1,130,SZ-B-02\n"
        "SH-9002,sales_shipment,2026-04-02T08:00:00Z,CUS-FARM,WH-SZ,M-401,99999,130,SZ-B-02\n"
    )
    before = company.report("accounts")
    code, said, _ = company.run("post", str(path), "--dry-run")
    assert code == 1
    assert "documents entered: 1, refused: 1" in said
    assert "more.csv: document SH-9002 (row 3): line 1: " in said
    assert "99999 asked for" in said
    company.reports.clear()
    assert company.report("accounts") == before


def test_a_file_that_cannot_be_read_keeps_all_files_out(company: Company, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(
        "id,kind,happened_at,party,item,quantity,price,location\n"
        "GR-1,goods_receipt,2026-03-02T08:00:00Z,SUP-MOTORS,R-140,1,130,SZ-B-02\n"
        "GR-2,goods_receipt,2026-03-02,SUP-MOTORS,R-140,1 000,12,SZ-B-02\n"
    )
    code, _, errors = company.run("post", str(path))
    assert code == 2
    assert "2 mistakes, nothing was entered" in errors
    assert "bad.csv: document GR-2 (row 3), happened_at: '2026-03-02': is no time" in errors
    assert "bad.csv: document GR-2 (row 3), line 1 (row 3), quantity: '1 000': is no num" in errors


def test_what_the_books_refuse_is_told_and_kept_and_harms_nothing_else(
    embedded: Fresh, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each with its place in the file, its line and the reason, beside a receipt that is right."""
    company = {
        "items": [
            {"item": "bolt", "costing": {}, "units": [{"unit": "case", "contains": "12"}]},
            {"item": "oil", "base_unit": "litre", "decimals": 3},
        ],
        "places": [
            {"location": "A", "kind": "bin", "warehouse": "W"},
            {"location": "supplier", "kind": "supplier"},
        ],
        "period": {"closed_before": "2026-01-01T00:00:00Z"},
    }
    line = {"item": "bolt", "quantity": "1", "price": "2", "location": "A"}
    wrong: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        ({}, {"item": "bolts"}, "line 1: item bolts is not known"),
        ({}, {"location": "Z"}, "line 1: location Z is not known; there is A"),
        ({}, {"unit": "sack"}, "line 1: unit sack of item bolt is not known: it has each, case"),
        ({}, {"quantity": "1.5"}, "line 1: 1.5 each: item bolt counts whole pieces"),
        (
            {},
            {"item": "oil", "quantity": "0.0005"},
            "line 1: 0.0005 litre: item oil counts to 3 decimals",
        ),
        ({}, {"tax": "VAT"}, "line 1: tax VAT is not known: enter it first"),
        ({"happened_at": "2036-01-01T00:00:00Z"}, {}, "its time has not come yet"),
        (
            {"happened_at": "2025-12-31T23:59:59Z"},
            {},
            "the period before 2026-01-01 00:00:00 UTC is closed",
        ),
        ({"id": "GOOD"}, {"price": "3"}, "number GOOD stands for another document"),
        (
            {"kind": "state_change"},
            {"price": None, "disposition": "expired", "to_disposition": "available"},
            "line 1: 0 each of item bolt are free at A, 1 asked for: 1 are missing (1 available)",
        ),
    ]
    head = {"kind": "goods_receipt", "happened_at": "2026-03-02T08:00:00Z"}
    documents = [head | {"id": "GOOD", "lines": [line]}]
    documents += [
        {**head, "id": f"BAD-{number}", **fields, "lines": [line | more]}
        for number, (fields, more, _) in enumerate(wrong)
    ]
    path = tmp_path / "company.json"
    path.write_text(json.dumps(company | {"documents": documents}), encoding="utf-8")
    settings = PostSettings(
        files=(path,),
        sample=False,
        dry_run=False,
        folder=tmp_path,
        postgres=embedded.postgres_url,
        site="demo",
        language="en",
    )
    assert run_post(settings) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith(f"documents entered: 1, refused: {len(wrong)}")
    for place, ((_, _, reason), told) in enumerate(zip(wrong, said[1:], strict=True), start=2):
        assert told.startswith(f"  company.json: document {place} (")
        assert told.partition("): ")[2].startswith(reason)
    with open_ledger(embedded.postgres_url, "demo") as ledger:
        kept = ledger.connection.execute("select reason from ledger.rejects").fetchall()
        entered = ledger.connection.execute("select id from ledger.documents").fetchall()
    assert sorted(row[0] for row in kept) == sorted(one.partition("): ")[2] for one in said[1:])
    assert entered == [("GOOD",)]


def test_a_post_that_is_killed_in_the_middle_is_whole_and_goes_on_where_it_was(
    embedded: Fresh, tmp_path: Path
) -> None:
    """What was entered is whole; the same command enters the rest once, beside another one too."""
    head = {"kind": "opening", "happened_at": "2026-03-02T08:00:00Z"}
    line = {"item": "bolt", "quantity": "2", "price": "1.23", "location": "A"}
    documents = [head | {"id": f"OP-{number}", "lines": [line]} for number in range(1_500)]
    company = {
        "items": [{"item": "bolt", "costing": {"method": "fifo"}}],
        "places": [
            {"location": "A", "kind": "bin", "warehouse": "W"},
            {"location": "opening", "kind": "opening"},
        ],
        "documents": documents,
    }
    path = tmp_path / "company.json"
    path.write_text(json.dumps(company), encoding="utf-8")
    url = embedded.postgres_url
    command = [sys.executable, "-m", "tallygate", "post", str(path), "--postgres", url]

    def post() -> subprocess.Popen[bytes]:
        return subprocess.Popen([*command, "--site", "demo"], cwd=ROOT, stdout=subprocess.PIPE)

    with open_ledger(url, "demo") as ledger:

        def entered() -> int:
            rows = ledger.connection.execute("select count(*) from ledger.documents").fetchall()
            return int(rows[0][0])

        with post() as killed:
            while not entered():
                assert killed.poll() is None
            killed.kill()
        assert 0 < entered() < len(documents)
        assert verify_books(url, "demo").findings == ()
        with post() as one, post() as other:
            said = [each.communicate(timeout=SECONDS_MAX)[0].decode() for each in (one, other)]
        assert (one.returncode, other.returncode) == (0, 0), said
        assert entered() == len(documents)
    report = verify_books(url, "demo")
    assert (report.vouchers, report.findings) == (len(documents), ())


def test_documents_for_a_site_that_nobody_knows_are_a_slip_of_the_pen(company: Company) -> None:
    code, _, errors = company.run("post", str(SAMPLE[1]), "--site", "dmeo")
    assert code == 2
    assert "the ledger has no site 'dmeo'; it has demo" in errors


def test_the_other_policies_and_methods_are_what_the_files_say_too(
    embedded: Fresh, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Payable with the receipt, revenue with the shipment, average and FIFO swapped."""
    master, documents = read_files(SAMPLE[:1])
    other = {"fifo": "moving_average", "moving_average": "fifo"}
    for item in master["items"]:
        if "costing" in item:
            item["costing"]["method"] = other[item["costing"]["method"]]
    policies = {"receipt": "payable_at_once", "shipment": "revenue_at_once"}
    whole = master | {"settings": master["settings"] | policies}
    accepted = {one["id"] for one in documents if one["kind"] == "sales_acceptance"}
    whole["documents"] = [one for one in documents if not {one["id"], one.get("refers")} & accepted]
    path = tmp_path / "at_once.json"
    path.write_text(json.dumps(whole, default=str), encoding="utf-8")
    settings = PostSettings(
        files=(path,),
        sample=False,
        dry_run=False,
        folder=tmp_path,
        postgres=embedded.postgres_url,
        site="demo",
        language="en",
    )
    assert run_post(settings) == 0, capsys.readouterr().out
    oracle = CompanyOracle([path])
    with open_ledger(embedded.postgres_url, "demo") as ledger:
        found = analysis.trial_balance(ledger, END_OF_TIME_US)
        told = {row.account: row.balance for row in found if row.balance}
    assert told == {code: value for code, value in oracle.balances_of_accounts().items() if value}
    assert "2202.01" not in told
    assert "1406" not in told


def amount(text: str | None) -> Decimal | None:
    """An amount, or that there is none."""
    return None if text is None else Decimal(text)
