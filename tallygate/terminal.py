"""Where commands print."""

from __future__ import annotations

import os

from rich.console import Console

PIPE_COLUMNS = 160
"""Where the output is no terminal, lines are for programs and files: these are wider."""


def plain_console() -> Console:
    """A console that colours nothing by itself."""
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_COLUMNS
    return console
