"""Sparkplug B payloads, written by the fields of its public Protocol Buffers definition."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

INT32, INT64, UINT64, FLOAT, BOOLEAN, STRING = 3, 4, 8, 9, 11, 12
MASK_32, MASK_64 = (1 << 32) - 1, (1 << 64) - 1
Value = int | float | bool | str


class Metric(NamedTuple):
    """One figure; without a name only its alias is sent, as data after a birth may be."""

    name: str
    datatype: int
    value: Value
    alias: int | None = None


def payload(at_ms: int, metrics: Iterable[Metric], sequence: int | None) -> bytes:
    """A payload; a node's death has no sequence number."""
    told = _number(1, at_ms)
    for metric in metrics:
        told += _counted(2, _metric(metric, at_ms))
    return told if sequence is None else told + _number(3, sequence)


def _metric(metric: Metric, at_ms: int) -> bytes:
    told = _counted(1, metric.name.encode()) if metric.name else b""
    if metric.alias is not None:
        told += _number(2, metric.alias)
    told += _number(3, at_ms) + _number(4, metric.datatype)
    value = metric.value
    if metric.datatype == BOOLEAN:
        return told + _number(14, int(bool(value)))
    if isinstance(value, str):
        return told + _counted(15, value.encode())
    if metric.datatype == FLOAT:
        return told + _tag(12, 5) + struct.pack("<f", value)
    if metric.datatype == INT32:
        return told + _number(10, int(value) & MASK_32)
    return told + _number(11, int(value) & MASK_64)


def _number(field: int, value: int) -> bytes:
    return _tag(field, 0) + _varint(value)


def _counted(field: int, content: bytes) -> bytes:
    return _tag(field, 2) + _varint(len(content)) + content


def _tag(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _varint(value: int) -> bytes:
    coded = b""
    while value >= 0x80:  # noqa: PLR2004 - seven bits a byte.
        coded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return coded + bytes([value])
