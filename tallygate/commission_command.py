"""`tallygate commission COMMAND`: identities from birth to end, and their labels and tags."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.commissioning import EndReason
from tallygate.options import DEFAULT_FOLDER, Folder, Postgres, Site

if TYPE_CHECKING:
    from tallygate.commissioning import Where

app = typer.Typer(
    help="Give units, cases and pallets identities, labels and RFID tags; end and replace them.",
    no_args_is_help=True,
)

Item = Annotated[str, typer.Option(help="GTIN of the item, 8 to 14 digits.")]
Prefix = Annotated[str, typer.Option(help="Your GS1 company prefix, 6 to 12 digits.")]
CaseItem = Annotated[str, typer.Option(help="GTIN of a case; without one cases get SSCCs.")]
Extension = Annotated[int, typer.Option(min=0, max=9, help="Extension digit of the SSCCs.")]
Holder = Annotated[
    str | None, typer.Option("--in", help="The case or pallet that they are put in.")
]
Batch = Annotated[str, typer.Option(help="The batch, on every label.")]
Expiry = Annotated[str, typer.Option(help="Date of expiry, such as 2027-03-31.")]
Printer = Annotated[str | None, typer.Option(help="A ZPL printer: tcp://HOST:PORT.")]
Pdf = Annotated[Path | None, typer.Option("--pdf", help="Write the labels to a PDF instead.")]
TemplateFile = Annotated[
    Path | None, typer.Option("--template", help="Your label template (TOML).")
]
Patience = Annotated[
    float,
    typer.Option("--wait", min=0, max=3600, help="Seconds to wait for a printer with a problem."),
]
From = Annotated[
    int, typer.Option("--from-number", min=1, help="Take no lower number than this one.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Identity = Annotated[
    str, typer.Argument(help="A barcode, an SSCC, a tag's EPC, a Digital Link or its end.")
]
WAIT_S = 60.0


@app.command()
def pallet(
    item: Item,
    prefix: Prefix,
    cases: Annotated[int, typer.Option(min=0, help="Cases on it; 0: units right on it.")] = 0,
    units: Annotated[int, typer.Option(min=0, help="Units in each case.")] = 1,
    case_item: CaseItem = "",
    extension: Extension = 0,
    batch: Batch = "",
    expiry: Expiry = "",
    printer: Printer = None,
    pdf: Pdf = None,
    template: TemplateFile = None,
    wait: Patience = WAIT_S,
    from_number: From = 1,
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
    dry_run: DryRun = False,
) -> None:
    """Commission a pallet with its cases and units, and print their labels."""
    from ledger_sink.core.commissioning import Order  # noqa: PLC0415
    from tallygate.commissioning import output_of, run_commission  # noqa: PLC0415

    order = Order(
        item=item,
        prefix=prefix,
        cases=cases,
        units=units,
        pallet=True,
        case_item=case_item,
        extension=extension,
        batch=batch,
        expiry=expiry,
    )
    output = output_of(printer, pdf, template, wait)
    raise typer.Exit(
        run_commission(
            _where(data, postgres, site),
            order,
            output,
            parent=None,
            at_least=from_number,
            dry_run=dry_run,
        )
    )


@app.command(name="cases")
def commission_cases(
    item: Item,
    prefix: Prefix,
    count: Annotated[int, typer.Option(min=1, help="How many cases.")] = 1,
    units: Annotated[int, typer.Option(min=0, help="Units in each.")] = 1,
    case_item: CaseItem = "",
    extension: Extension = 0,
    holder: Holder = None,
    batch: Batch = "",
    expiry: Expiry = "",
    printer: Printer = None,
    pdf: Pdf = None,
    template: TemplateFile = None,
    wait: Patience = WAIT_S,
    from_number: From = 1,
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
    dry_run: DryRun = False,
) -> None:
    """Commission cases with their units, and print their labels."""
    from ledger_sink.core.commissioning import Order  # noqa: PLC0415
    from tallygate.commissioning import output_of, run_commission  # noqa: PLC0415

    order = Order(
        item=item,
        prefix=prefix,
        cases=count,
        units=units,
        case_item=case_item,
        extension=extension,
        batch=batch,
        expiry=expiry,
    )
    output = output_of(printer, pdf, template, wait)
    raise typer.Exit(
        run_commission(
            _where(data, postgres, site),
            order,
            output,
            parent=holder,
            at_least=from_number,
            dry_run=dry_run,
        )
    )


@app.command(name="units")
def commission_units(
    item: Item,
    prefix: Prefix,
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 1,
    serial: Annotated[
        list[str] | None,
        typer.Option(help="A serial of your own; again for each unit. Else the next numbers."),
    ] = None,
    holder: Holder = None,
    batch: Batch = "",
    expiry: Expiry = "",
    printer: Printer = None,
    pdf: Pdf = None,
    template: TemplateFile = None,
    wait: Patience = WAIT_S,
    from_number: From = 1,
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
    dry_run: DryRun = False,
) -> None:
    """Commission single units, and print their labels."""
    from ledger_sink.core.commissioning import Order  # noqa: PLC0415
    from tallygate.commissioning import output_of, run_commission  # noqa: PLC0415

    serials = tuple(serial or ())
    order = Order(
        item=item,
        prefix=prefix,
        units=len(serials) or count,
        batch=batch,
        expiry=expiry,
        serials=serials,
    )
    output = output_of(printer, pdf, template, wait)
    raise typer.Exit(
        run_commission(
            _where(data, postgres, site),
            order,
            output,
            parent=holder,
            at_least=from_number,
            dry_run=dry_run,
        )
    )


@app.command()
def reprint(
    identity: Identity,
    alone: Annotated[bool, typer.Option("--alone", help="Not what it holds.")] = False,
    skip: Annotated[int, typer.Option(min=0, help="So many labels are out already.")] = 0,
    printer: Printer = None,
    pdf: Pdf = None,
    template: TemplateFile = None,
    wait: Patience = WAIT_S,
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
) -> None:
    """Print labels again, with the same identities; for those that never came out."""
    from tallygate.commissioning import output_of, run_reprint  # noqa: PLC0415

    output = output_of(printer, pdf, template, wait)
    where = _where(data, postgres, site)
    raise typer.Exit(run_reprint(where, identity, output, alone=alone, skip=skip))


@app.command()
def retag(
    identity: Identity,
    printer: Printer = None,
    pdf: Pdf = None,
    template: TemplateFile = None,
    wait: Patience = WAIT_S,
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
    dry_run: DryRun = False,
) -> None:
    """Replace an identity whose tag is lost or broken; what it held is in the new one."""
    from tallygate.commissioning import output_of, run_retag  # noqa: PLC0415

    output = output_of(printer, pdf, template, wait)
    where = _where(data, postgres, site)
    raise typer.Exit(run_retag(where, identity, output, dry_run=dry_run))


@app.command()
def decommission(
    identity: Identity,
    reason: Annotated[EndReason, typer.Option(help="Why it ends.")],
    contents: Annotated[
        bool, typer.Option("--contents", help="All that it holds ends with it.")
    ] = False,
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
) -> None:
    """End an identity: a read of its tag is told from now on."""
    from tallygate.commissioning import run_decommission  # noqa: PLC0415

    where = _where(data, postgres, site)
    raise typer.Exit(run_decommission(where, identity, reason, contents=contents))


@app.command()
def unknown(postgres: Postgres = None, site: Site = None, data: Folder = DEFAULT_FOLDER) -> None:
    """List tags that were read though they were decommissioned, or never commissioned."""
    from tallygate.commissioning import run_unknown  # noqa: PLC0415

    raise typer.Exit(run_unknown(_where(data, postgres, site)))


def _where(data: Path, postgres: str | None, site: str | None) -> Where:
    from tallygate.commissioning import Where  # noqa: PLC0415
    from tallygate.ledger import find_site  # noqa: PLC0415

    return Where(data, postgres, find_site(data, site))
