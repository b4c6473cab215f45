"""`tallygate backup`, `restore` and `evidence COMMAND`: copies, and what is forgotten when."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tallygate.options import DEFAULT_FOLDER, Folder, Postgres, Site

evidence = typer.Typer(
    no_args_is_help=True,
    help="Months of sightings: say what is there, forget what is past its time.",
)


@evidence.command()
def months(postgres: Postgres = None, data: Folder = DEFAULT_FOLDER) -> None:
    """Say which months of sightings the ledger holds, and how large they are."""
    from tallygate.keeping import run_months  # noqa: PLC0415

    raise typer.Exit(run_months(data, postgres))


@evidence.command()
def forget(
    before: Annotated[
        str, typer.Option(help="The first month that stays, such as 2026-03; those before go.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go.")] = False,
    postgres: Postgres = None,
    data: Folder = DEFAULT_FOLDER,
) -> None:
    """Remove the sightings of all months before one. Entries, with their digests, stay for ever.

    Each site's chain says which months went, so that `tallygate verify` knows. Make a copy first
    (`tallygate backup`): with it, the digests in the entries can still be checked.
    """
    from tallygate.keeping import run_forget  # noqa: PLC0415

    raise typer.Exit(run_forget(data, postgres, before, dry_run=dry_run))


def backup(
    folder: Annotated[Path, typer.Argument(help="A new folder for the copy.")],
    postgres: Postgres = None,
    data: Folder = DEFAULT_FOLDER,
) -> None:
    """Copy the ledger with its published heads and public key, while everything runs.

    The signing key is not in it: keep that elsewhere.
    """
    from tallygate.keeping import run_backup  # noqa: PLC0415

    raise typer.Exit(run_backup(data, postgres, folder))


def restore(
    folder: Annotated[Path, typer.Argument(help="The folder that `tallygate backup` made.")],
    postgres: Annotated[
        str, typer.Option("--postgres", envvar="TALLYGATE_POSTGRES_URL", help="An empty database.")
    ],
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
) -> None:
    """Bring a copy into an empty database, and verify it against the heads beside it."""
    from tallygate.keeping import run_restore  # noqa: PLC0415

    raise typer.Exit(run_restore(data, postgres, site, folder))
