"""`tallygate epcis COMMAND`: EPCIS 2.0 documents in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tallygate.options import DEFAULT_FOLDER, Folder, Postgres, Site

app = typer.Typer(
    help="EPCIS 2.0 in JSON: check, capture, export, query and hash events, others' and ours.",
    no_args_is_help=True,
)

Documents = Annotated[list[Path], typer.Argument(help="Documents in JSON; - reads from stdin.")]


@app.command()
def check(documents: Documents) -> None:
    """Name every mistake in documents."""
    from tallygate.epcis_files import run_check  # noqa: PLC0415

    raise typer.Exit(run_check(documents))


@app.command(name="hash")
def hash_events(
    document: Annotated[Path, typer.Argument(help="A document in JSON; - reads from stdin.")],
) -> None:
    """Print the event hash id (CBV 2.0) of each event, a line each."""
    from tallygate.epcis_files import run_hash  # noqa: PLC0415

    raise typer.Exit(run_hash(document))


@app.command()
def capture(
    documents: Documents,
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the documents only.")] = False,
) -> None:
    """Enter the events of documents in the ledger; the same again changes nothing."""
    from tallygate.epcis_files import run_capture  # noqa: PLC0415
    from tallygate.ledger import find_site  # noqa: PLC0415

    where = find_site(data, site)
    raise typer.Exit(run_capture(data, postgres, where, documents, dry_run=dry_run))


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="The document to write; - writes to stdout.")],
    identity: Annotated[
        str | None, typer.Option(help="Only the life of one identity, as trace takes it.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--from", help="Only events from this time on, RFC 3339.")
    ] = None,
    before: Annotated[str | None, typer.Option(help="Only events before this time.")] = None,
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
) -> None:
    """Write our events (reads, births, movements, documents) and captured ones as a document."""
    from tallygate.epcis_files import run_export  # noqa: PLC0415
    from tallygate.ledger import find_site  # noqa: PLC0415

    where = find_site(data, site)
    raise typer.Exit(run_export(data, postgres, where, file, (identity, since, before)))


@app.command()
def query(
    parameters: Annotated[
        list[str] | None,
        typer.Argument(
            help="NAME=VALUE as in EPCIS 2.0: EQ_bizStep=shipping, GE_eventTime=2026-04-02T00:00Z."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Give an EPCISQueryDocument instead of a table.")
    ] = False,
    per_page: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="Give no more events at once.")
    ] = None,
    next_page: Annotated[
        str, typer.Option(help="The token of the page before: give the same parameters again.")
    ] = "",
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
) -> None:
    """Find events, others' and ours as one stream, by the standard's query parameters."""
    from tallygate.epcis_looks import Paging, run_query  # noqa: PLC0415
    from tallygate.ledger import find_site  # noqa: PLC0415

    where = find_site(data, site)
    paging = Paging(per_page, next_page)
    raise typer.Exit(run_query(data, postgres, where, parameters or [], paging, as_json=as_json))
