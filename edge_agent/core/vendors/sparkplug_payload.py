"""Sparkplug B payloads: the fields of its public Protocol Buffers definition that we use.

A message is fields one after another: a number and a wire type, then a varint, eight or four bytes,
or counted bytes. Unknown fields are passed over, as that format wants it. Data sets, templates and
property sets are passed over, too: they describe, they are no figures.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

VARINT, EIGHT, COUNTED, FOUR = 0, 1, 2, 5
VARINT_BYTES_MAX = 10
PAYLOAD_BYTES_MAX = 1_000_000
METRICS_MAX = 5_000
"""In one payload; a birth certificate names every metric of a node."""
TEXT_BYTES_MAX = 10_000
MASK_64 = (1 << 64) - 1

SIGNED_BITS = {1: 8, 2: 16, 3: 32, 4: 64}
"""Data types Int8 to Int64 travel as two's complement in an unsigned field."""
BOOLEAN = 11

Value = int | float | bool | str | None


class PayloadError(Exception):
    """Bytes that are no payload; the message says why."""


class Metric(NamedTuple):
    """One figure."""

    name: str = ""
    """Empty where only the alias came."""
    alias: int | None = None
    at_ms: int | None = None
    datatype: int = 0
    """0: not told; births tell it, data may leave it out."""
    is_historical: bool = False
    is_null: bool = False
    value: Value = None
    """None: null, or a kind of value that is passed over."""
    raw: int | None = None
    """A whole number as it travelled; its sign is known with the data type only."""


class Payload(NamedTuple):
    """What one message carries."""

    at_ms: int | None
    metrics: tuple[Metric, ...]
    seq: int | None


Field = tuple[int, int, int, bytes]
"""Number, wire type, whole number, bytes."""


def fields_of(data: bytes) -> Iterator[Field]:
    """The fields of a message. Raises PayloadError."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if not number:
            raise PayloadError("a field without number")
        if kind == VARINT:
            value, at = _varint(data, at)
            yield number, kind, value, b""
            continue
        if kind == COUNTED:
            size, at = _varint(data, at)
        elif kind in {EIGHT, FOUR}:
            size = 8 if kind == EIGHT else 4
        else:
            raise PayloadError(f"a field of the unknown wire type {kind}")
        if at + size > len(data):
            raise PayloadError("a field that runs past the end")
        yield number, kind, 0, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(VARINT_BYTES_MAX):
        if at + place >= len(data):
            raise PayloadError("cut within a number")
        byte = data[at + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follows.
            return value & MASK_64, at + place + 1
    raise PayloadError("a number of more than ten bytes")


def payload_of(data: bytes) -> Payload:
    """A payload. Raises PayloadError."""
    if len(data) > PAYLOAD_BYTES_MAX:
        raise PayloadError(f"larger than {PAYLOAD_BYTES_MAX} bytes")
    at_ms = seq = None
    metrics: list[Metric] = []
    for number, kind, value, content in fields_of(data):
        if (number, kind) == (1, VARINT):
            at_ms = value
        elif (number, kind) == (3, VARINT):
            seq = value
        elif (number, kind) == (2, COUNTED):
            if len(metrics) >= METRICS_MAX:
                raise PayloadError(f"more than {METRICS_MAX} metrics")
            metrics.append(_metric(content))
    return Payload(at_ms, tuple(metrics), seq)


def _metric(data: bytes) -> Metric:
    metric = Metric()
    for number, kind, value, content in fields_of(data):
        if take := METRIC_FIELDS.get((number, kind)):
            metric = take(metric, value, content)
    return metric._replace(value=None, raw=None) if metric.is_null else metric


def typed(metric: Metric, datatype: int) -> Value:
    """The value, with its sign where the data type has one."""
    if metric.raw is None:
        return metric.value
    bits = SIGNED_BITS.get(datatype)
    if bits is None:
        return bool(metric.raw) if datatype == BOOLEAN else metric.raw
    value = metric.raw & ((1 << bits) - 1)
    return value - (1 << bits) if value >> (bits - 1) else value


def _text(content: bytes) -> str:
    return content[:TEXT_BYTES_MAX].decode("utf-8", "replace")


METRIC_FIELDS: Mapping[tuple[int, int], Callable[[Metric, int, bytes], Metric]] = {
    (1, COUNTED): lambda metric, _, content: metric._replace(name=_text(content)),
    (2, VARINT): lambda metric, value, _: metric._replace(alias=value),
    (3, VARINT): lambda metric, value, _: metric._replace(at_ms=value),
    (4, VARINT): lambda metric, value, _: metric._replace(datatype=value),
    (5, VARINT): lambda metric, value, _: metric._replace(is_historical=bool(value)),
    (7, VARINT): lambda metric, value, _: metric._replace(is_null=bool(value)),
    (10, VARINT): lambda metric, value, _: metric._replace(raw=value),
    (11, VARINT): lambda metric, value, _: metric._replace(raw=value),
    (12, FOUR): lambda metric, _, content: metric._replace(value=_float("<f", content)),
    (13, EIGHT): lambda metric, _, content: metric._replace(value=_float("<d", content)),
    (14, VARINT): lambda metric, value, _: metric._replace(value=bool(value)),
    (15, COUNTED): lambda metric, _, content: metric._replace(value=_text(content)),
}
"""Number and wire type of a metric's fields to what each says."""


def _float(layout: str, content: bytes) -> float:
    return float(struct.unpack(layout, content)[0])


def rebirth_command(at_ms: int) -> bytes:
    """The payload of an NCMD that asks an edge node for its birth certificates."""
    metric = (
        _counted(1, b"Node Control/Rebirth")
        + _number(3, at_ms)
        + _number(4, BOOLEAN)
        + _number(14, 1)
    )
    return _number(1, at_ms) + _counted(2, metric)


def _number(number: int, value: int) -> bytes:
    return _coded(number << 3 | VARINT) + _coded(value)


def _counted(number: int, content: bytes) -> bytes:
    return _coded(number << 3 | COUNTED) + _coded(len(content)) + content


def _coded(value: int) -> bytes:
    coded = bytearray()
    while value > 0x7F:  # noqa: PLR2004
        coded.append(value & 0x7F | 0x80)
        value >>= 7
    coded.append(value)
    return bytes(coded)
