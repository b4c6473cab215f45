"""`tallygate redact`: whom the ledger knows, for how long, and making it forget them."""

from __future__ import annotations

from typing import Annotated

import typer

from tallygate.options import DEFAULT_FOLDER, Folder, Postgres, Site


def redact(
    person: Annotated[
        list[str] | None, typer.Option("--person", help="A sign-in id or a pseudonym to forget.")
    ] = None,
    *,
    expired: Annotated[
        bool, typer.Option("--expired", help="Forget everybody whose retention time is over.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say who would be forgotten.")] = False,
    by: Annotated[str, typer.Option(help="Who asks for it: a sign-in id. Is entered.")] = "",
    reason: Annotated[
        str, typer.Option(help="Why. Is entered for good, so it must name nobody.")
    ] = "",
    early: Annotated[
        bool, typer.Option("--early", help="Forget although a law wants it kept; say why.")
    ] = False,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="work=730, approval=..., contact=...: days kept behind the last use."),
    ] = None,
    by_law: Annotated[
        bool, typer.Option("--by-law", help="With --keep: a law asks for these days.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Look for payloads that name persons in clear.")
    ] = False,
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
) -> None:
    """Forget persons; without options say whom the ledger knows, and until when.

    Entries keep a pseudonym that then stands for nobody, so the chain stays whole; an entry says
    who asked for it, why, and when.
    """
    from tallygate.ledger import find_site  # noqa: PLC0415
    from tallygate.redacting import Wish, run_redact  # noqa: PLC0415

    wish = Wish(
        persons=tuple(person or ()),
        is_expired=expired,
        is_dry_run=dry_run,
        by=by,
        reason=reason,
        is_early=early,
        keep=tuple(keep or ()),
        by_law=by_law,
        is_check=check,
    )
    raise typer.Exit(run_redact(data, postgres, find_site(data, site), wish))
