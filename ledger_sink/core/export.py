"""An exported ledger: what verification needs of it, in lines of JSON that outlive the database.

The first line says of which site it is and how long its chain is, the last how many entries came.
In between stand the entries in order of the chain, and before each batch of them the sightings
and reference changes that they speak of. Bytes are base64: what was hashed is there to the byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec

from contracts.base import SCHEMA
from contracts.codec import UNDECODABLE
from ledger_sink.core.batch_check import LedgerBatch
from ledger_sink.core.chain import ChainEntry

BATCH = 2_000
"""Entries handed on at once."""
LINE_BYTES_MAX = 16_000_000
"""Far above the largest payload; a longer line is no line of an export."""

BIGINT_MAX = 2**63 - 1
Seq = Annotated[int, msgspec.Meta(ge=1, le=BIGINT_MAX)]
"""A place in the chain, as the database can hold it."""
Bigint = Annotated[int, msgspec.Meta(ge=-BIGINT_MAX - 1, le=BIGINT_MAX)]
"""Any other number of the database."""


class Begin(msgspec.Struct, tag="ledger", frozen=True, kw_only=True):
    """The first line."""

    schema: int = SCHEMA
    """Version of the format."""
    site: str
    """The site."""
    chain_seq: Annotated[int, msgspec.Meta(ge=0, le=BIGINT_MAX)]
    """Where the ledger's own books say that the chain ends."""
    exported_us: Bigint
    """When it was exported."""


class ExportedSighting(msgspec.Struct, tag="sighting", frozen=True, kw_only=True):
    """A sighting that entries behind it were decided by."""

    id: str
    """Its id."""
    payload: bytes
    """Its exact bytes."""


class ExportedGone(msgspec.Struct, tag="gone", frozen=True, kw_only=True):
    """A sighting that entries behind it were decided by, and that is not there any more."""

    id: str
    """Its id."""
    recorded_us: Bigint
    """When it was kept."""


class ExportedReference(msgspec.Struct, tag="reference", frozen=True, kw_only=True):
    """A reference change that an entry behind it tells of."""

    key: str
    """What was changed."""
    version: Bigint
    """To which version."""
    change: bytes | None
    """Its exact bytes; null where the ledger's table contradicts itself about it."""


class ExportedEntry(msgspec.Struct, tag="entry", frozen=True, kw_only=True):
    """An entry with all that its hash covers."""

    seq: Seq
    """Its place in the chain."""
    id: str
    """Its id."""
    kind: str
    """Its kind."""
    happened_us: Bigint
    """When it happened."""
    recorded_us: Bigint
    """When it was entered."""
    identity: str | None
    """The identity that it is about."""
    location: str | None
    """The location that it is about."""
    payload: bytes
    """The exact bytes."""
    read_received_us: Bigint | None
    """When the agent received the last read needed."""
    window_us: Bigint
    """What was waited on purpose."""
    previous: bytes
    """The hash before it, as stored."""
    hash: bytes
    """Its hash, as stored."""


class End(msgspec.Struct, tag="end", frozen=True, kw_only=True):
    """The last line: nothing is missing behind it."""

    entries: int
    """How many entries stand in the file."""


Line = Begin | ExportedSighting | ExportedGone | ExportedReference | ExportedEntry | End
_line = msgspec.json.Decoder(Line)
_encoder = msgspec.json.Encoder()


class ExportError(Exception):
    """The file is no export of a ledger, or not a whole one. Export it again."""


def line_of(record: Line) -> bytes:
    """A record as its line, with the line break."""
    return _encoder.encode(record) + b"\n"


def lines_of(batch: LedgerBatch) -> bytes:
    """A batch as its lines: what entries speak of stands before them."""
    records: list[Line] = [
        ExportedSighting(id=id_, payload=payload) for id_, payload in batch.sightings.items()
    ]
    records += [ExportedGone(id=id_, recorded_us=at_us) for id_, at_us in batch.gone.items()]
    records += [
        ExportedReference(key=key, version=version, change=change)
        for (key, version), change in batch.changes.items()
    ]
    records += [ExportedEntry(**entry._asdict()) for entry in batch.entries]
    return b"".join(map(line_of, records))


def read_begin(line: bytes) -> Begin:
    """The first line. Raises ExportError."""
    record = _read(line, 1)
    if not isinstance(record, Begin):
        raise ExportError("line 1 does not begin a ledger's export")
    if record.schema > SCHEMA:
        raise ExportError(f"the export has version {record.schema}; this program reads {SCHEMA}")
    return record


def read_batches(lines: Iterable[bytes]) -> Iterator[LedgerBatch]:
    """The batches in the lines behind the first one. Raises ExportError."""
    opened = _Opened()
    count, ended = 0, False
    for number, line in enumerate(lines, start=2):
        record = _read(line, number)
        if ended or isinstance(record, Begin):
            raise ExportError(f"line {number}: more follows behind the end")
        is_entry = isinstance(record, ExportedEntry)
        if opened.entries and (len(opened.entries) >= BATCH or not is_entry):
            yield opened.batch()
            opened = _Opened()
        count += is_entry
        if isinstance(record, End):
            ended = True
            if record.entries != count:
                told = f"its end tells of {record.entries:,}"
                raise ExportError(f"the file has {count:,} entries; {told}")
        else:
            opened.take(record)
    if not ended:
        raise ExportError(f"the file was cut off: it has no end behind its {count:,} entries")


class _Opened:
    """A batch of which lines are being read."""

    def __init__(self) -> None:
        self.entries: list[ChainEntry] = []
        self._sightings: dict[str, bytes] = {}
        self._gone: dict[str, int] = {}
        self._changes: dict[tuple[str, int], bytes | None] = {}

    def take(
        self, record: ExportedSighting | ExportedGone | ExportedReference | ExportedEntry
    ) -> None:
        """The next line."""
        match record:
            case ExportedEntry():
                self.entries.append(_chain_entry(record))
            case ExportedSighting(id=id_, payload=payload):
                self._sightings[id_] = payload
            case ExportedGone(id=id_, recorded_us=recorded_us):
                self._gone[id_] = recorded_us
            case ExportedReference(key=key, version=version, change=change):
                self._changes[key, version] = change

    def batch(self) -> LedgerBatch:
        """What was read."""
        return LedgerBatch(self.entries, self._sightings, self._changes, gone=self._gone)


def _read(line: bytes, number: int) -> Line:
    try:
        record: Line = _line.decode(line)
    except UNDECODABLE as error:
        raise ExportError(f"line {number} is no line of a ledger's export: {error}") from error
    return record


def _chain_entry(record: ExportedEntry) -> ChainEntry:
    return ChainEntry(*(getattr(record, name) for name in ChainEntry._fields))
