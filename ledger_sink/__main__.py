"""`python -m ledger_sink migrate` and `python -m ledger_sink run`."""

from __future__ import annotations

import signal
import sys
import threading

import psycopg
import typer

from contracts.named_points import Broken
from ledger_sink import journal
from ledger_sink.commit import LeaseLostError
from ledger_sink.migrate import migrate as migrate_schema
from ledger_sink.settings import Settings, SinkError, settings_from
from ledger_sink.sink import end_of
from ledger_sink.sink import run as run_sink

application = typer.Typer(
    help="Appends what the stream says to the ledger, proves it, and measures it.",
    no_args_is_help=True,
    add_completion=False,
)


@application.command()
def migrate() -> None:
    """Bring the schema `ledger` in TALLYGATE_POSTGRES_URL to this version; safe to repeat."""
    settings = _settings()
    try:
        count = migrate_schema(settings.postgres_url)
    except (psycopg.Error, OSError) as error:
        _end(error, settings)
    journal.write("schema is up to date", migrations=count)


@application.command()
def run() -> None:
    """Be the sink of TALLYGATE_SITE; SIGTERM or Ctrl-C stops it cleanly.

    Heads of the chain are signed every TALLYGATE_HEADS_EVERY_S seconds (5) and at the end, and go
    to ledger/heads.jsonl in TALLYGATE_DATA. From there, if TALLYGATE_HEADS_MQTT is on (it is), to
    the retained topic tallygate/v1/SITE/heads; and to TALLYGATE_HEADS_WEBHOOK by POST, with
    TALLYGATE_HEADS_WEBHOOK_TOKEN as bearer, trusting TALLYGATE_HEADS_WEBHOOK_CA.
    """
    settings = _settings()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        run_sink(settings, stop)
    except (SinkError, LeaseLostError, psycopg.Error, OSError, Broken) as error:
        _end(error, settings)


def _settings() -> Settings:
    try:
        return settings_from()
    except SinkError as error:
        journal.write("sink cannot start", reason=str(error))
        sys.exit(2)


def _end(error: BaseException, settings: Settings) -> None:
    journal.write("sink ends", reason=end_of(error, settings))
    sys.exit(1)


if __name__ == "__main__":
    application()
