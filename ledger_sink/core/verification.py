"""Compares a chain, as it stands in the database, with the heads that were published.

Three things are checked of every entry: that its hash follows from its content and the entry
before it; that its content is the one that was published at its place; and that the chain's hash
at each head is the published one. The first entry that fails is named, and how: *changed*,
*missing*, *inserted* or *swapped*. All that stands behind the last head is *not yet protected*:
there only the first check can be made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from operator import itemgetter
from typing import NamedTuple

from ledger_sink.core.chain import ChainEntry, chain_hash, chain_hashes, contents_of, genesis
from ledger_sink.core.heads import TRUNCATED_BYTES, ReadHead, truncated

FINDINGS_MAX = 20
"""Enough to see what happened; one inserted entry alone shifts all that follow."""

_seq, _previous, _hash = map(itemgetter, map(ChainEntry._fields.index, ("seq", "previous", "hash")))


class Fault(StrEnum):
    """What can be wrong."""

    CHANGED = "changed"
    """An entry's content is not what was published."""
    MISSING = "missing"
    """An entry that was published is gone."""
    INSERTED = "inserted"
    """An entry stands among published ones that was never published."""
    SWAPPED = "swapped"
    """Two entries stand in each other's place."""
    BROKEN_HASH = "broken_hash"
    """An entry's hash does not follow from its content and the entry before it."""
    MISMATCH = "mismatch"
    """An entry was made wrong: what it stands under is not what its payload speaks of."""
    EVIDENCE = "evidence"
    """Sightings behind an entry are not those that it was decided by."""
    REFERENCE = "reference"
    """Master data is not what its entry says."""
    POSTING = "posting"
    """A row of the books is not what the entries say."""
    FILE = "file"
    """An exported file is damaged or cut off."""
    HEAD = "head"
    """A published head is not what the key signed, or does not fit the one before it."""


class Finding(NamedTuple):
    """One thing that is wrong."""

    fault: Fault
    """What."""
    seq: int | None
    """The entry's place in the chain, if it is about one."""
    id: str | None
    """The entry's id, where it is known."""
    text: str
    """In words."""


class ChainReport(NamedTuple):
    """What came of comparing."""

    entries: int
    """How many entries were read."""
    protected: int
    """How many of the chain's entries published heads cover."""
    findings: tuple[Finding, ...]
    """What is wrong; the first broken entry first."""


class Published(NamedTuple):
    """What heads say of a stretch of the chain."""

    after: int
    """The entry before the stretch: 0 at the chain's beginning."""
    contents: bytes
    """Truncated content hashes of its entries, one behind the other."""
    hashes: Mapping[int, bytes]
    """The chain's hash at each entry that a head ends with."""

    @property
    def upto(self) -> int:
        """The last entry of which heads say something."""
        return self.after + len(self.contents) // TRUNCATED_BYTES

    def part(self, after: int, last: int) -> Published:
        """What they say of the entries behind one up to another."""
        begin, end = (place - self.after for place in (after, last))
        contents = self.contents[begin * TRUNCATED_BYTES : end * TRUNCATED_BYTES]
        hashes = {seq: hash_ for seq, hash_ in self.hashes.items() if after < seq <= last}
        return Published(after, contents, hashes)


def published_by(heads: Sequence[ReadHead]) -> Published:
    """What checked heads say, in order, the first beginning at entry 1."""
    return Published(
        0,
        b"".join(head.contents for head in heads),
        {head.head.seq: bytes.fromhex(head.head.hash) for head in heads},
    )


