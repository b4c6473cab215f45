"""`python -m stream_processors bridge | worker`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from stream_processors.io import journal
from stream_processors.settings import RESTART, StreamError, settings_from

app = typer.Typer(
    help="From MQTT to the ledger's log, and from reads to what they mean.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def bridge() -> None:
    """Move batches from MQTT to Kafka. One per site is active, others wait for its lease.

    SIGUSR1 asks for a new log. Exit code 75 means: start me again.
    """
    from stream_processors.mqtt_to_kafka import run_bridge  # noqa: PLC0415 - help stays quick.

    try:
        code = run_bridge(settings_from())
    except StreamError as error:
        journal.write("the bridge cannot go on", reason=str(error))
        code = RESTART
    _end(code)


@app.command()
def worker(
    data: Annotated[Path, typer.Option(help="A folder of this worker's own.")],
) -> None:
    """Understand the reads of the partitions that Kafka assigns. Start as many as there are cores.

    Exit code 75 means: start me again.
    """
    from stream_processors.worker import run_worker  # noqa: PLC0415 - help stays quick.

    try:
        code = run_worker(settings_from(), data)
    except StreamError as error:
        journal.write("the worker cannot go on", reason=str(error))
        code = RESTART
    _end(code)


def _end(code: int) -> NoReturn:
    """End without waiting for libraries: a Kafka client whose broker lost the log may linger for
    ever over records that nobody needs any more.
    """
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    app()
