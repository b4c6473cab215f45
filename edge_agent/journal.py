"""What the agent tells of itself: one JSON object a line on standard error."""

from __future__ import annotations

import json
import logging
import sys
import time


def write(event: str, **fields: str | float | None) -> None:
    """One line: when (wall time, UTC), what happened in words, and its figures."""
    moment = time.time()
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03d}Z"
    sys.stderr.write(json.dumps({"at": at, "event": event, **fields}, ensure_ascii=False) + "\n")
    sys.stderr.flush()


class _Handler(logging.Handler):
    """Brings what libraries log into the same lines."""

    def emit(self, record: logging.LogRecord) -> None:
        write(record.getMessage(), logger=record.name, level=record.levelname.lower())


def take_library_logs() -> None:
    """Libraries' warnings become lines of ours."""
    logging.basicConfig(level=logging.WARNING, handlers=[_Handler()], force=True)
