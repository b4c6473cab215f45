"""Writes a site's ledger to a file that can be verified without the database, and opens one."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ledger_sink.core.export import (
    LINE_BYTES_MAX,
    Begin,
    End,
    ExportError,
    line_of,
    lines_of,
)
from ledger_sink.rows import ledger_rows

PACKED = ".gz"
"""A file whose name ends so is packed."""


def export(
    postgres_url: str, site: str, path: Path, *, at_us: int, told: Callable[[int, int], None]
) -> int:
    """Write the site's chain to a file, which appears only when it is whole; how many entries.

    `told(entries, chain_seq)` hears of the progress. Raises psycopg.Error and OSError.
    """
    part = path.with_name(path.name + ".part")
    try:
        with (
            ledger_rows(postgres_url, site) as rows,
            _create(part, is_packed=path.suffix == PACKED) as file,
        ):
            chain_seq = rows.chain_seq()
            file.write(line_of(Begin(site=site, chain_seq=chain_seq, exported_us=at_us)))
            count = 0
            for batch in rows.batches():
                file.write(lines_of(batch))
                count += len(batch.entries)
                told(count, chain_seq)
            file.write(line_of(End(entries=count)))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return count


@contextmanager
def open_export(path: Path) -> Iterator[Iterator[bytes]]:
    """The lines of an exported file, packed or not. Raises OSError, and ExportError on reading."""
    with path.open("rb") as raw:
        is_packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        yield _lines(gzip.GzipFile(fileobj=raw) if is_packed else raw)


def _lines(file: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    while True:
        try:
            line = file.readline(LINE_BYTES_MAX)
        except (EOFError, zlib.error, OSError) as error:
            raise ExportError(f"the file was cut off or damaged: {error}") from error
        if not line:
            return
        yield line


@contextmanager
def _create(path: Path, *, is_packed: bool) -> Iterator[IO[bytes] | gzip.GzipFile]:
    with path.open("wb") as raw:
        if is_packed:
            with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6) as packed:
                yield packed
        else:
            yield raw
        raw.flush()
        os.fsync(raw.fileno())