class ChainCheck:
    """Takes entries in order of seq, from the chain's beginning or behind another's end."""

    def __init__(self, site: str, published: Published, hash_: bytes | None = None) -> None:
        """`hash_` is that of the entry before; None: the first one is the chain's first."""
        self._site = site
        self._after = published.after
        self._published = published.contents
        self._head_hashes = published.hashes
        self._hash = genesis(site) if hash_ is None else hash_
        self._seq = published.after
        self._findings: list[Finding] = []
        self._first_difference: int | None = None
        self._tail = bytearray()
        self._tail_id = ""

    @property
    def seq(self) -> int:
        """The place of the last entry."""
        return self._seq

    @property
    def hash(self) -> bytes:
        """The hash of the last entry."""
        return self._hash

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong so far."""
        return not self._findings and self._first_difference is None

    def take(self, entries: Sequence[ChainEntry]) -> None:
        """The next entries: accepted at once where all is as it should be, else one by one."""
        if not entries:
            return
        contents = contents_of(self._site, entries)
        hashes = chain_hashes(self._hash, self._seq + 1, contents)
        if self.is_whole and self._are_right(entries, contents, hashes):
            self._seq += len(entries)
            self._hash = hashes[-1]
            return
        for entry, content in zip(entries, contents, strict=True):
            self._take(entry, content)

    def report(self, *, chain_seq: int, is_export: bool = False) -> ChainReport:
        """All that is wrong; `chain_seq` is where the ledger's own books say the chain ends.

        `is_export`: they said so when a file was made, which may be long ago.
        """
        published = len(self._published) // TRUNCATED_BYTES
        if self._first_difference is None and self._seq - self._after < published:
            self._first_difference = self._seq + 1
        if self._first_difference is not None:
            finding = self._name_difference(self._first_difference)
            if is_export and not self._tail and chain_seq == self._seq:
                text = (
                    f"{finding.text}; the export says that it goes until entry {chain_seq}, and one"
                    " that was made before the later heads were published looks the same"
                )
                finding = finding._replace(text=text)
            self._findings.insert(0, finding)
        elif chain_seq > self._seq:
            text = f"entries {self._seq + 1} to {chain_seq} are gone; no head protected them yet"
            self._find(Fault.MISSING, self._seq + 1, None, text)
        return ChainReport(self._seq - self._after, published, tuple(self._findings[:FINDINGS_MAX]))

    def _are_right(
        self, entries: Sequence[ChainEntry], contents: list[bytes], hashes: list[bytes]
    ) -> bool:
        """Whether entries are in their place, chained, and those that were published."""
        first, end = self._seq + 1, self._seq + len(entries)
        begin = (first - 1 - self._after) * TRUNCATED_BYTES
        published = self._published[begin : begin + len(entries) * TRUNCATED_BYTES]
        return (
            list(map(_seq, entries)) == list(range(first, end + 1))
            and list(map(_hash, entries)) == hashes
            and list(map(_previous, entries)) == [self._hash, *hashes[:-1]]
            and b"".join(map(truncated, contents)).startswith(published)
            and all(
                self._head_hashes[seq] == hashes[seq - first]
                for seq in self._head_hashes.keys() & range(first, end + 1)
            )
        )

    def _take(self, entry: ChainEntry, content: bytes) -> None:
        if entry.seq != self._seq + 1:
            self._find(
                Fault.MISSING if entry.seq > self._seq + 1 else Fault.INSERTED,
                self._seq + 1,
                None,
                f"entry {self._seq} is followed by entry {entry.seq}",
            )
        # The place that counts is the place among the rows: numbers can be rewritten.
        self._seq = self._seq + 1
        # No chain has a place below 1, and its hash would not exist.
        follows = entry.seq > 0 and entry.hash == chain_hash(entry.previous, entry.seq, content)
        if entry.previous != self._hash or not follows:
            self._find(
                Fault.BROKEN_HASH,
                entry.seq,
                entry.id,
                f"entry {entry.seq} ({entry.id}): its hash does not follow from its content and"
                " the entry before it",
            )
        self._hash = entry.hash
        if self._first_difference is not None:
            self._tail += truncated(content)
            return
        published = self._published_at(self._seq)
        if not published:
            return
        if truncated(content) != published:
            self._first_difference = self._seq
            self._tail += truncated(content)
            self._tail_id = entry.id
        elif self._head_hashes.get(self._seq, entry.hash) != entry.hash:
            self._find(
                Fault.BROKEN_HASH,
                entry.seq,
                entry.id,
                f"entry {entry.seq} ({entry.id}): the chain up to it is not the one whose hash"
                " was published",
            )

    def _published_at(self, seq: int) -> bytes:
        """What was published of an entry; nothing: it is not yet protected."""
        begin = (seq - 1 - self._after) * TRUNCATED_BYTES
        return self._published[begin : begin + TRUNCATED_BYTES]

    def _find(self, fault: Fault, seq: int | None, id_: str | None, text: str) -> None:
        if len(self._findings) < FINDINGS_MAX:
            self._findings.append(Finding(fault, seq, id_, text))

    def _name_difference(self, seq: int) -> Finding:
        """What happened at the first place where the rows are not the published ones."""
        rows = bytes(self._tail)
        published = self._published[(seq - 1 - self._after) * TRUNCATED_BYTES :]
        count = len(published) // TRUNCATED_BYTES
        if not rows:
            text = f"{_entries(seq, count)}: published, and gone from the end of the chain"
            return Finding(Fault.MISSING, seq, None, text)
        id_ = self._tail_id
        other = _place_in(published, rows[:TRUNCATED_BYTES])
        if other is not None:
            begin = other * TRUNCATED_BYTES
            if rows[begin : begin + TRUNCATED_BYTES] == published[:TRUNCATED_BYTES]:
                text = f"entries {seq} ({id_}) and {seq + other} stand in each other's place"
                return Finding(Fault.SWAPPED, seq, id_, text)
            text = f"{_entries(seq, other)}: published, and gone"
            return Finding(Fault.MISSING, seq, None, text)
        count_inserted = _place_in(rows, published[:TRUNCATED_BYTES])
        if count_inserted is not None:
            text = f"{_entries(seq, count_inserted)} ({id_}): never published, and inserted"
            return Finding(Fault.INSERTED, seq, id_, text)
        return Finding(
            Fault.CHANGED, seq, id_, f"entry {seq} ({id_}): not what was published at its place"
        )


def _entries(first: int, count: int) -> str:
    return f"entry {first}" if count == 1 else f"entries {first} to {first + count - 1}"


def _place_in(contents: bytes, content: bytes) -> int | None:
    """Where a truncated content hash stands among others, from 1 on behind the first; None: not."""
    at = contents.find(content, TRUNCATED_BYTES)
    while at > 0 and at % TRUNCATED_BYTES:
        at = contents.find(content, at + 1)
    return at // TRUNCATED_BYTES if at > 0 else None
