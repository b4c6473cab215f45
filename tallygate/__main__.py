"""The command line: `tallygate COMMAND`. Each command's work lies in a module of its own name."""

from __future__ import annotations

import asyncio
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tallygate import (
    commission_command,
    epcis_commands,
    keeping_commands,
    post_command,
    redact_command,
    report_command,
)
from tallygate.options import (
    DEFAULT_FOLDER,
    Folder,
    Heads,
    Language,
    Postgres,
    PublicKey,
    Site,
)

app = typer.Typer(
    name="tallygate",
    help="Tells what physically moved, holds it against the plan, and proves its own ledger.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(epcis_commands.app, name="epcis")
app.add_typer(commission_command.app, name="commission")
app.command()(post_command.post)
app.command()(post_command.release)
app.add_typer(report_command.app, name="report")
app.add_typer(keeping_commands.evidence, name="evidence")
app.command()(keeping_commands.backup)
app.command()(redact_command.redact)
app.command()(keeping_commands.restore)


class Sabotage(StrEnum):
    """How the demo may spoil one event on its way, to show that it would be found."""

    LOSE = "lose"
    DOUBLE = "double"
    FLIP = "flip"


@app.command()
def demo(
    seed: Annotated[int, typer.Option(help="Decides everything that happens at the dock.")] = 1,
    speed: Annotated[
        float, typer.Option(min=1, max=200, help="Domain seconds in one second.")
    ] = 60,
    data: Annotated[
        Path | None, typer.Option("--data", help="Keep the run here; else it is removed.")
    ] = None,
    sabotage: Annotated[
        Sabotage | None, typer.Option(help="Spoil one event on its way: the run must fail.")
    ] = None,
    language: Language = None,
) -> None:
    """Rehearse a dock on this machine, from simulated readers to a proven ledger."""
    from tallygate.demo import DemoSettings, run_demo  # noqa: PLC0415

    settings = DemoSettings(
        seed=seed,
        speed=speed,
        folder=data,
        sabotage=None if sabotage is None else sabotage.value,
        language=language,
    )
    raise typer.Exit(asyncio.run(run_demo(settings)))


@app.command()
def up(
    site_file: Annotated[
        Path | None,
        typer.Option("--site-file", envvar="TALLYGATE_SITE_FILE", help="Your site's TOML file."),
    ] = None,
    items: Annotated[Path | None, typer.Option(help="items.csv: names of items.")] = None,
    loads: Annotated[Path | None, typer.Option(help="loads.csv: what shall pass.")] = None,
    data: Folder = DEFAULT_FOLDER,
) -> None:
    """Run Tallygate until Ctrl-C; restart what dies. Without a site file: a simulated dock."""
    from tallygate.up import UpSettings, run_up  # noqa: PLC0415

    settings = UpSettings(folder=data, site_file=site_file, items=items, loads=loads)
    raise typer.Exit(asyncio.run(run_up(settings)))


@app.command()
def doctor(data: Folder = DEFAULT_FOLDER) -> None:
    """Say which servers were found, where, which version, and what to do about what is missing."""
    from tallygate.doctor import run_doctor  # noqa: PLC0415

    raise typer.Exit(run_doctor(data))


@app.command()
def verify(
    postgres: Postgres = None,
    site: Site = None,
    file: Annotated[
        Path | None, typer.Option(help="Verify an exported ledger instead: needs no database.")
    ] = None,
    proof: Annotated[
        Path | None, typer.Option(help="Verify the proof of one entry: needs the key alone.")
    ] = None,
    balances: Annotated[
        bool, typer.Option("--balances", help="Recompute the books from the movements instead.")
    ] = False,
    heads: Heads = None,
    public_key: PublicKey = None,
    data: Folder = DEFAULT_FOLDER,
) -> None:
    """Recompute the ledger's chain and hold it against the published heads.

    Names the first entry that was changed, removed, inserted or moved. Exit code 0: whole.
    """
    from tallygate import auditing  # noqa: PLC0415
    from tallygate.ledger import find_site  # noqa: PLC0415

    if balances:
        raise typer.Exit(auditing.run_verify_balances(data, postgres, find_site(data, site)))
    published = auditing.Published(data, heads, public_key)
    if proof is not None:
        raise typer.Exit(auditing.run_verify_proof(published, proof))
    if file is not None:
        raise typer.Exit(auditing.run_verify_file(published, file))
    raise typer.Exit(auditing.run_verify(published, postgres, find_site(data, site)))


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="The file to write; packed if it ends in .gz.")],
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
) -> None:
    """Write the whole ledger to a file that can be verified without the database."""
    from tallygate.auditing import run_export  # noqa: PLC0415
    from tallygate.ledger import find_site  # noqa: PLC0415

    raise typer.Exit(run_export(data, postgres, find_site(data, site), file))


