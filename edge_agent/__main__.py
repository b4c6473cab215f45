"""The command line: `python -m edge_agent --help` names its commands."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from collections.abc import Callable, Coroutine
from enum import Enum
from getpass import getuser
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from secrets import token_bytes, token_urlsafe
from typing import Annotated, Any, NoReturn

import typer

from contracts.named_points import Broken
from edge_agent import journal
from edge_agent.agent import run_agent
from edge_agent.core.secret_hash import SALT_BYTES, hash_line
from edge_agent.discovery import AT_ONCE, TIMEOUT_S, AddressError, addresses_of, table
from edge_agent.discovery import discover as find_readers
from edge_agent.remote import RemoteError, set_log_level
from edge_agent.remote import push as push_site
from edge_agent.settings import (
    SettingsError,
    agent_settings,
    broker_settings,
    load_site,
    load_text,
    log_level,
)
from edge_agent.spool import SpoolError, spool_figures

app = typer.Typer(
    help="The edge agent: reads devices, loses nothing, and sends what it read to the broker.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class LogLevel(Enum):
    """What a log tells at the least."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


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
    certificate signs it, _CERTIFICATE and _KEY which are ours, _USERNAME and _PASSWORD_FILE who we
    are by password; TALLYGATE_LOG_LEVEL how much is told, TALLYGATE_CLOCK which domain time counts.
    """
    journal.take_library_logs()
    try:
        journal.set_level(log_level(os.environ))
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
def push(
    site: Annotated[Path, typer.Argument(help="The site file (TOML).")],
    gateway: Annotated[str, typer.Option(help="The agent that shall run on it.")],
    by: Annotated[str, typer.Option(help="Who pushes it; left out: this account.")] = "",
    wait_s: Annotated[float, typer.Option(min=0, help="How long to wait for its answer.")] = 120.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the file.")] = False,
) -> None:
    """Push a site file to a running agent, which tries it and goes back where it does not work.

    TALLYGATE_MQTT_... say where the broker is and who we are, as for `run`. Ends with 0 where it
    was applied, 1 where it was refused or rolled back, 3 where the agent did not answer.
    """
    try:
        site_file, text = load_site(site), load_text(site)
        if gateway not in (known := [table.id for table in site_file.gateways]):
            _fail(f"{site}: has no gateway {gateway!r}; it has {', '.join(known)}")
        broker = broker_settings(os.environ)
        if dry_run:
            typer.echo(f"{site}: good for {gateway}; nothing was pushed.")
            return
        state = asyncio.run(
            push_site(
                broker,
                text,
                site=site_file.site,
                gateway=gateway,
                by=by or getuser(),
                wait_s=wait_s,
                tell=typer.echo,
            )
        )
    except (SettingsError, RemoteError) as error:
        _fail(str(error))
    if state is None:
        typer.echo(f"{gateway} did not answer in {wait_s:g} s: it takes the file when it is back.")
        sys.exit(3)
    typer.echo(f"{state.outcome}: {gateway} runs on {state.running}")
    for reason in state.reasons:
        typer.echo(f"  {reason}")
    sys.exit(0 if state.outcome == "applied" else 1)


@app.command("log-level")
def log_level_of(
    level: Annotated[LogLevel, typer.Argument(help="The least that its log tells.")],
    site: Annotated[str, typer.Option("--site", help="The site's id.")],
    gateway: Annotated[str, typer.Option(help="The agent.")],
) -> None:
    """Set how much a running agent tells in its log, until it is started again."""
    try:
        broker = broker_settings(os.environ)
        asyncio.run(set_log_level(broker, site=site, gateway=gateway, level=level.value))
    except (SettingsError, RemoteError) as error:
        _fail(str(error))


@app.command()
def status(data: DataOption) -> None:
    """Show what a spool holds; the agent may run meanwhile."""
    try:
        figures = spool_figures(data)
    except (OSError, sqlite3.Error) as error:
        _fail(f"no spool in {data}: {error}")
    for name, value in figures.items():
        typer.echo(f"{name:<16} {value}")


@app.command("handheld-secret")
def handheld_secret(
    ask: Annotated[
        bool, typer.Option("--ask", help="Ask for a person's PIN or password instead.")
    ] = False,
) -> None:
    """Make a handheld's secret, or take a person's PIN, and print the hash for the site file."""
    if ask:
        secret = typer.prompt(
            "PIN or password", hide_input=True, confirmation_prompt=True, err=True
        )
        typer.echo(f'pin = "{hash_line(secret, token_bytes(SALT_BYTES))}"')
        return
    secret = token_urlsafe(24)
    typer.echo(f"The handheld's secret, shown this once: {secret}")
    typer.echo(f'secret = "{hash_line(secret, token_bytes(SALT_BYTES))}"')


@app.command()
def discover(
    addresses: Annotated[list[str], typer.Argument(help="Addresses or networks (CIDR).")],
    port: Annotated[int, typer.Option(help="LLRP's port.")] = 5084,
    at_once: Annotated[int, typer.Option(min=1, max=1024, help="Probes at a time.")] = AT_ONCE,
    timeout_s: Annotated[float, typer.Option(min=0.1, max=60, help="For one answer.")] = TIMEOUT_S,
) -> None:
    """Find LLRP readers on these addresses; prints what they are and TOML for the site file."""
    try:
        hosts = addresses_of(addresses)
    except AddressError as error:
        _fail(str(error))
    found = asyncio.run(find_readers(hosts, port, at_once=at_once, timeout_s=timeout_s))
    if not found:
        _fail(f"no LLRP reader at {len(hosts)} addresses, port {port}")
    typer.echo(table(found))
    for reader in found:
        typer.echo("\n" + reader.toml(), nl=False)


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


def _fail(message: str) -> NoReturn:
    """Say why, in one go, and end."""
    typer.echo(message, err=True)
    sys.exit(1)


if __name__ == "__main__":
    app()
