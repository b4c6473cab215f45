"""Ids made from content, and the hash that sends an identity to its partition."""

from __future__ import annotations

import hashlib
import zlib

ID_CHARACTERS = 32
"""128 bits in hexadecimal: far beyond any accidental collision within one site."""


def content_id(kind: str, *parts: str | int | bytes | None) -> str:
    """An id that is equal for equal content: 32 hexadecimal characters.

    Every part is written with its length, so no two different lists of parts share an id.
    """
    digest = hashlib.sha256(kind.encode())
    for part in parts:
        raw = part if isinstance(part, bytes) else str(part).encode()
        digest.update(b"%d:" % len(raw))
        digest.update(raw)
    return digest.hexdigest()[:ID_CHARACTERS]


def partition_of(identity: str, partitions: int) -> int:
    """The partition of an identity, 0 to `partitions` - 1: CRC-32 of its UTF-8 text, modulo."""
    return zlib.crc32(identity.encode()) % partitions
