"""`tallygate report KIND`: what the books say, as tables, CSV or JSON."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tallygate.options import DEFAULT_FOLDER, Folder, Language, Postgres, Site

if TYPE_CHECKING:
    from tallygate.report_books import Asked

app = typer.Typer(
    help="What the books say: stock and its value, age and expiry, what to order and to plan,"
    " variances, vouchers.",
    no_args_is_help=True,
)

Item = Annotated[str, typer.Option(help="This item only.")]
Warehouse = Annotated[str, typer.Option(help="This warehouse only.")]
Location = Annotated[str, typer.Option(help="This location only.")]
At = Annotated[
    str, typer.Option(help="As it was recorded by a moment (RFC 3339) or the end of a day.")
]
Since = Annotated[str, typer.Option(help="What happened since a moment or the start of a day.")]
Until = Annotated[str, typer.Option(help="What happened before a moment or by the end of a day.")]
Csv = Annotated[bool, typer.Option("--csv", help="Write CSV instead, for programs.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON instead, for programs.")]
MOST = 100
"""Vouchers that a terminal shows where nobody asks for more."""


class By(StrEnum):
    """What variances may be summed by."""

    CAUSE = "cause"
    ITEM = "item"
    PERSON = "person"
    DEPARTMENT = "department"
    WAREHOUSE = "warehouse"
    DAY = "day"
    MONTH = "month"


@app.command()
def stock(
    item: Item = "",
    warehouse: Warehouse = "",
    location: Location = "",
    at: At = "",
    as_csv: Csv = False,
    as_json: Json = False,
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
    language: Language = None,
) -> None:
    """Stock by location, batch, disposition, reservation and owner, with its value."""
    from tallygate.report_books import run_stock  # noqa: PLC0415

    asked = _asked(data, postgres, site, language, as_csv=as_csv, as_json=as_json)
    raise typer.Exit(run_stock(asked, at, item, warehouse, location))


@app.command()
def ageing(
    item: Item = "",
    warehouse: Warehouse = "",
    at: At = "",
    as_csv: Csv = False,
    as_json: Json = False,
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
    language: Language = None,
) -> None:
    """How long stock has been there, in bands of days, and what is slow or dead."""
    from tallygate.report_books import run_ageing  # noqa: PLC0415

    asked = _asked(data, postgres, site, language, as_csv=as_csv, as_json=as_json)
    raise typer.Exit(run_ageing(asked, at, item, warehouse))


@app.command()
def reorder(
    item: Item = "",
    as_csv: Csv = False,
    as_json: Json = False,
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
    language: Language = None,
) -> None:
    """What is there, promised and on order; when to order again, and how much."""
    from tallygate.report_planning import run_reorder  # noqa: PLC0415

    asked = _asked(data, postgres, site, language, as_csv=as_csv, as_json=as_json)
    raise typer.Exit(run_reorder(asked, item))


@app.command()
def plan(
    item: Item = "",
    as_csv: Csv = False,
    as_json: Json = False,
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
    language: Language = None,
) -> None:
    """What to buy, to make and to move, and when, so that every order is met."""
    from tallygate.report_planning import run_plan  # noqa: PLC0415

    asked = _asked(data, postgres, site, language, as_csv=as_csv, as_json=as_json)
    raise typer.Exit(run_plan(asked, item))


@app.command()
def expiry(
    item: Item = "",
    warehouse: Warehouse = "",
    on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="As if it were this day.")
    ] = None,
    as_csv: Csv = False,
    as_json: Json = False,
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
    language: Language = None,
) -> None:
    """Batches that are past their last day or near it, the first to expire first."""
    from tallygate.report_planning import run_expiry  # noqa: PLC0415

    asked = _asked(data, postgres, site, language, as_csv=as_csv, as_json=as_json)
    raise typer.Exit(run_expiry(asked, on and on.date(), item, warehouse))


@app.command()
def variance(
    by: Annotated[By, typer.Option(help="Sum by this.")] = By.CAUSE,
    since: Since = "",
    until: Until = "",
    as_csv: Csv = False,
    as_json: Json = False,
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
    language: Language = None,
) -> None:
    """Variances that counts brought to light: their rate, and what they come from."""
    from tallygate.report_books import run_variance  # noqa: PLC0415

    asked = _asked(data, postgres, site, language, as_csv=as_csv, as_json=as_json)
    raise typer.Exit(run_variance(asked, by, since, until))


@app.command()
def vouchers(
    document: Annotated[str, typer.Option(help="Of this document only.")] = "",
    account: Annotated[str, typer.Option(help="Lines on this account only.")] = "",
    item: Item = "",
    since: Since = "",
    until: Until = "",
    at: At = "",
    most: Annotated[
        int, typer.Option(min=0, help="Newest vouchers in the table; 0: all. CSV and JSON: all.")
    ] = MOST,
    as_csv: Csv = False,
    as_json: Json = False,
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
    language: Language = None,
) -> None:
    """Journal vouchers with their lines, in order of recording."""
    from tallygate.report_vouchers import VoucherFilter, run_vouchers  # noqa: PLC0415

    asked = _asked(data, postgres, site, language, as_csv=as_csv, as_json=as_json)
    chosen = VoucherFilter(document, account, item, since, until, at)
    raise typer.Exit(run_vouchers(asked, chosen, most))


@app.command()
def accounts(
    at: At = "",
    as_csv: Csv = False,
    as_json: Json = False,
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
    language: Language = None,
) -> None:
    """The trial balance: what stands in each account."""
    from tallygate.report_vouchers import run_accounts  # noqa: PLC0415

    asked = _asked(data, postgres, site, language, as_csv=as_csv, as_json=as_json)
    raise typer.Exit(run_accounts(asked, at))


def _asked(
    data: Path,
    postgres: str | None,
    site: str | None,
    language: str | None,
    *,
    as_csv: bool,
    as_json: bool,
) -> Asked:
    from tallygate.errors import TallygateError  # noqa: PLC0415
    from tallygate.ledger import find_site  # noqa: PLC0415
    from tallygate.report_books import Asked  # noqa: PLC0415
    from tallygate.report_table import Output  # noqa: PLC0415

    if as_csv and as_json:
        raise TallygateError("--csv or --json, not both")
    output = Output.CSV if as_csv else Output.JSON if as_json else Output.TABLE
    return Asked(data, postgres, find_site(data, site), language, output)
