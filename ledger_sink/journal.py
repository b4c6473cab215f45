"""What the program tells of itself: one JSON object a line on standard error."""

from __future__ import annotations

import json
import sys
import threading
import time

_lock = threading.Lock()


def write(event: str, **fields: str | float | None) -> None:
    """One line: when (wall time, UTC), what happened in words, and its figures."""
    moment = time.time()
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03d}Z"
    line = json.dumps({"at": at, "event": event, **fields}, ensure_ascii=False)
    with _lock:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
