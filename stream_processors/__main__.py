"""`python -m stream_processors bridge | worker`."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable
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

    _carry("bridge", lambda: run_bridge(settings_from()))


@app.command()
def worker(
    data: Annotated[Path, typer.Option(help="A folder of this worker's own.")],
) -> None:
    """Understand the reads of the partitions that Kafka assigns. Start as many as there are cores.

    Exit code 75 means: start me again.
    """
    from stream_processors.worker import run_worker  # noqa: PLC0415 - help stays quick.

    _carry("worker", lambda: run_worker(settings_from(), data))


def _carry(program: str, work: Callable[[], int]) -> NoReturn:
    """Run a program and end with its exit code, without waiting for libraries.

    A Kafka client whose broker lost the log may linger for ever over records that nobody needs. A
    thread that fails takes the process with it: what it watched would go unwatched.
    """
    threading.excepthook = lambda failed: journal.exit_now(
        1, f"a thread of the {program} failed", reason=repr(failed.exc_value)
    )
    try:
        code = work()
    except StreamError as error:
        journal.write(f"the {program} cannot go on", reason=str(error))
        code = RESTART
    except Exception as error:  # noqa: BLE001 - whatever it is, the process must end.
        traceback.print_exc()
        journal.write(f"the {program} failed", reason=f"{type(error).__name__}: {error}")
        code = 1
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    app()
