"""The command line: `python -m edge_agent run | check | status`."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from collections.abc import Callable, Coroutine
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.named_points import Broken
from edge_agent import journal
from edge_agent.agent import run_agent
from edge_agent.settings import SettingsError, agent_settings, load_site
from edge_agent.spool import SpoolError, spool_figures

app = typer.Typer(
    help="The edge agent: reads devices, loses nothing, and sends what it read to the broker.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

SiteOption = Annotated[Path, typer.Option("--site", help="The site file (TOML).")]
DataOption = Annotated[Path, typer.Option("--data", help="The folder of this agent's spool.")]


@app.command()
def run(
    site: SiteOption,
    gateway: Annotated[str, typer.Option(help="Which gateway of the site this agent is.")],
    data: DataOption,
    keep_acknowledged: Annotated[
        bool, typer.Option(help="Keep batches on disk after the ledger has them.")
    ] = False,
) -> None:
    """Run until SIGTERM or Ctrl-C.

    TALLYGATE_MQTT_URL says where the broker is (mqtt:// or mqtts://), TALLYGATE_MQTT_CA which
    certificate signs it, TALLYGATE_CLOCK which domain time it shares.
    """
    journal.take_library_logs()
    try:
        settings = agent_settings(
            site_path=site,
            gateway=gateway,
            data=data,
            keep_acknowledged=keep_acknowledged,
            environment=os.environ,
        )
        _run_loop(lambda: run_agent(settings, version=_version()))
    except SettingsError as error:
        _fail(str(error))
    except BaseExceptionGroup as problems:
        if (expected := problems.subgroup((SpoolError, Broken, OSError))) is None:
            raise
        _fail(_first(expected))
    except SpoolError as error:
        _fail(str(error))


@app.command()
def check(site: Annotated[Path, typer.Argument(help="The site file (TOML).")]) -> None:
    """Check a site file and name every mistake in it."""
    try:
        site_file = load_site(site)
    except SettingsError as error:
        _fail(str(error))
    typer.echo(
        f"{site}: good. Site {site_file.site}: {len(site_file.gateways)} gateways, "
        f"{len(site_file.devices)} devices, {len(site_file.gates)} gates, "
        f"{len(site_file.zones)} zones."
    )


@app.command()
def status(data: DataOption) -> None:
    """Show what a spool holds; the agent may run meanwhile."""
    try:
        figures = spool_figures(data)
    except (OSError, sqlite3.Error) as error:
        _fail(f"no spool in {data}: {error}")
    for name, value in figures.items():
        typer.echo(f"{name:<16} {value}")


def _run_loop(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run on uvloop, where there is one: it halves what a read costs."""
    try:
        import uvloop  # noqa: PLC0415 - not there on every system.
    except ImportError:
        asyncio.run(main())
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def _version() -> str:
    try:
        return version("tallygate")
    except PackageNotFoundError:
        return "source"


def _first(problems: BaseExceptionGroup[BaseException]) -> str:
    problem: BaseException = problems
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    return str(problem) or type(problem).__name__


def _fail(message: str) -> None:
    """Say why, in one go, and end."""
    typer.echo(message, err=True)
    sys.exit(1)


if __name__ == "__main__":
    app()
