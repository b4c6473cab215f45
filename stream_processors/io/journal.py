"""What a program tells of itself: one JSON object a line on standard error."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import NoReturn

_lock = threading.Lock()


def write(event: str, **fields: str | float | list[int] | dict[str, int] | None) -> None:
    """One line: when (wall time, UTC), what happened in words, and its figures."""
    moment = time.time()
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03d}Z"
    line = json.dumps({"at": at, "event": event, **fields}, ensure_ascii=False)
    with _lock:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def exit_now(code: int, event: str, **fields: str | float | None) -> NoReturn:
    """Say why and end the process at once, whatever its threads do.

    Used where going on would be wrong: nothing is flushed to Kafka, nothing is committed. All that
    counts is in the ledger, and the next run begins from there.
    """
    try:
        write(event, **fields)
    finally:
        os._exit(code)
