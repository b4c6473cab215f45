"""A PostgreSQL of a benchmark's own, thrown away afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tallygate.servers.find import Kind, find_servers, server_for


class OwnPostgres(NamedTuple):
    """One that runs."""

    url: str
    name: str
    """What it is, with its version."""
    folder: Path
    """For whatever else the benchmark keeps."""


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """Start it, stop it."""
    found = next(one for one in find_servers() if one.kind is Kind.POSTGRES)
    with tempfile.TemporaryDirectory() as name:
        server = server_for(found, Path(name))
        assert server is not None, "name no TALLYGATE_POSTGRES_URL: the benchmark makes its own"
        with server.start() as started:
            yield OwnPostgres(started.url, f"{found.name} {found.version}", Path(name))
