"""Named queries and migrations, each in a `.sql` file.

A query file opens with what it is for; a query is headed by `-- name: its_name` and a line of
intent, and takes its values by name, as in `%(site)s`.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import LiteralString, cast

NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def queries(file: str) -> dict[str, LiteralString]:
    """The queries of `queries/{file}.sql` by name."""
    text = (resources.files(__name__) / "queries" / f"{file}.sql").read_text("utf-8")
    parts = NAME.split(text)
    # Files of the package are as much a literal as what stands in a module.
    return {
        name: cast("LiteralString", body.strip())
        for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }
