"""`tallygate post FILE...`: documents and master data of the books, from files into the ledger.

`tallygate release` sets free what orders hold beyond their time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tallygate.options import DEFAULT_FOLDER, Folder, Language, Postgres, Site


def post(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Company files (JSON) and documents (JSON or CSV), in this order."),
    ] = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="Post the sample company that ships with Tallygate.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, enter nothing.")
    ] = False,
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
    language: Language = None,
) -> None:
    """Post documents: what moved, what it is worth, and the vouchers that it leads to.

    All mistakes of the files are told at once, and nothing is entered then. Without a running
    stack the PostgreSQL in --data is started for the time of the command. Exit code 0: all is in
    the ledger; 1: some documents were refused; 2: nothing was done.
    """
    from tallygate.ledger import find_site  # noqa: PLC0415
    from tallygate.post_files import PostSettings, run_post  # noqa: PLC0415

    settings = PostSettings(
        files=tuple(files or ()),
        sample=sample,
        dry_run=dry_run,
        folder=data,
        postgres=postgres,
        site=find_site(data, site),
        language=language,
    )
    raise typer.Exit(run_post(settings))


def release(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Name the orders, enter nothing.")
    ] = False,
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
    language: Language = None,
) -> None:
    """Set free the stock that orders hold beyond their time.

    A running stack does it once a minute by itself, and `tallygate post` at its end.
    """
    from tallygate.ledger import find_site  # noqa: PLC0415
    from tallygate.releasing import run_release  # noqa: PLC0415

    raise typer.Exit(run_release(data, postgres, find_site(data, site), language, dry_run=dry_run))
