"""Arrays are written as psycopg's own dumpers write them, byte for byte."""

from __future__ import annotations

from struct import error
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from psycopg.adapt import PyFormat, Transformer
from psycopg.types.numeric import Int8

from ledger_sink.arrays import Bigints, Byteas, Texts


def sent(value: list[Any], kind: PyFormat = PyFormat.BINARY) -> tuple[int, bytes]:
    """Type and bytes as which psycopg sends a list."""
    adapting = Transformer()
    dumper = adapting.get_dumper(value, kind)
    return dumper.upgrade(value, kind).oid, bytes(dumper.upgrade(value, kind).dump(value) or b"")


@given(some.lists(some.none() | some.integers(-(2**63), 2**63 - 1), min_size=1))
def test_bigints(values: list[int | None]) -> None:
    plain = sent([None if one is None else Int8(one) for one in values])
    assert sent(Bigints(values))[1] == plain[1] or set(values) == {None}
    assert sent(Bigints(values))[0] == 1016


@given(some.lists(some.none() | some.binary(), min_size=1))
def test_byteas(values: list[bytes | None]) -> None:
    assert sent(Byteas(values))[1] == sent(list(values))[1] or set(values) == {None}
    assert sent(Byteas(values))[0] == 1001


@given(some.lists(some.none() | some.text(), min_size=1))
def test_texts(values: list[str | None]) -> None:
    assert sent(Texts(values))[1] == sent(list(values))[1] or set(values) == {None}
    assert sent(Texts(values))[0] == 1009


@pytest.mark.parametrize("kind", [Bigints, Byteas, Texts])
def test_an_empty_array_and_one_of_nulls(kind: type[list[Any]]) -> None:
    """Psycopg alone cannot tell what a list of nulls is; this is `array_send`'s format."""
    item_oid = {Bigints: 20, Byteas: 17, Texts: 25}[kind].to_bytes(4, "big")
    assert sent(kind())[1] == bytes(8) + item_oid
    one, null = (1).to_bytes(4, "big"), b"\xff" * 4
    assert sent(kind([None]))[1] == one + one + item_oid + one + one + null


def test_what_has_no_room_is_an_error() -> None:
    with pytest.raises(error):
        sent(Bigints([2**63]))
    with pytest.raises(UnicodeEncodeError):
        sent(Texts(["\ud800"]))
