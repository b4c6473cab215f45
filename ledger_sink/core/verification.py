"""Compares a chain, as it stands in the database, with the heads that were published.

Three things are checked of every entry: that its hash follows from its content and the entry
before it; that its content is the one that was published at its place; and that the chain's hash
at each head is the published one. The first entry that fails is named, and how: *changed*,
*missing*, *inserted* or *swapped*. All that stands behind the last head is *not yet protected*:
there only the first check can be made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from ledger_sink.core.chain import ChainEntry, chain_hash, content_of, genesis
from ledger_sink.core.heads import ReadHead, truncated

FINDINGS_MAX = 20
"""Enough to see what happened; one inserted entry alone shifts all that follow."""


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
    """Postings or balances are not what the movements say."""
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


class ChainCheck:
    """Takes a site's entries in order of seq, then says what is wrong."""

    def __init__(self, site: str, heads: Sequence[ReadHead]) -> None:
        """`heads` are checked ones, in order, the first beginning at entry 1."""
        self._site = site
        self._published: list[bytes] = [content for head in heads for content in head.contents]
        self._head_hashes = {head.head.seq: bytes.fromhex(head.head.hash) for head in heads}
        self._hash = genesis(site)
        self._seq = 0
        self._entries = 0
        self._findings: list[Finding] = []
        self._first_difference: int | None = None
        self._tail: list[tuple[bytes, str]] = []

    def take(self, entries: Iterable[ChainEntry]) -> None:
        """The next entries."""
        for entry in entries:
            self._entries += 1
            self._take(entry)

    def report(self, *, chain_seq: int, is_export: bool = False) -> ChainReport:
        """All that is wrong; `chain_seq` is where the ledger's own books say the chain ends.

        `is_export`: they said so when a file was made, which may be long ago.
        """
        published = len(self._published)
        if self._first_difference is None and self._seq < published:
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
        return ChainReport(self._entries, published, tuple(self._findings[:FINDINGS_MAX]))

    def _take(self, entry: ChainEntry) -> None:
        if entry.seq != self._seq + 1:
            self._find(
                Fault.MISSING if entry.seq > self._seq + 1 else Fault.INSERTED,
                self._seq + 1,
                None,
                f"entry {self._seq} is followed by entry {entry.seq}",
            )
        content = content_of(self._site, entry)
        # The place that counts is the place among the rows: numbers can be rewritten.
        self._seq = self._seq + 1
        if entry.previous != self._hash or entry.hash != chain_hash(
            entry.previous, entry.seq, content
        ):
            self._find(
                Fault.BROKEN_HASH,
                entry.seq,
                entry.id,
                f"entry {entry.seq} ({entry.id}): its hash does not follow from its content and"
                " the entry before it",
            )
        self._hash = entry.hash
        if self._first_difference is not None:
            self._tail.append((truncated(content), entry.id))
            return
        if self._seq > len(self._published):
            return
        if truncated(content) != self._published[self._seq - 1]:
            self._first_difference = self._seq
            self._tail.append((truncated(content), entry.id))
        elif self._head_hashes.get(self._seq, entry.hash) != entry.hash:
            self._find(
                Fault.BROKEN_HASH,
                entry.seq,
                entry.id,
                f"entry {entry.seq} ({entry.id}): the chain up to it is not the one whose hash"
                " was published",
            )

    def _find(self, fault: Fault, seq: int | None, id_: str | None, text: str) -> None:
        if len(self._findings) < FINDINGS_MAX:
            self._findings.append(Finding(fault, seq, id_, text))

    def _name_difference(self, seq: int) -> Finding:
        """What happened at the first place where the rows are not the published ones."""
        rows = [content for content, _ in self._tail]
        published = self._published[seq - 1 :]
        if not rows:
            count = len(published)
            which = f"entry {seq}" if count == 1 else f"entries {seq} to {seq + count - 1}"
            text = f"{which}: published, and gone from the end of the chain"
            return Finding(Fault.MISSING, seq, None, text)
        id_ = self._tail[0][1]
        if len(published) > 1 and rows[0] in published[1:]:
            other = published.index(rows[0], 1)
            if other < len(rows) and rows[other] == published[0]:
                text = f"entries {seq} ({id_}) and {seq + other} stand in each other's place"
                return Finding(Fault.SWAPPED, seq, id_, text)
            which = f"entry {seq}" if other == 1 else f"entries {seq} to {seq + other - 1}"
            return Finding(Fault.MISSING, seq, None, f"{which}: published, and gone")
        if published[0] in rows[1:]:
            count = rows.index(published[0], 1)
            which = f"entry {seq}" if count == 1 else f"entries {seq} to {seq + count - 1}"
            text = f"{which} ({id_}): never published, and inserted"
            return Finding(Fault.INSERTED, seq, id_, text)
        return Finding(
            Fault.CHANGED, seq, id_, f"entry {seq} ({id_}): not what was published at its place"
        )
