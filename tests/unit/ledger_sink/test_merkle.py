"""Merkle trees: one entry's path leads to the signed root, and no other entry's does."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from ledger_sink.core.merkle import path_of, root_from, root_of


def leaf(content: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + content).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def by_the_book(contents: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word by word."""
    if len(contents) == 1:
        return leaf(contents[0])
    split = 1
    while split * 2 < len(contents):
        split *= 2
    return node(by_the_book(contents[:split]), by_the_book(contents[split:]))


CONTENTS = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=70, unique=True)


def test_the_vectors_of_certificate_transparency_give_their_roots() -> None:
    """The reference implementation's test leaves (google/certificate-transparency)."""
    leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
    leaves.append("606162636465666768696a6b6c6d6e6f")
    raw = [bytes.fromhex(each) for each in leaves]
    assert root_of(raw[:1]).hex().startswith("6e340b9cffb37a98")
    assert root_of(raw).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@given(CONTENTS)
def test_the_root_is_the_standard_s(contents: list[bytes]) -> None:
    assert root_of(contents) == by_the_book(contents)


@given(CONTENTS, st.data())
def test_a_path_proves_its_entry_and_no_other(contents: list[bytes], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(contents) - 1))
    path, root = path_of(contents, place), root_of(contents)
    assert root_from(contents[place], place, len(contents), path) == root
    assert root_from(b"\x01" * 32, place, len(contents), path) != root
    other = data.draw(st.integers(0, len(contents) - 1))
    if other != place:
        assert root_from(contents[place], other, len(contents), path) != root


@given(CONTENTS, st.lists(st.binary(max_size=40), max_size=9), st.integers(-3, 90))
def test_any_path_gives_a_root_or_nothing(
    contents: list[bytes], path: list[bytes], place: int
) -> None:
    found = root_from(contents[0], place, len(contents), path)
    assert found is None or len(found) == 32


@given(CONTENTS, st.data())
def test_a_path_that_is_too_long_or_too_short_proves_nothing(
    contents: list[bytes], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(contents) - 1))
    path = path_of(contents, place)
    assert root_from(contents[place], place, len(contents), (*path, b"\x00" * 32)) is None
    if path:
        assert root_from(contents[place], place, len(contents), path[:-1]) is None
