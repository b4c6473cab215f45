"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar="TALLYGATE_DATA",
        help="The folder of all state: servers, spools, keys, heads, logs.",
    ),
]
Site = Annotated[
    str | None,
    typer.Option(
        envvar="TALLYGATE_SITE", help="The site's id; by default that of the stack in --data."
    ),
]
Postgres = Annotated[
    str | None,
    typer.Option(
        "--postgres",
        envvar="TALLYGATE_POSTGRES_URL",
        help="The ledger's database; by default that of the stack in --data.",
    ),
]
Language = Annotated[
    str | None, typer.Option("--language", help="en or zh; by default the terminal's.")
]
DEFAULT_FOLDER = Path(".tallygate")
Heads = Annotated[
    Path | None, typer.Option(help="The published heads; by default those in --data.")
]
PublicKey = Annotated[
    Path | None, typer.Option(help="The public key of the heads; by default that in --data.")
]
