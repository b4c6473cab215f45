"""Chain heads: what is published outside the database, so that rewriting it is found out.

A head is one line of JSON in a file that only grows. It names the chain's last entry and its
hash, and carries the first `TRUNCATED_BYTES` of the content hash of every entry since the head
before it: whoever rewrites an entry, and with it all hashes that follow, still cannot hide which
one it was. Each head holds the digest of the line before it and is signed with Ed25519.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from contracts.base import SCHEMA, Record
from contracts.codec import UNDECODABLE, canonical, decode_json
from ledger_sink.core.chain import HASH_BYTES
from ledger_sink.core.merkle import root_of

TRUNCATED_BYTES = 8
"""Of each content hash: finding another entry with the same takes 2^64 attempts, and even then
the head's own hash differs."""

HEAD_ENTRIES_MAX = 10_000
"""One line of the file stays below 120 kB: a backlog makes several heads."""


class Head(Record, tag="head", frozen=True, kw_only=True):
    """The end of a site's chain at one moment, signed."""

    schema: int = SCHEMA
    """Version of this record."""
    site: str
    """The site."""
    first: int
    """The first entry that `contents` covers: the one behind the head before it."""
    seq: int
    """The last entry."""
    hash: str
    """Its hash, hexadecimal."""
    contents: str
    """Truncated content hashes of entries `first` to `seq`, one behind the other, base64."""
    root: str | msgspec.UnsetType = msgspec.UNSET
    """Root of the Merkle tree over their whole content hashes, hexadecimal: one entry can then be
    proved alone. The first heads were published without."""
    signed_at_us: int
    """When."""
    previous: str
    """SHA-256 of the line of the head before it, hexadecimal; empty in the first."""
    key: str
    """SHA-256 of the public key, hexadecimal."""
    signature: str = ""
    """Ed25519 over this record with an empty signature, base64."""


class ReadHead(NamedTuple):
    """A head as it was read back."""

    head: Head
    """The head."""
    contents: bytes
    """The truncated content hashes of its entries, one behind the other."""


Verify = Callable[[bytes, bytes], bool]
"""Signature and message: whether the key made the signature."""


def truncated(content: bytes) -> bytes:
    """The part of a content hash that is published."""
    return content[:TRUNCATED_BYTES]


def line_digest(line: bytes) -> str:
    """What the next head says of this one."""
    return hashlib.sha256(line).hexdigest()


def make_head(
    *,
    site: str,
    seq: int,
    hash_: bytes,
    contents: Sequence[bytes],
    signed_at_us: int,
    previous: str,
    key: str,
    sign: Callable[[bytes], bytes],
) -> tuple[Head, bytes]:
    """The signed head and its line, without the line break. `contents` are full content hashes."""
    assert contents
    assert len(hash_) == HASH_BYTES
    unsigned = Head(
        site=site,
        first=seq - len(contents) + 1,
        seq=seq,
        hash=hash_.hex(),
        contents=base64.b64encode(b"".join(map(truncated, contents))).decode(),
        root=root_of(contents).hex(),
        signed_at_us=signed_at_us,
        previous=previous,
        key=key,
    )
    signature = base64.b64encode(sign(canonical(unsigned))).decode()
    head = msgspec.structs.replace(unsigned, signature=signature)
    return head, canonical(head)


def read_head(line: bytes) -> Head | str:
    """The head in a line of the file, or why it is none. Says nothing of its signature."""
    try:
        return decode_json(Head, line)
    except UNDECODABLE as error:
        return f"not a head: {error}"


def signature_mistake(head: Head, *, site: str, key: str, verify: Verify) -> str | None:
    """Why a head is not one that this key signed for this site; None: it is."""
    if head.site != site:
        return f"it is of site {head.site!r}, not {site!r}"
    if head.key != key:
        return "it was signed with another key"
    try:
        signature = base64.b64decode(head.signature, validate=True)
    except ValueError as error:
        return f"it is not readable: {error}"
    if not verify(signature, canonical(msgspec.structs.replace(head, signature=""))):
        return "its signature is wrong"
    return None


def check_head(
    head: Head, *, site: str, after: int, previous: str, key: str, verify: Verify
) -> ReadHead | str:
    """The head with its contents, or what is wrong with it where it stands in the file."""
    try:
        contents = base64.b64decode(head.contents, validate=True)
        end = bytes.fromhex(head.hash)
    except ValueError as error:
        return f"it is not readable: {error}"
    count = head.seq - head.first + 1
    wrong = signature_mistake(head, site=site, key=key, verify=verify)
    if wrong is not None:
        return wrong
    if head.first != after + 1 or head.previous != previous:
        wrong = f"it does not follow the head before it, which ends at entry {after}"
    elif count < 1 or len(contents) != count * TRUNCATED_BYTES or len(end) != HASH_BYTES:
        wrong = "it does not cover the entries that it names"
    if wrong is not None:
        return wrong
    return ReadHead(head, contents)
