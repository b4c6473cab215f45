"""What the commands' parsers share."""

from __future__ import annotations

import argparse
from typing import Protocol

COLUMNS_MAX = 96
"""Help and lists are no wider."""


class Commands(Protocol):
    """Where each file of commands adds its own."""

    def add_parser(
        self,
        name: str,
        *,
        help: str,  # noqa: A002 - argparse's own name.
        description: str,
        epilog: str,
        formatter_class: type[argparse.HelpFormatter],
    ) -> argparse.ArgumentParser:
        """A new command."""
        ...


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Text as it is written, and no wider than a terminal is."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=COLUMNS_MAX)
