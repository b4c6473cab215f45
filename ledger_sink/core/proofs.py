"""A proof that one entry stands in the ledger: for who may see it and nothing else.

It holds the entry, the published head of the interval in which it was signed, and the Merkle path
between the two. The entry's own hash and the one before it are empty: a path proves what an entry
says and where it stands, and nothing of those. The public key is all that is needed to check a
proof; the published heads say beside that its head was published and not made for the occasion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from contracts.base import SCHEMA, Record
from contracts.codec import UNDECODABLE, canonical, decode_json
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
    """The entry, to the byte; its `previous` and `hash` are empty."""
    path: tuple[str, ...]
    """The other sides from the entry's leaf up to the root, hexadecimal."""
    head: str
    """The published line of the head, as it was signed."""


class Proved(NamedTuple):
    """What a good proof shows."""

    site: str
    """The site."""
    entry: ChainEntry
    """The entry, without hashes."""
    head: Head
    """The head that covers it."""


def make_proof(site: str, interval: Sequence[ChainEntry], seq: int, head: Head) -> EntryProof | str:
    """The proof of an entry, or why there is none; `interval`: the entries that its head covers."""
    gone = set(range(head.first, head.seq + 1)) - {entry.seq for entry in interval}
    if gone:
        return (
            f"{len(gone):,} of the entries {head.first} to {head.seq}, which stand under one"
            f" published head, are gone from the ledger, the first is {min(gone)}: nothing can be"
            " proved with that head. `tallygate verify` says more."
        )
    contents = [content_of(site, entry) for entry in interval]
    place = seq - interval[0].seq
    return EntryProof(
        site=site,
        entry=ExportedEntry(**interval[place]._replace(previous=b"", hash=b"")._asdict()),
        path=tuple(side.hex() for side in path_of(contents, place)),
        head=canonical(head).decode(),
    )


def read_proof(raw: bytes) -> EntryProof | str:
    """The proof in a file, or why it is none."""
    try:
        proof = decode_json(EntryProof, raw)
    except UNDECODABLE as error:
        return f"it is no proof of an entry: {error}"
    if proof.schema > SCHEMA:
        return f"it has version {proof.schema}; this program reads {SCHEMA}"
    if proof.entry.previous or proof.entry.hash:
        return "it names hashes of the chain, which a proof of one entry does not prove"
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