@app.command()
def prove(
    entry: Annotated[str, typer.Argument(help="The entry: its place in the chain, or its id.")],
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    postgres: Postgres = None,
    site: Site = None,
    heads: Heads = None,
    public_key: PublicKey = None,
    data: Folder = DEFAULT_FOLDER,
) -> None:
    """Prove that one entry stands in the ledger, to someone who may not see the rest."""
    from tallygate.auditing import Published, run_prove  # noqa: PLC0415
    from tallygate.ledger import find_site  # noqa: PLC0415

    published = Published(data, heads, public_key)
    raise typer.Exit(run_prove(published, postgres, find_site(data, site), entry, file))


@app.command()
def trace(
    identity: Annotated[
        str,
        typer.Argument(
            help="A barcode, an SSCC, a tag's EPC in hexadecimal, a Digital Link or its end; or an"
            " item's number, as the books have it."
        ),
    ],
    batch: Annotated[str, typer.Option(help="One batch of the item.")] = "",
    back: Annotated[bool, typer.Option("--back", help="Tell what it is made of.")] = False,
    forward: Annotated[
        bool, typer.Option("--forward", help="Tell what it went into, and who got it.")
    ] = False,
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
    language: Language = None,
) -> None:
    """Tell an item's life: every entry about it with the evidence, and what the books say."""
    from tallygate.ledger import find_site  # noqa: PLC0415
    from tallygate.look import Asked, run_trace  # noqa: PLC0415

    asked = Asked(batch, back, forward)
    raise typer.Exit(run_trace(data, postgres, find_site(data, site), identity, asked, language))


@app.command()
def stats(postgres: Postgres = None, site: Site = None, data: Folder = DEFAULT_FOLDER) -> None:
    """Say what the ledger holds: entries by kind, reads, rejects, losses, latency."""
    from tallygate.ledger import find_site  # noqa: PLC0415
    from tallygate.look import run_stats  # noqa: PLC0415

    raise typer.Exit(run_stats(data, postgres, find_site(data, site)))


@app.command()
def watch(
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
    language: Language = None,
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
) -> None:
    """Watch doors and loads live in the terminal."""
    from tallygate.ledger import find_site  # noqa: PLC0415
    from tallygate.watch import run_watch  # noqa: PLC0415

    raise typer.Exit(run_watch(data, postgres, find_site(data, site), language, once=once))


@app.command(name="import")
def import_files(
    site_file: Annotated[
        Path | None, typer.Option("--site-file", help="The site's TOML file: places and devices.")
    ] = None,
    items: Annotated[Path | None, typer.Option(help="items.csv.")] = None,
    loads: Annotated[Path | None, typer.Option(help="loads.csv: what shall pass.")] = None,
    postgres: Postgres = None,
    site: Site = None,
    data: Folder = DEFAULT_FOLDER,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the files only.")] = False,
) -> None:
    """Take master data and plans into the ledger, from where all programs hear of them."""
    from tallygate.ledger import find_site  # noqa: PLC0415
    from tallygate.look import run_import  # noqa: PLC0415

    raise typer.Exit(
        run_import(data, postgres, find_site(data, site), site_file, items, loads, dry_run=dry_run)
    )


def main() -> None:
    """The console script. A known failure is one sentence, not a traceback."""
    from tallygate.errors import TallygateError  # noqa: PLC0415

    try:
        app()
    except TallygateError as error:
        sys.stderr.write(f"tallygate: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        os._exit(130)


if __name__ == "__main__":
    main()
