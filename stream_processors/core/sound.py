"""What a batch may hold, checked once on its way into the log.

A message can be well formed and still hold what nothing behind could bear: a time that no integer
of a database takes, a name that no index takes, a read larger than a record. One such read would
end every worker that meets it, again and again. So each item is held to what a device can have
made; what is beyond that becomes a reject with its bytes, and the others go on.

The usual batch costs one decoding with bounds. Only where that fails it is looked at item by item.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from contracts.base import SCHEMA, Record
from contracts.codec import UNDECODABLE, decode, reject
from contracts.reads import (
    RAW_BYTES_MAX,
    DeviceChange,
    GateSignal,
    Loss,
    Read,
    ReadBatch,
    Reject,
    Scan,
)

UNUSABLE_MAX = 500
"""A batch with more unusable items is no batch of ours: it becomes one reject as a whole, so that
the rejects of one batch fit into one record."""

AHEAD_US_MAX = 86_400_000_000
"""A read that was received a day later than its batch was made would wait for ever for its time to
come. A watermark lags by a fraction of this, even in the fastest rehearsal."""
UNSET_US = 946_684_800_000_000
"""The year 2000: an agent's clock before it was not set yet, and is about to jump."""

Time = Annotated[int, Meta(ge=0, le=4_102_444_800_000_000)]
"""Microseconds, up to the year 2100."""
Number = Annotated[int, Meta(ge=0, le=65_535)]
"""Of an antenna or a port."""
Count = Annotated[int, Meta(ge=0, le=2**62)]
Name = Annotated[str, Meta(max_length=64)]
Words = Annotated[str, Meta(max_length=2_000)]
PLAIN = r"\A[^\x00-\x1f\x7f]*\Z"
Label = Annotated[str, Meta(max_length=64, pattern=PLAIN)]
"""What a person typed or scanned: no control characters."""
Identity = Annotated[str, Meta(min_length=1, max_length=512)]
"""An index of the ledger takes 2,700 bytes; agents name what is longer by its digest."""


class _Scan(Scan, frozen=True, kw_only=True):
    id: Annotated[str, Meta(min_length=1, max_length=64, pattern=PLAIN)]
    client: Label
    person: Label | None
    told_us: Annotated[int, Meta(ge=-(2**62), le=2**62)]
    location: Label | None = None
    place: Label | None = None
    document: Label | None = None


class _Read(Read, frozen=True, kw_only=True, array_like=True, gc=False):
    identity: Identity
    device: Name
    antenna: Number
    first_us: Time
    last_us: Time
    received_us: Time
    count: Annotated[int, Meta(ge=1, le=2**31)]
    rssi_cdbm: Annotated[int, Meta(ge=-(2**20), le=2**20)] | None = None
    evidence: Annotated[bytes, Meta(max_length=16_384)] = b""
    scan: _Scan | None = None


class _Reject(Reject, frozen=True, kw_only=True):
    source: Annotated[str, Meta(max_length=200)]
    reason: Words
    raw: Annotated[bytes, Meta(max_length=RAW_BYTES_MAX)]
    raw_length: Count
    at_us: Time


class _Signal(GateSignal, frozen=True, kw_only=True):
    device: Name
    port: Number
    state: bool
    at_us: Time
    received_us: Time


class _Loss(Loss, frozen=True, kw_only=True):
    gateway: Name
    spool: Name
    reason: Words
    first_sequence: Count
    last_sequence: Count
    reads: Count | None
    at_us: Time


class _Change(DeviceChange, frozen=True, kw_only=True):
    device: Name
    state: Name
    detail: Words
    at_us: Time


class _Batch(ReadBatch, tag="read_batch", frozen=True, kw_only=True):
    gateway_us: Time
    reads: tuple[_Read, ...] = ()
    rejects: tuple[_Reject, ...] = ()
    signals: tuple[_Signal, ...] = ()
    losses: tuple[_Loss, ...] = ()
    changes: tuple[_Change, ...] = ()


class _Items(Record, tag="read_batch", frozen=True, kw_only=True):
    """A batch whose items are not looked at yet."""

    schema: int = SCHEMA
    gateway_us: msgspec.Raw
    reads: tuple[msgspec.Raw, ...] = ()
    rejects: tuple[msgspec.Raw, ...] = ()
    signals: tuple[msgspec.Raw, ...] = ()
    losses: tuple[msgspec.Raw, ...] = ()
    changes: tuple[msgspec.Raw, ...] = ()


