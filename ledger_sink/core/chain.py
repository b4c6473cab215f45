"""The hash chain, computed a second time: what the database's function claims is checked here.

The same rule as `ledger.content_of` and `ledger.append` in `sql/migrations/0003_append.sql`:

- an entry's *content* hash covers all that it says, whatever its place in the chain;
- its *hash* covers the hash before it, its place and its content hash.

So a changed entry, and one that was put elsewhere, are told apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

HASH_BYTES = 32
TEXTS_KEPT_MAX = 10_000
"""More kinds and locations than a batch of entries has."""


class ChainEntry(NamedTuple):
    """A row of `ledger.entries` as it stands in the database."""

    seq: int
    """Its place in the chain, from 1."""
    id: str
    """Its id."""
    kind: str
    """Its kind."""
    happened_us: int
    """When it happened."""
    recorded_us: int
    """When it was entered."""
    identity: str | None
    """The identity that it is about."""
    location: str | None
    """The location that it is about."""
    payload: bytes
    """The exact bytes."""
    read_received_us: int | None
    """When the agent received the last read needed."""
    window_us: int
    """What was waited on purpose."""
    previous: bytes
    """The hash before it, as stored."""
    hash: bytes
    """Its hash, as stored."""


def _field(text: str | None) -> bytes:
    if text is None:
        return b"-,"
    raw = text.encode()
    return b"%d:%b," % (len(raw), raw)


def content_hash(
    *,
    site: str,
    id_: str,
    kind: str,
    happened_us: int,
    recorded_us: int,
    identity: str | None,
    location: str | None,
    payload: bytes,
    read_received_us: int | None,
    window_us: int,
) -> bytes:
    """SHA-256 over all that an entry says; the twin of `ledger.content_of`."""
    received = b"-" if read_received_us is None else b"%d" % read_received_us
    return sha256(
        b"%b%b%b%d,%d,%b%b%b,%d,%d:%b"
        % (
            _field(site),
            _field(id_),
            _field(kind),
            happened_us,
            recorded_us,
            _field(identity),
            _field(location),
            received,
            window_us,
            len(payload),
            payload,
        )
    ).digest()


class _Said(dict[str | None, str]):
    """Texts with their lengths in front, kept for those that come again and again."""

    def __missing__(self, text: str | None) -> str:
        said = "-" if text is None else f"{len(text)}:{text}"
        if len(self) < TEXTS_KEPT_MAX:
            self[text] = said
        return said


def contents_of(site: str, entries: Iterable[ChainEntry]) -> list[bytes]:
    """The content hashes of rows: what `content_hash` gives, in a third of the time."""
    begin = f"{len(site)}:{site},"
    said = _Said()
    found = []
    for entry in entries:
        _, id_, kind, happened, recorded, identity, location, payload, received, window, _, _ = (
            entry
        )
        about = "-" if identity is None else f"{len(identity)}:{identity}"
        text = (
            f"{begin}{len(id_)}:{id_},{said[kind]},{happened},{recorded},{about},{said[location]},"
            f"{'-' if received is None else received},{window},{len(payload)}:"
        )
        # Lengths are in bytes: those of characters are the same in ASCII only.
        if text.isascii():
            found.append(sha256(text.encode() + payload).digest())
        else:
            found.append(content_of(site, entry))
    return found


def content_of(site: str, entry: ChainEntry) -> bytes:
    """The content hash of a row."""
    return content_hash(
        site=site,
        id_=entry.id,
        kind=entry.kind,
        happened_us=entry.happened_us,
        recorded_us=entry.recorded_us,
        identity=entry.identity,
        location=entry.location,
        payload=entry.payload,
        read_received_us=entry.read_received_us,
        window_us=entry.window_us,
    )


def chain_hash(previous: bytes, seq: int, content: bytes) -> bytes:
    """An entry's hash; the twin of `ledger.hash_of`."""
    return sha256(previous + seq.to_bytes(8, "big") + content).digest()


def genesis(site: str) -> bytes:
    """What stands before a site's first entry; the twin of `ledger.genesis_of`."""
    return sha256(b"tallygate ledger " + site.encode()).digest()


def chain_hashes(previous: bytes, first: int, contents: Iterable[bytes]) -> list[bytes]:
    """The hashes of entries that follow each other, the first of them at a place."""
    found = []
    for seq, content in enumerate(contents, start=first):
        previous = sha256(previous + seq.to_bytes(8, "big") + content).digest()
        found.append(previous)
    return found
