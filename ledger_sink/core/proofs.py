"""A proof that one entry stands in the ledger: for who may see it and nothing else.

It holds the entry, the published head of the interval in which it was signed, and the Merkle path
between the two. The public key is all that is needed to check it; the published heads say beside
that this head was published and not made for the occasion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from contracts.base import SCHEMA, Record
from contracts.codec import UNDECODABLE, decode_json
from ledger_sink.core.chain import ChainEntry, content_of
from ledger_sink.core.export import ExportedEntry
from ledger_sink.core.heads import Head, Verify, read_head, signature_mistake
from ledger_sink.core.merkle import path_of, root_from


class EntryProof(Record, tag="entry_proof", frozen=True, kw_only=True):
    """One entry, its path, and its head."""

    schema: int = SCHEMA
    """Version of this record."""
    site: str
    """The site."""
    entry: ExportedEntry
    """The entry, to the byte."""
    path: tuple[str, ...]
    """The other sides from the entry's leaf up to the root, hexadecimal."""
    head: str
    """The published line of the head, as it was signed."""


class Proved(NamedTuple):
    """What a good proof shows."""

    site: str
    """The site."""
    entry: ChainEntry
    """The entry."""
    head: Head
    """The head that covers it."""


def make_proof(site: str, interval: Sequence[ChainEntry], seq: int, line: bytes) -> EntryProof:
    """The proof of an entry; `interval` are all entries that its head covers, in order."""
    contents = [content_of(site, entry) for entry in interval]
    place = seq - interval[0].seq
    return EntryProof(
        site=site,
        entry=ExportedEntry(**interval[place]._asdict()),
        path=tuple(side.hex() for side in path_of(contents, place)),
        head=line.decode(),
    )


def read_proof(raw: bytes) -> EntryProof | str:
    """The proof in a file, or why it is none."""
    try:
        proof = decode_json(EntryProof, raw)
    except UNDECODABLE as error:
        return f"it is no proof of an entry: {error}"
    if proof.schema > SCHEMA:
        return f"it has version {proof.schema}; this program reads {SCHEMA}"
    return proof


def check_proof(proof: EntryProof, *, key: str, verify: Verify) -> Proved | str:
    """What the proof shows, or why it shows nothing. `key` names the public key."""
    head = read_head(proof.head.encode())
    if isinstance(head, str):
        return f"its head cannot be read: {head}"
    if mistake := signature_mistake(head, site=proof.site, key=key, verify=verify):
        return f"its head cannot be trusted: {mistake}"
    if isinstance(head.root, msgspec.UnsetType):
        return "its head is of a time when heads had no Merkle root"
    entry = ChainEntry(*(getattr(proof.entry, name) for name in ChainEntry._fields))
    try:
        path = [bytes.fromhex(side) for side in proof.path]
    except ValueError:
        return "its path is not hexadecimal"
    place, count = entry.seq - head.first, head.seq - head.first + 1
    root = root_from(content_of(proof.site, entry), place, count, path)
    if root is None or root.hex() != head.root:
        return "the entry is not one of those that its head was signed for"
    return Proved(proof.site, entry, head)
