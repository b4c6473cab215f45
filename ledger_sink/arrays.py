"""Columns of many rows as PostgreSQL arrays, written at once.

psycopg writes an array of Python objects item by item through a dumper of each; for the thousands
of rows of a batch that costs a fifth of the whole append. These lists know what they hold::

    connection.execute("select f(%b)", [Bigints([1, None, 3])])

The format is that of `array_send` in PostgreSQL's `src/backend/utils/adt/arrayfuncs.c`: number of
dimensions, whether there are nulls, the items' type, length and first index, then each item with
its length (-1: null), all big-endian.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import ClassVar

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_head = Struct(">iiIii").pack
_size = Struct(">i").pack
_bigint = Struct(">iq").pack
_NULL = _size(-1)
_BIGINT_BYTES = 8


class Bigints(list[int | None]):
    """A bigint[]. Sending it raises struct.error where an item is beyond 64 bits."""


class Texts(list[str | None]):
    """A text[]. Sending it raises UnicodeEncodeError where an item is no text."""


class Byteas(list[bytes | None]):
    """A bytea[]."""


class _ArrayDumper(Dumper):
    """Writes a list of one dimension."""

    format = Format.BINARY
    item_oid: ClassVar[int]

    def _array(self, items: Iterable[bytes], count: int, *, has_null: bool) -> bytes:
        if not count:
            return _head(0, 0, self.item_oid, 0, 0)[:12]
        return _head(1, int(has_null), self.item_oid, count, 1) + b"".join(items)


class _BigintsDumper(_ArrayDumper):
    oid = psycopg.adapters.types["int8"].array_oid
    item_oid = psycopg.adapters.types["int8"].oid

    def dump(self, obj: Bigints) -> bytes:
        items = [_NULL if one is None else _bigint(_BIGINT_BYTES, one) for one in obj]
        return self._array(items, len(obj), has_null=None in obj)


class _ByteasDumper(_ArrayDumper):
    oid = psycopg.adapters.types["bytea"].array_oid
    item_oid = psycopg.adapters.types["bytea"].oid

    def dump(self, obj: Byteas) -> bytes:
        items = [_NULL if one is None else _size(len(one)) + one for one in obj]
        return self._array(items, len(obj), has_null=None in obj)


class _TextsDumper(_ArrayDumper):
    oid = psycopg.adapters.types["text"].array_oid
    item_oid = psycopg.adapters.types["text"].oid

    def dump(self, obj: Texts) -> bytes:
        raws = [None if one is None else one.encode() for one in obj]
        items = [_NULL if raw is None else _size(len(raw)) + raw for raw in raws]
        return self._array(items, len(obj), has_null=None in obj)


for _kind, _dumper in ((Bigints, _BigintsDumper), (Byteas, _ByteasDumper), (Texts, _TextsDumper)):
    psycopg.adapters.register_dumper(_kind, _dumper)
