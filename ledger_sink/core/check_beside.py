"""Holds small tables that stand beside the chain against what it and the published heads say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from contracts.codec import UNDECODABLE
from contracts.events import EntryKind
from ledger_sink.core.chain import ChainEntry
from ledger_sink.core.heads import ReadHead
from ledger_sink.core.payloads import LogOpened, ReferenceChanged
from ledger_sink.core.verification import Fault, Finding

_log_opened = msgspec.json.Decoder(LogOpened)
_reference_changed = msgspec.json.Decoder(ReferenceChanged)


class ChainRow(NamedTuple):
    """Where the ledger's own books say that the chain ends: a row of `ledger.chains`."""

    seq: int
    hash: bytes
    recorded_us: int


class HeadRow(NamedTuple):
    """A head as the database keeps it."""

    seq: int
    hash: bytes
    signed_at_us: int
    key: str
    signature: bytes


class LogRow(NamedTuple):
    """A log that was opened."""

    log: str
    partitions: int
    run: int
    reason: str
    opened_us: int


class ReferenceRow(NamedTuple):
    """A version of master data or of a plan."""

    key: str
    version: int
    at_us: int


def check_chain_row(row: ChainRow | None, last: ChainEntry | None) -> Iterator[Finding]:
    """Whether the next entry will be chained to the last one. A missing end is told elsewhere."""
    if last is None:
        return
    end = f"entry {last.seq} ({last.id})"
    if row is None or row.seq < last.seq:
        where = "has no row" if row is None else f"ends with entry {row.seq}"
        yield Finding(Fault.BROKEN_HASH, last.seq, last.id, f"chains {where}, the chain with {end}")
    elif row.seq == last.seq and (row.hash, row.recorded_us) != (last.hash, last.recorded_us):
        text = f"chains does not end with the hash and the time of {end}"
        yield Finding(Fault.BROKEN_HASH, last.seq, last.id, text)


def check_heads(heads: Sequence[ReadHead], kept: Iterable[HeadRow]) -> Iterator[Finding]:
    """Whether the database keeps the heads that were published, and no others before the last.

    Those behind the last one may have been published since the file was copied.
    """
    published = {
        HeadRow(
            *(head.seq, bytes.fromhex(head.hash), head.signed_at_us, head.key),
            head.signature.encode(),
        )
        for head, _ in heads
    }
    found = Counter(kept)
    for row in sorted(row for row, count in found.items() if count > 1):
        yield Finding(Fault.HEAD, row.seq, None, f"heads has the one of entry {row.seq} twice")
    end = max((row.seq for row in published), default=0)
    last = max((row.seq for row in found), default=0)
    for row in sorted(found.keys() - published):
        if row.seq <= end:
            text = f"heads has one of entry {row.seq} that was never published"
            yield Finding(Fault.HEAD, row.seq, None, text)
    for row in sorted(published - found.keys()):
        # A crash right behind publishing leaves the last one out.
        if row.seq != end or row.seq <= last:
            text = f"heads lacks the one of entry {row.seq}, which was published"
            yield Finding(Fault.HEAD, row.seq, None, text)


def check_beside(
    entries: Iterable[ChainEntry], logs: Iterable[LogRow], references: Iterable[ReferenceRow]
) -> Iterator[Finding]:
    """Whether logs and versions are those that entries of kind `log` and `reference` tell of."""
    told: dict[LogRow | ReferenceRow, ChainEntry] = {}
    for entry in entries:
        try:
            if entry.kind == EntryKind.LOG:
                log = _log_opened.decode(entry.payload)
                opened = (log.log, log.partitions, log.run, log.reason, entry.happened_us)
                told[LogRow(*opened)] = entry
            elif entry.kind == EntryKind.REFERENCE:
                change = _reference_changed.decode(entry.payload)
                told[ReferenceRow(change.key, change.version, entry.happened_us)] = entry
        except UNDECODABLE as error:
            text = f"entry {entry.seq} ({entry.id}) is no {entry.kind} that can be read: {error}"
            yield Finding(Fault.REFERENCE, entry.seq, entry.id, text)
    found: Counter[LogRow | ReferenceRow] = Counter((*logs, *references))
    for row in sorted((row for row, count in found.items() if count > 1), key=str):
        yield Finding(Fault.REFERENCE, None, None, f"{_named(row)} is there twice")
    for row in sorted(found.keys() - told.keys(), key=str):
        yield Finding(Fault.REFERENCE, None, None, f"{_named(row)}, of which no entry tells")
    for row in sorted(told.keys() - found.keys(), key=str):
        entry = told[row]
        text = f"{_named(row)}, of which entry {entry.seq} tells, is not there"
        yield Finding(Fault.REFERENCE, entry.seq, entry.id, text)


def _named(row: LogRow | ReferenceRow) -> str:
    if isinstance(row, LogRow):
        return f"log {row.log} of {row.partitions} partitions, opened in run {row.run}"
    return f"version {row.version} of {row.key}"
