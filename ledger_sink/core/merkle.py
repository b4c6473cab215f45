"""Merkle trees over the content hashes of a signed interval, so that one entry can be proved alone.

The tree of RFC 6962, section 2.1: a leaf is SHA-256 over a zero byte and the content hash, a node
SHA-256 over a one byte and its two sides; the left side holds the largest power of two of leaves
that is smaller than all. A path names, from the leaf up, the other side at each step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

_LEAF = b"\x00"
_NODE = b"\x01"


def root_of(contents: Sequence[bytes]) -> bytes:
    """The root over at least one content hash, 32 bytes."""
    assert contents
    level = [_leaf(content) for content in contents]
    while len(level) > 1:
        level = _above(level)
    return level[0]


def path_of(contents: Sequence[bytes], place: int) -> tuple[bytes, ...]:
    """The path of the entry at a place from 0, for `root_from`."""
    assert 0 <= place < len(contents)
    level = [_leaf(content) for content in contents]
    path = []
    while len(level) > 1:
        other = place ^ 1
        if other < len(level):
            path.append(level[other])
        level, place = _above(level), place // 2
    return tuple(path)


def root_from(content: bytes, place: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a path leads to; None where it has not the length that its place asks for."""
    if not 0 <= place < count:
        return None
    found, last, steps = _leaf(content), count - 1, iter(path)
    while last:
        if place ^ 1 <= last:
            other = next(steps, None)
            if other is None:
                return None
            found = _node(other, found) if place & 1 else _node(found, other)
        place, last = place // 2, last // 2
    return found if next(steps, None) is None else None


def _above(level: list[bytes]) -> list[bytes]:
    """The next level: pairs joined, a last one without company as it is."""
    pairs = [_node(level[n], level[n + 1]) for n in range(0, len(level) - 1, 2)]
    return pairs + level[len(level) - len(level) % 2 :]


def _leaf(content: bytes) -> bytes:
    return hashlib.sha256(_LEAF + content).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()
