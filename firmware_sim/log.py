"""One JSON line per event on standard error."""

from __future__ import annotations

import json
import sys


def log(event: str, **more: str | float | None) -> None:
    """Say what happened."""
    sys.stderr.write(json.dumps({"event": event, **more}, ensure_ascii=False) + "\n")
    sys.stderr.flush()