_items = msgspec.msgpack.Decoder(_Items)
_time = msgspec.msgpack.Decoder(Time)
_read: msgspec.msgpack.Decoder[Read] = msgspec.msgpack.Decoder(_Read)
_reject: msgspec.msgpack.Decoder[Reject] = msgspec.msgpack.Decoder(_Reject)
_signal: msgspec.msgpack.Decoder[GateSignal] = msgspec.msgpack.Decoder(_Signal)
_loss: msgspec.msgpack.Decoder[Loss] = msgspec.msgpack.Decoder(_Loss)
_change: msgspec.msgpack.Decoder[DeviceChange] = msgspec.msgpack.Decoder(_Change)

Item = TypeVar("Item")


def sound_batch(payload: bytes, *, source: str, gateway_us: int) -> ReadBatch:
    """The batch in `payload`, with a reject in the place of each item that cannot be used.

    `gateway_us` counts where the batch tells no time of its own. Equal payloads give equal items.
    """
    batch = decode(_Batch, payload, source=source, at_us=0)
    whole: Reject | None = None
    if isinstance(batch, Reject):
        whole = batch
    elif all(read.identity.isprintable() for read in batch.reads) and not _is_ahead(
        max((read.received_us for read in batch.reads), default=0), batch.gateway_us
    ):
        return batch
    sorted_out = _sort_out(payload, source, gateway_us)
    if sorted_out is not None:
        return sorted_out
    whole = whole or reject(source, "a batch of which nearly nothing can be used", payload, 0)
    return ReadBatch(gateway_us=gateway_us, rejects=(whole,))


def _sort_out(payload: bytes, source: str, gateway_us: int) -> ReadBatch | None:
    """The batch item by item; None where it is no batch of ours as a whole."""
    try:
        items = _items.decode(payload)
    except UNDECODABLE:
        return None
    sieve = _Sieve(source)
    told = sieve.take(_time, "gateway's time", (items.gateway_us,))
    sieve.gateway_us = told[0] if told else 0
    batch = ReadBatch(
        gateway_us=told[0] if told else gateway_us,
        reads=sieve.take(_read, "read", items.reads),
        signals=sieve.take(_signal, "signal", items.signals),
        losses=sieve.take(_loss, "loss", items.losses),
        changes=sieve.take(_change, "device change", items.changes),
        rejects=(*sieve.take(_reject, "reject", items.rejects), *sieve.rejects),
    )
    if items.schema > SCHEMA or len(sieve.rejects) > UNUSABLE_MAX:
        return None
    return batch


def _is_ahead(received_us: int, gateway_us: int) -> bool:
    """Whether a read was received so long after its batch was made that one of the two is wrong."""
    return received_us - gateway_us > AHEAD_US_MAX and gateway_us > UNSET_US


class _Sieve:
    """Keeps what can be used; `rejects` tells the rest."""

    def __init__(self, source: str) -> None:
        self.rejects: list[Reject] = []
        self.gateway_us = 0
        """The batch's time; 0 where it told none."""
        self._source = source

    def take(
        self, decoder: msgspec.msgpack.Decoder[Item], what: str, raws: tuple[msgspec.Raw, ...]
    ) -> tuple[Item, ...]:
        """The items that can be used, in order."""
        kept = []
        for raw in raws:
            try:
                item = decoder.decode(raw)
            except UNDECODABLE as error:
                self._refuse(f"a {what} that cannot be used: {error}", raw)
                continue
            if isinstance(item, Read) and (why := self._doubt(item)):
                self._refuse(f"a {what} that cannot be used: {why}", raw)
                continue
            kept.append(item)
        return tuple(kept)

    def _doubt(self, read: Read) -> str:
        """Why a read within all bounds cannot be used all the same; empty where it can."""
        if not read.identity.isprintable():
            return "its identity is no plain text"
        if _is_ahead(read.received_us, self.gateway_us):
            return "it was received after its batch was made"
        return ""

    def _refuse(self, reason: str, raw: msgspec.Raw) -> None:
        self.rejects.append(reject(self._source, reason, bytes(raw), 0))
