"""What the agent tells of itself: one JSON object a line on standard error."""

from __future__ import annotations

import json
import logging
import sys
import time

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_level = "info"


def level() -> str:
    """The least that is told."""
    return _level


def set_level(name: str) -> None:
    """Tell what has this level or a higher one; of libraries no less than warnings, save at debug.

    Raises KeyError.
    """
    least = LEVELS[name]
    global _level  # noqa: PLW0603 - there is one journal, as there is one standard error.
    _level = name
    logging.getLogger().setLevel(least if name in {"debug", "error"} else logging.WARNING)


def write(event: str, *, level: str = "info", **fields: str | float | None) -> None:
    """One line: when (wall time, UTC), what happened in words, and its figures."""
    if LEVELS.get(level, logging.ERROR) < LEVELS[_level]:
        return
    moment = time.time()
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03d}Z"
    line = {"at": at, "event": event, **fields}
    if level != "info":
        line["level"] = level
    sys.stderr.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stderr.flush()


class _Handler(logging.Handler):
    """Brings what libraries log into the same lines."""

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname.lower()
        level = level if level in LEVELS else "error"
        write(record.getMessage(), level=level, logger=record.name)


def take_library_logs() -> None:
    """Libraries' warnings become lines of ours."""
    logging.basicConfig(level=logging.WARNING, handlers=[_Handler()], force=True)
